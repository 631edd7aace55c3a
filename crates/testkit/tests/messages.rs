//! CMP messages that come twice, altered, mixed up, or from the wrong person (RFC 9483 section 3.5 and 3.6).

use std::process::Command;

use obnova_crypto::{Primitives, SoftwareKey};
use obnova_pki::cmp::{
    self, Body, BodyKind, CertificateConfirm, CertificateResponse, Failure, Header, Message, Protector,
    certificate_hash,
};
use obnova_pki::crmf::{self, CertificateId};
use obnova_pki::{Certificate, KeyKind};
use obnova_testkit::{Engine, Store, World};

use crate::stage::{on_both_engines, world};

/// A holder who writes messages by hand.
pub(crate) struct Writer<'a> {
    pub(crate) world: &'a World,
    pub(crate) key: SoftwareKey,
    pub(crate) certificate: Certificate,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(world: &'a World) -> Self {
        let (certificate, key) = world.login_key().unwrap();
        Self { world, key, certificate }
    }

    pub(crate) fn header(&self, transaction: &[u8], answered: Option<&[u8]>) -> Header {
        Header {
            sender: self.certificate.subject().clone(),
            recipient: self.certificate.issuer().clone(),
            time: None,
            sender_kid: self.certificate.subject_key_identifier(),
            transaction_id: transaction.to_vec(),
            sender_nonce: Primitives.octets::<16>().to_vec(),
            recipient_nonce: answered.map(<[u8]>::to_vec),
            implicit_confirm: false,
            confirm_wait: None,
            profile: None,
        }
    }

    pub(crate) fn message(&self, header: &Header, kind: BodyKind, content: Vec<u8>) -> Vec<u8> {
        let protector = Protector::Key(&self.key, &self.certificate);
        Message::protect(header, &Body { kind, content }, &protector, &[]).unwrap()
    }

    pub(crate) fn request(&self, transaction: &[u8], new_key: &SoftwareKey) -> Vec<u8> {
        let old =
            CertificateId { issuer: self.certificate.issuer().clone(), serial: self.certificate.serial().clone() };
        let content = crmf::request(self.certificate.subject(), None, Some(&old), new_key).unwrap();
        self.message(&self.header(transaction, None), BodyKind::KeyUpdateRequest, content)
    }

    fn confirmation(&self, transaction: &[u8], certificate: &Certificate, answered: Option<&[u8]>) -> Vec<u8> {
        let hash = certificate_hash(certificate, &Primitives);
        let content = CertificateConfirm { hash, id: 0, status: None }.to_content().unwrap();
        self.message(&self.header(transaction, answered), BodyKind::CertificateConfirm, content)
    }

    pub(crate) fn post(&self, bytes: &[u8]) -> Vec<u8> {
        let (file, answer) = (self.world.path("message"), self.world.path("answer"));
        std::fs::write(&file, bytes).unwrap();
        let status = Command::new("curl")
            .args(["-sS", "-o"])
            .arg(&answer)
            .arg("--cacert")
            .arg(self.world.house_certificate("service"))
            .args(["-H", "Content-Type: application/pkixcmp", "--data-binary"])
            .arg(format!("@{}", file.display()))
            .arg(format!("https://{}/.well-known/cmp", self.world.authority_address()))
            .status()
            .unwrap();
        assert!(status.success());
        std::fs::read(answer).unwrap()
    }

    /// The bit of failInfo and the words that a message is refused with.
    #[track_caller]
    pub(crate) fn refused(&self, bytes: &[u8], failure: Failure) -> String {
        let answer = Message::from_der(&self.post(bytes)).unwrap();
        let status = match answer.body.kind {
            BodyKind::Error => cmp::read_error(&answer.body.content).unwrap(),
            _ => CertificateResponse::from_content(&answer.body.content).unwrap().status,
        };
        assert_eq!(status.failures, [failure as u8], "{:?}", status.text);
        status.text.join("; ")
    }
}

fn issued(answer: &[u8]) -> (Certificate, Vec<u8>) {
    let answer = Message::from_der(answer).unwrap();
    assert_eq!(answer.body.kind, BodyKind::KeyUpdateResponse);
    let response = CertificateResponse::from_content(&answer.body.content).unwrap();
    (Certificate::from_der(&response.certificate.unwrap()).unwrap(), answer.header.sender_nonce)
}

fn replayed_and_altered(engine: Engine) {
    let (world, _folder) = world(Store::File, engine);
    let writer = Writer::new(&world);
    let new_key = SoftwareKey::generate(KeyKind::P256).unwrap();
    let transaction = Primitives.octets::<16>();
    let request = writer.request(&transaction, &new_key);
    // Altered in its last octet, which is in the protection or in a certificate: nobody has signed that.
    for at in [20, request.len() / 3, request.len() / 2] {
        let mut altered = request.clone();
        altered[at] ^= 1;
        let answer = Message::from_der(&writer.post(&altered)).unwrap();
        assert_eq!(answer.body.kind, BodyKind::Error, "octet {at}");
    }
    let first = writer.post(&request);
    let (certificate, nonce) = issued(&first);
    // The same bytes get the same answer, byte for byte, also after a restart.
    assert_eq!(writer.post(&request), first);
    // Other bytes under the same transactionID are refused, and so is the same key under another one.
    let other_key = SoftwareKey::generate(KeyKind::P256).unwrap();
    writer.refused(&writer.request(&transaction, &other_key), Failure::TransactionInUse);
    let words = writer.refused(&writer.request(&Primitives.octets::<16>(), &new_key), Failure::BadTemplate);
    assert!(words.starts_with("same-key"), "{words}");
    // A confirmation must answer what was said, and be about this certificate.
    writer.refused(&writer.confirmation(&transaction, &certificate, None), Failure::BadRecipientNonce);
    writer.refused(&writer.confirmation(&transaction, &certificate, Some(&[7; 16])), Failure::BadRecipientNonce);
    let wrong = writer.confirmation(&transaction, &writer.certificate, Some(&nonce));
    writer.refused(&wrong, Failure::BadCertificateId);
    let unknown = writer.confirmation(&Primitives.octets::<16>(), &certificate, Some(&nonce));
    writer.refused(&unknown, Failure::BadRequest);
    let confirmation = writer.confirmation(&transaction, &certificate, Some(&nonce));
    let confirmed = writer.post(&confirmation);
    assert_eq!(Message::from_der(&confirmed).unwrap().body.kind, BodyKind::Confirmation);
    assert_eq!(writer.post(&confirmation), confirmed);
    world.server(&["health"]).unwrap();
}

