//! What every hook is told about a request and its caller.

use crate::abi::{self, tag, verdict, Error};
use crate::host;
use crate::value::{self, Map};
use crate::view::{text, Field};

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
    /// Takes a record about the caller, or gives it back.
    pub(crate) fn take(&mut self, field: Field<'a>) -> Result<(), Field<'a>> {
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
            _ => return Err(field),
        };
        *place = text(field.value);
        Ok(())
    }
}

/// A request as the hooks see it that are part of its way. Most of them hand it on: `r.model` of a `Request` is here.
#[derive(Clone, Default, Debug)]
pub struct Exchange<'a> {
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
    /// The model group asked for.
    pub model: &'a str,
    /// A stream was asked for.
    pub stream: bool,
    /// Who asks.
    pub caller: Caller<'a>,
    /// Tags of the request.
    pub tags: Vec<&'a str>,
    /// What an earlier hook of this plugin kept with `set_state`, for the same request.
    pub state: &'a [u8],

    metadata: &'a [u8],
    team_metadata: &'a [u8],
    request_metadata: &'a [u8],
    params: &'a [u8],
    keep: Option<Vec<u8>>,
}

impl<'a> Exchange<'a> {
    /// Keeps up to 16 KB for the later hooks of this plugin that look at the same request, in whichever instance. The
    /// moderation hook cannot keep anything.
    pub fn set_state(&mut self, state: impl Into<Vec<u8>>) {
        self.keep = Some(state.into());
    }

    /// The metadata of the caller's key, if the manifest needs "metadata".
    pub fn metadata(&self) -> Result<Map, Error> {
        value::read_map(self.metadata)
    }

    /// The metadata of the caller's team, if the manifest needs "metadata".
    pub fn team_metadata(&self) -> Result<Map, Error> {
        value::read_map(self.team_metadata)
    }

    /// The metadata of the request, if the manifest needs "request_metadata".
    pub fn request_metadata(&self) -> Result<Map, Error> {
        value::read_map(self.request_metadata)
    }

    /// What the request says to this guardrail: `guardrails: [{NAME: {extra_body: THIS}}]`.
    pub fn params(&self) -> Result<Map, Error> {
        value::read_map(self.params)
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

    #[inline]
    pub(crate) fn take(&mut self, field: Field<'a>) -> Result<(), Error> {
        match field.tag {
            tag::REQUEST_ID => self.id = text(field.value),
            tag::CALL_TYPE => self.call_type = text(field.value),
            tag::METHOD => self.method = text(field.value),
            tag::PATH => self.path = text(field.value),
            tag::CLIENT_IP => self.client_ip = text(field.value),
            tag::MODEL => self.model = text(field.value),
            tag::STREAM => self.stream = true,
            tag::TAG => self.tags.push(text(field.value)),
            tag::STATE => self.state = field.value,
            tag::METADATA => self.metadata = field.value,
            tag::TEAM_METADATA => self.team_metadata = field.value,
            tag::CALLER_METADATA => self.request_metadata = field.value,
            tag::GUARD_PARAMS => self.params = field.value,
            _ => return self.caller.take(field).or_else(|field| field.unknown()),
        }
        Ok(())
    }

    /// Appends the state, after a verdict.
    pub(crate) fn write_state(&self, out: &mut Vec<u8>) {
        if let Some(state) = &self.keep {
            if out.is_empty() {
                abi::put_number(out, tag::VERDICT, verdict::CONTINUE);
            }
            abi::put_text(out, tag::STATE, state);
        }
    }
}
