//! Foreign judges: programs that we did not write read what we write, and write what we read.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use obnova_crypto::{Pfx, Primitives, Secret};
use obnova_pki::{Certificate, Signer, cms};
use obnova_testkit::{Engine, Store, World, softhsm_module};

use crate::stage::{Killed, has_softhsm, on_both_engines, skip, world};

fn has(program: &str) -> bool {
    let there = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !there {
        skip(program);
    }
    there
}

pub(crate) fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[track_caller]
pub(crate) fn ok(mut command: impl std::borrow::BorrowMut<Command>) -> String {
    let command = command.borrow_mut();
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", text(&output));
    text(&output)
}

pub(crate) fn openssl(folder: &Path) -> Command {
    let mut command = Command::new("openssl");
    command.current_dir(folder);
    command
}

/// A foreign client of our authority.
struct CmpClient<'a> {
    world: &'a World,
    folder: PathBuf,
}

impl<'a> CmpClient<'a> {
    fn new(world: &'a World) -> Self {
        let folder = world.path("peer");
        std::fs::create_dir_all(&folder).unwrap();
        Self { world, folder }
    }

    fn key(&self, name: &str) {
        ok(openssl(&self.folder).args(["ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", name]));
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = openssl(&self.folder);
        command
            .args(["cmp", "-config", "", "-server", &format!("https://{}", self.world.authority_address())])
            .args(["-path", ".well-known/cmp", "-tls_used", "-tls_trusted"])
            .arg(self.world.house_certificate("service"))
            .args(arguments);
        command
    }

    fn invited(&self, profile: &str) -> (String, String) {
        let invitation = self.world.server(&["invite", "DEMO-100", "--profile", profile, "--json"]).unwrap();
        let invitation: serde_json::Value = serde_json::from_str(&invitation).unwrap();
        let field = |name: &str| invitation[name].as_str().unwrap().to_owned();
        (field("reference"), field("code"))
    }

    /// A first certificate, as `NAME.pem` with `NAME.key`.
    fn enroll(&self, name: &str) {
        let (reference, code) = self.invited("commercial");
        self.key(&format!("{name}.key"));
        ok(self
            .command(&["-cmd", "ir", "-ref", &reference, "-secret", &format!("pass:{code}"), "-subject", "/CN=invited"])
            .args(["-recipient", "/CN=any", "-newkey", &format!("{name}.key"), "-certout", &format!("{name}.pem")])
            .args(["-cacertsout", "root.pem"]));
    }

    fn signed(&self, arguments: &[&str], by: &str) -> Command {
        let mut command = self.command(arguments);
        command.args(["-cert", &format!("{by}.pem"), "-key", &format!("{by}.key"), "-trusted"]);
        command.arg(self.world.house_certificate("root"));
        command
    }
}

