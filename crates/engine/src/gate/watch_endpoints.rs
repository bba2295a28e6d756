//! `GET /admin/watch` and `GET /metrics`, for `gate.handle`, as `crates/worker/src/endpoints/admin/watch.rs` and `metrics.rs` answer them; and
//! what an application asks by `gate.watch`.

use std::rc::Rc;

use serde::Deserialize;

use super::administered;
use super::backend::Gate;
use super::decision::Asked;
use super::own_endpoint::{OwnAnswer, check_method, query_of};
use super::task::{HostJobs, Outcome};
use super::watch_work::{Reading, Work};
use edgegate::error::Error;
use edgegate::guard::Request;
use edgegate::guard::administration::{administrator, may_read_metrics};
use edgegate::policy::{Policy, Role};
use edgegate::watch::report::{METRICS_TYPE, window_of};

/// What can be read of the watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WatchEndpoint {
    Report,
    Metrics,
}

impl WatchEndpoint {
    /// The endpoint that a path below the prefix fits.
    pub(super) fn of(policy: &Policy, below: &str) -> Option<Self> {
        policy.watch.as_ref()?;
        match below.strip_suffix('/').unwrap_or(below) {
            "/admin/watch" => Some(Self::Report),
            "/metrics" => Some(Self::Metrics),
            _ => None,
        }
    }

    /// The path in the event log, whatever the prefix.
    const fn logged(self) -> &'static str {
        match self {
            Self::Report => administered::LOGGED_AS,
            Self::Metrics => "/auth/metrics",
        }
    }
}

/// Answers a request for such an endpoint.
pub(super) async fn answered(
    gate: &Gate,
    (asked, request): (&Asked, &Request<'_>),
    endpoint: WatchEndpoint,
    jobs: &HostJobs,
) -> OwnAnswer {
    let policy = &gate.policy;
    let failures = gate.memory.failures(policy);
    let now = jobs.now();
    let actor = match endpoint {
        WatchEndpoint::Report => administrator(policy, &failures, request, now).map(Some),
        WatchEndpoint::Metrics => may_read_metrics(policy, &failures, request, now).map(|()| None),
    };
    let actor = match actor {
        Ok(actor) => actor,
        Err(error) => {
            let refused = (error, endpoint.logged());
            return administered::shut_out(gate, (asked, request), refused, jobs);
        }
    };
    let may_read = actor.map_or(Ok(()), |actor| actor.require(Role::Read));
    let told = match may_read.and_then(|()| check_method("GET", request.method)) {
        Ok(()) => told(gate, (asked, endpoint), jobs).await,
        Err(error) => Err(error),
    };
    let answer = match &told {
        Ok(body) => whole(endpoint, body.clone()),
        Err(error) => OwnAnswer::refused(error, administered::carrier_of(request), asked),
    };
    if let Some(actor) = actor {
        let (who, done) = ((request, actor.name()), (answer.status, told.as_ref().err()));
        // That it is read is no event of it.
        administered::note(gate, who, done, told.is_err(), jobs);
    }
    answer
}

async fn told(
    gate: &Gate,
    (asked, endpoint): (&Asked, WatchEndpoint),
    jobs: &HostJobs,
) -> Result<String, Error> {
    match endpoint {
        WatchEndpoint::Report => {
            let target = asked.sent_target();
            read_report(gate, window_in(&target), jobs).await
        }
        WatchEndpoint::Metrics => read_metrics(gate, jobs).await,
    }
}

fn window_in(target: &str) -> Option<&str> {
    let window = query_of(target).split('&').find_map(|pair| pair.strip_prefix("window="));
    window.filter(|window| !window.is_empty())
}

async fn read_report(gate: &Gate, window: Option<&str>, jobs: &HostJobs) -> Result<String, Error> {
    let work = Work::of(gate, jobs).ok_or(Error::NotFound)?;
    work.read(Reading::Report { window_secs: window_of(window)? }).await
}

async fn read_metrics(gate: &Gate, jobs: &HostJobs) -> Result<String, Error> {
    let work = Work::of(gate, jobs).ok_or(Error::NotFound)?;
    work.read(Reading::Metrics).await
}

fn whole(endpoint: WatchEndpoint, body: String) -> OwnAnswer {
    let kind = match endpoint {
        WatchEndpoint::Report => "application/json",
        WatchEndpoint::Metrics => METRICS_TYPE,
    };
    let headers = vec![("Content-Type", kind.to_owned()), ("Cache-Control", "no-store".to_owned())];
    OwnAnswer { status: 200, headers, body }
}

/// What the shell asks of the watch.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) enum WatchAsked {
    /// Hand over, and keep. The answer is after how many milliseconds it is to be asked again, or `null`.
    Turn {},
    /// The same for the last time.
    Close {},
    /// `gate.watch.read`.
    Report { window: Option<String> },
    /// `gate.watch.metrics`. The answer is a text.
    Metrics {},
}

pub(super) async fn administer(
    gate: Rc<Gate>,
    asked: WatchAsked,
    jobs: Rc<HostJobs>,
) -> Result<Outcome, Error> {
    let Some(work) = Work::of(&gate, &jobs) else {
        return Err(Error::config("watch", "the policy has none, so nothing is counted"));
    };
    let text = match asked {
        WatchAsked::Turn {} => {
            let wait = work.turn().await;
            wait.map_or_else(|| "null".to_owned(), |millis| millis.to_string())
        }
        WatchAsked::Close {} => {
            work.close().await;
            "null".to_owned()
        }
        WatchAsked::Report { window } => read_report(&gate, window.as_deref(), &jobs).await?,
        WatchAsked::Metrics {} => {
            let text = read_metrics(&gate, &jobs).await?;
            serde_json::to_string(&text).unwrap_or_default()
        }
    };
    Ok(Outcome { text, claims: None })
}
