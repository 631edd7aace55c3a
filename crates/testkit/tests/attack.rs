//! Whoever attacks, or only errs, gets nothing and breaks nothing: messages that come at the same time, by other doors,
//! with keys written otherwise, after what was approved has changed, and from visitors who only want a place.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use num_bigint::BigUint;
use obnova_crypto::{Primitives, Secret, SharedSecret, SoftwareKey};
use obnova_pki::cmp::{
    self, Body, BodyKind, CertificateConfirm, CertificateResponse, Failure, Message, Protector, Status, StatusInfo,
    certificate_hash,
};
use obnova_pki::crmf::{self, CertificateId};
use obnova_pki::{Certificate, Digest, KeyKind, Name, Request, SignError, SignatureAlgorithm, Signer, Verifier, oid};
use obnova_testkit::{Engine, Office, Postgres, Store, World};

use crate::messages::Writer;
use crate::stage::{Killed, on_both_engines, skip, world, world_since};

/// How many connections send the same message at the same time.
const AT_ONCE: usize = 6;

/// Sends the same bytes over so many connections at once, to each of these addresses in turn.
fn at_once(world: &World, bytes: &[u8], addresses: &[String]) -> Vec<Vec<u8>> {
    let name = hex(&Primitives.octets::<8>());
    let file = world.path(&name);
    std::fs::write(&file, bytes).unwrap();
    let askers: Vec<_> = (0..AT_ONCE)
        .map(|number| {
            let answer = world.path(&format!("{name}-{number}"));
            let child = Command::new("curl")
                .args(["-sS", "-o"])
                .arg(&answer)
                .arg("--cacert")
                .arg(world.house_certificate("service"))
                .args(["-H", "Content-Type: application/pkixcmp", "--data-binary"])
                .arg(format!("@{}", file.display()))
                .arg(format!("https://{}/.well-known/cmp", addresses[number % addresses.len()]))
                .spawn()
                .unwrap();
            (child, answer)
        })
        .collect();
    askers
        .into_iter()
        .map(|(mut child, answer)| {
            assert!(child.wait().unwrap().success());
            std::fs::read(answer).unwrap()
        })
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// All answers are the same bytes, and so is that to the same message a moment later.
#[track_caller]
fn one_answer(writer: &Writer<'_>, bytes: &[u8], addresses: &[String]) -> Message {
    let answers = at_once(writer.world, bytes, addresses);
    let read = Message::from_der(&answers[0]).unwrap();
    for answer in &answers {
        let kind = Message::from_der(answer).unwrap().body.kind;
        assert!(answer == &answers[0], "{kind:?} beside {:?}", read.body.kind);
    }
    assert!(writer.post(bytes) == answers[0], "the same message gets the same answer later");
    read
}

/// The certificate that an answer brings.
#[track_caller]
fn brought(answer: &Message) -> Certificate {
    let response = CertificateResponse::from_content(&answer.body.content).unwrap();
    Certificate::from_der(&response.certificate.unwrap_or_else(|| panic!("{:?}", response.status.text))).unwrap()
}

/// Puts an applicant on the contract, invites him, and gives reference and code.
fn invited(world: &World, applicant: &str, surname: &str) -> (String, SharedSecret) {
    let file = world.path("invited.csv");
    let row = format!(
        "ico,organisation,contract,applicant,given_name,surname,email\n\
         17651921,DEMO Úřad,DEMO-1,{applicant},Karel,{surname},karel@demo.obnova.example.com\n"
    );
    std::fs::write(&file, row).unwrap();
    world.server(&["office", "import", &file.display().to_string()]).unwrap();
    let text = world.server(&["invite", applicant, "--profile", "commercial", "--json"]).unwrap();
    let invitation: serde_json::Value = serde_json::from_str(&text).unwrap();
    let code = Secret::new(invitation["code"].as_str().unwrap().to_owned());
    (invitation["reference"].as_str().unwrap().to_owned(), SharedSecret::new(&code))
}

/// A first request by invitation.
fn first_request(writer: &Writer<'_>, (reference, secret): &(String, SharedSecret), key: &dyn Signer) -> Vec<u8> {
    let mut header = writer.header(&Primitives.octets::<16>(), None);
    (header.sender, header.sender_kid) = (Name::empty(), Some(reference.as_bytes().to_vec()));
    let content = crmf::request(&Name::empty(), None, None, key).unwrap();
    let body = Body { kind: BodyKind::InitializationRequest, content };
    let protector = Protector::Secret(secret, SharedSecret::parameters());
    Message::protect(&header, &body, &protector, &[]).unwrap()
}

/// A further message of the holder's transaction.
fn further(writer: &Writer<'_>, answer: &Message, kind: BodyKind, content: Vec<u8>) -> Vec<u8> {
    let header = writer.header(&answer.header.transaction_id, Some(&answer.header.sender_nonce));
    writer.message(&header, kind, content)
}

fn confirmation(certificate: &Certificate, status: Option<StatusInfo>) -> Vec<u8> {
    CertificateConfirm { hash: certificate_hash(certificate, &Primitives), id: 0, status }.to_content().unwrap()
}

/// `RevReqContent` about one certificate, written by hand: the product only reads it.
fn revocation(certificate: &Certificate) -> Vec<u8> {
    use der::{Any, Encode, Tag, TagNumber};
    let wrapped = |number: u8, constructed: bool, content: &[u8]| {
        let tag = Tag::ContextSpecific { number: TagNumber(number.into()), constructed };
        Any::new(tag, content).unwrap().to_der().unwrap()
    };
    let sequence = |content: Vec<u8>| Any::new(Tag::Sequence, content).unwrap().to_der().unwrap();
    let serial = wrapped(1, false, &certificate.serial().to_integer());
    let issuer = wrapped(3, true, certificate.issuer().der());
    sequence(sequence(sequence([serial, issuer].concat())))
}

/// Holders whose certificates are about to end: enrolled a year ago, each by a message that came many times at once.
fn holders(world: &mut World, count: usize) -> Vec<(SoftwareKey, Certificate)> {
    world.turn_clock_back(365).unwrap();
    let writer = Writer::new(world);
    let addresses = [world.authority_address()];
    (0..count)
        .map(|number| {
            let invitation = invited(world, &format!("DEMO-3{number}"), "Malý DEMO");
            let key = SoftwareKey::generate(KeyKind::P256).unwrap();
            // RFC 9810 section 5.1.1: the answer under a shared secret is the same for all, too.
            let answer = one_answer(&writer, &first_request(&writer, &invitation, &key), &addresses);
            assert_eq!(answer.body.kind, BodyKind::InitializationResponse);
            (key, brought(&answer))
        })
        .collect()
}

fn same_message_at_once(mut world: World, second: bool) {
    let mut addresses = vec![world.authority_address()];
    let people = holders(&mut world, 6);
    world.turn_clock_back(0).unwrap();
    let other = second.then(|| second_server(&world));
    addresses.extend(other.iter().map(|(address, _)| address.clone()));
    let mut people =
        people.into_iter().map(|(key, certificate)| Writer { world: &world, key, certificate }).collect::<Vec<_>>();

    // kur, then its confirmation.
    let writer = people.pop().unwrap();
    let new_key = SoftwareKey::generate(KeyKind::P256).unwrap();
    let answer = one_answer(&writer, &writer.request(&Primitives.octets::<16>(), &new_key), &addresses);
    let certificate = brought(&answer);
    let confirm = further(&writer, &answer, BodyKind::CertificateConfirm, confirmation(&certificate, None));
    assert_eq!(one_answer(&writer, &confirm, &addresses).body.kind, BodyKind::Confirmation);
    // What is confirmed stays confirmed: a late word is refused, and revokes nothing.
    let late = confirmation(&certificate, Some(StatusInfo::rejection(Failure::IncorrectData, "late")));
    writer.refused(&further(&writer, &answer, BodyKind::CertificateConfirm, late), Failure::CertificateConfirmed);
    assert_eq!(state_of(&world, &certificate), "issued");

    // cr and p10cr by a holder.
    for kind in [BodyKind::CertificationRequest, BodyKind::Pkcs10Request] {
        let writer = people.pop().unwrap();
        let key = SoftwareKey::generate(KeyKind::P256).unwrap();
        let content = match kind {
            BodyKind::Pkcs10Request => Request::sign(writer.certificate.subject(), &key).unwrap().der().to_vec(),
            _ => crmf::request(writer.certificate.subject(), None, None, &key).unwrap(),
        };
        let asked = writer.message(&writer.header(&Primitives.octets::<16>(), None), kind, content);
        brought(&one_answer(&writer, &asked, &addresses));
    }

    // A certificate that its holder does not take is revoked, once.
    let writer = people.pop().unwrap();
    let new_key = SoftwareKey::generate(KeyKind::P256).unwrap();
    let answer = one_answer(&writer, &writer.request(&Primitives.octets::<16>(), &new_key), &addresses);
    let certificate = brought(&answer);
    let refusal = confirmation(&certificate, Some(StatusInfo::rejection(Failure::IncorrectData, "not mine")));
    let refusal = further(&writer, &answer, BodyKind::CertificateConfirm, refusal);
    assert_eq!(one_answer(&writer, &refusal, &addresses).body.kind, BodyKind::Confirmation);
    assert_eq!(state_of(&world, &certificate), "revoked");
    // It is not handed out once more by a poll.
    let poll = further(&writer, &answer, BodyKind::PollRequest, cmp::poll_request_content(0).unwrap());
    writer.refused(&poll, Failure::CertificateRevoked);

    // rr: the message that revokes its own signer.
    let writer = people.pop().unwrap();
    let asked = writer.message(
        &writer.header(&Primitives.octets::<16>(), None),
        BodyKind::RevocationRequest,
        revocation(&writer.certificate),
    );
    let answer = one_answer(&writer, &asked, &addresses);
    assert_eq!(answer.body.kind, BodyKind::RevocationResponse);
    assert_eq!(state_of(&world, &writer.certificate), "revoked");

    // A poll for what a clerk approved meanwhile.
    let writer = people.pop().unwrap();
    world.import(&Office { approval: true, ..Office::default() }).unwrap();
    let new_key = SoftwareKey::generate(KeyKind::P256).unwrap();
    let transaction = Primitives.octets::<16>();
    let waiting = one_answer(&writer, &writer.request(&transaction, &new_key), &addresses);
    let status = CertificateResponse::from_content(&waiting.body.content).unwrap().status;
    assert_eq!(status.status, Status::Waiting as u8);
    world.server(&["request", "approve", &hex(&transaction)]).unwrap();
    let poll = further(&writer, &waiting, BodyKind::PollRequest, cmp::poll_request_content(0).unwrap());
    let certificate = brought(&one_answer(&writer, &poll, &addresses));
    assert_eq!(certificate.public_key(), new_key.public_key());
    world.server(&["health"]).unwrap();
}

/// What the authority says of a certificate.
fn state_of(world: &World, certificate: &Certificate) -> String {
    let output = Command::new("curl")
        .args(["-sS", "-D", "-", "-o", "/dev/null", "--cacert"])
        .arg(world.house_certificate("service"))
        .arg(format!(
            "https://{}/certificate/commercial/0x{}",
            world.authority_address(),
            certificate.serial().hexadecimal()
        ))
        .output()
        .unwrap();
    let head = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = head.lines().find_map(|line| line.strip_prefix("x-obnova-state: ")).unwrap_or_default();
    line.trim().to_owned()
}

/// Another server process over the same database, with an address of its own.
fn second_server(world: &World) -> (String, Killed) {
    let folder = world.path("second");
    for sub in ["keys", "certificates"] {
        std::fs::create_dir_all(folder.join(sub)).unwrap();
        for entry in std::fs::read_dir(world.path("server").join(sub)).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), folder.join(sub).join(entry.file_name())).unwrap();
        }
    }
    let mut text = std::fs::read_to_string(world.path("server").join("obnova-server.toml")).unwrap();
    let address = format!("127.0.0.1:{}", obnova_testkit::free_port().unwrap());
    let identity = format!("127.0.0.1:{}", obnova_testkit::free_port().unwrap());
    text = text.replace(&world.authority_address(), &address).replace(&world.identity_address(), &identity);
    std::fs::write(folder.join("obnova-server.toml"), text).unwrap();
    let mut child = Command::new(crate::stage::programs().join("obnova-server"))
        .args(["run", "--dir"])
        .arg(&folder)
        .arg("--passphrase-file")
        .arg(world.path("passphrase"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line).unwrap();
    assert!(line.starts_with("ready"), "{line}");
    (address, Killed(child))
}

