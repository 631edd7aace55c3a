//! A real stack for cards: pcscd with the virtual reader of vpcd, and cards made of software in its two slots.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// One service for a whole machine, because the path of its socket is built in.
static ALONE: Mutex<()> = Mutex::new(());

/// The driver of the virtual reader.
const DRIVER: &str = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so";

/// Name of the reader; programs of Yubico look for their own in it.
pub const READER: &str = "Yubico YubiKey CCID virtual 00 00";

/// The module of the card's maker.
pub const YKCS11: &str = "/usr/lib/x86_64-linux-gnu/libykcs11.so.2";

/// The module for everybody's cards.
pub const OPENSC: &str = "/usr/lib/x86_64-linux-gnu/opensc-pkcs11.so";

/// A management key as every new PIV card has it: who makes keys there logs in with it as the security officer.
pub const MANAGEMENT_KEY: &str = "010203040506070801020304050607080102030405060708";

/// The running service; it ends when it is dropped.
pub struct CardStand {
    service: Child,
    folder: tempfile::TempDir,
    program: PathBuf,
    _alone: MutexGuard<'static, ()>,
}

/// A card in the reader; dropping it pulls it.
pub struct InsertedCard {
    program: Child,
}

impl Drop for InsertedCard {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

impl Drop for CardStand {
    fn drop(&mut self) {
        // It takes its socket with it when it is asked, and leaves it when it is killed.
        let _ = Command::new("kill").arg(self.service.id().to_string()).status();
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(5) && matches!(self.service.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.service.kill();
        let _ = self.service.wait();
    }
}

/// For as long as this is held, no story of this process has a card in a reader: for those that look at the whole
/// computer.
pub fn without_cards() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn failed(what: impl std::fmt::Display) -> std::io::Error {
    std::io::Error::other(what.to_string())
}

/// Waits for something that another process does.
fn until(what: &str, mut is_so: impl FnMut() -> bool) -> std::io::Result<()> {
    let begun = Instant::now();
    while !is_so() {
        if begun.elapsed() > Duration::from_secs(20) {
            return Err(failed(format!("{what}: not within 20 s")));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

impl CardStand {
    /// Starts the service; `None` when its parts are not installed or the machine's own runs. `programs` is the folder
    /// of `vcard`, which is built by a workspace of its own.
    ///
    /// # Errors
    ///
    /// The system's own error, or that the service did not come up.
    pub fn start(programs: &Path) -> std::io::Result<Option<Self>> {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let program = programs.join("vcard");
        let parts = ["/usr/sbin/pcscd", DRIVER, YKCS11, OPENSC, "/usr/bin/yubico-piv-tool"];
        if !program.exists() || !parts.iter().all(|part| Path::new(part).exists()) {
            return Ok(None);
        }
        let running = std::os::unix::net::UnixStream::connect("/run/pcscd/pcscd.comm").is_ok();
        if running {
            return Ok(None);
        }
        let folder = tempfile::Builder::new().prefix("obnova-cards").tempdir()?;
        let readers = folder.path().join("readers");
        std::fs::create_dir(&readers)?;
        let name = READER.trim_end_matches(" 00 00");
        let reader =
            format!("FRIENDLYNAME \"{name}\"\nDEVICENAME /dev/null:0x8C7B\nLIBPATH {DRIVER}\nCHANNELID 0x8C7B\n");
        std::fs::write(readers.join("vpcd"), reader)?;
        let log = std::fs::File::create(folder.path().join("pcscd.log"))?;
        let service = Command::new("/usr/sbin/pcscd")
            .args(["--foreground", "--debug", "--apdu", "--config"])
            .arg(&readers)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let stand = Self { service, folder, program, _alone: alone };
        until("the reader", || obnova_keystore::readers().is_ok_and(|all| !all.is_empty()))?;
        Ok(Some(stand))
    }

    /// Puts a card of a kind (`piv`, `openpgp`, `stranger`) into the first slot, or the second.
    ///
    /// # Errors
    ///
    /// The system's own error, or that the reader does not see it.
    pub fn insert(&self, slot: u16, kind: &str, arguments: &[&str]) -> std::io::Result<InsertedCard> {
        // One that was just pulled is still seen for a moment.
        self.wait(slot, false)?;
        let program = Command::new(&self.program)
            .args([kind, &format!("127.0.0.1:{}", 35_963 + slot)])
            .args(arguments)
            .stdin(Stdio::null())
            .spawn()?;
        let card = InsertedCard { program };
        self.wait(slot, true)?;
        Ok(card)
    }

    /// Puts the same card in once more, or another one that remembers what this name stands for.
    ///
    /// # Errors
    ///
    /// As [`CardStand::insert`].
    pub fn insert_remembering(&self, slot: u16, kind: &str, name: &str) -> std::io::Result<InsertedCard> {
        let memory = self.folder.path().join(name).display().to_string();
        self.insert(slot, kind, &["--memory", &memory])
    }

    /// Waits until the reader sees that a card is there, or gone.
    ///
    /// # Errors
    ///
    /// That it does not within 20 seconds.
    pub fn wait(&self, slot: u16, there: bool) -> std::io::Result<()> {
        until("the card", || {
            let readers = obnova_keystore::readers().unwrap_or_default();
            readers.get(usize::from(slot)).is_some_and(|reader| reader.atr.is_some() == there)
        })
    }

    /// How many commands have gone to cards so far, by the log of pcscd.
    pub fn commands(&self) -> usize {
        let log = std::fs::read(self.folder.path().join("pcscd.log")).unwrap_or_default();
        String::from_utf8_lossy(&log).lines().filter(|line| line.contains("APDU: ")).count()
    }

    /// A folder for the files of the story.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}
