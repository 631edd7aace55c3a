//! What version 0.1.0 left behind is opened, resumed and finished: homes at every station, databases on both engines,
//! messages and documents (`tests/data/obnova-0.1.0`).

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use obnova_crypto::{Primitives, Secret, SharedSecret};
use obnova_lifecycle::document::{Directory, RequestStatus, VerdictAnswer, VerdictQuestion};
use obnova_pki::cmp::{BodyKind, Message, Protection};
use obnova_testkit::Postgres;
use serde_json::Value;

use crate::stage::{Killed, programs, skip};

/// Homes whose renewal was under way.
const UNDER_WAY: [&str; 19] = [
    "found",
    "orphan",
    "keyed",
    "requested",
    "submitted",
    "issued",
    "accepted",
    "confirming",
    "confirmed",
    "installed",
    "proven",
    "registered",
    "retired",
    "commercial-keyed",
    "commercial-issued",
    "commercial-proven",
    "commercial-registered",
    "wire",
    "wire-waiting",
];

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/obnova-0.1.0").join(name)
}

/// An office as it was left, at the one place that its journals name.
struct Left {
    folder: PathBuf,
    days: u64,
}

impl Left {
    fn unpack(archive: &str, place: &str) -> Self {
        let folder = PathBuf::from(place);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let status = Command::new("tar").arg("xzf").arg(data(archive)).current_dir(&folder).status().unwrap();
        assert!(status.success());
        // Secrets that others may read are refused since.
        let _ = Command::new("chmod").args(["600", "passphrase"]).current_dir(&folder).status().unwrap();
        let created = std::fs::read_to_string(folder.join("created")).unwrap();
        let created: u64 = created.split_whitespace().find_map(|word| word.parse().ok()).unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        Self { folder, days: now.saturating_sub(created) / 86_400 }
    }

    fn back(&self) -> [String; 2] {
        ["--demo-days-back".to_owned(), self.days.to_string()]
    }

    fn server(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(programs().join("obnova-server"));
        command.args(arguments).arg("--dir").arg(self.folder.join("server"));
        command.arg("--passphrase-file").arg(self.folder.join("passphrase")).args(self.back());
        command
    }

    fn serve(&self) -> Killed {
        let mut child = self.server(&["run"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("ready"), "{line}");
        Killed(child)
    }

    fn run(&self, home: &str, arguments: &[&str]) -> Output {
        Command::new(programs().join("obnova"))
            .env("OBNOVA_HOME", self.folder.join("homes").join(home))
            .args(arguments)
            .arg("--pin-file")
            .arg(self.folder.join("pin"))
            .args(self.back())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    #[track_caller]
    fn ends(&self, home: &str, arguments: &[&str], code: i32) {
        let output = self.run(home, arguments);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{home} {arguments:?}: {told}");
    }

    fn ask(&self, home: &str, arguments: &[&str]) -> Value {
        let output = self.run(home, &[arguments, &["--json"]].concat());
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
            panic!("{home} {arguments:?}: {error}: {}", String::from_utf8_lossy(&output.stderr))
        })
    }

    /// Approves whatever waits for an applicant.
    fn approve(&self, applicant: &str) {
        let output = self.server(&["request", "list", "--json"]).output().unwrap();
        let list: Value = serde_json::from_slice(&output.stdout).unwrap();
        for request in list.as_array().unwrap() {
            if request["state"] == "waiting" && request["applicant"] == applicant {
                let approved = self.server(&["request", "approve", request["id"].as_str().unwrap()]).output().unwrap();
                assert!(approved.status.success(), "{}", String::from_utf8_lossy(&approved.stderr));
            }
        }
    }

    /// Both successors are there and work, nothing is there twice, and the journey is finished.
    #[track_caller]
    fn is_finished(&self, home: &str) {
        for kind in ["qualified", "commercial"] {
            self.ends(home, &["prove", kind], 0);
        }
        let certificates = self.ask(home, &["list"])["certificates"].clone();
        assert_eq!(certificates.as_array().unwrap().len(), 4, "{home}: {certificates}");
        let journeys = self.ask(home, &["status"]);
        assert!(journeys.as_array().unwrap().iter().all(|journey| journey["finished"] == true), "{home}: {journeys}");
        let account = self.ask(home, &["register", "commercial"]);
        assert_eq!(account["bound"].as_array().map(Vec::len), Some(1), "{home}: {account}");
        let waiting = self.folder.join("homes").join(home).join("keys.p12.waiting");
        assert!(!waiting.exists(), "{home}: a key still waits");
    }
}

