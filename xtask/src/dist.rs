//! `cargo xtask dist`: what people download. For the holder an archive with `obnova` and `obnova-desktop`, completions, manual
//! pages, the guide and a bill of materials; on Debian a package and for Windows an installer as well; for the operator an
//! archive with `obnova-server`. A clerk never runs cargo.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::{Outcome, guide, package, root, run as program};

/// What the holder gets.
const HOLDER: [&str; 2] = ["obnova", "obnova-desktop"];

/// Builds for this system, or for `--target TRIPLE`, and packs. With `--dev` the programs are those of the tests, stripped:
/// the packages are the same, and made in minutes.
pub(crate) fn run(arguments: &[&str]) -> Outcome {
    let target = arguments.iter().position(|argument| *argument == "--target").and_then(|at| arguments.get(at + 1));
    let is_dev = arguments.contains(&"--dev");
    let system = target.map_or_else(host, |target| Ok((*target).to_owned()))?;
    let is_windows = system.contains("windows");
    let mut built = root().join("target");
    let mut build = vec!["build", "--quiet", "--locked"];
    if let Some(target) = target {
        build.extend(["--target", target]);
        built.push(target);
    }
    // A person's programs are small, an operator's are fast.
    let folder = built.join(if is_dev { "debug" } else { "small" });
    let holder =
        ["--profile", if is_dev { "dev" } else { "small" }, "--package", "obnova-cli", "--package", "obnova-desktop"];
    let operator = ["--profile", if is_dev { "dev" } else { "release" }, "--package", "obnova-server"];
    // In one go where it can be: the same crates are then built once.
    let in_one = is_dev && !is_windows;
    program("cargo", &[&build[..], &holder, if in_one { &operator[2..] } else { &[] }].concat())?;
    let dist = root().join("target/dist");
    std::fs::create_dir_all(&dist).map_err(|error| error.to_string())?;
    let name = format!("obnova-{}-{system}", env!("CARGO_PKG_VERSION"));
    let place = fresh(&dist, &name)?;
    for program in HOLDER {
        copy_program(&folder, &place, program, is_windows, is_dev)?;
    }
    share(&place, target.is_some())?;
    let bill = bill_of_materials(target.copied(), &["cli#", "desktop#"])?;
    write_json(&place.join("sbom.cdx.json"), &bill)?;
    pack(&dist, &name, is_windows)?;
    if is_windows {
        return package::installer(&dist, &place);
    }
    if system.contains("linux") {
        package::debian(&dist, &place, &system)?;
    }
    if !in_one {
        program("cargo", &[&build[..], &operator].concat())?;
    }
    let folder = built.join(if is_dev { "debug" } else { "release" });
    let name = format!("obnova-server-{}-{system}", env!("CARGO_PKG_VERSION"));
    let place = fresh(&dist, &name)?;
    copy_program(&folder, &place, "obnova-server", is_windows, is_dev)?;
    for paper in ["README.md", "README.cs.md", "LICENSE-MIT", "LICENSE-APACHE"] {
        copy(&root().join(paper), &place.join(paper))?;
    }
    write_json(&place.join("sbom.cdx.json"), &bill_of_materials(target.copied(), &["server#"])?)?;
    pack(&dist, &name, is_windows)
}

fn fresh(dist: &Path, name: &str) -> Result<PathBuf, String> {
    let place = dist.join(name);
    let _ = std::fs::remove_dir_all(&place);
    std::fs::create_dir_all(&place).map_err(|error| format!("{}: {error}", place.display()))?;
    Ok(place)
}

