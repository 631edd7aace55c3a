//! What the authority serves over HTTP: CMP, lists, certificates, verdicts, states, directory, search.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use obnova_crypto::Primitives;
use obnova_lifecycle::document::{
    CertificateName, Directory, Octets, Product, RequestState, RequestStatus, VerdictAnswer, VerdictQuestion, name,
};
use obnova_lifecycle::issuance::{Reason, Verdict, authorize};
use obnova_lifecycle::successor::Successor;
use obnova_pki::{Serial, cms};
use obnova_serve::clock::from_seconds;
use serde::Deserialize;

use crate::authority::{Authority, ISSUERS};
use crate::profile::Profile;
use crate::request::obstacle;
use crate::store;

/// Longest message that is read, in octets.
const MAX_BODY: usize = 256 * 1024;

/// Seconds that the time in a signed question may be off.
const CLOCK_TOLERANCE: u64 = 300;

type Role = State<Arc<Authority>>;

/// The pages of the role.
pub fn router(authority: Arc<Authority>) -> Router {
    Router::new()
        .route("/.well-known/cmp", post(cmp))
        .route("/.well-known/cmp/p/{label}", post(cmp_labelled))
        .route("/.well-known/obnova", get(directory))
        .route("/verdict", post(verdict))
        .route("/status/{receipt}", get(status))
        .route("/crl/{file}", get(crl))
        .route("/ca/{file}", get(ca))
        .route("/search", get(search))
        .route("/certificate/{issuer}/{serial}", get(certificate))
        .route("/health", get(|| async { "ok\n" }))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(authority)
}

fn unavailable(error: impl core::fmt::Display) -> Response {
    tracing::error!(%error, "a page could not be served");
    (StatusCode::SERVICE_UNAVAILABLE, "the authority could not do this now; ask again later\n").into_response()
}

fn typed(kind: &'static str, body: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, kind)], body).into_response()
}

async fn cmp_labelled(state: Role, Path(_): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    cmp(state, headers, body).await
}

async fn cmp(State(authority): Role, headers: HeaderMap, body: Bytes) -> Response {
    // RFC 9811 section 3.3.
    if headers.get(header::CONTENT_TYPE).is_none_or(|kind| kind != "application/pkixcmp") {
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, "Content-Type must be application/pkixcmp\n").into_response();
    }
    // A client that goes away must not stop the work between a record and its signature.
    let answer = tokio::spawn(async move { authority.answer_cmp(&body).await }).await.ok().flatten();
    match answer {
        Some(answer) => typed("application/pkixcmp", answer),
        None => unavailable("no answer could be made"),
    }
}

async fn directory(State(authority): Role) -> Response {
    axum::Json(Directory {
        document: name::DIRECTORY.to_owned(),
        cmp: "/.well-known/cmp".to_owned(),
        verdict: "/verdict".to_owned(),
        status: "/status".to_owned(),
        issuers: ISSUERS
            .iter()
            .filter_map(|id| authority.issuers.get(id))
            .map(|issuer| Octets(issuer.certificate.der().to_vec()))
            .collect(),
        renewal_window_days: authority.config.renewal_window_days,
        oldest_middleware: authority.config.oldest_middleware.clone(),
        identity: authority.identity.clone(),
        desk: authority.config.desk.clone(),
        products: products(),
    })
    .into_response()
}

/// Which keys each profile takes, and which of them decrypt ([`crate::profile::person`]).
fn products() -> Vec<Product> {
    let names = |kinds: &[&str]| kinds.iter().map(|kind| (*kind).to_owned()).collect::<Vec<_>>();
    let (rsa, all) = (["RSA-2048", "RSA-3072", "RSA-4096"], ["P-256", "P-384", "RSA-2048", "RSA-3072", "RSA-4096"]);
    ["qualified", "qualified-device", "commercial"]
        .map(|profile| Product {
            profile: profile.to_owned(),
            keys: names(&all),
            encrypting: if profile == "commercial" { names(&rsa) } else { Vec::new() },
        })
        .to_vec()
}

async fn verdict(State(authority): Role, body: Bytes) -> Response {
    let refuse = |text: String| (StatusCode::BAD_REQUEST, text + "\n").into_response();
    let document = match cms::verify(&body, &Primitives) {
        Ok(document) => document,
        Err(error) => return refuse(error.to_string()),
    };
    let question: VerdictQuestion = match serde_json::from_slice(&document.content) {
        Ok(question) => question,
        Err(error) => return refuse(error.to_string()),
    };
    let now = authority.clock.now();
    let asked_at = from_seconds(i64::try_from(question.at).unwrap_or(0));
    let off = now.duration_since(asked_at).or_else(|_| asked_at.duration_since(now)).unwrap_or_default();
    if question.document != name::VERDICT_QUESTION {
        return refuse("document: not obnova-verdict-question-1".to_owned());
    }
    if off.as_secs() > CLOCK_TOLERANCE {
        return refuse(format!("clock-wrong: the question's time is {} seconds off", off.as_secs()));
    }
    let [predecessor] = document.signers.as_slice() else {
        return refuse("signerInfos: one signature is expected".to_owned());
    };
    if question.predecessor != CertificateName::of(predecessor) {
        return refuse("predecessor: is not the certificate that signed".to_owned());
    }
    let answer = |verdict: Verdict| {
        let who = match verdict {
            Verdict::Issue | Verdict::Other => None,
            Verdict::Wait(reason) | Verdict::Refuse(reason) => Some(reason.who()),
        };
        axum::Json(VerdictAnswer { document: name::VERDICT.to_owned(), verdict, who }).into_response()
    };
    let Some(issuer) = authority.issuer_named(predecessor.issuer()) else {
        return answer(Verdict::Refuse(Reason::UnknownPredecessor));
    };
    let looked_up = async {
        let mut connection = authority.database.pool().acquire().await?;
        let row = store::certificate(&mut connection, issuer.id, &predecessor.serial().hexadecimal()).await?;
        let Some(row) = row.filter(|row| row.der.as_deref() == Some(predecessor.der())) else { return Ok(None) };
        let applicant = store::applicant(&mut connection, &row.applicant, authority.now_seconds()).await?;
        Ok::<_, sqlx::Error>(Some((row, applicant)))
    };
    let (row, applicant) = match looked_up.await {
        Ok(Some(found)) => found,
        Ok(None) => return answer(Verdict::Refuse(Reason::UnknownPredecessor)),
        Err(error) => return unavailable(error),
    };
    let window = std::time::Duration::from_secs(u64::from(authority.config.renewal_window_days) * 86_400);
    if let Err(found) = Successor::check(predecessor, row.state == "revoked", None, Some(window), now) {
        return answer(Verdict::Refuse(obstacle(found)));
    }
    let (Some(applicant), Some(profile)) = (applicant, Profile::from_name(&question.profile)) else {
        return answer(Verdict::Refuse(Reason::NoContract));
    };
    if question.profile.strip_suffix("-3y").unwrap_or(&question.profile) != crate::profile::name_of(predecessor) {
        return refuse("profile: another kind of certificate needs an invitation".to_owned());
    }
    answer(authorize(&Authority::facts(&applicant, profile, Some(predecessor))))
}

