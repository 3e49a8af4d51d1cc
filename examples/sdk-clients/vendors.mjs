// The same conversation with every model of MODELS through OpenAI's, Anthropic's and Google's Node SDKs.
import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";
import { ApiError, GoogleGenAI } from "@google/genai";
import OpenAI from "openai";

const { GATEWAY_URL: gateway, GATEWAY_KEY: apiKey, MODELS } = process.env;
const gpt = new OpenAI({ baseURL: `${gateway}/v1`, apiKey, maxRetries: 0 });
const claude = new Anthropic({ baseURL: gateway, apiKey, maxRetries: 0 });
const gemini = new GoogleGenAI({ apiKey, httpOptions: { baseUrl: gateway } });

const question = "How warm is it in Paris?";
const picture = "iVBORw0KGgo=";
const statuses = [400, 403, 404, 429, 500];
const name = "weather";
const description = "The temperature in a city.";
const city = { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false };

// OpenAI's chat completions.
const chat = {
  start: () => [{ role: "user", content: question }],
  async ask(model, messages, tools, stream) {
    const request = { model, messages };
    if (tools) request.tools = [{ type: "function", function: { name, description, parameters: city, strict: true } }];
    let answer;
    if (stream) {
      let pieces = 0;
      const events = gpt.chat.completions.stream({ ...request, stream_options: { include_usage: true } });
      events.on("content.delta", ({ delta }) => (pieces += delta ? 1 : 0));
      answer = await events.finalChatCompletion();
      assert(tools || pieces === 2, `the text came in ${pieces} pieces`);
    } else {
      answer = await gpt.chat.completions.create(request);
    }
    const [{ message, finish_reason }] = answer.choices;
    const calls = (message.tool_calls ?? []).map((c) => ({ name: c.function.name, args: JSON.parse(c.function.arguments) }));
    assert.equal(finish_reason, calls.length > 0 ? "tool_calls" : "stop");
    const { prompt_tokens: prompt, completion_tokens: completion } = answer.usage;
    return { message, text: message.content, calls, prompt, completion };
  },
  result: (message) => [message, { role: "tool", tool_call_id: message.tool_calls[0].id, content: "21" }],
  async say(model, content, more) {
    const { choices } = await gpt.chat.completions.create({ model, messages: [{ role: "user", content }], ...more });
    return choices[0].message;
  },
  async picture(model, text) {
    const image_url = { url: `data:image/png;base64,${picture}` };
    return (await this.say(model, [{ type: "text", text }, { type: "image_url", image_url }])).content;
  },
  async object(model, text) {
    const json_schema = { name: "city", schema: city, strict: true };
    return (await this.say(model, text, { response_format: { type: "json_schema", json_schema } })).content;
  },
  async thought(model, text) {
    const message = await this.say(model, text, { reasoning_effort: "low" });
    // Vendors that speak OpenAI's API have their own name for it, which arrives as it came.
    return `${message.reasoning_content ?? message.reasoning} ${message.content}`;
  },
  refused: (model, text) => chat.say(model, text).catch(refusal(OpenAI.APIError)),
};

// Anthropic's Messages API.
const messages = {
  start: chat.start,
  async ask(model, messages, tools, stream) {
    const request = { model, messages, max_tokens: 2000 };
    if (tools) request.tools = [{ name, description, input_schema: city }];
    let answer;
    if (stream) {
      let pieces = 0;
      answer = await claude.messages.stream(request).on("text", (delta) => (pieces += delta ? 1 : 0)).finalMessage();
      assert(tools || pieces === 2, `the text came in ${pieces} pieces`);
    } else {
      answer = await claude.messages.create(request);
    }
    const text = answer.content.map((block) => block.text ?? "").join("");
    const calls = answer.content.filter((block) => block.type === "tool_use").map((c) => ({ name: c.name, args: c.input }));
    assert.equal(answer.stop_reason, calls.length > 0 ? "tool_use" : "end_turn");
    const { input_tokens: prompt, output_tokens: completion } = answer.usage;
    return { message: answer, text, calls, prompt, completion };
  },
  result({ content }) {
    const call = content.find((block) => block.type === "tool_use");
    return [
      { role: "assistant", content },
      { role: "user", content: [{ type: "tool_result", tool_use_id: call.id, content: "21" }] },
    ];
  },
  async say(model, content, more) {
    return (await claude.messages.create({ model, max_tokens: 2000, messages: [{ role: "user", content }], ...more })).content;
  },
  async picture(model, text) {
    const source = { type: "base64", media_type: "image/png", data: picture };
    return (await this.say(model, [{ type: "text", text }, { type: "image", source }]))[0].text;
  },
  async object(model, text) {
    return (await this.say(model, text, { output_config: { format: { type: "json_schema", schema: city } } }))[0].text;
  },
  async thought(model, text) {
    const [thinking, said] = await this.say(model, text, { thinking: { type: "enabled", budget_tokens: 1024 } });
    return `${thinking.thinking} ${said.text}`;
  },
  refused: (model, text) => messages.say(model, text).catch(refusal(Anthropic.APIError)),
};

