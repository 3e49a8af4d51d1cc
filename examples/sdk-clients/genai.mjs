// Google's Node SDK, against GOOGLE_GEMINI_BASE_URL with GEMINI_API_KEY.
import assert from "node:assert/strict";
import { ApiError, GoogleGenAI } from "@google/genai";

const baseUrl = process.env.GOOGLE_GEMINI_BASE_URL;
const connect = (apiKey) => new GoogleGenAI({ apiKey, httpOptions: { baseUrl } });
const client = connect(process.env.GEMINI_API_KEY);
const model = "open-model";
const hello = "Say hello.";

function said(text, { candidates, usageMetadata: used }) {
  assert.equal(candidates[0].finishReason, "STOP");
  return `${text} (${used.promptTokenCount} + ${used.candidatesTokenCount} tokens)`;
}

async function content() {
  const response = await client.models.generateContent({ model, contents: hello });
  return said(response.text, response);
}

async function stream() {
  let text = "", count = 0, last;
  for await (const chunk of await client.models.generateContentStream({ model, contents: hello })) {
    count++;
    text += chunk.text ?? "";
    last = chunk;
  }
  assert(count >= 3, `the answer came in ${count} pieces, which is no stream`);
  return said(text, last);
}

async function tools() {
  const parameters = { type: "OBJECT", properties: { city: { type: "STRING" } }, required: ["city"] };
  const functionDeclarations = [{ name: "get_weather", description: "The temperature in a city.", parameters }];
  const config = { tools: [{ functionDeclarations }] };
  const contents = [{ role: "user", parts: [{ text: "How warm is it in Paris?" }] }];
  const first = await client.models.generateContent({ model, contents, config });
  const [call] = first.functionCalls;
  const functionResponse = { id: call.id, name: call.name, response: { output: 21 } };
  contents.push(first.candidates[0].content, { role: "user", parts: [{ functionResponse }] });
  const second = await client.models.generateContent({ model, contents, config });
  return `${call.name}(${call.args.city}): ${second.text}`;
}

async function chat() {
  const conversation = client.chats.create({ model });
  await conversation.sendMessage({ message: hello });
  await conversation.sendMessage({ message: hello });
  return `${conversation.getHistory().length} messages`;
}

async function count() {
  const { totalTokens } = await client.models.countTokens({ model, contents: hello });
  return `${totalTokens} tokens`;
}

async function refused(sdk, model, status) {
  let word;
  await assert.rejects(sdk.models.generateContent({ model, contents: hello }), (error) => {
    assert(error instanceof ApiError, `got ${error.constructor.name}: ${error}`);
    assert.equal(error.status, status);
    word = JSON.parse(error.message).error.status;
    return true;
  });
  return `refused with ${status}, ${word}`;
}

const steps = {
  content,
  stream,
  tools,
  chat,
  count,
  "bad key": () => refused(connect("wrong-key"), model, 401),
  "unknown model": () => refused(client, "no-such-model", 400),
  "upstream limit": () => refused(client, "open-model-limited", 429),
};

for (const [name, step] of Object.entries(steps)) {
  console.log(`${name}: ${await step()}`);
}
