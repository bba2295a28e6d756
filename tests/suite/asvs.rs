//! docs/asvs.md names a test for each requirement: each of them is there.

use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn every_row_names_tests_that_are_there() {
    let document = read("docs/asvs.md");
    let rows: Vec<Vec<&str>> = document
        .lines()
        .filter(|line| {
            line.starts_with("| 7.") || line.starts_with("| 9.") || line.starts_with("| 10.")
        })
        .map(|line| line.trim_matches('|').split(" | ").collect())
        .collect();
    assert_eq!(rows.len(), 30);
    for row in &rows {
        let [number, _, _, _, tests] = row.as_slice() else { panic!("{row:?}: expected 5 cells") };
        // A file, then its tests, each between backticks.
        let mut named = 0;
        let mut file = (String::new(), String::new());
        // Before, between and after the backticks are commas and words.
        for text in tests.split('`').skip(1).step_by(2) {
            if text.starts_with("tests/") || text.starts_with("src/") {
                file = (text.to_owned(), read(text));
            } else {
                named += 1;
                let (path, content) = &file;
                assert!(content.contains(text), "{number}: `{text}` is not in {path}");
            }
        }
        assert!(named > 0, "{number}: no test");
    }
}
