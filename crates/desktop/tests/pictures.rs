//! What every screen looks like, how it is reached by keyboard alone, and what a screen reader is told: with contents that
//! never change, without a display.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use i_slint_backend_testing::{AccessibleRole, ElementHandle, ElementQuery, TestingBackend, TestingBackendOptions};
use obnova_desktop::page::Place;
use obnova_desktop::{App, Drawn, Fresh, Look, Theme, ask, blank, draw, work};
use obnova_texts::{Language, Texts};
use slint::ComponentHandle;
use slint::platform::{Key, WindowEvent};

use crate::gallery::{Screen, screens};

/// `write` makes the pictures anew instead of comparing them.
const PICTURES: &str = "OBNOVA_PICTURES";

/// Screens of which every look and size is kept.
const MATRIX: [&str; 3] = ["overview", "renew", "pin"];

/// How many pixels of a thousand may differ: another processor rounds otherwise.
const DIFFERENT: usize = 2;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/pictures")
}

/// A renderer without a screen.
pub(crate) fn without_screen(threading: bool) {
    let options = TestingBackendOptions { threading, renderer_name: Some("software".into()), ..Default::default() };
    slint::platform::set_platform(Box::new(TestingBackend::new(options))).unwrap();
}

pub(crate) fn put(app: &App, drawn: &Drawn, texts: Texts, screen: &Screen) {
    match screen {
        Screen::Page(page) => draw(app, drawn, texts, page),
        Screen::Question(question) => {
            // A question stands on the page that it came from.
            draw(app, drawn, texts, &obnova_desktop::page::Page::of(texts, obnova_desktop::page::Place::Overview));
            let _ = app.window().take_snapshot();
            app.set_busy_with(texts.get("window-waiting-pin", &[]).into());
            ask(app, question);
        }
        Screen::Work((steps, done, all), warning) => {
            draw(app, drawn, texts, &obnova_desktop::page::Page::of(texts, obnova_desktop::page::Place::Overview));
            work(app, texts, (steps, *done, *all));
            app.set_warning(warning.into());
        }
    }
}

fn snapshot(app: &App) -> (u32, u32, Vec<u8>) {
    let pixels = app.window().take_snapshot().unwrap();
    let rgb = pixels.as_slice().iter().flat_map(|pixel| [pixel.r, pixel.g, pixel.b]).collect();
    (pixels.width(), pixels.height(), rgb)
}

fn write(path: &Path, (width, height, octets): &(u32, u32, Vec<u8>)) {
    let mut encoder = png::Encoder::new(std::fs::File::create(path).unwrap(), *width, *height);
    // Few colours are on a screen: a palette makes the file a third as large.
    let mut palette: Vec<[u8; 3]> =
        octets.chunks(3).map(|c| [c[0], c[1], c[2]]).collect::<BTreeSet<_>>().into_iter().collect();
    palette.truncate(257);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::High);
    if palette.len() <= 256 {
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_palette(palette.concat());
        let indices: Vec<u8> = octets
            .chunks(3)
            .map(|c| u8::try_from(palette.binary_search(&[c[0], c[1], c[2]]).unwrap()).unwrap())
            .collect();
        encoder.write_header().unwrap().write_image_data(&indices).unwrap();
    } else {
        encoder.set_color(png::ColorType::Rgb);
        encoder.write_header().unwrap().write_image_data(octets).unwrap();
    }
}

fn read(path: &Path) -> Option<(u32, u32, Vec<u8>)> {
    let mut decoder = png::Decoder::new(std::io::BufReader::new(std::fs::File::open(path).ok()?));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().ok()?;
    let mut octets = vec![0; reader.output_buffer_size()?];
    let info = reader.next_frame(&mut octets).ok()?;
    octets.truncate(info.buffer_size());
    Some((info.width, info.height, octets))
}

/// Compares a screen with its picture; what differs is written beside the built programs.
fn compare(app: &App, name: &str, wrong: &mut Vec<String>) {
    let seen = snapshot(app);
    let path = folder().join(format!("{name}.png"));
    if std::env::var(PICTURES).as_deref() == Ok("write") {
        return write(&path, &seen);
    }
    let known = read(&path);
    let differs = known.as_ref().is_none_or(|known| {
        let far = |(a, b): &(&u8, &u8)| a.abs_diff(**b) > 24;
        (known.0, known.1) != (seen.0, seen.1)
            || known.2.iter().zip(&seen.2).filter(far).count() * 1000 > seen.2.len() * DIFFERENT
    });
    if differs {
        let aside = std::env::current_exe().unwrap().with_file_name(format!("seen-{name}.png"));
        write(&aside, &seen);
        wrong.push(format!("{name} looks otherwise: see {}", aside.display()));
    }
}

