//! Keys as attributes of PKCS#11 objects, and as the structures of certificates and key files
//! (PKCS#11 2.40, RFC 5480, RFC 5958, RFC 8017, RFC 5915).

use cryptoki::object::{Attribute, KeyType, ObjectClass};
use der::asn1::{Any, AnyRef, BitString, ObjectIdentifier, OctetString, OctetStringRef, Uint, UintRef};
use der::{Decode, Encode, Sequence};
use obnova_lifecycle::port::KeyStoreError;
use obnova_pki::{Digest, oid};
use zeroize::Zeroize;

#[derive(Sequence)]
struct RsaPublicKey {
    modulus: Uint,
    exponent: Uint,
}

/// ECDSA-Sig-Value (RFC 3279 section 2.2.3).
#[derive(Sequence)]
struct EcdsaValue<'a> {
    r: UintRef<'a>,
    s: UintRef<'a>,
}

fn spki(algorithm: ObjectIdentifier, parameters: Any, key: &[u8]) -> Option<Vec<u8>> {
    spki::SubjectPublicKeyInfoOwned {
        algorithm: spki::AlgorithmIdentifierOwned { oid: algorithm, parameters: Some(parameters) },
        subject_public_key: BitString::from_bytes(key).ok()?,
    }
    .to_der()
    .ok()
}

/// SubjectPublicKeyInfo from CKA_MODULUS and CKA_PUBLIC_EXPONENT.
pub(crate) fn rsa_spki(modulus: &[u8], exponent: &[u8]) -> Option<Vec<u8>> {
    let key = RsaPublicKey { modulus: Uint::new(modulus).ok()?, exponent: Uint::new(exponent).ok()? };
    spki(oid::RSA_ENCRYPTION, Any::null(), &key.to_der().ok()?)
}

/// SubjectPublicKeyInfo from CKA_EC_PARAMS and CKA_EC_POINT.
pub(crate) fn ec_spki(parameters: &[u8], point: &[u8]) -> Option<Vec<u8>> {
    // CKA_EC_POINT is an OCTET STRING in DER; some modules give the bare point.
    let point = match OctetString::from_der(point) {
        Ok(wrapped) => wrapped.as_bytes().to_vec(),
        Err(_) => point.to_vec(),
    };
    // Uncompressed points of P-256, P-384 and P-521 (SEC 1, 2.3.3); some modules answer with anything at all.
    if !matches!((point.first(), point.len()), (Some(4), 65 | 97 | 133)) {
        return None;
    }
    spki(oid::EC_PUBLIC_KEY, Any::from_der(parameters).ok()?, &point)
}

/// DigestInfo of RSASSA-PKCS1-v1_5 (RFC 8017 section 9.2).
pub(crate) fn digest_info(digest: Digest, value: &[u8]) -> Result<Vec<u8>, KeyStoreError> {
    #[derive(Sequence)]
    struct DigestInfo {
        algorithm: spki::AlgorithmIdentifierOwned,
        digest: OctetString,
    }
    let mut algorithm = digest.identifier();
    algorithm.parameters = Some(Any::null());
    OctetString::new(value)
        .and_then(|digest| DigestInfo { algorithm, digest }.to_der())
        .map_err(|error| KeyStoreError::Module { call: "DigestInfo".to_owned(), code: error.to_string() })
}

/// The two halves that CKM_ECDSA gives, as certificates want them.
pub(crate) fn ecdsa_value(raw: &[u8]) -> Result<Vec<u8>, KeyStoreError> {
    let (r, s) = raw.split_at(raw.len() / 2);
    UintRef::new(r)
        .and_then(|r| EcdsaValue { r, s: UintRef::new(s)? }.to_der())
        .map_err(|error| KeyStoreError::Module { call: "C_Sign".to_owned(), code: format!("not r and s: {error}") })
}

/// PrivateKeyInfo (RFC 5958 section 2, version 1); what follows the key is not needed.
struct PrivateKeyInfo<'a> {
    algorithm: spki::AlgorithmIdentifierRef<'a>,
    key: &'a [u8],
}

