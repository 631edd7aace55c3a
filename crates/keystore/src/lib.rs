//! Where private keys live: tokens behind PKCS#11 modules, and PKCS#12 files, behind one port.

pub mod durable;
mod file;
mod shared;
mod token;

pub use file::FileStore;
pub use shared::{SharedStore, StoreSigner};
pub use token::{TokenStore, tokens};
