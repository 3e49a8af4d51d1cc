//! The request hook: a guardrail before a model is called.

use crate::abi::{self, tag, verdict, Error};
use crate::host;
use crate::value::{self, Map};
use crate::view::{text, Field, View};
use std::borrow::Cow;

/// One piece of text in a request: the content of a message, one part of it, a prompt, or an input to embed.
#[derive(Clone, Debug)]
pub struct Text<'a> {
    /// "system", "user", "assistant" and so on; empty outside of messages.
    pub role: &'a str,
    /// Index of the message, prompt or input that holds the text.
    pub message: usize,
    text: &'a [u8],
    replaced: Option<Vec<u8>>,
}

impl<'a> Text<'a> {
    /// A text for a test.
    pub fn new(role: &'a str, text: &'a str) -> Text<'a> {
        Text { role, message: 0, text: text.as_bytes(), replaced: None }
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

/// Who asks, as the gateway authenticated it. Fields that are not known are empty.
#[derive(Clone, Default, PartialEq, Debug)]
#[allow(missing_docs)]
pub struct Caller<'a> {
    /// SHA-256 of the key in hex.
    pub key_hash: &'a str,
    pub key_alias: &'a str,
    pub user_id: &'a str,
    pub user_email: &'a str,
    pub team_id: &'a str,
    pub team_alias: &'a str,
    pub org_id: &'a str,
    pub end_user: &'a str,
    /// Such as "internal_user".
    pub role: &'a str,
}

impl<'a> Caller<'a> {
    /// Takes a record about the caller. It gives back what is none.
    pub(crate) fn take(&mut self, field: Field<'a>) -> Result<(), Error> {
        let place = match field.tag {
            tag::KEY_HASH => &mut self.key_hash,
            tag::KEY_ALIAS => &mut self.key_alias,
            tag::USER_ID => &mut self.user_id,
            tag::USER_EMAIL => &mut self.user_email,
            tag::TEAM_ID => &mut self.team_id,
            tag::TEAM_ALIAS => &mut self.team_alias,
            tag::ORG_ID => &mut self.org_id,
            tag::END_USER => &mut self.end_user,
            tag::ROLE => &mut self.role,
            _ => return field.unknown(),
        };
        *place = text(field.value);
        Ok(())
    }
}

/// What the request hook sees.
#[derive(Clone, Default, Debug)]
pub struct Request<'a> {
    /// Id of the request.
    pub id: &'a str,
    /// "acompletion", "atext_completion" or "aembedding".
    pub call_type: &'a str,
    /// HTTP method.
    pub method: &'a str,
    /// Canonical path.
    pub path: &'a str,
    /// The caller's address.
    pub client_ip: &'a str,
    /// The model group asked for; see `set_model`.
    pub model: &'a str,
    /// A stream was asked for.
    pub stream: bool,
    /// Who asks.
    pub caller: Caller<'a>,
    /// Every text of the request, in order, if the manifest needs "texts".
    pub texts: Vec<Text<'a>>,

    metadata: &'a [u8],
    set_model: Option<String>,
}

