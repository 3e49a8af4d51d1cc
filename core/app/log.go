package app

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/sallyport-ai/sallyport/config"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/telemetry"
)

// startLog makes the logger, or sets the level of the one there is. The most talkative of flags and configuration wins.
func (a *App) startLog(cfg *config.Config) {
	level := cfg.LogLevel()
	if a.opts.Debug {
		level = min(level, slog.LevelInfo)
	}
	if a.opts.DetailedDebug {
		level = min(level, slog.LevelDebug)
	}
	if a.opts.Log == nil {
		a.opts.Log = os.Stderr
	}
	if a.level != nil {
		a.level.SetLevel(level)
		return
	}
	a.level = telemetry.NewLogger(telemetry.Settings{
		Level: level, JSON: cfg.JSONLogs(), Writer: a.opts.Log, Color: telemetry.Terminal(a.opts.Log),
	})
	a.log = a.level.Logger
}

// callFailed writes a line for a call to a vendor that failed, unless it was the caller's doing: what somebody needs who
// is woken by it, and nothing of the request.
func (a *App) callFailed(x *llm.Exchange, d *llm.Deployment, err *llm.Error) {
	level := slog.LevelWarn
	switch err.Kind {
	case llm.KindCanceled:
		return
	case llm.KindBadRequest, llm.KindUnprocessable, llm.KindContextWindow, llm.KindContentPolicy, llm.KindInvalid, llm.KindRejected:
		level = slog.LevelDebug
	case llm.KindInternal, llm.KindConnection, llm.KindBadGateway, llm.KindUnavailable, llm.KindAuthentication:
		level = slog.LevelError
	}
	if level != slog.LevelDebug {
		a.failures.add(d.Group)
	}
	if !a.log.Enabled(context.Background(), level) {
		return
	}
	a.log.LogAttrs(context.Background(), level, "a call to a model failed",
		slog.String("call_id", x.ID.String()), slog.String("model", d.Group), slog.String("deployment", d.ID),
		slog.String("provider", d.Provider), slog.String("api_base", d.Base), slog.Int("status", err.HTTPStatus()),
		slog.Int("attempt", x.Retries+1), slog.String("error", err.Error()))
}

// Complain writes why the gateway does not start: for people, or one JSON object a line if JSON_LOGS asks for it, since
// whoever reads the log by machine wants this line most of all.
func Complain(w io.Writer, err error) {
	if !truthy(os.Getenv("JSON_LOGS")) {
		fmt.Fprintf(w, "sallyport: %s\n", telemetry.Mask(err.Error()))
		return
	}
	log := telemetry.NewLogger(telemetry.Settings{Level: slog.LevelInfo, JSON: true, Writer: w})
	lines := bufio.NewScanner(strings.NewReader(err.Error()))
	for lines.Scan() {
		if line := strings.TrimSpace(lines.Text()); line != "" {
			log.Error("the gateway cannot start", "error", line)
		}
	}
}

// truthy reads a switch as the configuration does: "False" is false.
func truthy(s string) bool {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "", "false", "0", "no", "off":
		return false
	}
	return true
}
