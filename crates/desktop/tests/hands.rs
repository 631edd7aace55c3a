//! What a person can do at the window, and what they wait for; and the devices and authorities that stories need.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::time::{Duration, Instant};

use i_slint_backend_testing::{AccessibleRole, ElementHandle};
use obnova_desktop::{App, View};
use obnova_testkit::{CardStand, MANAGEMENT_KEY, YKCS11, softhsm_module};
use obnova_texts::{Language, Texts};
use slint::ComponentHandle;

use crate::pictures::field;
use crate::programs;

/// Names the folder of a story.
pub(crate) const FOLDER: &str = "OBNOVA_WINDOW_FOLDER";

pub(crate) const PIN: &str = "123456";
pub(crate) const PUK: &str = "87654321";

/// One thing that a person does or waits for: `true` when it is done.
pub(crate) type Act = Box<dyn FnMut(&App) -> bool>;

pub(crate) fn folder() -> PathBuf {
    PathBuf::from(std::env::var(FOLDER).unwrap())
}

pub(crate) fn text(key: &str) -> String {
    Texts::new(Language::Czech).get(key, &[])
}

/// Puts the module that misbehaves before the token, and writes its rules.
pub(crate) fn misbehave(place: &Path, rules: &str, child: &mut Command) {
    let module = programs().join("libfaultp11.so");
    assert!(module.exists(), "build it first: cargo build --package faultp11");
    let settings =
        format!("discover = false\nbackup = false\n\n[[store]]\nmodule = {:?}\n", module.display().to_string());
    std::fs::write(place.join("home/obnova.toml"), settings).unwrap();
    write_rules(place, rules);
    child.env("FAULTP11_RULES", place.join("rules"));
}

pub(crate) fn write_rules(place: &Path, rules: &str) {
    let module = softhsm_module().unwrap();
    // In one step: the module reads it at every call.
    let new = place.join("rules.new");
    std::fs::write(&new, format!("module = {}\n{rules}", module.display())).unwrap();
    std::fs::rename(new, place.join("rules")).unwrap();
}

