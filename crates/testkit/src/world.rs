//! A world: an authority with an office, an identity space, mail, and one clerk with a token or a file.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::MailSink;

const PIN: &str = "123456";
const PASSPHRASE: &str = "DEMO passphrase";

/// Where the clerk's keys live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// A SoftHSM token.
    SoftHsm,
    /// A PKCS#12 file.
    File,
}

/// What keeps the server's data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Engine {
    /// SQLite files.
    Sqlite,
    /// A PostgreSQL database at this address.
    Postgres(String),
}

/// The contract's state, as the office imports it.
#[derive(Debug, Clone, Default)]
pub struct Office {
    /// Date of an unpaid invoice, as `2026-01-31`.
    pub debt_since: String,
    /// Whether requests wait for a clerk of the authority.
    pub approval: bool,
    /// Whether the contract is paid in cash.
    pub cash: bool,
    /// The clerk's surname; another one means that data changed.
    pub surname: Option<String>,
}

/// How a world is made.
#[derive(Debug, Clone)]
pub struct WorldOptions {
    /// Folder of `obnova` and `obnova-server`.
    pub programs: PathBuf,
    /// Folder of the world.
    pub folder: PathBuf,
    /// Where the clerk's keys live.
    pub store: Store,
    /// What keeps the server's data.
    pub engine: Engine,
    /// Kind of the issuing keys.
    pub issuer_key: &'static str,
    /// Whether every command is printed before it runs.
    pub speak: bool,
}

/// The PKCS#11 module of SoftHSM, when it is installed.
pub fn softhsm_module() -> Option<PathBuf> {
    let module = [
        "/usr/lib/softhsm/libsofthsm2.so",
        "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
        "/usr/lib64/softhsm/libsofthsm2.so",
        "/usr/local/lib/softhsm/libsofthsm2.so",
        "/opt/homebrew/lib/softhsm/libsofthsm2.so",
    ]
    .iter()
    .map(PathBuf::from)
    .find(|path| path.exists())?;
    let util = Command::new("softhsm2-util").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    util.is_ok_and(|status| status.success()).then_some(module)
}

/// A free port below the range that outgoing connections are given from, so that it is still free after a restart.
///
/// # Errors
///
/// When none of a hundred is free.
pub fn free_port() -> std::io::Result<u16> {
    Ok(held_port()?.local_addr()?.port())
}

/// The same, held until the listener goes.
fn held_port() -> std::io::Result<TcpListener> {
    for _ in 0..100 {
        let port = 10_000 + u16::from_be_bytes(obnova_crypto::Primitives.octets()) % 20_000;
        if let Ok(held) = TcpListener::bind(("127.0.0.1", port)) {
            return Ok(held);
        }
    }
    Err(failed("no free port"))
}

/// A world of the real programs. The server stops when it is dropped.
pub struct World {
    options: WorldOptions,
    authority: u16,
    identity: u16,
    /// Both ports, until the server takes them: other worlds look for free ones at the same time.
    held: Vec<TcpListener>,
    server: Option<Child>,
    /// Letters that were sent.
    pub mail: MailSink,
    /// Lines that the configuration carries in its `[authority]` part.
    pub authority_extra: String,
    /// Whether the server knows a mail server; without one its letters wait.
    pub has_mail: bool,
    /// What the server tells of itself in `server.log`.
    pub log: String,
    days_back: u64,
}

fn failed(what: impl std::fmt::Display) -> std::io::Error {
    std::io::Error::other(what.to_string())
}

impl World {
    /// Makes the folder, the token or file settings, keys and certificates of the authority; starts nothing.
    ///
    /// # Errors
    ///
    /// The system's own error, or what a program said.
    pub fn new(options: WorldOptions) -> std::io::Result<Self> {
        for sub in ["server", "home", "tokens"] {
            std::fs::create_dir_all(options.folder.join(sub))?;
        }
        let mail = MailSink::start(&options.folder.join("mail"))?;
        let held = vec![held_port()?, held_port()?];
        let world = Self {
            authority: held[0].local_addr()?.port(),
            identity: held[1].local_addr()?.port(),
            held,
            server: None,
            mail,
            authority_extra: String::new(),
            has_mail: true,
            log: "warn".to_owned(),
            days_back: 0,
            options,
        };
        std::fs::write(world.path("pin"), PIN)?;
        obnova_keystore::durable::replace(&world.path("passphrase"), PASSPHRASE.as_bytes())?;
        world.write_configuration()?;
        let settings = match world.options.store {
            Store::SoftHsm => {
                let conf =
                    format!("directories.tokendir = {}\nobjectstore.backend = file\n", world.path("tokens").display());
                std::fs::write(world.path("softhsm2.conf"), conf)?;
                let module = softhsm_module().ok_or_else(|| failed("SoftHSM is not installed"))?;
                let mut command = Command::new("softhsm2-util");
                command
                    .env("SOFTHSM2_CONF", world.path("softhsm2.conf"))
                    .args(["--init-token", "--free", "--label", "DEMO token", "--pin", PIN, "--so-pin", "87654321"])
                    .stdout(Stdio::null());
                world.say(&format!(
                    "softhsm2-util --init-token --free --label \"DEMO token\" --pin {PIN} --so-pin 87654321"
                ));
                if !command.status()?.success() {
                    return Err(failed("softhsm2-util --init-token failed"));
                }
                format!("discover = false\nbackup = false\n\n[[store]]\nmodule = {:?}\n", module.display().to_string())
            }
            Store::File => {
                format!(
                    "discover = false\nbackup = false\n\n[[store]]\nfile = {:?}\n",
                    world.path("demo.p12").display().to_string()
                )
            }
        };
        std::fs::write(world.path("home").join("obnova.toml"), settings)?;
        Ok(world)
    }

