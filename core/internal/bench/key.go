package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// virtualKey is the key of the profile with everything on.
const virtualKey = "sk-full-4711"

// makeKey makes the key, with limits and budgets that are checked and never reached, of a team that has some as well.
func makeKey(ctx context.Context, addr string) error {
	const limits = `"rpm_limit":1000000000,"tpm_limit":1000000000000,"max_budget":1000000000`
	team, err := manage(ctx, addr, "/team/new", `{"team_alias":"bench",`+limits+`}`)
	if err != nil {
		return err
	}
	_, err = manage(ctx, addr, "/key/generate",
		fmt.Sprintf(`{"key":%q,"team_id":%q,"max_parallel_requests":100000,`+limits+`}`, virtualKey, team["team_id"]))
	return err
}

// manage calls a route of the management API.
func manage(ctx context.Context, addr, path, body string) (map[string]any, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+masterKey)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s: %s", path, resp.Status, b)
	}
	var out map[string]any
	return out, json.Unmarshal(b, &out)
}
