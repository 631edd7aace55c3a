//! What a request for a certificate becomes: checked, decided, recorded, and answered as it stands.

use std::time::{Duration, Instant};

use obnova_lifecycle::issuance::{Facts, Reason, Verdict, authorize};
use obnova_lifecycle::successor::{Obstacle, Successor};
use obnova_pki::certificate::Extension;
use obnova_pki::cmp::{BodyKind, CertificateResponse, Failure, Message, StatusInfo};
use obnova_pki::crmf::CertificateId;
use obnova_pki::{Certificate, Name, oid};
use obnova_serve::audit;
use obnova_serve::database::is_duplicate;

use crate::authority::Authority;
use crate::intake::{Along, Answer, Reading, Refusal, Sender};
use crate::issue::{Claim, Draft, Signed};
use crate::profile::{self, Person, Profile};
use crate::store::{self, ApplicantRow, NewRequest, RequestRow};

/// What a request asks for, in either of its two forms.
pub(crate) struct Asked {
    pub(crate) id: i64,
    pub(crate) subject: Option<Name>,
    pub(crate) public_key: Vec<u8>,
    pub(crate) old: Option<CertificateId>,
    /// Extensions asked for.
    pub(crate) extensions: Vec<Extension>,
    /// Whether it asks for more than subject, key and extensions: validity, issuer, serial number.
    pub(crate) asks_more: bool,
}

/// How long an answer waits for a signature that another one is just making.
const PATIENCE: Duration = Duration::from_secs(8);

pub(crate) fn used_invitation() -> Refusal {
    Refusal::new(Failure::NotAuthorized, "the invitation was used already; ask for a new one")
}

fn transaction_in_use() -> Refusal {
    Refusal::new(Failure::TransactionInUse, "this transactionID belongs to another request")
}

/// What the transaction found that was to record a request.
enum Recorded {
    /// It is there now.
    New,
    /// It was there already.
    Before(Box<RequestRow>),
}

/// Whether the certificate will differ from what was asked for: the authority decides subject and extensions alone.
fn is_modified(subject: Option<&Name>, extensions: &[Extension], person: &Person) -> bool {
    let other_subject = match (subject, person.subject()) {
        (None, _) => false,
        (Some(asked), _) if asked.is_empty() => false,
        (Some(asked), Ok(own)) => *asked != own,
        (Some(_), Err(_)) => true,
    };
    // Which extensions a certificate has is the profile's matter; whoever asks for any is told to compare.
    other_subject || !extensions.is_empty()
}

