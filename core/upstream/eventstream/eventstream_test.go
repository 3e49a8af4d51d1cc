package eventstream

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	aws "github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
	"github.com/google/go-cmp/cmp"
)

// theirs encodes a message with Amazon's own encoder, with a header of every type.
func theirs(t testing.TB, kind, name, payload string) []byte {
	t.Helper()
	key := map[string]string{"event": ":event-type", "exception": ":exception-type", "error": ":error-code"}[kind]
	var b bytes.Buffer
	err := aws.NewEncoder().Encode(&b, aws.Message{
		Headers: aws.Headers{
			{Name: "t", Value: aws.BoolValue(true)}, {Name: "f", Value: aws.BoolValue(false)},
			{Name: "i8", Value: aws.Int8Value(1)}, {Name: "i16", Value: aws.Int16Value(2)},
			{Name: "i32", Value: aws.Int32Value(3)}, {Name: "i64", Value: aws.Int64Value(4)},
			{Name: "bytes", Value: aws.BytesValue("abc")}, {Name: "time", Value: aws.TimestampValue(time.Unix(1, 0))},
			{Name: "uuid", Value: aws.UUIDValue{1, 2}}, {Name: ":event-type", Value: aws.Int8Value(9)},
			{Name: ":message-type", Value: aws.StringValue(kind)}, {Name: key, Value: aws.StringValue(name)},
			{Name: ":error-message", Value: aws.StringValue("why")}, {Name: ":content-type", Value: aws.StringValue("application/json")},
		},
		Payload: []byte(payload),
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func read(src io.Reader, limit int) (out []string, err error) {
	r := Reader{Limit: limit}
	r.Reset(src)
	var ev Event
	for {
		if err = r.Next(&ev); err != nil {
			if again := r.Next(&ev); !errors.Is(again, err) {
				return out, fmt.Errorf("%w, and then %w", err, again)
			}
			return out, err
		}
		out = append(out, fmt.Sprintf("%d %s %s %s %s", ev.Kind, ev.Type, ev.Message, ev.ContentType, ev.Payload))
	}
}

func TestReader(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 40_000)
	stream := bytes.Join([][]byte{
		theirs(t, "event", "messageStart", `{"role":"assistant"}`), theirs(t, "event", "empty", ""), theirs(t, "event", "long", long),
		theirs(t, "exception", "throttlingException", `{"message":"slow"}`), theirs(t, "error", "500", ""),
	}, nil)
	want := []string{
		`0 messageStart why application/json {"role":"assistant"}`, "0 empty why application/json ", "0 long why application/json " + long,
		`1 throttlingException why application/json {"message":"slow"}`, "2 500 why application/json ",
	}
	for name, src := range map[string]io.Reader{
		"at once":      bytes.NewReader(stream),
		"byte by byte": iotest.OneByteReader(bytes.NewReader(stream)),
		"by halves":    iotest.HalfReader(bytes.NewReader(stream)),
		"end with it":  iotest.DataErrReader(bytes.NewReader(stream)),
	} {
		got, err := read(src, 0)
		if diff := cmp.Diff(want, got); diff != "" || err != io.EOF { //nolint:errorlint // the promise is io.EOF bare
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

// What Append writes is what Amazon's own decoder reads.
func TestAppend(t *testing.T) {
	t.Parallel()
	m, err := aws.NewDecoder().Decode(bytes.NewReader(Append(nil, []byte(`{"a":1}`), ":message-type", "event", ":event-type", "chunk")), nil)
	if err != nil || string(m.Payload) != `{"a":1}` || m.Headers.Get(":event-type").String() != "chunk" || len(m.Headers) != 2 {
		t.Errorf("got %+v, %v", m, err)
	}
}

func TestBroken(t *testing.T) {
	t.Parallel()
	good := Append(nil, []byte(`{"a":1}`), ":message-type", "event", ":event-type", "chunk")
	f := func(name string, stream []byte, limit int, want error) {
		t.Helper()
		if _, err := read(bytes.NewReader(stream), limit); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", name, err, want)
		}
	}
	flip := func(at int) []byte {
		b := bytes.Clone(good)
		b[at] ^= 1
		return b
	}
	f("nothing", nil, 0, io.EOF)
	f("part of a prelude", good[:5], 0, io.ErrUnexpectedEOF)
	f("part of a message", good[:len(good)-1], 0, io.ErrUnexpectedEOF)
	f("a second one cut", append(bytes.Clone(good), good[:20]...), 0, io.ErrUnexpectedEOF)
	f("length", flip(3), 0, ErrChecksum)
	f("length of headers", flip(7), 0, ErrChecksum)
	f("header", flip(15), 0, ErrChecksum)
	f("payload", flip(len(good)-8), 0, ErrChecksum)
	f("checksum", flip(len(good)-1), 0, ErrChecksum)
	f("text", []byte(`{"message":"Internal failure"}`), 0, ErrChecksum)
	f("over the limit", good, len(good)-1, ErrTooLong)
	f("at the limit", good, len(good), io.EOF)
	f("header without name", Append(nil, nil, "", "x"), 0, ErrMalformed)
	f("no room for the headers", prelude(20, 5), 0, ErrMalformed)
	f("shorter than itself", prelude(15, 0), 0, ErrMalformed)
	f("announced 4 GB", prelude(1<<32-1, 0), 0, ErrTooLong)
	f("headers of 1 MB", prelude(2<<20, 1<<20), 0, ErrTooLong)
	f("unknown type of header", reseal(func(b []byte) { b[12+1+len(":message-type")] = 10 }), 0, ErrMalformed)
	f("value longer than the headers", reseal(func(b []byte) { b[12+1+len(":message-type")+1] = 0xff }), 0, ErrMalformed)
	f("name longer than the headers", reseal(func(b []byte) { b[12] = 0xff }), 0, ErrMalformed)
	f("an error of the source", nil, 0, io.EOF)
	if _, err := read(io.MultiReader(bytes.NewReader(good), iotest.ErrReader(io.ErrClosedPipe)), 0); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("an error of the source became %v", err)
	}
	if _, err := read(idle{}, 0); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("a source that brings nothing gave %v", err)
	}
}

type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

// prelude is a prelude with the right checksum.
func prelude(total, headers uint32) []byte {
	b := Append(nil, nil)
	put(b, 0, total)
	put(b, 4, headers)
	put(b, 8, sum(b[:8]))
	return b
}

// reseal changes a message and gives it the right checksum again.
func reseal(change func([]byte)) []byte {
	b := Append(nil, []byte("{}"), ":message-type", "event")
	change(b)
	put(b, len(b)-4, sum(b[:len(b)-4]))
	return b
}

// A stream in steady state allocates nothing.
func TestAllocations(t *testing.T) {
	stream := bytes.Repeat(Append(nil, []byte(`{"delta":{"text":"x"}}`), ":message-type", "event", ":event-type", "contentBlockDelta"), 100)
	var (
		r   Reader
		ev  Event
		src bytes.Reader
	)
	got := testing.AllocsPerRun(20, func() {
		src.Reset(stream)
		r.Reset(&src)
		for r.Next(&ev) == nil {
		}
	})
	if got > 0 {
		t.Errorf("100 messages cost %v allocations", got)
	}
}

// A prelude that announces much makes the reader hold no more than what came.
func TestGrowth(t *testing.T) {
	t.Parallel()
	var r Reader
	r.Reset(bytes.NewReader(prelude(defaultLimit, 0)))
	if err := r.Next(new(Event)); !errors.Is(err, io.ErrUnexpectedEOF) || len(r.buf) > firstBuffer {
		t.Errorf("got %v and a buffer of %d bytes", err, len(r.buf))
	}
}

func FuzzReader(f *testing.F) {
	f.Add(theirs(f, "event", "chunk", `{"a":1}`), 100)
	f.Add(theirs(f, "exception", "validationException", `{}`), 0)
	f.Add(prelude(20, 5), 0)
	f.Fuzz(func(t *testing.T, stream []byte, limit int) {
		got, err := read(bytes.NewReader(stream), limit)
		slow, slowErr := read(iotest.OneByteReader(bytes.NewReader(stream)), limit)
		if diff := cmp.Diff(got, slow); diff != "" || !errors.Is(slowErr, err) {
			t.Fatalf("byte by byte: %v instead of %v (-want +got):\n%s", slowErr, err, diff)
		}
		// Whatever is accepted, Amazon's decoder accepts too, and reads the same payloads.
		rest := bytes.NewReader(stream)
		for i := range got {
			m, err := aws.NewDecoder().Decode(rest, nil)
			if err != nil {
				t.Fatalf("message %d: Amazon's decoder says %v", i, err)
			}
			if !strings.HasSuffix(got[i], " "+string(m.Payload)) {
				t.Fatalf("message %d: got %q, want the payload %q", i, got[i], m.Payload)
			}
		}
	})
}

func put(b []byte, at int, v uint32) { binary.BigEndian.PutUint32(b[at:], v) }

func sum(b []byte) uint32 { return crc32.ChecksumIEEE(b) }
