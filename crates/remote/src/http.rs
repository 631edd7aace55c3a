//! A small HTTP/1.1 client over rustls; it owns its runtime, so callers are plain synchronous code.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use http_body_util::{BodyExt, Full, Limited};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::tls::{ClientKey, TlsTrust, config};

/// Longest answer that is read, in octets; national revocation lists are the largest.
const MAX_ANSWER: usize = 64 << 20;

/// How long one request may take with a client certificate: a token that signs in the handshake may need minutes.
const SIGNED: Duration = Duration::from_secs(600);

/// How long one may take that is sent, and one that only reads: a person waits for it.
const SENT: Duration = Duration::from_secs(180);
const READ: Duration = Duration::from_secs(60);

/// How long a connection may take to open.
const CONNECT: Duration = Duration::from_secs(10);

/// Why another machine did not answer as expected.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RemoteError {
    /// The address is not one.
    Address(String),
    /// Nobody answers there.
    Unreachable(String),
    /// The connection is not trusted, or the handshake failed.
    Tls(String),
    /// An answer came, and whoever signed it is not the authority. What was sent may have arrived.
    Signer(String),
    /// It answered with an HTTP error.
    Status {
        /// The status code.
        status: u16,
        /// The beginning of the answer.
        text: String,
    },
    /// It answered with something that cannot be read.
    Malformed(String),
    /// It answered that it refuses; the words are the authority's.
    Refused(String),
    /// It answered that it cannot do this now; the words are the authority's.
    Busy(String),
    /// It does not answer for a request that it took; the words are the authority's.
    Lost(String),
}

impl RemoteError {
    /// Stable code of the message.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Address(_) => "address-wrong",
            Self::Unreachable(_) => "authority-unreachable",
            Self::Tls(_) => "connection-not-trusted",
            Self::Signer(_) => "authority-answer-untrusted",
            Self::Status { .. } => "authority-http-error",
            Self::Malformed(_) => "authority-answer-malformed",
            Self::Refused(_) => "authority-refused",
            Self::Busy(_) => "authority-busy",
            Self::Lost(_) => "authority-lost-request",
        }
    }
}

impl core::fmt::Display for RemoteError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Address(detail)
            | Self::Unreachable(detail)
            | Self::Tls(detail)
            | Self::Signer(detail)
            | Self::Malformed(detail)
            | Self::Refused(detail)
            | Self::Busy(detail)
            | Self::Lost(detail) => f.write_str(detail),
            Self::Status { status, text } => write!(f, "HTTP {status}: {text}"),
        }
    }
}

impl std::error::Error for RemoteError {}

/// An answer.
#[derive(Debug, Clone)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Body.
    pub body: Vec<u8>,
    /// Seconds of Retry-After (RFC 9110 section 10.2.3), when it is a number or a date that the answer's own Date
    /// makes one.
    pub retry_after: Option<u64>,
    date: Option<SystemTime>,
}

impl Response {
    /// The body of a successful answer.
    ///
    /// # Errors
    ///
    /// [`RemoteError::Status`].
    pub fn success(self) -> Result<Vec<u8>, RemoteError> {
        if (200..300).contains(&self.status) {
            return Ok(self.body);
        }
        let text = String::from_utf8_lossy(&self.body).chars().filter(|c| !c.is_control()).take(500).collect();
        Err(RemoteError::Status { status: self.status, text })
    }
}

struct Url {
    tls: bool,
    host: String,
    port: u16,
    path: String,
}

