"""Google's Python SDK, against GOOGLE_GEMINI_BASE_URL with GEMINI_API_KEY."""

import os

from google import genai
from google.genai import errors, types

URL = os.environ["GOOGLE_GEMINI_BASE_URL"]
MODEL = "open-model"
HELLO = "Say hello."


def connect(key):
    return genai.Client(api_key=key, http_options=types.HttpOptions(base_url=URL))


client = connect(os.environ["GEMINI_API_KEY"])


def said(text, response):
    reason = response.candidates[0].finish_reason
    assert reason == types.FinishReason.STOP, f"stopped for {reason}"
    usage = response.usage_metadata
    return f"{text} ({usage.prompt_token_count} + {usage.candidates_token_count} tokens)"


def content():
    response = client.models.generate_content(model=MODEL, contents=HELLO)
    return said(response.text, response)


def stream():
    text, count, last = "", 0, None
    for last in client.models.generate_content_stream(model=MODEL, contents=HELLO):
        count += 1
        text += last.text or ""
    assert count >= 3, f"the answer came in {count} pieces, which is no stream"
    return said(text, last)


def tools():
    function = types.FunctionDeclaration(
        name="get_weather",
        description="The temperature in a city.",
        parameters=types.Schema(
            type=types.Type.OBJECT, properties={"city": types.Schema(type=types.Type.STRING)}, required=["city"]
        ),
    )
    config = types.GenerateContentConfig(tools=[types.Tool(function_declarations=[function])])
    contents = [types.Content(role="user", parts=[types.Part(text="How warm is it in Paris?")])]
    first = client.models.generate_content(model=MODEL, contents=contents, config=config)
    (call,) = first.function_calls
    result = types.FunctionResponse(id=call.id, name=call.name, response={"output": 21})
    contents += [first.candidates[0].content, types.Content(role="user", parts=[types.Part(function_response=result)])]
    second = client.models.generate_content(model=MODEL, contents=contents, config=config)
    said_back = second.text.replace('": ', '":')  # the SDK writes JSON with spaces
    return f"{call.name}({call.args['city']}): {said_back}"


def chat():
    conversation = client.chats.create(model=MODEL)
    conversation.send_message(HELLO)
    conversation.send_message(HELLO)
    return f"{len(conversation.get_history())} messages"


def count():
    return f"{client.models.count_tokens(model=MODEL, contents=HELLO).total_tokens} tokens"


def refused(status, model, caller=client):
    try:
        caller.models.generate_content(model=model, contents=HELLO)
    except errors.ClientError as error:
        assert error.code == status, f"status {error.code}, want {status}"
        assert error.message, "an error without a message"
        return f"refused with {status}, {error.status}"
    raise AssertionError("got an answer, want an error")


STEPS = {
    "content": content,
    "stream": stream,
    "tools": tools,
    "chat": chat,
    "count": count,
    "bad key": lambda: refused(401, MODEL, connect("wrong-key")),
    "unknown model": lambda: refused(400, "no-such-model"),
    "upstream limit": lambda: refused(429, "open-model-limited"),
}

for name, step in STEPS.items():
    print(f"{name}: {step()}", flush=True)
