//! The person's certificate store of Windows with its keys: CryptoAPI for what lies there, CNG or the older providers for
//! the keys (wincrypt.h, ncrypt.h). The only unsafe code for that interface. Keys are used and given out, never made or
//! removed: whoever wants a new one makes it on a token or in a file. A provider may ask for a PIN in its own window.

#![allow(unsafe_code, reason = "the foreign interface of CryptoAPI and CNG")]

use std::ffi::c_void;

use obnova_crypto::Primitives;
use obnova_lifecycle::document::Octets;
use obnova_lifecycle::port::{
    Census, Custody, Held, KeyStore, KeyStoreError, Pin, PinState, Room, Scheme, StoreInfo, StoreKind,
};
use obnova_lifecycle::retirement::RemovalPermit;
use obnova_pki::{Certificate, Digest, KeyKind, SignatureAlgorithm, Verifier};
use windows_sys::Win32::Foundation::GetLastError;
use windows_sys::Win32::Security::Cryptography::*;
use windows_sys::core::w;
use zeroize::Zeroizing;

use crate::object::{ecdsa_value, rsa_pkcs8};

/// Name of the person's store, as other programs of Windows show it.
const MY: windows_sys::core::PCWSTR = w!("MY");

/// Name of the store for members of paths, which trusts nothing.
const INTERMEDIATE: windows_sys::core::PCWSTR = w!("CA");

/// The person's own certificates of Windows.
#[derive(Default)]
pub(crate) struct WindowsStore;

fn last(call: &str) -> KeyStoreError {
    // The code of this thread's last call.
    let code = unsafe { GetLastError() };
    KeyStoreError::Module { call: call.to_owned(), code: format!("0x{code:08X}") }
}

fn told(call: &str, status: i32) -> Result<(), KeyStoreError> {
    if status == 0 {
        return Ok(());
    }
    Err(KeyStoreError::Module { call: call.to_owned(), code: format!("0x{status:08X}") })
}

/// The store, open.
struct Open(HCERTSTORE);

impl Open {
    fn new() -> Result<Self, KeyStoreError> {
        Self::named(MY)
    }

    fn named(name: windows_sys::core::PCWSTR) -> Result<Self, KeyStoreError> {
        let store = unsafe { CertOpenSystemStoreW(0, name) };
        if store.is_null() { Err(last("CertOpenSystemStore")) } else { Ok(Self(store)) }
    }

    /// What `look` finds in the certificates, one after the other, until it finds something.
    fn find<T>(&self, mut look: impl FnMut(*const CERT_CONTEXT, &[u8]) -> Option<T>) -> Option<T> {
        let mut context: *mut CERT_CONTEXT = std::ptr::null_mut();
        loop {
            // The call frees the context that it is given, and gives the next one.
            context = unsafe { CertEnumCertificatesInStore(self.0, context) };
            if context.is_null() {
                return None;
            }
            let encoded = unsafe {
                let CERT_CONTEXT { pbCertEncoded, cbCertEncoded, .. } = *context;
                std::slice::from_raw_parts(pbCertEncoded, cbCertEncoded as usize)
            };
            if let Some(found) = look(context, encoded) {
                unsafe { CertFreeCertificateContext(context) };
                return Some(found);
            }
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        unsafe { CertCloseStore(self.0, 0) };
    }
}

/// Whether Windows knows where the private key of a certificate is. No provider is loaded for this.
fn has_key(context: *const CERT_CONTEXT) -> bool {
    let mut length = 0;
    let property = CERT_KEY_PROV_INFO_PROP_ID;
    unsafe { CertGetCertificateContextProperty(context, property, std::ptr::null_mut(), &mut length) != 0 }
}

/// A private key, by the newer interface or by the older one.
enum Key {
    Cng(usize),
    Older { provider: usize, kind: u32 },
}

impl Drop for Key {
    fn drop(&mut self) {
        match self {
            Self::Cng(key) => unsafe {
                NCryptFreeObject(*key);
            },
            Self::Older { provider, .. } => unsafe {
                CryptReleaseContext(*provider, 0);
            },
        }
    }
}

impl Key {
    /// The key of a certificate, for which Windows checks that it is its key.
    fn of(context: *const CERT_CONTEXT) -> Result<Self, KeyStoreError> {
        let (mut handle, mut kind, mut ours) = (0, 0, 0);
        let flags = CRYPT_ACQUIRE_PREFER_NCRYPT_KEY_FLAG | CRYPT_ACQUIRE_COMPARE_KEY_FLAG;
        let parameters = std::ptr::null();
        if unsafe { CryptAcquireCertificatePrivateKey(context, flags, parameters, &mut handle, &mut kind, &mut ours) }
            == 0
        {
            return Err(last("CryptAcquireCertificatePrivateKey"));
        }
        // Without the flag for it, the handle is never one that Windows keeps for itself.
        debug_assert_ne!(ours, 0);
        Ok(if kind == CERT_NCRYPT_KEY_SPEC { Self::Cng(handle) } else { Self::Older { provider: handle, kind } })
    }

