//! The window itself: what the worker tells becomes properties, and clicks become acts.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::mpsc::{Sender, channel};

use mundy::{Contrast, Interest, Preferences, Subscription};
use obnova_client::Pin;
use obnova_texts::{Language, Texts};
use slint::{CloseRequestResponse, ComponentHandle, Image, Model, ModelRc, SharedString, VecModel};

use crate::chooser::choose;
use crate::page::{self, Act, Block, Button, Card, Field, Page, Place, Wanted};
use crate::pictures::picture;
use crate::screens::{App, Chosen, Look, Mark, Reveal, Shape, Shortcut, Theme, View, Words};
use crate::screens::{Block as BlockRow, Button as ButtonRow, Place as PlaceRow, Step as StepRow};
use crate::talk::{Ask, Fields, Question, Step, Talk, Tell};
use crate::worker;

/// What a window begins with.
pub struct Settings {
    /// Folder of settings and journals.
    pub home: PathBuf,
    /// Its language, where the settings do not say another one.
    pub language: Language,
    /// Days that its clock is behind, for the demonstration and for tests.
    pub days_back: u64,
}

/// What is drawn: acts by the numbers that the screens know them by, and what was typed into fields.
#[derive(Default)]
struct Seen {
    acts: Vec<Act>,
    main: Option<usize>,
    fields: Fields,
    /// What may be chosen for fields, with their labels.
    wanted: BTreeMap<String, (String, Wanted)>,
    place: Option<Place>,
    language: Language,
    /// How many pages were drawn before.
    turn: u64,
    /// What was pressed last: where the page stays, the keys stay on it.
    pressed: Option<Act>,
    keeps: Option<Act>,
}

/// A window that draws; without a worker it only shows.
#[derive(Clone, Default)]
pub struct Drawn(Rc<RefCell<Seen>>);

/// Opens the window and stays until it is closed.
///
/// # Errors
///
/// What the system says when it has no screen for a window.
pub fn run(settings: &Settings) -> Result<(), slint::PlatformError> {
    let app = open(settings)?;
    let _contrast = follow_contrast(&app);
    app.run()
}

/// Keeps the look of the window with the contrast that the system wants, until it is dropped.
fn follow_contrast(app: &App) -> Subscription {
    let weak = app.as_weak();
    Preferences::subscribe(Interest::Contrast, move |preferences: Preferences| {
        let is_wanted = matches!(preferences.contrast, Contrast::More | Contrast::Custom);
        // A window that is closed has no look.
        drop(weak.upgrade_in_event_loop(move |app| app.global::<Theme>().set_is_contrasted(is_wanted)));
    })
}

/// A window without a worker, for pictures of single pages.
///
/// # Errors
///
/// As [`run`].
pub fn blank(language: Language) -> Result<(App, Drawn), slint::PlatformError> {
    let app = App::new()?;
    let spoken = Rc::new(Cell::new(Texts::new(language)));
    let drawn = Drawn::default();
    prepare(&app, &spoken);
    Ok((app, drawn))
}

/// The window, not yet shown, with its worker.
///
/// # Errors
///
/// As [`run`].
pub fn open(settings: &Settings) -> Result<App, slint::PlatformError> {
    let app = App::new()?;
    let spoken = Rc::new(Cell::new(Texts::new(settings.language)));
    prepare(&app, &spoken);
    let drawn = Drawn::default();
    let (ask, asked) = channel();
    // What is told travels to the thread of the window, where what is drawn lives.
    let (told, tell) = channel::<Tell>();
    let tell = Rc::new(tell);
    HEARD.with(|heard| *heard.borrow_mut() = Some((Rc::clone(&tell), drawn.clone(), Rc::clone(&spoken))));
    let weak = app.as_weak();
    let teller = || -> Box<dyn Fn(Tell) + Send> {
        let (told, weak) = (told.clone(), weak.clone());
        Box::new(move |what| {
            // A window that is closed is told nothing more.
            if told.send(what).is_ok() {
                drop(weak.upgrade_in_event_loop(|app| hear(&app)));
            }
        })
    };
    let texts = Texts::new(settings.language);
    let (talk, last_words) = (Talk::new(asked, teller(), texts), teller());
    bind(&app, &ask, &drawn, &spoken);
    ask_before_closing(&app, &spoken);
    bind_chooser(&app, &drawn, &spoken);
    let (home, days_back) = (settings.home.clone(), settings.days_back);
    std::thread::spawn(move || {
        let work = std::panic::AssertUnwindSafe(|| worker::run(&home, days_back, talk));
        if std::panic::catch_unwind(work).is_err() {
            let mut page = Page::of(texts, Place::Overview);
            page.notice(page::Mark::Bad, texts.get("window-crashed", &[]), "");
            last_words(Tell::Page(page));
        }
    });
    Ok(app)
}

