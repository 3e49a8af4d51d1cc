package app

import (
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
)

// writeBanner says what is served, and gives lines to try it with.
func writeBanner(w io.Writer, l *loaded, addr net.Addr, tls bool) {
	scheme := "http"
	if tls {
		scheme = "https"
	}
	base := scheme + "://" + reachable(addr.String()) + l.cfg.Variables.ServerRootPath
	var b strings.Builder
	fmt.Fprintf(&b, "Sallyport %s serves %s\n\n", Version(), base)
	models := l.router.Models(nil)
	fmt.Fprintf(&b, "  models      %s\n", summary(models))
	for _, p := range l.plugins {
		fmt.Fprintf(&b, "  plugin      %s (%s)\n", p.Name(), p.use)
	}
	if l.cache != nil {
		fmt.Fprintf(&b, "  cache       %s (%s)\n", l.cache.kind, l.cache.stores.place)
	}
	for _, f := range l.cfg.Files() {
		fmt.Fprintf(&b, "  config      %s\n", f)
	}
	if len(models) > 0 {
		try(&b, l, base, models[0])
	}
	_, _ = io.WriteString(w, b.String())
}

// summary lists names, but not a hundred of them.
func summary(names []string) string {
	const most = 8
	if len(names) == 0 {
		return "none; add some under model_list"
	}
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

// try writes curl lines: an answer, a streamed answer and, if there is a guardrail that says what it stops, a request
// that it stops.
func try(b *strings.Builder, l *loaded, base, model string) {
	key := ""
	switch {
	case l.cfg.GeneralSettings.MasterKey == quickstartKey:
		key = ` -H "Authorization: Bearer ` + quickstartKey + `"`
	case l.cfg.GeneralSettings.MasterKey != "" || l.hasAuthPlugin():
		key = ` -H "Authorization: Bearer $SALLYPORT_KEY"`
	}
	line := func(what, body string) {
		fmt.Fprintf(b, "\n  # %s\n  curl -sN %s/v1/chat/completions%s -H 'Content-Type: application/json' \\\n    -d '%s'\n", what, base, key, body)
	}
	line("an answer", fmt.Sprintf(`{"model": %q, "messages": [{"role": "user", "content": "Hello"}]}`, model))
	line("a streamed answer", fmt.Sprintf(`{"model": %q, "stream": true, "messages": [{"role": "user", "content": "Hello"}]}`, model))
	if words := l.blockedWords(); words != "" {
		line("a request that the guardrail stops",
			fmt.Sprintf(`{"model": %q, "messages": [{"role": "user", "content": "Tell me about %s"}]}`, model, words))
	}
	b.WriteByte('\n')
}

// quickstartKey is the published key of the examples: the only one that is ever printed.
const quickstartKey = "sk-1234"

// blockedWords finds something that a guardrail which is on by default was configured to stop.
func (l *loaded) blockedWords() string {
	for _, g := range l.cfg.Guardrails {
		words, ok := g.Params.Config["words"].([]any)
		if !g.Params.DefaultOn || !ok || len(words) == 0 {
			continue
		}
		if i := slices.IndexFunc(words, func(w any) bool { s, ok := w.(string); return ok && !strings.ContainsAny(s, `'"\`) }); i >= 0 {
			return words[i].(string)
		}
	}
	return ""
}

// reachable turns an address to listen on into one to call.
func reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}
