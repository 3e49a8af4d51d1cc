package admin

import (
	"cmp"
	"slices"

	"github.com/sallyport-ai/sallyport/core/store"
)

// mostSums is how many sums a report holds of those that there is one of for every key and day, and mostRows how many rows
// an answer without pages. The reference answers with all, which takes a gateway down that has many.
const (
	mostSums = 10_000
	mostRows = 10_000
)

// heaviest reads sums in the order of days, the last first. If they are more than mostSums it is those with the highest
// spend, and cut says so: then what is less than all has to be read apart.
func (a *API) heaviest(c *call, f store.DailyFilter, by ...store.Dimension) (all []store.Activity, cut bool, err error) {
	q := store.ActivityQuery{DailyFilter: f, By: by, BySpend: true, Limit: mostSums + 1}
	all, err = a.Store.Reports().Activity(c.ctx(), q)
	if cut = len(all) > mostSums; cut {
		all = all[:mostSums]
	}
	slices.SortStableFunc(all, func(x, y store.Activity) int {
		for _, d := range by {
			order := cmp.Compare(*x.Field(d), *y.Field(d))
			if d == store.ByDate {
				order = -order
			}
			if order != 0 {
				return order
			}
		}
		return 0
	})
	return all, cut, err
}

// sumsBy reads the sums of a filter by a dimension, by day or in all.
func (a *API) sumsBy(c *call, f store.DailyFilter, by ...store.Dimension) ([]store.Activity, error) {
	return a.Store.Reports().Activity(c.ctx(), store.ActivityQuery{DailyFilter: f, By: by})
}
