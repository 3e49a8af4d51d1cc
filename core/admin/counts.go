package admin

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/sallyport-ai/sallyport/core/store"
)

func (a *API) globalActivity(c *call) (any, error) {
	from, to, err := c.dates(30)
	if err != nil {
		return nil, err
	}
	all, err := a.sums(c, from, to, 0, store.ByDate)
	if err != nil {
		return nil, err
	}
	return dailyCounts(all), nil
}

// dayLabel is a date as the reference's reports for charts write it: Jan 31.
func dayLabel(date string) string {
	t, err := time.Parse(day, date)
	if err != nil {
		return date
	}
	return t.Format("Jan 02")
}

func dailyCounts(all []store.Activity) map[string]any {
	days := []any{}
	var requests, tokens int64
	for i := len(all) - 1; i >= 0; i-- {
		r := &all[i]
		n := r.PromptTokens + r.CompletionTokens
		requests += r.APIRequests
		tokens += n
		days = append(days, map[string]any{"date": dayLabel(r.Date), "api_requests": r.APIRequests, "total_tokens": n})
	}
	return map[string]any{"daily_data": days, "sum_api_requests": requests, "sum_total_tokens": tokens}
}

func (a *API) globalActivityModel(c *call) (any, error) {
	from, to, err := c.dates(30)
	if err != nil {
		return nil, err
	}
	all, err := a.sums(c, from, to, 0, store.ByDate, store.ByModelGroup)
	if err != nil {
		return nil, err
	}
	return busiest(grouped(all, "model", func(r store.Activity) string { return r.ModelGroup }, dailyCounts), "sum_api_requests"), nil
}

// busiest are the ten groups with the highest sums, the highest first.
func busiest(groups []map[string]any, sum string) []map[string]any {
	slices.SortStableFunc(groups, func(x, y map[string]any) int {
		a, _ := x[sum].(int64)
		b, _ := y[sum].(int64)
		return cmp.Compare(b, a)
	})
	return groups[:min(len(groups), 10)]
}

// grouped sums up each group of rows and writes its name beside the sums, in the order of the names.
func grouped[T any](all []T, label string, name func(T) string, sum func([]T) map[string]any) []map[string]any {
	by := map[string][]T{}
	for _, r := range all {
		by[name(r)] = append(by[name(r)], r)
	}
	out := []map[string]any{}
	for _, n := range slices.Sorted(maps.Keys(by)) {
		d := sum(by[n])
		d[label] = n
		out = append(out, d)
	}
	return out
}

func (a *API) cacheHits(c *call) (any, error) {
	if !c.sees() {
		return nil, forbidden("Only admins may see what the cache saved.")
	}
	from, to, err := c.dates(30)
	if err != nil {
		return nil, err
	}
	all, err := a.Store.Reports().CacheHits(c.ctx(), from, to, mostRows)
	if err != nil {
		return nil, err
	}
	out := []any{}
	for _, r := range all {
		out = append(out, map[string]any{
			"api_key": r.APIKey, "call_type": r.CallType, "model": r.Model, "total_rows": r.Requests, "cache_hit_true_rows": r.Hits,
			"cached_completion_tokens": r.CachedTokens, "generated_completion_tokens": r.GeneratedTokens, "date": r.Date,
		})
	}
	return out, nil
}

func (a *API) exceptionCounts(c *call) ([]store.ExceptionCount, error) {
	from, to, err := c.dates(30)
	if err != nil {
		return nil, err
	}
	start, _ := time.Parse(day, from)
	end, _ := time.Parse(day, to)
	return a.Store.Reports().Exceptions(c.ctx(), c.query("model_group"), start, end.AddDate(0, 0, 1))
}

func (a *API) exceptions(c *call) (any, error) {
	all, err := a.exceptionCounts(c)
	if err != nil {
		return nil, err
	}
	return exceptionDays(all), nil
}

func exceptionDays(all []store.ExceptionCount) map[string]any {
	byDay, sum := map[string]int64{}, int64(0)
	for _, e := range all {
		byDay[e.Date] += e.Count
		sum += e.Count
	}
	days := []any{}
	for _, d := range slices.Sorted(maps.Keys(byDay)) {
		days = append(days, map[string]any{"date": dayLabel(d), "num_rate_limit_exceptions": byDay[d]})
	}
	return map[string]any{"daily_data": days, "sum_num_rate_limit_exceptions": sum}
}

func (a *API) exceptionsByDeployment(c *call) (any, error) {
	all, err := a.exceptionCounts(c)
	if err != nil {
		return nil, err
	}
	return busiest(grouped(all, "api_base", func(e store.ExceptionCount) string { return e.APIBase }, exceptionDays), "sum_num_rate_limit_exceptions"), nil
}
