//! `obnova list`: every store of this computer with its certificates, and the cards that nothing here can use.

use std::process::ExitCode;

use obnova_client::{CertificateView, ClientError, Clock, StoreView, words};
use obnova_texts::Texts;
use serde_json::json;

use obnova_client::words::days;

use crate::commands::{Context, unlocked};

/// Whether a certificate has all these words in its names or numbers, whatever their case.
fn is_meant(view: &CertificateView, words: &[String]) -> bool {
    let kind_and_key = format!("{} {}", view.kind, view.key);
    let text = [&view.subject, &view.issuer, &view.decimal, &view.hexadecimal, &view.not_after, &kind_and_key];
    let text = text.map(|part| part.to_lowercase()).join(" ");
    words.iter().all(|word| text.contains(&word.to_lowercase()))
}

/// Shows all stores with their certificates; with words, only those certificates that have them.
pub(crate) fn list(context: &Context, words: &[String]) -> Result<ExitCode, ClientError> {
    let texts = context.output.texts;
    let inventory = unlocked(context)?;
    let (mut stores, mut certificates) = (inventory.stores(), inventory.views(context.clock.now()));
    let (mut cards, mut unread) = (inventory.cards(), inventory.unread(context.clock.now()));
    if !words.is_empty() {
        certificates.retain(|view| is_meant(view, words));
        stores.retain(|store| certificates.iter().any(|view| view.store == store.id));
        cards = &[];
        unread.retain(|view| {
            let text = format!("{} {}", view.number(), view.name.as_deref().unwrap_or_default()).to_lowercase();
            words.iter().all(|word| text.contains(&word.to_lowercase()))
        });
        stores.extend(inventory.stores().into_iter().filter(|store| unread.iter().any(|view| view.store == store.id)));
        stores.dedup_by(|a, b| a.id == b.id);
    }
    let (stores, certificates) = (stores, certificates);
    let mut lines = Vec::new();
    for (nth, store) in stores.iter().enumerate() {
        // Two logins of one device stand under one title.
        let is_told = stores[..nth].iter().any(|other| other.device == store.device && other.problem.is_none());
        if is_told {
            lines.push(format!("  {}", texts.get("list-login", &[("name", &store.name)])));
        } else {
            lines.push(title(texts, store));
        }
        for view in certificates.iter().filter(|view| view.store == store.id) {
            certificate(texts, view, &mut lines);
        }
        for view in unread.iter().filter(|view| view.store == store.id) {
            let told = words::unread(texts, view).into_iter().enumerate();
            lines.extend(told.map(|(nth, line)| format!("  {}{line}", if nth == 0 { "" } else { "               " })));
        }
    }
    if certificates.is_empty() && unread.is_empty() && !words.is_empty() {
        lines.push(texts.get("nothing-found", &[]));
    }
    for one in cards {
        let told = words::card(texts, one).into_iter().enumerate();
        lines.extend(told.map(|(nth, line)| if nth == 0 { line } else { format!("  {line}") }));
    }
    let data = json!({ "stores": stores, "certificates": certificates, "unread": unread, "cards": cards });
    context.output.data(&lines.join("\n"), &data);
    Ok(ExitCode::SUCCESS)
}

fn title(texts: Texts, store: &StoreView) -> String {
    let (code, detail) = match &store.problem {
        None => return format!("{}  {}  {}", store.name, store.id, store.model.clone().unwrap_or_default()),
        Some(problem) => problem.split_once(": ").unwrap_or((problem, "")),
    };
    format!("{}\n  [{code}] {} ({detail})", store.name, texts.get(&format!("error-{code}"), &[]))
}

fn certificate(texts: Texts, view: &CertificateView, lines: &mut Vec<String>) {
    lines.push(format!(
        "  {:<14} {:<28} {}  {}",
        texts.get(&format!("kind-{}", view.kind), &[]),
        view.name,
        view.not_after.get(..10).unwrap_or_default(),
        days(texts, view.days_left)
    ));
    lines.push(format!("                 {} (0x{})  {}", view.decimal, view.hexadecimal, view.issuer));
    if let Some(code) = view.unfit.filter(|code| *code != "expired") {
        lines.push(format!("                 {}", texts.get(&format!("unfit-{code}"), &[])));
    }
    if let Some(code) = view.device.filter(|code| *code != "qualified") {
        let until = view.device_until.clone().unwrap_or_default();
        lines.push(format!("                 {}", texts.get(&format!("device-{code}"), &[("until", &until)])));
    }
}