    fn sign(&self, scheme: Scheme, message: &[u8]) -> Result<Vec<u8>, KeyStoreError> {
        let digest = match scheme {
            Scheme::RsaPssSha256 => Digest::Sha256,
            Scheme::Plain(algorithm) => algorithm.digest(),
        };
        let value = Primitives.digest(digest, message);
        match self {
            Self::Cng(key) => cng_signature(*key, scheme, digest, &value),
            Self::Older { provider, kind } => {
                if matches!(scheme, Scheme::RsaPssSha256) {
                    return Err(KeyStoreError::NotPossible);
                }
                older_signature(*provider, *kind, digest, &value)
            }
        }
    }

    /// The key as PKCS#8, where it may leave.
    fn export(&self) -> Result<Zeroizing<Vec<u8>>, KeyStoreError> {
        match self {
            Self::Cng(key) => {
                let format = NCRYPT_PKCS8_PRIVATE_KEY_BLOB;
                filled(|into, room, length| unsafe {
                    NCryptExportKey(*key, 0, format, std::ptr::null(), into, room, length, 0) == 0
                })
                .ok_or(KeyStoreError::NotExportable)
            }
            Self::Older { provider, kind } => {
                let mut key = 0;
                if unsafe { CryptGetUserKey(*provider, *kind, &mut key) } == 0 {
                    return Err(last("CryptGetUserKey"));
                }
                let blob = filled(|into, room, length| unsafe {
                    *length = room;
                    CryptExportKey(key, 0, PRIVATEKEYBLOB, 0, into, length) != 0
                });
                unsafe { CryptDestroyKey(key) };
                rsa_pkcs8(&blob.ok_or(KeyStoreError::NotExportable)?).ok_or(KeyStoreError::NotExportable)
            }
        }
    }
}

/// Asks a call for the length and then for the octets: `call` gets the place, its room, and where the length goes.
fn filled(call: impl Fn(*mut u8, u32, &mut u32) -> bool) -> Option<Zeroizing<Vec<u8>>> {
    let mut length = 0;
    if !call(std::ptr::null_mut(), 0, &mut length) {
        return None;
    }
    let mut octets = Zeroizing::new(vec![0; length as usize]);
    let room = length;
    if !call(octets.as_mut_ptr(), room, &mut length) {
        return None;
    }
    octets.truncate(length.min(room) as usize);
    Some(octets)
}

fn cng_signature(key: usize, scheme: Scheme, digest: Digest, value: &[u8]) -> Result<Vec<u8>, KeyStoreError> {
    let name = match digest {
        Digest::Sha1 => return Err(KeyStoreError::NotPossible),
        Digest::Sha256 => BCRYPT_SHA256_ALGORITHM,
        Digest::Sha384 => BCRYPT_SHA384_ALGORITHM,
        Digest::Sha512 => BCRYPT_SHA512_ALGORITHM,
    };
    let plain = BCRYPT_PKCS1_PADDING_INFO { pszAlgId: name };
    let pss = BCRYPT_PSS_PADDING_INFO { pszAlgId: name, cbSalt: 32 };
    let (padding, flags): (*const c_void, u32) = match scheme {
        Scheme::RsaPssSha256 => ((&raw const pss).cast(), BCRYPT_PAD_PSS),
        Scheme::Plain(
            SignatureAlgorithm::RsaSha256 | SignatureAlgorithm::RsaSha384 | SignatureAlgorithm::RsaSha512,
        ) => ((&raw const plain).cast(), BCRYPT_PAD_PKCS1),
        Scheme::Plain(_) => (std::ptr::null(), 0),
    };
    let hash_length = u32::try_from(value.len()).unwrap_or(0);
    let mut signature = vec![0; 1024];
    let mut length = 0;
    let status = unsafe {
        NCryptSignHash(key, padding, value.as_ptr(), hash_length, signature.as_mut_ptr(), 1024, &mut length, flags)
    };
    told("NCryptSignHash", status)?;
    signature.truncate(length as usize);
    if padding.is_null() { ecdsa_value(&signature) } else { Ok(signature) }
}

/// The key of an old software provider, opened by the one that knows SHA-2.
fn younger(provider: usize) -> Option<Key> {
    let name = filled(|into, room, length| unsafe {
        *length = room;
        CryptGetProvParam(provider, PP_CONTAINER, into, length, 0) != 0
    })?;
    let mut opened = 0;
    let done = name.contains(&0)
        && unsafe { CryptAcquireContextA(&mut opened, name.as_ptr(), std::ptr::null(), PROV_RSA_AES, 0) } != 0;
    done.then_some(Key::Older { provider: opened, kind: 0 })
}

fn older_signature(provider: usize, kind: u32, digest: Digest, value: &[u8]) -> Result<Vec<u8>, KeyStoreError> {
    let algorithm = match digest {
        Digest::Sha1 => return Err(KeyStoreError::NotPossible),
        Digest::Sha256 => CALG_SHA_256,
        Digest::Sha384 => CALG_SHA_384,
        Digest::Sha512 => CALG_SHA_512,
    };
    let mut hash = 0;
    if unsafe { CryptCreateHash(provider, algorithm, 0, 0, &mut hash) } == 0 {
        let refused = last("CryptCreateHash");
        // The oldest software providers know no SHA-2; a younger one opens the same key.
        let opened = younger(provider);
        let Some(Key::Older { provider: younger, .. }) = &opened else { return Err(refused) };
        if unsafe { CryptCreateHash(*younger, algorithm, 0, 0, &mut hash) } == 0 {
            return Err(refused);
        }
        return signature_of(hash, kind, value);
    }
    signature_of(hash, kind, value)
}

/// Signs a digest that was computed elsewhere, and gives the hash object back.
fn signature_of(hash: usize, kind: u32, value: &[u8]) -> Result<Vec<u8>, KeyStoreError> {
    let mut signature = vec![0; 1024];
    let mut length = 1024;
    let done = unsafe {
        CryptSetHashParam(hash, HP_HASHVAL, value.as_ptr(), 0) != 0
            && CryptSignHashW(hash, kind, std::ptr::null(), 0, signature.as_mut_ptr(), &mut length) != 0
    };
    let failed = last("CryptSignHash");
    unsafe { CryptDestroyHash(hash) };
    if !done {
        return Err(failed);
    }
    signature.truncate(length as usize);
    // This interface writes numbers from their end.
    signature.reverse();
    Ok(signature)
}

impl WindowsStore {
    /// Whether the store can be opened.
    pub(crate) fn is_there(&self) -> bool {
        Open::new().is_ok()
    }

