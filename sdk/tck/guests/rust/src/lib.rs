//! The guest of the conformance kit in Rust. ../../README.md says what it does in each hook.

use sallyport::value::{map, Map};
use sallyport::*;
use std::time::{Duration, UNIX_EPOCH};

sallyport::plugin!(Tck, include_bytes!("../manifest.json"));

struct Tck;

/// Lines of the form name=value. What is empty is left out.
#[derive(Default)]
struct Echo(String);

impl Echo {
    fn text(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.0 += &format!("{}={}\n", name, value);
        }
    }

    fn bytes(&mut self, name: &str, value: &[u8]) {
        self.text(name, &String::from_utf8_lossy(value));
    }

    fn number(&mut self, name: &str, n: u64) {
        if n != 0 {
            self.text(name, &n.to_string());
        }
    }

    fn flag(&mut self, name: &str, on: bool) {
        if on {
            self.text(name, "true");
        }
    }

    fn asked(&mut self, name: &str, value: Option<String>) {
        self.text(name, &value.unwrap_or_default());
    }

    fn object(&mut self, name: &str, m: Result<Map, abi::Error>) {
        match m {
            Err(_) => self.text(name, "malformed"),
            Ok(m) if m.is_empty() => {}
            Ok(m) => self.text(name, &show(&Value::Map(m))),
        }
    }

    fn caller(&mut self, c: &Caller) {
        self.text("key_hash", c.key_hash);
        self.text("key_alias", c.key_alias);
        self.text("user_id", c.user_id);
        self.text("user_email", c.user_email);
        self.text("team_id", c.team_id);
        self.text("team_alias", c.team_alias);
        self.text("org_id", c.org_id);
        self.text("end_user", c.end_user);
        self.text("role", c.role);
    }

    fn exchange(&mut self, x: &Exchange) {
        self.text("id", x.id);
        self.text("call_type", x.call_type);
        self.text("method", x.method);
        self.text("path", x.path);
        self.text("client_ip", x.client_ip);
        self.flag("stream", x.stream);
        self.caller(&x.caller);
        self.object("metadata", x.metadata());
        for tag in &x.tags {
            self.text("tag", tag);
        }
        self.bytes("state", x.state);
        self.object("team_metadata", x.team_metadata());
        self.object("request_metadata", x.request_metadata());
        self.object("params", x.params());
    }

    fn outcome(&mut self, o: &Outcome) {
        self.text("finish", o.finish);
        self.number("prompt_tokens", o.prompt_tokens);
        self.number("completion_tokens", o.completion_tokens);
        self.number("total_tokens", o.total_tokens);
        self.text("deployment", o.deployment);
        self.text("provider", o.provider);
    }

    fn texts(&mut self, texts: &[Text]) {
        for t in texts {
            self.argument(&t.argument);
            if t.argument.is_none() {
                self.text("kind", t.kind);
            }
            self.flag("sealed", t.sealed);
            self.text(&format!("{} {}", t.role, t.message), &quote(&t.as_str()));
        }
    }

    fn argument(&mut self, a: &Option<Argument>) {
        if let Some(a) = a {
            self.text("argument", &format!("{} {}", a.call, quote(a.key)));
        }
    }

    fn media(&mut self, list: &[Media]) {
        for m in list {
            self.text("media", &m.message.to_string());
            let (size, inline) = (m.size.unwrap_or(0).to_string(), m.size.is_some().to_string());
            for s in [m.role, m.kind, m.mime, &size, &inline, m.url, m.id, m.name, m.path, m.field] {
                self.text("of media", s);
            }
        }
    }

    fn record(&mut self, r: &LogRecord) {
        self.text("id", r.id);
        self.text("call_type", r.call_type);
        self.text("path", r.path);
        self.text("client_ip", r.client_ip);
        self.text("agent", r.agent);
        self.flag("stream", r.stream);
        self.flag("cache_hit", r.cache_hit);
        self.caller(&r.caller);
        self.text("vendor_model", r.vendor_model);
        self.text("provider", r.provider);
        self.text("deployment", r.deployment);
        self.text("base", r.base);
        self.number("start", r.start);
        self.number("end", r.end);
        self.number("first_token", r.first_token);
        self.number("prompt_tokens", r.prompt_tokens);
        self.number("completion_tokens", r.completion_tokens);
        self.number("total_tokens", r.total_tokens);
        self.number("cached_tokens", r.cached_tokens);
        self.number("reasoning_tokens", r.reasoning_tokens);
        if let Some(cost) = r.cost {
            self.text("cost", &cost.to_string());
        }
        self.number("status", r.status.into());
        self.text("finish", r.finish);
        self.text("error_class", r.error_class);
        self.text("error", r.error);
        for tag in &r.tags {
            self.text("tag", tag);
        }
        for guardrail in &r.guardrails {
            self.text("guardrail", guardrail);
        }
        self.number("retries", r.retries);
        self.number("fallbacks", r.fallbacks);
        self.text("messages", r.messages);
        self.text("answer", r.answer);
        self.object("metadata", r.metadata());
        self.object("request_metadata", r.request_metadata());
    }

    fn deployment(&mut self, d: &Deployment) {
        self.text("deployment", d.id);
        self.text("group", d.group);
        self.text("vendor_model", d.model);
        self.text("provider", d.provider);
        self.text("base", d.base);
        for tag in &d.tags {
            self.text("tag", tag);
        }
        self.text("weights", &format!("[{} {} {}]", d.weight, d.rpm, d.tpm));
        self.number("in_flight", d.in_flight);
        self.object("info", d.info());
    }
}

