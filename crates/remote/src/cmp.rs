//! CMP as a client (RFC 9483): requests that can be sent again byte for byte, polling, confirmation.

use std::time::{Duration, SystemTime};

use obnova_crypto::{Primitives, SharedSecret};
use obnova_pki::chain::Chain;
use obnova_pki::cmp::{
    self, Body, BodyKind, CertificateConfirm, CertificateResponse, Header, Message, Protection, Protector, StatusInfo,
};
use obnova_pki::crmf::{self, CertificateId};
use obnova_pki::{Certificate, Name, SignError, Signer, oid};

use crate::{HttpClient, RemoteError};

/// How often an authority that puts off its answer to a confirmation is asked again in one go.
const CONFIRM_POLLS: usize = 12;

/// Who speaks: the holder of a certificate, or of an invitation.
pub enum Credential<'a> {
    /// The current certificate and its key.
    Holder(&'a dyn Signer, &'a Certificate),
    /// Reference and code of an invitation.
    Invited(&'a str, &'a SharedSecret),
}

/// A signed request: its bytes are journaled before they are sent.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The message.
    pub message: Vec<u8>,
    /// transactionID, the receipt of this request.
    pub transaction_id: Vec<u8>,
}

/// What the authority answered to a request or a poll.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// A certificate; anchors only under a shared secret.
    Issued {
        /// The certificate.
        certificate: Vec<u8>,
        /// Certificates that travelled along, for the path.
        others: Vec<Certificate>,
        /// caPubs, trusted only when the message was protected by the shared secret.
        anchors: Vec<Vec<u8>>,
        /// Whether implicit confirmation was granted.
        confirmed: bool,
        /// certReqId for the confirmation.
        id: i64,
        /// senderNonce of the answer.
        nonce: Vec<u8>,
    },
    /// Not decided yet.
    Waiting {
        /// Seconds until the next question.
        check_after: u64,
        /// Why, in the authority's words.
        reason: Option<String>,
        /// senderNonce of the answer; the next question gives it back.
        nonce: Vec<u8>,
        /// certReqId to ask with: -1 where the authority put off the whole answer (RFC 9483 section 4.4).
        id: i64,
    },
    /// Refused, in the authority's words.
    Refused(String),
}

/// What a request asks for.
pub struct Wish<'a> {
    /// Subject of the certificate.
    pub subject: &'a Name,
    /// The certificate that is followed; `None` for a first one.
    pub predecessor: Option<&'a Certificate>,
    /// Profile by name, for authorities that have several.
    pub profile: Option<&'a str>,
    /// Whether to ask for implicit confirmation.
    pub implicit_confirm: bool,
}

fn header(credential: &Credential<'_>, recipient: Name, transaction_id: Vec<u8>, at: SystemTime) -> Header {
    let (sender, sender_kid) = match credential {
        Credential::Holder(_, certificate) => (certificate.subject().clone(), certificate.subject_key_identifier()),
        Credential::Invited(reference, _) => (Name::empty(), Some(reference.as_bytes().to_vec())),
    };
    Header {
        sender,
        recipient,
        time: Some(at),
        sender_kid,
        transaction_id,
        sender_nonce: Primitives.octets::<16>().to_vec(),
        recipient_nonce: None,
        implicit_confirm: false,
        confirm_wait: None,
        profile: None,
    }
}

fn protect(header: &Header, body: &Body, credential: &Credential<'_>) -> Result<Vec<u8>, SignError> {
    match credential {
        Credential::Holder(signer, certificate) => {
            Message::protect(header, body, &Protector::Key(*signer, certificate), &[])
        }
        Credential::Invited(_, secret) => {
            Message::protect(header, body, &Protector::Secret(*secret, SharedSecret::parameters()), &[])
        }
    }
}

/// Prepares a request for `new_key`: `kur` after a predecessor, `ir` with an invitation, `cr` otherwise.
///
/// # Errors
///
/// [`SignError`] from one of the keys.
pub fn prepare(
    wish: &Wish<'_>,
    new_key: &dyn Signer,
    credential: &Credential<'_>,
    at: SystemTime,
) -> Result<Prepared, SignError> {
    let transaction_id = Primitives.octets::<16>().to_vec();
    let (kind, recipient) = match (credential, wish.predecessor) {
        (_, Some(predecessor)) => (BodyKind::KeyUpdateRequest, predecessor.issuer().clone()),
        (Credential::Invited(..), None) => (BodyKind::InitializationRequest, Name::empty()),
        (Credential::Holder(_, certificate), None) => (BodyKind::CertificationRequest, certificate.issuer().clone()),
    };
    let old = wish.predecessor.map(|certificate| CertificateId {
        issuer: certificate.issuer().clone(),
        serial: certificate.serial().clone(),
    });
    let content = crmf::request(wish.subject, None, old.as_ref(), new_key)?;
    let mut header = header(credential, recipient, transaction_id.clone(), at);
    header.implicit_confirm = wish.implicit_confirm;
    header.profile = wish.profile.map(str::to_owned);
    let message = protect(&header, &Body { kind, content }, credential)?;
    Ok(Prepared { message, transaction_id })
}

