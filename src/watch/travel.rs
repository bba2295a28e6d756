//! Finds people who were at two places between which nobody travels that fast.
//!
//! Places are whole degrees, about a hundred kilometres. What counts is a place that is new for somebody: far from all where they were
//! before, at another network operator, and farther than they can have come since. Whoever turns a tunnel on and off is found
//! once, and not each time. How often that is wrong is measured over models of traffic: docs/watch.md.

use std::collections::HashMap;

use serde::Serialize;

use super::fingerprint::fingerprint;
use crate::{json::object::object, time::UnixMillis};

/// Nearer than this is no travel: tables of addresses are wrong by as much.
const FAR_KM: u64 = 1_000;

/// How many people are known. Each takes about 200 bytes.
const MAX_PEOPLE: usize = 20_000;

/// How many places of one are known.
const MAX_PLACES: usize = 4;

/// Who was not seen for this time is forgotten.
const FORGET_MILLIS: u64 = 86_400_000;

object! {
    /// A place on the earth, in whole degrees.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
    pub struct Point, ignored {
        /// North of the equator, from -90 to 90.
        pub latitude: i64,
        /// East of Greenwich, from -180 to 180.
        pub longitude: i64,
    }
}

object! {
    /// Somebody at a place.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
    pub struct Located, ignored {
        /// The pseudonym of the subject, or of the credential if it has none.
        pub who: String,
        /// Where.
        pub point: Point,
    }
}

impl Point {
    /// Of the texts that the platform has, such as `52.5` and `-13.4`.
    #[must_use]
    pub fn read(latitude: &str, longitude: &str) -> Option<Self> {
        let degrees = |text: &str, most: u64| {
            let whole = text.split('.').next()?.parse::<i64>().ok()?;
            (whole.unsigned_abs() <= most).then_some(whole)
        };
        Some(Self { latitude: degrees(latitude, 90)?, longitude: degrees(longitude, 180)? })
    }

    /// How far it is, straight through the earth: at most what one has to travel.
    fn km_to(self, other: Self) -> u64 {
        const RADIUS_KM: u64 = 6_371;
        let ways = self.on_sphere().into_iter().zip(other.on_sphere());
        let squares = ways.map(|(a, b)| a.abs_diff(b).saturating_pow(2));
        let chord = squares.fold(0, u64::saturating_add).isqrt();
        chord.saturating_mul(RADIUS_KM).checked_div(ONE.unsigned_abs()).unwrap_or_default()
    }

    fn on_sphere(self) -> [i64; 3] {
        let product = |a: i64, b: i64| a.saturating_mul(b).checked_div(ONE).unwrap_or_default();
        let (north, around) = (sine(self.latitude), cosine(self.latitude));
        [product(around, cosine(self.longitude)), product(around, sine(self.longitude)), north]
    }
}

/// What stands for 1.
const ONE: i64 = 10_000;

/// The sine of whole degrees from -180 to 180, as Bhaskara has it (7th century): wrong by 0.2 % at most, which are 11 km. It takes neither
/// a table nor a library.
fn sine(degrees: i64) -> i64 {
    let turned = degrees.saturating_abs();
    let product = turned.saturating_mul(180_i64.saturating_sub(turned));
    let part = product.saturating_mul(ONE.saturating_mul(4));
    let sine = part.checked_div(40_500_i64.saturating_sub(product)).unwrap_or_default();
    sine.saturating_mul(degrees.signum())
}

fn cosine(degrees: i64) -> i64 {
    sine(90_i64.saturating_sub(degrees.saturating_abs()))
}

#[derive(Debug)]
struct Been {
    point: Point,
    operator: u64,
    at: UnixMillis,
}

/// What is known of people. It is in memory only.
#[derive(Debug, Default)]
pub struct Travel {
    people: HashMap<String, Vec<Been>>,
}

impl Travel {
    /// Takes note of somebody at a place of an operator. Whether nobody can have come there at so many kilometres an hour.
    pub fn sight(
        &mut self,
        located: &Located,
        operator: &str,
        at: UnixMillis,
        above_kmh: u64,
    ) -> bool {
        self.make_room(at);
        let (point, operator) = (located.point, fingerprint(operator));
        let been = self.people.entry(located.who.clone()).or_default();
        if let Some(known) = been.iter_mut().find(|known| known.point.km_to(point) <= FAR_KM) {
            *known = Been { point, operator, at: at.max(known.at) };
            return false;
        }
        let is_too_fast = been.iter().max_by_key(|known| known.at).is_some_and(|last| {
            let millis = at.millis_since(last.at).max(last.at.millis_since(at));
            let km = last.point.km_to(point);
            last.operator != operator
                && km.saturating_mul(3_600_000) > above_kmh.saturating_mul(millis)
        });
        if been.len() >= MAX_PLACES {
            let oldest = been.iter().enumerate().min_by_key(|(_, known)| known.at);
            if let Some((index, _)) = oldest {
                been.remove(index);
            }
        }
        been.push(Been { point, operator, at });
        is_too_fast
    }

