//! Messages while working. They go to stderr; only results go to stdout.

use std::env;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// On a terminal the line under way is redrawn this often.
const REDRAW: Duration = Duration::from_millis(200);
/// Elsewhere (CI logs) a step that takes long says so this often.
const REMIND: Duration = Duration::from_secs(30);
/// A redrawn line must not wrap, or redrawing it leaves the rest behind.
const LINE_CHARS: usize = 96;

const BOLD: &str = "1";
const DIM: &str = "2";
const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";

/// A step begins.
pub(crate) fn step(text: &str) {
    say(&format!("{} {text}", paint(BOLD, ">")));
}

/// Something ended well.
pub(crate) fn done(text: &str) {
    say(&format!("{} {text}", paint(GREEN, "ok")));
}

/// A warning: the work goes on.
pub(crate) fn warning(text: &str) {
    say(&format!("{} {text}", paint(YELLOW, "warning:")));
}

pub(crate) fn error(text: &str) {
    say(&format!("{} {text}", paint(RED, "error:")));
}

/// A heading between parts with output of their own.
pub(crate) fn heading(text: &str) {
    say(&format!("\n{}", paint(BOLD, &format!("== {text}"))));
}

/// One line of the closing summary.
pub(crate) fn result(word: &str, text: &str) {
    let colour = match word {
        "passed" => GREEN,
        "failed" => RED,
        _ => YELLOW,
    };
    say(&format!("{} {text}", paint(colour, &format!("{word:<8}"))));
}

/// Prints a result to stdout. It is no error if the reader has gone away (`| head`).
pub(crate) fn output(text: &str) {
    let _ = writeln!(io::stdout(), "{text}");
}

/// `1.2 s` or `3 min 04 s`.
pub(crate) fn duration(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    match seconds.checked_div(60) {
        Some(minutes) if minutes > 0 => format!("{minutes} min {:02} s", seconds.wrapping_rem(60)),
        _ => format!("{:.1} s", elapsed.as_secs_f64()),
    }
}

/// The line of a step under way: how long it has taken and what its program said last.
#[derive(Debug)]
pub(crate) struct Progress {
    started: Instant,
    drawn: Instant,
    terminal: bool,
}

impl Progress {
    pub(crate) fn start() -> Self {
        let now = Instant::now();
        Self { started: now, drawn: now, terminal: io::stderr().is_terminal() }
    }

    pub(crate) fn update(&mut self, last_line: &str) {
        let every = if self.terminal { REDRAW } else { REMIND };
        if self.drawn.elapsed() < every {
            return;
        }
        self.drawn = Instant::now();
        let text = format!("  {:>4} s  {}", self.started.elapsed().as_secs(), last_line.trim());
        let text: String = text.chars().filter(|c| !c.is_control()).take(LINE_CHARS).collect();
        if self.terminal {
            let _ = write!(io::stderr(), "\r\x1b[2K{}", paint(DIM, &text));
        } else {
            say(&text);
        }
    }

    /// Takes the line away and says how long the step took.
    pub(crate) fn finish(self) -> Duration {
        if self.terminal {
            let _ = write!(io::stderr(), "\r\x1b[2K");
        }
        self.started.elapsed()
    }
}

fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

fn paint(code: &str, text: &str) -> String {
    if io::stderr().is_terminal() && env::var_os("NO_COLOR").is_none() {
        format!("\x1b[{code}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_readable() {
        assert_eq!(duration(Duration::from_millis(1_240)), "1.2 s");
        assert_eq!(duration(Duration::from_secs(184)), "3 min 04 s");
    }
}
