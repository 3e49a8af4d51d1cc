package sqlite

import (
	"context"
	"database/sql"
	"sync"
)

// maxStatements bounds how many statements are kept ready. There are about two hundred; lists of different lengths make
// more.
const maxStatements = 300

// statements are prepared once and used again: preparing a question takes longer than answering it.
type statements struct {
	db    *sql.DB
	mu    sync.Mutex
	ready map[string]*sql.Stmt
}

// get returns a statement that is ready; nil when there are too many already.
func (s *statements) get(ctx context.Context, text string) (*sql.Stmt, error) {
	s.mu.Lock()
	stmt, ok := s.ready[text]
	full := len(s.ready) >= maxStatements
	s.mu.Unlock()
	if ok || full {
		return stmt, nil
	}
	stmt, err := s.db.PrepareContext(ctx, positional(text))
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if other, ok := s.ready[text]; ok { // somebody was faster
		return other, stmt.Close()
	}
	s.ready[text] = stmt
	return stmt, nil
}