impl Url {
    fn parse(text: &str) -> Result<Self, RemoteError> {
        let wrong = || RemoteError::Address(format!("{text} is not an http or https address"));
        let (tls, rest) = match text.split_once("://") {
            Some(("https", rest)) => (true, rest),
            Some(("http", rest)) => (false, rest),
            _ => return Err(wrong()),
        };
        let (authority, path) = match rest.find('/') {
            Some(slash) => (&rest[..slash], &rest[slash..]),
            None => (rest, "/"),
        };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port.parse().map_err(|_| wrong())?),
            _ => (authority, if tls { 443 } else { 80 }),
        };
        if host.is_empty() || path.bytes().any(|byte| !byte.is_ascii_graphic()) {
            return Err(wrong());
        }
        Ok(Self { tls, host: host.to_owned(), port, path: path.to_owned() })
    }

    fn origin(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

type Sender = SendRequest<Full<Bytes>>;

struct Inner {
    /// Only taken when the client goes.
    runtime: Option<tokio::runtime::Runtime>,
    open: HashMap<String, Sender>,
    requests: u64,
    date: Option<SystemTime>,
}

/// A client that keeps one connection open for each machine it speaks to.
pub struct HttpClient {
    config: Arc<ClientConfig>,
    /// Whether a client certificate opens its connections.
    signs: bool,
    inner: Mutex<Inner>,
}

impl HttpClient {
    /// A client with its trust, and a key for servers that ask for a certificate.
    ///
    /// # Errors
    ///
    /// [`RemoteError::Tls`] when a root cannot be read.
    pub fn new(trust: &TlsTrust, key: Option<Arc<dyn ClientKey>>) -> Result<Self, RemoteError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| RemoteError::Unreachable(error.to_string()))?;
        Ok(Self {
            signs: key.is_some(),
            config: config(trust, key)?,
            inner: Mutex::new(Inner { runtime: Some(runtime), open: HashMap::new(), requests: 0, date: None }),
        })
    }

    /// Requests sent so far, for measuring.
    pub fn requests(&self) -> u64 {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).requests
    }

    /// The other machine's clock when it last answered, as it says (RFC 9110 section 6.6.1); whole seconds.
    pub fn date(&self) -> Option<SystemTime> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).date
    }

    /// GET.
    ///
    /// # Errors
    ///
    /// [`RemoteError`]; an HTTP error status is an answer, not an error.
    pub fn get(&self, address: &str) -> Result<Response, RemoteError> {
        self.send("GET", address, None, Vec::new())
    }

    /// POST of a typed body.
    ///
    /// # Errors
    ///
    /// As [`HttpClient::get`].
    pub fn post(&self, address: &str, kind: &str, body: Vec<u8>) -> Result<Response, RemoteError> {
        self.send("POST", address, Some(kind), body)
    }

    fn send(&self, method: &str, address: &str, kind: Option<&str>, body: Vec<u8>) -> Result<Response, RemoteError> {
        let url = Url::parse(address)?;
        let patience = match (self.signs, method) {
            (true, _) => SIGNED,
            (false, "GET") => READ,
            (false, _) => SENT,
        };
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let Inner { runtime, open, requests, date } = &mut *inner;
        *requests += 1;
        let runtime = runtime.as_ref().ok_or_else(|| RemoteError::Unreachable("the client is closing".to_owned()))?;
        let response = runtime.block_on(async {
            let work = self.exchange(open, &url, method, kind, Bytes::from(body));
            tokio::time::timeout(patience, work)
                .await
                .unwrap_or_else(|_| Err(RemoteError::Unreachable(format!("{} did not answer in time", url.origin()))))
        })?;
        *date = response.date.or(*date);
        Ok(response)
    }

    async fn exchange(
        &self,
        open: &mut HashMap<String, Sender>,
        url: &Url,
        method: &str,
        kind: Option<&str>,
        body: Bytes,
    ) -> Result<Response, RemoteError> {
        // A connection that was kept may have been closed by the other side meanwhile: then once more, afresh.
        if let Some(mut sender) = open.remove(&url.origin())
            && sender.ready().await.is_ok()
            && let Ok(response) = talk(&mut sender, url, method, kind, body.clone()).await
        {
            open.insert(url.origin(), sender);
            return Ok(response);
        }
        let mut sender = self.connect(url).await?;
        let response = talk(&mut sender, url, method, kind, body).await?;
        open.insert(url.origin(), sender);
        Ok(response)
    }

    async fn connect(&self, url: &Url) -> Result<Sender, RemoteError> {
        let unreachable =
            |error: &dyn core::fmt::Display| RemoteError::Unreachable(format!("{}: {error}", url.origin()));
        let host = url.host.trim_matches(['[', ']']);
        let stream = tokio::time::timeout(CONNECT, TcpStream::connect((host, url.port)))
            .await
            .map_err(|_| unreachable(&"no connection within 10 seconds"))?
            .map_err(|error| unreachable(&error))?;
        let _ = stream.set_nodelay(true);
        if !url.tls {
            let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|error| unreachable(&error))?;
            tokio::spawn(connection);
            return Ok(sender);
        }
        let name = ServerName::try_from(host.to_owned()).map_err(|error| RemoteError::Address(error.to_string()))?;
        let stream = TlsConnector::from(Arc::clone(&self.config)).connect(name, stream).await.map_err(|error| {
            // What rustls says stands inside an i/o error.
            match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                Some(inner) => RemoteError::Tls(format!("{}: {inner}", url.origin())),
                None => unreachable(&error),
            }
        })?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|error| unreachable(&error))?;
        tokio::spawn(connection);
        Ok(sender)
    }
}

impl Drop for HttpClient {
    fn drop(&mut self) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        // A runtime that is dropped inside another one panics; this way it ends by itself.
        if let Some(runtime) = inner.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn talk(
    sender: &mut Sender,
    url: &Url,
    method: &str,
    kind: Option<&str>,
    body: Bytes,
) -> Result<Response, RemoteError> {
    let lost = |error: hyper::Error| RemoteError::Unreachable(format!("{}: {error}", url.origin()));
    let mut request = Request::builder()
        .method(method)
        .uri(&url.path)
        .header("Host", url.origin())
        .header("Accept", "application/json, */*;q=0.5");
    if let Some(kind) = kind {
        request = request.header("Content-Type", kind);
    }
    let request = request.body(Full::new(body)).map_err(|error| RemoteError::Address(error.to_string()))?;
    let response = sender.send_request(request).await.map_err(lost)?;
    let status = response.status().as_u16();
    let date = response.headers().get("date").and_then(|value| value.to_str().ok());
    let date = date.and_then(|text| jiff::fmt::rfc2822::parse(text).ok()).map(|at| at.timestamp().into());
    let after = response.headers().get("retry-after").and_then(|value| value.to_str().ok()).map(str::trim);
    let retry_after = after.and_then(|text| match text.parse() {
        Ok(seconds) => Some(seconds),
        Err(_) => {
            let then: SystemTime = jiff::fmt::rfc2822::parse(text).ok()?.timestamp().into();
            Some(then.duration_since(date?).unwrap_or_default().as_secs())
        }
    });
    let body = Limited::new(response.into_body(), MAX_ANSWER)
        .collect()
        .await
        .map_err(|error| RemoteError::Malformed(error.to_string()))?
        .to_bytes()
        .to_vec();
    Ok(Response { status, body, retry_after, date })
}
