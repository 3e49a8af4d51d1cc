//! The log hook: what became of exchanges.

use crate::abi::{self, tag, verdict, Error};
use crate::exchange::Exchange;
use crate::value::{self, Map};
use crate::view::{text, Field, View};
use std::ops::Deref;

/// Records of exchanges that have ended. It is valid during the call.
#[derive(Clone, Default, Debug)]
pub struct LogBatch<'a> {
    /// The records.
    pub records: Vec<LogRecord<'a>>,
    retry: Vec<usize>,
}

/// One exchange. Times are microseconds since 1970; what is not known is 0, empty or `None`.
#[derive(Clone, Default, Debug)]
#[allow(missing_docs)]
pub struct LogRecord<'a> {
    exchange: Exchange<'a>,
    /// The caller's User-Agent.
    pub agent: &'a str,
    pub cache_hit: bool,
    /// The vendor's own name for the model.
    pub vendor_model: &'a str,
    /// The vendor.
    pub provider: &'a str,
    pub deployment: &'a str,
    /// Base URL of the vendor's API.
    pub base: &'a str,
    pub start: u64,
    pub end: u64,
    pub first_token: u64,
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    pub total_tokens: u64,
    pub cached_tokens: u64,
    pub reasoning_tokens: u64,
    /// US dollars.
    pub cost: Option<f64>,
    /// As the caller saw it.
    pub status: u16,
    /// Finish reason.
    pub finish: &'a str,
    /// Empty for success.
    pub error_class: &'a str,
    /// Message of the error.
    pub error: &'a str,
    /// Guardrails that looked at the exchange.
    pub guardrails: Vec<&'a str>,
    pub retries: u64,
    pub fallbacks: u64,
    /// What was asked, JSON, if the manifest needs "content".
    pub messages: &'a str,
    /// What was answered, JSON, if the manifest needs "content".
    pub answer: &'a str,
}

impl<'a> Deref for LogRecord<'a> {
    type Target = Exchange<'a>;

    fn deref(&self) -> &Exchange<'a> {
        &self.exchange
    }
}

impl<'a> LogBatch<'a> {
    /// Asks for a record again, later; the others count as delivered.
    pub fn retry(&mut self, index: usize) {
        self.retry.push(index);
    }

    /// The records asked for again, for tests.
    pub fn retried(&self) -> &[usize] {
        &self.retry
    }

    pub(crate) fn read(view: &'a mut [u8]) -> Result<LogBatch<'a>, Error> {
        let (mut view, mut batch) = (View::new(view), LogBatch::default());
        while let Some(field) = view.next()? {
            match field.tag {
                tag::RECORD => batch.records.push(LogRecord::read(field.value)?),
                _ => field.unknown()?,
            }
        }
        Ok(batch)
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        if self.retry.is_empty() {
            return;
        }
        abi::put_number(out, tag::VERDICT, verdict::EDIT);
        for i in &self.retry {
            abi::put_number(out, tag::INDEX, *i as u64);
        }
    }
}

impl<'a> LogRecord<'a> {
    /// Reports whether the exchange failed.
    pub fn failed(&self) -> bool {
        !self.error_class.is_empty()
    }

    fn read(record: &'a mut [u8]) -> Result<LogRecord<'a>, Error> {
        let (mut inside, mut r) = (View::new(record), LogRecord::default());
        while let Some(field) = inside.next()? {
            r.take(field)?;
        }
        Ok(r)
    }

    fn take(&mut self, field: Field<'a>) -> Result<(), Error> {
        let number = match field.tag {
            tag::START => &mut self.start,
            tag::END => &mut self.end,
            tag::FIRST_TOKEN => &mut self.first_token,
            tag::PROMPT_TOKENS => &mut self.prompt_tokens,
            tag::COMPLETION_TOKENS => &mut self.completion_tokens,
            tag::TOTAL_TOKENS => &mut self.total_tokens,
            tag::CACHED_TOKENS => &mut self.cached_tokens,
            tag::REASONING_TOKENS => &mut self.reasoning_tokens,
            tag::RETRIES => &mut self.retries,
            tag::FALLBACKS => &mut self.fallbacks,
            _ => return self.take_text(field),
        };
        *number = field.number()?;
        Ok(())
    }

    fn take_text(&mut self, field: Field<'a>) -> Result<(), Error> {
        let place = match field.tag {
            tag::USER_AGENT => &mut self.agent,
            tag::VENDOR_MODEL => &mut self.vendor_model,
            tag::PROVIDER => &mut self.provider,
            tag::DEPLOYMENT_ID => &mut self.deployment,
            tag::BASE => &mut self.base,
            tag::FINISH => &mut self.finish,
            tag::ERROR_CLASS => &mut self.error_class,
            tag::REASON => &mut self.error,
            tag::MESSAGES => &mut self.messages,
            tag::ANSWER => &mut self.answer,
            tag::GUARDRAIL => {
                self.guardrails.push(text(field.value));
                return Ok(());
            }
            tag::CACHE_HIT => {
                self.cache_hit = true;
                return Ok(());
            }
            tag::COST => {
                self.cost = Some(field.double()?);
                return Ok(());
            }
            tag::STATUS => {
                self.status = field.number()?.min(999) as u16;
                return Ok(());
            }
            _ => return self.exchange.take(field),
        };
        *place = text(field.value);
        Ok(())
    }
}

/// What the key_generate hook sees: somebody makes a virtual key.
#[derive(Clone, Default, Debug)]
pub struct KeyRequest<'a> {
    exchange: Exchange<'a>,
    /// As sent to /key/generate: models, team_id, max_budget, duration, metadata and so on.
    pub params: Map,
}

impl<'a> Deref for KeyRequest<'a> {
    type Target = Exchange<'a>;

    fn deref(&self) -> &Exchange<'a> {
        &self.exchange
    }
}

impl<'a> KeyRequest<'a> {
    /// A request with parameters and nothing else, for a test.
    pub fn with_params(params: Map) -> KeyRequest<'a> {
        KeyRequest { params, ..KeyRequest::default() }
    }

    pub(crate) fn read(view: &'a mut [u8]) -> Result<KeyRequest<'a>, Error> {
        let (mut view, mut r) = (View::new(view), KeyRequest::default());
        while let Some(field) = view.next()? {
            match field.tag {
                tag::PARAMS => r.params = value::read_map(field.value)?,
                _ => r.exchange.take(field)?,
            }
        }
        Ok(r)
    }
}