    fn with_key<T>(
        &self,
        public_key: &[u8],
        work: impl Fn(&Key) -> Result<T, KeyStoreError>,
    ) -> Result<T, KeyStoreError> {
        let done = Open::new()?.find(|context, encoded| {
            let certificate = Certificate::from_der(encoded).ok()?;
            (certificate.public_key() == public_key && has_key(context)).then(|| work(&Key::of(context)?))
        });
        done.unwrap_or(Err(KeyStoreError::KeyMissing))
    }
}

impl KeyStore for WindowsStore {
    fn info(&mut self) -> Result<StoreInfo, KeyStoreError> {
        Open::new()?;
        Ok(StoreInfo {
            id: "windows:MY".to_owned(),
            device: "windows:MY".to_owned(),
            name: "Windows".to_owned(),
            kind: StoreKind::System,
            reader: None,
            pin: PinState::default(),
            puk: None,
            free: None,
            total: None,
            needs_login: false,
            key_kinds: Vec::new(),
        })
    }

    fn unlock(&mut self, _pin: &Pin, _last_try: bool) -> Result<(), KeyStoreError> {
        Ok(())
    }

    fn keys(&mut self) -> Result<Vec<Vec<u8>>, KeyStoreError> {
        let mut all: Vec<Vec<u8>> = Vec::new();
        Open::new()?.find(|context, encoded| -> Option<()> {
            if has_key(context)
                && let Ok(certificate) = Certificate::from_der(encoded)
            {
                all.push(certificate.public_key().to_vec());
            }
            None
        });
        all.dedup();
        Ok(all)
    }