#[test]
fn openssl_is_a_client_of_our_authority() {
    on_both_engines(|engine| {
        let (mut world, _folder) = world(Store::File, engine);
        // Certificates whose window for renewal is open today: rules of a renewal hold for cr and p10cr, too.
        world.turn_clock_back(365).unwrap();
        for name in ["old-1", "old-2", "old-3"] {
            CmpClient::new(&world).enroll(name);
        }
        world.turn_clock_back(0).unwrap();
        let peer = CmpClient::new(&world);
        peer.enroll("first");
        // The root that came under the MAC is the root.
        let root = Certificate::from_any_form(&std::fs::read(world.house_certificate("root")).unwrap()).unwrap();
        let came = Certificate::from_any_form(&std::fs::read(peer.folder.join("root.pem")).unwrap()).unwrap();
        assert_eq!(root, came);
        peer.key("second.key");
        ok(peer.signed(&["-cmd", "cr", "-newkey", "second.key", "-certout", "second.pem"], "old-1"));
        peer.key("third.key");
        ok(peer
            .signed(&["-cmd", "cr", "-newkey", "third.key", "-certout", "third.pem"], "old-2")
            .args(["-implicit_confirm"]));
        peer.key("fourth.key");
        let csr = ["-x509toreq", "-in", "old-3.pem", "-key", "fourth.key", "-out", "fourth.csr"];
        ok(openssl(&peer.folder).arg("x509").args(csr));
        ok(peer.signed(&["-cmd", "p10cr", "-csr", "fourth.csr", "-certout", "fourth.pem"], "old-3"));
        // A request for somebody else is no request of this holder's.
        ok(openssl(&peer.folder).args(["req", "-new", "-key", "fourth.key", "-subj", "/CN=x", "-out", "other.csr"]));
        let other =
            peer.signed(&["-cmd", "p10cr", "-csr", "other.csr", "-certout", "x.pem"], "old-3").output().unwrap();
        assert!(!other.status.success() && text(&other).contains("subject-differs"), "{}", text(&other));
        ok(peer.signed(&["-cmd", "genm"], "first"));
        ok(peer.signed(&["-cmd", "rr", "-oldcert", "second.pem", "-revreason", "4"], "first"));
        let again =
            peer.signed(&["-cmd", "rr", "-oldcert", "second.pem", "-revreason", "4"], "first").output().unwrap();
        assert!(!again.status.success() && text(&again).contains("revoked before"), "{}", text(&again));
        // A revoked certificate asks for nothing any more.
        peer.key("fifth.key");
        let refused =
            peer.signed(&["-cmd", "cr", "-newkey", "fifth.key", "-certout", "fifth.pem"], "second").output().unwrap();
        assert!(!refused.status.success() && text(&refused).contains("was revoked"), "{}", text(&refused));
        // The window is not open for a certificate that is new, whatever message asks.
        for kind in ["kur", "cr"] {
            let asked = ["-cmd", kind, "-newkey", "fifth.key", "-certout", "fifth.pem"];
            let early = peer.signed(&asked, "first").output().unwrap();
            assert!(!early.status.success() && text(&early).contains("renewal-too-early"), "{}", text(&early));
        }
        // Every certificate leads to the root, and the list that names the revoked one verifies.
        let chain = peer.folder.join("commercial.pem");
        std::fs::copy(world.house_certificate("commercial"), &chain).unwrap();
        for name in ["first", "third", "fourth"] {
            ok(openssl(&peer.folder)
                .args(["verify", "-x509_strict", "-CAfile"])
                .arg(world.house_certificate("root"))
                .args(["-untrusted", "commercial.pem", &format!("{name}.pem")]));
        }
    });
}

#[test]
fn openssl_renews_polls_and_is_refused() {
    on_both_engines(|engine| {
        let (world, _folder) = world(Store::File, engine);
        let peer = CmpClient::new(&world);
        // The clerk's own old certificate, in the hands of a foreign client.
        let p12 = world.path("demo.p12");
        ok(openssl(&peer.folder).args(["pkcs12", "-in"]).arg(&p12).args([
            "-passin",
            "pass:123456",
            "-nodes",
            "-out",
            "all.pem",
        ]));
        let pfx = Pfx::read(&std::fs::read(&p12).unwrap(), &Secret::new("123456".into())).unwrap();
        for entry in &pfx.keys {
            let certificate = entry.certificate.as_ref().unwrap();
            let name = if certificate.kind() == obnova_pki::Kind::Commercial { "old-c" } else { "old-q" };
            std::fs::write(
                peer.folder.join(format!("{name}.pem")),
                obnova_pki::pem::block("CERTIFICATE", certificate.der()).unwrap(),
            )
            .unwrap();
            std::fs::write(
                peer.folder.join(format!("{name}.key")),
                obnova_pki::pem::block("PRIVATE KEY", entry.key.pkcs8()).unwrap(),
            )
            .unwrap();
        }
        peer.key("new-c.key");
        ok(peer.signed(&["-cmd", "kur", "-newkey", "new-c.key", "-certout", "new-c.pem"], "old-c"));
        let old = Certificate::from_any_form(&std::fs::read(peer.folder.join("old-c.pem")).unwrap()).unwrap();
        let new = Certificate::from_any_form(&std::fs::read(peer.folder.join("new-c.pem")).unwrap()).unwrap();
        assert_eq!(old.subject(), new.subject());
        // The same key is not certified twice, and another subject is no successor.
        let same =
            peer.signed(&["-cmd", "kur", "-newkey", "new-c.key", "-certout", "x.pem"], "old-c").output().unwrap();
        assert!(!same.status.success() && text(&same).contains("same-key"), "{}", text(&same));
        peer.key("x.key");
        let other = peer
            .signed(&["-cmd", "kur", "-newkey", "x.key", "-certout", "x.pem", "-subject", "/CN=Somebody Else"], "old-c")
            .output()
            .unwrap();
        assert!(!other.status.success() && text(&other).contains("subject-differs"), "{}", text(&other));
        // Waiting for a person: the foreign client polls until the office approves.
        world.import(&obnova_testkit::Office { approval: true, ..Default::default() }).unwrap();
        peer.key("new-q.key");
        let waiting = peer
            .signed(&["-cmd", "kur", "-newkey", "new-q.key", "-certout", "new-q.pem", "-total_timeout", "60"], "old-q")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let id = (0..100)
            .find_map(|_| {
                std::thread::sleep(std::time::Duration::from_millis(100));
                let list = world.server(&["request", "list"]).unwrap();
                let line = list.lines().find(|line| line.contains(" waiting "))?;
                line.split_whitespace().next().map(str::to_owned)
            })
            .unwrap();
        world.server(&["request", "approve", &id]).unwrap();
        let output = waiting.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        // A guessed code is refused, as often as it is guessed; the right one is still taken afterwards.
        world.import(&obnova_testkit::Office::default()).unwrap();
        let (reference, code) = peer.invited("commercial");
        let ask = |secret: &str| {
            peer.command(&["-cmd", "ir", "-ref", &reference, "-secret", &format!("pass:{secret}"), "-subject", "/CN=x"])
                .args(["-recipient", "/CN=any", "-newkey", "x.key", "-certout", "x.pem", "-unprotected_errors"])
                .output()
                .unwrap()
        };
        for _ in 0..6 {
            assert!(!ask("GUESS").status.success());
        }
        let taken = ask(&code);
        assert!(taken.status.success(), "{}", text(&taken));
    });
}

