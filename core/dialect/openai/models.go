package openai

import (
	"strconv"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// What the reference says of every model in GET /v1/models (litellm/proxy/proxy_server.py, model_list).
const (
	ModelsCreated = 1677610602 // Unix time
	ModelsOwner   = "openai"
)

// AppendModels appends the list of models that GET /v1/models answers with.
func AppendModels(dst []byte, ids []string, created int64, owner string) []byte {
	dst = append(dst, `{"data":[`...)
	for i, id := range ids {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendModel(dst, id, created, owner)
	}
	return append(dst, `],"object":"list"}`...)
}

// AppendModel appends one model, as GET /v1/models/{id} answers with.
func AppendModel(dst []byte, id string, created int64, owner string) []byte {
	dst = append(dst, `{"id":`...)
	dst = llm.AppendQuoted(dst, id)
	dst = append(dst, `,"object":"model","created":`...)
	dst = strconv.AppendInt(dst, created, 10)
	dst = append(dst, `,"owned_by":`...)
	dst = llm.AppendQuoted(dst, owner)
	return append(dst, '}')
}