    fn generate(&mut self, kind: KeyKind, _label: &str) -> Result<Vec<u8>, KeyStoreError> {
        Err(KeyStoreError::KeyKindUnsupported(kind))
    }

    fn sign(&mut self, public_key: &[u8], scheme: Scheme, message: &[u8]) -> Result<Vec<u8>, KeyStoreError> {
        let signature = self.with_key(public_key, |key| key.sign(scheme, message))?;
        match scheme {
            Scheme::Plain(algorithm) if Primitives.verify(public_key, algorithm, message, &signature).is_err() => {
                Err(KeyStoreError::AnotherKey)
            }
            _ => Ok(signature),
        }
    }

    fn install(&mut self, certificate: &Certificate) -> Result<(), KeyStoreError> {
        // Keys are not made here, so that one which waits for its certificate is never here.
        let is_there = self.held()?.iter().any(|one| one.octets.0 == certificate.der());
        if is_there { Ok(()) } else { Err(KeyStoreError::NotOurKey) }
    }

    fn remove(&mut self, _permit: &RemovalPermit) -> Result<(), KeyStoreError> {
        Err(KeyStoreError::NotPossible)
    }

    fn held(&mut self) -> Result<Vec<Held>, KeyStoreError> {
        let mut all = Vec::new();
        Open::new()?.find(|_, encoded| -> Option<()> {
            all.push(Held {
                octets: Octets(encoded.to_vec()),
                identity: Primitives.fingerprint(encoded),
                label: String::new(),
                key: None,
                unfit: None,
            });
            None
        });
        Ok(all)
    }

    fn custody(&mut self) -> Option<&mut dyn Custody> {
        Some(self)
    }

    fn room(&mut self) -> Option<&mut dyn Room> {
        Some(self)
    }
}

impl Custody for WindowsStore {
    fn deposit(&mut self, certificate: &Certificate) -> Result<(), KeyStoreError> {
        let is_authority = certificate.kind() == obnova_pki::Kind::Authority;
        let store = Open::named(if is_authority { INTERMEDIATE } else { MY })?;
        let (encoding, der) = (X509_ASN_ENCODING, certificate.der());
        let length = u32::try_from(der.len()).unwrap_or(0);
        let add = CERT_STORE_ADD_USE_EXISTING;
        let written = unsafe {
            CertAddEncodedCertificateToStore(store.0, encoding, der.as_ptr(), length, add, std::ptr::null_mut())
        };
        if written == 0 {
            return Err(last("CertAddEncodedCertificateToStore"));
        }
        let is_there = store.find(|_, encoded| (encoded == der).then_some(())).is_some();
        if is_there { Ok(()) } else { Err(KeyStoreError::NotStored) }
    }

    fn import(&mut self, _pkcs8: &Zeroizing<Vec<u8>>, _label: &str) -> Result<Vec<u8>, KeyStoreError> {
        Err(KeyStoreError::NotPossible)
    }

    fn export(&mut self, public_key: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyStoreError> {
        self.with_key(public_key, Key::export)
    }
}

impl Room for WindowsStore {
    fn census(&mut self) -> Result<Census, KeyStoreError> {
        let held = self.held()?;
        Ok(Census {
            certificates: held.len(),
            unread: held.iter().filter(|one| Certificate::from_der(&one.octets.0).is_err()).count(),
            certificate_octets: held.iter().map(|one| one.octets.0.len() as u64).sum(),
            private_keys: self.keys()?.len(),
            ..Census::default()
        })
    }

    fn reserve(&mut self, _octets: usize) -> Result<(), KeyStoreError> {
        Err(KeyStoreError::NotPossible)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use obnova_crypto::SoftwareKey;
    use obnova_pki::{Name, Serial, Signer, oid};
    use windows_sys::core::s;

    /// A certificate that its own key signed.
    fn certificate(key: &SoftwareKey, serial: u8) -> Certificate {
        let name = Name::from_attributes(&[(oid::COMMON_NAME, "Jana Dvořáková")]).unwrap();
        let from = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_600_000_000);
        let tbs = obnova_pki::certificate::ToBeSigned {
            serial: Serial::from_be_octets(&[2, serial]).unwrap(),
            algorithm: key.algorithm(),
            issuer: name.clone(),
            not_before: from,
            not_after: from + std::time::Duration::from_secs(900_000_000),
            subject: name,
            public_key: key.public_key().to_vec(),
            extensions: Vec::new(),
        };
        obnova_pki::certificate::sign(&tbs.to_der().unwrap(), key as &dyn Signer).unwrap()
    }

