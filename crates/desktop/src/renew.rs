//! The way of a renewal, one decision a screen: what will happen, what the authority said, the work, and how it ended.

use obnova_client::{
    Adopted, CertificateView, Flow, ForeignAccount, ItemView, JourneyView, Outlook, PlanView, RoomView, Station, words,
};
use obnova_texts::Texts;

use crate::overview::{card, copies, numbers, purpose, until};
use crate::page::{ANSWERS, Act, Block, Button, Card, Field, Mark, Page, Place, Setting, Wanted};
use crate::talk::Step;

/// The room of a device as a gauge, when the device tells it.
pub(crate) fn gauge(texts: Texts, room: &RoomView) -> Option<(String, u64, u64)> {
    match (room.free, room.total) {
        (Some(free), Some(total)) if total > 0 => {
            Some((texts.get("window-room", &[]), total.saturating_sub(free), total))
        }
        _ => None,
    }
}

pub(crate) fn step(texts: Texts, nth: usize) -> String {
    texts.get("window-step-of", &[("nth", &nth.to_string()), ("all", "3")])
}

/// The first decision: what will happen, as far as it is known without a PIN.
pub fn outlook(texts: Texts, outlook: &Outlook) -> Page {
    let mut page = Page::below(texts, Place::Overview, "window-plan");
    page.step = step(texts, 1);
    let many = outlook.certificates.len() > 1;
    page.text(texts.get(if many { "window-outlook-many" } else { "window-outlook-one" }, &[]));
    for (nth, view) in outlook.certificates.iter().enumerate() {
        let mut card = card(texts, view, &outlook.store_name);
        if many {
            card.title = format!("{}. {}", nth + 1, card.title);
        }
        page.blocks.push(Block::Card(card));
    }
    let mut lines = vec![
        texts.get(&format!("way-{}", outlook.way), &[("authority", &outlook.authority)]),
        texts.get(&format!("fits-{}", outlook.fits), &[("store", &outlook.store_name)]),
    ];
    let (least, most) = (outlook.minutes.0.to_string(), outlook.minutes.1.to_string());
    let is_device = outlook.store_kind == "token";
    let minutes = if is_device { "window-minutes-inserted" } else { "window-minutes" };
    lines.insert(0, texts.get(minutes, &[("least", &least), ("most", &most)]));
    lines.push(texts.get("window-old-works", &[]));
    page.blocks.push(Block::Card(Card {
        title: texts.get("window-good-to-know", &[]),
        lines,
        gauge: outlook.room.as_ref().and_then(|room| gauge(texts, room)),
        ..Card::default()
    }));
    page.buttons.push(Button::new(texts, "window-back", Act::Go(Place::Overview)));
    page.buttons.push(Button::new(texts, "window-continue", Act::Agree).first());
    page
}

