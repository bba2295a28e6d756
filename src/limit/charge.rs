//! What counters are asked for.

use super::{CounterGroup, Limit};
use crate::time::UnixMillis;

/// What a request is charged: its cost, by each of these limits.
#[derive(Debug, Clone, Copy)]
pub struct Charge<'a> {
    /// Whose counters they are.
    pub group: &'a CounterGroup,
    /// Verdicts come in their order.
    pub limits: &'a [Limit],
    /// In requests, the same for each limit. 0 takes nothing.
    pub cost: u32,
    /// The time of the request.
    pub now: UnixMillis,
}

impl<'a> Charge<'a> {
    /// This cost by these limits, now.
    #[must_use]
    pub const fn new(
        group: &'a CounterGroup,
        limits: &'a [Limit],
        cost: u32,
        now: UnixMillis,
    ) -> Self {
        Self { group, limits, cost, now }
    }
}
