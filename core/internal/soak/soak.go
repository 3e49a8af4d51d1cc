package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// soak is the callers and what they found.
type soak struct {
	url     string
	workers int
	client  *http.Client
	next    atomic.Int64

	right, refused, broken, left atomic.Int64 // answers, errors, streams that ended with an error event, callers who left
	continued                    atomic.Int64 // answers of several vendors
	faults                       int64

	mu       sync.Mutex
	problems []string
	count    int // of problems
	samples  []sample
	idle     sample // before the load
}

// sample is what the process used at one time.
type sample struct {
	goroutines int
	heap       uint64 // in use, after a collection
}

func measure() sample {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return sample{runtime.NumGoroutine(), m.HeapInuse}
}

func newSoak(url string, workers int) *soak {
	t := &http.Transport{MaxIdleConnsPerHost: workers, DisableCompression: true}
	return &soak{url: url, workers: workers, client: &http.Client{Transport: t}, idle: measure()}
}

func (s *soak) wrong(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count++; len(s.problems) < 20 {
		s.problems = append(s.problems, fmt.Sprintf(format, args...))
	}
}

// run has the callers call until ctx ends. Each ends the call it is at.
func (s *soak) run(ctx context.Context) {
	var wg sync.WaitGroup
	for range s.workers {
		wg.Go(func() {
			for ctx.Err() == nil {
				s.call()
			}
		})
	}
	wg.Wait()
}

// patience is how long a caller waits: longer than the gateway may take.
const patience = 60 * time.Second

// call makes one request of a random kind and judges the answer.
func (s *soak) call() {
	question := fmt.Sprintf("question-%d", s.next.Add(1))
	stream, leaves := rand.IntN(2) == 0, rand.IntN(50) == 0
	body := map[string]any{"model": "m", "messages": []map[string]string{{"role": "user", "content": question}}, "stream": stream}
	if stream {
		body["stream_options"] = map[string]bool{"include_usage": true}
	}
	path := "/v1/chat/completions"
	switch rand.IntN(20) {
	case 0:
		body["model"], body["fastest_response"] = "m,n", true
	case 1:
		path, stream = "/v1/embeddings", false
		body = map[string]any{"model": "m", "input": "x"}
	}
	limit := patience
	if leaves {
		limit = time.Duration(rand.IntN(20)+1) * time.Millisecond
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	b, err := json.Marshal(body)
	if err != nil {
		s.wrong("%v", err)
		return
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+path, bytes.NewReader(b))
	if err != nil {
		s.wrong("%v", err)
		return
	}
	r.Header.Set("Authorization", "Bearer "+masterKey)
	r.Header.Set("Content-Type", "application/json")
	err = s.judge(r, path, question, stream)
	switch {
	case err == nil:
	case leaves && (errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil):
		s.left.Add(1)
	default:
		s.wrong("%s stream=%v: %v", path, stream, err)
	}
}

func (s *soak) judge(r *http.Request, path, question string, stream bool) error {
	res, err := s.client.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		b, err := io.ReadAll(res.Body)
		if err != nil {
			return err
		}
		s.refused.Add(1)
		return rightError(res.StatusCode, b)
	}
	if path == "/v1/embeddings" {
		b, err := io.ReadAll(res.Body)
		if err == nil && !strings.Contains(string(b), `"embedding":[0.5]`) {
			err = fmt.Errorf("a wrong answer: %.200s", b)
		}
		if err == nil {
			s.right.Add(1)
		}
		return err
	}
	if stream {
		return s.judgeStream(res.Body, question)
	}
	var answer struct {
		Choices []struct{ Message struct{ Content string } }
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return err
	}
	if len(answer.Choices) != 1 || answer.Choices[0].Message.Content != strings.Join(words(question), "") {
		return fmt.Errorf("a wrong answer to %s: %+v", question, answer)
	}
	s.right.Add(1)
	return nil
}

// judgeStream reads events up to [DONE], or up to an error event.
func (s *soak) judgeStream(body io.Reader, question string) error {
	lines := bufio.NewScanner(body)
	var text strings.Builder
	done, failed, usage := false, false, 0
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		if data == "[DONE]" {
			done = true
			continue
		}
		var e struct {
			Error   json.RawMessage
			Usage   *struct{ Prompt_tokens int } //nolint:revive // a member of the API
			Choices []struct{ Delta struct{ Content string } }
		}
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			return fmt.Errorf("an event is no JSON: %.200s", data)
		}
		if e.Error != nil {
			failed = true
			if err := rightError(http.StatusOK, []byte(data)); err != nil {
				return err
			}
		}
		if e.Usage != nil {
			usage = e.Usage.Prompt_tokens
		}
		for _, c := range e.Choices {
			text.WriteString(c.Delta.Content)
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	want := strings.Join(words(question), "")
	switch got := text.String(); {
	case failed && !done && strings.HasPrefix(want, got):
		s.broken.Add(1)
	case done && !failed && got == want:
		s.right.Add(1)
		if usage > 9 {
			s.continued.Add(1)
		}
	default:
		return fmt.Errorf("a wrong stream for %s: %q, done %v, failed %v", question, got, done, failed)
	}
	return nil
}

