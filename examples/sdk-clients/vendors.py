"""The same conversation with every model of MODELS through OpenAI's, Anthropic's and Google's Python SDKs."""

import base64
import json
import os
from functools import partial

import anthropic
import openai
from google import genai
from google.genai import errors, types

gateway, key = os.environ["GATEWAY_URL"], os.environ["GATEWAY_KEY"]
gpt = openai.OpenAI(base_url=gateway + "/v1", api_key=key, max_retries=0)
claude = anthropic.Anthropic(base_url=gateway, api_key=key, max_retries=0)
gemini = genai.Client(api_key=key, http_options=types.HttpOptions(base_url=gateway))

QUESTION = "How warm is it in Paris?"
PICTURE = "iVBORw0KGgo="
STATUSES = 400, 403, 404, 429, 500
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}


class Chat:
    """OpenAI's chat completions."""

    def start(self):
        return [{"role": "user", "content": QUESTION}]

    def ask(self, model, messages, tools, stream):
        function = {"name": "weather", "description": "The temperature in a city.", "parameters": CITY, "strict": True}
        more = {"tools": [{"type": "function", "function": function}]} if tools else {}
        if not stream:
            answer = gpt.chat.completions.create(model=model, messages=messages, **more)
        else:
            more["stream_options"] = {"include_usage": True}
            with gpt.chat.completions.stream(model=model, messages=messages, **more) as events:
                pieces = sum(1 for event in events if event.type == "content.delta" and event.delta)
                answer = events.get_final_completion()
            assert tools or pieces == 2, f"the text came in {pieces} pieces"
        choice = answer.choices[0]
        calls = [(c.function.name, json.loads(c.function.arguments)) for c in choice.message.tool_calls or []]
        assert choice.finish_reason == ("tool_calls" if calls else "stop"), f"stopped for {choice.finish_reason}"
        return choice.message, choice.message.content, calls, answer.usage.prompt_tokens, answer.usage.completion_tokens

    def result(self, message):
        said = message.model_dump(exclude_none=True, include={"role", "content", "tool_calls"})
        for call in said["tool_calls"]:
            call["function"].pop("parsed_arguments", None)
        return [said, {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "21"}]

    def picture(self, model, text):
        content = [{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": "data:image/png;base64," + PICTURE}}]
        return gpt.chat.completions.create(model=model, messages=[{"role": "user", "content": content}]).choices[0].message.content

    def object(self, model, text):
        form = {"type": "json_schema", "json_schema": {"name": "city", "schema": CITY, "strict": True}}
        answer = gpt.chat.completions.create(model=model, messages=[{"role": "user", "content": text}], response_format=form)
        return answer.choices[0].message.content

    def thought(self, model, text):
        answer = gpt.chat.completions.create(model=model, messages=[{"role": "user", "content": text}], reasoning_effort="low")
        message = answer.choices[0].message.model_dump()
        # Vendors that speak OpenAI's API have their own name for it, which arrives as it came.
        return f"{message.get('reasoning_content') or message.get('reasoning')} {message['content']}"

    def refused(self, model, text):
        try:
            return gpt.chat.completions.create(model=model, messages=[{"role": "user", "content": text}])
        except openai.APIStatusError as error:
            assert error.body["message"], "an error without a message"
            return f"{type(error).__name__} {error.status_code}"


class Messages:
    """Anthropic's Messages API."""

    start = Chat.start

    def ask(self, model, messages, tools, stream):
        more = {"tools": [{"name": "weather", "description": "The temperature in a city.", "input_schema": CITY}]} if tools else {}
        if not stream:
            answer = claude.messages.create(model=model, max_tokens=2000, messages=messages, **more)
        else:
            with claude.messages.stream(model=model, max_tokens=2000, messages=messages, **more) as events:
                pieces = sum(1 for event in events if event.type == "text" and event.text)
                answer = events.get_final_message()
            assert tools or pieces == 2, f"the text came in {pieces} pieces"
        text = "".join(block.text for block in answer.content if block.type == "text")
        calls = [(block.name, block.input) for block in answer.content if block.type == "tool_use"]
        assert answer.stop_reason == ("tool_use" if calls else "end_turn"), f"stopped for {answer.stop_reason}"
        return answer, text, calls, answer.usage.input_tokens, answer.usage.output_tokens

    def result(self, message):
        (call,) = [block for block in message.content if block.type == "tool_use"]
        result = {"type": "tool_result", "tool_use_id": call.id, "content": "21"}
        return [{"role": "assistant", "content": message.content}, {"role": "user", "content": [result]}]

    def create(self, model, content, **more):
        return claude.messages.create(model=model, max_tokens=2000, messages=[{"role": "user", "content": content}], **more).content

    def picture(self, model, text):
        source = {"type": "base64", "media_type": "image/png", "data": PICTURE}
        return self.create(model, [{"type": "text", "text": text}, {"type": "image", "source": source}])[0].text

    def object(self, model, text):
        return self.create(model, text, output_config={"format": {"type": "json_schema", "schema": CITY}})[0].text

    def thought(self, model, text):
        thinking, said = self.create(model, text, thinking={"type": "enabled", "budget_tokens": 1024})
        return f"{thinking.thinking} {said.text}"

    def refused(self, model, text):
        try:
            return self.create(model, text)
        except anthropic.APIStatusError as error:
            assert error.body["error"]["message"], "an error without a message"
            return f"{type(error).__name__} {error.status_code}"


class Contents:
    """Google's generateContent."""

    def start(self):
        return [types.Content(role="user", parts=[types.Part(text=QUESTION)])]

    def ask(self, model, contents, tools, stream):
        city = types.Schema(type=types.Type.OBJECT, properties={"city": types.Schema(type=types.Type.STRING)}, required=["city"])
        function = types.FunctionDeclaration(name="weather", description="The temperature in a city.", parameters=city)
        config = types.GenerateContentConfig(
            max_output_tokens=2000, tools=[types.Tool(function_declarations=[function])] if tools else None
        )
        if not stream:
            answers = [gemini.models.generate_content(model=model, contents=contents, config=config)]
        else:
            answers = list(gemini.models.generate_content_stream(model=model, contents=contents, config=config))
        parts = [part for answer in answers for part in (answer.parts or [])]
        texts = [part.text for part in parts if part.text]
        assert tools or len(texts) == (2 if stream else 1), f"the text came in {len(texts)} pieces"
        calls = [(part.function_call.name, part.function_call.args) for part in parts if part.function_call]
        reason, usage = answers[-1].candidates[0].finish_reason, answers[-1].usage_metadata
        assert reason == types.FinishReason.STOP, f"stopped for {reason}"
        content = types.Content(role="model", parts=parts)
        return content, "".join(texts), calls, usage.prompt_token_count, usage.candidates_token_count

    def result(self, content):
        (call,) = [part.function_call for part in content.parts if part.function_call]
        result = types.FunctionResponse(id=call.id, name=call.name, response={"output": "21"})
        return [content, types.Content(role="user", parts=[types.Part(function_response=result)])]

    def generate(self, model, *parts, **config):
        contents = [types.Content(role="user", parts=list(parts))]
        return gemini.models.generate_content(model=model, contents=contents, config=types.GenerateContentConfig(**config))

    def picture(self, model, text):
        picture = types.Part.from_bytes(data=base64.b64decode(PICTURE), mime_type="image/png")
        return self.generate(model, types.Part(text=text), picture).text

    def object(self, model, text):
        return self.generate(model, types.Part(text=text), response_mime_type="application/json", response_json_schema=CITY).text

    def thought(self, model, text):
        thinking = types.ThinkingConfig(include_thoughts=True, thinking_budget=1024)
        thought, said = self.generate(model, types.Part(text=text), max_output_tokens=2000, thinking_config=thinking).parts
        assert thought.thought, "the first part is no thought"
        return f"{thought.text} {said.text}"

    def refused(self, model, text):
        try:
            return self.generate(model, types.Part(text=text))
        except errors.APIError as error:
            assert error.message, "an error without a message"
            return f"{error.status} {error.code}"


def asked(sdk, model):
    """What is no conversation: a picture, an answer by a schema, thoughts, and the vendor's refusals."""
    yield "picture", lambda: sdk.picture(model, "What is in the picture?")
    yield "object", lambda: sdk.object(model, "Name a city.")
    yield "thought", lambda: sdk.thought(model, "Think first.")
    yield "refused", lambda: ", ".join(sdk.refused(model, f"Refuse with {status}.") for status in STATUSES)


def converse(sdk, model, tools, stream):
    messages, line = sdk.start(), ""
    message, text, calls, prompt, completion = sdk.ask(model, messages, tools, stream)
    if tools:
        ((name, arguments),) = calls
        line = f"{name}({arguments['city']}) ({prompt} + {completion} tokens), "
        messages += sdk.result(message)
        _, text, calls, prompt, completion = sdk.ask(model, messages, tools, stream)
    assert not calls, "called again"
    return f"{line}{text} ({prompt} + {completion} tokens)"


for name, sdk in ("openai", Chat()), ("anthropic", Messages()), ("google", Contents()):
    for model in os.environ["MODELS"].split(","):
        steps = [
            (f"{'tools' if tools else 'chat'} {'streamed' if stream else 'whole'}", partial(converse, sdk, model, tools, stream))
            for tools in (False, True)
            for stream in (False, True)
        ]
        for step, call in steps + list(asked(sdk, model)):
            try:
                print(f"{name} {model} {step}: {call()}", flush=True)
            except Exception as error:
                # The other vendors are tried all the same.
                print(f"{name} {model} {step}: {type(error).__name__}: {error}", flush=True)
