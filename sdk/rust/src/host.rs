//! What a hook asks of the gateway during a call. Natively, `testing::answer` says what the gateway would answer.

/// Fields of the host function `field`.
pub(crate) const HEADER: u32 = 1;
pub(crate) const VALUE: u32 = 2;
pub(crate) const JSON: u32 = 3;
pub(crate) const BODY: u32 = 4;
pub(crate) const ANSWER_VALUE: u32 = 5;
pub(crate) const ANSWER_JSON: u32 = 6;
pub(crate) const ANSWER: u32 = 7;
pub(crate) const MEDIA: u32 = 8;
pub(crate) const MEDIA_SUM: u32 = 9;

/// Errors of host functions.
pub(crate) const NOT_FOUND: i32 = -1;
pub(crate) const FORBIDDEN: i32 = -2;
pub(crate) const ARGUMENT: i32 = -3;
pub(crate) const LIMIT: i32 = -4;

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
pub(crate) mod raw {
    mod sallyport1 {
        #[link(wasm_import_module = "sallyport1")]
        extern "C" {
            pub fn log(level: i32, ptr: *const u8, len: u32);
            pub fn field(field: u32, key: *const u8, key_len: u32, buf: *mut u8, buf_len: u32) -> i32;
            pub fn secret(name: *const u8, name_len: u32, buf: *mut u8, buf_len: u32) -> i32;
            pub fn http_start(ptr: *const u8, len: u32) -> i32;
            pub fn blob_wait(handle: i32, timeout_ms: i32) -> i32;
            pub fn blob_len(handle: i32) -> i32;
            pub fn blob_read(handle: i32, offset: u32, buf: *mut u8, len: u32) -> i32;
            pub fn blob_close(handle: i32) -> i32;
            pub fn kv_get(key: *const u8, key_len: u32, buf: *mut u8, buf_len: u32) -> i32;
            pub fn kv_set(key: *const u8, key_len: u32, value: *const u8, len: u32, ttl_ms: u64) -> i32;
            pub fn kv_incr(key: *const u8, key_len: u32, delta: i64, ttl_ms: u64, sum: *mut i64) -> i32;
            pub fn kv_del(key: *const u8, key_len: u32) -> i32;
            pub fn metric(kind: i32, name: *const u8, name_len: u32, value: f64) -> i32;
        }
    }

    // SAFETY of all calls below: the host reads and writes within the lengths it is given, and keeps nothing.

    /// Asks for a value, with a larger buffer if the first is too small.
    fn value(ask: impl Fn(*mut u8, u32) -> i32) -> Result<Vec<u8>, i32> {
        let mut buf = vec![0; 256];
        loop {
            let n = ask(buf.as_mut_ptr(), buf.len() as u32);
            if n < 0 {
                return Err(n);
            }
            let n = n as usize;
            if n <= buf.len() {
                buf.truncate(n);
                return Ok(buf);
            }
            buf.resize(n, 0);
        }
    }

    pub fn log(level: i32, line: &str) {
        unsafe { sallyport1::log(level, line.as_ptr(), line.len() as u32) }
    }

    pub fn field(field: u32, key: &str) -> Option<Vec<u8>> {
        value(|buf, len| unsafe { sallyport1::field(field, key.as_ptr(), key.len() as u32, buf, len) }).ok()
    }

    pub fn secret(name: &str) -> Option<Vec<u8>> {
        value(|buf, len| unsafe { sallyport1::secret(name.as_ptr(), name.len() as u32, buf, len) }).ok()
    }

    pub fn start(request: &[u8]) -> Result<i32, i32> {
        match unsafe { sallyport1::http_start(request.as_ptr(), request.len() as u32) } {
            code if code < 0 => Err(code),
            handle => Ok(handle),
        }
    }

    pub fn wait(handle: i32) -> Result<Vec<u8>, i32> {
        let status = unsafe { sallyport1::blob_wait(handle, -1) };
        let len = unsafe { sallyport1::blob_len(handle) };
        if status == super::NOT_FOUND || len < 0 {
            return Err(status.min(len));
        }
        let mut records = vec![0; len as usize];
        let n = unsafe { sallyport1::blob_read(handle, 0, records.as_mut_ptr(), len as u32) };
        if n == len {
            Ok(records)
        } else {
            Err(n)
        }
    }

    pub fn close(handle: i32) {
        unsafe { sallyport1::blob_close(handle) };
    }

