package wasm

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport-ai/sallyport/core/meter"
	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// checkModule refuses modules that this gateway cannot run, before they are compiled, with errors for their author.
func checkModule(module []byte) error {
	exports, err := meter.Exports(module)
	if err != nil {
		return err
	}
	imports, err := meter.Imports(module)
	if err != nil {
		return err
	}
	if err := checkExports(exports); err != nil {
		return err
	}
	return checkImports(imports)
}

// checkMemory refuses a module that begins with more memory than it is given.
func checkMemory(module []byte, given int) error {
	exports, err := meter.Exports(module)
	if err != nil {
		return err
	}
	for _, e := range exports {
		if needs := (int(e.Memory.Min) + 15) / 16; e.Kind == meter.KindMemory && needs > given {
			return fmt.Errorf("the module needs %d MB of memory to start, it is given %d: set limits.memory_mb", needs, given)
		}
	}
	return nil
}

const buildHint = "build a Go plugin with GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared and import the SDK"

func checkExports(exports []meter.Export) error {
	find := func(name string) (meter.Export, bool) {
		i := slices.IndexFunc(exports, func(e meter.Export) bool { return e.Name == name })
		if i < 0 {
			return meter.Export{}, false
		}
		return exports[i], true
	}
	if _, ok := find(abi.CallFunc); !ok {
		if _, command := find("_start"); command {
			return errors.New("the module is a command, not a plugin: " + buildHint)
		}
		return fmt.Errorf("the module does not export %s: it is no plugin of this gateway; %s", abi.CallFunc, buildHint)
	}
	if m, ok := find(abi.Memory); !ok || m.Kind != meter.KindMemory {
		return fmt.Errorf("the module does not export its memory as %q", abi.Memory)
	}
	funcs := []struct {
		name, want string
		optional   bool
	}{{abi.CallFunc, "(i32,i32,i32)->i64", false}, {abi.BufFunc, "(i32)->i32", false}, {abi.InitFunc, "()->()", true}}
	for _, f := range funcs {
		e, ok := find(f.name)
		switch {
		case !ok && f.optional:
		case !ok || e.Kind != meter.KindFunc:
			return fmt.Errorf("the module does not export the function %s%s", f.name, f.want)
		case e.Type.String() != f.want:
			return fmt.Errorf("the exported function %s has type %s, it must be %s", f.name, e.Type, f.want)
		}
	}
	return nil
}

func checkImports(imports []meter.Import) error {
	for _, im := range imports {
		if im.Kind != meter.KindFunc {
			return fmt.Errorf("the module imports the %s %s.%s: a plugin imports functions only, and exports its own memory", im.Kind, im.Module, im.Name)
		}
		want, ok := hostTypes(im.Module)[im.Name]
		switch {
		case !ok && im.Module == abi.HostModule:
			return fmt.Errorf("the plugin needs %s.%s, which this gateway does not have: it has ABI %d.%d with %s",
				im.Module, im.Name, abi.Major, abi.Minor, strings.Join(hostNames(), ", "))
		case !ok && im.Module == wasiModule:
			return fmt.Errorf("the module imports %s.%s, which is not part of WASI preview 1", im.Module, im.Name)
		case !ok:
			return unknownModule(im)
		case im.Type.String() != want:
			return fmt.Errorf("the module imports %s.%s with type %s, it is %s", im.Module, im.Name, im.Type, want)
		}
	}
	return nil
}

func unknownModule(im meter.Import) error {
	if major, ok := strings.CutPrefix(im.Module, strings.TrimSuffix(abi.HostModule, strconv.Itoa(abi.Major))); ok {
		if n, err := strconv.Atoi(major); err == nil && n > abi.Major {
			return fmt.Errorf("the plugin is built for ABI %d, this gateway has ABI %d: update the gateway", n, abi.Major)
		}
	}
	return fmt.Errorf("the module imports %s.%s: this gateway offers %s and %s only", im.Module, im.Name, abi.HostModule, wasiModule)
}
