//! Useful on the first day, with an authority and an account that know nothing of us: request by mail, take-over of
//! what was begun elsewhere, and the foreign account. OpenSSL plays the authority, and judges what is sent to it.

use std::process::Command;

use crate::bench::PIN;
use crate::stage::has_softhsm;
use crate::token::{Desk, shell, told};

/// A desk whose token holds a commercial certificate of an authority that OpenSSL plays, with 30 days left.
pub(crate) fn office() -> Desk {
    let desk = Desk::new(&["Token"], "");
    let script = r#"
cat > ca.cnf <<'X'
[req]
distinguished_name = d
x509_extensions = ca
prompt = no
[d]
CN = PostSignum DEMO Public CA
O = DEMO
[ca]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[person]
basicConstraints = CA:FALSE
keyUsage = critical,digitalSignature
subjectAltName = email:jana@demo.obnova.example.com
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
certificatePolicies = 2.23.134.1.4.2.1
X
openssl req -config ca.cnf -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 3650 2>/dev/null
openssl req -new -newkey rsa:2048 -nodes -keyout old.key -subj '/C=CZ/O=DEMO Úřad/CN=Jana Dvořáková/serialNumber=P1' -utf8 \
  -config ca.cnf -out old.csr 2>/dev/null
openssl x509 -req -in old.csr -CA ca.pem -CAkey ca.key -set_serial 4711 -days 30 -extfile ca.cnf -extensions person \
  -out old.pem 2>/dev/null
openssl pkcs12 -export -inkey old.key -in old.pem -name old -passout 'pass:Heslo 1' -out old.p12
"#;
    shell(desk.bench.path("").as_path(), script);
    desk.secret("file-password", "Heslo 1");
    let (file, password) = (desk.file("old.p12"), desk.file("file-password"));
    desk.ask(&["import", &file, "--store", "Token", "--file-password-file", &password]);
    desk
}

/// What the authority does with a request file.
pub(crate) const ISSUE: &str = "openssl req -in request.req -verify -noout 2>/dev/null && openssl x509 -req -in request.req -CA ca.pem \
                     -CAkey ca.key -set_serial 4712 -days 385 -extfile ca.cnf -extensions person -out new.pem 2>/dev/null";

pub(crate) const FIELDS: [&str; 6] =
    ["--field", "contract=DEMO-1", "--field", "years=1", "--field", "phone=+420 000 000 000"];

#[test]
fn a_request_by_signed_mail_comes_home_with_its_certificate() {
    if !has_softhsm() {
        return;
    }
    let desk = office();
    let anchor = desk.file("ca.pem");
    let mut asked = vec!["request", "4711", "--anchor", anchor.as_str()];
    asked.extend(FIELDS);
    // What nobody here knows is asked for before a key is made, and never invented.
    desk.refused(&asked[..6], "field-missing");
    let wrong = [&asked[..4], &["--field", "contract=a\nb", "--field", "years=1", "--field", "phone=1"]].concat();
    desk.refused(&wrong, "field-wrong");
    assert!(!desk.bench.calls().contains(&"C_GenerateKeyPair".to_owned()));
    let output = desk.run(&asked);
    assert_eq!(output.status.code(), Some(3), "{}", told(&output));
    assert!(told(&output).contains("[certificate:CN]"), "every field tells where it is from: {}", told(&output));
    assert!(told(&output).contains("not been tried"));
    let status = desk.run(&["status", "--json"]);
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    let draft = status[0]["items"][0]["draft"].as_str().unwrap().to_owned();
    // OpenSSL judges the signed message and takes the request out of it.
    let script = format!(
        "openssl smime -verify -in '{draft}' -CAfile ca.pem -out inner.txt 2>/dev/null; \
         openssl cms -verify -in '{draft}' -CAfile ca.pem -purpose any -out inner2.txt 2>/dev/null; \
         tr -d '\\r' < inner.txt | awk '/application.pkcs10/ {{f=1}} f && /^$/ {{b=1; next}} b && /^--/ {{exit}} b' \
         | base64 -d > request.req; grep -q '^To: podatelna.postsignum@cpost.cz' '{draft}'; {ISSUE}"
    );
    shell(desk.bench.path("").as_path(), &script);
    // A second request for the same certificate makes no second key.
    desk.refused(&asked, "renewal-open");
    // It waits like any other; the key is safe from clean-up.
    assert_eq!(desk.run(&["resume"]).status.code(), Some(3));
    let survey = desk.ask(&["clean", "--dry-run"]);
    assert!(survey["items"].as_array().unwrap().iter().any(|item| item["why"] == "stays-waits"), "{survey}");
    // The certificate comes as an attachment of a mail.
    let mail = "printf 'From: ca@demo\\nMIME-Version: 1.0\\nContent-Type: multipart/mixed; boundary=x\\n\\n--x\\n\
                Content-Type: text/plain\\n\\nHere it is.\\n--x\\nContent-Type: application/x-x509-user-cert\\n\
                Content-Transfer-Encoding: base64\\n\\n' > answer.eml; \
                openssl x509 -in new.pem -outform DER | base64 >> answer.eml; printf -- '--x--\\n' >> answer.eml";
    shell(desk.bench.path("").as_path(), mail);
    desk.refused(&["pickup", &desk.file("ca.key")], "nothing-to-pick-up");
    desk.refused(&["pickup", &anchor], "nobody-waits");
    let output = desk.run(&["pickup", &desk.file("answer.eml")]);
    assert_eq!(output.status.code(), Some(3), "{}", told(&output));
    assert!(told(&output).contains("JIP"), "the foreign account is named: {}", told(&output));
    desk.ask(&["prove", "4712"]);
    // The foreign account: what to type, and what its word is worth.
    let account = desk.ask(&["account", "4712"]);
    assert_eq!(account["decimal"], "4712");
    assert_eq!(account["hexadecimal"], "1268");
    assert_eq!(account["accounts"][0]["state"], "not-told");
    assert_eq!(account["accounts"][0]["issuer"], "PostSignum");
    desk.refused(&["retire", "4711", "--yes"], "stays-not-registered");
    desk.refused(&["account", "4712", "--told", "Nobody"], "no-such-account");
    assert_eq!(desk.ask(&["account", "4712", "--told", "jip"])["accounts"][0]["state"], "said");
    assert!(desk.run(&["resume"]).status.success());
    desk.refused(&["retire", "4711", "--yes"], "stays-only-said");
    desk.refused(&["retire", "4711", "--yes", "--typed", "4710"], "stays-only-said");
    desk.ask(&["retire", "4711", "--yes", "--typed", "0x1267"]);
    desk.ask(&["prove", "4712"]);
}

