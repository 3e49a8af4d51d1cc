//! The plugin as the host sees it.

use crate::abi::{tag, Error, Hook, Reader};
use crate::answer::{Failure, Response, StreamEnd, Window};
use crate::auth::AuthRequest;
use crate::log::{KeyRequest, LogBatch};
use crate::provider::{Phase, ProviderAnswer, ProviderRequest};
use crate::request::{put_fail, Request, Text, Verdict};
use crate::route::{PromptRequest, RouteRequest};
use crate::sso::SsoRequest;
use crate::value::{read_map, Map};
use crate::{Config, Plugin};
use std::cell::UnsafeCell;
use std::marker::PhantomData;
use std::mem;

/// Everything an instance remembers between calls. The macro `plugin!` makes the one there is.
#[doc(hidden)]
pub struct Guest<P> {
    state: UnsafeCell<State<P>>,
}

// SAFETY: the specification promises that one thread runs in an instance at a time, and that the host does not call
// into a guest that is inside a host function.
unsafe impl<P> Sync for Guest<P> {}

struct State<P> {
    input: Vec<u8>,
    out: Vec<u8>,
    texts: Vec<Text<'static>>, // only its room is kept
    plugin: Option<P>,
}

impl<P: Plugin> Guest<P> {
    /// A guest that was not configured yet.
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Guest<P> {
        let state = State { input: Vec::new(), out: Vec::new(), texts: Vec::new(), plugin: None };
        Guest { state: UnsafeCell::new(state) }
    }

    /// `sp_buf`: makes room for the host to write n bytes.
    ///
    /// # Safety
    /// No other call is in progress.
    pub unsafe fn buffer(&self, n: u32) -> *mut u8 {
        let state = &mut *self.state.get();
        let n = (n as usize).max(64);
        if state.input.len() < n {
            state.input = Vec::new();
            state.input = vec![0; n];
        }
        state.input.as_mut_ptr()
    }

    /// `sp_call`: runs a hook on the n bytes that the host wrote to the buffer. The result stays until the next call.
    ///
    /// # Safety
    /// No other call is in progress.
    pub unsafe fn call(&self, hook: u32, n: u32) -> &[u8] {
        let state = &mut *self.state.get();
        let State { input, out, texts, plugin } = state;
        out.clear();
        match input.get_mut(..n as usize) {
            Some(view) => run(hook, view, out, texts, plugin),
            None => put_fail(out, "the view is larger than the buffer"),
        }
        out
    }
}

#[inline]
fn run<P: Plugin>(
    hook: u32,
    view: &mut [u8],
    out: &mut Vec<u8>,
    texts: &mut Vec<Text<'static>>,
    plugin: &mut Option<P>,
) {
    let outcome = match (Hook::from_number(u64::from(hook)), plugin) {
        (Some(Hook::Configure), plugin) => return configure(view, out, plugin),
        (Some(Hook::Request), Some(plugin)) if Has::<P>::REQUEST => request(plugin, view, out, texts),
        (Some(Hook::Moderation), Some(plugin)) if Has::<P>::MODERATION => moderation(plugin, view, out, texts),
        (Some(Hook::StreamChunk), Some(plugin)) if Has::<P>::STREAM_CHUNK => window(plugin, view, out),
        (Some(hook), Some(plugin)) => further(hook, plugin, view, out),
        _ => return put_fail(out, &format!("the plugin has no hook {}", hook)),
    };
    if let Err(e) = outcome {
        put_fail(out, &e.to_string());
    }
}

fn request<P: Plugin>(
    p: &mut P,
    view: &mut [u8],
    out: &mut Vec<u8>,
    room: &mut Vec<Text<'static>>,
) -> Result<(), Error> {
    with_request(view, out, room, |r| p.request(r))
}

fn moderation<P: Plugin>(
    p: &mut P,
    view: &mut [u8],
    out: &mut Vec<u8>,
    room: &mut Vec<Text<'static>>,
) -> Result<(), Error> {
    with_request(view, out, room, |r| p.moderation(r))
}

#[inline]
fn with_request(
    view: &mut [u8],
    out: &mut Vec<u8>,
    room: &mut Vec<Text<'static>>,
    run: impl FnOnce(&mut Request) -> Verdict,
) -> Result<(), Error> {
    let mut request = Request::with_texts(mem::take(room));
    let outcome = request.read(view);
    if outcome.is_ok() {
        let verdict = run(&mut request);
        request.write(out, &verdict);
    }
    *room = release(request.texts);
    outcome
}

fn window<P: Plugin>(plugin: &mut P, view: &mut [u8], out: &mut Vec<u8>) -> Result<(), Error> {
    let mut w = Window::read(view)?;
    let verdict = plugin.stream_chunk(&mut w);
    w.write(out, &verdict);
    Ok(())
}

