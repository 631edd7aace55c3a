//! The guide of this version: a page for each thing that people do, in Czech and English, written in a small part of
//! Markdown (a title, headings, lists, pictures).

use std::sync::OnceLock;

use crate::Language;

/// A page of the guide.
#[derive(Debug)]
pub struct GuidePage {
    /// Its name, the same in all languages.
    pub name: &'static str,
    /// Its title.
    pub title: &'static str,
    /// As it was written.
    pub source: &'static str,
    /// What stands on it, the title apart.
    pub blocks: Vec<GuideBlock>,
}

/// A part of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GuideBlock {
    /// Words over what follows.
    Heading(String),
    /// Words.
    Text(String),
    /// An item of a list with its sign: `1.` or `•`.
    Item(String, String),
    /// A picture by its name, with what is seen in it.
    Picture(&'static str, String),
}

macro_rules! pages {
    ($language:literal) => {
        [
            ("renew", include_str!(concat!("../guide/", $language, "/1-renew.md"))),
            ("mail", include_str!(concat!("../guide/", $language, "/2-mail.md"))),
            ("adopt", include_str!(concat!("../guide/", $language, "/3-adopt.md"))),
            ("device", include_str!(concat!("../guide/", $language, "/4-device.md"))),
            ("pin", include_str!(concat!("../guide/", $language, "/5-pin.md"))),
            ("cleanup", include_str!(concat!("../guide/", $language, "/6-cleanup.md"))),
            ("backup", include_str!(concat!("../guide/", $language, "/7-backup.md"))),
            ("import", include_str!(concat!("../guide/", $language, "/8-import.md"))),
            ("account", include_str!(concat!("../guide/", $language, "/9-account.md"))),
            ("help", include_str!(concat!("../guide/", $language, "/a-help.md"))),
            ("settings", include_str!(concat!("../guide/", $language, "/b-settings.md"))),
            ("first", include_str!(concat!("../guide/", $language, "/c-first.md"))),
            ("lost", include_str!(concat!("../guide/", $language, "/d-lost.md"))),
        ]
    };
}

/// All pages of a language, in their order.
pub fn guide(language: Language) -> &'static [GuidePage] {
    static CZECH: OnceLock<Vec<GuidePage>> = OnceLock::new();
    static ENGLISH: OnceLock<Vec<GuidePage>> = OnceLock::new();
    let (cell, sources) = match language {
        Language::Czech => (&CZECH, pages!("cs")),
        Language::English => (&ENGLISH, pages!("en")),
    };
    cell.get_or_init(|| sources.into_iter().map(|(name, source)| page(name, source)).collect())
}

fn page(name: &'static str, source: &'static str) -> GuidePage {
    let mut title = name;
    let mut blocks = Vec::new();
    for line in source.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let numbered = line.split_once(". ").filter(|(sign, _)| sign.chars().all(|c| c.is_ascii_digit()));
        if let Some(words) = line.strip_prefix("# ") {
            title = words;
        } else if let Some(words) = line.strip_prefix("## ") {
            blocks.push(GuideBlock::Heading(words.to_owned()));
        } else if let Some(words) = line.strip_prefix("- ") {
            blocks.push(GuideBlock::Item("•".to_owned(), words.to_owned()));
        } else if let Some((sign, words)) = numbered {
            blocks.push(GuideBlock::Item(format!("{sign}."), words.to_owned()));
        } else if let Some((seen, place)) = line.strip_prefix("![").and_then(|rest| rest.split_once("](")) {
            blocks.push(GuideBlock::Picture(place.trim_end_matches(')'), seen.to_owned()));
        } else {
            blocks.push(GuideBlock::Text(line.to_owned()));
        }
    }
    GuidePage { name, title, source, blocks }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_have_the_same_pages_with_the_same_parts() {
        let (czech, english) = (guide(Language::Czech), guide(Language::English));
        assert_eq!(czech.len(), english.len());
        for (czech, english) in czech.iter().zip(english) {
            assert_eq!(czech.name, english.name);
            assert_ne!(czech.title, english.title);
            let shape = |page: &GuidePage| -> Vec<String> {
                let of = |block: &GuideBlock| match block {
                    GuideBlock::Heading(_) => "heading".to_owned(),
                    GuideBlock::Text(_) => "text".to_owned(),
                    GuideBlock::Item(sign, _) => sign.clone(),
                    GuideBlock::Picture(name, _) => (*name).to_owned(),
                };
                page.blocks.iter().map(of).collect()
            };
            assert_eq!(shape(czech), shape(english), "{}", czech.name);
        }
    }

    /// What stands in quotation marks is what a person presses, word for word.
    #[test]
    fn every_button_that_a_page_names_is_there() {
        for (language, open, close) in [(Language::Czech, '„', '“'), (Language::English, '"', '"')] {
            let texts = crate::Texts::new(language);
            let all: Vec<String> = crate::keys(language).into_iter().map(|key| texts.get(key, &[])).collect();
            for page in guide(language) {
                for part in page.source.split(open).skip(1).step_by(if open == close { 2 } else { 1 }) {
                    let button = part.split(close).next().unwrap_or_default();
                    assert!(all.iter().any(|text| text == button), "{}: {button}", page.name);
                }
            }
        }
    }
}
