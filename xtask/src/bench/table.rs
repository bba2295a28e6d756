//! The results in a terminal.

use super::results::Results;

/// Each row with its lines, and how many targets are met.
pub(super) fn text(results: &Results) -> String {
    let (mut text, mut met, mut wanted) = (String::new(), 0_usize, 0_usize);
    let subjects = || results.rows.iter().flat_map(|row| &row.comparisons);
    let width = |of: fn(&super::results::Comparison) -> String| {
        subjects().map(|comparison| of(comparison).chars().count()).max().unwrap_or_default()
    };
    let subject_width = width(|comparison| comparison.subject.clone());
    let peer_width = width(|comparison| comparison.peer.clone());
    let ratio_width = width(super::results::Comparison::ratio_text);
    let values_width = width(super::results::Comparison::values_text);
    for row in &results.rows {
        text.push_str(&format!("{} [{}]\n", row.about, row.id));
        for comparison in &row.comparisons {
            if let Some(is_met) = comparison.is_met() {
                wanted = wanted.saturating_add(1);
                met = met.saturating_add(usize::from(is_met));
            }
            let line = format!(
                "  {:<subject_width$}  {:<peer_width$}  {:<ratio_width$}  {:<values_width$}  {:<8} {}",
                comparison.subject,
                comparison.peer,
                comparison.ratio_text(),
                comparison.values_text(),
                comparison.target_text(),
                comparison.verdict(),
            );
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
    text.push_str(&format!("{met} of {wanted} targets met"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::results::tests::EXAMPLE;

    #[test]
    fn says_of_each_target_whether_it_is_met() {
        let results = Results::read(EXAMPLE).unwrap();
        let expected = "\
HS256 [hs256]
  verifySync  jose        12.50× (12.00–13.25)  4.00 : 50.0 µs           ≥ 12×    met
  verifySync  hono        9.00× (8.00–10.00)    4.00 : 36.0 µs
Sizes [size]
  script      its target  2.00×                 400,000 : 200,000 bytes  ≤ 1×     not met
1 of 2 targets met";
        assert_eq!(text(&results), expected);
    }
}
