MAKEFLAGS += --warn-undefined-variables --no-builtin-rules
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:

CONFIG ?= examples/quickstart/config.yaml
TESTFLAGS ?=
FUZZTIME ?= 5s
BENCHFLAGS ?=
SOAKFLAGS ?=
# Pinned here and not in go.mod: a linter's hundreds of modules are no dependency of the gateway.
GOLANGCI_LINT ?= go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

plugin_names := $(patsubst plugins/%/main.go,%,$(wildcard plugins/*/main.go))
plugin_files := $(plugin_names:%=bin/plugins/%.wasm)
# Out-of-tree examples have a go.mod of their own, so ./... does not reach them.
nested_modules := $(patsubst %/go.mod,%,$(wildcard examples/*/go.mod))
go_dirs := $(wildcard core plugins sdk examples config)

.PHONY: help
help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

.PHONY: build
build: plugins ## Build bin/sallyport and the plugins
	CGO_ENABLED=0 go build -trimpath -o bin/sallyport ./core/cmd/sallyport

.PHONY: plugins
plugins: $(plugin_files) ## Build every plugin in plugins/ to bin/plugins/<name>.wasm

# Always run: the go command knows better than file times whether a plugin is up to date.
bin/plugins/%.wasm: FORCE
	@mkdir -p $(@D)
	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -ldflags='-s -w' -o $@ ./plugins/$*

.PHONY: FORCE
FORCE:

.PHONY: run
run: build ## Build and start the gateway with CONFIG (default: the quickstart example)
	exec bin/sallyport --config $(CONFIG)

.PHONY: test
test: deps plugins ## Run all tests, official SDK clients included (TESTFLAGS=-race and the like)
	SALLYPORT_REQUIRE_SDKS=1 SALLYPORT_REQUIRE_SERVERS=1 go test -shuffle=on -timeout=15m $(TESTFLAGS) ./...
	for module in $(nested_modules); do (cd "$$module" && go test -shuffle=on $(TESTFLAGS) ./...); done

.PHONY: lint
lint: ## Check formatting, go vet, go.mod and golangci-lint
	@unformatted=$$(gofmt -l $(go_dirs)); \
	if [[ -n $$unformatted ]]; then echo "run gofmt -w on:"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	go mod tidy -diff
	$(GOLANGCI_LINT) run

.PHONY: soak
soak: ## Run at capacity with faults injected for ten minutes (SOAKFLAGS='-duration 3m' for less)
	go run ./core/internal/soak $(SOAKFLAGS)

.PHONY: soak-race
soak-race: ## The same for two minutes under the race detector
	go run -race ./core/internal/soak -duration 2m $(SOAKFLAGS)

.PHONY: bench
bench: build ## Measure CPU, latency and memory against a bare proxy (BENCHFLAGS=-quick for a minute)
	go build -o bin/bench ./core/internal/bench
	bin/bench $(BENCHFLAGS)

.PHONY: profile
profile: build ## Measure what builds are optimized for again: core/cmd/sallyport/default.pgo
	go build -o bin/bench ./core/internal/bench
	bin/bench --profile core/cmd/sallyport/default.pgo --only whole,full,cached,cached-redis,stream,large,anthropic,anthropic-stream $(BENCHFLAGS)

.PHONY: scale
scale: ## Measure reports with 100,000 keys and 10 million calls (some 20 minutes, 15 GB of disk)
	SALLYPORT_SCALE=1 go test ./core/internal/proof -run='^TestScale$$' -v -timeout=60m

.PHONY: fuzz
fuzz: ## Run each fuzz target for FUZZTIME (default 5s)
	grep --recursive --include='*_test.go' --only-matching --no-messages '^func Fuzz[A-Za-z0-9_]*' $(go_dirs) | \
	while IFS=: read -r file func; do \
		go test -run='^$$' -fuzz="^$${func#func }$$" -fuzztime=$(FUZZTIME) "./$${file%/*}" </dev/null; \
	done

.PHONY: prices
prices: ## Make core/price/prices.tsv anew from the release named in core/internal/pricegen
	go generate ./core/price

.PHONY: deps
deps: ## Install what the tests need besides Go: Node, Python, Rust, PostgreSQL, Redis, an S3 server and the SDKs
	.ci/deps

.PHONY: clean
clean: ## Remove what the build and deps made
	rm -rf bin sdk/rust/target sdk/rust/examples/*/target examples/sdk-clients/node_modules examples/sdk-clients/.venv core/store/storetest/servers/.venv
