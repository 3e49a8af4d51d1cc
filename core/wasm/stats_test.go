package wasm

import (
	"reflect"
	"testing"
)

// BenchmarkEmptyHook is a request hook that does nothing, so that what is measured is the host.
func BenchmarkEmptyHook(b *testing.B) {
	p := hand{}.load(b)
	g, x := p.Guard("g", nil), exchange(b, hello)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := g.Before(&x.Life, x); err != nil {
			b.Fatal(err)
		}
		x.Applied, x.GuardRuns = x.Applied[:0], x.GuardRuns[:0]
	}
}

// A setting that identity does not know would survive a reload that changed it.
func TestIdentityKnowsEverySetting(t *testing.T) {
	t.Parallel()
	plain := identity(nil, &Settings{})
	var check func(path string, s *Settings, v reflect.Value)
	check = func(path string, s *Settings, v reflect.Value) {
		old := reflect.New(v.Type()).Elem()
		old.Set(v)
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				check(path+"."+v.Type().Field(i).Name, s, v.Field(i))
			}
			return
		case reflect.String:
			v.SetString("x")
		case reflect.Int, reflect.Int64:
			v.SetInt(1)
		case reflect.Uint8:
			v.SetUint(1)
		case reflect.Bool:
			v.SetBool(true)
		case reflect.Slice:
			v.Set(reflect.ValueOf([]string{"x"}))
		case reflect.Map:
			v.Set(reflect.ValueOf(map[string]any{"x": 1}))
		case reflect.Pointer:
			v.Set(reflect.New(v.Type().Elem()))
		case reflect.Func, reflect.Interface: // Secret counts by its values, the others are for tests
			return
		default:
			t.Errorf("%s is a %s: teach this test, and identity, about it", path, v.Kind())
			return
		}
		if path != "Settings.Path" && identity(nil, s) == plain {
			t.Errorf("identity does not know %s", path)
		}
		v.Set(old)
	}
	s := &Settings{}
	check("Settings", s, reflect.ValueOf(s).Elem())
	if identity([]byte("a"), s) == plain {
		t.Error("identity does not know the module")
	}
}
