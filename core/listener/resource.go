package listener

import (
	"bytes"
	"strings"

	"github.com/fasthttp/router"
	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/valyala/fasthttp"
)

// resource is a route to what vendors store. call is what records name it, as the reference does
// (litellm/types/utils.py, CallTypes); what the reference has no name for is named alike.
type resource struct{ method, path, call string }

// resources are the routes of OpenAI's API for files, batches, fine-tuning jobs, assistants, threads, vector stores,
// containers and videos (https://platform.openai.com/docs/api-reference), without the /v1 in front.
func resources() []resource {
	const get, post, del = fasthttp.MethodGet, fasthttp.MethodPost, fasthttp.MethodDelete
	return []resource{
		{post, "/files", "acreate_file"}, {get, "/files", "afile_list"}, {get, "/files/{id}", "afile_retrieve"},
		{del, "/files/{id}", "afile_delete"}, {get, "/files/{id}/content", "afile_content"},
		{post, "/uploads", "acreate_upload"}, {post, "/uploads/{id}/parts", "aadd_upload_part"},
		{post, "/uploads/{id}/complete", "acomplete_upload"}, {post, "/uploads/{id}/cancel", "acancel_upload"},

		{post, "/batches", "acreate_batch"}, {get, "/batches", "alist_batches"}, {get, "/batches/{id}", "aretrieve_batch"},
		{post, "/batches/{id}/cancel", "acancel_batch"},

		{post, "/fine_tuning/jobs", "acreate_fine_tuning_job"}, {get, "/fine_tuning/jobs", "alist_fine_tuning_jobs"},
		{get, "/fine_tuning/jobs/{id}", "aretrieve_fine_tuning_job"}, {post, "/fine_tuning/jobs/{id}/cancel", "acancel_fine_tuning_job"},
		{post, "/fine_tuning/jobs/{id}/pause", "apause_fine_tuning_job"}, {post, "/fine_tuning/jobs/{id}/resume", "aresume_fine_tuning_job"},
		{get, "/fine_tuning/jobs/{id}/events", "alist_fine_tuning_events"}, {get, "/fine_tuning/jobs/{id}/checkpoints", "alist_fine_tuning_checkpoints"},

		{post, "/assistants", "acreate_assistants"}, {get, "/assistants", "aget_assistants"}, {get, "/assistants/{id}", "aget_assistant"},
		{post, "/assistants/{id}", "aupdate_assistant"}, {del, "/assistants/{id}", "adelete_assistant"},

		{post, "/threads", "acreate_thread"}, {get, "/threads/{id}", "aget_thread"}, {post, "/threads/{id}", "aupdate_thread"},
		{del, "/threads/{id}", "adelete_thread"}, {post, "/threads/runs", "arun_thread"},
		{post, "/threads/{id}/messages", "a_add_message"}, {get, "/threads/{id}/messages", "aget_messages"},
		{get, "/threads/{id}/messages/{message}", "aget_message"}, {post, "/threads/{id}/messages/{message}", "aupdate_message"},
		{del, "/threads/{id}/messages/{message}", "adelete_message"},
		{post, "/threads/{id}/runs", "arun_thread"}, {get, "/threads/{id}/runs", "aget_runs"}, {get, "/threads/{id}/runs/{run}", "aget_run"},
		{post, "/threads/{id}/runs/{run}", "aupdate_run"}, {post, "/threads/{id}/runs/{run}/cancel", "acancel_run"},
		{post, "/threads/{id}/runs/{run}/submit_tool_outputs", "asubmit_tool_outputs"},
		{get, "/threads/{id}/runs/{run}/steps", "aget_run_steps"}, {get, "/threads/{id}/runs/{run}/steps/{step}", "aget_run_step"},

		{post, "/vector_stores", "avector_store_create"}, {get, "/vector_stores", "avector_store_list"},
		{get, "/vector_stores/{id}", "avector_store_retrieve"}, {post, "/vector_stores/{id}", "avector_store_update"},
		{del, "/vector_stores/{id}", "avector_store_delete"}, {post, "/vector_stores/{id}/search", "avector_store_search"},
		{post, "/vector_stores/{id}/files", "avector_store_file_create"}, {get, "/vector_stores/{id}/files", "avector_store_file_list"},
		{get, "/vector_stores/{id}/files/{file}", "avector_store_file_retrieve"}, {post, "/vector_stores/{id}/files/{file}", "avector_store_file_update"},
		{del, "/vector_stores/{id}/files/{file}", "avector_store_file_delete"}, {get, "/vector_stores/{id}/files/{file}/content", "avector_store_file_content"},
		{post, "/vector_stores/{id}/file_batches", "avector_store_file_batch_create"}, {get, "/vector_stores/{id}/file_batches/{batch}", "avector_store_file_batch_retrieve"},
		{post, "/vector_stores/{id}/file_batches/{batch}/cancel", "avector_store_file_batch_cancel"}, {get, "/vector_stores/{id}/file_batches/{batch}/files", "avector_store_file_batch_list"},

		{post, "/containers", "acreate_container"}, {get, "/containers", "alist_containers"}, {get, "/containers/{id}", "aretrieve_container"},
		{del, "/containers/{id}", "adelete_container"}, {post, "/containers/{id}/files", "aupload_container_file"},
		{get, "/containers/{id}/files", "alist_container_files"}, {get, "/containers/{id}/files/{file}", "aretrieve_container_file"},
		{del, "/containers/{id}/files/{file}", "adelete_container_file"}, {get, "/containers/{id}/files/{file}/content", "aretrieve_container_file_content"},

		{post, "/ocr", "aocr"},

		{post, "/videos", "acreate_video"}, {get, "/videos", "avideo_list"}, {get, "/videos/{id}", "avideo_retrieve"},
		{del, "/videos/{id}", "avideo_delete"}, {get, "/videos/{id}/content", "avideo_content"}, {post, "/videos/{id}/remix", "avideo_remix"},
	}
}

