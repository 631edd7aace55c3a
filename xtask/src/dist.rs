//! `cargo xtask dist`: one archive with both programs, completions, manual pages and a bill of materials; a clerk never
//! runs cargo.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::{Outcome, root, run as program};

/// The programs that are packed.
const PROGRAMS: [&str; 2] = ["obnova", "obnova-server"];

/// Builds for this system, or for `--target TRIPLE`, and packs.
pub(crate) fn run(arguments: &[&str]) -> Outcome {
    let target = arguments.iter().position(|argument| *argument == "--target").and_then(|at| arguments.get(at + 1));
    let mut build = vec!["build", "--release", "--locked", "--package", "obnova-cli", "--package", "obnova-server"];
    let mut folder = root().join("target");
    if let Some(target) = target {
        build.extend(["--target", target]);
        folder.push(target);
    }
    program("cargo", &build)?;
    let system = target.map_or_else(host, |target| Ok((*target).to_owned()))?;
    let is_windows = system.contains("windows");
    let name = format!("obnova-{}-{system}", env!("CARGO_PKG_VERSION"));
    let dist = root().join("target/dist");
    let place = dist.join(&name);
    let failed = |error: std::io::Error| format!("{}: {error}", place.display());
    let _ = std::fs::remove_dir_all(&place);
    std::fs::create_dir_all(&place).map_err(failed)?;
    for program in PROGRAMS {
        let file = if is_windows { format!("{program}.exe") } else { program.to_owned() };
        std::fs::copy(folder.join("release").join(&file), place.join(&file)).map_err(failed)?;
    }
    // The program of this system makes the same words for every other.
    let speaker = match target {
        None => place.join("obnova"),
        Some(_) => root().join("target/release/obnova"),
    };
    if speaker.exists() {
        let home = tempfile::tempdir().map_err(failed)?;
        let status = Command::new(&speaker)
            .arg("generate")
            .arg(place.join("share"))
            .env("OBNOVA_HOME", home.path())
            .status()
            .map_err(failed)?;
        if !status.success() {
            return Err("the program did not write its manual pages".to_owned());
        }
    } else {
        println!("SKIPPED: manual pages need the program of this system: cargo xtask dist, then again with --target");
    }
    for paper in ["README.md", "README.cs.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE"] {
        std::fs::copy(root().join(paper), place.join(paper)).map_err(failed)?;
    }
    std::fs::copy(root().join("docs/guide.md"), place.join("guide.md")).map_err(failed)?;
    let bill = serde_json::to_string_pretty(&bill_of_materials(target.copied())?).map_err(|error| error.to_string())?;
    std::fs::write(place.join("sbom.cdx.json"), bill).map_err(failed)?;
    pack(&dist, &name, is_windows)
}

fn host() -> Result<String, String> {
    let output = Command::new("rustc").arg("-vV").output().map_err(|error| error.to_string())?;
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    told.lines()
        .find_map(|line| line.strip_prefix("host: ").map(str::to_owned))
        .ok_or_else(|| "rustc does not tell its host".to_owned())
}

/// The same inputs give the same archive: order, owner and time of its files are fixed.
fn pack(dist: &Path, name: &str, is_windows: bool) -> Outcome {
    let archive: PathBuf = dist.join(format!("{name}.{}", if is_windows { "zip" } else { "tar.gz" }));
    let _ = std::fs::remove_file(&archive);
    let script = match is_windows {
        true => format!("import shutil; shutil.make_archive({:?}, 'zip', '.', {name:?})", dist.join(name)),
        false => String::new(),
    };
    let status = if is_windows {
        Command::new("python3").args(["-c", &script]).current_dir(dist).status()
    } else {
        let tar = format!(
            "tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -cf - {name} | gzip -n9 > {}",
            archive.display()
        );
        Command::new("sh").args(["-c", &tar]).current_dir(dist).status()
    };
    if !status.is_ok_and(|status| status.success()) || !archive.exists() {
        return Err(format!("{} was not packed", archive.display()));
    }
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |data| data.len());
    for program in PROGRAMS {
        let file = dist.join(name).join(if is_windows { format!("{program}.exe") } else { program.to_owned() });
        println!("{program}: {:.1} MB", size(&file) as f64 / 1e6);
    }
    println!("{} ({:.1} MB)", archive.display(), size(&archive) as f64 / 1e6);
    Ok(())
}

/// Every crate that is linked in, as CycloneDX 1.5.
fn bill_of_materials(target: Option<&str>) -> Result<Value, String> {
    let mut command = Command::new("cargo");
    command.args(["metadata", "--format-version", "1", "--locked"]).current_dir(root());
    if let Some(target) = target {
        command.args(["--filter-platform", target]);
    }
    let output = command.output().map_err(|error| error.to_string())?;
    let metadata: Value = serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
    let linked = linked(&metadata);
    let components: Vec<Value> = metadata["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|package| linked.contains(&package["id"].as_str().unwrap_or_default()))
        .map(|package| {
            let (name, version) = (package["name"].as_str().unwrap_or_default(), package["version"].as_str());
            let version = version.unwrap_or_default();
            json!({
                "type": "library",
                "name": name,
                "version": version,
                "purl": format!("pkg:cargo/{name}@{version}"),
                "licenses": [{ "expression": package["license"].as_str().unwrap_or("NOASSERTION").replace('/', " OR ") }],
            })
        })
        .collect();
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": { "component": { "type": "application", "name": "obnova", "version": env!("CARGO_PKG_VERSION") } },
        "components": components,
    }))
}

/// Packages that the two programs reach by normal dependencies.
fn linked(metadata: &Value) -> Vec<&str> {
    let nodes = || metadata["resolve"]["nodes"].as_array().into_iter().flatten();
    let is_program = |id: &str| ["cli#", "server#"].iter().any(|end| id.contains(end));
    let mut found: Vec<&str> = nodes().filter_map(|node| node["id"].as_str()).filter(|id| is_program(id)).collect();
    let mut at = 0;
    while let Some(&current) = found.get(at) {
        let deps = nodes().filter(|node| node["id"].as_str() == Some(current));
        for dependency in deps.flat_map(|node| node["deps"].as_array().into_iter().flatten()) {
            let is_normal = dependency["dep_kinds"].as_array().into_iter().flatten().any(|kind| kind["kind"].is_null());
            if let Some(id) = dependency["pkg"].as_str().filter(|id| is_normal && !found.contains(id)) {
                found.push(id);
            }
        }
        at += 1;
    }
    found
}
