//! The one clock of the Worker. On Workers it stands still while code runs, and moves with I/O.

use worker::js_sys::Date;

use edgegate::time::UnixMillis;

/// The time of the runtime.
pub(super) fn now() -> UnixMillis {
    let millis = Date::now();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "saturates at both ends; a clock before 1970 counts as 1970"
    )]
    UnixMillis::from_millis(millis as u64)
}
