//! The guide as static pages: the words and pictures that the program carries, for those who read before they install, and
//! for a help desk that sends a link.

use std::path::Path;

use obnova_texts::{GuidePage, Language, guide};

use crate::{Outcome, dist, root};

const STYLE: &str = "body{font:1.05rem/1.6 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;\
                     background:#f5f6f8}img{max-width:100%;border:1px solid #767e8a;border-radius:8px}a{color:#0b5cad}\
                     nav ol{columns:2}@media(prefers-color-scheme:dark){body{color:#f0f2f5;background:#1d2026}a{color:#7ab8f5}}";

/// Writes the pages of both languages into a folder.
pub(crate) fn write(folder: &Path) -> Outcome {
    for (language, tag) in [(Language::Czech, "cs"), (Language::English, "en")] {
        let place = folder.join(tag);
        std::fs::create_dir_all(&place).map_err(|error| error.to_string())?;
        let pages = guide(language);
        for page in pages {
            std::fs::write(place.join(format!("{}.html", page.name)), one(page, pages, language, tag))
                .map_err(|error| error.to_string())?;
            for block in &page.blocks {
                if let obnova_texts::GuideBlock::Picture(name, _) = block {
                    let file = format!("{name}.{tag}.png");
                    dist::copy(&root().join("docs/pictures").join(&file), &place.join(&file))?;
                }
            }
        }
        std::fs::copy(place.join("renew.html"), place.join("index.html")).map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn one(page: &GuidePage, pages: &[GuidePage], language: Language, tag: &str) -> String {
    let (other, named, all, missing) = match language {
        Language::Czech => (
            "en",
            "English",
            "Všechny stránky",
            "Chybí zde něco? V programu otevřete Nápovědu, tuto stránku \
                             a stiskněte „Něco zde chybí“; bez programu napište své podpoře jméno této stránky a co v ní chybí.",
        ),
        Language::English => (
            "cs",
            "Česky",
            "All pages",
            "Is something missing here? In the program open Help, this page, and \
                              press \"Something is missing here\"; without the program write to your help desk the name of \
                              this page and what it lacks.",
        ),
    };
    // Pictures stand beside the pages, one for each language.
    let source = page.source.lines().map(|line| match line.strip_prefix("![").and_then(|rest| rest.split_once("](")) {
        Some((seen, name)) => format!("![{seen}]({}.{tag}.png)\n", name.trim_end_matches(')')),
        None => format!("{line}\n"),
    });
    let mut source: String = source.collect();
    source.push_str(&format!("\n---\n\n{missing}\n\n## {all}\n\n"));
    for (nth, known) in pages.iter().enumerate() {
        source.push_str(&format!("{}. [{}]({}.html)\n", nth + 1, known.title, known.name));
    }
    source.push_str(&format!("\n[{named}](../{other}/{}.html)\n", page.name));
    let mut body = String::new();
    pulldown_cmark::html::push_html(&mut body, pulldown_cmark::Parser::new(&source));
    let mut title = String::new();
    let text = pulldown_cmark::Event::Text(page.title.into());
    pulldown_cmark::html::push_html(&mut title, std::iter::once(text));
    format!(
        "<!doctype html>\n<html lang=\"{tag}\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{title} – obnova</title><style>{STYLE}</style></head>\n<body><main>\n{body}\
         </main></body></html>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_leads_only_to_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path()).unwrap();
        for tag in ["cs", "en"] {
            for page in std::fs::read_dir(folder.path().join(tag)).unwrap().map(|entry| entry.unwrap().path()) {
                if page.extension().is_none_or(|ending| ending != "html") {
                    continue;
                }
                let text = std::fs::read_to_string(&page).unwrap();
                for link in text.split("href=\"").chain(text.split("src=\"")).skip(1) {
                    let link = link.split('"').next().unwrap_or_default();
                    if link.ends_with(".html") || link.ends_with(".png") {
                        assert!(page.parent().unwrap().join(link).exists(), "{}: {link}", page.display());
                    }
                }
                assert!(text.contains(&format!("lang=\"{tag}\"")) && text.contains("<h1>"), "{}", page.display());
            }
        }
    }
}
