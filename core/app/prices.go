package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/sallyport-ai/sallyport/config"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/price"
	"github.com/sallyport-ai/sallyport/core/provider/compat"
)

// prices is what models cost under one configuration. It is immutable once the deployments are built.
type prices struct {
	table *price.Table
	own   map[string]price.Override // what the operator set, by the deployment's id
}

// costMap is the cost map that was fetched last. It stays in use while its address does not answer, and is not fetched
// again for every configuration: models in a database change often.
type costMap struct {
	mu    sync.Mutex
	from  string
	table *price.Table // nil if it could not be fetched yet
	tried time.Time
}

// expire makes the next configuration fetch the cost map again.
func (c *costMap) expire() {
	c.mu.Lock()
	c.tried = time.Time{}
	c.mu.Unlock()
}

// How a cost map is fetched.
const (
	costMapTimeout = 10 * time.Second
	costMapAge     = time.Hour
	shownProblems  = 10
)

// startPrices reads the operator's cost map, if there is one. The network is used only if an address is set: the
// reference fetches one at every start instead, unless LITELLM_LOCAL_MODEL_COST_MAP is set.
func (b *builder) startPrices(ctx context.Context) {
	b.prices = prices{table: price.Builtin(), own: map[string]price.Override{}}
	v := b.cfg.Variables
	if v.ModelCostMapURL == "" {
		return
	}
	if v.LocalModelCostMap {
		b.log.Warn("LITELLM_MODEL_COST_MAP_URL is not used, because LITELLM_LOCAL_MODEL_COST_MAP is set")
		return
	}
	var table *price.Table
	if isWeb(v.ModelCostMapURL) {
		table = b.fetchedPrices(ctx, v.ModelCostMapURL)
	} else {
		var err error
		if table, err = b.readCostMap(ctx, v.ModelCostMapURL); err != nil {
			b.mistake("LITELLM_MODEL_COST_MAP_URL", err)
		}
	}
	if table != nil {
		b.prices.table = table.Over(b.prices.table)
	}
}

// fetchedPrices returns the cost map at an address, fetching it if that was not done lately; nil if it is not to be had.
func (b *builder) fetchedPrices(ctx context.Context, address string) *price.Table {
	c := &b.costMap
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.from != address {
		c.from, c.table, c.tried = address, nil, time.Time{}
	}
	if !c.tried.IsZero() && time.Since(c.tried) < costMapAge {
		return c.table
	}
	c.tried = time.Now()
	table, err := b.readCostMap(ctx, address)
	switch {
	case err == nil:
		c.table = table
	case c.table != nil:
		b.log.Warn("the cost map could not be fetched; the last one stays", "error", err.Error())
	default:
		b.log.Warn("the cost map could not be fetched; the built-in prices are used", "error", err.Error(), "built in", price.Builtin().Header("date"))
	}
	return c.table
}

func isWeb(address string) bool {
	return strings.HasPrefix(address, "https://") || strings.HasPrefix(address, "http://")
}

// readCostMap reads a cost map from a file or an address, and logs what it cannot use of it.
func (b *builder) readCostMap(ctx context.Context, from string) (*price.Table, error) {
	var raw []byte
	var err error
	if isWeb(from) {
		raw, err = b.fetchCostMap(ctx, from)
	} else {
		raw, err = readFile(strings.TrimPrefix(from, "file://"))
	}
	if err != nil {
		return nil, err
	}
	table, problems, err := price.ParseMap(raw)
	if err != nil {
		return nil, err
	}
	for i, p := range problems {
		if i == shownProblems {
			b.log.Warn("further problems of the cost map are not shown", "count", len(problems)-i)
			break
		}
		b.log.Warn("a part of the cost map is not used", "problem", p.Error())
	}
	return table, nil
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return bounded(f)
}

// bounded reads as much as a cost map may hold, and a byte more, so that ParseMap sees what is too much.
func bounded(r io.Reader) ([]byte, error) { return io.ReadAll(io.LimitReader(r, price.MaxMap+1)) }

