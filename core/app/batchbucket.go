package app

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/pipeline/cache/blob"
)

// batchBucket is a bucket that a cloud reads the requests of batches from, and writes the results to.
type batchBucket struct {
	vendor, scheme string
	name, prefix   string // prefix is empty or ends with a slash
	api            blob.API
	target         *llm.Target
	signer         llm.Signer
	a              *App
}

// bucketName takes a bucket apart that is written with a prefix behind it, as the reference allows
// (litellm/litellm_core_utils/cloud_storage_security.py, split_configured_cloud_bucket_name).
func bucketName(written, scheme string) (name, prefix string, err error) {
	name, prefix, _ = strings.Cut(strings.TrimPrefix(written, scheme+"://"), "/")
	if prefix = strings.Trim(prefix, "/"); prefix != "" {
		err = blob.CheckPrefix(prefix)
		prefix += "/"
	}
	return name, prefix, err
}

// uri is the address of an object, as clouds want it in their requests.
func (k *batchBucket) uri(object string) string { return k.scheme + "://" + k.name + "/" + object }

// within is the object, or the folder with a slash, that an address names. ok is false if it is in no bucket of ours, or has
// a name that cannot be asked for: what a vendor tells must not lead elsewhere.
func (k *batchBucket) within(uri string) (object string, ok bool) {
	object, ok = strings.CutPrefix(uri, k.scheme+"://"+k.name+"/")
	return object, ok && strings.HasPrefix(object, k.prefix) && k.plain(object)
}

// plain reports whether an object can be asked for by its name. Signatures of Amazon's are over plain characters here; Google
// writes times into names, with colons.
func (k *batchBucket) plain(object string) bool {
	if k.scheme == "s3" {
		return blob.CheckPrefix(object) == nil
	}
	odd := func(c rune) bool { return c < ' ' || c == 0x7f || c == utf8.RuneError }
	return strings.IndexFunc(object, odd) < 0 && !strings.HasPrefix(object, "/") && !strings.Contains(object, "//") && !strings.Contains(object, "..")
}

// path is where an object is.
func (k *batchBucket) path(object string) string {
	segments := strings.Split(object, "/")
	for i, s := range segments {
		segments[i] = url.PathEscape(s)
	}
	return k.api.Object(strings.Join(segments, "/"))
}

func (k *batchBucket) do(ctx context.Context, method, path string, body ...[]byte) (io.ReadCloser, error) {
	c := llm.Call{Target: k.target, Method: method, Path: []byte(path), Body: body, Signer: k.signer, Timeout: batchPatience, Idle: batchPatience}
	if len(body) > 0 {
		c.Header = llm.Header{{Name: []byte("Content-Type"), Value: []byte("application/jsonl")}}
	}
	k.api.Prepare(&c)
	var a llm.Answer
	if err := k.a.upstream.Do(ctx, &c, &a); err != nil {
		return nil, err
	}
	if a.Status < 300 {
		return a.Body, nil
	}
	const most = 4 << 10
	text, _ := io.ReadAll(io.LimitReader(a.Body, most)) // what cannot be read is not needed
	_ = a.Body.Close()
	kind, code := llm.KindBadGateway, blob.Code(text)
	if code == "NoSuchKey" {
		kind = llm.KindNotFound
	}
	return nil, &llm.Error{
		Op: "app.batchBucket", Kind: kind, Provider: k.vendor,
		Message: strings.TrimSpace(fmt.Sprintf("The bucket %s of batches at %s answered with status %d %s", k.name, k.vendor, a.Status, code)) + ".",
	}
}

// put writes an object.
func (k *batchBucket) put(ctx context.Context, object string, body ...[]byte) error {
	in, err := k.do(ctx, http.MethodPut, k.path(object), body...)
	if err != nil {
		return err
	}
	return in.Close()
}

// get opens an object, which whoever reads it closes.
func (k *batchBucket) get(ctx context.Context, object string) (io.ReadCloser, error) {
	return k.do(ctx, http.MethodGet, k.path(object))
}

// list returns the objects whose names begin like this.
func (k *batchBucket) list(ctx context.Context, prefix string) (names []string, err error) {
	const most = 16 << 20
	for page := ""; ; {
		in, err := k.do(ctx, http.MethodGet, k.api.List(prefix, page))
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(io.LimitReader(in, most))
		_ = in.Close()
		if err != nil {
			return nil, err
		}
		some, next, err := k.api.Listed(body)
		if err != nil {
			return nil, &llm.Error{Op: "app.batchBucket", Kind: llm.KindBadGateway, Provider: k.vendor, Err: err, Message: "The list of objects in the bucket " + k.name + " cannot be read."}
		}
		names = append(names, some...)
		if page = next; page == "" {
			return names, nil
		}
	}
}

// results calls fn with the lines of the objects whose names begin with folder and end as pick says.
func (k *batchBucket) results(ctx context.Context, folder string, pick func(name string) bool, fn func(line []byte) error) error {
	names, err := k.list(ctx, folder)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !k.plain(name) || !pick(name[strings.LastIndexByte(name, '/')+1:]) {
			continue
		}
		in, err := k.get(ctx, name)
		if err != nil {
			return err
		}
		err = eachLine(in, fn)
		if closed := in.Close(); err == nil {
			err = closed
		}
		if err != nil {
			return err
		}
	}
	return nil
}
