//! Thieves: somebody copies the current refresh token, and from then on two use it.

use edgegate::session::step::{Carried, Reuse};

use crate::world::{Chance, Time, quantile};

use super::{
    Report,
    rules::{Edgegate, Refreshed, Rule, Session, Tokens, WEEK},
};

/// What the thief, and the victim, do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Thief {
    /// Both refresh about every quarter of an hour and use their tokens.
    Usual,
    /// The thief refreshes exactly once between two of the victim's.
    Rhythm,
    /// The thief uses access tokens for 28 s only, and asks again with the old refresh token, while the victim is away.
    FreshOnly,
    /// The same, once between two of the victim's.
    FreshRhythm,
    /// The thief's tokens go only to services that verify by the published keys.
    Unseen,
    /// The victim's too.
    BothUnseen,
}

/// The results of the thefts.
#[derive(Debug, Default)]
pub(crate) struct Stolen {
    /// After how many milliseconds the session ended, sorted.
    pub(crate) found: Vec<Time>,
    /// Thieves who still get tokens after a week.
    pub(crate) still_in: u64,
}

const EACH: Time = 900_000;

/// Simulates this many thefts under this rule.
pub(crate) fn stolen(rule: Rule, thief: Thief, thefts: u64, seed: u64) -> Stolen {
    sorted((0..thefts).map(|number| {
        let mut chance = Chance::new(seed ^ (number << 24));
        let session = rule(&mut chance);
        theft(session, thief, &mut chance)
    }))
}

fn sorted(thefts: impl Iterator<Item = (Option<Time>, bool)>) -> Stolen {
    let mut stolen = Stolen::default();
    for (found, still_in) in thefts {
        stolen.found.extend(found);
        stolen.still_in += u64::from(still_in);
    }
    stolen.found.sort_unstable();
    stolen
}

struct Holder {
    tokens: Tokens,
    next: Time,
    seen: bool,
    /// How long access tokens are used.
    use_millis: Time,
}

impl Holder {
    /// Refreshes. Returns `false` if the session is over.
    fn refresh(&mut self, session: &mut dyn Session, chance: &mut Chance) -> bool {
        let Refreshed::Given(tokens) =
            session.refresh(self.next, self.tokens.refresh, Carried::Body)
        else {
            return false;
        };
        self.tokens = tokens;
        if self.seen {
            for later in [300, 28_000, 60_000, 400_000] {
                if later <= self.use_millis {
                    session.used(self.next + later, chance.below(5) as usize, tokens.access);
                }
            }
        }
        true
    }
}

fn about(chance: &mut Chance, millis: Time) -> Time {
    millis * chance.between(90, 110) / 100
}

/// Returns when the session ended after the theft, and whether the thief is still in after a week.
fn theft(mut session: Box<dyn Session>, kind: Thief, chance: &mut Chance) -> (Option<Time>, bool) {
    let first = session.first();
    let mut victim = Holder {
        tokens: first,
        next: about(chance, EACH),
        seen: kind != Thief::BothUnseen,
        use_millis: EACH,
    };
    for _ in 0..20 {
        if !victim.refresh(session.as_mut(), chance) {
            return (Some(0), false);
        }
        victim.next += about(chance, EACH);
    }
    // The theft is between two refreshes of the victim, and a minute after its last one, whose token is in use by then.
    let began = victim.next - chance.between(100_000, 800_000);
    let mut thief = Holder {
        tokens: victim.tokens,
        next: began + 1_000,
        seen: !matches!(kind, Thief::Unseen | Thief::BothUnseen),
        use_millis: match kind {
            Thief::FreshOnly | Thief::FreshRhythm => 28_000,
            _ => EACH,
        },
    };
    if kind == Thief::FreshOnly {
        victim.next = began + 5 * 24 * 3_600_000;
    }
    if kind == Thief::Rhythm {
        // The thief comes after the victim's next refresh, and is taken for the victim.
        thief.next = victim.next + 30_000;
    }
    let copied = thief.tokens;
    while victim.next.min(thief.next) < began + WEEK {
        let is_victim = victim.next <= thief.next;
        let holder = if is_victim { &mut victim } else { &mut thief };
        let now = holder.next;
        if !holder.refresh(session.as_mut(), chance) {
            // Under rules that do not notice, one of them is logged out and the other goes on.
            let other = if is_victim { thief.tokens } else { victim.tokens };
            let goes_on = matches!(
                session.refresh(now + 1_000, other.refresh, Carried::Body),
                Refreshed::Given(_)
            );
            return if goes_on { (None, is_victim) } else { (Some(now - began), false) };
        }
        match (kind, is_victim) {
            (Thief::Rhythm | Thief::FreshRhythm, true) => {
                victim.next += about(chance, EACH);
                thief.next = victim.next - 200_000;
                if kind == Thief::FreshRhythm {
                    thief.tokens = victim.tokens;
                }
            }
            (Thief::Rhythm | Thief::FreshRhythm, false) => thief.next = Time::MAX,
            (Thief::FreshOnly, false) => {
                thief.tokens = copied;
                thief.next += 29_000;
            }
            (_, true) => victim.next += about(chance, EACH),
            (_, false) => thief.next += about(chance, EACH),
        }
        if thief.next == Time::MAX && victim.next >= began + WEEK {
            break;
        }
    }
    (None, true)
}

/// The gate's thieves, the weaker rows too. It is a fault if they break the guarantee.
pub(super) fn report(thefts: u64, seed: u64) -> Report {
    let mut lines = vec![format!(
        "{:56} {:>7} {:>10} {:>10} {:>9}",
        "Thefts at edgegate, each for a week", "found", "median", "90 %", "still in"
    )];
    let rows: [(&str, Thief, Reuse, bool); 8] = [
        ("both use their tokens here", Thief::Usual, Reuse::Confirmed, true),
        ("the thief keeps the victim's rhythm", Thief::Rhythm, Reuse::Confirmed, true),
        (
            "the thief uses fresh tokens only, the victim is away",
            Thief::FreshOnly,
            Reuse::Confirmed,
            true,
        ),
        (
            "weaker: fresh tokens only, in the victim's rhythm",
            Thief::FreshRhythm,
            Reuse::Confirmed,
            false,
        ),
        ("weaker: the thief's tokens are never seen here", Thief::Unseen, Reuse::Confirmed, false),
        ("weaker: nobody's tokens are seen here", Thief::BothUnseen, Reuse::Confirmed, false),
        ("nobody's, with reuse = grace", Thief::BothUnseen, Reuse::Grace, true),
        ("reuse = many: holders share it on purpose", Thief::Usual, Reuse::Many, false),
    ];
    let mut faults = Vec::new();
    for (name, thief, reuse, promised) in rows {
        let stolen = sorted((0..thefts).map(|number| {
            let mut chance = Chance::new(seed ^ (number << 24));
            let session = Edgegate::new(&mut chance, reuse);
            theft(Box::new(session), thief, &mut chance)
        }));
        let minutes = |part| quantile(&stolen.found, part) as f64 / 60_000.0;
        lines.push(format!(
            "{name:56} {:>5.0} % {:>6.0} min {:>6.0} min {:>7.0} %",
            100.0 * stolen.found.len() as f64 / thefts as f64,
            minutes(0.5),
            minutes(0.9),
            100.0 * stolen.still_in as f64 / thefts as f64,
        ));
        if promised && (stolen.found.len() as u64) < thefts {
            faults.push(format!(
                "sessions: {name}: {} of {thefts} thefts were found",
                stolen.found.len()
            ));
        }
    }
    Report { text: lines.join("\n"), faults }
}
