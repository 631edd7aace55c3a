//! The device register: what is known of devices, their middleware, and key sizes that end, as a document; and the
//! rules that read it. Its dates are data, because they change (eIDAS certification, ETSI TS 119 312).

use obnova_pki::KeyKind;
use serde::Deserialize;

/// The register as it is written down.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceRegister {
    /// Day when its sources were read.
    pub read: String,
    /// Middleware and the names of its modules.
    #[serde(default)]
    pub middleware: Vec<Middleware>,
    /// Devices, the more particular first.
    #[serde(default)]
    pub device: Vec<Device>,
    /// Cards by what the reader sees of them, the more particular first.
    #[serde(default)]
    pub card: Vec<Card>,
    /// Key sizes that end.
    #[serde(default)]
    pub key_size: Vec<KeySizeEnd>,
}

/// A card as its reader sees it, before any middleware.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// The name that people know.
    pub name: String,
    /// Answers to reset in hexadecimal, where `.` stands for any digit (ISO 7816-3).
    #[serde(default)]
    pub atr: Vec<String>,
    /// Beginning of the reader's name, for tokens that are their own reader.
    #[serde(default)]
    pub reader: Option<String>,
    /// Name of its middleware.
    pub middleware: String,
    /// Where this is known from.
    pub source: String,
}

impl Card {
    fn answers(&self, atr: &[u8]) -> bool {
        let told: String = atr.iter().map(|octet| format!("{octet:02X}")).collect();
        self.atr.iter().any(|pattern| {
            pattern.len() == told.len()
                && pattern.chars().zip(told.chars()).all(|(wanted, is)| wanted == '.' || wanted == is)
        })
    }

    fn lies_in(&self, reader: &str) -> bool {
        self.reader.as_ref().is_some_and(|name| reader.to_lowercase().starts_with(&name.to_lowercase()))
    }
}

/// Middleware of a vendor.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Middleware {
    /// The name that people know.
    pub name: String,
    /// File names of its PKCS#11 modules.
    pub linux: Vec<String>,
    /// The same on Windows.
    pub windows: Vec<String>,
    /// The same on macOS.
    pub macos: Vec<String>,
    /// Whether installing it needs administrator rights.
    pub administrator: bool,
    /// Where it comes from.
    pub download: String,
}

/// A kind of device.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// The name that people know.
    pub name: String,
    /// Beginning of manufacturerID in CK_TOKEN_INFO; empty for any.
    pub manufacturer: String,
    /// Beginning of model in CK_TOKEN_INFO.
    pub model: String,
    /// Name of its middleware.
    pub middleware: String,
    /// Keys it can make.
    pub keys: Vec<String>,
    /// Last day of its certification as a qualified device; absent when it has none, or nobody knows.
    #[serde(default)]
    pub qualified_until: Option<String>,
    /// How many kinds of PIN it has.
    pub pins: u8,
    /// Pairs that fit on it, where somebody counted.
    #[serde(default)]
    pub fits: Option<u8>,
    /// Whether an object of data holds room on it for a certificate, as somebody has tried.
    #[serde(default)]
    pub reserves: bool,
    /// Whether its keys are made, and its certificates written, under another login than the holder's.
    #[serde(default)]
    pub managed: bool,
    /// The tool that unblocks its PIN, where PKCS#11 has no call for that: its SO login is an administrator's key.
    #[serde(default)]
    pub unblock_with: Option<String>,
    /// Whether its manufacturer and model were seen on a real device, or are only what they should be.
    #[serde(default)]
    pub seen: bool,
    /// Where this is known from.
    pub source: String,
}

/// A key size that gets no new certificates after a day.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeySizeEnd {
    /// RSA keys shorter than this, in bits.
    pub shorter_than_rsa: u32,
    /// The last day, `YYYY-MM-DD`.
    pub last_day: String,
    /// Who says so.
    pub source: String,
}

/// What may be said of a device on a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is certified until this day.
    Qualified {
        /// The last day.
        until: String,
    },
    /// It was, until this day; the word "qualified" is not true any more.
    Ended {
        /// The last day.
        until: String,
    },
    /// It looks like a device with this last day, but nobody has seen yet how that one names itself.
    Perhaps {
        /// The last day, if it is that device.
        until: String,
    },
    /// Nothing is known of its certification.
    Unknown,
}

impl DeviceRegister {
    /// The entry of a device, by what it says of itself.
    pub fn device(&self, manufacturer: &str, model: &str) -> Option<&Device> {
        self.device.iter().find(|device| {
            model.starts_with(&device.model)
                && manufacturer.to_lowercase().starts_with(&device.manufacturer.to_lowercase())
        })
    }

