//! The names that the package's entries export.
//!
//! JavaScript has each entry name what it exports. The list is in one place, the object that `bind` of
//! `pkg/lib/index.js` returns, and is copied from there.

use std::fs;

use anyhow::{Context as _, Result};

use crate::project;

const LIST: &str = "pkg/lib/index.js";

/// Each has the names between these two.
const ENTRIES: [&str; 8] = [
    "pkg/browser.js",
    "pkg/slim.js",
    "pkg/workerd.js",
    "pkg/gate/workerd.js",
    "pkg/pure/browser.js",
    "pkg/pure/workerd.js",
    "pkg/lib/node.js",
    "pkg/lib/node-pure.js",
];
const IN_ENTRY: (&str, &str) = ("export const {\n", "} = ");

/// The same for what TypeScript is told of entries without the guard.
const DECLARATIONS: [&str; 2] = ["pkg/pure.d.ts", "pkg/slim.d.ts"];
const IN_DECLARATIONS: (&str, &str) = ("export {\n", "} from './index.js';");

const WIDTH: usize = 140;

/// Writes the names into all of them.
pub(super) fn write_names() -> Result<()> {
    for Entry { file, text, fresh } in read()? {
        if fresh != text {
            fs::write(project::path(file), fresh).context(file)?;
        }
    }
    Ok(())
}

/// A file as it is, and as it has to be.
struct Entry {
    file: &'static str,
    text: String,
    fresh: String,
}

fn read() -> Result<Vec<Entry>> {
    let list = fs::read_to_string(project::path(LIST)).context(LIST)?;
    let names = names(&list).with_context(|| format!("{LIST}: no object is returned"))?;
    let mut declared = names.clone();
    declared.push("EdgegateError");
    declared.sort_unstable();
    let entries = ENTRIES.map(|file| (file, IN_ENTRY, &names));
    let declarations = DECLARATIONS.map(|file| (file, IN_DECLARATIONS, &declared));
    let read = |(file, (start, end), names): (_, _, &Vec<_>)| {
        let text = fs::read_to_string(project::path(file)).context(file)?;
        let fresh = replaced(&text, (start, end), names)
            .with_context(|| format!("{file}: no names between {start:?} and {end:?}"))?;
        Ok(Entry { file, text, fresh })
    };
    entries.into_iter().chain(declarations).map(read).collect()
}

/// The members of the object that the list returns, but for the engine.
fn names(list: &str) -> Option<Vec<&str>> {
    let (_, after) = list.split_once("  return {\n")?;
    let (members, _) = after.split_once("  };\n")?;
    let names = members.lines().filter_map(|line| line.trim().split_once(": "));
    Some(names.map(|(name, _)| name).collect())
}

fn replaced(text: &str, (start, end): (&str, &str), names: &[&str]) -> Option<String> {
    let (before, rest) = text.split_once(start)?;
    let (_, after) = rest.split_once(end)?;
    Some(format!("{before}{start}{}{end}{after}", wrapped(names)))
}

/// Lines of names, each with a comma.
fn wrapped(names: &[&str]) -> String {
    let mut lines = String::new();
    let mut line = String::from(" ");
    for name in names {
        if line.len().saturating_add(name.len()).saturating_add(2) > WIDTH {
            lines.push_str(&line);
            lines.push('\n');
            line = String::from(" ");
        }
        line.push_str(&format!(" {name},"));
    }
    format!("{lines}{line}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_entries_are_fresh() -> Result<()> {
        for Entry { file, text, fresh } in read()? {
            assert!(fresh == text, "{file} is stale: cargo xtask package");
        }
        Ok(())
    }

    #[test]
    fn names_are_the_members_but_for_the_engine() {
        let list = "x\n  return {\n    engine,\n    ready: () => engine.ready(),\n    sign: (a) => b(a),\n  };\n";
        assert_eq!(names(list), Some(vec!["ready", "sign"]));
        assert_eq!(names("nothing"), None);
    }
}
