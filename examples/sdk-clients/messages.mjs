// Anthropic's Node SDK, against ANTHROPIC_BASE_URL with ANTHROPIC_API_KEY.
import assert from "node:assert/strict";
import Anthropic, { AuthenticationError, BadRequestError, RateLimitError } from "@anthropic-ai/sdk";

const client = new Anthropic({ maxRetries: 0 });
const model = "open-model";
const hello = [{ role: "user", content: "Say hello." }];
const max_tokens = 100;

function said(message) {
  assert.equal(message.stop_reason, "end_turn");
  const text = message.content.map((block) => block.text ?? "").join("");
  return `${text} (${message.usage.input_tokens} + ${message.usage.output_tokens} tokens)`;
}

async function stream() {
  let count = 0;
  const events = client.messages.stream({ model, max_tokens, messages: hello }).on("text", () => count++);
  const final = await events.finalMessage();
  assert(count >= 3, `the answer came in ${count} pieces, which is no stream`);
  return said(final);
}

async function tools() {
  const messages = [{ role: "user", content: "How warm is it in Paris?" }];
  const input_schema = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
  const tools = [{ name: "get_weather", description: "The temperature in a city.", input_schema }];
  const first = await client.messages.create({ model, max_tokens, messages, tools });
  const call = first.content.find((block) => block.type === "tool_use");
  messages.push(
    { role: "assistant", content: first.content },
    { role: "user", content: [{ type: "tool_result", tool_use_id: call.id, content: "21" }] },
  );
  const second = await client.messages.create({ model, max_tokens, messages, tools });
  return `${call.name}(${call.input.city}): ${second.content[0].text}`;
}

async function count() {
  const { input_tokens } = await client.messages.countTokens({ model, messages: hello });
  return `${input_tokens} tokens`;
}

async function refused(call, kind, status) {
  let type;
  await assert.rejects(call, (error) => {
    assert(error instanceof kind, `got ${error.constructor.name}, want ${kind.name}: ${error}`);
    assert.equal(error.status, status);
    assert(error.error.error.message, "an error without a message");
    type = error.error.error.type;
    return true;
  });
  return `refused with ${status}, ${type}`;
}

// The Message Batches are Anthropic's own, below the path where its API is passed on.
async function batch() {
  const { batches } = client.withOptions({ baseURL: `${client.baseURL}/anthropic` }).messages;
  const params = { model: "claude-sonnet-4-5", max_tokens, messages: hello };
  const made = await batches.create({ requests: [{ custom_id: "one", params }] });
  const found = await batches.retrieve(made.id);
  const cancelled = await batches.cancel(made.id);
  const statuses = [made, found, cancelled].map((b) => b.processing_status).join(" ");
  const texts = [];
  for await (const one of await batches.results(made.id)) {
    texts.push(`${one.custom_id}: ${one.result.message.content[0].text}`);
  }
  return `${statuses}, ${texts.join(" ")}`;
}

const ask = (sdk, model) => sdk.messages.create({ model, max_tokens, messages: hello });

const steps = {
  message: async () => said(await ask(client, model)),
  stream,
  tools,
  count,
  batch,
  "bad key": () => refused(ask(client.withOptions({ apiKey: "wrong-key" }), model), AuthenticationError, 401),
  "unknown model": () => refused(ask(client, "no-such-model"), BadRequestError, 400),
  "upstream limit": () => refused(ask(client, "open-model-limited"), RateLimitError, 429),
};

for (const [name, step] of Object.entries(steps)) {
  console.log(`${name}: ${await step()}`);
}
