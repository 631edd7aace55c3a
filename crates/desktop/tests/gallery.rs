//! Every screen with made-up contents that never change: for pictures, for screen readers, for the keyboard.

use std::path::PathBuf;

use obnova_client::{
    AccountView, Adopted, AuthorityRecord, Backup, BackupSetting, CardView, CertificateView, Cleaned, CleanupItem,
    ClientError, DeviceView, Finding, Flow, ForeignAccount, Health, HelpContact, ItemPreview, ItemView, JourneyView,
    Measured, Next, Outlook, PinView, PlanView, RoomView, Station, StoreSetting, StoreView, Told, TriesView,
    UnreadView, WindowSetting,
};
use obnova_desktop::page::{Page, Place};
use obnova_desktop::{Question, Step, account, backup, cleanup, device, help, overview, renew, settings};
use obnova_lifecycle::port::Census;
use obnova_texts::Texts;

/// What a screen shows.
pub(crate) enum Screen {
    Page(Page),
    Question(Question),
    Work((Vec<Step>, usize, usize), String),
}

const STORE: &str = "token:TokenME EVO:0001234567";

fn certificate(
    kind: &'static str,
    decimal: &str,
    hexadecimal: &str,
    not_after: &str,
    days_left: i64,
) -> CertificateView {
    let issuer = if kind == "qualified" { "PostSignum Qualified CA 4" } else { "PostSignum Public CA 5" };
    CertificateView {
        store: STORE.to_owned(),
        kind,
        subject: "CN=Jana Dvořáková, O=Městský úřad Kocourkov, C=CZ".to_owned(),
        name: "Jana Dvořáková".to_owned(),
        issuer: issuer.to_owned(),
        decimal: decimal.to_owned(),
        hexadecimal: hexadecimal.to_owned(),
        not_before: "2025-12-09T08:00:00Z".to_owned(),
        not_after: not_after.to_owned(),
        days_left,
        key: "RSA-4096".to_owned(),
        qualified_device: kind == "qualified",
        device: (kind == "qualified").then_some("qualified"),
        device_until: (kind == "qualified").then(|| "2030-07-22".to_owned()),
        unfit: None,
        sha256: format!("{decimal:0>64}"),
    }
}

fn qualified() -> CertificateView {
    certificate("qualified", "22598759", "158d467", "2026-12-29T08:00:00Z", 20)
}

fn commercial() -> CertificateView {
    certificate("commercial", "22640336", "15976d0", "2026-12-29T08:00:00Z", 20)
}

fn successors() -> [CertificateView; 2] {
    [
        certificate("qualified", "24117002", "16fff0a", "2027-12-29T08:00:00Z", 385),
        certificate("commercial", "24117103", "16fff6f", "2027-12-29T08:00:00Z", 385),
    ]
}

fn store(id: &str, name: &str, kind: &'static str) -> StoreView {
    StoreView { id: id.to_owned(), name: name.to_owned(), kind, device: id.to_owned(), model: None, problem: None }
}

fn token() -> StoreView {
    store(STORE, "TokenME Jany Dvořákové", "token")
}

fn room() -> RoomView {
    let census = Census { certificates: 2, certificate_octets: 3_912, private_keys: 2, ..Census::default() };
    RoomView { free: Some(21_400), total: Some(81_920), pairs: None, census: Some(census) }
}

fn tries(count_low: bool) -> TriesView {
    TriesView { count_low, final_try: false, locked: false, pad: false, length: Some((4, 16)) }
}

fn devices() -> Vec<DeviceView> {
    let login = |name: &str, store: &str, low| PinView {
        store: store.to_owned(),
        name: name.to_owned(),
        pin: tries(low),
        puk: Some(tries(false)),
        unblocked_with: None,
    };
    vec![DeviceView {
        device: STORE.to_owned(),
        name: "TokenME Jany Dvořákové".to_owned(),
        manufacturer: "Bit4id".to_owned(),
        model: "TokenME EVO".to_owned(),
        library_version: "1.4.10".to_owned(),
        known_as: Some("TokenME EVO v2 (NXP JCOP 4)".to_owned()),
        standing: "perhaps",
        until: Some("2030-07-22".to_owned()),
        source: Some("tomp.eu 2022".to_owned()),
        keys: vec!["RSA-4096".to_owned(), "RSA-2048".to_owned(), "P-256".to_owned()],
        room: room(),
        logins: vec![login("TokenME", STORE, false), login("TokenME (podpis)", &format!("{STORE}/2"), true)],
    }]
}