#[test]
fn the_same_message_at_the_same_time_gets_one_answer() {
    on_both_engines(|engine| {
        let (world, _folder) = world(Store::File, engine);
        same_message_at_once(world, false);
    });
}

#[test]
fn two_servers_over_one_database_give_one_answer() {
    let Some(postgres) = Postgres::start().unwrap() else { return skip("PostgreSQL") };
    let (world, _folder) = world(Store::File, Engine::Postgres(postgres.url()));
    same_message_at_once(world, true);
}

/// A second server on the same folder ends before it changes anything, and those who ask meanwhile notice nothing.
#[test]
fn a_second_server_harms_nobody() {
    let (world, _folder) = world(Store::File, Engine::Sqlite);
    let writer = Writer::new(&world);
    let asking = std::thread::scope(|scope| {
        let starts = scope
            .spawn(|| (0..4).map(|_| world.run_command().stdout(Stdio::null()).output().unwrap()).collect::<Vec<_>>());
        let mut answers = Vec::new();
        while !starts.is_finished() {
            let body = Body { kind: BodyKind::GeneralMessage, content: vec![0x30, 0x00] };
            let header = writer.header(&Primitives.octets::<16>(), None);
            let asked = Message::protect(&header, &body, &Protector::Key(&writer.key, &writer.certificate), &[]);
            answers.push(Message::from_der(&writer.post(&asked.unwrap())).unwrap().body.kind);
        }
        for output in starts.join().unwrap() {
            assert_eq!(output.status.code(), Some(1));
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(told.contains("listening on"), "{told}");
        }
        answers
    });
    assert!(asking.iter().all(|kind| *kind == BodyKind::GeneralResponse), "{asking:?}");
    // With addresses of its own it is kept out by the lock beside the database.
    let folder = world.path("server");
    let text = std::fs::read_to_string(folder.join("obnova-server.toml")).unwrap();
    let mut moved = text.replace(&world.authority_address(), &format!("127.0.0.1:{}", free()));
    moved = moved.replace(&world.identity_address(), &format!("127.0.0.1:{}", free()));
    std::fs::write(folder.join("obnova-server.toml"), moved).unwrap();
    let output = world.run_command().output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("another obnova-server runs on this database"), "{told}");
}

