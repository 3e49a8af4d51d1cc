"""What vendors store and run, with the Python SDK, against OPENAI_BASE_URL with OPENAI_API_KEY."""

import time
import warnings

import openai

warnings.simplefilter("ignore", DeprecationWarning)  # assistants are, and are still called
client = openai.OpenAI(max_retries=0)


def fine_tuning():
    job = client.fine_tuning.jobs.create(model="gpt-4.1-mini", training_file="file-1")
    events = client.fine_tuning.jobs.list_events(job.id)
    return f"{job.status} {events.data[0].message} {client.fine_tuning.jobs.cancel(job.id).status}"


def assistant():
    made = client.beta.assistants.create(model="gpt-4.1-mini", name="helper")
    thread = client.beta.threads.create()
    client.beta.threads.messages.create(thread.id, role="user", content="Say hello.")
    text = ""
    for event in client.beta.threads.runs.create(thread.id, assistant_id=made.id, stream=True):
        if event.event == "thread.message.delta":
            text += event.data.delta.content[0].text.value
    return f"{made.name}: {text} {str(client.beta.assistants.delete(made.id).deleted).lower()}"


def vector_store():
    store = client.vector_stores.create(name="notes")
    file = client.vector_stores.files.create(store.id, file_id="file-1")
    found = client.vector_stores.search(store.id, query="cats")
    return f"{file.status} {found.data[0].content[0].text} {str(client.vector_stores.delete(store.id).deleted).lower()}"


def background():
    response = client.responses.create(model="open-model", input="Say hello.", background=True)
    end = time.monotonic() + 30
    while response.status in ("queued", "in_progress") and time.monotonic() < end:
        time.sleep(0.02)
        response = client.responses.retrieve(response.id)
    items = client.responses.input_items.list(response.id).data
    client.responses.delete(response.id)
    try:
        client.responses.retrieve(response.id)
    except openai.APIStatusError as error:
        return f"{response.status} {response.output_text} ({len(items)} item) {type(error).__name__} {error.status_code}"


def realtime():
    with client.realtime.connect(model="talker") as connection:
        said = [connection.recv().type]
        connection.send({"type": "response.create"})
        while said[-1] != "response.done":
            said.append(connection.recv().type)
    return " ".join(said)


for step in (fine_tuning, assistant, vector_store, background, realtime):
    print(f"{step.__name__.replace('_', ' ')}: {step()}")
