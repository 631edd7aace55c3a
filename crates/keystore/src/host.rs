//! A module in a process of its own: what hangs, crashes or lies there takes nothing else down, and starting the
//! process again is the way to start over.
//!
//! The two speak over the process's standard input and output: messages in JSON, each after a mark and its length in
//! four octets. What a module itself writes to the standard output is skipped. A PIN travels through that pipe only.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use obnova_lifecycle::document::Octets;
use obnova_lifecycle::port::{Census, Custody, Held, KeyStore, KeyStoreError, Pin, PinCare, Room, Scheme, StoreInfo};
use obnova_lifecycle::retirement::{Doomed, Ground, MustStay, RemovalPermit, permit, permit_orphan};
use obnova_pki::{Certificate, KeyKind, SignatureAlgorithm};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::session::{TokenStore, Tokens, browser_store, tokens};

/// Longest message, in octets.
const LONGEST: usize = 16 << 20;

/// What a message begins with; no text contains it.
const MARK: [u8; 4] = [0, 0xFF, 0, 0xFE];

/// The first argument of a program that is to be a host.
const HOST: &str = "module-host";

/// How long a look may take. A device is asked anew at every start, so that patience costs little.
const LOOK: Duration = Duration::from_secs(30);

/// How long a login or a signature may take: a person may be typing a PIN on the device. Some modules never come back when
/// their card is pulled just then, and the person must hear of it.
const ANSWER: Duration = Duration::from_secs(120);

/// How long work may take: making or deleting a key takes some devices five minutes and more.
const WORK: Duration = Duration::from_secs(15 * 60);

/// What the process is asked to load.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Load {
    /// A PKCS#11 module.
    Module(PathBuf),
    /// The module of NSS, for the database in a profile.
    Browser {
        /// Path of softokn.
        module: PathBuf,
        /// The profile's folder.
        profile: PathBuf,
    },
    /// The certificate store of Windows: what serves its keys is also somebody's library.
    Windows,
}

/// What stands for a module where the system's own store is meant.
const WINDOWS: &str = "windows-store";