fn free() -> u16 {
    obnova_testkit::free_port().unwrap()
}

/// Window, subject and number belong to whoever holds a certificate, by whatever message they ask.
#[test]
fn rules_of_a_renewal_hold_for_every_kind_of_message() {
    let kinds = [BodyKind::KeyUpdateRequest, BodyKind::CertificationRequest, BodyKind::InitializationRequest];
    on_both_engines(|engine| {
        let (mut world, _folder) = world(Store::File, engine);
        let people = holders(&mut world, 2);
        let asked = |writer: &Writer<'_>, kind: BodyKind, subject: &Name| {
            let key = SoftwareKey::generate(KeyKind::P256).unwrap();
            let old = (kind == BodyKind::KeyUpdateRequest).then(|| CertificateId {
                issuer: writer.certificate.issuer().clone(),
                serial: writer.certificate.serial().clone(),
            });
            let content = match kind {
                BodyKind::Pkcs10Request => Request::sign(subject, &key).unwrap().der().to_vec(),
                _ => crmf::request(subject, None, old.as_ref(), &key).unwrap(),
            };
            writer.message(&writer.header(&Primitives.octets::<16>(), None), kind, content)
        };
        let mut people = people.into_iter();
        let (key, certificate) = people.next().unwrap();
        let writer = Writer { world: &world, key, certificate };
        // A year before its end.
        for kind in kinds.into_iter().chain([BodyKind::Pkcs10Request]) {
            let words = writer.refused(&asked(&writer, kind, writer.certificate.subject()), Failure::NotAuthorized);
            assert_eq!(words, "renewal-too-early", "{kind:?}");
        }
        drop(writer);
        world.turn_clock_back(0).unwrap();
        let (key, certificate) = people.next().unwrap();
        let writer = Writer { world: &world, key, certificate };
        let stranger = Name::from_attributes(&[(oid::COMMON_NAME, "Somebody Else")]).unwrap();
        for kind in kinds.into_iter().chain([BodyKind::Pkcs10Request]) {
            let words = writer.refused(&asked(&writer, kind, &stranger), Failure::NotAuthorized);
            assert_eq!(words, "subject-differs", "{kind:?}");
        }
        // One successor at a time, by whatever door it came.
        let answer = Message::from_der(&writer.post(&asked(
            &writer,
            BodyKind::CertificationRequest,
            writer.certificate.subject(),
        )));
        let successor = brought(&answer.unwrap());
        for kind in kinds.into_iter().chain([BodyKind::Pkcs10Request]) {
            let words = writer.refused(&asked(&writer, kind, writer.certificate.subject()), Failure::NotAuthorized);
            assert!(words.starts_with("already-renewed"), "{kind:?}: {words}");
        }
        // When that one is revoked, the way is free again.
        world.server(&["revoke", "commercial", &successor.serial().decimal(), "--reason", "superseded"]).unwrap();
        let again = asked(&writer, BodyKind::KeyUpdateRequest, writer.certificate.subject());
        brought(&Message::from_der(&writer.post(&again)).unwrap());
    });
}