type Heard = (Rc<std::sync::mpsc::Receiver<Tell>>, Drawn, Rc<Cell<Texts>>);

thread_local! {
    /// What the worker told and the window did not draw yet; it belongs to the thread of the window.
    static HEARD: RefCell<Option<Heard>> = const { RefCell::new(None) };
}

fn hear(app: &App) {
    let heard = HEARD.with(|heard| heard.borrow().clone());
    let Some((told, drawn, spoken)) = heard else { return };
    while let Ok(what) = told.try_recv() {
        show(app, &drawn, &spoken, what);
    }
}

/// Words, and what is scrolled to.
fn prepare(app: &App, spoken: &Rc<Cell<Texts>>) {
    let words = Rc::clone(spoken);
    app.global::<Words>().on_get(move |key, _| words.get().get(&key, &[]).into());
    let weak = app.as_weak();
    app.global::<Reveal>().on_reveal(move |y, height| {
        if let Some(app) = weak.upgrade() {
            app.invoke_scroll_to(y, height);
        }
    });
}

fn bind(app: &App, ask: &Sender<Ask>, drawn: &Drawn, spoken: &Rc<Cell<Texts>>) {
    let (weak, sender, seen, words) = (app.as_weak(), ask.clone(), drawn.clone(), Rc::clone(spoken));
    let press = Rc::new(move |act: Act| {
        let Some(app) = weak.upgrade() else { return };
        if let Act::Copy(text) = &act {
            app.invoke_copy_text(text.into());
            let said = match text.chars().count() {
                0..=60 => words.get().get("window-copied", &[("text", text)]),
                _ => words.get().get("window-copied-long", &[]),
            };
            return app.set_said(said.into());
        }
        // Work goes on to its end, and its result is seen: no place takes it away.
        if app.get_view() == View::Work {
            return app.set_warning(words.get().get("window-work-first", &[]).into());
        }
        // One thing after the other; a question may be left for another place.
        if app.get_is_busy() {
            return;
        }
        app.set_is_busy(true);
        seen.0.borrow_mut().pressed = Some(act.clone());
        let fields = seen.0.borrow().fields.clone();
        drop(sender.send(Ask::Act(act, fields)));
    });
    let (pressed, seen) = (Rc::clone(&press), drawn.clone());
    app.on_act(move |number| {
        let act = usize::try_from(number).ok().and_then(|number| seen.0.borrow().acts.get(number).cloned());
        if let Some(act) = act {
            pressed(act);
        }
    });
    let pressed = Rc::clone(&press);
    app.on_go(move |number| {
        if let Some(place) = usize::try_from(number).ok().and_then(|number| Place::ALL.get(number)) {
            pressed(Act::Go(*place));
        }
    });
    let seen = drawn.clone();
    app.on_typed(move |name, text| {
        seen.0.borrow_mut().fields.insert(name.into(), text.into());
    });
    let (pressed, seen) = (Rc::clone(&press), drawn.clone());
    app.on_submitted(move || {
        let seen = seen.0.borrow();
        let act = seen.main.and_then(|main| seen.acts.get(main)).cloned();
        drop(seen);
        if let Some(act) = act {
            pressed(act);
        }
    });
    let (weak, sender) = (app.as_weak(), ask.clone());
    app.on_entered(move |text| {
        let Some(app) = weak.upgrade() else { return };
        // The field is emptied as soon as this returns; the secret travels on in a place that is wiped. The toolkit's own
        // copy of what was typed cannot be.
        if !app.get_is_busy() {
            app.set_is_busy(true);
            drop(sender.send(Ask::Entered(Pin::new(text.into()))));
        }
    });
    let (weak, sender, seen) = (app.as_weak(), ask.clone(), drawn.clone());
    app.on_command(move |command| {
        let Some(app) = weak.upgrade() else { return };
        if app.get_is_busy() || app.get_view() == View::Work {
            return;
        }
        match command {
            Shortcut::Back => {
                app.set_is_busy(true);
                drop(sender.send(Ask::Back));
            }
            Shortcut::Again if app.get_view() == View::Page => {
                app.set_is_busy(true);
                drop(sender.send(Ask::Again));
            }
            Shortcut::Help => {
                let place = seen.0.borrow().place.unwrap_or(Place::Overview);
                press(Act::Guide(crate::help::guide_of(place)));
            }
            _ => {}
        }
    });
}

