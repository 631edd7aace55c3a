//! Renewal at an authority that is not ours: OpenSSL's mock CMP server, with nothing of our server present.

use std::path::Path;
use std::process::Command;

use obnova_pki::Certificate;
use obnova_testkit::softhsm_module;

use crate::peers::{judge, ok, openssl, text};
use crate::stage::{Killed, has_softhsm};

#[test]
fn our_client_speaks_to_a_foreign_authority_and_refuses_a_certificate_for_another_key() {
    // A whole foreign world by OpenSSL: root, an old certificate in a PKCS#12 file, and its mock CMP server, which
    // answers a key update with the old certificate itself. For our new key that is a certificate for another
    // key: it must not be installed, and the server must get a certConf that rejects it.
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"];
    ok(openssl(folder)
        .args(["req", "-x509", "-subj", "/CN=Foreign Root", "-keyout", "root.key", "-out", "root.pem"])
        .args(new_key));
    let issue = |name: &str| {
        let subject = format!("/CN={name}");
        ok(openssl(folder)
            .args(["req", "-x509", "-CA", "root.pem", "-CAkey", "root.key", "-subj", &subject])
            .args(["-addext", "basicConstraints=CA:FALSE", "-addext", "keyUsage=critical,digitalSignature"])
            .args(["-keyout", &format!("{name}.key"), "-out", &format!("{name}.pem")])
            .args(new_key));
    };
    issue("old");
    issue("mock");
    ok(openssl(folder).args([
        "pkcs12",
        "-export",
        "-in",
        "old.pem",
        "-inkey",
        "old.key",
        "-out",
        "old.p12",
        "-passout",
        "pass:123456",
    ]));
    let port = obnova_testkit::free_port().unwrap().to_string();
    let log = std::fs::File::create(folder.join("mock.log")).unwrap();
    let _server = Killed(
        openssl(folder)
            .args(["cmp", "-config", "", "-port", &port, "-srv_cert", "mock.pem", "-srv_key", "mock.key"])
            .args(["-srv_trusted", "root.pem", "-rsp_cert", "old.pem"])
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap(),
    );
    std::thread::sleep(std::time::Duration::from_millis(500));
    let home = folder.join("home");
    std::fs::create_dir_all(&home).unwrap();
    std::fs::write(folder.join("pin"), "123456").unwrap();
    let run = |arguments: &[&str]| {
        Command::new(crate::stage::programs().join("obnova"))
            .env("OBNOVA_HOME", &home)
            .args(arguments)
            .args(["--plain", "--pin-file"])
            .arg(folder.join("pin"))
            .arg("--no-backup")
            .arg("--file")
            .arg(folder.join("old.p12"))
            .output()
            .unwrap()
    };
    let before = std::fs::read(folder.join("old.p12")).unwrap();
    let (address, anchor) = (format!("http://127.0.0.1:{port}/"), folder.join("root.pem").display().to_string());
    // Any certificate of the authority's own root, a person's as well, may not answer for the authority.
    let signer = folder.join("mock.pem").display().to_string();
    let output = run(&["renew", "commercial", "--cmp", &address, "--anchor", &anchor]);
    assert!(text(&output).contains("[authority-answer-untrusted]"), "{}", text(&output));
    assert_eq!(std::fs::read(folder.join("old.p12")).unwrap(), before, "the old certificate is untouched");
    std::fs::remove_dir_all(&home).unwrap();
    std::fs::create_dir_all(&home).unwrap();
    // Unless the person says that it is the one who answers.
    let mut output = run(&["renew", "commercial", "--cmp", &address, "--anchor", &anchor, "--cmp-signer", &signer]);
    for _ in 0..10 {
        if output.status.code() != Some(3) {
            break;
        }
        output = run(&["resume"]);
    }
    let told = text(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(
        told.contains("certificate-other-key"),
        "{told}\n{}",
        std::fs::read_to_string(folder.join("mock.log")).unwrap()
    );
    assert_eq!(std::fs::read(folder.join("old.p12")).unwrap(), before, "the old certificate is untouched");
}

/// Who may answer for an authority: the issuing one, the anchor, and whom one of these two certified for that (RFC 9483
/// section 1.5), or who was named by the person. Nobody else, whatever the root of its certificate.
#[test]
fn only_the_authority_and_whom_it_names_is_believed() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    crate::token::shell(
        folder,
        "ca='basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign,digitalSignature\n'\n\
         leaf='basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\n'\n\
         for n in root issuing other old s; do openssl ecparam -genkey -name prime256v1 -noout -out $n.key; done\n\
         openssl req -x509 -new -key root.key -subj '/CN=Root' -days 3650 -out root.pem\n\
         cert() { printf \"$4\" > x.ext; openssl req -new -key $2.key -subj \"/CN=$1\" -out x.csr\n\
           openssl x509 -req -in x.csr -CA $3.pem -CAkey $3.key -days ${5:-30} -extfile x.ext -out $1.pem 2>/dev/null; }\n\
         cert issuing issuing root \"$ca\"; cert other other root \"$ca\"\n\
         cert old old issuing \"$leaf\"\n\
         cert ra s issuing \"${leaf}extendedKeyUsage=1.3.6.1.5.5.7.3.28\"\n\
         cert ca s issuing \"${leaf}extendedKeyUsage=1.3.6.1.5.5.7.3.27\"\n\
         cert ca-of-root s root \"${leaf}extendedKeyUsage=1.3.6.1.5.5.7.3.27\"\n\
         cert plain s issuing \"$leaf\"\n\
         cert client s issuing \"${leaf}extendedKeyUsage=clientAuth\"\n\
         cert any s issuing \"${leaf}extendedKeyUsage=anyExtendedKeyUsage\"\n\
         cert ra-of-other s other \"${leaf}extendedKeyUsage=1.3.6.1.5.5.7.3.28\"\n\
         cert ra-of-plain s issuing \"$leaf\"; cp s.key ra-of-plain.key\n\
         cert below-plain s ra-of-plain \"${leaf}extendedKeyUsage=1.3.6.1.5.5.7.3.28\"\n\
         cert unsigning s issuing 'keyUsage=critical,keyAgreement\nextendedKeyUsage=1.3.6.1.5.5.7.3.28'\n\
         cat issuing.pem other.pem ra-of-plain.pem > untrusted.pem\n\
         openssl pkcs12 -export -in old.pem -inkey old.key -certfile issuing.pem -out old.p12 -passout pass:123456\n\
         echo 123456 > pin",
    );
    let cases = [
        ("issuing", "issuing", false, true),
        ("ra", "s", false, true),
        ("ca", "s", false, true),
        // The person trusts the issuing authority here, and not the root above it.
        ("ca-of-root", "s", false, false),
        ("plain", "s", true, true),
        // Self-signed, and so not sent along.
        ("root", "root", true, true),
        ("plain", "s", false, false),
        ("client", "s", false, false),
        ("any", "s", false, false),
        ("ra-of-other", "s", false, false),
        ("other", "other", false, false),
        ("below-plain", "s", false, false),
        ("unsigning", "s", false, false),
        ("old", "old", false, false),
    ];
    for (signer, key, is_named, is_believed) in cases {
        let port = obnova_testkit::free_port().unwrap().to_string();
        let log = std::fs::File::create(folder.join("mock.log")).unwrap();
        let _server = Killed(
            openssl(folder)
                .args(["cmp", "-config", "", "-port", &port, "-srv_cert", &format!("{signer}.pem")])
                .args(["-srv_key", &format!("{key}.key"), "-srv_trusted", "root.pem"])
                .args(["-srv_untrusted", "untrusted.pem", "-extracerts", "untrusted.pem", "-rsp_cert", "old.pem"])
                .stdout(log.try_clone().unwrap())
                .stderr(log)
                .spawn()
                .unwrap(),
        );
        for _ in 0..100 {
            if std::fs::read_to_string(folder.join("mock.log")).unwrap().contains("ACCEPT") {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        let home = folder.join("home");
        let _ = std::fs::remove_dir_all(&home);
        let _ = std::fs::remove_file(folder.join("old.p12.waiting"));
        std::fs::create_dir_all(&home).unwrap();
        let mut command = Command::new(crate::stage::programs().join("obnova"));
        command.current_dir(folder).env("OBNOVA_HOME", &home);
        command.args(["--plain", "--pin-file", "pin", "--no-backup", "--file", "old.p12", "renew", "commercial"]);
        command.args(["--cmp", &format!("http://127.0.0.1:{port}/"), "--anchor", "issuing.pem"]);
        if is_named {
            command.args(["--cmp-signer", &format!("{signer}.pem")]);
        }
        let told = text(&command.output().unwrap());
        let log = std::fs::read_to_string(folder.join("mock.log")).unwrap();
        let is_refused = told.contains("[authority-answer-untrusted]");
        assert_eq!(is_refused, !is_believed, "{signer}: {told}\n{log}");
        // Who is believed is heard: the mock answers with a certificate for another key.
        assert!(!is_believed || told.contains("certificate-other-key"), "{signer}: {told}\n{log}");
    }
}

/// A foreign authority of OpenSSL in a folder: its root, and what it signs.
struct ForeignAuthority<'a> {
    folder: &'a Path,
}

impl<'a> ForeignAuthority<'a> {
    fn new(folder: &'a Path) -> Self {
        ok(openssl(folder)
            .args(["req", "-x509", "-subj", "/CN=Foreign Root", "-keyout", "root.key", "-out", "root.pem"])
            .args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"]));
        std::fs::write(
            folder.join("person.ext"),
            "basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\nsubjectKeyIdentifier=hash\n",
        )
        .unwrap();
        let authority = Self { folder };
        ok(openssl(folder).args(["ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", "mock.key"]));
        ok(openssl(folder).args(["pkey", "-in", "mock.key", "-pubout", "-out", "mock.pub"]));
        authority.certify("mock", "/CN=Foreign CMP service", "mock.pub");
        authority
    }

    /// `NAME.pem` for a public key.
    fn certify(&self, name: &str, subject: &str, public_key: &str) {
        ok(openssl(self.folder)
            .args(["x509", "-new", "-subj", subject, "-force_pubkey", public_key, "-days", "10"])
            .args(["-CA", "root.pem", "-CAkey", "root.key", "-extfile", "person.ext"])
            .args(["-out", &format!("{name}.pem")]));
    }
}

/// A whole renewal at an authority that is not ours: the key is made on the token while nobody answers, the
/// authority then certifies it (after one *waiting*), and the certificate lands beside its key.
#[test]
fn a_foreign_authority_renews_a_certificate_on_a_token() {
    let Some(module) = softhsm_module().filter(|_| has_softhsm()) else { return };
    let Some(newer) = judge("openssl-new") else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let authority = ForeignAuthority::new(folder);
    let conf = folder.join("softhsm2.conf");
    std::fs::create_dir(folder.join("tokens")).unwrap();
    std::fs::write(&conf, format!("directories.tokendir = {}\n", folder.join("tokens").display())).unwrap();
    let init = ["--init-token", "--free", "--label", "Foreign", "--pin", "123456", "--so-pin", "87654321"];
    ok(Command::new("softhsm2-util").env("SOFTHSM2_CONF", &conf).args(init));
    let tool = |arguments: &[&str]| {
        let mut command = Command::new("pkcs11-tool");
        command.current_dir(folder).env("SOFTHSM2_CONF", &conf).arg("--module").arg(&module);
        ok(command.args(["--login", "--pin", "123456"]).args(arguments))
    };
    let public_key = |selected: &[&str], name: &str| {
        let der = format!("{name}.der");
        tool(&[&["--read-object", "--type", "pubkey", "-o", &der], selected].concat());
        ok(openssl(folder).args(["pkey", "-pubin", "-inform", "DER", "-in", &der, "-out", name]));
    };
    tool(&["--keypairgen", "--key-type", "EC:prime256v1", "--id", "01", "--label", "old"]);
    public_key(&["--id", "01"], "old.pub");
    authority.certify("old", "/CN=Foreign Person", "old.pub");
    ok(openssl(folder).args(["x509", "-in", "old.pem", "-outform", "DER", "-out", "old.crt"]));
    tool(&["--write-object", "old.crt", "--type", "cert", "--id", "01"]);

    let home = folder.join("home");
    std::fs::create_dir_all(&home).unwrap();
    std::fs::write(
        home.join("obnova.toml"),
        format!("discover = false\n[[store]]\nmodule = {:?}\n", module.display().to_string()),
    )
    .unwrap();
    std::fs::write(folder.join("pin"), "123456").unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(crate::stage::programs().join("obnova"));
        command.env("OBNOVA_HOME", &home).env("SOFTHSM2_CONF", &conf).env("LC_ALL", "C").args(arguments);
        command.arg("--pin-file").arg(folder.join("pin")).output().unwrap()
    };
    let port = obnova_testkit::free_port().unwrap().to_string();
    let (address, anchor) = (format!("http://127.0.0.1:{port}/"), folder.join("root.pem").display().to_string());
    let signer = folder.join("mock.pem").display().to_string();
    let output = run(&["renew", "commercial", "--cmp", &address, "--anchor", &anchor, "--cmp-signer", &signer]);
    assert!(text(&output).contains("[authority-unreachable]"), "{}", text(&output));
    public_key(&["--label", "obnova commercial"], "new.pub");
    authority.certify("new", "/CN=Foreign Person", "new.pub");

    // On the command line this option of 3.5 is stored as -rsp_cert and checks nothing; from a file it does.
    std::fs::write(folder.join("mock.cnf"), "[cmp]\nref_cert = old.pem\n").unwrap();
    let mock = |check_after: &str| {
        let log = std::fs::File::create(folder.join("mock.log")).unwrap();
        let server = Killed(
            Command::new(&newer)
                .current_dir(folder)
                .args(["cmp", "-config", "mock.cnf", "-port", &port, "-srv_cert", "mock.pem", "-srv_key", "mock.key"])
                .args(["-srv_trusted", "root.pem", "-rsp_cert", "new.pem"])
                .args(["-poll_count", "2", "-check_after", check_after])
                .stdout(log.try_clone().unwrap())
                .stderr(log)
                .spawn()
                .unwrap(),
        );
        for _ in 0..100 {
            if std::fs::read_to_string(folder.join("mock.log")).unwrap().contains("ACCEPT") {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        server
    };
    // An authority that needs longer than anybody waits, and forgets the request meanwhile: no decision about it.
    let forgetful = mock("60");
    let output = run(&["resume"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    drop(forgetful);
    let server = mock("1");
    let output = run(&["resume"]);
    assert!(text(&output).contains("[authority-lost-request]"), "{}", text(&output));
    drop(server);
    let _server = mock("1");
    // The person decides, and the same key is asked for again.
    let output = run(&["resume", "--ask-again"]);
    let log = std::fs::read_to_string(folder.join("mock.log")).unwrap();
    assert!(output.status.success(), "{}\n{log}", text(&output));
    // The request, two polls for its answer, the confirmation, two polls for that.
    assert!(log.matches("received request").count() >= 6, "{log}");
    // A program that is not ours finds the new certificate beside its key.
    let new = Certificate::from_any_form(&std::fs::read(folder.join("new.pem")).unwrap()).unwrap();
    let objects = tool(&["-O", "--type", "cert"]);
    assert_eq!(objects.matches("Certificate Object").count(), 2, "{objects}");
    let objects = tool(&["-O", "--type", "privkey"]);
    assert_eq!(
        objects.matches("Private Key Object").count(),
        2,
        "one new key, however often it was asked for: {objects}"
    );
    let shown = run(&["show", &format!("0x{}", new.serial().hexadecimal()), "--json"]);
    assert!(shown.status.success(), "{}", text(&shown));
    let output = run(&["prove", &format!("0x{}", new.serial().hexadecimal())]);
    assert!(output.status.success(), "{}", text(&output));
}
