//! Where the policy is: in the variable itself, or, since a variable holds about 5 KB, in a store that the
//! variable points to; and when it is read again from there. No I/O, no clock.

use serde_json::Value;

use crate::{error::Error, json, time::UnixMillis};

/// The longest policy that is read from a store. Ten thousand routes take about 1 MB.
pub const MAX_POLICY_LENGTH: usize = 4 * 1024 * 1024;

/// How often a policy in a store is read again where the variable does not say.
pub const DEFAULT_RELOAD_SECS: u32 = 30;

/// An hour; a change that can wait for longer can wait for a deployment.
pub(super) const MAX_RELOAD_SECS: u32 = 60 * 60;

/// After a failure with no policy to go on with. Nobody can be served meanwhile, but a store that is down
/// is not asked by every request.
const RETRY_MILLIS: u64 = 1000;

/// A read that has not come back by then never will: the request it hung on is gone.
const GIVEN_UP_MILLIS: u64 = 10_000;

/// Where the policy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicySource {
    /// It is the variable.
    Inline,
    /// It is in KV, and read again so often.
    Kv {
        /// 1 to 3600 seconds.
        reload_secs: u32,
    },
}

impl PolicySource {
    /// Reads what the variable says: `{"source": "kv", "reload_secs": 30}`, or anything else, which is the
    /// policy itself.
    ///
    /// # Errors
    /// [`Error::Config`] if it points to a store and says more than that.
    pub fn of(variable: &str) -> Result<Self, Error> {
        // A name that is given twice is told, with its place, by the reader of the policy itself.
        let Ok(fields) = json::parse_object(variable.as_bytes()) else {
            return Ok(Self::Inline);
        };
        match fields.get("source").map(Value::as_str) {
            None => return Ok(Self::Inline),
            Some(Some("kv")) => {}
            Some(_) => return Err(Error::config("source", "expected kv")),
        }
        let unknown = fields.keys().find(|name| !matches!(name.as_str(), "source" | "reload_secs"));
        if unknown.is_some() {
            return Err(Error::config("source", "with it only reload_secs may stand here"));
        }
        let reload_secs = match fields.get("reload_secs") {
            None => DEFAULT_RELOAD_SECS,
            Some(value) => value
                .as_u64()
                .and_then(|secs| u32::try_from(secs).ok())
                .filter(|secs| (1..=MAX_RELOAD_SECS).contains(secs))
                .ok_or_else(|| Error::config("reload_secs", "expected 1 to 3600"))?,
        };
        Ok(Self::Kv { reload_secs })
    }
}

/// When a policy in a store is read.
#[derive(Debug, Clone, Copy)]
pub struct Reloading {
    every_millis: u64,
    /// When the last read began that has not come back.
    begun: Option<UnixMillis>,
    /// When one last came back, with whatever.
    ended: Option<UnixMillis>,
}

/// What a request does about the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It takes what there is.
    Use,
    /// It takes what there is, and reads it again after its answer.
    UseAndReload,
    /// It reads first.
    Load,
}

impl Reloading {
    /// Reads every so many seconds.
    #[must_use]
    pub const fn every(secs: u32) -> Self {
        Self { every_millis: (secs as u64).saturating_mul(1000), begun: None, ended: None }
    }

    /// The turn of a request; `in_force`: whether there is a good policy. [`Turn::Load`] and
    /// [`Turn::UseAndReload`] count as the beginning of a read, [`Reloading::ended`] is its end.
    ///
    /// With a policy in force one request at a time reads. Without one every request does, since none can
    /// wait for another, but not within a second of a failure.
    pub fn turn(&mut self, in_force: bool, now: UnixMillis) -> Turn {
        let within =
            |at: Option<UnixMillis>, millis| at.is_some_and(|at| now.millis_since(at) < millis);
        if !in_force {
            if within(self.ended, RETRY_MILLIS) {
                return Turn::Use;
            }
            self.begun = Some(now);
            return Turn::Load;
        }
        if within(self.ended, self.every_millis) || within(self.begun, GIVEN_UP_MILLIS) {
            return Turn::Use;
        }
        self.begun = Some(now);
        Turn::UseAndReload
    }

    /// A read has come back, with whatever.
    pub const fn ended(&mut self, now: UnixMillis) {
        self.begun = None;
        self.ended = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> UnixMillis {
        UnixMillis::from_millis(1_700_000_000_000 + millis)
    }

    #[test]
    fn a_variable_is_the_policy_unless_it_names_a_source() {
        for (variable, source) in [
            ("{}", PolicySource::Inline),
            (r#"{"routes": []}"#, PolicySource::Inline),
            ("not JSON", PolicySource::Inline),
            (r#"{"source": "kv"}"#, PolicySource::Kv { reload_secs: 30 }),
            (r#"{"source": "kv", "reload_secs": 600}"#, PolicySource::Kv { reload_secs: 600 }),
        ] {
            assert_eq!(PolicySource::of(variable), Ok(source), "{variable}");
        }
    }

    #[test]
    fn a_source_stands_alone_and_within_bounds() {
        for (variable, message) in [
            (r#"{"source": "r2"}"#, "source: expected kv"),
            (r#"{"source": 1}"#, "source: expected kv"),
            (
                r#"{"source": "kv", "routes": []}"#,
                "source: with it only reload_secs may stand here",
            ),
            (r#"{"source": "kv", "reload_secs": 0}"#, "reload_secs: expected 1 to 3600"),
            (r#"{"source": "kv", "reload_secs": 3601}"#, "reload_secs: expected 1 to 3600"),
            (r#"{"source": "kv", "reload_secs": "30"}"#, "reload_secs: expected 1 to 3600"),
            (r#"{"source": "kv", "reload_secs": -1}"#, "reload_secs: expected 1 to 3600"),
        ] {
            assert_eq!(PolicySource::of(variable).unwrap_err().to_string(), message, "{variable}");
        }
    }

    #[test]
    fn without_a_policy_every_request_reads_but_not_right_after_a_failure() {
        let mut reloading = Reloading::every(30);
        assert_eq!(reloading.turn(false, at(0)), Turn::Load);
        assert_eq!(reloading.turn(false, at(0)), Turn::Load, "none waits for another's read");
        reloading.ended(at(100));
        assert_eq!(reloading.turn(false, at(1099)), Turn::Use);
        assert_eq!(reloading.turn(false, at(1100)), Turn::Load);
    }

    #[test]
    fn a_policy_in_force_is_read_again_by_one_request_at_a_time() {
        let mut reloading = Reloading::every(30);
        reloading.turn(false, at(0));
        reloading.ended(at(0));
        assert_eq!(reloading.turn(true, at(29_999)), Turn::Use);
        assert_eq!(reloading.turn(true, at(30_000)), Turn::UseAndReload);
        assert_eq!(reloading.turn(true, at(30_000)), Turn::Use);
        assert_eq!(reloading.turn(true, at(39_999)), Turn::Use);
        assert_eq!(reloading.turn(true, at(40_000)), Turn::UseAndReload, "that read was lost");
        reloading.ended(at(40_100));
        assert_eq!(reloading.turn(true, at(70_099)), Turn::Use);
        assert_eq!(reloading.turn(true, at(70_100)), Turn::UseAndReload);
    }
}
