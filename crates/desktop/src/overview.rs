//! The first screen: certificates over all devices as cards, what is next, and one clear button when something should be
//! done now; and a certificate with everything about it.

use obnova_client::words::{day, sentence};
use obnova_client::{CardView, CertificateView, JourneyView, Next, StoreView, UnreadView, words};
use obnova_texts::Texts;

use crate::page::{Act, Block, Button, Card, Care, Mark, Page, Place};

/// What the first screen shows.
#[derive(Debug, Clone, Default)]
pub struct Overview {
    /// Certificates with what is next.
    pub certificates: Vec<Next>,
    /// Stores, also those that cannot be read.
    pub stores: Vec<StoreView>,
    /// Cards that nothing here can use.
    pub cards: Vec<CardView>,
    /// Files that want their password: stable name, name for people.
    pub locked: Vec<(String, String)>,
    /// Certificates that cannot be read.
    pub unread: Vec<UnreadView>,
    /// Renewals that are under way.
    pub open: Vec<JourneyView>,
    /// Those of them that an authority has decided about.
    pub decided: Vec<String>,
}

/// What a certificate is for, in plain words.
pub(crate) fn purpose(texts: Texts, kind: &str) -> String {
    texts.get(&format!("window-kind-{kind}"), &[])
}

/// How long it lives.
pub(crate) fn until(texts: Texts, view: &CertificateView) -> String {
    until_day(texts, &view.not_after, view.days_left)
}

fn until_day(texts: Texts, not_after: &str, days_left: i64) -> String {
    let day = day(texts, not_after);
    match days_left {
        left if left < 0 => texts.get("window-was-until", &[("day", &day)]),
        left => {
            let left = texts.get("window-left", &[("days", &left.to_string())]);
            texts.get("window-until", &[("day", &day), ("left", &left)])
        }
    }
}

/// A serial number in both notations.
pub(crate) fn numbers(view: &CertificateView) -> String {
    format!("{} (0x{})", view.decimal, view.hexadecimal)
}

/// Buttons that copy a serial number in both notations.
pub(crate) fn copies(texts: Texts, view: &CertificateView) -> Vec<Button> {
    [("window-copy-decimal", &view.decimal), ("window-copy-hexadecimal", &view.hexadecimal)]
        .into_iter()
        .map(|(key, number)| Button::new(texts, key, Act::Copy(number.clone())).hint(number))
        .collect()
}

/// A certificate as a card, without what is next.
pub(crate) fn card(texts: Texts, view: &CertificateView, place: &str) -> Card {
    let mut faint = vec![format!("{place}  ·  {}", numbers(view))];
    faint.retain(|line| !line.is_empty());
    Card {
        title: purpose(texts, view.kind),
        lines: vec![format!("{} ({})", view.name, view.issuer), until(texts, view)],
        faint,
        ..Card::default()
    }
}

/// Name of a store for people.
pub(crate) fn place_of(stores: &[StoreView], id: &str) -> String {
    stores.iter().find(|store| store.id == id).map_or_else(|| id.to_owned(), |store| store.name.clone())
}

fn problem(texts: Texts, store: &StoreView) -> Option<Card> {
    let told = store.problem.as_ref()?;
    let code = told.split(':').next().unwrap_or_default();
    let key = format!("error-{code}");
    let words = if texts.has(&key) { texts.get(&key, &[]) } else { texts.get("error-other", &[]) };
    let buttons = vec![Button::new(texts, "window-help", Act::Go(Place::Help))];
    Some(Card {
        mark: Mark::Bad,
        title: store.name.clone(),
        lines: vec![words],
        faint: vec![format!("[{code}] {told}")],
        buttons,
        ..Card::default()
    })
}

