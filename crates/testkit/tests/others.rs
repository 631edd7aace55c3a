//! What others made: certificates, files and pairs that no program of ours would write. Nothing is given up for lack of
//! understanding: it is listed, its key is kept, and it keeps its octets.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use obnova_testkit::softhsm_module;
use serde_json::Value;

use crate::bench::PIN;
use crate::stage::{has_softhsm, programs, skip};
use crate::token::{Desk, shell, told};

/// Writes a key and a certificate that OpenSSL made onto the token of a desk, and gives the certificate's octets.
fn put(desk: &Desk, name: &str, id: &str) -> Vec<u8> {
    let folder = desk.bench.path("");
    let module = softhsm_module().unwrap();
    let tool = format!(
        "SOFTHSM2_CONF={}/softhsm2.conf pkcs11-tool --module {} --login --pin {PIN}",
        folder.display(),
        module.display()
    );
    shell(
        &folder,
        &format!(
            "openssl pkcs8 -topk8 -nocrypt -in {name}.key -outform DER -out {name}.p8 2>/dev/null\n\
             openssl x509 -in {name}.pem -outform DER -out {name}.der\n\
             {tool} --write-object {name}.p8 --type privkey --id {id} --label {name} >/dev/null 2>&1\n\
             {tool} --write-object {name}.der --type cert --id {id} --label {name} >/dev/null 2>&1"
        ),
    );
    std::fs::read(folder.join(format!("{name}.der"))).unwrap()
}

/// An authority in the folder of a desk, and a person's certificate by it; `how` are options of `openssl x509`.
fn certify(folder: &Path, name: &str, days: u32, how: &str) {
    shell(
        folder,
        &format!(
            "[ -f ca.pem ] || openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 3650 -subj '/C=CZ/CN=Foreign CA' 2>/dev/null\n\
             [ -f {name}.key ] || openssl genrsa -out {name}.key 2048 2>/dev/null\n\
             openssl req -new -key {name}.key -subj '/C=CZ/O=Obec Lhota/CN=Jan {name}' -out {name}.csr\n\
             printf 'keyUsage=critical,digitalSignature\\nextendedKeyUsage=clientAuth\\nsubjectKeyIdentifier=hash\\n' > {name}.ext\n\
             openssl x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -days {days} -extfile {name}.ext -out {name}.pem {how} 2>/dev/null"
        ),
    );
}

/// Replaces octets of an object in the token's own files; both are of one length, as the token checks nothing of them.
fn rewrite(tokens: &Path, old: &[u8], new: &[u8]) {
    assert_eq!(old.len(), new.len());
    let mut replaced = 0;
    let mut folders = vec![tokens.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let mut bytes = std::fs::read(&path).unwrap();
            if let Some(at) = bytes.windows(old.len()).position(|window| window == old) {
                bytes[at..at + old.len()].copy_from_slice(new);
                std::fs::write(&path, bytes).unwrap();
                replaced += 1;
            }
        }
    }
    assert_eq!(replaced, 1, "the object was found in one file");
}

/// The same octets with one place changed.
fn changed(octets: &[u8], place: &[u8], by: &[u8]) -> Vec<u8> {
    assert_eq!(place.len(), by.len());
    let at = octets.windows(place.len()).position(|window| window == place).unwrap();
    [&octets[..at], by, &octets[at + place.len()..]].concat()
}

fn private_keys(desk: &Desk) -> usize {
    let module = softhsm_module().unwrap();
    let output = Command::new("pkcs11-tool")
        .env("SOFTHSM2_CONF", desk.bench.path("softhsm2.conf"))
        .arg("--module")
        .arg(module)
        .args(["--login", "--pin", PIN, "-O", "--type", "privkey"])
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).matches("Private Key Object").count()
}

