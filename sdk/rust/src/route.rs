//! The hooks that decide where a call goes and what a stored prompt or a key is.

use crate::abi::{self, tag, verdict, Error};
use crate::exchange::{Caller, Exchange};
use crate::request::{put_fail, put_reject, Place, Placed, Text};
use crate::value::{self, Map};
use crate::view::{text, View};
use std::borrow::Cow;
use std::ops::Deref;

/// What the route hook sees: a call, and the deployments it may go to.
#[derive(Clone, Default, Debug)]
pub struct RouteRequest<'a> {
    exchange: Exchange<'a>,
    /// Attempts that failed in this group.
    pub retries: u64,
    /// The deployments.
    pub deployments: Vec<Deployment<'a>>,
}

/// A deployment that may be called.
#[derive(Clone, Default, Debug)]
#[allow(missing_docs)]
pub struct Deployment<'a> {
    pub id: &'a str,
    /// The model group it belongs to; that of a fallback is another than the one asked for.
    pub group: &'a str,
    /// The vendor's name for the model.
    pub model: &'a str,
    /// The vendor.
    pub provider: &'a str,
    /// Base URL of the vendor's API.
    pub base: &'a str,
    pub tags: Vec<&'a str>,
    /// 0 if it is not set, like rpm and tpm.
    pub weight: f64,
    pub rpm: f64,
    pub tpm: f64,
    /// Calls under way in this gateway.
    pub in_flight: u64,
    info: &'a [u8],
}

impl Deployment<'_> {
    /// The deployment's model_info, if the manifest needs "metadata".
    pub fn info(&self) -> Result<Map, Error> {
        value::read_map(self.info)
    }
}

impl<'a> Deref for RouteRequest<'a> {
    type Target = Exchange<'a>;

    fn deref(&self) -> &Exchange<'a> {
        &self.exchange
    }
}

impl<'a> RouteRequest<'a> {
    /// A request of somebody's with deployments and nothing else, for a test.
    pub fn with_deployments(caller: Caller<'a>, deployments: Vec<Deployment<'a>>) -> RouteRequest<'a> {
        let mut r = RouteRequest { deployments, ..RouteRequest::default() };
        r.exchange.caller = caller;
        r
    }

    pub(crate) fn read(view: &'a mut [u8]) -> Result<RouteRequest<'a>, Error> {
        let (mut view, mut r) = (View::new(view), RouteRequest::default());
        while let Some(field) = view.next()? {
            match field.tag {
                tag::RETRIES => r.retries = field.number()?,
                tag::DEPLOYMENT => r.deployments.push(Deployment::read(field.value)?),
                _ => r.exchange.take(field)?,
            }
        }
        Ok(r)
    }
}

