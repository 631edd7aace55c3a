//! The authority's yes or no, from the state of the contract (RFC 3647 section 4.4.2).

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Days of debt that still let a certificate be issued.
pub const DEBT_LIMIT_DAYS: i64 = 30;

/// Term of a certificate of one year: 385 days, a year and the usual overlap.
pub const ONE_YEAR: Duration = Duration::from_secs(385 * 86_400);

/// Term of a certificate of three years: 1115 days.
pub const THREE_YEARS: Duration = Duration::from_secs(1_115 * 86_400);

/// What the office knows when a certificate is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// There is a contract and the applicant stands on it.
    pub on_contract: bool,
    /// Days since the oldest unpaid invoice fell due; zero or less is no debt.
    pub debt_days: i64,
    /// The contract is paid in cash beforehand, and nothing is prepaid.
    pub cash: bool,
    /// Three years are asked for.
    pub three_years: bool,
    /// The contract allows three years.
    pub contract_three_years: bool,
    /// The applicant is allowed three years.
    pub applicant_three_years: bool,
    /// The applicant's entry is newer than the certificate and differs in this field.
    pub changed: Option<String>,
    /// Every request on this contract waits for a person.
    pub approval: bool,
    /// A qualified device is claimed and its certification has ended.
    pub device_ended: bool,
}

/// Why a request waits or is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// No contract, or the applicant is not on it.
    NoContract,
    /// An invoice is unpaid for more than 30 days.
    Debt,
    /// The contract is paid in cash and nothing is prepaid.
    Cash,
    /// The contract does not allow three years.
    ThreeYearsContract,
    /// The applicant is not allowed three years.
    ThreeYearsApplicant,
    /// The applicant's data changed.
    DataChanged,
    /// The contract wants a person's approval.
    Approval,
    /// The device is not certified any more.
    DeviceEnded,
    /// A clerk of the authority refused it.
    ByClerk,
    /// The predecessor has ended.
    PredecessorExpired,
    /// The predecessor was revoked.
    PredecessorRevoked,
    /// The renewal window is not open yet.
    TooEarly,
    /// Nobody knows this certificate here.
    UnknownPredecessor,
    /// A reason that this version does not know: the authority tells it.
    #[serde(other)]
    Other,
}

impl Reason {
    /// Stable code, also the key of its text (`reason-CODE`).
    pub fn code(self) -> &'static str {
        match self {
            Self::NoContract => "no-contract",
            Self::Debt => "debt",
            Self::Cash => "cash",
            Self::ThreeYearsContract => "three-years-contract",
            Self::ThreeYearsApplicant => "three-years-applicant",
            Self::DataChanged => "data-changed",
            Self::Approval => "approval",
            Self::DeviceEnded => "device-ended",
            Self::ByClerk => "by-clerk",
            Self::PredecessorExpired => "predecessor-expired",
            Self::PredecessorRevoked => "predecessor-revoked",
            Self::TooEarly => "too-early",
            Self::UnknownPredecessor => "unknown-predecessor",
            Self::Other => "other",
        }
    }

    /// Who can mend it.
    pub fn who(self) -> Actor {
        match self {
            Self::NoContract | Self::Debt | Self::Cash | Self::ThreeYearsContract | Self::ThreeYearsApplicant => {
                Actor::AuthorisedPerson
            }
            Self::DataChanged | Self::Approval | Self::ByClerk | Self::UnknownPredecessor | Self::Other => {
                Actor::Authority
            }
            Self::DeviceEnded | Self::PredecessorExpired | Self::PredecessorRevoked => Actor::Holder,
            Self::TooEarly => Actor::Nobody,
        }
    }
}

/// Who must act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Actor {
    /// The holder of the certificate.
    Holder,
    /// The organisation's authorised person at the authority.
    AuthorisedPerson,
    /// The organisation's local administrator in the identity space.
    LocalAdministrator,
    /// A clerk of the authority.
    Authority,
    /// Time alone.
    Nobody,
    /// Somebody that this version does not know: the authority tells who.
    #[serde(other)]
    Other,
}

/// The answer, before a key is made and again when the request comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", content = "reason", rename_all = "kebab-case", from = "Answer")]
pub enum Verdict {
    /// It will be issued.
    Issue,
    /// A person must look at it first.
    Wait(Reason),
    /// It will not be issued as things stand.
    Refuse(Reason),
    /// An answer that this version does not know: only asking for the certificate tells.
    Other,
}

