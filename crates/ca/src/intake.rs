//! CMP: who asks, for what, and the answer (RFC 9810, RFC 9483).
//!
//! The same bytes get the same answer, also after a crash; other bytes under a known transactionID are refused.

use obnova_crypto::{Primitives, Secret, SharedSecret};
use obnova_lifecycle::issuance::{Facts, Reason, Verdict, authorize};
use obnova_lifecycle::successor::{Obstacle, Successor};
use obnova_pki::cmp::{
    self, Body, BodyKind, CertificateConfirm, CertificateResponse, Failure, Header, Message, Protection, Protector,
    StatusInfo, certificate_hash,
};
use obnova_pki::crmf::{self, CertificateId};
use obnova_pki::{Certificate, Name, Request, oid};
use obnova_serve::{ServeError, audit};

use crate::authority::Authority;
use crate::issue::RevokeError;
use crate::profile::{self, Profile};
use crate::store::{self, ApplicantRow, NewRequest, RequestRow};

/// Bad MACs after which an invitation is locked.
const MAX_FAILURES: i64 = 5;

/// A refusal on its way to the client: a bit and words.
struct Refusal(Failure, String);

impl Refusal {
    fn new(failure: Failure, text: impl Into<String>) -> Self {
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
enum Sender {
    /// The holder of an invitation.
    Invited { reference: String, secret: SharedSecret, applicant: String, profile: String },
    /// The holder of one of our certificates.
    Holder { certificate: Box<Certificate>, issuer: &'static str, applicant: String },
}

impl Sender {
    fn name(&self) -> String {
        match self {
            Self::Invited { reference, .. } => format!("invitation {reference}"),
            Self::Holder { certificate, issuer, .. } => {
                format!("certificate {issuer} {}", certificate.serial().hexadecimal())
            }
        }
    }
}

struct Answer {
    body: Body,
    implicit_confirm: bool,
}

impl Answer {
    fn new(kind: BodyKind, content: Vec<u8>) -> Self {
        Self { body: Body { kind, content }, implicit_confirm: false }
    }
}

/// The obstacle as the office's reason.
pub(crate) fn obstacle(obstacle: Obstacle) -> Reason {
    match obstacle {
        Obstacle::Expired => Reason::PredecessorExpired,
        Obstacle::Revoked => Reason::PredecessorRevoked,
        Obstacle::TooEarly | Obstacle::NotYetValid => Reason::TooEarly,
        Obstacle::OtherSubject | Obstacle::SameKey => Reason::UnknownPredecessor,
    }
}

/// The first attribute in which two names differ.
fn difference(old: &Name, new: &Name) -> Option<String> {
    let (old, new) = (old.attributes(), new.attributes());
    let changed = new
        .iter()
        .find(|attribute| !old.contains(attribute))
        .or_else(|| old.iter().find(|attribute| !new.contains(attribute)))?;
    Some(match changed.0 {
        oid::SURNAME => "surname".to_owned(),
        oid::GIVEN_NAME => "givenName".to_owned(),
        oid::COMMON_NAME => "commonName".to_owned(),
        oid::ORGANIZATION => "organization".to_owned(),
        oid::ORGANIZATION_IDENTIFIER => "organizationIdentifier".to_owned(),
        other => other.to_string(),
    })
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
        match self.stored_answer(&transaction, &hash).await {
            Ok(Some(answer)) => return Some(answer),
            Ok(None) => {}
            Err(error) => return self.sign_answer(&message, None, &self.error(&error.into())),
        }
        let sender = match self.authenticate(&message).await {
            Ok(sender) => sender,
            Err(refusal) => {
                tracing::info!(transaction, refusal = refusal.1, "a CMP message was refused");
                // An answer to somebody unknown is not stored: it would let strangers fill the database.
                return self.sign_answer(&message, None, &self.error(&refusal));
            }
        };
        let answer = match self.dispatch(&message, &sender).await {
            Ok(answer) => answer,
            // What can be otherwise in a moment is not stored: the same bytes are welcome again.
            Err(refusal) if matches!(refusal.0, Failure::SystemFailure | Failure::SystemUnavailable) => {
                return self.sign_answer(&message, Some(&sender), &self.error(&refusal));
            }
            Err(refusal) => {
                tracing::info!(transaction, refusal = refusal.1, "a CMP request was refused");
                self.error(&refusal)
            }
        };
        self.protect(&message, Some(&sender), &answer, &transaction, &hash).await
    }

    fn error(&self, refusal: &Refusal) -> Answer {
        let status = StatusInfo::rejection(refusal.0, refusal.1.clone());
        Answer::new(BodyKind::Error, cmp::error_content(&status).unwrap_or_default())
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

    async fn stored_answer(&self, transaction: &str, hash: &str) -> Result<Option<Vec<u8>>, sqlx::Error> {
        use sqlx::Row;
        sqlx::query("SELECT response FROM exchange WHERE transaction_id = $1 AND message_hash = $2")
            .bind(transaction.to_owned())
            .bind(hash.to_owned())
            .fetch_optional(self.database.pool())
            .await?
            .map(|row| row.try_get(0))
            .transpose()
    }

    fn sign_answer(&self, request: &Message, sender: Option<&Sender>, answer: &Answer) -> Option<Vec<u8>> {
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
            Ok(bytes) => Some(bytes),
            Err(error) => {
                tracing::error!(%error, "an answer could not be protected");
                None
            }
        }
    }

    /// Protects the answer and stores it; of two equal messages at the same time, the first answer counts.
    async fn protect(
        &self,
        request: &Message,
        sender: Option<&Sender>,
        answer: &Answer,
        transaction: &str,
        hash: &str,
    ) -> Option<Vec<u8>> {
        let response = self.sign_answer(request, sender, answer)?;
        let now = self.now_seconds();
        let stored: Result<(), sqlx::Error> = self
            .database
            .write(|connection| {
                let (transaction, hash, response) = (transaction.to_owned(), hash.to_owned(), response.clone());
                Box::pin(async move {
                    sqlx::query(
                        "INSERT INTO exchange (transaction_id, message_hash, response, created) VALUES ($1, $2, $3, $4) \
                         ON CONFLICT (transaction_id, message_hash) DO NOTHING",
                    )
                    .bind(transaction)
                    .bind(hash)
                    .bind(response)
                    .bind(now)
                    .execute(connection)
                    .await?;
                    Ok(())
                })
            })
            .await;
        match stored {
            Ok(()) => self.stored_answer(transaction, hash).await.ok().flatten().or(Some(response)),
            Err(error) => {
                tracing::error!(%error, "an answer could not be stored, so it is not sent");
                None
            }
        }
    }

    async fn authenticate(&self, message: &Message) -> Result<Sender, Refusal> {
        match &message.protection {
            Protection::None => Err(Refusal::new(Failure::BadMessageCheck, "the message is not protected")),
            Protection::Mac(_) => self.authenticate_invited(message).await,
            Protection::Signature(_) => self.authenticate_holder(message).await,
        }
    }

    async fn authenticate_invited(&self, message: &Message) -> Result<Sender, Refusal> {
        use sqlx::Row;
        // One answer for unknown, wrong, expired and locked: a guesser learns nothing.
        let refused = || Refusal::new(Failure::BadMessageCheck, "the invitation's reference or code is not accepted");
        let reference = message.header.sender_kid.clone().ok_or_else(refused)?;
        let reference = String::from_utf8(reference).map_err(|_| refused())?;
        let row = sqlx::query(
            "SELECT code, applicant, profile, expires, failures, used_by FROM invitation WHERE reference = $1",
        )
        .bind(reference.clone())
        .fetch_optional(self.database.pool())
        .await?
        .ok_or_else(refused)?;
        let (expires, failures): (i64, i64) = (row.try_get(3)?, row.try_get(4)?);
        let used_by: Option<String> = row.try_get(5)?;
        // A request that began in time is polled and confirmed to its end; nobody can lock it out by guessing.
        let mine = used_by.as_deref() == Some(hex::encode(&message.header.transaction_id).as_str());
        if !mine && (expires < self.now_seconds() || failures >= MAX_FAILURES) {
            return Err(refused());
        }
        let code = self
            .sealing
            .open(&reference, &row.try_get::<Vec<u8>, _>(0)?)
            .map_err(|error| ServeError::new(format!("invitation {reference}"), error))?;
        let secret = SharedSecret::new(&Secret::new(String::from_utf8_lossy(&code).into_owned()));
        if message.check_mac(&secret).is_err() {
            if mine {
                return Err(refused());
            }
            sqlx::query("UPDATE invitation SET failures = failures + 1 WHERE reference = $1")
                .bind(reference)
                .execute(self.database.pool())
                .await?;
            return Err(refused());
        }
        if used_by.is_some() && !mine {
            return Err(Refusal::new(Failure::NotAuthorized, "the invitation was used already; ask for a new one"));
        }
        Ok(Sender::Invited { reference, secret, applicant: row.try_get(1)?, profile: row.try_get(2)? })
    }

    async fn authenticate_holder(&self, message: &Message) -> Result<Sender, Refusal> {
        let untrusted = || Refusal::new(Failure::SignerNotTrusted, "the signer's certificate is not one of ours");
        let certificate = message.certificates.first().ok_or_else(untrusted)?;
        let issuer = self.issuer_named(certificate.issuer()).ok_or_else(untrusted)?;
        let mut connection = self.database.pool().acquire().await?;
        let row = store::certificate(&mut connection, issuer.id, &certificate.serial().hexadecimal()).await?;
        let row = row.filter(|row| row.der.as_deref() == Some(certificate.der())).ok_or_else(untrusted)?;
        message
            .check_signature(certificate, &Primitives)
            .map_err(|error| Refusal::new(Failure::BadMessageCheck, error.to_string()))?;
        if row.state == "revoked" {
            return Err(Refusal::new(Failure::CertificateRevoked, "the signer's certificate was revoked"));
        }
        if !certificate.is_valid_at(self.clock.now()) {
            return Err(Refusal::new(
                Failure::BadTime,
                "predecessor-expired: the signer's certificate is outside its validity",
            ));
        }
        Ok(Sender::Holder { certificate: Box::new(certificate.clone()), issuer: issuer.id, applicant: row.applicant })
    }

    async fn dispatch(&self, message: &Message, sender: &Sender) -> Result<Answer, Refusal> {
        let content = &message.body.content;
        match message.body.kind {
            BodyKind::InitializationRequest | BodyKind::CertificationRequest | BodyKind::KeyUpdateRequest => {
                let asked = crmf::parse(content, &Primitives).map_err(|error| {
                    let failure = if error.field == "popo" { Failure::BadProof } else { Failure::BadTemplate };
                    Refusal::new(failure, error.to_string())
                })?;
                self.request(message, sender, asked.id, asked.subject.as_ref(), asked.public_key, asked.old_certificate)
                    .await
            }
            BodyKind::Pkcs10Request => {
                let asked = Request::from_der(content, &Primitives)
                    .map_err(|error| Refusal::new(Failure::BadProof, error.to_string()))?;
                // RFC 9483 section 4.1.4: the answer to p10cr carries certReqId -1.
                self.request(message, sender, -1, Some(asked.subject()), asked.public_key().to_vec(), None).await
            }
            BodyKind::PollRequest => self.poll(message, sender, cmp::read_poll_request(content)?).await,
            BodyKind::CertificateConfirm => {
                self.confirm(message, sender, &CertificateConfirm::from_content(content)?).await
            }
            BodyKind::RevocationRequest => self.revocation(sender, crmf::parse_revocation(content)?).await,
            BodyKind::GeneralMessage => self.general(&cmp::read_general(content)?),
            _ => Err(Refusal::new(Failure::BadRequest, "an authority does not take this kind of message")),
        }
    }

    /// The facts about an applicant for one profile, with what changed since the predecessor.
    pub(crate) fn facts(applicant: &ApplicantRow, profile: Profile, predecessor: Option<&Certificate>) -> Facts {
        let mut facts = applicant.facts.clone();
        facts.three_years = profile.three_years;
        if let (Some(old), Ok(now)) = (predecessor, applicant.person.subject()) {
            facts.changed = difference(old.subject(), &now);
        }
        facts
    }

    async fn request(
        &self,
        message: &Message,
        sender: &Sender,
        cert_req_id: i64,
        subject: Option<&Name>,
        public_key: Vec<u8>,
        old: Option<CertificateId>,
    ) -> Result<Answer, Refusal> {
        obnova_pki::KeyKind::of(&public_key).map_err(|error| Refusal::new(Failure::BadAlgorithm, error.to_string()))?;
        let kind = message.body.kind;
        let transaction = hex::encode(&message.header.transaction_id);
        let now = self.now_seconds();
        let mut connection = self.database.pool().acquire().await?;
        let known = store::request(&mut connection, &transaction).await?;
        // The same key must not be certified twice (TS 119 312), nor two people share one.
        let used = store::certificate_by(&mut connection, "key_hash", &Primitives.fingerprint(&public_key)).await?;
        let (applicant_id, predecessor) = match sender {
            Sender::Invited { applicant, .. } => (applicant.clone(), None),
            Sender::Holder { certificate, applicant, .. } => (applicant.clone(), Some(certificate.as_ref())),
        };
        let applicant = store::applicant(&mut connection, &applicant_id, now).await?;
        drop(connection);
        if let Some(row) = known {
            // A crash between record and stored answer: the same key and sender go on where they were.
            if row.public_key == public_key && row.sender == sender.name() {
                return self.proceed(row).await;
            }
            return Err(Refusal::new(Failure::TransactionInUse, "this transactionID belongs to another request"));
        }
        if used.is_some() {
            return Err(Refusal::new(
                Failure::BadTemplate,
                "same-key: this key has a certificate already; make a new one",
            ));
        }
        let applicant = applicant
            .ok_or_else(|| Refusal::new(Failure::NotAuthorized, "no-contract: the applicant is not on any contract"))?;
        let profile_name = match sender {
            Sender::Invited { profile, .. } => profile.clone(),
            Sender::Holder { .. } => Self::profile_of(message, predecessor)?,
        };
        let profile = Profile::from_name(&profile_name)
            .ok_or_else(|| Refusal::new(Failure::BadTemplate, format!("profile {profile_name} is not known")))?;
        if kind == BodyKind::KeyUpdateRequest {
            let predecessor = predecessor.ok_or_else(|| {
                Refusal::new(Failure::NotAuthorized, "a key update is signed by the certificate it follows")
            })?;
            let named = old
                .as_ref()
                .is_none_or(|old| old.issuer == *predecessor.issuer() && old.serial == *predecessor.serial());
            if !named {
                return Err(Refusal::new(Failure::BadCertificateId, "oldCertID is not the certificate that signed"));
            }
            let window = std::time::Duration::from_secs(u64::from(self.config.renewal_window_days) * 86_400);
            let asked = (subject.unwrap_or(predecessor.subject()), public_key.as_slice());
            Successor::check(predecessor, false, Some(asked), Some(window), self.clock.now())
                .map_err(|error| Refusal::new(Failure::NotAuthorized, error.code()))?;
        }
        let verdict = authorize(&Self::facts(&applicant, profile, predecessor));
        let (state, reason) = match verdict {
            Verdict::Issue => ("approved", None),
            Verdict::Wait(reason) => ("waiting", Some(reason.code().to_owned())),
            Verdict::Refuse(reason) => ("refused", Some(reason.code().to_owned())),
        };
        let row = RequestRow {
            id: transaction,
            kind: kind as i64,
            cert_req_id,
            sender: sender.name(),
            applicant: applicant_id,
            profile: profile_name,
            public_key,
            implicit_confirm: message.header.implicit_confirm,
            state: state.to_owned(),
            reason,
            note: None,
            issuer: None,
            serial: None,
            created: now,
        };
        self.record_request(sender, row, predecessor).await
    }

    /// The profile of a holder's request: the kind of the certificate that signs it. Only the term may be asked
    /// for by name; another kind needs an invitation from the office.
    fn profile_of(message: &Message, predecessor: Option<&Certificate>) -> Result<String, Refusal> {
        let old = predecessor.ok_or_else(|| Refusal::new(Failure::BadTemplate, "no profile is named"))?;
        let own = profile::name_of(old);
        let Some(asked) = &message.header.profile else { return Ok(own.to_owned()) };
        if asked.strip_suffix("-3y").unwrap_or(asked) != own {
            return Err(Refusal::new(Failure::NotAuthorized, "another kind of certificate needs an invitation"));
        }
        Ok(asked.clone())
    }

    async fn record_request(
        &self,
        sender: &Sender,
        row: RequestRow,
        predecessor: Option<&Certificate>,
    ) -> Result<Answer, Refusal> {
        let reference = match sender {
            Sender::Invited { reference, .. } => Some(reference.clone()),
            Sender::Holder { .. } => None,
        };
        let predecessor = match (sender, predecessor) {
            (Sender::Holder { issuer, .. }, Some(old)) => Some(((*issuer).to_owned(), old.serial().hexadecimal())),
            _ => None,
        };
        let now = row.created;
        let taken = self
            .database
            .write(|connection| {
                let (reference, row, predecessor) = (reference.clone(), row.clone(), predecessor.clone());
                Box::pin(async move {
                    if let Some(reference) = reference {
                        // Used once: of two requests at the same time, one finds it free.
                        let claimed =
                            sqlx::query("UPDATE invitation SET used_by = $1 WHERE reference = $2 AND used_by IS NULL")
                                .bind(row.id.clone())
                                .bind(reference)
                                .execute(&mut *connection)
                                .await?;
                        if claimed.rows_affected() != 1 {
                            return Ok(false);
                        }
                    }
                    let detail = format!("{} {} {}", row.id, row.applicant, row.state);
                    store::insert_request(connection, &NewRequest { row, predecessor }).await?;
                    audit::append(connection, now, "request-received", &detail).await?;
                    Ok::<bool, sqlx::Error>(true)
                })
            })
            .await?;
        if !taken {
            return Err(Refusal::new(Failure::NotAuthorized, "the invitation was used already; ask for a new one"));
        }
        self.proceed(row).await
    }

    /// The answer to a request as it stands now: a certificate, waiting, or refused.
    async fn proceed(&self, row: RequestRow) -> Result<Answer, Refusal> {
        let asked = match row.kind {
            0 => BodyKind::InitializationRequest,
            2 => BodyKind::CertificationRequest,
            4 => BodyKind::Pkcs10Request,
            _ => BodyKind::KeyUpdateRequest,
        };
        let kind = asked.response().ok_or_else(|| Refusal::new(Failure::SystemFailure, "kind of request"))?;
        let mut response = CertificateResponse {
            id: row.cert_req_id,
            status: StatusInfo::accepted(),
            certificate: None,
            // RFC 9483 section 4.1.1: a first certificate under a shared secret brings the root with it.
            ca_certificates: Vec::new(),
        };
        match row.state.as_str() {
            "waiting" => {
                response.status = StatusInfo::waiting(row.reason.as_deref().unwrap_or("approval"));
            }
            "refused" => {
                let reason = row.reason.as_deref().unwrap_or("by-clerk");
                let text = match &row.note {
                    Some(note) => format!("{reason}: {note}"),
                    None => reason.to_owned(),
                };
                response.status = StatusInfo::rejection(Failure::NotAuthorized, text);
            }
            _ => {
                let certificate = self.certificate_of(&row).await?;
                if row.sender.starts_with("invitation") {
                    response.ca_certificates = vec![self.root.der().to_vec()];
                }
                response.certificate = Some(certificate.der().to_vec());
            }
        }
        let granted = response.certificate.is_some();
        let mut answer = Answer::new(kind, response.to_content()?);
        answer.implicit_confirm = granted && row.implicit_confirm;
        Ok(answer)
    }

    async fn certificate_of(&self, row: &RequestRow) -> Result<Certificate, Refusal> {
        if let (Some(issuer), Some(serial)) = (&row.issuer, &row.serial) {
            let mut connection = self.database.pool().acquire().await?;
            let stored = store::certificate(&mut connection, issuer, serial).await?;
            let der =
                stored.filter(|stored| stored.request == row.id).and_then(|stored| stored.der).ok_or_else(|| {
                    Refusal::new(Failure::SystemUnavailable, "the certificate is being signed; ask again")
                })?;
            return Ok(Certificate::from_der(&der)?);
        }
        Ok(self.issue(row).await?)
    }

    async fn own_request(&self, message: &Message, sender: &Sender) -> Result<RequestRow, Refusal> {
        let transaction = hex::encode(&message.header.transaction_id);
        let mut connection = self.database.pool().acquire().await?;
        store::request(&mut connection, &transaction)
            .await?
            .filter(|row| row.sender == sender.name())
            .ok_or_else(|| Refusal::new(Failure::BadRequest, "there is no such request of yours"))
    }

    async fn poll(&self, message: &Message, sender: &Sender, id: i64) -> Result<Answer, Refusal> {
        let row = self.own_request(message, sender).await?;
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
    ) -> Result<Answer, Refusal> {
        let row = self.own_request(message, sender).await?;
        let (Some(issuer), Some(serial)) = (&row.issuer, &row.serial) else {
            return Err(Refusal::new(Failure::BadRequest, "this request has no certificate to confirm"));
        };
        let certificate = self.certificate_of(&row).await?;
        if confirm.hash != certificate_hash(&certificate, &Primitives) || confirm.id != row.cert_req_id {
            return Err(Refusal::new(Failure::BadCertificateId, "certHash is not the one of the certificate"));
        }
        let accepted = confirm.is_accepted();
        let now = self.now_seconds();
        let state = if accepted { "confirmed" } else { "rejected" };
        if row.state == "issued" {
            self.database
                .write(|connection| {
                    let id = row.id.clone();
                    Box::pin(async move {
                        store::set_request_state(connection, &id, state).await?;
                        audit::append(connection, now, &format!("certificate-{state}"), &id).await
                    })
                })
                .await
                .map_err(|error: sqlx::Error| Refusal::from(error))?;
        }
        if !accepted {
            let revoked =
                self.revoke(issuer, certificate.serial(), obnova_pki::crl::Reason::CessationOfOperation).await;
            if let Err(RevokeError::Failed(error)) = revoked {
                return Err(error.into());
            }
            tracing::info!(issuer, serial, "the holder refused a certificate; it was revoked");
        }
        Ok(Answer::new(BodyKind::Confirmation, cmp::confirmation_content()))
    }

    async fn revocation(
        &self,
        sender: &Sender,
        (id, reason): (CertificateId, obnova_pki::crl::Reason),
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
        let mut connection = self.database.pool().acquire().await?;
        let row = store::certificate(&mut connection, issuer.id, &id.serial.hexadecimal()).await?;
        drop(connection);
        row.filter(|row| row.applicant == *applicant).ok_or_else(unknown)?;
        let status = match self.revoke(issuer.id, &id.serial, reason).await {
            Ok(()) => StatusInfo::accepted(),
            Err(RevokeError::Already) => StatusInfo::rejection(Failure::CertificateRevoked, "it was revoked before"),
            Err(RevokeError::Unknown) => return Err(unknown()),
            Err(RevokeError::Failed(error)) => return Err(error.into()),
        };
        Ok(Answer::new(BodyKind::RevocationResponse, cmp::revocation_response_content(&status)?))
    }

    fn general(&self, asked: &[der::asn1::ObjectIdentifier]) -> Result<Answer, Refusal> {
        let content = if asked.contains(&oid::IT_CA_CERTS) {
            let issuers: Vec<Certificate> = self.issuers.values().map(|issuer| issuer.certificate.clone()).collect();
            cmp::ca_certificates_content(&issuers)?
        } else {
            // RFC 9810 section 5.3.20: types that are not understood are left out.
            vec![0x30, 0x00]
        };
        Ok(Answer::new(BodyKind::GeneralResponse, content))
    }
}
