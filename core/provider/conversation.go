package provider

import (
	"io"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// Conversation is the rest of a reply that is a conversation over a WebSocket. It has no parts.
type Conversation struct{ Socket llm.Socket }

// Next implements llm.Stream.
func (Conversation) Next(*llm.Part) error { return io.EOF }

// Close implements llm.Stream: it ends the conversation.
func (c Conversation) Close() error {
	const normal = 1000
	c.Socket.Close(normal, "")
	return nil
}
