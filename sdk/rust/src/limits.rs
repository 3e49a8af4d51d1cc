//! What a principal may use.

use crate::abi::{self, tag};
use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

/// What somebody may use. `None` limits nothing, and 0 allows nothing. A budget that is negative, infinite or no number
/// fails the call, and so nobody is let in.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct Limits {
    /// Tokens in 60 seconds.
    pub tpm: Option<u64>,
    /// Requests in 60 seconds.
    pub rpm: Option<u64>,
    /// Requests open at a time.
    pub max_parallel: Option<u64>,
    /// US dollars.
    pub max_budget: Option<f64>,
    /// US dollars; it is only reported when it is reached.
    pub soft_budget: Option<f64>,
    /// The length of a budget's period: a number and s, m, h, d, w or mo, such as "30d". The first spending in it begins
    /// it. Empty is for good.
    pub budget_duration: String,
    /// When the period ends. The next ones are as long as `budget_duration` says; without it there is one more, which has
    /// no end.
    pub budget_reset_at: Option<SystemTime>,
    /// US dollars that were spent of the budget, in this period, where the gateway does not count. What it counts itself
    /// is added.
    pub spend: f64,
}

/// What a principal and those it names may use. Those of a user, a team, an organization and an end user are for all who
/// ask in their name, and hold besides what the gateway's database has for them.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct AllLimits {
    /// The principal itself.
    pub key: Limits,
    /// `user_id`.
    pub user: Limits,
    /// `team_id`.
    pub team: Limits,
    /// The user in the team.
    pub team_member: Limits,
    /// `org_id`.
    pub organization: Limits,
    /// `end_user`; without one each end user that requests name.
    pub end_user: Limits,
    /// By model group: what holds for calls of one of them, besides the others.
    pub key_models: BTreeMap<String, Limits>,
    /// Likewise, for the team.
    pub team_models: BTreeMap<String, Limits>,
    /// Likewise, for the organization.
    pub organization_models: BTreeMap<String, Limits>,
    /// Likewise, for the end user.
    pub end_user_models: BTreeMap<String, Limits>,
}

impl AllLimits {
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let whole = [
            ("key", &self.key),
            ("user", &self.user),
            ("team", &self.team),
            ("team_member", &self.team_member),
            ("organization", &self.organization),
            ("end_user", &self.end_user),
        ];
        for (of, limits) in whole {
            limits.write(out, of, "");
        }
        let by_model = [
            ("key", &self.key_models),
            ("team", &self.team_models),
            ("organization", &self.organization_models),
            ("end_user", &self.end_user_models),
        ];
        for (of, models) in by_model {
            for (model, limits) in models {
                limits.write(out, of, model);
            }
        }
    }
}

impl Limits {
    fn write(&self, out: &mut Vec<u8>, of: &str, model: &str) {
        if *self == Limits::default() {
            return;
        }
        critical(out, |out| {
            abi::put_nested(out, tag::LIMIT, |out| {
                abi::put_text(out, tag::LIMIT_OF, of.as_bytes());
                abi::put_some(out, tag::MODEL, model);
                for (tag, n) in
                    [(tag::TPM_LIMIT, self.tpm), (tag::RPM_LIMIT, self.rpm), (tag::MAX_PARALLEL, self.max_parallel)]
                {
                    if let Some(n) = n {
                        abi::put_number(out, tag, n);
                    }
                }
                for (tag, f) in [(tag::MAX_BUDGET, self.max_budget), (tag::SOFT_BUDGET, self.soft_budget)] {
                    if let Some(f) = f {
                        abi::put_number(out, tag, f.to_bits());
                    }
                }
                abi::put_some(out, tag::BUDGET_DURATION, &self.budget_duration);
                if let Some(t) = self.budget_reset_at {
                    abi::put_number(out, tag::RESET_AT, micros(t));
                }
                if self.spend != 0.0 {
                    abi::put_number(out, tag::SPEND, self.spend.to_bits());
                }
            })
        });
    }
}

/// Marks the record that `put` appends: a gateway that does not know it must not let the caller in without it.
pub(crate) fn critical(out: &mut Vec<u8>, put: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    put(out);
    out[at + 2] |= abi::FLAG_CRITICAL as u8;
}

/// Microseconds since 1970.
pub(crate) fn micros(t: SystemTime) -> u64 {
    t.duration_since(UNIX_EPOCH).map_or(0, |d| u64::try_from(d.as_micros()).unwrap_or(u64::MAX))
}
