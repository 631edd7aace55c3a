//! Stories: what a person does, one thing after the other, while the event loop runs.

use std::path::PathBuf;
use std::process::Command;

use obnova_desktop::{Settings, View, open};
use obnova_texts::{Language, Texts};
use slint::{ComponentHandle, Model};

use crate::hands::{
    Act, CLICKS, PIN, PUK, all_texts, answer, begun_elsewhere, buttons, check, does, fill, fill_named, folder, go,
    is_asked, on, pin, press, press_named, says, sees, shell, text, trouble, wait, walk, write_rules,
};
use crate::pictures::{field, named, without_screen};
use crate::{Needs, programs};

/// All stories with what each needs.
pub(crate) const ALL: [(&str, Needs); 17] = [
    ("nothing", Needs::Nothing),
    ("settings", Needs::Nothing),
    ("renewal", Needs::Token("delay.C_GenerateKeyPair = 3000\n")),
    ("wrong-pin", Needs::Token("pin_tries = 3\npuk_tries = 3\n")),
    ("pad", Needs::Token("pinpad = 123456\n")),
    ("waiting", Needs::Token("")),
    ("debt", Needs::Token("")),
    ("middleware", Needs::Token("")),
    ("full", Needs::Token("")),
    ("pulled", Needs::Token("")),
    ("crash", Needs::Token("")),
    ("device", Needs::Token("")),
    ("file", Needs::File),
    ("foreign", Needs::Foreign),
    ("adopt", Needs::Foreign),
    ("invitation", Needs::Token("")),
    ("card", Needs::Card),
];

