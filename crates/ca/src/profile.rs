//! What the certificates of each kind look like (RFC 5280, EN 319 412-2 and -5, EN 319 411-1 and -2).

use std::time::{Duration, SystemTime};

use der::asn1::{Ia5String, OctetString};
use obnova_lifecycle::issuance::{ONE_YEAR, THREE_YEARS};
use obnova_pki::certificate::{Extension, ToBeSigned, extension, key_identifier, raw_extension};
use obnova_pki::{FormatError, Name, Serial, SignatureAlgorithm, Verifier, oid, qualified};
use serde::{Deserialize, Serialize};
use x509_cert::ext::pkix::certpolicy::PolicyInformation;
use x509_cert::ext::pkix::crl::dp::DistributionPoint;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};
use x509_cert::ext::pkix::{
    AccessDescription, AuthorityInfoAccessSyntax, AuthorityKeyIdentifier, BasicConstraints, CertificatePolicies,
    CrlDistributionPoints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectAltName, SubjectKeyIdentifier,
};

/// A profile by its name, as `certProfile` of CMP and invitations carry it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Profile {
    pub(crate) kind: ProfileKind,
    pub(crate) three_years: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProfileKind {
    /// Qualified, the key on a qualified device.
    QualifiedDevice,
    /// Qualified, no device claimed.
    Qualified,
    /// Commercial.
    Commercial,
}

impl Profile {
    /// `qualified`, `qualified-device` or `commercial`, with `-3y` for three years.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        let (base, three_years) = match name.strip_suffix("-3y") {
            Some(base) => (base, true),
            None => (name, false),
        };
        let kind = match base {
            "qualified" => ProfileKind::Qualified,
            "qualified-device" => ProfileKind::QualifiedDevice,
            "commercial" => ProfileKind::Commercial,
            _ => return None,
        };
        Some(Self { kind, three_years })
    }

    /// Which authority issues it.
    pub(crate) fn issuer(self) -> &'static str {
        match self.kind {
            ProfileKind::Commercial => "commercial",
            ProfileKind::Qualified | ProfileKind::QualifiedDevice => "qualified",
        }
    }

    fn term(self) -> Duration {
        if self.three_years { THREE_YEARS } else { ONE_YEAR }
    }
}

/// Name of the profile that a certificate was issued by, without its term.
pub(crate) fn name_of(certificate: &obnova_pki::Certificate) -> &'static str {
    match certificate.kind() {
        obnova_pki::Kind::Qualified if certificate.claims_qualified_device() => "qualified-device",
        obnova_pki::Kind::Qualified => "qualified",
        _ => "commercial",
    }
}

/// The person that a certificate names, and the language of their letters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) given_name: String,
    pub(crate) surname: String,
    pub(crate) email: String,
    pub(crate) organisation: String,
    pub(crate) ico: String,
    pub(crate) language: String,
}

impl Person {
    /// The subject of this person's certificates (EN 319 412-2 section 4.2.4).
    pub(crate) fn subject(&self) -> Result<Name, FormatError> {
        Name::from_attributes(&[
            (oid::COUNTRY, "CZ"),
            (oid::ORGANIZATION_IDENTIFIER, &format!("NTRCZ-{}", self.ico)),
            (oid::ORGANIZATION, &self.organisation),
            (oid::COMMON_NAME, &format!("{} {}", self.given_name, self.surname)),
            (oid::SURNAME, &self.surname),
            (oid::GIVEN_NAME, &self.given_name),
            (oid::SERIAL_NUMBER, &self.id),
        ])
    }
}

/// The issuer's side of a certificate.
pub(crate) struct IssuerSide<'a> {
    pub(crate) name: &'a Name,
    pub(crate) id: &'a str,
    pub(crate) key_identifier: &'a [u8],
    pub(crate) algorithm: SignatureAlgorithm,
    pub(crate) published_at: &'a str,
}

fn uri(address: &str) -> Result<GeneralName, FormatError> {
    Ia5String::new(address)
        .map(GeneralName::UniformResourceIdentifier)
        .map_err(|error| FormatError::new("address", error.to_string()))
}