    /// The middleware of a device.
    pub fn middleware_of(&self, device: &Device) -> Option<&Middleware> {
        self.middleware.iter().find(|middleware| middleware.name == device.middleware)
    }

    /// The entry of a card: by its answer to reset, or else by the reader that it is itself.
    pub fn card(&self, reader: &str, atr: &[u8]) -> Option<&Card> {
        let by_atr = self.card.iter().find(|card| card.answers(atr));
        by_atr.or_else(|| self.card.iter().find(|card| card.lies_in(reader)))
    }

    /// The middleware of a card.
    pub fn middleware_of_card(&self, card: &Card) -> Option<&Middleware> {
        self.middleware.iter().find(|middleware| middleware.name == card.middleware)
    }

    /// What may be said of a device on a day (`YYYY-MM-DD`).
    pub fn standing(&self, manufacturer: &str, model: &str, today: &str) -> Standing {
        let Some(device) = self.device(manufacturer, model) else { return Standing::Unknown };
        match device.qualified_until.clone() {
            Some(until) if !device.seen => Standing::Perhaps { until },
            // Dates in this notation compare as text.
            Some(until) if today <= until.as_str() => Standing::Qualified { until },
            Some(until) => Standing::Ended { until },
            None => Standing::Unknown,
        }
    }

    /// The rule that ends a kind of key, when it has come to its day (`YYYY-MM-DD`).
    pub fn ended(&self, kind: KeyKind, today: &str) -> Option<&KeySizeEnd> {
        let KeyKind::Rsa(bits) = kind else { return None };
        self.key_size.iter().find(|end| bits < end.shorter_than_rsa && today > end.last_day.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn register() -> DeviceRegister {
        let device = |model: &str, manufacturer: &str, until: Option<&str>| Device {
            name: model.to_owned(),
            manufacturer: manufacturer.to_owned(),
            model: model.to_owned(),
            middleware: String::new(),
            keys: Vec::new(),
            qualified_until: until.map(str::to_owned),
            pins: 1,
            fits: None,
            reserves: false,
            managed: false,
            unblock_with: None,
            seen: true,
            source: String::new(),
        };
        DeviceRegister {
            read: String::new(),
            middleware: Vec::new(),
            card: vec![Card {
                name: "Card".to_owned(),
                atr: vec!["3B7F96..00".to_owned()],
                reader: Some("Vendor Token".to_owned()),
                middleware: String::new(),
                source: String::new(),
            }],
            device: vec![device("Token", "Old", Some("2022-12-31")), device("Token", "", Some("2030-07-22"))],
            key_size: vec![KeySizeEnd {
                shorter_than_rsa: 3000,
                last_day: "2026-12-31".to_owned(),
                source: String::new(),
            }],
        }
    }

    #[test]
    fn the_word_qualified_ends_with_its_day() {
        let register = register();
        let on = |manufacturer, day| register.standing(manufacturer, "Token EVO", day);
        assert!(matches!(on("Old & Co", "2022-12-31"), Standing::Qualified { .. }));
        assert!(matches!(on("OLD", "2023-01-01"), Standing::Ended { .. }));
        assert!(matches!(on("Other", "2023-01-01"), Standing::Qualified { .. }));
        assert_eq!(register.standing("Other", "Card", "2023-01-01"), Standing::Unknown);
        let mut unseen = register.clone();
        unseen.device[1].seen = false;
        assert!(matches!(unseen.standing("Other", "Token EVO", "2023-01-01"), Standing::Perhaps { .. }));
    }

    #[test]
    fn a_card_is_known_by_its_answer_to_reset_or_as_its_own_reader() {
        let register = register();
        assert!(register.card("Any reader", &[0x3B, 0x7F, 0x96, 0x12, 0x00]).is_some());
        assert!(register.card("Any reader", &[0x3B, 0x7F, 0x96, 0x12]).is_none());
        assert!(register.card("vendor token EVO 00 00", &[0x3B]).is_some());
    }

    #[test]
    fn short_keys_end_by_date() {
        let register = register();
        assert!(register.ended(KeyKind::Rsa(2048), "2026-12-31").is_none());
        assert!(register.ended(KeyKind::Rsa(2048), "2027-01-01").is_some());
        assert!(register.ended(KeyKind::Rsa(3072), "2027-01-01").is_none());
        assert!(register.ended(KeyKind::P256, "2027-01-01").is_none());
    }
}
