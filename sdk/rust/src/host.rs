//! What a hook asks of the gateway during a call. Natively, `testing::answer` says what the gateway would answer.

/// Fields of the host function `field`.
pub(crate) const HEADER: u32 = 1;
pub(crate) const VALUE: u32 = 2;
pub(crate) const JSON: u32 = 3;
pub(crate) const BODY: u32 = 4;

/// How important a line in the log is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i32)]
#[allow(missing_docs)]
pub enum Level {
    Debug = -4,
    Info = 0,
    Warn = 4,
    Error = 8,
}

/// Writes a line to the gateway's log. Lines beyond the gateway's rate limit are dropped. A line must not hold a key or
/// a prompt. Natively it does nothing.
pub fn log(level: Level, line: &str) {
    raw::log(level as i32, line);
}

pub(crate) fn text_field(field: u32, key: &str) -> Option<String> {
    let bytes = self::field(field, key)?;
    Some(match String::from_utf8(bytes) {
        Ok(s) => s,
        Err(e) => String::from_utf8_lossy(e.as_bytes()).into_owned(),
    })
}

pub(crate) fn field(field: u32, key: &str) -> Option<Vec<u8>> {
    raw::field(field, key)
}

#[cfg(target_arch = "wasm32")]
mod raw {
    mod sallyport1 {
        #[link(wasm_import_module = "sallyport1")]
        extern "C" {
            pub fn log(level: i32, ptr: *const u8, len: u32);
            pub fn field(field: u32, key: *const u8, key_len: u32, buf: *mut u8, buf_len: u32) -> i32;
        }
    }

    pub fn log(level: i32, line: &str) {
        // SAFETY: the host reads the line and keeps nothing.
        unsafe { sallyport1::log(level, line.as_ptr(), line.len() as u32) }
    }

    pub fn field(field: u32, key: &str) -> Option<Vec<u8>> {
        let mut buf = vec![0; 256];
        loop {
            // SAFETY: the host writes at most as many bytes as the buffer has.
            let n =
                unsafe { sallyport1::field(field, key.as_ptr(), key.len() as u32, buf.as_mut_ptr(), buf.len() as u32) };
            if n < 0 {
                return None;
            }
            let n = n as usize;
            if n <= buf.len() {
                buf.truncate(n);
                return Some(buf);
            }
            buf.resize(n, 0);
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod raw {
    use crate::testing;

    pub fn log(_: i32, _: &str) {}

    pub fn field(field: u32, key: &str) -> Option<Vec<u8>> {
        testing::answers(|a| match field {
            super::HEADER => {
                a.headers.iter().find(|(k, _)| k.eq_ignore_ascii_case(key)).map(|(_, v)| v.clone().into_bytes())
            }
            super::BODY => a.body.clone(),
            _ => a.values.iter().find(|(k, _)| k == key).map(|(_, v)| v.clone().into_bytes()),
        })
    }
}