pub(crate) fn judge(tool: &str) -> Option<PathBuf> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/judges/bin")).join(tool);
    if path.exists() {
        return Some(path);
    }
    skip(tool);
    None
}

#[track_caller]
fn clean(tool: &str, arguments: &[&str], files: &[&Path]) {
    let Some(program) = judge(tool) else { return };
    let output =
        Command::new(program).arg("lint").args(arguments).args(["-s", "WARNING"]).args(files).output().unwrap();
    let told = text(&output);
    assert!(output.status.success() && told.trim().is_empty(), "{tool} {arguments:?}: {told}");
}

#[test]
fn pkilint_finds_nothing() {
    if !has_softhsm() || judge("lint_etsi_cert").is_none() {
        return;
    }
    for (store, qualified) in [
        (Store::SoftHsm, "QCP-N-QSCD-EIDAS-FINAL-CERTIFICATE"),
        // Qualified without a device has no type of its own there; this one checks its statements.
        (Store::File, "NCP-NATURAL-PERSON-CERTIFICATE"),
    ] {
        let (world, _folder) = world(store, Engine::Sqlite);
        assert!(world.obnova(&["renew", "--all"]).unwrap().status.success());
        for kind in ["qualified", "commercial"] {
            let serial = world.serial_of(kind).unwrap();
            let file = world.path(&format!("{kind}.der"));
            ok(Command::new("curl")
                .args(["-sSf", "--cacert"])
                .arg(world.house_certificate("service"))
                .arg("-o")
                .arg(&file)
                .arg(format!("https://{}/certificate/{kind}/{serial}", world.authority_address())));
            let profile = if kind == "qualified" { qualified } else { "NCP-NATURAL-PERSON-CERTIFICATE" };
            clean("lint_etsi_cert", &["-t", profile], &[&file]);
            let ca = world.house_certificate(kind);
            clean("lint_pkix_signer_signee_cert_chain", &[], &[&ca, &file]);
            clean("lint_pkix_cert", &[], &[&ca]);
            let list = world.path(&format!("{kind}.crl"));
            ok(Command::new("curl")
                .args(["-sSf", "--cacert"])
                .arg(world.house_certificate("service"))
                .arg("-o")
                .arg(&list)
                .arg(format!("https://{}/crl/{kind}.crl", world.authority_address())));
            clean("lint_crl", &["-t", "CRL", "-p", "PKIX"], &[&list]);
        }
        clean("lint_pkix_cert", &[], &[&world.house_certificate("root")]);
    }
}

