//! Encryption and integrity by a password, as PKCS#12 files have it (RFC 7292 appendices B and C, RFC 8018, RFC 9579):
//! PBES2, the old schemes with 3DES and RC2, HMAC by the old derivation, and PBMAC1.

use core::num::NonZeroU32;

use aws_lc_rs::cipher::{
    AES_128, AES_192, AES_256, Algorithm, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::{hmac, pbkdf2};
use cbc::cipher::{BlockModeDecrypt, KeyIvInit, block_padding::Pkcs7};
use der::asn1::ObjectIdentifier;
use obnova_pki::FormatError;
use obnova_pki::ber::Node;
use pkcs12::kdf::{Pkcs12KeyType, derive_key};
use zeroize::{Zeroize, Zeroizing};

/// Most rounds that a file may ask for: more would only be there to keep us busy.
const MOST_ROUNDS: u32 = 5_000_000;

pub(crate) const PBES2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.5.13");
pub(crate) const PBKDF2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.5.12");
pub(crate) const PBMAC1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.5.14");
pub(crate) const HMAC_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.9");
pub(crate) const AES_256_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.42");

const HMAC_SHA1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.7");
const HMAC_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.10");
const HMAC_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.11");
const AES_128_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.2");
const AES_192_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.22");
const DES_EDE3_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.3.7");
const OLD_3DES_3KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.1.3");
const OLD_3DES_2KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.1.4");
const OLD_RC2_128: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.1.5");
const OLD_RC2_40: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.1.6");

/// Why something protected did not open.
#[derive(Debug)]
pub(crate) enum PbeError {
    /// The algorithm is not one that is read here.
    Unsupported(ObjectIdentifier),
    /// The parameters are malformed, or ask for too much.
    Malformed(FormatError),
    /// The password does not open it.
    Wrong,
}

impl From<FormatError> for PbeError {
    fn from(error: FormatError) -> Self {
        Self::Malformed(error)
    }
}

/// A password in the notations that writers of such files have used.
pub(crate) struct Password {
    utf8: Zeroizing<Vec<u8>>,
    /// UTF-16 with its end, surrogates for what lies outside the BMP; then what old programs made of the UTF-8 octets;
    /// and for an empty one, nothing at all.
    wide: Vec<Zeroizing<Vec<u8>>>,
}

impl Password {
    pub(crate) fn new(text: &str) -> Self {
        let with_end = |units: &mut dyn Iterator<Item = u16>| -> Zeroizing<Vec<u8>> {
            Zeroizing::new(units.chain([0]).flat_map(u16::to_be_bytes).collect())
        };
        let mut wide = vec![with_end(&mut text.encode_utf16())];
        if !text.is_ascii() {
            wide.push(with_end(&mut text.bytes().map(u16::from)));
        }
        if text.is_empty() {
            wide.push(Zeroizing::default());
        }
        Self { utf8: Zeroizing::new(text.as_bytes().to_vec()), wide }
    }

    /// What the standard says.
    pub(crate) fn standard(&self) -> &[u8] {
        &self.wide[0]
    }

    pub(crate) fn utf8(&self) -> &[u8] {
        &self.utf8
    }
}

fn rounds(node: &Node<'_>) -> Result<NonZeroU32, PbeError> {
    let number = node.number()?;
    NonZeroU32::new(number)
        .filter(|rounds| rounds.get() <= MOST_ROUNDS)
        .ok_or_else(|| FormatError::new("iterations", format!("{number} is not between 1 and {MOST_ROUNDS}")).into())
}

fn old_rounds(rounds: NonZeroU32) -> i32 {
    i32::try_from(rounds.get()).unwrap_or(i32::MAX)
}

/// PBKDF2 parameters (RFC 8018 appendix A.2): salt, rounds, length if told, and the function.
struct Derivation {
    salt: Vec<u8>,
    rounds: NonZeroU32,
    length: Option<usize>,
    algorithm: pbkdf2::Algorithm,
}

impl Derivation {
    fn read(node: &Node<'_>) -> Result<Self, PbeError> {
        let id = node.child(0, 0x06)?.oid()?;
        if id != PBKDF2 {
            return Err(PbeError::Unsupported(id));
        }
        let parameters = node.child(1, 0x30)?;
        let salt = parameters.child(0, 0x04)?.octets();
        let rounds = rounds(parameters.child(1, 0x02)?)?;
        let (mut length, mut algorithm) = (None, pbkdf2::PBKDF2_HMAC_SHA1);
        for more in &parameters.children()[2..] {
            match more.tag {
                0x02 => length = Some(more.number()? as usize),
                _ => {
                    let id = more.child(0, 0x06)?.oid()?;
                    algorithm = match id {
                        HMAC_SHA1 => pbkdf2::PBKDF2_HMAC_SHA1,
                        HMAC_SHA256 => pbkdf2::PBKDF2_HMAC_SHA256,
                        HMAC_SHA384 => pbkdf2::PBKDF2_HMAC_SHA384,
                        HMAC_SHA512 => pbkdf2::PBKDF2_HMAC_SHA512,
                        other => return Err(PbeError::Unsupported(other)),
                    };
                }
            }
        }
        Ok(Self { salt, rounds, length, algorithm })
    }

    fn derive(&self, password: &[u8], length: usize) -> Zeroizing<Vec<u8>> {
        let mut key = Zeroizing::new(vec![0; length]);
        pbkdf2::derive(self.algorithm, self.rounds, &self.salt, password, &mut key);
        key
    }
}

/// Opens what an AlgorithmIdentifier protects. Each notation of the password is tried until `fits` takes the result.
pub(crate) fn decrypt(
    algorithm: &Node<'_>,
    sealed: &[u8],
    password: &Password,
    fits: impl Fn(&[u8]) -> bool,
) -> Result<Zeroizing<Vec<u8>>, PbeError> {
    let id = algorithm.child(0, 0x06)?.oid()?;
    let parameters = algorithm.child(1, 0x30)?;
    let mut tries: Vec<&[u8]> = password.wide.iter().map(|wide| wide.as_slice()).collect();
    if id == PBES2 {
        // UTF-8 says the standard; some programs take the old notation here as well.
        tries.insert(0, password.utf8());
    }
    for try_ in tries {
        let opened =
            if id == PBES2 { pbes2(parameters, sealed, try_)? } else { old_scheme(id, parameters, sealed, try_)? };
        if let Some(opened) = opened.filter(|opened| fits(opened)) {
            return Ok(opened);
        }
    }
    Err(PbeError::Wrong)
}

fn aes(algorithm: &'static Algorithm, key: &[u8], iv: [u8; 16], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let key = PaddedBlockDecryptingKey::cbc_pkcs7(UnboundCipherKey::new(algorithm, key).ok()?).ok()?;
    let mut data = Zeroizing::new(sealed.to_vec());
    let opened = key.decrypt(&mut data, DecryptionContext::Iv128(FixedLength::from(iv))).ok()?;
    Some(Zeroizing::new(opened.to_vec()))
}

fn pbes2(parameters: &Node<'_>, sealed: &[u8], password: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, PbeError> {
    let derivation = Derivation::read(parameters.child(0, 0x30)?)?;
    let cipher = parameters.child(1, 0x30)?;
    let id = cipher.child(0, 0x06)?.oid()?;
    let iv = cipher.child(1, 0x04)?.octets();
    let (algorithm, length) = match id {
        AES_128_CBC => (&AES_128, 16),
        AES_192_CBC => (&AES_192, 24),
        AES_256_CBC => (&AES_256, 32),
        DES_EDE3_CBC => {
            let key = derivation.derive(password, 24);
            return Ok(block_cipher::<cbc::Decryptor<des::TdesEde3>>(&key, &iv, sealed));
        }
        other => return Err(PbeError::Unsupported(other)),
    };
    let iv: [u8; 16] = iv.try_into().map_err(|_| FormatError::new("iv", "not 16 octets".to_owned()))?;
    Ok(aes(algorithm, &derivation.derive(password, length), iv, sealed))
}

fn block_cipher<C: KeyIvInit + BlockModeDecrypt>(key: &[u8], iv: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let cipher = C::new_from_slices(key, iv).ok()?;
    let mut data = Zeroizing::new(sealed.to_vec());
    let length = cipher.decrypt_padded::<Pkcs7>(&mut data).ok()?.len();
    data.truncate(length);
    Some(data)
}

/// RFC 7292 appendix C: key and vector by the old derivation over SHA-1.
fn old_scheme(
    id: ObjectIdentifier,
    parameters: &Node<'_>,
    sealed: &[u8],
    password: &[u8],
) -> Result<Option<Zeroizing<Vec<u8>>>, PbeError> {
    let salt = parameters.child(0, 0x04)?.octets();
    let rounds = old_rounds(rounds(parameters.child(1, 0x02)?)?);
    let derive = |kind, length| Zeroizing::new(derive_key::<sha1::Sha1>(password, &salt, kind, rounds, length));
    let iv = derive(Pkcs12KeyType::Iv, 8);
    let key = |length| derive(Pkcs12KeyType::EncryptionKey, length);
    Ok(match id {
        OLD_3DES_3KEY => block_cipher::<cbc::Decryptor<des::TdesEde3>>(&key(24), &iv, sealed),
        OLD_3DES_2KEY => block_cipher::<cbc::Decryptor<des::TdesEde2>>(&key(16), &iv, sealed),
        OLD_RC2_128 => rc2(&key(16), &iv, sealed),
        OLD_RC2_40 => rc2(&key(5), &iv, sealed),
        other => return Err(PbeError::Unsupported(other)),
    })
}

/// RC2 with the effective length of its key.
fn rc2(key: &[u8], iv: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    use cbc::cipher::InnerIvInit;
    let cipher = rc2::Rc2::new_with_eff_key_len(key, key.len() * 8);
    let decryptor = cbc::Decryptor::inner_iv_slice_init(cipher, iv).ok()?;
    let mut data = Zeroizing::new(sealed.to_vec());
    let length = decryptor.decrypt_padded::<Pkcs7>(&mut data).ok()?.len();
    data.truncate(length);
    Some(data)
}

/// Checks the MAC of a file over the octets of its contents; `false` for a wrong password or a changed file.
pub(crate) fn check_mac(mac: &Node<'_>, content: &[u8], password: &Password) -> Result<bool, PbeError> {
    let info = mac.child(0, 0x30)?;
    let algorithm = info.child(0, 0x30)?;
    let expected = info.child(1, 0x04)?.octets();
    let id = algorithm.child(0, 0x06)?.oid()?;
    if id == PBMAC1 {
        let parameters = algorithm.child(1, 0x30)?;
        let derivation = Derivation::read(parameters.child(0, 0x30)?)?;
        let scheme = parameters.child(1, 0x30)?.child(0, 0x06)?.oid()?;
        let function = hmac_of(scheme)?;
        // RFC 9579 section 5: the length must be told, and short ones are not taken.
        let length = derivation.length.filter(|length| (20..=64).contains(length));
        let length = length.ok_or_else(|| FormatError::new("keyLength", "absent or absurd".to_owned()))?;
        let tries = [password.utf8(), password.standard()];
        return Ok(tries.iter().any(|try_| {
            let key = hmac::Key::new(function, &derivation.derive(try_, length));
            hmac::verify(&key, content, &expected).is_ok()
        }));
    }
    let salt = mac.child(1, 0x04)?.octets();
    let rounds = match mac.children().get(2) {
        Some(node) => old_rounds(rounds(node)?),
        None => 1,
    };
    let digest = obnova_pki::Digest::from_oid(id).map_err(|_| PbeError::Unsupported(id))?;
    let (function, length) = match digest {
        obnova_pki::Digest::Sha1 => (hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, 20),
        obnova_pki::Digest::Sha256 => (hmac::HMAC_SHA256, 32),
        obnova_pki::Digest::Sha384 => (hmac::HMAC_SHA384, 48),
        obnova_pki::Digest::Sha512 => (hmac::HMAC_SHA512, 64),
    };
    let derive = |try_: &[u8]| {
        let mac = Pkcs12KeyType::Mac;
        Zeroizing::new(match digest {
            obnova_pki::Digest::Sha1 => derive_key::<sha1::Sha1>(try_, &salt, mac, rounds, length),
            obnova_pki::Digest::Sha256 => derive_key::<sha2::Sha256>(try_, &salt, mac, rounds, length),
            obnova_pki::Digest::Sha384 => derive_key::<sha2::Sha384>(try_, &salt, mac, rounds, length),
            obnova_pki::Digest::Sha512 => derive_key::<sha2::Sha512>(try_, &salt, mac, rounds, length),
        })
    };
    Ok(password.wide.iter().any(|try_| {
        let key = hmac::Key::new(function, &derive(try_));
        hmac::verify(&key, content, &expected).is_ok()
    }))
}

fn hmac_of(id: ObjectIdentifier) -> Result<hmac::Algorithm, PbeError> {
    match id {
        HMAC_SHA256 => Ok(hmac::HMAC_SHA256),
        HMAC_SHA384 => Ok(hmac::HMAC_SHA384),
        HMAC_SHA512 => Ok(hmac::HMAC_SHA512),
        other => Err(PbeError::Unsupported(other)),
    }
}

/// HMAC-SHA-256 by the old derivation.
pub(crate) fn old_mac(password: &Password, salt: &[u8], rounds: NonZeroU32, content: &[u8]) -> Vec<u8> {
    let mut key = derive_key::<sha2::Sha256>(password.standard(), salt, Pkcs12KeyType::Mac, old_rounds(rounds), 32);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), content);
    key.zeroize();
    tag.as_ref().to_vec()
}

/// HMAC-SHA-256 by PBKDF2 with HMAC-SHA-256, as PBMAC1 has it.
pub(crate) fn new_mac(password: &Password, salt: &[u8], rounds: NonZeroU32, content: &[u8]) -> Vec<u8> {
    let mut key = Zeroizing::new([0; 32]);
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, salt, password.utf8(), key.as_mut_slice());
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_slice()), content).as_ref().to_vec()
}
