// Every streamed call twice: the second answer is the cache's, and equal. With OpenAI's and Anthropic's Node SDKs.
import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";

let headers;
const settings = {
  apiKey: process.env.GATEWAY_KEY,
  maxRetries: 0,
  fetch: async (...call) => {
    const response = await fetch(...call);
    headers = response.headers;
    return response;
  },
};
const gpt = new OpenAI({ ...settings, baseURL: process.env.GATEWAY_URL + "/v1" });
const claude = new Anthropic({ ...settings, baseURL: process.env.GATEWAY_URL });

const question = [{ role: "user", content: "How warm is it in Paris? Ask in Node." }];
const city = { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false };
const weather = { name: "get_weather", parameters: city, strict: true };

async function counted(events) {
  let count = 0;
  for await (const _ of events) count++;
  return count;
}

async function messages(model) {
  const events = claude.messages.stream({
    model,
    max_tokens: 2000,
    messages: question,
    tools: [{ name: "get_weather", input_schema: city }],
    thinking: { type: "enabled", budget_tokens: 1024 },
  });
  const count = await counted(events);
  const final = await events.finalMessage();
  const call = final.content.find((block) => block.type === "tool_use");
  return { final, count, said: `${call.name}(${call.input.city})` };
}

async function responses(model) {
  const events = gpt.responses.stream({ model, input: question, tools: [{ type: "function", ...weather }] });
  const count = await counted(events);
  const final = await events.finalResponse();
  const call = final.output.find((item) => item.type === "function_call");
  return { final, count, said: `${call.name}(${JSON.parse(call.arguments).city})` };
}

async function chat(model) {
  const events = gpt.chat.completions.stream({
    model,
    messages: question,
    tools: [{ type: "function", function: weather }],
    stream_options: { include_usage: true },
  });
  const count = await counted(events);
  const final = await events.finalChatCompletion();
  const [call] = final.choices[0].message.tool_calls;
  return { final, count, said: `${call.function.name}(${JSON.parse(call.function.arguments).city})` };
}

const namedAnew = (answer) =>
  JSON.parse(JSON.stringify(answer, (key, value) => (key === "id" || key === "created_at" ? undefined : value)));

async function twice(call, model) {
  const first = await call(model);
  assert(!headers.has("x-litellm-cache-key"), "the first answer is the cache's");
  const second = await call(model);
  assert(headers.has("x-litellm-cache-key"), "the second answer is not the cache's");
  assert(second.count > 0, "the second answer came without an event");
  if (call === responses && model === "open-model") {
    // The gateway keeps this response itself, for each request one, which goes on with its own id.
    await gpt.responses.create({ model, previous_response_id: second.final.id, input: "Thanks." });
    assert.deepEqual(namedAnew(second.final), namedAnew(first.final));
  } else {
    assert.deepEqual(second.final, first.final);
  }
  return `${first.said}, and the same again from the cache`;
}

for (const [call, model] of [
  [messages, "claude"],
  [messages, "open-model"],
  [responses, "gpt"],
  [responses, "open-model"],
  [chat, "gpt"],
]) {
  console.log(`${call.name} ${model}: ${await twice(call, model)}`);
}