// rightError says what is wrong with an error.
func rightError(status int, body []byte) error {
	var e struct {
		Error struct{ Message, Code string }
	}
	if err := json.Unmarshal(body, &e); err != nil || e.Error.Message == "" || e.Error.Code == "" {
		return fmt.Errorf("status %d with an error in no known form: %.200s", status, body)
	}
	if strings.Contains(string(body), "sk-") {
		return fmt.Errorf("an error holds a key: %.200s", body)
	}
	switch e.Error.Code {
	case "408", "429", "500", "502", "503", "529":
		return nil
	}
	return fmt.Errorf("status %d, which no vendor's failure explains: %.200s", status, body)
}

// watch samples the process, twenty times in all, and writes a line each time.
func (s *soak) watch(ctx context.Context, out io.Writer, d time.Duration) {
	tick := time.NewTicker(max(d/20, 500*time.Millisecond))
	defer tick.Stop()
	for begun := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		m := measure()
		s.mu.Lock()
		s.samples = append(s.samples, m)
		problems := s.count
		s.mu.Unlock()
		fmt.Fprintf(out, "%6.0f s  %9d requests  %6d goroutines  %6.1f MB heap  %d problems\n",
			time.Since(begun).Seconds(), s.next.Load(), m.goroutines, float64(m.heap)/(1<<20), problems)
	}
}

// settle is what the process uses when the load is over and what it left behind had time to end.
func (s *soak) settle() sample {
	s.client.CloseIdleConnections()
	var m sample
	for range 50 {
		if m = measure(); m.goroutines <= s.idle.goroutines+slackGoroutines {
			break
		}
		time.Sleep(200 * time.Millisecond) // connections to vendors close on their own
	}
	return m
}

// What may be left when the load is over: connections that are kept to five vendors, and what runs once it was needed.
const (
	slackGoroutines = 600
	slackHeap       = 32 << 20
)

func (s *soak) report(out io.Writer, reloads int, left sample) {
	fmt.Fprintf(out, "%d requests: %d right answers, of them %d by several vendors; %d errors, %d streams that ended with an error, %d callers left\n",
		s.next.Load(), s.right.Load(), s.continued.Load(), s.refused.Load(), s.broken.Load(), s.left.Load())
	fmt.Fprintf(out, "%d faults of vendors, %d reloads\n", s.faults, reloads)
	fmt.Fprintf(out, "goroutines: %d before, %d after; heap: %.1f MB before, %.1f MB after\n",
		s.idle.goroutines, left.goroutines, float64(s.idle.heap)/(1<<20), float64(left.heap)/(1<<20))
}

// verdict is what is wrong.
func (s *soak) verdict(left sample) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	if s.count > 0 {
		errs = append(errs, fmt.Errorf("%d requests without a right answer or a right error, such as\n\t%s", s.count, strings.Join(s.problems, "\n\t")))
	}
	if s.right.Load() == 0 {
		errs = append(errs, errors.New("there was no right answer at all"))
	}
	if left.goroutines > s.idle.goroutines+slackGoroutines {
		errs = append(errs, fmt.Errorf("%d goroutines are left, of %d before", left.goroutines, s.idle.goroutines))
	}
	if n := len(s.samples); n >= 8 {
		// The first quarter fills pools and caches; from then on nothing grows.
		early, late := s.lowest(n/4, n/2), s.lowest(n*3/4, n)
		if late.heap > early.heap+early.heap/2+slackHeap {
			errs = append(errs, fmt.Errorf("the heap grew from %d to %d bytes under the same load", early.heap, late.heap))
		}
		if late.goroutines > early.goroutines*2+slackGoroutines {
			errs = append(errs, fmt.Errorf("goroutines grew from %d to %d under the same load", early.goroutines, late.goroutines))
		}
	}
	return errors.Join(errs...)
}

// lowest is the least that was used in a stretch of the samples.
func (s *soak) lowest(from, to int) sample {
	m := s.samples[from]
	for _, one := range s.samples[from:to] {
		m.goroutines, m.heap = min(m.goroutines, one.goroutines), min(m.heap, one.heap)
	}
	return m
}
