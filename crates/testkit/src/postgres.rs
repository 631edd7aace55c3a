//! A PostgreSQL server of the test's own, in a temporary folder, on a free port of loopback.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running server; it stops when it is dropped.
pub struct Postgres {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

fn programs() -> Option<PathBuf> {
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|path| path.join("initdb").exists())
        .collect();
    versions.sort();
    versions.pop()
}

/// PostgreSQL refuses to run as root, so there it runs as its own user.
fn command(program: &Path) -> Command {
    use std::os::unix::process::CommandExt;
    let mut command = Command::new(program);
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    if is_root
        && let Ok(users) = std::fs::read_to_string("/etc/passwd")
        && let Some(line) = users.lines().find(|line| line.starts_with("postgres:"))
    {
        let mut fields = line.split(':').skip(2).filter_map(|field| field.parse().ok());
        if let (Some(uid), Some(gid)) = (fields.next(), fields.next()) {
            command.uid(uid).gid(gid);
        }
    }
    command
}

impl Postgres {
    /// Starts one; `None` when PostgreSQL is not installed.
    ///
    /// # Errors
    ///
    /// The system's own error, or that the server did not come up within 30 seconds.
    pub fn start() -> std::io::Result<Option<Self>> {
        let Some(bin) = programs() else { return Ok(None) };
        let folder = tempfile::Builder::new().prefix("obnova-pg").tempdir()?;
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777))?;
        let data = folder.path().join("data");
        let port = crate::free_port()?;
        let made = command(&bin.join("initdb"))
            .args(["-A", "trust", "-U", "obnova", "-E", "UTF8", "--no-sync", "-D"])
            .arg(&data)
            .stdout(Stdio::null())
            .current_dir("/")
            .status()?;
        if !made.success() {
            return Err(std::io::Error::other("initdb failed"));
        }
        let child = command(&bin.join("postgres"))
            .arg("-D")
            .arg(&data)
            .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-k"])
            .arg(folder.path())
            .stderr(Stdio::null())
            .current_dir("/")
            .spawn()?;
        let server = Self { child, port, _folder: folder };
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(30) {
            let ready = Command::new(bin.join("pg_isready"))
                .args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()])
                .status()?;
            if ready.success() {
                return Ok(Some(server));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Err(std::io::Error::other("PostgreSQL did not come up"))
    }

    /// Address of its one database.
    pub fn url(&self) -> String {
        format!("postgres://obnova@127.0.0.1:{}/postgres", self.port)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // SIGINT is PostgreSQL's fast shutdown.
        let _ = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}