/// An answer as it is read; what comes with one that is not known may have any form.
#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    Known(Known),
    Other(serde::de::IgnoredAny),
}

#[derive(Deserialize)]
#[serde(tag = "answer", content = "reason", rename_all = "kebab-case")]
enum Known {
    Issue,
    Wait(Reason),
    Refuse(Reason),
}

impl From<Answer> for Verdict {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Known(Known::Issue) => Self::Issue,
            Answer::Known(Known::Wait(reason)) => Self::Wait(reason),
            Answer::Known(Known::Refuse(reason)) => Self::Refuse(reason),
            Answer::Other(_) => Self::Other,
        }
    }
}

/// Decides by the facts; the hardest obstacle is named.
pub fn authorize(facts: &Facts) -> Verdict {
    if !facts.on_contract {
        return Verdict::Refuse(Reason::NoContract);
    }
    if facts.debt_days > DEBT_LIMIT_DAYS {
        return Verdict::Refuse(Reason::Debt);
    }
    if facts.cash {
        return Verdict::Refuse(Reason::Cash);
    }
    if facts.device_ended {
        return Verdict::Refuse(Reason::DeviceEnded);
    }
    if facts.three_years && !facts.contract_three_years {
        return Verdict::Refuse(Reason::ThreeYearsContract);
    }
    if facts.three_years && !facts.applicant_three_years {
        return Verdict::Refuse(Reason::ThreeYearsApplicant);
    }
    if facts.changed.is_some() {
        return Verdict::Wait(Reason::DataChanged);
    }
    if facts.approval {
        return Verdict::Wait(Reason::Approval);
    }
    Verdict::Issue
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Facts {
        Facts { on_contract: true, ..Facts::default() }
    }

    #[test]
    fn what_a_newer_authority_says_is_no_error() {
        let read = |text: &str| serde_json::from_str::<Verdict>(text).unwrap();
        assert_eq!(read(r#"{"answer":"wait","reason":"payment"}"#), Verdict::Wait(Reason::Other));
        assert_eq!(read(r#"{"answer":"refuse","reason":"payment"}"#), Verdict::Refuse(Reason::Other));
        assert_eq!(read(r#"{"answer":"issue-tomorrow"}"#), Verdict::Other);
        assert_eq!(read(r#"{"answer":"ask","reason":"debt"}"#), Verdict::Other);
        assert_eq!(read(r#"{"answer":"ask","reason":{"whom":["desk",2]}}"#), Verdict::Other);
        assert_eq!(read(r#"{"answer":"issue"}"#), Verdict::Issue);
        assert_eq!(serde_json::from_str::<Actor>(r#""desk""#).unwrap(), Actor::Other);
        assert_eq!(serde_json::from_str::<Reason>(r#""debt""#).unwrap(), Reason::Debt);
    }

    #[test]
    fn each_fact_decides() {
        assert_eq!(authorize(&good()), Verdict::Issue);
        assert_eq!(authorize(&Facts::default()), Verdict::Refuse(Reason::NoContract));
        assert_eq!(authorize(&Facts { debt_days: 30, ..good() }), Verdict::Issue);
        assert_eq!(authorize(&Facts { debt_days: 31, ..good() }), Verdict::Refuse(Reason::Debt));
        assert_eq!(authorize(&Facts { cash: true, ..good() }), Verdict::Refuse(Reason::Cash));
        assert_eq!(authorize(&Facts { approval: true, ..good() }), Verdict::Wait(Reason::Approval));
        assert_eq!(authorize(&Facts { changed: Some("surname".into()), ..good() }), Verdict::Wait(Reason::DataChanged));
        let three = Facts { three_years: true, ..good() };
        assert_eq!(authorize(&three), Verdict::Refuse(Reason::ThreeYearsContract));
        let three = Facts { contract_three_years: true, ..three };
        assert_eq!(authorize(&three), Verdict::Refuse(Reason::ThreeYearsApplicant));
        assert_eq!(authorize(&Facts { applicant_three_years: true, ..three }), Verdict::Issue);
        // The debt is named even where a clerk would look at it anyway.
        assert_eq!(authorize(&Facts { approval: true, debt_days: 90, ..good() }), Verdict::Refuse(Reason::Debt));
    }
}
