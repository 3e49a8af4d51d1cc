package main

import (
	"strings"
	"testing"
	"time"
)

// TestVectors are those of AWS's Signature Version 4 test suite, by their names there, and the example for IAM in the
// General Reference. The suite is described at
// https://docs.aws.amazon.com/general/latest/gr/signature-v4-test-suite.html
func TestVectors(t *testing.T) {
	t.Parallel()
	at, err := time.Parse(timeFormat, "20150830T123600Z")
	if err != nil {
		t.Fatal(err)
	}
	signs := func(name, service, names, want string, s *signed) {
		t.Helper()
		c := &credentials{id: "AKIDEXAMPLE", secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", region: "us-east-1", service: service}
		s.headers = append(s.headers, [2]string{"x-amz-date", "20150830T123600Z"})
		all := "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/" + service + "/aws4_request, SignedHeaders=" + names + ", Signature=" + want
		if got := c.authorization(s, at); got != all {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, all)
		}
	}
	host := [2]string{"host", "example.amazonaws.com"}
	form := [2]string{"content-type", "application/x-www-form-urlencoded"}
	signs("get-vanilla", "service", "host;x-amz-date", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
		&signed{method: "GET", path: "/", headers: [][2]string{host}})
	signs("post-vanilla", "service", "host;x-amz-date", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
		&signed{method: "POST", headers: [][2]string{host}})
	signs("get-vanilla-query-order-key-case", "service", "host;x-amz-date", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
		&signed{method: "GET", path: "/", query: "Param1=value1&Param2=value2", headers: [][2]string{host}})
	signs("post-header-value-case", "service", "host;my-header1;x-amz-date", "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d",
		&signed{method: "POST", path: "/", headers: [][2]string{{"my-header1", "VALUE1"}, host}})
	signs("post-x-www-form-urlencoded", "service", "content-type;host;x-amz-date", "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
		&signed{method: "POST", path: "/", body: []byte("Param1=value1"), headers: [][2]string{form, host}})
	signs("get-utf8", "service", "host;x-amz-date", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85",
		&signed{method: "GET", path: "/ሴ", headers: [][2]string{host}})
	signs("IAM ListUsers", "iam", "content-type;host;x-amz-date", "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
		&signed{method: "GET", path: "/", query: "Action=ListUsers&Version=2010-05-08", headers: [][2]string{
			{"content-type", "application/x-www-form-urlencoded; charset=utf-8"}, {"host", "iam.amazonaws.com"},
		}})
}

func FuzzCanonicalPath(f *testing.F) {
	f.Add("/guardrail/arn%3Aaws/ü~")
	f.Fuzz(func(t *testing.T, path string) {
		got := canonicalPath(path)
		if path != "" && strings.Count(got, "/") != strings.Count(path, "/") {
			t.Fatalf("%q became %q", path, got)
		}
		for i := range len(got) {
			if got[i] <= ' ' || got[i] >= 0x7f {
				t.Fatalf("%q became %q", path, got)
			}
		}
	})
}
