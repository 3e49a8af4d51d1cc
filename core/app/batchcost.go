package app

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/dialect/usage"
	"github.com/sallyport-ai/sallyport/core/listener"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/price"
	"github.com/sallyport-ai/sallyport/core/store"
)

const (
	pollUsually  = time.Hour
	pollAtOnce   = 100             // batches of one look
	pollPatience = 5 * time.Minute // for one batch
	maxBatchText = 1 << 20         // bytes of a batch
	maxBatchLine = 16 << 20        // bytes of one answer in it
)

// pollBatches looks at batches that have not ended, and records what those cost that have, until ctx ends. One replica at
// a time does it (litellm_enterprise/proxy/common_utils/check_batch_cost.py of the reference).
func (a *App) pollBatches(ctx context.Context, db *database) {
	for {
		select {
		case <-time.After(max(secondsOr(a.settings().GeneralSettings.BatchPollingInterval, pollUsually), 100*time.Millisecond)):
		case <-ctx.Done():
			return
		}
		if err := a.pollNow(ctx, db); err != nil && ctx.Err() == nil {
			a.log.Warn("batches could not be looked at", "error", err)
		}
	}
}

func (a *App) pollNow(ctx context.Context, db *database) error {
	const lease = "batch_cost"
	if mine, err := db.Leases().Acquire(ctx, lease, a.replica, pollPatience+leaseTime); err != nil || !mine {
		return err
	}
	defer func() { _ = db.Leases().Release(context.WithoutCancel(ctx), lease, a.replica) }()
	rows, err := db.Objects().Find(ctx, store.Query{
		Where: []store.Cond{store.Eq("kind", string(store.ObjectBatch)), store.Eq("pending", true)}, Sort: "updated_at", Limit: pollAtOnce,
	})
	if err != nil {
		return err
	}
	for i := range rows {
		_ = a.look(ctx, db, &rows[i])
		if mine, err := db.Leases().Acquire(ctx, lease, a.replica, pollPatience+leaseTime); err != nil || !mine {
			return err
		}
	}
	return nil
}

// look records one batch if it has ended. One that cannot be read goes behind those that were not looked at yet.
func (a *App) look(ctx context.Context, db *database, row *store.Object) error {
	one, cancel := context.WithTimeout(ctx, pollPatience)
	defer cancel()
	err := a.pollBatch(one, db, row)
	if err != nil {
		a.log.Warn("what a batch costs is not known yet", "batch", row.ID, "error", err)
		_, _ = db.Objects().Update(ctx, row.ID, func(o *store.Object) error { o.Status = "unknown"; return nil })
	}
	return err
}

// errGone says that a batch cannot be looked up any more, by anybody.
var errGone = errors.New("its deployment is not configured any more")

// pollBatch records one batch if it has ended, and leaves in row what was found.
func (a *App) pollBatch(ctx context.Context, db *database, row *store.Object) error {
	var b listener.ManagedBatch
	if err := json.Unmarshal([]byte(row.Body), &b); err != nil {
		return err
	}
	d := a.deployment(b.Deployment)
	if d == nil {
		return fmt.Errorf("%w: %s", errGone, b.Deployment)
	}
	text, err := a.batch(ctx, d, b.Batch)
	if err != nil {
		return err
	}
	row.Body += string(text)
	status, _ := llm.Text(dialect.Get(text, "status"))
	row.Status = string(status)
	if !listener.Ended(row.Status) {
		_, err := db.Objects().Update(ctx, row.ID, func(o *store.Object) error { o.Status = row.Status; return nil })
		return err
	}
	var sum batchSum
	if file, _ := llm.Text(dialect.Get(text, "output_file_id")); len(file) > 0 {
		if err := a.batchCost(ctx, d, string(file), &sum); err != nil {
			return err
		}
	}
	// Only who ends it makes the record, so that it is made once.
	already := errors.New("recorded already")
	_, err = db.Objects().Update(ctx, row.ID, func(o *store.Object) error {
		if !o.Pending {
			return already
		}
		o.Status, o.Pending = row.Status, false
		return nil
	})
	if err != nil && !errors.Is(err, already) {
		return err
	}
	row.Pending = false
	if err == nil && (sum.cost != 0 || sum.usage.Total != 0) {
		a.recordBatch(&b, d, &sum)
	}
	return nil
}

// batch reads what a vendor tells of a batch.
func (a *App) batch(ctx context.Context, d *llm.Deployment, id string) ([]byte, error) {
	raw, err := a.fetch(ctx, d, "aretrieve_batch", "/batches/"+id)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(raw, maxBatchText))
	return text, errors.Join(err, raw.Close())
}

