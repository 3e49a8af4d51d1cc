//! The whole of a guest, natively: views in, results out.

use crate::abi::{self, tag, verdict, Error, Hook, Reader};
use crate::testing::{self, Answers};
use crate::value::{self, map, read_map, Map, Value};
use crate::*;
use std::rc::Rc;

/// A plugin that does what the model's name says.
struct Puppet {
    word: String,
}

impl Plugin for Puppet {
    const HOOKS: &'static [Hook] = &[Hook::Request, Hook::Auth];

    fn new(c: &mut Config) -> Result<Puppet, String> {
        c.strings("words", &[]);
        c.int("limit", 3);
        c.float("rate", 0.5);
        c.map("extra");
        c.blocks("keys", |b| b.bool("on", true));
        if c.string("mode", "") == "bad" {
            return Err("mode is bad".into());
        }
        Ok(Puppet { word: c.name().to_string() })
    }

    fn request(&mut self, r: &mut Request) -> Verdict {
        match r.model {
            "reject" => Verdict::reject(403, "no"),
            "respond" => {
                Verdict::respond(format!("{} {}", self.word, r.texts.first().map_or("".into(), |t| t.as_str())))
            }
            "fail" => Verdict::fail("broken"),
            "edit" => {
                for t in r.texts.iter_mut().skip(1) {
                    t.replace("2");
                }
                r.set_model("other");
                Verdict::Continue
            }
            _ => Verdict::Continue,
        }
    }

    fn auth(&mut self, r: &AuthRequest) -> AuthVerdict {
        match r.credential {
            "" => AuthVerdict::Pass,
            "bad" => AuthVerdict::refuse(401, "who?"),
            key => AuthVerdict::allow(Principal {
                user_id: key.into(),
                team_id: r.header("x-team").unwrap_or_default(),
                models: vec!["m".into()],
                metadata: map([("n", 1i64.into())]),
                ..Principal::default()
            }),
        }
    }
}

fn view(model: &str) -> Vec<u8> {
    let mut v = Vec::new();
    abi::put_text(&mut v, tag::REQUEST_ID, b"id");
    abi::put_text(&mut v, tag::MODEL, model.as_bytes());
    abi::put_number(&mut v, tag::STREAM, 1);
    abi::put_text(&mut v, tag::USER_ID, b"u");
    abi::put_text(&mut v, 999, b"from a newer host");
    abi::put_text(&mut v, tag::MESSAGE, b"system");
    abi::put_text(&mut v, tag::MESSAGE, b"user");
    abi::put_text(&mut v, tag::TEXT, b"one");
    abi::put_text(&mut v, tag::TEXT, b"two\xff");
    v
}

fn call(guest: &Guest<Puppet>, hook: u32, view: &[u8]) -> Vec<u8> {
    // SAFETY: one call at a time, and the view fits.
    unsafe {
        let room = guest.buffer(view.len() as u32);
        std::slice::from_raw_parts_mut(room, view.len()).copy_from_slice(view);
        guest.call(hook, view.len() as u32).to_vec()
    }
}

fn configured(config: Map, hooks: &[u64]) -> (Guest<Puppet>, String) {
    let (guest, mut v) = (Guest::new(), Vec::new());
    abi::put_text(&mut v, tag::NAME, b"puppet");
    for h in hooks {
        abi::put_number(&mut v, tag::HOOK, *h);
    }
    value::put_map(&mut v, tag::CONFIG, &config).unwrap();
    let out = call(&guest, 1, &v);
    let reason = reason(&out);
    (guest, reason)
}

fn reason(out: &[u8]) -> String {
    let mut r = Reader::new(out);
    while let Some(record) = r.next().unwrap() {
        if record.tag == tag::REASON {
            return record.string();
        }
    }
    String::new()
}

fn result(kind: u64, rest: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    abi::put_number(&mut out, tag::VERDICT, kind);
    rest(&mut out);
    out
}