/// A key whose numbers are chosen: signs by plain arithmetic, as an attacker would.
struct RawRsa {
    modulus: BigUint,
    private: BigUint,
    public_key: Vec<u8>,
}

fn der_sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    use der::Encode;
    der::Any::new(der::Tag::Sequence, parts.concat()).unwrap().to_der().unwrap()
}

fn rsa_public_key(modulus: &BigUint, exponent: u32) -> Vec<u8> {
    use der::Encode;
    let uint = |number: &BigUint| der::asn1::Uint::new(&number.to_bytes_be()).unwrap().to_der().unwrap();
    let pair = der_sequence(&[uint(modulus), uint(&BigUint::from(exponent))]);
    let algorithm = der_sequence(&[oid::RSA_ENCRYPTION.to_der().unwrap(), vec![5, 0]]);
    der_sequence(&[algorithm, der::asn1::BitString::from_bytes(&pair).unwrap().to_der().unwrap()])
}

impl RawRsa {
    fn new(p: &BigUint, q: &BigUint, exponent: u32) -> Self {
        let one = BigUint::from(1u32);
        let modulus = p * q;
        let private = BigUint::from(exponent).modinv(&((p - &one) * (q - &one))).unwrap();
        Self { public_key: rsa_public_key(&modulus, exponent), modulus, private }
    }
}

