//! CMP: who asks, for what, and the answer (RFC 9810, RFC 9483).
//!
//! The same bytes get the same answer, also after a crash; other bytes under a known transactionID are refused.

use std::sync::Arc;
use std::time::Duration;

use obnova_crypto::{Primitives, Secret, SharedSecret, weakness};
use obnova_pki::cmp::{
    self, Body, BodyKind, CertificateConfirm, Failure, Header, Message, Protection, Protector, StatusInfo,
    certificate_hash,
};
use obnova_pki::crmf::{self, CertificateId};
use obnova_pki::{Certificate, FormatError, KeyKind, Name, Request, Serial, crl, oid};
use obnova_serve::database::is_duplicate;
use obnova_serve::{ServeError, audit};
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection};

use crate::authority::Authority;
use crate::issue::{Signed, revoke_row};
use crate::profile::Person;
use crate::request::{Asked, used_invitation};
use crate::store::{self, RequestRow};

/// How much longer each further wrong code of an invitation waits for its answer, up to [`SLOWEST`]. Nobody is locked
/// out: a code has 100 bits, and whoever saw a reference must not be able to close it.
const SLOWER: Duration = Duration::from_millis(200);
const SLOWEST: Duration = Duration::from_secs(3);

/// Codes that are derived at the same time; further ones wait their turn, other messages do not.
pub(crate) const DERIVATIONS: usize = 2;

/// A refusal on its way to the client: a bit and words.
pub(crate) struct Refusal(pub(crate) Failure, pub(crate) String);

impl Refusal {
    pub(crate) fn new(failure: Failure, text: impl Into<String>) -> Self {
        Self(failure, text.into())
    }
}

impl From<ServeError> for Refusal {
    fn from(error: ServeError) -> Self {
        tracing::error!(%error, "a CMP request could not be served");
        Self::new(Failure::SystemFailure, "the authority could not do this now; ask again later")
    }
}

impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Self {
        ServeError::from(error).into()
    }
}

impl From<obnova_pki::FormatError> for Refusal {
    fn from(error: obnova_pki::FormatError) -> Self {
        Self::new(Failure::BadDataFormat, error.to_string())
    }
}

/// Who protected the message.
pub(crate) enum Sender {
    /// The holder of an invitation.
    Invited {
        reference: String,
        secret: SharedSecret,
        applicant: String,
        profile: String,
        /// The person as they were invited; `None` in rows of version 0.1.0.
        person: Option<Box<Person>>,
    },
    /// The holder of one of our certificates.
    Holder { certificate: Box<Certificate>, issuer: &'static str, applicant: String },
}

impl Sender {
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Invited { reference, .. } => format!("invitation {reference}"),
            Self::Holder { certificate, issuer, .. } => {
                format!("certificate {issuer} {}", certificate.serial().hexadecimal())
            }
        }
    }
}

/// What is written in the transaction that stores the answer.
pub(crate) enum Along {
    Nothing,
    /// A certificate that was just signed.
    Issued(Box<Signed>),
    /// The holder's word about the certificate of a request.
    Settled {
        request: String,
        accepted: bool,
        issuer: &'static str,
        serial: Serial,
    },
    /// A revocation that the holder asked for.
    Revoked {
        issuer: &'static str,
        serial: Serial,
        reason: crl::Reason,
    },
}

/// How an answer is kept for the day when its message comes again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keeping {
    /// The same message always gets these bytes.
    Always,
    /// Only where no request stands behind the transaction: a refusal never takes the place of a decision.
    UnlessRequested,
    /// Not at all: the message changes nothing, and may be answered anew.
    Never,
}

pub(crate) struct Answer {
    body: Body,
    pub(crate) implicit_confirm: bool,
    pub(crate) along: Along,
    keeping: Keeping,
}

impl Answer {
    pub(crate) fn new(kind: BodyKind, content: Vec<u8>) -> Self {
        Self { body: Body { kind, content }, implicit_confirm: false, along: Along::Nothing, keeping: Keeping::Always }
    }
}

