//! Ways to an authority that do not speak CMP: EST (RFC 7030) with the predecessor's key as TLS client, and a request
//! file with a signed message, which a person sends.

use obnova_crypto::Primitives;
use obnova_keystore::StoreSigner;
use obnova_lifecycle::document::Octets;
use obnova_lifecycle::station::{Keyed, Requested};
use obnova_pki::{Request, Verifier};
use obnova_remote::cmp::Outcome;
use obnova_remote::{EstService, TlsTrust};

use crate::ClientError;
use crate::account::client;
use crate::description::{AuthorityDescription, draft};
use crate::home::AuthorityRecord;
use crate::journal::Evidence;
use crate::journey::Journey;

/// Seconds until asking for a mailed request again makes any sense.
const A_DAY: u64 = 86_400;

/// How an authority is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way<'a> {
    /// CMP (RFC 9810).
    Cmp,
    /// EST at this address.
    Est(&'a str),
    /// A signed message by this description.
    Mail(&'a str),
}

impl AuthorityRecord {
    pub(crate) fn way(&self) -> Way<'_> {
        match (&self.est, &self.mail) {
            (Some(address), _) => Way::Est(address),
            (None, Some(description)) => Way::Mail(description),
            (None, None) => Way::Cmp,
        }
    }

    /// Whom a connection with the holder's key trusts: the pin, or else the anchors.
    fn enrollment_trust(&self) -> TlsTrust {
        match &self.tls_sha256 {
            Some(pin) => TlsTrust::Pin(pin.clone()),
            None => TlsTrust::Roots(self.anchors.iter().map(|anchor| anchor.0.clone()).collect()),
        }
    }
}

impl Journey<'_> {
    /// The PKCS#10 request of a new key, with the predecessor's subject; journaled before it is used.
    pub(crate) fn plain_request(&mut self, item: usize, keyed: Keyed) -> Result<Requested, ClientError> {
        let signer = StoreSigner::new(self.place(item), keyed.key.public_key())?;
        let old = keyed.found.predecessor.as_ref().ok_or_else(|| ClientError::new("predecessor-needed", self.id()))?;
        let request = Request::sign(old.subject(), &signer)?;
        let receipt = Primitives.digest(obnova_pki::Digest::Sha256, keyed.key.public_key());
        self.journal.append(Evidence::Requested {
            item,
            message: Octets(request.der().to_vec()),
            transaction: Octets(receipt),
        })?;
        Ok(keyed.requested(request.der().to_vec()))
    }

    /// Asks by EST; the same bytes ask again after a wait.
    pub(crate) fn reenroll(&self, item: usize, address: &str, request: &[u8]) -> Result<Outcome, ClientError> {
        let (signer, old) = self.old_signer(item)?.ok_or_else(|| ClientError::new("predecessor-needed", self.id()))?;
        let http = client(&self.authority.enrollment_trust(), &old, signer)?;
        let service = EstService { http: &http, address };
        let key = Request::from_der(request, &Primitives).map_err(|error| ClientError::new("journal-error", error))?;
        let outcome = service.reenroll(request, key.public_key())?;
        // The authority's other certificates, for building the path; they are trusted only by an anchor.
        if let Outcome::Issued { certificate, mut others, anchors, confirmed, id, nonce } = outcome {
            if let Ok(more) = service.authority_certificates() {
                others.extend(more);
            }
            return Ok(Outcome::Issued { certificate, others, anchors, confirmed, id, nonce });
        }
        Ok(outcome)
    }

    /// Asks for everything that a message must say, before a key is made for it.
    pub(crate) fn fill_fields(&mut self, item: usize) -> Result<(), ClientError> {
        let Way::Mail(name) = self.authority.way() else { return Ok(()) };
        let known = self.known(item);
        let Some((_, old)) = self.old_signer(item)? else { return Ok(()) };
        if known.fields.is_none() && !known.submitted {
            let fields = AuthorityDescription::load(name)?.filled(&old, self.pin)?;
            self.journal.append(Evidence::Filled { item, fields })?;
        }
        Ok(())
    }

    /// Writes the request file and the signed message; a person sends it.
    pub(crate) fn draft_mail(&mut self, item: usize, name: &str, request: &[u8]) -> Result<Outcome, ClientError> {
        let description = AuthorityDescription::load(name)?;
        let (signer, old) = self.old_signer(item)?.ok_or_else(|| ClientError::new("predecessor-needed", self.id()))?;
        let fields = self.known(item).fields.ok_or_else(|| ClientError::new("journal-error", "fields"))?;
        let journey = format!("{}-{}", self.id(), self.items[item].kind);
        let draft = draft(self.home, &journey, &description, &fields, (&signer, &old), request, self.clock.now())?;
        self.journal.append(Evidence::Drafted {
            item,
            message: draft.message.clone(),
            request: draft.request.clone(),
            to: draft.to,
        })?;
        Ok(mailed())
    }
}

/// What is known of a mailed request until its certificate is picked up.
pub(crate) fn mailed() -> Outcome {
    Outcome::Waiting { check_after: A_DAY, reason: Some("request-mailed".to_owned()), nonce: Vec::new(), id: 0 }
}