fn octets(bytes: &[u8]) -> Result<OctetString, FormatError> {
    OctetString::new(bytes).map_err(|error| FormatError::new("keyIdentifier", error.to_string()))
}

fn identifiers(subject: &[u8], issuer: &[u8]) -> Result<[Extension; 2], FormatError> {
    let authority = AuthorityKeyIdentifier {
        key_identifier: Some(octets(issuer)?),
        authority_cert_issuer: None,
        authority_cert_serial_number: None,
    };
    Ok([
        extension(oid::AUTHORITY_KEY_IDENTIFIER, false, &authority)?,
        extension(oid::SUBJECT_KEY_IDENTIFIER, false, &SubjectKeyIdentifier(octets(subject)?))?,
    ])
}

fn policies(ids: &[der::asn1::ObjectIdentifier]) -> Result<Extension, FormatError> {
    let list =
        ids.iter().map(|&policy_identifier| PolicyInformation { policy_identifier, policy_qualifiers: None }).collect();
    extension(oid::CERTIFICATE_POLICIES, false, &CertificatePolicies(list))
}

fn published(issuer: &str, base: &str) -> Result<[Extension; 2], FormatError> {
    let points = CrlDistributionPoints(vec![DistributionPoint {
        distribution_point: Some(DistributionPointName::FullName(vec![uri(&format!("{base}/crl/{issuer}.crl"))?])),
        reasons: None,
        crl_issuer: None,
    }]);
    let access = AuthorityInfoAccessSyntax(vec![AccessDescription {
        access_method: oid::AD_CA_ISSUERS,
        access_location: uri(&format!("{base}/ca/{issuer}.cer"))?,
    }]);
    Ok([
        extension(oid::CRL_DISTRIBUTION_POINTS, false, &points)?,
        extension(oid::AUTHORITY_INFO_ACCESS, false, &access)?,
    ])
}

/// notBefore a little in the past, for clocks that run behind.
const BACKDATE: Duration = Duration::from_secs(60);

/// The to-be-signed certificate of a person.
pub(crate) fn person(
    profile: Profile,
    person: &Person,
    public_key: &[u8],
    serial: Serial,
    issuer: &IssuerSide<'_>,
    now: SystemTime,
    verifier: &dyn Verifier,
) -> Result<ToBeSigned, FormatError> {
    let subject_id = key_identifier(public_key, verifier)?;
    let mut extensions = Vec::from(identifiers(&subject_id, issuer.key_identifier)?);
    match profile.kind {
        ProfileKind::Qualified | ProfileKind::QualifiedDevice => {
            let device = profile.kind == ProfileKind::QualifiedDevice;
            let policy = if device { oid::QCP_NATURAL_QSCD } else { oid::QCP_NATURAL };
            extensions.push(extension(oid::KEY_USAGE, true, &KeyUsage(KeyUsages::NonRepudiation.into()))?);
            extensions.push(policies(&[policy])?);
            let base = issuer.published_at.replacen("http://", "https://", 1);
            let (en, cs) = (format!("{base}/pds/en.pdf"), format!("{base}/pds/cs.pdf"));
            extensions.push(raw_extension(
                oid::QC_STATEMENTS,
                false,
                qualified::statements(device, &[(&en, "en"), (&cs, "cs")])?,
            )?);
        }
        ProfileKind::Commercial => {
            let usage = KeyUsages::DigitalSignature | KeyUsages::KeyEncipherment;
            // An elliptic-curve key cannot encipher a key (RFC 5480 section 3).
            let usage = match obnova_pki::KeyKind::of(public_key)? {
                obnova_pki::KeyKind::Rsa(_) => usage,
                _ => KeyUsages::DigitalSignature.into(),
            };
            extensions.push(extension(oid::KEY_USAGE, true, &KeyUsage(usage))?);
            let purposes = ExtendedKeyUsage(vec![oid::KP_CLIENT_AUTH, oid::KP_EMAIL_PROTECTION]);
            extensions.push(extension(oid::EXTENDED_KEY_USAGE, false, &purposes)?);
            extensions.push(policies(&[oid::NCP])?);
            let address =
                Ia5String::new(&person.email).map_err(|error| FormatError::new("email", error.to_string()))?;
            let names = SubjectAltName(vec![GeneralName::Rfc822Name(address)]);
            extensions.push(extension(oid::SUBJECT_ALT_NAME, false, &names)?);
        }
    }
    extensions.extend(published(issuer.id, issuer.published_at)?);
    Ok(ToBeSigned {
        serial,
        algorithm: issuer.algorithm,
        issuer: issuer.name.clone(),
        not_before: now - BACKDATE,
        not_after: now + profile.term(),
        subject: person.subject()?,
        public_key: public_key.to_vec(),
        extensions,
    })
}