#[test]
fn configure() {
    let says = |want: &str, config: Map, hooks: &[u64]| assert_eq!(configured(config, hooks).1, want);
    says("", map([]), &[2, 5]);
    says("", map([("words", vec!["a"].into()), ("limit", 4.0.into()), ("rate", 1i64.into())]), &[]);
    says("", map([("words", "a".into()), ("limit", Value::Null)]), &[]);
    says("setting \"words\" must be a list of texts", map([("words", true.into())]), &[]);
    says("setting \"words[1]\" must be text", map([("words", Value::List(vec!["a".into(), 1i64.into()]))]), &[]);
    says("setting \"limit\" must be a whole number", map([("limit", 1.5.into())]), &[]);
    says("setting \"rate\" must be a number", map([("rate", "x".into())]), &[]);
    says("setting \"extra\" must be an object", map([("extra", "x".into())]), &[]);
    says("setting \"keys\" must be a list of objects", map([("keys", "x".into())]), &[]);
    says("setting \"keys[0]\" must be an object", map([("keys", vec!["x"].into())]), &[]);
    let keys = |m: Map| map([("keys", Value::List(vec![Value::Map(m)]))]);
    says("setting \"keys[0].on\" must be true or false", keys(map([("on", 1i64.into())])), &[]);
    says("unknown setting \"keys[0].of\": the settings are on", keys(map([("of", true.into())])), &[]);
    let known = "the settings are words, limit, rate, extra, keys, mode";
    says(&format!("unknown setting \"word\": {}", known), map([("word", "a".into())]), &[]);
    says("mode is bad", map([("mode", "bad".into()), ("word", "a".into())]), &[]);
    says("the manifest names hook 99, which the plugin's SDK does not know", map([]), &[99]);
}

#[test]
fn requests() {
    let (guest, _) = configured(map([]), &[5]);
    let is = |model: &str, want: Vec<u8>| assert_eq!(call(&guest, 5, &view(model)), want, "{}", model);
    for _ in 0..2 {
        is("", Vec::new());
        is(
            "reject",
            result(verdict::REJECT, |out| {
                abi::put_number(out, tag::STATUS, 403);
                abi::put_text(out, tag::REASON, b"no");
            }),
        );
        is("respond", result(verdict::RESPOND, |out| abi::put_text(out, tag::REPLY, b"puppet one")));
        is("fail", result(verdict::FAIL, |out| abi::put_text(out, tag::REASON, b"broken")));
        is(
            "edit",
            result(verdict::EDIT, |out| {
                abi::put_nested(out, tag::EDIT, |out| {
                    abi::put_number(out, tag::INDEX, 1);
                    abi::put_text(out, tag::TEXT, b"2");
                });
                abi::put_text(out, tag::MODEL, b"other");
            }),
        );
    }
}

#[test]
fn request_fields() {
    let mut bytes = view("m");
    bytes.extend_from_slice(&view("\u{e9}"));
    let mut r = Request::default();
    r.read(&mut bytes).unwrap();
    assert_eq!((r.id, r.model, r.stream, r.caller.user_id), ("id", "\u{e9}", true, "u"));
    let texts: Vec<_> = r.texts.iter().map(|t| (t.role, t.message, t.as_str().into_owned())).collect();
    let want = [("user", 1, "one"), ("user", 1, "two\u{fffd}"), ("user", 3, "one"), ("user", 3, "two\u{fffd}")];
    assert_eq!(texts, want.map(|(role, message, text)| (role, message, text.to_string())));
    let mut broken = Vec::new();
    abi::put_text(&mut broken, tag::MODEL, b"a\xffb\xe2\x82");
    let mut r = Request::default();
    r.read(&mut broken).unwrap();
    assert_eq!(r.model, "a?b??");
}

#[test]
fn auth() {
    let (guest, _) = configured(map([]), &[2]);
    let view = |key: &str| {
        let mut v = Vec::new();
        abi::put_text(&mut v, tag::CREDENTIAL, key.as_bytes());
        abi::put_nested(&mut v, tag::HEADER, |v| {
            abi::put_text(v, tag::KEY, b"X-Team");
            abi::put_text(v, tag::TEXT, b"red");
        });
        v
    };
    assert_eq!(call(&guest, 2, &view("")), []);
    assert_eq!(reason(&call(&guest, 2, &view("bad"))), "who?");
    let want = result(verdict::ALLOW, |out| {
        abi::put_nested(out, tag::PRINCIPAL, |out| {
            abi::put_text(out, tag::USER_ID, b"key");
            abi::put_text(out, tag::TEAM_ID, b"red");
            abi::put_text(out, tag::ALLOWED_MODEL, b"m");
            value::put_map(out, tag::METADATA, &map([("n", 1i64.into())])).unwrap();
        });
    });
    assert_eq!(call(&guest, 2, &view("key")), want);
    let shared = Rc::new(Principal::default());
    assert_eq!(AuthVerdict::allow(shared.clone()), AuthVerdict::Allow(shared));
}