impl<'a> PrivateKeyInfo<'a> {
    fn read(pkcs8: &'a [u8]) -> der::Result<Self> {
        use der::Reader;
        let mut reader = der::SliceReader::new(pkcs8)?;
        reader.sequence(|reader: &mut der::SliceReader<'a>| {
            UintRef::decode(reader)?;
            let algorithm = spki::AlgorithmIdentifierRef::decode(reader)?;
            let key = <&OctetStringRef>::decode(reader)?.as_bytes();
            // Attributes, or the public key of version 2.
            while !reader.is_finished() {
                AnyRef::decode(reader)?;
            }
            Ok(Self { algorithm, key })
        })
    }
}

/// RSAPrivateKey (RFC 8017 appendix A.1.2).
#[derive(Sequence)]
struct RsaPrivateKey<'a> {
    version: u8,
    modulus: UintRef<'a>,
    public_exponent: UintRef<'a>,
    private_exponent: UintRef<'a>,
    prime1: UintRef<'a>,
    prime2: UintRef<'a>,
    exponent1: UintRef<'a>,
    exponent2: UintRef<'a>,
    coefficient: UintRef<'a>,
}

/// An RSA key as the older providers of Windows give it out (PRIVATEKEYBLOB, wincrypt.h), as PKCS#8; `None` when it is
/// not one. Its numbers begin with their least octet.
#[cfg(any(windows, test))]
pub(crate) fn rsa_pkcs8(blob: &[u8]) -> Option<zeroize::Zeroizing<Vec<u8>>> {
    /// OneAsymmetricKey of version 1 (RFC 5958 section 2).
    #[derive(Sequence)]
    struct Outer<'a> {
        version: u8,
        algorithm: spki::AlgorithmIdentifierRef<'a>,
        key: &'a OctetStringRef,
    }
    let (header, rest) = blob.split_at_checked(20)?;
    if header[0] != 7 || header[8..12] != *b"RSA2" {
        return None;
    }
    let word = |at: usize| Some(u32::from_le_bytes(header.get(at..at + 4)?.try_into().ok()?));
    let octets = usize::try_from(word(12)? / 8).ok()?;
    let lengths = [octets, octets / 2, octets / 2, octets / 2, octets / 2, octets / 2, octets];
    let mut rest = rest;
    let mut numbers = Vec::new();
    for length in lengths {
        let (number, after) = rest.split_at_checked(length)?;
        numbers.push(zeroize::Zeroizing::new(number.iter().rev().copied().collect::<Vec<u8>>()));
        rest = after;
    }
    let exponent = word(16)?.to_be_bytes();
    let number = |at: usize| UintRef::new(&numbers[at]).ok();
    let key = RsaPrivateKey {
        version: 0,
        modulus: number(0)?,
        public_exponent: UintRef::new(&exponent).ok()?,
        private_exponent: number(6)?,
        prime1: number(1)?,
        prime2: number(2)?,
        exponent1: number(3)?,
        exponent2: number(4)?,
        coefficient: number(5)?,
    };
    let key = zeroize::Zeroizing::new(key.to_der().ok()?);
    let algorithm = spki::AlgorithmIdentifierRef { oid: oid::RSA_ENCRYPTION, parameters: Some(AnyRef::NULL) };
    let outer = Outer { version: 0, algorithm, key: OctetStringRef::new(&key).ok()? };
    outer.to_der().ok().map(zeroize::Zeroizing::new)
}

/// ECPrivateKey (RFC 5915 section 3), as far as it is needed.
fn ec_scalar(key: &[u8]) -> der::Result<Vec<u8>> {
    use der::Reader;
    let mut reader = der::SliceReader::new(key)?;
    reader.sequence(|reader: &mut der::SliceReader<'_>| {
        UintRef::decode(reader)?;
        let scalar = <&OctetStringRef>::decode(reader)?.as_bytes().to_vec();
        while !reader.is_finished() {
            AnyRef::decode(reader)?;
        }
        Ok(scalar)
    })
}

/// Attributes of a key that comes from outside: private and public object. Wiped when they go.
pub(crate) struct Imported {
    pub(crate) private: Vec<Attribute>,
    pub(crate) public: Vec<Attribute>,
}

impl Drop for Imported {
    fn drop(&mut self) {
        for attribute in &mut self.private {
            if let Attribute::PrivateExponent(value)
            | Attribute::Prime1(value)
            | Attribute::Prime2(value)
            | Attribute::Exponent1(value)
            | Attribute::Exponent2(value)
            | Attribute::Coefficient(value)
            | Attribute::Value(value) = attribute
            {
                value.zeroize();
            }
        }
    }
}

