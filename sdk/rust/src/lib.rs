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
mod auth;
mod config;
mod guest;
mod host;
mod request;
pub mod testing;
#[cfg(test)]
mod tests;
pub mod value;
mod view;

pub use abi::Hook;
pub use auth::{AuthRequest, AuthVerdict, Principal};
pub use config::Config;
#[doc(hidden)]
pub use guest::Guest;
pub use host::{log, Level};
pub use request::{Caller, Request, Text, Verdict};
pub use value::Value;

/// A plugin. Hooks that are not among `HOOKS` are never called.
pub trait Plugin: Sized {
    /// The hooks that the plugin implements; the manifest names those that the gateway is to call.
    const HOOKS: &'static [Hook];

    /// Makes the plugin, once in every instance, from its config block. An error stops the gateway's start, so it
    /// should name the setting and the fix.
    fn new(config: &mut Config) -> Result<Self, String>;

    /// Looks at a request before a model is called: a guardrail in mode pre_call.
    fn request(&mut self, _request: &mut Request) -> Verdict {
        Verdict::fail("the plugin names the hook request in HOOKS and does not implement it")
    }

    /// Decides who is asking: custom_auth of the gateway's configuration.
    fn auth(&mut self, _request: &AuthRequest) -> AuthVerdict {
        AuthVerdict::fail("the plugin names the hook auth in HOOKS and does not implement it")
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
