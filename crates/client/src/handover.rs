//! The last part of a journey, from `Proven` to `Retired`: registration, rehearsal with the new login, farewell
//! to the old one, and the removal of what the next certificate needs the place of.

use obnova_crypto::Primitives;
use obnova_keystore::StoreSigner;
use obnova_lifecycle::document::{CertificateName, Octets, Succession, name};
use obnova_lifecycle::retirement::{Standing, permit};
use obnova_lifecycle::station::{Proven, Station};
use obnova_pki::{Certificate, cms};
use obnova_remote::{RemoteError, submit_succession};

use crate::ClientError;
use crate::account::{LoginOutcome, client, login, unbind};
use crate::description::{ForeignAccount, accounts_for};
use crate::journal::Evidence;
use crate::journey::{Journey, Progress};
use crate::known::is_removed;

impl Journey<'_> {
    /// The succession statement of a certificate that was just proven, for the identity space.
    pub(crate) fn statement(&self, item: usize, proven: &Proven) -> Result<Option<Vec<u8>>, ClientError> {
        self.statement_for(item, proven.certificate())
    }

    /// Signed while both keys exist; `None` where nobody must be told.
    fn statement_for(&self, item: usize, successor: &Certificate) -> Result<Option<Vec<u8>>, ClientError> {
        let (Some((audience, _)), Some((old_key, old))) = (&self.identity, self.old_signer(item)?) else {
            return Ok(None);
        };
        if self.items[item].kind != "commercial" {
            return Ok(None);
        }
        let now = self.clock.now();
        let statement = Succession {
            document: name::SUCCESSION.to_owned(),
            id: hex::encode(Primitives.octets::<16>()),
            audience: audience.clone(),
            at: now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs(),
            predecessor: CertificateName::of(&old),
            successor: CertificateName::of(successor),
            successor_sha256: Primitives.fingerprint(successor.der()),
        };
        let document = serde_json::to_vec(&statement).map_err(|error| ClientError::new("signing-failed", error))?;
        let new_key = StoreSigner::new(self.place(item), successor.public_key())?;
        let others = self.known(item).came.map(|came| came.others).unwrap_or_default();
        Ok(Some(cms::sign(&document, &[(&old_key, &old), (&new_key, successor)], &others, now, &Primitives)?))
    }

    /// Registration with the old login, rehearsal with the new one, farewell to the old. Gives the accounts that a
    /// person must tell first, where they are not ours.
    pub(crate) fn hand_over(
        &mut self,
        item: usize,
        progress: &mut dyn Progress,
    ) -> Result<Vec<ForeignAccount>, ClientError> {
        let kind = self.items[item].kind.clone();
        let known = self.known(item);
        let successor = self.successor(item)?;
        let Some((_, old)) = self.old_signer(item)? else { return Ok(Vec::new()) };
        if self.identity.is_none() {
            let mut accounts = accounts_for(self.home, &successor)?;
            accounts.retain(|account| !known.told.contains(&account.name));
            if !accounts.is_empty() {
                return Ok(accounts);
            }
        }
        self.unlock(item)?;
        let registers = kind == "commercial";
        if let (Some((_, address)), true) = (self.identity.clone(), registers) {
            if !known.registered {
                self.register(item, &address, &successor)?;
                self.journal.append(Evidence::Registered { item })?;
            }
            let signer = StoreSigner::new(self.place(item), successor.public_key())?;
            let http = client(&self.authority.tls_trust(), &successor, signer)?;
            if !known.rehearsed {
                match login(&http, &address)? {
                    LoginOutcome::Opened { .. } => self.journal.append(Evidence::Rehearsed { item })?,
                    LoginOutcome::Explained(code) => return Err(ClientError::new("rehearsal-failed", code)),
                }
            }
            progress.station(item, &kind, Station::Registered);
            self.journal.append(Evidence::RetireIntent { item })?;
            unbind(&http, &address, &old)?;
        } else {
            if !known.rehearsed {
                // A certificate that nobody must be told about is registered as soon as it is proven.
                self.journal.append(Evidence::Rehearsed { item })?;
            }
            progress.station(item, &kind, Station::Registered);
            self.journal.append(Evidence::RetireIntent { item })?;
        }
        self.home.archive(&old)?;
        self.journal.append(Evidence::Retired { item })?;
        progress.station(item, &kind, Station::Retired);
        Ok(Vec::new())
    }

    fn successor(&self, item: usize) -> Result<Certificate, ClientError> {
        let came = self.known(item).came.ok_or_else(|| ClientError::new("journal-error", "issued"))?;
        Certificate::from_der(&came.certificate).map_err(|error| ClientError::new("journal-error", error))
    }

    /// Hands the statement over; one that waited too long is signed anew, because both keys still exist.
    fn register(&mut self, item: usize, address: &str, successor: &Certificate) -> Result<(), ClientError> {
        let stored = self.known(item).proven.flatten();
        let statement = stored.ok_or_else(|| ClientError::new("journal-error", "statement"))?;
        let words = match submit_succession(&self.http, address, statement) {
            Ok(()) => return Ok(()),
            Err(RemoteError::Refused(words)) => words,
            Err(error) => return Err(error.into()),
        };
        if words.starts_with("statement-old")
            && let Some(fresh) = self.statement_for(item, successor)?
        {
            self.journal.append(Evidence::Proven { item, statement: Some(Octets(fresh.clone())) })?;
            return submit_succession(&self.http, address, fresh)
                .map_err(|error| ClientError::new("identity-refused", error));
        }
        // Perhaps a local administrator has told the account already.
        let trust = self.authority.tls_trust();
        let signer = StoreSigner::new(self.place(item), successor.public_key())?;
        if matches!(login(&client(&trust, successor, signer)?, address)?, LoginOutcome::Opened { .. }) {
            return Ok(());
        }
        // Or the old certificate opens nothing: then that is what the person must hear.
        if let Some((old_key, old)) = self.old_signer(item)?
            && let LoginOutcome::Explained(code) = login(&client(&trust, &old, old_key)?, address)?
        {
            return Err(ClientError::new("login-failed", code));
        }
        Err(ClientError::new("identity-refused", words))
    }

    /// Removes the predecessor of a certificate that reached its end, when the next one needs the place.
    pub(crate) fn make_room(&mut self, item: usize) -> Result<(), ClientError> {
        let known = self.known(item);
        let Some((_, old)) = self.old_signer(item)? else { return Ok(()) };
        if !self.items[item].makes_room || !known.retired || is_removed(self.journal.evidence(), &old) {
            return Ok(());
        }
        self.unlock(item)?;
        let successor = self.successor(item)?;
        let place = self.place(item);
        let is_there = {
            let mut store = place.lock();
            store.certificates()?.contains(&successor) && store.keys()?.iter().any(|key| key == successor.public_key())
        };
        let standing = Standing {
            successor_proven: known.proven.is_some() && is_there,
            successor_registered: known.retired,
            registration_said: !known.told.is_empty(),
            consequence_typed: false,
            decryption_waived: self.lose_old_mail,
        };
        self.remove(&old, &standing)
    }

    /// Removes a certificate with its key from the device, when the rules permit it; archived first.
    pub(crate) fn remove(&mut self, certificate: &Certificate, standing: &Standing) -> Result<(), ClientError> {
        let permit = permit(certificate, standing, self.clock.now())
            .map_err(|stays| ClientError::new(stays.code(), certificate.serial()))?;
        let id = self.store.lock().info()?.id;
        match crate::cleanup::remove(self.home, &id, &self.store, &permit) {
            // It stays: the renewal goes on without its place, and clean-up names what is in the way.
            Err(error) if error.code == "stays-claimed" => return Ok(()),
            done => done?,
        };
        self.journal.append(Evidence::Removed { sha256: Primitives.fingerprint(certificate.der()) })?;
        Ok(())
    }
}
