package credential

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
)

// Identity fetches identity tokens, which a platform gives to the programs that run on it, and which a cloud takes in
// exchange for a credential of its own. The zero value is usable.
type Identity struct {
	Env    func(name string) string // of a variable; nil is os.Getenv
	Client *http.Client             // nil is http.DefaultClient
}

// maxToken is the greatest length of a token in bytes.
const maxToken = 64 << 10

// Token returns the token that ref stands for. The forms are those of the reference system
// (litellm/secret_managers/main.py, get_secret):
//
//	oidc/github/<audience>       asks GitHub Actions
//	oidc/google/<audience>       asks the metadata server of Google Cloud
//	oidc/azure/<audience>        reads the file AZURE_FEDERATED_TOKEN_FILE
//	oidc/circleci/<anything>     CIRCLE_OIDC_TOKEN, and oidc/circleci_v2/ CIRCLE_OIDC_TOKEN_V2
//	oidc/env/<NAME>              a variable
//	oidc/env_path/<NAME>         the file that a variable names
//	oidc/file/<path>             a file
//
// Anything else is the path of a file if it is one, and else the token itself. Errors never hold a token.
func (i *Identity) Token(ctx context.Context, ref string) (string, error) {
	rest, ok := strings.CutPrefix(ref, "oidc/")
	if !ok {
		return i.plain(ref)
	}
	kind, audience, ok := strings.Cut(rest, "/")
	if !ok || audience == "" {
		return "", fmt.Errorf("%q is incomplete: write it like oidc/%s/<audience>", ref, kind)
	}
	switch kind {
	case "github":
		return i.github(ctx, audience)
	case "google":
		return i.google(ctx, audience)
	case "azure":
		return i.fileOf("AZURE_FEDERATED_TOKEN_FILE")
	case "circleci":
		return i.variable("CIRCLE_OIDC_TOKEN")
	case "circleci_v2":
		return i.variable("CIRCLE_OIDC_TOKEN_V2")
	case "env":
		return i.variable(audience)
	case "env_path":
		return i.fileOf(audience)
	case "file":
		return read(audience)
	}
	return "", fmt.Errorf("oidc/%s/ is not known: it must be one of github, google, azure, circleci, circleci_v2, env, env_path and file", kind)
}

func (i *Identity) plain(ref string) (string, error) {
	if info, err := os.Stat(ref); err == nil && info.Mode().IsRegular() {
		return read(ref)
	}
	// A token is three parts joined by dots, none of which can hold a slash.
	if strings.Contains(ref, "/") || strings.Count(ref, ".") != 2 {
		return "", errors.New("the value is neither a file that can be found, nor a token, nor an oidc/ reference")
	}
	return ref, nil
}

func (i *Identity) env(name string) string {
	if i.Env != nil {
		return i.Env(name)
	}
	return os.Getenv(name)
}

func (i *Identity) variable(name string) (string, error) {
	if v := strings.TrimSpace(i.env(name)); v != "" {
		return v, nil
	}
	return "", fmt.Errorf("the variable %s is not set", name)
}

func (i *Identity) fileOf(name string) (string, error) {
	path, err := i.variable(name)
	if err != nil {
		return "", err
	}
	token, err := read(path)
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return token, nil
}

// read reads a token from a file, anew each time because platforms replace them.
func read(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("the token file cannot be read: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxToken+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("the token file cannot be read: %w", err)
	case len(b) > maxToken:
		return "", fmt.Errorf("the token file %s is longer than %d bytes", path, maxToken)
	}
	token := strings.TrimSpace(string(b))
	if token == "" {
		return "", fmt.Errorf("the token file %s is empty", path)
	}
	return token, nil
}

// github follows https://docs.github.com/en/actions/reference/security/oidc.
func (i *Identity) github(ctx context.Context, audience string) (string, error) {
	address, err := i.variable("ACTIONS_ID_TOKEN_REQUEST_URL")
	if err != nil {
		return "", err
	}
	bearer, err := i.variable("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
	if err != nil {
		return "", err
	}
	body, err := i.get(ctx, address, audience, http.Header{
		"Authorization": {"Bearer " + bearer}, "Accept": {"application/json; api-version=2.0"},
	})
	if err != nil {
		return "", fmt.Errorf("GitHub gave no identity token: %w", err)
	}
	var answer struct{ Value string }
	if json.Unmarshal(body, &answer) != nil || answer.Value == "" {
		return "", errors.New("GitHub gave no identity token: its answer has no value")
	}
	return answer.Value, nil
}

// google follows https://cloud.google.com/compute/docs/instances/verifying-instance-identity.
func (i *Identity) google(ctx context.Context, audience string) (string, error) {
	host := i.env("GCE_METADATA_HOST")
	if host == "" {
		host = "metadata.google.internal"
	}
	address := "http://" + host + "/computeMetadata/v1/instance/service-accounts/default/identity"
	body, err := i.get(ctx, address, audience, http.Header{"Metadata-Flavor": {"Google"}})
	if err != nil {
		return "", fmt.Errorf("the metadata server of Google Cloud gave no identity token: %w", err)
	}
	return strings.TrimSpace(string(body)), nil
}

func (i *Identity) get(ctx context.Context, address, audience string, h http.Header) ([]byte, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("its address is not a URL")
	}
	q := u.Query()
	q.Set("audience", audience)
	u.RawQuery = q.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, errors.New("its address is not a URL")
	}
	req.Header = h
	client := i.Client
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxToken))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answered with status %d", resp.StatusCode)
	}
	return body, nil
}
