package app

import (
	"fmt"
	"strings"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
	"github.com/sallyport-ai/sallyport/core/provider/compat"
	"github.com/sallyport-ai/sallyport/core/provider/dashscope"
	"github.com/sallyport-ai/sallyport/core/provider/deepgram"
	"github.com/sallyport-ai/sallyport/core/provider/deepinfra"
	"github.com/sallyport-ai/sallyport/core/provider/elevenlabs"
	"github.com/sallyport-ai/sallyport/core/provider/falai"
	"github.com/sallyport-ai/sallyport/core/provider/fireworks"
	"github.com/sallyport-ai/sallyport/core/provider/huggingface"
	"github.com/sallyport-ai/sallyport/core/provider/jina"
	"github.com/sallyport-ai/sallyport/core/provider/minimax"
	"github.com/sallyport-ai/sallyport/core/provider/nlpcloud"
	"github.com/sallyport-ai/sallyport/core/provider/nvidia"
	"github.com/sallyport-ai/sallyport/core/provider/openrouter"
	"github.com/sallyport-ai/sallyport/core/provider/predibase"
	"github.com/sallyport-ai/sallyport/core/provider/replicate"
	"github.com/sallyport-ai/sallyport/core/provider/snowflake"
	"github.com/sallyport-ai/sallyport/core/provider/stability"
	"github.com/sallyport-ai/sallyport/core/provider/triton"
	"github.com/sallyport-ai/sallyport/core/provider/voyage"
)

// further makes the provider of a vendor that is called for few operations, or whose API is nearly OpenAI's. It is nil
// for others. most is the limit of an answer, in bytes.
func (b *builder) further(v compat.Vendor, most int64) provider.Provider {
	switch v.Name {
	case deepgram.Name:
		return deepgram.New(deepgram.Settings{MaxResponse: most})
	case elevenlabs.Name:
		return elevenlabs.New(elevenlabs.Settings{MaxResponse: most})
	case fireworks.Name:
		return fireworks.New(b.compatible(v, most), b.cfg.LiteLLMSettings.DisableTransformInlineImage)
	case huggingface.Name:
		own := huggingface.New(huggingface.Settings{MaxResponse: most})
		return provider.Split(b.compatible(v, most), own, llm.OpEmbedding, llm.OpRerank)
	case jina.Name:
		return jina.New(jina.Settings{MaxResponse: most})
	case nlpcloud.Name:
		return nlpcloud.New(nlpcloud.Settings{MaxResponse: most})
	case predibase.Name:
		return predibase.New(predibase.Settings{MaxResponse: most})
	case replicate.Name:
		return replicate.New(replicate.Settings{MaxResponse: most})
	case triton.Name:
		return triton.New(triton.Settings{MaxResponse: most})
	case voyage.Name:
		return voyage.New(voyage.Settings{MaxResponse: most})
	case stability.Name:
		return stability.New(stability.Settings{MaxResponse: most})
	case falai.Name:
		return falai.New(falai.Settings{MaxResponse: most})
	}
	return b.besideOpenAI(v, most)
}

// besideOpenAI makes the provider of a vendor that has an API of its own beside OpenAI's, for one operation or two.
func (b *builder) besideOpenAI(v compat.Vendor, most int64) provider.Provider {
	chats := func(own provider.Provider, operations ...llm.Operation) provider.Provider {
		return provider.Split(b.compatible(v, most), own, operations...)
	}
	switch v.Name {
	case dashscope.Name, dashscope.Cloud, dashscope.Platform:
		return chats(dashscope.New(dashscope.Settings{Name: v.Name, MaxResponse: most}), llm.OpRerank, llm.OpImage)
	case deepinfra.Name:
		return chats(deepinfra.New(deepinfra.Settings{MaxResponse: most}), llm.OpRerank)
	case minimax.Name:
		return chats(minimax.New(minimax.Settings{MaxResponse: most}), llm.OpSpeech)
	case nvidia.Name:
		return chats(nvidia.New(nvidia.Settings{MaxResponse: most}), llm.OpRerank)
	case openrouter.Name:
		return chats(openrouter.New(openrouter.Settings{MaxResponse: most}), llm.OpImage)
	case snowflake.Name:
		return chats(snowflake.New(snowflake.Settings{MaxResponse: most}), llm.OpEmbedding)
	}
	return b.elsewhere(v, most)
}

// place completes the base of a deployment whose vendor has an address with settings in it. A base that the operator
// wrote counts more, with the endings replaced that stand for another API of the vendor. The error names the setting.
func place(d *llm.Deployment, v compat.Vendor) error {
	for _, swap := range v.BaseSwap {
		if root, ok := strings.CutSuffix(d.Base, swap.Name); ok {
			d.Base = root + swap.Value
		}
	}
	if d.Base != "" || v.Template == "" {
		return nil
	}
	base := v.Template
	for _, s := range v.Settings {
		value := d.Setting(s.Name)
		if value == "" && strings.Contains(base, "{"+s.Name+"}") {
			return fmt.Errorf("litellm_params.%s is missing%s", s.Name, provider.Variables(s.Vars))
		}
		base = strings.ReplaceAll(base, "{"+s.Name+"}", provider.EscapeModel(value))
	}
	d.Base = base
	return nil
}