// namedVendors are the vendors whose name may stand in front of the path of a file or batch.
func namedVendors() []string {
	return []string{"openai", "azure", "groq", "hosted_vllm", "litellm_proxy", "mistral", "moonshot", "together_ai", "vertex_ai", "xai"}
}

func (s *Server) resourceRoutes(r *router.Router) {
	for _, row := range resources() {
		r.Handle(row.method, row.path, s.resource(row, "", ""))
		r.Handle(row.method, "/v1"+row.path, s.resource(row, "/v1", ""))
		if !strings.HasPrefix(row.path, "/files") && !strings.HasPrefix(row.path, "/batches") {
			continue
		}
		for _, vendor := range namedVendors() {
			r.Handle(row.method, "/"+vendor+"/v1"+row.path, s.resource(row, "/"+vendor+"/v1", vendor))
		}
	}
}

// resource returns the handler of a route. prefix is what stands in front of its path, vendor who is named there.
func (s *Server) resource(row resource, prefix, vendor string) fasthttp.RequestHandler {
	kind, _, _ := strings.Cut(row.path[1:], "/")
	return func(ctx *fasthttp.RequestCtx) {
		path, _ := canonical(ctx.Request.URI().PathOriginal(), s.RootPath)
		c := s.open(ctx, llm.OpResource, string(path))
		c.x.Call, c.x.Tail = row.call, strings.TrimPrefix(c.x.Path, prefix)
		if err := c.decodeResource(ctx); err != nil {
			c.fail(ctx, err)
			return
		}
		if kind == "files" || kind == "batches" {
			if done, err := c.managed(ctx, row.call); err != nil {
				c.fail(ctx, err)
				return
			} else if done {
				return
			}
		}
		if x := &c.x; x.Home == "" {
			if err := c.chooseResource(ctx, kind, vendor); err != nil {
				c.fail(ctx, err)
				return
			}
			if lists(row) {
				if done, err := c.listOwn(ctx, kind); err != nil {
					c.fail(ctx, err)
					return
				} else if done {
					return
				}
			}
		}
		c.serveStored(ctx)
	}
}

// decodeResource reads what a hook or the gateway may want to know from the request. The request itself goes on as it
// is.
func (c *session) decodeResource(ctx *fasthttp.RequestCtx) error {
	x := &c.x
	body, err := c.fields(ctx)
	if err != nil {
		return err
	}
	x.Raw = ctx.Request.Body()
	if len(bytes.TrimSpace(body)) == 0 {
		body = emptyObject
	}
	if err := x.Body.Parse(body); err != nil {
		return invalidJSON(err)
	}
	x.Streamed = string(x.Body.Get("stream")) == "true"
	x.Controls.Given = x.Body.Index("api_base") >= 0 || x.Body.Index("base_url") >= 0 || x.Body.Index("api_key") >= 0
	if m := x.Body.Get("litellm_metadata"); len(m) > 0 && m[0] == '{' {
		x.Controls.Metadata = m
	}
	return openai.ApplyHeaders(x)
}

