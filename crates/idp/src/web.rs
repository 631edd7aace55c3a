//! Pages of the identity role: the account, and why a certificate does not open it. No cookies: every
//! request is logged in by the connection's own certificate.

use std::sync::Arc;

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

use crate::account::{AccountView, Identity, IdentityError};
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

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

fn page(texts: Texts, title: &str, body: &str) -> Response {
    let (tag, other, other_name) = match texts.language() {
        Language::Czech => ("cs", "en", "English"),
        Language::English => ("en", "cs", "Čeština"),
    };
    let html = format!(
        "<!doctype html><html lang=\"{tag}\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{title} – obnova</title><style>\
         body{{font:1.1rem/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;color:#262626;background:#fff}}\
         h1{{font-size:1.8rem}}table{{border-collapse:collapse;width:100%}}th,td{{text-align:left;padding:.5rem;border-bottom:1px solid #767676}}\
         input,button{{font:inherit;padding:.4rem .6rem;border:1px solid #595959;border-radius:4px}}button{{background:#2362a2;color:#fff;border-color:#2362a2}}\
         .box{{border-left:6px solid #2362a2;background:#eef4fa;padding:.8rem 1rem}}td code{{white-space:nowrap}}p code{{overflow-wrap:anywhere}}label{{display:block;margin:.6rem 0 .2rem}}\
         </style></head><body><nav><a href=\"/?lang={other}\" lang=\"{other}\">{other_name}</a></nav><main><h1>{title}</h1>{body}</main></body></html>",
        title = escape(title),
    );
    (
        [(
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'",
        )],
        Html(html),
    )
        .into_response()
}

fn failed(error: &IdentityError, headers: &HeaderMap) -> Response {
    let texts = Texts::new(language(None, headers));
    match error {
        IdentityError::Refused(code) => {
            let text = texts.get(&format!("identity-{code}"), &[]);
            let mut response = if wants_html(headers) {
                page(texts, &texts.get("identity-refused", &[]), &format!("<p class=\"box\">{}</p>", escape(&text)))
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

fn certificate_lines(texts: Texts, certificate: &Certificate) -> String {
    format!(
        "<p>{}<br><code>{}</code><br>{} <code>{}</code> (0x<code>{}</code>)</p>",
        escape(&certificate.subject().common_name()),
        escape(&certificate.issuer().to_string()),
        escape(&texts.get("serial-number", &[])),
        certificate.serial().decimal(),
        certificate.serial().hexadecimal(),
    )
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
    match visitor {
        Visitor::Known(certificate, account) => account_page(texts, &certificate, &account),
        Visitor::Explained(certificate, code) => {
            let text = texts.get(&format!("login-{code}"), &[]);
            let body = format!("<p class=\"box\">{}</p>{}", escape(&text), certificate_lines(texts, &certificate));
            page(texts, &texts.get("login-failed", &[]), &body)
        }
        Visitor::Nobody => {
            let text = texts.get("login-no-certificate", &[]);
            page(texts, &texts.get("login-failed", &[]), &format!("<p class=\"box\">{}</p>", escape(&text)))
        }
    }
}

fn account_page(texts: Texts, current: &Certificate, account: &AccountView) -> Response {
    let word = |key: &str| escape(&texts.get(key, &[]));
    let mut rows = String::new();
    for binding in &account.bindings {
        let is_current = binding.hexadecimal == current.serial().hexadecimal();
        let state = match (is_current, binding.last_login) {
            (true, _) => word("binding-current"),
            (false, Some(_)) => word("binding-proven"),
            (false, None) => word("binding-never-used"),
        };
        rows.push_str(&format!(
            "<tr><td>{}</td><td><code>{}</code><br>0x<code>{}</code></td><td>{}</td><td>{state}</td></tr>",
            escape(&binding.issuer),
            binding.decimal,
            escape(&binding.hexadecimal),
            word(&format!("added-{}", binding.added_how)),
        ));
    }
    let body = format!(
        "<p class=\"box\">{} <strong>{}</strong>, {}</p><h2>{}</h2>\
         <table><thead><tr><th scope=\"col\">{}</th><th scope=\"col\">{}</th><th scope=\"col\">{}</th><th scope=\"col\">{}</th></tr></thead>\
         <tbody>{rows}</tbody></table><h2>{}</h2><form method=\"post\" action=\"/binding\">\
         <label for=\"serial\">{}</label><input id=\"serial\" name=\"serial\" required autocomplete=\"off\">\
         <label for=\"issuer\">{}</label><input id=\"issuer\" name=\"issuer\" required value=\"{}\"> <button>{}</button></form>",
        word("logged-in-as"),
        escape(&account.name),
        escape(&account.organisation),
        word("account-certificates"),
        word("issuer"),
        word("serial-number"),
        word("added"),
        word("state"),
        word("add-successor"),
        word("serial-number"),
        word("issuer"),
        escape(&current.issuer().common_name()),
        word("add"),
    );
    page(texts, &texts.get("account-of", &[("login", &account.login)]), &body)
}

/// The person behind a request that changes something. A page of somebody else's making could send a form
/// along with the certificate, so browsers must say that it comes from our own page.
async fn logged_in(
    identity: &Identity,
    peer: &Peer,
    headers: &HeaderMap,
) -> Result<(Box<Certificate>, AccountView), IdentityError> {
    let site = headers.get("sec-fetch-site").and_then(|value| value.to_str().ok());
    if site.is_some_and(|site| site != "same-origin") {
        return Err(IdentityError::Refused("other-site"));
    }
    match identity.visitor(peer).await? {
        Visitor::Known(certificate, account) => Ok((certificate, account)),
        _ => Err(IdentityError::Refused("not-logged-in")),
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
