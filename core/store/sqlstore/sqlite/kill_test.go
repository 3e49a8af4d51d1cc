package sqlite_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/store"
	"github.com/sallyport-ai/sallyport/core/store/sqlstore"
	"github.com/sallyport-ai/sallyport/core/store/sqlstore/sqlite"
)

// killPath names the file for the process that TestKill kills.
const killPath = "SALLYPORT_TEST_KILL_PATH"

// TestKilledProcess is that process: it records calls, a few at a time, and prints how far it is each time.
func TestKilledProcess(t *testing.T) {
	path := os.Getenv(killPath)
	if path == "" {
		t.Skip("runs in TestKill")
	}
	s, err := sqlite.Open(t.Context(), sqlite.Settings{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	position, err := s.Spend().Position(t.Context(), "journal")
	if err != nil {
		t.Fatal(err)
	}
	for {
		batch := store.SpendBatch{Source: "journal"}
		for i := range int64(5) {
			batch.Entries = append(batch.Entries, store.SpendEntry{Seq: position + i + 1, Log: store.SpendLog{
				APIKey: "k", TeamID: "t", User: "u", Spend: 1, StartTime: time.Now(), EndTime: time.Now(),
			}})
		}
		result, err := s.Spend().Record(t.Context(), batch)
		if err != nil {
			t.Fatal(err)
		}
		position = result.Position
		fmt.Println("at", position)
	}
}

// TestKill kills a process with SIGKILL in the middle of recording, several times: what it said was recorded is there,
// and rows, totals and daily rows agree with the position to the last call.
func TestKill(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	s := open(t, path, sqlstore.Options{})
	ctx := t.Context()
	if err := s.Keys().Create(ctx, &store.Key{Token: "k"}); err != nil {
		t.Fatal(err)
	}
	for round := range 5 {
		said := killed(t, path, 3+7*round)
		position, err := s.Spend().Position(ctx, "journal")
		if err != nil || position < said {
			t.Fatalf("position %d, %v; the process said %d", position, err, said)
		}
		key, err := s.Keys().Get(ctx, "k")
		if err != nil || key.Spend != float64(position) {
			t.Errorf("round %d: spend %+v, %v; want %d", round, key, err, position)
		}
		for _, entity := range []store.Entity{store.EntityUser, store.EntityTeam} {
			sum, err := s.Reports().Activity(ctx, store.ActivityQuery{DailyFilter: store.DailyFilter{Entity: entity}})
			if err != nil || sum[0].APIRequests != position || sum[0].Spend != float64(position) {
				t.Errorf("round %d: %s: %+v, %v; want %d", round, entity, sum, err, position)
			}
		}
		page, err := s.Reports().Logs(ctx, store.LogQuery{Limit: 1})
		if err != nil || page.Total != position {
			t.Errorf("round %d: %d rows, %v; want %d", round, page.Total, err, position)
		}
	}
}

// killed runs the process, kills it after some batches, and returns how far it said it was.
func killed(t *testing.T, path string, batches int) int64 {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledProcess$")
	cmd.Env = append(os.Environ(), killPath+"="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := int64(0)
	lines := bufio.NewScanner(out)
	for i := 0; i < batches && lines.Scan(); i++ {
		at, ok := strings.CutPrefix(lines.Text(), "at ")
		if !ok {
			t.Fatalf("the process said %q", lines.Text())
		}
		if said, err = strconv.ParseInt(at, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	if said == 0 {
		t.Fatal("the process recorded nothing")
	}
	return said
}
