package sqlstore

import (
	"context"
	"time"

	"github.com/sallyport-ai/sallyport/core/store"
)

// keyHashRow is one of the hashes of a key that was rotated. A key keeps all that it ever had: a call may be recorded long
// after its key got another one, by a replica that was down. What a key has used is counted under the first of them, so
// that a rotation changes nothing of what is counted.
type keyHashRow struct {
	Token  string `db:"token,pk"`
	Active string `db:"active"`
	Origin string `db:"origin"`
}

// Create is of store.Table. It refuses a hash that another key has had: calls under it are still recorded as that key's.
func (k keys) Create(ctx context.Context, row *store.Key) error {
	return k.s.write(ctx, func(s *Store) error {
		if err := tableOf[store.Key, string](s, s.keys).Create(ctx, row); err != nil {
			return err
		}
		// After the insert, which waits for a rotation that is under way.
		known, err := s.hashes(ctx, store.Eq("token", row.Token))
		if err != nil {
			return err
		}
		if len(known) > 0 && known[0].Active != row.Token {
			return s.hashTaken()
		}
		return nil
	})
}

func (s *Store) hashTaken() error { return &store.ConflictError{Table: s.keys.name, Field: "token"} }

// Rotate is of store.Keys.
func (k keys) Rotate(ctx context.Context, token, next string, revokeAt time.Time, change func(*store.Key) error) (*store.Key, error) {
	var rotated *store.Key
	err := k.s.write(ctx, func(s *Store) error {
		row, err := s.Keys().Update(ctx, token, func(row *store.Key) error {
			row.Token = next
			if change != nil {
				return change(row)
			}
			return nil
		})
		if err != nil {
			return err
		}
		rotated = row
		if row.Token != token {
			if err := s.moveHash(ctx, token, row.Token); err != nil {
				return err
			}
		}
		stmt := &statement{}
		stmt.add("UPDATE ", s.d.Table(s.deprecatedKeys.name), ` SET "active_token_id" = `, stmt.param(row.Token),
			` WHERE "active_token_id" = `, stmt.param(token))
		if _, err := s.exec(ctx, stmt); err != nil {
			return err
		}
		// A key that has its old hash again has it for good.
		if _, err := s.DeprecatedKeys().Delete(ctx, row.Token); err != nil || revokeAt.IsZero() {
			return err
		}
		return s.DeprecatedKeys().Create(ctx, &store.DeprecatedKey{Token: token, ActiveTokenID: row.Token, RevokeAt: revokeAt})
	})
	return rotated, err
}

// moveHash notes that a key has another hash.
func (s *Store) moveHash(ctx context.Context, token, next string) error {
	known, err := s.hashes(ctx, store.OneOf("token", []string{token, next}))
	if err != nil {
		return err
	}
	origin := token
	for _, h := range known {
		if h.Token == token {
			origin = h.Origin
		}
	}
	for _, h := range known {
		if h.Token == next && h.Origin != origin {
			return s.hashTaken()
		}
	}
	stmt := &statement{}
	stmt.add("UPDATE ", s.d.Table(s.keyHashes.name), ` SET "active" = `, stmt.param(next), ` WHERE "active" = `, stmt.param(token))
	if _, err := s.exec(ctx, stmt); err != nil {
		return err
	}
	return s.insert(ctx, s.keyHashes, s.keyHashes.names(), []any{token, next, origin, next, next, origin}, `"token"`,
		`"active" = excluded."active"`)
}

func (s *Store) hashes(ctx context.Context, which store.Cond) ([]keyHashRow, error) {
	return tableOf[keyHashRow, string](s, s.keyHashes).Find(ctx, store.Query{Where: []store.Cond{which}})
}

// Origins is of store.Keys.
func (k keys) Origins(ctx context.Context, tokens ...string) (map[string]string, error) {
	origins := map[string]string{}
	for part := range chunks(store.OneOf("token", tokens)) {
		known, err := k.s.hashes(ctx, part)
		if err != nil {
			return nil, err
		}
		for _, h := range known {
			origins[h.Token] = h.Origin
		}
	}
	return origins, nil
}

// Delete is of store.Table.
func (k keys) Delete(ctx context.Context, tokens ...string) (deleted int64, err error) {
	err = k.s.write(ctx, func(s *Store) error {
		if err := s.forgetHashes(ctx, tokens); err != nil {
			return err
		}
		deleted, err = tableOf[store.Key, string](s, s.keys).Delete(ctx, tokens...)
		return err
	})
	return deleted, err
}

// forgetHashes lets go of the hashes of keys that are deleted.
func (s *Store) forgetHashes(ctx context.Context, tokens []string) error {
	for part := range chunks(store.OneOf("active", tokens)) {
		stmt := &statement{}
		stmt.add("DELETE FROM ", s.d.Table(s.keyHashes.name))
		if err := stmt.where(s.d, s.keyHashes.find, []store.Cond{part}); err != nil {
			return err
		}
		if _, err := s.exec(ctx, stmt); err != nil {
			return err
		}
	}
	return nil
}

// raiseKeys adds to the spend of keys. What was spent under an old hash is added to the key. A key that is rotated at the
// same time either has its row found by the old hash, and the rotation waits, or the new hash is found.
func (s *Store) raiseKeys(ctx context.Context, sums map[string]float64) error {
	for len(sums) > 0 {
		n, err := s.raise(ctx, s.keys, sums)
		if err != nil || n == int64(len(sums)) {
			return err
		}
		var tokens []string
		for token := range sums {
			tokens = append(tokens, token)
		}
		moved := map[string]float64{}
		for part := range chunks(store.OneOf("token", tokens)) {
			known, err := s.hashes(ctx, part)
			if err != nil {
				return err
			}
			for _, h := range known {
				if h.Active != h.Token {
					moved[h.Active] += sums[h.Token]
				}
			}
		}
		sums = moved
	}
	return nil
}

// spentSince is the spend of the key that had a hash before, if there is one.
func (s *Store) spentSince(ctx context.Context, token string) ([]float64, error) {
	stmt := &statement{}
	stmt.add(`SELECT k."spend" FROM `, s.d.Table(s.keys.name), " AS k JOIN ", s.d.Table(s.keyHashes.name),
		` AS h ON h."active" = k."token" WHERE h."token" = `, stmt.param(cleanText(token)))
	return collect(ctx, s, stmt, func(scan func(...any) error) (f float64, err error) { return f, scan(&f) })
}
