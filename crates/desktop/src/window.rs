//! The window itself: what the worker tells becomes properties, and clicks become questions.

use std::cell::Cell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::mpsc::Sender;

use obnova_client::Pin;
use obnova_texts::{Language, Texts};
use slint::{ComponentHandle, Model, ModelRc, SharedString, VecModel};

use crate::worker::{Ask, Tell, Worker, start};
use crate::{App, Look, Screen, Theme, Words};

/// What a window begins with.
pub struct Settings {
    /// Folder of settings and journals.
    pub home: PathBuf,
    /// Its language.
    pub language: Language,
    /// Days that its clock is behind, for the demonstration and for tests.
    pub days_back: u64,
}

/// Opens the window and stays until it is closed.
///
/// # Errors
///
/// What the system says when it has no screen for a window.
pub fn run(settings: &Settings) -> Result<(), slint::PlatformError> {
    let app = open(settings)?;
    app.run()
}

/// The window, not yet shown, with its worker.
///
/// # Errors
///
/// As [`run`].
pub fn open(settings: &Settings) -> Result<App, slint::PlatformError> {
    let app = App::new()?;
    let language = Rc::new(Cell::new(settings.language));
    let spoken = Rc::clone(&language);
    app.global::<Words>().on_get(move |key, _| Texts::new(spoken.get()).get(&key, &[]).into());
    let weak = app.as_weak();
    let ask = start(Worker {
        home: settings.home.clone(),
        days_back: settings.days_back,
        texts: Texts::new(settings.language),
        // A window that is closed is told nothing more.
        tell: Box::new(move |told| drop(weak.upgrade_in_event_loop(move |app| show(&app, told)))),
    });
    bind(&app, &ask, &language);
    Ok(app)
}

fn bind(app: &App, ask: &Sender<Ask>, language: &Rc<Cell<Language>>) {
    let send = |make: fn() -> Ask| {
        let ask = ask.clone();
        move || drop(ask.send(make()))
    };
    app.on_renew(send(|| Ask::Renew));
    app.on_resume(send(|| Ask::Resume));
    let (weak, sender) = (app.as_weak(), ask.clone());
    app.on_begin(move || {
        let Some(app) = weak.upgrade() else { return };
        forget_trouble(&app);
        drop(sender.send(Ask::Begin));
    });
    let (weak, sender) = (app.as_weak(), ask.clone());
    app.on_back(move || {
        let Some(app) = weak.upgrade() else { return };
        forget_trouble(&app);
        app.invoke_clear_pin();
        app.set_screen(Screen::Overview);
        drop(sender.send(Ask::Back));
    });
    let (weak, sender) = (app.as_weak(), ask.clone());
    app.on_pin_entered(move |text| {
        let Some(app) = weak.upgrade() else { return };
        // The field is emptied at once: the PIN travels on in a place that is wiped.
        app.invoke_clear_pin();
        if app.get_is_busy() || (text.is_empty() && !app.get_pin_on_pad()) {
            return;
        }
        forget_trouble(&app);
        app.set_is_busy(true);
        drop(sender.send(Ask::Entered(Pin::new(text.to_string()))));
    });
    let (sender, spoken) = (ask.clone(), Rc::clone(language));
    app.on_refresh(move || drop(sender.send(Ask::Refresh(Texts::new(spoken.get())))));
    let (weak, sender, spoken) = (app.as_weak(), ask.clone(), Rc::clone(language));
    app.on_other_language(move || {
        let Some(app) = weak.upgrade() else { return };
        spoken.set(if spoken.get() == Language::Czech { Language::English } else { Language::Czech });
        let words = app.global::<Words>();
        words.set_turn(words.get_turn() + 1);
        drop(sender.send(Ask::Refresh(Texts::new(spoken.get()))));
    });
    let weak = app.as_weak();
    app.on_other_look(move || {
        let Some(app) = weak.upgrade() else { return };
        let theme = app.global::<Theme>();
        theme.set_look(match theme.get_look() {
            Look::Light => Look::Dark,
            Look::Dark => Look::Contrast,
            Look::Contrast => Look::Light,
        });
    });
}

fn forget_trouble(app: &App) {
    app.set_trouble(SharedString::new());
    app.set_trouble_detail(SharedString::new());
}

fn model<T: Clone + 'static>(rows: Vec<T>) -> ModelRc<T> {
    ModelRc::new(VecModel::from(rows))
}

fn lines(rows: Vec<String>) -> ModelRc<SharedString> {
    model(rows.into_iter().map(SharedString::from).collect())
}

/// Draws what the worker tells.
fn show(app: &App, told: Tell) {
    match told {
        Tell::Busy(text) => {
            app.set_busy_with(text.into());
            app.set_is_busy(true);
            return;
        }
        Tell::Listed { cards, notices, can_renew, can_resume } => {
            app.set_cards(model(cards));
            app.set_notices(lines(notices));
            app.set_can_renew(can_renew);
            app.set_can_resume(can_resume);
        }
        Tell::AskPin { device, tries, pad } => {
            forget_trouble(app);
            app.set_pin_device(device.into());
            app.set_pin_tries(tries.into());
            app.set_pin_on_pad(pad);
            app.set_screen(Screen::Pin);
            app.set_is_busy(false);
            app.invoke_focus_pin();
        }
        Tell::Plan(rows) => {
            app.set_plan(lines(rows));
            app.set_screen(Screen::Plan);
        }
        Tell::Work(steps) => {
            let done = steps.iter().filter(|step| step.state == "done").count();
            app.set_steps_done(i32::try_from(done).unwrap_or(0));
            let shown = app.get_steps();
            if shown.row_count() == steps.len() {
                // Only what changed: a row that is made anew would be read aloud anew.
                for (nth, step) in steps.into_iter().enumerate() {
                    if shown.row_data(nth).as_ref() != Some(&step) {
                        shown.set_row_data(nth, step);
                    }
                }
            } else {
                app.set_steps(model(steps));
            }
            app.set_screen(Screen::Work);
        }
        Tell::Warning(text) => app.set_warning(text.into()),
        Tell::Ended { text, successes } => {
            app.set_warning(SharedString::new());
            app.set_ending(text.into());
            app.set_successes(model(successes));
            app.set_screen(Screen::Ended);
        }
        Tell::Trouble { text, detail, screen } => {
            app.set_trouble(text.into());
            app.set_trouble_detail(detail.into());
            app.set_screen(screen);
        }
    }
    app.set_is_busy(false);
}
