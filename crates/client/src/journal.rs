//! The journal of a journey: append-only records, each with its length and SHA-256, synced before anything
//! irreversible follows. It keeps evidence, never stations; a torn tail is dropped. No private key, no PIN.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use obnova_crypto::Primitives;
use obnova_keystore::durable;
use obnova_lifecycle::document::Octets;
use obnova_pki::{Digest, Verifier};
use serde::{Deserialize, Serialize};

use crate::description::FieldView;

/// Longest record, in octets.
const MAX_RECORD: usize = 4 << 20;

/// One certificate of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemPlan {
    /// `qualified` or `commercial`.
    pub kind: String,
    /// The certificate to be followed; `None` for a first one.
    pub predecessor: Option<Octets>,
    /// Profile asked for.
    pub profile: Option<String>,
    /// Kind of the new key: `RSA-3072`, `P-256`, ...
    pub key: String,
    /// The PKCS#12 file where the new key lives, when the device has no room for it.
    #[serde(default)]
    pub file: Option<PathBuf>,
    /// Whether the predecessor is removed afterwards, because the next certificate needs its place.
    #[serde(default)]
    pub makes_room: bool,
    /// Octets that are held on the device for the certificate before its key is made; zero where nothing is held.
    #[serde(default)]
    pub held: usize,
}

/// What happened, or is about to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum Evidence {
    /// The plan as it was decided.
    Planned {
        /// Stable name of the store.
        store: String,
        /// Name of the authority's record in the home.
        authority: String,
        /// Reference of the invitation, for a first certificate.
        invitation: Option<String>,
        /// The certificates, in their safe order.
        items: Vec<ItemPlan>,
        /// Whether two waiting pairs fit beside each other.
        roomy: bool,
        /// Audience and login address of the identity space, when there is one.
        identity: Option<(String, String)>,
        /// Expired certificates that are removed first, to make room.
        #[serde(default)]
        clear: Vec<Octets>,
        /// Whether the person agreed in words to lose what only a removed key decrypts.
        #[serde(default)]
        lose_old_mail: bool,
        /// The other store where new keys are made, when it is not the one that the old ones live in.
        #[serde(default)]
        onto: Option<String>,
    },
    /// A certificate was removed to make room; its public part is in the archive.
    Removed {
        /// SHA-256 of the certificate.
        sha256: String,
    },
    /// A key is about to be made; these keys were there before.
    KeyIntent {
        /// Which certificate.
        item: usize,
        /// Public keys.
        before: Vec<Octets>,
    },
    /// The new key.
    Keyed {
        /// Which certificate.
        item: usize,
        /// SubjectPublicKeyInfo.
        public_key: Octets,
    },
    /// The signed request.
    Requested {
        /// Which certificate.
        item: usize,
        /// The message.
        message: Octets,
        /// transactionID.
        transaction: Octets,
    },
    /// It is about to be sent.
    SendIntent {
        /// Which certificate.
        item: usize,
    },
    /// What the message to the authority will say, every field with its source; known before a key is made.
    Filled {
        /// Which certificate.
        item: usize,
        /// The fields.
        fields: Vec<FieldView>,
    },
    /// The message to the authority was written; a person sends it.
    Drafted {
        /// Which certificate.
        item: usize,
        /// The signed message.
        message: PathBuf,
        /// The request file.
        request: PathBuf,
        /// Whom it is for.
        to: String,
    },
    /// The person says that an account knows the successor.
    Told {
        /// Which certificate.
        item: usize,
        /// Name of the account.
        party: String,
    },
    /// The authority has it.
    Submitted {
        /// Which certificate.
        item: usize,
    },
    /// The authority answered that it needs time.
    Waits {
        /// Which certificate.
        item: usize,
        /// senderNonce of its answer.
        nonce: Octets,
        /// certReqId to ask with.
        #[serde(default)]
        id: i64,
    },
    /// The authority lost the request, and the person wants it asked again with the same key.
    AskAgain {
        /// Which certificate.
        item: usize,
    },
    /// The certificate came.
    Issued {
        /// Which certificate.
        item: usize,
        /// The certificate.
        certificate: Octets,
        /// Others that came along.
        others: Vec<Octets>,
        /// Anchors, only from an invitation.
        anchors: Vec<Octets>,
        /// Implicit confirmation.
        confirmed: bool,
        /// certReqId.
        id: i64,
        /// senderNonce of the answer.
        nonce: Octets,
    },
    /// The signed confirmation is about to be sent.
    ConfirmIntent {
        /// Which certificate.
        item: usize,
        /// The message.
        message: Octets,
    },
    /// The authority answered it.
    Confirmed {
        /// Which certificate.
        item: usize,
    },
    /// The certificate is about to be written to the store.
    InstallIntent {
        /// Which certificate.
        item: usize,
    },
    /// It was read back.
    Installed {
        /// Which certificate.
        item: usize,
    },
    /// The pair signed a fresh challenge; the succession statement was signed by both keys.
    Proven {
        /// Which certificate.
        item: usize,
        /// The statement for the identity space.
        statement: Option<Octets>,
    },
    /// The identity space took the statement.
    Registered {
        /// Which certificate.
        item: usize,
    },
    /// A login with the successor succeeded.
    Rehearsed {
        /// Which certificate.
        item: usize,
    },
    /// The predecessor is about to go out of use.
    RetireIntent {
        /// Which certificate.
        item: usize,
    },
    /// It did; its public part is in the archive.
    Retired {
        /// Which certificate.
        item: usize,
    },
    /// The authority, or the check of its certificate, said no.
    Refused {
        /// Which certificate.
        item: usize,
        /// Words.
        why: String,
    },
}

