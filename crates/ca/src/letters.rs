//! Letters of the authority, in the applicant's language.

use obnova_serve::mail;
use obnova_texts::{Language, Texts};
use sqlx::AnyConnection;

use crate::profile::Person;

/// A letter, ready for the outbox.
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    id: String,
    to: String,
    subject: String,
    body: String,
}

impl Letter {
    /// Words a letter; `what` chooses the texts `mail-WHAT-subject` and `mail-WHAT-body`.
    pub(crate) fn new(id: String, what: &str, person: &Person, arguments: &[(&str, &str)]) -> Self {
        let texts = Texts::new(Language::from_tag(&person.language).unwrap_or(Language::Czech));
        let name = format!("{} {}", person.given_name, person.surname);
        let mut all = vec![("name", name.as_str()), ("organisation", person.organisation.as_str())];
        all.extend_from_slice(arguments);
        Self {
            id,
            to: person.email.clone(),
            subject: texts.get(&format!("mail-{what}-subject"), &all),
            body: texts.get(&format!("mail-{what}-body"), &all),
        }
    }

    /// Puts it into the outbox.
    pub(crate) async fn put(&self, connection: &mut AnyConnection, now: i64) -> Result<(), sqlx::Error> {
        mail::put(connection, &self.id, &self.to, &self.subject, &self.body, now).await
    }
}