pub(crate) fn shell(place: &Path, script: &str) {
    let output = Command::new("sh").args(["-ec", script]).current_dir(place).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A token whose commercial certificate, with 30 days left, is of an authority that OpenSSL plays.
pub(crate) fn foreign(place: &Path, child: &mut Command) {
    std::fs::create_dir(place.join("home")).unwrap();
    std::fs::create_dir(place.join("tokens")).unwrap();
    // No program of this computer opens what a story would show.
    std::fs::create_dir(place.join("bin")).unwrap();
    shell(place, "printf '#!/bin/sh\nexit 3\n' > bin/xdg-open; chmod +x bin/xdg-open");
    let path = std::env::var("PATH").unwrap_or_default();
    child.env("PATH", format!("{}:{path}", place.join("bin").display()));
    let conf = format!("directories.tokendir = {}\nobjectstore.backend = file\n", place.join("tokens").display());
    std::fs::write(place.join("softhsm2.conf"), conf).unwrap();
    child.env("OBNOVA_HOME", place.join("home")).env("SOFTHSM2_CONF", place.join("softhsm2.conf"));
    misbehave(place, "", child);
    let module = softhsm_module().unwrap();
    let script = format!(
        "export SOFTHSM2_CONF=$PWD/softhsm2.conf
         softhsm2-util --init-token --free --label Token --pin {PIN} --so-pin {PUK} >/dev/null
         printf '[req]\\ndistinguished_name=d\\nx509_extensions=ca\\nprompt=no\\n[d]\\nCN=PostSignum DEMO Public CA\\nO=DEMO\\n\
         [ca]\\nbasicConstraints=critical,CA:TRUE\\nkeyUsage=critical,keyCertSign,cRLSign\\nsubjectKeyIdentifier=hash\\n\
         [person]\\nbasicConstraints=CA:FALSE\\nkeyUsage=critical,digitalSignature\\n\
         subjectAltName=email:jana@demo.obnova.example.com\\nsubjectKeyIdentifier=hash\\nauthorityKeyIdentifier=keyid\\n\
         certificatePolicies=2.23.134.1.4.2.1\\n' > ca.cnf
         openssl req -config ca.cnf -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 3650
         openssl req -new -newkey rsa:2048 -nodes -keyout old.key -utf8 -config ca.cnf -out old.csr \
         -subj '/C=CZ/O=DEMO Úřad/CN=Jana Dvořáková/serialNumber=P1'
         openssl x509 -req -in old.csr -CA ca.pem -CAkey ca.key -set_serial 4711 -days 30 -extfile ca.cnf -extensions person -out old.pem
         openssl x509 -in old.pem -outform DER -out old.der; openssl x509 -in ca.pem -outform DER -out ca.der
         openssl pkcs8 -topk8 -nocrypt -in old.key -outform DER -out old.p8
         softhsm2-util --import old.key --token Token --label old --id 41 --pin {PIN} --no-public-key >/dev/null 2>&1 \
         || softhsm2-util --import old.key --token Token --label old --id 41 --pin {PIN} >/dev/null
         for one in old ca; do pkcs11-tool --module {} --login --pin {PIN} --token-label Token --write-object $one.der --type cert \
         --id $(test $one = old && echo 41 || echo 40) --label $one >/dev/null 2>&1; done",
        module.display()
    );
    shell(place, &script);
}

/// What another program left behind: the successor of the person's certificate is installed already.
pub(crate) fn begun_elsewhere(place: &Path) {
    let module = softhsm_module().unwrap();
    let script = format!(
        "export SOFTHSM2_CONF=$PWD/softhsm2.conf
         tool() {{ pkcs11-tool --module {} --login --pin {PIN} --token-label Token \"$@\" >/dev/null 2>&1; }}
         tool --keypairgen --key-type rsa:2048 --id 42 --label elsewhere
         tool --read-object --type pubkey --id 42 --output-file public.der
         openssl pkey -pubin -inform DER -in public.der -out public.pem
         openssl x509 -req -in old.csr -force_pubkey public.pem -CA ca.pem -CAkey ca.key -set_serial 4713 -days 385 \
         -extfile ca.cnf -extensions person -out new.pem 2>/dev/null
         openssl x509 -in new.pem -outform DER -out new.der
         tool --write-object new.der --type cert --id 42 --label new",
        module.display()
    );
    shell(place, &script);
}

/// A card with a certificate on it, pulled out again; and the service with its reader.
pub(crate) fn card(place: &Path) -> Option<CardStand> {
    let stand = CardStand::start(&programs()).unwrap()?;
    let inserted = stand.insert_remembering(0, "piv", "jana").unwrap();
    let script = format!(
        "officer() {{ pkcs11-tool --module {YKCS11} --login --login-type so --so-pin {MANAGEMENT_KEY} \"$@\" >/dev/null 2>&1; }}
         printf '[req]\\ndistinguished_name=d\\n[d]\\n[v]\\nbasicConstraints=CA:FALSE\\nkeyUsage=critical,digitalSignature\\n' > c
         officer --keypairgen --key-type EC:prime256v1 --id 1
         pkcs11-tool --module {YKCS11} --read-object --type pubkey --id 1 -o public.der >/dev/null 2>&1
         openssl pkey -pubin -inform DER -in public.der -out public.pem
         openssl req -config c -newkey rsa:2048 -nodes -keyout k -out r -utf8 -subj '/CN=Jana Dvořáková' 2>/dev/null
         openssl req -config c -x509 -newkey rsa:2048 -nodes -keyout i -out i.pem -days 900 -subj '/CN=Card CA' 2>/dev/null
         openssl x509 -req -in r -force_pubkey public.pem -CA i.pem -CAkey i -set_serial 4711 -days 300 -extfile c -extensions v \
         -outform DER -out card.der 2>/dev/null
         officer --write-object card.der --type cert --id 1"
    );
    shell(place, &script);
    drop(inserted);
    stand.wait(0, false).unwrap();
    std::fs::create_dir(place.join("home")).unwrap();
    std::fs::write(place.join("home/obnova.toml"), format!("discover = false\n[[store]]\nmodule = {YKCS11:?}\n"))
        .unwrap();
    Some(stand)
}

/// Puts the card in when the story wants it, and pulls it when the story has seen it.
pub(crate) fn insert_and_pull(stand: &CardStand, place: &Path, child: &mut std::process::Child) {
    let wanted = |name: &str, child: &mut std::process::Child| {
        while !place.join(name).exists() && matches!(child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    wanted("insert", child);
    let inserted = stand.insert_remembering(0, "piv", "jana").unwrap();
    wanted("pull", child);
    drop(inserted);
}

pub(crate) fn buttons(app: &App, name: &str) -> Vec<ElementHandle> {
    ElementHandle::find_by_accessible_label(app, name)
        .filter(|element| element.accessible_role() == Some(AccessibleRole::Button))
        .collect()
}

/// Presses the button with this text, as soon as it is there and the window is not busy.
pub(crate) fn press_named(name: String) -> Act {
    Box::new(move |app| {
        if app.get_is_busy() {
            return false;
        }
        match buttons(app, &name).into_iter().last() {
            Some(found) => {
                found.invoke_accessible_default_action();
                CLICKS.with(|clicks| *clicks.borrow_mut() += 1);
                true
            }
            None => false,
        }
    })
}

pub(crate) fn press(key: &'static str) -> Act {
    press_named(text(key))
}

thread_local! {
    pub(crate) static CLICKS: RefCell<usize> = const { RefCell::new(0) };
}

/// Goes to a place.
pub(crate) fn go(key: &'static str) -> Act {
    Box::new(move |app| {
        let name = text(key);
        // The place stands on the left, before anything of the same name on the page.
        match buttons(app, &name).into_iter().next() {
            Some(found) if !app.get_is_busy() => {
                found.invoke_accessible_default_action();
                true
            }
            _ => false,
        }
    })
}

pub(crate) fn wait(until: impl Fn(&App) -> bool + 'static) -> Act {
    Box::new(move |app| until(app))
}

pub(crate) fn check(that: impl Fn(&App) + 'static) -> Act {
    Box::new(move |app| {
        that(app);
        true
    })
}

pub(crate) fn does(what: impl Fn() + 'static) -> Act {
    Box::new(move |_| {
        what();
        true
    })
}

/// Waits for a page with this heading.
pub(crate) fn on(key: &'static str) -> Act {
    wait(move |app| app.get_view() == View::Page && !app.get_is_busy() && app.get_heading() == text(key))
}

pub(crate) fn is_asked(app: &App, label: &str) -> bool {
    app.get_view() == View::Secret && !app.get_is_busy() && app.get_secret_label() == label
}

/// Types into the field of a question, and continues.
pub(crate) fn answer(label: String, what: &'static str) -> Act {
    Box::new(move |app| {
        if !is_asked(app, &label) {
            return false;
        }
        let Some(found) = field(app, &label) else { return false };
        found.set_accessible_value(what);
        let go_on = buttons(app, &text("window-continue"));
        go_on.last().unwrap().invoke_accessible_default_action();
        CLICKS.with(|clicks| *clicks.borrow_mut() += 1);
        // Handed over, and not there any more.
        assert!(field(app, &label).is_none_or(|field| field.accessible_value().unwrap_or_default().is_empty()));
        true
    })
}

pub(crate) fn pin(what: &'static str) -> Act {
    answer(text("window-pin"), what)
}

/// Types into a field of a page.
pub(crate) fn fill(key: &'static str, what: String) -> Act {
    fill_named(text(key), what)
}

/// The same by the label of the field.
pub(crate) fn fill_named(label: String, what: String) -> Act {
    Box::new(move |app| match field(app, &label) {
        Some(found) if !app.get_is_busy() => {
            found.set_accessible_value(what.as_str());
            true
        }
        _ => false,
    })
}

pub(crate) fn all_texts(app: &App) -> String {
    i_slint_backend_testing::ElementQuery::from_root(app)
        .match_descendants()
        .find_all()
        .into_iter()
        .filter_map(|element| element.accessible_label())
        .map(|label| label.to_string())
        .collect::<Vec<_>>()
        .join("\n")
}

/// Waits until a text is seen somewhere.
pub(crate) fn sees(part: String) -> Act {
    // Words that begin a line have a capital letter.
    let part = part.to_lowercase();
    wait(move |app| !app.get_is_busy() && all_texts(app).to_lowercase().contains(&part))
}

pub(crate) fn says(key: &'static str) -> Act {
    sees(text(key))
}

/// Waits for an error of this code.
pub(crate) fn trouble(code: &'static str) -> Act {
    sees(format!("[{code}]"))
}

/// Does one thing after the other, while the event loop runs.
pub(crate) fn walk(app: &App, acts: Vec<Act>) {
    let left = Rc::new(RefCell::new(acts.into_iter().collect::<VecDeque<Act>>()));
    let count = left.borrow().len();
    let (weak, since) = (app.as_weak(), Rc::new(RefCell::new(Instant::now())));
    let queue = Rc::clone(&left);
    let timer = slint::Timer::default();
    timer.start(slint::TimerMode::Repeated, Duration::from_millis(30), move || {
        let Some(app) = weak.upgrade() else { return };
        let done = queue.borrow_mut().front_mut().is_none_or(|act| act(&app));
        if done {
            queue.borrow_mut().pop_front();
            *since.borrow_mut() = Instant::now();
        }
        if queue.borrow().is_empty() || since.borrow().elapsed() > Duration::from_secs(60) {
            slint::quit_event_loop().unwrap();
        }
    });
    slint::run_event_loop_until_quit().unwrap();
    let left = left.borrow().len();
    assert_eq!(left, 0, "stopped at act {} of {count}: {}\n{}", count - left, app.get_heading(), all_texts(app));
}
