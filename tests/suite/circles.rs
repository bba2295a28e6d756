//! No file needs one that needs it, in Rust or in JavaScript: each can be read with those below it, and nothing else.
//!
//! A module and those inside of it are one thing here: a parent declares its children, and children use what it holds.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Component, Path, PathBuf},
};

/// What each file uses.
type Uses = BTreeMap<PathBuf, BTreeSet<PathBuf>>;

/// The roots of crates.
const RUST: &[&str] =
    &["src", "crates/describe/src", "crates/engine/src", "crates/worker/src", "xtask/src"];

const JAVASCRIPT: &[&str] = &["pkg", "crates", "www", "benches", "templates", "xtask"];

/// What is made, or brought.
const NOT_OURS: &[&str] = &["node_modules", "wasm", "target", "build"];

#[test]
fn no_rust_file_needs_one_that_needs_it() {
    for root in RUST {
        let root = Path::new(root);
        let files = files(root, &["rs"]);
        assert!(!files.is_empty(), "{} is a crate no more", root.display());
        let uses = files.iter().map(|file| {
            let text = fs::read_to_string(file).unwrap();
            (file.clone(), used_by(root, file, &text))
        });
        assert_eq!(circle(&uses.collect()), None);
    }
}

#[test]
fn no_script_needs_one_that_needs_it() {
    let all = JAVASCRIPT.iter().flat_map(|root| files(Path::new(root), &["js", "mjs"]));
    let uses = all.map(|file| {
        let text = fs::read_to_string(&file).unwrap();
        let used = imported(&file, &text);
        (file, used)
    });
    assert_eq!(circle(&uses.collect()), None);
}

#[test]
fn the_test_sees_circles() {
    let file = |name: &str| PathBuf::from(name);
    let one = |from: &str, to: &str| (file(from), BTreeSet::from([file(to)]));
    let straight: Uses = [one("a", "b"), one("b", "c")].into();
    assert_eq!(circle(&straight), None);
    let round: Uses = [one("a", "b"), one("b", "c"), one("c", "b")].into();
    assert_eq!(circle(&round), Some(vec![file("b"), file("c"), file("b")]));
    let text = "use super::{keys::{self, jwk::Key}, time};\npub(crate) use crate::error::Error;\n\
                use std::fmt;\npub use self::inner::Thing;\n#[cfg(test)]\nmod tests {\n    use super::*;\n    use crate::guard::Guard;\n}";
    let paths: Vec<String> = use_paths(text).iter().map(|path| path.join("::")).collect();
    assert_eq!(
        paths,
        [
            "super::keys::self",
            "super::keys::jwk::Key",
            "super::time",
            "crate::error::Error",
            "std::fmt",
            "crate::guard::Guard"
        ]
    );
    let script = "import { a } from './a.js';\nexport * from \"../b.mjs\";\nconst c = await import('./c.js');\nimport 'node:fs';";
    assert_eq!(specifiers(script), ["./a.js", "../b.mjs", "./c.js"]);
}

/// The first circle that there is, its first file again at its end.
fn circle(uses: &Uses) -> Option<Vec<PathBuf>> {
    let mut done = BTreeSet::new();
    uses.keys().find_map(|file| follow(uses, file, &mut Vec::new(), &mut done))
}

fn follow(
    uses: &Uses,
    file: &PathBuf,
    way: &mut Vec<PathBuf>,
    done: &mut BTreeSet<PathBuf>,
) -> Option<Vec<PathBuf>> {
    if let Some(at) = way.iter().position(|one| one == file) {
        return Some(way[at..].iter().chain([file]).cloned().collect());
    }
    if done.contains(file) {
        return None;
    }
    way.push(file.clone());
    let found =
        uses.get(file).and_then(|used| used.iter().find_map(|one| follow(uses, one, way, done)));
    way.pop();
    done.insert(file.clone());
    found
}

fn files(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            if !NOT_OURS.contains(&name) {
                found.extend(files(&path, endings));
            }
        } else if path.extension().is_some_and(|ending| endings.iter().any(|one| ending == *one)) {
            found.push(path);
        }
    }
    found
}

