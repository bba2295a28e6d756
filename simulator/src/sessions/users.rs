//! Honest users: if one is logged out, the network did it.

use core::fmt;

use edgegate::session::step::Carried;

use crate::world::{Agenda, Chance, Time};

use super::rules::{ISOLATES, RULES, Refreshed, Rule, Session, Tokens, WEEK, secs_at};

/// The client of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Eight tabs with one jar of cookies; the gate renews inside requests.
    Browser,
    /// One process that keeps its tokens and refreshes by itself.
    Application,
}

const TABS: u64 = 8;

/// This many in a million requests are on their way for 31 to 110 s, like those of a phone in a tunnel.
const STALLED: u64 = 1_000;
/// Clients that refresh once more at once, since the service itself said 401.
const TWICE: u64 = 10_000;
/// Answers that come after minutes: uploads.
const UPLOADS: u64 = 20_000;
/// Answers with two cookies of which a proxy lets only one pass.
const HALF_SAVED: u64 = 2_000;
/// The writer restarts before this many steps, and after this many, so that the answer is lost.
const RESTARTS: u64 = 2_000;

/// The results of all users.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) users: u64,
    pub(crate) refreshes: u64,
    /// Requests that were refused for the moment and sent again.
    not_now: u64,
    /// The numbers of users who were logged out.
    pub(crate) logged_out: Vec<u64>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { users, refreshes, not_now, logged_out } = self;
        let lost = logged_out.len();
        write!(
            f,
            "{users} users, {refreshes} refreshes: {lost} logged out, {not_now} cookies that were late refused for the moment"
        )
    }
}

#[derive(Debug)]
enum Event {
    /// The user is active.
    Round,
    /// A tab sends what is in the jar.
    Leave {
        tab: u64,
    },
    /// An application refreshes, whatever its access token says.
    Again,
    Arrive {
        token: u32,
        tab: u64,
    },
    Answer {
        tokens: Tokens,
        tab: u64,
        given_at: Time,
    },
    Use {
        tokens: Tokens,
    },
}

struct User<'r> {
    session: Box<dyn Session>,
    chance: Chance,
    agenda: Agenda<Event>,
    kind: Kind,
    /// This many in a million: answers that are lost; applications that are killed before they have saved.
    lost: u64,
    killed: u64,
    /// The tokens in the jar or in the file, and the access token that was seen last.
    refresh: u32,
    access: Tokens,
    /// Whether an application waits for an answer.
    busy: bool,
    refreshes: u64,
    not_now: u64,
    log: Option<&'r mut Vec<String>>,
}