// Google's generateContent.
const contents = {
  start: () => [{ role: "user", parts: [{ text: question }] }],
  async ask(model, contents, tools, stream) {
    const config = { maxOutputTokens: 2000 };
    const parameters = { type: "OBJECT", properties: { city: { type: "STRING" } }, required: ["city"] };
    if (tools) config.tools = [{ functionDeclarations: [{ name, description, parameters }] }];
    const request = { model, contents, config };
    const answers = [];
    if (stream) {
      for await (const answer of await gemini.models.generateContentStream(request)) answers.push(answer);
    } else {
      answers.push(await gemini.models.generateContent(request));
    }
    const parts = answers.flatMap((answer) => answer.candidates?.[0]?.content?.parts ?? []);
    const texts = parts.map((part) => part.text).filter(Boolean);
    assert(tools || texts.length === (stream ? 2 : 1), `the text came in ${texts.length} pieces`);
    const calls = parts.flatMap((part) => part.functionCall ?? []);
    const { candidates, usageMetadata: used } = answers.at(-1);
    assert.equal(candidates[0].finishReason, "STOP");
    const [prompt, completion] = [used.promptTokenCount, used.candidatesTokenCount];
    return { message: { role: "model", parts }, text: texts.join(""), calls, prompt, completion };
  },
  result(content) {
    const { functionCall: call } = content.parts.find((part) => part.functionCall);
    const functionResponse = { id: call.id, name: call.name, response: { output: "21" } };
    return [content, { role: "user", parts: [{ functionResponse }] }];
  },
  async say(model, parts, config) {
    const answer = await gemini.models.generateContent({ model, contents: [{ role: "user", parts }], config });
    return answer.candidates[0].content.parts;
  },
  async picture(model, text) {
    return (await this.say(model, [{ text }, { inlineData: { mimeType: "image/png", data: picture } }]))[0].text;
  },
  async object(model, text) {
    return (await this.say(model, [{ text }], { responseMimeType: "application/json", responseJsonSchema: city }))[0].text;
  },
  async thought(model, text) {
    const thinkingConfig = { includeThoughts: true, thinkingBudget: 1024 };
    const [thought, said] = await this.say(model, [{ text }], { maxOutputTokens: 2000, thinkingConfig });
    assert(thought.thought, "the first part is no thought");
    return `${thought.text} ${said.text}`;
  },
  async refused(model, text) {
    const error = await this.say(model, [{ text }]).catch((error) => error);
    assert(error instanceof ApiError, String(error));
    return `${JSON.parse(error.message).error.status} ${error.status}`;
  },
};

// What is found of an error of the kind: the name of its class and its status.
function refusal(kind) {
  return (error) => {
    assert(error instanceof kind, String(error));
    return `${error.constructor.name} ${error.status}`;
  };
}

// What is no conversation: a picture, an answer by a schema, thoughts, and the vendor's refusals.
const asked = (sdk, model) => ({
  picture: () => sdk.picture(model, "What is in the picture?"),
  object: () => sdk.object(model, "Name a city."),
  thought: () => sdk.thought(model, "Think first."),
  async refused() {
    const found = [];
    for (const status of statuses) found.push(await sdk.refused(model, `Refuse with ${status}.`));
    return found.join(", ");
  },
});

async function converse(sdk, model, tools, stream) {
  const history = sdk.start();
  const used = ({ prompt, completion }) => `(${prompt} + ${completion} tokens)`;
  let line = "";
  let answer = await sdk.ask(model, history, tools, stream);
  if (tools) {
    assert.equal(answer.calls.length, 1);
    line = `${answer.calls[0].name}(${answer.calls[0].args.city}) ${used(answer)}, `;
    history.push(...sdk.result(answer.message));
    answer = await sdk.ask(model, history, tools, stream);
  }
  assert.equal(answer.calls.length, 0, "called again");
  return `${line}${answer.text} ${used(answer)}`;
}

for (const [sdk, api] of Object.entries({ openai: chat, anthropic: messages, google: contents })) {
  for (const model of MODELS.split(",")) {
    const steps = {};
    for (const tools of [false, true]) {
      for (const stream of [false, true]) {
        steps[`${tools ? "tools" : "chat"} ${stream ? "streamed" : "whole"}`] = () => converse(api, model, tools, stream);
      }
    }
    for (const [step, call] of Object.entries({ ...steps, ...asked(api, model) })) {
      // A failure is a line too: the other vendors are tried all the same.
      console.log(`${sdk} ${model} ${step}: ${await call().catch(String)}`);
    }
  }
}
