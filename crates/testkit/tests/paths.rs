//! Paths made to deceive: every extension malformed, critical and not, at every place; sets of certificates that make
//! work. rustls-webpki gives a second opinion.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use obnova_crypto::Primitives;
use obnova_pki::Certificate;
use obnova_pki::chain::Chain;
use rustls_pki_types::{CertificateDer, UnixTime};

/// Extensions of RFC 5280 with rules for a path, by their OID, and a well-formed value for a leaf and an issuer.
const EXTENSIONS: [(&str, &str); 13] = [
    ("2.5.29.14", "subjectKeyIdentifier"),
    ("2.5.29.15", "keyUsage"),
    ("2.5.29.17", "subjectAltName"),
    ("2.5.29.18", "issuerAltName"),
    ("2.5.29.19", "basicConstraints"),
    ("2.5.29.30", "nameConstraints"),
    ("2.5.29.31", "cRLDistributionPoints"),
    ("2.5.29.32", "certificatePolicies"),
    ("2.5.29.33", "policyMappings"),
    ("2.5.29.35", "authorityKeyIdentifier"),
    ("2.5.29.36", "policyConstraints"),
    ("2.5.29.37", "extKeyUsage"),
    ("2.5.29.54", "inhibitAnyPolicy"),
];

/// Values that are none of the thirteen types: a tag alone, NULL, a length past the end, a type cut short, a length without
/// an end, something after the value, a tag that nobody knows.
const VALUES: [(&str, &str); 7] = [
    ("alone", "30"),
    ("null", "0500"),
    ("past-the-end", "30820fff"),
    ("cut", "3003020101ff"),
    ("indefinite", "30800000"),
    ("trailing", "30030101ff00"),
    ("unknown", "df870100"),
];

fn shell(folder: &Path, script: &str) {
    let output = Command::new("sh").args(["-ec", script]).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn certificate(folder: &Path, name: &str) -> Result<Certificate, String> {
    let pem = std::fs::read(folder.join(format!("{name}.pem"))).unwrap();
    Certificate::from_any_form(&pem).map_err(|error| error.to_string())
}

/// A root, an issuer and a leaf: `root.pem`, `issuer.pem`, `leaf.pem`, with keys of the same names.
fn family(folder: &Path) {
    shell(
        folder,
        "for n in root issuer leaf; do openssl ecparam -genkey -name prime256v1 -noout -out $n.key; done\n\
         openssl req -x509 -new -key root.key -subj /CN=Root -days 3650 -out root.pem \\\n\
           -addext keyUsage=critical,keyCertSign,cRLSign\n\
         printf 'basicConstraints=critical,CA:TRUE\\nkeyUsage=critical,keyCertSign\\n' > issuer.ext\n\
         printf 'basicConstraints=CA:FALSE\\nkeyUsage=critical,digitalSignature\\nextendedKeyUsage=clientAuth\\n' > leaf.ext\n\
         openssl req -new -key issuer.key -subj /CN=Issuer -out issuer.csr\n\
         openssl req -new -key leaf.key -subj /CN=Leaf -out leaf.csr\n\
         openssl x509 -req -in issuer.csr -CA root.pem -CAkey root.key -days 3650 -extfile issuer.ext -out issuer.pem 2>&1\n\
         openssl x509 -req -in leaf.csr -CA issuer.pem -CAkey issuer.key -days 3650 -extfile leaf.ext -out leaf.pem 2>&1",
    );
}

/// What rustls-webpki says of a path.
fn second_opinion(leaf: &[u8], issuer: &[u8], root: &[u8]) -> Result<(), String> {
    let (root, leaf) = (CertificateDer::from(root), CertificateDer::from(leaf));
    let anchor = webpki::anchor_from_trusted_cert(&root).map_err(|error| error.to_string())?;
    let now = UnixTime::since_unix_epoch(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap());
    let entity = webpki::EndEntityCert::try_from(&leaf).map_err(|error| error.to_string())?;
    let (anchors, others) = ([anchor], [CertificateDer::from(issuer)]);
    let done = entity.verify_for_usage(
        &[webpki::aws_lc_rs::ECDSA_P256_SHA256],
        &anchors,
        &others,
        now,
        webpki::KeyUsage::client_auth(),
        None,
        None,
    );
    done.map(|_| ()).map_err(|error| error.to_string())
}

#[test]
fn what_cannot_be_read_refuses_at_every_place() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    family(folder);
    let (root, issuer, leaf) =
        (certificate(folder, "root"), certificate(folder, "issuer"), certificate(folder, "leaf"));
    let (root, issuer, leaf) = (root.unwrap(), issuer.unwrap(), leaf.unwrap());
    let (anchors, now) = (std::slice::from_ref(&root), SystemTime::now());
    let check = |leaf: &Certificate, issuer: &Certificate| {
        Chain::check(leaf, std::slice::from_ref(issuer), anchors, now, &Primitives).map_err(|error| error.to_string())
    };
    check(&leaf, &issuer).unwrap();
    second_opinion(leaf.der(), issuer.der(), root.der()).unwrap();
    let (mut script, mut cases) = (String::new(), Vec::new());
    for place in ["issuer", "leaf"] {
        let by = if place == "issuer" { "root" } else { "issuer" };
        for (oid, name) in EXTENSIONS {
            for (how, value) in VALUES {
                for critical in ["critical,", ""] {
                    let case = format!("{place}-{name}-{how}-{}", if critical.is_empty() { "no" } else { "critical" });
                    // One extension takes the place of the good one of its kind.
                    script += &format!(
                        "grep -v '^{name}' {place}.ext | grep -v '^extendedKeyUsage' > x.ext || true\n\
                         printf '{oid}={critical}DER:{value}\\n' >> x.ext\n\
                         openssl x509 -req -in {place}.csr -CA {by}.pem -CAkey {by}.key -days 3650 -extfile x.ext \\\n\
                           -out {case}.pem 2>/dev/null\n"
                    );
                    cases.push((place, case, oid));
                }
            }
        }
    }
    shell(folder, &script);
    let (mut accepted, mut stricter, mut left_out) = (Vec::new(), 0, 0);
    for (place, case, oid) in &cases {
        let crafted = certificate(folder, case);
        // OpenSSL leaves out one that it takes for empty.
        if crafted.as_ref().is_ok_and(|crafted| crafted.extension(oid.parse().unwrap()).is_none()) {
            left_out += 1;
            continue;
        }
        let der = crafted.as_ref().map_or_else(|_| Vec::new(), |one| one.der().to_vec());
        let (one, two) = if *place == "leaf" { (der.as_slice(), issuer.der()) } else { (leaf.der(), der.as_slice()) };
        let other = second_opinion(one, two, root.der());
        let ours = crafted.and_then(|crafted| match *place {
            "leaf" => check(&crafted, &issuer),
            _ => check(&leaf, &crafted),
        });
        match (ours, other) {
            (Ok(_), other) => accepted.push(format!("{case} (the other: {other:?})")),
            (Err(_), Ok(())) => stricter += 1,
            (Err(_), Err(_)) => {}
        }
    }
    assert_eq!(cases.len(), 2 * 13 * 7 * 2);
    assert!(left_out <= 16, "{left_out}");
    assert!(accepted.is_empty(), "accepted: {accepted:#?}");
    assert!(stricter > 0, "the other library ignores what is not critical; has it changed?");
}