impl User<'_> {
    fn note(&mut self, time: Time, what: &str) {
        if let Some(log) = &mut self.log {
            log.push(format!("{:>12.3} s  {what}", time as f64 / 1000.0));
        }
    }

    /// Lives for this long. Returns whether the session was still there at the end.
    fn lives(&mut self, until: Time) -> bool {
        self.agenda.plan(self.chance.below(60_000), Event::Round);
        while let Some((time, event)) = self.agenda.next() {
            if time >= until {
                return true;
            }
            let goes_on = match event {
                Event::Round => self.round(time),
                Event::Leave { tab } => self.leave(time, tab),
                Event::Again => self.again(time),
                Event::Arrive { token, tab } => self.arrive(time, token, tab),
                Event::Answer { tokens, tab, given_at } => {
                    self.answer(time, tokens, (tab, given_at))
                }
                Event::Use { tokens } => {
                    let isolate = self.chance.below(ISOLATES as u64) as usize;
                    // In a browser only both cookies of one generation count.
                    if self.kind == Kind::Application || self.refresh == tokens.refresh {
                        self.session.used(time, isolate, tokens.access);
                    }
                    true
                }
            };
            if !goes_on {
                return false;
            }
        }
        true
    }

    /// Every quarter of an hour to two hours while the user is awake; then eight hours of nothing.
    fn round(&mut self, time: Time) -> bool {
        let gap = [900, 900, 1_800, 3_600, 7_200][self.chance.below(5) as usize] * 1000;
        let gap = gap * self.chance.between(90, 110) / 100;
        let gap = if self.chance.happens(60_000) { 8 * 3_600_000 } else { gap };
        self.agenda.plan(time + gap, Event::Round);
        // Nothing has come for ten seconds, so the writer is evicted.
        if self.chance.happens(500_000) {
            self.session.restart(&mut self.chance);
        }
        let tabs = if self.kind == Kind::Browser { TABS } else { 1 };
        for tab in 0..tabs {
            self.agenda.plan(time + self.chance.below(2_000), Event::Leave { tab });
        }
        true
    }

    fn leave(&mut self, time: Time, tab: u64) -> bool {
        // The access token holds for more than a minute: nothing is renewed.
        if secs_at(time).saturating_add(60) < self.access.access.exp {
            self.agenda
                .plan(time + self.chance.between(20, 300), Event::Use { tokens: self.access });
            return true;
        }
        // An application does not refresh while it waits for an answer.
        if self.kind == Kind::Application && core::mem::replace(&mut self.busy, true) {
            self.agenda.plan(time + 5_000, Event::Leave { tab });
            return true;
        }
        let way = if self.chance.happens(STALLED) {
            self.chance.between(31_000, 110_000)
        } else {
            self.chance.between(20, 300)
        };
        self.agenda.plan(time + way, Event::Arrive { token: self.refresh, tab });
        true
    }

    fn again(&mut self, time: Time) -> bool {
        if core::mem::replace(&mut self.busy, true) {
            self.agenda.plan(time + 5_000, Event::Again);
            return true;
        }
        let token = self.refresh;
        self.agenda.plan(time + 100, Event::Arrive { token, tab: 0 });
        true
    }

    fn arrive(&mut self, time: Time, token: u32, tab: u64) -> bool {
        self.refreshes += 1;
        if self.chance.happens(RESTARTS) {
            self.session.restart(&mut self.chance);
        }
        let carried = if self.kind == Kind::Browser { Carried::Cookie } else { Carried::Body };
        let refreshed = self.session.refresh(time, token, carried);
        self.note(time, &format!("tab {tab} with {token}: {refreshed:?}"));
        let died = self.chance.happens(RESTARTS);
        if died {
            self.session.restart(&mut self.chance);
        }
        let tokens = match refreshed {
            Refreshed::Given(tokens) => tokens,
            Refreshed::NotNow => {
                // The page asks again with the cookies that the jar has by then.
                self.not_now += 1;
                self.busy = false;
                self.agenda.plan(time + 1_000, Event::Leave { tab });
                return true;
            }
            Refreshed::Ended => return false,
        };
        if died || self.chance.happens(self.lost) {
            self.note(time, "its answer is lost");
            let later = match self.chance.below(10) {
                0..5 => self.chance.between(2_000, 10_000),
                5..8 => self.chance.between(60_000, 600_000),
                _ => self.chance.between(3_600_000, 8 * 3_600_000),
            };
            self.busy = false;
            // Each sends the token that it has by then.
            let again =
                if self.kind == Kind::Browser { Event::Leave { tab } } else { Event::Again };
            self.agenda.plan(time + later, again);
            return true;
        }
        let way = if self.kind == Kind::Browser && self.chance.happens(UPLOADS) {
            self.chance.between(10_000, 3_000_000)
        } else {
            self.chance.between(20, 300)
        };
        self.agenda.plan(time + way, Event::Answer { tokens, tab, given_at: time });
        true
    }

    fn answer(&mut self, time: Time, tokens: Tokens, (tab, given_at): (u64, Time)) -> bool {
        self.busy = false;
        // The gate leaves the cookies out of an answer that begins later than 30 s.
        if self.kind == Kind::Browser && time - given_at >= 30_000 {
            return true;
        }
        let half = self.kind == Kind::Browser && self.chance.happens(HALF_SAVED);
        self.use_at(time, tokens, 50);
        if self.kind == Kind::Application && self.chance.happens(self.killed) {
            self.note(time, "killed before it has saved");
            let later = self.chance.between(60_000, 8 * 3_600_000);
            self.agenda.plan(time + later, Event::Again);
            return true;
        }
        // The server's last answer may arrive first.
        self.access = tokens;
        if !half {
            self.refresh = tokens.refresh;
        }
        for later in [40_000, 200_000, 600_000] {
            if self.chance.happens(700_000) {
                self.use_at(time, tokens, later);
            }
        }
        if self.chance.happens(TWICE) {
            let token = tokens.refresh;
            self.busy = true;
            self.agenda.plan(time + 310, Event::Arrive { token, tab });
        }
        true
    }

    fn use_at(&mut self, time: Time, tokens: Tokens, later: Time) {
        self.agenda.plan(time + later, Event::Use { tokens });
    }
}

fn user<'r>(
    rule: Rule,
    (kind, lost, killed): (Kind, u64, u64),
    number: u64,
    log: Option<&'r mut Vec<String>>,
) -> User<'r> {
    let mut chance = Chance::new(number);
    let session = rule(&mut chance);
    let first = session.first();
    User {
        session,
        chance,
        agenda: Agenda::new(),
        kind,
        lost,
        killed,
        refresh: first.refresh,
        access: first,
        busy: false,
        refreshes: 0,
        not_now: 0,
        log,
    }
}

/// Returns the kind of a user of the large scenario. It depends only on the user's number.
fn described(number: u64) -> (Kind, u64, u64) {
    if number.is_multiple_of(2) {
        (Kind::Browser, 50_000, 0)
    } else {
        (Kind::Application, 50_000, 2_000)
    }
}

/// Simulates users of the gate, each for four weeks, until there were this many refreshes.
pub(crate) fn run(refreshes: u64, seed: u64) -> Outcome {
    let mut outcome = Outcome::default();
    let mut numbers = Chance::new(seed);
    let [.., (_, own)] = RULES;
    while outcome.refreshes < refreshes {
        let number = numbers.next();
        let mut user = user(own, described(number), number, None);
        let stays = user.lives(4 * WEEK);
        outcome.users += 1;
        outcome.refreshes += user.refreshes;
        outcome.not_now += user.not_now;
        if !stays {
            outcome.logged_out.push(number);
        }
    }
    outcome
}

/// Shows what happened to one user of the large scenario.
pub(crate) fn replay(number: u64) {
    let [.., (_, own)] = RULES;
    let mut log = Vec::new();
    let stays = user(own, described(number), number, Some(&mut log)).lives(4 * WEEK);
    let skipped = if stays { 0 } else { log.len().saturating_sub(60) };
    // If the user was logged out, the end of the log says why.
    for line in log.iter().skip(skipped) {
        println!("{line}");
    }
    println!("{}", if stays { "never logged out" } else { "logged out" });
}

/// Whether a user of this rule is logged out within a week.
pub(crate) fn loses_in_a_week(
    rule: Rule,
    kind: Kind,
    (lost, killed): (u64, u64),
    number: u64,
) -> bool {
    !user(rule, (kind, lost, killed), number, None).lives(WEEK)
}