impl Signer for RawRsa {
    fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::RsaSha256
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        // EMSA-PKCS1-v1_5 (RFC 8017 section 9.2).
        const PREFIX: [u8; 19] = [
            0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04,
            0x20,
        ];
        let length = usize::try_from(self.modulus.bits().div_ceil(8)).unwrap();
        let digest = [&PREFIX[..], &Primitives.digest(Digest::Sha256, message)].concat();
        let padded = [&[0, 1][..], &vec![0xFF; length - digest.len() - 3], &[0], &digest].concat();
        let signature = BigUint::from_bytes_be(&padded).modpow(&self.private, &self.modulus).to_bytes_be();
        Ok([vec![0; length - signature.len()], signature].concat())
    }
}

/// The next probable prime (Miller and Rabin, eight bases).
fn prime_from(start: &BigUint, step: &BigUint) -> BigUint {
    let (one, two) = (BigUint::from(1u32), BigUint::from(2u32));
    let mut number = start.clone();
    loop {
        let is_rough = (3u32..2_000).step_by(2).all(|small| &number % small != BigUint::ZERO);
        if number.bit(0) && is_rough {
            let below = &number - &one;
            let twos = below.trailing_zeros().unwrap_or(0);
            let odd = &below >> twos;
            let is_prime = [2u32, 3, 5, 7, 11, 13, 17, 19].iter().all(|base| {
                let mut power = BigUint::from(*base).modpow(&odd, &number);
                if power == one || power == below {
                    return true;
                }
                for _ in 1..twos {
                    power = power.modpow(&two, &number);
                    if power == below {
                        return true;
                    }
                }
                false
            });
            if is_prime {
                return number;
            }
        }
        number += step;
    }
}