/// The files that a file of a crate uses.
fn used_by(root: &Path, file: &Path, text: &str) -> BTreeSet<PathBuf> {
    let own = module_of(root, file);
    let paths = use_paths(text).into_iter().filter_map(|path| resolved(&own, &path));
    let files = paths.filter_map(|path| {
        let longest = (1..=path.len()).rev().map(|length| &path[..length]);
        let named = longest.map(|module| (module, file_of(root, module)));
        let (module, file) = named.into_iter().find(|(_, file)| file.exists())?;
        (!module.starts_with(&own) && !own.starts_with(module)).then_some(file)
    });
    files.collect()
}

/// `src/jose/keys.rs` is `jose::keys`; the root is nothing.
fn module_of(root: &Path, file: &Path) -> Vec<String> {
    let below = file.strip_prefix(root).unwrap().with_extension("");
    let names = below.components().map(|name| name.as_os_str().to_str().unwrap().to_owned());
    names.filter(|name| name != "lib" && name != "main").collect()
}

fn file_of(root: &Path, module: &[String]) -> PathBuf {
    root.join(module.join("/")).with_extension("rs")
}

/// A path from the root of its crate. `None`: of another crate.
fn resolved(own: &[String], path: &[String]) -> Option<Vec<String>> {
    let (first, rest) = path.split_first()?;
    match first.as_str() {
        "crate" => Some(rest.to_vec()),
        "self" => Some([own, rest].concat()),
        "super" => {
            let parents = path.iter().take_while(|name| *name == "super").count();
            Some([&own[..own.len().checked_sub(parents)?], &path[parents..]].concat())
        }
        _ => None,
    }
}

/// The paths of `use`. What is re-exported by `pub use` is not counted: that is how a module shows what is inside of it. In the tests at the end
/// `super` is the file itself: of these, paths from the root count.
fn use_paths(text: &str) -> Vec<Vec<String>> {
    let (code, tests) = text.split_once("#[cfg(test)]\nmod tests").unwrap_or((text, ""));
    let of_tests = paths_in(tests).into_iter().filter(|path| path[0] == "crate");
    paths_in(code).into_iter().chain(of_tests).collect()
}

fn paths_in(code: &str) -> Vec<Vec<String>> {
    let code: Vec<&str> =
        code.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    let mut found = Vec::new();
    for (at, line) in code.iter().enumerate() {
        let line = line.trim_start();
        let line = match line.strip_prefix("pub(") {
            Some(rest) => rest.split_once(") ").map_or("", |(_, rest)| rest),
            None => line,
        };
        let Some(first) = line.strip_prefix("use ") else { continue };
        let whole = [first, &code[at + 1..].join("\n")].join("\n");
        let tree = whole.split(';').next().unwrap_or_default();
        flatten(&[], tree, &mut found);
    }
    found
}

fn flatten(before: &[String], tree: &str, found: &mut Vec<Vec<String>>) {
    let (head, list) = match tree.split_once('{') {
        Some((head, list)) => (head, list.rsplit_once('}').map(|(list, _)| list)),
        None => (tree.split(" as ").next().unwrap_or_default(), None),
    };
    let names = head.split("::").map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    let path: Vec<String> = before.iter().cloned().chain(names).collect();
    let Some(list) = list else {
        if path.len() > before.len() {
            found.push(path);
        }
        return;
    };
    let mut depth = 0_usize;
    let members = list.split(|char| {
        match char {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        char == ',' && depth == 0
    });
    for member in members {
        flatten(&path, member, found);
    }
}

fn imported(file: &Path, text: &str) -> BTreeSet<PathBuf> {
    let folder = file.parent().unwrap();
    specifiers(text).into_iter().map(|name| normal(&folder.join(name))).collect()
}

/// The relative ones.
fn specifiers(text: &str) -> Vec<&str> {
    let quoted = |rest: &'static str| text.match_indices(rest);
    let places = ["from '", "from \"", "import '", "import \"", "import('", "import(\""];
    let mut found: Vec<(usize, &str)> = places
        .into_iter()
        .flat_map(quoted)
        .filter_map(|(at, word)| {
            let quote = word.chars().last()?;
            let name = text[at + word.len()..].split(quote).next()?;
            name.starts_with('.').then_some((at, name))
        })
        .collect();
    found.sort_unstable();
    found.into_iter().map(|(_, name)| name).collect()
}

fn normal(path: &Path) -> PathBuf {
    let mut whole = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                whole.pop();
            }
            Component::CurDir => {}
            other => whole.push(other),
        }
    }
    whole
}