/// The kind of answer that a request's kind wants.
fn response_kind(row: &RequestRow) -> Result<BodyKind, Refusal> {
    let asked = match row.kind {
        0 => BodyKind::InitializationRequest,
        2 => BodyKind::CertificationRequest,
        4 => BodyKind::Pkcs10Request,
        _ => BodyKind::KeyUpdateRequest,
    };
    asked.response().ok_or_else(|| Refusal::new(Failure::SystemFailure, "kind of request"))
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
    /// The facts about an applicant for one profile, with what changed since the predecessor.
    pub(crate) fn facts(applicant: &ApplicantRow, profile: Profile, predecessor: Option<&Certificate>) -> Facts {
        let mut facts = applicant.facts.clone();
        facts.three_years = profile.three_years;
        if let (Some(old), Ok(now)) = (predecessor, applicant.person.subject()) {
            facts.changed = difference(old.subject(), &now);
        }
        facts
    }

    pub(crate) async fn request(
        &self,
        message: &Message,
        sender: &Sender,
        asked: Asked,
        mut reading: Reading,
    ) -> Result<Answer, Refusal> {
        let Asked { id: cert_req_id, subject, public_key, old, extensions, asks_more } = asked;
        let kind = message.body.kind;
        let transaction = hex::encode(&message.header.transaction_id);
        let now = self.now_seconds();
        let known = store::request(&mut reading, &transaction).await?;
        let (applicant_id, predecessor) = match sender {
            Sender::Invited { applicant, .. } => (applicant.clone(), None),
            Sender::Holder { certificate, applicant, .. } => (applicant.clone(), Some(certificate.as_ref())),
        };
        let applicant = store::applicant(&mut reading, &applicant_id, now).await?;
        drop(reading);
        if let Some(row) = known {
            // A crash between record and stored answer: the same key and sender go on where they were.
            return match row.public_key == public_key && row.sender == sender.name() {
                true => self.proceed(row).await,
                false => Err(transaction_in_use()),
            };
        }
        let applicant = applicant
            .ok_or_else(|| Refusal::new(Failure::NotAuthorized, "no-contract: the applicant is not on any contract"))?;
        let profile_name = match sender {
            Sender::Invited { profile, .. } => profile.clone(),
            Sender::Holder { .. } => Self::profile_of(message, predecessor)?,
        };
        let profile = Profile::from_name(&profile_name)
            .ok_or_else(|| Refusal::new(Failure::BadTemplate, format!("profile {profile_name} is not known")))?;
        if kind == BodyKind::KeyUpdateRequest && predecessor.is_none() {
            let words = "a key update is signed by the certificate it follows";
            return Err(Refusal::new(Failure::NotAuthorized, words));
        }
        // The rules of a renewal belong to whoever holds a certificate, by whatever message they ask (RFC 9810 section
        // 5.3.5 for kur; cr, ir and p10cr bring a certificate just the same).
        if let Some(predecessor) = predecessor {
            let named = old
                .as_ref()
                .is_none_or(|old| old.issuer == *predecessor.issuer() && old.serial == *predecessor.serial());
            if !named {
                return Err(Refusal::new(Failure::BadCertificateId, "oldCertID is not the certificate that signed"));
            }
            let window = Duration::from_secs(u64::from(self.config.renewal_window_days) * 86_400);
            let asked = (subject.as_ref().unwrap_or(predecessor.subject()), public_key.as_slice());
            Successor::check(predecessor, false, Some(asked), Some(window), self.clock.now())
                .map_err(|error| Refusal::new(Failure::NotAuthorized, error.code()))?;
        }
        let person = applicant.person.clone();
        let mut facts = Self::facts(&applicant, profile, predecessor);
        if let Sender::Invited { person: Some(invited), .. } = sender
            && **invited != person
        {
            // Somebody else stands in the row than was invited, or under another name: a clerk looks at it.
            facts.changed.get_or_insert_with(|| "invitation".to_owned());
        }
        let verdict = authorize(&facts);
        let (state, reason) = match verdict {
            Verdict::Issue => ("approved", None),
            Verdict::Wait(reason) => ("waiting", Some(reason.code().to_owned())),
            Verdict::Other => ("waiting", Some(Reason::Approval.code().to_owned())),
            Verdict::Refuse(reason) => ("refused", Some(reason.code().to_owned())),
        };
        let mut row = RequestRow {
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
            modified: asks_more || is_modified(subject.as_ref(), &extensions, &person),
            person: Some(person),
        };
        let draft = match verdict {
            Verdict::Issue => {
                let draft = self.draft(&row)?;
                // Request and record are one transaction: what is approved at once needs no second one.
                row.state = "signing".to_owned();
                (row.issuer, row.serial) = (Some(draft.issuer.to_owned()), Some(draft.serial.hexadecimal()));
                Some(draft)
            }
            _ => None,
        };
        match (self.record_request(sender, &row, predecessor, draft.as_ref()).await?, draft) {
            // The same message came twice at the same time, and the other one was first.
            (Recorded::Before(row), _) => self.proceed(*row).await,
            (Recorded::New, Some(draft)) => self.granted(&row, self.sign(draft).await?),
            (Recorded::New, None) => self.proceed(row).await,
        }
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

    /// Writes the request, and the record of its certificate where one is made at once. Whatever speaks against it is
    /// looked at here once more, in the transaction that writes.
    async fn record_request(
        &self,
        sender: &Sender,
        row: &RequestRow,
        predecessor: Option<&Certificate>,
        draft: Option<&Draft>,
    ) -> Result<Recorded, Refusal> {
        let reference = match sender {
            Sender::Invited { reference, .. } => Some(reference.clone()),
            Sender::Holder { .. } => None,
        };
        let followed = predecessor.cloned();
        let profile = Profile::from_name(&row.profile)
            .ok_or_else(|| Refusal::new(Failure::BadTemplate, format!("profile {} is not known", row.profile)))?;
        let predecessor = match (sender, predecessor) {
            (Sender::Holder { issuer, .. }, Some(old)) => Some(((*issuer).to_owned(), old.serial().hexadecimal())),
            _ => None,
        };
        let now = row.created;
        let identity = store::identity_of(&row.public_key);
        let limit = usize::try_from(self.config.successors).unwrap_or(usize::MAX);
        let done: Result<Result<Recorded, Refusal>, sqlx::Error> = self
            .database
            .write(|connection| {
                let (reference, row, predecessor) = (reference.clone(), row.clone(), predecessor.clone());
                let (identity, draft, followed) = (identity.clone(), draft.cloned(), followed.clone());
                Box::pin(async move {
                    if let Some(known) = store::request(connection, &row.id).await? {
                        return Ok(match known.public_key == row.public_key && known.sender == row.sender {
                            true => Ok(Recorded::Before(Box::new(known))),
                            false => Err(transaction_in_use()),
                        });
                    }
                    // The same key must not be certified twice (TS 119 312), nor two people share one.
                    if store::is_key_used(connection, &identity, &row.id).await? {
                        let words = "same-key: this key has a certificate or a request already; make a new one";
                        return Ok(Err(Refusal::new(Failure::BadTemplate, words)));
                    }
                    if draft.is_some() {
                        // A word of the office that came a moment ago counts.
                        let known = store::applicant(connection, &row.applicant, now).await?;
                        let facts = known.map(|known| Self::facts(&known, profile, followed.as_ref()));
                        if facts.is_none_or(|facts| authorize(&facts) != Verdict::Issue) {
                            let words = "the office changed the data a moment ago; ask again";
                            return Ok(Err(Refusal::new(Failure::SystemUnavailable, words)));
                        }
                    }
                    if let Some((issuer, serial)) = &predecessor {
                        let old = store::certificate(connection, issuer, serial).await?;
                        if old.is_none_or(|old| old.state == "revoked") {
                            let words = "the signer's certificate was revoked";
                            return Ok(Err(Refusal::new(Failure::CertificateRevoked, words)));
                        }
                        let others = store::successor_requests(connection, (issuer, serial), &row.id).await?;
                        if let Some(last) = others.last()
                            && others.len() >= limit
                        {
                            let words = format!("already-renewed: request {last} follows this certificate already");
                            return Ok(Err(Refusal::new(Failure::NotAuthorized, words)));
                        }
                    }
                    if let Some(reference) = reference {
                        // Used once: of two requests at the same time, one finds it free.
                        let claimed =
                            sqlx::query("UPDATE invitation SET used_by = $1 WHERE reference = $2 AND used_by IS NULL")
                                .bind(row.id.clone())
                                .bind(reference)
                                .execute(&mut *connection)
                                .await?;
                        if claimed.rows_affected() != 1 {
                            return Ok(Err(used_invitation()));
                        }
                    }
                    let received = format!("{} {} {}", row.id, row.applicant, row.state);
                    store::insert_request(connection, &NewRequest { row, predecessor }).await?;
                    match draft {
                        Some(draft) => {
                            draft.record(connection).await?;
                            let recorded = draft.recorded();
                            let entries = [("request-received", &*received), ("certificate-recorded", &*recorded)];
                            audit::append_all(connection, now, &entries).await?;
                        }
                        None => audit::append(connection, now, "request-received", &received).await?,
                    }
                    Ok(Ok(Recorded::New))
                })
            })
            .await;
        match done {
            Ok(recorded) => recorded,
            // The same message came to another process at the same time, or the serial number exists: asked again, it
            // fits.
            Err(error) if is_duplicate(&error) => {
                Err(Refusal::new(Failure::SystemUnavailable, "the request is being worked on; ask again"))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The answer that brings a certificate which was just signed.
    fn granted(&self, row: &RequestRow, signed: Signed) -> Result<Answer, Refusal> {
        let mut answer = self.certificate_answer(row, &signed.certificate)?;
        answer.along = Along::Issued(Box::new(signed));
        Ok(answer)
    }

    fn certificate_answer(&self, row: &RequestRow, certificate: &Certificate) -> Result<Answer, Refusal> {
        let response = CertificateResponse {
            id: row.cert_req_id,
            // RFC 9810 section 5.2.3: what differs from what was asked for is told.
            status: match row.modified {
                true => StatusInfo::modified("the certificate differs from the template: compare it"),
                false => StatusInfo::accepted(),
            },
            certificate: Some(certificate.der().to_vec()),
            // RFC 9483 section 4.1.1: a first certificate under a shared secret brings the root with it.
            ca_certificates: match row.sender.starts_with("invitation") {
                true => vec![self.root.der().to_vec()],
                false => Vec::new(),
            },
        };
        let mut answer = Answer::new(response_kind(row)?, response.to_content()?);
        answer.implicit_confirm = row.implicit_confirm;
        Ok(answer)
    }

    /// The answer to a request as it stands now: a certificate, waiting, or refused. A signature that another message
    /// of the same request is just making is waited for.
    pub(crate) async fn proceed(&self, mut row: RequestRow) -> Result<Answer, Refusal> {
        let begun = Instant::now();
        let status = loop {
            match row.state.as_str() {
                "waiting" => break StatusInfo::waiting(row.reason.as_deref().unwrap_or("approval")),
                "refused" => {
                    let reason = row.reason.as_deref().unwrap_or("by-clerk");
                    let text = match &row.note {
                        Some(note) => format!("{reason}: {note}"),
                        None => reason.to_owned(),
                    };
                    break StatusInfo::rejection(Failure::NotAuthorized, text);
                }
                "rejected" => {
                    let words = "the certificate was refused by its holder, and revoked";
                    break StatusInfo::rejection(Failure::CertificateRevoked, words);
                }
                "issued" | "confirmed" => return self.certificate_answer(&row, &self.certificate_of(&row).await?),
                "approved" => match self.issue(&row).await? {
                    Claim::Signed(signed) => return self.granted(&row, *signed),
                    Claim::Refused | Claim::Elsewhere => {}
                },
                "signing" if begun.elapsed() > PATIENCE => {
                    return Err(Refusal::new(Failure::SystemUnavailable, "the certificate is being signed; ask again"));
                }
                "signing" => tokio::time::sleep(Duration::from_millis(25)).await,
                other => {
                    tracing::error!(request = row.id, state = other, "a request is in a state that is not known");
                    return Err(Refusal::new(Failure::SystemFailure, "the authority could not do this now"));
                }
            }
            let mut reading = self.database.pool().acquire().await?;
            row = store::request(&mut reading, &row.id)
                .await?
                .ok_or_else(|| Refusal::new(Failure::SystemFailure, "the request is gone"))?;
        };
        let response =
            CertificateResponse { id: row.cert_req_id, status, certificate: None, ca_certificates: Vec::new() };
        Ok(Answer::new(response_kind(&row)?, response.to_content()?))
    }

    /// The certificate that a request was given.
    pub(crate) async fn certificate_of(&self, row: &RequestRow) -> Result<Certificate, Refusal> {
        let busy = || Refusal::new(Failure::SystemUnavailable, "the certificate is being signed; ask again");
        let (Some(issuer), Some(serial)) = (&row.issuer, &row.serial) else { return Err(busy()) };
        let mut reading = self.database.pool().acquire().await?;
        let stored = store::certificate(&mut reading, issuer, serial).await?;
        let der = stored.filter(|stored| stored.request == row.id).and_then(|stored| stored.der).ok_or_else(busy)?;
        Ok(Certificate::from_der(&der)?)
    }
}
