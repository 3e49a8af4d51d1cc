package proof

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/sallyport-ai/sallyport/core/store"
	"github.com/sallyport-ai/sallyport/core/store/storetest"
)

// What the filled database looks like: keys that are used on ten of thirty days, ten times a day, from 2026-01-01 on.
const (
	fillDays    = 30
	callsADay   = 10
	everyNthDay = 3 // a key is used on every third day, so a third of the keys on each
)

// filler writes rows by statements of the database itself, which is a hundred times as fast as to record calls.
type filler struct {
	testing.TB
	db       *sql.DB
	postgres bool
	keys     int // a multiple of everyNthDay
}

func (f *filler) calls() int { return f.keys * callsADay * fillDays / everyNthDay }

func (f *filler) exec(format string, args ...any) {
	f.Helper()
	text := fmt.Sprintf(format, args...)
	if _, err := f.db.ExecContext(context.Background(), text); err != nil {
		f.Fatalf("%.200s: %v", text, err)
	}
}

// numbers is a table expression with a column i of 0..n-1.
func (f *filler) numbers(n int) string {
	if f.postgres {
		return fmt.Sprintf("generate_series(0, %d) AS numbers(i)", n-1)
	}
	return fmt.Sprintf("(WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i < %d) SELECT i FROM c) AS numbers", n-1)
}

// padded writes a number with leading zeros, in base 10 or 16.
func (f *filler) padded(number string, width int, hex bool) string {
	switch {
	case f.postgres && hex:
		return fmt.Sprintf("lpad(to_hex(%s), %d, '0')", number, width)
	case f.postgres:
		return fmt.Sprintf("lpad((%s)::text, %d, '0')", number, width)
	case hex:
		return fmt.Sprintf("printf('%%0%dx', %s)", width, number)
	}
	return fmt.Sprintf("printf('%%0%dd', %s)", width, number)
}

// at is a moment of a day, in milliseconds from its begin.
func (f *filler) at(day int, millis string) string {
	if f.postgres {
		return fmt.Sprintf("TIMESTAMP '2026-01-01' + %d * INTERVAL '1 day' + (%s) * INTERVAL '1 millisecond'", day, millis)
	}
	const begin, length = 1767225600000, 86400000
	return fmt.Sprintf("%d + (%s)", begin+day*length, millis)
}

// list writes a JSON text of a column.
func (f *filler) json(text string) string {
	if f.postgres {
		return "(" + text + ")::jsonb"
	}
	return text
}

func (f *filler) uuid() string {
	if f.postgres {
		return "gen_random_uuid()::text"
	}
	return "lower(hex(randomblob(16)))"
}

// fill makes keys, calls, daily rows and their sums.
func (f *filler) fill(s store.Store) {
	f.Helper()
	ctx := context.Background()
	if err := storetest.FillKeys(ctx, s, f.keys); err != nil {
		f.Fatal(err)
	}
	daily := map[string]string{
		"LiteLLM_DailyUserSpend": "user_id", "LiteLLM_DailyTeamSpend": "team_id", "LiteLLM_DailyEndUserSpend": "end_user_id",
		"LiteLLM_DailyTagSpend": "tag",
	}
	tables := []string{"LiteLLM_SpendLogs"}
	for table := range daily {
		tables = append(tables, table)
	}
	indexes := f.dropIndexes(tables)
	for day := range fillDays {
		f.logs(day)
		for table, column := range daily {
			f.daily(table, column, day)
		}
		f.cache(day)
	}
	for _, text := range indexes {
		f.exec("%s", text)
	}
	if err := s.Reports().Refresh(ctx, "", ""); err != nil {
		f.Fatal(err)
	}
	f.exec("ANALYZE")
}

// dropIndexes keeps the indexes away until the rows are there. It returns how to make them.
func (f *filler) dropIndexes(tables []string) (texts []string) {
	f.Helper()
	question := "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN (%s)"
	if f.postgres {
		question = "SELECT indexname, indexdef FROM pg_indexes WHERE tablename IN (%s) AND indexname NOT LIKE '%%_pkey'"
	}
	rows, err := f.db.Query(fmt.Sprintf(question, "'"+strings.Join(tables, "', '")+"'"))
	if err != nil {
		f.Fatal(err)
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var name, text string
		if err := rows.Scan(&name, &text); err != nil {
			f.Fatal(err)
		}
		names, texts = append(names, name), append(texts, text)
	}
	if err := rows.Err(); err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		f.exec(`DROP INDEX "%s"`, name)
	}
	return texts
}

