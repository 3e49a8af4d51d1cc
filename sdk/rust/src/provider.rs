//! The provider hook: calls for a vendor that the gateway does not know.

use crate::abi::{self, tag, verdict, Error, Reader};
use crate::exchange::Exchange;
use crate::request::{put_fail, put_pair, put_reject, Place, Placed, Text};
use crate::view::{text, View};
use std::borrow::Cow;
use std::ops::Deref;

/// What `provider_encode` sees: a request to make a call of.
#[derive(Clone, Default, Debug)]
pub struct ProviderRequest<'a> {
    exchange: Exchange<'a>,
    /// The vendor's name for the model.
    pub vendor_model: &'a str,
    /// api_base of the deployment, without a slash at its end.
    pub base: &'a str,
    /// Of the deployment, if the manifest needs "api_key".
    pub api_key: &'a str,
    /// Every text of the request, in order, if the manifest needs "texts".
    pub texts: Vec<Text<'a>>,
}

impl<'a> Deref for ProviderRequest<'a> {
    type Target = Exchange<'a>;

    fn deref(&self) -> &Exchange<'a> {
        &self.exchange
    }
}

impl<'a> ProviderRequest<'a> {
    /// A request with a call type, such as "acompletion", and texts, for a test.
    pub fn with_texts(call_type: &'a str, texts: Vec<Text<'a>>) -> ProviderRequest<'a> {
        let mut r = ProviderRequest { texts, ..ProviderRequest::default() };
        r.exchange.call_type = call_type;
        r
    }

    pub(crate) fn read(view: &'a mut [u8]) -> Result<ProviderRequest<'a>, Error> {
        let (mut view, mut place, mut r) = (View::new(view), Place::default(), ProviderRequest::default());
        while let Some(field) = view.next()? {
            let field = match place.take(field) {
                Placed::Text(text) => {
                    r.texts.push(text);
                    continue;
                }
                Placed::Message => continue,
                Placed::Other(field) => field,
            };
            match field.tag {
                tag::PHASE => {}
                tag::VENDOR_MODEL => r.vendor_model = text(field.value),
                tag::BASE => r.base = text(field.value),
                tag::CREDENTIAL => r.api_key = text(field.value),
                _ => r.exchange.take(field)?,
            }
        }
        Ok(r)
    }
}

/// What is to be done with a request.
#[derive(Clone, PartialEq, Debug)]
#[must_use]
#[allow(missing_docs)]
pub enum Outgoing {
    /// This call is made.
    Call { method: String, url: String, headers: Vec<(String, String)>, body: Vec<u8> },
    /// No call is needed: this is the answer.
    Answer(Reading),
    /// The request is refused.
    Refuse { status: u16, message: Cow<'static, str> },
    /// The hook could not do its work; the message is for the operator.
    Fail(Cow<'static, str>),
}

/// What of an answer is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Phase {
    Encode = 1,
    /// A whole answer.
    Whole = 2,
    /// One event of a streamed answer.
    Event = 3,
    /// A streamed answer has ended.
    End = 4,
}

impl Phase {
    /// The phase at the beginning of a view.
    pub(crate) fn of(view: &[u8]) -> Result<Phase, Error> {
        match Reader::new(view).next()? {
            Some(record) if record.tag == tag::PHASE => Phase::numbered(record.number()?),
            _ => Err(Error::Value),
        }
    }

    fn numbered(n: u64) -> Result<Phase, Error> {
        [Phase::Encode, Phase::Whole, Phase::Event, Phase::End].into_iter().find(|p| *p as u64 == n).ok_or(Error::Value)
    }
}

/// What `provider_decode` sees: an answer of the vendor's, or a part of one.
#[derive(Clone, Debug)]
pub struct ProviderAnswer<'a> {
    /// What it is: whole, event or end.
    pub phase: Phase,
    /// HTTP status.
    pub status: u16,
    /// Name of the event, where the stream names them.
    pub event: &'a str,
    /// The whole answer, or the data of one event.
    pub body: &'a [u8],
    /// What the last reading of this stream kept.
    pub state: &'a [u8],
    headers: Vec<(&'a str, &'a str)>,
}

impl<'a> ProviderAnswer<'a> {
    /// A header of the answer.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    /// A value in the answer, which the gateway finds if it is JSON. A string comes as its text.
    pub fn value(&self, path: &str) -> Option<String> {
        crate::host::text_field(crate::host::VALUE, path)
    }

    /// `value`, but a string too comes as JSON.
    pub fn json(&self, path: &str) -> Option<String> {
        crate::host::text_field(crate::host::JSON, path)
    }