/// While a key is made or a certificate written, the first click on the cross only tells what closing means.
fn ask_before_closing(app: &App, spoken: &Rc<Cell<Texts>>) {
    let (weak, words) = (app.as_weak(), Rc::clone(spoken));
    app.window().on_close_requested(move || {
        let Some(app) = weak.upgrade().filter(|app| app.get_view() == View::Work) else {
            return CloseRequestResponse::HideWindow;
        };
        let told: SharedString = words.get().get("window-work-close", &[]).into();
        if app.get_warning() == told {
            return CloseRequestResponse::HideWindow;
        }
        app.set_warning(told);
        CloseRequestResponse::KeepWindowShown
    });
}

/// Paths from the dialog of the system, one dialog at a time.
fn bind_chooser(app: &App, drawn: &Drawn, spoken: &Rc<Cell<Texts>>) {
    let (weak, drawn, spoken, is_open) = (app.as_weak(), drawn.clone(), Rc::clone(spoken), Rc::new(Cell::new(false)));
    app.on_browse(move |name| {
        let seen = drawn.0.borrow();
        let Some((label, wanted)) = seen.wanted.get(name.as_str()).cloned() else { return };
        if is_open.replace(true) {
            return;
        }
        let (value, turn) = (seen.fields.get(name.as_str()).cloned().unwrap_or_default(), seen.turn);
        drop(seen);
        let (weak, drawn, spoken, is_open) = (weak.clone(), drawn.clone(), Rc::clone(&spoken), Rc::clone(&is_open));
        let asked = slint::spawn_local(async move {
            let Some(app) = weak.upgrade() else { return };
            let path = choose(app.window(), spoken.get(), &label, wanted, &value).await;
            is_open.set(false);
            // Another page may have fields of the same names.
            if drawn.0.borrow().turn != turn || app.get_view() != View::Page {
                return;
            }
            let chosen = app.global::<Chosen>();
            chosen.set_name(name);
            chosen.set_path(path.map(|path| path.display().to_string()).unwrap_or_default().into());
            chosen.set_turn(chosen.get_turn() + 1);
        });
        // There is no loop of events to wait in.
        drop(asked);
    });
}

fn model<T: Clone + 'static>(rows: Vec<T>) -> ModelRc<T> {
    ModelRc::new(VecModel::from(rows))
}

fn lines(rows: &[String]) -> ModelRc<SharedString> {
    model(rows.iter().map(SharedString::from).collect())
}

