//! TLS as a client: whom we trust, and a client key that may live on a token (RFC 8446, RFC 5246).

use std::sync::Arc;

use obnova_crypto::Primitives;
use obnova_pki::{Certificate, KeyKind, SignatureAlgorithm, Signer};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, WebPkiServerVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::{CertifiedKey, SigningKey};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::RemoteError;

/// Whom a TLS connection trusts. There is no "continue anyway".
#[derive(Debug, Clone)]
pub enum TlsTrust {
    /// These roots, in DER.
    Roots(Vec<Vec<u8>>),
    /// Whatever root the server sends, if its SHA-256 (hexadecimal) is this one: the pin of an invitation.
    Pin(String),
    /// What the operating system trusts: for public addresses that belong to nobody here.
    System,
}

/// A key for client authentication.
pub trait ClientKey: Send + Sync + std::fmt::Debug {
    /// The certificate and its path, the own one first.
    fn chain(&self) -> &[Certificate];

    /// The key for plain signatures.
    fn signer(&self) -> &(dyn Signer + Sync);

    /// RSASSA-PSS with SHA-256; only asked of RSA keys.
    ///
    /// # Errors
    ///
    /// The key owner's own error, in words.
    fn sign_pss(&self, message: &[u8]) -> Result<Vec<u8>, String>;
}

#[derive(Debug)]
struct Pinned {
    pin: String,
    provider: Arc<rustls::crypto::CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let root = intermediates.iter().find(|der| Primitives.fingerprint(der) == self.pin);
        let root = root.ok_or(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer))?;
        let mut roots = RootCertStore::empty();
        roots.add(root.clone().into_owned())?;
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider))
            .build()
            .map_err(|error| rustls::Error::General(error.to_string()))?;
        verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp, now)
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

#[derive(Debug)]
struct Resolver(Arc<CertifiedKey>);

impl ResolvesClientCert for Resolver {
    fn resolve(&self, _: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.key.choose_scheme(schemes).map(|_| Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[derive(Debug, Clone)]
struct TlsKey {
    key: Arc<dyn ClientKey>,
    scheme: Option<SignatureScheme>,
}

impl TlsKey {
    fn offered(&self) -> Vec<SignatureScheme> {
        match KeyKind::of(self.key.signer().public_key()) {
            // TLS 1.3 knows only PSS; PKCS#1 is left for TLS 1.2.
            Ok(KeyKind::Rsa(_)) => vec![SignatureScheme::RSA_PSS_SHA256, SignatureScheme::RSA_PKCS1_SHA256],
            Ok(KeyKind::P256) => vec![SignatureScheme::ECDSA_NISTP256_SHA256],
            Ok(KeyKind::P384) => vec![SignatureScheme::ECDSA_NISTP384_SHA384],
            Err(_) => Vec::new(),
        }
    }
}

impl SigningKey for TlsKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn rustls::sign::Signer>> {
        let scheme = self.offered().into_iter().find(|scheme| offered.contains(scheme))?;
        Some(Box::new(Self { key: Arc::clone(&self.key), scheme: Some(scheme) }))
    }

    fn algorithm(&self) -> rustls::SignatureAlgorithm {
        match self.key.signer().algorithm() {
            SignatureAlgorithm::RsaSha256 | SignatureAlgorithm::RsaSha384 | SignatureAlgorithm::RsaSha512 => {
                rustls::SignatureAlgorithm::RSA
            }
            _ => rustls::SignatureAlgorithm::ECDSA,
        }
    }
}

impl rustls::sign::Signer for TlsKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        let signed = if self.scheme == Some(SignatureScheme::RSA_PSS_SHA256) {
            self.key.sign_pss(message)
        } else {
            self.key.signer().sign(message).map_err(|error| error.to_string())
        };
        signed.map_err(rustls::Error::General)
    }

    fn scheme(&self) -> SignatureScheme {
        self.scheme.unwrap_or(SignatureScheme::RSA_PSS_SHA256)
    }
}

/// The configuration of a client; with a key, it answers a request for a certificate.
pub(crate) fn config(trust: &TlsTrust, key: Option<Arc<dyn ClientKey>>) -> Result<Arc<ClientConfig>, RemoteError> {
    let wrong = |error: rustls::Error| RemoteError::Tls(error.to_string());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(wrong)?;
    let builder = match trust {
        TlsTrust::Roots(ders) => {
            let mut roots = RootCertStore::empty();
            for der in ders {
                roots.add(CertificateDer::from(der.clone())).map_err(wrong)?;
            }
            builder.with_root_certificates(roots)
        }
        TlsTrust::Pin(pin) => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Pinned { pin: pin.to_ascii_lowercase(), provider })),
        TlsTrust::System => {
            let verifier = rustls_platform_verifier::Verifier::new(provider).map_err(wrong)?;
            builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
        }
    };
    let mut config = match key {
        None => builder.with_no_client_auth(),
        Some(key) => {
            let chain = key.chain().iter().map(|c| CertificateDer::from(c.der().to_vec())).collect();
            let certified = CertifiedKey::new(chain, Arc::new(TlsKey { key, scheme: None }));
            let mut config = builder.with_client_cert_resolver(Arc::new(Resolver(Arc::new(certified))));
            // A login proves possession anew each time.
            config.resumption = rustls::client::Resumption::disabled();
            config
        }
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
