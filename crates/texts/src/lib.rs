//! Every word that a person reads, in Czech and English, and the choice between the two.

mod guide;
#[cfg(feature = "help")]
mod help;
mod visible;

pub use guide::{GuideBlock, GuidePage, guide};
pub use visible::{clean, clean_lines, is_visible};

#[cfg(feature = "help")]
pub use help::{asked_language, explain, speaking, wordless};

use std::sync::OnceLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource};

/// A language of the screens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// Czech.
    Czech,
    /// English.
    #[default]
    English,
}

impl Language {
    /// From a tag as `cs`, `cs_CZ.UTF-8`, `en-GB`; `C` and `POSIX` are English.
    pub fn from_tag(tag: &str) -> Option<Self> {
        let lower = tag.to_ascii_lowercase();
        match lower.split(['_', '-', '.', '@']).next() {
            Some("cs" | "sk") => Some(Self::Czech),
            Some("en" | "c" | "posix") => Some(Self::English),
            _ => None,
        }
    }

    /// The language of a program: what was asked for, then `LC_ALL`, then `LANG`; English otherwise.
    pub fn choose(asked: Option<&str>, lc_all: Option<&str>, lang: Option<&str>) -> Self {
        [asked, lc_all, lang]
            .into_iter()
            .flatten()
            .find(|tag| !tag.is_empty())
            .and_then(Self::from_tag)
            .unwrap_or(Self::English)
    }
}

const CZECH: [&str; 3] =
    [include_str!("../i18n/cs.ftl"), include_str!("../i18n/help.cs.ftl"), include_str!("../i18n/window.cs.ftl")];
const ENGLISH: [&str; 3] =
    [include_str!("../i18n/en.ftl"), include_str!("../i18n/help.en.ftl"), include_str!("../i18n/window.en.ftl")];

fn bundle(language: Language) -> &'static FluentBundle<FluentResource> {
    static CZECH_BUNDLE: OnceLock<FluentBundle<FluentResource>> = OnceLock::new();
    static ENGLISH_BUNDLE: OnceLock<FluentBundle<FluentResource>> = OnceLock::new();
    let (cell, tag, source) = match language {
        Language::Czech => (&CZECH_BUNDLE, "cs", CZECH),
        Language::English => (&ENGLISH_BUNDLE, "en", ENGLISH),
    };
    cell.get_or_init(|| {
        let locale = tag.parse().into_iter().collect();
        let mut bundle = FluentBundle::new_concurrent(locale);
        bundle.set_use_isolating(false);
        for source in source {
            // A broken line of the file costs itself; the test below finds it before anybody else does.
            let resource = FluentResource::try_new(source.to_owned()).unwrap_or_else(|(rest, _)| rest);
            bundle.add_resource_overriding(resource);
        }
        bundle
    })
}

/// The words of one language.
#[derive(Debug, Clone, Copy)]
pub struct Texts(Language);

impl Texts {
    /// The words of `language`.
    pub fn new(language: Language) -> Self {
        Self(language)
    }

    /// The language.
    pub fn language(self) -> Language {
        self.0
    }

    /// The text `key` with its arguments; numbers in arguments choose plural forms. Arguments may be what others wrote:
    /// they are shown cleaned ([`clean_lines`]), and nothing in them begins a line unless our own words do.
    ///
    /// A key that does not exist comes back as itself, so nothing is ever silent.
    pub fn get(self, key: &str, arguments: &[(&str, &str)]) -> String {
        let bundle = bundle(self.0);
        let Some(pattern) = bundle.get_message(key).and_then(|message| message.value()) else {
            return key.to_owned();
        };
        let mut all = FluentArgs::new();
        for (name, value) in arguments {
            match value.parse::<i32>() {
                // Serial numbers and the like keep their digits: only small counts are numbers.
                Ok(number) if value.len() < 6 => all.set(*name, number),
                _ => all.set(*name, clean_lines(value)),
            }
        }
        bundle.format_pattern(pattern, Some(&all), &mut Vec::new()).into_owned()
    }

    /// Whether `key` exists.
    pub fn has(self, key: &str) -> bool {
        bundle(self.0).has_message(key)
    }
}

/// All keys of a language, in the order of the file.
pub fn keys(language: Language) -> Vec<&'static str> {
    let source = if language == Language::Czech { CZECH } else { ENGLISH };
    source
        .into_iter()
        .flat_map(str::lines)
        .filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()))
        .filter_map(|line| line.split_once(" =").map(|(key, _)| key))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_say_the_same_things() {
        let (mut czech, mut english) = (keys(Language::Czech), keys(Language::English));
        czech.sort_unstable();
        english.sort_unstable();
        assert_eq!(czech, english);
        for source in CZECH.into_iter().chain(ENGLISH) {
            assert!(FluentResource::try_new(source.to_owned()).is_ok(), "a line cannot be read");
        }
        let mut unique = czech.clone();
        unique.dedup();
        assert_eq!(unique, czech, "a key stands twice");
    }

    #[test]
    fn language_of_a_program() {
        use Language::{Czech, English};
        assert_eq!(Language::choose(Some("en"), Some("cs_CZ.UTF-8"), None), English);
        assert_eq!(Language::choose(None, Some("cs_CZ.UTF-8"), Some("en_US")), Czech);
        assert_eq!(Language::choose(None, Some("C"), Some("cs_CZ")), English);
        assert_eq!(Language::choose(None, None, None), English);
    }

    #[test]
    fn plurals() {
        let days = |count| Texts::new(Language::Czech).get("days-left", &[("days", count)]);
        assert_eq!(days("1"), "za 1 den");
        assert_eq!(days("3"), "za 3 dny");
        assert_eq!(days("30"), "za 30 dní");
    }
}
