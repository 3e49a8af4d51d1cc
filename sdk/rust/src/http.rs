//! Requests to services, secrets, the key-value store and metrics. The manifest asks for them with `caps`, and the
//! operator grants them.

use crate::abi::{self, tag, Reader};
use crate::host::{raw, FORBIDDEN, LIMIT, NOT_FOUND};
use crate::request::put_pair;
use std::fmt;

/// A request to a service.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct HttpRequest {
    /// Empty is GET.
    pub method: String,
    /// Absolute.
    pub url: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// Empty is none.
    pub body: Vec<u8>,
    /// Milliseconds for the whole answer; 0 is as long as the hook may take.
    pub timeout_ms: u64,
    /// Of the answer's body; 0 is 1 MB, at most 8 MB.
    pub max_bytes: u64,
    /// How many redirects are followed, each only to a granted host; none is 3.
    pub redirects: Option<u64>,
}

/// A service's answer, whatever its status is.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct HttpResponse {
    /// HTTP status.
    pub status: u16,
    /// After redirects.
    pub url: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl HttpResponse {
    /// The first header with the name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// Why there is no answer. It holds neither the request's URL nor its headers.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct HttpError {
    /// "forbidden", "timeout", "too_large" or "connection"; "limit" or "argument" of the call itself.
    pub cause: String,
    /// For people.
    pub reason: String,
}

impl HttpError {
    fn new(cause: &str, reason: &str) -> HttpError {
        HttpError { cause: cause.into(), reason: reason.into() }
    }

    fn refused(code: i32) -> HttpError {
        match code {
            FORBIDDEN => {
                let reason = "the host is not granted, or the manifest does not ask for it (caps.http)";
                HttpError::new("forbidden", reason)
            }
            LIMIT => HttpError::new("limit", "the request is too large, or too many are open"),
            _ => HttpError::new("argument", "the URL, the method or a header is malformed"),
        }
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http: {}: {}", self.cause, self.reason)
    }
}

impl std::error::Error for HttpError {}

impl HttpRequest {
    /// Sends the request and waits for the whole answer. The hook's CPU time stands still meanwhile, its time does not.
    /// The hook ends without a return when the caller has left.
    pub fn send(&self) -> Result<HttpResponse, HttpError> {
        self.start()?.wait()
    }

    /// Sends the request without waiting for the answer, which `Pending::wait` collects, in the same call of the hook.
    pub fn start(&self) -> Result<Pending, HttpError> {
        raw::start(&self.records()).map(Pending).map_err(HttpError::refused)
    }

    fn records(&self) -> Vec<u8> {
        let mut out = Vec::new();
        abi::put_some(&mut out, tag::HTTP_METHOD, &self.method);
        abi::put_text(&mut out, tag::URL, self.url.as_bytes());
        for (name, value) in &self.headers {
            put_pair(&mut out, tag::HEADER, name, value);
        }
        if !self.body.is_empty() {
            abi::put_text(&mut out, tag::BODY, &self.body);
        }
        for (tag, n) in [(tag::TIMEOUT, self.timeout_ms), (tag::MAX_BYTES, self.max_bytes)] {
            if n > 0 {
                abi::put_number(&mut out, tag, n);
            }
        }
        if let Some(n) = self.redirects {
            abi::put_number(&mut out, tag::REDIRECTS, n);
        }
        out
    }
}

/// Sends requests at the same time and waits for all the answers.
pub fn send_all(requests: &[HttpRequest]) -> Vec<Result<HttpResponse, HttpError>> {
    let started: Vec<_> = requests.iter().map(HttpRequest::start).collect();
    started.into_iter().map(|pending| pending.and_then(Pending::wait)).collect()
}

/// A request under way. Dropping it gives the request up.
#[derive(Debug)]
pub struct Pending(i32);