/// A card without middleware, explained.
fn unusable(texts: Texts, card: &CardView) -> Card {
    let mut lines = words::card(texts, card);
    // The last line of the sentences tells of a command; here it is a button.
    lines.pop();
    lines.push(match card.administrator {
        Some(true) => texts.get("window-card-administrator", &[]),
        Some(false) => texts.get("card-yourself", &[]),
        None => texts.get("window-card-ask", &[]),
    });
    let is_own = card.administrator == Some(false);
    let ask = Button::new(texts, "window-administrator", Act::Administrator);
    let mut buttons = vec![if is_own { ask } else { ask.main() }];
    if let Some(download) = card.download.as_ref().filter(|download| download.starts_with("http")) {
        let open = Button::new(texts, "window-open-download", Act::Show(download.clone())).hint(download);
        buttons.insert(usize::from(!is_own), if is_own { open.main() } else { open });
    }
    let title = texts.get("window-card-unusable", &[]);
    Card { mark: Mark::Bad, title, lines, buttons, ..Card::default() }
}

/// Where the certificates of a journey are.
fn stations(texts: Texts, journey: &JourneyView) -> Vec<String> {
    let line = |kind: &str, what: String| format!("{}: {what}", purpose(texts, kind));
    journey
        .items
        .iter()
        .map(|item| match &item.refused {
            Some(_) if item.not_taken => line(&item.kind, texts.get("item-not-taken", &[])),
            Some(_) => line(&item.kind, texts.get("window-item-refused", &[])),
            // Whether the person sent it is nothing that the program knows.
            None if item.draft.is_some() && item.successor.is_none() => {
                line(&item.kind, texts.get("window-mail-written", &[]))
            }
            None => line(&item.kind, texts.get(&format!("station-{}", item.station), &[])),
        })
        .collect()
}

/// The first screen.
pub fn page(texts: Texts, seen: &Overview) -> Page {
    let mut page = Page::of(texts, Place::Overview);
    let new = |key: &str, act: Act| Button::new(texts, key, act);
    for store in &seen.stores {
        page.blocks.extend(problem(texts, store).map(Block::Card));
    }
    page.blocks.extend(seen.cards.iter().map(|card| Block::Card(unusable(texts, card))));
    for journey in &seen.open {
        let is_decided = seen.decided.contains(&journey.id);
        let title = texts.get(if is_decided { "window-decided" } else { "window-under-way" }, &[]);
        page.blocks.push(Block::Card(Card {
            mark: Mark::Due,
            title,
            lines: stations(texts, journey),
            ..Card::default()
        }));
    }
    for (id, name) in &seen.locked {
        page.blocks.push(Block::Card(Card {
            title: texts.get("window-locked-file", &[("name", name)]),
            lines: vec![texts.get("window-locked-file-lines", &[])],
            buttons: vec![new("window-open-file", Act::Open(id.clone()))],
            ..Card::default()
        }));
    }
    // What an authority keeps, or a device uses as a mark, is nobody's own certificate.
    let own = |next: &&Next| !["authority", "self-made"].contains(&next.next);
    for next in seen.certificates.iter().filter(own) {
        let mut card = card(texts, &next.view, &place_of(&seen.stores, &next.view.store));
        card.mark = if next.is_due() || next.next == "tell" { Mark::Due } else { Mark::Plain };
        card.lines.push(texts.get(&format!("next-{}", next.next), &[]));
        let more = new("window-more", Act::Certificate(next.view.sha256.clone()));
        card.buttons.push(more.hint(format!("{}, {}", purpose(texts, next.view.kind), next.view.decimal)));
        page.blocks.push(Block::Card(card));
    }
    for view in &seen.unread {
        let mut lines = vec![texts.get("window-unread", &[])];
        if let (Some(end), Some(left)) = (&view.not_after, view.days_left) {
            lines.push(until_day(texts, end, left));
        }
        lines.push(words::sentence(&texts.get("unread-why", &[("why", &view.why)])));
        let (number, name) = (view.number(), view.name.clone().unwrap_or_default());
        page.blocks.push(Block::Card(Card {
            mark: Mark::Due,
            title: texts.get("unread-certificate", &[("number", &number), ("name", &name)]),
            lines,
            faint: vec![format!(
                "{}  ·  {}",
                place_of(&seen.stores, &view.store),
                view.identity.get(..16).unwrap_or_default()
            )],
            buttons: vec![new("window-help", Act::Go(Place::Help))],
            ..Card::default()
        }));
    }
    if page.blocks.is_empty() {
        page.text(texts.get("window-nothing", &[]));
        for store in seen.stores.iter().filter(|store| store.kind == "token") {
            page.text(texts.get("window-nothing-on", &[("store", &store.name)]));
        }
        page.text(texts.get("window-nothing-hint", &[]));
        page.buttons.push(new("window-doctor-go", Act::Doctor));
    }
    // What few people need, and none of them every day, stands below.
    page.blocks.push(Block::Card(Card {
        title: texts.get("window-other-ways", &[]),
        lines: vec![texts.get("window-other-lines", &[])],
        buttons: vec![
            new("window-pick-up", Act::PickUp),
            new("window-adopt", Act::Adopt),
            new("window-invitation", Act::AskInvitation),
        ],
        ..Card::default()
    }));
    page.buttons.push(new("window-refresh", Act::Refresh(Place::Overview)));
    if !seen.open.is_empty() {
        page.buttons.push(new("window-resume", Act::Resume).first());
    } else if seen.certificates.iter().any(Next::is_due) {
        page.buttons.push(new("window-renew", Act::Look(None)).first());
    }
    page
}