fn journey(station: &str, done: bool, refused: Option<&str>, draft: Option<&str>) -> JourneyView {
    let item = |kind: &str, successor: &CertificateView| ItemView {
        kind: kind.to_owned(),
        station: station.to_owned(),
        successor: (done && (refused.is_none() || kind == "qualified")).then(|| successor.clone()),
        receipt: None,
        refused: refused.filter(|_| kind == "commercial").map(str::to_owned),
        registered: done,
        draft: draft.map(|draft| format!("{draft}-{kind}.eml")),
        told: Vec::new(),
        not_taken: false,
    };
    let [one, two] = successors();
    JourneyView {
        id: "2026-12-09".to_owned(),
        store: STORE.to_owned(),
        onto: None,
        authority: "ra.example.org".to_owned(),
        finished: done,
        items: vec![item("qualified", &one), item("commercial", &two)],
    }
}

fn next(view: CertificateView, next: &'static str) -> Next {
    Next { view, next }
}

fn jip() -> ForeignAccount {
    ForeignAccount {
        name: "JIP".to_owned(),
        page: "https://www.czechpoint.cz/spravadat/".to_owned(),
        issuer: "PostSignum".to_owned(),
    }
}

fn outlook(way: &'static str) -> Outlook {
    Outlook {
        store: STORE.to_owned(),
        store_name: "TokenME Jany Dvořákové".to_owned(),
        store_kind: "token",
        authority: if way == "mail" { "PostSignum".to_owned() } else { "ra.example.org".to_owned() },
        way,
        certificates: vec![qualified(), commercial()],
        room: Some(room()),
        fits: "yes",
        minutes: (2, 10),
    }
}

fn clean(view: Option<CertificateView>, may_go: bool, why: &'static str) -> CleanupItem {
    CleanupItem {
        store: STORE.to_owned(),
        certificate: view,
        key_sha256: "5f1c0e9a77d24b1356aa".to_owned(),
        key: "RSA-2048".to_owned(),
        may_go,
        why,
        journey: None,
        copies: 1,
        unread: None,
        claimed_by: Vec::new(),
    }
}

fn finding(check: &'static str, health: Health, (detail, told): (&str, Told), advice: Option<&str>) -> Finding {
    Finding { check, health, detail: detail.to_owned(), told, advice: advice.map(str::to_owned) }
}

fn contact() -> HelpContact {
    HelpContact {
        to: "podatelna@example.org".to_owned(),
        technical: "servicedesk@example.org".to_owned(),
        hours: "Po–Pá 7–17".to_owned(),
        organisation: "00006947".to_owned(),
        reference: "MUK-42/2026".to_owned(),
    }
}

