//! Cards that lie in a reader and that no middleware here can use: what they are, what they need, and what to ask an
//! administrator for.

use obnova_keystore::{Reader, ReadersUnknown, readers};
use obnova_lifecycle::port::StoreInfo;
use serde::Serialize;

use crate::register::register;

/// A card that is there and cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CardView {
    /// The reader it lies in.
    pub reader: String,
    /// Why it cannot be used (`card-STATE`): `unseen` by every module here; `blank`, known and not initialised.
    pub state: &'static str,
    /// Answer to reset in hexadecimal.
    pub atr: String,
    /// What it looks like; `None` when nothing is known of it.
    pub card: Option<String>,
    /// The middleware it needs.
    pub middleware: Option<String>,
    /// Where that comes from.
    pub download: Option<String>,
    /// Whether installing it needs administrator rights.
    pub administrator: Option<bool>,
}

/// What the system says of readers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Readers {
    pub(crate) readers: Vec<Reader>,
    pub(crate) unknown: Option<ReadersUnknown>,
}

impl Readers {
    pub(crate) fn ask() -> Self {
        match readers() {
            Ok(readers) => Self { readers, unknown: None },
            Err(unknown) => Self { readers: Vec::new(), unknown: Some(unknown) },
        }
    }

    /// The reader that a name of a module means, when the system knows it: modules have room for 64 octets.
    pub(crate) fn reader(&self, told: &str) -> Option<&Reader> {
        let is_it = |reader: &&Reader| {
            let name = reader.name.trim();
            name == told || (told.len() >= 60 && name.starts_with(told))
        };
        self.readers.iter().find(is_it)
    }

    /// Cards that none of these stores is, `blank` ones by the readers where a module saw one.
    pub(crate) fn unusable<'a>(&self, stores: impl Iterator<Item = &'a StoreInfo>, blank: &[String]) -> Vec<CardView> {
        let used: Vec<&Reader> = stores.filter_map(|info| self.reader(info.reader.as_deref()?)).collect();
        let blank: Vec<&Reader> = blank.iter().filter_map(|name| self.reader(name)).collect();
        let mut cards = Vec::new();
        for reader in self.readers.iter().filter(|reader| !used.contains(reader)) {
            let Some(atr) = &reader.atr else { continue };
            let known = register().card(&reader.name, atr);
            let middleware = known.and_then(|card| register().middleware_of_card(card));
            cards.push(CardView {
                reader: reader.name.clone(),
                state: if blank.contains(&reader) { "blank" } else { "unseen" },
                atr: hex(atr),
                card: known.map(|card| card.name.clone()),
                middleware: middleware.map(|middleware| middleware.name.clone()),
                download: middleware.map(|middleware| middleware.download.clone()),
                administrator: middleware.map(|middleware| middleware.administrator),
            });
        }
        cards
    }
}

/// Readers with whether a card lies in each, as the system tells now: what changes when a device comes or goes.
pub fn readers_now() -> Vec<(String, bool)> {
    let told = readers().unwrap_or_default();
    told.into_iter().map(|reader| (reader.name, reader.atr.is_some())).collect()
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02X}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_without_a_module_is_named_with_what_it_needs() {
        let yubikey = [
            0x3B, 0xFD, 0x13, 0x00, 0x00, 0x81, 0x31, 0xFE, 0x15, 0x80, 0x73, 0xC0, 0x21, 0xC0, 0x57, 0x59, 0x75, 0x62,
            0x69, 0x4B, 0x65, 0x79, 0x40,
        ];
        let reader = |name: &str, atr: Option<Vec<u8>>| Reader { name: name.to_owned(), atr };
        let readers = Readers {
            readers: vec![
                reader("Any 00 00", Some(yubikey.to_vec())),
                reader("Empty 01 00", None),
                reader("bit4id TokenME EVO v2 02 00", Some(vec![0x3B, 0x00])),
                reader("Any 03 00", Some(vec![0x3B, 0x00])),
            ],
            unknown: None,
        };
        let cards = readers.unusable(std::iter::empty(), &["Any 03 00".to_owned()]);
        let told: Vec<_> = cards.iter().map(|card| (card.state, card.card.as_deref(), card.administrator)).collect();
        assert_eq!(
            told,
            [
                ("unseen", Some("YubiKey"), Some(false)),
                ("unseen", Some("TokenME EVO v2 (NXP JCOP 4)"), Some(true)),
                ("blank", None, None)
            ]
        );
        // A name that a module had to cut short.
        let long = "A reader with a name that is so long that no module has room for all of it 00 00";
        let readers = Readers { readers: vec![reader(long, Some(vec![0x3B, 0x00]))], unknown: None };
        assert!(readers.reader(&long[..64]).is_some());
        assert!(readers.reader(&long[..20]).is_none());
    }
}