#[test]
fn openssl_reads_our_pfx_and_cms_and_we_read_its_own() {
    let (world, _folder) = world(Store::File, Engine::Sqlite);
    let folder = world.path("peer");
    std::fs::create_dir_all(&folder).unwrap();
    let password = Secret::new("123456".into());
    let pfx = Pfx::read(&std::fs::read(world.path("demo.p12")).unwrap(), &password).unwrap();
    assert_eq!(pfx.keys.len(), 2);
    let listed = ok(openssl(&folder).args(["pkcs12", "-in"]).arg(world.path("demo.p12")).args([
        "-passin",
        "pass:123456",
        "-nodes",
        "-info",
    ]));
    assert_eq!(listed.matches("BEGIN PRIVATE KEY").count(), 2);
    // What OpenSSL writes by default, we read; a wrong password is told as such.
    std::fs::write(folder.join("all.pem"), &listed).unwrap();
    let entry = &pfx.keys[0];
    let certificate = entry.certificate.as_ref().unwrap();
    std::fs::write(folder.join("one.pem"), obnova_pki::pem::block("CERTIFICATE", certificate.der()).unwrap()).unwrap();
    std::fs::write(folder.join("one.key"), obnova_pki::pem::block("PRIVATE KEY", entry.key.pkcs8()).unwrap()).unwrap();
    for extra in [&[][..], &["-legacy"][..]] {
        ok(openssl(&folder)
            .args([
                "pkcs12",
                "-export",
                "-in",
                "one.pem",
                "-inkey",
                "one.key",
                "-out",
                "one.p12",
                "-passout",
                "pass:Příliš žluťoučký",
            ])
            .args(extra));
        let bytes = std::fs::read(folder.join("one.p12")).unwrap();
        let read = Pfx::read(&bytes, &Secret::new("Příliš žluťoučký".into())).unwrap();
        assert_eq!(read.keys[0].certificate.as_ref(), Some(certificate));
        assert!(matches!(Pfx::read(&bytes, &Secret::new("wrong".into())), Err(obnova_crypto::PfxError::Password)));
    }
    // CMS with two signers, as a succession statement has them.
    let signers: Vec<(&dyn Signer, &Certificate)> =
        pfx.keys.iter().map(|entry| (&entry.key as &dyn Signer, entry.certificate.as_ref().unwrap())).collect();
    let issuers: Vec<Certificate> = ["qualified", "commercial"]
        .iter()
        .map(|name| Certificate::from_any_form(&std::fs::read(world.house_certificate(name)).unwrap()).unwrap())
        .collect();
    let signed = cms::sign(b"document", &signers, &issuers, std::time::SystemTime::now(), &Primitives).unwrap();
    std::fs::write(folder.join("signed.der"), &signed).unwrap();
    let told = ok(openssl(&folder)
        .args(["cms", "-verify", "-binary", "-inform", "DER", "-in", "signed.der", "-purpose", "any", "-CAfile"])
        .arg(world.house_certificate("root")));
    assert!(told.starts_with("document"), "{told}");
    std::fs::write(folder.join("document"), b"theirs").unwrap();
    ok(openssl(&folder).args([
        "cms",
        "-sign",
        "-binary",
        "-nodetach",
        "-md",
        "sha256",
        "-in",
        "document",
        "-signer",
        "one.pem",
        "-inkey",
        "one.key",
        "-outform",
        "DER",
        "-out",
        "theirs.der",
    ]));
    let theirs = std::fs::read(folder.join("theirs.der")).unwrap();
    let document = cms::verify(&theirs, &Primitives).unwrap();
    assert_eq!(document.content, b"theirs");
    assert_eq!(document.signers.as_slice(), std::slice::from_ref(certificate));
    // One changed octet of the document is found.
    let at = theirs.windows(6).position(|window| window == b"theirs").unwrap();
    let mut changed = theirs.clone();
    changed[at] ^= 1;
    assert!(cms::verify(&changed, &Primitives).is_err());
}

#[test]
fn pkcs11_tool_sees_pairs_on_the_token() {
    if !has_softhsm() || !has("pkcs11-tool") {
        return;
    }
    let (world, _folder) = world(Store::SoftHsm, Engine::Sqlite);
    assert!(world.obnova(&["renew", "--all"]).unwrap().status.success());
    let mut command = Command::new("pkcs11-tool");
    command.arg("--module").arg(softhsm_module().unwrap()).args([
        "--token-label",
        "DEMO token",
        "--login",
        "--pin",
        "123456",
        "-O",
    ]);
    for (name, value) in world.environment() {
        command.env(name, value);
    }
    let told = ok(&mut command);
    let ids = |start: &str| {
        let mut found: Vec<String> = told
            .split("\n")
            .scan(false, |inside, line| {
                if !line.starts_with(' ') {
                    *inside = line.starts_with(start);
                }
                Some((*inside).then(|| line.trim().to_owned()))
            })
            .flatten()
            .filter(|line| line.starts_with("ID:"))
            .collect();
        found.sort();
        found
    };
    assert_eq!(ids("Certificate Object").len(), 4, "{told}");
    assert_eq!(ids("Certificate Object"), ids("Private Key Object"), "{told}");
    assert_eq!(told.matches("never extractable").count(), 4, "{told}");
}

