//! Revocation lists of the trusted issuers: fetched beside the logins that want them, so that a slow authority costs a login
//! at most a moment (RFC 5280 section 6.3).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use obnova_crypto::Primitives;
use obnova_pki::crl::Crl;
use obnova_remote::HttpClient;
use obnova_serve::ServeError;

use crate::account::TrustedIssuer;

/// How long a list is used before it is asked for again.
const FRESH: Duration = Duration::from_secs(5);

/// How long a login waits for a newer list, when it has one that is still current.
const MOMENT: Duration = Duration::from_millis(1_500);

/// How long a login waits for the first list.
const FIRST: Duration = Duration::from_secs(20);

/// What is known of one issuer's list.
#[derive(Default)]
struct Known {
    list: Mutex<Option<(Instant, Arc<Crl>)>>,
    /// One fetch at a time; when the last one failed.
    fetching: tokio::sync::Mutex<Option<Instant>>,
}

impl Known {
    fn list(&self) -> Option<(Instant, Arc<Crl>)> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The lists, by the address that each is published at.
#[derive(Default)]
pub(crate) struct Lists(Mutex<Vec<(String, Arc<Known>)>>);

impl Lists {
    fn of(&self, address: &str) -> Arc<Known> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, known)) = all.iter().find(|(of, _)| of == address) {
            return Arc::clone(known);
        }
        let known = Arc::new(Known::default());
        all.push((address.to_owned(), Arc::clone(&known)));
        known
    }

    /// The newest list of an issuer that can be had now. A list that could be fetched is at most [`FRESH`] old; where the
    /// authority does not answer, the last one counts as long as it is current.
    pub(crate) async fn list(
        &self,
        issuer: &TrustedIssuer,
        http: &Arc<HttpClient>,
        now: SystemTime,
    ) -> Result<Arc<Crl>, ServeError> {
        let known = self.of(&issuer.crl_address);
        let before = known.list();
        if let Some((at, list)) = &before
            && at.elapsed() < FRESH
            && list.is_current_at(now)
        {
            return Ok(Arc::clone(list));
        }
        let patience = if before.as_ref().is_some_and(|(_, list)| list.is_current_at(now)) { MOMENT } else { FIRST };
        let fetch = {
            let (known, issuer, http) = (Arc::clone(&known), issuer.clone(), Arc::clone(http));
            tokio::spawn(async move { fetch(&known, &issuer, http).await })
        };
        let failed = match tokio::time::timeout(patience, fetch).await {
            Ok(Ok(Ok(()))) => None,
            Ok(Ok(Err(error))) => Some(error),
            Ok(Err(error)) => Some(ServeError::new(&issuer.crl_address, error)),
            Err(_) => Some(ServeError::new(&issuer.crl_address, "the list did not come in time")),
        };
        match known.list() {
            Some((_, list)) if list.is_current_at(now) => {
                if let Some(error) = failed {
                    tracing::warn!(%error, "a revocation list could not be renewed; the last one is still current");
                }
                Ok(list)
            }
            Some(_) => Err(failed.unwrap_or_else(|| ServeError::new(&issuer.crl_address, "the list is not current"))),
            None => Err(failed.unwrap_or_else(|| ServeError::new(&issuer.crl_address, "there is no list"))),
        }
    }
}

/// Fetches a list, unless somebody else just did.
async fn fetch(known: &Known, issuer: &TrustedIssuer, http: Arc<HttpClient>) -> Result<(), ServeError> {
    let mut failed = known.fetching.lock().await;
    if known.list().is_some_and(|(at, _)| at.elapsed() < FRESH) {
        return Ok(());
    }
    // Those who waited for a fetch that failed do not each wait for one of their own.
    if failed.is_some_and(|at| at.elapsed() < FRESH) {
        return Err(ServeError::new(&issuer.crl_address, "the list could not be fetched a moment ago"));
    }
    let done = fetch_now(known, issuer, http).await;
    *failed = done.is_err().then(Instant::now);
    done
}

async fn fetch_now(known: &Known, issuer: &TrustedIssuer, http: Arc<HttpClient>) -> Result<(), ServeError> {
    let address = issuer.crl_address.clone();
    let bytes = tokio::task::spawn_blocking(move || http.get(&address).and_then(obnova_remote::Response::success))
        .await
        .map_err(|error| ServeError::new("revocation list", error))?
        .map_err(|error| ServeError::new(&issuer.crl_address, error))?;
    let list = Crl::from_der(&bytes, &issuer.certificate, &Primitives)
        .map_err(|error| ServeError::new(&issuer.crl_address, error))?;
    // An older list than the known one takes nothing back.
    if known.list().is_some_and(|(_, before)| list.this_update() < before.this_update()) {
        return Err(ServeError::new(&issuer.crl_address, "the list that came is older than the one before"));
    }
    *known.list.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), Arc::new(list)));
    Ok(())
}