async fn status(State(authority): Role, Path(receipt): Path<String>) -> Response {
    let row = async {
        let mut connection = authority.database.pool().acquire().await?;
        store::request(&mut connection, &receipt).await
    };
    match row.await {
        Ok(Some(row)) => {
            let state = match row.state.as_str() {
                "waiting" => RequestState::Waiting,
                "refused" => RequestState::Refused,
                _ => RequestState::Ready,
            };
            let reason = row.reason.and_then(|code| serde_json::from_value(serde_json::Value::String(code)).ok());
            axum::Json(RequestStatus { document: name::STATUS.to_owned(), state, reason, note: row.note })
                .into_response()
        }
        Ok(None) => (StatusCode::NOT_FOUND, "there is no such request\n").into_response(),
        Err(error) => unavailable(error),
    }
}

async fn crl(State(authority): Role, Path(file): Path<String>) -> Response {
    use sqlx::Row;
    let issuer = file.strip_suffix(".crl").unwrap_or_default().to_owned();
    if issuer == "root" {
        return typed("application/pkix-crl", authority.root_list.clone());
    }
    let row = sqlx::query("SELECT der FROM crl WHERE issuer = $1")
        .bind(issuer)
        .fetch_optional(authority.database.pool())
        .await
        .and_then(|row| row.map(|row| row.try_get::<Vec<u8>, _>(0)).transpose());
    match row {
        Ok(Some(der)) => typed("application/pkix-crl", der),
        Ok(None) => (StatusCode::NOT_FOUND, "there is no such list\n").into_response(),
        Err(error) => unavailable(error),
    }
}

async fn ca(State(authority): Role, Path(file): Path<String>) -> Response {
    let id = file.strip_suffix(".cer").unwrap_or_default();
    let found =
        if id == "root" { Some(&authority.root) } else { authority.issuers.get(id).map(|issuer| &issuer.certificate) };
    match found {
        Some(certificate) => typed("application/pkix-cert", certificate.der().to_vec()),
        None => (StatusCode::NOT_FOUND, "there is no such authority\n").into_response(),
    }
}

/// Attributes of a search (RFC 4387 section 2.1).
#[derive(Deserialize)]
struct Search {
    /// Base64 of the SHA-1 key identifier.
    #[serde(rename = "sKIDHash")]
    key_identifier: Option<String>,
}

async fn search(State(authority): Role, Query(asked): Query<Search>) -> Response {
    use base64::Engine;
    let Some(text) = asked.key_identifier else {
        return (StatusCode::BAD_REQUEST, "sKIDHash is expected (RFC 4387 section 2.1)\n").into_response();
    };
    // '+' arrives as a space when it was not escaped.
    let Ok(octets) = base64::engine::general_purpose::STANDARD.decode(text.replace(' ', "+")) else {
        return (StatusCode::BAD_REQUEST, "sKIDHash is not base64\n").into_response();
    };
    let row = async {
        let mut connection = authority.database.pool().acquire().await?;
        store::certificate_by(&mut connection, "key_identifier", &hex::encode(octets)).await
    };
    found(row.await)
}

async fn certificate(State(authority): Role, Path((issuer, serial)): Path<(String, String)>) -> Response {
    let candidates = match Serial::candidates(&serial) {
        Ok(candidates) => candidates,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    };
    for candidate in candidates {
        let row = async {
            let mut connection = authority.database.pool().acquire().await?;
            store::certificate(&mut connection, &issuer, &candidate.hexadecimal()).await
        };
        match row.await {
            Ok(None) => {}
            other => return found(other),
        }
    }
    found(Ok(None))
}

fn found(row: Result<Option<store::CertificateRow>, sqlx::Error>) -> Response {
    match row {
        Ok(Some(store::CertificateRow { der: Some(der), state, serial, issuer, .. })) => (
            [(header::CONTENT_TYPE, "application/pkix-cert".to_owned())],
            [("x-obnova-state", state), ("x-obnova-certificate", format!("{issuer} {serial}"))],
            der,
        )
            .into_response(),
        Ok(_) => (StatusCode::NOT_FOUND, "there is no such certificate\n").into_response(),
        Err(error) => unavailable(error),
    }
}
