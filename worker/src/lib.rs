//! The Worker: all it exports is in `edgegate::worker`.
#![cfg(target_arch = "wasm32")]

use edgegate as _;
