package dialect

import (
	"bytes"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// PromptDetails reads the members of the details of a prompt's tokens, from c to its end, into u. They are OpenAI's, of
// chats, responses, images and realtime conversations
// (https://platform.openai.com/docs/api-reference/realtime-server-events/response/done), with the lives of what is
// written to the cache as litellm/responses/utils.py reads them, and those that DashScope adds for caches which marks in
// the request ask for (https://www.alibabacloud.com/help/en/model-studio/context-cache).
func PromptDetails(c *Cursor, u *llm.Usage) {
	marked := false
	for c.Next() {
		switch string(c.Key()) {
		case "cached_tokens":
			u.Cached = max(u.Cached, Int(c.Value()))
		case "audio_tokens":
			u.AudioPrompt = Int(c.Value())
		case "image_tokens":
			u.ImagePrompt = Int(c.Value())
		case "video_tokens":
			u.VideoPrompt = Int(c.Value())
		case "cache_write_tokens", "cache_creation_input_tokens":
			u.CacheWrite = max(u.CacheWrite, Int(c.Value()))
		case "cache_write_tokens_details":
			u.CacheWriteHalfDay = Int(Get(c.Value(), "ttl_12h_tokens"))
		case "cached_tokens_details":
			if c.First() == '{' {
				v := c.Value()
				u.CachedAudio, u.CachedImage = Int(Get(v, "audio_tokens")), Int(Get(v, "image_tokens"))
			}
		case "cache_type":
			marked = string(c.Value()) == `"ephemeral"`
		}
	}
	if marked {
		u.CachedMarked = u.Cached
	}
}

// CompletionDetails does the same for those of an answer's tokens.
func CompletionDetails(c *Cursor, u *llm.Usage) {
	for c.Next() {
		switch string(c.Key()) {
		case "reasoning_tokens":
			u.Reasoning = Int(c.Value())
		case "audio_tokens":
			u.AudioCompletion = Int(c.Value())
		case "image_tokens":
			u.ImageCompletion = Int(c.Value())
		case "video_tokens":
			u.VideoCompletion = Int(c.Value())
		}
	}
}

// maxContainers is how many containers of one response are told apart.
const maxContainers = 16

// CountTools counts in u what the items of a response's output show that the vendor did and charges for: searches of the
// web, of which only actions of the kind search cost (https://platform.openai.com/docs/guides/tools-web-search), searches
// of files (https://platform.openai.com/docs/guides/tools-file-search), and containers that code ran in
// (https://platform.openai.com/docs/guides/tools-code-interpreter).
func CountTools(output []byte, u *llm.Usage) {
	u.Searches, u.FileSearches, u.Sessions = 0, 0, 0
	var seen [maxContainers][]byte
	for c := Array(output); c.Next(); {
		item := c.Value()
		switch string(Get(item, "type")) {
		case `"web_search_call"`:
			if kind := Get(Get(item, "action"), "type"); kind == nil || string(kind) == `"search"` {
				u.Searches++
			}
		case `"file_search_call"`:
			u.FileSearches++
		case `"code_interpreter_call"`:
			id := Get(item, "container_id")
			fresh := u.Sessions < maxContainers
			for i := range min(u.Sessions, maxContainers) {
				fresh = fresh && !bytes.Equal(seen[i], id)
			}
			if fresh {
				seen[u.Sessions] = id
				u.Sessions++
			}
		}
	}
}
