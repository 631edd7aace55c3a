//! Rows of a screen, in the person's words: what the client library tells, made ready to be read.

use obnova_client::{CardView, CertificateView, ClientError, PinView, PlanView, Station, StoreView};
use obnova_texts::Texts;

use crate::{Card, Step, Success};

/// Days before the end of a certificate from which its renewal is offered, where no authority says another number.
const WINDOW_DAYS: i64 = 60;

/// Whether a certificate should be renewed now.
pub(crate) fn is_due(view: &CertificateView) -> bool {
    view.unfit.is_none() && (0..=WINDOW_DAYS).contains(&view.days_left)
}

pub(crate) fn days(texts: Texts, left: i64) -> String {
    if left < 0 { texts.get("expired", &[]) } else { texts.get("days-left", &[("days", &left.to_string())]) }
}

/// A day as people write it in this language.
fn day(texts: Texts, rfc3339: &str) -> String {
    let date = rfc3339.get(..10).unwrap_or_default();
    match date.split('-').collect::<Vec<_>>().as_slice() {
        [year, month, day] if texts.language() == obnova_texts::Language::Czech => {
            format!("{}. {}. {year}", day.trim_start_matches('0'), month.trim_start_matches('0'))
        }
        _ => date.to_owned(),
    }
}

/// A certificate as a card.
pub(crate) fn card(texts: Texts, view: &CertificateView, stores: &[StoreView]) -> Card {
    let place = stores.iter().find(|store| store.id == view.store).map_or(&view.store, |store| &store.name);
    let until = texts.get("window-until", &[("day", &day(texts, &view.not_after))]);
    let next = match view.unfit {
        Some(code) => texts.get(&format!("unfit-{code}"), &[]),
        None if is_due(view) => texts.get("window-next-renew", &[]),
        None => String::new(),
    };
    Card {
        title: texts.get(&format!("window-kind-{}", view.kind), &[]).into(),
        holder: format!("{} ({})", view.name, view.issuer).into(),
        until: format!("{until}, {}", days(texts, view.days_left)).into(),
        place: place.as_str().into(),
        decimal: view.decimal.as_str().into(),
        hexadecimal: view.hexadecimal.as_str().into(),
        next: next.into(),
        is_due: is_due(view),
    }
}

/// What stands in the way of a store or a card, in words.
pub(crate) fn notices(texts: Texts, stores: &[StoreView], cards: &[CardView]) -> Vec<String> {
    let mut lines = Vec::new();
    for store in stores {
        let Some(problem) = &store.problem else { continue };
        let code = problem.split(':').next().unwrap_or_default();
        lines.push(format!("{}: {}", store.name, texts.get(&format!("error-{code}"), &[])));
    }
    for card in cards {
        let mut line = texts.get(&format!("card-{}", card.state), &[("reader", &card.reader)]);
        if let Some(name) = &card.card {
            line.push_str(&format!(" {}", texts.get("card-looks-like", &[("card", name)])));
        }
        if let (Some(middleware), Some(download)) = (&card.middleware, &card.download) {
            let words = [("middleware", middleware.as_str()), ("download", download.as_str())];
            line.push_str(&format!(" {}", texts.get("card-needs", &words)));
        }
        lines.push(line);
    }
    lines
}

/// What a device says of its tries, before a PIN is asked for.
pub(crate) fn tries(texts: Texts, view: &PinView) -> String {
    let pin = &view.pin;
    let key = if pin.locked {
        "tries-locked"
    } else if pin.final_try {
        "tries-last"
    } else if pin.count_low {
        "tries-low"
    } else if pin.pad {
        "window-pin-pad"
    } else {
        "tries-good"
    };
    texts.get(key, &[])
}

