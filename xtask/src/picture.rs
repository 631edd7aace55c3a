//! `cargo xtask picture`: plays a renewal and draws what its terminal showed, in both languages, for the READMEs; and
//! every screen of the window.

use std::fmt::Write;

use obnova_testkit::{Engine, Store, World, WorldOptions, softhsm_module};

use crate::{Outcome, root};

/// Draws `docs/renewal.en.svg` and `docs/renewal.cs.svg`.
pub(crate) fn run() -> Outcome {
    crate::run("cargo", &["build", "--quiet"])?;
    for (language, title) in [("en", "A renewal with obnova"), ("cs", "Obnova certifikátů programem obnova")] {
        let failed = |error: std::io::Error| error.to_string();
        let folder = tempfile::tempdir().map_err(failed)?;
        let options = WorldOptions {
            programs: root().join("target/debug"),
            folder: folder.path().to_owned(),
            store: if softhsm_module().is_some() { Store::SoftHsm } else { Store::File },
            engine: Engine::Sqlite,
            issuer_key: "p256",
            speak: false,
        };
        let mut world = World::new(options).map_err(failed)?;
        world.furnish().map_err(failed)?;
        let output = world.obnova(&["renew", "--all", "--lang", language]).map_err(failed)?;
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        if !output.status.success() {
            return Err(told);
        }
        let lines: Vec<&str> = std::iter::once("$ obnova renew --all").chain(told.lines()).collect();
        let file = root().join(format!("docs/renewal.{language}.svg"));
        std::fs::write(&file, drawing(title, &lines)).map_err(failed)?;
        println!("docs/renewal.{language}.svg: {} lines", lines.len());
    }
    // The window's own, each screen and look.
    let window =
        ["OBNOVA_PICTURES=write", "cargo", "test", "--quiet", "--package", "obnova-desktop", "--test", "window"];
    // Twice: the guide's page shows a picture of another screen, which the program carries from the time before.
    for _ in 0..2 {
        crate::run("env", &[&window[..], &["--", "gallery"]].concat())?;
    }
    println!("docs/pictures: made anew; look at them, and say in its README what you saw");
    Ok(())
}

/// The lines as text on a dark ground; a screen reader hears them as they stand.
fn drawing(title: &str, lines: &[&str]) -> String {
    let widest = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
    let (width, height) = (widest * 8 + 32, lines.len() * 20 + 28);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" role=\"img\">\n\
         <title>{title}</title>\n<rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"#1b1f24\"/>\n\
         <g font-family=\"ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace\" font-size=\"13\" fill=\"#e6e8ea\">\n"
    );
    for (number, line) in lines.iter().enumerate() {
        let text = line.replace('&', "&amp;").replace('<', "&lt;");
        let _ = writeln!(svg, "<text x=\"16\" y=\"{}\" xml:space=\"preserve\">{text}</text>", number * 20 + 28);
    }
    svg.push_str("</g>\n</svg>\n");
    svg
}