#[test]
fn homes_and_an_office_of_0_1_0_are_finished() {
    let left = Left::unpack("office.tar.gz", "/tmp/obnova-fixture-010");
    // Looking needs no server.
    for home in UNDER_WAY {
        assert!(!self::journeys(&left, home).is_empty(), "{home}");
    }
    let _server = left.serve();
    for home in UNDER_WAY {
        left.ends(home, &["resume"], 0);
        left.is_finished(home);
    }
    left.ends("waiting", &["resume"], 3);
    left.approve("DEMO-waiting");
    left.ends("waiting", &["resume"], 0);
    left.is_finished("waiting");
    // A refusal stays one.
    left.ends("refused", &["resume"], 0);
    for kind in ["qualified", "commercial"] {
        left.ends("refused", &["prove", kind], 0);
    }
    let invitation = |home: &str| left.folder.join("homes").join(home).join("invitation.json").display().to_string();
    left.ends("invited", &["enroll", "--invitation", &invitation("invited"), "--store", "keys.p12"], 0);
    left.ends("enrolling", &["resume", "--invitation", &invitation("enrolling")], 3);
    left.approve("DEMO-enrolling");
    left.ends("enrolling", &["resume", "--invitation", &invitation("enrolling")], 0);
    let health = left.server(&["health"]).output().unwrap();
    assert!(health.status.success(), "{}", String::from_utf8_lossy(&health.stderr));
    let _ = std::fs::remove_dir_all(&left.folder);
}

fn journeys(left: &Left, home: &str) -> Vec<Value> {
    left.ask(home, &["status"]).as_array().cloned().unwrap_or_default()
}

#[test]
fn an_office_of_0_1_0_on_postgresql_is_finished() {
    let Some(postgres) = Postgres::start().unwrap() else { return skip("PostgreSQL") };
    let left = Left::unpack("postgres.tar.gz", "/tmp/obnova-fixture-010-pg");
    let loaded = Command::new("psql")
        .args(["-q", "-v", "ON_ERROR_STOP=1", "-f"])
        .arg(left.folder.join("dump.sql"))
        .arg(postgres.url())
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(loaded.success());
    let configuration = left.folder.join("server/obnova-server.toml");
    let text = std::fs::read_to_string(&configuration).unwrap().replace("postgres://@POSTGRES@", &postgres.url());
    std::fs::write(&configuration, text).unwrap();
    let _server = left.serve();
    left.ends("waiting", &["resume"], 3);
    left.approve("DEMO-waiting");
    left.ends("waiting", &["resume"], 0);
    left.is_finished("waiting");
    let invitation = left.folder.join("homes/invited/invitation.json").display().to_string();
    left.ends("invited", &["enroll", "--invitation", &invitation, "--store", "keys.p12"], 0);
    let _ = std::fs::remove_dir_all(&left.folder);
}

/// Messages and documents of 0.1.0 are read in both directions, and what protects them still verifies.
#[test]
fn messages_and_documents_of_0_1_0_are_read() {
    let index: Vec<Value> = serde_json::from_slice(&std::fs::read(data("wire/index.json")).unwrap()).unwrap();
    let mut secrets = Vec::new();
    for entry in std::fs::read_dir(data("wire")).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_string_lossy().contains("invitation") {
            let invitation: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
            secrets.push(SharedSecret::new(&Secret::new(invitation["code"].as_str().unwrap().to_owned())));
        }
    }
    assert!(!secrets.is_empty());
    let (mut kinds, mut documents) = (Vec::new(), 0);
    for exchange in &index {
        let path = exchange["path"].as_str().unwrap_or_default();
        let body = |side: &str| Some(std::fs::read(data("wire").join(exchange[side]["body"].as_str()?)).unwrap());
        for side in ["request", "response"] {
            let Some(bytes) = body(side) else { continue };
            let at = format!("{} {side}", exchange["number"]);
            if path.starts_with("/.well-known/cmp") {
                let message = Message::from_der(&bytes).unwrap_or_else(|error| panic!("{at}: {error}"));
                let holds = match message.protection {
                    Protection::Mac(_) => secrets.iter().any(|secret| message.check_mac(secret).is_ok()),
                    Protection::Signature(_) => message.check_signature(&message.certificates[0], &Primitives).is_ok(),
                    Protection::None => false,
                };
                assert!(holds, "{at}");
                kinds.push(message.body.kind);
            } else if side == "response" && path.starts_with("/.well-known/obnova") {
                let _: Directory = serde_json::from_slice(&bytes).unwrap();
                documents += 1;
            } else if side == "response" && path.starts_with("/verdict") {
                let _: VerdictAnswer = serde_json::from_slice(&bytes).unwrap();
                documents += 1;
            } else if side == "request" && path.starts_with("/verdict") {
                let signed = obnova_pki::cms::verify(&bytes, &Primitives).unwrap();
                let _: VerdictQuestion = serde_json::from_slice(&signed.content).unwrap();
                documents += 1;
            } else if side == "response" && path.starts_with("/status") {
                let _: RequestStatus = serde_json::from_slice(&bytes).unwrap();
                documents += 1;
            } else if side == "request" && path.starts_with("/succession") {
                let signed = obnova_pki::cms::verify(&bytes, &Primitives).unwrap();
                let _: obnova_lifecycle::document::Succession = serde_json::from_slice(&signed.content).unwrap();
                documents += 1;
            }
        }
    }
    for kind in [
        BodyKind::InitializationRequest,
        BodyKind::InitializationResponse,
        BodyKind::KeyUpdateRequest,
        BodyKind::KeyUpdateResponse,
        BodyKind::CertificateConfirm,
        BodyKind::Confirmation,
        BodyKind::PollRequest,
        BodyKind::PollResponse,
    ] {
        assert!(kinds.contains(&kind), "{kind:?} was recorded");
    }
    assert!(documents > 10, "{documents}");
}