impl Seen {
    fn buttons(&mut self, buttons: &[Button]) -> ModelRc<ButtonRow> {
        let rows = buttons.iter().map(|button| {
            self.acts.push(button.act.clone());
            ButtonRow {
                text: button.text.as_str().into(),
                hint: button.hint.as_str().into(),
                act: i32::try_from(self.acts.len() - 1).unwrap_or(0),
                is_main: button.is_main,
                is_choice: button.choice.is_some(),
                is_on: button.choice == Some(true),
                takes_focus: self.keeps.as_ref().map_or(button.takes_focus, |kept| *kept == button.act),
            }
        });
        model(rows.collect())
    }

    fn card(&mut self, shape: Shape, card: &Card) -> BlockRow {
        // A screen reader gets whole numbers, small enough for a property.
        let (label, done, all) = card.gauge.clone().unwrap_or_default();
        let thousandths = |part: u64| i32::try_from(part.saturating_mul(1000) / all.max(1)).unwrap_or(1000);
        BlockRow {
            shape,
            mark: match card.mark {
                page::Mark::Plain => Mark::Plain,
                page::Mark::Due => Mark::Due,
                page::Mark::Good => Mark::Good,
                page::Mark::Bad => Mark::Bad,
            },
            title: card.title.as_str().into(),
            lines: lines(&card.lines),
            faint: lines(&card.faint),
            value: label.into(),
            done: if all > 0 { thousandths(done) } else { 0 },
            all: if all > 0 { 1000 } else { 0 },
            buttons: self.buttons(&card.buttons),
            ..BlockRow::default()
        }
    }

    fn block(&mut self, block: &Block) -> BlockRow {
        let words = |shape: Shape, text: &str| BlockRow { shape, title: text.into(), ..BlockRow::default() };
        match block {
            Block::Heading(text) => words(Shape::Heading, text),
            Block::Text(text) => words(Shape::Text, text),
            Block::Faint(text) => words(Shape::Faint, text),
            Block::MadeWith => words(Shape::MadeWith, ""),
            Block::Picture(name, seen) => {
                BlockRow { picture: image(name, self.language), ..words(Shape::Picture, seen) }
            }
            Block::Card(card) => self.card(Shape::Card, card),
            Block::Notice(card) => self.card(Shape::Notice, card),
            Block::Field(Field { name, label, hint, value, takes_focus, is_long, wanted }) => {
                self.fields.insert((*name).to_owned(), value.clone());
                if let Some(wanted) = wanted {
                    self.wanted.insert((*name).to_owned(), (label.clone(), *wanted));
                }
                BlockRow {
                    name: (*name).into(),
                    value: hint.as_str().into(),
                    faint: lines(std::slice::from_ref(value)),
                    takes_focus: *takes_focus,
                    is_long: *is_long,
                    can_browse: wanted.is_some(),
                    ..words(Shape::Field, label)
                }
            }
        }
    }
}

/// How wide a picture of the guide is shown, in pixels.
const PICTURE: u32 = 640;

/// A picture of the guide, made to fit; empty where there is none of this name.
fn image(name: &str, language: Language) -> Image {
    let Some(decoded) = picture(name, language).and_then(|png| image::load_from_memory(png).ok()) else {
        return Image::default();
    };
    let height = decoded.height() * PICTURE / decoded.width().max(1);
    let small = image::imageops::resize(&decoded.to_rgb8(), PICTURE, height, image::imageops::FilterType::Triangle);
    Image::from_rgb8(slint::SharedPixelBuffer::clone_from_slice(small.as_raw(), PICTURE, height))
}

