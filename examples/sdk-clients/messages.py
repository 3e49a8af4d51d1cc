"""Anthropic's Python SDK, against ANTHROPIC_BASE_URL with ANTHROPIC_API_KEY."""

import anthropic

client = anthropic.Anthropic(max_retries=0)
MODEL = "open-model"
HELLO = [{"role": "user", "content": "Say hello."}]


def said(message):
    text = "".join(block.text for block in message.content if block.type == "text")
    assert message.stop_reason == "end_turn", f"stopped for {message.stop_reason}"
    return f"{text} ({message.usage.input_tokens} + {message.usage.output_tokens} tokens)"


def message():
    return said(client.messages.create(model=MODEL, max_tokens=100, messages=HELLO))


def stream():
    count = 0
    with client.messages.stream(model=MODEL, max_tokens=100, messages=HELLO) as events:
        for _ in events.text_stream:
            count += 1
        final = events.get_final_message()
    assert count >= 3, f"the answer came in {count} pieces, which is no stream"
    return said(final)


def tools():
    messages = [{"role": "user", "content": "How warm is it in Paris?"}]
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    offered = [{"name": "get_weather", "description": "The temperature in a city.", "input_schema": schema}]
    first = client.messages.create(model=MODEL, max_tokens=100, messages=messages, tools=offered)
    (call,) = [block for block in first.content if block.type == "tool_use"]
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "21"}
    messages += [{"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
    second = client.messages.create(model=MODEL, max_tokens=100, messages=messages, tools=offered)
    return f"{call.name}({call.input['city']}): {second.content[0].text}"


def count():
    return f"{client.messages.count_tokens(model=MODEL, messages=HELLO).input_tokens} tokens"


def batch():
    """The Message Batches are Anthropic's own, below the path where its API is passed on."""
    batches = client.with_options(base_url=str(client.base_url).rstrip("/") + "/anthropic").messages.batches
    ask = {"custom_id": "one", "params": {"model": "claude-sonnet-4-5", "max_tokens": 100, "messages": HELLO}}
    made = batches.create(requests=[ask])
    found = batches.retrieve(made.id)
    cancelled = batches.cancel(made.id)
    (one,) = batches.results(made.id)
    texts = f"{one.custom_id}: {one.result.message.content[0].text}"
    return f"{made.processing_status} {found.processing_status} {cancelled.processing_status}, {texts}"


def refused(kind, status, model, key=None):
    caller = client.with_options(api_key=key) if key else client
    try:
        caller.messages.create(model=model, max_tokens=100, messages=HELLO)
    except kind as error:
        assert error.status_code == status, f"status {error.status_code}, want {status}"
        assert error.body["error"]["message"], "an error without a message"
        return f"refused with {status}, {error.body['error']['type']}"
    raise AssertionError(f"got an answer, want {kind.__name__}")


STEPS = {
    "message": message,
    "stream": stream,
    "tools": tools,
    "count": count,
    "batch": batch,
    "bad key": lambda: refused(anthropic.AuthenticationError, 401, MODEL, key="wrong-key"),
    "unknown model": lambda: refused(anthropic.BadRequestError, 400, "no-such-model"),
    "upstream limit": lambda: refused(anthropic.RateLimitError, 429, "open-model-limited"),
}

for name, step in STEPS.items():
    print(f"{name}: {step()}", flush=True)
