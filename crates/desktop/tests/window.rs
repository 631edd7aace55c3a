//! The window, clicked through without a screen: the real server, SoftHSM, devices that misbehave by rules, and the elements
//! as a screen reader sees them. It is a program of its own, because one process has one event loop, and because it must
//! play the host of a module.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a story that cannot go on has failed, and says so")]

mod gallery;
mod hands;
mod pictures;
mod reader;
mod stories;
mod surroundings;

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Instant;

use obnova_testkit::{Engine, Office, Store, World, WorldOptions, softhsm_module};

/// Names the story that a child process plays.
const STORY: &str = "OBNOVA_WINDOW_STORY";

fn main() -> ExitCode {
    if let Some(load) = obnova_client::Load::from_arguments(std::env::args_os().skip(1)) {
        return if obnova_client::serve_module(&load).is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    if let Ok(story) = std::env::var(STORY) {
        play(&story);
        return ExitCode::SUCCESS;
    }
    // What is wanted, as other test programs take it: parts of names.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str()));
    let has_token = softhsm_module().is_some();
    if !has_token {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "SoftHSM is missing, and in CI nothing is skipped");
        println!("SKIPPED: stories of the window on tokens need SoftHSM");
    }
    let (mut passed, mut failed) = (0, 0);
    let mut tell = |name: &str, begun: Instant, ok: bool| {
        println!("window {name}: {} in {} s", if ok { "ok" } else { "FAILED" }, begun.elapsed().as_secs());
        if ok { passed += 1 } else { failed += 1 }
    };
    for name in ["contrast", "gallery"].into_iter().filter(|name| is_wanted(name)) {
        let begun = Instant::now();
        let ok = Command::new(std::env::current_exe().unwrap()).env(STORY, name).status().unwrap().success();
        tell(name, begun, ok);
    }
    for (name, needs) in stories::ALL.into_iter().filter(|(name, _)| is_wanted(name)) {
        if needs != Needs::Nothing && !has_token {
            continue;
        }
        let begun = Instant::now();
        let ok = furnish_and_play(name, needs);
        tell(name, begun, ok);
    }
    if is_wanted("reader") {
        let begun = Instant::now();
        if let Some(ok) = reader::compare() {
            tell("reader", begun, ok);
        }
    }
    if is_wanted("surroundings") {
        let begun = Instant::now();
        if let Some(ok) = surroundings::play() {
            tell("surroundings", begun, ok);
        }
    }
    println!("{passed} passed, {failed} failed");
    // A name that nothing has would else pass for good.
    let nothing = passed + failed == 0 && has_token;
    if failed > 0 || nothing { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// What a story needs around it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// An empty folder.
    Nothing,
    /// The real server and a token with two certificates, behind the module that misbehaves by rules.
    Token(&'static str),
    /// The real server and a file with two certificates.
    File,
    /// A token whose certificate is of an authority that knows nothing of us, and that OpenSSL plays.
    Foreign,
    /// A card made of software, under real middleware, that comes and goes.
    Card,
}

/// Folder of the built programs.
pub(crate) fn programs() -> PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    if path.ends_with("deps") {
        path.pop();
    }
    assert!(
        path.join("obnova-server").exists() && path.join("obnova").exists(),
        "build the programs first: cargo build"
    );
    path
}

fn play(story: &str) {
    match story {
        "gallery" => pictures::gallery(),
        "contrast" => pictures::contrast(),
        other => match other.strip_prefix("shown-") {
            Some(screen) => reader::show(screen),
            None => stories::play(other),
        },
    }
}

fn furnish_and_play(story: &str, needs: Needs) -> bool {
    let folder = tempfile::Builder::new().prefix("obnova-window").tempdir().unwrap();
    let place = folder.path();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.env(STORY, story).env("RUST_BACKTRACE", "0").env(hands::FOLDER, place).env("HOME", place);
    let mut world = None;
    match needs {
        Needs::Nothing => {
            std::fs::create_dir(place.join("home")).unwrap();
            std::fs::write(place.join("home/obnova.toml"), "discover = false\n").unwrap();
            child.env("OBNOVA_HOME", place.join("home"));
        }
        Needs::Foreign => hands::foreign(place, &mut child),
        Needs::Card => {
            let Some(stand) = hands::card(place) else {
                assert!(
                    std::env::var("CI").as_deref() != Ok("true"),
                    "the stack for cards is missing, and in CI nothing is skipped"
                );
                println!("SKIPPED: a card that comes and goes needs pcscd, vpcd, ykcs11 and vcard");
                return true;
            };
            let mut child = child.env("OBNOVA_HOME", place.join("home")).spawn().unwrap();
            hands::insert_and_pull(&stand, place, &mut child);
            return child.wait().unwrap().success();
        }
        Needs::Token(_) | Needs::File => {
            let options = WorldOptions {
                programs: programs(),
                folder: place.to_owned(),
                store: if needs == Needs::File { Store::File } else { Store::SoftHsm },
                engine: Engine::Sqlite,
                issuer_key: "p256",
                speak: false,
            };
            let mut made = World::new(options).unwrap();
            made.furnish().unwrap();
            if story == "middleware" {
                // Asked only now: first certificates are asked for with the same middleware.
                made.authority_extra = "oldest_middleware = [{ model = \"SoftHSM\", version = \"99.0\", download = \
                                        \"https://middleware.example.com\" }]"
                    .into();
                made.write_configuration().unwrap();
                made.turn_clock_back(0).unwrap();
            }
            match story {
                "waiting" => made.import(&Office { approval: true, ..Office::default() }).unwrap(),
                "debt" => made.import(&Office { debt_since: "2020-01-31".into(), ..Office::default() }).unwrap(),
                _ => {}
            }
            child.envs(made.environment());
            if let Needs::Token(rules) = needs {
                hands::misbehave(place, rules, &mut child);
            }
            world = Some(made);
        }
    }
    let ok = child.status().unwrap().success();
    if let (true, "renewal", Some(world)) = (ok, story, &world) {
        // What the window said is what the command line sees.
        let status = world.ask(&["status"]).unwrap();
        return status.as_array().unwrap().iter().all(|journey| journey["finished"] == true);
    }
    ok
}
