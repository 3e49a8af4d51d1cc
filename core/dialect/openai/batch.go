package openai

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// A file over several deployments, and what batches make of it, has an id that only the gateway knows: in base64, what
// the reference writes (litellm/types/utils.py, SpecialEnums).

// UnifiedFile is what the id of a file over several deployments tells. File is its id at one of them.
type UnifiedFile struct {
	Type, UUID, Models, File, Deployment string
}

// UnifiedBatch is what the id of a batch tells that was made of such a file.
type UnifiedBatch struct{ Deployment, Batch string }

const (
	maxUnified   = 4 << 10
	unifiedFile  = "litellm_proxy:"
	unifiedUUID  = ";unified_id,"
	unifiedModel = ";target_model_names,"
	unifiedOwn   = ";llm_output_file_id,"
	unifiedAt    = ";llm_output_file_model_id,"
	unifiedBatch = "litellm_proxy;model_id:"
	unifiedRun   = ";llm_batch_id:"
)

// String is the id as callers see it.
func (f UnifiedFile) String() string {
	text := unifiedFile + f.Type + unifiedUUID + f.UUID + unifiedModel + f.Models + unifiedOwn + f.File + unifiedAt + f.Deployment
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

// String is the id as callers see it.
func (b UnifiedBatch) String() string {
	return base64.RawURLEncoding.EncodeToString([]byte(unifiedBatch + b.Deployment + unifiedRun + b.Batch))
}

func unified(id, prefix string) (string, bool) {
	if len(id) > maxUnified {
		return "", false
	}
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(id, "="))
	if err != nil {
		return "", false
	}
	return strings.CutPrefix(string(raw), prefix)
}

// ParseUnifiedFile reads the id of a file. ok is false for any other id.
func ParseUnifiedFile(id string) (f UnifiedFile, ok bool) {
	rest, ok := unified(id, unifiedFile)
	if !ok {
		return f, false
	}
	for _, part := range []struct {
		to    *string
		until string
	}{{&f.Type, unifiedUUID}, {&f.UUID, unifiedModel}, {&f.Models, unifiedOwn}, {&f.File, unifiedAt}} {
		if *part.to, rest, ok = strings.Cut(rest, part.until); !ok {
			return UnifiedFile{}, false
		}
	}
	f.Deployment = rest
	return f, plainID(f.File) && f.Deployment != ""
}

// ParseUnifiedBatch reads the id of a batch. ok is false for any other id.
func ParseUnifiedBatch(id string) (b UnifiedBatch, ok bool) {
	rest, ok := unified(id, unifiedBatch)
	if !ok {
		return b, false
	}
	if b.Deployment, b.Batch, ok = strings.Cut(rest, unifiedRun); !ok {
		return UnifiedBatch{}, false
	}
	b.Batch, _, _ = strings.Cut(b.Batch, ";")
	return b, plainID(b.Batch) && b.Deployment != ""
}

// plainID reports whether a vendor's id is one segment of a path.
func plainID(id string) bool {
	return id != "" && !strings.ContainsAny(id, "/?#%\\ \r\n\x00") && !strings.Contains(id, "..")
}

// WithBatchModel appends the lines of a batch's input with the model in place of those that they name. model is JSON. The
// bytes of the lines stay as they are otherwise. A line that is no JSON object is an *llm.Error that names it.
// https://platform.openai.com/docs/api-reference/batch/request-input
func WithBatchModel(dst, lines, model []byte) ([]byte, error) {
	number := 0
	for line := range bytes.Lines(lines) {
		number++
		text := bytes.TrimSpace(line)
		if len(text) == 0 {
			dst = append(dst, line...)
			continue
		}
		var o llm.Object
		if err := o.Parse(text); err != nil {
			return nil, &llm.Error{
				Op: "openai.WithBatchModel", Kind: llm.KindInvalid, Err: err, Type: "invalid_request_error", Param: "file",
				Message: fmt.Sprintf("Line %d of the file is no JSON object: %v.", number, err),
			}
		}
		if dialect.Null(dialect.Get(o.Get("body"), "model")) {
			dst = append(dst, line...)
			continue
		}
		next, err := dialect.Set(dst, text, "body.model", model)
		if err != nil {
			return nil, &llm.Error{
				Op: "openai.WithBatchModel", Kind: llm.KindInvalid, Err: err, Type: "invalid_request_error", Param: "file",
				Message: fmt.Sprintf("Line %d of the file cannot be used: %v.", number, err),
			}
		}
		dst = append(next, line[len(bytes.TrimRight(line, "\r\n")):]...)
	}
	return dst, nil
}

// BatchBody is the answer in one line of a batch's output, or nil if the line holds none
// (https://platform.openai.com/docs/api-reference/batch/request-output).
func BatchBody(line []byte) []byte {
	body := dialect.Get(dialect.Get(line, "response"), "body")
	if len(body) == 0 || body[0] != '{' {
		return nil
	}
	return body
}
