package sqlite

import "testing"

func TestPositional(t *testing.T) {
	t.Parallel()
	check := func(sql, want string) {
		t.Helper()
		if got := positional(sql); got != want {
			t.Errorf("%s: %s, want %s", sql, got, want)
		}
	}
	check("SELECT 1", "SELECT 1")
	check("SELECT $1, $2", "SELECT ?, ?")
	check("$1$2$3$4$5$6$7$8$9$10,$11", "??????????,?")
	check(`SELECT '$1', "$2", $1, 'it''s $9'`, `SELECT '$1', "$2", ?, 'it''s $9'`)
	for _, kept := range []string{"SELECT $2", "SELECT $1, $1", "SELECT $10", "SELECT $1, $3", "SELECT $a"} {
		check(kept, kept)
	}
}
