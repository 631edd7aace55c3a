//! TLS listener: accepts connections, hands the peer's certificates to the pages, ends gracefully.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::{Extension, Router};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
pub use rustls::server::ServerConfig as Handshake;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, ServerConfig};
use rustls::{DigitallySignedStruct, DistinguishedName, SignatureScheme};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;

use crate::ServeError;

/// Connections served at the same time; for a further one, an old one ends.
const CONNECTIONS: usize = 512;

/// How long the body of a request may take.
const BODY: Duration = Duration::from_secs(20);

/// Largest body, in octets.
const LARGEST: usize = 256 * 1024;

/// How long one connection may last; clients open another.
const LONGEST: Duration = Duration::from_secs(300);

/// The certificate that a visitor showed in the handshake; possession of its key is proven, nothing else.
#[derive(Debug, Clone, Default)]
pub struct Peer {
    /// DER, the visitor's own certificate first; empty when none was shown.
    pub certificates: Vec<Vec<u8>>,
}

/// How a listener treats client certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientCertificates {
    /// It does not ask.
    Ignored,
    /// It asks, and lets everybody in: the pages explain what is wrong with a certificate.
    Asked,
}

/// Lets every certificate through, expired and unknown ones too, so that a page can explain them;
/// the handshake's signature by the certificate's key is still checked.
#[derive(Debug)]
struct Explaining {
    provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for Explaining {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn offer_client_auth(&self) -> bool {
        true
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// TLS of a listener: versions 1.2 and 1.3; no resumption where certificates are asked for,
/// because a login must prove possession anew.
///
/// # Errors
///
/// [`ServeError`] when key and certificate do not fit.
pub fn tls(chain: &[Vec<u8>], pkcs8: &[u8], clients: ClientCertificates) -> Result<Arc<ServerConfig>, ServeError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| ServeError::new("TLS", error))?;
    let builder = match clients {
        ClientCertificates::Ignored => builder.with_no_client_auth(),
        ClientCertificates::Asked => builder.with_client_cert_verifier(Arc::new(Explaining { provider })),
    };
    let chain = chain.iter().map(|der| CertificateDer::from(der.clone())).collect();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pkcs8.to_vec()));
    let mut config = builder.with_single_cert(chain, key).map_err(|error| ServeError::new("TLS certificate", error))?;
    if clients == ClientCertificates::Asked {
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Binds an address.
///
/// # Errors
///
/// [`ServeError`] names the address.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|error| ServeError::new(format!("listening on {address}"), error))
}

/// One line for each request, for operators who ask for it (`OBNOVA_LOG=obnova_serve=debug`).
async fn tell(request: axum::extract::Request, next: axum::middleware::Next) -> axum::response::Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = next.run(request).await;
    tracing::debug!(%method, path, status = response.status().as_u16(), "request");
    response
}

/// Who a place is counted for: an address (of IPv6 the network of a household or an office), or one connection of a
/// declared proxy, behind which many people stand.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Origin {
    V4(Ipv4Addr),
    V6([u8; 8]),
    Proxied(u64),
}

impl Origin {
    fn of(address: IpAddr, proxies: &[IpAddr], number: u64) -> Self {
        if proxies.contains(&address) {
            return Self::Proxied(number);
        }
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => {
                let mut network = [0; 8];
                network.copy_from_slice(&address.octets()[..8]);
                Self::V6(network)
            }
        }
    }
}

#[derive(Default)]
struct Open {
    by_origin: HashMap<Origin, VecDeque<(u64, AbortHandle)>>,
    count: usize,
}

/// The places of a listener. When all are taken, whoever holds the most gives the oldest of theirs up: an office of
/// hundreds behind one address is served, and nobody keeps others out.
#[derive(Clone, Default)]
struct Places(Arc<Mutex<Open>>);

impl Places {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a visit on a place of its own.
    fn give(&self, origin: Origin, number: u64, visit: impl Future<Output = ()> + Send + 'static) {
        let mut open = self.open();
        if open.count >= CONNECTIONS {
            open.give_up();
        }
        let place = Place { places: self.clone(), origin, number };
        let task = tokio::spawn(async move {
            let _place = place;
            visit.await;
        });
        open.by_origin.entry(origin).or_default().push_back((number, task.abort_handle()));
        open.count += 1;
    }
}