impl Load {
    /// What a program was asked to be a host of, by the arguments after its name; `None` when it was not.
    pub fn from_arguments(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> Option<Self> {
        let mut arguments = arguments.into_iter();
        if arguments.next()? != HOST {
            return None;
        }
        let module = PathBuf::from(arguments.next()?);
        if module.as_os_str() == WINDOWS {
            return Some(Self::Windows);
        }
        Some(match arguments.next() {
            Some(profile) => Self::Browser { module, profile: profile.into() },
            None => Self::Module(module),
        })
    }

    /// The arguments that [`Load::from_arguments`] understands.
    fn arguments(&self) -> Vec<&std::ffi::OsStr> {
        match self {
            Self::Module(path) => vec![HOST.as_ref(), path.as_os_str()],
            Self::Windows => vec![HOST.as_ref(), WINDOWS.as_ref()],
            Self::Browser { module, profile } => vec![HOST.as_ref(), module.as_os_str(), profile.as_os_str()],
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Question {
    /// Stable name of the store; empty for the list of stores.
    store: String,
    act: Act,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Act {
    Stores,
    Info,
    Unlock { pin: String, last_try: bool },
    ChangePin { old: String, new: String, last_try: bool },
    UnblockPin { puk: String, new: String, last_try: bool },
    ChangePuk { old: String, new: String, last_try: bool },
    Initialise { puk: String, name: String, new: String, last_try: bool },
    Held,
    Keys,
    Generate { kind: String, label: String },
    Sign { key: Octets, algorithm: Option<Octets>, message: Octets },
    Install { certificate: Octets },
    Deposit { certificate: Octets },
    Import { pkcs8: Octets, label: String },
    Export { key: Octets },
    Census,
    Reserve { octets: usize },
    Remove { certificate: Option<Octets>, key: Octets, ground: Ground, at: SystemTime, unrelated: Vec<String> },
}

impl Act {
    /// How long the module may take, and what it was asked.
    fn patience(&self) -> (Duration, &'static str) {
        match self {
            Self::Stores | Self::Info => (LOOK, "stores"),
            Self::Held | Self::Census => (LOOK, "certificates"),
            Self::Unlock { .. } => (ANSWER, "login"),
            Self::ChangePin { .. } | Self::UnblockPin { .. } | Self::ChangePuk { .. } => (ANSWER, "pin"),
            Self::Generate { .. } => (WORK, "key generation"),
            Self::Sign { .. } => (ANSWER, "signature"),
            Self::Keys | Self::Export { .. } => (ANSWER, "keys"),
            Self::Initialise { .. } => (WORK, "initialisation"),
            Self::Install { .. } | Self::Deposit { .. } | Self::Import { .. } | Self::Reserve { .. } => {
                (WORK, "writing")
            }
            Self::Remove { .. } => (WORK, "removal"),
        }
    }

    fn wipe(&mut self) {
        use zeroize::Zeroize;
        match self {
            Self::Unlock { pin, .. } => pin.zeroize(),
            Self::ChangePin { old, new, .. } | Self::ChangePuk { old, new, .. } => {
                old.zeroize();
                new.zeroize();
            }
            Self::UnblockPin { puk, new, .. } | Self::Initialise { puk, new, .. } => {
                puk.zeroize();
                new.zeroize();
            }
            Self::Import { pkcs8, .. } => pkcs8.0.zeroize(),
            _ => {}
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Answer {
    Stores(Vec<StoreInfo>, Vec<String>),
    Info(Box<StoreInfo>),
    Done,
    Held(Vec<Held>),
    List(Vec<Octets>),
    Octets(Octets),
    Census(Census),
    Failed(KeyStoreError),
}

fn send(out: &mut impl Write, message: &impl Serialize) -> std::io::Result<()> {
    let body = Zeroizing::new(serde_json::to_vec(message).map_err(std::io::Error::other)?);
    let length = u32::try_from(body.len()).map_err(std::io::Error::other)?;
    out.write_all(&MARK)?;
    out.write_all(&length.to_be_bytes())?;
    out.write_all(&body)?;
    out.flush()
}

fn receive<T: for<'de> Deserialize<'de>>(from: &mut impl Read) -> std::io::Result<T> {
    let mut mark = [0; 4];
    from.read_exact(&mut mark)?;
    while mark != MARK {
        mark.rotate_left(1);
        from.read_exact(&mut mark[3..])?;
    }
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length) as usize;
    if length > LONGEST {
        return Err(std::io::Error::other("a message is longer than 16 MiB"));
    }
    let mut body = Zeroizing::new(vec![0; length]);
    from.read_exact(&mut body)?;
    serde_json::from_slice(&body).map_err(std::io::Error::other)
}

/// A store in the process beside the module.
trait LocalStore: KeyStore {
    /// Whether the device is still there: no error code tells it reliably.
    fn is_there(&self) -> bool;

    /// Forgets its session, so that the next call begins anew.
    fn forget(&mut self);
}

impl LocalStore for TokenStore {
    fn is_there(&self) -> bool {
        Self::is_there(self)
    }

    fn forget(&mut self) {
        Self::forget(self);
    }
}

#[cfg(windows)]
impl LocalStore for crate::windows::WindowsStore {
    fn is_there(&self) -> bool {
        Self::is_there(self)
    }

    fn forget(&mut self) {}
}

/// What a process has found so far, by its stable name.
type Local = Vec<(String, Box<dyn LocalStore>)>;

// --- beside the module --------------------------------------------------------------------------------------------

/// The process beside a module: answers until the other side is gone.
///
/// # Errors
///
/// The system's own, when nobody listens any more.
pub fn serve(load: &Load) -> std::io::Result<()> {
    let (mut from, mut out) = (std::io::stdin().lock(), std::io::stdout().lock());
    let mut stores = Local::new();
    loop {
        let mut question: Question = match receive(&mut from) {
            Ok(question) => question,
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        };
        let answer = answer(load, &mut stores, &question).unwrap_or_else(Answer::Failed);
        question.act.wipe();
        send(&mut out, &answer)?;
    }
}

fn look(load: &Load, stores: &mut Local) -> Result<Answer, KeyStoreError> {
    let boxed = |tokens: Tokens| -> (Vec<Box<dyn LocalStore>>, Vec<String>) {
        (tokens.stores.into_iter().map(|store| Box::new(store) as Box<dyn LocalStore>).collect(), tokens.blank)
    };
    let (found, blank) = match load {
        Load::Module(path) => boxed(tokens(path)?),
        Load::Browser { module, profile } => boxed(browser_store(module, profile)?),
        #[cfg(windows)]
        Load::Windows => (vec![Box::new(crate::windows::WindowsStore) as Box<dyn LocalStore>], Vec::new()),
        #[cfg(not(windows))]
        Load::Windows => return Err(KeyStoreError::NotPossible),
    };
    let mut infos = Vec::new();
    for mut store in found {
        // A slot that cannot be read costs only itself.
        let Ok(info) = store.info() else { continue };
        if !stores.iter().any(|(id, _)| *id == info.id) {
            stores.push((info.id.clone(), store));
        }
        infos.push(info);
    }
    Ok(Answer::Stores(infos, blank))
}

fn answer(load: &Load, stores: &mut Local, question: &Question) -> Result<Answer, KeyStoreError> {
    if matches!(question.act, Act::Stores) {
        return look(load, stores);
    }
    if !stores.iter().any(|(id, _)| *id == question.store) {
        look(load, stores)?;
    }
    let (_, store) = stores.iter_mut().find(|(id, _)| *id == question.store).ok_or(KeyStoreError::Gone)?;
    let done = act(store.as_mut(), &question.act);
    if let Err(error) = &done {
        let is_vague = matches!(error, KeyStoreError::Module { .. } | KeyStoreError::WriteFailed { .. });
        if *error == KeyStoreError::Gone || (is_vague && !store.is_there()) {
            store.forget();
            return Err(KeyStoreError::Gone);
        }
    }
    done
}

fn act(store: &mut dyn LocalStore, act: &Act) -> Result<Answer, KeyStoreError> {
    let store: &mut dyn KeyStore = store;
    let pin = |text: &String| Pin::new(text.clone());
    let certificate = |der: &Octets| {
        Certificate::from_der(&der.0)
            .map_err(|error| KeyStoreError::Module { call: "certificate".to_owned(), code: error.to_string() })
    };
    let list = |all: Vec<Vec<u8>>| Answer::List(all.into_iter().map(Octets).collect());
    match act {
        Act::Stores => Ok(Answer::Done),
        Act::Info => store.info().map(|info| Answer::Info(Box::new(info))),
        Act::Unlock { pin: typed, last_try } => store.unlock(&pin(typed), *last_try).map(|()| Answer::Done),
        Act::ChangePin { old, new, last_try } => {
            store.change_pin(&pin(old), &pin(new), *last_try).map(|()| Answer::Done)
        }
        Act::UnblockPin { puk, new, last_try } => {
            store.unblock_pin(&pin(puk), &pin(new), *last_try).map(|()| Answer::Done)
        }
        Act::ChangePuk { old, new, last_try } => {
            store.change_puk(&pin(old), &pin(new), *last_try).map(|()| Answer::Done)
        }
        Act::Initialise { puk, name, new, last_try } => {
            store.initialise(&pin(puk), name, &pin(new), *last_try).map(|()| Answer::Done)
        }
        Act::Held => store.held().map(Answer::Held),
        Act::Keys => store.keys().map(list),
        Act::Generate { kind, label } => {
            let kind = KeyKind::from_name(kind).ok_or(KeyStoreError::NotPossible)?;
            store.generate(kind, label).map(|key| Answer::Octets(Octets(key)))
        }
        Act::Sign { key, algorithm, message } => {
            let scheme = match algorithm {
                None => Scheme::RsaPssSha256,
                Some(oid) => Scheme::Plain(algorithm_of(&oid.0).ok_or(KeyStoreError::KeyMissing)?),
            };
            store.sign(&key.0, scheme, &message.0).map(|signature| Answer::Octets(Octets(signature)))
        }
        Act::Install { certificate: der } => store.install(&certificate(der)?).map(|()| Answer::Done),
        Act::Deposit { certificate: der } => store.deposit(&certificate(der)?).map(|()| Answer::Done),
        Act::Import { pkcs8, label } => {
            let key = Zeroizing::new(pkcs8.0.clone());
            store.import(&key, label).map(|key| Answer::Octets(Octets(key)))
        }
        Act::Export { key } => store.export(&key.0).map(|key| Answer::Octets(Octets(key.to_vec()))),
        Act::Census => store.census().map(Answer::Census),
        Act::Reserve { octets } => store.reserve(*octets).map(|()| Answer::Done),
        Act::Remove { certificate: der, key, ground, at, unrelated } => {
            // A permission does not travel: it is decided once more, here, from what it rests on.
            let decided = match (der, ground) {
                (Some(der), Ground::Certificate(standing)) => permit(&certificate(der)?, standing, *at),
                (None, Ground::Orphan(standing)) => permit_orphan(&key.0, standing, *at),
                _ => Err(MustStay::NoProvenSuccessor),
            };
            let permit = decided.map_err(|stays| KeyStoreError::Module {
                call: "C_DestroyObject".to_owned(),
                code: stays.code().to_owned(),
            })?;
            store.remove(&permit.beside(unrelated.clone())).map(|()| Answer::Done)
        }
    }
}

fn algorithm_of(oid: &[u8]) -> Option<SignatureAlgorithm> {
    SignatureAlgorithm::from_oid(der::asn1::ObjectIdentifier::from_bytes(oid).ok()?).ok()
}

// --- on our side --------------------------------------------------------------------------------------------------

struct Running {
    child: Child,
    to: ChildStdin,
    answers: Receiver<std::io::Result<Answer>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The process of one module, started when it is needed, and again after it ended.
pub struct ModuleHost {
    program: PathBuf,
    load: Load,
    environment: Vec<(String, String)>,
    running: Mutex<Option<Running>>,
}

impl ModuleHost {
    /// A host that `program` plays when its arguments say so ([`Load::from_arguments`]).
    pub fn new(program: &Path, load: Load) -> Arc<Self> {
        Self::with_environment(program, load, Vec::new())
    }

    /// The same with variables that the module reads.
    pub fn with_environment(program: &Path, load: Load, environment: Vec<(String, String)>) -> Arc<Self> {
        Arc::new(Self { program: program.to_owned(), load, environment, running: Mutex::new(None) })
    }

    fn start(&self) -> Result<Running, KeyStoreError> {
        let failed = |error: std::io::Error| KeyStoreError::Crashed { detail: error.to_string() };
        let mut child = Command::new(&self.program)
            .args(self.load.arguments())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let (Some(to), Some(mut from)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(failed(std::io::Error::other("no pipe")));
        };
        let (tell, answers) = channel();
        std::thread::spawn(move || {
            loop {
                let answer = receive(&mut from);
                let ended = answer.is_err();
                if tell.send(answer).is_err() || ended {
                    return;
                }
            }
        });
        Ok(Running { child, to, answers })
    }

    fn ask(&self, store: &str, act: Act) -> Result<Answer, KeyStoreError> {
        let (patience, what) = act.patience();
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let process = match &mut *running {
            Some(process) => process,
            empty => empty.insert(self.start()?),
        };
        let mut question = Question { store: store.to_owned(), act };
        let sent = send(&mut process.to, &question);
        question.act.wipe();
        let answer = match sent {
            Ok(()) => process.answers.recv_timeout(patience),
            Err(error) => Ok(Err(error)),
        };
        match answer {
            Ok(Ok(Answer::Failed(error))) => Err(error),
            Ok(Ok(answer)) => Ok(answer),
            Err(RecvTimeoutError::Timeout) => {
                *running = None;
                Err(KeyStoreError::Silent { call: what.to_owned() })
            }
            Ok(Err(_)) | Err(RecvTimeoutError::Disconnected) => {
                let status = process.child.wait().map(|status| status.to_string()).unwrap_or_default();
                *running = None;
                Err(KeyStoreError::Crashed { detail: format!("{what}: {status}") })
            }
        }
    }

    /// The tokens that the module sees.
    ///
    /// # Errors
    ///
    /// [`KeyStoreError::ModuleMissing`], [`KeyStoreError::Silent`], [`KeyStoreError::Crashed`].
    pub fn stores(self: &Arc<Self>) -> Result<Vec<(HostedStore, StoreInfo)>, KeyStoreError> {
        self.look().map(|(stores, _)| stores)
    }

    /// The same, with the readers of cards that the module knows and that cannot be used yet: nobody initialised
    /// them, or they cannot be read just now.
    ///
    /// # Errors
    ///
    /// As [`ModuleHost::stores`].
    pub fn look(self: &Arc<Self>) -> Result<Seen, KeyStoreError> {
        let Answer::Stores(infos, blank) = self.ask("", Act::Stores)? else { return Err(unexpected()) };
        let hosted = |info: StoreInfo| (HostedStore { host: self.clone(), id: info.id.clone() }, info);
        Ok((infos.into_iter().map(hosted).collect(), blank))
    }
}

/// Stores, and readers with cards that are none yet.
pub type Seen = (Vec<(HostedStore, StoreInfo)>, Vec<String>);

fn unexpected() -> KeyStoreError {
    KeyStoreError::Crashed { detail: "an answer to another question".to_owned() }
}

/// A store of a module that lives in another process.
pub struct HostedStore {
    host: Arc<ModuleHost>,
    id: String,
}

impl HostedStore {
    fn done(&self, act: Act) -> Result<(), KeyStoreError> {
        match self.host.ask(&self.id, act)? {
            Answer::Done => Ok(()),
            _ => Err(unexpected()),
        }
    }

    fn octets(&self, act: Act) -> Result<Vec<u8>, KeyStoreError> {
        match self.host.ask(&self.id, act)? {
            Answer::Octets(octets) => Ok(octets.0),
            _ => Err(unexpected()),
        }
    }

    fn list(&self, act: Act) -> Result<Vec<Vec<u8>>, KeyStoreError> {
        match self.host.ask(&self.id, act)? {
            Answer::List(list) => Ok(list.into_iter().map(|octets| octets.0).collect()),
            _ => Err(unexpected()),
        }
    }
}

fn text(pin: &Pin) -> String {
    pin.expose().to_owned()
}

impl KeyStore for HostedStore {
    fn info(&mut self) -> Result<StoreInfo, KeyStoreError> {
        match self.host.ask(&self.id, Act::Info)? {
            Answer::Info(info) => Ok(*info),
            _ => Err(unexpected()),
        }
    }

    fn unlock(&mut self, pin: &Pin, last_try: bool) -> Result<(), KeyStoreError> {
        self.done(Act::Unlock { pin: text(pin), last_try })
    }

    fn keys(&mut self) -> Result<Vec<Vec<u8>>, KeyStoreError> {
        self.list(Act::Keys)
    }

    fn generate(&mut self, kind: KeyKind, label: &str) -> Result<Vec<u8>, KeyStoreError> {
        self.octets(Act::Generate { kind: kind.to_string(), label: label.to_owned() })
    }

    fn sign(&mut self, public_key: &[u8], scheme: Scheme, message: &[u8]) -> Result<Vec<u8>, KeyStoreError> {
        let algorithm = match scheme {
            Scheme::RsaPssSha256 => None,
            Scheme::Plain(algorithm) => Some(Octets(algorithm.identifier().oid.as_bytes().to_vec())),
        };
        self.octets(Act::Sign { key: Octets(public_key.to_vec()), algorithm, message: Octets(message.to_vec()) })
    }

    fn install(&mut self, certificate: &Certificate) -> Result<(), KeyStoreError> {
        self.done(Act::Install { certificate: Octets(certificate.der().to_vec()) })
    }

    fn remove(&mut self, permit: &RemovalPermit) -> Result<(), KeyStoreError> {
        let (ground, at) = permit.ground();
        let certificate = match permit.doomed() {
            Doomed::Certificate(certificate) => Some(Octets(certificate.der().to_vec())),
            Doomed::Orphan(_) => None,
        };
        let unrelated = permit.unrelated().to_vec();
        self.done(Act::Remove { certificate, key: Octets(permit.public_key().to_vec()), ground, at, unrelated })
    }

    fn held(&mut self) -> Result<Vec<Held>, KeyStoreError> {
        match self.host.ask(&self.id, Act::Held)? {
            Answer::Held(held) => Ok(held),
            _ => Err(unexpected()),
        }
    }

    fn pin_care(&mut self) -> Option<&mut dyn PinCare> {
        Some(self)
    }

    fn custody(&mut self) -> Option<&mut dyn Custody> {
        Some(self)
    }

    fn room(&mut self) -> Option<&mut dyn Room> {
        Some(self)
    }
}

impl PinCare for HostedStore {
    fn change_pin(&mut self, old: &Pin, new: &Pin, last_try: bool) -> Result<(), KeyStoreError> {
        self.done(Act::ChangePin { old: text(old), new: text(new), last_try })
    }

    fn unblock_pin(&mut self, puk: &Pin, new: &Pin, last_try: bool) -> Result<(), KeyStoreError> {
        self.done(Act::UnblockPin { puk: text(puk), new: text(new), last_try })
    }

    fn change_puk(&mut self, old: &Pin, new: &Pin, last_try: bool) -> Result<(), KeyStoreError> {
        self.done(Act::ChangePuk { old: text(old), new: text(new), last_try })
    }

    fn initialise(&mut self, puk: &Pin, name: &str, new: &Pin, last_try: bool) -> Result<(), KeyStoreError> {
        self.done(Act::Initialise { puk: text(puk), name: name.to_owned(), new: text(new), last_try })
    }
}

impl Custody for HostedStore {
    fn deposit(&mut self, certificate: &Certificate) -> Result<(), KeyStoreError> {
        self.done(Act::Deposit { certificate: Octets(certificate.der().to_vec()) })
    }

    fn import(&mut self, pkcs8: &Zeroizing<Vec<u8>>, label: &str) -> Result<Vec<u8>, KeyStoreError> {
        self.octets(Act::Import { pkcs8: Octets(pkcs8.to_vec()), label: label.to_owned() })
    }

    fn export(&mut self, public_key: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyStoreError> {
        self.octets(Act::Export { key: Octets(public_key.to_vec()) }).map(Zeroizing::new)
    }
}

impl Room for HostedStore {
    fn census(&mut self) -> Result<Census, KeyStoreError> {
        match self.host.ask(&self.id, Act::Census)? {
            Answer::Census(census) => Ok(census),
            _ => Err(unexpected()),
        }
    }

    fn reserve(&mut self, octets: usize) -> Result<(), KeyStoreError> {
        self.done(Act::Reserve { octets })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_module_prints_is_no_message() {
        let mut wire = b"Vendor middleware 1.4, demo licence\n\0".to_vec();
        send(&mut wire, &Answer::Done).unwrap();
        wire.extend_from_slice(b"warning: \xFF\0");
        send(&mut wire, &Answer::List(vec![Octets(vec![1])])).unwrap();
        let mut from = wire.as_slice();
        assert!(matches!(receive(&mut from).unwrap(), Answer::Done));
        assert!(matches!(receive(&mut from).unwrap(), Answer::List(list) if list[0].0 == [1]));
        assert!(receive::<Answer>(&mut from).is_err());
        // A length that nobody sent takes no memory.
        let huge = [MARK.as_slice(), &[0xFF; 4]].concat();
        assert!(receive::<Answer>(&mut huge.as_slice()).is_err());
    }
}
