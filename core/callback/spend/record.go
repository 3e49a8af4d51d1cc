package spend

import (
	"encoding/binary"
	"errors"
	"math"
	"time"

	"github.com/sallyport-ai/sallyport/core/store"
)

// A record is a version, then numbers, then texts, in a fixed order; numbers are varints, and a text is its length and
// its bytes. Fields are only ever added at the end: a reader that does not know them leaves them out, one that misses
// them takes them as empty.
const recordVersion = 1

var errRecord = errors.New("spend journal: a record is malformed")

// flags of a record.
const (
	flagNoLog = 1 << iota
	flagNoTotals
	flagCompletion // the time of the first token is known
)

// texts are the text fields of a record in their order.
func texts(l *store.SpendLog, e *store.SpendEntry) []*string {
	text := func(t *store.Text) *string { return (*string)(t) }
	return []*string{
		&l.RequestID, &l.CallType, &l.APIKey, &l.Model, text(&l.ModelID), text(&l.ModelGroup), text(&l.CustomLLMProvider),
		text(&l.APIBase), text(&l.User), text(&l.CacheHit), text(&l.CacheKey), text(&l.TeamID), text(&l.OrganizationID),
		text(&l.EndUser), text(&l.RequesterIPAddress), text(&l.SessionID), text(&l.Status), text(&l.MCPNamespacedToolName),
		text(&l.AgentID), &e.Endpoint,
	}
}

// encoder appends a record. Its methods are called in the order of decode.
type encoder struct{ b []byte }

func (e *encoder) int(n int64)     { e.b = binary.AppendVarint(e.b, n) }
func (e *encoder) uint(n uint64)   { e.b = binary.AppendUvarint(e.b, n) }
func (e *encoder) float(f float64) { e.b = binary.LittleEndian.AppendUint64(e.b, math.Float64bits(f)) }

func (e *encoder) text(s string) {
	e.uint(uint64(len(s)))
	e.b = append(e.b, s...)
}

func (e *encoder) bytes(s []byte) {
	e.uint(uint64(len(s)))
	e.b = append(e.b, s...)
}

func (e *encoder) head(flags uint64, spend float64, numbers [8]int64) {
	e.b = append(e.b, recordVersion)
	e.uint(flags)
	e.float(spend)
	for _, n := range numbers {
		e.int(n)
	}
}

func (e *encoder) counter(name string, window time.Time, amount float64) {
	e.text(name)
	at := int64(0)
	if !window.IsZero() {
		at = window.UnixNano()
	}
	e.int(at)
	e.float(amount)
}

// decoder reads a record. After an error it returns zeros. What it returns borrows from the record, which it has twice:
// one copy for all texts and one for all documents cost less than one for each.
type decoder struct {
	b    []byte // what is left
	text string // the whole record
	err  error
}

func (d *decoder) uint() uint64 {
	n, size := binary.Uvarint(d.b)
	if size <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[size:]
	return n
}

func (d *decoder) int() int64 {
	n, size := binary.Varint(d.b)
	if size <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[size:]
	return n
}

func (d *decoder) float() float64 {
	if len(d.b) < 8 {
		d.fail()
		return 0
	}
	f := math.Float64frombits(binary.LittleEndian.Uint64(d.b))
	d.b = d.b[8:]
	if f != f || math.IsInf(f, 0) {
		d.fail()
		return 0
	}
	return f
}

func (d *decoder) bytes() []byte {
	n := d.uint()
	if n > uint64(len(d.b)) {
		d.fail()
		return nil
	}
	s := d.b[:n]
	d.b = d.b[n:]
	return s
}

func (d *decoder) string() string {
	from := len(d.text) - len(d.b)
	n := len(d.bytes())
	end := len(d.text) - len(d.b)
	if d.err != nil {
		return ""
	}
	return d.text[max(from, end-n):end]
}

func (d *decoder) json() store.JSON {
	if s := d.bytes(); len(s) > 0 {
		return s[:len(s):len(s)]
	}
	return nil
}

func (d *decoder) time() time.Time {
	n := d.int()
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

func (d *decoder) fail() { d.err, d.b = errRecord, nil }

// decodeEntry reads a record into e, which it fills as a whole but for Seq. It copies the record.
func decodeEntry(record []byte, e *store.SpendEntry) error {
	if len(record) == 0 || record[0] != recordVersion {
		return errRecord
	}
	text := string(record)
	d := decoder{b: []byte(text)[1:], text: text}
	flags := d.uint()
	*e = store.SpendEntry{Seq: e.Seq, NoLog: flags&flagNoLog != 0, NoTotals: flags&flagNoTotals != 0}
	l := &e.Log
	l.Spend = d.float()
	l.TotalTokens, l.PromptTokens, l.CompletionTokens = d.int(), d.int(), d.int()
	e.CacheReadTokens, e.CacheWriteTokens = d.int(), d.int()
	l.StartTime, l.EndTime = d.time(), d.time()
	if first := d.time(); flags&flagCompletion != 0 {
		l.CompletionStartTime = &first
	}
	for _, t := range texts(l, e) {
		*t = d.string()
	}
	about := d.json()
	l.RequestTags, l.Messages, l.Response, l.ProxyServerRequest = d.json(), d.json(), d.json(), d.json()
	for range d.uint() {
		if d.err != nil {
			return d.err
		}
		e.Tags = append(e.Tags, d.string())
	}
	for range d.uint() {
		if d.err != nil {
			return d.err
		}
		e.Counters = append(e.Counters, store.CounterAdd{Name: d.string(), Window: d.time(), Amount: d.float()})
	}
	if d.err != nil {
		return d.err
	}
	if l.RequestTags == nil && !e.NoLog {
		l.RequestTags = tagList(e.Tags)
	}
	var err error
	l.Metadata, err = metadata(e, about)
	return err
}
