//! Pages of the identity role: the account, and why a certificate does not open it. No cookies: every
//! request is logged in by the connection's own certificate.

use std::sync::Arc;

use askama::Template;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Extension, Form, Json, Router};
use obnova_pki::{Certificate, Serial};
use obnova_serve::listener::Peer;
use obnova_texts::{Language, Texts};
use serde::Deserialize;
use serde_json::json;

use crate::account::{AccountView, BindingView, Identity, IdentityError};
use crate::login::Visitor;

type Role = State<Arc<Identity>>;

/// The pages of the role.
pub fn router(identity: Arc<Identity>) -> Router {
    Router::new()
        .route("/", get(account))
        .route("/binding", post(add))
        .route("/binding/remove", post(remove))
        .route("/succession", post(succession))
        .route("/health", get(|| async { "ok\n" }))
        .layer(DefaultBodyLimit::max(64 * 1024))
        .with_state(identity)
}

#[derive(Deserialize)]
struct Choice {
    lang: Option<String>,
}

fn language(choice: Option<&str>, headers: &HeaderMap) -> Language {
    let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let first = accepted.and_then(|value| value.split([',', ';']).next());
    choice.and_then(Language::from_tag).or(first.and_then(Language::from_tag)).unwrap_or(Language::Czech)
}

fn wants_html(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).is_some_and(|value| value.contains("text/html"))
}

/// A certificate as the page shows it.
struct Shown {
    name: String,
    issuer: String,
    decimal: String,
    hexadecimal: String,
}

impl Shown {
    fn new(certificate: &Certificate) -> Self {
        Self {
            name: certificate.subject().common_name(),
            issuer: certificate.issuer().common_name(),
            decimal: certificate.serial().decimal(),
            hexadecimal: certificate.serial().hexadecimal(),
        }
    }
}

/// What a page says.
enum Content {
    /// One message, about a certificate or about none.
    Message { text: String, certificate: Option<Shown> },
    /// An account, and the certificate that opened it.
    Account { account: AccountView, current: Shown },
}

/// The one page of this role; the template escapes whatever comes from outside.
#[derive(Template)]
#[template(path = "page.html")]
struct Page {
    texts: Texts,
    tag: &'static str,
    other: &'static str,
    other_name: &'static str,
    title: String,
    content: Content,
}

impl Page {
    fn word(&self, key: &str) -> String {
        self.texts.get(key, &[])
    }

    fn added(&self, binding: &BindingView) -> String {
        self.word(&format!("added-{}", binding.added_how))
    }

    fn state(&self, binding: &BindingView, current: &Shown) -> String {
        self.word(match (binding.hexadecimal == current.hexadecimal, binding.last_login) {
            (true, _) => "binding-current",
            (false, Some(_)) => "binding-proven",
            (false, None) => "binding-never-used",
        })
    }
}

