// The Responses API with OpenAI's Node SDK, against OPENAI_BASE_URL with OPENAI_API_KEY.
import assert from "node:assert/strict";
import OpenAI, { BadRequestError, NotFoundError, RateLimitError } from "openai";

const client = new OpenAI({ maxRetries: 0 });
const model = "open-model";

function said(response) {
  assert.equal(response.status, "completed");
  const { input_tokens, output_tokens } = response.usage;
  return `${response.output_text} (${input_tokens} + ${output_tokens} tokens)`;
}

async function stream() {
  let count = 0;
  const events = client.responses.stream({ model, input: "Say hello." });
  events.on("response.output_text.delta", () => count++);
  const final = await events.finalResponse();
  assert(count >= 3, `the answer came in ${count} pieces, which is no stream`);
  return said(final);
}

async function tools() {
  const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
  const tools = [{ type: "function", name: "get_weather", parameters, strict: false }];
  const first = await client.responses.create({ model, input: "How warm is it in Paris?", tools });
  const call = first.output.find((item) => item.type === "function_call");
  const { city } = JSON.parse(call.arguments);
  const second = await client.responses.create({
    model,
    previous_response_id: first.id,
    input: [{ type: "function_call_output", call_id: call.call_id, output: "21" }],
    tools,
  });
  return `${call.name}(${city}): ${second.output_text}`;
}

async function stored() {
  const made = await client.responses.create({ model, input: "Say hello." });
  const again = await client.responses.retrieve(made.id);
  const items = await client.responses.inputItems.list(made.id);
  await client.responses.delete(made.id);
  await assert.rejects(client.responses.retrieve(made.id), NotFoundError);
  return `${again.output_text} (${items.data.length} input item)`;
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

const ask = (model) => client.responses.create({ model, input: "Say hello." });

const steps = {
  response: async () => said(await ask(model)),
  stream,
  tools,
  stored,
  "unknown model": () => refused(ask("no-such-model"), BadRequestError, 400),
  "upstream limit": () => refused(ask("open-model-limited"), RateLimitError, 429),
};

for (const [name, step] of Object.entries(steps)) {
  console.log(`${name}: ${await step()}`);
}
