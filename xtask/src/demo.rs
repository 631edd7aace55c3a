//! `cargo demo`: the main job, played by the real programs on embedded defaults.

use std::io::Read;
use std::time::{Duration, Instant};

use obnova_testkit::{Engine, Office, Store, World, WorldOptions, softhsm_module};

use crate::{Outcome, root};

const STATIONS: [&str; 11] = [
    "found",
    "keyed",
    "requested",
    "submitted",
    "issued",
    "accepted",
    "confirmed",
    "installed",
    "proven",
    "registered",
    "retired",
];

const STORIES: [&str; 6] = ["full", "old-middleware", "waiting", "debt", "locked-out", "wrong-order"];

struct Wishes {
    break_at: Option<String>,
    story: String,
    keep: bool,
    file: bool,
}

fn wishes(arguments: &[&str]) -> Result<Wishes, String> {
    let mut wishes = Wishes { break_at: None, story: "whole".to_owned(), keep: false, file: false };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match *argument {
            "--keep" => wishes.keep = true,
            "--file" => wishes.file = true,
            "--break" => {
                let station = arguments.next().unwrap_or(&"").to_ascii_lowercase();
                if !STATIONS.contains(&station.as_str()) {
                    return Err(format!("--break takes a station: {}", STATIONS.join(", ")));
                }
                wishes.break_at = Some(station);
            }
            "--story" => {
                let story = (*arguments.next().unwrap_or(&"")).to_owned();
                if !STORIES.contains(&story.as_str()) {
                    return Err(format!("--story takes one of: {}", STORIES.join(", ")));
                }
                wishes.story = story;
            }
            other => return Err(format!("{other} is not known: --break STATION, --story NAME, --keep, --file")),
        }
    }
    Ok(wishes)
}

fn act(section: &str, text: &str) {
    println!("\n=== {text}   [guide, section {section}]");
}

fn io(error: std::io::Error) -> String {
    error.to_string()
}

/// Builds the programs and plays the story.
pub(crate) fn run(arguments: &[&str]) -> Outcome {
    let wishes = wishes(arguments)?;
    println!("Building the two programs ...");
    crate::run("cargo", &["build", "--quiet", "--package", "obnova-cli", "--package", "obnova-server"])?;
    let begun = Instant::now();
    let target = std::env::var("CARGO_TARGET_DIR").map_or_else(|_| root().join("target"), Into::into);
    let programs = target.join("debug").canonicalize().map_err(io)?;
    let store = if wishes.file || softhsm_module().is_none() { Store::File } else { Store::SoftHsm };
    println!(
        "The DEMO clerk's keys live in {}.",
        match store {
            Store::SoftHsm => "a SoftHSM token",
            Store::File => "a password-protected PKCS#12 file (a SoftHSM token is used when SoftHSM is installed)",
        }
    );
    let folder = tempfile::Builder::new().prefix("obnova-demo-").tempdir().map_err(io)?;
    let options = WorldOptions {
        programs: programs.clone(),
        folder: folder.path().to_owned(),
        store,
        engine: Engine::Sqlite,
        issuer_key: "p256",
        speak: true,
    };
    let mut world = World::new(options).map_err(io)?;
    println!("To repeat the commands by hand:\n  export PATH={}:$PATH", programs.display());
    for (name, value) in world.environment() {
        println!("  export {name}={value}");
    }
    println!(
        "  (obnova: --pin-file {}; obnova-server: --dir {} --passphrase-file {})",
        world.path("pin").display(),
        world.path("server").display(),
        world.path("passphrase").display()
    );
    act("1", "A year ago: authority, office, identity space, and a clerk with two certificates");
    world.furnish().map_err(io)?;
    show(&world, &["list"])?;
    let played = match wishes.story.as_str() {
        "whole" => whole(&world, wishes.break_at.as_deref()),
        "full" => full(&world),
        "waiting" => waiting(&world),
        "debt" => debt(&world),
        "old-middleware" => old_middleware(&mut world),
        "locked-out" => locked_out(&world),
        _ => wrong_order(&world),
    };
    if played.is_err() {
        let kept = folder.keep();
        println!("The world of this demonstration stays in {}.", kept.display());
    } else {
        println!("\nPlayed in {} s.", begun.elapsed().as_secs());
        if wishes.keep {
            keep(&world)?;
        }
    }
    played
}

fn show(world: &World, arguments: &[&str]) -> Outcome {
    let output = world.obnova(arguments).map_err(io)?;
    if output.status.success() {
        Ok(())
    } else {
        Err(format!("obnova {} ended with {}", arguments.join(" "), output.status))
    }
}

