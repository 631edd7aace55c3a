//! An SMTP server on loopback that keeps every letter as a file (RFC 5321, the part that a client needs).

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The sink; it ends with the process.
pub struct MailSink {
    port: u16,
    folder: PathBuf,
    away: Arc<AtomicBool>,
}

impl MailSink {
    /// Starts it; letters are written into `folder`.
    ///
    /// # Errors
    ///
    /// The system's own error.
    pub fn start(folder: &Path) -> std::io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let (into, count) = (folder.to_owned(), Arc::new(AtomicUsize::new(0)));
        let away = Arc::new(AtomicBool::new(false));
        let is_away = Arc::clone(&away);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if is_away.load(Ordering::SeqCst) {
                    continue;
                }
                let (into, count) = (into.clone(), Arc::clone(&count));
                std::thread::spawn(move || {
                    // A client that goes away in the middle of a letter leaves none.
                    let _ = converse(&stream, &into, &count);
                });
            }
        });
        Ok(Self { port, folder: folder.to_owned(), away })
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Hangs up on everybody, as a server does that is being restarted, or takes letters again.
    pub fn refuse(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    /// All letters so far, in the order of their arrival.
    pub fn letters(&self) -> Vec<String> {
        let mut paths: Vec<PathBuf> = std::fs::read_dir(&self.folder)
            .map(|entries| entries.filter_map(|entry| Some(entry.ok()?.path())).collect())
            .unwrap_or_default();
        paths.sort();
        paths.iter().filter_map(|path| std::fs::read_to_string(path).ok()).collect()
    }
}

fn converse(stream: &TcpStream, folder: &Path, count: &AtomicUsize) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    let mut say = |line: &str| writer.write_all(format!("{line}\r\n").as_bytes());
    say("220 demo.obnova.example")?;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        match verb.as_str() {
            "EHLO" => say("250-demo.obnova.example\r\n250 8BITMIME")?,
            "DATA" => {
                say("354 go on")?;
                let mut letter = String::new();
                loop {
                    let mut line = String::new();
                    if reader.read_line(&mut line)? == 0 {
                        return Ok(());
                    }
                    if line == ".\r\n" {
                        break;
                    }
                    letter.push_str(line.strip_prefix('.').unwrap_or(&line));
                }
                let number = count.fetch_add(1, Ordering::SeqCst) + 1;
                std::fs::write(folder.join(format!("{number:03}.eml")), letter)?;
                say("250 taken")?;
            }
            "QUIT" => return say("221 bye"),
            _ => say("250 ok")?,
        }
    }
}
