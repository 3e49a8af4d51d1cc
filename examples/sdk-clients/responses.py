"""The Responses API with OpenAI's Python SDK, against OPENAI_BASE_URL with OPENAI_API_KEY."""

import json

import openai

client = openai.OpenAI(max_retries=0)
MODEL = "open-model"


def said(response):
    assert response.status == "completed", f"the response is {response.status}"
    return f"{response.output_text} ({response.usage.input_tokens} + {response.usage.output_tokens} tokens)"


def response():
    return said(client.responses.create(model=MODEL, input="Say hello."))


def stream():
    count = 0
    with client.responses.stream(model=MODEL, input="Say hello.") as events:
        for event in events:
            count += event.type == "response.output_text.delta"
        final = events.get_final_response()
    assert count >= 3, f"the answer came in {count} pieces, which is no stream"
    return said(final)


def tools():
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    offered = [{"type": "function", "name": "get_weather", "parameters": parameters, "strict": False}]
    first = client.responses.create(model=MODEL, input="How warm is it in Paris?", tools=offered)
    (call,) = [item for item in first.output if item.type == "function_call"]
    city = json.loads(call.arguments)["city"]
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "21"}
    second = client.responses.create(model=MODEL, previous_response_id=first.id, input=[result], tools=offered)
    return f"{call.name}({city}): {second.output_text}"


def stored():
    made = client.responses.create(model=MODEL, input="Say hello.")
    again = client.responses.retrieve(made.id)
    items = client.responses.input_items.list(made.id)
    client.responses.delete(made.id)
    try:
        client.responses.retrieve(made.id)
    except openai.NotFoundError:
        return f"{again.output_text} ({len(items.data)} input item)"
    raise AssertionError("the response is still there")


def refused(kind, status, model):
    try:
        client.responses.create(model=model, input="Say hello.")
    except kind as error:
        assert error.status_code == status, f"status {error.status_code}, want {status}"
        assert error.body["message"], "an error without a message"
        return f"refused with {status}"
    raise AssertionError(f"got an answer, want {kind.__name__}")


STEPS = {
    "response": response,
    "stream": stream,
    "tools": tools,
    "stored": stored,
    "unknown model": lambda: refused(openai.BadRequestError, 400, "no-such-model"),
    "upstream limit": lambda: refused(openai.RateLimitError, 429, "open-model-limited"),
}

for name, step in STEPS.items():
    print(f"{name}: {step()}", flush=True)