fn page(texts: Texts, title: String, content: Content) -> Response {
    let (tag, other, other_name) = match texts.language() {
        Language::Czech => ("cs", "en", "English"),
        Language::English => ("en", "cs", "Čeština"),
    };
    let policy = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'";
    let guards = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
    ];
    match (Page { texts, tag, other, other_name, title, content }).render() {
        Ok(html) => (guards, Html(html)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn failed(error: &IdentityError, headers: &HeaderMap) -> Response {
    let texts = Texts::new(language(None, headers));
    match error {
        IdentityError::Refused(code) => {
            let text = texts.get(&format!("identity-{code}"), &[]);
            let mut response = if wants_html(headers) {
                page(texts, texts.get("identity-refused", &[]), Content::Message { text, certificate: None })
            } else {
                format!("{code}: {text}\n").into_response()
            };
            *response.status_mut() = StatusCode::FORBIDDEN;
            response
        }
        IdentityError::Failed(error) => {
            tracing::error!(%error, "a page could not be served");
            (StatusCode::SERVICE_UNAVAILABLE, "unavailable\n").into_response()
        }
    }
}

async fn account(
    State(identity): Role,
    Extension(peer): Extension<Peer>,
    Query(choice): Query<Choice>,
    headers: HeaderMap,
) -> Response {
    let texts = Texts::new(language(choice.lang.as_deref(), &headers));
    let visitor = match identity.visitor(&peer).await {
        Ok(visitor) => visitor,
        Err(error) => return failed(&error, &headers),
    };
    if !wants_html(&headers) {
        return match visitor {
            Visitor::Known(_, account) => Json(json!({ "login": "ok", "account": account })).into_response(),
            Visitor::Explained(_, code) => (
                StatusCode::FORBIDDEN,
                Json(json!({ "login": code, "text": texts.get(&format!("login-{code}"), &[]) })),
            )
                .into_response(),
            Visitor::Nobody => (StatusCode::UNAUTHORIZED, Json(json!({ "login": "no-certificate" }))).into_response(),
        };
    }
    let (title, content) = match visitor {
        Visitor::Known(certificate, account) => (
            texts.get("account-of", &[("login", &account.login)]),
            Content::Account { account, current: Shown::new(&certificate) },
        ),
        Visitor::Explained(certificate, code) => (
            texts.get("login-failed", &[]),
            Content::Message {
                text: texts.get(&format!("login-{code}"), &[]),
                certificate: Some(Shown::new(&certificate)),
            },
        ),
        Visitor::Nobody => (
            texts.get("login-failed", &[]),
            Content::Message { text: texts.get("login-no-certificate", &[]), certificate: None },
        ),
    };
    page(texts, title, content)
}

/// The person behind a request that changes something. A page of somebody else's making could send a form
/// along with the certificate, so browsers must say that it comes from our own page.
async fn logged_in(
    identity: &Identity,
    peer: &Peer,
    headers: &HeaderMap,
) -> Result<(Box<Certificate>, AccountView), IdentityError> {
    if !is_own_page(headers) {
        return Err(IdentityError::Refused("other-site"));
    }
    match identity.visitor(peer).await? {
        Visitor::Known(certificate, account) => Ok((certificate, account)),
        _ => Err(IdentityError::Refused("not-logged-in")),
    }
}

/// Whether a request comes from our own page, or from no page at all: by Sec-Fetch-Site where the browser sends it, by
/// Origin where it does not (Fetch standard, "append a request `Origin` header").
fn is_own_page(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if let Some(site) = text("sec-fetch-site") {
        return site == "same-origin";
    }
    match (text("origin"), text("host")) {
        // Programs send neither.
        (None, _) => true,
        (Some(origin), Some(host)) => {
            origin.strip_prefix("https://").is_some_and(|origin| origin.eq_ignore_ascii_case(host))
        }
        (Some(_), None) => false,
    }
}

#[derive(Deserialize)]
struct Typed {
    serial: String,
    issuer: String,
}

async fn add(
    State(identity): Role,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    Form(typed): Form<Typed>,
) -> Response {
    let done = async {
        let (_, account) = logged_in(&identity, &peer, &headers).await?;
        identity.bind_typed(&account.login, &typed.issuer, &typed.serial, "typed").await
    };
    answered(done.await, &headers)
}

async fn remove(
    State(identity): Role,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    Form(typed): Form<Typed>,
) -> Response {
    let done = async {
        let (current, account) = logged_in(&identity, &peer, &headers).await?;
        let wanted = Serial::candidates(&typed.serial).map_err(|_| IdentityError::Refused("serial-wrong"))?;
        let issuer = identity
            .issuers
            .iter()
            .find(|issuer| issuer.certificate.subject().common_name() == typed.issuer.trim())
            .ok_or(IdentityError::Refused("issuer-unknown"))?;
        // Of two readings, the one that is bound to this account is meant.
        let serial = wanted
            .iter()
            .find(|serial| account.bindings.iter().any(|binding| binding.hexadecimal == serial.hexadecimal()))
            .ok_or(IdentityError::Refused("not-bound"))?;
        let current = (current.issuer(), current.serial());
        identity.unbind(&account.login, (issuer.certificate.subject(), serial), current).await
    };
    answered(done.await, &headers)
}

fn answered(done: Result<(), IdentityError>, headers: &HeaderMap) -> Response {
    match done {
        Ok(()) if wants_html(headers) => Redirect::to("/").into_response(),
        Ok(()) => Json(json!({ "done": true })).into_response(),
        Err(error) => failed(&error, headers),
    }
}

async fn succession(State(identity): Role, headers: HeaderMap, body: Bytes) -> Response {
    match identity.succeed(&body).await {
        Ok(()) => Json(json!({ "done": true })).into_response(),
        Err(error) => failed(&error, &headers),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_comes_from_our_own_page() {
        let is_ours = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(*name, value.parse().unwrap());
            }
            is_own_page(&headers)
        };
        assert!(is_ours(&[("host", "id.example.cz")]), "a program");
        assert!(is_ours(&[("host", "id.example.cz:8443"), ("origin", "https://ID.example.cz:8443")]));
        assert!(is_ours(&[("sec-fetch-site", "same-origin"), ("host", "id.example.cz")]));
        for site in ["cross-site", "same-site", "none"] {
            assert!(!is_ours(&[("sec-fetch-site", site), ("host", "id.example.cz")]), "{site}");
        }
        for origin in ["https://evil.example", "http://id.example.cz", "null", "https://id.example.cz:1", ""] {
            assert!(!is_ours(&[("host", "id.example.cz"), ("origin", origin)]), "{origin}");
        }
        assert!(!is_ours(&[("origin", "https://id.example.cz")]), "without a host nothing is known");
    }
}