    pub(crate) fn read(view: &'a mut [u8]) -> Result<ProviderAnswer<'a>, Error> {
        let (mut view, mut a) = (View::new(view), ProviderAnswer::new(Phase::Whole, b""));
        while let Some(field) = view.next()? {
            match field.tag {
                tag::PHASE => a.phase = Phase::numbered(field.number()?)?,
                tag::STATUS => a.status = field.number()?.min(999) as u16,
                tag::EVENT => a.event = text(field.value),
                tag::BODY => a.body = field.value,
                tag::STATE => a.state = field.value,
                tag::HEADER => a.headers.push(field.header()?),
                _ => field.unknown()?,
            }
        }
        Ok(a)
    }

    /// An answer for a test.
    pub fn new(phase: Phase, body: &'a [u8]) -> ProviderAnswer<'a> {
        ProviderAnswer { phase, status: 0, event: "", body, state: b"", headers: Vec::new() }
    }
}

/// What an answer, or an event of one, says.
#[derive(Clone, Default, PartialEq, Debug)]
#[must_use]
pub struct Reading {
    /// Of the answer, or what an event adds to it.
    pub text: String,
    /// Likewise, of the model's reasoning.
    pub reasoning: String,
    /// Calls of tools.
    pub tool_calls: Vec<ToolCall>,
    /// "stop", "length", "tool_calls" or "content_filter".
    pub finish: String,
    /// What the answer took.
    pub usage: Option<Usage>,
    /// The whole answer in the form of the OpenAI API, in place of all this.
    pub json: String,
    /// What the next event of the stream is to find.
    pub state: Vec<u8>,
    /// The vendor's error: a status and a message, in place of all this.
    pub error: Option<(u16, String)>,
    /// Why the answer could not be read, in place of all this.
    pub failure: Option<String>,
}

/// A call of a tool.
#[derive(Clone, Default, PartialEq, Debug)]
#[allow(missing_docs)]
pub struct ToolCall {
    pub index: u64,
    pub id: String,
    pub name: String,
    /// JSON.
    pub arguments: String,
}

/// Token counts.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub struct Usage {
    pub prompt: u64,
    pub completion: u64,
    pub total: u64,
    pub cached: u64,
    pub reasoning: u64,
}

impl Outgoing {
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Outgoing::Refuse { status, message } => put_reject(out, *status, message),
            Outgoing::Fail(message) => put_fail(out, message),
            Outgoing::Answer(reading) => {
                abi::put_number(out, tag::VERDICT, verdict::RESPOND);
                reading.append(out);
            }
            Outgoing::Call { method, url, headers, body } => {
                abi::put_number(out, tag::VERDICT, verdict::EDIT);
                abi::put_text(out, tag::METHOD, method.as_bytes());
                abi::put_text(out, tag::URL, url.as_bytes());
                for (name, value) in headers {
                    put_pair(out, tag::HEADER, name, value);
                }
                abi::put_text(out, tag::BODY, body);
            }
        }
    }
}

impl Reading {
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        if let Some(failure) = &self.failure {
            return put_fail(out, failure);
        }
        if let Some((status, message)) = &self.error {
            return put_reject(out, *status, message);
        }
        abi::put_number(out, tag::VERDICT, verdict::EDIT);
        let nothing = out.len();
        self.append(out);
        if out.len() == nothing {
            out.clear();
        }
    }

    fn append(&self, out: &mut Vec<u8>) {
        if !self.state.is_empty() {
            abi::put_text(out, tag::STATE, &self.state);
        }
        if !self.json.is_empty() {
            return abi::put_text(out, tag::ANSWER, self.json.as_bytes());
        }
        let before = out.len();
        abi::put_nested(out, tag::PART, |out| self.part(out));
        if out.len() == before + abi::HEADER {
            out.truncate(before);
        }
    }

    fn part(&self, out: &mut Vec<u8>) {
        abi::put_some(out, tag::TEXT, &self.text);
        abi::put_some(out, tag::REASONING, &self.reasoning);
        for call in &self.tool_calls {
            abi::put_nested(out, tag::TOOL_CALL, |out| {
                abi::put_number(out, tag::INDEX, call.index);
                abi::put_some(out, tag::CALL_ID, &call.id);
                abi::put_some(out, tag::KEY, &call.name);
                abi::put_some(out, tag::TEXT, &call.arguments);
            });
        }
        abi::put_some(out, tag::FINISH, &self.finish);
        if let Some(u) = &self.usage {
            let counts = [
                (tag::PROMPT_TOKENS, u.prompt),
                (tag::COMPLETION_TOKENS, u.completion),
                (tag::TOTAL_TOKENS, u.total),
                (tag::CACHED_TOKENS, u.cached),
                (tag::REASONING_TOKENS, u.reasoning),
            ];
            for (tag, n) in counts {
                abi::put_number(out, tag, n);
            }
        }
    }
}