// storeID is the vector store that a path is about.
func storeID(tail string) string {
	if segments := strings.Split(tail, "/"); len(segments) > 2 { // "", kind, id, what is asked of it
		return decode(segments[2])
	}
	return ""
}

// chooseResource decides where the request goes: to the vector store that the operator has listed, to the model group that
// header, query or body name, or else to the vendor that path, header, query or body name, or else to the usual one. A model in the body that is no model group is
// the vendor's own name, as for fine-tuning jobs and assistants.
func (c *session) chooseResource(ctx *fasthttp.RequestCtx, kind, vendor string) error {
	x := &c.x
	if kind == "ocr" {
		if err := c.readsPages(); err != nil {
			return err
		}
	}
	if kind == "vector_stores" {
		if x.Pinned = c.s.Gateway.Edge().Stores[storeID(x.Tail)]; x.Pinned != nil {
			return nil
		}
	}
	if kind == "files" || kind == "batches" {
		if model := c.modelOfID(); model != "" {
			x.NameModel([]byte(model))
			return nil
		}
	}
	for _, named := range [][]byte{x.Header.Get("x-litellm-model"), ctx.QueryArgs().Peek("model")} {
		if len(named) > 0 {
			x.NameModel(named)
			return nil
		}
	}
	model, _ := llm.Text(x.Body.Get("model"))
	if len(model) > 0 && c.s.Gateway.Knows(string(model)) {
		x.NameModel(model)
		return nil
	}
	custom, _ := llm.Text(x.Body.Get("custom_llm_provider"))
	for _, named := range [][]byte{x.Header.Get("custom-llm-provider"), ctx.QueryArgs().Peek("custom_llm_provider"), ctx.QueryArgs().Peek("provider"), custom} {
		if vendor == "" {
			vendor = string(named)
		}
	}
	x.Pinned = c.s.Gateway.Edge().Resource(kind, vendor)
	if x.Pinned == nil {
		instead := "name another one, or a model of /v1/models"
		if kind == "vector_stores" {
			instead = "name another one, or a store that vector_store_registry lists"
		}
		return &llm.Error{
			Op: "listener.resource", Kind: llm.KindInvalid, Type: "invalid_request_error", Param: "custom_llm_provider",
			Message: "custom_llm_provider " + string(llm.AppendQuoted(nil, vendor)) + " is not a vendor whose " + kind +
				" can be reached: " + instead + ".",
		}
	}
	if len(model) > 0 && !dialect.Null(model) {
		x.NameModel(model)
		x.Wanted = x.Model
	}
	return nil
}

// readsPages refuses models of vendors without Mistral's API for documents
// (https://docs.mistral.ai/capabilities/document_ai/basic_ocr). Of clouds that have Mistral's models for it, others refuse
// themselves.
func (c *session) readsPages() error {
	model, _ := llm.Text(c.x.Body.Get("model"))
	for _, d := range c.s.Gateway.Members(string(model)) {
		switch d.Provider {
		case "mistral", "litellm_proxy":
		case "azure_ai", "vertex_ai":
			if strings.HasPrefix(strings.ToLower(d.Model), "mistral-") || strings.HasPrefix(d.Model, "doc-intelligence/") {
				continue
			}
			fallthrough
		default:
			return &llm.Error{
				Op: "listener.readsPages", Kind: llm.KindInvalid, Type: "invalid_request_error", Param: "model",
				Message: "Documents are read by models of mistral and azure_ai/doc-intelligence only, and " + string(model) + " is one of " + d.Provider + ".",
			}
		}
	}
	return nil
}

// modelOfID finds the model group in the id of a file or batch, and leaves the vendor's own id in its place.
func (c *session) modelOfID() string {
	x := &c.x
	segments := strings.Split(x.Tail, "/") // "", kind, id, what is asked of it
	if len(segments) > 2 {
		if id, model, ok := openai.SplitModelID(decode(segments[2])); ok {
			segments[2] = id
			x.Tail = strings.Join(segments, "/")
			return model
		}
	}
	_, model, _ := openai.InputFile(&x.Body)
	return model
}
