//! The hooks of signing in to the gateway's pages.

use crate::abi::{self, tag, verdict, Error};
use crate::exchange::Exchange;
use crate::request::{put_fail, put_reject};
use crate::route::put_map_or_fail;
use crate::value::{self, Map, Value};
use crate::view::{text, View};
use std::borrow::Cow;
use std::ops::Deref;

/// What the hooks of signing in see.
#[derive(Clone, Default, Debug)]
pub struct SsoRequest<'a> {
    exchange: Exchange<'a>,
    /// The raw query string.
    pub query: &'a str,
    /// What the identity provider says of the user, in sso_callback.
    pub claims: Map,
    headers: Vec<(&'a str, &'a str)>,
}

impl<'a> Deref for SsoRequest<'a> {
    type Target = Exchange<'a>;

    fn deref(&self) -> &Exchange<'a> {
        &self.exchange
    }
}

impl<'a> SsoRequest<'a> {
    /// A request with claims and nothing else, for a test.
    pub fn with_claims(claims: Map) -> SsoRequest<'a> {
        SsoRequest { claims, ..SsoRequest::default() }
    }

    /// Gives a request made by a test a header that the manifest needs.
    pub fn with_header(mut self, name: &'a str, value: &'a str) -> SsoRequest<'a> {
        self.headers.push((name, value));
        self
    }

    /// A header that the manifest needs, if it was sent.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    /// A claim that is text.
    pub fn claim(&self, name: &str) -> Option<&str> {
        self.claims.iter().find(|(n, _)| n == name).and_then(|(_, v)| Value::as_str(v))
    }

    pub(crate) fn read(view: &'a mut [u8]) -> Result<SsoRequest<'a>, Error> {
        let (mut view, mut r) = (View::new(view), SsoRequest::default());
        while let Some(field) = view.next()? {
            match field.tag {
                tag::QUERY => r.query = text(field.value),
                tag::PARAMS => r.claims = value::read_map(field.value)?,
                tag::HEADER => r.headers.push(field.header()?),
                _ => r.exchange.take(field)?,
            }
        }
        Ok(r)
    }
}

/// Who signed in.
#[derive(Clone, Default, PartialEq, Debug)]
#[allow(missing_docs)]
pub struct User {
    pub id: String,
    pub email: String,
    /// Such as "internal_user".
    pub role: String,
    pub team_id: String,
    pub models: Vec<String>,
    /// US dollars.
    pub max_budget: Option<f64>,
    /// Such as "30d".
    pub budget_duration: String,
    pub metadata: Map,
}

/// What a hook of signing in decided.
#[derive(Clone, PartialEq, Debug)]
#[must_use]
pub enum SsoVerdict {
    /// The gateway goes on as without the plugin.
    Default,
    /// This user signed in.
    SignIn(User),
    /// The browser goes to this URL.
    Redirect(String),
    /// Nobody signs in.
    #[allow(missing_docs)]
    Refuse { status: u16, message: Cow<'static, str> },
    /// The hook could not do its work; the message is for the operator.
    Fail(Cow<'static, str>),
}

impl SsoVerdict {
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match self {
            SsoVerdict::Default => {}
            SsoVerdict::Refuse { status, message } => put_reject(out, *status, message),
            SsoVerdict::Fail(message) => put_fail(out, message),
            SsoVerdict::Redirect(url) => {
                abi::put_number(out, tag::VERDICT, verdict::RESPOND);
                abi::put_text(out, tag::URL, url.as_bytes());
            }
            SsoVerdict::SignIn(user) => {
                let mut inside = Vec::new();
                put_map_or_fail(&mut inside, tag::METADATA, &user.metadata);
                if inside.starts_with(&tag::VERDICT.to_le_bytes()) {
                    return out.extend_from_slice(&inside);
                }
                abi::put_number(out, tag::VERDICT, verdict::ALLOW);
                abi::put_nested(out, tag::PRINCIPAL, |out| {
                    user.write(out);
                    out.extend_from_slice(&inside);
                });
            }
        }
    }
}

impl User {
    fn write(&self, out: &mut Vec<u8>) {
        abi::put_some(out, tag::USER_ID, &self.id);
        abi::put_some(out, tag::USER_EMAIL, &self.email);
        abi::put_some(out, tag::ROLE, &self.role);
        abi::put_some(out, tag::TEAM_ID, &self.team_id);
        for model in &self.models {
            abi::put_text(out, tag::ALLOWED_MODEL, model.as_bytes());
        }
        if let Some(budget) = self.max_budget {
            abi::put_number(out, tag::MAX_BUDGET, budget.to_bits());
        }
        abi::put_some(out, tag::BUDGET_DURATION, &self.budget_duration);
    }
}
