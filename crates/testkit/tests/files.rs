//! PKCS#12 from and to everyone: what OpenSSL, NSS, Java and GnuTLS write is read, and what we write is read by them.

use std::path::Path;
use std::process::Command;

use obnova_crypto::{Pfx, PfxError, PfxMac, Secret};

use crate::stage::skip;
use crate::token::told;

fn has(program: &str) -> bool {
    let there = Path::new("/usr/bin").join(program).exists();
    if !there {
        skip(program);
    }
    there
}

#[track_caller]
fn shell(folder: &Path, script: &str) {
    let output = Command::new("sh")
        .args(["-ec", script])
        .current_dir(folder)
        .env("LC_ALL", "C.UTF-8")
        .env("JAVA_TOOL_OPTIONS", "-Dfile.encoding=UTF-8 -Dsun.jnu.encoding=UTF-8")
        .output()
        .unwrap();
    assert!(output.status.success(), "{script}\n{}\n{}", told(&output), String::from_utf8_lossy(&output.stdout));
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

/// A pair with its authority, from which every writer makes its file.
fn pair(folder: &Path) {
    shell(
        folder,
        "openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 3650 -subj /CN=CA 2>/dev/null\n\
         openssl req -new -newkey rsa:2048 -nodes -keyout key.pem -out csr.pem -subj '/CN=Jana DEMO' 2>/dev/null\n\
         openssl x509 -req -in csr.pem -CA ca.pem -CAkey ca.key -days 3650 -out cert.pem 2>/dev/null",
    );
}

#[track_caller]
fn reads(folder: &Path, file: &str, password: &str) {
    let bytes = std::fs::read(folder.join(file)).unwrap();
    let pfx = Pfx::read(&bytes, &secret(password)).unwrap_or_else(|error| panic!("{file}: {error}"));
    assert_eq!(pfx.keys.len(), 1, "{file}");
    let certificate = pfx.keys[0].certificate.as_ref().unwrap_or_else(|| panic!("{file}: not paired"));
    assert_eq!(certificate.subject().common_name(), "Jana DEMO", "{file}");
    let wrong = Pfx::read(&bytes, &secret("another password"));
    assert!(matches!(wrong, Err(PfxError::Password)), "{file}: a wrong password is told as one");
}

const PASSWORDS: [&str; 4] = ["Heslo-1", "Žluťoučký kůň", "heslo😀1", "s mezerou a 'apostrofem"];

#[test]
fn what_openssl_writes() {
    let folder = tempfile::tempdir().unwrap();
    pair(folder.path());
    for (index, password) in PASSWORDS.iter().enumerate() {
        std::fs::write(folder.path().join("password"), password).unwrap();
        for (name, flags) in [
            ("default", ""),
            ("legacy", "-legacy"),
            ("descert", "-legacy -descert"),
            ("aes128", "-keypbe AES-128-CBC -certpbe AES-128-CBC -macalg SHA384"),
            ("bare", "-keypbe NONE -certpbe NONE"),
        ] {
            let file = format!("{name}-{index}.p12");
            let script = format!(
                "openssl pkcs12 -export {flags} -inkey key.pem -in cert.pem -certfile ca.pem -name person \
                 -passout file:password -out {file}"
            );
            shell(folder.path(), &script);
            reads(folder.path(), &file, password);
        }
    }
    shell(folder.path(), "openssl pkcs12 -export -inkey key.pem -in cert.pem -passout pass: -out empty.p12");
    reads(folder.path(), "empty.p12", "");
}

#[test]
fn what_nss_writes() {
    if !has("pk12util") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    pair(folder.path());
    shell(
        folder.path(),
        "mkdir db; certutil -N -d sql:db --empty-password\n\
         openssl pkcs12 -export -inkey key.pem -in cert.pem -name person -passout pass:x -out in.p12\n\
         pk12util -i in.p12 -d sql:db -K '' -W x >/dev/null",
    );
    for (index, password) in PASSWORDS.iter().enumerate() {
        std::fs::write(folder.path().join("password"), password).unwrap();
        for (name, flags) in [
            ("default", ""),
            (
                "old",
                "-c 'PKCS #12 V2 PBE With SHA-1 And 3KEY Triple DES-CBC' -C 'PKCS #12 V2 PBE With SHA-1 And 40 Bit RC2 CBC'",
            ),
            ("aes", "-c AES-256-CBC -C AES-256-CBC -M SHA-256"),
        ] {
            let file = format!("{name}-{index}.p12");
            shell(
                folder.path(),
                &format!("pk12util -o {file} -n person -d sql:db -K '' -w password {flags} >/dev/null"),
            );
            reads(folder.path(), &file, password);
        }
    }
    let bytes = std::fs::read(folder.path().join("default-0.p12")).unwrap();
    assert_eq!(bytes[1], 0x80, "NSS writes BER of indefinite length");
}

#[test]
fn what_java_and_gnutls_write() {
    if !(has("keytool") && has("certtool")) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    pair(folder.path());
    for (name, flags) in [("java", ""), ("java-old", "-J-Dkeystore.pkcs12.legacy")] {
        let script = format!(
            "keytool -genkeypair -alias person -keyalg RSA -keysize 2048 -dname 'CN=Jana DEMO' -storetype PKCS12 \
             -keystore {name}.p12 -storepass Heslo-1 -keypass Heslo-1 {flags} 2>/dev/null"
        );
        shell(folder.path(), &script);
        reads(folder.path(), &format!("{name}.p12"), "Heslo-1");
    }
    for (name, flags) in
        [("gnutls", ""), ("gnutls-3des", "--pkcs-cipher 3des-pkcs12"), ("gnutls-rc2", "--pkcs-cipher rc2-40")]
    {
        let script = format!(
            "certtool --to-p12 --load-privkey key.pem --load-certificate cert.pem --p12-name person --password Heslo-1 \
             --outder --outfile {name}.p12 {flags} 2>/dev/null"
        );
        shell(folder.path(), &script);
        reads(folder.path(), &format!("{name}.p12"), "Heslo-1");
    }
}

#[test]
fn what_we_write_is_read_by_all_four() {
    if !(has("keytool") && has("certtool") && has("pk12util")) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    pair(folder.path());
    shell(
        folder.path(),
        "openssl pkcs12 -export -inkey key.pem -in cert.pem -certfile ca.pem -name 'Jana DEMO' -passout pass:x -out in.p12\n\
         mkdir db; certutil -N -d sql:db --empty-password",
    );
    let pfx = Pfx::read(&std::fs::read(folder.path().join("in.p12")).unwrap(), &secret("x")).unwrap();
    for (index, password) in PASSWORDS.iter().enumerate() {
        std::fs::write(folder.path().join("password"), password).unwrap();
        std::fs::write(folder.path().join("ours.p12"), pfx.write(&secret(password)).unwrap()).unwrap();
        shell(
            folder.path(),
            "openssl pkcs12 -in ours.p12 -passin file:password -nodes -out all.pem 2>/dev/null\n\
             grep -q 'BEGIN PRIVATE KEY' all.pem; test $(grep -c 'BEGIN CERTIFICATE' all.pem) = 2\n\
             pk12util -l ours.p12 -d sql:db -K '' -w password | grep -q 'Jana DEMO'",
        );
        if index == 0 {
            // Named as people know it, not by its whole subject.
            shell(
                folder.path(),
                "pk12util -i ours.p12 -d sql:db -K '' -w password >/dev/null; certutil -L -d sql:db | grep -q '^Jana DEMO  '\n\
                 certtool --p12-info --inder --infile ours.p12 --password Heslo-1 2>/dev/null | grep -q 'BEGIN'\n\
                 keytool -list -v -keystore ours.p12 -storetype PKCS12 -storepass Heslo-1 2>/dev/null | grep -q PrivateKeyEntry",
            );
        }
    }
    // PBMAC1 is for those who have a new OpenSSL.
    let newer = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/judges/bin/openssl-new");
    if !newer.exists() {
        return skip("OpenSSL 3.4 or newer");
    }
    let file = pfx.write_with(&secret("Heslo-1"), PfxMac::Pbmac1).unwrap();
    std::fs::write(folder.path().join("pbmac1.p12"), file).unwrap();
    let tool = newer.display();
    shell(
        folder.path(),
        &format!(
            "{tool} pkcs12 -in pbmac1.p12 -passin pass:Heslo-1 -nodes -out all.pem 2>/dev/null\n\
             {tool} pkcs12 -export -pbmac1_pbkdf2 -inkey key.pem -in cert.pem -passout pass:Heslo-1 -out theirs.p12"
        ),
    );
    reads(folder.path(), "theirs.p12", "Heslo-1");
}