fn random(bits: u64) -> BigUint {
    let mut octets = Primitives.octets::<256>();
    octets[255] |= 1;
    let number = BigUint::from_bytes_be(&octets) >> (2048 - bits);
    number | (BigUint::from(3u32) << (bits - 2)) | BigUint::from(1u32)
}

/// The same private key under another public spelling.
struct Respelled<'a> {
    key: &'a SoftwareKey,
    public_key: Vec<u8>,
}

impl Signer for Respelled<'_> {
    fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.key.algorithm()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        self.key.sign(message)
    }
}

#[test]
fn a_key_is_one_key_however_it_is_written_and_a_weak_one_is_refused() {
    let (world, _folder) = world(Store::File, Engine::Sqlite);
    let writer = Writer::new(&world);
    let two = BigUint::from(2u32);
    let (p, q) = (prime_from(&random(1024), &two), prime_from(&random(1024), &two));
    let asked = |key: &dyn Signer| {
        let content = crmf::request(writer.certificate.subject(), None, None, key).unwrap();
        writer.message(&writer.header(&Primitives.octets::<16>(), None), BodyKind::CertificationRequest, content)
    };
    // Weak ones, each named.
    let product = (2u32..168).filter(|n| (2..*n).all(|m| n % m != 0)).fold(BigUint::from(1u32), |all, n| all * n);
    let roca = |a: u32| {
        let power = BigUint::from(65_537u32).modpow(&BigUint::from(a), &product);
        let factor = (BigUint::from(3u32) << 1022) / &product + random(600);
        prime_from(&(factor * &product + power), &product)
    };
    let near = prime_from(&(&p + (BigUint::from(1u32) << 40)), &two);
    let next = prime_from(&(&p + &two), &two);
    let small = prime_from(&random(2047), &two);
    let weak = [
        ("e = 3", RawRsa::new(&prime_for(3), &prime_for(3), 3), "exponent"),
        ("e = 17", RawRsa::new(&prime_for(17), &prime_for(17), 17), "exponent"),
        ("primes 2^40 apart", RawRsa::new(&p, &near, 65_537), "close"),
        ("neighbouring primes", RawRsa::new(&p, &next, 65_537), "close"),
        ("a factor 3", RawRsa::new(&BigUint::from(3u32), &small, 65_537), "divided by 3"),
        ("CVE-2017-15361", RawRsa::new(&roca(1_234), &roca(4_321), 65_537), "CVE-2017-15361"),
    ];
    for (what, key, word) in &weak {
        let words = writer.refused(&asked(key), Failure::BadTemplate);
        assert!(words.starts_with("weak-key") && words.contains(word), "{what}: {words}");
    }
    // Other spellings of a point, of a key that is new here: none of them is certified at all.
    let key = SoftwareKey::generate(KeyKind::P256).unwrap();
    let head = key.public_key().len() - 64;
    let (x, y) = (&key.public_key()[head..head + 32], &key.public_key()[head + 32..]);
    let is_odd = y[31] & 1;
    let ec = |unused: u8, point: &[u8]| {
        use der::Encode;
        let algorithm = der_sequence(&[oid::EC_PUBLIC_KEY.to_der().unwrap(), oid::P256.to_der().unwrap()]);
        der_sequence(&[algorithm, der::asn1::BitString::new(unused, point).unwrap().to_der().unwrap()])
    };
    for public_key in [
        ec(0, &[&[2 + is_odd][..], x].concat()),
        ec(0, &[&[6 + is_odd][..], x, y].concat()),
        ec(0, &[&[4][..], x, &[0; 32]].concat()),
    ] {
        let respelled = Respelled { key: &key, public_key };
        let answer = Message::from_der(&writer.post(&asked(&respelled))).unwrap();
        assert!(CertificateResponse::from_content(&answer.body.content).map_or(true, |r| r.certificate.is_none()));
    }
    // An RSA key that was certified is the same key under another exponent.
    brought(&Message::from_der(&writer.post(&asked(&RawRsa::new(&p, &q, 65_537)))).unwrap());
    let words = writer.refused(&asked(&RawRsa::new(&p, &q, 65_539)), Failure::BadTemplate);
    assert!(words.starts_with("same-key"), "{words}");
}

