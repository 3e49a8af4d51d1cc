//! What a plugin for the Sallyport gateway is written with: a WebAssembly module that looks at requests as a guardrail,
//! or decides who is asking. No dependencies; Rust 1.63 or later with the target wasm32-unknown-unknown.
//!
//! ```
//! use sallyport::{Config, Hook, Plugin, Request, Verdict};
//!
//! struct Word(String);
//!
//! impl Plugin for Word {
//!     const HOOKS: &'static [Hook] = &[Hook::Request];
//!
//!     fn new(c: &mut Config) -> Result<Word, String> {
//!         Ok(Word(c.string("word", "secret")))
//!     }
//!
//!     fn request(&mut self, r: &mut Request) -> Verdict {
//!         if r.texts.iter().any(|t| t.as_str().contains(&self.0)) {
//!             return Verdict::reject(400, "This word is not allowed here.");
//!         }
//!         Verdict::Continue
//!     }
//! }
//! # fn main() {}
//! ```
//!
//! and, at the top level of the crate, `sallyport::plugin!(Word, include_bytes!("../manifest.json"));`.
//!
//! One instance runs one call at a time; a gateway runs several instances, so what one of them remembers the others do
//! not know, and an instance may be replaced at any time. The crate also compiles natively, for `cargo test`; see
//! [`testing`].

#![warn(missing_docs)]

pub mod abi;
mod answer;
mod auth;
mod config;
mod exchange;
mod guest;
mod host;
mod http;
mod limits;
mod log;
mod media;
mod provider;
mod refusemedia;
mod request;
mod route;
mod sso;
pub mod testing;
#[cfg(test)]
mod tests;
pub mod value;
mod view;

pub use abi::Hook;
pub use answer::{Answer, Failure, Outcome, Response, StreamEnd, Window};
pub use auth::{AuthRequest, AuthVerdict, Principal};
pub use config::Config;
pub use exchange::{Caller, Exchange};
#[doc(hidden)]
pub use guest::Guest;
pub use host::{log, Level};
pub use http::{kv, metric, secret, send_all, HttpError, HttpRequest, HttpResponse, Pending};
pub use limits::{AllLimits, Limits};
pub use log::{KeyRequest, LogBatch, LogRecord};
pub use media::{Argument, Media};
pub use provider::{Outgoing, Phase, ProviderAnswer, ProviderRequest, Reading, ToolCall, Usage};
pub use refusemedia::RefuseMedia;
pub use request::{Request, Text, Verdict};
pub use route::{Deployment, KeyVerdict, Prompt, PromptRequest, PromptVerdict, RouteRequest, RouteVerdict};
pub use sso::{SsoRequest, SsoVerdict, User};
pub use value::Value;

/// A plugin. Hooks that are not among `HOOKS` are never called.
pub trait Plugin: Sized {
    /// The hooks that the plugin implements; the manifest names those that the gateway is to call.
    const HOOKS: &'static [Hook];

    /// Makes the plugin, once in every instance, from its config block. An error stops the gateway's start, so it
    /// should name the setting and the fix.
    fn new(config: &mut Config) -> Result<Self, String>;

    /// Looks at a request before a model is called: a guardrail in mode pre_call.
    fn request(&mut self, _: &mut Request) -> Verdict {
        Verdict::Fail("the plugin names the hook request in HOOKS and does not implement it".into())
    }

    /// Looks at a request while a model works on it: mode during_call. It changes nothing, but may refuse.
    fn moderation(&mut self, _: &mut Request) -> Verdict {
        Verdict::Fail("the plugin names the hook moderation in HOOKS and does not implement it".into())
    }

    /// Looks at an answer before the caller gets it: mode post_call.
    fn response(&mut self, _: &mut Response) -> Verdict {
        Verdict::Fail("the plugin names the hook response in HOOKS and does not implement it".into())
    }

    /// Looks at the texts of a streamed answer on their way: mode post_call.
    fn stream_chunk(&mut self, _: &mut Window) -> Verdict {
        Verdict::Fail("the plugin names the hook stream_chunk in HOOKS and does not implement it".into())
    }

    /// Runs at the end of a streamed answer, also when the caller has left.
    fn stream_end(&mut self, _: &mut StreamEnd) -> Verdict {
        Verdict::Fail("the plugin names the hook stream_end in HOOKS and does not implement it".into())
    }