/// What became of an answer in the transaction that was to store it.
enum Stored {
    /// It is the answer to this message.
    New,
    /// The message was answered before, with these bytes.
    Before(Vec<u8>),
    /// What it tells could not be done any more: this is told instead.
    Instead(Failure, &'static str),
}

/// A connection for reading; given back before anything is written.
pub(crate) type Reading = PoolConnection<Any>;

async fn stored_answer(
    reading: &mut AnyConnection,
    transaction: &str,
    hash: &str,
) -> Result<Option<Vec<u8>>, sqlx::Error> {
    use sqlx::Row;
    sqlx::query("SELECT response FROM exchange WHERE transaction_id = $1 AND message_hash = $2")
        .bind(transaction.to_owned())
        .bind(hash.to_owned())
        .fetch_optional(reading)
        .await?
        .map(|row| row.try_get(0))
        .transpose()
}

/// Refuses a key that is not certified here, before anything is said about its proof of possession.
fn check_key(public_key: &[u8]) -> Result<(), Refusal> {
    KeyKind::of(public_key).map_err(|error| Refusal::new(Failure::BadAlgorithm, error.to_string()))?;
    match weakness(public_key) {
        Some(weakness) => Err(Refusal::new(Failure::BadTemplate, format!("weak-key: {weakness}; make a new one"))),
        None => Ok(()),
    }
}

/// Whether a request stands behind a transaction.
async fn has_request(connection: &mut AnyConnection, transaction: &str) -> Result<bool, sqlx::Error> {
    let row = sqlx::query("SELECT 1 FROM request WHERE id = $1")
        .bind(transaction.to_owned())
        .fetch_optional(connection)
        .await?;
    Ok(row.is_some())
}

/// Does what an answer tells; `Some` when that cannot be done any more.
async fn carry_out(
    connection: &mut AnyConnection,
    along: &Along,
    now: i64,
) -> Result<Option<(Failure, &'static str)>, sqlx::Error> {
    match along {
        Along::Nothing => Ok(None),
        Along::Issued(signed) => signed.store(connection, now).await.map(|()| None),
        Along::Settled { request, accepted, issuer, serial } => {
            let state = if *accepted { "confirmed" } else { "rejected" };
            let settled = sqlx::query("UPDATE request SET state = $1 WHERE id = $2 AND state = 'issued'")
                .bind(state)
                .bind(request.clone())
                .execute(&mut *connection)
                .await?;
            if settled.rows_affected() == 1 {
                audit::append(connection, now, &format!("certificate-{state}"), request).await?;
                if !accepted {
                    // RFC 9810 section 5.3.18: what its holder does not take is revoked.
                    revoke_row(connection, issuer, serial, crl::Reason::CessationOfOperation, now).await?;
                }
                return Ok(None);
            }
            let settled = store::request(connection, request).await?.map(|row| row.state);
            // A late word changes nothing: what is confirmed stays so (RFC 9810 appendix F, certConfirmed).
            Ok((settled.as_deref() != Some(state))
                .then_some((Failure::CertificateConfirmed, "the certificate was confirmed or refused before")))
        }
        Along::Revoked { issuer, serial, reason } => {
            let done = revoke_row(connection, issuer, serial, *reason, now).await?;
            Ok((!done).then_some((Failure::CertificateRevoked, "it was revoked before")))
        }
    }
}

impl Authority {
    /// Answers one CMP message; `None` when the bytes are no message at all.
    pub async fn answer_cmp(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let message = match Message::from_der(bytes) {
            Ok(message) => message,
            Err(error) => {
                tracing::info!(%error, "a malformed CMP message was refused");
                return self.refuse_unread(&error.to_string());
            }
        };
        let transaction = hex::encode(&message.header.transaction_id);
        let hash = Primitives.fingerprint(bytes);
        let mut reading = match self.database.pool().acquire().await {
            Ok(reading) => reading,
            Err(error) => return self.sign_answer(&message, None, &self.error(&error.into())).map(|(bytes, _)| bytes),
        };
        match stored_answer(&mut reading, &transaction, &hash).await {
            Ok(Some(answer)) => return Some(answer),
            Ok(None) => {}
            Err(error) => return self.sign_answer(&message, None, &self.error(&error.into())).map(|(bytes, _)| bytes),
        }
        let (sender, reading) = match self.authenticate(&message, reading).await {
            Ok(known) => known,
            Err(refusal) => {
                // An equal message may have been answered a moment ago, and have changed what this one rests on.
                if let Ok(mut reading) = self.database.pool().acquire().await
                    && let Ok(Some(answer)) = stored_answer(&mut reading, &transaction, &hash).await
                {
                    return Some(answer);
                }
                tracing::info!(transaction, refusal = refusal.1, "a CMP message was refused");
                // An answer to somebody unknown is not stored: it would let strangers fill the database.
                return self.sign_answer(&message, None, &self.error(&refusal)).map(|(bytes, _)| bytes);
            }
        };
        let answer = match self.dispatch(&message, &sender, reading).await {
            Ok(answer) => answer,
            // What can be otherwise in a moment is not stored: the same bytes are welcome again.
            Err(refusal) if matches!(refusal.0, Failure::SystemFailure | Failure::SystemUnavailable) => {
                return self.sign_answer(&message, Some(&sender), &self.error(&refusal)).map(|(bytes, _)| bytes);
            }
            Err(refusal) => {
                tracing::info!(transaction, refusal = refusal.1, "a CMP request was refused");
                self.error(&refusal)
            }
        };
        self.protect(&message, &sender, answer, &transaction, &hash).await
    }

