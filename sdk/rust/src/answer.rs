//! The hooks of a guardrail after a request: answers, streams and failures.

use crate::abi::{self, tag, Error};
use crate::exchange::Exchange;
use crate::host;
use crate::media::{self, Argument, Media};
use crate::request::{begin, put_edit, Verdict};
use crate::view::{text, Field, View};
use std::borrow::Cow;
use std::ops::{Deref, DerefMut};

/// What is known about an answer besides its texts.
#[derive(Clone, Default, PartialEq, Debug)]
#[allow(missing_docs)]
pub struct Outcome<'a> {
    /// Finish reason of the first choice.
    pub finish: &'a str,
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    pub total_tokens: u64,
    /// Id of the deployment.
    pub deployment: &'a str,
    /// The vendor.
    pub provider: &'a str,
}

impl<'a> Outcome<'a> {
    fn take(&mut self, field: Field<'a>, exchange: &mut Exchange<'a>) -> Result<(), Error> {
        match field.tag {
            tag::FINISH => self.finish = text(field.value),
            tag::PROMPT_TOKENS => self.prompt_tokens = field.number()?,
            tag::COMPLETION_TOKENS => self.completion_tokens = field.number()?,
            tag::TOTAL_TOKENS => self.total_tokens = field.number()?,
            tag::DEPLOYMENT_ID => self.deployment = text(field.value),
            tag::PROVIDER => self.provider = text(field.value),
            _ => return exchange.take(field),
        }
        Ok(())
    }
}

/// One text of an answer.
#[derive(Clone, Default, Debug)]
pub struct Answer<'a> {
    /// Index of the choice.
    pub choice: u64,
    /// "content", "reasoning", "refusal", "arguments" or "transcript".
    pub kind: &'a str,
    /// Role of the message.
    pub role: &'a str,
    /// Of arguments: where the text stands in them.
    pub argument: Option<Argument<'a>>,
    text: &'a [u8],
    replaced: Option<Vec<u8>>,
}

impl Answer<'_> {
    /// The text without JSON escapes.
    pub fn as_bytes(&self) -> &[u8] {
        self.replaced.as_deref().unwrap_or(self.text)
    }

    /// The text as UTF-8; what is none is replaced.
    pub fn as_str(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.as_bytes())
    }

    /// Changes the text in the answer that the caller gets.
    pub fn replace(&mut self, text: impl Into<Vec<u8>>) {
        self.replaced = Some(text.into());
    }
}

/// What the response hook sees: a whole answer, or, of a streamed one, a part that holds one text, if the plugin has no
/// stream_chunk hook and the operator did not choose to collect streams.
#[derive(Clone, Default, Debug)]
pub struct Response<'a> {
    exchange: Exchange<'a>,
    /// What is known besides the texts.
    pub outcome: Outcome<'a>,
    /// The texts, if the manifest needs "texts".
    pub texts: Vec<Answer<'a>>,
    /// What is no text, if the manifest needs "media"; of a part, that part's.
    pub media: Vec<Media<'a>>,
    /// This is a part of a stream.
    pub partial: bool,
    /// Of a part: the end of what the caller has already got of the text.
    pub context: &'a str,
    /// Of a part: how many bytes at the beginning of the text the hook has seen before.
    pub fresh: usize,
    /// Of a part: no more of this text follows.
    pub last: bool,
    /// How often this guardrail had a model asked again for the request, see `Verdict::retry`.
    pub asked: u64,
    /// How often it still may; 0 makes a retry a refusal.
    pub retries: u64,
}

impl<'a> Response<'a> {
    /// A value in a whole answer, such as "choices.0.message.tool_calls.0.function.arguments".
    pub fn answer_value(&self, path: &str) -> Option<String> {
        host::text_field(host::ANSWER_VALUE, path)
    }

    /// `answer_value`, but a string too comes as JSON.
    pub fn answer_json(&self, path: &str) -> Option<String> {
        host::text_field(host::ANSWER_JSON, path)
    }

    /// The whole answer.
    pub fn answer(&self) -> Vec<u8> {
        host::field(host::ANSWER, "").unwrap_or_default()
    }

    /// The bytes of a media, by its place in `media`; nothing if there are more than `limit` of them, or if the answer does
    /// not hold them.
    pub fn media_bytes(&self, i: usize, limit: usize) -> Option<Vec<u8>> {
        media::bytes(&self.media, i, limit)
    }

