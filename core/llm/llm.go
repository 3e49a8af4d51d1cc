// Package llm holds the nouns of the gateway: the Exchange between a caller and a model, who the caller is
// (Principal), where the request may go (Deployment), what is sent there and comes back (Call, Answer), what the
// caller gets (Reply), what it cost (Usage) and what went wrong (Error). It imports the standard library only, does
// no I/O, and every other package speaks in its terms.
package llm

// Operation is the kind of work a request asks for.
type Operation uint8

// The operations, one for each group of routes.
const (
	OpNone           Operation = iota
	OpChat                     // chat completions, in any dialect
	OpCompletion               // text completions
	OpEmbedding                // embeddings
	OpPassThrough              // a request forwarded as it is
	OpModeration               // moderations
	OpImage                    // images from a prompt
	OpImageEdit                // images from images and a prompt
	OpImageVariation           // variations of an image
	OpSpeech                   // speech from text
	OpTranscription            // text from speech
	OpTranslation              // English text from speech
	OpRerank                   // documents in the order of a query
	OpResource                 // what a vendor stores: files, batches, fine-tuning jobs, assistants, vector stores
	OpRealtime                 // a conversation over a WebSocket
)

// operation is what there is to say of an Operation.
type operation struct{ name, callType string }

// row is a switch, because a table of texts would be built anew by each call.
func (o Operation) row() operation {
	switch o {
	case OpChat:
		return operation{"chat/completions", "acompletion"}
	case OpCompletion:
		return operation{"completions", "atext_completion"}
	case OpEmbedding:
		return operation{"embeddings", "aembedding"}
	case OpPassThrough:
		return operation{"pass-through", "pass_through_endpoint"}
	case OpModeration:
		return operation{"moderations", "amoderation"}
	case OpImage:
		return operation{"images/generations", "aimage_generation"}
	case OpImageEdit:
		return operation{"images/edits", "aimage_edit"}
	case OpImageVariation:
		return operation{"images/variations", "aimage_variation"}
	case OpSpeech:
		return operation{"audio/speech", "aspeech"}
	case OpTranscription:
		return operation{"audio/transcriptions", "atranscription"}
	case OpTranslation:
		return operation{"audio/translations", "atranscription"}
	case OpRerank:
		return operation{"rerank", "arerank"}
	case OpResource:
		return operation{"resource", "resource"}
	case OpRealtime:
		return operation{"realtime", "_arealtime"}
	}
	return operation{"none", ""}
}

// String returns the operation in the words of its public route.
func (o Operation) String() string { return o.row().name }

// CallType is the name that log records and guardrails use for the operation. It follows the call_type values of the
// reference system (litellm/types/utils.py, CallTypes). Exchange.CallType also knows the dialect.
func (o Operation) CallType() string { return o.row().callType }

// Streams reports whether the operation can be answered as a stream of events.
func (o Operation) Streams() bool { return o == OpChat || o == OpCompletion }

// Dialect is the API that a caller speaks, where the same work can be asked for in several.
type Dialect uint8

// The dialects. Inside the gateway a chat has the form of DialectOpenAI; see Exchange.Chat.
const (
	DialectOpenAI    Dialect = iota // chat completions and the other routes of the OpenAI API
	DialectMessages                 // Anthropic's Messages API
	DialectResponses                // OpenAI's Responses API
	DialectGoogle                   // Google's generateContent
)

// Usage counts the tokens of one answer, as the vendor reported them. Zero values mean "not reported".
type Usage struct {
	Prompt     int64
	Completion int64
	Total      int64
	Cached     int64 // part of Prompt that the vendor read from its own cache
	Reasoning  int64 // part of Completion spent on hidden reasoning

	CacheWrite      int64   // part of Prompt that the vendor wrote into its cache
	CacheWriteHour  int64   // part of CacheWrite that is kept for an hour
	AudioPrompt     int64   // part of Prompt that was audio
	AudioCompletion int64   // part of Completion that is audio
	ImagePrompt     int64   // part of Prompt that was images
	ImageCompletion int64   // part of Completion that is images
	Images          int64   // images made, or embedded
	Characters      int64   // characters spoken
	Searches        int64   // searches made or documents ranked, in the vendor's unit
	Seconds         float64 // length of the audio that was heard or made
	Tier            Served  // which service tier the answer came from

	CachedAudio       int64 // part of Cached that was audio
	CachedImage       int64 // part of Cached that was images
	CachedMarked      int64 // part of Cached that a mark in the request put there, where the vendor charges that apart
	CacheWriteHalfDay int64 // part of CacheWrite that is kept for twelve hours
	VideoPrompt       int64 // part of Prompt that was video
	VideoCompletion   int64 // part of Completion that is video
	Citations         int64 // tokens of sources that were read, beside Prompt
	Maps              int64 // questions to a map on the side
	FileSearches      int64 // searches of stored files on the side
	Sessions          int64 // containers that code of the model's ran in
	Pages             int64 // pages of documents that were read
	AnnotatedPages    int64 // pages that were annotated besides

	Cost float64 // what the vendor itself says that the answer cost, in US dollars; 0 it does not say
}

// Plus is what two answers used together.
func (u Usage) Plus(o Usage) Usage {
	return Usage{
		Prompt: u.Prompt + o.Prompt, Completion: u.Completion + o.Completion, Total: u.Total + o.Total,
		Cached: u.Cached + o.Cached, Reasoning: u.Reasoning + o.Reasoning,
		CacheWrite: u.CacheWrite + o.CacheWrite, CacheWriteHour: u.CacheWriteHour + o.CacheWriteHour,
		AudioPrompt: u.AudioPrompt + o.AudioPrompt, AudioCompletion: u.AudioCompletion + o.AudioCompletion,
		ImagePrompt: u.ImagePrompt + o.ImagePrompt, ImageCompletion: u.ImageCompletion + o.ImageCompletion,
		Images: u.Images + o.Images, Characters: u.Characters + o.Characters, Searches: u.Searches + o.Searches,
		Seconds: u.Seconds + o.Seconds, Tier: max(u.Tier, o.Tier),
		CachedAudio: u.CachedAudio + o.CachedAudio, CachedImage: u.CachedImage + o.CachedImage,
		CachedMarked: u.CachedMarked + o.CachedMarked, CacheWriteHalfDay: u.CacheWriteHalfDay + o.CacheWriteHalfDay,
		VideoPrompt: u.VideoPrompt + o.VideoPrompt, VideoCompletion: u.VideoCompletion + o.VideoCompletion,
		Citations: u.Citations + o.Citations, Maps: u.Maps + o.Maps, FileSearches: u.FileSearches + o.FileSearches,
		Sessions: u.Sessions + o.Sessions, Pages: u.Pages + o.Pages, AnnotatedPages: u.AnnotatedPages + o.AnnotatedPages,
		Cost: u.Cost + o.Cost,
	}
}

// Known reports whether the vendor said anything about usage.
func (u Usage) Known() bool { return u.Prompt != 0 || u.Completion != 0 || u.Total != 0 }
