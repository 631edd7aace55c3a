//! The only home of cryptographic primitives: formats over what aws-lc provides, no primitive of our own.

mod key;
mod mac;
mod pbe;
mod pfx;
mod primitives;
mod sealed;
mod weakness;

pub use key::{KeyError, SoftwareKey};
pub use mac::SharedSecret;
pub use pfx::{Pfx, PfxError, PfxKey, PfxMac};
pub use primitives::Primitives;
pub use sealed::{SealError, SealingKey, aes_cbc_decrypt, open_private_key, seal_private_key};
pub use weakness::{Weakness, weakness};
pub use zeroize::Zeroizing;

/// A password, PIN or passphrase: wiped when it goes, never shown.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a text over.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text, for the one call that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}