    fn make_room(&mut self, now: UnixMillis) {
        if self.people.len() < MAX_PEOPLE {
            return;
        }
        let is_recent = |known: &Been| now.millis_since(known.at) < FORGET_MILLIS;
        self.people.retain(|_, been| been.iter().any(is_recent));
        if self.people.len() >= MAX_PEOPLE {
            self.people.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BERLIN: Point = Point { latitude: 52, longitude: 13 };
    const MADRID: Point = Point { latitude: 40, longitude: -3 };
    const SINGAPORE: Point = Point { latitude: 1, longitude: 103 };
    const SYDNEY: Point = Point { latitude: -33, longitude: 151 };

    fn at(minutes: u64) -> UnixMillis {
        UnixMillis::from_millis(1_700_000_000_000 + minutes * 60_000)
    }

    fn found(way: &[(u64, Point, &str)]) -> Vec<u64> {
        let mut travel = Travel::default();
        let sight = |(minutes, point, operator): &&(u64, Point, &str)| {
            let located = Located { who: "s1".into(), point: *point };
            travel.sight(&located, operator, at(*minutes), 805)
        };
        way.iter().filter(sight).map(|(minutes, ..)| *minutes).collect()
    }

    #[test]
    fn a_distance_is_the_one_through_the_earth() {
        // By the haversine formula, along the surface.
        for (a, b, along) in
            [(BERLIN, MADRID, 1_811.0), (BERLIN, SINGAPORE, 9_920.0), (BERLIN, SYDNEY, 16_054.0)]
        {
            let chord = 2.0 * 6_371.0 * f64::sin(along / 2.0 / 6_371.0);
            let km = f64::from(u32::try_from(a.km_to(b)).unwrap());
            assert!((km - chord).abs() < 60.0, "{km} {chord}");
            assert_eq!(a.km_to(b), b.km_to(a));
        }
        assert_eq!(BERLIN.km_to(BERLIN), 0);
        let (pole, other) =
            (Point { latitude: 90, longitude: 7 }, Point { latitude: -90, longitude: 0 });
        assert_eq!(pole.km_to(other), 12_742);
        let dateline = |longitude| Point { latitude: 0, longitude };
        assert_eq!(dateline(180).km_to(dateline(-180)), 0);
    }

    #[test]
    fn a_place_is_read_in_whole_degrees() {
        assert_eq!(
            Point::read("52.52000", "-13.40500"),
            Some(Point { latitude: 52, longitude: -13 })
        );
        for (latitude, longitude) in
            [("91", "0"), ("0", "181"), ("", "0"), ("x", "0"), ("1", "NaN")]
        {
            assert_eq!(Point::read(latitude, longitude), None, "{latitude} {longitude}");
        }
    }

    #[test]
    fn who_is_somewhere_else_too_soon_is_found_and_who_flies_is_not() {
        assert_eq!(found(&[(0, BERLIN, "AS1"), (30, SINGAPORE, "AS2")]), [30]);
        assert!(found(&[(0, BERLIN, "AS1"), (780, SINGAPORE, "AS2")]).is_empty());
        // One operator brings its callers to the net where it likes, and Madrid is found only at another.
        assert!(found(&[(0, BERLIN, "AS1"), (10, MADRID, "AS1")]).is_empty());
        assert_eq!(found(&[(0, BERLIN, "AS1"), (10, MADRID, "AS2")]), [10]);
    }

    #[test]
    fn a_tunnel_that_is_turned_on_and_off_is_found_once() {
        let turns: Vec<(u64, Point, &str)> = (0..20)
            .map(|at| if at % 2 == 0 { (at * 9, BERLIN, "AS1") } else { (at * 9, SYDNEY, "AS2") })
            .collect();
        assert_eq!(found(&turns), [9]);
        // An isolate may tell late of where somebody was before.
        assert!(found(&[(780, SINGAPORE, "AS2"), (0, BERLIN, "AS1")]).is_empty());
    }

    #[test]
    fn memory_has_an_end() {
        let mut travel = Travel::default();
        for number in 0..MAX_PEOPLE + 10 {
            let located = Located { who: format!("s{number}"), point: BERLIN };
            travel.sight(&located, "AS1", at(0), 805);
        }
        assert!(travel.people.len() <= MAX_PEOPLE);
        let way: Vec<(u64, Point, &str)> = (0..30_u16)
            .map(|at| {
                let point = Point { latitude: 0, longitude: i64::from(at) * 12 - 175 };
                (u64::from(at) * 2_000, point, "AS1")
            })
            .collect();
        found(&way);
    }
}
