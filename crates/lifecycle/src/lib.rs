//! Rules of renewal: stations, plan, acceptance, retirement, issuance, and the ports they need.
//!
//! Nothing here does input or output; time, keys and other machines come through [`port`].

pub mod acceptance;
pub mod device;
pub mod document;
pub mod issuance;
pub mod plan;
pub mod port;
pub mod retirement;
pub mod station;
pub mod successor;

pub use obnova_pki::Kind;
