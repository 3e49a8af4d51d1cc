package openai

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// These bound a wait that is only inferred from when a limit is full again. The limits refill all the time, so that a
// call is taken long before that; and a limit that is soon full is hardly the one that refused.
const (
	minReset = time.Second
	maxReset = time.Minute
)

// pause is how long to leave a vendor alone after a refusal: as long as it asks for, or else, after a refusal for a
// limit, until the limit is full again.
func pause(status int, h llm.Header) time.Duration {
	if d := RetryAfter(h); d > 0 || status != http.StatusTooManyRequests {
		return d
	}
	return Reset(h)
}

// RetryAfter is how long a vendor asks to wait, from Retry-After-Ms, Azure's X-Ms-Retry-After-Ms, or Retry-After, in
// seconds or as a date. It is 0 if the headers say nothing that can be used, and at most a week. The order is that of
// Azure's own clients (https://learn.microsoft.com/en-us/dotnet/api/azure.core.retryoptions,
// https://github.com/Azure/azure-sdk-for-js, sdk/core/core-rest-pipeline/src/retryStrategies/throttlingRetryStrategy.ts).
func RetryAfter(h llm.Header) time.Duration {
	for _, name := range [...]string{"retry-after-ms", "x-ms-retry-after-ms"} {
		if ms, err := strconv.ParseFloat(string(h.Get(name)), 64); err == nil {
			return wait(ms / 1000)
		}
	}
	line := string(h.Get("retry-after"))
	if s, err := strconv.ParseFloat(line, 64); err == nil {
		return wait(s)
	}
	if at, err := http.ParseTime(line); err == nil {
		return wait(time.Until(at).Seconds())
	}
	return 0
}

// Reset is how long until a vendor's limits are full again, from a second to a minute: the longest of those that have
// nothing remaining, or, if all have something and one of them was too little, the shortest of all. It is 0 if the
// headers say nothing that can be used. They are OpenAI's x-ratelimit-reset-requests and x-ratelimit-reset-tokens with
// times such as 6m0s, 1s and 88ms (https://platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers) or, from
// vendors after its model, plain seconds (https://inference-docs.cerebras.ai/support/rate-limits), and Anthropic's
// anthropic-ratelimit-requests-reset and its like with dates as in RFC 3339
// (https://platform.claude.com/docs/en/api/rate-limits#response-headers).
func Reset(h llm.Header) time.Duration {
	var longest, shortest time.Duration
	for _, f := range h {
		remaining, d := resetOf(strings.ToLower(string(f.Name)), string(f.Value))
		if d <= 0 {
			continue
		}
		if shortest == 0 || d < shortest {
			shortest = d
		}
		if left, err := strconv.ParseFloat(string(h.Get(remaining)), 64); err == nil && left <= 0 {
			longest = max(longest, d)
		}
	}
	if shortest == 0 {
		return 0
	}
	if longest == 0 {
		longest = shortest
	}
	return min(max(longest, minReset), maxReset)
}

// resetOf reads the header of one limit, and names the one that says what remains of it.
func resetOf(name, value string) (remaining string, d time.Duration) {
	if of, ok := strings.CutPrefix(name, "x-ratelimit-reset-"); ok {
		if s, err := strconv.ParseFloat(value, 64); err == nil {
			return "x-ratelimit-remaining-" + of, wait(s)
		}
		d, err := time.ParseDuration(value)
		if err != nil {
			return "", 0
		}
		return "x-ratelimit-remaining-" + of, d
	}
	of, ok := strings.CutPrefix(name, "anthropic-ratelimit-")
	if !ok {
		return "", 0
	}
	of, ok = strings.CutSuffix(of, "-reset")
	at, err := time.Parse(time.RFC3339, value)
	if !ok || err != nil {
		return "", 0
	}
	return "anthropic-ratelimit-" + of + "-remaining", time.Until(at)
}

func wait(s float64) time.Duration {
	if !(s > 0) {
		return 0
	}
	return time.Duration(min(s, maxTimeout.Seconds()) * float64(time.Second))
}