/// Many issuers of one name, or of one name and key, cost a bounded time and hide the good one no longer than that.
#[test]
fn crowds_of_issuers_cost_little() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    family(folder);
    // A ring of authorities that certify one another, all of the same name.
    shell(
        folder,
        "printf 'basicConstraints=critical,CA:TRUE\\nkeyUsage=critical,keyCertSign\\n' > ca.ext\n\
         i=0; while [ $i -lt 24 ]; do openssl ecparam -genkey -name prime256v1 -noout -out t$i.key\n\
           openssl req -new -key t$i.key -subj /CN=Issuer -out t$i.csr; i=$((i+1)); done\n\
         openssl x509 -req -in t0.csr -signkey t0.key -days 9 -extfile ca.ext -out s.pem 2>/dev/null\n\
         i=0; while [ $i -lt 24 ]; do openssl x509 -req -in t$i.csr -CA s.pem -CAkey t0.key -days 9 -extfile ca.ext \\\n\
           -out t$i.pem 2>/dev/null; i=$((i+1)); done",
    );
    let [root, issuer, leaf] = ["root", "issuer", "leaf"].map(|name| certificate(folder, name).unwrap());
    let ring: Vec<Certificate> = (0..24).map(|at| certificate(folder, &format!("t{at}")).unwrap()).collect();
    let anchors = std::slice::from_ref(&root);
    let begun = Instant::now();
    let found = Chain::check(&leaf, &ring, anchors, SystemTime::now(), &Primitives);
    assert!(found.is_err());
    let with_good: Vec<Certificate> = ring.iter().chain([&issuer]).cloned().collect();
    Chain::check(&leaf, &with_good, anchors, SystemTime::now(), &Primitives).unwrap();
    // The same certificate a thousand times is one.
    let thousand: Vec<Certificate> = std::iter::repeat_n(issuer, 1000).collect();
    Chain::check(&leaf, &thousand, anchors, SystemTime::now(), &Primitives).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}