/// Everything that can be pressed or typed into has a name of its own, and gauges tell whole numbers.
pub(crate) fn named(app: &App) {
    let mut names = BTreeMap::new();
    for element in ElementQuery::from_root(app).match_descendants().find_all() {
        let role = element.accessible_role();
        let name = element.accessible_label().unwrap_or_default().to_string();
        if matches!(role, Some(AccessibleRole::Button | AccessibleRole::TextInput)) {
            assert!(!name.is_empty(), "{:?} without a name", element.type_name());
            let more = element.accessible_description().unwrap_or_default().to_string();
            // One that is made of several parts is told several times, at one place.
            let place = format!("{:?}", element.absolute_position());
            let known = names.insert((name.clone(), more.clone()), place.clone());
            assert!(known.is_none_or(|known| known == place), "two are called {name} ({more})");
        }
        if role == Some(AccessibleRole::ProgressIndicator) {
            let value = element.accessible_value().unwrap_or_default();
            assert!(value.chars().all(|c| c.is_ascii_digit()), "{value}");
        }
    }
}

fn key(app: &App, text: slint::SharedString) {
    app.window().dispatch_event(WindowEvent::KeyPressed { text: text.clone() });
    app.window().dispatch_event(WindowEvent::KeyReleased { text });
}

/// How many buttons and fields there are, each counted once, however many parts it is made of; and the centres of buttons.
fn told(app: &App) -> (usize, usize, Vec<slint::LogicalPosition>) {
    let all = ElementQuery::from_root(app).match_descendants().find_all();
    let of = |wanted: AccessibleRole| all.iter().filter(move |element| element.accessible_role() == Some(wanted));
    let mut centres = BTreeMap::new();
    for button in of(AccessibleRole::Button) {
        let (at, size) = (button.absolute_position(), button.size());
        let centre = slint::LogicalPosition::new(at.x + size.width / 2.0, at.y + size.height / 2.0);
        centres.insert((button.accessible_label(), button.accessible_description()), centre);
    }
    let fields = of(AccessibleRole::TextInput).map(|field| field.accessible_label()).collect::<BTreeSet<_>>();
    (centres.len(), fields.len(), centres.into_values().collect())
}

/// What was pressed, by the numbers that the screens know it by, and the fields that were typed into.
#[derive(Clone, Default)]
struct Heard(Rc<RefCell<(BTreeSet<i32>, BTreeSet<String>)>>);

impl Heard {
    fn listen(app: &App) -> Self {
        let heard = Self::default();
        let (acted, went, typed, chosen) = (heard.clone(), heard.clone(), heard.clone(), heard.clone());
        app.on_act(move |number| {
            acted.0.borrow_mut().0.insert(number);
        });
        app.on_go(move |number| {
            went.0.borrow_mut().0.insert(-1 - number);
        });
        app.on_typed(move |name, _| {
            typed.0.borrow_mut().1.insert(name.into());
        });
        // Each field that is a path has a button beside it.
        let fields = Rc::new(RefCell::new(Vec::new()));
        app.on_browse(move |name| {
            if !fields.borrow().contains(&name) {
                fields.borrow_mut().push(name);
            }
            let number = -100 - i32::try_from(fields.borrow().len()).unwrap();
            chosen.0.borrow_mut().0.insert(number);
        });
        heard
    }

    fn counts(&self) -> (usize, usize) {
        let heard = self.0.borrow();
        (heard.0.len(), heard.1.len())
    }
}

/// Buttons of the frame that are no act of a page: showing a secret, handing it over, going back, the pad has none.
fn own(app: &App, buttons: usize) -> usize {
    if app.get_view() == obnova_desktop::View::Secret { buttons - Place::ALL.len() } else { 0 }
}

/// Tab comes to everything, forwards and backwards, Space presses it or is typed; nothing but the keyboard is used. Also
/// where the page is longer than the window.
fn reached_by_keyboard(app: &App, name: &str) {
    let (buttons, fields, _) = told(app);
    for height in [6000, 680] {
        app.window().set_size(slint::PhysicalSize::new(960, height));
        let heard = Heard::listen(app);
        for _ in 0..2 * (buttons + fields) + 4 {
            key(app, Key::Tab.into());
            key(app, " ".into());
        }
        // Backwards it comes to everything as well: no line keeps the keys for itself.
        let back = Heard::listen(app);
        for _ in 0..2 * (buttons + fields) + 4 {
            app.window().dispatch_event(WindowEvent::KeyPressed { text: Key::Shift.into() });
            key(app, Key::Backtab.into());
            app.window().dispatch_event(WindowEvent::KeyReleased { text: Key::Shift.into() });
            key(app, " ".into());
        }
        let fields = if own(app, buttons) > 0 { 0 } else { fields };
        let expected = (buttons - own(app, buttons), fields);
        for (heard, way) in [(heard, "forwards"), (back, "backwards")] {
            let counts = heard.counts();
            assert_eq!(counts, expected, "{name}, {height} pixels: not reached {way}: {:?}", heard.0.borrow());
        }
    }
    app.window().set_size(slint::PhysicalSize::new(960, 6000));
}

