package app

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/sallyport-ai/sallyport/config"
	"github.com/sallyport-ai/sallyport/core/router"
)

// Check writes what there is to say of every setting in a configuration file, and reports whether a gateway would
// start with it. It goes as far as a start would: providers are bound and plugins loaded, but nothing is served and
// nobody is called.
func Check(ctx context.Context, path string, asJSON bool, out *os.File) (bool, error) {
	cfg, report, err := config.Load(config.Options{Path: path})
	if report == nil {
		return false, err
	}
	if err == nil {
		for _, m := range rehearse(ctx, cfg) {
			report.Reject(cfg, m.setting, m.err.Error())
		}
	}
	if asJSON {
		err = report.WriteJSON(out)
	} else {
		err = report.WriteText(out, terminal(out))
	}
	return report.Count(config.Error) == 0, err
}

// rehearse builds everything and throws it away.
func rehearse(ctx context.Context, cfg *config.Config) mistakes {
	a := &App{opts: Options{Log: io.Discard, Out: io.Discard}, states: router.NewStates()}
	a.startLog(cfg)
	var err error
	if a.plugins, err = newPlugins(); err != nil {
		return mistakes{{err: err}}
	}
	l, err := a.build(ctx, cfg)
	var found mistakes
	if errors.As(err, &found) {
		return found
	}
	if err == nil {
		l.snapshot.Close()
		a.closing.Wait()
	}
	return nil
}

// terminal reports whether a person is reading.
func terminal(f *os.File) bool {
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == ""
}