/// The plan after the authority's answer, where something must be decided.
pub fn plan(texts: Texts, view: &PlanView, is_ready: bool) -> Page {
    let mut page = Page::below(texts, Place::Overview, "window-plan-answered");
    page.step = step(texts, 2);
    page.text(texts.get("plan-title", &[("store", &view.store_name), ("authority", &view.authority)]));
    for (nth, item) in view.items.iter().enumerate() {
        let is_good = ["issue", "unasked"].contains(&item.verdict.as_str());
        page.blocks.push(Block::Card(Card {
            mark: if is_good { Mark::Plain } else { Mark::Due },
            title: format!("{}. {}", nth + 1, purpose(texts, item.certificate.kind)),
            lines: vec![
                until(texts, &item.certificate),
                words::ended(&texts.get(&format!("reason-{}", item.verdict), &[])),
            ],
            faint: vec![numbers(&item.certificate)],
            ..Card::default()
        }));
    }
    if let Some(file) = &view.file {
        page.text(texts.get("plan-file", &[("file", file)]));
    }
    for removed in &view.removed {
        let kind = texts.get(&format!("kind-{}", removed.kind), &[]);
        page.blocks.push(Block::Card(Card {
            mark: Mark::Due,
            title: texts.get("plan-removes", &[("kind", &kind), ("serial", &removed.decimal)]),
            lines: vec![until(texts, removed)],
            ..Card::default()
        }));
    }
    for item in &view.items {
        page.blocks.extend(words::key_change(texts, item).into_iter().map(|line| {
            let title = words::ended(&words::sentence(&format!("{}: {line}", purpose(texts, item.certificate.kind))));
            Block::Card(Card { mark: Mark::Due, title, ..Card::default() })
        }));
    }
    let (mut loses_mail, mut loses_abilities) = (false, false);
    let refused = view.items.iter().filter(|item| !["issue", "unasked"].contains(&item.verdict.as_str()));
    let mut reasons: Vec<String> = refused.map(|item| texts.get(&format!("reason-{}", item.verdict), &[])).collect();
    reasons.dedup();
    let mut must_act = view.must_act.clone();
    must_act.dedup();
    for (who, why) in &must_act {
        loses_mail |= why == "agree-to-lose-old-mail";
        loses_abilities |= why == "agree-to-lose-abilities";
        let own = format!("window-must-act-{why}");
        let told = match why.as_str() {
            // Whoever is asked must hear why, not that there is a reason.
            "authority-refuses" => reasons.join("; "),
            _ => texts.get(if texts.has(&own) { &own } else { own.trim_start_matches("window-") }, &[]),
        };
        let title = words::ended(&format!("{}: {told}", texts.get(&format!("who-{who}"), &[])));
        let mut card = Card { mark: Mark::Bad, title, ..Card::default() };
        if !["holder", "nobody"].contains(&who.as_str()) {
            let message = texts.get("window-ask-them", &[("what", &told)]);
            card.buttons.push(Button::new(texts, "window-copy-message", Act::Copy(message)));
        }
        page.blocks.push(Block::Card(card));
    }
    page.buttons.push(Button::new(texts, "window-back", Act::Go(Place::Overview)));
    if loses_mail || loses_abilities {
        let words = if loses_abilities { "window-begin-lose-abilities" } else { "window-begin-lose-mail" };
        page.buttons.push(Button::new(texts, words, Act::BeginAndLose).main());
    } else if is_ready {
        // Where something is removed later, Enter alone does not begin.
        let begin = Button::new(texts, "window-begin", Act::Begin);
        page.buttons.push(if view.removed.is_empty() { begin.first() } else { begin.main() });
    } else {
        page.notice(Mark::Bad, texts.get("window-nothing-made", &[]), "");
    }
    page
}

/// How far the work is: its steps, how many are done, and of how many. A certificate that is finished is one line, and so is
/// one that did not begin; the one in work is told step by step.
pub fn steps(texts: Texts, kinds: &[String], reached: &[Option<Station>]) -> (Vec<Step>, usize, usize) {
    let last = Station::ALL.len() - 1;
    let mut rows: Vec<Step> = Vec::new();
    let mut done = 0;
    for (kind, reached) in kinds.iter().zip(reached) {
        let name = purpose(texts, kind);
        let at = reached.and_then(|reached| Station::ALL.iter().position(|station| *station == reached));
        done += at.map_or(0, |at| at + 1);
        let is_first = rows.iter().all(|row| row.state == "done");
        match at {
            Some(at) if at == last => rows.push(Step { text: name, state: "done", is_part: false }),
            None if !is_first => rows.push(Step { text: name, state: "ahead", is_part: false }),
            at => {
                rows.push(Step { text: name, state: "now", is_part: false });
                for (nth, station) in Station::ALL.iter().enumerate() {
                    // A qualified certificate is no login: nobody has to be told about it.
                    let untold = *station == Station::Registered && kind == "qualified";
                    let key = if untold { "nobody-to-tell" } else { station.name() };
                    let state = match at {
                        Some(at) if nth <= at => "done",
                        at if nth == at.map_or(0, |at| at + 1) => "now",
                        _ => "ahead",
                    };
                    let text = texts.get(&format!("window-station-{key}"), &[]);
                    rows.push(Step { text, state, is_part: true });
                }
            }
        }
    }
    (rows, done, kinds.len() * Station::ALL.len())
}