/// What the key of a certificate that cannot be read must survive.
fn key_is_kept(desk: &Desk, what: &str) {
    let list = desk.ask(&["list"]);
    let unread = list["unread"].as_array().unwrap();
    assert_eq!(unread.len(), 1, "{what}: it is listed: {list}");
    assert!(!unread[0]["why"].as_str().unwrap().is_empty(), "{what}");
    let text = String::from_utf8_lossy(&desk.run(&["list"]).stdout).into_owned();
    assert!(text.contains("cannot read"), "{what}: {text}");
    let info = desk.ask(&["token", "info"]);
    assert_eq!(info[0]["room"]["census"]["certificates"], 1, "{what}: {info}");
    assert_eq!(info[0]["room"]["census"]["unread"], 1, "{what}");
    let doctor = desk.run(&["doctor"]);
    let doctor = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(doctor.contains("cannot read"), "{what}: {doctor}");
    let survey = desk.ask(&["clean", "--dry-run"]);
    let items = survey["items"].as_array().unwrap();
    let key = items.iter().find(|item| item["unread"].is_null()).unwrap_or_else(|| panic!("{what}: {survey}"));
    assert_eq!(key["why"], "stays-claimed", "{what}: {survey}");
    let identity = unread[0]["identity"].as_str().unwrap();
    assert_eq!(key["claimed_by"][0], identity, "{what}: what blocks is named");
    // Giving the key up is not enough, with or without questions.
    let print = &key["key_sha256"].as_str().unwrap()[..12].to_owned();
    let output = desk.run(&["clean", "--yes", "--give-up", print]);
    assert!(output.status.success(), "{what}: {}", told(&output));
    assert_eq!(private_keys(desk), 1, "{what}: the key is there");
    // Another object is not the one that blocks.
    let output = desk.run(&["clean", "--yes", "--give-up", print, "--unrelated", "0123456789ab"]);
    assert!(output.status.success(), "{what}: {}", told(&output));
    assert_eq!(private_keys(desk), 1, "{what}: the key is there");
    // The person excludes it in words, object by object; the object itself stays.
    let output = desk.run(&["clean", "--yes", "--give-up", print, "--unrelated", &identity[..12]]);
    assert!(output.status.success(), "{what}: {}", told(&output));
    assert_eq!(private_keys(desk), 0, "{what}: {}", told(&output));
    assert_eq!(desk.ask(&["list"])["unread"].as_array().unwrap().len(), 1, "{what}: it stays");
}