/// What the certificates of the house itself are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HouseKind {
    /// A root.
    Root,
    /// An issuing authority.
    Issuing,
    /// Signs CMP replies.
    ReplySigner,
    /// TLS server.
    Tls,
}

/// A certificate of the house itself.
pub(crate) struct House<'a> {
    pub(crate) kind: HouseKind,
    pub(crate) subject: &'a Name,
    pub(crate) hosts: &'a [String],
    pub(crate) public_key: &'a [u8],
    pub(crate) serial: Serial,
    pub(crate) term: Duration,
}

/// The to-be-signed certificate of an authority or a service.
pub(crate) fn house(
    house: &House<'_>,
    issuer: &IssuerSide<'_>,
    now: SystemTime,
    verifier: &dyn Verifier,
) -> Result<ToBeSigned, FormatError> {
    let own = key_identifier(house.public_key, verifier)?;
    let [authority_id, subject_id] = identifiers(&own, issuer.key_identifier)?;
    let mut extensions = Vec::new();
    if house.kind != HouseKind::Root {
        extensions.push(authority_id);
    }
    extensions.push(subject_id);
    match house.kind {
        HouseKind::Root | HouseKind::Issuing => {
            let path_len_constraint = (house.kind == HouseKind::Issuing).then_some(0);
            extensions.push(extension(
                oid::BASIC_CONSTRAINTS,
                true,
                &BasicConstraints { ca: true, path_len_constraint },
            )?);
            extensions.push(extension(oid::KEY_USAGE, true, &KeyUsage(KeyUsages::KeyCertSign | KeyUsages::CRLSign))?);
        }
        HouseKind::ReplySigner | HouseKind::Tls => {
            extensions.push(extension(oid::KEY_USAGE, true, &KeyUsage(KeyUsages::DigitalSignature.into()))?);
        }
    }
    match house.kind {
        HouseKind::Issuing => extensions.push(policies(&[oid::ANY_POLICY])?),
        HouseKind::ReplySigner => {
            extensions.push(extension(oid::EXTENDED_KEY_USAGE, false, &ExtendedKeyUsage(vec![oid::KP_CMC_CA]))?);
        }
        HouseKind::Tls => {
            extensions.push(extension(oid::EXTENDED_KEY_USAGE, false, &ExtendedKeyUsage(vec![oid::KP_SERVER_AUTH]))?);
            let names = house
                .hosts
                .iter()
                .map(|host| match host.parse::<std::net::IpAddr>() {
                    Ok(std::net::IpAddr::V4(ip)) => octets(&ip.octets()).map(GeneralName::IpAddress),
                    Ok(std::net::IpAddr::V6(ip)) => octets(&ip.octets()).map(GeneralName::IpAddress),
                    Err(_) => Ia5String::new(host)
                        .map(GeneralName::DnsName)
                        .map_err(|error| FormatError::new("host", error.to_string())),
                })
                .collect::<Result<Vec<_>, _>>()?;
            extensions.push(extension(oid::SUBJECT_ALT_NAME, false, &SubjectAltName(names))?);
        }
        HouseKind::Root => {}
    }
    if house.kind == HouseKind::Issuing {
        extensions.extend(published(issuer.id, issuer.published_at)?);
    }
    Ok(ToBeSigned {
        serial: house.serial.clone(),
        algorithm: issuer.algorithm,
        issuer: issuer.name.clone(),
        not_before: now - BACKDATE,
        not_after: now + house.term,
        subject: house.subject.clone(),
        public_key: house.public_key.to_vec(),
        extensions,
    })
}
