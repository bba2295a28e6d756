//! Equal questions to something that is shared and slow: few of one isolate are under way at once, and others take
//! their answers.
//!
//! One request cannot wait for what another has begun (Workers forbid it), so it looks again after a pause. An answer
//! counts only for requests that came before its question was asked: what changed in between, and was acknowledged,
//! is in the answer then.

use core::hash::Hash;

use crate::bounded::BoundedMap;
use crate::time::UnixMillis;

/// Equal questions under way at once. Callers with a handful of requests at once wait for nobody.
const AT_ONCE: usize = 4;
/// After this a question counts as lost: the isolate may have dropped it with its request. Well below what a request
/// waits ([`WAIT_MILLIS`]), which then asks for itself.
const LOST_MILLIS: u64 = 1_500;
/// How long a request waits for the answers of others.
pub const WAIT_MILLIS: u64 = 2_000;
/// Different questions that are known at once. Their answers are kept for seconds, and only where somebody waits.
const MAX_QUESTIONS: usize = 1_000;

/// The questions of one isolate, each with what it is about.
#[derive(Debug)]
pub struct Questions<K, A> {
    open: BoundedMap<K, Open<A>>,
    /// Counts arrivals and questions: what has the larger number was later.
    last: u64,
}

#[derive(Debug)]
struct Open<A> {
    under_way: Vec<(u64, UnixMillis)>,
    /// Somebody waits, so that the next answer is kept.
    awaited: bool,
    answer: Option<(u64, A)>,
}

/// What a request does next.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn<A> {
    /// Ask; the answer goes to [`Questions::answered`] with this number.
    Ask(u64),
    /// Look again after a pause.
    Wait,
    /// Take this answer.
    Take(A),
}

impl<K: Hash + Eq + Clone, A: Clone> Default for Questions<K, A> {
    fn default() -> Self {
        Self { open: BoundedMap::new(MAX_QUESTIONS), last: 0 }
    }
}

impl<K: Hash + Eq + Clone, A: Clone> Questions<K, A> {
    /// A request comes: the number that it gives to [`Questions::turn`].
    pub const fn came(&mut self) -> u64 {
        self.last = self.last.saturating_add(1);
        self.last
    }

    /// What the request that came as number `came` does about its question.
    pub fn turn(&mut self, question: &K, came: u64, now: UnixMillis) -> Turn<A> {
        let until = now.saturating_add(LOST_MILLIS);
        let next = self.last.saturating_add(1);
        let Some(open) = self.open.get_mut(question, now) else {
            let open = Open { under_way: vec![(next, until)], awaited: false, answer: None };
            self.open.insert(question.clone(), open, until, now);
            return Turn::Ask(self.came());
        };
        if let Some((asked, answer)) = &open.answer
            && *asked > came
        {
            return Turn::Take(answer.clone());
        }
        open.under_way.retain(|(_, lost_at)| now < *lost_at);
        if open.under_way.len() >= AT_ONCE {
            open.awaited = true;
            return Turn::Wait;
        }
        open.under_way.push((next, until));
        self.open.prolong(question, until);
        Turn::Ask(self.came())
    }

    /// The newest answer that is known. It may be from before the request came: good for nothing but to tell one that
    /// waited in vain whether who is asked answers at all.
    pub fn newest(&self, question: &K, now: UnixMillis) -> Option<&A> {
        let open = self.open.get(question, now)?;
        open.answer.as_ref().map(|(_, answer)| answer)
    }

