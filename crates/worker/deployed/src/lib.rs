//! The Worker: all it exports is in `edgegate_worker`.
#![cfg(target_arch = "wasm32")]

use edgegate_worker as _;
