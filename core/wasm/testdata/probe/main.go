// Probe does what the first text of a request says, to test the host from inside a real guest.
package main

import (
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/sdk/abi"
	sallyport "github.com/sallyport-ai/sallyport/sdk/go"
)

//go:embed manifest.json
var manifest string

var _ = sallyport.Register(manifest, construct)

func main() {}

var (
	hog   [][]byte
	calls int
)

func construct(c *sallyport.Config) (sallyport.Hooks, error) {
	if c.String("fail", "") != "" {
		return sallyport.Hooks{}, errors.New(c.String("fail", ""))
	}
	_ = c.Map("values")
	return sallyport.Hooks{Request: request, Auth: authenticate}, nil
}

func request(r *sallyport.Request) sallyport.Verdict {
	calls++
	if len(r.Texts) == 0 {
		return sallyport.Respond("no texts")
	}
	what, arg, _ := strings.Cut(r.Texts[0].Text, " ")
	switch what {
	case "continue":
		return sallyport.Continue()
	case "calls":
		return sallyport.Respond(fmt.Sprint(calls))
	case "panic":
		if quoted, ok := strings.CutPrefix(arg, "error "); ok {
			panic(fmt.Errorf("of %q", quoted))
		}
		panic("prompt: " + arg)
	case "index":
		return sallyport.Respond(arg[len(arg)+calls:])
	case "convert":
		return sallyport.Respond(any(calls).(string))
	case "exit":
		os.Exit(7)
	case "spin":
		for {
		}
	case "sleep":
		time.Sleep(time.Hour)
	case "nap":
		time.Sleep(20 * time.Millisecond)
		return sallyport.Respond("awake")
	case "deadlock":
		<-make(chan int)
	case "recurse":
		return sallyport.Respond(fmt.Sprint(recurse(0)))
	case "hog":
		for {
			hog = append(hog, make([]byte, 1<<20))
		}
	case "grow":
		hog = append(hog, make([]byte, 14<<20))
		return sallyport.Respond("grown")
	case "random":
		b := make([]byte, 1<<20)
		for {
			_, _ = rand.Read(b)
		}
	case "ask":
		for {
			r.Value("messages.0.content")
		}
	case "print":
		for range 1000 {
			fmt.Println("line", arg)
		}
		fmt.Fprint(os.Stderr, "to stderr\n")
		sallyport.Log(abi.LogError, "logged\n"+arg)
	case "edit":
		for i := range r.Texts {
			r.Texts[i].Replace(strings.ToUpper(r.Texts[i].Text))
		}
		r.SetModel("other")
		return sallyport.Continue()
	case "fail":
		return sallyport.Fail(errors.New("no model file"))
	}
	return sallyport.Respond(answer(r, what, arg))
}

func recurse(n int) int {
	if n < 0 {
		return 0
	}
	return recurse(n+1) + 1
}

func answer(r *sallyport.Request, what, arg string) string {
	switch what {
	case "header":
		v, ok := r.Header(arg)
		return fmt.Sprint(v, " ", ok)
	case "value":
		v, ok := r.Value(arg)
		return fmt.Sprint(v, " ", ok)
	case "json":
		v, ok := r.JSON(arg)
		return fmt.Sprint(v, " ", ok)
	case "body":
		return string(r.Body())
	case "request":
		metadata, err := r.Metadata()
		return fmt.Sprintf("%s %s %s %s %s %v %+v %v %v %+v", r.CallType, r.Method, r.Path, r.ClientIP, r.Model, r.Stream, r.Caller, metadata, err, r.Texts)
	case "system":
		_, err := os.ReadFile("/etc/passwd")
		_, dir := os.ReadDir("/")
		return fmt.Sprint(err != nil, dir != nil, len(os.Environ()), len(os.Args), time.Now().Year() >= 2025)
	}
	return "?"
}

func authenticate(a *sallyport.AuthRequest) sallyport.AuthVerdict {
	switch a.Credential {
	case "panic":
		panic("on demand")
	case "describe":
		wanted, _ := a.Header("X-Wanted")
		other, _ := a.Header("X-Other")
		cookie, _ := a.Header("Cookie")
		return sallyport.Refuse(403, fmt.Sprintf("%s %s %s raw=%s %s %s %s", a.Method, a.Path, a.ClientIP, a.Raw, wanted, other, cookie))
	}
	return sallyport.Pass()
}
