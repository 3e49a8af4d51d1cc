package admin

import "github.com/sallyport-ai/sallyport/core/store"

// mostSums is how many sums a report holds of those that there is one of for every key and day, mostShown how many where
// each is shown several times, and mostRows how many rows an answer without pages. The reference answers with all, which
// takes a gateway down that has many.
const (
	mostSums  = 10_000
	mostShown = 2_000
	mostRows  = 10_000
)

// heaviest reads daily rows, the last day first. If they are more than most it is those of each day with the highest spend,
// and cut says so: then what is less than all has to be read apart.
func (a *API) heaviest(c *call, f store.DailyFilter, most int) (all []store.Activity, cut bool, err error) {
	found, cut, err := a.Store.Reports().Heaviest(c.ctx(), f, most)
	return activities(found), cut, err
}

// activities are daily rows as sums.
func activities(found []store.DailySpend) []store.Activity {
	all := make([]store.Activity, len(found))
	for i := range all {
		r := &found[i]
		all[i] = store.Activity{
			Date: r.Date, EntityID: r.EntityID, APIKey: r.APIKey, Model: r.Model, ModelGroup: r.ModelGroup, Provider: r.CustomLLMProvider,
			Endpoint: r.Endpoint, Tool: r.MCPNamespacedToolName, Metrics: r.Metrics,
		}
	}
	return all
}

// sumsBy reads the sums of a filter by a dimension, by day or in all.
func (a *API) sumsBy(c *call, f store.DailyFilter, by ...store.Dimension) ([]store.Activity, error) {
	return a.Store.Reports().Activity(c.ctx(), store.ActivityQuery{DailyFilter: f, By: by})
}
