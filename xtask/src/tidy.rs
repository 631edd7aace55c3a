//! Tidiness: the import table of ARCHITECTURE.md, paths and commands that papers name, lengths of files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::{Outcome, root};

/// Lines after which a file needs a reason.
const LONGEST: usize = 700;

/// Files that are longer, and why.
const LONG: [(&str, &str); 2] = [
    ("crates/pki/src/cmp.rs", "one message syntax: header, protection and the bodies lean on each other"),
    ("crates/client/src/journey.rs", "one road: each station's step beside the next"),
];

/// Papers whose paths and commands are checked.
const PAPERS: [&str; 8] = [
    "README.md",
    "README.cs.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "docs/guide.md",
    "docs/failures.md",
    "docs/departures.md",
    "docs/plans.md",
];

/// Runs every check and tells all that is wrong.
pub(crate) fn run() -> Outcome {
    let mut wrong = Vec::new();
    imports(&mut wrong)?;
    papers(&mut wrong)?;
    lengths(&root().join("crates"), &mut wrong).map_err(|error| error.to_string())?;
    lengths(&root().join("vcard/src"), &mut wrong).map_err(|error| error.to_string())?;
    lengths(&root().join("xtask"), &mut wrong).map_err(|error| error.to_string())?;
    texts(&mut wrong)?;
    if wrong.is_empty() { Ok(()) } else { Err(format!("tidy:\n  {}", wrong.join("\n  "))) }
}

/// Rows `| crate | may import |` of ARCHITECTURE.md, compared with what the manifests say.
fn imports(wrong: &mut Vec<String>) -> Outcome {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).map_err(|error| error.to_string())?;
    let mut allowed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if cells.len() >= 4 {
            let names = |cell: &str| -> BTreeSet<String> {
                cell.split(',')
                    .map(|name| name.trim().trim_matches('`').to_owned())
                    .filter(|name| name != "-")
                    .collect()
            };
            for name in names(cells[1]) {
                allowed.insert(name, names(cells[2]));
            }
        }
    }
    let output = Command::new("cargo")
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(root())
        .output()
        .map_err(|error| error.to_string())?;
    let metadata: Value = serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
    let short = |name: &str| name.trim_start_matches("obnova-").to_owned();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let name = short(package["name"].as_str().unwrap_or_default());
        let Some(may) = allowed.get(&name) else {
            wrong.push(format!("ARCHITECTURE.md has no row for crate {name}"));
            continue;
        };
        let does: BTreeSet<String> = package["dependencies"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|dependency| !dependency["path"].is_null())
            .map(|dependency| short(dependency["name"].as_str().unwrap_or_default()))
            .collect();
        for extra in does.difference(may) {
            wrong.push(format!("crate {name} imports {extra}, which ARCHITECTURE.md does not allow"));
        }
    }
    Ok(())
}

/// Back-ticked paths must exist, and back-ticked `obnova ...` commands must be known by the program's sources.
fn papers(wrong: &mut Vec<String>) -> Outcome {
    let sources: String = ["crates/cli/src/arguments.rs", "crates/server/src/commands.rs", "xtask/src/main.rs"]
        .iter()
        .filter_map(|path| std::fs::read_to_string(root().join(path)).ok())
        .collect();
    let tests: String = [
        "road",
        "messages",
        "care",
        "cards",
        "contract",
        "token",
        "foreign_ground",
        "peers",
        "foreign",
        "files",
        "faults",
        "shortages",
        "attack",
        "others",
        "successor",
        "operator",
        "left_behind",
        "pkits",
        "paths",
    ]
    .iter()
    .filter_map(|name| std::fs::read_to_string(root().join(format!("crates/testkit/tests/{name}.rs"))).ok())
    .collect();
    for paper in PAPERS {
        let text = std::fs::read_to_string(root().join(paper)).map_err(|error| format!("{paper}: {error}"))?;
        for quoted in text.split('`').skip(1).step_by(2) {
            let is_path = ["crates/", "docs/", "xtask/", ".ci/"].iter().any(|start| quoted.starts_with(start));
            if is_path && !root().join(quoted).exists() {
                wrong.push(format!("{paper} names {quoted}, which is gone"));
            }
            if let Some(verb) = quoted.strip_prefix("obnova ").or_else(|| quoted.strip_prefix("obnova-server ")) {
                let verb: String = verb.split(' ').next().unwrap_or_default().to_owned();
                let variant: String =
                    verb.chars().take(1).flat_map(char::to_uppercase).chain(verb.chars().skip(1)).collect();
                if !verb.starts_with('-') && !sources.contains(&format!("    {variant}")) {
                    wrong.push(format!("{paper} names the command {quoted}, which is gone"));
                }
            }
            for module in [
                "road::",
                "messages::",
                "care::",
                "peers::",
                "foreign::",
                "faults::",
                "shortages::",
                "attack::",
                "others::",
            ] {
                if let Some(test) = quoted.strip_prefix(module)
                    && !tests.contains(&format!("fn {test}("))
                {
                    wrong.push(format!("{paper} names the test {quoted}, which is gone"));
                }
            }
        }
    }
    Ok(())
}

fn lengths(folder: &Path, wrong: &mut Vec<String>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            lengths(&path, wrong)?;
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = std::fs::read_to_string(&path)?;
            let name = path.to_string_lossy().replace('\\', "/");
            let lines = text.lines().count();
            if lines > LONGEST && !LONG.iter().any(|(known, _)| name.ends_with(known)) {
                wrong.push(format!("{name} has {lines} lines: are there two rooms in it?"));
            }
            if !text.starts_with("//!") {
                wrong.push(format!("{name} does not open with a sentence on what is inside"));
            }
        }
    }
    Ok(())
}

/// Every error code that the holder's side makes has a text.
fn texts(wrong: &mut Vec<String>) -> Outcome {
    let english =
        std::fs::read_to_string(root().join("crates/texts/i18n/en.ftl")).map_err(|error| error.to_string())?;
    let window = std::fs::read_to_string(root().join("crates/texts/i18n/window.en.ftl")).map_err(|e| e.to_string())?;
    let mut check = |file: &str, code: &str| {
        // What only the window says, it says in its own words.
        let is_told = file.contains("crates/desktop") && window.contains(&format!("\nwindow-error-{code} ="));
        if !is_told && !english.contains(&format!("\nerror-{code} =")) {
            wrong.push(format!("{file} makes the error {code}, which has no text"));
        }
    };
    for folder in ["crates/client/src", "crates/cli/src", "crates/desktop/src"] {
        let entries = std::fs::read_dir(root().join(folder)).map_err(|error| error.to_string())?;
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            let source = std::fs::read_to_string(&path).map_err(|error| error.to_string())?;
            for after in source.split("ClientError::new(\"").skip(1) {
                check(&path.display().to_string(), after.split('"').next().unwrap_or_default());
            }
        }
    }
    // Errors of stores and of other machines carry their codes themselves.
    for file in ["crates/lifecycle/src/port.rs", "crates/remote/src/http.rs"] {
        let source = std::fs::read_to_string(root().join(file)).map_err(|error| error.to_string())?;
        let body = source.split("pub fn code(&self)").nth(1).unwrap_or_default();
        let body = body.split("\n    }\n").next().unwrap_or_default();
        for after in body.split("=> \"").skip(1) {
            check(file, after.split('"').next().unwrap_or_default());
        }
    }
    Ok(())
}