fn server(arguments: &[&str]) -> String {
    let place = folder();
    let output = Command::new(programs().join("obnova-server"))
        .args(arguments)
        .arg("--dir")
        .arg(place.join("server"))
        .arg("--passphrase-file")
        .arg(place.join("passphrase"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What a clerk of the authority does with everything that waits.
fn approve() {
    let listed = server(&["request", "list", "--json"]);
    for part in listed.split("\"id\":").skip(1) {
        let id: String = part.trim_start_matches([' ', '"']).chars().take_while(|c| *c != '"').collect();
        if part.split("\"id\":").next().unwrap_or_default().contains("waiting") {
            server(&["request", "approve", &id]);
        }
    }
}

/// From the first screen to the question for the PIN.
fn renew() -> Vec<Act> {
    vec![press("window-renew"), on("window-plan"), check(named), press("window-continue")]
}

fn done() -> Vec<Act> {
    vec![
        on("window-ended"),
        says("window-done-many"),
        check(|app| {
            for key in ["window-copy-decimal", "window-copy-hexadecimal"] {
                assert_eq!(buttons(app, &text(key)).len(), 2, "two successors");
            }
        }),
        check(named),
    ]
}

fn renewal() -> Vec<Act> {
    let mut acts = vec![on("window-overview"), check(named)];
    acts.extend(renew());
    acts.push(check(|app| {
        // What is not known yet is not on the way.
        assert!(app.get_steps().row_count() == 0);
    }));
    acts.push(wait(|app| is_asked(app, &text("window-pin"))));
    acts.push(check(named));
    acts.push(pin(PIN));
    acts.push(wait(|app| app.get_view() == View::Work && !app.get_warning().is_empty()));
    acts.push(check(named));
    // A place does not take the end of the work away.
    acts.push(Box::new(|app| {
        assert_eq!(app.get_view(), View::Work, "the work is slow enough to be seen");
        buttons(app, &text("window-devices"))[0].invoke_accessible_default_action();
        assert_eq!(app.get_warning(), text("window-work-first"));
        true
    }));
    acts.extend(done());
    acts.push(press("window-copy-decimal"));
    acts.push(wait(|app| app.get_said().starts_with("Zkopírováno")));
    acts.push(press("window-home"));
    acts.push(check(|_| {
        let clicks = CLICKS.with(|clicks| *clicks.borrow());
        // The copy of a number is one more than it takes.
        assert!(clicks <= 6, "{clicks} clicks");
    }));
    acts.push(on("window-overview"));
    acts.push(says("next-followed"));
    acts.push(go("window-account"));
    acts.push(says("window-known"));
    acts.push(press("window-rehearse"));
    acts.push(pin(PIN));
    acts.push(sees("demo.jana".to_owned()));
    acts
}

/// Wrong, wrong, the last try only by an explicit word, locked, unblocked.
fn wrong_pin() -> Vec<Act> {
    let last = || {
        let word = text("window-last-try-word");
        Texts::new(Language::Czech).get("window-last-try-type", &[("word", &word)])
    };
    let mut acts = renew();
    acts.extend([
        pin("000000"),
        sees(text("window-error-pin-incorrect")),
        pin("000001"),
        sees(text("window-error-pin-incorrect-last-try")),
        // A right one is not sent either before the word is typed.
        pin("000002"),
        wait(move |app| is_asked(app, &last())),
        check(named),
        // What was typed before the word is what the last try is spent on.
        answer(last(), "ANO"),
        trouble("pin-locked"),
        go("window-devices"),
        on("window-devices"),
        says("window-pins"),
        check(named),
        press("window-unblock"),
        answer(text("window-puk"), PUK),
        answer(text("window-new-pin"), "654321"),
        answer(text("window-again"), "111111"),
        sees(text("window-error-passwords-differ")),
        answer(text("window-new-pin"), "654321"),
        answer(text("window-again"), "654321"),
        says("pin-unblocked"),
        press("window-verify"),
        pin("654321"),
        says("pin-right"),
        press("window-change-pin"),
        pin("654321"),
        answer(text("window-new-pin"), PIN),
        answer(text("window-again"), PIN),
        says("pin-changed"),
        press("window-change-puk"),
        answer(text("window-puk"), PUK),
        answer(text("window-new-puk"), PUK),
        answer(text("window-again"), PUK),
        says("puk-changed"),
    ]);
    acts
}

fn waiting() -> Vec<Act> {
    let mut acts = renew();
    acts.extend([
        pin(PIN),
        // It will wait: that is said before a key is made.
        on("window-plan-answered"),
        says("reason-approval"),
        check(named),
        press("window-begin"),
        on("window-waits"),
        says("window-may-close-look"),
        check(named),
        press("window-home"),
        says("window-under-way"),
        does(approve),
        // Nobody presses anything: the window hears of it.
        says("window-decided"),
        press("window-resume"),
        pin(PIN),
    ]);
    acts.extend(done());
    acts
}

fn debt() -> Vec<Act> {
    let mut acts = renew();
    acts.extend([
        pin(PIN),
        on("window-plan-answered"),
        says("reason-debt"),
        says("window-nothing-made"),
        check(named),
        check(|app| assert!(buttons(app, &text("window-begin")).is_empty())),
        press("window-copy-message"),
        press("window-back"),
        on("window-overview"),
    ]);
    acts
}

/// Error 621 when the certificate is written: nothing is lost, and no second request is made.
fn full() -> Vec<Act> {
    let mut acts = renew();
    acts.extend([
        wait(|app| is_asked(app, &text("window-pin"))),
        does(|| write_rules(&folder(), "fail.C_CreateObject = 0x31\n")),
        pin(PIN),
        trouble("store-full"),
        check(named),
        says("window-under-way"),
        press("window-make-room"),
        pin(PIN),
        says("window-stays"),
        check(named),
        does(|| write_rules(&folder(), "")),
        go("window-overview"),
        press("window-resume"),
        pin(PIN),
    ]);
    acts.extend(done());
    acts
}

/// The device is pulled while its PIN is asked for, while it makes a key, and while a certificate is written: each time a
/// screen says what to do, and the work goes on from there.
fn pulled() -> Vec<Act> {
    let says_what_to_do = || wait(|app| app.get_view() == View::Page && !app.get_is_busy());
    let mut acts = renew();
    acts.extend([
        wait(|app| is_asked(app, &text("window-pin"))),
        does(|| write_rules(&folder(), "removed = 1\n")),
        pin(PIN),
        says_what_to_do(),
        says("window-trouble"),
        does(|| write_rules(&folder(), "")),
        press("window-refresh"),
    ]);
    acts.extend(renew());
    acts.extend([
        wait(|app| is_asked(app, &text("window-pin"))),
        does(|| write_rules(&folder(), "delay.C_GenerateKeyPair = 1500\n")),
        pin(PIN),
        wait(|app| app.get_view() == View::Work && !app.get_warning().is_empty()),
        // The slow call never freezes the window: this very act is done while it runs.
        does(|| write_rules(&folder(), "removed = 1\n")),
        says_what_to_do(),
        says("window-under-way"),
        says("window-trouble"),
        does(|| write_rules(&folder(), "pulled.C_CreateObject = 1\n")),
        press("window-resume"),
        pin(PIN),
        says_what_to_do(),
        says("window-under-way"),
        says("window-trouble"),
        does(|| {
            write_rules(&folder(), "");
            std::fs::remove_file(folder().join("rules.pulled")).unwrap();
        }),
        press("window-resume"),
        pin(PIN),
    ]);
    acts.extend(done());
    acts
}

fn crash() -> Vec<Act> {
    let mut acts = renew();
    acts.extend([
        wait(|app| is_asked(app, &text("window-pin"))),
        does(|| write_rules(&folder(), "before.C_GenerateKeyPair = 1\n")),
        pin(PIN),
        wait(|app| app.get_view() == View::Page && !app.get_is_busy()),
        says("window-trouble"),
        does(|| write_rules(&folder(), "")),
        press("window-resume"),
        pin(PIN),
    ]);
    acts.extend(done());
    acts
}

/// PINs are typed on the device: there is no field for them.
fn pad() -> Vec<Act> {
    let mut acts = renew();
    acts.push(check(|app| assert!(field(app, &text("window-pin")).is_none())));
    acts.extend(done());
    acts
}

fn device() -> Vec<Act> {
    let file = || folder().join("other.p12").display().to_string();
    vec![
        does(|| {
            shell(
                &folder(),
                "printf '[req]\\ndistinguished_name=d\\nx509_extensions=v\\n[d]\\n[v]\\nbasicConstraints=CA:FALSE\\n' > c
                 openssl req -config c -newkey rsa:2048 -nodes -keyout k -out r -subj '/CN=Jana' 2>/dev/null
                 openssl req -config c -x509 -newkey rsa:2048 -nodes -keyout i -out i.pem -days 900 -subj '/CN=Other CA' 2>/dev/null
                 openssl x509 -req -in r -CA i.pem -CAkey i -set_serial 77 -days 400 -out p.pem 2>/dev/null
                 openssl pkcs12 -export -inkey k -in p.pem -passout pass:heslo -out other.p12",
            );
        }),
        go("window-devices"),
        on("window-devices"),
        check(named),
        press("window-rename"),
        on("window-rename"),
        fill("window-name", "Můj token".to_owned()),
        press("window-save"),
        sees("Můj token".to_owned()),
        press("window-import"),
        on("window-import"),
        fill("window-import-file", file()),
        press("window-import-go"),
        answer(text("window-password"), "spatne"),
        says("error-password-wrong"),
        answer(text("window-password"), "heslo"),
        pin(PIN),
        says("import-not-made-there"),
        press("window-import"),
        fill("window-import-file", "/no/such/file.p12".to_owned()),
        press("window-import-go"),
        trouble("file-error"),
        // Erasing wants the name, typed.
        go("window-devices"),
        press("window-erase"),
        on("window-erase"),
        check(named),
        press("window-erase-go"),
        trouble("name-not-typed"),
        go("window-cleanup"),
        on("window-cleanup"),
        press("window-survey"),
        pin(PIN),
        says("window-stays"),
        check(named),
        check(|app| assert!(buttons(app, &text("window-remove")).is_empty(), "nothing may go")),
        go("window-help"),
        on("window-help"),
        press("window-doctor-go"),
        on("window-doctor"),
        check(named),
        press("window-mend"),
        on("window-doctor"),
        press("window-back"),
        press("window-ticket-go"),
        on("window-ticket"),
        press("window-general"),
        check(named),
        press("window-ticket-text"),
        trouble("help-unknown"),
        go("window-help"),
        press("window-ticket-go"),
        fill("window-ticket-words", "Nejde to.".to_owned()),
        fill("window-ticket-organisation", "17651921".to_owned()),
        fill("window-ticket-reference", "DEMO-1".to_owned()),
        fill("window-ticket-mailbox", "desk@demo.obnova.example.com".to_owned()),
        press("window-ticket-write"),
        sees("help.eml".to_owned()),
        does(|| {
            let mail = std::fs::read_to_string(folder().join("home/requests/help.eml")).unwrap();
            assert!(mail.starts_with("To: desk@demo.obnova.example.com"), "{mail}");
        }),
        go("window-help"),
        press("window-ticket-go"),
        // It is remembered.
        sees("desk@demo.obnova.example.com".to_owned()),
        fill("window-ticket-words", "Ani teď.".to_owned()),
        press("window-ticket-text"),
        sees("17651921".to_owned()),
        go("window-help"),
        press("window-errors-go"),
        fill("window-errors-find", "store-full".to_owned()),
        press("window-errors-go"),
        trouble("store-full"),
        go("window-help"),
        press("window-about-go"),
        on("window-about"),
        go("window-help"),
        press_named(obnova_texts::guide(Language::Czech)[0].title.to_owned()),
        press("window-guide-next"),
        press("window-missing"),
        on("window-ticket"),
        go("window-overview"),
        press("window-more"),
        on("window-certificate"),
        check(named),
        press("window-prove"),
        pin(PIN),
        on("window-certificate"),
    ]
}

/// A file: opened by its password, copies decided, copied, renewed; then what it followed is removed and its public part
/// written back.
fn file() -> Vec<Act> {
    let folder_of_copies = folder().join("copies").display().to_string();
    let mut acts = vec![
        does(|| {
            let path = folder().join("home/obnova.toml");
            let settings = std::fs::read_to_string(&path).unwrap().replace("backup = false\n", "");
            std::fs::write(path, settings).unwrap();
        }),
        on("window-overview"),
        press("window-open-file"),
        answer(text("window-password"), PIN),
        says("next-renew"),
    ];
    acts.extend(renew());
    acts.extend([
        answer(text("window-password"), PIN),
        // Nobody has decided yet what becomes of a copy.
        trouble("backup-undecided"),
        go("window-backup"),
        on("window-backup"),
        check(named),
        fill("window-backup-folder", folder_of_copies),
        press("window-backup-go"),
        answer(text("window-password"), PIN),
        sees("SHA-256".to_owned()),
        go("window-overview"),
        press("window-resume"),
        answer(text("window-password"), PIN),
    ]);
    acts.extend(done());
    acts.extend([
        press("window-make-room"),
        press("window-survey"),
        answer(text("window-password"), PIN),
        sees(text("goes-superseded").split_once(": ").unwrap().1.to_owned()),
        press("window-remove"),
        on("window-remove"),
        check(named),
        press("window-remove-go"),
        says("window-restore"),
        go("window-cleanup"),
        says("window-removed"),
        press("window-restore"),
        answer(text("window-password"), PIN),
        on("window-cleanup"),
        // Of the two that went, one is back, and offered no more.
        wait(|app| {
            let title = text("restored");
            let begins = title.split('{').next().unwrap_or_default().trim().to_lowercase();
            all_texts(app).to_lowercase().contains(&begins) && buttons(app, &text("window-restore")).len() == 1
        }),
        go("window-devices"),
        press("window-change-password"),
        answer(text("window-password"), PIN),
        answer(text("window-new-password"), "jiné heslo"),
        answer(text("window-again"), "jiné heslo"),
        says("pin-changed"),
        go("window-overview"),
        press("window-open-file"),
        answer(text("window-password"), "jiné heslo"),
        // The first one is the new one.
        go("window-more"),
        press("window-export"),
        on("window-export"),
        check(named),
        fill("window-export-file", folder().join("exported.p12").display().to_string()),
        press("window-export-go"),
        answer(text("window-password"), "jiné heslo"),
        answer(text("window-new-password"), "heslo souboru"),
        answer(text("window-again"), "heslo souboru"),
        sees("exported.p12".to_owned()),
        does(|| {
            shell(
                &folder(),
                "openssl pkcs12 -in exported.p12 -passin 'pass:heslo souboru' -nodes | grep -q 'PRIVATE KEY'",
            )
        }),
    ]);
    acts
}

/// An authority that is asked by mail and an account that is told by hand.
fn foreign_story() -> Vec<Act> {
    let asked = |label: &'static str, what: &'static str| answer(label.to_owned(), what);
    let mut acts = vec![on("window-overview"), press("window-renew"), on("window-plan")];
    acts.extend([
        sees("PostSignum".to_owned()),
        press("window-continue"),
        asked("Číslo smlouvy", "DEMO-1"),
        wait(|app| app.get_secret_label() == "Zaměstnanecké číslo" && !app.get_is_busy()),
        // An optional one is left out.
        press("window-leave-out"),
        asked("Doba platnosti (1 nebo 3 roky)", "1"),
        wait(|app| app.get_secret_label() == "Heslo pro zneplatnění" && !app.get_is_busy()),
        press("window-leave-out"),
        asked("Telefon", "+420 000 000 000"),
        pin(PIN),
        on("window-mail"),
        says("window-mail-ready"),
        check(named),
        // There is no mail program here; the page stays.
        press("window-mail-open"),
        trouble("no-program"),
        on("window-mail"),
        does(|| {
            shell(
                &folder(),
                "eml=$(ls home/requests/*.eml); openssl smime -verify -in $eml -CAfile ca.pem -purpose any -out inner 2>/dev/null
                 cp home/requests/*.req request.req
                 openssl req -in request.req -verify -noout 2>/dev/null
                 openssl x509 -req -in request.req -CA ca.pem -CAkey ca.key -set_serial 4712 -days 385 -extfile ca.cnf \
                 -extensions person -out new.pem 2>/dev/null",
            );
        }),
        press("window-pick-up"),
        on("window-pick-up"),
        fill("window-source", folder().join("ca.key").display().to_string()),
        press("window-take"),
        trouble("nothing-to-pick-up"),
        go("window-overview"),
        press("window-pick-up"),
        fill("window-source", folder().join("new.pem").display().to_string()),
        press("window-take"),
        pin(PIN),
        on("window-tell-title"),
        sees("JIP".to_owned()),
        check(named),
        sees("4712".to_owned()),
        press("window-told"),
        pin(PIN),
        on("window-ended"),
        says("window-done-one"),
        go("window-account"),
        says("account-said"),
    ]);
    acts
}

/// Another program made the key and installed the successor; the rest is done here.
fn adopt() -> Vec<Act> {
    vec![
        on("window-overview"),
        does(|| begun_elsewhere(&folder())),
        press("window-adopt"),
        pin(PIN),
        on("window-adopted"),
        says("window-adopted-installed"),
        check(named),
        press("window-resume"),
        pin(PIN),
        on("window-tell-title"),
        sees("4713".to_owned()),
    ]
}

/// A first certificate by an invitation; then the device is erased by its name, and nothing else.
fn invitation() -> Vec<Act> {
    let name = Texts::new(Language::Czech).get("window-erase-type", &[("store", "DEMO token")]);
    vec![
        does(|| {
            let invited = server(&["invite", "DEMO-100", "--profile", "commercial", "--json"]);
            std::fs::write(folder().join("invitation.json"), invited).unwrap();
        }),
        go("window-settings"),
        press("window-invitation"),
        on("window-invitation"),
        check(named),
        fill("window-invitation-file", folder().join("invitation.json").display().to_string()),
        press("window-enroll"),
        // What is begun goes on, also after a wrong PIN.
        pin("000000"),
        sees(text("window-error-pin-incorrect")),
        pin(PIN),
        on("window-ended"),
        says("window-done-one"),
        go("window-devices"),
        press("window-erase"),
        on("window-erase"),
        fill_named(name, "DEMO token".to_owned()),
        press("window-erase-go"),
        answer(text("window-puk"), PUK),
        answer(text("window-new-pin"), PIN),
        answer(text("window-again"), PIN),
        on("window-devices"),
        sees(Texts::new(Language::Czech).get("initialised", &[("name", "DEMO token")])),
        go("window-overview"),
        says("window-nothing"),
    ]
}

/// A card that comes and goes: nobody presses anything.
fn card() -> Vec<Act> {
    let mark = |name: &'static str| does(move || std::fs::write(folder().join(name), "").unwrap());
    vec![
        on("window-overview"),
        says("window-nothing"),
        mark("insert"),
        sees("Jana Dvořáková".to_owned()),
        check(named),
        mark("pull"),
        says("window-nothing"),
    ]
}

fn settings() -> Vec<Act> {
    vec![
        go("window-settings"),
        on("window-settings"),
        check(named),
        press("window-look-dark"),
        wait(|app| app.global::<obnova_desktop::Theme>().get_look() == obnova_desktop::Look::Dark),
        press_named("200 %".to_owned()),
        wait(|app| app.global::<obnova_desktop::Theme>().get_scale() == 2.0),
        press("window-shortcut-on"),
        wait(|app| !app.get_is_busy() && folder().join(".local/share/applications/obnova.desktop").exists()),
        press("window-remind-on"),
        press("window-remind-off"),
        press("window-shortcut-off"),
        wait(|app| !app.get_is_busy() && !folder().join(".local/share/applications/obnova.desktop").exists()),
        press("window-backup-refuse"),
        says("window-backup-refused"),
        does(|| {
            shell(
                &folder(),
                "printf '[req]\\ndistinguished_name=d\\nx509_extensions=v\\n[d]\\n[v]\\nbasicConstraints=critical,CA:TRUE\\n' > c
                 openssl req -config c -x509 -newkey rsa:2048 -nodes -keyout k -out root.pem -days 900 -subj '/CN=Example Root' 2>/dev/null",
            );
        }),
        fill("window-address", "http://ca.example.org/cmp".to_owned()),
        fill("window-anchor", folder().join("root.pem").display().to_string()),
        press("window-add-cmp"),
        // Whom it would trust is seen before it does.
        on("window-trust"),
        check(named),
        check(|app| {
            let told = Command::new("sh")
                .args(["-c", "openssl x509 -in root.pem -outform DER | sha256sum"])
                .current_dir(folder())
                .output()
                .unwrap();
            let print = String::from_utf8_lossy(&told.stdout)[..64].to_owned();
            assert!(all_texts(app).contains(&print), "{print}");
        }),
        press("window-trust-go"),
        on("window-settings"),
        sees("Example Root".to_owned()),
        fill("window-add-store", "/no/such/module.so".to_owned()),
        press("window-add"),
        says("window-trouble"),
        press_named("English".to_owned()),
        wait(|app| app.get_heading() == "Settings" && !app.get_is_busy()),
        does(|| {
            let kept = std::fs::read_to_string(folder().join("home/obnova.toml")).unwrap();
            for part in ["language = \"en\"", "look = \"dark\"", "text = 200", "backup = false"] {
                assert!(kept.contains(part), "{kept}");
            }
        }),
    ]
}

pub(crate) fn play(story: &str) {
    without_screen(true);
    let home = PathBuf::from(std::env::var("OBNOVA_HOME").unwrap());
    let app = open(&Settings { home, language: Language::Czech, days_back: 0 }).unwrap();
    app.window().set_size(slint::LogicalSize::new(1000.0, 6000.0));
    app.show().unwrap();
    let acts = match story {
        "nothing" => vec![
            says("window-nothing"),
            check(named),
            press("window-pick-up"),
            on("window-pick-up"),
            press("window-take"),
            trouble("path-missing"),
            go("window-devices"),
            says("window-no-device"),
            go("window-account"),
            says("window-account-none"),
        ],
        "renewal" => renewal(),
        "wrong-pin" => wrong_pin(),
        "pad" => pad(),
        "waiting" => waiting(),
        "debt" => debt(),
        "middleware" => vec![press("window-renew"), trouble("middleware-old"), check(named)],
        "full" => full(),
        "pulled" => pulled(),
        "crash" => crash(),
        "device" => device(),
        "file" => file(),
        "foreign" => foreign_story(),
        "settings" => settings(),
        "adopt" => adopt(),
        "invitation" => invitation(),
        "card" => card(),
        other => panic!("no story is called {other}"),
    };
    walk(&app, acts);
}