/// The plan, a line each: certificates in their order, where they go, what is removed, who else must act.
pub(crate) fn plan(texts: Texts, view: &PlanView) -> Vec<String> {
    let mut lines = vec![texts.get("plan-title", &[("store", &view.store_name), ("authority", &view.authority)])];
    for (nth, item) in view.items.iter().enumerate() {
        let kind = texts.get(&format!("window-kind-{}", item.certificate.kind), &[]);
        let verdict = texts.get(&format!("reason-{}", item.verdict), &[]);
        lines.push(format!("{}. {kind} ({}): {verdict}", nth + 1, days(texts, item.certificate.days_left)));
    }
    if let Some(file) = &view.file {
        lines.push(texts.get("plan-file", &[("file", file)]));
    }
    for removed in &view.removed {
        let kind = texts.get(&format!("kind-{}", removed.kind), &[]);
        lines.push(texts.get("plan-removes", &[("kind", &kind), ("serial", &removed.decimal)]));
    }
    for (who, why) in &view.must_act {
        let (who, why) = (texts.get(&format!("who-{who}"), &[]), texts.get(&format!("must-act-{why}"), &[]));
        lines.push(format!("⚠ {who}: {why}"));
    }
    lines.push(texts.get("window-plan-time", &[]));
    lines
}

/// All steps of the work, with those that are done.
pub(crate) fn steps(texts: Texts, kinds: &[String], reached: &[Option<Station>]) -> Vec<Step> {
    let mut rows = Vec::new();
    for (kind, reached) in kinds.iter().zip(reached) {
        let name = texts.get(&format!("kind-{kind}"), &[]);
        let at = reached.and_then(|reached| Station::ALL.iter().position(|station| *station == reached));
        for (nth, station) in Station::ALL.iter().enumerate() {
            // A qualified certificate is no login: nobody has to be told about it.
            let untold = *station == Station::Registered && kind == "qualified";
            let key = if untold { "nobody-to-tell" } else { station.name() };
            let state = match at {
                Some(at) if nth <= at => "done",
                Some(at) if nth == at + 1 => "now",
                None if nth == 0 && rows.iter().all(|row: &Step| row.state == "done") => "now",
                _ => "ahead",
            };
            let text = format!("{name}: {}", texts.get(&format!("station-{key}"), &[]));
            rows.push(Step { text: text.into(), state: state.into() });
        }
    }
    rows
}

/// A successor with its number.
pub(crate) fn success(texts: Texts, view: &CertificateView) -> Success {
    let until = texts.get("window-until", &[("day", &day(texts, &view.not_after))]);
    Success {
        title: format!("{}, {until}", texts.get(&format!("window-kind-{}", view.kind), &[])).into(),
        decimal: view.decimal.as_str().into(),
        hexadecimal: view.hexadecimal.as_str().into(),
    }
}

/// What happened, why, and what to do; and its code with the detail, for a help desk.
pub(crate) fn trouble(texts: Texts, error: &ClientError) -> (String, String) {
    let known = |key: String| texts.has(&key).then(|| texts.get(&key, &[]));
    // What the command line says of its commands is said otherwise here.
    let mut text = known(format!("window-error-{}", error.code))
        .or_else(|| known(format!("error-{}", error.code)))
        .unwrap_or_else(|| texts.get("error-other", &[]));
    // An authority that speaks in our codes is understood in the person's language.
    let said = error.detail.split(':').next().unwrap_or_default().trim();
    if let Some(reason) = known(format!("reason-{said}")) {
        text.push_str(&format!(" {reason}"));
    }
    let detail = if error.detail == error.code { "" } else { error.detail.as_str() };
    (text, format!("[{}] {detail}", error.code).trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use obnova_texts::Language;

    #[test]
    fn every_word_of_the_screens_exists_in_both_languages() {
        let sources = [include_str!("../ui/app.slint"), include_str!("../ui/parts.slint"), include_str!("rows.rs")];
        let worker = include_str!("worker.rs");
        for source in sources.into_iter().chain([worker]) {
            for (at, _) in source.match_indices("\"window-") {
                let key: String = source[at + 1..].chars().take_while(|c| *c != '"').collect();
                if key.contains(['{', '(']) || key == "window-" {
                    continue;
                }
                for language in [Language::Czech, Language::English] {
                    assert!(Texts::new(language).has(&key), "{key}");
                }
            }
        }
    }

    #[test]
    fn steps_stand_in_their_order() {
        let texts = Texts::new(Language::Czech);
        let kinds = ["qualified".to_owned(), "commercial".to_owned()];
        let rows = steps(texts, &kinds, &[Some(Station::Retired), Some(Station::Keyed)]);
        let count = |state: &str| rows.iter().filter(|row| row.state == state).count();
        assert_eq!((count("done"), count("now"), count("ahead")), (13, 1, 8));
        assert_eq!(steps(texts, &kinds, &[None, None])[0].state, "now");
    }
}