// key is the number of the key that makes call i of a day.
func (f *filler) key(day int) string {
	active := f.keys / everyNthDay
	return fmt.Sprintf("(%d * (i %% %d) + %d)", everyNthDay, active, day%everyNthDay)
}

func (f *filler) logs(day int) {
	active := f.keys / everyNthDay
	calls := active * callsADay
	k := f.key(day)
	start := fmt.Sprintf("i * CAST(86400000 AS BIGINT) / %d", calls)
	number := fmt.Sprintf("(%d + i)", day*calls)
	columns := [][2]string{
		{"request_id", "'chatcmpl-' || " + f.padded(number, 12, false)}, {"call_type", "'acompletion'"}, {"api_key", f.padded(k, 64, true)},
		{"spend", "(i % 97) / 1000.0"}, {"total_tokens", "i % 3000"}, {"prompt_tokens", "200"}, {"completion_tokens", "100"},
		{"startTime", f.at(day, start)}, {"endTime", f.at(day, start+" + i % 9000")}, {"model", "'model' || (" + k + " % 20)"},
		{"model_id", "'id' || (" + k + " % 20)"}, {"model_group", "'model' || (" + k + " % 20)"}, {"custom_llm_provider", "'openai'"},
		{"api_base", "'https://api.openai.com/v1'"}, {"user", "'u' || (" + k + " % 2000)"}, {"team_id", "'t' || (" + k + " % 200)"},
		{"metadata", f.json("'{\"user_api_key_alias\": \"alias' || " + k + " || '\", ' || CASE WHEN i % 100 = 0 " +
			"THEN '\"error_information\": {\"error_code\": \"' || (400 + i / 100 % 100) || '\"}}' ELSE '\"usage_object\": {\"total_tokens\": 300}}' END")},
		{"cache_hit", "'False'"}, {"cache_key", "''"}, {"request_tags", f.json("'[\"tag\"]'")}, {"end_user", "'c' || (" + k + " % 5000)"},
		{"session_id", "'s' || (" + number + " / 4)"}, {"status", "CASE WHEN i % 100 = 0 THEN 'failure' ELSE 'success' END"},
		{"requester_ip_address", "'10.0.0.1'"},
	}
	f.insert("LiteLLM_SpendLogs", columns, calls)
}

// daily writes what each active key adds to a day: ten calls.
func (f *filler) daily(table, entity string, day int) {
	k := f.key(day)
	names := map[string]string{"user_id": "'u' || (" + k + " % 2000)", "team_id": "'t' || (" + k + " % 200)", "end_user_id": "'c' || (" + k + " % 5000)", "tag": "'tag' || (" + k + " % 50)"}
	f.insert(table, [][2]string{
		{"id", f.uuid()}, {entity, names[entity]}, {"date", fmt.Sprintf("'2026-01-%02d'", day+1)}, {"api_key", f.padded(k, 64, true)},
		{"model", "'model' || (" + k + " % 20)"}, {"model_group", "'model' || (" + k + " % 20)"}, {"custom_llm_provider", "'openai'"},
		{"mcp_namespaced_tool_name", "''"}, {"endpoint", "'/chat/completions'"}, {"created_at", f.at(day, "0")}, {"updated_at", f.at(day, "0")},
		{"spend", "(i % 977) / 100.0"}, {"prompt_tokens", "2000"}, {"completion_tokens", "1000"}, {"cache_read_input_tokens", "0"},
		{"cache_creation_input_tokens", "0"}, {"api_requests", "10"}, {"successful_requests", "10"}, {"failed_requests", "0"},
	}, f.keys/everyNthDay)
}

func (f *filler) cache(day int) {
	k := f.key(day)
	f.insert("Sallyport_DailyCache", [][2]string{
		{"date", fmt.Sprintf("'2026-01-%02d'", day+1)}, {"api_key", f.padded(k, 64, true)}, {"call_type", "'acompletion'"},
		{"model", "'model' || (" + k + " % 20)"}, {"requests", "10"}, {"hits", "0"}, {"cached_tokens", "0"}, {"generated_tokens", "1000"},
	}, f.keys/everyNthDay)
}

func (f *filler) insert(table string, columns [][2]string, rows int) {
	f.Helper()
	var names, values []string
	for _, c := range columns {
		names, values = append(names, `"`+c[0]+`"`), append(values, c[1])
	}
	f.exec(`INSERT INTO "%s" (%s) SELECT %s FROM %s`, table, strings.Join(names, ", "), strings.Join(values, ", "), f.numbers(rows))
}
