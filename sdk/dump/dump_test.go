package dump_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ai/sallyport/sdk/abi"
	"github.com/sallyport-ai/sallyport/sdk/dump"
)

func names(t testing.TB) dump.Names {
	t.Helper()
	n, err := dump.TagNames()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestTagNames(t *testing.T) {
	t.Parallel()
	n := names(t)
	is := func(tag abi.Tag, want string) {
		t.Helper()
		if n[tag] != want {
			t.Errorf("tag %d is %q, want %q", tag, n[tag], want)
		}
	}
	is(abi.TagRequestID, "request_id")
	is(abi.TagConfigJSON, "config_json")
	is(abi.TagClientIP, "client_ip")
	is(abi.TagKey, "key")
	is(abi.TagMap, "map")
	is(abi.TagCredentialRaw, "credential_raw")
}

func TestFormat(t *testing.T) {
	t.Parallel()
	b := abi.AppendText(nil, abi.TagModel, strings.Repeat("x", 33))
	b, mark := abi.Open(b, abi.TagEdit)
	b = abi.AppendText(abi.AppendNumber(b, abi.TagIndex, 7), abi.TagText, "12345678")
	b = abi.Close(b, mark)
	b = append(b, 0xe7, 3, 2, 0, 0, 0, 0, 0, 9)
	want := `1500 0000 21000000  # 21 model
  7878787878787878787878787878787878787878787878787878787878787878  # "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
  78  # "x"
4300 0100 20000000  # 67 edit, nested
  4400 0000 08000000  # 68 index
    0700000000000000  # 7
  3100 0000 08000000  # 49 text
    3132333435363738  # "12345678"
e703 0200 00000000  # 999 unknown, critical
# cut off
09  # "\t"
`
	got := dump.Format(b, names(t))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if back, err := dump.Parse(got); err != nil || string(back) != string(b) {
		t.Errorf("read back %x, error %v, want %x", back, err, b)
	}
	if _, err := dump.Parse("00\n0g # x\n"); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("got %v", err)
	}
}

// FuzzFormat writes foreign bytes and reads them back.
func FuzzFormat(f *testing.F) {
	f.Add([]byte{1, 0, 1, 0, 9, 0, 0, 0, 1, 2, 3})
	f.Add(abi.AppendText(nil, abi.TagText, "a#b\n"))
	n := names(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		text := dump.Format(b, n)
		if back, err := dump.Parse(text); err != nil || string(back) != string(b) {
			t.Fatalf("%x was read back as %x, error %v, from\n%s", b, back, err, text)
		}
	})
}
