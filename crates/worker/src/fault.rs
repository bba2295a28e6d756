//! Lines of the event log about faults that belong to no request.

use edgegate::guard::Event;

/// A warning: what was to be done is not done, or later.
pub(super) fn report(detail: &str) {
    warn(&Event::fault(detail));
}

/// A warning.
pub(super) fn warn(event: &Event<'_>) {
    worker::console_warn!("{}", event.line());
}
