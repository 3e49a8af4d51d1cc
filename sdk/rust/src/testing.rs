//! For native tests of a plugin.

use crate::{value::Map, Config, Plugin};
use std::cell::RefCell;
use std::collections::HashMap;

/// What the gateway would answer when a hook asks it for something. What is not set is as if it was not granted.
#[derive(Clone, Default, Debug)]
pub struct Answers {
    /// Headers by name, in any case.
    pub headers: Vec<(String, String)>,
    /// What `value` and `json` return, by path.
    pub values: Vec<(String, String)>,
    /// What `body` returns.
    pub body: Option<Vec<u8>>,
    /// What `answer_value` and `answer_json` return, by path.
    pub answer_values: Vec<(String, String)>,
    /// What `answer` returns.
    pub answer: Option<Vec<u8>>,
    /// Secrets by name.
    pub secrets: Vec<(String, String)>,
    /// The key-value store, without time.
    pub kv: Option<HashMap<String, Vec<u8>>>,
    /// Answers an HTTP request: records in, records out; see `http_response`.
    pub http: Option<fn(Vec<u8>) -> Vec<u8>>,
    /// What was counted: 0 counter, 1 gauge or 2 histogram, name, value.
    pub metrics: Vec<(i32, String, f64)>,
}

thread_local! {
    static ANSWERS: RefCell<Answers> = RefCell::default();
    static PENDING: RefCell<Vec<Option<Vec<u8>>>> = RefCell::default();
}

/// Sets what the gateway answers to hooks that run on this thread, and returns what was set before, with what the hooks
/// stored and counted.
pub fn answer(answers: Answers) -> Answers {
    ANSWERS.with(|a| a.replace(answers))
}

#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn answers<T>(ask: impl FnOnce(&mut Answers) -> T) -> T {
    ANSWERS.with(|a| ask(&mut a.borrow_mut()))
}

/// The answers to HTTP requests that nobody has waited for yet, by handle less one.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn pending<T>(ask: impl FnOnce(&mut Vec<Option<Vec<u8>>>) -> T) -> T {
    PENDING.with(|p| ask(&mut p.borrow_mut()))
}

/// The records of an HTTP answer, for `Answers::http`.
pub fn http_response(status: u16, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    crate::abi::put_number(&mut out, crate::abi::tag::STATUS, u64::from(status));
    crate::abi::put_text(&mut out, crate::abi::tag::BODY, body);
    out
}

/// Makes a plugin as the gateway does, with all checks of the config block.
pub fn build<P: Plugin>(config: Map) -> Result<P, String> {
    let mut config = Config::new("test".into(), config);
    let built = P::new(&mut config);
    config.settle(built)
}