#[test]
fn foreign_bytes() {
    let (guest, _) = configured(map([]), &[5]);
    let fails = |want: Error, bytes: &[u8]| assert_eq!(reason(&call(&guest, 5, bytes)), want.to_string());
    fails(Error::Short, &[1]);
    fails(Error::Short, &[0; 7]);
    fails(Error::Short, &[49, 0, 0, 0, 1, 0, 0, 0]);
    fails(Error::Short, &[49, 0, 0, 0, 255, 255, 255, 255]);
    fails(Error::Critical, &[231, 3, 2, 0, 0, 0, 0, 0]);
    assert_eq!(call(&guest, 5, &[231, 3, 1, 0, 0, 0, 0, 0]), []);
    assert_eq!(reason(&call(&guest, 99, &[])), "the plugin has no hook 99");
    assert_eq!(reason(&call(&Guest::new(), 5, &[])), "the plugin has no hook 5");
    // Every cut and every changed byte of a good view: whatever comes out, nothing panics.
    let good = view("respond");
    for n in 0..good.len() {
        call(&guest, 5, &good[..n]);
        for byte in [0, 1, 0x7f, 0x80, 0xff] {
            let mut bad = good.clone();
            bad[n] = byte;
            call(&guest, 5, &bad);
        }
    }
}

#[test]
fn maps() {
    let m = map([
        ("text", "a".into()),
        ("int", (-3i64).into()),
        ("float", 2.5.into()),
        ("yes", true.into()),
        ("nil", Value::Null),
        ("list", Value::List(vec!["x".into(), Value::List(vec![]), Value::Map(map([("y", "z".into())]))])),
    ]);
    let mut out = Vec::new();
    value::put_map(&mut out, tag::CONFIG, &m).unwrap();
    let got = Value::Map(read_map(&out[abi::HEADER..]).unwrap());
    for (key, value) in &m {
        assert_eq!(got.get(key), Some(value));
    }
    let mut deep = Value::Null;
    for _ in 0..abi::MAX_DEPTH + 1 {
        deep = Value::List(vec![deep]);
    }
    assert_eq!(value::put_map(&mut Vec::new(), tag::CONFIG, &map([("deep", deep)])), Err(Error::Deep));
    let mut bad = Vec::new();
    abi::put_text(&mut bad, tag::KEY, b"a");
    assert_eq!(read_map(&bad), Err(Error::Value));
    abi::put_text(&mut bad, tag::NULL, b"");
    let again = bad.clone();
    bad.extend_from_slice(&again);
    assert_eq!(read_map(&bad), Err(Error::Value), "a key twice");
}

#[test]
fn more_of_a_request() {
    testing::answer(Answers {
        headers: vec![("X-A".into(), "1".into())],
        values: vec![("metadata.k".into(), "v".into())],
        body: Some(b"{}".to_vec()),
        ..Answers::default()
    });
    let r = Request::with_texts(Vec::new());
    assert_eq!(r.header("x-a").as_deref(), Some("1"));
    assert_eq!(r.value("metadata.k").as_deref(), Some("v"));
    assert_eq!(r.json("metadata.none"), None);
    assert_eq!(r.body(), b"{}");
}

#[test]
fn host_calls() {
    let none = HttpRequest { url: "https://a.example".into(), ..HttpRequest::default() };
    testing::answer(Answers::default());
    assert_eq!(none.send().unwrap_err().cause, "forbidden");
    assert_eq!(
        (secret("K"), kv::get("a"), kv::add("a", 1, 0)),
        (None, Err(kv::Error::Forbidden), Err(kv::Error::Forbidden))
    );
    testing::answer(Answers {
        secrets: vec![("K".into(), "v".into())],
        kv: Some(Default::default()),
        http: Some(|request| testing::http_response(201, &request)),
        ..Answers::default()
    });
    assert_eq!(secret("K").as_deref(), Some("v"));
    assert_eq!((kv::add("n", 2, 0), kv::add("n", 3, 9)), (Ok(2), Ok(5)));
    assert_eq!(
        (kv::set("a", b"x", 0), kv::get("a"), kv::delete("a"), kv::get("a")),
        (Ok(()), Ok(Some(b"x".to_vec())), Ok(()), Ok(None))
    );
    assert_eq!(kv::add("a", i64::MAX, 0).and_then(|_| kv::add("a", 1, 0)), Err(kv::Error::Argument));
    let post = HttpRequest { method: "POST".into(), body: b"b".to_vec(), timeout_ms: 5, redirects: Some(0), ..none };
    for response in send_all(&[post.clone(), post]) {
        let response = response.unwrap();
        let (mut reader, mut tags) = (Reader::new(&response.body), Vec::new());
        while let Some(record) = reader.next().unwrap() {
            tags.push(record.tag);
        }
        assert_eq!(
            (response.status, tags),
            (201, vec![tag::HTTP_METHOD, tag::URL, tag::BODY, tag::TIMEOUT, tag::REDIRECTS])
        );
    }
    assert!(metric::count("x", 1.0) && metric::gauge("y", 2.0));
    let counted = testing::answer(Answers::default()).metrics;
    assert_eq!(counted, [(0, "x".to_string(), 1.0), (1, "y".to_string(), 2.0)]);
}
