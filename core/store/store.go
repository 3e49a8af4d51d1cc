// Package store is the contract of what the gateway remembers: keys, teams, users, budgets, models, and what was spent.
//
// A Store is safe for concurrent use. Rows that it returns belong to the caller. Times are UTC, in milliseconds. Errors
// wrap ErrNotFound, ErrConflict, ErrReference or ErrUnavailable where one of these is the reason, and never hold a
// secret or an address with a password.
package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Reasons of failure.
var (
	// ErrNotFound says that there is no such row.
	ErrNotFound = errors.New("not found")
	// ErrConflict says that a row with that value exists. The error is a *ConflictError.
	ErrConflict = errors.New("exists already")
	// ErrReference says that a row names another that does not exist, or is still named by one.
	ErrReference = errors.New("reference to another row")
	// ErrUnavailable says that the database cannot be reached, or did not answer in time: try again later.
	ErrUnavailable = errors.New("database unavailable")
	// ErrSchema says that tables or columns are missing and may not be added.
	ErrSchema = errors.New("database schema is too old")
	// ErrSecret says that an encrypted value cannot be read with the key there is.
	ErrSecret = errors.New("cannot decrypt")
)

// ConflictError says which field of what would not be unique.
type ConflictError struct {
	Table string
	Field string // column, or columns joined by commas
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("%s: a row with this %s exists already", e.Table, e.Field)
}

// Is makes the error an ErrConflict.
func (e *ConflictError) Is(target error) bool { return target == ErrConflict }

// Op compares a column with values.
type Op uint8

// The comparisons. NULL and the empty text are the same to all of them.
const (
	Equal    Op = iota
	NotEqual    // also true of NULL
	In          // equal to one of the values; of no values, to none
	NotIn
	Less // never true of NULL, like the three that follow
	LessEqual
	Greater
	GreaterEqual
	IsNull
	NotNull
	Has       // the list holds the value
	Contains  // the text holds the value, whatever the case of its letters
	EqualFold // the same text, whatever the case of its letters
)

// Cond is a condition on rows: a comparison of one column, or, if Any is set, that one of several conditions holds.
type Cond struct {
	Column string
	Op     Op
	Values []any
	Any    [][]Cond // holds if all conditions of one group hold
}

// Where compares a column.
func Where(column string, op Op, values ...any) Cond {
	return Cond{Column: column, Op: op, Values: values}
}

// Eq holds where the column equals the value.
func Eq(column string, value any) Cond { return Where(column, Equal, value) }

// OneOf holds where the column equals one of the values.
func OneOf[T any](column string, values []T) Cond {
	c := Cond{Column: column, Op: In}
	for _, v := range values {
		c.Values = append(c.Values, v)
	}
	return c
}

// Or holds if all conditions of one of the groups hold.
func Or(groups ...[]Cond) Cond { return Cond{Any: append([][]Cond{}, groups...)} }

// Query selects rows of a table.
type Query struct {
	Where  []Cond // all hold
	Sort   string // column; the primary key decides between equals and when it is empty
	Desc   bool
	Limit  int // 0 is all
	Offset int
}

// Table is the rows of one kind.
type Table[T, ID any] interface {
	// Get reads a row, or fails with ErrNotFound.
	Get(ctx context.Context, id ID) (*T, error)
	// Find reads the rows that match. A column that is not one of T's is an error.
	Find(ctx context.Context, q Query) ([]T, error)
	// Count counts the rows that match.
	Count(ctx context.Context, where ...Cond) (int64, error)
	// Create inserts a row. It fills in an empty id, created_at and updated_at, in *row too.
	Create(ctx context.Context, row *T) error
	// Update locks a row, hands it to change, and writes the columns that changed and updated_at. So two updates do not
	// overwrite each other, and spend that arrives meanwhile is not lost. It may call change again after a deadlock. An
	// error of change is returned as it is and nothing is written. The id may be changed.
	Update(ctx context.Context, id ID, change func(row *T) error) (*T, error)
	// Put inserts a row or replaces all of it but spend and created_at/by.
	Put(ctx context.Context, row *T) error
	// Delete deletes rows, and says how many there were.
	Delete(ctx context.Context, ids ...ID) (int64, error)
}

