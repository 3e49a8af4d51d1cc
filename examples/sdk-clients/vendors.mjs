// The same conversation with every model of MODELS through OpenAI's, Anthropic's and Google's Node SDKs.
import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";
import { GoogleGenAI } from "@google/genai";
import OpenAI from "openai";

const { GATEWAY_URL: gateway, GATEWAY_KEY: apiKey, MODELS } = process.env;
const gpt = new OpenAI({ baseURL: `${gateway}/v1`, apiKey, maxRetries: 0 });
const claude = new Anthropic({ baseURL: gateway, apiKey, maxRetries: 0 });
const gemini = new GoogleGenAI({ apiKey, httpOptions: { baseUrl: gateway } });

const question = "How warm is it in Paris?";
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
};

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
    for (const tools of [false, true]) {
      for (const stream of [false, true]) {
        const step = `${sdk} ${model} ${tools ? "tools" : "chat"} ${stream ? "streamed" : "whole"}`;
        // A failure is a line too: the other vendors are tried all the same.
        console.log(`${step}: ${await converse(api, model, tools, stream).catch(String)}`);
      }
    }
  }
}
