// What vendors store and run, with the Node SDK, against OPENAI_BASE_URL with OPENAI_API_KEY.
import OpenAI from "openai";
import { OpenAIRealtimeWS } from "openai/realtime/ws";

const client = new OpenAI({ maxRetries: 0 });

const steps = {
  "fine tuning": async () => {
    const job = await client.fineTuning.jobs.create({ model: "gpt-4.1-mini", training_file: "file-1" });
    const events = await client.fineTuning.jobs.listEvents(job.id);
    const cancelled = await client.fineTuning.jobs.cancel(job.id);
    return `${job.status} ${events.data[0].message} ${cancelled.status}`;
  },
  assistant: async () => {
    const made = await client.beta.assistants.create({ model: "gpt-4.1-mini", name: "helper" });
    const thread = await client.beta.threads.create();
    await client.beta.threads.messages.create(thread.id, { role: "user", content: "Say hello." });
    let text = "";
    for await (const event of await client.beta.threads.runs.create(thread.id, { assistant_id: made.id, stream: true })) {
      if (event.event === "thread.message.delta") text += event.data.delta.content[0].text.value;
    }
    return `${made.name}: ${text} ${(await client.beta.assistants.delete(made.id)).deleted}`;
  },
  "vector store": async () => {
    const store = await client.vectorStores.create({ name: "notes" });
    const file = await client.vectorStores.files.create(store.id, { file_id: "file-1" });
    const found = await client.vectorStores.search(store.id, { query: "cats" });
    return `${file.status} ${found.data[0].content[0].text} ${(await client.vectorStores.delete(store.id)).deleted}`;
  },
  background: async () => {
    let response = await client.responses.create({ model: "open-model", input: "Say hello.", background: true });
    const end = Date.now() + 30_000;
    while (["queued", "in_progress"].includes(response.status) && Date.now() < end) {
      await new Promise((done) => setTimeout(done, 20));
      response = await client.responses.retrieve(response.id);
    }
    const items = (await client.responses.inputItems.list(response.id)).data;
    await client.responses.delete(response.id);
    try {
      await client.responses.retrieve(response.id);
    } catch (error) {
      return `${response.status} ${response.output_text} (${items.length} item) ${error.constructor.name} ${error.status}`;
    }
  },
  realtime: async () => {
    // This SDK holds conversations over TLS only.
    const secure = new OpenAI({ baseURL: process.env.REALTIME_BASE_URL, maxRetries: 0 });
    const socket = new OpenAIRealtimeWS({ model: "talker" }, secure);
    const said = [];
    await new Promise((done, failed) => {
      socket.on("error", failed);
      socket.on("event", (event) => {
        said.push(event.type);
        if (event.type === "session.created") socket.send({ type: "response.create" });
        if (event.type === "response.done") done();
      });
    });
    socket.close();
    return said.join(" ");
  },
};

for (const [name, step] of Object.entries(steps)) console.log(`${name}: ${await step()}`);