/// Why a journal could not be read or written.
#[derive(Debug)]
pub enum JournalError {
    /// The system's own error, for example a full disk.
    System(PathBuf, std::io::Error),
    /// A record in the middle was changed.
    Damaged(PathBuf, usize),
    /// A whole record says something that this version does not know: a newer one wrote it.
    Newer(PathBuf, String),
}

impl core::fmt::Display for JournalError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::System(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Damaged(path, record) => write!(f, "{}: record {record} cannot be read", path.display()),
            Self::Newer(path, what) => write!(f, "{}: {what}", path.display()),
        }
    }
}

impl std::error::Error for JournalError {}

/// One journey's journal.
pub struct Journal {
    path: PathBuf,
    file: File,
    end: u64,
    evidence: Vec<Evidence>,
}

/// Complete records, and the length of the file up to the last of them.
fn parse(path: &Path, bytes: &[u8]) -> Result<(Vec<Evidence>, u64), JournalError> {
    let mut evidence = Vec::new();
    let mut at = 0;
    while let Some(head) = bytes.get(at..at + 36) {
        let mut length = [0; 4];
        length.copy_from_slice(&head[..4]);
        let length = u32::from_be_bytes(length) as usize;
        if length > MAX_RECORD {
            // Never written by us: something in the middle was changed, and nothing may be cut off.
            return Err(JournalError::Damaged(path.to_owned(), evidence.len() + 1));
        }
        if bytes[at..].iter().all(|&octet| octet == 0) {
            // The length of the file reached the disk before its contents did.
            break;
        }
        let Some(body) = bytes.get(at + 36..at + 36 + length) else { break };
        if Primitives.digest(Digest::Sha256, body) != head[4..36] {
            // The last record may be torn; anything before it was synced whole.
            if at + 36 + length == bytes.len() {
                break;
            }
            return Err(JournalError::Damaged(path.to_owned(), evidence.len() + 1));
        }
        let record = serde_json::from_slice(body).map_err(|_| {
            // The digest fits, so it is what somebody wrote: a newer version, where it says what it is.
            let value: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
            match value["what"].as_str() {
                Some(what) => JournalError::Newer(path.to_owned(), what.to_owned()),
                None => JournalError::Damaged(path.to_owned(), evidence.len() + 1),
            }
        })?;
        evidence.push(record);
        at += 36 + length;
    }
    Ok((evidence, at as u64))
}