    pub fn kv_get(key: &str) -> Result<Vec<u8>, i32> {
        value(|buf, len| unsafe { sallyport1::kv_get(key.as_ptr(), key.len() as u32, buf, len) })
    }

    pub fn kv_set(key: &str, value: &[u8], ttl_ms: u64) -> i32 {
        unsafe { sallyport1::kv_set(key.as_ptr(), key.len() as u32, value.as_ptr(), value.len() as u32, ttl_ms) }
    }

    pub fn kv_add(key: &str, delta: i64, ttl_ms: u64) -> Result<i64, i32> {
        let mut sum = 0;
        match unsafe { sallyport1::kv_incr(key.as_ptr(), key.len() as u32, delta, ttl_ms, &mut sum) } {
            0 => Ok(sum),
            code => Err(code),
        }
    }

    pub fn kv_del(key: &str) -> i32 {
        unsafe { sallyport1::kv_del(key.as_ptr(), key.len() as u32) }
    }

    pub fn metric(kind: i32, name: &str, value: f64) -> i32 {
        unsafe { sallyport1::metric(kind, name.as_ptr(), name.len() as u32, value) }
    }
}

#[cfg(not(target_arch = "wasm32"))]
pub(crate) mod raw {
    use super::{ARGUMENT, FORBIDDEN, NOT_FOUND};
    use crate::testing::{answers, pending};

    pub fn log(_: i32, _: &str) {}

    pub fn field(field: u32, key: &str) -> Option<Vec<u8>> {
        answers(|a| {
            let list = match field {
                super::BODY => return a.body.clone(),
                super::ANSWER => return a.answer.clone(),
                super::HEADER => &a.headers,
                super::ANSWER_VALUE | super::ANSWER_JSON => &a.answer_values,
                _ => &a.values,
            };
            list.iter().find(|(k, _)| k.eq_ignore_ascii_case(key)).map(|(_, v)| v.clone().into_bytes())
        })
    }

    pub fn secret(name: &str) -> Option<Vec<u8>> {
        answers(|a| a.secrets.iter().find(|(k, _)| k == name).map(|(_, v)| v.clone().into_bytes()))
    }

    pub fn start(request: &[u8]) -> Result<i32, i32> {
        let respond = answers(|a| a.http).ok_or(FORBIDDEN)?;
        let answer = respond(request.to_vec());
        pending(|list| {
            list.push(Some(answer));
            Ok(list.len() as i32)
        })
    }

    pub fn wait(handle: i32) -> Result<Vec<u8>, i32> {
        pending(|list| list.get_mut((handle - 1) as usize).and_then(Option::take).ok_or(NOT_FOUND))
    }

    pub fn close(handle: i32) {
        pending(|list| {
            if let Some(answer) = list.get_mut((handle - 1) as usize) {
                *answer = None;
            }
        });
    }

    pub fn kv_get(key: &str) -> Result<Vec<u8>, i32> {
        answers(|a| a.kv.as_ref().ok_or(FORBIDDEN)?.get(key).cloned().ok_or(NOT_FOUND))
    }

    pub fn kv_set(key: &str, value: &[u8], _: u64) -> i32 {
        answers(|a| match &mut a.kv {
            None => FORBIDDEN,
            Some(kv) => {
                kv.insert(key.to_string(), value.to_vec());
                0
            }
        })
    }

    pub fn kv_add(key: &str, delta: i64, _: u64) -> Result<i64, i32> {
        answers(|a| {
            let kv = a.kv.as_mut().ok_or(FORBIDDEN)?;
            let old = match kv.get(key) {
                None => 0,
                Some(v) => std::str::from_utf8(v).ok().and_then(|s| s.parse::<i64>().ok()).ok_or(ARGUMENT)?,
            };
            let sum = old.checked_add(delta).ok_or(ARGUMENT)?;
            kv.insert(key.to_string(), sum.to_string().into_bytes());
            Ok(sum)
        })
    }

    pub fn kv_del(key: &str) -> i32 {
        answers(|a| match &mut a.kv {
            None => FORBIDDEN,
            Some(kv) => kv.remove(key).map_or(NOT_FOUND, |_| 0),
        })
    }

    pub fn metric(kind: i32, name: &str, value: f64) -> i32 {
        answers(|a| {
            a.metrics.push((kind, name.to_string(), value));
            0
        })
    }
}
