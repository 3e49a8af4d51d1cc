//! The border itself: numbers and flat records, as the interface's specification (sdk/abi/README.md) has them. Plugins
//! need it only to do what the rest of the crate does not.

use std::fmt;

/// Major version of the interface: the number in the name of the import module.
pub const MAJOR: u32 = 1;
/// Minor version that this crate knows.
pub const MINOR: u32 = 4;
/// Levels of nested records that are read at most.
pub const MAX_DEPTH: usize = 32;
/// Bytes of the header in front of every record.
pub const HEADER: usize = 8;

/// A hook: the first argument of `sp_call`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
#[allow(missing_docs)]
pub enum Hook {
    Configure = 1,
    Auth = 2,
    SsoBegin = 3,
    SsoCallback = 4,
    Request = 5,
    Response = 6,
    StreamChunk = 7,
    StreamEnd = 8,
    Log = 9,
    Tick = 10,
    Moderation = 11,
    Failure = 12,
    Route = 13,
    Provider = 14,
    Prompt = 15,
    KeyGenerate = 16,
}

impl Hook {
    /// All hooks, in the order of their numbers.
    pub const ALL: [Hook; 16] = [
        Hook::Configure,
        Hook::Auth,
        Hook::SsoBegin,
        Hook::SsoCallback,
        Hook::Request,
        Hook::Response,
        Hook::StreamChunk,
        Hook::StreamEnd,
        Hook::Log,
        Hook::Tick,
        Hook::Moderation,
        Hook::Failure,
        Hook::Route,
        Hook::Provider,
        Hook::Prompt,
        Hook::KeyGenerate,
    ];

    /// The hook with a number, if this crate knows it.
    #[inline]
    pub fn from_number(n: u64) -> Option<Hook> {
        Hook::ALL.get((n as usize).wrapping_sub(1)).copied()
    }

    /// The name that a manifest uses.
    pub fn name(self) -> &'static str {
        match self {
            Hook::Configure => "configure",
            Hook::Auth => "auth",
            Hook::SsoBegin => "sso_begin",
            Hook::SsoCallback => "sso_callback",
            Hook::Request => "request",
            Hook::Response => "response",
            Hook::StreamChunk => "stream_chunk",
            Hook::StreamEnd => "stream_end",
            Hook::Log => "log",
            Hook::Tick => "tick",
            Hook::Moderation => "moderation",
            Hook::Failure => "failure",
            Hook::Route => "route",
            Hook::Provider => "provider",
            Hook::Prompt => "prompt",
            Hook::KeyGenerate => "key_generate",
        }
    }
}

/// Tags of records.
#[allow(missing_docs)]
pub mod tag {
    pub const MINOR: u16 = 1;
    pub const NAME: u16 = 2;
    pub const CONFIG: u16 = 3;
    pub const CONFIG_JSON: u16 = 4;
    pub const HOOK: u16 = 5;

    pub const REQUEST_ID: u16 = 16;
    pub const CALL_TYPE: u16 = 17;
    pub const METHOD: u16 = 18;
    pub const PATH: u16 = 19;
    pub const CLIENT_IP: u16 = 20;
    pub const MODEL: u16 = 21;
    pub const STREAM: u16 = 22;
    pub const CREDENTIAL: u16 = 23;
    pub const CREDENTIAL_RAW: u16 = 24;
    pub const KEY_HASH: u16 = 25;
    pub const KEY_ALIAS: u16 = 26;
    pub const USER_ID: u16 = 27;
    pub const USER_EMAIL: u16 = 28;
    pub const TEAM_ID: u16 = 29;
    pub const TEAM_ALIAS: u16 = 30;
    pub const ORG_ID: u16 = 31;
    pub const END_USER: u16 = 32;
    pub const ROLE: u16 = 33;
    pub const ALLOWED_MODEL: u16 = 34;
    pub const METADATA: u16 = 35;
    pub const HEADER: u16 = 36;
    pub const GUARD_PARAMS: u16 = 37;
    pub const TEAM_METADATA: u16 = 38;

    pub const MESSAGE: u16 = 48;
    pub const TEXT: u16 = 49;

    pub const VERDICT: u16 = 64;
    pub const STATUS: u16 = 65;
    pub const REASON: u16 = 66;
    pub const EDIT: u16 = 67;
    pub const INDEX: u16 = 68;
    pub const REPLY: u16 = 69;
    pub const PRINCIPAL: u16 = 70;
    pub const SET_JSON: u16 = 72;
    pub const REMOVE: u16 = 73;
    pub const SET_HEADER: u16 = 74;
    pub const ERROR_TYPE: u16 = 75;
    pub const ASK: u16 = 76;

