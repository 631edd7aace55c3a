//! Where private keys live: tokens behind PKCS#11 modules, and PKCS#12 files, behind one port.

pub mod discovery;
pub mod durable;
mod file;
mod host;
mod object;
mod raw;
mod shared;
mod token;

pub use file::FileStore;
pub use host::{HostedStore, Load, ModuleHost, serve};
pub use shared::{SharedStore, StoreSigner};
pub use token::{TokenStore, browser_store, tokens};