/// A reason as a code or in the authority's words.
pub(crate) fn reason(texts: Texts, why: &str) -> String {
    let code = why.split(':').next().unwrap_or_default().trim();
    let known = [format!("reason-{code}"), format!("window-error-{code}"), format!("error-{code}")];
    match known.iter().find(|key| texts.has(key)) {
        Some(key) => words::sentence(&texts.get(key, &[])),
        None => why.to_owned(),
    }
}

fn successor(texts: Texts, view: &CertificateView) -> Block {
    Block::Card(Card {
        mark: Mark::Good,
        title: purpose(texts, view.kind),
        lines: vec![
            until(texts, view),
            format!("{}: {}", texts.get("serial-number", &[]), numbers(view)),
            format!("{}: {}", texts.get("issuer", &[]), view.issuer),
        ],
        buttons: copies(texts, view),
        ..Card::default()
    })
}

/// How the work ended, or why it pauses, with what came of it.
pub struct Ended<'a> {
    /// The end, or the pause.
    pub flow: &'a Flow,
    /// Journeys that were walked.
    pub journeys: &'a [JourneyView],
    /// Successors for login with accounts that do not know them yet.
    pub untold: Vec<(CertificateView, ForeignAccount)>,
    /// Whether the system reminds once a day.
    pub is_reminded: bool,
}

fn notice(mark: Mark, title: String, lines: Vec<String>, buttons: Vec<Button>) -> Block {
    Block::Notice(Card { mark, title, lines, buttons, ..Card::default() })
}

/// The page about [`Ended`].
pub fn ended(texts: Texts, seen: &Ended<'_>) -> Page {
    let mut page = Page::below(texts, Place::Overview, "window-ended");
    let new = |key: &str, act: Act| Button::new(texts, key, act);
    let items: Vec<&ItemView> = seen.journeys.iter().flat_map(|journey| &journey.items).collect();
    let came: Vec<&CertificateView> = items.iter().filter_map(|item| item.successor.as_ref()).collect();
    let open = || items.iter().filter(|item| item.successor.is_none() && item.refused.is_none());
    let drafts: Vec<(&ItemView, &String)> = open().filter_map(|item| Some((*item, item.draft.as_ref()?))).collect();
    page.buttons.push(new("window-home", Act::Go(Place::Overview)));
    match seen.flow {
        Flow::Done => {
            let is_known = items.iter().any(|item| item.registered && item.kind == "commercial");
            let lines = if is_known { vec![texts.get("window-done-account", &[])] } else { Vec::new() };
            let key = if came.len() > 1 { "window-done-many" } else { "window-done-one" };
            page.blocks.push(notice(Mark::Good, texts.get(key, &[]), lines, vec![]));
            page.buttons.push(new("window-make-room", Act::Go(Place::Cleanup)));
            if let Some(home) = page.buttons.first_mut() {
                (home.is_main, home.takes_focus) = (true, true);
            }
            page.buttons.rotate_left(1);
        }
        Flow::Waiting { reason: why, .. } if drafts.is_empty() => {
            page.title = texts.get("window-waits", &[]);
            let may_close = if seen.is_reminded { "window-may-close" } else { "window-may-close-look" };
            let waits =
                |item: &&ItemView| format!("{}: {}", purpose(texts, &item.kind), texts.get("window-item-waits", &[]));
            let mut lines: Vec<String> = why.iter().map(|why| words::ended(&reason(texts, why))).collect();
            lines.extend(open().map(waits));
            lines.push(texts.get(may_close, &[]));
            let mut buttons = Vec::new();
            if !seen.is_reminded {
                buttons.push(new("window-tell-me", Act::Set(Setting::Remind(true))));
            }
            page.blocks.push(notice(Mark::Due, texts.get("window-waiting", &[]), lines, buttons));
            page.buttons.push(new("window-ask-now", Act::Resume).first());
        }
        Flow::Waiting { .. } => {
            page.title = texts.get("window-mail", &[]);
            for (nth, (item, draft)) in drafts.iter().enumerate() {
                let lines =
                    vec![texts.get("window-mail-ready", &[]), texts.get("window-mail-lines", &[]), (*draft).clone()];
                let open = new("window-mail-open", Act::Show((*draft).clone())).hint(*draft);
                let copy = new("window-copy-path", Act::Copy((*draft).clone())).hint(*draft);
                // The first one is sent first.
                let buttons = vec![if nth == 0 { open.first() } else { open }, copy];
                let number = if drafts.len() > 1 { format!("{}. ", nth + 1) } else { String::new() };
                let title = format!("{number}{}", purpose(texts, &item.kind));
                page.blocks.push(notice(Mark::Due, title, lines, buttons));
            }
            page.text(texts.get("window-mail-then", &[]));
            page.buttons.push(new("window-pick-up", Act::PickUp));
        }
        Flow::Tell(_) => page.title = texts.get("window-tell-title", &[]),
        Flow::Refused(_) | Flow::NotTaken(_) => {
            let key = if came.is_empty() { "window-refused-title" } else { "window-partly-title" };
            page.title = texts.get(key, &[]);
        }
    }
    refusals(&mut page, texts, &items, seen.flow);
    tell(&mut page, texts, seen);
    // What an account must be told stands above; a number that is not for accounts says so.
    let is_above = |view: &CertificateView| seen.untold.iter().any(|(told, _)| told.sha256 == view.sha256);
    for view in came.into_iter().filter(|view| !is_above(view)) {
        let mut block = successor(texts, view);
        if let (Block::Card(card), false) = (&mut block, seen.untold.is_empty() || view.kind == "commercial") {
            card.faint.push(texts.get("window-not-for-accounts", &[]));
        }
        page.blocks.push(block);
    }
    page
}

