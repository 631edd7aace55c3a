//! Every fault once: each operation with the device, at each of its PKCS#11 calls, with each outcome that a device is
//! known for. The list is made from a recorded run. Whatever happens, the old certificate works, nothing usable is
//! gone, and doing it again finishes.

use std::collections::BTreeMap;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::bench::{PIN, PUK};
use crate::foreign_ground::{FIELDS, ISSUE, office};
use crate::stage::has_softhsm;
use crate::token::{Desk, shell, told};

/// How long the part of the test command goes on; `OBNOVA_ALL_FAULTS=1` plays the whole list, and
/// `OBNOVA_FAULTS_OF=twice` those of one outcome.
const BOX: Duration = Duration::from_secs(100);

/// What can happen at a call, as rules of the module. The codes: CKR_GENERAL_ERROR, CKR_DEVICE_ERROR,
/// CKR_DEVICE_MEMORY, CKR_SESSION_HANDLE_INVALID. The last two are told apart by call ([`can_happen`]).
const OUTCOMES: [&str; 9] = [
    "pulled.{call} = {n}",
    "before.{call} = {n}",
    "after.{call} = {n}",
    "fail.{call} = 0x05#{n}",
    "fail.{call} = 0x30#{n}",
    "fail.{call} = 0x31#{n}",
    "fail.{call} = 0xB3#{n}",
    "unread.{call} = {n}",
    "twice.{call} = {n}",
];

/// Whether an outcome exists for a call: what brings or stores objects can bring one that cannot be read, or one twice.
fn can_happen(outcome: &str, call: &str) -> bool {
    match outcome.split('.').next() {
        Some("unread") => ["C_GetAttributeValue", "C_CreateObject"].contains(&call),
        Some("twice") => ["C_FindObjects", "C_CreateObject"].contains(&call),
        _ => true,
    }
}