// Membership is the id of a member: of a team or of an organization.
type Membership struct {
	UserID string
	Group  string // team_id or organization_id
}

// Keys are the virtual keys.
type Keys interface {
	Table[Key, string]
	// Lookup reads a key by its hash with everything that decides what it may do, in one question to the database. The
	// hash of a regenerated key finds its successor until its grace period ends.
	Lookup(ctx context.Context, token string, now time.Time) (*KeyView, error)
	// Rotate gives a key another hash and returns it. The old hash stays good until revokeAt, if that is set; hashes that
	// led to the old one lead to the new one. What is recorded as spent under the old hash is added to the key for as long
	// as there is one. A hash that another key has had fails with ErrConflict, here and in Create.
	Rotate(ctx context.Context, token, next string, revokeAt time.Time, change func(*Key) error) (*Key, error)
	// Origins returns the first hash that a key had, for those of the hashes that are or were of a key that was rotated.
	Origins(ctx context.Context, tokens ...string) (map[string]string, error)
	// Archive deletes keys and keeps a copy of each in DeletedKeys. It returns those that there were.
	Archive(ctx context.Context, tokens []string, by Deletion) ([]Key, error)
}

// KeyView is a key and what it hangs on. What is not there is nil.
type KeyView struct {
	Key
	Deprecated         *time.Time // the hash asked for is an old one, good until then
	Origin             string     // the first hash of a key that was rotated; else empty
	Budget             *Budget
	User               *User
	Team               *Team
	TeamModel          *TeamModel
	Member             *TeamMembership
	MemberBudget       *Budget
	Organization       *Organization // the key's, or else the team's
	OrganizationBudget *Budget
	OrgMember          *OrganizationMembership
	OrgMemberBudget    *Budget
	ObjectPermission   *ObjectPermission // the key's own
	TeamPermission     *ObjectPermission // the team's
}

// Teams are the teams.
type Teams interface {
	Table[Team, string]
	// Archive deletes teams, their keys and memberships, keeps copies of teams and keys, and takes the teams out of their
	// members' lists. It returns the teams that there were and the hashes of their keys.
	Archive(ctx context.Context, ids []string, by Deletion) ([]Team, []string, error)
}

// Store is all of it.
type Store interface {
	Keys() Keys
	DeletedKeys() Table[DeletedKey, string]
	DeprecatedKeys() Table[DeprecatedKey, string]
	Teams() Teams
	DeletedTeams() Table[DeletedTeam, string]
	TeamModels() Table[TeamModel, int64]
	TeamMemberships() Table[TeamMembership, Membership]
	Users() Table[User, string]
	Organizations() Table[Organization, string]
	OrganizationMemberships() Table[OrganizationMembership, Membership]
	Budgets() Table[Budget, string]
	EndUsers() Table[EndUser, string]
	Tags() Table[Tag, string]
	Models() Table[Model, string]
	Credentials() Table[Credential, string] // by credential_name
	Config() Table[ConfigValue, string]
	AccessGroups() Table[AccessGroup, string]
	ObjectPermissions() Table[ObjectPermission, string]
	InvitationLinks() Table[InvitationLink, string]
	AuditLogs() Table[AuditLog, string]
	HealthChecks() Table[HealthCheck, string]
	ErrorLogs() Table[ErrorLog, string]
	Objects() Objects

	Spend() Spend
	Reports() Reports
	Changes() Changes
	Leases() Leases

	// Tx runs fn in one transaction: what it does through tx happens altogether or not at all. It may run fn again after
	// a deadlock. Inside, use tx only: with SQLite the store itself waits for the transaction's end. Return the errors of
	// tx: PostgreSQL does nothing more in a transaction after one. A Tx inside another joins it.
	Tx(ctx context.Context, fn func(tx Store) error) error
	// Ping asks the database whether it is there.
	Ping(ctx context.Context) error
	// Stats says how the connections are used.
	Stats() Stats
	// Close lets go of the database.
	Close() error
}

// Stats describes a pool of connections.
type Stats struct {
	Kind      string // sqlite or postgres
	Max       int
	Open      int
	Busy      int
	Waits     int64         // how often somebody waited for a connection
	WaitedFor time.Duration // and for how long altogether
}
