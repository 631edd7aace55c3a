//! A page as plain data: blocks of words with what their buttons do, made where the work is done and drawn where the
//! window is.

use obnova_client::BackupSetting;
use obnova_texts::Texts;

/// A place that the person can go to at any time, in the order of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Certificates over all devices.
    Overview,
    /// What devices are and hold.
    Devices,
    /// What may go.
    Cleanup,
    /// Copies of keys in files.
    Backup,
    /// Who knows the successor.
    Account,
    /// When something is wrong.
    Help,
    /// Language, looks, reminders, authorities, modules.
    Settings,
}

impl Place {
    /// All places, in their order.
    pub const ALL: [Self; 7] =
        [Self::Overview, Self::Devices, Self::Cleanup, Self::Backup, Self::Account, Self::Help, Self::Settings];

    /// Key of its name in the texts.
    pub fn key(self) -> &'static str {
        match self {
            Self::Overview => "window-overview",
            Self::Devices => "window-devices",
            Self::Cleanup => "window-cleanup",
            Self::Backup => "window-backup",
            Self::Account => "window-account",
            Self::Help => "window-help",
            Self::Settings => "window-settings",
        }
    }
}

/// What a button does.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// Goes to a place, which is looked at anew.
    Go(Place),
    /// Looks at everything anew, and shows the place.
    Refresh(Place),
    /// Opens a file whose certificates are seen after its password.
    Open(String),
    /// Shows what a renewal would be, of one certificate (SHA-256) or of all that should be renewed.
    Look(Option<String>),
    /// Agrees to what was shown: the PIN is asked for, and the authority.
    Agree,
    /// Agrees to the plan after the authority's answer.
    Begin,
    /// The same, and the person agrees in words to lose what only a removed key decrypts.
    BeginAndLose,
    /// Goes on with what was begun.
    Resume,
    /// Asks a foreign authority that lost the request once more, for the same key.
    AskAgain,
    /// Takes over what was begun elsewhere.
    Adopt,
    /// The page for an invitation of an authority.
    AskInvitation,
    /// The first certificate, by the invitation in the field, into this store.
    Enroll(String),
    /// The page for a certificate that came.
    PickUp,
    /// Takes the certificate from the file or address in the field.
    Take,
    /// Copies a text.
    Copy(String),
    /// Opens a file or a page with the system's program for it.
    Show(String),
    /// One certificate with everything about it (SHA-256).
    Certificate(String),
    /// Tests a certificate by a signature (SHA-256).
    Prove(String),
    /// Care of a device, by its store.
    Care(Care, String),
    /// Looks at what may go, on one store or on all.
    Survey(Option<String>),
    /// Agrees in words to lose old mail, or takes it back; the survey is made anew.
    LoseMail(bool),
    /// Says that no certificate can come for a key any more.
    GiveUp(String),
    /// Removes what may go.
    Remove,
    /// The page on which a removal is confirmed.
    AskRemove,
    /// Writes the public part of a removed certificate back (SHA-256).
    Restore(String),
    /// Copies a file of keys to the folder in the field.
    BackUp(String),
    /// Logs in to the account with a certificate (SHA-256).
    Rehearse(String),
    /// The person says that an account knows a certificate (SHA-256, account).
    Told(String, String),
    /// Puts certificates of authorities where browsers look for them.
    Chain,
    /// Looks at everything that a help desk would ask for.
    Doctor,
    /// Repairs what can harm nothing, and looks again.
    Mend,
    /// The page for a question to the help desk.
    Ticket,
    /// Whether the question is technical.
    Technical(bool),
    /// Writes the question as a message, or as plain text.
    WriteTicket(bool),
    /// Writes what an administrator is asked for.
    Administrator,
    /// A page of the guide.
    Guide(usize),
    /// Says what is missing in the guide.
    Missing(usize),
    /// What errors mean.
    Errors,
    /// Who made it, and with what.
    About,
    /// Changes a setting.
    Set(Setting),
}