/// One certificate with everything about it.
pub fn certificate(texts: Texts, view: &CertificateView, store: &StoreView, is_due: bool) -> Page {
    let mut page = Page::below(texts, Place::Overview, "window-certificate");
    let word = |key: &str| texts.get(key, &[]);
    let mut lines = vec![
        format!("{}: {}", word("holder"), view.subject),
        format!("{}: {}", word("issuer"), view.issuer),
        until(texts, view),
        format!("{}: {} – {}", word("validity"), day(texts, &view.not_before), day(texts, &view.not_after)),
        format!("{}: {}", word("serial-number"), numbers(view)),
        format!("{}: {}", word("key"), view.key),
        format!("{}: {}", word("store"), store.name),
    ];
    let device = view.device_until.as_deref().map(|until| day(texts, until)).unwrap_or_default();
    match view.device {
        Some(code) => lines.push(sentence(&texts.get(&format!("device-{code}"), &[("until", &device)]))),
        None if view.qualified_device => lines.push(word("claims-device")),
        None => {}
    }
    lines.extend(view.unfit.map(|code| sentence(&word(&format!("unfit-{code}")))));
    let sha256 = view.sha256.clone();
    let mut buttons = Vec::new();
    if view.unfit.is_none() {
        let renew = Button::new(texts, "window-renew-one", Act::Look(Some(sha256.clone())));
        buttons.push(if is_due { renew.first() } else { renew });
    }
    buttons.extend(copies(texts, view));
    buttons.push(Button::new(texts, "window-prove", Act::Prove(sha256.clone())));
    if view.kind == "commercial" {
        buttons.push(Button::new(texts, "window-rehearse", Act::Rehearse(sha256.clone())));
    }
    if store.kind != "token" {
        buttons.push(Button::new(texts, "window-export", Act::Care(Care::AskExport, sha256)));
    }
    // Authorities know a device by its number.
    if let (Some(serial), "token") = (store.device.rsplit(':').next().filter(|serial| !serial.is_empty()), store.kind) {
        lines.push(format!("{}: {serial}", word("window-device-serial")));
        buttons.push(Button::new(texts, "window-copy-serial", Act::Copy(serial.to_owned())).hint(serial));
    }
    let title = purpose(texts, view.kind);
    page.blocks.push(Block::Card(Card { title, lines, buttons, ..Card::default() }));
    page.buttons.push(Button::new(texts, "window-back", Act::Go(Place::Overview)));
    page
}