/// A valid certificate on a token that cannot be read, in many ways: never is its key an orphan.
#[test]
fn a_certificate_that_cannot_be_read_keeps_its_key() {
    if !has_softhsm() {
        return;
    }
    let made: [(&str, &str); 3] = [
        ("a serial number of 24 octets", "-set_serial 0x112233445566778899aabbccddeeff001122334455667788"),
        ("a negative serial number", "-set_serial -5"),
        ("the serial number 0", "-set_serial 0"),
    ];
    for (what, how) in made {
        let desk = Desk::new(&["Token"], "");
        certify(&desk.bench.path(""), "odd", 40, how);
        put(&desk, "odd", "01");
        key_is_kept(&desk, what);
    }
    // The outer and the inner algorithm; key usage as extended key usage, so that one stands twice; ...
    type Change = fn(&[u8]) -> Vec<u8>;
    let altered: [(&str, Change); 6] = [
        ("another algorithm inside than outside", |der| changed(der, &hex("f70d01010b"), &hex("f70d01010c"))),
        ("an extension twice", |der| changed(der, &hex("0603551d0f"), &hex("0603551d25"))),
        ("version 10", |der| changed(der, &hex("a003020102"), &hex("a003020109"))),
        ("a time that is none", |der| changed(der, b"Z0", b"X0")),
        ("a subject that is no name", |der| {
            changed(der, &hex("310b300906035504061302435a"), &hex("320b300906035504061302435a"))
        }),
        ("nothing at all that can be told", |der| [&[0x31], &der[1..]].concat()),
    ];
    for (what, change) in altered {
        let desk = Desk::new(&["Token"], "");
        certify(&desk.bench.path(""), "odd", 40, "");
        let der = put(&desk, "odd", "01");
        rewrite(&desk.bench.path("tokens"), &der, &change(&der));
        key_is_kept(&desk, what);
    }
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// How a certificate is signed need not be understood for it to be listed, reminded of and used.
#[test]
fn a_signature_that_is_not_understood_hides_nothing() {
    if !has_softhsm() {
        return;
    }
    for (what, how) in [
        ("RSASSA-PSS", "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32"),
        ("SHA-1", "-sha1"),
        ("SHA-224", "-sha224"),
        ("SHA-512/256", "-sha512-256"),
        ("SHA3-256", "-sha3-256"),
    ] {
        let desk = Desk::new(&["Token"], "");
        certify(&desk.bench.path(""), "odd", 40, how);
        put(&desk, "odd", "01");
        let list = desk.ask(&["list"]);
        assert_eq!(list["certificates"].as_array().unwrap().len(), 1, "{what}: {list}");
        let reminders = String::from_utf8_lossy(&desk.run(&["remind"]).stdout).into_owned();
        assert!(reminders.contains("40") || reminders.contains("39"), "{what}: {reminders}");
        let survey = desk.ask(&["clean", "--dry-run"]);
        assert_eq!(survey["items"][0]["why"], "stays-no-successor", "{what}: {survey}");
        assert_eq!(survey["items"].as_array().unwrap().len(), 1, "{what}: {survey}");
        let serial = list["certificates"][0]["hexadecimal"].as_str().unwrap();
        let output = desk.run(&["prove", &format!("0x{serial}")]);
        assert!(output.status.success(), "{what}: {}", told(&output));
    }
}

/// A home whose stores are files.
pub(crate) struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    pub(crate) fn new() -> Self {
        let files = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir(files.path("home")).unwrap();
        std::fs::write(files.path("home/obnova.toml"), "discover = false\nbackup = false\n").unwrap();
        std::fs::write(files.path("pw"), "heslo123").unwrap();
        files
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn shell(&self, script: &str) {
        shell(self.folder.path(), script);
    }

    pub(crate) fn run_in(&self, home: &str, arguments: &[&str]) -> Output {
        Command::new(programs().join("obnova"))
            .current_dir(self.folder.path())
            .env("OBNOVA_HOME", self.path(home))
            .args(arguments)
            .args(["--lang", "en", "--yes", "--pin-file", "pw"])
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.run_in("home", arguments)
    }

    #[track_caller]
    pub(crate) fn ask(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--json"]].concat());
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", told(&output)))
    }

    pub(crate) fn pfx(&self, name: &str, more: &str) {
        self.shell(&format!(
            "openssl pkcs12 -export -inkey {name}.key -in {name}.pem {more} -passout pass:heslo123 -out {name}.p12"
        ));
    }
}

/// One thing that cannot be read, or one wrong password, costs its own line and hides nothing beside it.
#[test]
fn one_odd_thing_costs_its_own_line() {
    let files = Files::new();
    let folder = files.folder.path().to_owned();
    certify(&folder, "good", 400, "");
    files.pfx("good", "");
    let roots = [
        ("sha1", "-sha1", ""),
        ("pss", "", "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32"),
        ("long", "-set_serial 0x112233445566778899aabbccddeeff001122334455667788", ""),
        ("negative", "-set_serial -7", ""),
    ];
    for (name, how, signed) in roots {
        files.shell(&format!(
            "openssl req -x509 -key ca.key -out root-{name}.pem -days 3650 -subj '/C=CZ/CN=Foreign CA' {how} {signed}\n\
             openssl pkcs12 -export -inkey good.key -in good.pem -certfile root-{name}.pem -passout pass:heslo123 -out {name}.p12"
        ));
        let file = format!("{name}.p12");
        let list = files.ask(&["list", "--file", "good.p12", "--file", &file]);
        let certificates = list["certificates"].as_array().unwrap();
        assert!(certificates.iter().any(|one| one["kind"] == "commercial"), "{name}: {list}");
        let own = files.ask(&["list", "--file", &file]);
        let count = own["certificates"].as_array().unwrap().len() + own["unread"].as_array().unwrap().len();
        assert_eq!(count, 2, "{name}: nothing of it is hidden: {own}");
        let serial = certificates.iter().find(|one| one["kind"] == "commercial").unwrap()["decimal"].clone();
        let output = files.run(&["prove", serial.as_str().unwrap(), "--file", &file]);
        assert!(output.status.success(), "{name}: {}", told(&output));
    }
    // A key of a kind that is not used here, beside a good one.
    files.shell(
        "openssl genpkey -algorithm ED25519 -out ed.key; openssl req -x509 -key ed.key -out ed.pem -days 300 -subj /CN=Ed\n\
         openssl pkcs12 -export -inkey ed.key -in ed.pem -passout pass:heslo123 -out ed.p12",
    );
    let list = files.ask(&["list", "--file", "good.p12", "--file", "ed.p12"]);
    assert_eq!(list["certificates"].as_array().unwrap().len(), 2, "{list}");
    // One wrong password of two.
    files.shell("openssl pkcs12 -export -inkey good.key -in good.pem -passout pass:other -out other.p12");
    let list = files.ask(&["list", "--file", "other.p12", "--file", "good.p12"]);
    assert_eq!(list["certificates"].as_array().unwrap().len(), 1, "{list}");
    let problem = list["stores"].as_array().unwrap().iter().find_map(|store| store["problem"].as_str()).unwrap();
    assert!(problem.starts_with("pin-incorrect"), "{list}");
}

/// Entries that `keytool` sees in a file, by the password.
fn entries(files: &Files, file: &str, password: &str) -> Vec<String> {
    let output = Command::new("keytool")
        .args(["-list", "-keystore", file, "-storepass", password])
        .current_dir(files.folder.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut entries: Vec<String> = text
        .lines()
        .filter_map(|line| Some((line.split(',').next()?, line.rsplit(',').nth(1)?)))
        .filter(|(_, kind)| kind.contains("Entry"))
        .map(|(name, kind)| format!("{name}:{}", kind.trim()))
        .collect();
    entries.sort();
    assert!(!entries.is_empty(), "{text}");
    entries
}

/// A file of another program is rewritten bag by bag: what is not understood keeps its octets, also under a new password.
#[test]
fn a_file_keeps_what_others_put_into_it() {
    if !Path::new("/usr/bin/keytool").exists() {
        return skip("keytool");
    }
    let files = Files::new();
    certify(files.folder.path(), "s", 400, "");
    files.pfx("s", "-name jan");
    let keytool = "keytool -keystore s.p12 -storepass heslo123";
    files.shell(&format!(
        "{keytool} -genseckey -alias tajne -keyalg AES -keysize 256 >/dev/null 2>&1\n\
         {keytool} -importcert -noprompt -alias koren -file ca.pem >/dev/null 2>&1"
    ));
    let before = entries(&files, "s.p12", "heslo123");
    assert_eq!(before.len(), 3, "{before:?}");
    // Another pair comes in under the same password.
    certify(files.folder.path(), "v", 400, "");
    files.pfx("v", "");
    let output = files.run(&["import", "v.p12", "--store", "s.p12", "--file", "s.p12", "--file-password-file", "pw"]);
    assert!(output.status.success(), "{}", told(&output));
    let now = entries(&files, "s.p12", "heslo123");
    assert!(before.iter().all(|entry| now.contains(entry)) && now.len() == 4, "{now:?}");
    // And all of it goes under a new one; the former file, which opens with the old one, is not left behind.
    std::fs::write(files.path("new"), "noveheslo").unwrap();
    let output = files.run(&["pin", "change", "--file", "s.p12", "--new-pin-file", "new"]);
    assert!(output.status.success(), "{}", told(&output));
    assert_eq!(entries(&files, "s.p12", "noveheslo"), now);
    assert!(!files.path("s.p12.former").exists());
    // Each entry comes out whole: keytool reads every one under the new password.
    files.shell(
        "keytool -importkeystore -srckeystore s.p12 -srcstorepass noveheslo -destkeystore out.p12 \
         -deststoretype PKCS12 -deststorepass heslo456 >/dev/null 2>&1",
    );
    assert_eq!(entries(&files, "out.p12", "heslo456"), now);
}

/// Of several certificates of a key the newest is taken, and it is said; what has ended is left out with a line.
#[test]
fn of_several_certificates_the_right_one_is_taken() {
    if !has_softhsm() {
        return;
    }
    for order in ["old.pem new.pem", "new.pem old.pem"] {
        let desk = Desk::new(&["Token"], "");
        let folder = desk.bench.path("");
        certify(&folder, "old", 25, "");
        shell(&folder, "cp old.key new.key; cp old.key gone.key");
        certify(&folder, "new", 400, "");
        shell(
            &folder,
            &format!(
                "cat {order} > both.pem; openssl pkcs12 -export -inkey old.key -in both.pem -passout pass:heslo123 -out two.p12"
            ),
        );
        let password = desk.secret("file-password", "heslo123");
        let import = ["import", &desk.file("two.p12"), "--store", "Token", "--file-password-file", &password];
        let done = desk.ask(&import);
        let left = done["imported"][0]["certificate"]["days_left"].as_i64().unwrap();
        assert!(left > 300, "{order}: {done}");
        assert_eq!(done["left_out"][0]["why"], "older", "{order}: {done}");
    }
    // A backup of everything, of which one has ended.
    let desk = Desk::new(&["Token"], "");
    let folder = desk.bench.path("");
    certify(&folder, "fine", 400, "");
    shell(
        &folder,
        "openssl genrsa -out ended.key 2048 2>/dev/null; openssl req -new -key ended.key -subj /CN=Ended -out ended.csr\n\
         printf '[ca]\\ndefault_ca=d\\n[d]\\ndatabase=i\\nserial=s\\nnew_certs_dir=.\\ndefault_md=sha256\\npolicy=p\\n[p]\\ncommonName=supplied\\n' > cnf; : > i; echo 01 > s\n\
         openssl ca -batch -config cnf -cert ca.pem -keyfile ca.key -in ended.csr -out ended.pem -notext \
         -startdate 20200101000000Z -enddate 20210101000000Z 2>/dev/null\n\
         openssl pkcs12 -export -inkey ended.key -in ended.pem -passout pass:heslo123 -out one.p12\n\
         keytool -importkeystore -srckeystore one.p12 -srcstorepass heslo123 -destkeystore all.p12 -deststoretype PKCS12 -deststorepass heslo123 -srcalias 1 -destalias ended >/dev/null 2>&1\n\
         openssl pkcs12 -export -inkey fine.key -in fine.pem -passout pass:heslo123 -out two.p12\n\
         keytool -importkeystore -srckeystore two.p12 -srcstorepass heslo123 -destkeystore all.p12 -deststoretype PKCS12 -deststorepass heslo123 -srcalias 1 -destalias fine >/dev/null 2>&1",
    );
    let password = desk.secret("file-password", "heslo123");
    let done = desk.ask(&["import", &desk.file("all.p12"), "--store", "Token", "--file-password-file", &password]);
    assert_eq!(done["imported"].as_array().unwrap().len(), 1, "{done}");
    assert_eq!(done["left_out"][0]["why"], "ended", "{done}");
}

/// A key that is stored twice goes with its copy; a pair whose identifiers do not fit is found by a challenge.
#[test]
fn pairs_are_found_and_copies_go_together() {
    if !has_softhsm() {
        return;
    }
    let desk = Desk::new(&["Token"], "");
    let folder = desk.bench.path("");
    certify(&folder, "twice", 400, "");
    put(&desk, "twice", "01");
    let module = softhsm_module().unwrap();
    let tool = format!(
        "SOFTHSM2_CONF={}/softhsm2.conf pkcs11-tool --module {} --login --pin {PIN}",
        folder.display(),
        module.display()
    );
    shell(&folder, &format!("{tool} --write-object twice.p8 --type privkey --id 02 --label copy >/dev/null 2>&1"));
    assert_eq!(private_keys(&desk), 2);
    let survey = desk.ask(&["clean", "--dry-run"]);
    assert_eq!(survey["items"].as_array().unwrap().len(), 1, "{survey}");
    assert_eq!(survey["items"][0]["copies"], 2, "{survey}");
    let print = survey["items"][0]["key_sha256"].as_str().unwrap()[..12].to_owned();
    // As an orphan, when its certificate is gone.
    shell(&folder, &format!("{tool} --delete-object --type cert --id 01 >/dev/null 2>&1"));
    let output = desk.run(&["clean", "--yes", "--give-up", &print]);
    assert!(output.status.success(), "{}", told(&output));
    assert_eq!(private_keys(&desk), 0, "both are gone");
    // An elliptic-curve key without a public object, whose certificate bears another identifier.
    shell(
        &folder,
        &format!(
            "openssl ecparam -name prime256v1 -genkey -noout -out w.key; cp ca.pem cb.pem\n\
             openssl req -new -key w.key -subj '/C=CZ/CN=Jan w' -out w.csr\n\
             openssl x509 -req -in w.csr -CA ca.pem -CAkey ca.key -days 400 -out w.pem 2>/dev/null\n\
             openssl pkcs8 -topk8 -nocrypt -in w.key -outform DER -out w.p8; openssl x509 -in w.pem -outform DER -out w.der\n\
             {tool} --write-object w.p8 --type privkey --id 07 --label k >/dev/null 2>&1\n\
             {tool} --write-object w.der --type cert --id 08 --label k >/dev/null 2>&1"
        ),
    );
    let list = desk.ask(&["list"]);
    let serial = list["certificates"][0]["decimal"].as_str().unwrap().to_owned();
    let output = desk.run(&["prove", &serial]);
    assert!(output.status.success(), "{}", told(&output));
    let survey = desk.ask(&["clean", "--dry-run"]);
    assert_eq!(survey["items"].as_array().unwrap().len(), 1, "the pair is one: {survey}");
}

/// A link stays a link, and the file behind it is what changes.
#[cfg(unix)]
#[test]
fn links_stay_links() {
    let files = Files::new();
    certify(files.folder.path(), "u", 400, "");
    certify(files.folder.path(), "v", 400, "");
    files.pfx("u", "");
    files.pfx("v", "");
    files.shell("mkdir real; mv u.p12 real/; ln -s real/u.p12 u.p12");
    let output = files.run(&["import", "v.p12", "--store", "u.p12", "--file", "u.p12", "--file-password-file", "pw"]);
    assert!(output.status.success(), "{}", told(&output));
    assert!(std::fs::symlink_metadata(files.path("u.p12")).unwrap().is_symlink());
    let list = files.ask(&["list", "--file", "real/u.p12"]);
    assert_eq!(list["certificates"].as_array().unwrap().len(), 2, "{list}");
}

/// Two homes at one file at the same time: every key that was made is still there.
#[test]
fn two_homes_on_one_file_lose_no_key() {
    let files = Files::new();
    certify(files.folder.path(), "x", 20, "");
    files.pfx("x", "");
    for home in ["h1", "h2"] {
        std::fs::create_dir(files.path(home)).unwrap();
        std::fs::write(files.path(home).join("obnova.toml"), "discover = false\nbackup = false\n").unwrap();
    }
    // Nobody answers at that address, so each stops when its key is made and its request is signed.
    let port = obnova_testkit::free_port().unwrap();
    let address = format!("http://127.0.0.1:{port}/");
    let renew = ["renew", "commercial", "--file", "x.p12", "--cmp", &address, "--anchor", "ca.pem"];
    std::thread::scope(|scope| {
        let both = ["h1", "h2"].map(|home| {
            let files = &files;
            scope.spawn(move || files.run_in(home, &renew))
        });
        for one in both {
            let output = one.join().unwrap();
            assert!(told(&output).contains("[authority-unreachable]"), "{}", told(&output));
        }
    });
    // Each goes on with its own key.
    for home in ["h1", "h2"] {
        let output = files.run_in(home, &["resume", "--file", "x.p12"]);
        assert!(told(&output).contains("[authority-unreachable]"), "{home}: {}", told(&output));
    }
    let waiting = obnova_crypto::Pfx::read(
        &std::fs::read(files.path("x.p12.waiting")).unwrap(),
        &obnova_crypto::Secret::new("heslo123".to_owned()),
    )
    .unwrap();
    assert_eq!(waiting.keys.len(), 2);
}

/// The screen may go away, at once or in the middle, and names of others stay on their line.
#[test]
fn the_screen_may_go_away() {
    let files = Files::new();
    certify(files.folder.path(), "z", 400, "");
    files.pfx("z", "");
    let obnova = programs().join("obnova");
    let run = |script: &str| {
        Command::new("bash")
            .args(["-c", script])
            .current_dir(files.folder.path())
            .env("OBNOVA_HOME", files.path("home"))
            .env("O", &obnova)
            .output()
            .unwrap()
    };
    for command in ["list", "list --json", "doctor", "status", "token info", "--help", "clean --dry-run"] {
        let output = run(&format!("$O --file z.p12 --pin-file pw {command} | true; echo ${{PIPESTATUS[0]}}"));
        let (code, errors) = (String::from_utf8_lossy(&output.stdout).into_owned(), told(&output));
        assert!(code.trim() != "101" && !errors.contains("panicked"), "{command}: {code} {errors}");
    }
    let output = run("$O --file z.p12 --pin-file pw list > /dev/full; echo $?");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "1", "{}", told(&output));
    assert!(!told(&output).contains("panicked"), "{}", told(&output));
    let output = run("$O --file z.p12 --pin-file pw list 2>/dev/full >&2; echo $?");
    assert_ne!(String::from_utf8_lossy(&output.stdout).trim(), "101");
    // An argument that is no text.
    let output = run("$O --file $'po\\xe8.p12' list; echo $?");
    assert!(!told(&output).contains("panicked"), "{}", told(&output));
    // Names with controls, new lines and direction marks.
    for (name, raw) in [
        ("colour", "Jan\\033[31m\\033]0;X\\007"),
        ("line", "Jan\\nCommercial  2099"),
        ("turn", "Jan\\xe2\\x80\\xaemoc."),
    ] {
        files.shell(&format!(
            "openssl req -x509 -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.pem -days 400 -utf8 -subj \"/CN=$(printf '{raw}')\" 2>/dev/null"
        ));
        files.pfx(name, "");
        for command in ["list", "show commercial", "doctor", "clean --dry-run"] {
            let output = run(&format!("$O --file {name}.p12 --pin-file pw {command} 2>&1"));
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let is_bad = |c: char| c == '\u{1b}' || c == '\u{7}' || c == '\u{202E}';
            assert!(!text.contains(is_bad), "{name} {command}: {text:?}");
            assert!(!text.lines().any(|line| line.starts_with("Commercial  2099")), "{name} {command}: {text}");
        }
    }
}

/// A secret goes only where it belongs, and what cannot be one is never sent: no try of a token is spent.
#[test]
fn a_secret_goes_only_where_it_belongs() {
    if !has_softhsm() {
        return;
    }
    let desk = Desk::new(&["Token"], "");
    let folder = desk.bench.path("");
    certify(&folder, "t", 400, "");
    put(&desk, "t", "01");
    certify(&folder, "petr", 400, "");
    shell(&folder, "openssl pkcs12 -export -inkey petr.key -in petr.pem -passout pass:heslo123 -out petr.p12");
    let logins = |desk: &Desk| desk.bench.calls().iter().filter(|call| *call == "C_Login").count();
    let before = logins(&desk);
    // What Notepad and PowerShell put before a PIN is no part of it; nothing is no PIN; a short one is not sent.
    let serial = desk.ask(&["list"])["certificates"][0]["decimal"].as_str().unwrap().to_owned();
    for (octets, code) in [
        (&b""[..], "pin-needed"),
        (b"\xEF\xBB\xBF\r\n", "pin-needed"),
        (b"12\n", "pin-length"),
        (b"12\x0734\n", "not-a-pin"),
    ] {
        std::fs::write(desk.bench.path("pin"), octets).unwrap();
        desk.refused(&["prove", &serial], code);
    }
    assert_eq!(logins(&desk), before, "no try was spent");
    std::fs::write(desk.bench.path("pin"), b"\xEF\xBB\xBF123456\r\n").unwrap();
    assert!(desk.run(&["prove", &serial]).status.success());
    // The end of the input is no PIN.
    let output = Command::new(programs().join("obnova"))
        .args(["prove", &serial, "--pin-stdin", "--lang", "en"])
        .env("OBNOVA_HOME", desk.bench.path("home"))
        .envs(desk.bench.environment())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(told(&output).contains("[pin-needed]"), "{}", told(&output));
    // The password of a file that is named beside it goes to no token, whatever kind both have.
    let before = logins(&desk);
    desk.secret("pin", "heslo123");
    let petr = desk.file("petr.p12");
    for command in
        [&["renew", "commercial", "--early", "--no-backup"][..], &["prove", "commercial"], &["show", "commercial"]]
    {
        let output = desk.run(&[command, &["--file", &petr]].concat());
        assert!(told(&output).contains("[certificate-ambiguous]"), "{command:?}: {}", told(&output));
        assert!(told(&output).contains(&serial), "the choices are named: {}", told(&output));
    }
    desk.refused(&["prove", &serial, "--file", &petr], "secret-for-another");
    assert_eq!(logins(&desk), before, "the password of the file was not sent to the token");
    desk.secret("pin", PIN);
    // A wrong PIN is told with the name of its device.
    desk.secret("pin", "999999");
    let output = desk.run(&["prove", &serial]);
    assert!(told(&output).contains("[pin-incorrect] Token"), "{}", told(&output));
}