/// One click of a mouse presses a button.
fn pressed_by_one_click(app: &App, name: &str) {
    let (buttons, _, centres) = told(app);
    let heard = Heard::listen(app);
    for position in centres {
        app.global::<Fresh>().set_on(false);
        let button = slint::platform::PointerEventButton::Left;
        app.window().dispatch_event(WindowEvent::PointerMoved { position });
        app.window().dispatch_event(WindowEvent::PointerPressed { position, button });
        app.window().dispatch_event(WindowEvent::PointerReleased { position, button });
    }
    let expected = buttons - own(app, buttons);
    assert_eq!(heard.counts().0, expected, "{name}: a click is not enough: {:?}", heard.0.borrow().0);
}

/// All screens: names, keyboard, pictures.
pub(crate) fn gallery() {
    without_screen(false);
    let mut wrong = Vec::new();
    let verdicts = std::fs::read_to_string(folder().join("README.md")).unwrap();
    for (language, tag) in [(Language::Czech, "cs"), (Language::English, "en")] {
        let (app, drawn) = blank(language).unwrap();
        let texts = Texts::new(language);
        app.window().set_size(slint::PhysicalSize::new(960, 680));
        app.show().unwrap();
        for (name, screen) in screens(texts) {
            app.global::<Theme>().set_look(Look::Light);
            app.global::<Theme>().set_scale(1.0);
            put(&app, &drawn, texts, &screen);
            compare(&app, &format!("{name}.{tag}"), &mut wrong);
            if !verdicts.contains(&format!("({name}.cs.png)")) {
                wrong.push(format!("{name} has no verdict in docs/pictures/README.md"));
            }
            // What is scrolled away is not told: all of it is seen in a window that is tall enough.
            app.window().set_size(slint::PhysicalSize::new(960, 6000));
            named(&app);
            if language == Language::Czech {
                pressed_by_one_click(&app, name);
                reached_by_keyboard(&app, name);
            }
            app.window().set_size(slint::PhysicalSize::new(960, 680));
            if name == "settings" {
                // The page moves with the keyboard: what has the focus is seen.
                put(&app, &drawn, texts, &screen);
                (0..28).for_each(|_| key(&app, Key::Tab.into()));
                assert!(app.get_scrolled() < -50.0, "{}", app.get_scrolled());
            }
            if MATRIX.contains(&name) {
                for (look, called) in [(Look::Light, "light"), (Look::Dark, "dark"), (Look::Contrast, "contrast")] {
                    for (scale, percent) in [(1.0, 100), (2.0, 200)] {
                        if (look, percent) == (Look::Light, 100) {
                            continue;
                        }
                        app.global::<Theme>().set_look(look);
                        app.global::<Theme>().set_scale(scale);
                        put(&app, &drawn, texts, &screen);
                        compare(&app, &format!("{name}.{tag}.{called}-{percent}"), &mut wrong);
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Text stands out 4.5 to 1 and edges 3 to 1, in every look (WCAG 2.2, 1.4.3 and 1.4.11).
pub(crate) fn contrast() {
    without_screen(false);
    let (app, _) = blank(Language::English).unwrap();
    let theme = app.global::<Theme>();
    let luminance = |colour: slint::Color| {
        let part = |value: u8| {
            let value = f64::from(value) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * part(colour.red()) + 0.7152 * part(colour.green()) + 0.0722 * part(colour.blue())
    };
    let ratio = |a: slint::Color, b: slint::Color| {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    };
    for look in [Look::Light, Look::Dark, Look::Contrast] {
        theme.set_look(look);
        for ground in [theme.get_ground(), theme.get_sheet()] {
            for text in [theme.get_ink(), theme.get_faint(), theme.get_warning(), theme.get_trouble(), theme.get_good()]
            {
                assert!(ratio(text, ground) >= 4.5, "{look:?}: text {text:?} on {ground:?}");
            }
            for edge in [theme.get_edge(), theme.get_accent()] {
                assert!(ratio(edge, ground) >= 3.0, "{look:?}: edge {edge:?} on {ground:?}");
            }
        }
        assert!(ratio(theme.get_on_accent(), theme.get_accent()) >= 4.5, "{look:?}: a main button");
    }
}

/// A field that the keyboard reaches and that a screen reader can fill.
pub(crate) fn field(app: &App, label: &str) -> Option<ElementHandle> {
    ElementHandle::find_by_accessible_label(app, label)
        .find(|element| element.accessible_role() == Some(AccessibleRole::TextInput))
}
