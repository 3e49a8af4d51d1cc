package s3_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/sallyport-ai/sallyport/core/pipeline/cache"
	"github.com/sallyport-ai/sallyport/core/pipeline/cache/blob"
	"github.com/sallyport-ai/sallyport/core/pipeline/cache/blob/s3"
	"github.com/sallyport-ai/sallyport/core/pipeline/cache/cachetest"
	"github.com/sallyport-ai/sallyport/core/store/storetest"
	"github.com/sallyport-ai/sallyport/core/upstream/credential/aws"
)

const (
	bucket = "answers"
	id     = "AKIDEXAMPLE"
	secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	region = "us-west-2"
)

// checked lets requests pass whose signature is right, as the published procedure has it
// (https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html). It is written anew, so that the signer is
// not checked by itself.
func checked(t testing.TB, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fail := func(format string, args ...any) {
			t.Errorf(format, args...)
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, "<Error><Code>SignatureDoesNotMatch</Code></Error>")
		}
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		sum := sha256.Sum256(body)
		hash := hex.EncodeToString(sum[:])
		if got := r.Header.Get("X-Amz-Content-Sha256"); got != hash {
			fail("the hash of the body is %q, want %q", got, hash)
			return
		}
		var scope, names, signature string
		auth, _ := strings.CutPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ")
		for part := range strings.SplitSeq(auth, ", ") {
			k, v, _ := strings.Cut(part, "=")
			switch k {
			case "Credential":
				scope = strings.TrimPrefix(v, id+"/")
			case "SignedHeaders":
				names = v
			case "Signature":
				signature = v
			}
		}
		if !strings.HasSuffix(scope, "/"+region+"/s3/aws4_request") || !strings.Contains(names, "x-amz-content-sha256") {
			fail("signed for %q over %q", scope, names)
			return
		}
		var lines strings.Builder
		for name := range strings.SplitSeq(names, ";") {
			v := r.Header.Get(name)
			switch name {
			case "host":
				v = r.Host
			case "content-length":
				v = fmt.Sprint(r.ContentLength)
			}
			lines.WriteString(name + ":" + v + "\n")
		}
		var query []string
		for k, vs := range r.URL.Query() {
			for _, v := range vs {
				query = append(query, strings.ReplaceAll(url.QueryEscape(k)+"="+url.QueryEscape(v), "+", "%20"))
			}
		}
		slices.Sort(query)
		request := strings.Join([]string{r.Method, r.URL.EscapedPath(), strings.Join(query, "&"), lines.String(), names, hash}, "\n")
		digest := sha256.Sum256([]byte(request))
		toSign := "AWS4-HMAC-SHA256\n" + r.Header.Get("X-Amz-Date") + "\n" + scope + "\n" + hex.EncodeToString(digest[:])
		key := []byte("AWS4" + secret)
		for part := range strings.SplitSeq(scope, "/") {
			key = mac(key, part)
		}
		if want := hex.EncodeToString(mac(key, toSign)); signature != want {
			fail("signature %q, want %q", signature, want)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// server is an S3 server in the process, with a bucket.
func server(t testing.TB, options ...gofakes3.Option) *httptest.Server {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket(bucket); err != nil {
		t.Fatal(err)
	}
	options = append(options, gofakes3.WithLogger(gofakes3.DiscardLog()))
	s := httptest.NewServer(checked(t, gofakes3.New(backend, options...).Server()))
	t.Cleanup(s.Close)
	return s
}

func open(t testing.TB, endpoint, prefix string, client *http.Client) *blob.Store {
	t.Helper()
	api, err := s3.New(s3.Place{Bucket: bucket, Region: region, Endpoint: endpoint})
	if err != nil {
		t.Fatal(err)
	}
	source := aws.New(aws.Settings{Env: func(string) string { return "" }})
	signer := source.Signer(aws.Options{AccessKeyID: id, SecretAccessKey: secret, Region: region}, "s3")
	return blob.New(blob.Settings{Name: "S3", API: api, Target: api.Target(), Signer: signer, Prefix: prefix, Client: client})
}

// openAt is a store in the bucket of a server.
func openAt(t testing.TB, s *storetest.S3Server, prefix, key string) *blob.Store {
	t.Helper()
	api, err := s3.New(s3.Place{Bucket: s.Bucket, Region: region, Endpoint: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	source := aws.New(aws.Settings{Env: func(string) string { return "" }})
	signer := source.Signer(aws.Options{AccessKeyID: s.AccessKey, SecretAccessKey: key, Region: region}, "s3")
	return blob.New(blob.Settings{Name: "S3", API: api, Target: api.Target(), Signer: signer, Prefix: prefix})
}

// The contract over a server that is a program of its own and checks signatures: it refuses another secret, and what is
// refused is an error, not a miss.
func TestServer(t *testing.T) {
	t.Parallel()
	s := storetest.S3(t)
	wrong := openAt(t, s, "cache", "another secret")
	if _, err := wrong.Get(t.Context(), "k", nil); err == nil || errors.Is(err, cache.ErrMiss) || strings.Contains(err.Error(), s.Secret) {
		t.Errorf("a wrong secret: %v", err)
	}
	if err := wrong.Ping(t.Context()); err == nil {
		t.Error("a wrong secret: the ping succeeds")
	}
	cachetest.Store(t, cachetest.Options{
		Keeps: true, Serial: true, Break: func(testing.TB) { s.Stop() },
		Open: func(t testing.TB) cache.Store { return openAt(t, s, "cache/answers", s.Secret) },
		Foreign: func(t testing.TB) func(testing.TB) {
			theirs := openAt(t, s, "cache/other", s.Secret)
			if err := theirs.Set(t.Context(), "k", []byte("theirs"), 0); err != nil {
				t.Fatal(err)
			}
			return func(t testing.TB) {
				if v, err := theirs.Get(t.Context(), "k", nil); err != nil || string(v) != "theirs" {
					t.Errorf("what others keep: %q, %v", v, err)
				}
			}
		},
	})
}

func TestContract(t *testing.T) {
	t.Parallel()
	s := server(t)
	cachetest.Store(t, cachetest.Options{
		Keeps: true, Break: func(testing.TB) { s.Close() },
		Open: func(t testing.TB) cache.Store { return open(t, s.URL, "cache/answers", nil) },
		Foreign: func(t testing.TB) func(testing.TB) {
			theirs := open(t, s.URL, "cache/other", nil)
			if err := theirs.Set(t.Context(), "k", []byte("theirs"), 0); err != nil {
				t.Fatal(err)
			}
			return func(t testing.TB) {
				if v, err := theirs.Get(t.Context(), "k", nil); err != nil || string(v) != "theirs" {
					t.Errorf("what others keep: %q, %v", v, err)
				}
			}
		},
	})
}

// Addresses that have the bucket in the name of the host work as well.
func TestHostStyle(t *testing.T) {
	t.Parallel()
	s := server(t, gofakes3.WithHostBucket(true))
	client := &http.Client{Transport: &http.Transport{Proxy: func(*http.Request) (*url.URL, error) { return url.Parse(s.URL) }}}
	st := open(t, "http://"+bucket+".s3.example.com", "", client)
	if err := st.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	if err := st.Set(t.Context(), "k", []byte("v"), 0); err != nil {
		t.Fatal(err)
	}
	if v, err := st.Get(t.Context(), "k", nil); err != nil || string(v) != "v" {
		t.Errorf("%q, %v", v, err)
	}
}

func TestPlace(t *testing.T) {
	t.Parallel()
	at := func(p s3.Place, want string) {
		t.Helper()
		api, err := s3.New(p)
		if err != nil {
			t.Errorf("%+v: %v", p, err)
			return
		}
		if got := api.Target().Scheme + "://" + api.Target().Host + api.Object("o"); got != want {
			t.Errorf("%+v: %s, want %s", p, got, want)
		}
	}
	at(s3.Place{Bucket: "bkt", Region: "eu-west-1"}, "https://bkt.s3.eu-west-1.amazonaws.com/o")
	at(s3.Place{Bucket: "b.k.t", Region: "eu-west-1"}, "https://s3.eu-west-1.amazonaws.com/b.k.t/o")
	at(s3.Place{Bucket: "bkt", Region: "cn-north-1"}, "https://bkt.s3.cn-north-1.amazonaws.com.cn/o")
	at(s3.Place{Bucket: "bkt", Region: "us-east-1", Plain: true}, "http://bkt.s3.us-east-1.amazonaws.com/o")
	at(s3.Place{Bucket: "bkt", Endpoint: "https://s3.us-west-004.backblazeb2.com"}, "https://s3.us-west-004.backblazeb2.com/bkt/o")
	at(s3.Place{Bucket: "bkt", Endpoint: "https://bkt.s3.us-west-004.backblazeb2.com"}, "https://bkt.s3.us-west-004.backblazeb2.com/o")
	at(s3.Place{Bucket: "bkt", Endpoint: "https://account.r2.cloudflarestorage.com/"}, "https://account.r2.cloudflarestorage.com/bkt/o")
	for _, p := range []s3.Place{{Bucket: "b"}, {Bucket: "a/b/c"}, {Bucket: "bkt", Endpoint: "s3.example.com"}, {Bucket: "bkt", Endpoint: "ftp://h"}} {
		if _, err := s3.New(p); err == nil {
			t.Errorf("%+v was taken", p)
		}
	}
}

// What goes wrong is told without what was signed.
func TestErrorsHoldNoSecret(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, "<Error><Code>SignatureDoesNotMatch</Code><AWSAccessKeyId>%s</AWSAccessKeyId></Error>", id)
	}))
	defer s.Close()
	err := open(t, s.URL, "", nil).Ping(t.Context())
	if err == nil || !strings.Contains(err.Error(), "403 SignatureDoesNotMatch") || strings.Contains(err.Error(), id) {
		t.Errorf("%v", err)
	}
}