/// Care of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Care {
    /// Tries the PIN.
    Verify,
    /// Changes the PIN, or the password of a file.
    ChangePin,
    /// Sets a new PIN by the PUK.
    Unblock,
    /// Changes the PUK.
    ChangePuk,
    /// The page for another name.
    AskName,
    /// Gives it the name in the field.
    Name,
    /// The page for an import.
    AskImport,
    /// Brings the file in the field.
    Import,
    /// The page for an export of a certificate with its key.
    AskExport,
    /// Writes the pair into the file in the field.
    Export,
    /// The page that tells what an initialisation loses.
    AskErase,
    /// Erases it, when its name stands in the field.
    Erase,
}

/// A setting of the window's page.
#[derive(Debug, Clone, PartialEq)]
pub enum Setting {
    /// `cs` or `en`.
    Language(&'static str),
    /// `system`, `light`, `dark`, `contrast`.
    Look(&'static str),
    /// Size of text in percent.
    Text(u16),
    /// Whether the system reminds once a day.
    Remind(bool),
    /// Whether the menu of the desktop has a shortcut.
    Shortcut(bool),
    /// Where copies of new keys go, from the field.
    BackupFolder,
    /// Whether copies are not wanted.
    Backup(BackupSetting),
    /// A PKCS#11 module or a PKCS#12 file, from the field.
    AddStore,
    /// Takes one out.
    ForgetStore(String),
    /// An authority by address and trust anchor, from the fields; `true` for EST.
    AddAuthority(bool),
    /// The authority that was just shown with its fingerprint.
    TrustAuthority,
}

/// What a card or a notice means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mark {
    /// Nothing more than it says.
    #[default]
    Plain,
    /// Something should be done.
    Due,
    /// It went well.
    Good,
    /// Something stands in the way.
    Bad,
}

/// A button.
#[derive(Debug, Clone)]
pub struct Button {
    /// Its words.
    pub text: String,
    /// What a screen reader adds.
    pub hint: String,
    /// What it does.
    pub act: Act,
    /// Whether it is the one that people come for.
    pub is_main: bool,
    /// For one of several choices: whether it is chosen.
    pub choice: Option<bool>,
    /// Whether keys go to it first.
    pub takes_focus: bool,
}

impl Button {
    /// A button with the words of `key`.
    pub fn new(texts: Texts, key: &str, act: Act) -> Self {
        // A place stands in the frame under the same name.
        let hint = if matches!(act, Act::Go(_)) { texts.get("window-go-there", &[]) } else { String::new() };
        Self::named(texts.get(key, &[]), act).hint(hint)
    }

    /// A button with these words.
    pub fn named(text: impl Into<String>, act: Act) -> Self {
        Self { text: text.into(), hint: String::new(), act, is_main: false, choice: None, takes_focus: false }
    }

    /// The one that people come for.
    #[must_use]
    pub fn main(mut self) -> Self {
        self.is_main = true;
        self
    }

    /// The one that people come for, pressed by Enter at once. Nothing irreversible may be such a button.
    #[must_use]
    pub fn first(mut self) -> Self {
        (self.is_main, self.takes_focus) = (true, true);
        self
    }

    /// One of several choices.
    #[must_use]
    pub fn choice(mut self, is_on: bool) -> Self {
        self.choice = Some(is_on);
        self
    }

    /// With more words for a screen reader.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }
}

/// A card, or a notice.
#[derive(Debug, Clone, Default)]
pub struct Card {
    /// What it means.
    pub mark: Mark,
    /// Its first line.
    pub title: String,
    /// More lines.
    pub lines: Vec<String>,
    /// Lines for those who look closer.
    pub faint: Vec<String>,
    /// A gauge: name, how much, of how much.
    pub gauge: Option<(String, u64, u64)>,
    /// Buttons.
    pub buttons: Vec<Button>,
}

/// Endings of files with a key and its certificate (PKCS#12).
pub const KEYS: &[&str] = &["p12", "pfx", "P12", "PFX"];

/// Endings of files with a certificate.
pub const CERTIFICATES: &[&str] = &["cer", "crt", "der", "pem", "CER", "CRT", "DER", "PEM"];

/// Endings of what an authority answers with.
pub const ANSWERS: &[&str] =
    &["cer", "crt", "der", "pem", "p7b", "p7c", "p7m", "eml", "CER", "CRT", "DER", "PEM", "P7B", "P7C", "P7M", "EML"];

/// Endings of modules and of files with keys.
pub const STORES: &[&str] = &["so", "dll", "dylib", "p12", "pfx", "DLL", "P12", "PFX"];

/// What the dialog of the system may be opened for, beside a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// A file that is there, shown first by these endings.
    File(&'static [&'static str]),
    /// A file that will be written.
    NewFile,
    /// A folder.
    Folder,
}