    fn error(&self, refusal: &Refusal) -> Answer {
        let status = StatusInfo::rejection(refusal.0, refusal.1.clone());
        let mut answer = Answer::new(BodyKind::Error, cmp::error_content(&status).unwrap_or_default());
        answer.keeping = Keeping::UnlessRequested;
        answer
    }

    fn refuse_unread(&self, why: &str) -> Option<Vec<u8>> {
        let header = Header {
            sender: self.reply_certificate.subject().clone(),
            recipient: Name::empty(),
            time: Some(self.clock.now()),
            sender_kid: None,
            transaction_id: Primitives.octets::<16>().to_vec(),
            sender_nonce: Primitives.octets::<16>().to_vec(),
            recipient_nonce: None,
            implicit_confirm: false,
            confirm_wait: None,
            profile: None,
        };
        let body = self.error(&Refusal::new(Failure::BadDataFormat, why)).body;
        Message::protect(&header, &body, &Protector::Key(&self.reply_key, &self.reply_certificate), &[]).ok()
    }

    /// The protected answer and its senderNonce.
    fn sign_answer(&self, request: &Message, sender: Option<&Sender>, answer: &Answer) -> Option<(Vec<u8>, String)> {
        let mac = match sender {
            Some(Sender::Invited { reference, secret, .. }) => Some((reference, secret)),
            _ => None,
        };
        let header = Header {
            sender: self.reply_certificate.subject().clone(),
            recipient: request.header.sender.clone(),
            time: Some(self.clock.now()),
            sender_kid: match mac {
                Some((reference, _)) => Some(reference.as_bytes().to_vec()),
                None => self.reply_certificate.subject_key_identifier(),
            },
            transaction_id: request.header.transaction_id.clone(),
            sender_nonce: Primitives.octets::<16>().to_vec(),
            recipient_nonce: Some(request.header.sender_nonce.clone()),
            implicit_confirm: answer.implicit_confirm,
            confirm_wait: None,
            profile: None,
        };
        let protector = match mac {
            Some((_, secret)) => Protector::Secret(secret, SharedSecret::parameters()),
            None => Protector::Key(&self.reply_key, &self.reply_certificate),
        };
        let mut extra = vec![self.root.clone()];
        extra.extend(self.issuers.values().map(|issuer| issuer.certificate.clone()));
        match Message::protect(&header, &answer.body, &protector, &extra) {
            Ok(bytes) => Some((bytes, hex::encode(&header.sender_nonce))),
            Err(error) => {
                tracing::error!(%error, "an answer could not be protected");
                None
            }
        }
    }

