package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// clientTimeout bounds the calls of --test and --health.
const clientTimeout = 2 * time.Minute

// TestCall sends a chat request to the gateway that runs with the same options, and prints the answer.
func TestCall(ctx context.Context, o Options, out io.Writer) error {
	c, err := newClient(ctx, o, out)
	if err != nil {
		return err
	}
	models, err := c.models(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "POST %s/v1/chat/completions with model %s\n", c.base, models[0])
	body, err := json.Marshal(map[string]any{
		"model": models[0], "messages": []map[string]string{{"role": "user", "content": "This is a test request. Say hello."}},
	})
	if err != nil {
		return err
	}
	return c.show(ctx, http.MethodPost, "/v1/chat/completions", body)
}

// HealthCall asks the gateway that runs with the same options to call every deployment, and prints its report.
func HealthCall(ctx context.Context, o Options, out io.Writer) error {
	c, err := newClient(ctx, o, out)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "GET %s/health\n", c.base)
	return c.show(ctx, http.MethodGet, "/health", nil)
}

// client talks to a running gateway with the key of its configuration.
type client struct {
	base, key string
	out       io.Writer
}

func newClient(ctx context.Context, o Options, out io.Writer) (*client, error) {
	a := &App{opts: o}
	cfg, err := a.read()
	if err != nil {
		return nil, err
	}
	scheme := "http"
	if o.TLSCert != "" {
		scheme = "https"
	}
	base := scheme + "://" + reachable(a.opts.address(cfg)) + cfg.Variables.ServerRootPath
	return &client{base: base, key: string(cfg.GeneralSettings.MasterKey), out: out}, ctx.Err()
}

// models lists what can be called.
func (c *client) models(ctx context.Context) ([]string, error) {
	b, err := c.call(ctx, http.MethodGet, "/v1/models", nil)
	if err != nil {
		return nil, err
	}
	var list struct {
		Data []struct{ ID string }
	}
	if err := json.Unmarshal(b, &list); err != nil || len(list.Data) == 0 {
		return nil, fmt.Errorf("the gateway at %s serves no model", c.base)
	}
	ids := make([]string, len(list.Data))
	for i, m := range list.Data {
		ids[i] = m.ID
	}
	return ids, nil
}

func (c *client) show(ctx context.Context, method, path string, body []byte) error {
	b, err := c.call(ctx, method, path, body)
	if err != nil {
		return err
	}
	var pretty bytes.Buffer
	if json.Indent(&pretty, b, "", "  ") != nil {
		pretty.Reset()
		pretty.Write(b)
	}
	_, err = fmt.Fprintln(c.out, pretty.String())
	return err
}

func (c *client) call(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, clientTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("no gateway answers at %s: start one with the same options first (%w)", c.base, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the gateway answered %s: %s", resp.Status, b)
	}
	return b, nil
}