/// A command that must end with this code.
fn expect(world: &World, arguments: &[&str], code: i32) -> Outcome {
    let output = world.obnova(arguments).map_err(io)?;
    if output.status.code() == Some(code) {
        return Ok(());
    }
    Err(format!("obnova {} ended with {}, where {code} was expected", arguments.join(" "), output.status))
}

fn whole(world: &World, break_at: Option<&str>) -> Outcome {
    act("4", "The plan for both certificates, looked at before any key is made");
    show(world, &["renew", "--all", "--dry-run"])?;
    act(
        "4, 5, 6, 10",
        "Both successors in the safe order: request, issue, install, test, account, rehearsal, retirement",
    );
    match break_at {
        None => show(world, &["renew", "--all"])?,
        Some(station) => {
            if !world.kill_at(&["renew", "--all"], station).map_err(io)? {
                return Err(format!("the station {station} was never reached"));
            }
            println!("The client was killed at {station}. Nothing is lost:");
            show_any(world, &["status"])?;
            show(world, &["resume"])?;
        }
    }
    act("5", "Letters that the authority and the identity space sent");
    world.letter_with("Message-ID: <bound-", Duration::from_secs(10));
    for letter in world.mail.letters() {
        for line in letter.lines().filter(|line| line.starts_with("Message-ID:") || line.starts_with("To:")) {
            println!("  {}", line.trim_end());
        }
    }
    act("10", "The account knows the successor, and nothing else opens it any more");
    show(world, &["register", "commercial"])?;
    world.server(&["account", "show", "demo.jana"]).map(|text| print!("{text}")).map_err(io)?;
    act("6", "What the clerk has now");
    show(world, &["list"])?;
    act("7", "A certificate that is valid and has no successor is never removed");
    let newest = world.serial_of("commercial").map_err(io)?;
    expect(world, &["retire", &newest, "--yes"], 1)?;
    println!(
        "\nNot in this play: 2 (cargo xtask dist), 11 (obnova bring, obnova import), 15 (obnova doctor --message). Not yet: a help desk (12, 13)."
    );
    println!(
        "Played elsewhere: 5 waiting (--story waiting), 7c and 8 a full token (--story full), 9 (--story old-middleware)."
    );
    println!("Try next: cargo demo --break Keyed, cargo demo --story full, cargo demo --keep");
    Ok(())
}

fn show_any(world: &World, arguments: &[&str]) -> Outcome {
    world.obnova(arguments).map(|_| ()).map_err(io)
}

fn ending(today: &str, here: &str) {
    println!("\nWith today's tools: {today}");
    println!("Here:               {here}");
}

fn full(world: &World) -> Outcome {
    if world.store() != Store::SoftHsm {
        return Err("this story needs a token: install SoftHSM (package softhsm2)".to_owned());
    }
    act("8", "The token is full (SoftHSM never says so, so here the settings do: room = 0)");
    let settings = world.path("home").join("obnova.toml");
    let text = std::fs::read_to_string(&settings).map_err(io)?;
    std::fs::write(&settings, format!("{text}room = 0\n")).map_err(io)?;
    let password = world.path("file-password");
    std::fs::write(&password, "DEMO file password\n").map_err(io)?;
    let password = password.display().to_string();
    show(world, &["renew", "--all", "--dry-run"])?;
    act("7c", "Through a file: the commercial one there first, into the account; the old one makes room for the other");
    show(world, &["renew", "--all", "--yes", "--file-password-file", &password])?;
    act("6", "What the clerk has now");
    show(world, &["list", "--file-password-file", &password])?;
    show(world, &["register", "commercial", "--file-password-file", &password])?;
    ending(
        "error 621 after the keys are made; a clean-up by hand, and one wrong click deletes a valid certificate for ever.",
        "found before a key was made; nothing left the token before what follows it worked and the account knew it.",
    );
    Ok(())
}

fn waiting(world: &World) -> Outcome {
    act("5", "The contract wants a clerk's approval: the request waits, for a minute or for a day");
    world.import(&Office { approval: true, ..Office::default() }).map_err(io)?;
    expect(world, &["renew", "--all"], 3)?;
    let list = world.server(&["request", "list"]).map_err(io)?;
    print!("{list}");
    for line in list.lines().filter(|line| line.contains("waiting")) {
        if let Some(id) = line.split_whitespace().next() {
            world.server(&["request", "approve", id]).map_err(io)?;
        }
    }
    show(world, &["resume"])?;
    ending(
        "you wait for a mail, come back, search for the certificate and install it by hand, once for each.",
        "the computer could be switched off meanwhile; one command went on where it was, without a new key.",
    );
    Ok(())
}

