//! The authority itself: its keys, its database, its clock.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use obnova_crypto::{Primitives, SealingKey, Secret, SoftwareKey};
use obnova_lifecycle::port::Clock;
use obnova_pki::certificate::key_identifier;
use obnova_pki::{Certificate, Digest, Signer, Verifier};
use obnova_serve::ServeError;
use obnova_serve::config::AuthorityConfig;
use obnova_serve::database::Database;

use crate::ceremony::{read_certificate, read_key};
use crate::intake::DERIVATIONS;
use crate::profile::IssuerSide;
use crate::store;

/// Names of the issuing authorities.
pub const ISSUERS: [&str; 2] = ["qualified", "commercial"];

/// One issuing authority.
pub(crate) struct Issuer {
    pub(crate) id: &'static str,
    pub(crate) certificate: Certificate,
    pub(crate) key: SoftwareKey,
    pub(crate) key_identifier: Vec<u8>,
}

impl Issuer {
    pub(crate) fn side<'a>(&'a self, published_at: &'a str) -> IssuerSide<'a> {
        IssuerSide {
            name: self.certificate.subject(),
            id: self.id,
            key_identifier: &self.key_identifier,
            algorithm: self.key.algorithm(),
            published_at,
        }
    }
}

/// The authority role.
pub struct Authority {
    pub(crate) config: AuthorityConfig,
    pub(crate) database: Database,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) root: Certificate,
    /// The root's own list, made at the ceremony while its key was at hand.
    pub(crate) root_list: Vec<u8>,
    pub(crate) issuers: HashMap<&'static str, Issuer>,
    pub(crate) reply_key: SoftwareKey,
    pub(crate) reply_certificate: Certificate,
    pub(crate) sealing: SealingKey,
    pub(crate) identity: Option<obnova_lifecycle::document::IdentityAddress>,
    /// Places for the slow derivation of invitation codes.
    pub(crate) derivations: tokio::sync::Semaphore,
}

impl Authority {
    /// Reads keys and certificates from `folder` and opens the database.
    ///
    /// # Errors
    ///
    /// [`ServeError`]: a wrong passphrase, a missing file, a database that cannot be opened.
    pub async fn open(
        folder: &Path,
        config: AuthorityConfig,
        identity: Option<obnova_lifecycle::document::IdentityAddress>,
        passphrase: &Secret,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ServeError> {
        let database = Database::open(&config.database, "obnova_authority", &crate::SQLITE, &crate::POSTGRES).await?;
        if store::lacks_identities(&database).await? {
            database.write(|connection| Box::pin(async move { store::fill_identities(connection).await })).await?;
        }
        let mut issuers = HashMap::new();
        for id in ISSUERS {
            let certificate = read_certificate(folder, id)?;
            let key = read_key(folder, id, passphrase)?;
            let key_identifier =
                key_identifier(key.public_key(), &Primitives).map_err(|error| ServeError::new(id, error))?;
            issuers.insert(id, Issuer { id, certificate, key, key_identifier });
        }
        let reply_key = read_key(folder, "reply", passphrase)?;
        // Codes of invitations are sealed by a key of their own, derived from a key that is itself sealed.
        let mut material = b"obnova invitation codes\0".to_vec();
        material.extend_from_slice(reply_key.pkcs8());
        let digest = obnova_crypto::Zeroizing::new(Primitives.digest(Digest::Sha256, &material));
        let mut key = [0; 32];
        key.copy_from_slice(&digest);
        let sealing = SealingKey::new(&key).map_err(|error| ServeError::new("sealing key", error))?;
        Ok(Self {
            database,
            clock,
            root: read_certificate(folder, "root")?,
            root_list: std::fs::read(folder.join("certificates").join("root.crl"))?,
            issuers,
            reply_certificate: read_certificate(folder, "reply")?,
            reply_key,
            sealing,
            identity,
            config,
            derivations: tokio::sync::Semaphore::new(DERIVATIONS),
        })
    }

    /// The root, as invitations pin it.
    pub fn root(&self) -> &Certificate {
        &self.root
    }

    /// The database, for health and chores.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// The number that this process signs its records with.
    pub(crate) fn owner(&self) -> i64 {
        self.database.owner()
    }

    pub(crate) fn now_seconds(&self) -> i64 {
        obnova_serve::clock::seconds(self.clock.now())
    }

    pub(crate) fn issuer(&self, id: &str) -> Result<&Issuer, ServeError> {
        self.issuers.get(id).ok_or_else(|| ServeError::new("issuer", format!("{id} is not one of ours")))
    }

    /// Our issuing authority with this name.
    pub(crate) fn issuer_named(&self, name: &obnova_pki::Name) -> Option<&Issuer> {
        self.issuers.values().find(|issuer| issuer.certificate.subject() == name)
    }
}
