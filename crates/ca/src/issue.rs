//! Record, sign, publish, notify: no signature without a committed record, no serial number twice.

use std::time::Duration;

use obnova_crypto::Primitives;
use obnova_lifecycle::issuance::{Verdict, authorize};
use obnova_pki::certificate::{key_identifier, sign};
use obnova_pki::crl::{self, Reason, Revoked};
use obnova_pki::{Certificate, Serial};
use obnova_serve::clock::{from_seconds, seconds};
use obnova_serve::database::is_duplicate;
use obnova_serve::{ServeError, audit};
use sqlx::{AnyConnection, Row};

use crate::authority::Authority;
use crate::ceremony::fresh_serial;
use crate::letters::Letter;
use crate::profile::{self, Profile};
use crate::store::{self, RequestRow};

/// How long a list is good for.
const CRL_TERM: Duration = Duration::from_secs(24 * 3600);

/// Why a certificate was not revoked.
#[derive(Debug)]
pub enum RevokeError {
    /// There is no such certificate here.
    Unknown,
    /// It was revoked before.
    Already,
    /// The database or the key failed.
    Failed(ServeError),
}

impl From<sqlx::Error> for RevokeError {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl core::fmt::Display for RevokeError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Unknown => f.write_str("there is no such certificate here"),
            Self::Already => f.write_str("it was revoked before"),
            Self::Failed(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for RevokeError {}

/// A certificate as it will be signed; its record is committed first.
#[derive(Clone)]
pub(crate) struct Draft {
    pub(crate) issuer: &'static str,
    pub(crate) serial: Serial,
    tbs: Vec<u8>,
    key_hash: String,
    key_identity: String,
    key_identifier: String,
    /// The process that makes the record.
    owner: i64,
    starts: i64,
    ends: i64,
    request: String,
    applicant: String,
    profile: String,
    letter: Letter,
    settled: &'static str,
}

impl Draft {
    /// Writes the record, inside the transaction that takes or claims the request.
    pub(crate) async fn record(&self, connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
        sqlx::query(
            "INSERT INTO certificate (issuer, serial, applicant, profile, state, tbs, key_hash, \
             key_identifier, not_before, not_after, request, key_identity, owner) \
             VALUES ($1, $2, $3, $4, 'recorded', $5, $6, $7, $8, $9, $10, $11, $12)",
        )
        .bind(self.issuer)
        .bind(self.serial.hexadecimal())
        .bind(self.applicant.clone())
        .bind(self.profile.clone())
        .bind(self.tbs.clone())
        .bind(self.key_hash.clone())
        .bind(self.key_identifier.clone())
        .bind(self.starts)
        .bind(self.ends)
        .bind(self.request.clone())
        .bind(self.key_identity.clone())
        .bind(self.owner)
        .execute(connection)
        .await?;
        Ok(())
    }

    /// What the audit log says of the record.
    pub(crate) fn recorded(&self) -> String {
        format!("{} {} for request {}", self.issuer, self.serial.hexadecimal(), self.request)
    }
}

/// A signed certificate that leaves the process only after [`Signed::store`] was committed.
pub(crate) struct Signed {
    pub(crate) draft: Draft,
    pub(crate) certificate: Certificate,
}

impl Signed {
    /// Stores the certificate beside its record, and writes the letter about it.
    ///
    /// # Errors
    ///
    /// `RowNotFound` when the record was closed as abandoned meanwhile: then this signature never leaves.
    pub(crate) async fn store(&self, connection: &mut AnyConnection, now: i64) -> Result<(), sqlx::Error> {
        let draft = &self.draft;
        let hexadecimal = draft.serial.hexadecimal();
        let stored = sqlx::query(
            "UPDATE certificate SET state = 'issued', der = $1 WHERE issuer = $2 AND serial = $3 AND state = 'recorded'",
        )
        .bind(self.certificate.der().to_vec())
        .bind(draft.issuer)
        .bind(hexadecimal.clone())
        .execute(&mut *connection)
        .await?;
        if stored.rows_affected() != 1 {
            return Err(sqlx::Error::RowNotFound);
        }
        store::set_request_state(connection, &draft.request, draft.settled).await?;
        audit::append(connection, now, "certificate-issued", &format!("{} {hexadecimal}", draft.issuer)).await?;
        draft.letter.put(connection, now).await
    }
}

/// What became of an approved request.
pub(crate) enum Claim {
    /// Its certificate, not stored yet.
    Signed(Box<Signed>),
    /// Its contract or debt speaks against it now.
    Refused,
    /// Another message of the same request is at it.
    Elsewhere,
}

/// The same inside the transaction that claims it.
enum Claimed {
    Here,
    Refused,
    Elsewhere,
}

async fn refuse_approved(
    connection: &mut AnyConnection,
    request: &str,
    reason: obnova_lifecycle::issuance::Reason,
    now: i64,
) -> Result<Claimed, sqlx::Error> {
    let refused = sqlx::query("UPDATE request SET state = 'refused', reason = $1 WHERE id = $2 AND state = 'approved'")
        .bind(reason.code())
        .bind(request.to_owned())
        .execute(&mut *connection)
        .await?;
    if refused.rows_affected() != 1 {
        return Ok(Claimed::Elsewhere);
    }
    audit::append(connection, now, "request-refused", &format!("{request} {}", reason.code())).await?;
    Ok(Claimed::Refused)
}

/// Revokes a certificate inside a transaction; `false` when it was revoked before.
pub(crate) async fn revoke_row(
    connection: &mut AnyConnection,
    issuer: &str,
    serial: &Serial,
    reason: Reason,
    now: i64,
) -> Result<bool, sqlx::Error> {
    let hexadecimal = serial.hexadecimal();
    let revoked = sqlx::query(
        "UPDATE certificate SET state = 'revoked', revoked_at = $1, reason = $2 \
         WHERE issuer = $3 AND serial = $4 AND state NOT IN ('revoked', 'abandoned')",
    )
    .bind(now)
    .bind(i64::from(reason as u32))
    .bind(issuer.to_owned())
    .bind(hexadecimal.clone())
    .execute(&mut *connection)
    .await?;
    if revoked.rows_affected() == 0 {
        return Ok(false);
    }
    let detail = format!("{issuer} {hexadecimal} reason {}", reason as u32);
    audit::append(connection, now, "certificate-revoked", &detail).await?;
    Ok(true)
}

impl Authority {
    /// Drafts the certificate of a request under a fresh serial number, for the person as they were when it was asked for.
    ///
    /// # Errors
    ///
    /// [`ServeError`] when the profile or the person's data do not make a certificate, and after the issuer's own end.
    pub(crate) fn draft(&self, request: &RequestRow) -> Result<Draft, ServeError> {
        let profile = Profile::from_name(&request.profile)
            .ok_or_else(|| ServeError::new("profile", format!("{} is not known", request.profile)))?;
        let person = request.person.as_ref().ok_or_else(|| ServeError::new("request", "names nobody"))?;
        let issuer = self.issuer(profile.issuer())?;
        let now = self.clock.now();
        if now > issuer.certificate.not_after() {
            return Err(ServeError::new(issuer.id, "this authority's own certificate has ended; it signs nothing"));
        }
        let wrong = |error: obnova_pki::FormatError| ServeError::new("certificate", error);
        let serial = fresh_serial();
        let mut made = profile::person(
            profile,
            person,
            &request.public_key,
            serial.clone(),
            &issuer.side(&self.config.published_at),
            now,
            &Primitives,
        )
        .map_err(wrong)?;
        // Nothing outlives whoever vouches for it.
        made.not_after = made.not_after.min(issuer.certificate.not_after());
        let (decimal, hexadecimal) = (serial.decimal(), serial.hexadecimal());
        let arguments = [("kind", issuer.id), ("decimal", decimal.as_str()), ("hexadecimal", hexadecimal.as_str())];
        let letter = Letter::new(format!("issued-{}-{hexadecimal}", issuer.id), "issued", person, &arguments);
        Ok(Draft {
            issuer: issuer.id,
            tbs: made.to_der().map_err(wrong)?,
            key_hash: Primitives.fingerprint(&request.public_key),
            key_identity: store::identity_of(&request.public_key),
            key_identifier: hex::encode(key_identifier(&request.public_key, &Primitives).map_err(wrong)?),
            owner: self.owner(),
            starts: seconds(made.not_before),
            ends: seconds(made.not_after),
            serial,
            request: request.id.clone(),
            applicant: request.applicant.clone(),
            profile: request.profile.clone(),
            letter,
            settled: if request.implicit_confirm { "confirmed" } else { "issued" },
        })
    }

    /// Signs a draft whose record is committed.
    ///
    /// # Errors
    ///
    /// [`ServeError`] of the key; the record is then closed, and the request can be issued later.
    pub(crate) async fn sign(&self, draft: Draft) -> Result<Signed, ServeError> {
        match sign(&draft.tbs, &self.issuer(draft.issuer)?.key) {
            Ok(certificate) => Ok(Signed { draft, certificate }),
            Err(error) => {
                self.give_back(&draft).await?;
                Err(ServeError::new("signing", error))
            }
        }
    }

    /// Issues the certificate of a request that a person approved: claims it, asks once more for debt and contract,
    /// commits the record, signs. What was approved is what is certified: the person's data are those of the request.
    ///
    /// # Errors
    ///
    /// [`ServeError`]; the request stays approved and can be issued later.
    pub(crate) async fn issue(&self, request: &RequestRow) -> Result<Claim, ServeError> {
        let now = self.now_seconds();
        let profile = Profile::from_name(&request.profile)
            .ok_or_else(|| ServeError::new("profile", format!("{} is not known", request.profile)))?;
        let mut request = request.clone();
        if request.person.is_none() {
            // Version 0.1.0 kept no person with a request.
            let mut connection = self.database.pool().acquire().await?;
            let applicant = store::applicant(&mut connection, &request.applicant, now).await?;
            request.person = applicant.map(|applicant| applicant.person);
        }
        loop {
            let draft = self.draft(&request)?;
            let claimed: Result<Claimed, sqlx::Error> = self
                .database
                .write(|connection| {
                    let draft = draft.clone();
                    Box::pin(async move {
                        let applicant = store::applicant(connection, &draft.applicant, now).await?;
                        let mut facts = applicant.map(|applicant| applicant.facts).unwrap_or_default();
                        facts.three_years = profile.three_years;
                        if let Verdict::Refuse(reason) = authorize(&facts) {
                            return refuse_approved(connection, &draft.request, reason, now).await;
                        }
                        // Of two answers to the same request at the same time, one signs.
                        let claimed = sqlx::query(
                            "UPDATE request SET state = 'signing', issuer = $1, serial = $2 \
                             WHERE id = $3 AND state = 'approved'",
                        )
                        .bind(draft.issuer)
                        .bind(draft.serial.hexadecimal())
                        .bind(draft.request.clone())
                        .execute(&mut *connection)
                        .await?;
                        if claimed.rows_affected() != 1 {
                            return Ok(Claimed::Elsewhere);
                        }
                        draft.record(connection).await?;
                        audit::append(connection, now, "certificate-recorded", &draft.recorded()).await?;
                        Ok(Claimed::Here)
                    })
                })
                .await;
            match claimed {
                Ok(Claimed::Here) => return Ok(Claim::Signed(Box::new(self.sign(draft).await?))),
                Ok(Claimed::Elsewhere) => return Ok(Claim::Elsewhere),
                Ok(Claimed::Refused) => return Ok(Claim::Refused),
                // A serial number that exists already is drawn again.
                Err(error) if is_duplicate(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Closes a record whose signature was not stored, and lets its request be issued under another number.
    ///
    /// # Errors
    ///
    /// [`ServeError`] of the database.
    pub(crate) async fn give_back(&self, draft: &Draft) -> Result<(), ServeError> {
        let serial = draft.serial.hexadecimal();
        self.close_record(draft.issuer, &serial, &draft.request, self.now_seconds()).await.map(drop)
    }

    /// Closes what a crash left between record and signature: such a serial number is listed as revoked and
    /// never signed again; its request is issued anew under another number. Records of other processes that are still
    /// running are left alone.
    ///
    /// # Errors
    ///
    /// [`ServeError`] of the database.
    pub async fn recover(&self) -> Result<u64, ServeError> {
        let now = self.now_seconds();
        let rows = sqlx::query("SELECT issuer, serial, request, owner FROM certificate WHERE state = 'recorded'")
            .fetch_all(self.database.pool())
            .await?;
        let mut closed = 0;
        for row in rows {
            let (issuer, serial, request): (String, String, String) =
                (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            let owner: Option<i64> = row.try_get(3)?;
            if let Some(owner) = owner
                && self.database.is_running(owner).await?
            {
                continue;
            }
            closed += u64::from(self.close_record(&issuer, &serial, &request, now).await?);
        }
        Ok(closed)
    }

    /// Closes one record as abandoned; `false` when it was closed or signed before.
    async fn close_record(&self, issuer: &str, serial: &str, request: &str, now: i64) -> Result<bool, ServeError> {
        self.database
            .write(|connection| {
                let (issuer, serial, request) = (issuer.to_owned(), serial.to_owned(), request.to_owned());
                Box::pin(async move {
                    let closed = sqlx::query(
                        "UPDATE certificate SET state = 'abandoned', revoked_at = $1, reason = 5 \
                         WHERE issuer = $2 AND serial = $3 AND state = 'recorded'",
                    )
                    .bind(now)
                    .bind(issuer.clone())
                    .bind(serial.clone())
                    .execute(&mut *connection)
                    .await?;
                    if closed.rows_affected() == 0 {
                        return Ok(false);
                    }
                    sqlx::query(
                        "UPDATE request SET state = 'approved', issuer = NULL, serial = NULL \
                         WHERE id = $1 AND state = 'signing' AND serial = $2",
                    )
                    .bind(request)
                    .bind(serial.clone())
                    .execute(&mut *connection)
                    .await?;
                    audit::append(connection, now, "certificate-abandoned", &format!("{issuer} {serial}")).await?;
                    Ok(true)
                })
            })
            .await
            .map_err(|error: sqlx::Error| error.into())
    }

    /// Revokes a certificate and makes a new list before it answers.
    ///
    /// # Errors
    ///
    /// [`RevokeError`].
    pub async fn revoke(&self, issuer: &str, serial: &Serial, reason: Reason) -> Result<(), RevokeError> {
        let now = self.now_seconds();
        let issuer_id = issuer.to_owned();
        let outcome = self
            .database
            .write(|connection| {
                let (issuer, serial) = (issuer_id.clone(), serial.clone());
                Box::pin(async move {
                    let known = store::certificate(connection, &issuer, &serial.hexadecimal()).await?;
                    known.ok_or(RevokeError::Unknown)?;
                    match revoke_row(connection, &issuer, &serial, reason, now).await? {
                        true => Ok(()),
                        false => Err(RevokeError::Already),
                    }
                })
            })
            .await;
        match outcome {
            Ok(()) => self.publish_crl(issuer).await.map_err(RevokeError::Failed),
            Err(RevokeError::Already) => {
                self.publish_revoked(issuer, serial).await.map_err(RevokeError::Failed)?;
                Err(RevokeError::Already)
            }
            Err(error) => Err(error),
        }
    }

    /// Signs a new list where the current one is older than a revocation: a crash may have come between the two.
    ///
    /// # Errors
    ///
    /// [`ServeError`].
    pub(crate) async fn publish_revoked(&self, issuer: &str, serial: &Serial) -> Result<(), ServeError> {
        let row = sqlx::query(
            "SELECT 1 FROM certificate c JOIN crl l ON l.issuer = c.issuer \
             WHERE c.issuer = $1 AND c.serial = $2 AND c.revoked_at < l.this_update",
        )
        .bind(issuer.to_owned())
        .bind(serial.hexadecimal())
        .fetch_optional(self.database.pool())
        .await?;
        match row {
            Some(_) => Ok(()),
            None => self.publish_crl(issuer).await,
        }
    }

    /// Signs a new list of one issuer and stores it.
    ///
    /// # Errors
    ///
    /// [`ServeError`].
    pub async fn publish_crl(&self, issuer: &str) -> Result<(), ServeError> {
        // Somebody else may take the number meanwhile; what they list may lack what we were called for.
        while !self.try_publish_crl(issuer).await? {}
        Ok(())
    }

    async fn try_publish_crl(&self, issuer: &str) -> Result<bool, ServeError> {
        let issuer = self.issuer(issuer)?;
        let now = self.clock.now();
        let id = issuer.id;
        if now > issuer.certificate.not_after() {
            return Err(ServeError::new(id, "this authority's own certificate has ended; it signs nothing"));
        }
        // Number and contents are read together, so a later number never lists less.
        let (number, rows): (i64, Vec<(String, i64, i64)>) = self
            .database
            .write(|connection| {
                Box::pin(async move {
                    let last = sqlx::query("SELECT number FROM crl WHERE issuer = $1")
                        .bind(id)
                        .fetch_optional(&mut *connection)
                        .await?;
                    let number = last.map_or(Ok(0), |row| row.try_get::<i64, _>(0))? + 1;
                    let rows = sqlx::query(
                        "SELECT serial, revoked_at, reason FROM certificate \
                         WHERE issuer = $1 AND revoked_at IS NOT NULL ORDER BY revoked_at, serial",
                    )
                    .bind(id)
                    .fetch_all(&mut *connection)
                    .await?;
                    let rows = rows
                        .iter()
                        .map(|row| {
                            Ok((row.try_get(0)?, row.try_get(1)?, row.try_get::<Option<i64>, _>(2)?.unwrap_or(0)))
                        })
                        .collect::<Result<_, sqlx::Error>>()?;
                    Ok::<_, sqlx::Error>((number, rows))
                })
            })
            .await?;
        let revoked = rows
            .into_iter()
            .map(|(serial, at, reason)| {
                let octets = hex::decode(&serial).map_err(|error| ServeError::new(&serial, error))?;
                Ok(Revoked {
                    serial: Serial::from_be_octets(&octets).map_err(|error| ServeError::new(&serial, error))?,
                    at: from_seconds(at),
                    reason: Reason::from_code(reason).unwrap_or(Reason::Unspecified),
                })
            })
            .collect::<Result<Vec<_>, ServeError>>()?;
        let der = crl::sign(
            issuer.certificate.subject(),
            &issuer.key_identifier,
            u64::try_from(number).unwrap_or(1),
            now,
            now + CRL_TERM,
            &revoked,
            &issuer.key,
        )
        .map_err(|error| ServeError::new("signing the list", error))?;
        let (this, next) = (seconds(now), seconds(now + CRL_TERM));
        let stored: u64 = self
            .database
            .write(|connection| {
                let der = der.clone();
                Box::pin(async move { store_crl(connection, id, number, der, this, next).await })
            })
            .await
            .map_err(|error: sqlx::Error| ServeError::from(error))?;
        Ok(stored == 1)
    }

    /// Keeps lists fresh and writes letters about coming ends, until the process ends.
    pub async fn keep_house(&self) {
        loop {
            for issuer in crate::ISSUERS {
                if let Err(error) = self.refresh_crl(issuer).await {
                    tracing::warn!(%error, issuer, "the revocation list was not renewed");
                }
            }
            if let Err(error) = self.write_notices().await {
                tracing::warn!(%error, "letters about coming ends were not written");
            }
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
    }

    async fn refresh_crl(&self, issuer: &str) -> Result<(), ServeError> {
        let row = sqlx::query("SELECT this_update, next_update FROM crl WHERE issuer = $1")
            .bind(issuer.to_owned())
            .fetch_optional(self.database.pool())
            .await?;
        if let Some(row) = row {
            let (this, next): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
            let now = self.now_seconds();
            // Half of its life, and never one from the future, as a clock that was set back would leave.
            if this <= now && now < this + (next - this) / 2 {
                return Ok(());
            }
        }
        self.publish_crl(issuer).await
    }

    async fn write_notices(&self) -> Result<(), ServeError> {
        let now = self.now_seconds();
        let mut days = self.config.notice_days.clone();
        days.sort_unstable();
        let Some(&first) = days.last() else { return Ok(()) };
        let rows = sqlx::query(
            "SELECT issuer, serial, applicant, not_after FROM certificate c WHERE state = 'issued' \
             AND not_after > $1 AND not_after <= $2 AND NOT EXISTS (SELECT 1 FROM certificate n \
             WHERE n.issuer = c.issuer AND n.applicant = c.applicant AND n.state = 'issued' AND n.not_after > c.not_after)",
        )
        .bind(now)
        .bind(now + i64::from(first) * 86_400)
        .fetch_all(self.database.pool())
        .await?;
        for row in rows {
            let (issuer, serial, applicant): (String, String, String) =
                (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            let left = (row.try_get::<i64, _>(3)? - now) / 86_400;
            let Some(step) = days.iter().find(|&&step| left <= i64::from(step)).copied() else { continue };
            self.database
                .write(|connection| {
                    let (issuer, serial, applicant) = (issuer.clone(), serial.clone(), applicant.clone());
                    Box::pin(async move {
                        let Some(applicant) = store::applicant(connection, &applicant, now).await? else {
                            return Ok(());
                        };
                        let left = left.to_string();
                        let arguments = [("kind", issuer.as_str()), ("days", left.as_str()), ("hexadecimal", &serial)];
                        let letter = format!("expiring-{issuer}-{serial}-{step}");
                        Letter::new(letter, "expiring", &applicant.person, &arguments).put(connection, now).await
                    })
                })
                .await
                .map_err(|error: sqlx::Error| ServeError::from(error))?;
        }
        Ok(())
    }
}

async fn store_crl(
    connection: &mut AnyConnection,
    issuer: &'static str,
    number: i64,
    der: Vec<u8>,
    this: i64,
    next: i64,
) -> Result<u64, sqlx::Error> {
    // A list with a lower number never replaces a higher one.
    sqlx::query(
        "INSERT INTO crl (issuer, number, der, this_update, next_update) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (issuer) DO UPDATE SET number = excluded.number, der = excluded.der, \
         this_update = excluded.this_update, next_update = excluded.next_update WHERE crl.number < excluded.number",
    )
    .bind(issuer)
    .bind(number)
    .bind(der)
    .bind(this)
    .bind(next)
    .execute(connection)
    .await
    .map(|done| done.rows_affected())
}
