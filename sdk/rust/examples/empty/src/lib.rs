//! A guest whose hooks do nothing, for measurements.

use sallyport::{Config, Hook, Plugin, Request, Verdict, Window};

sallyport::plugin!(Empty, include_bytes!("../manifest.json"));

struct Empty;

impl Plugin for Empty {
    const HOOKS: &'static [Hook] = &[Hook::Request, Hook::StreamChunk];

    fn new(_: &mut Config) -> Result<Empty, String> {
        Ok(Empty)
    }

    fn request(&mut self, _: &mut Request) -> Verdict {
        Verdict::Continue
    }

    fn stream_chunk(&mut self, _: &mut Window) -> Verdict {
        Verdict::Continue
    }
}