    /// Protects the answer, and stores it together with what it tells. Check and act are one transaction: of two equal
    /// messages at the same time the second finds the first one's answer, whatever it had made up itself.
    async fn protect(
        &self,
        request: &Message,
        sender: &Sender,
        answer: Answer,
        transaction: &str,
        hash: &str,
    ) -> Option<Vec<u8>> {
        let (response, nonce) = self.sign_answer(request, Some(sender), &answer)?;
        let (now, keeping, along) = (self.now_seconds(), answer.keeping, Arc::new(answer.along));
        if keeping == Keeping::Never {
            return Some(response);
        }
        let stored: Result<Stored, sqlx::Error> = self
            .database
            .write(|connection| {
                let (along, response, nonce) = (Arc::clone(&along), response.clone(), nonce.clone());
                let (transaction, hash) = (transaction.to_owned(), hash.to_owned());
                Box::pin(async move {
                    if let Some(before) = stored_answer(connection, &transaction, &hash).await? {
                        return Ok(Stored::Before(before));
                    }
                    if let Some((failure, words)) = carry_out(connection, &along, now).await? {
                        return Ok(Stored::Instead(failure, words));
                    }
                    if keeping == Keeping::UnlessRequested && has_request(connection, &transaction).await? {
                        return Ok(Stored::New);
                    }
                    sqlx::query(
                        "INSERT INTO exchange (transaction_id, message_hash, response, created, nonce) \
                         VALUES ($1, $2, $3, $4, $5)",
                    )
                    .bind(transaction)
                    .bind(hash)
                    .bind(response)
                    .bind(now)
                    .bind(nonce)
                    .execute(connection)
                    .await?;
                    Ok(Stored::New)
                })
            })
            .await;
        match stored {
            Ok(Stored::New) => {
                if let Err(error) = self.publish_along(&along, true).await {
                    tracing::error!(%error, "a revocation stands, and its list will follow");
                }
                Some(response)
            }
            Ok(Stored::Before(before)) => {
                if let Along::Issued(signed) = &*along
                    && let Err(error) = self.give_back(&signed.draft).await
                {
                    tracing::error!(%error, "a record stays open until the next start");
                }
                Some(before)
            }
            Ok(Stored::Instead(failure, words)) => {
                let answer = match (&*along, failure) {
                    (Along::Revoked { .. }, _) => {
                        let status = StatusInfo::rejection(failure, words);
                        let content = cmp::revocation_response_content(&status).ok()?;
                        Answer::new(BodyKind::RevocationResponse, content)
                    }
                    _ => self.error(&Refusal::new(failure, words)),
                };
                if let Err(error) = self.publish_along(&along, false).await {
                    tracing::error!(%error, "a revocation stands, and its list will follow");
                }
                self.sign_answer(request, Some(sender), &answer).map(|(bytes, _)| bytes)
            }
            Err(error) => {
                // The other one of two equal messages may have stored its answer a moment before.
                if is_duplicate(&error)
                    && let Ok(mut reading) = self.database.pool().acquire().await
                    && let Ok(Some(before)) = stored_answer(&mut reading, transaction, hash).await
                {
                    return Some(before);
                }
                tracing::error!(%error, "an answer could not be stored, so it is not sent");
                if let Along::Issued(signed) = &*along
                    && let Err(error) = self.give_back(&signed.draft).await
                {
                    tracing::error!(%error, "a record stays open until the next start");
                }
                None
            }
        }
    }

    /// The list that tells of a revocation, when the answer was one.
    async fn publish_along(&self, along: &Along, is_new: bool) -> Result<(), ServeError> {
        match along {
            // Another server's clock, or a list that it just read the rows for, says nothing about this one.
            Along::Revoked { issuer, .. } if is_new => self.publish_crl(issuer).await,
            Along::Settled { accepted: false, issuer, .. } => self.publish_crl(issuer).await,
            Along::Revoked { issuer, serial, .. } => self.publish_revoked(issuer, serial).await,
            _ => Ok(()),
        }
    }

