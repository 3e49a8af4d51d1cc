// Fetcher does what the first text of a request says with host calls, to test those from inside a real guest.
package main

import (
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
	return sallyport.Respond("?")
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
