package app

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/sallyport-ai/sallyport/core/pipeline"
	"github.com/sallyport-ai/sallyport/core/wasm"
	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// prompts loads the plugins of the section prompts, and makes the hook that puts stored prompts into requests. It comes
// before all others, so that guardrails see the prompt. Entries of the same plugin with the same options share it.
func (b *builder) prompts(ctx context.Context, out *loaded) []pipeline.Hook {
	list := map[string]wasm.Prompt{}
	for i, e := range b.cfg.Prompts {
		path := e.Params.Integration
		if !strings.HasSuffix(path, ".wasm") {
			continue // one of those that are not built in yet; the report says so
		}
		setting := fmt.Sprintf("prompts[%d].litellm_params.prompt_integration", i)
		name := strings.TrimSuffix(path[strings.LastIndexByte(path, '/')+1:], ".wasm")
		p, err := b.load(ctx, out, name, path, "prompt "+e.ID, e.Params.PluginOptions)
		if err == nil && !p.Has(abi.HookPrompt) {
			err = errors.New("the plugin has no prompt hook")
		}
		if err != nil {
			b.mistake(setting, err)
			continue
		}
		id := e.Params.ID
		if id == "" {
			id = e.ID
		}
		list[e.ID] = wasm.Prompt{Plugin: p, ID: id}
	}
	if len(b.cfg.Prompts) == 0 {
		return nil
	}
	return []pipeline.Hook{{Name: "prompts", Do: wasm.Prompts(list)}}
}
