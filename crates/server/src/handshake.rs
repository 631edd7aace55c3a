//! The certificates that the server shows at a handshake: made by the service root, and made anew while it runs, so that a
//! server that is never stopped never shows one that has ended.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use obnova_crypto::Secret;
use obnova_serve::ServeError;
use obnova_serve::listener::{self, ClientCertificates, Handshake};

/// How long one is shown; each is good for 397 days.
const TERM: Duration = Duration::from_secs(30 * 86_400);

/// How long after a failure it is tried again.
const AGAIN: Duration = Duration::from_secs(3_600);

/// What one listener shows.
pub(crate) struct Shown {
    /// Folder of the authority.
    pub(crate) folder: PathBuf,
    /// Names in the certificate.
    pub(crate) hosts: Vec<String>,
    /// Passphrase of the service root's key.
    pub(crate) passphrase: Secret,
    /// What is asked of visitors.
    pub(crate) clients: ClientCertificates,
}

impl Shown {
    fn made(&self) -> Result<Arc<Handshake>, ServeError> {
        let (chain, key) = obnova_ca::tls_identity(&self.folder, &self.hosts, &self.passphrase)?;
        listener::tls(&chain, &key, self.clients)
    }

    /// The first one, and from then on a new one every thirty days, and at once where the system says SIGHUP.
    ///
    /// # Errors
    ///
    /// [`ServeError`] when the first one cannot be made. A later failure is logged, and the last one goes on being shown.
    pub(crate) fn kept(self) -> Result<tokio::sync::watch::Receiver<Arc<Handshake>>, ServeError> {
        let (sender, receiver) = tokio::sync::watch::channel(self.made()?);
        let shown = Arc::new(self);
        #[cfg(unix)]
        let mut asked = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup())?;
        tokio::spawn(async move {
            let mut patience = TERM;
            loop {
                #[cfg(unix)]
                tokio::select! {
                    () = tokio::time::sleep(patience) => {}
                    _ = asked.recv() => {}
                }
                #[cfg(not(unix))]
                tokio::time::sleep(patience).await;
                let next = Arc::clone(&shown);
                // Opening a key that a passphrase seals takes a while.
                let made = tokio::task::spawn_blocking(move || next.made()).await;
                patience = match made.map_err(|error| ServeError::new("TLS", error)).and_then(|made| made) {
                    Ok(made) => {
                        sender.send_replace(made);
                        TERM
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the certificate of TLS was not made anew; the last one is still shown");
                        AGAIN
                    }
                };
            }
        });
        Ok(receiver)
    }
}
