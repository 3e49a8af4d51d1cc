// Package proof tests keys, limits, budgets and spend through whole gateways, with real databases and a real Redis, and
// with what goes wrong: callers at once, replicas, processes that are killed, servers that are stopped. It has tests only.
package proof
