//! The window, clicked through without a screen: the real server, SoftHSM, and the elements as a screen reader sees them.
//! It is a program of its own, because one process has one event loop, and because it must play the host of a module.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a story that cannot go on has failed, and says so")]

use std::cell::RefCell;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::rc::Rc;
use std::time::{Duration, Instant};

use i_slint_backend_testing::{AccessibleRole, ElementHandle, ElementQuery, TestingBackend, TestingBackendOptions};
use obnova_desktop::{App, Screen, Settings, open};
use obnova_testkit::{Engine, Store, World, WorldOptions, softhsm_module};
use obnova_texts::{Language, Texts};
use slint::ComponentHandle;

/// Names the story that a child process plays.
const STORY: &str = "OBNOVA_WINDOW_STORY";

/// Where pictures of the screens go, when somebody wants them.
const PICTURES: &str = "OBNOVA_PICTURES";

const STORIES: [&str; 3] = ["renewal", "wrong-pin", "nothing"];

fn main() -> ExitCode {
    if let Some(load) = obnova_client::Load::from_arguments(std::env::args_os().skip(1)) {
        return if obnova_client::serve_module(&load).is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    if let Ok(story) = std::env::var(STORY) {
        play(&story);
        return ExitCode::SUCCESS;
    }
    if softhsm_module().is_none() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "SoftHSM is missing, and in CI nothing is skipped");
        println!("SKIPPED: the window needs SoftHSM for its stories");
        return ExitCode::SUCCESS;
    }
    let mut failed = false;
    for story in STORIES {
        let begun = Instant::now();
        let ok = furnish_and_play(story);
        println!("window {story}: {} in {} s", if ok { "ok" } else { "FAILED" }, begun.elapsed().as_secs());
        failed |= !ok;
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Folder of the built programs.
fn programs() -> PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    if path.ends_with("deps") {
        path.pop();
    }
    assert!(
        path.join("obnova-server").exists() && path.join("obnova").exists(),
        "build the programs first: cargo build"
    );
    path
}

fn furnish_and_play(story: &str) -> bool {
    let folder = tempfile::Builder::new().prefix("obnova-window").tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.env(STORY, story).env("RUST_BACKTRACE", "0");
    if story == "nothing" {
        std::fs::write(folder.path().join("obnova.toml"), "discover = false\n").unwrap();
        return child.env("OBNOVA_HOME", folder.path()).status().unwrap().success();
    }
    let options = WorldOptions {
        programs: programs(),
        folder: folder.path().to_owned(),
        store: Store::SoftHsm,
        engine: Engine::Sqlite,
        issuer_key: "p256",
        speak: false,
    };
    let mut world = World::new(options).unwrap();
    world.furnish().unwrap();
    child.envs(world.environment());
    let ok = child.status().unwrap().success();
    if ok && story == "renewal" {
        // What the window said is what the command line sees.
        let status = world.ask(&["status"]).unwrap();
        return status.as_array().unwrap().iter().all(|journey| journey["finished"] == true);
    }
    ok
}

/// One thing that a person does or waits for: `true` when it is done.
type Act = Box<dyn FnMut(&App) -> bool>;

fn label(key: &str, language: Language) -> String {
    Texts::new(language).get(key, &[])
}

fn find(app: &App, name: &str) -> Option<ElementHandle> {
    ElementHandle::find_by_accessible_label(app, name).next()
}

/// The button of this name; the words on it bear the name, too.
fn button(app: &App, name: &str) -> Option<ElementHandle> {
    let mut all = ElementHandle::find_by_accessible_label(app, name);
    all.find(|element| element.accessible_role() == Some(AccessibleRole::Button))
}

/// Presses a button by its name, as soon as it is there.
fn press(key: &'static str) -> Act {
    Box::new(move |app| match button(app, &label(key, Language::Czech)) {
        Some(found) => {
            found.invoke_accessible_default_action();
            true
        }
        None => false,
    })
}

fn wait(until: impl Fn(&App) -> bool + 'static) -> Act {
    Box::new(move |app| until(app))
}

fn on(screen: Screen) -> Act {
    wait(move |app| app.get_screen() == screen && !app.get_is_busy())
}

fn type_pin(pin: &'static str) -> Act {
    Box::new(move |app| match find(app, &label("window-pin-field", Language::Czech)) {
        Some(field) => {
            field.set_accessible_value(pin);
            true
        }
        None => false,
    })
}

