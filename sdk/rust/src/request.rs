//! The request hook: a guardrail before a model is called.

use crate::abi::{self, tag, verdict, Error};
use crate::exchange::Exchange;
use crate::media::{self, Argument, Media};
use crate::value::{self, Value};
use crate::view::{text, Field, View};
use std::borrow::Cow;
use std::mem;
use std::ops::{Deref, DerefMut};

/// One piece of text in a request: the content of a message, one part of it, a prompt, an input to embed, or one of the
/// texts in the arguments of a call that the model made earlier.
#[derive(Clone, Debug)]
pub struct Text<'a> {
    /// "system", "user", "assistant" and so on; empty outside of messages.
    pub role: &'a str,
    /// Index of the message, prompt or input that holds the text.
    pub message: usize,
    /// Where the text stands in the arguments of a call; nothing for what the message says.
    pub argument: Option<Argument<'a>>,
    /// "reasoning" or "refusal" for what a model thought or refused in the past, "definition" for what stands in the
    /// definitions of tools and of the form of an answer, "arguments" with `argument`, and empty for what the message says.
    pub kind: &'a str,
    /// The text cannot be changed: thinking with a signature, a name in a definition. `replace` has the gateway refuse the
    /// request.
    pub sealed: bool,
    text: &'a [u8],
    replaced: Option<Vec<u8>>,
}

impl<'a> Text<'a> {
    /// A text for a test.
    pub fn new(role: &'a str, text: &'a str) -> Text<'a> {
        Text { role, message: 0, argument: None, kind: "", sealed: false, text: text.as_bytes(), replaced: None }
    }

    /// The text without JSON escapes, as the caller sent it: it need not be UTF-8.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.replaced {
            None => self.text,
            Some(b) => b,
        }
    }

    /// The text as UTF-8; what is none is replaced. Checking costs about as much as a search.
    pub fn as_str(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.as_bytes())
    }

    /// Changes the text in the request that goes to the model: a `&str`, a `String`, or bytes.
    pub fn replace(&mut self, text: impl Into<Vec<u8>>) {
        self.replaced = Some(text.into());
    }
}

/// What the request and moderation hooks see.
#[derive(Clone, Default, Debug)]
pub struct Request<'a> {
    exchange: Exchange<'a>,
    /// Every text of the request, in order, if the manifest needs "texts".
    pub texts: Vec<Text<'a>>,
    /// What is no text, if the manifest needs "media".
    pub media: Vec<Media<'a>>,

    set_model: Option<String>,
    changes: Vec<u8>,
    mistake: Option<Error>,
}

impl<'a> Deref for Request<'a> {
    type Target = Exchange<'a>;

    fn deref(&self) -> &Exchange<'a> {
        &self.exchange
    }
}

impl<'a> DerefMut for Request<'a> {
    fn deref_mut(&mut self) -> &mut Exchange<'a> {
        &mut self.exchange
    }
}

impl<'a> Request<'a> {
    /// A request with texts and nothing else, for a test.
    pub fn with_texts(texts: Vec<Text<'a>>) -> Request<'a> {
        Request { texts, ..Request::default() }
    }

    /// The bytes of a media, by its place in `media`; nothing if there are more than `limit` of them, or if the request
    /// does not hold them.
    pub fn media_bytes(&self, i: usize, limit: usize) -> Option<Vec<u8>> {
        media::bytes(&self.media, i, limit)
    }

    /// The SHA-256 of a media, in hex; nothing if it is elsewhere.
    pub fn media_sha256(&self, i: usize) -> Option<String> {
        media::sha256(i)
    }

    /// Sends the request to another model group.
    pub fn set_model(&mut self, group: impl Into<String>) {
        self.set_model = Some(group.into());
    }

    /// Puts a JSON value at a path of the request body, see `value`. Objects that are missing on the way are made. The
    /// members model, stream, stream_options and guardrails cannot be changed; see `set_model`.
    pub fn set_json(&mut self, path: &str, json: &str) {
        put_pair(&mut self.changes, tag::SET_JSON, path, json);
    }

    /// Puts text at a path of the request body.
    pub fn set_value(&mut self, path: &str, text: &str) {
        put_pair(&mut self.changes, tag::SET_JSON, path, &value::quoted(text));
    }

    /// Removes what is at a path of the request body.
    pub fn remove(&mut self, path: &str) {
        abi::put_text(&mut self.changes, tag::REMOVE, path.as_bytes());
    }

    /// Sets a header of the request, which later hooks see, and vendors where the gateway forwards headers. Its name
    /// begins with "x-" and is none that the gateway takes for its own.
    pub fn set_header(&mut self, name: &str, value: &str) {
        put_pair(&mut self.changes, tag::SET_HEADER, name, value);
    }

    /// Adds a tag to the request.
    pub fn add_tag(&mut self, tag: &str) {
        abi::put_text(&mut self.changes, tag::TAG, tag.as_bytes());
    }

    /// Sets a member of the request's metadata.
    pub fn set_metadata(&mut self, key: &str, value: impl Into<Value>) {
        let member = vec![(key.to_string(), value.into())];
        if let Err(e) = value::put_map(&mut self.changes, tag::CALLER_METADATA, &member) {
            self.mistake = Some(e);
        }
    }

    /// Reads the view into a request without anything in it.
    pub(crate) fn read(&mut self, view: &'a mut [u8]) -> Result<(), Error> {
        let mut view = View::new(view);
        let mut place = Place::default();
        while let Some(field) = view.next()? {
            match field.tag {
                tag::TEXT => self.texts.push(place.text(field)),
                tag::MESSAGE => place.message(field),
                tag::TEXT_KIND | tag::KEY | tag::INDEX | tag::SEALED => place.argue(field)?,
                tag::MEDIA => self.media.push(Media::read(field)?),
                _ => self.exchange.take(field)?,
            }
        }
        Ok(())
    }
}

/// Where in the messages of a view a reader is.
#[derive(Default)]
pub(crate) struct Place<'a> {
    role: &'a str,
    messages: usize,
    argument: Option<Argument<'a>>,
    kind: &'a str,
    sealed: bool,
}