    /// The SHA-256 of a media, in hex; nothing if it is elsewhere.
    pub fn media_sha256(&self, i: usize) -> Option<String> {
        media::sha256(i)
    }

    pub(crate) fn read(view: &'a mut [u8]) -> Result<Response<'a>, Error> {
        let (mut view, mut r, mut next) = (View::new(view), Response::default(), Answer::default());
        while let Some(field) = view.next()? {
            match field.tag {
                tag::CHOICE => next = Answer { choice: field.number()?, kind: "content", ..Answer::default() },
                tag::TEXT_KIND => {
                    next.kind = text(field.value);
                    next.argument = Argument::begin(next.kind);
                }
                tag::KEY | tag::INDEX if next.argument.is_some() => Argument::take(&mut next.argument, field)?,
                tag::MEDIA => r.media.push(Media::read(field)?),
                tag::MESSAGE => next.role = text(field.value),
                tag::TEXT => r.texts.push(Answer { text: field.value, ..next.clone() }),
                tag::PARTIAL => r.partial = true,
                tag::CONTEXT => r.context = text(field.value),
                tag::FRESH => r.fresh = field.number()? as usize,
                tag::FINAL => r.last = true,
                tag::ASKED => r.asked = field.number()?,
                tag::RETRY_LEFT => r.retries = field.number()?,
                _ => r.outcome.take(field, &mut r.exchange)?,
            }
        }
        Ok(r)
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>, verdict: &Verdict) {
        if verdict.write(out) {
            if matches!(verdict, Verdict::Retry { .. }) {
                self.exchange.write_state(out);
            }
            return;
        }
        for (i, t) in self.texts.iter().enumerate() {
            if let Some(new) = &t.replaced {
                put_edit(out, i, new);
            }
        }
        self.exchange.write_state(out);
    }
}

/// What the stream_chunk hook sees: text of one choice that the caller has not got yet. What the hook lets pass goes out,
/// but for some characters at the end, which the gateway keeps back and shows again with what follows them, so that a
/// pattern is found however the model cuts it.
#[derive(Clone, Default, Debug)]
pub struct Window<'a> {
    exchange: Exchange<'a>,
    /// Index of the choice.
    pub choice: u64,
    /// "content", "reasoning", "refusal", "arguments" or "transcript".
    pub kind: &'a str,
    /// Of arguments: where the text stands in them. It ends where its string does, so it is seldom that more than one
    /// window shows it.
    pub argument: Option<Argument<'a>>,
    /// The end of what the caller has already got of the text.
    pub context: &'a str,
    /// How many bytes at the beginning of the text the hook has seen before.
    pub fresh: usize,
    /// No more of this text follows, and nothing is kept back.
    pub last: bool,
    /// What is no text in a chunk of the stream, if the manifest needs "media". Such a window has no text, and the hook can
    /// let it pass or refuse it. Since minor version 4.
    pub media: Vec<Media<'a>>,
    text: &'a [u8],
    replaced: Option<Vec<u8>>,
}

impl<'a> Window<'a> {
    /// A window with a text and nothing else, for a test.
    pub fn with_text(text: &'a str) -> Window<'a> {
        Window { kind: "content", text: text.as_bytes(), ..Window::default() }
    }

    /// The text without JSON escapes.
    pub fn as_bytes(&self) -> &[u8] {
        self.replaced.as_deref().unwrap_or(self.text)
    }

    /// The text as UTF-8; what is none is replaced.
    pub fn as_str(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.as_bytes())
    }

    /// The part of the text that the hook has not seen before.
    pub fn new_bytes(&self) -> &[u8] {
        &self.text[self.fresh.min(self.text.len())..]
    }

    /// Changes the text that the caller gets.
    pub fn replace(&mut self, text: impl Into<Vec<u8>>) {
        self.replaced = Some(text.into());
    }

    /// `Response::media_bytes` for a window.
    pub fn media_bytes(&self, i: usize, limit: usize) -> Option<Vec<u8>> {
        media::bytes(&self.media, i, limit)
    }

    /// `Response::media_sha256` for a window.
    pub fn media_sha256(&self, i: usize) -> Option<String> {
        media::sha256(i)
    }

