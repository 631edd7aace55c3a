//! RSA keys that anybody could break, told by the public half alone (CA/Browser Forum BR 6.1.1.3, CVE-2017-15361).

use num_bigint::BigUint;
use obnova_pki::signature::rsa_parts;

/// Shortest modulus that is certified, in bits.
const SHORTEST: u64 = 2_048;

/// Rounds of Fermat's method, as BR 6.1.1.3 asks for.
const FERMAT_ROUNDS: u32 = 100;

/// Primes by which the keys of CVE-2017-15361 are told from others.
const ROCA_PRIMES: [u32; 38] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109,
    113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];

/// Small factors are looked for below this number.
const SMALL: u32 = 10_000;

/// Why a key is not certified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weakness {
    /// The modulus has fewer than 2048 bits, or is even.
    Modulus,
    /// publicExponent is even, below 2^16+1 or above 2^256 (NIST SP 800-56B section 6.2.1).
    Exponent,
    /// The modulus has a small factor.
    SmallFactor(u32),
    /// The two primes are so close that Fermat's method finds them.
    ClosePrimes,
    /// The key was made by the library of CVE-2017-15361 (ROCA).
    Roca,
}

impl core::fmt::Display for Weakness {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Modulus => f.write_str("its modulus is shorter than 2048 bits, or even"),
            Self::Exponent => f.write_str("its public exponent is not an odd number from 2^16+1 to 2^256"),
            Self::SmallFactor(prime) => write!(f, "its modulus can be divided by {prime}"),
            Self::ClosePrimes => f.write_str("its primes are too close to each other"),
            Self::Roca => f.write_str("it was made by a library whose keys can be broken (CVE-2017-15361)"),
        }
    }
}

impl std::error::Error for Weakness {}

/// What is weak in a public key (SubjectPublicKeyInfo in DER); `None` for sound ones and for all that are not RSA. Takes
/// about a millisecond.
pub fn weakness(public_key: &[u8]) -> Option<Weakness> {
    let (modulus, exponent) = rsa_parts(public_key)?;
    let (modulus, exponent) = (BigUint::from_bytes_be(&modulus), BigUint::from_bytes_be(&exponent));
    if modulus.bits() < SHORTEST || !modulus.bit(0) {
        return Some(Weakness::Modulus);
    }
    if !exponent.bit(0) || exponent < BigUint::from(65_537u32) || exponent.bits() > 256 {
        return Some(Weakness::Exponent);
    }
    if let Some(prime) = (3..SMALL).step_by(2).find(|&number| (&modulus % number) == BigUint::ZERO) {
        return Some(Weakness::SmallFactor(prime));
    }
    if is_roca(&modulus) {
        return Some(Weakness::Roca);
    }
    has_close_primes(&modulus).then_some(Weakness::ClosePrimes)
}

/// Whether the modulus is a power of 65537 modulo every one of the primes.
fn is_roca(modulus: &BigUint) -> bool {
    ROCA_PRIMES.iter().all(|&prime| {
        let wanted = modulus % prime;
        let (step, mut power) = (65_537 % prime, 1);
        (0..prime).any(|_| {
            power = power * step % prime;
            wanted == BigUint::from(power)
        })
    })
}

fn has_close_primes(modulus: &BigUint) -> bool {
    let mut middle = modulus.sqrt();
    if &middle * &middle < *modulus {
        middle += 1u32;
    }
    for _ in 0..FERMAT_ROUNDS {
        let square = &middle * &middle - modulus;
        let root = square.sqrt();
        if &root * &root == square {
            return true;
        }
        middle += 1u32;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SoftwareKey;
    use der::Encode;
    use obnova_pki::{KeyKind, Signer};

    /// A key of this modulus and exponent, put together from its numbers.
    fn key(modulus: &BigUint, exponent: u64) -> Vec<u8> {
        let uint = |number: &BigUint| der::asn1::Uint::new(&number.to_bytes_be()).unwrap().to_der().unwrap();
        let sequence = |parts: &[Vec<u8>]| {
            let all = parts.concat();
            der::asn1::Any::new(der::Tag::Sequence, all).unwrap().to_der().unwrap()
        };
        let pair = sequence(&[uint(modulus), uint(&BigUint::from(exponent))]);
        let algorithm = sequence(&[obnova_pki::oid::RSA_ENCRYPTION.to_der().unwrap(), vec![5, 0]]);
        sequence(&[algorithm, der::asn1::BitString::from_bytes(&pair).unwrap().to_der().unwrap()])
    }

    /// An odd number of so many bits without small factors. It need not be prime: nothing here could tell.
    fn rough(bits: u64, seed: u32) -> BigUint {
        let mut number = (BigUint::from(1u32) << (bits - 1))
            + (BigUint::from(seed) << (bits / 2))
            + (BigUint::from(3u32) << (bits - 2))
            + 1u32;
        while (3..SMALL).step_by(2).any(|small| (&number % small) == BigUint::ZERO) {
            number += 2u32;
        }
        number
    }

    #[test]
    fn sound_keys_are_sound() {
        for kind in [KeyKind::Rsa(2048), KeyKind::Rsa(3072), KeyKind::P256, KeyKind::P384] {
            assert_eq!(weakness(SoftwareKey::generate(kind).unwrap().public_key()), None, "{kind}");
        }
        assert_eq!(weakness(b"no key"), None);
    }

    #[test]
    fn each_weakness_is_named() {
        let sound = rough(1024, 77_777) * rough(1025, 1_234_567);
        assert_eq!(weakness(&key(&sound, 65_537)), None);
        for exponent in [1, 3, 17, 65_536, 65_538] {
            assert_eq!(weakness(&key(&sound, exponent)), Some(Weakness::Exponent), "{exponent}");
        }
        assert_eq!(weakness(&key(&(&sound >> 4), 65_537)), Some(Weakness::Modulus));
        assert_eq!(weakness(&key(&(&sound + 1u32), 65_537)), Some(Weakness::Modulus));
        for factor in [3u32, 7, 751, 9_973] {
            assert_eq!(weakness(&key(&(&sound * factor), 65_537)), Some(Weakness::SmallFactor(factor)));
        }
        // Primes 2^40 apart, and neighbours.
        let one = rough(1100, 5);
        for apart in [BigUint::from(1u32) << 40, BigUint::from(2u32)] {
            let mut other = &one + apart;
            while (3..SMALL).step_by(2).any(|small| (&other % small) == BigUint::ZERO) {
                other += 2u32;
            }
            assert_eq!(weakness(&key(&(&one * other), 65_537)), Some(Weakness::ClosePrimes));
        }
        // The shape of CVE-2017-15361: k * M + (65537^a mod M), M the product of the first primes.
        let product = ROCA_PRIMES.iter().fold(BigUint::from(2u32), |product, prime| product * *prime);
        let shaped = |a: u32, k: u32| {
            let power = BigUint::from(65_537u32).modpow(&BigUint::from(a), &product);
            let mut number = (BigUint::from(k) << 880) * &product + power;
            while (3..SMALL).step_by(2).any(|small| (&number % small) == BigUint::ZERO) {
                number += &product;
            }
            number
        };
        let modulus = shaped(12_345, 0xC000_0001) * shaped(54_321, 0xE000_0001);
        assert_eq!(weakness(&key(&modulus, 65_537)), Some(Weakness::Roca));
    }
}
