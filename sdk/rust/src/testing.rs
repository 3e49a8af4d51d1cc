//! For native tests of a plugin.

use crate::{value::Map, Config, Plugin};
use std::cell::RefCell;

/// What the gateway would answer when a hook asks for more of a request.
#[derive(Clone, Default, Debug)]
pub struct Answers {
    /// Headers by name, in any case.
    pub headers: Vec<(String, String)>,
    /// What `value` and `json` return, by path.
    pub values: Vec<(String, String)>,
    /// What `body` returns.
    pub body: Option<Vec<u8>>,
}

thread_local! {
    static ANSWERS: RefCell<Answers> = RefCell::default();
}

/// Sets what the gateway answers to hooks that run on this thread.
pub fn answer(answers: Answers) {
    ANSWERS.with(|a| *a.borrow_mut() = answers);
}

#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn answers<T>(read: impl FnOnce(&Answers) -> T) -> T {
    ANSWERS.with(|a| read(&a.borrow()))
}

/// Makes a plugin as the gateway does, with all checks of the config block.
pub fn build<P: Plugin>(config: Map) -> Result<P, String> {
    let mut config = Config::new("test".into(), config);
    let built = P::new(&mut config);
    config.settle(built)
}