/// Where a CMP authority is, and whom we believe there.
pub struct CmpService<'a> {
    /// HTTP client.
    pub http: &'a HttpClient,
    /// Address of the service.
    pub address: &'a str,
    /// Anchors for the certificate that protects the answers; empty only with an invitation.
    pub anchors: &'a [Certificate],
    /// The certificate that is followed: whoever issued it may answer.
    pub predecessor: Option<&'a Certificate>,
    /// The certificate that answers, where it was given beforehand.
    pub signer: Option<&'a Certificate>,
}

impl CmpService<'_> {
    fn exchange(&self, message: &[u8], credential: &Credential<'_>, at: SystemTime) -> Result<Message, RemoteError> {
        let sent = Message::from_der(message).map_err(|error| RemoteError::Malformed(error.to_string()))?;
        let response = self.http.post(self.address, "application/pkixcmp", message.to_vec())?;
        let body = response.success()?;
        let answer = Message::from_der(&body).map_err(|error| RemoteError::Malformed(error.to_string()))?;
        self.check(&answer, &sent, credential, at)?;
        Ok(answer)
    }

    /// Protection, transactionID and nonce of an answer (RFC 9483 section 3.5).
    fn check(
        &self,
        answer: &Message,
        sent: &Message,
        credential: &Credential<'_>,
        at: SystemTime,
    ) -> Result<(), RemoteError> {
        let malformed = |text: String| RemoteError::Malformed(text);
        match (&answer.protection, credential) {
            (Protection::Mac(_), Credential::Invited(_, secret)) => {
                answer.check_mac(*secret).map_err(|error| malformed(error.to_string()))?;
            }
            (Protection::Signature(_), _) if !self.anchors.is_empty() => {
                // A self-signed one is left out (RFC 9483 section 3.3), and so may be one that was pinned: both are here.
                let at_hand = answer.certificates.first().into_iter().chain(self.signer).chain(self.anchors);
                let (mut signer, mut failure) = (None, None);
                for candidate in at_hand {
                    match answer.check_signature(candidate, &Primitives) {
                        Ok(()) => {
                            signer = Some(candidate);
                            break;
                        }
                        Err(error) => {
                            failure.get_or_insert(error.to_string());
                        }
                    }
                }
                let unknown = || "the answer does not bring its signer's certificate".to_owned();
                let signer = signer.ok_or_else(|| malformed(failure.unwrap_or_else(unknown)))?;
                self.believe(signer, &answer.certificates, at)?;
            }
            _ => {
                let words = match answer.body.kind {
                    BodyKind::Error => cmp::read_error(&answer.body.content).map(|status| status.words()).ok(),
                    _ => None,
                };
                return Err(match words {
                    // Unproven words are shown as such, and believed in nothing.
                    Some(words) => RemoteError::Refused(format!("{words} (the answer itself is not proven)")),
                    None => malformed("the answer is not protected in a way that we can check".to_owned()),
                });
            }
        }
        if answer.header.transaction_id != sent.header.transaction_id {
            return Err(malformed("transactionID of the answer is not ours".to_owned()));
        }
        if answer.header.recipient_nonce.as_ref() != Some(&sent.header.sender_nonce) {
            return Err(malformed("recipNonce of the answer is not our senderNonce".to_owned()));
        }
        Ok(())
    }

    /// Whether a certificate may answer as the authority: the authority that issued the predecessor, its anchor, a signer
    /// that one of these two certified for answering (id-kp-cmcCA or id-kp-cmcRA, RFC 9483 section 1.5), or the one that
    /// was pinned. A certificate of the same root, or one without purposes, is not enough: that is everybody's.
    fn believe(&self, signer: &Certificate, others: &[Certificate], at: SystemTime) -> Result<(), RemoteError> {
        let untrusted = |why: &str| RemoteError::Signer(format!("{}: {why}", signer.subject()));
        if let Some(pinned) = self.signer
            && pinned == signer
        {
            return match signer.is_valid_at(at) {
                true => Ok(()),
                false => Err(untrusted("the pinned certificate is outside its validity")),
            };
        }
        let is_authority = |candidate: &Certificate| {
            self.anchors.contains(candidate)
                || self.predecessor.is_some_and(|old| {
                    old.issuer() == candidate.subject() && old.verify_by(candidate.public_key(), &Primitives).is_ok()
                })
        };
        let answers = signer.extended_key_usage().iter().any(|id| [oid::KP_CMC_CA, oid::KP_CMC_RA].contains(id));
        if !answers && !is_authority(signer) {
            return Err(untrusted("it is neither the authority nor certified to answer for it (extKeyUsage)"));
        }
        let chain = Chain::check(signer, others, self.anchors, at, &Primitives)
            .map_err(|error| untrusted(&error.to_string()))?;
        // The first of the path is the signer itself.
        if !is_authority(signer) && !chain.certificates().get(1).is_some_and(is_authority) {
            return Err(untrusted("another authority certified it"));
        }
        if signer.key_usage().is_some_and(|usage| !usage.digital_signature() && signer.authority().is_none()) {
            return Err(untrusted("it may not sign messages (keyUsage)"));
        }
        Ok(())
    }

    /// Sends a prepared request; the same bytes may be sent again.
    ///
    /// # Errors
    ///
    /// [`RemoteError`].
    pub fn submit(&self, message: &[u8], credential: &Credential<'_>, at: SystemTime) -> Result<Outcome, RemoteError> {
        let answer = self.exchange(message, credential, at)?;
        let sent = Message::from_der(message).map_err(|error| RemoteError::Malformed(error.to_string()))?;
        let kind = answer.body.kind;
        let is_response =
            [BodyKind::InitializationResponse, BodyKind::CertificationResponse, BodyKind::KeyUpdateResponse]
                .contains(&kind);
        // RFC 9483 section 4.1: each request has its own response.
        if is_response && sent.body.kind.response() != Some(kind) {
            return Err(RemoteError::Malformed("the answer is one to another kind of request".to_owned()));
        }
        outcome(&answer, credential)
    }

    /// Asks about a message that waits; `waiting` is certReqId and senderNonce of the last answer
    /// (RFC 9483 sections 3.1 and 4.4).
    ///
    /// # Errors
    ///
    /// [`RemoteError`].
    pub fn poll(
        &self,
        transaction_id: &[u8],
        waiting: (i64, Option<&[u8]>),
        recipient: &Name,
        credential: &Credential<'_>,
        at: SystemTime,
    ) -> Result<Outcome, RemoteError> {
        let answer = self.ask_again(transaction_id, waiting, recipient, credential, at)?;
        match outcome(&answer, credential)? {
            // An error to a question about a request is no decision about the request.
            Outcome::Refused(words) if answer.body.kind == BodyKind::Error => Err(RemoteError::Lost(words)),
            outcome => Ok(outcome),
        }
    }

    fn ask_again(
        &self,
        transaction_id: &[u8],
        (id, nonce): (i64, Option<&[u8]>),
        recipient: &Name,
        credential: &Credential<'_>,
        at: SystemTime,
    ) -> Result<Message, RemoteError> {
        let content = cmp::poll_request_content(id).map_err(|error| RemoteError::Malformed(error.to_string()))?;
        let mut header = header(credential, recipient.clone(), transaction_id.to_vec(), at);
        header.recipient_nonce = nonce.map(<[u8]>::to_vec);
        let body = Body { kind: BodyKind::PollRequest, content };
        let message = protect(&header, &body, credential).map_err(|error| RemoteError::Malformed(error.to_string()))?;
        self.exchange(&message, credential, at)
    }

    /// Signs the confirmation of a certificate, or its refusal with words; to be journaled, then sent. The certificate is
    /// named by its hash ([`obnova_pki::cmp::certificate_hash`]), the recipient is its issuer.
    ///
    /// # Errors
    ///
    /// [`SignError`].
    pub fn prepare_confirmation(
        (hash, recipient): (Vec<u8>, Name),
        outcome: (i64, &[u8]),
        transaction_id: &[u8],
        refusal: Option<&str>,
        credential: &Credential<'_>,
        at: SystemTime,
    ) -> Result<Vec<u8>, SignError> {
        let (id, nonce) = outcome;
        let confirm = CertificateConfirm {
            hash,
            id,
            status: refusal.map(|words| StatusInfo::rejection(cmp::Failure::IncorrectData, words)),
        };
        let content = confirm.to_content().map_err(|error| SignError(Box::new(error)))?;
        let mut header = header(credential, recipient, transaction_id.to_vec(), at);
        header.recipient_nonce = Some(nonce.to_vec());
        protect(&header, &Body { kind: BodyKind::CertificateConfirm, content }, credential)
    }

    /// Sends a confirmation; the same bytes may be sent again. An authority that puts its answer off is asked
    /// again for up to a minute.
    ///
    /// # Errors
    ///
    /// [`RemoteError`]; [`RemoteError::Busy`] when it is still putting it off.
    pub fn confirm(&self, message: &[u8], credential: &Credential<'_>, at: SystemTime) -> Result<(), RemoteError> {
        let mut answer = self.exchange(message, credential, at)?;
        for _ in 0..CONFIRM_POLLS {
            let wait = match answer.body.kind {
                BodyKind::Confirmation => return Ok(()),
                BodyKind::PollResponse => read_poll(&answer)?.1,
                BodyKind::Error if is_waiting(&answer) => 0,
                // The answer to the first confirmation was lost: it is confirmed.
                BodyKind::Error if is_confirmed(&answer) => return Ok(()),
                BodyKind::Error => return Err(refused(&answer)),
                _ => return Err(RemoteError::Malformed("pkiconf was expected".to_owned())),
            };
            std::thread::sleep(Duration::from_secs(wait.min(5)));
            let (transaction, nonce) = (answer.header.transaction_id.clone(), answer.header.sender_nonce.clone());
            let recipient = answer.header.sender.clone();
            answer = self.ask_again(&transaction, (-1, Some(&nonce)), &recipient, credential, at)?;
        }
        Err(RemoteError::Busy("the answer to the confirmation is put off".to_owned()))
    }
}