    /// The answer to the question with this number.
    pub fn answered(&mut self, question: &K, asked: u64, answer: A, now: UnixMillis) {
        let Some(open) = self.open.get_mut(question, now) else { return };
        open.under_way.retain(|(number, _)| *number != asked);
        let newer = open.answer.as_ref().is_none_or(|(known, _)| *known < asked);
        if open.awaited && newer {
            open.answer = Some((asked, answer));
        } else if open.under_way.is_empty() && !open.awaited {
            self.open.remove(question);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis::from_millis(1_700_000_000_000);

    /// What `count` requests that come at once are told.
    fn ask(questions: &mut Questions<&str, u8>, count: usize) -> Vec<(u64, Turn<u8>)> {
        let came: Vec<u64> = (0..count).map(|_| questions.came()).collect();
        came.into_iter().map(|came| (came, questions.turn(&"q", came, NOW))).collect()
    }

    #[test]
    fn of_many_equal_questions_few_are_asked() {
        let mut questions = Questions::default();
        let turns = ask(&mut questions, 200);
        let asked = turns.iter().filter_map(|(_, turn)| match turn {
            Turn::Ask(number) => Some(*number),
            _ => None,
        });
        let asked: Vec<u64> = asked.collect();
        assert_eq!(asked.len(), 4);
        assert!(turns.iter().skip(4).all(|(_, turn)| *turn == Turn::Wait));
        assert!(matches!(questions.turn(&"another", 200, NOW), Turn::Ask(_)));
        for number in asked {
            questions.answered(&"q", number, 1, NOW);
        }
        // Those who wait came before these questions, so all of them take the answers.
        let waiting = turns.iter().filter(|(_, turn)| *turn == Turn::Wait);
        for (came, _) in waiting {
            assert_eq!(questions.turn(&"q", *came, NOW), Turn::Take(1));
        }
    }

    #[test]
    fn an_answer_counts_for_no_one_who_came_after_the_question() {
        let mut questions = Questions::default();
        let numbers: Vec<u64> = ask(&mut questions, 4)
            .into_iter()
            .map(|(_, turn)| match turn {
                Turn::Ask(number) => number,
                other => panic!("{other:?}"),
            })
            .collect();
        let late = questions.came();
        assert_eq!(questions.turn(&"q", late, NOW), Turn::Wait);
        questions.answered(&"q", numbers[0], 1, NOW);
        let Turn::Ask(number) = questions.turn(&"q", late, NOW) else { panic!("expected to ask") };
        questions.answered(&"q", number, 2, NOW);
        // An answer to an earlier question replaces nothing, however late it comes.
        questions.answered(&"q", numbers[1], 1, NOW);
        assert_eq!(questions.turn(&"q", late, NOW), Turn::Take(2));
    }

    #[test]
    fn a_question_whose_request_is_gone_stops_nobody() {
        let mut questions = Questions::<_, u8>::default();
        let came = ask(&mut questions, 5)[4].0;
        let later = NOW.saturating_add(LOST_MILLIS - 1);
        assert_eq!(questions.turn(&"q", came, later), Turn::Wait);
        let later = NOW.saturating_add(LOST_MILLIS);
        assert!(matches!(questions.turn(&"q", came, later), Turn::Ask(_)));
    }

    #[test]
    fn who_waits_outlasts_a_question_that_is_lost() {
        let mut questions = Questions::<_, u8>::default();
        ask(&mut questions, 4);
        let came = questions.came();
        let mut looks = (0..WAIT_MILLIS).step_by(20).map(|after| NOW.saturating_add(after));
        assert!(looks.any(|now| matches!(questions.turn(&"q", came, now), Turn::Ask(_))));
    }

    #[test]
    fn who_waits_in_vain_learns_the_newest_answer_to_others() {
        let mut questions = Questions::default();
        let turns = ask(&mut questions, 5);
        let late = questions.came();
        assert_eq!(questions.newest(&"q", NOW), None);
        let (_, Turn::Ask(number)) = turns[0] else { panic!("expected to ask") };
        questions.answered(&"q", number, 1, NOW);
        assert_eq!(questions.newest(&"q", NOW), Some(&1));
        assert_ne!(questions.turn(&"q", late, NOW), Turn::Take(1));
    }

    #[test]
    fn what_nobody_waits_for_is_not_kept() {
        let mut questions = Questions::default();
        let [(came, Turn::Ask(number))] = ask(&mut questions, 1)[..] else { panic!("one") };
        questions.answered(&"q", number, 1, NOW);
        assert!(questions.open.is_empty());
        assert!(matches!(questions.turn(&"q", came, NOW), Turn::Ask(_)));
    }
}
