package admin

import (
	"strconv"
	"time"

	"github.com/sallyport-ai/sallyport/core/store"
)

// healthRoutes are the routes of litellm/proxy/health_endpoints/_health_endpoints.py that tell what checks found.
func (a *API) healthRoutes() []route {
	return []route{
		{"GET", "/health/history", viewer, a.healthHistory},
		{"GET", "/health/latest", viewer, a.latestHealth},
	}
}

// healthCheckView is a row as the reference shows it (_convert_health_check_to_dict).
type healthCheckView struct {
	ID             string     `json:"health_check_id"`
	ModelName      string     `json:"model_name"`
	ModelID        store.Text `json:"model_id"`
	Status         string     `json:"status"`
	HealthyCount   int64      `json:"healthy_count"`
	UnhealthyCount int64      `json:"unhealthy_count"`
	ErrorMessage   store.Text `json:"error_message"`
	ResponseTimeMS *float64   `json:"response_time_ms"`
	Details        store.JSON `json:"details"`
	CheckedBy      store.Text `json:"checked_by"`
	CheckedAt      time.Time  `json:"checked_at"`
	CreatedAt      time.Time  `json:"created_at"`
}

func viewOf(h *store.HealthCheck) healthCheckView {
	return healthCheckView{
		h.HealthCheckID, h.ModelName, h.ModelID, h.Status, h.HealthyCount, h.UnhealthyCount, h.ErrorMessage, h.ResponseTimeMS, h.Details,
		h.CheckedBy, h.CheckedAt, h.CreatedAt,
	}
}

// healthHistory serves what checks found, latest first, with ?model=, ?status_filter=, ?limit= and ?offset=.
func (a *API) healthHistory(c *call) (any, error) {
	q := c.r.URL.Query()
	limit, err := numberIn(q.Get("limit"), "limit", 100, 1, 1000)
	if err != nil {
		return nil, err
	}
	offset, err := numberIn(q.Get("offset"), "offset", 0, 0, 1<<31)
	if err != nil {
		return nil, err
	}
	query := store.Query{Sort: "checked_at", Desc: true, Limit: limit, Offset: offset}
	if model := q.Get("model"); model != "" {
		query.Where = append(query.Where, store.Eq("model_name", model))
	}
	if status := q.Get("status_filter"); status != "" {
		query.Where = append(query.Where, store.Eq("status", status))
	}
	rows, err := a.Store.HealthChecks().Find(c.ctx(), query)
	if err != nil {
		return nil, err
	}
	list := make([]healthCheckView, len(rows))
	for i := range rows {
		list[i] = viewOf(&rows[i])
	}
	return map[string]any{"health_checks": list, "total_records": len(list), "limit": limit, "offset": offset}, nil
}

// latestRows is how far back the latest check of each model is looked for.
const latestRows = 10_000

// latestHealth serves the latest check of each model, by its id.
func (a *API) latestHealth(c *call) (any, error) {
	rows, err := a.Store.HealthChecks().Find(c.ctx(), store.Query{Sort: "checked_at", Desc: true, Limit: latestRows})
	if err != nil {
		return nil, err
	}
	latest := map[string]healthCheckView{}
	for i := range rows {
		key := string(rows[i].ModelID)
		if key == "" {
			key = rows[i].ModelName
		}
		if _, has := latest[key]; !has {
			latest[key] = viewOf(&rows[i])
		}
	}
	return map[string]any{"latest_health_checks": latest, "total_models": len(latest)}, nil
}

// numberIn reads a whole number of a query, within bounds.
func numberIn(text, name string, otherwise, least, most int) (int, error) {
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, unprocessable{[]detail{{
			Loc: []any{"query", name}, Type: "value_error",
			Msg: "want a whole number from " + strconv.Itoa(least) + " to " + strconv.Itoa(most),
		}}}
	}
	return n, nil
}
