"""Moderations, images, audio, files and batches with the Python SDK, against OPENAI_BASE_URL with OPENAI_API_KEY."""

import base64
import json

import openai

client = openai.OpenAI(max_retries=0)
AUDIO = ("speech.wav", b"\x07" * 100_000)


def moderation():
    return f"flagged {str(client.moderations.create(input='bad').results[0].flagged).lower()}"


def image():
    made = client.images.generate(model="painter", prompt="a cat")
    return f"{base64.b64decode(made.data[0].b64_json).decode()} ({made.usage.total_tokens} tokens)"


def edit():
    return client.images.edit(model="painter", prompt="hat", image=("cat.png", b"picture", "image/png")).data[0].url


def speech():
    response = client.audio.speech.create(model="speaker", voice="alloy", input="hello")
    return f"{len(response.content)} bytes of {response.response.headers['content-type']}"


def transcription():
    return client.audio.transcriptions.create(model="listener", language="en", file=AUDIO).text


def subtitles():
    srt = client.audio.transcriptions.create(model="listener", language="en", file=AUDIO, response_format="srt")
    return f"{len(srt.strip().splitlines())} lines"


def transcription_stream():
    events = client.audio.transcriptions.create(model="listener", language="en", file=AUDIO, stream=True)
    return " ".join(event.type for event in events)


def file_and_batch():
    file = client.files.create(purpose="batch", file=("in.jsonl", b"{}\n"))
    content = client.files.content(file.id).text
    batch = client.batches.create(
        input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h", metadata={"a": "b"}
    )
    cancelled = client.batches.cancel(batch.id)
    gone = client.files.delete(file.id)
    metadata = json.dumps(batch.metadata, separators=(",", ":"))
    return f"{json.dumps(content)} {batch.status} {metadata} {cancelled.status} {str(gone.deleted).lower()}"


def missing_file():
    try:
        client.files.content("file-nobody")
    except openai.APIStatusError as error:
        return f"{type(error).__name__} {error.status_code}"


for step in (
    moderation, image, edit, speech, transcription, subtitles, transcription_stream, file_and_batch, missing_file,
):
    print(f"{step.__name__.replace('_', ' ')}: {step()}")
