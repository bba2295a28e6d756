//! The rules of refresh tokens: the gate's own steps, and the rules of other products as read in their code.

use std::collections::BTreeMap;

use edgegate::{
    guard::SessionMemory,
    session::{
        Salt, SessionId,
        record::{Device, Opening},
        state::{Paces, SubjectState},
        step::{Carried, Confirm, NewSession, Open, Refresh, Refused, Reuse, Step, Terms},
    },
    time::{UnixMillis, UnixTime},
};

use crate::world::{Chance, Time};

/// What a client holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tokens {
    /// The refresh token: which one it is.
    pub(crate) refresh: u32,
    /// The access token's generation, and what else it says.
    pub(crate) access: Access,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Access {
    pub(crate) generation: u32,
    pub(crate) iat: UnixTime,
    pub(crate) exp: UnixTime,
    pub(crate) repeats: u32,
}

/// The result of a refresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refreshed {
    Given(Tokens),
    /// Refused; nothing has ended, and it may be tried again.
    NotNow,
    /// The session is over.
    Ended,
}

/// A session under some rule. The times are true times; the writer has a clock of its own.
pub(crate) trait Session {
    fn first(&self) -> Tokens;
    fn refresh(&mut self, time: Time, token: u32, carried: Carried) -> Refreshed;
    /// An access token comes to an isolate.
    fn used(&mut self, _time: Time, _isolate: usize, _access: Access) {}
    /// The writer starts anew.
    fn restart(&mut self, _chance: &mut Chance) {}
}

pub(crate) type Rule = fn(&mut Chance) -> Box<dyn Session>;

/// A week, in milliseconds.
pub(crate) const WEEK: u64 = 7 * 24 * 3_600_000;

/// The gate's is the last.
pub(crate) const RULES: [(&str, Rule); 9] = [
    ("single use (oidc-provider, hydra)", |_| Box::new(Field::new(By::Strict))),
    ("the same for 10 s (Auth0-like)", |_| Box::new(Field::new(By::Grace(10)))),
    ("60 s (Cognito, Okta at most)", |_| Box::new(Field::new(By::Grace(60)))),
    ("5 min (hydra at most)", |_| Box::new(Field::new(By::Grace(300)))),
    ("60 s, then unknown (openauth)", |_| Box::new(Field::new(By::Unknown(60)))),
    ("previous too (Cloudflare's library)", |_| Box::new(Field::new(By::Previous))),
    ("one behind always (supabase v2)", |_| Box::new(Field::new(By::OneBehind(10)))),
    ("until first seen in use, at once", |_| Box::new(Field::new(By::FirstUse))),
    ("edgegate", Edgegate::boxed),
];

const ACCESS_SECS: u64 = 900;

/// When it all begins, in seconds.
const START: u64 = 1_700_000_000;

const TERMS: Terms =
    Terms { access_secs: 900, idle_secs: 604_800, absolute_secs: 2_592_000, recheck_secs: 86_400 };

/// The isolates that get a user's requests.
pub(crate) const ISOLATES: usize = 5;

/// By how much their clocks are wrong at most.
const MAX_SKEW_MILLIS: i64 = 60_000;

/// The writer's clock, after it was moved to another machine.
const WRITER_SKEW_MILLIS: u64 = 2_000;

/// The gate's own.
pub(crate) struct Edgegate {
    state: SubjectState,
    paces: Paces,
    first: Tokens,
    isolates: Vec<(SessionMemory, i64)>,
    writer_ahead: u64,
    reuse: Reuse,
    /// Uses that no isolate sees: at services that verify by the published keys.
    pub(crate) unseen: bool,
}

impl Edgegate {
    fn boxed(chance: &mut Chance) -> Box<dyn Session> {
        Box::new(Self::new(chance, Reuse::Confirmed))
    }

    pub(crate) fn new(chance: &mut Chance, reuse: Reuse) -> Self {
        let isolates = (0..ISOLATES)
            .map(|_| {
                let ahead = chance.below(2 * MAX_SKEW_MILLIS.unsigned_abs() + 1);
                (SessionMemory::default(), i64::try_from(ahead).expect("small") - MAX_SKEW_MILLIS)
            })
            .collect();
        let mut session = Self {
            state: SubjectState::default(),
            paces: Paces::default(),
            first: Tokens { refresh: 0, access: access_at(0, 0) },
            isolates,
            writer_ahead: WRITER_SKEW_MILLIS,
            reuse,
            unseen: false,
        };
        let open = Step::Open(Open {
            opening: Opening { sub: "user".to_owned(), remember: true, ..Opening::default() },
            new: NewSession {
                id: SessionId::from_bytes([1; 12]),
                salt: Salt::from_bytes([2; 8]),
                key_id: 1,
                device: Device::default(),
                place: None,
                browser: None,
                begun_at: None,
                terms: TERMS,
            },
        });
        let now = session.now(0);
        let grant = session.state.apply(&open, &mut session.paces, now).grant.expect("opened");
        session.first.access.iat = grant.iat;
        session.first.access.exp = grant.exp;
        session
    }

    const fn now(&self, time: Time) -> UnixMillis {
        UnixMillis::from_millis(START * 1000 + time + self.writer_ahead)
    }
}

impl Session for Edgegate {
    fn first(&self) -> Tokens {
        self.first
    }

