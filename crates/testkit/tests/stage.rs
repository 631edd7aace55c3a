//! What every story needs: the programs, a folder, and skips that are said aloud.

use std::path::PathBuf;
use std::process::Child;

use obnova_testkit::{Engine, Postgres, Store, World, WorldOptions, softhsm_module};

/// Folder of the built programs: where this test itself was built.
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

/// Says aloud that a story is skipped; in CI nothing may be skipped.
pub(crate) fn skip(what: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{what} is missing, and in CI nothing is skipped");
    eprintln!("SKIPPED: {what} is not installed");
}

/// Whether stories on SoftHSM can be played.
pub(crate) fn has_softhsm() -> bool {
    let has = softhsm_module().is_some();
    if !has {
        skip("SoftHSM");
    }
    has
}

/// Plays a story on each database; PostgreSQL, when it must be skipped, is skipped aloud.
pub(crate) fn on_both_engines(story: impl Fn(Engine)) {
    story(Engine::Sqlite);
    match Postgres::start().unwrap() {
        Some(postgres) => story(Engine::Postgres(postgres.url())),
        None => skip("PostgreSQL"),
    }
}

/// A furnished world in a temporary folder; its certificates have 20 days left.
pub(crate) fn world(store: Store, engine: Engine) -> (World, tempfile::TempDir) {
    world_since(365, store, engine)
}

/// The same with certificates that were issued so many days ago.
pub(crate) fn world_since(days: u64, store: Store, engine: Engine) -> (World, tempfile::TempDir) {
    world_by("p256", days, store, engine)
}

/// The same with issuing keys of a kind.
pub(crate) fn world_by(
    issuer_key: &'static str,
    days: u64,
    store: Store,
    engine: Engine,
) -> (World, tempfile::TempDir) {
    let folder = tempfile::Builder::new().prefix("obnova-test").tempdir().unwrap();
    let options = WorldOptions {
        programs: programs(),
        folder: folder.path().to_owned(),
        store,
        engine,
        issuer_key,
        speak: false,
    };
    let mut world = World::new(options).unwrap();
    world.furnish_since(days).unwrap();
    (world, folder)
}

/// A world whose clerk has keys of this kind.
pub(crate) fn world_with_keys(key: &str) -> (World, tempfile::TempDir) {
    let (mut world, folder) = world(Store::File, Engine::Sqlite);
    // Enrolled anew a year ago, beside those that every world has.
    std::fs::rename(world.path("demo.p12"), world.path("former.p12")).unwrap();
    world.turn_clock_back(365).unwrap();
    for profile in ["qualified", "commercial"] {
        world.enroll(profile, key).unwrap();
    }
    world.turn_clock_back(0).unwrap();
    let serial = world.serial_of("commercial").unwrap();
    world.server(&["account", "bind", "demo.jana", "--issuer", "Public CA", "--serial", &serial]).unwrap();
    (world, folder)
}

/// A program that ends with the story.
pub(crate) struct Killed(pub(crate) Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