    async fn authenticate(&self, message: &Message, mut reading: Reading) -> Result<(Sender, Reading), Refusal> {
        match &message.protection {
            Protection::None => Err(Refusal::new(Failure::BadMessageCheck, "the message is not protected")),
            Protection::Mac(_) => {
                let sender = self.authenticate_invited(message, reading).await?;
                Ok((sender, self.database.pool().acquire().await?))
            }
            Protection::Signature(_) => {
                let sender = self.authenticate_holder(message, &mut reading).await?;
                Ok((sender, reading))
            }
        }
    }

    async fn authenticate_invited(&self, message: &Message, mut reading: Reading) -> Result<Sender, Refusal> {
        use sqlx::Row;
        // One answer for unknown, wrong, expired and locked: a guesser learns nothing.
        let refused = || Refusal::new(Failure::BadMessageCheck, "the invitation's reference or code is not accepted");
        let reference = message.header.sender_kid.clone().ok_or_else(refused)?;
        let reference = String::from_utf8(reference).map_err(|_| refused())?;
        let row = sqlx::query(
            "SELECT code, applicant, profile, expires, used_by, failures, person FROM invitation WHERE reference = $1",
        )
        .bind(reference.clone())
        .fetch_optional(&mut *reading)
        .await?;
        // A code takes long to check, and a wrong one longer: nobody else waits for this connection meanwhile.
        drop(reading);
        let Some(row) = row else {
            // An unknown reference takes as long as a known one with a wrong code.
            let nobody = SharedSecret::new(&Secret::new(hex::encode(Primitives.octets::<16>())));
            let _ = self.check_code(message, &nobody).await;
            return Err(refused());
        };
        let expires: i64 = row.try_get(3)?;
        let used_by: Option<String> = row.try_get(4)?;
        // A request that began in time is polled and confirmed to its end.
        let mine = used_by.as_deref() == Some(hex::encode(&message.header.transaction_id).as_str());
        let code = self
            .sealing
            .open(&reference, &row.try_get::<Vec<u8>, _>(0)?)
            .map_err(|error| ServeError::new(format!("invitation {reference}"), error))?;
        let secret = SharedSecret::new(&Secret::new(String::from_utf8_lossy(&code).into_owned()));
        if !self.check_code(message, &secret).await {
            let failures: i64 = row.try_get(5)?;
            self.count_failure(&reference, failures + 1).await?;
            tokio::time::sleep(SLOWEST.min(SLOWER * u32::try_from(failures).unwrap_or(u32::MAX).min(1_000))).await;
            return Err(refused());
        }
        if !mine && expires < self.now_seconds() {
            return Err(refused());
        }
        if used_by.is_some() && !mine {
            return Err(used_invitation());
        }
        let person = store::person(row.try_get(6)?)?;
        let (applicant, profile) = (row.try_get(1)?, row.try_get(2)?);
        Ok(Sender::Invited { reference, secret, applicant, profile, person: person.map(Box::new) })
    }

    /// Whether a message's MAC is by this secret. The derivation is slow by design: few at a time, and other connections
    /// go on meanwhile.
    async fn check_code(&self, message: &Message, secret: &SharedSecret) -> bool {
        let Ok(_turn) = self.derivations.acquire().await else { return false };
        tokio::task::block_in_place(|| message.check_mac(secret)).is_ok()
    }

    /// Counts a wrong code; each fifth one is an entry of the audit log.
    async fn count_failure(&self, reference: &str, count: i64) -> Result<(), sqlx::Error> {
        let now = self.now_seconds();
        self.database
            .write(|connection| {
                let reference = reference.to_owned();
                Box::pin(async move {
                    sqlx::query("UPDATE invitation SET failures = failures + 1 WHERE reference = $1")
                        .bind(reference.clone())
                        .execute(&mut *connection)
                        .await?;
                    match count % 5 {
                        0 => {
                            audit::append(connection, now, "invitation-guessed", &format!("{reference} {count}")).await
                        }
                        _ => Ok(()),
                    }
                })
            })
            .await
    }

