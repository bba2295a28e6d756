//! docs/asvs.md names a test for each requirement, and docs/accounts-attacks.md for each attack: each of them is there.

use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The rows of the table in a document, each as its cells. Its first cell begins with one of these.
fn rows<'d>(document: &'d str, first: &[&str]) -> Vec<Vec<&'d str>> {
    document
        .lines()
        .filter_map(|line| line.strip_prefix("| "))
        .filter(|line| first.iter().any(|first| line.starts_with(first)))
        .map(|line| line.trim_matches('|').split(" | ").collect())
        .collect()
}

/// The last cell of a row: a file, then its tests, each between backticks.
#[track_caller]
fn names_tests(row: &[&str]) {
    let [number, .., tests] = row else { panic!("{row:?}") };
    let mut named = 0;
    let mut file = (String::new(), String::new());
    // Before, between and after the backticks are commas and words.
    for text in tests.split('`').skip(1).step_by(2) {
        if ["tests/", "src/", "simulator/"].iter().any(|folder| text.starts_with(folder)) {
            file = (text.to_owned(), read(text));
        } else {
            named += 1;
            let (path, content) = &file;
            assert!(content.contains(text), "{number}: `{text}` is not in {path}");
        }
    }
    assert!(named > 0, "{number}: no test");
}

#[test]
fn every_row_names_tests_that_are_there() {
    let document = read("docs/asvs.md");
    let rows = rows(&document, &["6.", "7.", "9.", "10."]);
    assert_eq!(rows.len(), 71);
    for row in &rows {
        assert_eq!(row.len(), 5, "{row:?}: expected 5 cells");
        names_tests(row);
    }
}

#[test]
fn every_attack_names_tests_that_are_there() {
    let document = read("docs/accounts-attacks.md");
    let rows = rows(&document, &["**"]);
    // So many were there when this was written: none goes unnoticed.
    assert!(rows.len() >= 39, "{} rows", rows.len());
    for row in &rows {
        assert_eq!(row.len(), 4, "{row:?}: expected 4 cells");
        names_tests(row);
    }
}