/// All screens, by the names of their pictures.
pub(crate) fn screens(texts: Texts) -> Vec<(&'static str, Screen)> {
    let page = |page: Page| Screen::Page(page);
    let full = ClientError::new("store-full", "C_CreateObject: CKR_DEVICE_MEMORY");
    let mut stopped = overview::page(
        texts,
        &overview::Overview {
            certificates: vec![next(qualified(), "under-way"), next(commercial(), "under-way")],
            stores: vec![token()],
            open: vec![journey("confirmed", false, None, None)],
            ..overview::Overview::default()
        },
    );
    stopped.above(help::notice(texts, &full));
    let (words, code) = help::trouble(texts, &full);
    let stopped_with = format!("{code} {words}");
    let kinds = ["qualified".to_owned(), "commercial".to_owned()];
    let known = account::Known {
        certificate: successors()[1].clone(),
        registered: Some(true),
        is_brought: true,
        accounts: vec![AccountView {
            account: jip(),
            decimal: "24117103".to_owned(),
            hexadecimal: "16fff6f".to_owned(),
            state: "not-told",
        }],
    };
    let copy = Backup {
        copy: PathBuf::from("/media/jana/ZALOHA/komercni.p12"),
        sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".to_owned(),
        tested: 1,
    };
    let file = store("file:/home/jana/komercni.p12", "komercni.p12", "file");
    let record = AuthorityRecord {
        name: "ra.example.org".to_owned(),
        address: Some("https://ra.example.org".to_owned()),
        cmp: String::new(),
        est: None,
        mail: None,
        signer: None,
        tls_sha256: None,
        anchors: Vec::new(),
    };
    let waiting = Flow::Waiting { check_after: 60, reason: Some("approval".to_owned()) };
    let name = texts.get("window-pin", &[]);
    let asked = |title: &str| Question {
        title: texts.get(title, &[]),
        step: texts.get("window-step-of", &[("nth", "2"), ("all", "3")]),
        label: name.clone(),
        hint: texts.get("window-length", &[("least", "4"), ("most", "16")]),
        lines: vec![
            texts.get("window-for", &[("store", "TokenME Jany Dvořákové")]),
            texts.get("window-why", &[("what", &texts.get("window-renew", &[]))]),
            format!("{name}: {}", obnova_client::words::tries_left(texts, &tries(false))),
        ],
        ..Question::default()
    };
    let word = texts.get("window-last-try-word", &[]);
    let last_try = Question {
        title: texts.get("window-last-try", &[]),
        label: texts.get("window-last-try-type", &[("word", &word)]),
        hint: String::new(),
        lines: vec![
            texts.get("window-for", &[("store", "TokenME Jany Dvořákové")]),
            texts.get("window-last-try-lines", &[]),
        ],
        is_open: true,
        ..asked("window-last-try")
    };
    let ended = |flow: &Flow, journey: JourneyView, is_reminded: bool| {
        let untold = match flow {
            Flow::Tell(_) => vec![(successors()[1].clone(), jip())],
            _ => Vec::new(),
        };
        Screen::Page(renew::ended(texts, &renew::Ended { flow, journeys: &[journey], untold, is_reminded }))
    };
    let gone = certificate("qualified", "20110117", "132dc75", "2025-12-29T08:00:00Z", -345);
    let cleaning = [
        clean(Some(gone.clone()), true, "goes-expired"),
        clean(Some(commercial()), false, "stays-not-registered"),
        clean(None, false, "stays-unknown-request"),
    ];
    let census = |count| Census { certificates: count, private_keys: count, ..Census::default() };
    let cleaned = Cleaned {
        store: STORE.to_owned(),
        serial: Some("132dc75".to_owned()),
        sha256: Some(gone.sha256.clone()),
        key_sha256: "5f1c0e9a77d24b1356aa".to_owned(),
        archive: Some(PathBuf::from("/home/jana/.local/share/obnova/archive/132dc75.crt")),
    };
    let measured = Measured { store: STORE.to_owned(), before: census(3), after: census(2) };
    let preview = |certificate: CertificateView, verdict: &str| ItemPreview {
        certificate,
        verdict: verdict.to_owned(),
        key: "RSA-4096".to_owned(),
        key_changes: false,
        loses: None,
    };
    let plan = PlanView {
        store: STORE.to_owned(),
        store_name: "TokenME Jany Dvořákové".to_owned(),
        authority: "ra.example.org".to_owned(),
        items: vec![preview(qualified(), "issue"), preview(commercial(), "approval")],
        steps: Vec::new(),
        must_act: Vec::new(),
        file: None,
        removed: Vec::new(),
        login: "old-certificate".to_owned(),
    };
    let debt = PlanView {
        items: vec![preview(qualified(), "issue"), preview(commercial(), "debt")],
        must_act: vec![("authorised-person".to_owned(), "authority-refuses".to_owned())],
        ..plan.clone()
    };
    let refused = journey("confirmed", true, Some("debt"), None);
    let elsewise = "certificate-other-subject: CN=Jana Dvořáková ml.,O=Městský úřad Kocourkov,C=CZ";
    let mut declined = journey("confirmed", true, Some(elsewise), None);
    declined.items.iter_mut().for_each(|item| item.not_taken = item.refused.is_some());
    vec![
        (
            "overview",
            page(overview::page(
                texts,
                &overview::Overview {
                    certificates: vec![next(qualified(), "renew"), next(commercial(), "renew")],
                    stores: vec![token()],
                    ..overview::Overview::default()
                },
            )),
        ),
        (
            "unread",
            page(overview::page(
                texts,
                &overview::Overview {
                    certificates: vec![next(qualified(), "renew")],
                    stores: vec![token()],
                    unread: vec![UnreadView {
                        store: STORE.to_owned(),
                        identity: "9e107d9d372bb6826bd81d3542a419d6".to_owned(),
                        serial: Some("00b2c4".to_owned()),
                        name: Some("Jana Dvořáková".to_owned()),
                        not_after: Some("2027-11-02T08:00:00Z".to_owned()),
                        days_left: Some(328),
                        why: "serialNumber: negative (RFC 5280 section 4.1.2.2)".to_owned(),
                    }],
                    ..overview::Overview::default()
                },
            )),
        ),
        ("empty", page(overview::page(texts, &overview::Overview::default()))),
        (
            "card",
            page(overview::page(
                texts,
                &overview::Overview {
                    cards: vec![CardView {
                        reader: "bit4id TokenME EVO v2 00 00".to_owned(),
                        state: "unseen",
                        atr: "3BFF1800".to_owned(),
                        card: Some("TokenME EVO v2 (NXP JCOP 4)".to_owned()),
                        middleware: Some("Bit4id PKI Manager".to_owned()),
                        download: Some("https://www.postsignum.cz".to_owned()),
                        administrator: Some(true),
                    }],
                    locked: vec![("file:/home/jana/komercni.p12".to_owned(), "komercni.p12".to_owned())],
                    ..overview::Overview::default()
                },
            )),
        ),
        ("stopped", page(stopped)),
        ("certificate", page(overview::certificate(texts, &qualified(), &token(), true))),
        ("renew", page(renew::outlook(texts, &outlook("asked")))),
        ("pin", Screen::Question(asked("window-ask-pin"))),
        (
            "pad",
            Screen::Question(Question {
                on_pad: true,
                label: String::new(),
                hint: String::new(),
                ..asked("window-ask-pad")
            }),
        ),
        ("last-try", Screen::Question(last_try)),
        ("plan", page(renew::plan(texts, &plan, true))),
        ("debt", page(renew::plan(texts, &debt, false))),
        (
            "work",
            Screen::Work(
                renew::steps(texts, &kinds, &[Some(Station::Retired), Some(Station::Found)]),
                texts.get("slow-making-key", &[]),
            ),
        ),
        ("done", ended(&Flow::Done, journey("retired", true, None, None), true)),
        ("waiting", ended(&waiting, journey("submitted", false, None, None), false)),
        ("not-taken", ended(&Flow::NotTaken(elsewise.to_owned()), declined, true)),
        ("refused", ended(&Flow::Refused("debt".to_owned()), refused, true)),
        (
            "mail",
            ended(
                &waiting,
                journey("requested", false, None, Some("/home/jana/.local/share/obnova/requests/2026-12-09")),
                true,
            ),
        ),
        ("pick-up", page(renew::pick_up(texts))),
        ("tell", ended(&Flow::Tell(vec![jip()]), journey("proven", true, None, None), true)),
        (
            "adopted",
            page(renew::adopted(
                texts,
                &[Adopted {
                    journey: "2026-12-09".to_owned(),
                    predecessor: commercial(),
                    successor: Some(successors()[1].clone()),
                    state: "installed",
                }],
            )),
        ),
        ("invitation", page(settings::invitation(texts, &[(STORE.to_owned(), "TokenME Jany Dvořákové".to_owned())]))),
        ("device", page(device::page(texts, &devices(), &[token()], &[qualified(), commercial()]))),
        ("erase", page(device::erase(texts, STORE, "TokenME Jany Dvořákové", &[qualified(), commercial()]))),
        ("cleanup", page(cleanup::found(texts, &cleaning, false, &[token()]))),
        ("remove", page(cleanup::ask(texts, &cleaning, &[token()]))),
        ("removed", page(cleanup::done(texts, &[cleaned], &[measured], &[token()], true))),
        ("give-up", page(cleanup::give_up(texts, "5f1c0e9a77d24b1356aa"))),
        ("import", page(device::import(texts, STORE, "TokenME Jany Dvořákové"))),
        ("export", page(device::export(texts, &commercial(), "/home/jana/commercial-15976d0.p12".to_owned()))),
        (
            "backup",
            page(backup::page(
                texts,
                &[token(), file],
                Some(&BackupSetting::To(PathBuf::from("/media/jana/ZALOHA"))),
                Some(&[copy]),
            )),
        ),
        ("account", page(account::page(texts, &[known]))),
        ("help", page(help::page(texts))),
        (
            "doctor",
            page(help::doctor(
                texts,
                &[
                    finding("clock", Health::Bad, ("86400 s", Told::Off(86_400)), Some("clock-wrong")),
                    finding("pin", Health::Notice, ("TokenME Jany Dvořákové", Told::Name), Some("pin-count-low")),
                    finding("certificate", Health::Good, ("", Told::Certificate(Box::new(qualified()))), None),
                    finding("program", Health::Good, ("obnova 0.1.0, linux x86_64", Told::Name), None),
                ],
                &[],
                None,
            )),
        ),
        ("ticket", page(help::ticket(texts, &contact(), (true, true), None, Some(&stopped_with)))),
        (
            "written",
            page(help::written(
                texts,
                Place::Help,
                "message-written",
                "/home/jana/.local/share/obnova/requests/help.eml",
                None,
            )),
        ),
        ("errors", page(help::errors(texts, "621"))),
        ("guide", page(help::guide_page(texts, 1))),
        ("about", page(help::about(texts))),
        (
            "trust",
            page(settings::trust(
                texts,
                "http://ca.example.org/cmp",
                &[("Example Root CA".to_owned(), "5f1c0e9a".repeat(8))],
            )),
        ),
        (
            "settings",
            page(settings::page(
                texts,
                &settings::Settings {
                    window: WindowSetting { language: String::new(), look: "light".to_owned(), text: 100 },
                    is_reminded: true,
                    has_shortcut: Some(false),
                    backup: Some(BackupSetting::To(PathBuf::from("/media/jana/ZALOHA"))),
                    authorities: vec![(record, vec![("Example Root CA".to_owned(), "5f1c0e9a".repeat(8))])],
                    stores: vec![StoreSetting::File(PathBuf::from("/home/jana/komercni.p12"))],
                    folder: "/home/jana/.local/share/obnova".to_owned(),
                },
            )),
        ),
    ]
}