/// One operation: how it is done, and done again; and what is true when it is done.
struct Operation {
    name: &'static str,
    run: Box<dyn Fn(&Desk) -> Output>,
    /// Exit code of a run that did it.
    code: i32,
    /// Which certificate works at every moment; empty where the device is emptied.
    works: &'static str,
    /// Which one works at the end, and how many private keys there are then.
    ends: (&'static str, u64),
}

/// The PIN that a PIN is changed to, and back from.
const OTHER_PIN: &str = "654321";

/// Changes the PIN, and changes it back.
fn change_pin(desk: &Desk) -> Output {
    let (old, new) = (desk.secret("old-pin", PIN), desk.secret("new-pin", OTHER_PIN));
    let there = desk.run(&["pin", "change", "--new-pin-file", &new]);
    if !there.status.success() {
        return there;
    }
    desk.secret("pin", OTHER_PIN);
    let back = desk.run(&["pin", "change", "--new-pin-file", &old]);
    desk.secret("pin", PIN);
    back
}

/// After a change that was cut short one of the two PINs is right; whichever it is, the old one is made right again.
fn settle_pin(desk: &Desk) {
    if desk.run(&["pin", "verify"]).status.success() {
        return;
    }
    desk.secret("pin", OTHER_PIN);
    let old = desk.secret("old-pin", PIN);
    let back = desk.run(&["pin", "change", "--new-pin-file", &old]);
    desk.secret("pin", PIN);
    assert!(back.status.success(), "neither the old PIN nor the new one is right: {}", told(&back));
}

/// Empties the device and begins it anew under its name.
fn initialise(desk: &Desk) -> Output {
    let (puk, new) = (desk.secret("puk", PUK), desk.secret("new-pin", PIN));
    let named = ["token", "initialise", "--name", "Token", "--typed", "Token"];
    desk.run(&[&named[..], &["--puk-file", &puk, "--new-pin-file", &new]].concat())
}

fn copy(desk: &Desk, from: &str, to: &str) {
    shell(
        desk.bench.path("").as_path(),
        &format!(
            "rm -rf {to}; mkdir -p {to}; for d in tokens home; do \
             if [ -e {from}/$d ]; then cp -a {from}/$d {to}/$d; fi; done"
        ),
    );
}

fn restore(desk: &Desk, from: &str) {
    shell(
        desk.bench.path("").as_path(),
        &format!("rm -rf tokens home rules.pulled; cp -a {from}/tokens {from}/home ."),
    );
}

/// Calls of a run, in order.
fn recorded(desk: &Desk, operation: &Operation) -> Vec<String> {
    let _ = std::fs::remove_file(desk.bench.path("calls"));
    let output = (operation.run)(desk);
    assert_eq!(output.status.code(), Some(operation.code), "{}: {}", operation.name, told(&output));
    desk.bench.calls()
}

fn private_keys(desk: &Desk) -> u64 {
    let survey = desk.ask(&["clean", "--dry-run"]);
    let items = survey["items"].as_array().unwrap();
    let mut keys: Vec<&str> = items.iter().filter_map(|item| item["key_sha256"].as_str()).collect();
    keys.sort_unstable();
    keys.dedup();
    keys.len() as u64
}

fn play(desk: &Desk, operation: &Operation, snapshot: &str, rule: &str) {
    restore(desk, snapshot);
    desk.bench.rules(rule);
    let faulty = (operation.run)(desk);
    desk.bench.rules("");
    let _ = std::fs::remove_file(desk.bench.path("rules.pulled"));
    let context = || format!("{} with {rule}: {}", operation.name, told(&faulty));
    // A fault is told as one, and never as a crash of ours.
    assert!(faulty.status.code().is_some_and(|code| [0, 1, 3].contains(&code)), "{}", context());
    assert!(!told(&faulty).contains("panicked"), "{}", context());
    if operation.name == "pin" {
        settle_pin(desk);
    }
    if !operation.works.is_empty() {
        let works = desk.run(&["prove", operation.works]);
        assert!(works.status.success(), "{} no longer works after {}\n{}", operation.works, context(), told(&works));
    }
    let again = (operation.run)(desk);
    let code = again.status.code();
    let is_done = code == Some(operation.code) || told(&again).contains("[certificate-not-found]");
    assert!(is_done, "again after {}\n{}", context(), told(&again));
    let (ends, keys) = operation.ends;
    if ends.is_empty() {
        assert!(desk.run(&["pin", "verify"]).status.success(), "the new PIN after {}", context());
        return;
    }
    let proof = desk.run(&["prove", ends]);
    assert!(proof.status.success(), "{ends} after {}\n{}", context(), told(&proof));
    assert_eq!(private_keys(desk), keys, "keys after {}", context());
}

/// Asks, or goes on when it was asked before.
fn request(desk: &Desk) -> Output {
    let anchor = desk.file("ca.pem");
    let output = desk.run(&[&["request", "4711", "--anchor", &anchor, "--key", "rsa3072"][..], &FIELDS].concat());
    if told(&output).contains("[renewal-open]") { desk.run(&["resume"]) } else { output }
}

#[test]
fn every_call_with_every_outcome() {
    if !has_softhsm() {
        return;
    }
    let desk = office();
    copy(&desk, ".", "before-request");
    let operations = [
        Operation { name: "request", run: Box::new(request), code: 3, works: "4711", ends: ("4711", 2) },
        Operation {
            name: "pickup",
            run: Box::new(|desk| desk.run(&["pickup", &desk.file("new.pem")])),
            code: 3,
            works: "4711",
            ends: ("4712", 2),
        },
        Operation {
            name: "retire",
            run: Box::new(|desk| desk.run(&["retire", "4711", "--yes", "--typed", "4711"])),
            code: 0,
            works: "4712",
            ends: ("4712", 1),
        },
        Operation {
            name: "import",
            run: Box::new(|desk| {
                let (file, password) = (desk.file("other.p12"), desk.file("file-password"));
                desk.run(&["import", &file, "--store", "Token", "--file-password-file", &password])
            }),
            code: 0,
            works: "4711",
            ends: ("4720", 2),
        },
        Operation { name: "pin", run: Box::new(change_pin), code: 0, works: "4711", ends: ("4711", 1) },
        Operation { name: "initialise", run: Box::new(initialise), code: 0, works: "", ends: ("", 0) },
    ];
    shell(
        desk.bench.path("").as_path(),
        "openssl ecparam -name prime256v1 -genkey -noout -out other.key 2>/dev/null\n\
         openssl req -new -key other.key -subj /CN=Other -config ca.cnf -out other.csr\n\
         openssl x509 -req -in other.csr -CA ca.pem -CAkey ca.key -set_serial 4720 -days 30 -extfile ca.cnf \
         -extensions person -out other.pem 2>/dev/null\n\
         openssl pkcs12 -export -inkey other.key -in other.pem -passout 'pass:Heslo 1' -out other.p12",
    );
    // A clean run of each, from which the list is made; the state before each is kept.
    let mut list: Vec<(usize, &str, String, u64)> = Vec::new();
    let mut snapshots = ["before-request"; 6];
    (snapshots[1], snapshots[2]) = ("before-pickup", "before-retire");
    for (index, operation) in operations.iter().enumerate() {
        match operation.name {
            "pickup" => {
                let draft = Command::new("sh")
                    .args(["-c", "ls home/requests/*.req"])
                    .current_dir(desk.bench.path(""))
                    .output()
                    .unwrap();
                let file = String::from_utf8_lossy(&draft.stdout).trim().to_owned();
                shell(desk.bench.path("").as_path(), &format!("cp {file} request.req; {ISSUE}"));
                copy(&desk, ".", "before-pickup");
            }
            "retire" => {
                desk.ask(&["account", "4712", "--told", "JIP"]);
                assert!(desk.run(&["resume"]).status.success());
                copy(&desk, ".", "before-retire");
            }
            "import" | "pin" | "initialise" => restore(&desk, "before-request"),
            _ => {}
        }
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for call in recorded(&desk, operation) {
            let n = counts.entry(call.clone()).or_insert(0);
            *n += 1;
            for outcome in OUTCOMES.into_iter().filter(|outcome| can_happen(outcome, &call)) {
                list.push((index, outcome, call.clone(), *n));
            }
        }
    }
    let all = std::env::var("OBNOVA_ALL_FAULTS").is_ok();
    if let Ok(only) = std::env::var("OBNOVA_FAULTS_OF") {
        list.retain(|(_, outcome, _, _)| outcome.starts_with(&only));
    }
    // Spread over the list, so that every kind is among the first: a step that shares no factor with its length. What
    // writes comes before what reads.
    let whole = list.len();
    let step = (whole * 382 / 1000..).find(|step| gcd(*step, whole) == 1).unwrap_or(1);
    let mut spread: Vec<_> = (0..whole).map(|turn| &list[turn * step % whole]).collect();
    let writes = [
        "C_GenerateKeyPair",
        "C_CreateObject",
        "C_DestroyObject",
        "C_Sign",
        "C_Login",
        "C_SetPIN",
        "C_InitPIN",
        "C_InitToken",
    ];
    let is_of_objects = |outcome: &str| outcome.starts_with("unread") || outcome.starts_with("twice");
    spread.sort_by_key(|(_, outcome, call, n)| {
        !(writes.contains(&call.as_str()) || is_of_objects(outcome) && n % 16 == 1)
    });
    let begun = Instant::now();
    let mut table: BTreeMap<(&str, String), [u32; OUTCOMES.len()]> = BTreeMap::new();
    let mut played = 0;
    for (index, outcome, call, n) in spread {
        if !all && begun.elapsed() > BOX {
            break;
        }
        let rule = outcome.replace("{call}", call).replace("{n}", &n.to_string());
        play(&desk, &operations[*index], snapshots[*index], &rule);
        let place = OUTCOMES.iter().position(|known| known == outcome).unwrap();
        table.entry((operations[*index].name, call.clone())).or_default()[place] += 1;
        played += 1;
    }
    let heads: String = ["pulled", "before", "after", "0x05", "0x30", "0x31", "0xB3", "unread", "twice"]
        .iter()
        .map(|head| format!("{head:>8}"))
        .collect();
    eprintln!("{:<10}{:<24}{heads}", "", "call");
    for ((operation, call), counts) in &table {
        let row: String = counts.iter().map(|count| format!("{count:>8}")).collect();
        eprintln!("{operation:<10}{call:<24}{row}");
    }
    eprintln!("{played} of {whole} faults were played; OBNOVA_ALL_FAULTS=1 plays all of them");
    assert!(played > 20, "the time box is too small to say anything");
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}