    pub const KEY: u16 = 96;
    pub const STR: u16 = 97;
    pub const INT: u16 = 98;
    pub const FLOAT: u16 = 99;
    pub const BOOL: u16 = 100;
    pub const NULL: u16 = 101;
    pub const LIST: u16 = 102;
    pub const MAP: u16 = 103;

    pub const CHOICE: u16 = 128;
    pub const TEXT_KIND: u16 = 129;
    pub const CONTEXT: u16 = 130;
    pub const FRESH: u16 = 131;
    pub const FINAL: u16 = 132;
    pub const LEFT: u16 = 133;
    pub const ERROR_KIND: u16 = 134;
    pub const PARTIAL: u16 = 135;
    pub const ASKED: u16 = 136;
    pub const RETRY_LEFT: u16 = 137;
    pub const MEDIA: u16 = 138;
    pub const MEDIA_TYPE: u16 = 139;
    pub const MIME: u16 = 140;
    pub const SIZE: u16 = 141;
    pub const AT: u16 = 142;
    pub const SEALED: u16 = 143;
    pub const RECORD: u16 = 160;
    pub const DEPLOYMENT_ID: u16 = 161;
    pub const PROVIDER: u16 = 162;
    pub const VENDOR_MODEL: u16 = 163;
    pub const BASE: u16 = 164;
    pub const START: u16 = 165;
    pub const END: u16 = 166;
    pub const FIRST_TOKEN: u16 = 167;
    pub const PROMPT_TOKENS: u16 = 168;
    pub const COMPLETION_TOKENS: u16 = 169;
    pub const TOTAL_TOKENS: u16 = 170;
    pub const CACHED_TOKENS: u16 = 171;
    pub const REASONING_TOKENS: u16 = 172;
    pub const COST: u16 = 173;
    pub const FINISH: u16 = 174;
    pub const ERROR_CLASS: u16 = 175;
    pub const TAG: u16 = 176;
    pub const GUARDRAIL: u16 = 177;
    pub const RETRIES: u16 = 178;
    pub const FALLBACKS: u16 = 179;
    pub const USER_AGENT: u16 = 180;
    pub const MESSAGES: u16 = 181;
    pub const ANSWER: u16 = 182;
    pub const CACHE_HIT: u16 = 183;
    pub const CALLER_METADATA: u16 = 184;
    pub const DEPLOYMENT: u16 = 185;
    pub const WEIGHT: u16 = 186;
    pub const RPM: u16 = 187;
    pub const TPM: u16 = 188;
    pub const IN_FLIGHT: u16 = 189;
    pub const INFO: u16 = 190;
    pub const ORDERED: u16 = 191;
    pub const PROMPT_ID: u16 = 192;
    pub const VARIABLES: u16 = 193;
    pub const LABEL: u16 = 194;
    pub const REVISION: u16 = 195;
    pub const PARAMS: u16 = 196;
    pub const REPLACE: u16 = 197;
    pub const PHASE: u16 = 198;
    pub const EVENT: u16 = 221;
    pub const STATE: u16 = 222;
    pub const PART: u16 = 223;
    pub const TOOL_CALL: u16 = 224;
    pub const CALL_ID: u16 = 225;
    pub const REASONING: u16 = 226;
    pub const QUERY: u16 = 227;
    pub const MAX_BUDGET: u16 = 228;
    pub const BUDGET_DURATION: u16 = 229;
    pub const LIMIT: u16 = 230;
    pub const LIMIT_OF: u16 = 231;
    pub const TPM_LIMIT: u16 = 232;
    pub const RPM_LIMIT: u16 = 233;
    pub const MAX_PARALLEL: u16 = 234;
    pub const SOFT_BUDGET: u16 = 235;
    pub const SPEND: u16 = 236;
    pub const RESET_AT: u16 = 237;
    pub const COUNTER: u16 = 238;
    pub const EXPIRES: u16 = 239;
    pub const BLOCKED: u16 = 240;
    pub const TEAM_BLOCKED: u16 = 241;
    pub const TEAM_MODEL: u16 = 242;
    pub const ALLOWED_ROUTE: u16 = 243;
    pub const ALIAS: u16 = 244;
    pub const CACHE_CONTROL: u16 = 245;
    pub const REGION: u16 = 246;
    pub const ORG_ALIAS: u16 = 247;
    pub const ACCESS_GROUP: u16 = 248;
    pub const PERMISSIONS: u16 = 249;
    pub const ROUTER_SETTINGS: u16 = 250;
    pub const FORM_FIELD: u16 = 251;
    pub const HTTP_METHOD: u16 = 200;
    pub const URL: u16 = 201;
    pub const BODY: u16 = 202;
    pub const TIMEOUT: u16 = 203;
    pub const MAX_BYTES: u16 = 204;
    pub const REDIRECTS: u16 = 205;
    pub const CAUSE: u16 = 206;
}