impl Imported {
    /// Splits a private key into the attributes that C_CreateObject wants; `public_key` is its SubjectPublicKeyInfo.
    pub(crate) fn of(pkcs8: &[u8], public_key: &[u8], id: &[u8], label: &str) -> der::Result<Self> {
        let info = PrivateKeyInfo::read(pkcs8)?;
        let both = |class, kind| {
            vec![
                Attribute::Class(class),
                Attribute::KeyType(kind),
                Attribute::Token(true),
                Attribute::Id(id.to_vec()),
                Attribute::Label(label.as_bytes().to_vec()),
            ]
        };
        let secret = [
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Sign(true),
        ];
        if info.algorithm.oid == oid::RSA_ENCRYPTION {
            let key = RsaPrivateKey::from_der(info.key)?;
            let value = |number: &UintRef<'_>| number.as_bytes().to_vec();
            let shared =
                [Attribute::Modulus(value(&key.modulus)), Attribute::PublicExponent(value(&key.public_exponent))];
            let mut private = both(ObjectClass::PRIVATE_KEY, KeyType::RSA);
            private.extend(secret);
            private.extend(shared.clone());
            private.extend([
                Attribute::Decrypt(true),
                Attribute::PrivateExponent(value(&key.private_exponent)),
                Attribute::Prime1(value(&key.prime1)),
                Attribute::Prime2(value(&key.prime2)),
                Attribute::Exponent1(value(&key.exponent1)),
                Attribute::Exponent2(value(&key.exponent2)),
                Attribute::Coefficient(value(&key.coefficient)),
            ]);
            let mut public = both(ObjectClass::PUBLIC_KEY, KeyType::RSA);
            public.extend([Attribute::Private(false), Attribute::Verify(true)]);
            public.extend(shared);
            return Ok(Self { private, public });
        }
        let scalar = ec_scalar(info.key)?;
        let known = spki::SubjectPublicKeyInfoOwned::from_der(public_key)?;
        let curve = known.algorithm.parameters.to_der()?;
        let point = OctetString::new(known.subject_public_key.raw_bytes())?.to_der()?;
        let mut private = both(ObjectClass::PRIVATE_KEY, KeyType::EC);
        private.extend(secret);
        private.extend([Attribute::EcParams(curve.clone()), Attribute::Value(scalar)]);
        let mut public = both(ObjectClass::PUBLIC_KEY, KeyType::EC);
        public.extend([
            Attribute::Private(false),
            Attribute::Verify(true),
            Attribute::EcParams(curve),
            Attribute::EcPoint(point),
        ]);
        Ok(Self { private, public })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use obnova_crypto::SoftwareKey;
    use obnova_pki::{KeyKind, Signer};

    #[test]
    fn a_key_of_windows_becomes_pkcs8() {
        let key = SoftwareKey::generate(KeyKind::Rsa(2048)).unwrap();
        let info = PrivateKeyInfo::read(key.pkcs8()).unwrap();
        let numbers = RsaPrivateKey::from_der(info.key).unwrap();
        let mut blob = vec![7, 2, 0, 0, 0, 0xA4, 0, 0];
        blob.extend(b"RSA2");
        blob.extend(2048u32.to_le_bytes());
        blob.extend(65537u32.to_le_bytes());
        for (number, length) in [
            (&numbers.modulus, 256),
            (&numbers.prime1, 128),
            (&numbers.prime2, 128),
            (&numbers.exponent1, 128),
            (&numbers.exponent2, 128),
            (&numbers.coefficient, 128),
            (&numbers.private_exponent, 256),
        ] {
            let mut little: Vec<u8> = number.as_bytes().iter().rev().copied().collect();
            little.resize(length, 0);
            blob.extend(little);
        }
        let pkcs8 = rsa_pkcs8(&blob).unwrap();
        assert_eq!(SoftwareKey::from_pkcs8(&pkcs8).unwrap().public_key(), key.public_key());
        for length in [0, 8, 20, 300, blob.len() - 1] {
            assert!(rsa_pkcs8(&blob[..length]).is_none(), "{length}");
        }
    }
}
