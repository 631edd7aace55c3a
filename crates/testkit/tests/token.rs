//! What a person does with the device in their hand, by the real program: care, clean-up, import and export.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use obnova_testkit::{Engine, Store};
use serde_json::Value;

use crate::bench::{Bench, PIN, PUK, faultp11};
use crate::stage::{has_softhsm, programs, skip, world};

/// A home of the program whose only store is a bench.
pub(crate) struct Desk {
    pub(crate) bench: Bench,
}

pub(crate) fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

impl Desk {
    pub(crate) fn new(labels: &[&str], rules: &str) -> Self {
        let desk = Self { bench: Bench::new(labels, rules) };
        std::fs::create_dir(desk.bench.path("home")).unwrap();
        desk.settings(&format!("discover = false\n[[store]]\nmodule = {:?}\n", faultp11().display().to_string()));
        desk.secret("pin", PIN);
        desk.secret("puk", PUK);
        desk
    }

    pub(crate) fn settings(&self, text: &str) {
        std::fs::write(self.bench.path("home").join("obnova.toml"), text).unwrap();
    }

    pub(crate) fn secret(&self, name: &str, text: &str) -> String {
        let path = self.bench.path(name);
        std::fs::write(&path, format!("{text}\n")).unwrap();
        path.display().to_string()
    }

    pub(crate) fn file(&self, name: &str) -> String {
        self.bench.path(name).display().to_string()
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.run_with(arguments, &[])
    }