/// Verdicts, the value of a `tag::VERDICT` record.
#[allow(missing_docs)]
pub mod verdict {
    pub const CONTINUE: u64 = 0;
    pub const EDIT: u64 = 1;
    pub const REJECT: u64 = 2;
    pub const RESPOND: u64 = 3;
    pub const ALLOW: u64 = 4;
    pub const FAIL: u64 = 5;
    pub const HOLD: u64 = 6;
    pub const DROP: u64 = 7;
    pub const RETRY: u64 = 8;
}

/// Flag of a record whose value is a sequence of records.
pub const FLAG_NESTED: u16 = 1;
/// Flag of a record that a reader must refuse if it does not know the tag.
pub const FLAG_CRITICAL: u16 = 2;

/// Why records could not be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Error {
    /// A record ends behind the end of the bytes it is in.
    Short,
    /// A record that must be understood has an unknown tag.
    Critical,
    /// A record's value does not have the form its tag demands.
    Value,
    /// Records are nested deeper than `MAX_DEPTH`.
    Deep,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Error::Short => "abi: a record is cut off",
            Error::Critical => "abi: unknown critical record",
            Error::Value => "abi: malformed value",
            Error::Deep => "abi: records are nested too deep",
        })
    }
}

impl std::error::Error for Error {}

/// One record.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// What the value is.
    pub tag: u16,
    /// `FLAG_NESTED`, `FLAG_CRITICAL`.
    pub flags: u16,
    /// The value, borrowed.
    pub value: &'a [u8],
}

impl<'a> Record<'a> {
    /// The value as a number.
    #[inline]
    pub fn number(&self) -> Result<u64, Error> {
        match <[u8; 8]>::try_from(self.value) {
            Ok(b) => Ok(u64::from_le_bytes(b)),
            Err(_) => Err(Error::Value),
        }
    }

    /// The value as text. Bytes that are not UTF-8 are replaced.
    pub fn string(&self) -> String {
        String::from_utf8_lossy(self.value).into_owned()
    }

    /// The records in the value.
    pub fn inside(&self) -> Reader<'a> {
        Reader { rest: self.value }
    }

    /// What a reader does with a tag it does not know: an error if the record is critical.
    #[inline]
    pub fn unknown(&self) -> Result<(), Error> {
        if self.flags & FLAG_CRITICAL != 0 {
            return Err(Error::Critical);
        }
        Ok(())
    }
}

/// Walks over records. It borrows the bytes and allocates nothing.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader of a sequence of records.
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    /// The next record, or `None` at the end.
    #[inline]
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<Record<'a>>, Error> {
        if self.rest.len() < HEADER {
            return if self.rest.is_empty() { Ok(None) } else { Err(Error::Short) };
        }
        let (head, body) = self.rest.split_at(HEADER);
        let mut bytes = [0; HEADER];
        bytes.copy_from_slice(head);
        let head = u64::from_le_bytes(bytes);
        let len = (head >> 32) as usize;
        if len > body.len() {
            return Err(Error::Short);
        }
        let (value, rest) = body.split_at(len);
        self.rest = rest;
        Ok(Some(Record { tag: head as u16, flags: (head >> 16) as u16, value }))
    }
}

fn header(out: &mut Vec<u8>, tag: u16, flags: u16, len: usize) {
    let head = u64::from(tag) | u64::from(flags) << 16 | (len as u64) << 32;
    out.extend_from_slice(&head.to_le_bytes());
}

/// Appends a record that holds text or bytes.
pub fn put_text(out: &mut Vec<u8>, tag: u16, value: &[u8]) {
    header(out, tag, 0, value.len());
    out.extend_from_slice(value);
}

/// Appends a record that holds text, unless it is empty.
pub fn put_some(out: &mut Vec<u8>, tag: u16, value: &str) {
    if !value.is_empty() {
        put_text(out, tag, value.as_bytes());
    }
}

/// Appends a record that holds a number.
pub fn put_number(out: &mut Vec<u8>, tag: u16, value: u64) {
    header(out, tag, 0, 8);
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends a nested record, whose records `inside` appends.
pub fn put_nested<R>(out: &mut Vec<u8>, tag: u16, inside: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    header(out, tag, FLAG_NESTED, 0);
    let mark = out.len();
    let result = inside(out);
    let len = (out.len() - mark) as u32;
    out[mark - 4..mark].copy_from_slice(&len.to_le_bytes());
    result
}
