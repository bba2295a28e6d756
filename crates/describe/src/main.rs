//! Writes what is told of the library in other forms: `cargo run -p edgegate-describe`. The tests fail if a file is stale.

mod client;
mod errors;
mod events;
mod faults;
mod openapi;
mod operations;
mod policy;
mod reference;
mod typescript;

#[cfg(test)]
mod tests;

use std::{fs, io, path::Path};

/// A file of the repository, and how it is made.
type Output = (&'static str, fn() -> String);

const OUTPUTS: [Output; 10] = [
    ("pkg/schema/policy.schema.json", policy::schema_file),
    ("pkg/schema/wrangler.schema.json", policy::wrangler_file),
    ("pkg/schema/event.schema.json", events::schema_file),
    ("pkg/policy.d.ts", typescript::file),
    ("docs/policy.md", reference::file),
    ("docs/errors.md", errors::file),
    ("docs/openapi.json", openapi::file),
    ("pkg/lib/admin-operations.js", client::table),
    ("pkg/client.d.ts", client::types),
    ("crates/worker/src/openapi.json", openapi::compact),
];

fn main() -> io::Result<()> {
    for (path, make) in OUTPUTS {
        let path = Path::new(ROOT).join(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, make())?;
    }
    Ok(())
}

/// The repository.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
