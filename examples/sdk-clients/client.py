"""The example with the Python SDK, against OPENAI_BASE_URL with OPENAI_API_KEY."""

import json

import openai

client = openai.OpenAI(max_retries=0)
HELLO = [{"role": "user", "content": "Say hello."}]


def said(text, usage):
    return f"{text} ({usage.prompt_tokens} + {usage.completion_tokens} tokens)"


def chat():
    completion = client.chat.completions.create(model="gpt-4o", messages=HELLO)
    return said(completion.choices[0].message.content, completion.usage)


def stream():
    chunks = client.chat.completions.create(
        model="gpt-4o", messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    text, usage, count = "", None, 0
    for chunk in chunks:
        count += 1
        if chunk.choices:
            text += chunk.choices[0].delta.content or ""
        usage = chunk.usage or usage
    assert count >= 3, f"the answer came in {count} pieces, which is no stream"
    return said(text, usage)


def tools():
    messages = [{"role": "user", "content": "How warm is it in Paris?"}]
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    function = {"name": "get_weather", "description": "The temperature in a city.", "parameters": parameters}
    offered = [{"type": "function", "function": function}]
    first = client.chat.completions.create(model="gpt-4o", messages=messages, tools=offered)
    message = first.choices[0].message
    (call,) = message.tool_calls
    city = json.loads(call.function.arguments)["city"]
    messages += [message, {"role": "tool", "tool_call_id": call.id, "content": "21"}]
    second = client.chat.completions.create(model="gpt-4o", messages=messages, tools=offered)
    return f"{call.function.name}({city}): {second.choices[0].message.content}"


def embeddings():
    data = client.embeddings.create(model="text-embedding-3-small", input=["one", "two"]).data
    first = data[0].embedding
    return f"{len(data)} vectors of {len(first)}, the first begins with {first[0]:g}"


def models():
    names = sorted(model.id for model in client.models.list())
    assert client.models.retrieve("gpt-4o").id == "gpt-4o"
    return ", ".join(names)


def refused(kind, status, model, key=None):
    caller = client.with_options(api_key=key) if key else client
    try:
        caller.chat.completions.create(model=model, messages=HELLO)
    except kind as error:
        assert error.status_code == status, f"status {error.status_code}, want {status}"
        assert error.body["message"], "an error without a message"
        return f"refused with {status}"
    raise AssertionError(f"got an answer, want {kind.__name__}")


STEPS = {
    "chat": chat,
    "stream": stream,
    "tools": tools,
    "embeddings": embeddings,
    "models": models,
    "bad key": lambda: refused(openai.AuthenticationError, 401, "gpt-4o", key="wrong-key"),
    "unknown model": lambda: refused(openai.BadRequestError, 400, "no-such-model"),
    "upstream limit": lambda: refused(openai.RateLimitError, 429, "gpt-4o-limited"),
}

for name, step in STEPS.items():
    print(f"{name}: {step()}", flush=True)
