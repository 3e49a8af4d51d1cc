//! The auth hook: who is asking?

use crate::abi::{self, tag, verdict, Error};
use crate::host;
use crate::limits::{critical, micros, AllLimits};
use crate::request::{put_fail, put_reject};
use crate::value::{self, Map};
use crate::view::{text, View};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::SystemTime;

/// What the auth hook sees.
#[derive(Clone, Default, Debug)]
pub struct AuthRequest<'a> {
    /// Id of the request.
    pub id: &'a str,
    /// HTTP method.
    pub method: &'a str,
    /// Canonical path.
    pub path: &'a str,
    /// The caller's address.
    pub client_ip: &'a str,
    /// The model group asked for, where the route has one.
    pub model: &'a str,
    /// The key presented, without "Bearer "; empty if there is none.
    pub credential: &'a str,
    /// The credential header as it was sent.
    pub raw: &'a str,

    headers: Vec<(&'a str, &'a str)>,
}

impl<'a> AuthRequest<'a> {
    /// A request with a credential and nothing else, for a test.
    pub fn with_credential(credential: &'a str) -> AuthRequest<'a> {
        AuthRequest { credential, ..AuthRequest::default() }
    }

    /// Gives a request made by a test a header that the manifest needs.
    pub fn with_header(mut self, name: &'a str, value: &'a str) -> AuthRequest<'a> {
        self.headers.push((name, value));
        self
    }

    /// A header of the request, if it was sent. Those that the manifest needs are at hand, others are asked of the
    /// gateway.
    pub fn header(&self, name: &str) -> Option<String> {
        match self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)) {
            Some((_, value)) => Some(value.to_string()),
            None => host::text_field(host::HEADER, name),
        }
    }

    /// A value in the request body, as `Request::value`.
    pub fn value(&self, path: &str) -> Option<String> {
        host::text_field(host::VALUE, path)
    }

    pub(crate) fn read(&mut self, view: &'a mut [u8]) -> Result<(), Error> {
        let mut view = View::new(view);
        while let Some(field) = view.next()? {
            match field.tag {
                tag::REQUEST_ID => self.id = text(field.value),
                tag::METHOD => self.method = text(field.value),
                tag::PATH => self.path = text(field.value),
                tag::CLIENT_IP => self.client_ip = text(field.value),
                tag::MODEL => self.model = text(field.value),
                tag::CREDENTIAL => self.credential = text(field.value),
                tag::CREDENTIAL_RAW => self.raw = text(field.value),
                tag::HEADER => self.headers.push(field.header()?),
                _ => field.unknown()?,
            }
        }
        Ok(())
    }
}

/// Who a request acts for. The gateway hashes the credential itself. A manifest whose plugin sets a field below
/// `team_metadata` says "min_minor": 2; an older gateway refuses callers rather than letting them in without their limits.
#[derive(Clone, Default, PartialEq, Debug)]
#[allow(missing_docs)]
pub struct Principal {
    pub key_alias: String,
    pub user_id: String,
    pub user_email: String,
    pub team_id: String,
    pub team_alias: String,
    pub org_id: String,
    pub end_user: String,
    /// `proxy_admin`, `proxy_admin_viewer`, `internal_user`, `internal_user_viewer` or `customer`.
    pub role: String,
    /// Model groups the principal may use; empty is all.
    pub models: Vec<String>,
    pub metadata: Map,
    /// Metadata of the team.
    pub team_metadata: Map,

    pub limits: AllLimits,
    /// What the limits and budgets of the key, `limits.key` and `limits.key_models`, are counted under. If it is empty that
    /// is the credential: set it if credentials change while the person stays, as tokens do, or if the plugin takes the
    /// credential from somewhere else than the gateway does.
    pub counter: String,
    /// Later requests are refused with status 401.
    pub expires: Option<SystemTime>,
    /// Every request is refused with status 401, in the words for blocked keys.
    pub blocked: bool,
    /// Likewise, in those for teams.
    pub team_blocked: bool,
    /// Model groups the team may use; empty is all. `models` has to allow them, too.
    pub team_models: Vec<String>,
    /// Paths, patterns with a star at the end, or groups such as "llm_api_routes"; empty is all.
    pub allowed_routes: Vec<String>,
    /// Model groups that are asked for in place of other names.
    pub aliases: BTreeMap<String, String>,
    /// Cache controls that requests may set; empty is all.
    pub cache_controls: Vec<String>,
    /// Where models must run, such as "eu"; empty is anywhere.
    pub region: String,
    /// Tags of every request.
    pub tags: Vec<String>,
    /// Guardrails that look at every request.
    pub guardrails: Vec<String>,
    pub org_alias: String,

    // Since minor version 4: a manifest whose plugin sets one of these says so.
    /// Ids of stored access groups, whose models are added to `models` if that has any.
    pub access_groups: Vec<String>,
    /// Such as `get_spend_routes` with `true`; a guardrail's name switches it on or off.
    pub permissions: Map,
    /// What takes the place of the gateway's settings for requests that do not say themselves: `num_retries`, `timeout`,
    /// `fallbacks`, `context_window_fallbacks`, `content_policy_fallbacks`. Another member fails the call.
    pub router_settings: Map,
}

