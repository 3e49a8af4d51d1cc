package postgres

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/sallyport-ai/sallyport/core/store/sqlstore"
)

// What one statement inserts is bounded, by rows and by the bytes of their texts: it is held in memory whole.
const (
	togetherRows  = 1000
	togetherBytes = 4 << 20
)

// Insert is of sqlstore.Conn. The rows go to the server as a list for each column, so it parses and plans one statement
// for all of them. COPY would be no faster than that, and knows no conflicts.
func (t *transaction) Insert(ctx context.Context, in sqlstore.Insert) error {
	text, err := insertText(&in)
	if err != nil {
		return err
	}
	width := len(in.Columns)
	for values := in.Values; len(values) > 0; {
		n := width * fitting(values, width)
		args, err := lists(in.Columns, values[:n])
		if err != nil {
			return err
		}
		if _, err := t.tx.Exec(ctx, text, args...); err != nil {
			return err
		}
		values = values[n:]
	}
	return nil
}

// fitting is how many rows go into one statement; at least one.
func fitting(values []any, width int) int {
	size := 0
	for i, value := range values {
		if text, ok := value.(string); ok {
			size += len(text)
		}
		if size > togetherBytes || i == togetherRows*width {
			return max(i/width, 1)
		}
	}
	return len(values) / width
}

// insertText writes INSERT ... SELECT ... FROM unnest(...), which keeps the order of the rows.
func insertText(in *sqlstore.Insert) (string, error) {
	names, lists, values := make([]string, len(in.Columns)), make([]string, len(in.Columns)), make([]string, len(in.Columns))
	for i, c := range in.Columns {
		names[i], values[i] = `"`+c.Name+`"`, fmt.Sprint("c", i)
		kind := "text"
		switch c.Kind {
		case sqlstore.KindText:
		case sqlstore.KindInt:
			kind = "bigint"
		case sqlstore.KindFloat:
			kind = "double precision"
		case sqlstore.KindBool:
			kind = "boolean"
		case sqlstore.KindTime:
			kind = "timestamp"
		case sqlstore.KindJSON:
			values[i] += "::jsonb"
		default:
			return "", fmt.Errorf("postgres: column %s cannot be inserted with others", c.Name)
		}
		lists[i] = fmt.Sprintf("$%d::%s[]", i+1, kind)
	}
	columns := make([]string, len(in.Columns))
	for i := range columns {
		columns[i] = fmt.Sprint("c", i)
	}
	return "INSERT INTO " + in.Table + " AS t (" + strings.Join(names, ", ") + ") SELECT " + strings.Join(values, ", ") +
		" FROM unnest(" + strings.Join(lists, ", ") + ") AS v(" + strings.Join(columns, ", ") + ") ON CONFLICT " + in.Conflict, nil
}

// lists makes a list for each column.
func lists(columns []*sqlstore.Column, values []any) (all []any, err error) {
	all = make([]any, len(columns))
	for i, c := range columns {
		from := column{c.Name, values, i, len(columns)}
		switch c.Kind {
		case sqlstore.KindInt:
			all[i], err = list(from, func(v int64) pgtype.Int8 { return pgtype.Int8{Int64: v, Valid: true} })
		case sqlstore.KindFloat:
			all[i], err = list(from, func(v float64) pgtype.Float8 { return pgtype.Float8{Float64: v, Valid: true} })
		case sqlstore.KindBool:
			all[i], err = list(from, func(v bool) pgtype.Bool { return pgtype.Bool{Bool: v, Valid: true} })
		case sqlstore.KindTime:
			all[i], err = list(from, func(v time.Time) pgtype.Timestamp { return pgtype.Timestamp{Time: v, Valid: true} })
		default:
			all[i], err = list(from, func(v string) pgtype.Text { return pgtype.Text{String: v, Valid: true} })
		}
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// column is where the values of a column are: among those of others.
type column struct {
	name       string
	values     []any
	from, step int
}

// list takes the values of a column; nil stays NULL.
func list[V, T any](c column, valid func(V) T) (pgtype.FlatArray[T], error) {
	out := make(pgtype.FlatArray[T], len(c.values)/c.step)
	for i := range out {
		switch v := c.values[c.from+i*c.step].(type) {
		case nil:
		case V:
			out[i] = valid(v)
		default:
			return nil, fmt.Errorf("postgres: column %s cannot hold a %T", c.name, v)
		}
	}
	return out, nil
}