/// A line to type into.
#[derive(Debug, Clone, Default)]
pub struct Field {
    /// By which the program knows it.
    pub name: &'static str,
    /// What it is for.
    pub label: String,
    /// More about it.
    pub hint: String,
    /// What stands in it.
    pub value: String,
    /// Whether keys go to it first.
    pub takes_focus: bool,
    /// Whether it has room for several lines.
    pub is_long: bool,
    /// What may be chosen for it instead of typing.
    pub wanted: Option<Wanted>,
}

/// A part of a page.
#[derive(Debug, Clone)]
pub enum Block {
    /// Words over what follows.
    Heading(String),
    /// Words.
    Text(String),
    /// Words for those who look closer.
    Faint(String),
    /// A box about one thing.
    Card(Card),
    /// A box that says what happened.
    Notice(Card),
    /// A line to type into.
    Field(Field),
    /// A picture of the guide, by its name, with what is seen in it.
    Picture(&'static str, String),
    /// With what the window is made; its licence wants it shown.
    MadeWith,
}

/// A page.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// Its heading.
    pub title: String,
    /// Where it stands in a row of steps.
    pub step: String,
    /// The place it belongs to.
    pub place: Option<Place>,
    /// What stands on it.
    pub blocks: Vec<Block>,
    /// Buttons below it.
    pub buttons: Vec<Button>,
}

impl Page {
    /// A page of a place.
    pub fn of(texts: Texts, place: Place) -> Self {
        Self { title: texts.get(place.key(), &[]), place: Some(place), ..Self::default() }
    }

    /// A page below a place, with the way back to it.
    pub fn below(texts: Texts, place: Place, key: &str) -> Self {
        Self { title: texts.get(key, &[]), place: Some(place), ..Self::default() }
    }

    /// Adds words.
    pub fn text(&mut self, text: impl Into<String>) {
        self.blocks.push(Block::Text(text.into()));
    }

    /// Adds a heading.
    pub fn heading(&mut self, text: impl Into<String>) {
        self.blocks.push(Block::Heading(text.into()));
    }

    /// Puts what happened above everything else.
    pub fn notice(&mut self, mark: Mark, title: impl Into<String>, faint: &str) {
        let faint = if faint.is_empty() { Vec::new() } else { vec![faint.to_owned()] };
        self.blocks.insert(0, Block::Notice(Card { mark, title: title.into(), faint, ..Card::default() }));
    }

    /// Whether a button of the page does this.
    pub fn offers(&self, act: &Act) -> bool {
        let in_block = |block: &Block| match block {
            Block::Notice(card) | Block::Card(card) => card.buttons.iter().any(|button| button.act == *act),
            _ => false,
        };
        self.buttons.iter().any(|button| button.act == *act) || self.blocks.iter().any(in_block)
    }

    /// Takes the buttons of an act away.
    pub fn forget(&mut self, act: &Act) {
        for block in &mut self.blocks {
            if let Block::Notice(card) | Block::Card(card) = block {
                card.buttons.retain(|button| button.act != *act);
            }
        }
        self.buttons.retain(|button| button.act != *act);
    }

    /// Puts a box above everything else; what the page offers below anyway, the box does not offer again. Where the box
    /// has the button that people come for, the page has none.
    pub fn above(&mut self, mut block: Block) {
        if let Block::Notice(card) | Block::Card(card) = &mut block {
            card.buttons.retain(|button| !self.buttons.iter().any(|below| below.act == button.act));
            if card.buttons.iter().any(|button| button.is_main) {
                for button in &mut self.buttons {
                    (button.is_main, button.takes_focus) = (false, false);
                }
            }
        }
        self.blocks.insert(0, block);
    }
}