    /// A path inside the world.
    pub fn path(&self, name: &str) -> PathBuf {
        self.options.folder.join(name)
    }

    /// Address of the authority.
    pub fn authority_address(&self) -> String {
        format!("127.0.0.1:{}", self.authority)
    }

    /// Address of the identity space.
    pub fn identity_address(&self) -> String {
        format!("127.0.0.1:{}", self.identity)
    }

    /// Which store the clerk has.
    pub fn store(&self) -> Store {
        self.options.store
    }

    /// Environment that makes the commands repeatable by hand.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let mut all = vec![("OBNOVA_HOME", self.path("home").display().to_string())];
        if self.options.store == Store::SoftHsm {
            all.push(("SOFTHSM2_CONF", self.path("softhsm2.conf").display().to_string()));
        }
        all
    }

    fn say(&self, line: &str) {
        if self.options.speak {
            eprintln!("$ {line}");
        }
    }

    /// Writes the server's configuration.
    ///
    /// # Errors
    ///
    /// The system's own error.
    pub fn write_configuration(&self) -> std::io::Result<()> {
        let database = |file: &str| match &self.options.engine {
            Engine::Sqlite => format!("sqlite:{file}.db"),
            Engine::Postgres(url) => url.clone(),
        };
        let mail = format!(
            "[mail]\nhost = \"127.0.0.1\"\nport = {}\nfrom = \"DEMO authority <authority@demo.obnova.example.com>\"\nsecurity = \"none\"\n",
            self.mail.port(),
        );
        let text = format!(
            "# The configuration of this demonstration.\ndemonstration = true\n\n[authority]\nlisten = \"{a}\"\naddress = \"{a}\"\n\
             published_at = \"http://pki.demo.obnova.example.com\"\ndatabase = \"{da}\"\ncheck_after_seconds = 1\n{extra}\n\
             [identity]\nlisten = \"{i}\"\naddress = \"{i}\"\naudience = \"DEMO identity space\"\ndatabase = \"{di}\"\n\n\
             {mail}",
            a = self.authority_address(),
            i = self.identity_address(),
            da = database("authority"),
            di = database("identity"),
            extra = self.authority_extra,
            mail = if self.has_mail { mail.as_str() } else { "" },
        );
        std::fs::write(self.path("server").join("obnova-server.toml"), text)
    }

    fn server_command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.options.programs.join("obnova-server"));
        command
            .args(arguments)
            .arg("--dir")
            .arg(self.path("server"))
            .arg("--passphrase-file")
            .arg(self.path("passphrase"))
            .env("OBNOVA_LOG", &self.log);
        if self.days_back > 0 {
            command.args(["--demo-days-back", &self.days_back.to_string()]);
        }
        command
    }

    /// Runs a command of the server program to its end.
    ///
    /// # Errors
    ///
    /// What it said, when it failed.
    pub fn server(&self, arguments: &[&str]) -> std::io::Result<String> {
        self.say(&format!("obnova-server {}", shown(arguments)));
        let output = self.server_command(arguments).output()?;
        if !output.status.success() {
            return Err(failed(String::from_utf8_lossy(&output.stderr)));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The command that `start_server` runs, for tests that want to watch or kill it themselves.
    pub fn run_command(&self) -> Command {
        self.server_command(&["run"])
    }

    /// Starts the server and waits until it is ready.
    ///
    /// # Errors
    ///
    /// The system's own error, or that it ended at once.
    pub fn start_server(&mut self) -> std::io::Result<()> {
        self.say("obnova-server run &");
        self.held.clear();
        for attempt in 0..5 {
            let log = std::fs::OpenOptions::new().create(true).append(true).open(self.path("server.log"))?;
            let mut child = self.run_command().stdout(Stdio::piped()).stderr(log).spawn()?;
            let stdout = child.stdout.take().ok_or_else(|| failed("no output"))?;
            let mut line = String::new();
            BufReader::new(stdout).read_line(&mut line)?;
            if line.starts_with("ready") {
                self.server = Some(child);
                return Ok(());
            }
            child.wait()?;
            // The port of a server that was just killed may need a moment.
            std::thread::sleep(Duration::from_millis(200 << attempt));
        }
        let log = std::fs::read_to_string(self.path("server.log")).unwrap_or_default();
        Err(failed(format!("the server did not start: {log}")))
    }

    /// Kills the server at once, as a power cut would.
    pub fn kill_server(&mut self) {
        if let Some(mut child) = self.server.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Process id of the server.
    pub fn server_id(&self) -> Option<u32> {
        self.server.as_ref().map(Child::id)
    }

    /// A command of the client program, not yet started.
    pub fn client_command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.options.programs.join("obnova"));
        command.args(arguments).arg("--pin-file").arg(self.path("pin")).stdin(Stdio::null());
        for (name, value) in self.environment() {
            command.env(name, value);
        }
        if self.days_back > 0 {
            command.args(["--demo-days-back", &self.days_back.to_string()]);
        }
        command
    }

    /// Runs a command of the client program to its end; what it shows is shown.
    ///
    /// # Errors
    ///
    /// The system's own error; how the command went is in the output.
    pub fn obnova(&self, arguments: &[&str]) -> std::io::Result<Output> {
        self.say(&format!("obnova {}", shown(arguments)));
        let mut command = self.client_command(arguments);
        if self.options.speak {
            let status = command.stdout(Stdio::inherit()).stderr(Stdio::inherit()).status()?;
            return Ok(Output { status, stdout: Vec::new(), stderr: Vec::new() });
        }
        command.output()
    }

    /// Runs a client command with `--json` and reads its data.
    ///
    /// # Errors
    ///
    /// What it said, when its data cannot be read.
    pub fn ask(&self, arguments: &[&str]) -> std::io::Result<Value> {
        let output = self.client_command(arguments).arg("--json").output()?;
        serde_json::from_slice(&output.stdout).map_err(|error| {
            failed(format!("obnova {}: {error}: {}", shown(arguments), String::from_utf8_lossy(&output.stderr)))
        })
    }

    /// Starts a client command and kills it as soon as it tells of this station.
    ///
    /// # Errors
    ///
    /// The system's own error; `false` when the station was never reached.
    pub fn kill_at(&self, arguments: &[&str], station: &str) -> std::io::Result<bool> {
        self.say(&format!("obnova {}   # killed at {station}", shown(arguments)));
        let mut child =
            self.client_command(arguments).arg("--json").stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let stderr = child.stderr.take().ok_or_else(|| failed("no output"))?;
        let wanted = format!("\"station\":\"{}\"", station.to_ascii_lowercase());
        let mut reached = false;
        for line in BufReader::new(stderr).lines() {
            if line?.contains(&wanted) {
                child.kill()?;
                reached = true;
                break;
            }
        }
        child.wait()?;
        Ok(reached)
    }

    /// Imports the office's data.
    ///
    /// # Errors
    ///
    /// What the server said.
    pub fn import(&self, office: &Office) -> std::io::Result<()> {
        let yes = |value: bool| if value { "yes" } else { "no" };
        let csv = format!(
            "ico,organisation,contract,applicant,given_name,surname,email,debt_since,cash,approval,language\n\
             17651921,DEMO Úřad,DEMO-1,DEMO-100,Jana,{},jana@demo.obnova.example.com,{},{},{},cs\n",
            office.surname.as_deref().unwrap_or("Dvořáková DEMO"),
            office.debt_since,
            yes(office.cash),
            yes(office.approval),
        );
        let file = self.path("office.csv");
        std::fs::write(&file, csv)?;
        self.server(&["office", "import", &file.display().to_string()])?;
        Ok(())
    }

    fn profile(&self) -> &'static str {
        match self.options.store {
            Store::SoftHsm => "qualified-device",
            Store::File => "qualified",
        }
    }

    /// Invites the clerk and enrols a first certificate.
    ///
    /// # Errors
    ///
    /// What one of the programs said.
    pub fn enroll(&self, profile: &str, key: &str) -> std::io::Result<()> {
        let invitation = self.server(&["invite", "DEMO-100", "--profile", profile, "--json"])?;
        let file = self.path(&format!("invitation-{profile}.json"));
        std::fs::write(&file, invitation)?;
        let store = if self.options.store == Store::SoftHsm { "DEMO token" } else { "demo.p12" };
        let output =
            self.obnova(&["enroll", "--invitation", &file.display().to_string(), "--store", store, "--key", key])?;
        if !output.status.success() {
            return Err(failed(format!("enroll {profile}: {}", String::from_utf8_lossy(&output.stderr))));
        }
        Ok(())
    }

    /// A whole office a year ago: authority, clerk with two certificates (20 days before their end today),
    /// account with the commercial one; the server runs at today's date when this returns.
    ///
    /// # Errors
    ///
    /// What one of the programs said.
    pub fn furnish(&mut self) -> std::io::Result<()> {
        self.furnish_since(365)
    }

    /// The same, with certificates issued so many days ago; they are good for 385.
    ///
    /// # Errors
    ///
    /// What one of the programs said.
    pub fn furnish_since(&mut self, days: u64) -> std::io::Result<()> {
        self.days_back = days;
        self.server(&[
            "init",
            "--organisation",
            "DEMO Office",
            "--prefix",
            "DEMO ",
            "--issuer-key",
            self.options.issuer_key,
        ])?;
        self.import(&Office::default())?;
        self.start_server()?;
        self.enroll(self.profile(), if self.options.store == Store::SoftHsm { "rsa2048" } else { "p256" })?;
        self.enroll("commercial", "p256")?;
        self.days_back = 0;
        // A list of the root lasts a year, and the operator signs it anew in time.
        self.server(&["ceremony"])?;
        self.turn_clock_back(0)?;
        self.server(&[
            "account",
            "add",
            "demo.admin",
            "--name",
            "DEMO Administrator",
            "--email",
            "admin@demo.obnova.example.com",
            "--organisation",
            "DEMO Úřad",
            "--administrator",
        ])?;
        self.server(&[
            "account",
            "add",
            "demo.jana",
            "--name",
            "Jana Dvořáková DEMO",
            "--email",
            "jana@demo.obnova.example.com",
            "--organisation",
            "DEMO Úřad",
        ])?;
        let serial = self.serial_of("commercial")?;
        self.server(&["account", "bind", "demo.jana", "--issuer", "Public CA", "--serial", &serial])?;
        Ok(())
    }

    /// Lets server and client live so many days ago from now on.
    ///
    /// # Errors
    ///
    /// That the server does not come up again.
    pub fn turn_clock_back(&mut self, days: u64) -> std::io::Result<()> {
        self.kill_server();
        self.days_back = days;
        self.start_server()
    }

    /// Decimal serial number of the newest certificate of a kind.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn serial_of(&self, kind: &str) -> std::io::Result<String> {
        let view = self.ask(&["show", kind])?;
        view["decimal"].as_str().map(str::to_owned).ok_or_else(|| failed(format!("no {kind} certificate")))
    }

    /// The newest commercial certificate of a file store, with its key.
    ///
    /// # Errors
    ///
    /// When the clerk has no file store, or it cannot be read.
    pub fn login_key(&self) -> std::io::Result<(obnova_pki::Certificate, obnova_crypto::SoftwareKey)> {
        let password = obnova_crypto::Secret::new(PIN.to_owned());
        let pfx = obnova_crypto::Pfx::read(&std::fs::read(self.path("demo.p12"))?, &password).map_err(failed)?;
        pfx.keys
            .into_iter()
            .filter_map(|entry| Some((entry.certificate?, entry.key)))
            .filter(|(certificate, _)| certificate.kind() == obnova_pki::Kind::Commercial)
            .max_by_key(|(certificate, _)| certificate.not_after())
            .ok_or_else(|| failed("there is no commercial certificate"))
    }

    /// Writes [`World::login_key`] as PEM, for curl and browsers.
    ///
    /// # Errors
    ///
    /// As [`World::login_key`].
    pub fn login_pem(&self) -> std::io::Result<PathBuf> {
        let (certificate, key) = self.login_key()?;
        let mut text = obnova_pki::pem::block("CERTIFICATE", certificate.der()).map_err(failed)?;
        text.push_str(&obnova_pki::pem::block("PRIVATE KEY", key.pkcs8()).map_err(failed)?);
        let path = self.path("login.pem");
        std::fs::write(&path, text)?;
        Ok(path)
    }

    /// Waits for a letter that contains a text.
    pub fn letter_with(&self, text: &str, patience: Duration) -> Option<String> {
        let begun = Instant::now();
        loop {
            if let Some(found) = self.mail.letters().into_iter().find(|letter| letter.contains(text)) {
                return Some(found);
            }
            if begun.elapsed() > patience {
                return None;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Path of a certificate of the house.
    pub fn house_certificate(&self, name: &str) -> PathBuf {
        self.path("server").join("certificates").join(format!("{name}.crt"))
    }

    /// The world's folder.
    pub fn folder(&self) -> &Path {
        &self.options.folder
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.kill_server();
    }
}

fn shown(arguments: &[&str]) -> String {
    arguments
        .iter()
        .map(|argument| if argument.contains(' ') { format!("\"{argument}\"") } else { (*argument).to_owned() })
        .collect::<Vec<_>>()
        .join(" ")
}
