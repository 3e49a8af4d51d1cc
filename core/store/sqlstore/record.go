package sqlstore

import (
	"context"
	"errors"

	"fmt"
	"math"

	"github.com/sallyport-ai/sallyport/core/store"
)

type spend struct{ s *Store }

// Spend is of store.Store.
func (s *Store) Spend() store.Spend { return spend{s} }

// care is how much of a call's JSON is kept.
type care uint8

const (
	asIs        care = iota
	harmless         // what has strange numbers as text
	withoutJSON      // none of it
)

// Record is of store.Spend.
func (p spend) Record(ctx context.Context, batch store.SpendBatch) (store.SpendResult, error) {
	if batch.Source == "" {
		return store.SpendResult{}, fmt.Errorf("record spend: the batch names no source")
	}
	var result store.SpendResult
	var err error
	// The database may refuse a value, such as a number in a reply that it cannot hold. Holding up the journal for it would
	// be worse than keeping the reply as text, or not at all.
	for care := asIs; care <= withoutJSON; care++ {
		err = p.s.plainWrite(ctx, func(s *Store) (err error) {
			result, err = s.record(ctx, batch, care)
			return err
		})
		if !errors.Is(err, ErrValue) {
			break
		}
	}
	if err != nil {
		return store.SpendResult{}, fmt.Errorf("record spend: %w", err)
	}
	return result, nil
}

func (s *Store) record(ctx context.Context, batch store.SpendBatch, care care) (store.SpendResult, error) {
	position, err := s.claim(ctx, batch.Source)
	if err != nil {
		return store.SpendResult{}, err
	}
	result := store.SpendResult{Position: position}
	sums := newSums(s.now())
	logs := make([]any, 0, len(s.logs.columns)*len(batch.Entries))
	for i := range batch.Entries {
		e := &batch.Entries[i]
		if e.Seq <= result.Position {
			result.Repeated++
			continue
		}
		result.Position = e.Seq
		result.Recorded++
		logs = s.appendLog(logs, e, care)
		sums.add(e)
	}
	if result.Recorded == 0 {
		return result, nil
	}
	// A request that is there already stays as it is: its id came from a caller.
	if err := s.insert(ctx, s.logs, s.logs.names(), logs, `"request_id"`, ""); err != nil {
		return result, err
	}
	if err := sums.write(ctx, s); err != nil {
		return result, err
	}
	return result, s.settle(ctx, batch.Source, result.Position)
}

// claim locks a source until the transaction ends, and reads its position.
func (s *Store) claim(ctx context.Context, source string) (int64, error) {
	stmt := &statement{}
	stmt.add("INSERT INTO ", s.d.Table(s.sources.name), ` AS t ("source", "position", "updated_at") VALUES (`,
		stmt.param(cleanText(source)), ", 0, ", stmt.param(s.codec.time(s.now())),
		`) ON CONFLICT ("source") DO UPDATE SET "updated_at" = excluded."updated_at" RETURNING "position"`)
	return s.number(ctx, stmt)
}

func (s *Store) settle(ctx context.Context, source string, position int64) error {
	stmt := &statement{}
	stmt.add("UPDATE ", s.d.Table(s.sources.name), ` SET "position" = `, stmt.param(position), ` WHERE "source" = `,
		stmt.param(cleanText(source)))
	_, err := s.exec(ctx, stmt)
	return err
}

// appendLog encodes the row of a call, if it leaves one.
func (s *Store) appendLog(values []any, e *store.SpendEntry, care care) []any {
	l := &e.Log
	if e.NoLog {
		return values
	}
	id := l.RequestID
	if id == "" {
		id = newUUID()
	}
	if care == asIs {
		return s.codec.appendLog(values, id, l)
	}
	row := *l
	for _, raw := range []*store.JSON{&row.Metadata, &row.RequestTags, &row.Messages, &row.Response, &row.ProxyServerRequest} {
		switch {
		case care == withoutJSON:
			*raw = nil
		case len(*raw) > 0 && hasNumber(*raw):
			*raw = asText(*raw)
		}
	}
	return s.codec.appendLog(values, id, &row)
}

// appendLog encodes a row, in the order of its columns. It does what Store.args does, without looking the types up: this
// is done for every call.
func (k codec) appendLog(values []any, id string, l *store.SpendLog) []any {
	var completion any
	if l.CompletionStartTime != nil {
		completion = k.time(*l.CompletionStartTime)
	}
	return append(values,
		indexed(id), cleanText(l.CallType), indexed(l.APIKey), finite(l.Spend), small(l.TotalTokens), small(l.PromptTokens),
		small(l.CompletionTokens), k.time(l.StartTime), k.time(l.EndTime), completion, indexed(l.Model), indexedOrNull(l.ModelID),
		orNull(l.ModelGroup), orNull(l.CustomLLMProvider), orNull(l.APIBase), indexedOrNull(l.User), jsonOrNull(l.Metadata),
		orNull(l.CacheHit), orNull(l.CacheKey), jsonOrNull(l.RequestTags), indexedOrNull(l.TeamID), orNull(l.OrganizationID),
		indexedOrNull(l.EndUser), orNull(l.RequesterIPAddress), jsonOrNull(l.Messages), jsonOrNull(l.Response),
		session(id, l.SessionID), orNull(l.Status), orNull(l.MCPNamespacedToolName), orNull(l.AgentID), jsonOrNull(l.ProxyServerRequest),
	)
}

// indexed cleans a text of a column that has an index.
func indexed(s string) string { return cleanText(clip(s, maxIndexed)) }

func indexedOrNull(t store.Text) any { return orNull(store.Text(clip(string(t), maxIndexed))) }

// session is nothing for a call that is a session by itself, see wholeSession.
func session(id string, t store.Text) any {
	if string(t) == id {
		return nil
	}
	return indexedOrNull(t)
}

// small fits a number into a column of 32 bits.
func small(n int64) int64 { return min(max(n, math.MinInt32), math.MaxInt32) }

func orNull(t store.Text) any {
	if t == "" {
		return nil
	}
	return cleanText(string(t))
}

func jsonOrNull(raw store.JSON) any {
	if len(raw) == 0 {
		return nil
	}
	return string(cleanJSON(raw))
}

// hasNumber says whether there may be a number so large that PostgreSQL has none like it: one with an exponent, or one
// of very many digits.
func hasNumber(raw []byte) bool {
	digits := 0
	for _, c := range raw {
		switch {
		case c >= '0' && c <= '9':
			digits++
			if digits > 300 {
				return true
			}
		case (c == 'e' || c == 'E') && digits > 0:
			return true
		case c != '.':
			digits = 0
		}
	}
	return false
}
