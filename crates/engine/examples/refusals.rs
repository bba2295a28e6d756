//! Prints `pkg/cli/refusals.js`: what callers are told of each code, for the page that `edgegate docs` writes for them.
//!
//! `cargo xtask package` writes the file; the test below fails if it is stale.

#![allow(clippy::print_stdout, reason = "it is what this is for")]

use edgegate::error::Code;
use edgegate::http::reply;
use serde_json::json;

fn main() {
    print!("{}", text());
}

/// The whole file.
fn text() -> String {
    let mut file = String::from(
        "// Made from the Rust library by `cargo xtask package` (crates/engine/examples/refusals.rs). Not edited by hand.\n\n\
         // What a caller is told of each code.\nexport const REFUSALS = {\n",
    );
    for code in Code::ALL {
        let reply::Wire { status, title, hint } = reply::wire(code);
        let told = json!({"status": status, "title": title, "hint": hint});
        file.push_str(&format!("  {}: {told},\n", code.as_str()));
    }
    file.push_str("};\n");
    file
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_file_in_the_package_is_fresh() {
        let written = include_str!("../../../pkg/cli/refusals.js");
        assert!(super::text() == written, "pkg/cli/refusals.js is stale: cargo xtask package");
    }
}
