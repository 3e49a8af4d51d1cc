package wasm

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/sdk/abi"
)

func TestLoadErrors(t *testing.T) {
	t.Parallel()
	refused := func(want string, s Settings) {
		t.Helper()
		s.NoCache, s.Limits.Start = true, 100*time.Millisecond
		p, err := Load(t.Context(), s)
		if err == nil {
			p.Close(t.Context())
			t.Errorf("loaded, want an error with %q", want)
			return
		}
		if !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), s.Path) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	bytes := func(want, module string) { t.Helper(); refused(want, Settings{Path: moduleFile(t, []byte(module))}) }
	guest := func(want string, h hand) { t.Helper(); refused(want, Settings{Path: h.file(t)}) }
	manifest := func(want, text string) { t.Helper(); guest(want, hand{manifest: text}) }

	refused("there is no such file", Settings{Path: filepath.Join(t.TempDir(), "none.wasm")})
	refused("is a directory", Settings{Path: t.TempDir()})
	bytes("not a WebAssembly module", "")
	bytes("not a WebAssembly module", "#!/usr/bin/env python3\n")
	bytes("this is a component", "\x00asm\x0d\x00\x01\x00")
	bytes("does not export sp_call", "\x00asm\x01\x00\x00\x00")
	bytes("malformed module", string(hand{}.module()[:40]))

	guest("does not export sp_call", hand{without: []string{abi.CallFunc}})
	guest("does not export the function sp_buf(i32)->i32", hand{without: []string{abi.BufFunc}})
	guest(`does not export its memory as "memory"`, hand{without: []string{abi.Memory}})
	guest("sp_call has type (i32)->i32, it must be (i32,i32,i32)->i64", hand{wrong: true})
	guest(fmt.Sprintf("needs sallyport1.http, which this gateway does not have: it has ABI %d.%d with log, field", abi.Major, abi.Minor), hand{imports: []string{"sallyport1.http"}})
	guest("imports sallyport1.log with type (i32,i32,i32,i32,i32)->i32, it is (i32,i32,i32)->()", hand{imports: []string{"sallyport1.log"}})
	guest("built for ABI 2, this gateway has ABI 1", hand{imports: []string{"sallyport2.field"}})
	guest("imports env.abort: this gateway offers sallyport1 and wasi_snapshot_preview1 only", hand{imports: []string{"env.abort"}})
	guest("not part of WASI preview 1", hand{imports: []string{"wasi_snapshot_preview1.sock_open"}})
	guest("imports sallyport.meter.tick", hand{imports: []string{"sallyport.meter.tick"}})
	guest("the module needs 63 MB of memory to start, it is given 32: set limits.memory_mb", hand{pages: 1000})

	guest("_initialize: the plugin crashed", hand{init: trap})
	guest("takes more than 100ms to start", hand{init: loopForever})
	guest("configure: the plugin crashed", hand{conf: trap})
	guest("the plugin broke the plugin interface", hand{conf: returnAt(-1, -1)})
	guest("sp_buf has no room", hand{buf: []byte{0x41, 0}})
	guest("outside of memory", hand{buf: append([]byte{0x41}, sleb(-8)...)})
	said := abi.AppendText(abi.AppendNumber(nil, abi.TagVerdict, uint64(abi.VerdictFail)), abi.TagReason, "no \"words\"")
	guest(`refuses its config: no "words"`, hand{conf: returnData(said), result: said})
	odd := abi.AppendNumber(nil, abi.TagVerdict, uint64(abi.VerdictReject))
	guest("configure: verdict 2", hand{conf: returnData(odd), result: odd})

	manifest("the module has no manifest", "{}")
	manifest("the module has no manifest", `{"sallyport.manifest": 1, "name": "cut off`)
	manifest("two different manifests", handManifest+strings.Replace(handManifest, "hand", "other", 1))
	manifest(`"name" is missing`, `{"sallyport.manifest": 1}`)
	manifest(`this gateway reads 1`, `{"sallyport.manifest": 2, "name": "x"}`)
	manifest(`unknown field "hook"`, `{"sallyport.manifest": 1, "name": "x", "abi": {"major": 1}, "hook": ["auth"]}`)
	manifest("built for ABI 2", `{"sallyport.manifest": 1, "name": "x", "abi": {"major": 2}, "hooks": ["auth"]}`)
	manifest(fmt.Sprintf("needs ABI 1.%d, this gateway has 1.%d", abi.Minor+4, abi.Minor), `{"sallyport.manifest": 1, "name": "x", "abi": {"major": 1, "min_minor": `+strconv.Itoa(abi.Minor+4)+`}, "hooks": ["auth"]}`)
	manifest(`"hooks" is empty`, `{"sallyport.manifest": 1, "name": "x", "abi": {"major": 1}}`)
	manifest(`hook "stare": this gateway has auth, `, `{"sallyport.manifest": 1, "name": "x", "abi": {"major": 1}, "hooks": ["stare"]}`)
	manifest(`need "text"`, strings.Replace(handManifest, "texts", "text", 1))
	manifest(`need "headers" is for the hook auth`, strings.Replace(handManifest, "texts", "headers", 1))
	manifest("asks for memory_mb: 64, it is given 32: set limits.memory_mb", strings.Replace(handManifest, `"needs"`, `"limits": {"memory_mb": 64}, "needs"`, 1))

	path := hand{}.file(t)
	refused("the file was replaced", Settings{Path: path, SHA256: strings.Repeat("0", 64)})
	refused("limits.memory_mb is -1: it must be at least 1", Settings{Path: path, Limits: Limits{MemoryMB: -1}})
	refused("limits.memory_mb is 5000: it can be at most 4095", Settings{Path: path, Limits: Limits{MemoryMB: 5000}})
	refused("limits.cpu_ms is 0: it must be at least 1", Settings{Path: path, Limits: Limits{CPU: time.Microsecond}})
	refused("neither text, number", Settings{Path: path, Config: map[string]any{"k": map[string]any{"when": time.Time{}}}})
}

