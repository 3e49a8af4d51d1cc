package sqlite_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/store"
	"github.com/sallyport-ai/sallyport/core/store/sqlstore"
)

// BenchmarkRecord is the cost of one call in a batch of a thousand, all by one key.
func BenchmarkRecord(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "store.db"), sqlstore.Options{})
	if err := s.Keys().Create(b.Context(), &store.Key{Token: "k", UserID: "u", TeamID: "t"}); err != nil {
		b.Fatal(err)
	}
	const size = 1000
	at := time.Now()
	var seq int64
	for b.Loop() {
		if seq%size != 0 {
			seq++
			continue
		}
		batch := store.SpendBatch{Source: "j"}
		for i := range int64(size) {
			batch.Entries = append(batch.Entries, store.SpendEntry{
				Seq: seq + i + 1, Endpoint: "/chat/completions",
				Log: store.SpendLog{
					RequestID: fmt.Sprintf("chatcmpl-%016x", seq+i), CallType: "acompletion", APIKey: "88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b",
					Spend: 0.001, TotalTokens: 300, PromptTokens: 200, CompletionTokens: 100, StartTime: at.Add(time.Duration(seq+i) * time.Millisecond),
					EndTime: at, Model: "gpt-4o", ModelID: "4a5b6c", ModelGroup: "gpt-4o", CustomLLMProvider: "openai", APIBase: "https://api.openai.com/v1",
					User: "u", TeamID: "t", Status: "success", CacheHit: "False", RequestTags: store.JSON(`[]`),
					Metadata:           store.JSON(`{"user_api_key":"88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b","user_api_key_alias":"alias","usage_object":{"total_tokens":300}}`),
					RequesterIPAddress: "10.0.0.1",
				},
			})
		}
		if _, err := s.Spend().Record(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
		seq++
	}
}