impl Journal {
    /// Opens a journal, or begins one.
    ///
    /// # Errors
    ///
    /// [`JournalError`].
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let system = |error| JournalError::System(path.to_owned(), error);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(system)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(system)?;
        let (evidence, end) = parse(path, &bytes)?;
        if end < bytes.len() as u64 {
            file.set_len(end).map_err(system)?;
            file.sync_all().map_err(system)?;
        }
        durable::sync_folder(path).map_err(system)?;
        use std::io::Seek;
        file.seek(std::io::SeekFrom::Start(end)).map_err(system)?;
        Ok(Self { path: path.to_owned(), file, end, evidence })
    }

    /// Reads a journal without holding it open.
    ///
    /// # Errors
    ///
    /// [`JournalError`].
    pub fn read(path: &Path) -> Result<Vec<Evidence>, JournalError> {
        let bytes = std::fs::read(path).map_err(|error| JournalError::System(path.to_owned(), error))?;
        parse(path, &bytes).map(|(evidence, _)| evidence)
    }

    /// Everything written so far.
    pub fn evidence(&self) -> &[Evidence] {
        &self.evidence
    }

    /// Appends a record; when this returns it is on the disk.
    ///
    /// # Errors
    ///
    /// [`JournalError`]; the next step must then not be taken.
    pub fn append(&mut self, record: Evidence) -> Result<(), JournalError> {
        let path = self.path.clone();
        let system = |error| JournalError::System(path.clone(), error);
        let body = serde_json::to_vec(&record).map_err(|error| system(std::io::Error::other(error)))?;
        let length = u32::try_from(body.len()).map_err(|error| system(std::io::Error::other(error)))?;
        let mut bytes = length.to_be_bytes().to_vec();
        bytes.extend_from_slice(&Primitives.digest(Digest::Sha256, &body));
        bytes.extend_from_slice(&body);
        if body.len() > MAX_RECORD {
            return Err(system(std::io::Error::other("a record is longer than 4 MiB")));
        }
        if let Err(error) = self.file.write_all(&bytes).and_then(|()| self.file.sync_all()) {
            // What was written of it must not stand before a later record.
            let _ = self.file.set_len(self.end);
            let _ = std::io::Seek::seek(&mut self.file, std::io::SeekFrom::Start(self.end));
            return Err(system(error));
        }
        self.end += bytes.len() as u64;
        self.evidence.push(record);
        Ok(())
    }
}

/// What a journal proves about the certificate that followed another one.
pub(crate) struct Followed {
    pub(crate) predecessor: Vec<u8>,
    pub(crate) successor: Option<Vec<u8>>,
    pub(crate) proven: bool,
    pub(crate) retired: bool,
    /// Whether an account's knowledge of it is only the person's word.
    pub(crate) said: bool,
}

/// Predecessors of a journey, each with what is known of its successor.
pub(crate) fn successions(evidence: &[Evidence]) -> Vec<Followed> {
    let Some(Evidence::Planned { items, .. }) = evidence.first() else { return Vec::new() };
    let followed = |(index, plan): (usize, &ItemPlan)| {
        let mut followed = Followed {
            predecessor: plan.predecessor.as_ref()?.0.clone(),
            successor: None,
            proven: false,
            retired: false,
            said: false,
        };
        for record in evidence {
            match record {
                Evidence::Issued { item, certificate, .. } if *item == index => {
                    followed.successor = Some(certificate.0.clone());
                }
                Evidence::Proven { item, .. } if *item == index => followed.proven = true,
                Evidence::Retired { item } if *item == index => followed.retired = true,
                Evidence::Told { item, .. } if *item == index => followed.said = true,
                _ => {}
            }
        }
        Some(followed)
    };
    items.iter().enumerate().filter_map(followed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_tail_is_dropped_and_a_changed_middle_is_found() {
        let folder =
            std::env::temp_dir().join(format!("obnova-journal-{}", Primitives.fingerprint(&Primitives.octets::<8>())));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("a.journal");
        let mut journal = Journal::open(&path).unwrap();
        for item in 0..3 {
            journal.append(Evidence::Submitted { item }).unwrap();
        }
        drop(journal);
        let whole = std::fs::read(&path).unwrap();
        for length in 0..=whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            let mut journal = Journal::open(&path).unwrap();
            let known = journal.evidence().len();
            assert!(known <= 3);
            journal.append(Evidence::Confirmed { item: 9 }).unwrap();
            drop(journal);
            let again = Journal::read(&path).unwrap();
            assert_eq!(again.len(), known + 1, "cut at {length}");
            assert_eq!(again.last(), Some(&Evidence::Confirmed { item: 9 }));
        }
        // A record of a newer version is told as that, and nothing of the journal is lost.
        let body = br#"{"what":"notarised","item":0}"#;
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        let record = [&length[..], &Primitives.digest(Digest::Sha256, body), body].concat();
        std::fs::write(&path, [whole.clone(), record.clone()].concat()).unwrap();
        assert!(matches!(Journal::open(&path), Err(JournalError::Newer(_, what)) if what == "notarised"));
        assert_eq!(std::fs::read(&path).unwrap(), [whole.clone(), record].concat());
        let mut changed = whole.clone();
        changed[40] ^= 1;
        std::fs::write(&path, &changed).unwrap();
        assert!(matches!(Journal::open(&path), Err(JournalError::Damaged(_, 1))));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
