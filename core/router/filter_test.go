package router_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/router"
)

// filterFunc is a filter in a test.
type filterFunc func(x *llm.Exchange, list []router.Candidate) ([]int, bool, error)

func (f filterFunc) Filter(_ context.Context, x *llm.Exchange, list []router.Candidate) ([]int, bool, error) {
	return f(x, list)
}

// keeping is a filter that lets the ids pass.
func keeping(ordered bool, ids ...string) router.Filter {
	return filterFunc(func(_ *llm.Exchange, list []router.Candidate) ([]int, bool, error) {
		keep := []int{}
		for _, id := range ids {
			if i := slices.IndexFunc(list, func(c router.Candidate) bool { return c.ID == id }); i >= 0 {
				keep = append(keep, i)
			}
		}
		return keep, ordered, nil
	})
}

func none() router.Filter {
	return filterFunc(func(*llm.Exchange, []router.Candidate) ([]int, bool, error) { return nil, false, nil })
}

// walk makes a plan over three deployments of m and one of its fallback f, and returns who is called when all fail.
func walk(t *testing.T, filters ...router.Filter) (order string, err error) {
	t.Helper()
	s := router.Defaults()
	s.Retries, s.Filters, s.Rand = 2, filters, func() float64 { return 0.5 }
	for _, id := range []string{"a", "b", "c"} {
		s.Deployments = append(s.Deployments, &llm.Deployment{ID: id, Group: "m", Model: "x", Provider: "p", Retries: -1})
	}
	s.Deployments = append(s.Deployments, &llm.Deployment{ID: "f", Group: "f", Model: "x", Provider: "p", Retries: -1})
	s.Fallbacks = []router.Fallback{{Group: "m", Targets: []router.Target{{Group: "f"}}}}
	r, err := router.New(s)
	if err != nil {
		t.Fatal(err)
	}
	x := &llm.Exchange{}
	x.Reset()
	x.Model, x.Op = "m", llm.OpChat
	var p router.Plan
	if err := r.Plan(x, &p); err != nil {
		t.Fatal(err)
	}
	defer p.Done(nil)
	var last error
	for {
		d, err := p.Next(t.Context(), last)
		if err != nil {
			return order, err
		}
		if order += d.ID; len(order) > 20 {
			t.Fatal("the plan does not end")
		}
		last = &llm.Error{Kind: llm.KindNotFound, Message: "gone"}
		if d.Group == "m" {
			last = &llm.Error{Kind: llm.KindUnavailable, Message: "down"}
		}
	}
}

func TestFilters(t *testing.T) {
	t.Parallel()
	f := func(want, message string, filters ...router.Filter) {
		t.Helper()
		got, err := walk(t, filters...)
		if got != want || !strings.Contains(err.Error(), message) {
			t.Errorf("got %s and %v, want %s and %q", got, err, want, message)
		}
	}
	f("bcaf", "down", none())
	f("bca", "No deployments available for selected model, Try again in 5 seconds. Passed model=f", keeping(true, "b", "c", "a"))
	f("cabf", "down", keeping(true, "c", "a", "b", "f"))
	f("cabf", "down", keeping(true, "c", "a", "b", "f"), none())
	f("f", "No deployments available for selected model, Try again in 5 seconds. Passed model=m. pre-call-checks=False, cooldown_list=[]", keeping(false, "f"))
	f("", "No deployments available", keeping(false))
	f("bf", "down", keeping(false, "b", "f"))
	f("bf", "down", keeping(true, "b", "a", "f"), keeping(false, "c", "b", "f"))
	broken := filterFunc(func(*llm.Exchange, []router.Candidate) ([]int, bool, error) { return nil, false, errors.New("no map") })
	f("", "Internal server error.", broken)
}

// A filter sees who is busy, who was tried, and what is asked.
func TestFilterSees(t *testing.T) {
	t.Parallel()
	var seen []string
	spy := filterFunc(func(x *llm.Exchange, list []router.Candidate) ([]int, bool, error) {
		var ids []string
		for _, c := range list {
			if c.Counts.InFlight != 0 {
				t.Errorf("%s is busy", c.ID)
			}
			ids = append(ids, c.ID)
		}
		seen = append(seen, x.Model+":"+strings.Join(ids, ""))
		return nil, false, nil
	})
	if _, err := walk(t, spy); err == nil {
		t.Fatal("no error")
	}
	if got := strings.Join(seen, " "); got != "m:abc m:ac m:a m:f" && got != "m:abc m:ac m:c m:f" {
		t.Errorf("got %s", got)
	}
}

func TestNoFilterCostsNothing(t *testing.T) {
	s := router.Defaults()
	for _, id := range []string{"a", "b"} {
		s.Deployments = append(s.Deployments, &llm.Deployment{ID: id, Group: "m", Model: "x", Provider: "p", Retries: -1})
	}
	r, err := router.New(s)
	if err != nil {
		t.Fatal(err)
	}
	x := &llm.Exchange{}
	x.Reset()
	x.Model, x.Op = "m", llm.OpChat
	var p router.Plan
	ctx := t.Context()
	n := testing.AllocsPerRun(200, func() {
		if err := r.Plan(x, &p); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Next(ctx, nil); err != nil {
			t.Fatal(err)
		}
		p.Done(nil)
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}
