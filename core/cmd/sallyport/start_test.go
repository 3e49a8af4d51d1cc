package main_test

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
)

// What a gateway says at its start of what it depends on, and that it ends when it is told to while it waits for that.
func TestStartSays(t *testing.T) {
	t.Parallel()
	f := func(name, want, config string, env ...string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var said apptest.Log
			file := write(t, filepath.Join(t.TempDir(), "c.yaml"), mocked("m")+config)
			c := command(t, append(env, "SALLYPORT_STATE_DIR="+t.TempDir()), "--config", file, "--host", "127.0.0.1", "--port", freePort(t))
			c.Stdout, c.Stderr = &said, &said
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- c.Wait() }()
			eventually(t, want, func() bool { return strings.Contains(said.String(), want) })
			if err := c.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if err := <-ended; err != nil {
				t.Errorf("it ended with %v", err)
			}
			if text := said.String(); strings.Contains(text, "hunter2") || strings.Contains(text, "context canceled") {
				t.Error(text)
			}
		})
	}
	f("cache", "cache       local (memory)", "litellm_settings: {cache: true}")
	f("Redis", "redis=127.0.0.1:1 ", "", "REDIS_HOST=127.0.0.1", "REDIS_PORT=1", "REDIS_PASSWORD=hunter2")
	f("Redis by its address", "redis=127.0.0.1:1 ", "", "REDIS_URL=redis://u:hunter2@127.0.0.1:1/0")
	f("database", "cannot be reached yet", "", "DATABASE_URL=postgresql://u:hunter2@127.0.0.1:1/d")
}