#[test]
fn room_is_held_from_the_key_to_its_certificate() {
    if !has_softhsm() {
        return;
    }
    let desk = office();
    let module = crate::bench::faultp11().display().to_string();
    desk.settings(&format!("discover = false\n[[store]]\nmodule = {module:?}\nreserve = true\n"));
    let anchor = desk.file("ca.pem");
    let mut asked = vec!["request", "4711", "--anchor", anchor.as_str()];
    asked.extend(FIELDS);
    let data = || {
        let told = desk.ask(&["token", "info"]);
        let device = told.as_array().map_or(&told, |all| &all[0]);
        let count = device["room"]["census"]["data"].as_u64();
        count.unwrap_or_else(|| panic!("{told}"))
    };
    // A device without room for the certificate says so before a key is made.
    desk.bench.rules("capacity = 1");
    let full = desk.run(&asked);
    assert!(told(&full).contains("[store-full]"), "{}", told(&full));
    assert!(!desk.bench.calls().contains(&"C_GenerateKeyPair".to_owned()));
    desk.bench.rules("");
    let output = desk.run(&["resume"]);
    assert_eq!(output.status.code(), Some(3), "{}", told(&output));
    assert_eq!(data(), 1, "the room is held while the request waits");
    assert_eq!(desk.run(&["resume"]).status.code(), Some(3));
    assert_eq!(data(), 1);
    let status = desk.run(&["status", "--json"]);
    let drafts: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    let draft = drafts[0]["items"][0]["draft"].as_str().unwrap();
    let script = format!(
        "openssl smime -verify -in '{draft}' -CAfile ca.pem -out inner.txt 2>/dev/null || true
         tr -d '\\r' < inner.txt | awk '/application.pkcs10/ {{f=1}} f && /^$/ {{b=1; next}} b && /^--/ {{exit}} b' \
         | base64 -d > request.req; {ISSUE}"
    );
    shell(desk.bench.path("").as_path(), &script);
    desk.run(&["pickup", &desk.file("new.pem")]);
    desk.ask(&["prove", "4712"]);
    assert_eq!(data(), 0, "and given back for the certificate");
}

/// A key pair that another program made on the token, and its certificate by the authority.
fn begun_elsewhere(desk: &Desk, install: bool) {
    let module = obnova_testkit::softhsm_module().unwrap();
    let install = if install { "tool --write-object new.der --type cert --id 42 --label new" } else { "true" };
    let script = format!(
        "export SOFTHSM2_CONF={}; tool() {{ pkcs11-tool --module {} --login --pin {PIN} --token-label Token \"$@\" \
         >/dev/null 2>&1; }}\n\
         tool --keypairgen --key-type rsa:2048 --id 42 --label elsewhere\n\
         tool --read-object --type pubkey --id 42 --output-file public.der\n\
         openssl pkey -pubin -inform DER -in public.der -out public.pem\n\
         openssl req -new -key old.key -utf8 -config ca.cnf -out any.csr \
         -subj '/C=CZ/O=DEMO Úřad/CN=Jana Dvořáková/serialNumber=P2'\n\
         openssl x509 -req -in any.csr -force_pubkey public.pem -CA ca.pem -CAkey ca.key -set_serial 4713 -days 385 -extfile ca.cnf -extensions person -out new.pem\n\
         openssl x509 -in new.pem -outform DER -out new.der\n{install}",
        desk.file("softhsm2.conf"),
        module.display(),
    );
    let output = Command::new("sh").args(["-ec", &script]).current_dir(desk.bench.path("")).output().unwrap();
    assert!(output.status.success(), "{}", told(&output));
}

