package app

import (
	"context"
	"fmt"
	"net/url"
	"strconv"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// listed is the list of batches.
func (b *batches) listed(ctx context.Context, x *llm.Exchange) ([]byte, error) {
	const usual, most = 20, 100
	q, err := url.ParseQuery(string(x.Query))
	if err != nil {
		return nil, b.wrong("", "The query cannot be read: %v.", err)
	}
	limit, err := strconv.Atoi(q.Get("limit"))
	if err != nil || limit < 1 || limit > most {
		limit = usual
	}
	after := q.Get("after")
	if id, _, ok := openai.SplitModelID(after); ok {
		after = id
	}
	if after != "" && !plainBatch(after) {
		return nil, b.wrong("after", "after is no id of a batch.")
	}
	page, more, err := b.maker.list(ctx, b, after, limit)
	if err != nil {
		return nil, err
	}
	out := []byte(`{"object":"list","data":[`)
	first, last := []byte("null"), []byte("null")
	for i, s := range page {
		if i > 0 {
			out = append(out, ',')
		} else {
			first = orNull(s.id)
		}
		last = orNull(s.id)
		m := b.remembered(ctx, s.id)
		out = append(out, b.object(s, &m)...)
	}
	return fmt.Appendf(out, `],"first_id":%s,"last_id":%s,"has_more":%v}`, first, last, more), nil
}

// mostPages is how many pages of a vendor's list are read for one of ours.
const mostPages = 20

// batchPage collects the batches that come after one, of vendors whose pages do not begin at an id.
type batchPage struct {
	after string
	limit int
	found bool
	list  []*batchState
}

func pageAfter(id string, limit int) *batchPage {
	return &batchPage{after: id, limit: limit, found: id == ""}
}

// full takes the next batch of the vendor's list, unless the page is full and this is one more.
func (p *batchPage) full(s *batchState) bool {
	if p.found && len(p.list) == p.limit {
		return true
	}
	if p.found {
		p.list = append(p.list, s)
	}
	p.found = p.found || s.id == p.after
	return false
}

// vendorList is a list in pages whose tokens are not ids.
type vendorList struct {
	path        func(query string) func(chat string) string
	items       string // the member that holds them
	token, next string // the parameter and the member that name a page
	most        int64  // bytes of a page
}

// pages reads a vendor's pages until it has what comes after a batch.
func (b *batches) pages(ctx context.Context, l *vendorList, q url.Values, got *batchPage, state func([]byte) *batchState) (page []*batchState, more bool, err error) {
	for range mostPages {
		text, err := b.read(ctx, "GET", l.path("?"+q.Encode()), nil, l.most)
		if err != nil {
			return nil, false, err
		}
		for list := dialect.Array(dialect.Get(text, l.items)); list.Next(); {
			if got.full(state(list.Value())) {
				return got.list, true, nil
			}
		}
		next, _ := llm.Text(dialect.Get(text, l.next))
		if len(next) == 0 {
			return got.list, false, nil
		}
		q.Set(l.token, string(next))
	}
	return got.list, true, nil
}