/// Text in quotes, with the escapes that Go has for what the cases hold.
fn quote(s: &str) -> String {
    format!("\"{}\"", s.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

/// A value, written in one way only.
fn show(v: &Value) -> String {
    match v {
        Value::Null => "null".into(),
        Value::Bool(b) => b.to_string(),
        Value::Int(n) => n.to_string(),
        Value::Float(f) => f.to_string(),
        Value::Text(s) => quote(s),
        Value::List(list) => format!("[{}]", list.iter().map(show).collect::<Vec<_>>().join(" ")),
        Value::Map(m) => {
            let mut list: Vec<_> = m.iter().map(|(k, v)| format!("{}:{}", k, show(v))).collect();
            list.sort();
            format!("{{{}}}", list.join(" "))
        }
    }
}

/// A map with every kind of value.
fn full() -> Map {
    map([
        ("text", "é".into()),
        ("bool", true.into()),
        ("float", 1.5.into()),
        ("int", (-7).into()),
        ("list", Value::List(vec!["a".into(), Value::Null])),
        ("map", Value::Map(map([("k", "v".into())]))),
    ])
}

fn exclaimed(text: &[u8]) -> Vec<u8> {
    [text, b"!"].concat()
}

fn reading() -> Reading {
    let call = ToolCall { index: 0, id: "c0".into(), name: "f".into(), arguments: "{}".into() };
    Reading {
        text: "text".into(),
        reasoning: "because".into(),
        finish: "tool_calls".into(),
        state: b"kept".to_vec(),
        tool_calls: vec![call, ToolCall { index: 1, ..ToolCall::default() }],
        usage: Some(Usage { prompt: 1, completion: 2, total: 3, cached: 0, reasoning: 1 }),
        ..Reading::default()
    }
}

fn sso(r: &SsoRequest) -> SsoVerdict {
    match r.query {
        "user" => SsoVerdict::SignIn(User {
            id: "user".into(),
            email: "email".into(),
            role: "internal_user".into(),
            team_id: "team".into(),
            models: vec!["m1".into(), "m2".into()],
            max_budget: Some(1.5),
            budget_duration: "30d".into(),
            metadata: full(),
        }),
        "redirect" => SsoVerdict::Redirect("https://example.com/".into()),
        "fail" => SsoVerdict::Fail("failed".into()),
        "echo" => {
            let mut e = Echo::default();
            e.text("id", r.id);
            e.text("method", r.method);
            e.text("path", r.path);
            e.text("client_ip", r.client_ip);
            e.object("claims", Ok(r.claims.clone()));
            e.text("given", r.header("X-Given").unwrap_or_default());
            SsoVerdict::Refuse { status: 403, message: e.0.into() }
        }
        _ => SsoVerdict::Default,
    }
}

/// A principal with all that a gateway acts on besides names and metadata.
fn limited() -> Principal {
    let at = Some(UNIX_EPOCH + Duration::from_micros(1_700_000_000_000_001));
    let rpm = |n| Limits { rpm: Some(n), ..Limits::default() };
    let tpm = |n| Limits { tpm: Some(n), ..Limits::default() };
    let budget = |f| Limits { max_budget: Some(f), ..Limits::default() };
    let list = |names: &[&str]| names.iter().map(|n| n.to_string()).collect::<Vec<_>>();
    Principal {
        user_id: "user".into(),
        team_id: "team".into(),
        org_id: "org".into(),
        limits: AllLimits {
            key: Limits {
                tpm: Some(1),
                rpm: Some(2),
                max_parallel: Some(3),
                max_budget: Some(4.5),
                soft_budget: Some(3.5),
                budget_duration: "30d".into(),
                budget_reset_at: at,
                spend: 0.25,
            },
            user: rpm(0),
            team: budget(0.0),
            team_member: tpm(10),
            organization: Limits { max_parallel: Some(11), ..Limits::default() },
            end_user: rpm(12),
            key_models: [("m2".into(), rpm(14)), ("m1".into(), rpm(13))].into(),
            team_models: [("m1".into(), tpm(15))].into(),
            organization_models: [("m1".into(), tpm(16))].into(),
            end_user_models: [("m1".into(), budget(17.0))].into(),
        },
        counter: "counter".into(),
        expires: at,
        blocked: true,
        team_blocked: true,
        team_models: list(&["m1", "m2"]),
        allowed_routes: list(&["llm_api_routes", "/key/info"]),
        aliases: [("b".into(), "m2".into()), ("a".into(), "m1".into())].into(),
        cache_controls: list(&["ttl", "no-cache"]),
        region: "eu".into(),
        tags: list(&["red", "blue"]),
        guardrails: list(&["g1", "g2"]),
        org_alias: "org-alias".into(),
        ..Principal::default()
    }
}

impl Plugin for Tck {
    const HOOKS: &'static [Hook] = &Hook::ALL;

    fn new(c: &mut Config) -> Result<Tck, String> {
        if c.string("mode", "") == "refuse" {
            return Err("mode is refuse".into());
        }
        Ok(Tck)
    }

    fn auth(&mut self, a: &AuthRequest) -> AuthVerdict {
        match a.credential {
            "" => AuthVerdict::Pass,
            "fail" => AuthVerdict::fail("failed"),
            "allow" => AuthVerdict::allow(Principal {
                key_alias: "alias".into(),
                user_id: "user".into(),
                user_email: "email".into(),
                team_id: "team".into(),
                team_alias: "team-alias".into(),
                org_id: "org".into(),
                end_user: "end-user".into(),
                role: "internal_user".into(),
                models: vec!["m1".into(), "m2".into()],
                metadata: full(),
                ..Principal::default()
            }),
            "bare" => AuthVerdict::allow(Principal::default()),
            "limits" => AuthVerdict::allow(limited()),
            "rights" => AuthVerdict::allow(Principal {
                access_groups: vec!["g2".into(), "g1".into()],
                permissions: full(),
                router_settings: map([("num_retries", 2.into()), ("fallbacks", Value::List(vec!["m".into()]))]),
                ..Principal::default()
            }),
            "echo" => {
                let mut e = Echo::default();
                e.text("id", a.id);
                e.text("method", a.method);
                e.text("path", a.path);
                e.text("client_ip", a.client_ip);
                e.text("model", a.model);
                e.text("raw", a.raw);
                e.asked("given", a.header("X-Given"));
                e.asked("header", a.header("x-tck"));
                AuthVerdict::refuse(403, e.0)
            }
            _ => AuthVerdict::refuse(401, "no"),
        }
    }

    fn request(&mut self, r: &mut Request) -> Verdict {
        match r.model {
            "echo" => {
                let mut e = Echo::default();
                e.exchange(r);
                e.texts(&r.texts);
                e.media(&r.media);
                e.asked("header", r.header("x-tck"));
                e.asked("value", r.value("a.b"));
                e.asked("json", r.json("a.b"));
                e.asked("none", r.value("a.none"));
                e.bytes("body", &r.body());
                return Verdict::reject(400, e.0);
            }
            "reject" => return Verdict::reject(499, "no"),
            "respond" => return Verdict::respond("hi"),
            "filtered" => return Verdict::RespondFiltered("hi".into()),
            "fail" => return Verdict::fail("failed"),
            "state" => r.set_state(*b"kept"),
            "edit" => {
                for t in &mut r.texts {
                    t.replace(exclaimed(t.as_bytes()));
                }
                r.set_model("other");
            }
            "change" => {
                r.set_json("a.b", "[1]");
                r.set_value("c", "x\"\\\n");
                r.remove("d");
                r.set_header("x-a", "1");
                r.add_tag("t");
                r.set_metadata("k", Value::Map(full()));
                r.set_state(*b"kept");
            }
            _ => {}
        }
        Verdict::Continue
    }

    fn moderation(&mut self, r: &mut Request) -> Verdict {
        self.request(r)
    }

    fn response(&mut self, r: &mut Response) -> Verdict {
        match r.model {
            "echo" => {
                let mut e = Echo::default();
                e.exchange(r);
                e.outcome(&r.outcome);
                e.media(&r.media);
                for t in &r.texts {
                    e.argument(&t.argument);
                    e.text(&format!("{} {} {}", t.choice, t.kind, t.role), &quote(&t.as_str()));
                }
                e.flag("partial", r.partial);
                e.text("context", r.context);
                e.number("fresh", r.fresh as u64);
                e.flag("final", r.last);
                e.number("asked", r.asked);
                e.number("retries", r.retries);
                return Verdict::reject(400, e.0);
            }
            "edit" => {
                for t in &mut r.texts {
                    t.replace(exclaimed(t.as_bytes()));
                }
                r.set_state(*b"kept");
            }
            "retry" => {
                r.set_state(*b"kept");
                return Verdict::retry(422, "no", 1, "again");
            }
            "fail" => return Verdict::fail("failed"),
            _ => {}
        }
        Verdict::Continue
    }

    fn stream_chunk(&mut self, w: &mut Window) -> Verdict {
        match w.model {
            "echo" => {
                let mut e = Echo::default();
                e.exchange(w);
                e.number("choice", w.choice);
                e.text("kind", w.kind);
                e.argument(&w.argument);
                e.text("context", w.context);
                e.text("text", &w.as_str());
                e.number("fresh", w.fresh as u64);
                e.bytes("new", w.new_bytes());
                e.flag("final", w.last);
                e.media(&w.media);
                return Verdict::reject(400, e.0);
            }
            "edit" => {
                w.replace(exclaimed(w.as_bytes()));
                w.set_state(*b"kept");
            }
            "hold" => {
                w.set_state(*b"kept");
                return Verdict::Hold;
            }
            "drop" => return Verdict::Drop,
            "retry" => return Verdict::retry(422, "no", 0, ""),
            "fail" => return Verdict::fail("failed"),
            _ => {}
        }
        Verdict::Continue
    }

    fn stream_end(&mut self, s: &mut StreamEnd) -> Verdict {
        match s.model {
            "echo" => {
                let mut e = Echo::default();
                e.exchange(s);
                e.outcome(&s.outcome);
                e.flag("left", s.left);
                return Verdict::reject(400, e.0);
            }
            "state" => s.set_state(*b"kept"),
            "fail" => return Verdict::fail("failed"),
            _ => {}
        }
        Verdict::Continue
    }

    fn failure(&mut self, f: &mut Failure) -> Verdict {
        match f.model {
            "echo" => {
                let mut e = Echo::default();
                e.exchange(f);
                e.text("kind", f.kind);
                e.number("status", f.status.into());
                e.text("message", &f.message);
                e.text("type", &f.error_type);
                e.text("deployment", f.deployment);
                e.text("provider", f.provider);
                f.rewrite(418, e.0);
            }
            "type" => f.set_type("other"),
            "fail" => return Verdict::fail("failed"),
            _ => {}
        }
        Verdict::Continue
    }

    fn log(&mut self, b: &mut LogBatch) -> Result<(), String> {
        let (mut e, mut again) = (Echo::default(), Vec::new());
        for (i, r) in b.records.iter().enumerate() {
            match r.model {
                "retry" => again.push(i),
                "echo" => e.record(r),
                _ => {}
            }
        }
        again.into_iter().for_each(|i| b.retry(i));
        if e.0.is_empty() {
            Ok(())
        } else {
            Err(e.0)
        }
    }

    fn tick(&mut self) -> Result<(), String> {
        Ok(())
    }

    fn route(&mut self, r: &RouteRequest) -> RouteVerdict {
        let ids = || r.deployments.iter().rev().map(|d| d.id.to_string()).collect();
        match r.model {
            "only" => RouteVerdict::Only(ids()),
            "order" => RouteVerdict::InOrder(ids()),
            "echo" => {
                let mut e = Echo::default();
                e.exchange(r);
                e.number("retries", r.retries);
                r.deployments.iter().for_each(|d| e.deployment(d));
                RouteVerdict::Fail(e.0.into())
            }
            _ => RouteVerdict::Any,
        }
    }

    fn prompt(&mut self, r: &PromptRequest) -> PromptVerdict {
        match r.prompt_id {
            "use" => PromptVerdict::Use(Prompt {
                messages: vec![("system".into(), "be brief".into()), ("user".into(), "hi".into())],
                replace: true,
                model: "other".into(),
                params: full(),
                ..Prompt::default()
            }),
            "json" => PromptVerdict::Use(Prompt { json: "[]".into(), ..Prompt::default() }),
            "fail" => PromptVerdict::Fail("failed".into()),
            _ => {
                let mut e = Echo::default();
                e.text("prompt_id", r.prompt_id);
                e.object("variables", Ok(r.variables.clone()));
                e.text("label", r.label);
                e.text("version", r.version);
                e.text("id", r.id);
                e.text("call_type", r.call_type);
                e.text("model", r.model);
                e.flag("stream", r.stream);
                e.caller(&r.caller);
                e.texts(&r.texts);
                PromptVerdict::Refuse { status: 404, message: e.0.into() }
            }
        }
    }

    fn key_generate(&mut self, r: &KeyRequest) -> KeyVerdict {
        let mode = r.params.iter().find(|(k, _)| k == "mode").and_then(|(_, v)| v.as_str());
        match mode {
            Some("edit") => KeyVerdict::Edit(full()),
            Some("fail") => KeyVerdict::Fail("failed".into()),
            Some("echo") => {
                let mut e = Echo::default();
                e.text("id", r.id);
                e.text("client_ip", r.client_ip);
                e.caller(&r.caller);
                e.object("params", Ok(r.params.clone()));
                KeyVerdict::Refuse(e.0.into())
            }
            _ => KeyVerdict::Allow,
        }
    }

    fn sso_begin(&mut self, r: &SsoRequest) -> SsoVerdict {
        sso(r)
    }

    fn sso_callback(&mut self, r: &SsoRequest) -> SsoVerdict {
        sso(r)
    }

    fn provider_encode(&mut self, r: &ProviderRequest) -> Outgoing {
        match r.vendor_model {
            "call" => Outgoing::Call {
                method: "POST".into(),
                url: "https://example.com/x".into(),
                headers: vec![("x-a".into(), "1".into()), ("x-b".into(), "2".into())],
                body: b"body".to_vec(),
            },
            "answer" => Outgoing::Answer(reading()),
            "fail" => Outgoing::Fail("failed".into()),
            _ => {
                let mut e = Echo::default();
                e.text("id", r.id);
                e.text("call_type", r.call_type);
                e.text("vendor_model", r.vendor_model);
                e.text("base", r.base);
                e.text("api_key", r.api_key);
                e.flag("stream", r.stream);
                e.caller(&r.caller);
                e.texts(&r.texts);
                Outgoing::Refuse { status: 400, message: e.0.into() }
            }
        }
    }

    fn provider_decode(&mut self, a: &ProviderAnswer) -> Reading {
        match a.event {
            "reading" => reading(),
            "json" => Reading { json: "{}".into(), state: b"kept".to_vec(), ..Reading::default() },
            "nothing" => Reading::default(),
            "fail" => Reading { failure: Some("failed".into()), ..Reading::default() },
            _ => {
                let mut e = Echo::default();
                let phase = match a.phase {
                    Phase::Whole => "whole",
                    Phase::Event => "event",
                    Phase::End => "end",
                    Phase::Encode => "",
                };
                e.text("phase", phase);
                e.number("status", a.status.into());
                e.text("event", a.event);
                e.bytes("body", a.body);
                e.bytes("state", a.state);
                e.text("given", a.header("X-Given").unwrap_or_default());
                Reading { error: Some((502, e.0)), ..Reading::default() }
            }
        }
    }
}