/// Runs the hooks that are called less often.
#[inline(never)]
fn further<P: Plugin>(hook: Hook, plugin: &mut P, view: &mut [u8], out: &mut Vec<u8>) -> Result<(), Error> {
    match hook {
        Hook::Auth if Has::<P>::AUTH => {
            let mut r = AuthRequest::default();
            r.read(view)?;
            plugin.auth(&r).write(out);
        }
        Hook::Response if Has::<P>::RESPONSE => {
            let mut r = Response::read(view)?;
            let verdict = plugin.response(&mut r);
            r.write(out, &verdict);
        }
        Hook::StreamEnd if Has::<P>::STREAM_END => {
            let mut s = StreamEnd::read(view)?;
            let verdict = plugin.stream_end(&mut s);
            s.write(out, &verdict);
        }
        Hook::Failure if Has::<P>::FAILURE => {
            let mut f = Failure::read(view)?;
            let verdict = plugin.failure(&mut f);
            f.write(out, &verdict);
        }
        Hook::Log if Has::<P>::LOG => {
            let mut batch = LogBatch::read(view)?;
            match plugin.log(&mut batch) {
                Ok(()) => batch.write(out),
                Err(reason) => put_fail(out, &reason),
            }
        }
        Hook::Tick if Has::<P>::TICK => {
            if let Err(reason) = plugin.tick() {
                put_fail(out, &reason);
            }
        }
        Hook::Route if Has::<P>::ROUTE => plugin.route(&RouteRequest::read(view)?).write(out),
        Hook::Prompt if Has::<P>::PROMPT => plugin.prompt(&PromptRequest::read(view)?).write(out),
        Hook::KeyGenerate if Has::<P>::KEY_GENERATE => plugin.key_generate(&KeyRequest::read(view)?).write(out),
        Hook::SsoBegin if Has::<P>::SSO_BEGIN => plugin.sso_begin(&SsoRequest::read(view)?).write(out),
        Hook::SsoCallback if Has::<P>::SSO_CALLBACK => plugin.sso_callback(&SsoRequest::read(view)?).write(out),
        Hook::Provider if Has::<P>::PROVIDER && Phase::of(view)? == Phase::Encode => {
            plugin.provider_encode(&ProviderRequest::read(view)?).write(out)
        }
        Hook::Provider if Has::<P>::PROVIDER => plugin.provider_decode(&ProviderAnswer::read(view)?).write(out),
        _ => put_fail(out, &format!("the plugin has no hook {}", hook.name())),
    }
    Ok(())
}

/// Which hooks a plugin has, as constants: the code of the others stays out of the module.
struct Has<P>(PhantomData<P>);

impl<P: Plugin> Has<P> {
    const AUTH: bool = has(P::HOOKS, Hook::Auth);
    const FAILURE: bool = has(P::HOOKS, Hook::Failure);
    const KEY_GENERATE: bool = has(P::HOOKS, Hook::KeyGenerate);
    const LOG: bool = has(P::HOOKS, Hook::Log);
    const MODERATION: bool = has(P::HOOKS, Hook::Moderation);
    const PROMPT: bool = has(P::HOOKS, Hook::Prompt);
    const PROVIDER: bool = has(P::HOOKS, Hook::Provider);
    const REQUEST: bool = has(P::HOOKS, Hook::Request);
    const RESPONSE: bool = has(P::HOOKS, Hook::Response);
    const ROUTE: bool = has(P::HOOKS, Hook::Route);
    const SSO_BEGIN: bool = has(P::HOOKS, Hook::SsoBegin);
    const SSO_CALLBACK: bool = has(P::HOOKS, Hook::SsoCallback);
    const STREAM_CHUNK: bool = has(P::HOOKS, Hook::StreamChunk);
    const STREAM_END: bool = has(P::HOOKS, Hook::StreamEnd);
    const TICK: bool = has(P::HOOKS, Hook::Tick);
}

const fn has(list: &[Hook], hook: Hook) -> bool {
    let mut i = 0;
    while i < list.len() {
        if list[i] as u32 == hook as u32 {
            return true;
        }
        i += 1;
    }
    false
}

/// Empties a list and keeps its room.
fn release(mut list: Vec<Text<'_>>) -> Vec<Text<'static>> {
    list.clear();
    // SAFETY: the list is empty, so nothing of the shorter lifetime is in it; the lifetime does not change the layout.
    unsafe { mem::transmute::<Vec<Text<'_>>, Vec<Text<'static>>>(list) }
}

fn configure<P: Plugin>(view: &[u8], out: &mut Vec<u8>, plugin: &mut Option<P>) {
    quiet_panics();
    match start::<P>(view) {
        Ok(p) => *plugin = Some(p),
        Err(reason) => put_fail(out, &reason),
    }
}

fn start<P: Plugin>(view: &[u8]) -> Result<P, String> {
    let (name, values, wanted) = read_configure(view).map_err(|e| e.to_string())?;
    let mut config = Config::new(name, values);
    let built = P::new(&mut config);
    let plugin = config.settle(built)?;
    for number in wanted {
        match Hook::from_number(number) {
            None => return Err(format!("the manifest names hook {}, which the plugin's SDK does not know", number)),
            Some(hook) if !P::HOOKS.contains(&hook) => {
                return Err(format!(
                    "the manifest names the hook {}, which is not among the plugin's HOOKS",
                    hook.name()
                ));
            }
            Some(_) => {}
        }
    }
    Ok(plugin)
}

fn read_configure(view: &[u8]) -> Result<(String, Map, Vec<u64>), Error> {
    let (mut name, mut values, mut wanted) = (String::new(), Map::new(), Vec::new());
    let mut reader = Reader::new(view);
    while let Some(record) = reader.next()? {
        match record.tag {
            tag::NAME => name = record.string(),
            tag::CONFIG => values = read_map(record.value)?,
            tag::HOOK => wanted.push(record.number()?),
            _ => record.unknown()?,
        }
    }
    Ok((name, values, wanted))
}

/// Logs where a panic happened. Its message is left out: it may quote what the plugin was working on.
fn quiet_panics() {
    #[cfg(target_arch = "wasm32")]
    std::panic::set_hook(Box::new(|info| {
        if let Some(place) = info.location() {
            crate::log(crate::Level::Error, &format!("panic at {}:{}", place.file(), place.line()));
        }
    }));
}
