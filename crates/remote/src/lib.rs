//! What is asked of other machines: HTTP and TLS, CMP, EST, directory, verdict, status, revocation lists.

pub mod cmp;
mod est;
mod http;
mod obnova;
mod tls;

pub use est::EstService;
pub use http::{HttpClient, RemoteError, Response};
pub use obnova::{ObnovaAuthority, submit_succession};
pub use tls::{ClientKey, TlsTrust};