    /// A key of the oldest provider in a container of its own, exportable: as programs of old made them.
    fn old_key() -> SoftwareKey {
        let name = s!("obnova test");
        let (mut provider, mut key) = (0, 0);
        unsafe { CryptAcquireContextA(&mut provider, name, std::ptr::null(), PROV_RSA_FULL, CRYPT_DELETEKEYSET) };
        let made = unsafe {
            CryptAcquireContextA(&mut provider, name, std::ptr::null(), PROV_RSA_FULL, CRYPT_NEWKEYSET) != 0
                && CryptGenKey(provider, AT_KEYEXCHANGE, 2048 << 16 | CRYPT_EXPORTABLE, &mut key) != 0
        };
        assert!(made, "{:?}", last("CryptGenKey"));
        unsafe { CryptDestroyKey(key) };
        let key = Key::Older { provider, kind: AT_KEYEXCHANGE };
        SoftwareKey::from_pkcs8(&key.export().unwrap()).unwrap()
    }

    #[test]
    fn a_pair_that_windows_has_signs_and_leaves_and_another_is_only_seen() {
        let key = old_key();
        let own = certificate(&key, 1);
        let public = own.public_key().to_vec();
        let container: Vec<u16> = "obnova test\0".encode_utf16().collect();
        let place = CRYPT_KEY_PROV_INFO {
            pwszContainerName: container.as_ptr().cast_mut(),
            dwProvType: PROV_RSA_FULL,
            dwKeySpec: AT_KEYEXCHANGE,
            ..Default::default()
        };
        let (my, der) = (Open::new().unwrap(), own.der());
        unsafe {
            let context = CertCreateCertificateContext(X509_ASN_ENCODING, der.as_ptr(), der.len() as u32);
            let property = (&raw const place).cast();
            assert_ne!(CertSetCertificateContextProperty(context, CERT_KEY_PROV_INFO_PROP_ID, 0, property), 0);
            let add = CERT_STORE_ADD_REPLACE_EXISTING;
            assert_ne!(CertAddCertificateContextToStore(my.0, context, add, std::ptr::null_mut()), 0);
            CertFreeCertificateContext(context);
        }
        drop(my);

        let mut windows = WindowsStore;
        let store: &mut dyn KeyStore = &mut windows;
        assert!(WindowsStore.is_there());
        assert_eq!(store.info().unwrap().kind, StoreKind::System);
        assert!(store.certificates().unwrap().contains(&own));
        assert!(store.keys().unwrap().contains(&public));
        let scheme = Scheme::Plain(SignatureAlgorithm::RsaSha256);
        let signature = store.sign(&public, scheme, b"text").unwrap();
        Primitives.verify(&public, SignatureAlgorithm::RsaSha256, b"text", &signature).unwrap();
        let exported = store.export(&public).unwrap();
        let exported = SoftwareKey::from_pkcs8(&exported).unwrap();
        assert_eq!(exported.public_key(), public);
        // A certificate alone.
        let other = certificate(&SoftwareKey::generate(KeyKind::P256).unwrap(), 2);
        store.deposit(&other).unwrap();
        store.deposit(&other).unwrap();
        assert_eq!(store.certificates().unwrap().iter().filter(|one| **one == other).count(), 1);
        assert!(!store.keys().unwrap().iter().any(|key| key == other.public_key()));
        let p256 = Scheme::Plain(SignatureAlgorithm::EcdsaSha256);
        assert_eq!(store.sign(other.public_key(), p256, b"text"), Err(KeyStoreError::KeyMissing));
        assert_eq!(store.install(&other), Ok(()));
        // What the test brought goes again.
        let my = Open::new().unwrap();
        for mine in [own.der(), other.der()] {
            my.find(|context, encoded| {
                (encoded == mine).then(|| unsafe {
                    // The call frees the context that it is given, and the walk frees it once more.
                    CertDeleteCertificateFromStore(CertDuplicateCertificateContext(context))
                })
            });
        }
    }
}
