package store

import (
	"context"
	"errors"
	"time"
)

// Kind is what kind of row changed.
type Kind string

// The kinds whose changes are told.
const (
	KindKey              Kind = "key"
	KindTeam             Kind = "team"
	KindTeamModel        Kind = "team_model"
	KindTeamMember       Kind = "team_member" // ID is MemberID
	KindUser             Kind = "user"
	KindOrganization     Kind = "organization"
	KindOrgMember        Kind = "organization_member" // ID is MemberID
	KindBudget           Kind = "budget"
	KindEndUser          Kind = "end_user"
	KindTag              Kind = "tag"
	KindModel            Kind = "model"
	KindCredential       Kind = "credential" // ID is the name
	KindConfig           Kind = "config"
	KindAccessGroup      Kind = "access_group"
	KindObjectPermission Kind = "object_permission"
	// KindEverything says that so much changed that everything remembered is to be forgotten.
	KindEverything Kind = "everything"
)

// Change says that a row was created, changed or deleted. Spend that is added is no change; a reset is one.
type Change struct {
	Seq  int64
	Kind Kind
	ID   string
	At   time.Time
}

// Changes are the latest changes, of all replicas, in the order in which they became visible.
type Changes interface {
	// Latest is the number of the last change.
	Latest(ctx context.Context) (int64, error)
	// Since reads changes after a number, at most limit, and the number to go on from. If changes in between are no longer
	// kept, it is a single KindEverything.
	Since(ctx context.Context, seq int64, limit int) ([]Change, int64, error)
	// Listen calls wake when it begins to listen and then when something may have changed, until ctx ends or the connection
	// is lost. errors.ErrUnsupported says that the database cannot tell: ask every so often.
	Listen(ctx context.Context, wake func()) error
	// Prune forgets changes from before a time, in one statement; those kept are what Since can tell.
	Prune(ctx context.Context, before time.Time) (int64, error)
}

// Leases make sure that one replica at a time does a job. They end by themselves, by the database's clock.
type Leases interface {
	// Acquire takes or extends a lease for holder. False says that another has it.
	Acquire(ctx context.Context, name, holder string, ttl time.Duration) (bool, error)
	// Release gives a lease back, if holder has it.
	Release(ctx context.Context, name, holder string) error
}

// followLimit is how many changes Follow reads at once.
const followLimit = 1000

// Follow tells each change from now on, until ctx ends. It asks every interval. When the database cannot be asked it
// tells the error, goes on trying, and then tells what was missed: those who must not rely on what they remember for
// longer than some time can see from fail how long it has been. tell and fail are called one at a time.
func Follow(ctx context.Context, c Changes, interval time.Duration, tell func([]Change), fail func(error)) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	seq := int64(-1)
	for {
		next, err := follow(ctx, c, seq, tell)
		if err != nil && ctx.Err() == nil && !errors.Is(err, context.Canceled) {
			fail(err)
		}
		seq = next
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func follow(ctx context.Context, c Changes, seq int64, tell func([]Change)) (int64, error) {
	if seq < 0 {
		latest, err := c.Latest(ctx)
		if err != nil {
			return seq, err
		}
		// What changed before the first answer may have been read before it, too.
		tell([]Change{{Seq: latest, Kind: KindEverything}})
		return latest, nil
	}
	for {
		changes, next, err := c.Since(ctx, seq, followLimit)
		if err != nil {
			return seq, err
		}
		if len(changes) == 0 {
			return next, nil
		}
		tell(changes)
		seq = next
	}
}
