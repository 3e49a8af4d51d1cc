package aws_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/upstream/credential/aws"
)

func TestDatabaseToken(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 2, 16, 12, 0, 0, 0, time.UTC)
	env := map[string]string{}
	source := aws.New(aws.Settings{Env: func(name string) string { return env[name] }, Now: func() time.Time { return at }})
	keys := aws.Options{AccessKeyID: "AKID", SecretAccessKey: "secret-key", SessionToken: "session"}
	token := func(o aws.Options, address, role string) url.Values {
		t.Helper()
		password, err := source.DatabaseToken(o, address, role)
		if err != nil {
			t.Fatal(err)
		}
		token, err := password(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		host, query, _ := strings.Cut(token, "/?")
		values, err := url.ParseQuery(query)
		if host != address || err != nil || strings.Contains(token, "secret-key") {
			t.Errorf("token %s: %v", token, err)
		}
		return values
	}
	check := func(v url.Values, name, want string) {
		t.Helper()
		if v.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, v.Get(name), want)
		}
	}
	v := token(keys, "db.abc.eu-west-1.rds.amazonaws.com:5432", "app user")
	check(v, "Action", "connect")
	check(v, "DBUser", "app user")
	check(v, "X-Amz-Expires", "900")
	check(v, "X-Amz-Date", "20260216T120000Z")
	check(v, "X-Amz-Credential", "AKID/20260216/eu-west-1/rds-db/aws4_request")
	check(v, "X-Amz-Security-Token", "session")
	check(v, "X-Amz-SignedHeaders", "host")
	if len(v.Get("X-Amz-Signature")) != 64 {
		t.Errorf("signature %q", v.Get("X-Amz-Signature"))
	}
	first := v.Get("X-Amz-Signature")
	at = at.Add(time.Minute)
	if v := token(keys, "db.abc.eu-west-1.rds.amazonaws.com:5432", "app user"); v.Get("X-Amz-Signature") == first {
		t.Error("a later token is the same")
	}
	keys.Region = "us-east-2"
	check(token(keys, "10.0.0.1:6432", "u"), "X-Amz-Credential", "AKID/20260216/us-east-2/rds-db/aws4_request")

	refuses := func(o aws.Options, address, role, part string) {
		t.Helper()
		if _, err := source.DatabaseToken(o, address, role); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%s for %q: %v, want %s", address, role, err, part)
		}
	}
	refuses(keys, "host", "u", "host:port")
	refuses(keys, "host:1", "", "user")
	keys.Region = ""
	refuses(keys, "host:1", "u", "AWS_REGION_NAME")
}
