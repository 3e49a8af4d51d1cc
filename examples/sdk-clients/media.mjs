// Moderations, images, audio, files and batches with the Node SDK, against OPENAI_BASE_URL with OPENAI_API_KEY.
import OpenAI, { toFile } from "openai";

const client = new OpenAI({ maxRetries: 0 });
const audio = () => toFile(Buffer.alloc(100_000, 7), "speech.wav");

const steps = {
  moderation: async () => `flagged ${(await client.moderations.create({ input: "bad" })).results[0].flagged}`,
  image: async () => {
    const { data, usage } = await client.images.generate({ model: "painter", prompt: "a cat" });
    return `${Buffer.from(data[0].b64_json, "base64")} (${usage.total_tokens} tokens)`;
  },
  edit: async () => {
    const image = await toFile(Buffer.from("picture"), "cat.png", { type: "image/png" });
    return (await client.images.edit({ model: "painter", prompt: "hat", image })).data[0].url;
  },
  speech: async () => {
    const response = await client.audio.speech.create({ model: "speaker", voice: "alloy", input: "hello" });
    return `${(await response.arrayBuffer()).byteLength} bytes of ${response.headers.get("content-type")}`;
  },
  transcription: async () =>
    (await client.audio.transcriptions.create({ model: "listener", language: "en", file: await audio() })).text,
  subtitles: async () => {
    const srt = await client.audio.transcriptions.create({
      model: "listener", language: "en", file: await audio(), response_format: "srt",
    });
    return `${srt.trim().split("\n").length} lines`;
  },
  "transcription stream": async () => {
    const types = [];
    const events = await client.audio.transcriptions.create({
      model: "listener", language: "en", file: await audio(), stream: true,
    });
    for await (const event of events) types.push(event.type);
    return types.join(" ");
  },
  "file and batch": async () => {
    const file = await client.files.create({ purpose: "batch", file: await toFile(Buffer.from("{}\n"), "in.jsonl") });
    const content = await (await client.files.content(file.id)).text();
    const batch = await client.batches.create({
      input_file_id: file.id, endpoint: "/v1/chat/completions", completion_window: "24h", metadata: { a: "b" },
    });
    const cancelled = await client.batches.cancel(batch.id);
    const gone = await client.files.delete(file.id);
    return `${JSON.stringify(content)} ${batch.status} ${JSON.stringify(batch.metadata)} ${cancelled.status} ${gone.deleted}`;
  },
  "missing file": async () => {
    try {
      await client.files.content("file-nobody");
    } catch (error) {
      return `${error.constructor.name} ${error.status}`;
    }
  },
};

for (const [name, step] of Object.entries(steps)) console.log(`${name}: ${await step()}`);