#[test]
fn a_renewal_that_isignum_finished_is_taken_over() {
    if !has_softhsm() {
        return;
    }
    let desk = office();
    desk.refused(&["adopt"], "nothing-to-adopt");
    begun_elsewhere(&desk, true);
    desk.refused(&["adopt"], "anchor-needed");
    let output = desk.run(&["adopt", "--anchor", &desk.file("ca.pem")]);
    assert_eq!(output.status.code(), Some(3), "{}", told(&output));
    assert!(told(&output).contains("[ 9/11]"), "it was tested: {}", told(&output));
    desk.refused(&["adopt", "--anchor", &desk.file("ca.pem")], "nothing-to-adopt");
    // A browser is told of the authority, so that it offers the certificate.
    if std::path::Path::new("/usr/bin/certutil").exists() {
        let _alone = obnova_testkit::without_cards();
        let module = crate::bench::faultp11().display().to_string();
        desk.settings(&format!("[[store]]\nmodule = {module:?}\n"));
        desk.refused(&["chain"], "no-browser");
        let database = "mkdir -p home/.pki/nssdb; certutil -N -d sql:home/.pki/nssdb --empty-password";
        shell(desk.bench.path("").as_path(), database);
        assert_eq!(desk.ask(&["chain"])[0]["were_there"], 0);
        assert_eq!(desk.ask(&["chain"])[0]["were_there"], 1);
        shell(
            desk.bench.path("").as_path(),
            "certutil -L -d sql:home/.pki/nssdb | grep -q 'PostSignum DEMO Public CA'",
        );
        desk.settings(&format!("discover = false\n[[store]]\nmodule = {module:?}\n"));
    } else {
        crate::stage::skip("certutil of NSS");
    }
    desk.ask(&["account", "4713", "--told", "JIP"]);
    assert!(desk.run(&["resume"]).status.success());
    desk.ask(&["retire", "4711", "--yes", "--typed", "4711"]);
    let left = desk.ask(&["list"]);
    assert_eq!(left["certificates"].as_array().unwrap().len(), 1, "{left}");
    assert_eq!(left["certificates"][0]["decimal"], "4713");
}

#[test]
fn a_key_that_another_program_left_waiting_is_taken_over() {
    if !has_softhsm() {
        return;
    }
    let desk = office();
    begun_elsewhere(&desk, false);
    let output = desk.run(&["adopt", "--anchor", &desk.file("ca.pem")]);
    assert_eq!(output.status.code(), Some(3), "{}", told(&output));
    let survey = desk.ask(&["clean", "--dry-run"]);
    assert!(survey["items"].as_array().unwrap().iter().any(|item| item["why"] == "stays-waits"), "{survey}");
    // As PKCS#7, as authorities hand it out with its path.
    shell(
        desk.bench.path("").as_path(),
        "openssl crl2pkcs7 -nocrl -certfile new.pem -certfile ca.pem -outform DER -out new.p7b",
    );
    // From the address where it is published: OpenSSL serves it, and whom the system trusts decides.
    let port = obnova_testkit::free_port().unwrap().to_string();
    let serve = "printf '[req]\\ndistinguished_name=d\\n[d]\\n[v]\\nsubjectAltName=DNS:localhost\\n' > tls.cnf; \
                 openssl req -config tls.cnf -newkey rsa:2048 -nodes -keyout tls.key -subj /CN=localhost -out tls.csr 2>/dev/null; \
                 openssl x509 -req -in tls.csr -CA ca.pem -CAkey ca.key -days 30 -extfile tls.cnf -extensions v -out tls.pem 2>/dev/null";
    shell(desk.bench.path("").as_path(), serve);
    let server = Command::new("openssl")
        .args(["s_server", "-accept", &port, "-cert", "tls.pem", "-key", "tls.key", "-WWW", "-quiet"])
        .current_dir(desk.bench.path(""))
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let _server = crate::stage::Killed(server);
    let address = format!("https://localhost:{port}/new.p7b");
    let begun = std::time::Instant::now();
    while std::net::TcpStream::connect(("localhost", port.parse::<u16>().unwrap())).is_err() {
        assert!(begun.elapsed().as_secs() < 20, "the server does not come up");
    }
    desk.refused(&["pickup", &address], "connection-not-trusted");
    let output = desk.run_with(&["pickup", &address], &[("SSL_CERT_FILE", &desk.file("ca.pem"))]);
    assert_eq!(output.status.code(), Some(3), "{}", told(&output));
    desk.ask(&["prove", "4713"]);
}