/// Copies a file, and says which when it cannot.
pub(crate) fn copy(from: &Path, to: &Path) -> Outcome {
    if let Some(folder) = to.parent() {
        std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    std::fs::copy(from, to).map(|_| ()).map_err(|error| format!("{}: {error}", from.display()))
}

fn write_json(path: &Path, value: &Value) -> Outcome {
    let text = serde_json::to_string_pretty(value).map_err(|error| error.to_string())?;
    std::fs::write(path, text).map_err(|error| error.to_string())
}

fn copy_program(folder: &Path, place: &Path, name: &str, is_windows: bool, is_dev: bool) -> Outcome {
    let file = if is_windows { format!("{name}.exe") } else { name.to_owned() };
    copy(&folder.join(&file), &place.join(&file))?;
    if is_dev {
        // What a release has been spared by its profile.
        let strip = if is_windows { "x86_64-w64-mingw32-strip" } else { "strip" };
        program(strip, &[&place.join(&file).display().to_string()])?;
    }
    let size = std::fs::metadata(place.join(&file)).map_or(0, |data| data.len());
    println!("{file}: {:.1} MB", size as f64 / 1e6);
    Ok(())
}

/// Completions, manual pages, the guide, papers, the icon.
fn share(place: &Path, is_foreign: bool) -> Outcome {
    // The program of this system makes the same words for every other.
    let built = ["target/small/obnova", "target/debug/obnova"].map(|path| root().join(path));
    let speaker = if is_foreign { built.into_iter().find(|path| path.exists()) } else { Some(place.join("obnova")) };
    match speaker {
        Some(speaker) => {
            let home = tempfile::tempdir().map_err(|error| error.to_string())?;
            let mut command = Command::new(speaker);
            command.arg("generate").arg(place.join("share")).env("OBNOVA_HOME", home.path());
            if !command.status().is_ok_and(|status| status.success()) {
                return Err("the program did not write its manual pages".to_owned());
            }
        }
        None => println!("SKIPPED: manual pages need the program of this system: cargo xtask dist, then with --target"),
    }
    for paper in ["README.md", "README.cs.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE"] {
        copy(&root().join(paper), &place.join(paper))?;
    }
    copy(&root().join("crates/desktop/ui/fonts/LICENSE-FONTS"), &place.join("LICENSE-FONTS"))?;
    copy(&root().join("crates/desktop/ui/icon/obnova.png"), &place.join("share/obnova.png"))?;
    guide::write(&place.join("guide"))
}

pub(crate) fn host() -> Result<String, String> {
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
        true => format!(
            "import os, zipfile\n\
             with zipfile.ZipFile({archive:?}, 'w', zipfile.ZIP_DEFLATED) as packed:\n\
             \x20   paths = [os.path.join(top, file) for top, _, files in os.walk({name:?}) for file in files]\n\
             \x20   for path in sorted(paths):\n\
             \x20       entry = zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0))\n\
             \x20       entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16\n\
             \x20       packed.writestr(entry, open(path, 'rb').read())"
        ),
        false => String::new(),
    };
    let status = if is_windows {
        Command::new("python3").args(["-c", &script]).current_dir(dist).status()
    } else {
        let mut tar = Command::new("tar");
        tar.args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mtime=@0", "--use-compress-program"]);
        tar.args(["gzip -n9", "-cf"]).arg(&archive).arg(name).current_dir(dist).status()
    };
    if !status.is_ok_and(|status| status.success()) || !archive.exists() {
        return Err(format!("{} was not packed", archive.display()));
    }
    told(&archive);
    Ok(())
}

/// Says what was made, and how large it is.
pub(crate) fn told(file: &Path) {
    let size = std::fs::metadata(file).map_or(0, |data| data.len());
    println!("{} ({:.1} MB)", file.display(), size as f64 / 1e6);
}

/// Every crate that is linked in, as CycloneDX 1.5.
fn bill_of_materials(target: Option<&str>, programs: &[&str]) -> Result<Value, String> {
    let mut command = Command::new("cargo");
    command.args(["metadata", "--format-version", "1", "--locked"]).current_dir(root());
    if let Some(target) = target {
        command.args(["--filter-platform", target]);
    }
    let output = command.output().map_err(|error| error.to_string())?;
    let metadata: Value = serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
    let linked = linked(&metadata, programs);
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

/// Packages that the programs reach by normal dependencies.
fn linked<'a>(metadata: &'a Value, programs: &[&str]) -> Vec<&'a str> {
    let nodes = || metadata["resolve"]["nodes"].as_array().into_iter().flatten();
    let is_program = |id: &str| programs.iter().any(|end| id.contains(end));
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