/// What a record is, among messages and texts.
pub(crate) enum Placed<'a> {
    Text(Text<'a>),
    Message,
    Other(Field<'a>),
}

impl<'a> Place<'a> {
    #[inline]
    pub fn take(&mut self, field: Field<'a>) -> Placed<'a> {
        match field.tag {
            tag::TEXT => Placed::Text(self.text(field)),
            tag::MESSAGE => {
                self.message(field);
                Placed::Message
            }
            _ => Placed::Other(field),
        }
    }

    #[inline]
    fn text(&mut self, field: Field<'a>) -> Text<'a> {
        let (message, argument) = (self.messages.saturating_sub(1), self.argument.take());
        let (kind, sealed) = (mem::take(&mut self.kind), mem::take(&mut self.sealed));
        Text { role: self.role, message, argument, kind, sealed, text: field.value, replaced: None }
    }

    #[inline]
    fn message(&mut self, field: Field<'a>) {
        self.role = text(field.value);
        self.messages += 1;
    }

    /// Takes what says where the next text stands in arguments. It is apart because few views have it.
    #[cold]
    #[inline(never)]
    fn argue(&mut self, field: Field<'a>) -> Result<(), Error> {
        match field.tag {
            tag::SEALED => self.sealed = true,
            tag::TEXT_KIND => {
                self.kind = text(field.value);
                self.argument = Argument::begin(self.kind);
            }
            _ if self.argument.is_some() => Argument::take(&mut self.argument, field)?,
            _ => field.unknown()?,
        }
        Ok(())
    }
}

/// What the hook of a guardrail decided.
#[derive(Clone, PartialEq, Debug)]
#[must_use]
pub enum Verdict {
    /// The request goes on, with the changes made by `Text::replace` and `Request::set_model`.
    Continue,
    /// The request is refused, with a status of 400 to 499 and a message for the caller.
    #[allow(missing_docs)]
    Reject { status: u16, message: Cow<'static, str> },
    /// The text answers in place of a model: of the request hook.
    Respond(Cow<'static, str>),
    /// The same, with the finish reason "content_filter".
    RespondFiltered(Cow<'static, str>),
    /// Nothing of a window goes out: its text comes again with what follows. The last window of a text cannot be held.
    Hold,
    /// Nothing of a window goes out, ever.
    Drop,
    /// A model is asked again, as often as the operator allows with max_retries: of the response hook. Then, and where the
    /// answer is on its way already, it is `Reject`. See `Verdict::retry`.
    #[allow(missing_docs)]
    Retry { status: u16, message: Cow<'static, str>, choice: u64, ask: Cow<'static, str> },
    /// The hook could not do its work; the message is for the operator.
    Fail(Cow<'static, str>),
}

impl Verdict {
    /// Refuses the request. The status is between 400 and 499, normally 400; the caller reads the message, so it must
    /// not repeat the prompt.
    pub fn reject(status: u16, message: impl Into<Cow<'static, str>>) -> Verdict {
        Verdict::Reject { status, message: message.into() }
    }

    /// Has a model asked again, or refuses the answer with the status and message if that is not possible. The model sees
    /// its answer, that of the choice with the index, and then `ask` as a message of the user; an empty `ask` sends the
    /// request once more as it was. The manifest says "min_minor": 1.
    pub fn retry(
        status: u16,
        message: impl Into<Cow<'static, str>>,
        choice: u64,
        ask: impl Into<Cow<'static, str>>,
    ) -> Verdict {
        Verdict::Retry { status, message: message.into(), choice, ask: ask.into() }
    }

    /// Answers with a text in place of a model.
    pub fn respond(text: impl Into<Cow<'static, str>>) -> Verdict {
        Verdict::Respond(text.into())
    }

    /// Says that the hook could not do its work. The gateway treats it as on_error says, by default by refusing the
    /// request. The message goes to the operator's log and must not hold a key or a prompt.
    pub fn fail(message: impl Into<Cow<'static, str>>) -> Verdict {
        Verdict::Fail(message.into())
    }

    /// Appends a verdict that changes nothing. It reports false for `Continue`, which depends on the hook.
    pub(crate) fn write(&self, out: &mut Vec<u8>) -> bool {
        match self {
            Verdict::Continue => return false,
            Verdict::Reject { status, message } => put_reject(out, *status, message),
            Verdict::Retry { status, message, choice, ask } => {
                abi::put_number(out, tag::VERDICT, verdict::RETRY);
                put_refusal(out, *status, message);
                if *choice > 0 {
                    abi::put_number(out, tag::CHOICE, *choice);
                }
                if !ask.is_empty() {
                    abi::put_text(out, tag::ASK, ask.as_bytes());
                }
            }
            Verdict::Fail(message) => put_fail(out, message),
            Verdict::Hold => abi::put_number(out, tag::VERDICT, verdict::HOLD),
            Verdict::Drop => abi::put_number(out, tag::VERDICT, verdict::DROP),
            Verdict::Respond(text) => put_reply(out, text),
            Verdict::RespondFiltered(text) => {
                put_reply(out, text);
                abi::put_text(out, tag::FINISH, b"content_filter");
            }
        }
        true
    }
}

impl Request<'_> {
    /// Appends the result of the hook, or nothing if the request goes on unchanged.
    pub(crate) fn write(&self, out: &mut Vec<u8>, verdict: &Verdict) {
        if let (Verdict::Continue, Some(e)) = (verdict, self.mistake) {
            return put_fail(out, &e.to_string());
        }
        if verdict.write(out) {
            if matches!(verdict, Verdict::Respond(_) | Verdict::RespondFiltered(_)) {
                self.exchange.write_state(out);
            }
            return;
        }
        for (i, t) in self.texts.iter().enumerate() {
            if let Some(new) = &t.replaced {
                put_edit(out, i, new);
            }
        }
        if let Some(model) = &self.set_model {
            begin(out);
            abi::put_text(out, tag::MODEL, model.as_bytes());
        }
        if !self.changes.is_empty() {
            begin(out);
            out.extend_from_slice(&self.changes);
        }
        self.exchange.write_state(out);
    }
}

fn put_reply(out: &mut Vec<u8>, text: &str) {
    abi::put_number(out, tag::VERDICT, verdict::RESPOND);
    abi::put_text(out, tag::REPLY, text.as_bytes());
}

pub(crate) fn put_pair(out: &mut Vec<u8>, tag: u16, name: &str, value: &str) {
    abi::put_nested(out, tag, |out| {
        abi::put_text(out, tag::KEY, name.as_bytes());
        abi::put_text(out, tag::TEXT, value.as_bytes());
    });
}

pub(crate) fn put_edit(out: &mut Vec<u8>, index: usize, text: &[u8]) {
    begin(out);
    abi::put_nested(out, tag::EDIT, |out| {
        abi::put_number(out, tag::INDEX, index as u64);
        abi::put_text(out, tag::TEXT, text);
    });
}

/// Makes sure that the verdict precedes the first edit.
pub(crate) fn begin(out: &mut Vec<u8>) {
    if out.is_empty() {
        abi::put_number(out, tag::VERDICT, verdict::EDIT);
    }
}

pub(crate) fn put_reject(out: &mut Vec<u8>, status: u16, message: &str) {
    abi::put_number(out, tag::VERDICT, verdict::REJECT);
    put_refusal(out, status, message);
}

fn put_refusal(out: &mut Vec<u8>, status: u16, message: &str) {
    if status != 0 {
        abi::put_number(out, tag::STATUS, u64::from(status));
    }
    abi::put_text(out, tag::REASON, message.as_bytes());
}

pub(crate) fn put_fail(out: &mut Vec<u8>, message: &str) {
    abi::put_number(out, tag::VERDICT, verdict::FAIL);
    abi::put_text(out, tag::REASON, message.as_bytes());
}