    pub(crate) fn read(view: &'a mut [u8]) -> Result<Window<'a>, Error> {
        let (mut view, mut w) = (View::new(view), Window { kind: "content", ..Window::default() });
        while let Some(field) = view.next()? {
            match field.tag {
                tag::CHOICE => w.choice = field.number()?,
                tag::TEXT_KIND => {
                    w.kind = text(field.value);
                    w.argument = Argument::begin(w.kind);
                }
                tag::KEY | tag::INDEX if w.argument.is_some() => Argument::take(&mut w.argument, field)?,
                tag::CONTEXT => w.context = text(field.value),
                tag::TEXT => w.text = field.value,
                tag::MEDIA => w.media.push(Media::read(field)?),
                tag::FRESH => w.fresh = field.number()? as usize,
                tag::FINAL => w.last = true,
                _ => w.exchange.take(field)?,
            }
        }
        Ok(w)
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>, verdict: &Verdict) {
        if !verdict.write(out) {
            if let Some(new) = &self.replaced {
                put_edit(out, 0, new);
            }
        } else if !matches!(verdict, Verdict::Hold | Verdict::Drop) {
            return;
        }
        self.exchange.write_state(out);
    }
}

/// What the hook at the end of a stream sees.
#[derive(Clone, Default, Debug)]
pub struct StreamEnd<'a> {
    exchange: Exchange<'a>,
    /// What is known about the answer.
    pub outcome: Outcome<'a>,
    /// The stream did not come to its end: the caller left, or something failed.
    pub left: bool,
}

impl<'a> StreamEnd<'a> {
    pub(crate) fn read(view: &'a mut [u8]) -> Result<StreamEnd<'a>, Error> {
        let (mut view, mut s) = (View::new(view), StreamEnd::default());
        while let Some(field) = view.next()? {
            match field.tag {
                tag::LEFT => s.left = true,
                _ => s.outcome.take(field, &mut s.exchange)?,
            }
        }
        Ok(s)
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>, verdict: &Verdict) {
        if !verdict.write(out) {
            self.exchange.write_state(out);
        }
    }
}

/// What the failure hook sees: an error on its way to the caller.
#[derive(Clone, Default, Debug)]
pub struct Failure<'a> {
    exchange: Exchange<'a>,
    /// Such as "rate_limit", "timeout", "rejected".
    pub kind: &'a str,
    /// HTTP status.
    pub status: u16,
    /// As the caller would read it.
    pub message: Cow<'a, str>,
    /// "type" of the error.
    pub error_type: Cow<'a, str>,
    /// Id of the deployment called last, if one was.
    pub deployment: &'a str,
    /// The vendor.
    pub provider: &'a str,
    edited: bool,
}

impl<'a> Failure<'a> {
    /// Gives the caller another status, between 400 and 599, and message.
    pub fn rewrite(&mut self, status: u16, message: impl Into<Cow<'a, str>>) {
        self.status = status;
        self.message = message.into();
        self.edited = true;
    }

    /// Gives the caller another "type" of error.
    pub fn set_type(&mut self, kind: impl Into<Cow<'a, str>>) {
        self.error_type = kind.into();
        self.edited = true;
    }

    pub(crate) fn read(view: &'a mut [u8]) -> Result<Failure<'a>, Error> {
        let (mut view, mut f) = (View::new(view), Failure::default());
        while let Some(field) = view.next()? {
            match field.tag {
                tag::ERROR_KIND => f.kind = text(field.value),
                tag::STATUS => f.status = field.number()?.min(999) as u16,
                tag::REASON => f.message = text(field.value).into(),
                tag::ERROR_TYPE => f.error_type = text(field.value).into(),
                tag::DEPLOYMENT_ID => f.deployment = text(field.value),
                tag::PROVIDER => f.provider = text(field.value),
                _ => f.exchange.take(field)?,
            }
        }
        Ok(f)
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>, verdict: &Verdict) {
        if verdict.write(out) || !self.edited {
            return;
        }
        begin(out);
        abi::put_number(out, tag::STATUS, u64::from(self.status));
        abi::put_text(out, tag::REASON, self.message.as_bytes());
        if !self.error_type.is_empty() {
            abi::put_text(out, tag::ERROR_TYPE, self.error_type.as_bytes());
        }
    }
}

macro_rules! has_exchange {
    ($($name:ident)*) => {$(
        impl<'a> Deref for $name<'a> {
            type Target = Exchange<'a>;

            fn deref(&self) -> &Exchange<'a> {
                &self.exchange
            }
        }

        impl<'a> DerefMut for $name<'a> {
            fn deref_mut(&mut self) -> &mut Exchange<'a> {
                &mut self.exchange
            }
        }
    )*};
}

has_exchange!(Response Window StreamEnd Failure);
