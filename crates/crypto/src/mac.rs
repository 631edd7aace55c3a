//! MAC by a shared secret, as the first certificate is asked for (RFC 9481 section 6.1.1).

use aws_lc_rs::{constant_time, hmac};
use obnova_pki::cmp::{MacKey, PasswordBasedMac};
use obnova_pki::{Digest, Verifier};
use zeroize::Zeroizing;

use crate::{Primitives, Secret};

/// The secret of an invitation.
pub struct SharedSecret(Zeroizing<Vec<u8>>);

impl SharedSecret {
    /// From the text as typed.
    pub fn new(secret: &Secret) -> Self {
        Self(Zeroizing::new(secret.expose().as_bytes().to_vec()))
    }

    /// Parameters for a message that we protect: SHA-256, 10 000 iterations, a fresh salt.
    pub fn parameters() -> PasswordBasedMac {
        PasswordBasedMac {
            salt: Primitives.octets::<16>().to_vec(),
            owf: Digest::Sha256,
            iterations: 10_000,
            mac: Digest::Sha256,
        }
    }
}

impl MacKey for SharedSecret {
    fn tag(&self, parameters: &PasswordBasedMac, message: &[u8]) -> Vec<u8> {
        // BASEKEY = OWF applied iterationCount times to secret || salt (RFC 4210 section 5.1.3.1).
        let mut key = Zeroizing::new(self.0.to_vec());
        key.extend_from_slice(&parameters.salt);
        for _ in 0..parameters.iterations {
            key = Zeroizing::new(Primitives.digest(parameters.owf, &key));
        }
        let algorithm = match parameters.mac {
            Digest::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Digest::Sha256 => hmac::HMAC_SHA256,
            Digest::Sha384 => hmac::HMAC_SHA384,
            Digest::Sha512 => hmac::HMAC_SHA512,
        };
        hmac::sign(&hmac::Key::new(algorithm, &key), message).as_ref().to_vec()
    }

    fn verify(&self, parameters: &PasswordBasedMac, message: &[u8], tag: &[u8]) -> bool {
        constant_time::verify_slices_are_equal(&self.tag(parameters, message), tag).is_ok()
    }
}
