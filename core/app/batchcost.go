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
		one, cancel := context.WithTimeout(ctx, pollPatience)
		err := a.pollBatch(one, db, &rows[i])
		cancel()
		if err != nil {
			a.log.Warn("what a batch costs is not known yet", "batch", rows[i].ID, "error", err)
		}
		if mine, err := db.Leases().Acquire(ctx, lease, a.replica, pollPatience+leaseTime); err != nil || !mine {
			return err
		}
	}
	return nil
}

// pollBatch records one batch if it has ended.
func (a *App) pollBatch(ctx context.Context, db *database, row *store.Object) error {
	var b listener.ManagedBatch
	if err := json.Unmarshal([]byte(row.Body), &b); err != nil {
		return err
	}
	d := a.deployment(b.Deployment)
	if d == nil {
		return fmt.Errorf("its deployment %s is not configured any more", b.Deployment)
	}
	raw, err := a.fetch(ctx, d, "aretrieve_batch", "/batches/"+b.Batch)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(io.LimitReader(raw, maxBatchText))
	if err = errors.Join(err, raw.Close()); err != nil {
		return err
	}
	status, _ := llm.Text(dialect.Get(text, "status"))
	if !listener.Ended(string(status)) {
		_, err := db.Objects().Update(ctx, row.ID, func(o *store.Object) error { o.Status = string(status); return nil })
		return err
	}
	var total llm.Usage
	var cost float64
	if file, _ := llm.Text(dialect.Get(text, "output_file_id")); len(file) > 0 {
		if total, cost, err = a.batchCost(ctx, d, string(file)); err != nil {
			return err
		}
	}
	// Only who ends it makes the record, so that it is made once.
	already := errors.New("recorded already")
	_, err = db.Objects().Update(ctx, row.ID, func(o *store.Object) error {
		if !o.Pending {
			return already
		}
		o.Status, o.Pending = string(status), false
		return nil
	})
	if err != nil || cost == 0 && total.Total == 0 {
		if errors.Is(err, already) {
			err = nil
		}
		return err
	}
	a.recordBatch(&b, d, total, cost)
	return nil
}

// deployment finds a deployment of the configuration by its id.
func (a *App) deployment(id string) *llm.Deployment {
	for _, d := range a.current.Load().deployments {
		if d.ID == id {
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

// batchCost sums what the answers of a batch used and cost. Each is priced by itself, as prices change with its length.
func (a *App) batchCost(ctx context.Context, d *llm.Deployment, file string) (total llm.Usage, cost float64, err error) {
	raw, err := a.fetch(ctx, d, "afile_content", "/files/"+file+"/content")
	if err != nil {
		return total, 0, err
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
		total = usage.Plus(total, u)
		if d.Price != nil {
			one, _ := price.Of(d.Price, u, price.Call{Tier: llm.TierBatch})
			cost += one.Total
		}
	}
	return total, cost, errors.Join(lines.Err(), raw.Close())
}

// recordBatch records a batch as a call of whoever began it.
func (a *App) recordBatch(b *listener.ManagedBatch, d *llm.Deployment, u llm.Usage, cost float64) {
	x := &llm.Exchange{}
	x.Reset()
	x.Start = time.Now()
	x.Answered = x.Start
	x.ID = llm.NewID(x.Start)
	x.Op, x.Call, x.Method, x.Path, x.Model, x.Tried = llm.OpResource, "aretrieve_batch", "GET", "/v1/batches", b.Group, d
	x.Principal = &llm.Principal{KeyHash: b.KeyHash, UserID: b.UserID, TeamID: b.TeamID, OrgID: b.OrgID}
	x.Charged = cost
	if err := x.Body.Parse([]byte("{}")); err != nil {
		return
	}
	a.gateway.Record(x, &llm.Reply{Status: 200, Deployment: d, Usage: u})
}
