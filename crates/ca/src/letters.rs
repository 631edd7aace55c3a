//! Letters of the authority, in the applicant's language.

use obnova_serve::mail;
use obnova_texts::{Language, Texts};
use sqlx::AnyConnection;

use crate::store::ApplicantRow;

/// Writes one letter into the outbox; `what` chooses the texts `mail-WHAT-subject` and `mail-WHAT-body`.
pub(crate) async fn write(
    connection: &mut AnyConnection,
    id: &str,
    what: &str,
    applicant: &ApplicantRow,
    arguments: &[(&str, &str)],
    now: i64,
) -> Result<(), sqlx::Error> {
    let texts = Texts::new(Language::from_tag(&applicant.language).unwrap_or(Language::Czech));
    let name = format!("{} {}", applicant.person.given_name, applicant.person.surname);
    let mut all = vec![("name", name.as_str()), ("organisation", &applicant.person.organisation)];
    all.extend_from_slice(arguments);
    let subject = texts.get(&format!("mail-{what}-subject"), &all);
    let body = texts.get(&format!("mail-{what}-body"), &all);
    mail::put(connection, id, &applicant.person.email, &subject, &body, now).await
}