    fn refresh(&mut self, time: Time, token: u32, carried: Carried) -> Refreshed {
        let step = Step::Refresh(Refresh {
            id: SessionId::from_bytes([1; 12]),
            generation: token,
            salt: Salt::from_bytes([2; 8]),
            carried,
            client: None,
            jkt: None,
            scopes: None,
            audience: None,
            reuse: self.reuse,
            grace_secs: 60,
            key_id: 1,
            place: None,
            providers: None,
            terms: TERMS,
        });
        let now = self.now(time);
        let outcome = self.state.apply(&step, &mut self.paces, now);
        match (outcome.grant, outcome.refused) {
            (Some(grant), _) => Refreshed::Given(Tokens {
                refresh: grant.generation,
                access: Access {
                    generation: grant.generation,
                    iat: grant.iat,
                    exp: grant.exp,
                    repeats: grant.repeats,
                },
            }),
            (None, Some(Refused::Superseded | Refused::TooFast)) => Refreshed::NotNow,
            (None, _) => Refreshed::Ended,
        }
    }

    fn used(&mut self, time: Time, isolate: usize, access: Access) {
        if self.unseen {
            return;
        }
        let (memory, ahead) = &self.isolates[isolate % ISOLATES];
        let its_now = UnixMillis::from_millis((START * 1000 + time).saturating_add_signed(*ahead));
        let Access { generation, iat, repeats, .. } = access;
        let seen = Confirm { id: SessionId::from_bytes([1; 12]), generation, iat, repeats };
        if memory.tells(&seen, its_now) {
            let now = self.now(time);
            let outcome = self.state.apply(&Step::Confirm(seen), &mut self.paces, now);
            self.isolates[isolate % ISOLATES].0.note_told(&seen, &outcome, its_now);
        }
    }

    fn restart(&mut self, chance: &mut Chance) {
        self.state.take_changes().expect("rows can be written");
        let text = self.state.to_text().expect("rows can be written");
        self.state = SubjectState::from_text(&text).expect("its own rows");
        self.paces = Paces::default();
        self.writer_ahead = chance.below(2 * WRITER_SKEW_MILLIS + 1);
        if chance.happens(300_000) {
            let isolate = chance.below(ISOLATES as u64) as usize;
            self.isolates[isolate].0 = SessionMemory::default();
        }
    }
}

fn access_at(time: Time, generation: u32) -> Access {
    let iat = UnixTime::from_secs((START + time / 1000).try_into().expect("a date"));
    Access { generation, iat, exp: iat.saturating_add(ACCESS_SECS), repeats: 0 }
}

/// The rules of other products.
#[derive(Debug, Clone, Copy)]
enum By {
    Strict,
    Grace(u64),
    Unknown(u64),
    Previous,
    OneBehind(u64),
    FirstUse,
}

struct Field {
    by: By,
    current: u32,
    previous: Option<u32>,
    made: u32,
    /// When each token was first used, in milliseconds.
    first_used: BTreeMap<u32, Time>,
    last: Time,
    confirmed: bool,
    ended: bool,
}

impl Field {
    const fn new(by: By) -> Self {
        Self {
            by,
            current: 0,
            previous: None,
            made: 0,
            first_used: BTreeMap::new(),
            last: 0,
            confirmed: false,
            ended: false,
        }
    }

    /// The next token, or `None`: over.
    fn next(&mut self, time: Time, token: u32) -> Option<u32> {
        let behind = self.current.checked_sub(token);
        let step = |session: &mut Self| {
            session.current += 1;
            session.last = time;
            session.confirmed = false;
            Some(session.current)
        };
        match self.by {
            By::Strict if behind == Some(0) => step(self),
            By::Grace(secs) => {
                if behind == Some(0) {
                    self.first_used.insert(token, time);
                    return step(self);
                }
                let at = self.first_used.get(&token)?;
                (time - at <= secs * 1000).then_some(token + 1)
            }
            By::Unknown(secs) => {
                let at = *self.first_used.entry(token).or_insert(time);
                (time - at <= secs * 1000).then_some(token + 1)
            }
            By::Previous => {
                if token != self.current && Some(token) != self.previous {
                    return None;
                }
                self.made += 1;
                self.previous = Some(token);
                self.current = self.made;
                Some(self.current)
            }
            By::OneBehind(_) | By::FirstUse if behind == Some(0) => step(self),
            By::OneBehind(secs) => {
                let soon = time - self.last < secs * 1000;
                if behind != Some(1) && !soon {
                    return None;
                }
                self.last = time;
                Some(self.current)
            }
            By::FirstUse => (behind == Some(1) && !self.confirmed).then_some(self.current),
            By::Strict => None,
        }
    }
}

impl Session for Field {
    fn first(&self) -> Tokens {
        Tokens { refresh: 0, access: access_at(0, 0) }
    }

    fn refresh(&mut self, time: Time, token: u32, _: Carried) -> Refreshed {
        let next = if self.ended { None } else { self.next(time, token) };
        match next {
            Some(refresh) => Refreshed::Given(Tokens { refresh, access: access_at(time, refresh) }),
            None => {
                // Rules that do not notice a second holder let the others go on.
                self.ended |= !matches!(self.by, By::Unknown(_) | By::Previous);
                Refreshed::Ended
            }
        }
    }

    fn used(&mut self, _: Time, _: usize, access: Access) {
        self.confirmed |= access.generation == self.current;
    }
}

/// A true time as clients and isolates see it, in seconds.
pub(crate) fn secs_at(time: Time) -> UnixTime {
    UnixTime::from_secs((START + time / 1000).try_into().expect("a date"))
}
