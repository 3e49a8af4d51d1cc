// Command pricegen writes core/price/prices.tsv, the table of what models cost and can do. The figures come from the
// cost map in a release of the package litellm, which is MIT licensed; only figures and names of models are taken.
//
// To move to another release: download it with pip, write its version, file and SHA-256 below, and run
// go generate ./core/price.
package main

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/price"
)

// The release that the figures come from.
const (
	release = "1.109.1"
	file    = "litellm-1.109.1-cp310-abi3-manylinux_2_28_x86_64.whl"
	sum     = "1c8b4dd671fa0cd0850aa751678704ff77e595fb1e6085b2dc3be39ee19bdaaf"
	taken   = "2026-11-23" // the day it was the newest
	within  = "litellm/model_prices_and_context_window_backup.json"
)

func main() {
	out := "prices.tsv" // go generate runs in the folder of the package
	if len(os.Args) == 2 {
		out = os.Args[1]
	}
	if err := run(out); err != nil {
		fmt.Fprintln(os.Stderr, "pricegen:", err)
		os.Exit(1)
	}
}

func run(out string) error {
	dir, err := os.MkdirTemp("", "pricegen")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	wheel, err := download(dir)
	if err != nil {
		return err
	}
	raw, err := read(wheel)
	if err != nil {
		return err
	}
	if raw, err = reduce(raw); err != nil {
		return err
	}
	table, problems, err := price.ParseMap(raw)
	if err != nil {
		return err
	}
	for _, p := range problems {
		fmt.Fprintln(os.Stderr, "pricegen: left out:", p.Error())
	}
	entries := 0
	table.All(func(price.Entry) bool { entries++; return true })
	head := fmt.Sprintf("# What models cost, in US dollars, and can do. Made by core/internal/pricegen; do not edit.\n"+
		"# source: PyPI litellm %s (MIT), %s\n# date: %s\n# sha256: %s\n# entries: %d\n", release, within, taken, sum, entries)
	return os.WriteFile(out, []byte(head+table.Text()), 0o644)
}

// download fetches the release and checks that it is the one that is meant.
func download(dir string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "pip", "download", "litellm=="+release, "--no-deps", "--only-binary=:all:",
		"--platform", "manylinux_2_28_x86_64", "--python-version", "3.10", "-d", dir)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("pip download litellm==%s: %w; the release comes from the package index, so this needs pip and the network, "+
			"or a mirror in PIP_INDEX_URL; prices.tsv is as it was", release, err)
	}
	path := filepath.Join(dir, file)
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	if got := sha256.Sum256(b); hex.EncodeToString(got[:]) != sum {
		return "", fmt.Errorf("%s has the SHA-256 %x, not %s", file, got, sum)
	}
	return path, nil
}

// read returns the cost map in the release.
func read(wheel string) ([]byte, error) {
	z, err := zip.OpenReader(wheel)
	if err != nil {
		return nil, err
	}
	defer z.Close()
	for _, f := range z.File {
		if f.Name != within {
			continue
		}
		r, err := f.Open()
		if err != nil {
			return nil, err
		}
		raw, err := io.ReadAll(io.LimitReader(r, price.MaxMap))
		_ = r.Close()
		return raw, err
	}
	return nil, fmt.Errorf("%s: no %s in it", wheel, within)
}

// reduce leaves the figures: prices, sizes, abilities, dates and where they were published.
func reduce(raw []byte) ([]byte, error) {
	var all map[string]map[string]json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil, err
	}
	for key, fields := range all {
		for name := range fields {
			if !wanted(name) {
				delete(fields, name)
			}
		}
		if key != "sample_spec" && len(fields["litellm_provider"]) == 0 {
			delete(all, key)
		}
	}
	return json.Marshal(all)
}

func wanted(name string) bool {
	switch name {
	case "litellm_provider", "mode", "max_tokens", "max_input_tokens", "max_output_tokens", "output_vector_size",
		"tool_use_system_prompt_tokens", "deprecation_date", "source", "supported_endpoints", "supported_modalities",
		"supported_output_modalities", "tiered_pricing", "prompt_cache_min_tokens",
		"off_peak_pricing", "web_search_billing_unit":
		return true
	}
	if strings.Contains(name, "dbu_cost") {
		return false // Databricks' own unit; the dollars are there too
	}
	return strings.Contains(name, "cost_per_") || strings.Contains(name, "token_cost") || strings.HasPrefix(name, "supports_")
}
