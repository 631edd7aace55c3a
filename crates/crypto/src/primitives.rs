//! Verification, digests and randomness (FIPS 186-5, FIPS 180-4, RFC 8017).

use aws_lc_rs::{digest, rand, signature};
use der::Decode;
use obnova_pki::signature::SignatureInvalid;
use obnova_pki::{Digest, KeyKind, Random, SignatureAlgorithm, Verifier};
use spki::SubjectPublicKeyInfoRef;

/// The primitives as the ports of `pki` want them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Primitives;

impl Verifier for Primitives {
    fn verify(
        &self,
        public_key: &[u8],
        algorithm: SignatureAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureInvalid> {
        let kind = KeyKind::of(public_key).map_err(|_| SignatureInvalid)?;
        let scheme: &dyn signature::VerificationAlgorithm = match (kind, algorithm) {
            (KeyKind::Rsa(_), SignatureAlgorithm::RsaSha256) => &signature::RSA_PKCS1_2048_8192_SHA256,
            (KeyKind::Rsa(_), SignatureAlgorithm::RsaSha384) => &signature::RSA_PKCS1_2048_8192_SHA384,
            (KeyKind::Rsa(_), SignatureAlgorithm::RsaSha512) => &signature::RSA_PKCS1_2048_8192_SHA512,
            (KeyKind::P256, SignatureAlgorithm::EcdsaSha256) => &signature::ECDSA_P256_SHA256_ASN1,
            (KeyKind::P256, SignatureAlgorithm::EcdsaSha384) => &signature::ECDSA_P256_SHA384_ASN1,
            (KeyKind::P256, SignatureAlgorithm::EcdsaSha512) => &signature::ECDSA_P256_SHA512_ASN1,
            (KeyKind::P384, SignatureAlgorithm::EcdsaSha256) => &signature::ECDSA_P384_SHA256_ASN1,
            (KeyKind::P384, SignatureAlgorithm::EcdsaSha384) => &signature::ECDSA_P384_SHA384_ASN1,
            (KeyKind::P384, SignatureAlgorithm::EcdsaSha512) => &signature::ECDSA_P384_SHA512_ASN1,
            _ => return Err(SignatureInvalid),
        };
        let info = SubjectPublicKeyInfoRef::from_der(public_key).map_err(|_| SignatureInvalid)?;
        signature::UnparsedPublicKey::new(scheme, info.subject_public_key.raw_bytes())
            .verify(message, signature)
            .map_err(|_| SignatureInvalid)
    }

    fn digest(&self, wanted: Digest, message: &[u8]) -> Vec<u8> {
        let algorithm = match wanted {
            Digest::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Digest::Sha256 => &digest::SHA256,
            Digest::Sha384 => &digest::SHA384,
            Digest::Sha512 => &digest::SHA512,
        };
        digest::digest(algorithm, message).as_ref().to_vec()
    }
}

impl Random for Primitives {
    #[allow(clippy::expect_used, reason = "without randomness nothing may go on, and aws-lc does not fail here")]
    fn fill(&self, buffer: &mut [u8]) {
        rand::fill(buffer).expect("the system's source of randomness answers");
    }
}

impl Primitives {
    /// `N` fresh octets.
    pub fn octets<const N: usize>(&self) -> [u8; N] {
        let mut buffer = [0; N];
        self.fill(&mut buffer);
        buffer
    }

    /// Lower-case hexadecimal SHA-256 of `message`, as fingerprints are shown and stored.
    pub fn fingerprint(&self, message: &[u8]) -> String {
        self.digest(Digest::Sha256, message).iter().map(|octet| format!("{octet:02x}")).collect()
    }
}
