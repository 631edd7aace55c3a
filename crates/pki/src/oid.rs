//! Object identifiers, by the names that their standards give them.

use der::asn1::ObjectIdentifier;

macro_rules! oids {
    ($($(#[$doc:meta])* $name:ident = $dotted:literal;)*) => {
        $($(#[$doc])* pub const $name: ObjectIdentifier = ObjectIdentifier::new_unwrap($dotted);)*
    };
}

oids! {
    /// rsaEncryption (RFC 8017).
    RSA_ENCRYPTION = "1.2.840.113549.1.1.1";
    /// id-RSASSA-PSS (RFC 8017).
    RSASSA_PSS = "1.2.840.113549.1.1.10";
    /// sha256WithRSAEncryption (RFC 8017).
    SHA256_WITH_RSA = "1.2.840.113549.1.1.11";
    /// sha384WithRSAEncryption (RFC 8017).
    SHA384_WITH_RSA = "1.2.840.113549.1.1.12";
    /// sha512WithRSAEncryption (RFC 8017).
    SHA512_WITH_RSA = "1.2.840.113549.1.1.13";
    /// id-ecPublicKey (RFC 5480).
    EC_PUBLIC_KEY = "1.2.840.10045.2.1";
    /// secp256r1 (RFC 5480).
    P256 = "1.2.840.10045.3.1.7";
    /// secp384r1 (RFC 5480).
    P384 = "1.3.132.0.34";
    /// ecdsa-with-SHA256 (RFC 5758).
    ECDSA_SHA256 = "1.2.840.10045.4.3.2";
    /// ecdsa-with-SHA384 (RFC 5758).
    ECDSA_SHA384 = "1.2.840.10045.4.3.3";
    /// ecdsa-with-SHA512 (RFC 5758).
    ECDSA_SHA512 = "1.2.840.10045.4.3.4";
    /// id-sha1 (RFC 8017).
    SHA1 = "1.3.14.3.2.26";
    /// id-sha256 (RFC 8017).
    SHA256 = "2.16.840.1.101.3.4.2.1";
    /// id-sha384 (RFC 8017).
    SHA384 = "2.16.840.1.101.3.4.2.2";
    /// id-sha512 (RFC 8017).
    SHA512 = "2.16.840.1.101.3.4.2.3";
    /// hmacWithSHA1 (RFC 8018).
    HMAC_SHA1 = "1.2.840.113549.2.7";
    /// HMAC-SHA1 as CMP writes it (RFC 9481 section 6.2.1).
    HMAC_SHA1_IPSEC = "1.3.6.1.5.5.8.1.2";
    /// hmacWithSHA256 (RFC 8018).
    HMAC_SHA256 = "1.2.840.113549.2.9";
    /// hmacWithSHA384 (RFC 8018).
    HMAC_SHA384 = "1.2.840.113549.2.10";
    /// hmacWithSHA512 (RFC 8018).
    HMAC_SHA512 = "1.2.840.113549.2.11";
    /// id-PasswordBasedMac (RFC 9481 section 6.1.1).
    PASSWORD_BASED_MAC = "1.2.840.113533.7.66.13";
    /// id-it-implicitConfirm (RFC 9810 section 5.1.1.1).
    IMPLICIT_CONFIRM = "1.3.6.1.5.5.7.4.13";
    /// id-it-confirmWaitTime (RFC 9810 section 5.1.1.2).
    CONFIRM_WAIT_TIME = "1.3.6.1.5.5.7.4.14";
    /// id-it-caCerts (RFC 9810 section 5.3.19.14).
    IT_CA_CERTS = "1.3.6.1.5.5.7.4.17";
    /// id-it-signKeyPairTypes (RFC 9810 section 5.3.19.2).
    IT_SIGN_KEY_PAIR_TYPES = "1.3.6.1.5.5.7.4.2";
    /// id-it-certProfile (RFC 9810 section 5.1.1.4).
    IT_CERT_PROFILE = "1.3.6.1.5.5.7.4.21";
    /// id-regCtrl-oldCertID (RFC 4211 section 6.5).
    OLD_CERT_ID = "1.3.6.1.5.5.7.5.1.5";
    /// commonName (X.520).
    COMMON_NAME = "2.5.4.3";
    /// surname (X.520).
    SURNAME = "2.5.4.4";
    /// serialNumber of a person or device (X.520).
    SERIAL_NUMBER = "2.5.4.5";
    /// countryName (X.520).
    COUNTRY = "2.5.4.6";
    /// localityName (X.520).
    LOCALITY = "2.5.4.7";
    /// organizationName (X.520).
    ORGANIZATION = "2.5.4.10";
    /// organizationalUnitName (X.520).
    ORGANIZATIONAL_UNIT = "2.5.4.11";
    /// givenName (X.520).
    GIVEN_NAME = "2.5.4.42";
    /// organizationIdentifier (X.520, EN 319 412-1).
    ORGANIZATION_IDENTIFIER = "2.5.4.97";
    /// emailAddress (RFC 5280 section 4.1.2.6, legacy).
    EMAIL_ADDRESS = "1.2.840.113549.1.9.1";
    /// subjectKeyIdentifier (RFC 5280 section 4.2.1.2).
    SUBJECT_KEY_IDENTIFIER = "2.5.29.14";
    /// keyUsage (RFC 5280 section 4.2.1.3).
    KEY_USAGE = "2.5.29.15";
    /// subjectAltName (RFC 5280 section 4.2.1.6).
    SUBJECT_ALT_NAME = "2.5.29.17";
    /// basicConstraints (RFC 5280 section 4.2.1.9).
    BASIC_CONSTRAINTS = "2.5.29.19";
    /// deltaCRLIndicator (RFC 5280).
    DELTA_CRL_INDICATOR = "2.5.29.27";
    /// issuingDistributionPoint (RFC 5280).
    ISSUING_DISTRIBUTION_POINT = "2.5.29.28";
    /// certificateIssuer (RFC 5280).
    CERTIFICATE_ISSUER = "2.5.29.29";
    /// issuerAltName (RFC 5280).
    ISSUER_ALT_NAME = "2.5.29.18";
    /// nameConstraints (RFC 5280).
    NAME_CONSTRAINTS = "2.5.29.30";
    /// policyMappings (RFC 5280).
    POLICY_MAPPINGS = "2.5.29.33";
    /// policyConstraints (RFC 5280).
    POLICY_CONSTRAINTS = "2.5.29.36";
    /// inhibitAnyPolicy (RFC 5280).
    INHIBIT_ANY_POLICY = "2.5.29.54";
    /// cRLNumber (RFC 5280 section 5.2.3).
    CRL_NUMBER = "2.5.29.20";
    /// reasonCode (RFC 5280 section 5.3.1).
    REASON_CODE = "2.5.29.21";
    /// cRLDistributionPoints (RFC 5280 section 4.2.1.13).
    CRL_DISTRIBUTION_POINTS = "2.5.29.31";
    /// certificatePolicies (RFC 5280 section 4.2.1.4).
    CERTIFICATE_POLICIES = "2.5.29.32";
    /// anyPolicy (RFC 5280 section 4.2.1.4).
    ANY_POLICY = "2.5.29.32.0";
    /// authorityKeyIdentifier (RFC 5280 section 4.2.1.1).
    AUTHORITY_KEY_IDENTIFIER = "2.5.29.35";
    /// extKeyUsage (RFC 5280 section 4.2.1.12).
    EXTENDED_KEY_USAGE = "2.5.29.37";
    /// authorityInfoAccess (RFC 5280 section 4.2.2.1).
    AUTHORITY_INFO_ACCESS = "1.3.6.1.5.5.7.1.1";
    /// qcStatements (RFC 3739 section 3.2.6).
    QC_STATEMENTS = "1.3.6.1.5.5.7.1.3";
    /// id-ad-caIssuers (RFC 5280 section 4.2.2.1).
    AD_CA_ISSUERS = "1.3.6.1.5.5.7.48.2";
    /// id-kp-serverAuth (RFC 5280 section 4.2.1.12).
    KP_SERVER_AUTH = "1.3.6.1.5.5.7.3.1";
    /// id-kp-clientAuth (RFC 5280 section 4.2.1.12).
    KP_CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";
    /// id-kp-emailProtection (RFC 5280 section 4.2.1.12).
    KP_EMAIL_PROTECTION = "1.3.6.1.5.5.7.3.4";
    /// id-kp-cmcRA (RFC 6402 section 2.10), here: may protect CMP answers.
    KP_CMC_RA = "1.3.6.1.5.5.7.3.28";
    /// id-kp-cmcCA (RFC 6402 section 2.10), here: may protect CMP answers.
    KP_CMC_CA = "1.3.6.1.5.5.7.3.27";
    /// id-kp-documentSigning (RFC 9336).
    KP_DOCUMENT_SIGNING = "1.3.6.1.5.5.7.3.36";
    /// esi4-qcStatement-1, QcCompliance (EN 319 412-5 section 4.2.1).
    QC_COMPLIANCE = "0.4.0.1862.1.1";
    /// esi4-qcStatement-4, QcSSCD (EN 319 412-5 section 4.2.2).
    QC_SSCD = "0.4.0.1862.1.4";
    /// esi4-qcStatement-5, QcPDS (EN 319 412-5 section 4.3.4).
    QC_PDS = "0.4.0.1862.1.5";
    /// esi4-qcStatement-6, QcType (EN 319 412-5 section 4.2.3).
    QC_TYPE = "0.4.0.1862.1.6";
    /// id-etsi-qct-esign (EN 319 412-5 section 4.2.3).
    QCT_ESIGN = "0.4.0.1862.1.6.1";
    /// QCP-n (EN 319 411-2 section 5.3).
    QCP_NATURAL = "0.4.0.194112.1.0";
    /// QCP-n-qscd (EN 319 411-2 section 5.3).
    QCP_NATURAL_QSCD = "0.4.0.194112.1.2";
    /// NCP (EN 319 411-1 section 5.3).
    NCP = "0.4.0.2042.1.1";
    /// id-data (RFC 5652 section 4).
    CMS_DATA = "1.2.840.113549.1.7.1";
    /// id-signedData (RFC 5652 section 5.1).
    CMS_SIGNED_DATA = "1.2.840.113549.1.7.2";
    /// contentType attribute (RFC 5652 section 11.1).
    ATTRIBUTE_CONTENT_TYPE = "1.2.840.113549.1.9.3";
    /// messageDigest attribute (RFC 5652 section 11.2).
    ATTRIBUTE_MESSAGE_DIGEST = "1.2.840.113549.1.9.4";
    /// signingTime attribute (RFC 5652 section 11.3).
    ATTRIBUTE_SIGNING_TIME = "1.2.840.113549.1.9.5";
    /// extensionRequest attribute (RFC 2985 section 5.4.2).
    EXTENSION_REQUEST = "1.2.840.113549.1.9.14";
}