impl<'a> Deployment<'a> {
    fn read(record: &'a mut [u8]) -> Result<Deployment<'a>, Error> {
        let (mut inside, mut d) = (View::new(record), Deployment::default());
        while let Some(field) = inside.next()? {
            match field.tag {
                tag::DEPLOYMENT_ID => d.id = text(field.value),
                tag::MODEL => d.group = text(field.value),
                tag::VENDOR_MODEL => d.model = text(field.value),
                tag::PROVIDER => d.provider = text(field.value),
                tag::BASE => d.base = text(field.value),
                tag::TAG => d.tags.push(text(field.value)),
                tag::WEIGHT => d.weight = field.double()?,
                tag::RPM => d.rpm = field.double()?,
                tag::TPM => d.tpm = field.double()?,
                tag::IN_FLIGHT => d.in_flight = field.number()?,
                tag::INFO => d.info = field.value,
                _ => field.unknown()?,
            }
        }
        Ok(d)
    }
}

/// What the route hook decided.
#[derive(Clone, PartialEq, Debug)]
#[must_use]
pub enum RouteVerdict {
    /// Any of the deployments, as the gateway's strategy has it.
    Any,
    /// Only these, by id, as the gateway's strategy has it. None refuses the call.
    Only(Vec<String>),
    /// Only these, one after the other.
    InOrder(Vec<String>),
    /// The hook could not do its work; the message is for the operator.
    Fail(Cow<'static, str>),
}

impl RouteVerdict {
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let (ids, ordered) = match self {
            RouteVerdict::Any => return,
            RouteVerdict::Fail(message) => return put_fail(out, message),
            RouteVerdict::Only(ids) => (ids, false),
            RouteVerdict::InOrder(ids) => (ids, true),
        };
        abi::put_number(out, tag::VERDICT, verdict::EDIT);
        if ordered {
            abi::put_number(out, tag::ORDERED, 1);
        }
        for id in ids {
            abi::put_text(out, tag::DEPLOYMENT_ID, id.as_bytes());
        }
    }
}

/// What the key_generate hook decided.
#[derive(Clone, PartialEq, Debug)]
#[must_use]
pub enum KeyVerdict {
    /// The key is made as asked for.
    Allow,
    /// The key is made with these parameters instead.
    Edit(Map),
    /// No key is made, with status 403 and a message.
    Refuse(Cow<'static, str>),
    /// The hook could not do its work; the message is for the operator.
    Fail(Cow<'static, str>),
}

impl KeyVerdict {
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match self {
            KeyVerdict::Allow => {}
            KeyVerdict::Refuse(message) => put_reject(out, 403, message),
            KeyVerdict::Fail(message) => put_fail(out, message),
            KeyVerdict::Edit(params) => {
                abi::put_number(out, tag::VERDICT, verdict::EDIT);
                put_map_or_fail(out, tag::PARAMS, params);
            }
        }
    }
}

/// Appends a map unless it is empty, or makes the whole result a failure if it cannot be sent.
pub(crate) fn put_map_or_fail(out: &mut Vec<u8>, tag: u16, map: &Map) {
    if map.is_empty() {
        return;
    }
    if let Err(e) = value::put_map(out, tag, map) {
        out.clear();
        put_fail(out, &e.to_string());
    }
}

/// What the prompt hook sees: a caller names a stored prompt.
#[derive(Clone, Default, Debug)]
pub struct PromptRequest<'a> {
    exchange: Exchange<'a>,
    /// The prompt's id.
    pub prompt_id: &'a str,
    /// What the placeholders stand for.
    pub variables: Map,
    /// Such as "production"; empty if the caller named none.
    pub label: &'a str,
    /// Empty for the newest.
    pub version: &'a str,
    /// Of the caller's own messages, if the manifest needs "texts".
    pub texts: Vec<Text<'a>>,
}

impl<'a> Deref for PromptRequest<'a> {
    type Target = Exchange<'a>;

    fn deref(&self) -> &Exchange<'a> {
        &self.exchange
    }
}

impl<'a> PromptRequest<'a> {
    pub(crate) fn read(view: &'a mut [u8]) -> Result<PromptRequest<'a>, Error> {
        let (mut view, mut place, mut r) = (View::new(view), Place::default(), PromptRequest::default());
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
                tag::PROMPT_ID => r.prompt_id = text(field.value),
                tag::VARIABLES => r.variables = value::read_map(field.value)?,
                tag::LABEL => r.label = text(field.value),
                tag::REVISION => r.version = text(field.value),
                _ => r.exchange.take(field)?,
            }
        }
        Ok(r)
    }
}

/// A prompt.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct Prompt {
    /// Roles and texts.
    pub messages: Vec<(String, String)>,
    /// The messages as a JSON list, in place of `messages`.
    pub json: String,
    /// The caller's own messages are dropped; otherwise they come behind.
    pub replace: bool,
    /// Model group to call; empty keeps the caller's.
    pub model: String,
    /// Members of the request, such as temperature; they win over the caller's.
    pub params: Map,
}

/// What the prompt hook decided.
#[derive(Clone, PartialEq, Debug)]
#[must_use]
pub enum PromptVerdict {
    /// The request is made with this prompt.
    Use(Prompt),
    /// There is no such prompt: a status of 400 to 499 and a message.
    #[allow(missing_docs)]
    Refuse { status: u16, message: Cow<'static, str> },
    /// The hook could not do its work; the message is for the operator.
    Fail(Cow<'static, str>),
}

impl PromptVerdict {
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let p = match self {
            PromptVerdict::Refuse { status, message } => return put_reject(out, *status, message),
            PromptVerdict::Fail(message) => return put_fail(out, message),
            PromptVerdict::Use(p) => p,
        };
        abi::put_number(out, tag::VERDICT, verdict::EDIT);
        abi::put_some(out, tag::MODEL, &p.model);
        abi::put_some(out, tag::MESSAGES, &p.json);
        if p.json.is_empty() {
            for (role, text) in &p.messages {
                abi::put_text(out, tag::MESSAGE, role.as_bytes());
                abi::put_text(out, tag::TEXT, text.as_bytes());
            }
        }
        if p.replace {
            abi::put_number(out, tag::REPLACE, 1);
        }
        put_map_or_fail(out, tag::PARAMS, &p.params);
    }
}
