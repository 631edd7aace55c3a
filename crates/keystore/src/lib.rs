//! Where private keys live: tokens behind PKCS#11 modules, and PKCS#12 files, behind one port.

pub mod discovery;
pub mod durable;
mod file;
mod host;
mod object;
mod raw;
mod readers;
mod session;
mod shared;
mod token;
#[cfg(windows)]
mod windows;

pub use file::FileStore;
pub use host::{HostedStore, Load, ModuleHost, Seen, serve};
pub use readers::{Reader, ReadersUnknown, readers};
pub use session::{TokenStore, Tokens, browser_store, tokens};
pub use shared::{SharedStore, StoreSigner};