/// A prime for which this exponent can be inverted.
fn prime_for(exponent: u32) -> BigUint {
    let mut prime = prime_from(&random(1024), &BigUint::from(2u32));
    while (&prime - 1u32) % exponent == BigUint::ZERO {
        prime = prime_from(&(prime + 2u32), &BigUint::from(2u32));
    }
    prime
}

/// What a clerk approved is what is certified, and what speaks against it by then is asked once more.
#[test]
fn what_was_approved_is_what_is_certified() {
    on_both_engines(|engine| {
        let (world, _folder) = world(Store::File, engine);
        let writer = Writer::new(&world);
        world.import(&Office { approval: true, ..Office::default() }).unwrap();
        let ask = || {
            let key = SoftwareKey::generate(KeyKind::P256).unwrap();
            let transaction = Primitives.octets::<16>();
            let answer = Message::from_der(&writer.post(&writer.request(&transaction, &key))).unwrap();
            let status = CertificateResponse::from_content(&answer.body.content).unwrap().status;
            assert_eq!(status.status, Status::Waiting as u8, "{:?}", status.text);
            answer
        };
        let poll = |answer: &Message| {
            let poll = further(&writer, answer, BodyKind::PollRequest, cmp::poll_request_content(0).unwrap());
            Message::from_der(&writer.post(&poll)).unwrap()
        };
        let answer = ask();
        let list = world.server(&["request", "list", "--json"]).unwrap();
        assert!(list.contains("Jana Dvořáková DEMO"), "the clerk sees whom it is for: {list}");
        world.server(&["request", "approve", &hex(&answer.header.transaction_id)]).unwrap();
        // Another person comes into the row, and the contract into debt.
        let other = Office { approval: true, surname: Some("Jinočlověková DEMO".to_owned()), ..Office::default() };
        let debt = Office { debt_since: "2020-01-01".to_owned(), ..other.clone() };
        world.import(&debt).unwrap();
        let refused = poll(&answer);
        let status = CertificateResponse::from_content(&refused.body.content).unwrap().status;
        assert_eq!(status.failures, [Failure::NotAuthorized as u8]);
        assert!(status.text.join(" ").contains("debt"), "{:?}", status.text);
        // Without the debt, a new request for the new name waits; what was asked under the old one brings the old one.
        world.import(&Office { approval: true, ..Office::default() }).unwrap();
        let answer = ask();
        world.server(&["request", "approve", &hex(&answer.header.transaction_id)]).unwrap();
        let report = world.path("other.csv");
        let row = "ico,organisation,contract,applicant,given_name,surname,email,approval\n\
                   17651921,DEMO Úřad,DEMO-1,DEMO-100,Jana,Jinočlověková DEMO,jana@demo.obnova.example.com,yes\n";
        std::fs::write(&report, row).unwrap();
        let told = world.server(&["office", "import", &report.display().to_string(), "--json"]).unwrap();
        assert!(told.contains(&hex(&answer.header.transaction_id)), "the import tells of open requests: {told}");
        let certificate = brought(&poll(&answer));
        assert_eq!(certificate.subject(), writer.certificate.subject());
    });
}

/// Whoever is invited under one name does not get a certificate under another one in silence.
#[test]
fn an_invitation_is_for_whom_it_names() {
    let (world, _folder) = world(Store::File, Engine::Sqlite);
    let writer = Writer::new(&world);
    let invitation = invited(&world, "DEMO-400", "Malý DEMO");
    let row = "ico,organisation,contract,applicant,given_name,surname,email\n\
               17651921,DEMO Úřad,DEMO-1,DEMO-400,Zdeněk,Jinočlověk DEMO,karel@demo.obnova.example.com\n";
    std::fs::write(world.path("other.csv"), row).unwrap();
    world.server(&["office", "import", &world.path("other.csv").display().to_string()]).unwrap();
    let key = SoftwareKey::generate(KeyKind::P256).unwrap();
    let answer = Message::from_der(&writer.post(&first_request(&writer, &invitation, &key))).unwrap();
    let status = CertificateResponse::from_content(&answer.body.content).unwrap().status;
    assert_eq!(status.status, Status::Waiting as u8, "{:?}", status.text);
    assert_eq!(status.text, ["data-changed"]);
}