fn read_poll(answer: &Message) -> Result<(i64, u64, Option<String>), RemoteError> {
    cmp::read_poll_response(&answer.body.content).map_err(|error| RemoteError::Malformed(error.to_string()))
}

/// Whether an error message says only that the answer comes later (RFC 9483 section 4.4).
fn is_waiting(answer: &Message) -> bool {
    cmp::read_error(&answer.body.content).is_ok_and(|status| status.status == cmp::Status::Waiting as u8)
}

fn is_confirmed(answer: &Message) -> bool {
    cmp::read_error(&answer.body.content)
        .is_ok_and(|status| status.failures.contains(&(cmp::Failure::CertificateConfirmed as u8)))
}

fn refused(answer: &Message) -> RemoteError {
    match cmp::read_error(&answer.body.content) {
        Ok(status) => RemoteError::Refused(status.words()),
        Err(error) => RemoteError::Malformed(error.to_string()),
    }
}

fn outcome(answer: &Message, credential: &Credential<'_>) -> Result<Outcome, RemoteError> {
    let malformed = |error: obnova_pki::FormatError| RemoteError::Malformed(error.to_string());
    match answer.body.kind {
        BodyKind::InitializationResponse | BodyKind::CertificationResponse | BodyKind::KeyUpdateResponse => {
            let response = CertificateResponse::from_content(&answer.body.content).map_err(malformed)?;
            // Requests from here carry certReqId 0; -1 puts off the whole answer (RFC 9483 sections 4.1 and 4.4).
            if ![0, -1].contains(&response.id) {
                return Err(RemoteError::Malformed(format!("certReqId {} is not one of ours", response.id)));
            }
            match response.certificate {
                Some(certificate) if response.status.is_granted() => Ok(Outcome::Issued {
                    certificate,
                    others: answer.certificates.clone(),
                    anchors: match credential {
                        Credential::Invited(..) => response.ca_certificates,
                        Credential::Holder(..) => Vec::new(),
                    },
                    confirmed: answer.header.implicit_confirm,
                    id: response.id,
                    nonce: answer.header.sender_nonce.clone(),
                }),
                _ if response.status.status == cmp::Status::Waiting as u8 => Ok(Outcome::Waiting {
                    check_after: 1,
                    reason: response.status.text.first().cloned(),
                    nonce: answer.header.sender_nonce.clone(),
                    id: response.id,
                }),
                _ => Ok(Outcome::Refused(response.status.words())),
            }
        }
        BodyKind::PollResponse => {
            let (id, check_after, reason) = cmp::read_poll_response(&answer.body.content).map_err(malformed)?;
            Ok(Outcome::Waiting { check_after, reason, nonce: answer.header.sender_nonce.clone(), id })
        }
        BodyKind::Error => {
            let status = cmp::read_error(&answer.body.content).map_err(malformed)?;
            if status.status == cmp::Status::Waiting as u8 {
                let reason = status.text.first().cloned();
                let nonce = answer.header.sender_nonce.clone();
                return Ok(Outcome::Waiting { check_after: 1, reason, nonce, id: -1 });
            }
            let passing = [
                cmp::Failure::SystemFailure,
                cmp::Failure::SystemUnavailable,
                cmp::Failure::BadTime,
                cmp::Failure::TransactionInUse,
            ];
            // What can be otherwise in a moment is no refusal: the same bytes are sent again later.
            if passing.iter().any(|failure| status.failures.contains(&(*failure as u8))) {
                return Err(RemoteError::Busy(status.words()));
            }
            Ok(Outcome::Refused(status.words()))
        }
        _ => Err(RemoteError::Malformed("the answer is not one to this request".to_owned())),
    }
}
