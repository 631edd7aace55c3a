//! Sentences that every screen says the same way, on the command line and in a window.

use obnova_texts::{Language, Texts};

use crate::{CardView, ClientError, DeviceView, Finding, RoomView, Told, TriesView};

/// How long a certificate still lives.
pub fn days(texts: Texts, left: i64) -> String {
    if left < 0 { texts.get("expired", &[]) } else { texts.get("days-left", &[("days", &left.to_string())]) }
}

/// A day as people write it in this language, from RFC 3339.
pub fn day(texts: Texts, rfc3339: &str) -> String {
    let date = rfc3339.get(..10).unwrap_or(rfc3339);
    match date.split('-').collect::<Vec<_>>().as_slice() {
        [year, month, day] if texts.language() == Language::Czech => {
            format!("{}. {}. {year}", day.trim_start_matches('0'), month.trim_start_matches('0'))
        }
        _ => date.to_owned(),
    }
}

/// Words that begin a line, with a capital letter.
pub fn sentence(words: &str) -> String {
    let mut rest = words.chars();
    rest.next().map(|first| first.to_uppercase().chain(rest).collect()).unwrap_or_default()
}

/// Words as a whole sentence: with a capital letter, and a full stop where they have none.
pub fn ended(words: &str) -> String {
    let end = if words.ends_with(['.', '!', '?', '…']) { "" } else { "." };
    sentence(words) + end
}

/// How many tries of a PIN or PUK are left, as far as a device tells.
pub fn tries_left(texts: Texts, tries: &TriesView) -> String {
    let state = match (tries.locked, tries.final_try, tries.count_low) {
        (true, _, _) => "tries-locked",
        (_, true, _) => "tries-last",
        (_, _, true) => "tries-low",
        _ => "tries-good",
    };
    texts.get(state, &[])
}

/// State of a PIN or PUK.
pub fn tries(texts: Texts, tries: &TriesView) -> String {
    let mut words = vec![tries_left(texts, tries)];
    if tries.pad {
        words.push(texts.get("tries-pad", &[]));
    }
    if let Some((least, most)) = tries.length {
        words.push(texts.get("tries-length", &[("least", &least.to_string()), ("most", &most.to_string())]));
    }
    words.join(", ")
}

/// What is known of a device beside its name: maker, certification, kinds of keys.
pub fn device(texts: Texts, device: &DeviceView) -> Vec<String> {
    let until = device.until.as_deref().map(|until| day(texts, until)).unwrap_or_default();
    let mut lines = vec![format!("{} {}, {}", device.manufacturer, device.model, device.library_version)];
    if let Some(known) = &device.known_as {
        let source = device.source.clone().unwrap_or_default();
        lines.push(texts.get("token-known-as", &[("name", known), ("source", &source)]));
    }
    lines.push(texts.get(&format!("standing-{}", device.standing), &[("until", &until)]));
    lines.push(format!("{}: {}", texts.get("token-keys", &[]), device.keys.join(", ")));
    lines
}

/// The room of a device: what it tells, what is believed, what was counted; with a gauge of signs, where `is_drawn`.
pub fn room(texts: Texts, room: &RoomView, is_drawn: bool) -> String {
    let mut words = Vec::new();
    match (room.free, room.total) {
        (Some(free), Some(total)) if total > 0 => {
            let used = total.saturating_sub(free);
            let tenths = usize::try_from(used.saturating_mul(10) / total).unwrap_or(10).min(10);
            let gauge = match is_drawn {
                true => format!("[{}{}] ", "#".repeat(tenths), ".".repeat(10 - tenths)),
                false => String::new(),
            };
            let numbers = [("free", free.to_string()), ("total", total.to_string())];
            let numbers: Vec<(&str, &str)> = numbers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            words.push(format!("{gauge}{}", texts.get("room-known", &numbers)));
        }
        _ => words.push(texts.get("room-unknown", &[])),
    }
    if let Some(pairs) = room.pairs {
        words.push(texts.get("room-believed", &[("pairs", &pairs.to_string())]));
    }
    if let Some(census) = &room.census {
        words.push(texts.get(
            "room-counted",
            &[("certificates", &census.certificates.to_string()), ("octets", &census.certificate_octets.to_string())],
        ));
        if census.unread > 0 {
            words.push(texts.get("room-unread", &[("count", &census.unread.to_string())]));
        }
    }
    words.join("; ")
}