/// What was refused, which certificate it is about, and whom to ask.
fn refusals(page: &mut Page, texts: Texts, items: &[&ItemView], flow: &Flow) {
    let mut told: Vec<(String, &str, bool)> = items
        .iter()
        .filter_map(|item| {
            Some((format!("{}: ", purpose(texts, &item.kind)), item.refused.as_deref()?, item.not_taken))
        })
        .collect();
    if told.is_empty() {
        match flow {
            Flow::Refused(why) => told.push((String::new(), why, false)),
            Flow::NotTaken(why) => told.push((String::new(), why, true)),
            _ => {}
        }
    }
    for (kind, why, not_taken) in told {
        let said = words::ended(&reason(texts, why));
        // What a program found is told to whoever can mend it in its own words, too.
        let what = if not_taken { format!("{} ({why})", said.trim_end_matches('.')) } else { said.clone() };
        let message = texts.get("window-ask-them", &[("what", what.trim_end_matches('.'))]);
        let (title, lines) = match not_taken {
            true => ("item-not-taken", "window-not-taken"),
            false => ("window-item-refused", "window-refused"),
        };
        let title = format!("{kind}{}", texts.get(title, &[]));
        let buttons = vec![
            Button::new(texts, "window-copy-message", Act::Copy(message)).main(),
            Button::new(texts, "window-ticket", Act::Ticket),
        ];
        let lines = vec![said, texts.get(lines, &[])];
        page.blocks.push(notice(Mark::Bad, words::sentence(&title), lines, buttons));
    }
}

