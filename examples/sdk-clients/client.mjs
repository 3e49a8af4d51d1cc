// The example with the Node SDK, against OPENAI_BASE_URL with OPENAI_API_KEY.
import assert from "node:assert/strict";
import OpenAI, { AuthenticationError, BadRequestError, RateLimitError } from "openai";

const client = new OpenAI({ maxRetries: 0 });
const hello = [{ role: "user", content: "Say hello." }];

const said = (text, usage) => `${text} (${usage.prompt_tokens} + ${usage.completion_tokens} tokens)`;

async function chat() {
  const completion = await client.chat.completions.create({ model: "gpt-4o", messages: hello });
  return said(completion.choices[0].message.content, completion.usage);
}

async function stream() {
  const chunks = await client.chat.completions.create({
    model: "gpt-4o",
    messages: hello,
    stream: true,
    stream_options: { include_usage: true },
  });
  let text = "";
  let usage;
  let count = 0;
  for await (const chunk of chunks) {
    count++;
    text += chunk.choices[0]?.delta?.content ?? "";
    usage = chunk.usage ?? usage;
  }
  assert(count >= 3, `the answer came in ${count} pieces, which is no stream`);
  return said(text, usage);
}

async function tools() {
  const messages = [{ role: "user", content: "How warm is it in Paris?" }];
  const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
  const tools = [
    { type: "function", function: { name: "get_weather", description: "The temperature in a city.", parameters } },
  ];
  const first = await client.chat.completions.create({ model: "gpt-4o", messages, tools });
  const message = first.choices[0].message;
  assert.equal(message.tool_calls.length, 1);
  const call = message.tool_calls[0];
  const { city } = JSON.parse(call.function.arguments);
  messages.push(message, { role: "tool", tool_call_id: call.id, content: "21" });
  const second = await client.chat.completions.create({ model: "gpt-4o", messages, tools });
  return `${call.function.name}(${city}): ${second.choices[0].message.content}`;
}

async function embeddings() {
  const { data } = await client.embeddings.create({ model: "text-embedding-3-small", input: ["one", "two"] });
  const first = data[0].embedding;
  return `${data.length} vectors of ${first.length}, the first begins with ${first[0]}`;
}

async function models() {
  const names = [];
  for await (const model of client.models.list()) names.push(model.id);
  const one = await client.models.retrieve("gpt-4o");
  assert.equal(one.id, "gpt-4o");
  return names.sort().join(", ");
}

async function refused(call, kind, status) {
  await assert.rejects(call, (error) => {
    assert(error instanceof kind, `got ${error.constructor.name}, want ${kind.name}: ${error}`);
    assert.equal(error.status, status);
    assert(error.error.message, "an error without a message");
    return true;
  });
  return `refused with ${status}`;
}

const ask = (sdk, model) => sdk.chat.completions.create({ model, messages: hello });

const steps = {
  chat,
  stream,
  tools,
  embeddings,
  models,
  "bad key": () => refused(ask(client.withOptions({ apiKey: "wrong-key" }), "gpt-4o"), AuthenticationError, 401),
  "unknown model": () => refused(ask(client, "no-such-model"), BadRequestError, 400),
  "upstream limit": () => refused(ask(client, "gpt-4o-limited"), RateLimitError, 429),
};

for (const [name, step] of Object.entries(steps)) {
  console.log(`${name}: ${await step()}`);
}