/// Everything that can be pressed or typed into has a name, and gauges tell whole numbers.
fn named() -> Act {
    Box::new(|app| {
        for element in ElementQuery::from_root(app).match_descendants().find_all() {
            let role = element.accessible_role();
            let name = element.accessible_label().unwrap_or_default();
            let is_acted_on = matches!(role, Some(AccessibleRole::Button | AccessibleRole::TextInput));
            assert!(!is_acted_on || !name.is_empty(), "{:?} without a name", element.type_name());
            if role == Some(AccessibleRole::ProgressIndicator) {
                let value = element.accessible_value().unwrap_or_default();
                assert!(value.chars().all(|c| c.is_ascii_digit()), "{value}");
            }
        }
        true
    })
}

/// A picture of the screen, when somebody wants it.
fn picture(name: &'static str) -> Act {
    Box::new(move |app| {
        let Ok(folder) = std::env::var(PICTURES) else { return true };
        let pixels = app.window().take_snapshot().unwrap();
        let path = PathBuf::from(folder).join(format!("{name}.png"));
        let mut encoder = png::Encoder::new(std::fs::File::create(path).unwrap(), pixels.width(), pixels.height());
        encoder.set_color(png::ColorType::Rgba);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.write_header().unwrap().write_image_data(pixels.as_bytes()).unwrap();
        true
    })
}

fn play(story: &str) {
    // A renderer without a screen, so that pictures can be taken.
    let options =
        TestingBackendOptions { threading: true, renderer_name: Some("software".into()), ..Default::default() };
    slint::platform::set_platform(Box::new(TestingBackend::new(options))).unwrap();
    let home = PathBuf::from(std::env::var("OBNOVA_HOME").unwrap());
    let app = open(&Settings { home, language: Language::Czech, days_back: 0 }).unwrap();
    app.window().set_size(slint::LogicalSize::new(860.0, 640.0));
    app.show().unwrap();
    let acts: Vec<Act> = match story {
        "nothing" => vec![
            wait(|app| !app.get_is_busy()),
            wait(|app| find(app, &label("window-nothing", Language::Czech)).is_some()),
            named(),
            picture("nothing.cs"),
            press("window-language"),
            wait(|app| find(app, &label("window-nothing", Language::English)).is_some()),
            picture("nothing.en"),
        ],
        "wrong-pin" => vec![
            press("window-renew"),
            on(Screen::Pin),
            type_pin("000000"),
            press("window-continue"),
            wait(|app| app.get_trouble_detail().contains("[pin-incorrect]")),
            on(Screen::Pin),
            picture("pin-wrong.cs"),
            type_pin("123456"),
            press("window-continue"),
            on(Screen::Plan),
            wait(|app| app.get_trouble().is_empty()),
            press("window-back"),
            on(Screen::Overview),
        ],
        _ => vec![
            wait(|app| app.get_can_renew()),
            named(),
            picture("overview.cs"),
            press("window-renew"),
            on(Screen::Pin),
            named(),
            picture("pin.cs"),
            type_pin("123456"),
            press("window-continue"),
            on(Screen::Plan),
            named(),
            picture("plan.cs"),
            press("window-begin"),
            wait(|app| app.get_screen() == Screen::Work),
            wait(|app| app.get_steps_done() > 4),
            wait(|_| true),
            named(),
            picture("work.cs"),
            wait(|app| app.get_screen() == Screen::Ended),
            wait(|app| {
                assert!(app.get_trouble().is_empty(), "{} {}", app.get_trouble(), app.get_trouble_detail());
                let name = label("window-copy", Language::Czech);
                let copies = ElementHandle::find_by_accessible_label(app, &name)
                    .filter(|element| element.accessible_role() == Some(AccessibleRole::Button))
                    .count();
                assert_eq!(copies, 4, "two successors, each in two notations");
                true
            }),
            named(),
            picture("ended.cs"),
            press("window-home"),
            on(Screen::Overview),
        ],
    };
    walk(&app, acts);
}

/// Does one thing after the other, while the event loop runs.
fn walk(app: &App, acts: Vec<Act>) {
    let left = Rc::new(RefCell::new(acts.into_iter().collect::<std::collections::VecDeque<Act>>()));
    let count = left.borrow().len();
    let (weak, begun) = (app.as_weak(), Rc::new(RefCell::new(Instant::now())));
    let (queue, since) = (Rc::clone(&left), Rc::clone(&begun));
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
    assert_eq!(
        left,
        0,
        "stopped at act {} of {count}: {:?} {} {}",
        count - left,
        app.get_screen(),
        app.get_trouble(),
        app.get_trouble_detail()
    );
}