impl Pending {
    /// Waits for the answer.
    pub fn wait(self) -> Result<HttpResponse, HttpError> {
        match raw::wait(self.0) {
            Err(NOT_FOUND) => Err(HttpError::new("argument", "the request was begun in another call")),
            Err(_) => Err(HttpError::new("timeout", "no answer in time")),
            Ok(records) => read(&records).unwrap_or_else(|e| Err(HttpError::new("connection", &e.to_string()))),
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        raw::close(self.0);
    }
}

fn read(records: &[u8]) -> Result<Result<HttpResponse, HttpError>, abi::Error> {
    let (mut response, mut error) = (HttpResponse::default(), HttpError::default());
    let mut reader = Reader::new(records);
    while let Some(record) = reader.next()? {
        match record.tag {
            tag::STATUS => response.status = record.number()?.min(999) as u16,
            tag::URL => response.url = record.string(),
            tag::BODY => response.body = record.value.to_vec(),
            tag::CAUSE => error.cause = record.string(),
            tag::REASON => error.reason = record.string(),
            tag::HEADER => {
                let (mut name, mut value, mut inside) = (String::new(), String::new(), record.inside());
                while let Some(record) = inside.next()? {
                    match record.tag {
                        tag::KEY => name = record.string(),
                        tag::TEXT => value = record.string(),
                        _ => record.unknown()?,
                    }
                }
                response.headers.push((name, value));
            }
            _ => record.unknown()?,
        }
    }
    Ok(if error.cause.is_empty() { Ok(response) } else { Err(error) })
}

/// A secret of the operator's by the name of its environment variable, if it is granted. It must not be logged.
pub fn secret(name: &str) -> Option<String> {
    raw::secret(name).and_then(|b| String::from_utf8(b).ok())
}

/// The key-value store belongs to the plugin's name in the gateway's configuration. All instances share it, and it
/// outlives a reload. Keys have at most 1 KB, values 1 MB.
pub mod kv {
    use crate::host::{raw, ARGUMENT, FORBIDDEN, LIMIT, NOT_FOUND};
    use std::fmt;

    /// Why the store did not do what was asked.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub enum Error {
        /// The store is not granted, or the manifest does not ask for it.
        Forbidden,
        /// The value is too large, or the store is full.
        Limit,
        /// The key is empty or too long, or the value is not a number.
        Argument,
        /// The store failed.
        Failed,
    }

    impl Error {
        fn of(code: i32) -> Error {
            match code {
                FORBIDDEN => Error::Forbidden,
                LIMIT => Error::Limit,
                ARGUMENT => Error::Argument,
                _ => Error::Failed,
            }
        }
    }

    impl fmt::Display for Error {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(match self {
                Error::Forbidden => "kv: the store is not granted, or the manifest does not ask for it (caps.kv)",
                Error::Limit => "kv: the value is too large, or the store is full",
                Error::Argument => "kv: the key is empty or too long, or the value is not a number",
                Error::Failed => "kv: the store failed",
            })
        }
    }

    impl std::error::Error for Error {}

    fn done(code: i32) -> Result<(), Error> {
        match code {
            0 => Ok(()),
            code => Err(Error::of(code)),
        }
    }

    /// A value, if there is one.
    pub fn get(key: &str) -> Result<Option<Vec<u8>>, Error> {
        match raw::kv_get(key) {
            Ok(value) => Ok(Some(value)),
            Err(NOT_FOUND) => Ok(None),
            Err(code) => Err(Error::of(code)),
        }
    }

    /// Stores a value for some milliseconds; 0 is for ever.
    pub fn set(key: &str, value: &[u8], ttl_ms: u64) -> Result<(), Error> {
        done(raw::kv_set(key, value, ttl_ms))
    }

    /// Adds to a number and returns the sum. It is exact, however many instances add at the same time. A number that is
    /// not there is 0, and expires after `ttl_ms`, 0 being never; one that is there keeps its time. That makes a
    /// counter of a time window.
    pub fn add(key: &str, delta: i64, ttl_ms: u64) -> Result<i64, Error> {
        raw::kv_add(key, delta, ttl_ms).map_err(Error::of)
    }

    /// Removes a value, if there is one.
    pub fn delete(key: &str) -> Result<(), Error> {
        match raw::kv_del(key) {
            NOT_FOUND => Ok(()),
            code => done(code),
        }
    }
}

/// The gateway's metrics. A name has small letters, digits and underscores; a plugin can use 64. Without the
/// capability, or with a name of another form, nothing happens and the result is false.
pub mod metric {
    use crate::host::raw;

    /// Adds to a counter, sallyport_guest_NAME_total.
    pub fn count(name: &str, by: f64) -> bool {
        raw::metric(0, name, by) == 0
    }

    /// Sets a value, sallyport_guest_NAME.
    pub fn gauge(name: &str, value: f64) -> bool {
        raw::metric(1, name, value) == 0
    }

    /// Adds a value, usually a number of seconds, to a histogram, sallyport_guest_NAME.
    pub fn observe(name: &str, value: f64) -> bool {
        raw::metric(2, name, value) == 0
    }
}