/// Wrong codes make an invitation slow, never shut: whoever only saw its reference cannot close it.
#[test]
fn nobody_is_locked_out_by_strangers() {
    let (world, _folder) = world(Store::File, Engine::Sqlite);
    let writer = Writer::new(&world);
    let invitation = invited(&world, "DEMO-500", "Malý DEMO");
    let wrong = (invitation.0.clone(), SharedSecret::new(&Secret::new("AAAAA-AAAAA-AAAAA-AAAAA".to_owned())));
    let key = SoftwareKey::generate(KeyKind::P256).unwrap();
    for _ in 0..7 {
        writer.refused(&first_request(&writer, &wrong, &key), Failure::BadMessageCheck);
    }
    brought(&Message::from_der(&writer.post(&first_request(&writer, &invitation, &key))).unwrap());
}

/// Whoever asked before the end of the predecessor gets the successor also after it.
#[test]
fn whoever_asked_in_time_gets_it() {
    on_both_engines(|engine| {
        // Today is ten days after the end; this begins twenty days before it.
        let (mut world, _folder) = world_since(395, Store::File, engine);
        world.turn_clock_back(30).unwrap();
        world.import(&Office { approval: true, ..Office::default() }).unwrap();
        let old = world.login_key().unwrap().0;
        let output = world.obnova(&["renew", "commercial"]).unwrap();
        assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
        world.turn_clock_back(0).unwrap();
        let list: serde_json::Value =
            serde_json::from_str(&world.server(&["request", "list", "--json"]).unwrap()).unwrap();
        let waiting = list.as_array().unwrap().iter().find(|request| request["state"] == "waiting").unwrap();
        world.server(&["request", "approve", waiting["id"].as_str().unwrap()]).unwrap();
        let output = world.obnova(&["resume"]).unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        let new = world.login_key().unwrap().0;
        assert_ne!(new.serial(), old.serial(), "{told}");
        assert_eq!(state_of(&world, &new), "issued", "{told}");
    });
}

/// 600 visitors that only take their places keep nobody else out.
#[test]
fn one_visitor_does_not_close_the_house() {
    let (world, _folder) = world(Store::File, Engine::Sqlite);
    let memory = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", world.server_id().unwrap())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    let before = memory();
    for address in [world.authority_address(), world.identity_address()] {
        let stalled: Vec<TcpStream> = (0..600).filter_map(|_| stalled_from("127.0.0.2", &address)).collect();
        assert!(stalled.len() > 400, "only {} connections were made", stalled.len());
        let begun = Instant::now();
        let output = Command::new("curl")
            .args(["-sS", "--interface", "127.0.0.3", "--max-time", "10", "--cacert"])
            .arg(world.house_certificate("service"))
            .arg(format!("https://{address}/health"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
        let begun = Instant::now();
        let account = world.ask(&["register", "commercial"]).unwrap();
        assert_eq!(account["account"], "demo.jana", "{account}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        let grown = memory().saturating_sub(before);
        assert!(grown < 50 * 1024, "{grown} KiB");
        drop(stalled);
    }
}

/// A connection from an address that says the beginning of a handshake, and then nothing more.
fn stalled_from(from: &str, to: &str) -> Option<TcpStream> {
    let _ = TcpListener::bind((from, 0)).ok()?;
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).ok()?;
    let local: std::net::SocketAddr = format!("{from}:0").parse().ok()?;
    socket.bind(&local.into()).ok()?;
    let to: std::net::SocketAddr = to.parse().ok()?;
    socket.connect_timeout(&to.into(), Duration::from_secs(2)).ok()?;
    let mut stream: TcpStream = socket.into();
    stream.write_all(&[0x16]).ok()?;
    Some(stream)
}
