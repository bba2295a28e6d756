//! The versions of everything that is installed. npm packages are pinned in `package.json`.

use std::fmt;

/// Must equal the `wasm-bindgen` crate of the root `Cargo.toml`: the command-line tool refuses
/// the output of any other version.
pub(crate) const WASM_BINDGEN: &str = "0.2.129";
pub(crate) const WASM_PACK: &str = "0.15.1";
pub(crate) const CARGO_DENY: &str = "0.20.2";
pub(crate) const CARGO_FUZZ: &str = "0.13.2";
pub(crate) const CARGO_SEMVER_CHECKS: &str = "0.51.0";

/// The oldest Node of a machine whose npm installs the npm packages.
pub(crate) const INSTALLING_NODE: Version = Version { major: 20, minor: 0, patch: 0 };
/// The oldest Node that wrangler, Miniflare and the tests run under. Linux has a newer one among the npm packages.
pub(crate) const RUNNING_NODE: Version = Version { major: 22, minor: 12, patch: 0 };

/// A version as programs print it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version {
    pub(crate) major: u32,
    pub(crate) minor: u32,
    pub(crate) patch: u32,
}

impl Version {
    /// The first version found in the text: `v20.20.2`, `rustc 1.95.0 (5980…)`, `nginx/1.22`.
    /// A missing third number is 0.
    pub(crate) fn find(text: &str) -> Option<Self> {
        text.split(|c: char| !(c.is_ascii_digit() || c == '.')).find_map(Self::parse)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split('.');
        let major = numbers.next()?.parse().ok()?;
        let minor = numbers.next()?.parse().ok()?;
        let patch = numbers.next().map_or(Some(0), |number| number.parse().ok())?;
        Some(Self { major, minor, patch })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn finds(text: &str, expected: &str) {
        assert_eq!(Version::find(text).map(|v| v.to_string()).as_deref(), Some(expected));
    }

    #[test]
    fn finds_the_version_in_what_programs_print() {
        finds("v20.20.2\n", "20.20.2");
        finds("rustc 1.96.0 (ac68faa20 2026-05-25)", "1.96.0");
        finds("nginx version: nginx/1.22", "1.22.0");
        finds("1.96.0+dfsg1-1~deb12u2", "1.96.0");
        assert_eq!(Version::find("no version 7"), None);
    }

    #[test]
    fn compares_numbers_and_not_text() {
        assert!(Version::find("1.100.0") > Version::find("1.99.9"));
    }

    #[test]
    fn package_json_asks_for_the_same_node() {
        let manifest =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../package.json"))
                .unwrap();
        let Version { major, minor, .. } = RUNNING_NODE;
        let engines = format!("\"engines\": {{ \"node\": \">={major}.{minor}\" }}");
        assert!(manifest.contains(&engines), "package.json: expected `{engines}`");
    }

    /// The pins here and in the root manifest are one decision in two files.
    #[test]
    fn tools_match_the_crates_they_belong_to() {
        let manifest =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml")).unwrap();
        let pin = format!("\nwasm-bindgen = \"={WASM_BINDGEN}\"\n");
        assert!(manifest.contains(&pin), "Cargo.toml: expected `{pin}`");
    }
}
