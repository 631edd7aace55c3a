//! Where a successor is known, and where not yet: the identity space of the authority, and pages where it is typed in by
//! hand.

use obnova_client::{AccountView, CertificateView};
use obnova_texts::Texts;

use crate::overview::{copies, numbers, until};
use crate::page::{Act, Block, Button, Card, Mark, Page, Place};

/// A login certificate with who knows it.
#[derive(Debug, Clone)]
pub struct Known {
    /// The certificate.
    pub certificate: CertificateView,
    /// Whether the account of its authority took it; `None` where nobody here knows.
    pub registered: Option<bool>,
    /// Whether a renewal here brought it: only then is it written down who was told.
    pub is_brought: bool,
    /// Pages that are told by hand.
    pub accounts: Vec<AccountView>,
}

/// The place: every login certificate with who knows it.
pub fn page(texts: Texts, known: &[Known]) -> Page {
    let mut page = Page::of(texts, Place::Account);
    page.text(texts.get("window-account-lines", &[]));
    if known.is_empty() {
        page.text(texts.get("window-account-none", &[]));
    }
    for one in known {
        let view = &one.certificate;
        page.heading(format!("{} – {}", view.name, until(texts, view)));
        let state = match one.registered {
            Some(true) => "window-known",
            Some(false) => "window-not-known",
            None if !one.accounts.is_empty() => "window-told-by-hand",
            None => "window-nobody-says",
        };
        let mut buttons = copies(texts, view);
        // An account that is told by hand is opened on its own page.
        if state != "window-told-by-hand" {
            buttons.push(Button::new(texts, "window-rehearse", Act::Rehearse(view.sha256.clone())));
        }
        page.blocks.push(Block::Card(Card {
            mark: if one.registered == Some(true) { Mark::Good } else { Mark::Plain },
            title: texts.get(state, &[]),
            lines: vec![
                format!("{}: {}", texts.get("serial-number", &[]), numbers(view)),
                format!("{}: {}", texts.get("issuer", &[]), view.issuer),
            ],
            buttons,
            ..Card::default()
        }));
        for account in &one.accounts {
            let mut buttons = vec![
                Button::new(texts, "window-open-page", Act::Show(account.account.page.clone()))
                    .hint(&account.account.page),
            ];
            if account.state == "not-told" && one.is_brought {
                let told = Act::Told(view.sha256.clone(), account.account.name.clone());
                buttons.push(Button::new(texts, "window-told", told).hint(&account.account.name));
            }
            page.blocks.push(Block::Card(Card {
                mark: match account.state {
                    "not-told" => Mark::Due,
                    "confirmed" => Mark::Good,
                    _ => Mark::Plain,
                },
                title: format!("{}: {}", account.account.name, texts.get(&format!("account-{}", account.state), &[])),
                lines: vec![texts.get("window-tell-issuer", &[("issuer", &account.account.issuer)])],
                faint: vec![account.account.page.clone()],
                buttons,
                ..Card::default()
            }));
        }
    }
    page
}
