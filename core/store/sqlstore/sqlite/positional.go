package sqlite

import (
	"strconv"
	"strings"
)

// positional writes ? for $1, $2 and so on if they come in this order, each once. SQLite takes $1 for a name, and looks
// names up one after another: with a thousand parameters that takes longer than the statement.
func positional(sql string) string {
	if !strings.Contains(sql, "$") {
		return sql
	}
	var b strings.Builder
	b.Grow(len(sql))
	next := 1
	quote := byte(0) // of the literal or name we are in
	for i := 0; i < len(sql); i++ {
		c := sql[i]
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == '$':
			number := strconv.Itoa(next)
			rest := sql[i+1:]
			if !strings.HasPrefix(rest, number) || len(rest) > len(number) && isDigit(rest[len(number)]) {
				return sql
			}
			next++
			i += len(number)
			c = '?'
		}
		b.WriteByte(c)
	}
	return b.String()
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
