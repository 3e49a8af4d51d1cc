// Fetcher does what the first text of a request says with host calls, to test those from inside a real guest.
package main

import (
	"crypto/rand"
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/sdk/abi"
	sallyport "github.com/sallyport-ai/sallyport/sdk/go"
)

//go:embed manifest.json
var manifest string

var _ = sallyport.Register(manifest, construct)

func main() {}

func construct(c *sallyport.Config) (sallyport.Hooks, error) {
	if url := c.String("at_start", ""); url != "" {
		_, err := sallyport.HTTP(&sallyport.HTTPRequest{URL: url})
		return sallyport.Hooks{}, fmt.Errorf("at start: %v", err)
	}
	return sallyport.Hooks{Request: request, Auth: authenticate}, nil
}

func request(r *sallyport.Request) sallyport.Verdict {
	f := strings.Fields(r.Texts[0].Text)
	switch f[0] {
	case "get":
		return answer(sallyport.HTTP(&sallyport.HTTPRequest{URL: f[1]}))
	case "limited":
		n, _ := strconv.Atoi(f[2])
		ms, _ := strconv.Atoi(f[3])
		return answer(sallyport.HTTP(&sallyport.HTTPRequest{URL: f[1], MaxBytes: n, Timeout: time.Duration(ms) * time.Millisecond}))
	case "direct":
		return answer(sallyport.HTTP(&sallyport.HTTPRequest{URL: f[1], Redirects: -1}))
	case "post":
		return answer(sallyport.HTTP(&sallyport.HTTPRequest{
			Method: "POST", URL: f[1], Body: []byte(strings.Join(f[3:], " ")),
			Headers: []sallyport.HTTPHeader{{Name: f[2], Value: "v"}, {Name: "Content-Type", Value: "text/plain"}},
		}))
	case "method":
		return answer(sallyport.HTTP(&sallyport.HTTPRequest{Method: f[1], URL: f[2]}))
	case "all":
		return all(f[1:])
	case "flood":
		return flood(f[1])
	case "leave":
		for range 20 {
			_, _ = sallyport.StartHTTP(&sallyport.HTTPRequest{URL: f[1]})
		}
		return sallyport.Respond("left")
	}
	return more(f)
}

func more(f []string) sallyport.Verdict {
	switch f[0] {
	case "secret":
		v, ok := sallyport.Secret(f[1])
		return sallyport.Respond(fmt.Sprint(v, " ", ok))
	case "tell":
		v, _ := sallyport.Secret(f[1])
		sallyport.Log(abi.LogWarn, "the secret is <"+v+">")
		fmt.Println("printed <" + v + ">")
		return sallyport.Fail(fmt.Errorf("failed with <%s>", v))
	}
	return store(f)
}

// store uses the key-value store, the metrics, the clocks and random numbers.
func store(f []string) sallyport.Verdict {
	var out []any
	switch f[0] {
	case "kv-get":
		v, ok, err := sallyport.KVGet(f[1])
		out = append(out, string(v), ok, err)
	case "kv-set":
		ms, _ := strconv.Atoi(f[3])
		out = append(out, sallyport.KVSet(f[1], []byte(f[2]), time.Duration(ms)*time.Millisecond))
	case "kv-add":
		n, _ := strconv.ParseInt(f[2], 10, 64)
		sum, err := sallyport.KVAdd(f[1], n, 0)
		out = append(out, sum, err)
	case "kv-many":
		for range 100 {
			_, _ = sallyport.KVAdd(f[1], 1, time.Hour)
		}
	case "kv-del":
		out = append(out, sallyport.KVDelete(f[1]))
	case "kv-big":
		out = append(out, sallyport.KVSet("k", make([]byte, 1<<20+1), 0))
	case "metric":
		v, _ := strconv.ParseFloat(f[3], 64)
		switch f[1] {
		case "count":
			out = append(out, sallyport.Count(f[2], v))
		case "gauge":
			out = append(out, sallyport.Gauge(f[2], v))
		case "observe":
			out = append(out, sallyport.Observe(f[2], v))
		}
	case "metric-many":
		used := 0
		for i := range 1000 {
			if sallyport.Count("n"+strconv.Itoa(i), 1) {
				used++
			}
		}
		out = append(out, used)
	case "clock":
		began := time.Now()
		time.Sleep(5 * time.Millisecond)
		a, b := make([]byte, 16), make([]byte, 16)
		_, _ = rand.Read(a)
		_, _ = rand.Read(b)
		out = append(out, time.Since(began) >= 5*time.Millisecond, began.Year() >= 2025, string(a) != string(b))
	case "pass":
		return sallyport.Continue()
	case "die":
		panic("on demand")
	default:
		out = append(out, "?")
	}
	return sallyport.Respond(strings.TrimSpace(fmt.Sprintln(out...)))
}

func answer(r *sallyport.HTTPResponse, err error) sallyport.Verdict {
	if err != nil {
		return sallyport.Respond(err.Error())
	}
	return sallyport.Respond(fmt.Sprintf("%d %s %d %s", r.Status, r.Header("x-answer"), len(r.Body), r.Body[:min(len(r.Body), 200)]))
}

// all sends its requests at the same time.
func all(urls []string) sallyport.Verdict {
	var reqs []*sallyport.HTTPRequest
	for _, u := range urls {
		reqs = append(reqs, &sallyport.HTTPRequest{URL: u})
	}
	responses, errs := sallyport.HTTPAll(reqs...)
	var got []string
	for i, r := range responses {
		if errs[i] != nil {
			got = append(got, errs[i].Error())
			continue
		}
		got = append(got, string(r.Body))
	}
	return sallyport.Respond(strings.Join(got, "|"))
}

// flood begins thousands of requests and collects none.
func flood(url string) sallyport.Verdict {
	begun := 0
	var last error
	for range 5000 {
		if _, err := sallyport.StartHTTP(&sallyport.HTTPRequest{URL: url}); err != nil {
			last = err
			continue
		}
		begun++
	}
	return sallyport.Respond(fmt.Sprint(begun, " ", last))
}

func authenticate(a *sallyport.AuthRequest) sallyport.AuthVerdict {
	body, ok := a.Value("messages.0.content")
	model, _ := a.Value("model")
	return sallyport.Refuse(403, fmt.Sprint(body, ok, model))
}
