//! The ratios that have a target, as bars, in an SVG that reads in dark and in light and says in words
//! what it shows.

use std::fmt::Write as _;

use super::results::{Comparison, Kind, Results, Target};

const WIDTH: f64 = 860.0;
const LABELS: f64 = 400.0;
/// Beside the longest bar: the ratio and the verdict.
const VERDICTS: f64 = 130.0;
const LINE: f64 = 24.0;
const BAR: f64 = 12.0;
const HEADING: f64 = 44.0;
const MARGIN: f64 = 16.0;
/// What an axis shows at least, on either side of 1.
const LEAST: f64 = 1.5;

/// How `benches/` calls edgegate.
const CALLS: [&str; 3] = ["verifySync", "await verify", "keys.verify"];

const STYLE: &str = "
  text { font: 12px system-ui, sans-serif; fill: #1f2328 }
  .heading { font-weight: 600; font-size: 14px }
  .axis { stroke: #818b98; stroke-width: 1 }
  .target { stroke: #1f2328; stroke-width: 2 }
  .met { fill: #1a7f37 }
  .missed { fill: #bc4c00 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc }
    .axis { stroke: #9198a1 }
    .target { stroke: #f0f6fc }
    .met { fill: #3fb950 }
    .missed { fill: #f0883e }
  }
";

/// Two panels, for ratios that should be great and for those that should be small. A bar begins at 1, on a
/// logarithmic axis: half is as far from it as double.
pub(super) fn svg(results: &Results) -> String {
    let wanted = |more: bool| -> Vec<(&str, &Comparison)> {
        let lines = results.rows.iter().flat_map(|row| {
            row.comparisons.iter().map(|comparison| (row.about.as_str(), comparison))
        });
        lines.filter(|(_, one)| one.target.is_some() && one.kind.more_is_better() == more).collect()
    };
    let panels = [
        ("Times as fast as the peer: more is better", wanted(true)),
        ("Part of the peer's time or of the size wanted: less is better", wanted(false)),
    ];
    let (mut body, mut description, mut top) = (String::new(), String::new(), MARGIN);
    for (heading, lines) in panels.iter().filter(|(_, lines)| !lines.is_empty()) {
        panel(&mut body, heading, lines, &mut top);
        let _ = write!(description, "{heading}. ");
        for (about, one) in lines {
            let _ = write!(description, "{}: {}. ", label(about, one), outcome(one));
        }
    }
    let height = top + MARGIN;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         aria-labelledby=\"title description\">\n\
         <title id=\"title\">edgegate beside its peers</title>\n\
         <desc id=\"description\">{}</desc>\n<style>{STYLE}</style>\n{body}</svg>\n",
        escape(description.trim_end()),
    )
}

fn panel(body: &mut String, heading: &str, lines: &[(&str, &Comparison)], top: &mut f64) {
    let values = || {
        lines.iter().flat_map(|(_, one)| [Some(one.ratio), one.target.map(Target::value)]).flatten()
    };
    let axis =
        Axis { low: values().fold(1.0 / LEAST, f64::min), high: values().fold(LEAST, f64::max) };
    let _ = writeln!(
        body,
        "<text class=\"heading\" x=\"{MARGIN}\" y=\"{:.1}\">{}</text>",
        *top + 18.0,
        escape(heading)
    );
    *top += HEADING;
    let begin = *top;
    for (about, one) in lines {
        let middle = *top + LINE / 2.0;
        let (from, to) = (axis.at(one.ratio.min(1.0)), axis.at(one.ratio.max(1.0)));
        let class = if one.is_met() == Some(true) { "met" } else { "missed" };
        let _ = writeln!(
            body,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LABELS - 10.0,
            middle + 4.0,
            escape(&label(about, one)),
        );
        let _ = writeln!(
            body,
            "<rect class=\"{class}\" x=\"{from:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{BAR}\"/>",
            middle - BAR / 2.0,
            (to - from).max(1.0),
        );
        if let Some(target) = one.target {
            let at = axis.at(target.value());
            let _ = writeln!(
                body,
                "<line class=\"target\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{:.1}\" y2=\"{:.1}\"/>",
                middle - LINE / 2.0 + 2.0,
                middle + LINE / 2.0 - 2.0,
            );
        }
        let _ = writeln!(
            body,
            "<text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            WIDTH - VERDICTS + 8.0,
            middle + 4.0,
            escape(&format!("{:.2}× {}", one.ratio, one.verdict())),
        );
        *top += LINE;
    }
    let one = axis.at(1.0);
    let _ = writeln!(
        body,
        "<line class=\"axis\" x1=\"{one:.1}\" x2=\"{one:.1}\" y1=\"{begin:.1}\" y2=\"{:.1}\"/>\n\
         <text x=\"{one:.1}\" y=\"{:.1}\" text-anchor=\"middle\">1×</text>",
        *top,
        begin - 6.0,
    );
    *top += MARGIN;
}

/// Ratios between the labels and the verdicts.
struct Axis {
    low: f64,
    high: f64,
}

impl Axis {
    fn at(&self, ratio: f64) -> f64 {
        let part = (ratio / self.low).ln() / (self.high / self.low).ln();
        LABELS + part * (WIDTH - VERDICTS - LABELS)
    }
}

/// Where the subject only says how edgegate was called, the row says more.
fn label(about: &str, one: &Comparison) -> String {
    let subject = if CALLS.contains(&one.subject.as_str()) { about } else { &one.subject };
    match one.kind {
        Kind::Size => subject.to_owned(),
        Kind::Speed | Kind::Throughput | Kind::Time => format!("{subject}, beside {}", one.peer),
    }
}

/// `12.50×, wanted ≥ 12×, met`.
fn outcome(one: &Comparison) -> String {
    format!("{:.2}×, wanted {}, {}", one.ratio, one.target_text(), one.verdict())
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::results::tests::EXAMPLE;

    #[test]
    fn what_is_drawn_is_also_said() {
        let chart = svg(&Results::read(EXAMPLE).unwrap());
        let description = "Times as fast as the peer: more is better. HS256, beside jose: 12.50×, wanted ≥ 12×, met. \
             Part of the peer's time or of the size wanted: less is better. script: 2.00×, wanted ≤ 1×, not met.";
        assert!(
            chart.contains(&format!("<desc id=\"description\">{description}</desc>")),
            "{chart}"
        );
        // Without a target there is no bar.
        assert_eq!(chart.matches("<rect ").count(), 2);
        assert!(!chart.contains("hono"));
    }

    #[test]
    fn the_axis_is_logarithmic() {
        let axis = Axis { low: 0.5, high: 2.0 };
        let (low, middle, high) = (axis.at(0.5), axis.at(1.0), axis.at(2.0));
        assert!((low - LABELS).abs() < 0.01);
        assert!((high - (WIDTH - VERDICTS)).abs() < 0.01);
        assert!((middle - low - (high - middle)).abs() < 0.01);
    }

    #[test]
    fn names_cannot_break_out_of_the_text() {
        assert_eq!(escape(r#"a "b" <c> & d"#), "a &quot;b&quot; &lt;c&gt; &amp; d");
    }
}