    /// May rewrite the error that the caller gets. It runs in every mode.
    fn failure(&mut self, _: &mut Failure) -> Verdict {
        Verdict::Fail("the plugin names the hook failure in HOOKS and does not implement it".into())
    }

    /// Decides who is asking: custom_auth of the gateway's configuration.
    fn auth(&mut self, _: &AuthRequest) -> AuthVerdict {
        AuthVerdict::Fail("the plugin names the hook auth in HOOKS and does not implement it".into())
    }

    /// Takes records of exchanges that have ended, off the path of requests.
    fn log(&mut self, _: &mut LogBatch) -> Result<(), String> {
        Err("the plugin names the hook log in HOOKS and does not implement it".into())
    }

    /// Runs every tick_seconds of the manifest. An error goes to the operator's log.
    fn tick(&mut self) -> Result<(), String> {
        Err("the plugin names the hook tick in HOOKS and does not implement it".into())
    }

    /// Filters and orders the deployments that may be called.
    fn route(&mut self, _: &RouteRequest) -> RouteVerdict {
        RouteVerdict::Fail("the plugin names the hook route in HOOKS and does not implement it".into())
    }

    /// Supplies the messages of a stored prompt.
    fn prompt(&mut self, _: &PromptRequest) -> PromptVerdict {
        PromptVerdict::Fail("the plugin names the hook prompt in HOOKS and does not implement it".into())
    }

    /// Decides about a new virtual key.
    fn key_generate(&mut self, _: &KeyRequest) -> KeyVerdict {
        KeyVerdict::Fail("the plugin names the hook key_generate in HOOKS and does not implement it".into())
    }

    /// Begins signing in, such as behind a proxy that did it already.
    fn sso_begin(&mut self, _: &SsoRequest) -> SsoVerdict {
        SsoVerdict::Fail("the plugin names the hook sso_begin in HOOKS and does not implement it".into())
    }

    /// Makes a user of an identity provider's answer.
    fn sso_callback(&mut self, _: &SsoRequest) -> SsoVerdict {
        SsoVerdict::Fail("the plugin names the hook sso_callback in HOOKS and does not implement it".into())
    }

    /// Makes a call of a request, for a vendor that the gateway does not know: the hook provider.
    fn provider_encode(&mut self, _: &ProviderRequest) -> Outgoing {
        Outgoing::Fail("the plugin names the hook provider in HOOKS and does not implement it".into())
    }

    /// Reads the vendor's answer: the hook provider.
    fn provider_decode(&mut self, _: &ProviderAnswer) -> Reading {
        let failure = "the plugin names the hook provider in HOOKS and does not implement it".into();
        Reading { failure: Some(failure), ..Reading::default() }
    }
}

/// Makes a crate a plugin: `plugin!(Type, include_bytes!("../manifest.json"));`, once, at the top level of the crate.
/// Natively it checks the types and makes nothing.
#[macro_export]
macro_rules! plugin {
    ($plugin:ty, $manifest:expr) => {
        const _: () = {
            const MANIFEST: &[u8] = $manifest;
            // The gateway reads this section without running the plugin.
            #[cfg_attr(target_arch = "wasm32", link_section = "sallyport.manifest")]
            #[used]
            static SECTION: [u8; MANIFEST.len()] = {
                let mut bytes = [0; MANIFEST.len()];
                let mut i = 0;
                while i < bytes.len() {
                    bytes[i] = MANIFEST[i];
                    i += 1;
                }
                bytes
            };
            static GUEST: $crate::Guest<$plugin> = $crate::Guest::new();

            #[cfg(target_arch = "wasm32")]
            #[no_mangle]
            extern "C" fn sp_buf(n: u32) -> u32 {
                // SAFETY: the host makes one call at a time.
                unsafe { GUEST.buffer(n) as u32 }
            }

            #[cfg(target_arch = "wasm32")]
            #[no_mangle]
            extern "C" fn sp_call(hook: u32, _ptr: u32, len: u32) -> u64 {
                // SAFETY: the host makes one call at a time.
                let out = unsafe { GUEST.call(hook, len) };
                if out.is_empty() {
                    return 0;
                }
                (out.as_ptr() as u64) << 32 | out.len() as u64
            }
        };
    };
}