impl Open {
    fn give_up(&mut self) {
        let Some(most) = self.by_origin.values_mut().max_by_key(|held| held.len()) else { return };
        if let Some((_, oldest)) = most.pop_front() {
            oldest.abort();
            self.count -= 1;
        }
    }
}

/// A place that is given back when its visit ends, however it ends.
struct Place {
    places: Places,
    origin: Origin,
    number: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.places.open();
        let Some(held) = open.by_origin.get_mut(&self.origin) else { return };
        let before = held.len();
        held.retain(|(number, _)| *number != self.number);
        let (left, gone) = (held.len(), before - held.len());
        if left == 0 {
            open.by_origin.remove(&self.origin);
        }
        open.count -= gone;
    }
}

/// Reads the whole body before anything is done with it, within [`BODY`].
async fn whole(request: axum::extract::Request, next: axum::middleware::Next) -> axum::response::Response {
    let (parts, body) = request.into_parts();
    match tokio::time::timeout(BODY, axum::body::to_bytes(body, LARGEST)).await {
        Ok(Ok(bytes)) => next.run(axum::extract::Request::from_parts(parts, axum::body::Body::from(bytes))).await,
        Ok(Err(_)) => StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        Err(_) => StatusCode::REQUEST_TIMEOUT.into_response(),
    }
}

/// Serves until the process ends. A handshake has 10 seconds, a request's head 20, its body 20.
///
/// `tls` is what a new connection is shown now; `proxies` are addresses behind which many people stand.
pub async fn serve(
    listener: TcpListener,
    tls: tokio::sync::watch::Receiver<Arc<Handshake>>,
    router: Router,
    proxies: Vec<IpAddr>,
) {
    let router =
        if tracing::enabled!(tracing::Level::DEBUG) { router.layer(axum::middleware::from_fn(tell)) } else { router };
    let router = router.layer(axum::middleware::from_fn(whole));
    let places = Places::default();
    for number in 0.. {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        let (acceptor, router) = (TlsAcceptor::from(Arc::clone(&tls.borrow())), router.clone());
        places.give(Origin::of(peer.ip(), &proxies, number), number, async move {
            let handshake = tokio::time::timeout(Duration::from_secs(10), acceptor.accept(stream)).await;
            let Ok(Ok(stream)) = handshake else { return };
            let certificates = stream
                .get_ref()
                .1
                .peer_certificates()
                .map(|chain| chain.iter().map(|der| der.as_ref().to_vec()).collect())
                .unwrap_or_default();
            let service = TowerToHyperService::new(router.layer(Extension(Peer { certificates })));
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(Duration::from_secs(20))
                .serve_connection(TokioIo::new(stream), service);
            // A visitor that neither sends nor reads gives its place back.
            if let Ok(Err(error)) = tokio::time::timeout(LONGEST, connection).await {
                tracing::debug!(%error, "a connection ended early");
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_holds_the_most_gives_the_oldest_up() {
        let places = Places::default();
        let origin = |last: u8| Origin::of(IpAddr::from([10, 0, 0, last]), &[], 0);
        for number in 0..CONNECTIONS as u64 {
            places.give(origin(u8::from(number < 5)), number, std::future::pending());
        }
        // The one with five places keeps them, the one with all others loses its first two.
        for number in [1_000, 1_001] {
            places.give(origin(2), number, std::future::pending());
        }
        let open = places.open();
        assert_eq!(open.count, CONNECTIONS);
        assert_eq!(open.by_origin[&origin(1)].len(), 5);
        assert_eq!(open.by_origin[&origin(2)].len(), 2);
        assert_eq!(open.by_origin[&origin(0)].front().map(|held| held.0), Some(7));
    }

    #[tokio::test]
    async fn a_place_is_given_back() {
        let places = Places::default();
        places.give(Origin::Proxied(1), 1, async {});
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(places.open().count, 0);
        assert!(places.open().by_origin.is_empty());
        // Two connections of a declared proxy are two origins, of anybody else one.
        let proxy = IpAddr::from([10, 0, 0, 9]);
        assert!(Origin::of(proxy, &[proxy], 1) != Origin::of(proxy, &[proxy], 2));
        assert!(Origin::of(proxy, &[], 1) == Origin::of(proxy, &[], 2));
        let v6 = |last: u16| Origin::of(IpAddr::from([0x2001, 0xdb8, 0, 7, 0, 0, 0, last]), &[], 0);
        assert!(v6(1) == v6(2));
    }
}