func TestPin(t *testing.T) {
	t.Parallel()
	module := hand{}.module()
	sum := sha256.Sum256(module)
	loadPlugin(t, Settings{Path: moduleFile(t, module), SHA256: strings.ToUpper(hex.EncodeToString(sum[:]))})
}

func TestManifest(t *testing.T) {
	t.Parallel()
	plain := hand{manifest: "none"}.module()
	packed, err := Pack(plain, []byte(handManifest))
	if err != nil {
		t.Fatal(err)
	}
	m, err := ReadManifest(packed)
	if err != nil || m.Name != "hand" {
		t.Errorf("packed: got %+v, error %v", m, err)
	}
	if _, err := Pack(plain, []byte(`{}`)); err == nil {
		t.Error("a bad manifest was packed")
	}
	// The section wins over what is in the data, and the same text twice is one manifest.
	packed, _ = Pack(hand{manifest: handManifest + handManifest}.module(), []byte(strings.Replace(handManifest, "hand", "packed", 1)))
	if m, err := ReadManifest(packed); err != nil || m.Name != "packed" {
		t.Errorf("got %+v, error %v", m, err)
	}
	if m, err := ReadManifest(hand{manifest: handManifest + handManifest}.module()); err != nil || m.Name != "hand" {
		t.Errorf("got %+v, error %v", m, err)
	}
	spaced := strings.Replace(handManifest, "{", "{\n\t ", 1)
	if m, err := ReadManifest(hand{manifest: spaced}.module()); err != nil || m.Name != "hand" {
		t.Errorf("got %+v, error %v", m, err)
	}
}

func TestCache(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "cache")
	path := hand{}.file(t)
	loadPlugin(t, Settings{Path: path, CacheDir: dir})
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Fatalf("the cache has %d entries, error %v", len(entries), err)
	}
	if info, _ := os.Stat(dir); info.Mode().Perm() != 0o700 {
		t.Errorf("the cache folder has mode %v", info.Mode())
	}
	// A folder that others can write to is not used, a file in its place is no reason to fail.
	open := t.TempDir()
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	loadPlugin(t, Settings{Path: path, CacheDir: open})
	if entries, _ := os.ReadDir(open); len(entries) != 0 {
		t.Error("a folder that others can write to was used")
	}
	loadPlugin(t, Settings{Path: path, CacheDir: path})
}