#[test]
fn replayed_and_altered_messages_are_refused() {
    on_both_engines(replayed_and_altered);
}

/// Of many requests with one key at the same time, one is certified.
#[test]
fn one_key_is_certified_once_however_many_ask_at_the_same_time() {
    on_both_engines(|engine| {
        let (world, _folder) = world(Store::File, engine);
        let writer = Writer::new(&world);
        let new_key = SoftwareKey::generate(KeyKind::P256).unwrap();
        let mut askers = Vec::new();
        for number in 0..8 {
            let file = world.path(&format!("asker-{number}"));
            std::fs::write(&file, writer.request(&Primitives.octets::<16>(), &new_key)).unwrap();
            let mut command = Command::new("curl");
            command.args(["-sS", "-o"]).arg(file.with_extension("answer"));
            command.arg("--cacert").arg(world.house_certificate("service"));
            command.args(["-H", "Content-Type: application/pkixcmp", "--data-binary"]);
            command.arg(format!("@{}", file.display()));
            command.arg(format!("https://{}/.well-known/cmp", world.authority_address()));
            askers.push((command.spawn().unwrap(), file.with_extension("answer")));
        }
        let mut certificates = 0;
        for (mut asker, answer) in askers {
            assert!(asker.wait().unwrap().success());
            let answer = Message::from_der(&std::fs::read(answer).unwrap()).unwrap();
            certificates += usize::from(answer.body.kind == BodyKind::KeyUpdateResponse);
        }
        assert_eq!(certificates, 1);
    });
}

#[test]
fn somebody_elses_certificate_is_nobody_elses_to_use() {
    on_both_engines(|engine| {
        let (world, _folder) = world(Store::File, engine);
        let writer = Writer::new(&world);
        // A colleague with a certificate of the same office.
        let office = world.path("colleague.csv");
        let rows = "ico,organisation,contract,applicant,given_name,surname,email\n\
                    17651921,DEMO Úřad,DEMO-1,DEMO-200,Karel,Malý DEMO,karel@demo.obnova.example.com\n";
        std::fs::write(&office, rows).unwrap();
        world.server(&["office", "import", &office.display().to_string()]).unwrap();
        let invitation: serde_json::Value =
            serde_json::from_str(&world.server(&["invite", "DEMO-200", "--profile", "commercial", "--json"]).unwrap())
                .unwrap();
        let secret = obnova_crypto::SharedSecret::new(&obnova_crypto::Secret::new(
            invitation["code"].as_str().unwrap().to_owned(),
        ));
        let reference = invitation["reference"].as_str().unwrap();
        let key = SoftwareKey::generate(KeyKind::P256).unwrap();
        let transaction = Primitives.octets::<16>();
        let mut header = writer.header(&transaction, None);
        (header.sender, header.sender_kid) = (obnova_pki::Name::empty(), Some(reference.as_bytes().to_vec()));
        let content = crmf::request(writer.certificate.subject(), None, None, &key).unwrap();
        let body = Body { kind: BodyKind::InitializationRequest, content };
        let protector = Protector::Secret(&secret, obnova_crypto::SharedSecret::parameters());
        let asked = Message::protect(&header, &body, &protector, &[]).unwrap();
        let answer = Message::from_der(&writer.post(&asked)).unwrap();
        let response = CertificateResponse::from_content(&answer.body.content).unwrap();
        let certificate = Certificate::from_der(&response.certificate.unwrap()).unwrap();
        // Whatever subject was asked for, the office's data decide.
        assert!(certificate.subject().common_name().starts_with("Karel"), "{}", certificate.subject());
        // The invitation is used up.
        header.transaction_id = Primitives.octets::<16>().to_vec();
        let again = Message::protect(&header, &body, &protector, &[]).unwrap();
        writer.refused(&again, Failure::NotAuthorized);

        let colleague = Writer { world: &world, key, certificate };
        // He cannot ask for her successor.
        let old =
            CertificateId { issuer: writer.certificate.issuer().clone(), serial: writer.certificate.serial().clone() };
        let new_key = SoftwareKey::generate(KeyKind::P256).unwrap();
        let content = crmf::request(writer.certificate.subject(), None, Some(&old), &new_key).unwrap();
        let header = colleague.header(&Primitives.octets::<16>(), None);
        let asked = colleague.message(&header, BodyKind::KeyUpdateRequest, content);
        colleague.refused(&asked, Failure::BadCertificateId);
        // Her certificate beside his key proves nothing.
        let forged = Writer {
            world: &world,
            key: SoftwareKey::generate(KeyKind::P256).unwrap(),
            certificate: writer.certificate,
        };
        forged.refused(&forged.request(&Primitives.octets::<16>(), &new_key), Failure::BadMessageCheck);
    });
}
