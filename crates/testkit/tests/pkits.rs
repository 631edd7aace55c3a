//! NIST PKITS: 249 paths of other people's making, each with the answer that it must get (`tests/data/peer/pkits`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use obnova_crypto::Primitives;
use obnova_pki::Certificate;
use obnova_pki::chain::Chain;
use obnova_pki::crl::Crl;
use obnova_pki::policy::PolicySettings;
use obnova_pki::status::{Evidence, List, Status};

/// 1 June 2020: between all beginnings and ends of the vectors.
const AT: u64 = 1_590_969_600;

/// Paths that are refused here and are good by the standard, with the reason; `docs/departures.md` names each.
const REFUSED: [(&str, &str); 4] = [
    ("4.1.4", "DSA"),
    ("4.1.5", "DSA"),
    ("4.2.3", "a beginning before 1970"),
    ("4.14.30", "who signs the list is judged by a list of its own signing"),
];

fn words(field: &str) -> Vec<&str> {
    field.split_whitespace().filter(|word| *word != "-").collect()
}

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/peer/pkits")
}

fn unpacked() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let status = Command::new("tar").arg("xzf").arg(data().join("vectors.tar.gz")).current_dir(&folder).status();
    assert!(status.unwrap().success());
    folder
}

/// The list of an issuer at a login, which is read apart from any path (RFC 5280 section 6.3.3 (f)).
#[test]
fn a_list_is_believed_from_whom_may_sign_lists() {
    let folder = unpacked();
    let read = |kind: &str, name: &str| std::fs::read(folder.path().join(kind).join(name)).unwrap();
    let list = |authority: &str, list: &str| {
        let authority = Certificate::from_der(&read("certs", &format!("{authority}.crt"))).unwrap();
        Crl::from_der(&read("crls", &format!("{list}.crl")), &authority, &Primitives).map_err(|error| error.to_string())
    };
    list("GoodCACert", "GoodCACRL").unwrap();
    list("TrustAnchorRootCertificate", "TrustAnchorRootCRL").unwrap();
    for (authority, name, why) in [
        ("keyUsageCriticalcRLSignFalseCACert", "keyUsageCriticalcRLSignFalseCACRL", "cRLSign"),
        ("keyUsageNotCriticalcRLSignFalseCACert", "keyUsageNotCriticalcRLSignFalseCACRL", "cRLSign"),
        ("GoodCACert", "BadCRLSignatureCACRL", "issuer"),
        ("BadCRLSignatureCACert", "BadCRLSignatureCACRL", "signature"),
        ("UnknownCRLExtensionCACert", "UnknownCRLExtensionCACRL", "critical"),
    ] {
        let error = list(authority, name).unwrap_err();
        assert!(error.contains(why), "{name}: {error}");
    }
}

#[test]
fn every_path_gets_its_answer() {
    let (data, folder) = (data(), unpacked());
    let read = |kind: &str, name: &str| std::fs::read(folder.path().join(kind).join(name)).unwrap();
    let certificate = |name: &str| Certificate::from_der(&read("certs", &format!("{name}.crt")));
    let anchor = certificate("TrustAnchorRootCertificate").unwrap();
    let at: SystemTime = UNIX_EPOCH + Duration::from_secs(AT);
    let (mut right, mut table) = (0, BTreeMap::<String, (usize, usize)>::new());
    let (mut accepted, mut refused) = (Vec::new(), Vec::new());
    let cases = std::fs::read_to_string(data.join("cases.tsv")).unwrap();
    for case in cases.lines().skip(1) {
        let fields: Vec<&str> = case.split('\t').collect();
        let [id, name, expected, _, chain, others, lists, initial, explicit, mapping, any, _] = fields.as_slice()
        else {
            panic!("{case}")
        };
        let policies = PolicySettings {
            initial: words(initial).into_iter().filter(|word| *word != "any").map(|oid| oid.parse().unwrap()).collect(),
            explicit: *explicit == "1",
            inhibit_mapping: *mapping == "1",
            inhibit_any: *any == "1",
        };
        let names: Vec<&str> = words(chain).into_iter().chain(words(others)).collect();
        let leaf = words(chain).last().map(|name| certificate(name)).unwrap();
        let certificates: Vec<Certificate> = names.iter().filter_map(|name| certificate(name).ok()).collect();
        let lists: Vec<List> =
            words(lists).iter().filter_map(|name| List::from_der(&read("crls", &format!("{name}.crl"))).ok()).collect();
        let anchors = std::slice::from_ref(&anchor);
        let outcome = leaf.map_err(|error| error.to_string()).and_then(|leaf| {
            let chain = Chain::check_with(&leaf, &certificates, anchors, at, &Primitives, &policies)
                .map_err(|error| error.to_string())?;
            let evidence = Evidence { certificates: &certificates, anchors, lists: &lists, at, verifier: &Primitives };
            match evidence.of_chain(&chain) {
                Status::Good => Ok(()),
                other => Err(format!("{other:?}")),
            }
        });
        let section = id.split('.').take(2).collect::<Vec<_>>().join(".");
        let row = table.entry(section).or_default();
        row.1 += 1;
        match (*expected == "accept", &outcome) {
            (true, Ok(())) | (false, Err(_)) => {
                row.0 += 1;
                right += 1;
            }
            (false, Ok(())) => accepted.push(format!("{id} {name}")),
            (true, Err(why)) => refused.push((id.to_string(), format!("{name}: {why}"))),
        }
    }
    let count: usize = table.values().map(|(_, all)| all).sum();
    for (section, (right, all)) in &table {
        eprintln!("PKITS {section:<5} {right:>3} of {all:>3}");
    }
    eprintln!("PKITS {right} of {count} right, {} wrongly accepted, {} refused", accepted.len(), refused.len());
    assert_eq!(count, 249);
    assert!(accepted.is_empty(), "wrongly accepted: {accepted:#?}");
    let undeclared: Vec<_> = refused.iter().filter(|(id, _)| !REFUSED.iter().any(|(known, _)| known == id)).collect();
    assert!(undeclared.is_empty(), "refused without being declared: {undeclared:#?}");
    assert!(right >= 235, "{right}");
}
