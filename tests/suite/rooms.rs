//! The library's rooms stand in an order, and each uses only those before it: no circles, and no rule that knows an edge.
//!
//! ARCHITECTURE.md says what belongs in each room.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// From the ground up. Rooms of one line do not use each other.
const ORDER: &[&[&str]] = &[
    &["time"],
    &["error"],
    &[
        "base64url",
        "bounded",
        "cache_control",
        "client_address",
        "byte_search",
        "cold_path",
        "header_text",
        "secret",
        "sorted",
    ],
    &["json", "known_digests"],
    &["jose", "limit"],
    &["api_key"],
    &["revocation"],
    &["session"],
    &["login", "watch"],
    &["account"],
    &["page", "grant"],
    &["policy"],
    &["store"],
    &["guard"],
    &["http"],
];

/// The library is declared here, and declares the rooms.
const ROOT: &str = "lib";

#[test]
fn each_room_uses_only_those_before_it() {
    let mut faults = Vec::new();
    for file in rust_files(Path::new("src")) {
        let room = room_of(&file);
        if room == ROOT {
            continue;
        }
        let own = level(&room).unwrap_or_else(|| panic!("{}: not a room of ORDER", file.display()));
        for (line, used) in uses(&fs::read_to_string(&file).unwrap()) {
            if used != room && level(&used).is_none_or(|other| other >= own) {
                faults.push(format!("{}:{line}: {room} uses {used}", file.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_test_sees_what_a_file_uses() {
    let text = "use crate::{error::Error, json};\n// crate::guard\nfn f() { crate::time::now() }\n\
                pub use crate::{\n    jose::{jws, keys::{Key}},\n    secret,\n};\n#[cfg(test)]\nmod tests { use crate::http; }";
    let used: Vec<String> = uses(text).into_iter().map(|(_, used)| used).collect();
    assert_eq!(used, ["error", "json", "time", "jose", "secret"]);
}

/// A map that names what is gone leads astray.
#[test]
fn what_the_map_names_is_there() {
    let map = fs::read_to_string("ARCHITECTURE.md").unwrap();
    let quoted = map.split('`').skip(1).step_by(2);
    let roots = ["src/", "crates/", "tests/", "pkg/", "xtask/", "examples/"];
    let paths = quoted.filter(|text| roots.iter().any(|root| text.starts_with(root)));
    let gone: Vec<&str> = paths.filter(|path| !Path::new(path).exists()).collect();
    assert!(gone.is_empty(), "ARCHITECTURE.md: {gone:?}");
}

fn level(room: &str) -> Option<usize> {
    ORDER.iter().position(|rooms| rooms.contains(&room))
}

/// `src/jose/keys/jwk.rs` is in `jose`, `src/jose.rs` too.
fn room_of(file: &Path) -> String {
    let below = file.strip_prefix("src").unwrap().components().next().unwrap();
    below.as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The rooms that a file names behind `crate::`, with their lines. Comments and the tests at the end do not count: tests may
/// look anywhere.
fn uses(text: &str) -> Vec<(usize, String)> {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    let code: Vec<&str> =
        code.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    let mut found = Vec::new();
    for (at, line) in code.iter().enumerate() {
        for (place, _) in line.match_indices("crate::") {
            // `$crate::…` of a macro counts as well.
            let rest = [&line[place + "crate::".len()..], &code[at + 1..].join("\n")].join("\n");
            let names = match rest.strip_prefix('{') {
                Some(list) => first_names(list),
                None => vec![name_at(&rest)],
            };
            found.extend(names.into_iter().map(|name| (at + 1, name)));
        }
    }
    found
}

/// The first name of each member of a list in braces.
fn first_names(list: &str) -> Vec<String> {
    let mut depth = 0_usize;
    let mut names = Vec::new();
    let mut member = String::new();
    for char in list.chars() {
        match char {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(name_at(&std::mem::take(&mut member))),
            _ if depth == 0 => member.push(char),
            _ => {}
        }
    }
    names.push(name_at(&member));
    names.retain(|name| !name.is_empty());
    names
}

fn name_at(text: &str) -> String {
    text.trim_start().chars().take_while(|char| char.is_alphanumeric() || *char == '_').collect()
}