    /// The same with variables of its own.
    pub(crate) fn run_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        let mut command = Command::new(programs().join("obnova"));
        command.args(arguments).args(["--lang", "en", "--pin-file"]).arg(self.bench.path("pin"));
        command.env("OBNOVA_HOME", self.bench.path("home")).env("HOME", self.bench.path("home"));
        command.envs(self.bench.environment()).envs(variables.iter().copied());
        command.stdin(Stdio::null()).output().unwrap()
    }

    #[track_caller]
    pub(crate) fn ask(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--json"]].concat());
        assert!(output.status.success(), "{arguments:?}: {}", told(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    #[track_caller]
    pub(crate) fn refused(&self, arguments: &[&str], code: &str) {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", told(&output));
        assert!(told(&output).contains(&format!("[{code}]")), "{code}: {}", told(&output));
    }
}

pub(crate) fn shell(folder: &std::path::Path, script: &str) {
    let output = Command::new("sh").args(["-ec", script]).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{script}\n{}", told(&output));
}

/// A PKCS#12 file that OpenSSL made, `person.p12` under the password `Heslo 1`.
fn person(desk: &Desk, days: &str) -> String {
    let script = format!(
        "printf '[req]\\ndistinguished_name=d\\nx509_extensions=v\\n[d]\\n[v]\\nbasicConstraints=CA:FALSE\\n' > req.cnf\n\
         openssl req -config req.cnf -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days {days} -subj '/CN=Jana DEMO' \
         -set_serial 0x0abcdef012 2>/dev/null\n\
         openssl pkcs12 -export -inkey key.pem -in cert.pem -name person -passout 'pass:Heslo 1' -out person.p12"
    );
    shell(desk.bench.path("").as_path(), &script);
    desk.secret("file-password", "Heslo 1");
    desk.file("person.p12")
}

#[test]
fn a_file_goes_onto_the_token_checked_first() {
    if !has_softhsm() {
        return;
    }
    let desk = Desk::new(&["Token"], "");
    let file = person(&desk, "30");
    let password = desk.file("file-password");
    let import = ["import", &file, "--store", "Token", "--file-password-file", &password];
    desk.secret("file-password", "wrong");
    desk.refused(&import, "password-wrong");
    desk.secret("file-password", "Heslo 1");
    // A device that cannot hold such a key is told before anything is written.
    desk.bench.rules("max_rsa_bits = 1024");
    desk.refused(&import, "key-kind-unsupported");
    assert!(!desk.bench.calls().contains(&"C_CreateObject".to_owned()));
    desk.bench.rules("");
    let first = desk.ask(&import);
    assert_eq!(first["imported"][0]["was_there"], false, "{first}");
    assert_eq!(first["imported"][0]["on_device"], true);
    let second = desk.ask(&import);
    assert_eq!(second["imported"][0]["was_there"], true, "{second}");
    assert!(told(&desk.run(&import)).contains("not made on the device"));
    // pkcs11-tool pairs and signs with what was brought.
    let module = obnova_testkit::softhsm_module().unwrap();
    let tool = |arguments: &str| {
        let script = format!(
            "export SOFTHSM2_CONF={}; pkcs11-tool --module {} --login --pin {PIN} --token-label Token {arguments}",
            desk.file("softhsm2.conf"),
            module.display()
        );
        shell(desk.bench.path("").as_path(), &script);
    };
    shell(desk.bench.path("").as_path(), "printf 'a text' > text");
    tool("--sign --mechanism SHA256-RSA-PKCS --label 'Jana DEMO' --input-file text --output-file signature");
    shell(
        desk.bench.path("").as_path(),
        "openssl x509 -in cert.pem -noout -pubkey > public.pem; \
         openssl dgst -sha256 -verify public.pem -signature signature text",
    );
    // A certificate leaves; a key of a device does not, and a person is told what to do instead.
    let out = desk.file("out.pem");
    desk.ask(&["export", "0x0abcdef012", "--to", &out]);
    shell(desk.bench.path("").as_path(), "cmp cert.pem out.pem || openssl x509 -in out.pem -noout");
    desk.refused(&["export", "0x0abcdef012", "--to", &out], "file-exists");
    let pair = desk.file("pair.p12");
    desk.refused(&["export", "0x0abcdef012", "--with-key", "--to", &pair], "not-exportable");
    assert!(!desk.bench.path("pair.p12").exists());
}

#[test]
fn a_key_that_does_not_match_and_one_that_is_too_much_leave_nothing() {
    if !has_softhsm() {
        return;
    }
    let desk = Desk::new(&["Token"], "");
    person(&desk, "30");
    let password = desk.file("file-password");
    shell(
        desk.bench.path("").as_path(),
        "openssl req -x509 -newkey rsa:2048 -nodes -keyout other.pem -out other.crt -days 30 -subj /CN=Other 2>/dev/null\n\
         openssl pkcs12 -export -nocerts -inkey key.pem -passout 'pass:Heslo 1' -out keyonly.p12",
    );
    let only = desk.file("keyonly.p12");
    desk.refused(&["import", &only, "--store", "Token", "--file-password-file", &password], "pfx-empty");
    std::fs::write(desk.bench.path("noise.p12"), [0x30, 0x82, 0xFF, 0xFF, 1, 2, 3]).unwrap();
    let noise = desk.file("noise.p12");
    desk.refused(&["import", &noise, "--store", "Token", "--file-password-file", &password], "pfx-wrong");
    desk.bench.rules("capacity = 600");
    let file = desk.file("person.p12");
    let import = ["import", &file, "--store", "Token", "--file-password-file", &password];
    desk.refused(&import, "store-full");
    // A general error near a write is answered by counting again, and by naming what may go.
    for capacity in [600, 1_000] {
        // Full at the key, and full at its certificate.
        desk.bench.rules(&format!("capacity = {capacity}\nfull_rv = 0x31"));
        desk.refused(&import, "store-full");
    }
    desk.bench.rules("capacity = 600\nfull_rv = 0x05");
    let output = desk.run(&import);
    assert!(told(&output).contains("[write-failed]") && told(&output).contains("counted: 0"), "{}", told(&output));
    desk.bench.rules("");
    let survey = desk.ask(&["clean", "--dry-run"]);
    assert_eq!(survey["items"].as_array().unwrap().len(), 0, "{survey}");
}

#[test]
fn a_device_is_shown_named_and_emptied_only_by_its_name() {
    if !has_softhsm() {
        return;
    }
    let desk = Desk::new(
        &["Token"],
        "model = TokenME\nmanufacturer = Oberthur\npin_tries = 3\npuk_tries = 3\nlibrary_version = 1.4",
    );
    let file = person(&desk, "30");
    let password = desk.file("file-password");
    desk.ask(&["import", &file, "--store", "Token", "--file-password-file", &password]);
    let devices = desk.ask(&["token", "info"]);
    // It looks like one whose certification has ended; nobody has seen how that one names itself, so nothing is claimed.
    assert_eq!(devices[0]["standing"], "perhaps", "{devices}");
    assert_eq!(devices[0]["until"], "2022-12-31");
    assert_eq!(devices[0]["room"]["census"]["certificates"], 1);
    desk.ask(&["token", "name", "Můj token", "--store", "Token"]);
    assert_eq!(desk.ask(&["token", "info"])[0]["name"], "Můj token");
    let (puk, new) = (desk.file("puk"), desk.secret("new", "112233"));
    let initialise = |typed: &str, puk: &str| -> Vec<String> {
        ["token", "initialise", "--name", "Fresh", "--typed", typed, "--puk-file", puk, "--new-pin-file", &new]
            .map(str::to_owned)
            .to_vec()
    };
    let run = |arguments: Vec<String>| desk.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    let output = run(initialise("Token", &puk));
    assert!(told(&output).contains("[name-not-typed]"), "{}", told(&output));
    assert!(told(&output).contains("Jana DEMO"), "what would be lost is listed: {}", told(&output));
    let wrong = desk.secret("wrong", "00000000");
    let output = run(initialise("Můj token", &wrong));
    assert!(told(&output).contains("[puk-incorrect]"), "{}", told(&output));
    let output = run(initialise("Můj token", &puk));
    assert!(output.status.success(), "{}", told(&output));
    assert_eq!(desk.ask(&["token", "info"])[0]["room"]["census"]["certificates"], 0);
    desk.secret("pin", "112233");
    desk.ask(&["pin", "verify"]);
    // Public parts went to the archive.
    assert_eq!(std::fs::read_dir(desk.bench.path("home").join("archive")).unwrap().count(), 1);
    // The PUK: tries are guarded like those of the PIN, and it can be changed.
    let next = desk.secret("next-puk", "99887766");
    desk.refused(&["pin", "change-puk", "--puk-file", &wrong, "--new-puk-file", &next], "puk-incorrect");
    desk.refused(&["pin", "change-puk", "--puk-file", &wrong, "--new-puk-file", &next], "puk-incorrect-last-try");
    desk.refused(&["pin", "change-puk", "--puk-file", &puk, "--new-puk-file", &next], "puk-last-try");
    desk.ask(&["pin", "change-puk", "--puk-file", &puk, "--new-puk-file", &next, "--last-try"]);
    desk.ask(&["pin", "unblock", "--puk-file", &next, "--new-pin-file", &new]);
}

#[test]
fn clean_up_tells_first_and_removes_only_what_may_go() {
    if !has_softhsm() {
        return;
    }
    let (world, _folder) = world(Store::SoftHsm, Engine::Sqlite);
    let items = |arguments: &[&str]| world.ask(arguments).unwrap();
    let before = items(&["clean", "--dry-run"]);
    let why = |found: &Value, may_go: bool| -> Vec<String> {
        let all = found["items"].as_array().unwrap();
        all.iter()
            .filter(|item| item["may_go"] == may_go)
            .map(|item| item["why"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(why(&before, true), Vec::<String>::new(), "{before}");
    assert_eq!(why(&before, false), ["stays-no-successor", "stays-no-successor"]);
    // Nothing forces a valid one out.
    assert_eq!(items(&["clean", "--yes", "--lose-old-mail"])["removed"].as_array().unwrap().len(), 0);
    // A renewal that was cut after its key: the key waits, and clean-up names the journey.
    assert!(world.kill_at(&["renew", "--all"], "keyed").unwrap());
    let waiting = items(&["clean", "--yes"]);
    assert!(why(&waiting, false).contains(&"stays-waits".to_owned()), "{waiting}");
    let journey = waiting["items"].as_array().unwrap().iter().find(|item| item["why"] == "stays-waits").unwrap();
    assert!(journey["journey"].is_string());
    assert!(world.obnova(&["resume"]).unwrap().status.success());
    let after = items(&["clean", "--dry-run"]);
    assert!(why(&after, true).contains(&"goes-superseded".to_owned()), "{after}");
    let done = items(&["clean", "--yes", "--lose-old-mail"]);
    assert_eq!(done["removed"].as_array().unwrap().len(), 2, "{done}");
    let (was, is) = (&done["measured"][0]["before"], &done["measured"][0]["after"]);
    assert_eq!(was["certificates"].as_u64().unwrap() - is["certificates"].as_u64().unwrap(), 2);
    assert_eq!(was["private_keys"].as_u64().unwrap() - is["private_keys"].as_u64().unwrap(), 2, "keys go with them");
    assert_eq!(is["private_keys"], is["public_keys"], "nothing is left behind");
    // What stayed works, and the public part of what went can come back.
    assert!(world.obnova(&["prove", "qualified"]).unwrap().status.success());
    assert!(world.obnova(&["prove", "commercial"]).unwrap().status.success());
    let serial = done["removed"][0]["serial"].as_str().unwrap();
    assert!(world.obnova(&["restore", serial]).unwrap().status.success());
    let listed = items(&["list"]);
    let is_back = listed["certificates"].as_array().unwrap().iter().any(|view| view["hexadecimal"] == serial);
    assert!(is_back, "{listed}");
    let unknown = world.obnova(&["restore", "4711"]).unwrap();
    assert!(told(&unknown).contains("[not-archived]"));
}

#[test]
fn a_key_of_another_program_stays_until_it_is_given_up_by_name() {
    if !has_softhsm() {
        return;
    }
    let desk = Desk::new(&["Token"], "");
    let module = obnova_testkit::softhsm_module().unwrap();
    let script = format!(
        "export SOFTHSM2_CONF={}; pkcs11-tool --module {} --login --pin {PIN} --token-label Token --keypairgen \
         --key-type EC:prime256v1 --id 07 --label foreign >/dev/null 2>&1",
        desk.file("softhsm2.conf"),
        module.display()
    );
    shell(desk.bench.path("").as_path(), &script);
    let found = desk.ask(&["clean", "--yes"]);
    assert_eq!(found["items"][0]["why"], "stays-unknown-request", "{found}");
    let fingerprint = found["items"][0]["key_sha256"].as_str().unwrap().to_owned();
    assert_eq!(desk.ask(&["clean", "--yes", "--give-up", &fingerprint[..4]])["removed"].as_array().unwrap().len(), 0);
    let done = desk.ask(&["clean", "--yes", "--give-up", &fingerprint[..12]]);
    assert_eq!(done["removed"].as_array().unwrap().len(), 1, "{done}");
    assert_eq!(done["measured"][0]["after"]["public_keys"], 0);
}

#[test]
fn a_browser_is_a_store_and_its_key_goes_to_the_token_in_one_command() {
    if !has_softhsm() {
        return;
    }
    if !PathBuf::from("/usr/bin/certutil").exists() {
        return skip("certutil of NSS");
    }
    let desk = Desk::new(&["Token"], "");
    person(&desk, "30");
    desk.settings(&format!("[[store]]\nmodule = {:?}\n", faultp11().display().to_string()));
    let _alone = obnova_testkit::without_cards();
    // Chromium's and Firefox's databases are looked for in the home.
    shell(
        desk.bench.path("").as_path(),
        "for d in home/.pki/nssdb home/.mozilla/firefox/x.default; do mkdir -p $d; \
         certutil -N -d sql:$d --empty-password; done; \
         pk12util -i person.p12 -d sql:home/.mozilla/firefox/x.default -K '' -W 'Heslo 1' >/dev/null",
    );
    let listed = desk.ask(&["list"]);
    let stores = listed["stores"].as_array().unwrap();
    assert_eq!(stores.iter().filter(|store| store["kind"] == "browser").count(), 2, "{listed}");
    let found = listed["certificates"].as_array().unwrap();
    let person = found.iter().find(|view| view["hexadecimal"] == "abcdef012" || view["hexadecimal"] == "0abcdef012");
    assert!(person.unwrap()["store"].as_str().unwrap().starts_with("nss:"), "{listed}");
    // Words find it, and others do not.
    assert_eq!(desk.ask(&["list", "jana", "RSA"])["certificates"].as_array().unwrap().len(), 1);
    assert_eq!(desk.ask(&["list", "jana", "P-256"])["certificates"], serde_json::json!([]));
    let brought = desk.ask(&["bring", "0x0abcdef012", "--store", "Token"]);
    assert_eq!(brought["imported"][0]["on_device"], true, "{brought}");
    // The other way a device keeps its key.
    let devices = desk.ask(&["list"]);
    assert!(devices["certificates"].as_array().unwrap().len() == 1, "the same certificate is listed once: {devices}");
}

#[test]
fn a_module_that_hangs_costs_its_own_line_only() {
    if !has_softhsm() {
        return;
    }
    let desk = Desk::new(&["Token"], "");
    person(&desk, "30");
    let other = desk.file("person.p12");
    desk.settings(&format!(
        "discover = false\n[[store]]\nmodule = {:?}\n[[store]]\nfile = {other:?}\n[[store]]\nmodule = \"/nowhere.so\"\n",
        faultp11().display().to_string()
    ));
    desk.secret("pin", "Heslo 1");
    for (rules, code) in [("before.C_GetSlotList = 1", "module-crashed"), ("hang.C_GetSlotList = 1", "module-silent")] {
        desk.bench.rules(rules);
        let listed = desk.ask(&["list"]);
        let problems: Vec<String> = listed["stores"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|store| store["problem"].as_str().map(|text| text.split(':').next().unwrap().to_owned()))
            .collect();
        assert_eq!(problems, [code, "module-missing"], "{listed}");
        assert_eq!(listed["certificates"].as_array().unwrap().len(), 1, "the file is listed all the same");
    }
}

#[test]
fn a_key_in_a_file_is_copied_at_once_or_refused_knowingly() {
    let (world, _folder) = world(Store::File, Engine::Sqlite);
    let settings = world.path("home").join("obnova.toml");
    let text = std::fs::read_to_string(&settings).unwrap().replace("backup = false\n", "");
    std::fs::write(&settings, text).unwrap();
    let undecided = world.obnova(&["renew", "--all"]).unwrap();
    assert!(told(&undecided).contains("[backup-undecided]"), "{}", told(&undecided));
    assert!(!world.path("demo.p12.waiting").exists(), "no key was made");
    // A folder where somebody else's file of this name lies is not written to.
    let copies = world.path("copies").display().to_string();
    std::fs::create_dir(&copies).unwrap();
    std::fs::write(world.path("copies/demo.p12.waiting"), "not ours").unwrap();
    let taken = world.obnova(&["resume", "--backup-to", &copies]).unwrap();
    assert!(told(&taken).contains("[file-exists]"), "{}", told(&taken));
    std::fs::remove_file(world.path("copies/demo.p12.waiting")).unwrap();
    let output = world.obnova(&["resume", "--backup-to", &copies]).unwrap();
    assert!(output.status.success(), "{}", told(&output));
    // The copy is the whole file, and works as one.
    assert_eq!(std::fs::read(world.path("demo.p12")).unwrap(), std::fs::read(world.path("copies/demo.p12")).unwrap());
    let backup = world.ask(&["backup", "--to", &world.path("usb").display().to_string()]).unwrap();
    assert!(backup[0]["tested"].as_u64().unwrap() >= 4, "{backup}");
}

#[test]
fn a_certificate_of_one_device_gets_its_successor_on_another() {
    if !has_softhsm() {
        return;
    }
    let (world, _folder) = world(Store::SoftHsm, Engine::Sqlite);
    shell(
        world.path("").as_path(),
        &format!(
            "SOFTHSM2_CONF={} softhsm2-util --init-token --free --label 'New token' --pin {PIN} --so-pin {PUK} >/dev/null",
            world.path("softhsm2.conf").display()
        ),
    );
    // Cut in the middle, it goes on to the same place.
    assert!(world.kill_at(&["renew", "--all", "--onto", "New token"], "issued").unwrap());
    // A PIN of its own is given on its own; without one it is the same for both.
    let own = world.path("own.pin");
    std::fs::write(&own, PIN).unwrap();
    let output = world.obnova(&["resume", "--onto-pin-file", &own.display().to_string()]).unwrap();
    assert!(output.status.success(), "{}", told(&output));
    let listed = world.ask(&["list"]).unwrap();
    let place = |name: &str| -> String {
        let stores = listed["stores"].as_array().unwrap();
        let found = stores.iter().find(|store| store["name"] == name).unwrap();
        found["id"].as_str().unwrap().to_owned()
    };
    let on = |store: &str| {
        let all = listed["certificates"].as_array().unwrap();
        all.iter().filter(|view| view["store"] == store && view["kind"] != "authority").count()
    };
    assert_eq!((on(&place("DEMO token")), on(&place("New token"))), (2, 2), "{listed}");
    assert!(world.obnova(&["prove", "commercial"]).unwrap().status.success());
    assert!(world.obnova(&["register", "commercial"]).unwrap().status.success(), "the account knows the new one");
}
