//! Pictures of the guide, made by a command and carried inside the program.

use obnova_texts::Language;

macro_rules! pictures {
    ($($name:literal),*) => {
        /// A picture as PNG, by its name.
        pub(crate) fn picture(name: &str, language: Language) -> Option<&'static [u8]> {
            match (name, language) {
                $(
                    ($name, Language::Czech) => Some(include_bytes!(concat!("../../../docs/pictures/", $name, ".cs.png"))),
                    ($name, Language::English) => Some(include_bytes!(concat!("../../../docs/pictures/", $name, ".en.png"))),
                )*
                _ => None,
            }
        }
    };
}

pictures!(
    "overview",
    "waiting",
    "stopped",
    "pin",
    "work",
    "mail",
    "adopted",
    "invitation",
    "device",
    "cleanup",
    "backup",
    "account",
    "help",
    "settings"
);

#[cfg(test)]
mod tests {
    use super::*;
    use obnova_texts::{GuideBlock, guide};

    #[test]
    fn every_picture_of_the_guide_is_there() {
        for language in [Language::Czech, Language::English] {
            for block in guide(language).iter().flat_map(|page| &page.blocks) {
                if let GuideBlock::Picture(name, _) = block {
                    assert!(picture(name, language).is_some(), "{name}");
                }
            }
        }
    }
}