// deployment finds a deployment of the configuration by its id, also one for what vendors store.
func (a *App) deployment(id string) *llm.Deployment {
	l := a.current.Load()
	for _, d := range l.deployments {
		if d.ID == id {
			return d
		}
	}
	for _, d := range l.snapshot.Edge.Resources {
		if d != nil && d.ID == id {
			return d
		}
	}
	return nil
}

// fetch asks a deployment for something that it stores. Whoever reads it closes it.
func (a *App) fetch(ctx context.Context, d *llm.Deployment, call, tail string) (io.ReadCloser, error) {
	x := &llm.Exchange{}
	x.Reset()
	x.Start = time.Now()
	x.ID = llm.NewID(x.Start)
	x.Op, x.Method, x.Call, x.Tail, x.Pinned, x.Model = llm.OpResource, "GET", call, tail, d, d.Group
	if err := x.Body.Parse([]byte("{}")); err != nil {
		return nil, err
	}
	r, err := a.gateway.Probe(ctx, x)
	if err != nil {
		return nil, err
	}
	return &replyReader{r: r, left: r.First.Data}, nil
}

// replyReader reads the parts of a reply one after the other.
type replyReader struct {
	r    *llm.Reply
	left []byte
}

// Read implements io.Reader.
func (r *replyReader) Read(p []byte) (int, error) {
	for len(r.left) == 0 {
		var part llm.Part
		if err := r.r.Rest.Next(&part); err != nil {
			return 0, err
		}
		r.left = part.Data
	}
	n := copy(p, r.left)
	r.left = r.left[n:]
	return n, nil
}

// Close implements io.Closer.
func (r *replyReader) Close() error { return r.r.Rest.Close() }

// batchSum is what the answers of a batch used and cost.
type batchSum struct {
	usage  llm.Usage
	cost   float64
	model  string                // that answered last, where the deployment does not say
	prices map[string]*llm.Price // by model
}

// batchCost sums what the answers of a batch used and cost. Each is priced by itself, as prices change with its length.
func (a *App) batchCost(ctx context.Context, d *llm.Deployment, file string, sum *batchSum) error {
	raw, err := a.fetch(ctx, d, "afile_content", "/files/"+file+"/content")
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(raw)
	lines.Buffer(make([]byte, 64<<10), maxBatchLine)
	for lines.Scan() {
		body := openai.BatchBody(lines.Bytes())
		if body == nil {
			continue
		}
		var f usage.Found
		f.Add(body)
		u := f.Usage()
		sum.usage = usage.Plus(sum.usage, u)
		if p := a.batchPrice(d, f.Model, sum); p != nil {
			one, _ := price.Of(p, u, price.Call{Tier: llm.TierBatch})
			sum.cost += one.Total
		}
	}
	return errors.Join(lines.Err(), raw.Close())
}

// batchPrice is the price of an answer: the deployment's, or that of the vendor's model where a vendor's account was used
// and no deployment.
func (a *App) batchPrice(d *llm.Deployment, model string, sum *batchSum) *llm.Price {
	if !resourceOf(d) {
		return d.Price
	}
	sum.model = model
	if p, ok := sum.prices[model]; ok {
		return p
	}
	l := a.current.Load()
	b := &builder{App: a, cfg: l.cfg, prices: l.prices}
	of := &llm.Deployment{Provider: d.Provider, Model: model}
	if b.setPrice(of) != nil {
		of.Price = nil
	}
	if sum.prices == nil {
		sum.prices = map[string]*llm.Price{}
	}
	sum.prices[model] = of.Price
	return of.Price
}

// recordBatch records a batch as a call of whoever began it.
func (a *App) recordBatch(b *listener.ManagedBatch, d *llm.Deployment, sum *batchSum) {
	x := &llm.Exchange{}
	x.Reset()
	x.Start = time.Now()
	x.Answered = x.Start
	x.ID = llm.NewID(x.Start)
	x.Op, x.Call, x.Method, x.Path, x.Model, x.Tried = llm.OpResource, "aretrieve_batch", "GET", "/v1/batches", b.Group, d
	if x.Model == "" {
		x.Model = sum.model
	}
	x.Principal = &llm.Principal{KeyHash: b.KeyHash, UserID: b.UserID, TeamID: b.TeamID, OrgID: b.OrgID}
	x.Charged = sum.cost
	if err := x.Body.Parse([]byte("{}")); err != nil {
		return
	}
	a.gateway.Record(x, &llm.Reply{Status: 200, Deployment: d, Usage: sum.usage})
}
