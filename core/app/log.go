package app

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/sallyport-ai/sallyport/config"
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