impl<'a> Request<'a> {
    /// A request with texts and nothing else, for a test.
    pub fn with_texts(texts: Vec<Text<'a>>) -> Request<'a> {
        Request { texts, ..Request::default() }
    }

    /// Sends the request to another model group.
    pub fn set_model(&mut self, group: impl Into<String>) {
        self.set_model = Some(group.into());
    }

    /// The metadata of the caller's key, if the manifest needs "metadata".
    pub fn metadata(&self) -> Result<Map, Error> {
        value::read_map(self.metadata)
    }

    /// A header of the request, if it was sent. Headers that carry credentials cannot be read.
    pub fn header(&self, name: &str) -> Option<String> {
        host::text_field(host::HEADER, name)
    }

    /// A value in the request body. Members and indexes are joined by dots, as in "metadata.tags.0"; a backslash makes
    /// a dot part of a name. A string comes as its text, anything else as JSON.
    pub fn value(&self, path: &str) -> Option<String> {
        host::text_field(host::VALUE, path)
    }

    /// `value`, but a string too comes as JSON, so that "1" and 1 can be told apart.
    pub fn json(&self, path: &str) -> Option<String> {
        host::text_field(host::JSON, path)
    }

    /// The whole request body.
    pub fn body(&self) -> Vec<u8> {
        host::field(host::BODY, "").unwrap_or_default()
    }

    /// Reads the view into a request without anything in it.
    pub(crate) fn read(&mut self, view: &'a mut [u8]) -> Result<(), Error> {
        let mut view = View::new(view);
        let (mut role, mut message) = ("", usize::MAX);
        while let Some(field) = view.next()? {
            match field.tag {
                tag::TEXT => {
                    let message = if message == usize::MAX { 0 } else { message };
                    self.texts.push(Text { role, message, text: field.value, replaced: None });
                }
                tag::MESSAGE => {
                    role = text(field.value);
                    message = message.wrapping_add(1);
                }
                tag::REQUEST_ID => self.id = text(field.value),
                tag::CALL_TYPE => self.call_type = text(field.value),
                tag::METHOD => self.method = text(field.value),
                tag::PATH => self.path = text(field.value),
                tag::CLIENT_IP => self.client_ip = text(field.value),
                tag::MODEL => self.model = text(field.value),
                tag::STREAM => self.stream = true,
                tag::METADATA => self.metadata = field.value,
                _ => self.caller.take(field)?,
            }
        }
        Ok(())
    }
}

/// What the request hook decided.
#[derive(Clone, PartialEq, Debug)]
#[must_use]
pub enum Verdict {
    /// The request goes on, with the changes made by `Text::replace` and `Request::set_model`.
    Continue,
    /// The request is refused, with a status of 400 to 499 and a message for the caller.
    #[allow(missing_docs)]
    Reject { status: u16, message: Cow<'static, str> },
    /// The text answers in place of a model.
    Respond(Cow<'static, str>),
    /// The hook could not do its work; the message is for the operator.
    Fail(Cow<'static, str>),
}

impl Verdict {
    /// Refuses the request. The status is between 400 and 499, normally 400; the caller reads the message, so it must
    /// not repeat the prompt.
    pub fn reject(status: u16, message: impl Into<Cow<'static, str>>) -> Verdict {
        Verdict::Reject { status, message: message.into() }
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

    /// Appends the result of a hook, or nothing if the request goes on unchanged.
    pub(crate) fn write(&self, out: &mut Vec<u8>, request: &Request<'_>) {
        match self {
            Verdict::Reject { status, message } => put_reject(out, *status, message),
            Verdict::Fail(message) => put_fail(out, message),
            Verdict::Respond(text) => {
                abi::put_number(out, tag::VERDICT, verdict::RESPOND);
                abi::put_text(out, tag::REPLY, text.as_bytes());
            }
            Verdict::Continue => {
                for (i, t) in request.texts.iter().enumerate() {
                    if let Some(new) = &t.replaced {
                        begin(out);
                        abi::put_nested(out, tag::EDIT, |out| {
                            abi::put_number(out, tag::INDEX, i as u64);
                            abi::put_text(out, tag::TEXT, new);
                        });
                    }
                }
                if let Some(model) = &request.set_model {
                    begin(out);
                    abi::put_text(out, tag::MODEL, model.as_bytes());
                }
            }
        }
    }
}

/// Makes sure that the verdict precedes the first edit.
fn begin(out: &mut Vec<u8>) {
    if out.is_empty() {
        abi::put_number(out, tag::VERDICT, verdict::EDIT);
    }
}

pub(crate) fn put_reject(out: &mut Vec<u8>, status: u16, message: &str) {
    abi::put_number(out, tag::VERDICT, verdict::REJECT);
    if status != 0 {
        abi::put_number(out, tag::STATUS, u64::from(status));
    }
    abi::put_text(out, tag::REASON, message.as_bytes());
}

pub(crate) fn put_fail(out: &mut Vec<u8>, message: &str) {
    abi::put_number(out, tag::VERDICT, verdict::FAIL);
    abi::put_text(out, tag::REASON, message.as_bytes());
}
