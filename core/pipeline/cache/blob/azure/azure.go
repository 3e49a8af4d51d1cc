// Package azure is the API of Azure's Blob Storage (https://learn.microsoft.com/en-us/rest/api/storageservices/): blobs are
// read, written, removed and listed, and their container is made if it is missing.
package azure

import (
	"encoding/xml"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/pipeline/cache/blob"
)

// Scope is what tokens for the storage are for
// (https://learn.microsoft.com/en-us/azure/storage/blobs/authorize-access-azure-active-directory).
const Scope = "https://storage.azure.com/.default"

// version of the API (https://learn.microsoft.com/en-us/rest/api/storageservices/versioning-for-the-azure-storage-services).
const version = "2021-12-02"

// API implements blob.API.
type API struct {
	target *llm.Target
	path   string // of the container
	sas    string // a shared access signature that every call carries
}

var _ blob.API = (*API)(nil)

// New makes the API of a container. account is the account's address, such as https://name.blob.core.windows.net; it may end
// in a shared access signature, which then takes the place of tokens.
func New(account, container string) (*API, error) {
	u, err := url.Parse(account)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("this is no address such as https://name.blob.core.windows.net")
	}
	if container == "" || strings.ContainsAny(container, "/?#%\\ \r\n") {
		return nil, fmt.Errorf("%q is no container", container)
	}
	addr := u.Host
	if u.Port() == "" {
		port := "443"
		if u.Scheme == "http" {
			port = "80"
		}
		addr = net.JoinHostPort(u.Hostname(), port)
	}
	return &API{
		target: &llm.Target{Scheme: u.Scheme, Host: u.Host, Addr: addr}, path: strings.TrimRight(u.EscapedPath(), "/") + "/" + container, sas: u.RawQuery,
	}, nil
}

// Target is the server of the account.
func (a *API) Target() *llm.Target { return a.target }

// Signed reports whether the account's address has a signature, so that calls need no token.
func (a *API) Signed() bool { return a.sas != "" }

func (a *API) with(path, query string) string {
	switch {
	case query == "" && a.sas == "":
		return path
	case query == "":
		return path + "?" + a.sas
	case a.sas == "":
		return path + "?" + query
	}
	return path + "?" + query + "&" + a.sas
}

// Object implements blob.API.
func (a *API) Object(name string) string { return a.with(a.path+"/"+name, "") }

// List implements blob.API (https://learn.microsoft.com/en-us/rest/api/storageservices/list-blobs).
func (a *API) List(prefix, page string) string {
	q := url.Values{"restype": {"container"}, "comp": {"list"}}
	if prefix != "" {
		q.Set("prefix", prefix)
	}
	if page != "" {
		q.Set("marker", page)
	}
	return a.with(a.path, q.Encode())
}

// Listed implements blob.API.
func (a *API) Listed(body []byte) (names []string, next string, err error) {
	var v struct {
		Blobs struct {
			Blob []struct {
				Name string `xml:"Name"`
			} `xml:"Blob"`
		} `xml:"Blobs"`
		Next string `xml:"NextMarker"`
	}
	if err := xml.Unmarshal(body, &v); err != nil {
		return nil, "", err
	}
	for _, b := range v.Blobs.Blob {
		names = append(names, b.Name)
	}
	return names, v.Next, nil
}

// Prepare implements blob.API (https://learn.microsoft.com/en-us/rest/api/storageservices/put-blob).
func (a *API) Prepare(c *llm.Call) {
	add := func(name, value string) {
		c.Header = append(c.Header, llm.Field{Name: []byte(name), Value: []byte(value)})
	}
	add("x-ms-version", version)
	if c.Method == http.MethodPut && len(c.Body) > 0 {
		add("x-ms-blob-type", "BlockBlob")
	}
}

// Missing implements blob.API: it makes the container
// (https://learn.microsoft.com/en-us/rest/api/storageservices/create-container).
func (a *API) Missing() *llm.Call {
	return &llm.Call{Target: a.target, Method: http.MethodPut, Path: []byte(a.with(a.path, "restype=container"))}
}