/// Accounts that a person tells by hand: the number, where it goes, and the word that it was told.
fn tell(page: &mut Page, texts: Texts, seen: &Ended<'_>) {
    let accounts: &[ForeignAccount] = if let Flow::Tell(accounts) = seen.flow { accounts } else { &[] };
    if seen.untold.is_empty() && accounts.is_empty() {
        return;
    }
    page.blocks.push(notice(Mark::Due, texts.get("window-tell", &[]), vec![], vec![]));
    let card = |account: &ForeignAccount, lines: Vec<String>, buttons: Vec<Button>| {
        Block::Card(Card {
            mark: Mark::Due,
            title: account.name.clone(),
            lines,
            faint: vec![account.page.clone()],
            buttons,
            ..Card::default()
        })
    };
    let issuer = |account: &ForeignAccount| texts.get("window-tell-issuer", &[("issuer", &account.issuer)]);
    let open = |account: &ForeignAccount| {
        Button::new(texts, "window-open-page", Act::Show(account.page.clone())).hint(&account.page)
    };
    for (nth, (view, account)) in seen.untold.iter().enumerate() {
        let mut buttons = copies(texts, view);
        if let (Some(copy), 0) = (buttons.first_mut(), nth) {
            copy.takes_focus = true;
        }
        buttons.push(open(account));
        let told = Act::Told(view.sha256.clone(), account.name.clone());
        buttons.push(Button::new(texts, "window-told", told).main().hint(&account.name));
        let number = texts.get("window-tell-number", &[("serial", &numbers(view))]);
        page.blocks.push(card(account, vec![number, issuer(account)], buttons));
    }
    if seen.untold.is_empty() {
        page.blocks.extend(accounts.iter().map(|account| card(account, vec![issuer(account)], vec![open(account)])));
        page.buttons.push(Button::new(texts, "window-account", Act::Go(Place::Account)).main());
    }
}

/// What was taken over from elsewhere, before its journeys go on.
pub fn adopted(texts: Texts, adopted: &[Adopted]) -> Page {
    let mut page = Page::below(texts, Place::Overview, "window-adopted");
    for one in adopted {
        let line = texts.get(&format!("window-adopted-{}", one.state), &[]);
        let mut lines = vec![line, until(texts, &one.predecessor)];
        lines.extend(one.successor.as_ref().map(|view| texts.get("window-adopted-new", &[("serial", &numbers(view))])));
        let title = purpose(texts, one.predecessor.kind);
        page.blocks.push(Block::Card(Card { title, lines, mark: Mark::Good, ..Card::default() }));
    }
    page.buttons.push(Button::new(texts, "window-home", Act::Go(Place::Overview)));
    page.buttons.push(Button::new(texts, "window-resume", Act::Resume).first());
    page
}

/// Where the person says where a certificate is that came by mail or stands at an address.
pub fn pick_up(texts: Texts) -> Page {
    let mut page = Page::below(texts, Place::Overview, "window-pick-up");
    page.text(texts.get("window-pick-up-lines", &[]));
    page.blocks.push(Block::Field(Field {
        name: "source",
        label: texts.get("window-source", &[]),
        hint: texts.get("window-source-hint", &[]),
        wanted: Some(Wanted::File(ANSWERS)),
        takes_focus: true,
        ..Field::default()
    }));
    page.buttons.push(Button::new(texts, "window-back", Act::Go(Place::Overview)));
    page.buttons.push(Button::new(texts, "window-take", Act::Take).main());
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use obnova_texts::Language;

    #[test]
    fn steps_stand_in_their_order() {
        let texts = Texts::new(Language::Czech);
        let kinds = ["qualified".to_owned(), "commercial".to_owned()];
        let (rows, done, all) = steps(texts, &kinds, &[Some(Station::Retired), Some(Station::Keyed)]);
        let count = |state: &str| rows.iter().filter(|row| row.state == state).count();
        // The finished one is a line; of the other, its name and the next step are in work.
        assert_eq!((count("done"), count("now"), count("ahead")), (3, 2, 8));
        assert_eq!((done, all), (13, 22));
        let (rows, ..) = steps(texts, &kinds, &[None, None]);
        assert_eq!(rows.iter().map(|row| row.state).filter(|state| *state == "now").count(), 2);
    }
}