func (b *builder) fetchCostMap(ctx context.Context, address string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, costMapTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, errors.New("the address of the cost map is not valid")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: %s", req.URL.Redacted(), resp.Status)
	}
	return bounded(resp.Body)
}

// ownPrices keeps what an entry of model_list says of prices. litellm_params wins over model_info.
func (b *builder) ownPrices(d *llm.Deployment, m *config.Model) error {
	set := map[string]any{}
	for name, v := range m.ModelInfo.Extra {
		if config.IsPrice(name) {
			set[name] = v
		}
	}
	maps.Copy(set, m.LiteLLMParams.Prices)
	if v := cmpPtr(m.LiteLLMParams.InputCostPerToken, m.ModelInfo.InputCostPerToken); v != nil {
		set["input_cost_per_token"] = *v
	}
	if v := cmpPtr(m.LiteLLMParams.OutputCostPerToken, m.ModelInfo.OutputCostPerToken); v != nil {
		set["output_cost_per_token"] = *v
	}
	o, err := price.OverrideFrom(set)
	if err != nil {
		return err
	}
	if !o.Empty() {
		b.prices.own[d.ID] = o
	}
	return nil
}

// entry is what the table knows of a deployment's model.
func (p *prices) entry(d *llm.Deployment) price.Entry {
	base, _ := d.Info["base_model"].(string)
	e, _ := p.table.Lookup(d.Provider, d.Model, base, d.Setting("aws_region_name"))
	return e
}

// unfit are the parameters that the model of a deployment refuses, by its name and by what is known of it: what the operator
// says of its abilities counts more than the table.
func (p *prices) unfit(d *llm.Deployment) []llm.Unfit {
	if strings.Contains(d.Model, "*") {
		return nil
	}
	model, _ := d.Info["base_model"].(string)
	if model == "" {
		model = d.Model
	}
	entry := p.entry(d)
	return compat.Unfit(d.Provider, model, func(what string) (yes, known bool) {
		if yes, ok := d.Info["supports_"+what].(bool); ok {
			return yes, true
		}
		yes, _ = entry.Can(what)
		return yes, entry.Key() != ""
	})
}

// setPrice gives a deployment whose model is known its price.
func (b *builder) setPrice(d *llm.Deployment) error {
	if strings.Contains(d.Model, "*") {
		return nil
	}
	p, err := price.Make(b.prices.entry(d), b.prices.own[d.ID])
	if err != nil || p == nil {
		return err
	}
	p.Discount = b.cfg.LiteLLMSettings.CostDiscount[d.Provider]
	margin, ok := b.cfg.LiteLLMSettings.CostMargin[d.Provider]
	if !ok {
		margin = b.cfg.LiteLLMSettings.CostMargin["global"]
	}
	if p.Margin, p.MarginRequest, err = marginOf(margin); err != nil {
		return fmt.Errorf("cost_margin_config: %w", err)
	}
	if !(p.Discount >= 0 && p.Discount <= 1) {
		return fmt.Errorf("cost_discount_config: the share of %s is %v; want a number from 0 to 1, such as 0.05 for five percent", d.Provider, p.Discount)
	}
	d.Price = p
	return nil
}

// marginOf reads an entry of cost_margin_config: a share, or an object with percentage and fixed_amount.
func marginOf(v any) (share, fixed float64, err error) {
	read := func(name string, v any) (f float64) {
		switch n := v.(type) {
		case nil:
		case float64:
			f = n
		case int:
			f = float64(n)
		default:
			err = fmt.Errorf("%s: want a number", name)
		}
		if !(f >= 0) {
			err = fmt.Errorf("%s: want a number that is not negative", name)
		}
		return f
	}
	if m, ok := v.(map[string]any); ok {
		return read("percentage", m["percentage"]), read("fixed_amount", m["fixed_amount"]), err
	}
	return read("the margin", v), 0, err
}