/// What the auth hook decided.
#[derive(Clone, PartialEq, Debug)]
#[must_use]
pub enum AuthVerdict {
    /// The plugin does not know this kind of credential. In mode "auto" the gateway asks the next authenticator; in
    /// mode "on" it refuses the caller.
    Pass,
    /// The caller is let in.
    Allow(Rc<Principal>),
    /// The caller is turned away, with status 401 or 403.
    #[allow(missing_docs)]
    Refuse { status: u16, message: Cow<'static, str> },
    /// The hook could not do its work; the message is for the operator.
    Fail(Cow<'static, str>),
}

impl AuthVerdict {
    /// Lets the caller in. A principal in an `Rc` can be kept and shared between calls.
    pub fn allow(principal: impl Into<Rc<Principal>>) -> AuthVerdict {
        AuthVerdict::Allow(principal.into())
    }

    /// Turns the caller away with status 401 or 403 and a message, which must not repeat the credential.
    pub fn refuse(status: u16, message: impl Into<Cow<'static, str>>) -> AuthVerdict {
        AuthVerdict::Refuse { status, message: message.into() }
    }

    /// Says that the hook could not do its work. The gateway then refuses the caller, unless the operator decided
    /// otherwise. The message must not hold the credential.
    pub fn fail(message: impl Into<Cow<'static, str>>) -> AuthVerdict {
        AuthVerdict::Fail(message.into())
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match self {
            AuthVerdict::Pass => {}
            AuthVerdict::Refuse { status, message } => put_reject(out, *status, message),
            AuthVerdict::Fail(message) => put_fail(out, message),
            AuthVerdict::Allow(p) => {
                abi::put_number(out, tag::VERDICT, verdict::ALLOW);
                if let Err(e) = abi::put_nested(out, tag::PRINCIPAL, |out| p.write(out)) {
                    out.clear();
                    put_fail(out, &e.to_string());
                }
            }
        }
    }
}

impl Principal {
    fn write(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        let fields = [
            (tag::KEY_ALIAS, &self.key_alias),
            (tag::USER_ID, &self.user_id),
            (tag::USER_EMAIL, &self.user_email),
            (tag::TEAM_ID, &self.team_id),
            (tag::TEAM_ALIAS, &self.team_alias),
            (tag::ORG_ID, &self.org_id),
            (tag::END_USER, &self.end_user),
            (tag::ROLE, &self.role),
        ];
        for (tag, value) in fields {
            if !value.is_empty() {
                abi::put_text(out, tag, value.as_bytes());
            }
        }
        for model in &self.models {
            abi::put_text(out, tag::ALLOWED_MODEL, model.as_bytes());
        }
        if !self.metadata.is_empty() {
            value::put_map(out, tag::METADATA, &self.metadata)?;
        }
        if !self.team_metadata.is_empty() {
            value::put_map(out, tag::TEAM_METADATA, &self.team_metadata)?;
        }
        self.write_restrictions(out);
        self.write_rest(out)
    }

    /// What the principal may not do: records that must be understood.
    fn write_restrictions(&self, out: &mut Vec<u8>) {
        self.limits.write(out);
        if let Some(t) = self.expires {
            critical(out, |out| abi::put_number(out, tag::EXPIRES, micros(t)));
        }
        for (tag, on) in [(tag::BLOCKED, self.blocked), (tag::TEAM_BLOCKED, self.team_blocked)] {
            if on {
                critical(out, |out| abi::put_number(out, tag, 1));
            }
        }
        let lists = [
            (tag::TEAM_MODEL, &self.team_models),
            (tag::ALLOWED_ROUTE, &self.allowed_routes),
            (tag::CACHE_CONTROL, &self.cache_controls),
        ];
        for (tag, list) in lists {
            for item in list {
                critical(out, |out| abi::put_text(out, tag, item.as_bytes()));
            }
        }
        if !self.region.is_empty() {
            critical(out, |out| abi::put_text(out, tag::REGION, self.region.as_bytes()));
        }
        for name in &self.guardrails {
            critical(out, |out| abi::put_text(out, tag::GUARDRAIL, name.as_bytes()));
        }
    }

    fn write_rest(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        abi::put_some(out, tag::COUNTER, &self.counter);
        abi::put_some(out, tag::ORG_ALIAS, &self.org_alias);
        for name in &self.tags {
            abi::put_some(out, tag::TAG, name);
        }
        for (name, model) in &self.aliases {
            abi::put_nested(out, tag::ALIAS, |out| {
                abi::put_text(out, tag::KEY, name.as_bytes());
                abi::put_text(out, tag::TEXT, model.as_bytes());
            });
        }
        for id in &self.access_groups {
            abi::put_some(out, tag::ACCESS_GROUP, id);
        }
        for (tag, map) in [(tag::PERMISSIONS, &self.permissions), (tag::ROUTER_SETTINGS, &self.router_settings)] {
            if !map.is_empty() {
                value::put_map(out, tag, map)?;
            }
        }
        Ok(())
    }
}