    async fn authenticate_holder(&self, message: &Message, reading: &mut Reading) -> Result<Sender, Refusal> {
        let untrusted = || Refusal::new(Failure::SignerNotTrusted, "the signer's certificate is not one of ours");
        let certificate = message.certificates.first().ok_or_else(untrusted)?;
        let issuer = self.issuer_named(certificate.issuer()).ok_or_else(untrusted)?;
        let row = store::certificate(reading, issuer.id, &certificate.serial().hexadecimal()).await?;
        let row = row.filter(|row| row.der.as_deref() == Some(certificate.der())).ok_or_else(untrusted)?;
        message
            .check_signature(certificate, &Primitives)
            .map_err(|error| Refusal::new(Failure::BadMessageCheck, error.to_string()))?;
        if row.state == "revoked" {
            return Err(Refusal::new(Failure::CertificateRevoked, "the signer's certificate was revoked"));
        }
        let sender =
            Sender::Holder { certificate: Box::new(certificate.clone()), issuer: issuer.id, applicant: row.applicant };
        if certificate.is_valid_at(self.clock.now()) {
            return Ok(sender);
        }
        // Whoever asked in time gets it: a request of this holder's is polled and confirmed also after the end.
        let transaction = hex::encode(&message.header.transaction_id);
        match store::request(reading, &transaction).await? {
            Some(known) if known.sender == sender.name() => Ok(sender),
            _ => Err(Refusal::new(
                Failure::BadTime,
                "predecessor-expired: the signer's certificate is outside its validity",
            )),
        }
    }

    async fn dispatch(&self, message: &Message, sender: &Sender, reading: Reading) -> Result<Answer, Refusal> {
        let content = &message.body.content;
        let template = |error: FormatError| Refusal::new(Failure::BadTemplate, error.to_string());
        match message.body.kind {
            BodyKind::InitializationRequest | BodyKind::CertificationRequest | BodyKind::KeyUpdateRequest => {
                check_key(&crmf::key_of(content).map_err(template)?)?;
                let asked = crmf::parse(content, &Primitives).map_err(|error| {
                    let failure = if error.field == "popo" { Failure::BadProof } else { Failure::BadTemplate };
                    Refusal::new(failure, error.to_string())
                })?;
                let asked = Asked {
                    id: asked.id,
                    subject: asked.subject,
                    public_key: asked.public_key,
                    old: asked.old_certificate,
                    extensions: asked.extensions,
                    asks_more: asked.asks_more,
                };
                self.request(message, sender, asked, reading).await
            }
            BodyKind::Pkcs10Request => {
                check_key(&obnova_pki::request::key_of(content).map_err(template)?)?;
                let asked = Request::from_der(content, &Primitives)
                    .map_err(|error| Refusal::new(Failure::BadProof, error.to_string()))?;
                // RFC 9483 section 4.1.4: the answer to p10cr carries certReqId -1.
                let asked = Asked {
                    id: -1,
                    subject: Some(asked.subject().clone()),
                    public_key: asked.public_key().to_vec(),
                    old: None,
                    extensions: asked.extensions().to_vec(),
                    asks_more: false,
                };
                self.request(message, sender, asked, reading).await
            }
            BodyKind::PollRequest => self.poll(message, sender, cmp::read_poll_request(content)?, reading).await,
            BodyKind::CertificateConfirm => {
                self.confirm(message, sender, &CertificateConfirm::from_content(content)?, reading).await
            }
            BodyKind::RevocationRequest => self.revocation(sender, crmf::parse_revocation(content)?, reading).await,
            BodyKind::GeneralMessage => self.general(&cmp::read_general(content)?),
            _ => Err(Refusal::new(Failure::BadRequest, "an authority does not take this kind of message")),
        }
    }

    /// The sender's own request that a further message of its transaction is about.
    async fn own_request(
        &self,
        message: &Message,
        sender: &Sender,
        mut reading: Reading,
    ) -> Result<RequestRow, Refusal> {
        let transaction = hex::encode(&message.header.transaction_id);
        let row = store::request(&mut reading, &transaction)
            .await?
            .filter(|row| row.sender == sender.name())
            .ok_or_else(|| Refusal::new(Failure::BadRequest, "there is no such request of yours"))?;
        // RFC 9483 section 3.5: the nonce of an answer in this transaction; which of them, when one was lost,
        // only the client knows.
        let nonce = message.header.recipient_nonce.as_ref().map(hex::encode).unwrap_or_default();
        let given = sqlx::query("SELECT 1 FROM exchange WHERE transaction_id = $1 AND (nonce = $2 OR nonce IS NULL)")
            .bind(transaction)
            .bind(nonce)
            .fetch_optional(&mut *reading)
            .await?;
        if given.is_none() {
            return Err(Refusal::new(Failure::BadRecipientNonce, "recipNonce is not the nonce of one of our answers"));
        }
        Ok(row)
    }