#[test]
fn curl_logs_in_with_a_certificate() {
    on_both_engines(|engine| {
        let (world, _folder) = world(Store::File, engine);
        let folder = world.path("peer");
        std::fs::create_dir_all(&folder).unwrap();
        let pfx = Pfx::read(&std::fs::read(world.path("demo.p12")).unwrap(), &Secret::new("123456".into())).unwrap();
        let ask = |name: &str, html: bool| {
            let mut command = Command::new("curl");
            command.args(["-sS", "--cacert"]).arg(world.house_certificate("service"));
            if !name.is_empty() {
                command
                    .arg("--cert")
                    .arg(folder.join(format!("{name}.pem")))
                    .arg("--key")
                    .arg(folder.join(format!("{name}.key")));
            }
            if html {
                command.args(["-H", "Accept: text/html", "-H", "Accept-Language: cs"]);
            }
            ok(command.arg(format!("https://{}/", world.identity_address())))
        };
        for entry in &pfx.keys {
            let certificate = entry.certificate.as_ref().unwrap();
            let name = if certificate.kind() == obnova_pki::Kind::Commercial { "c" } else { "q" };
            std::fs::write(
                folder.join(format!("{name}.pem")),
                obnova_pki::pem::block("CERTIFICATE", certificate.der()).unwrap(),
            )
            .unwrap();
            std::fs::write(
                folder.join(format!("{name}.key")),
                obnova_pki::pem::block("PRIVATE KEY", entry.key.pkcs8()).unwrap(),
            )
            .unwrap();
        }
        assert!(ask("c", false).contains("\"login\":\"ok\""));
        assert!(ask("c", true).contains("Jana Dvořáková DEMO"));
        assert!(ask("q", false).contains("\"login\":\"wrong-kind\""));
        assert!(ask("", false).contains("\"login\":\"no-certificate\""));
        // A certificate of nobody's is explained, too.
        ok(openssl(&folder)
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"])
            .args(["-keyout", "stranger.key", "-out", "stranger.pem", "-subj", "/CN=Stranger", "-days", "30"]));
        assert!(ask("stranger", false).contains("\"login\":\"untrusted\""));
        assert!(ask("stranger", true).contains("autorita, která se zde nepřijímá"));
    });
}

#[test]
fn what_the_authority_publishes_is_found_and_verifies() {
    on_both_engines(|engine| {
        let (world, _folder) = world(Store::File, engine);
        let (certificate, _) = world.login_key().unwrap();
        let fetch = |path: &str| {
            let file = world.path("fetched");
            ok(Command::new("curl")
                .args(["-sSf", "-o"])
                .arg(&file)
                .arg("--cacert")
                .arg(world.house_certificate("service"))
                .arg(format!("https://{}{path}", world.authority_address())));
            std::fs::read(file).unwrap()
        };
        // By issuer and serial number in either notation, and by the key (RFC 4387 section 2.1).
        for serial in [certificate.serial().decimal(), format!("0x{}", certificate.serial().hexadecimal())] {
            assert_eq!(fetch(&format!("/certificate/commercial/{serial}")), certificate.der());
        }
        std::fs::write(world.path("own.der"), certificate.der()).unwrap();
        let hash = "openssl x509 -in own.der -inform DER -noout -pubkey | openssl pkey -pubin -outform DER | \
                    openssl asn1parse -inform DER -strparse 23 -noout -out /dev/stdout | openssl dgst -sha1 -binary | base64";
        let key = ok(Command::new("sh").current_dir(world.folder()).args(["-c", hash]));
        let key = key.trim().replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
        assert_eq!(fetch(&format!("/search?sKIDHash={key}")), certificate.der());
        // A revoked one stands on the list before the command returns, and the login ends.
        world.server(&["revoke", "commercial", &certificate.serial().decimal()]).unwrap();
        std::fs::write(world.path("list.crl"), fetch("/crl/commercial.crl")).unwrap();
        std::fs::copy(world.house_certificate("commercial"), world.path("issuer.pem")).unwrap();
        let crl = ["crl", "-inform", "DER", "-in", "list.crl", "-CAfile", "issuer.pem", "-noout", "-text"];
        let told = ok(openssl(world.folder()).args(crl));
        assert!(told.contains("verify OK"), "{told}");
        assert!(told.to_lowercase().contains(&certificate.serial().hexadecimal()), "{told}");
        let output = world.obnova(&["register", "commercial"]).unwrap();
        assert!(text(&output).contains("[login-failed] revoked"), "{}", text(&output));
    });
}