/// Draws a page.
pub fn draw(app: &App, drawn: &Drawn, texts: Texts, page: &Page) {
    let (turn, keeps) = {
        let before = drawn.0.borrow();
        // The same page again, with nothing new above it: eyes and keys stay where they are.
        let is_told = matches!(page.blocks.first(), Some(Block::Notice(_)));
        let is_same = app.get_view() == View::Page && app.get_heading() == page.title && before.place == page.place;
        let pressed = before.pressed.clone().filter(|act| is_same && !is_told && page.offers(act));
        (before.turn + 1, pressed)
    };
    let stays = keeps.is_some();
    let mut seen = Seen { place: page.place, language: texts.language(), turn, keeps, ..Seen::default() };
    let blocks = page.blocks.iter().map(|block| seen.block(block)).collect();
    let first = seen.acts.len();
    let buttons = seen.buttons(&page.buttons);
    let main = page.buttons.iter().position(|button| button.is_main);
    seen.main = main.map(|main| first + main);
    *drawn.0.borrow_mut() = seen;
    places(app, texts, page.place);
    app.set_heading(page.title.as_str().into());
    app.set_step(page.step.as_str().into());
    app.set_blocks(model(blocks));
    app.set_buttons(buttons);
    app.set_view(View::Page);
    app.set_is_busy(false);
    app.set_said(SharedString::new());
    if stays {
        app.invoke_stayed();
    } else {
        app.invoke_turned();
    }
}

fn places(app: &App, texts: Texts, here: Option<Place>) {
    let rows =
        Place::ALL.map(|place| PlaceRow { text: texts.get(place.key(), &[]).into(), is_here: Some(place) == here });
    app.set_places(model(rows.to_vec()));
}

/// Draws a question.
pub fn ask(app: &App, question: &Question) {
    app.set_heading(question.title.as_str().into());
    app.set_step(question.step.as_str().into());
    app.set_secret_label(question.label.as_str().into());
    app.set_secret_hint(question.hint.as_str().into());
    app.set_secret_lines(lines(&question.lines));
    app.set_secret_on_pad(question.on_pad);
    app.set_secret_is_open(question.is_open);
    app.set_secret_is_optional(question.is_optional);
    app.set_view(View::Secret);
    app.set_is_busy(question.on_pad);
    app.invoke_asked();
}

/// Draws how far the work is.
pub fn work(app: &App, texts: Texts, (steps, done, all): (&[Step], usize, usize)) {
    let rows: Vec<StepRow> = steps
        .iter()
        .map(|step| StepRow { text: step.text.as_str().into(), state: step.state.into(), is_part: step.is_part })
        .collect();
    app.set_steps_done(i32::try_from(done).unwrap_or(0));
    app.set_steps_all(i32::try_from(all).unwrap_or(1));
    let shown = app.get_steps();
    if shown.row_count() == rows.len() {
        // Only what changed: a row that is made anew would be read aloud anew.
        for (nth, step) in rows.into_iter().enumerate() {
            if shown.row_data(nth).as_ref() != Some(&step) {
                shown.set_row_data(nth, step);
            }
        }
    } else {
        app.set_steps(model(rows));
    }
    app.set_heading(texts.get("window-work", &[]).into());
    app.set_step(texts.get("window-step-of", &[("nth", "3"), ("all", "3")]).into());
    app.set_promise(texts.get("window-work-promise", &[]).into());
    app.set_is_busy(false);
    if app.get_view() != View::Work {
        app.set_warning(SharedString::new());
        app.set_view(View::Work);
        app.invoke_turned();
    }
}

/// Draws what the worker tells.
fn show(app: &App, drawn: &Drawn, spoken: &Cell<Texts>, told: Tell) {
    let texts = spoken.get();
    match told {
        Tell::Busy(text) => {
            app.set_busy_with(text.into());
            app.set_is_busy(true);
        }
        Tell::Page(page) => draw(app, drawn, texts, &page),
        Tell::Question(question) => ask(app, &question),
        Tell::Work { steps, done, all } => work(app, texts, (&steps, done, all)),
        Tell::Warning(text) => app.set_warning(text.into()),
        Tell::Style { texts, look, text } => {
            spoken.set(texts);
            let words = app.global::<Words>();
            words.set_turn(words.get_turn() + 1);
            let theme = app.global::<Theme>();
            theme.set_look(match look.as_str() {
                "light" => Look::Light,
                "dark" => Look::Dark,
                "contrast" => Look::Contrast,
                _ => Look::System,
            });
            theme.set_scale(f32::from(text.clamp(100, 200)) / 100.0);
        }
    }
}