    async fn poll(&self, message: &Message, sender: &Sender, id: i64, reading: Reading) -> Result<Answer, Refusal> {
        let row = self.own_request(message, sender, reading).await?;
        if id != row.cert_req_id {
            return Err(Refusal::new(Failure::BadRequest, "certReqId is not the one of the request"));
        }
        if row.state == "waiting" {
            let reason = row.reason.as_deref().unwrap_or("approval");
            let content = cmp::poll_response_content(row.cert_req_id, self.config.check_after_seconds, reason)?;
            return Ok(Answer::new(BodyKind::PollResponse, content));
        }
        self.proceed(row).await
    }

    async fn confirm(
        &self,
        message: &Message,
        sender: &Sender,
        confirm: &CertificateConfirm,
        reading: Reading,
    ) -> Result<Answer, Refusal> {
        let row = self.own_request(message, sender, reading).await?;
        let Some(issuer) = &row.issuer else {
            return Err(Refusal::new(Failure::BadRequest, "this request has no certificate to confirm"));
        };
        let certificate = self.certificate_of(&row).await?;
        if confirm.hash != certificate_hash(&certificate, &Primitives) || confirm.id != row.cert_req_id {
            return Err(Refusal::new(Failure::BadCertificateId, "certHash is not the one of the certificate"));
        }
        let mut answer = Answer::new(BodyKind::Confirmation, cmp::confirmation_content());
        answer.along = Along::Settled {
            request: row.id.clone(),
            accepted: confirm.is_accepted(),
            issuer: self.issuer(issuer)?.id,
            serial: certificate.serial().clone(),
        };
        Ok(answer)
    }

    async fn revocation(
        &self,
        sender: &Sender,
        (id, reason): (CertificateId, obnova_pki::crl::Reason),
        mut reading: Reading,
    ) -> Result<Answer, Refusal> {
        use obnova_pki::crl::Reason as Why;
        let own =
            [Why::Unspecified, Why::KeyCompromise, Why::AffiliationChanged, Why::Superseded, Why::CessationOfOperation];
        if !own.contains(&reason) {
            return Err(Refusal::new(Failure::BadRequest, "this reason is not a holder's to give"));
        }
        let Sender::Holder { applicant, .. } = sender else {
            return Err(Refusal::new(Failure::NotAuthorized, "a revocation is signed by a certificate of its holder"));
        };
        let unknown = || Refusal::new(Failure::BadCertificateId, "there is no such certificate of yours");
        let issuer = self.issuer_named(&id.issuer).ok_or_else(unknown)?;
        let row = store::certificate(&mut reading, issuer.id, &id.serial.hexadecimal()).await?;
        drop(reading);
        row.filter(|row| row.applicant == *applicant).ok_or_else(unknown)?;
        let content = cmp::revocation_response_content(&StatusInfo::accepted())?;
        let mut answer = Answer::new(BodyKind::RevocationResponse, content);
        answer.along = Along::Revoked { issuer: issuer.id, serial: id.serial, reason };
        Ok(answer)
    }

    fn general(&self, asked: &[der::asn1::ObjectIdentifier]) -> Result<Answer, Refusal> {
        let content = if asked.contains(&oid::IT_CA_CERTS) {
            let issuers: Vec<Certificate> = self.issuers.values().map(|issuer| issuer.certificate.clone()).collect();
            cmp::ca_certificates_content(&issuers)?
        } else {
            // RFC 9810 section 5.3.20: types that are not understood are left out.
            vec![0x30, 0x00]
        };
        let mut answer = Answer::new(BodyKind::GeneralResponse, content);
        answer.keeping = Keeping::Never;
        Ok(answer)
    }
}