fn debt(world: &World) -> Outcome {
    act("5", "An invoice is unpaid: told before a key is made");
    world.import(&Office { debt_since: "2020-01-31".to_owned(), ..Office::default() }).map_err(io)?;
    expect(world, &["renew", "--all"], 1)?;
    act("5", "The invoice is paid");
    world.import(&Office::default()).map_err(io)?;
    show(world, &["renew", "--all"])?;
    ending(
        "the key is made, the request is sent, and then nothing comes; the debt is learnt by telephone.",
        "no key was made, and the one who can mend it was named; after that one command did all.",
    );
    Ok(())
}

fn old_middleware(world: &mut World) -> Outcome {
    if world.store() != Store::SoftHsm {
        return Err("this story needs a token: install SoftHSM (package softhsm2)".to_owned());
    }
    act("9", "The authority's directory names a newer middleware than the one installed");
    world.kill_server();
    world.authority_extra =
        "oldest_middleware = [{ model = \"SoftHSM\", version = \"99.0\", download = \"https://demo.obnova.example.com\" }]".to_owned();
    world.write_configuration().map_err(io)?;
    world.start_server().map_err(io)?;
    expect(world, &["renew", "--all"], 1)?;
    act("9", "The newer one is installed (here: the directory asks for less)");
    world.kill_server();
    world.authority_extra = String::new();
    world.write_configuration().map_err(io)?;
    world.start_server().map_err(io)?;
    show(world, &["renew", "--all"])?;
    ending(
        "error 622 comes after the key was made, when the request is sent.",
        "it was found before anything was made, with the version and where to get it.",
    );
    Ok(())
}

fn locked_out(world: &World) -> Outcome {
    act("7b", "Somebody tidies up too early: the old login certificate, before the account knows a new one");
    let old = world.serial_of("commercial").map_err(io)?;
    expect(world, &["retire", &old, "--yes"], 1)?;
    show(world, &["renew", "--all"])?;
    show(world, &["register", "commercial"])?;
    ending(
        "the certificate is gone for ever and the account is locked until an administrator acts.",
        "it was refused with the missing step; the renewal then moved the login before the old one left.",
    );
    Ok(())
}

fn wrong_order(world: &World) -> Outcome {
    act("4", "The person asks for everything; the planner owns the order: qualified first");
    show(world, &["renew", "--all", "--dry-run"])?;
    show(world, &["renew", "--all"])?;
    ending(
        "who asks for the commercial one first meets error 621 with the qualified one in hand.",
        "there was no order to get wrong.",
    );
    Ok(())
}

fn keep(world: &World) -> Outcome {
    println!("\nThe server stays up. Press Enter to end.");
    println!("  account page:  https://{}/", world.identity_address());
    println!("  CA to import:  {}", world.house_certificate("service").display());
    if world.store() == Store::File {
        println!("  .p12 to import: {} (password 123456)", world.path("demo.p12").display());
        println!(
            "  the same by curl: curl --cacert {} --cert {} https://{}/",
            world.house_certificate("service").display(),
            world.login_pem().map_err(io)?.display(),
            world.identity_address()
        );
    } else {
        println!(
            "  the key cannot leave the token: in Firefox add the SoftHSM module, or run cargo demo --file --keep"
        );
    }
    println!("  mails:         {}", world.path("mail").display());
    let invitation = world.server(&["invite", "DEMO-100", "--profile", "commercial", "--json"]).map_err(io)?;
    let invitation: serde_json::Value = serde_json::from_str(&invitation).map_err(|error| error.to_string())?;
    println!(
        "  openssl cmp:   openssl cmp -config \"\" -cmd genm -server https://{} -path .well-known/cmp -tls_used -tls_trusted {} \
         -ref {} -secret pass:{} -recipient /CN=any",
        world.authority_address(),
        world.house_certificate("service").display(),
        invitation["reference"].as_str().unwrap_or_default(),
        invitation["code"].as_str().unwrap_or_default(),
    );
    if std::io::stdin().read(&mut [0]).map_err(io)? == 0 {
        // Nobody can press Enter: then it stays until it is stopped.
        loop {
            std::thread::park();
        }
    }
    Ok(())
}
