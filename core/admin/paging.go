package admin

import "github.com/sallyport-ai/sallyport/core/store"

// page is the part of a list that a caller asks for.
type page struct{ number, size int }

// page reads the parameters page and the one that has a page's size.
func (c *call) page(param string, size, most int) (p page, err error) {
	if p.number, err = c.number("page", 1, 1, 1_000_000); err != nil {
		return p, err
	}
	p.size, err = c.number(param, size, 1, most)
	return p, err
}

func (p page) offset() int { return (p.number - 1) * p.size }

// query asks for the page of rows, those with the highest value first.
func (p page) query(where []store.Cond, sort string) store.Query {
	return store.Query{Where: where, Limit: p.size, Offset: p.offset(), Sort: sort, Desc: true}
}

// pages is how many pages there are of so many rows.
func (p page) pages(total int64) int64 { return (total + int64(p.size) - 1) / int64(p.size) }

// answer is the page as most lists of the reference have it.
func (p page) answer(name string, list any, total int64) map[string]any {
	return map[string]any{name: list, "total": total, "page": p.number, "page_size": p.size, "total_pages": p.pages(total)}
}