#[test]
fn the_last_login_that_works_cannot_be_removed() {
    let (world, _folder) = world(Store::File, Engine::Sqlite);
    let (old, _) = world.login_key().unwrap();
    let old_pem = world.path("old.pem");
    std::fs::rename(world.login_pem().unwrap(), &old_pem).unwrap();
    let post = |pem: &Path, page: &str, serial: &obnova_pki::Serial| {
        let output = Command::new("curl")
            .args(["-sS", "--cacert"])
            .arg(world.house_certificate("service"))
            .arg("--cert")
            .arg(pem)
            .args(["--data-urlencode", "issuer=DEMO obnova Public CA"])
            .args(["--data-urlencode", &format!("serial=0x{}", serial.hexadecimal())])
            .arg(format!("https://{}{page}", world.identity_address()))
            .output()
            .unwrap();
        text(&output)
    };
    let told = post(&old_pem, "/binding/remove", old.serial());
    assert!(told.contains("this-login"), "{told}");
    // A successor that was typed in and never logged in is no reason to let the old one go.
    world.enroll("commercial", "p256").unwrap();
    let (new, _) = world.login_key().unwrap();
    assert_ne!(old, new);
    let told = post(&old_pem, "/binding", new.serial());
    assert!(told.contains("done"), "{told}");
    let new_pem = world.login_pem().unwrap();
    // Its first login is what makes it one.
    let told = post(&new_pem, "/binding/remove", old.serial());
    assert!(told.contains("done"), "{told}");
    let told = post(&old_pem, "/binding/remove", new.serial());
    assert!(told.contains("not-logged-in"), "{told}");
}

/// A browser profile of its own, with a certificate store of its own.
struct Browser {
    home: PathBuf,
    policy: PathBuf,
}

impl Browser {
    fn new(world: &World, name: &str) -> Self {
        let home = world.path(name);
        let store = home.join(".pki/nssdb");
        std::fs::create_dir_all(&store).unwrap();
        let database = format!("sql:{}", store.display());
        ok(Command::new("certutil").args(["-N", "--empty-password", "-d", &database]));
        ok(Command::new("certutil")
            .args(["-A", "-n", "DEMO service root", "-t", "CT,,", "-d", &database, "-i"])
            .arg(world.house_certificate("service")));
        // Which certificate to show is asked in a window; a policy of the machine answers for it.
        let policy =
            PathBuf::from("/etc/chromium/policies/managed").join(format!("obnova-{}.json", std::process::id()));
        std::fs::create_dir_all(policy.parent().unwrap()).unwrap();
        let choice = serde_json::json!({ "pattern": "https://127.0.0.1", "filter": {} }).to_string();
        std::fs::write(&policy, serde_json::json!({ "AutoSelectCertificateForUrls": [choice] }).to_string()).unwrap();
        Self { home, policy }
    }

    fn import(&self, file: &Path, password: &str) {
        let database = format!("sql:{}", self.home.join(".pki/nssdb").display());
        ok(Command::new("pk12util").args(["-d", &database, "-W", password, "-i"]).arg(file));
    }

    fn page(&self, address: &str) -> String {
        let output = Command::new("timeout")
            .args(["60", "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"])
            .args(["--disable-background-networking", "--disable-dev-shm-usage", "--dump-dom"])
            .arg(format!("--user-data-dir={}", self.home.join("profile").display()))
            .arg(address)
            .env("HOME", &self.home)
            .env("LANGUAGE", "cs")
            .output()
            .unwrap();
        text(&output)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.policy);
    }
}

