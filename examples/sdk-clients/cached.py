"""Every streamed call twice: the second answer is the cache's, and equal. With OpenAI's and Anthropic's Python SDKs."""

import json
import os

import anthropic
import httpx2
import openai

headers = {}
http = httpx2.Client(event_hooks={"response": [lambda response: headers.update(last=response.headers)]})
gateway, key = os.environ["GATEWAY_URL"], os.environ["GATEWAY_KEY"]
gpt = openai.OpenAI(base_url=gateway + "/v1", api_key=key, max_retries=0, http_client=http)
claude = anthropic.Anthropic(base_url=gateway, api_key=key, max_retries=0, http_client=http)

QUESTION = [{"role": "user", "content": "How warm is it in Paris? Ask in Python."}]
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}
WEATHER = {"name": "get_weather", "parameters": CITY, "strict": True}


def messages(model):
    tool = {"name": "get_weather", "input_schema": CITY}
    thinking = {"type": "enabled", "budget_tokens": 1024}
    with claude.messages.stream(model=model, max_tokens=2000, messages=QUESTION, tools=[tool], thinking=thinking) as events:
        count = sum(1 for _ in events)
        final = events.get_final_message()
    (call,) = [block for block in final.content if block.type == "tool_use"]
    return final, count, call.name, call.input["city"]


def responses(model):
    with gpt.responses.stream(model=model, input=QUESTION, tools=[{"type": "function", **WEATHER}]) as events:
        count = sum(1 for _ in events)
        final = events.get_final_response()
    (call,) = [item for item in final.output if item.type == "function_call"]
    return final, count, call.name, json.loads(call.arguments)["city"]


def chat(model):
    tools, usage = [{"type": "function", "function": WEATHER}], {"include_usage": True}
    with gpt.chat.completions.stream(model=model, messages=QUESTION, tools=tools, stream_options=usage) as events:
        count = sum(1 for _ in events)
        final = events.get_final_completion()
    (call,) = final.choices[0].message.tool_calls
    return final, count, call.function.name, json.loads(call.function.arguments)["city"]


def named_anew(value):
    if isinstance(value, dict):
        return {key: named_anew(inner) for key, inner in value.items() if key not in ("id", "created_at")}
    return [named_anew(inner) for inner in value] if isinstance(value, list) else value


def twice(call, model):
    first, _, name, city = call(model)
    assert "x-litellm-cache-key" not in headers["last"], "the first answer is the cache's"
    second, count, *_ = call(model)
    assert "x-litellm-cache-key" in headers["last"], "the second answer is not the cache's"
    assert count > 0, "the second answer came without an event"
    a, b = first.model_dump(), second.model_dump()
    if (call, model) == (responses, "open-model"):
        # The gateway keeps this response itself, for each request one, which goes on with its own id.
        gpt.responses.create(model=model, previous_response_id=second.id, input="Thanks.")
        a, b = named_anew(a), named_anew(b)
    assert a == b, f"the answers differ:\n{a}\n{b}"
    return f"{name}({city}), and the same again from the cache"


for call, model in (messages, "claude"), (messages, "open-model"), (responses, "gpt"), (responses, "open-model"), (chat, "gpt"):
    print(f"{call.__name__} {model}: {twice(call, model)}", flush=True)