/// What was found by a look at everything, for people.
pub fn finding(texts: Texts, finding: &Finding) -> String {
    match &finding.told {
        Told::Name => finding.detail.clone(),
        Told::Nothing => texts.get("doctor-none", &[]),
        Told::Off(seconds) => {
            let (key, count) = match seconds {
                0..=119 => ("doctor-off-seconds", *seconds),
                120..=86_399 => ("doctor-off-minutes", seconds / 60),
                _ => ("doctor-off-days", seconds / 86_400),
            };
            texts.get(key, &[("count", &count.to_string())])
        }
        Told::Certificate(view) => {
            let kind = texts.get(&format!("kind-{}", view.kind), &[]);
            format!("{kind} {} (0x{}), {}", view.decimal, view.hexadecimal, days(texts, view.days_left))
        }
        Told::Journey(items) => {
            let one = |(kind, station): &(String, String)| {
                let kind = texts.get(&format!("kind-{kind}"), &[]);
                format!("{kind}: {}", texts.get(&format!("station-{station}"), &[]))
            };
            items.iter().map(one).collect::<Vec<_>>().join("; ")
        }
        Told::Store(name) => name.clone(),
        Told::Unread(view) => unread(texts, view).join(" "),
    }
}

/// What becomes of the kind of key, and of what a certificate can do, where something changes.
pub fn key_change(texts: Texts, item: &crate::ItemPreview) -> Vec<String> {
    let mut lines = Vec::new();
    if item.key_changes {
        lines.push(texts.get("key-changes", &[("old", &item.certificate.key), ("new", &item.key)]));
    }
    lines.extend(item.loses.map(|code| texts.get(&format!("loses-{code}"), &[])));
    lines
}

/// Something that a store calls a certificate, and that cannot be read.
pub fn unread(texts: Texts, view: &crate::UnreadView) -> Vec<String> {
    let number = view.number();
    let name = view.name.clone().unwrap_or_default();
    let mut lines = vec![texts.get("unread-certificate", &[("number", &number), ("name", &name)])];
    if let Some(left) = view.days_left {
        lines.push(format!(
            "{}  {}",
            view.not_after.as_deref().and_then(|end| end.get(..10)).unwrap_or_default(),
            days(texts, left)
        ));
    }
    lines.push(texts.get("unread-why", &[("why", &view.why)]));
    lines
}

/// A card that cannot be used: what it is, what it needs, and who can help.
pub fn card(texts: Texts, card: &CardView) -> Vec<String> {
    let mut lines = vec![texts.get(&format!("card-{}", card.state), &[("reader", &card.reader)])];
    lines.push(match &card.card {
        Some(name) => texts.get("card-looks-like", &[("card", name)]),
        None => texts.get("card-unknown", &[("atr", &card.atr)]),
    });
    if let (Some(middleware), Some(download)) = (&card.middleware, &card.download) {
        lines.push(texts.get("card-needs", &[("middleware", middleware), ("download", download)]));
    }
    let helper = match card.administrator {
        Some(true) => "card-administrator",
        Some(false) => "card-yourself",
        None => "card-ask",
    };
    lines.push(texts.get(helper, &[]));
    lines
}

/// What an administrator is asked for, for every card that cannot be used here.
pub fn for_administrator(texts: Texts, cards: &[CardView]) -> String {
    let mut lines = vec![texts.get("administrator-greeting", &[]), String::new()];
    for one in cards {
        let or_unknown = |text: &Option<String>| text.clone().unwrap_or_else(|| texts.get("not-known", &[]));
        lines.push(texts.get("administrator-card", &[("card", &or_unknown(&one.card)), ("reader", &one.reader)]));
        lines.push(texts.get("administrator-atr", &[("atr", &one.atr)]));
        lines.push(texts.get(
            "administrator-install",
            &[("middleware", &or_unknown(&one.middleware)), ("download", &or_unknown(&one.download))],
        ));
        lines.push(String::new());
    }
    let system = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
    lines.push(texts.get("administrator-computer", &[("system", &system)]));
    lines.push(texts.get("administrator-check", &[]));
    lines.join("\n") + "\n"
}

/// What happened, why, and what to do about an error: the text of `KEY-CODE`, where KEY is the first of `keys` that has
/// one, with the authority's reason where it speaks in our codes.
pub fn trouble(texts: Texts, error: &ClientError, keys: &[&str]) -> (String, Option<String>) {
    let known = |key: String| texts.has(&key).then(|| texts.get(&key, &[]));
    let text = keys.iter().find_map(|key| known(format!("{key}-{}", error.code)));
    let said = error.detail.split(':').next().unwrap_or_default().trim();
    (text.unwrap_or_else(|| texts.get("error-other", &[])), known(format!("reason-{said}")))
}