#[test]
fn a_browser_logs_in_with_a_certificate() {
    if !has("chromium") || !has("certutil") {
        return;
    }
    let (world, _folder) = world(Store::File, Engine::Sqlite);
    let address = format!("https://{}/?lang=cs", world.identity_address());
    // Without a certificate the page says what is missing, and the handshake stands.
    let nobody = Browser::new(&world, "nobody");
    let page = nobody.page(&address);
    assert!(page.contains("Nebyl předložen žádný certifikát"), "{page}");
    drop(nobody);
    // The successor opens the account; NSS reads the file that our program wrote.
    assert!(world.obnova(&["renew", "--all"]).unwrap().status.success());
    let (certificate, key) = world.login_key().unwrap();
    let serial = certificate.serial().decimal();
    let entry = obnova_crypto::PfxKey { key, certificate: Some(certificate), name: Some("DEMO login".into()) };
    let pfx = Pfx::new(vec![entry], Vec::new());
    let file = world.path("browser.p12");
    std::fs::write(&file, pfx.write(&Secret::new("DEMO".into())).unwrap()).unwrap();
    let browser = Browser::new(&world, "browser");
    browser.import(&file, "DEMO");
    let page = browser.page(&address);
    for wanted in ["demo.jana", "Jana Dvořáková DEMO", &serial] {
        assert!(page.contains(wanted), "{wanted} is not on {page}");
    }
}

/// Letters go to a mail server that we did not write, over STARTTLS, which it requires; another program reads them.
#[test]
fn a_mail_server_takes_our_letters_over_starttls() {
    let (Some(smtpd), Some(python)) = (judge("aiosmtpd"), judge("python")) else { return };
    let (mut world, _folder) = world(Store::File, Engine::Sqlite);
    let folder = world.path("peer");
    std::fs::create_dir_all(&folder).unwrap();
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"];
    ok(openssl(&folder)
        .args(["req", "-x509", "-subj", "/CN=Mail Root", "-keyout", "ca.key", "-out", "ca.pem"])
        .args(key));
    ok(openssl(&folder)
        .args(["req", "-x509", "-CA", "ca.pem", "-CAkey", "ca.key", "-subj", "/CN=localhost"])
        .args(["-addext", "basicConstraints=CA:FALSE", "-addext", "subjectAltName=DNS:localhost"])
        .args(["-keyout", "mail.key", "-out", "mail.pem"])
        .args(key));
    let port = obnova_testkit::free_port().unwrap().to_string();
    let _server = Killed(
        Command::new(smtpd)
            .current_dir(&folder)
            .args(["-n", "-l", &format!("127.0.0.1:{port}"), "--tlscert", "mail.pem", "--tlskey", "mail.key"])
            .args(["-c", "aiosmtpd.handlers.Mailbox", "letters"])
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    world.kill_server();
    let configuration = world.path("server").join("obnova-server.toml");
    let text = std::fs::read_to_string(&configuration).unwrap();
    let (before, _) = text.split_once("[mail]").unwrap();
    let mail = format!(
        "[mail]\nhost = \"localhost\"\nport = {port}\nca_file = {:?}\n\
         from = \"DEMO authority <authority@demo.obnova.example.com>\"\n",
        folder.join("ca.pem").display().to_string()
    );
    std::fs::write(&configuration, format!("{before}{mail}")).unwrap();
    world.start_server().unwrap();
    assert!(world.obnova(&["renew", "commercial"]).unwrap().status.success());
    let serial = world.serial_of("commercial").unwrap();
    let read = "import email,email.policy,glob\n\
                for name in glob.glob('letters/new/*'):\n \
                letter=email.message_from_binary_file(open(name,'rb'),policy=email.policy.default)\n \
                print(letter['Message-ID'],letter['From'],letter['To'],letter['Subject'],letter['Date'],sep=' | ')\n \
                print(letter.get_content_type(),letter.get_content())\n";
    let begun = std::time::Instant::now();
    let mut letters = String::new();
    while begun.elapsed() < std::time::Duration::from_secs(30) && !letters.contains("<bound-demo.jana-") {
        std::thread::sleep(std::time::Duration::from_millis(300));
        letters = ok(Command::new(&python).current_dir(&folder).args(["-c", read]).env("PYTHONIOENCODING", "utf-8"));
    }
    for wanted in
        ["<issued-commercial-", "<bound-demo.jana-", "jana@demo.obnova.example.com", "text/plain", "Dvořáková", &serial]
    {
        let log = || std::fs::read_to_string(world.path("server.log")).unwrap();
        assert!(letters.contains(wanted), "{wanted} is not in {letters}\n{}", log());
    }
}
