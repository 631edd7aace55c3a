//! A card made of software in the virtual reader of pcscd (vpcd): starting the program inserts it, killing it pulls it.

mod card;
mod chip;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::ExitCode;

use trussed::virt::Client;

use card::{Applet, Card};
use chip::Parts;

const USAGE: &str =
    "usage: vcard piv|openpgp|stranger HOST:PORT [--serial NUMBER] [--atr HEX] [--memory FOLDER] [--log FILE]
  stranger  a card that refuses every command: no program knows it
  --atr     its answer to reset, instead of that of a YubiKey 5 or an OpenPGP card 3
  --memory  what the card stores stays there from one insertion to the next
  --log     every command and answer, a line each in hexadecimal; PINs too, so they are for tests alone";

/// ATR of a YubiKey 5, and of an OpenPGP card 3: OpenSC chooses its driver by them.
const YUBIKEY: [u8; 23] =
    *b"\x3B\xFD\x13\x00\x00\x81\x31\xFE\x15\x80\x73\xC0\x21\xC0\x57\x59\x75\x62\x69\x4B\x65\x79\x40";
const OPENPGP: [u8; 21] = *b"\x3B\xDA\x18\xFF\x81\xB1\xFE\x75\x1F\x03\x00\x31\xF5\x73\xC0\x01\x60\x00\x90\x00\x1C";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Piv,
    OpenPgp,
    Stranger,
}

struct Settings {
    kind: Kind,
    address: String,
    serial: u32,
    atr: Vec<u8>,
    memory: Option<PathBuf>,
    log: Option<PathBuf>,
}

fn settings() -> Result<Settings, String> {
    let mut arguments = std::env::args().skip(1);
    let kind = arguments.next().ok_or(USAGE)?;
    let address = arguments.next().ok_or(USAGE)?;
    let kind = match kind.as_str() {
        "piv" => Kind::Piv,
        "openpgp" if cfg!(feature = "openpgp") => Kind::OpenPgp,
        "openpgp" => return Err("built without the feature openpgp".to_owned()),
        "stranger" => Kind::Stranger,
        _ => return Err(USAGE.to_owned()),
    };
    let atr = if kind == Kind::OpenPgp { OPENPGP.to_vec() } else { YUBIKEY.to_vec() };
    let mut settings = Settings { kind, address, serial: 5_437_251, atr, memory: None, log: None };
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or(USAGE)?;
        match name.as_str() {
            "--serial" => settings.serial = value.parse().map_err(|_| USAGE)?,
            "--atr" => settings.atr = octets(&value).ok_or(USAGE)?,
            "--memory" => settings.memory = Some(value.into()),
            "--log" => settings.log = Some(value.into()),
            _ => return Err(USAGE.to_owned()),
        }
    }
    Ok(settings)
}

fn octets(hex: &str) -> Option<Vec<u8>> {
    let pair = |at: usize| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
    (0..hex.len()).step_by(2).map(pair).collect()
}

fn run() -> Result<(), String> {
    let settings = settings()?;
    let said = |error: std::io::Error| error.to_string();
    let fresh = tempfile::tempdir().map_err(said)?;
    let folder = settings.memory.clone().unwrap_or_else(|| fresh.path().to_owned());
    std::fs::create_dir_all(&folder).map_err(said)?;
    let mut log = match &settings.log {
        Some(path) => Some(std::fs::File::options().create(true).append(true).open(path).map_err(said)?),
        None => None,
    };
    let mut reader = TcpStream::connect(&settings.address).map_err(|error| format!("{}: {error}", settings.address))?;
    // Every reset takes the power away for a moment, and with it what the card had been told.
    loop {
        let insert = |client: Client<'_, Parts>| {
            let applet = match settings.kind {
                Kind::Piv => Applet::Piv(Box::new(piv_authenticator::Authenticator::new(client, Default::default()))),
                #[cfg(feature = "openpgp")]
                Kind::OpenPgp => {
                    let mut options = opcard::Options::default();
                    options.serial = settings.serial.to_be_bytes();
                    Applet::OpenPgp(Box::new(opcard::Card::new(client, options)))
                }
                _ => Applet::None,
            };
            serve(&mut reader, &mut Card::new(applet, settings.serial), &settings.atr, log.as_mut())
        };
        match chip::powered(&folder, if settings.kind == Kind::OpenPgp { "opcard" } else { "piv" }, insert) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error.to_string()),
        }
    }
}

/// Speaks with the reader until it takes the power away.
///
/// Two bytes of length and a message each way; a message of one byte is the reader's own: 0 off, 1 on, 2 reset, 4 ATR.
fn serve(
    reader: &mut TcpStream,
    card: &mut Card,
    atr: &[u8],
    mut log: Option<&mut std::fs::File>,
) -> std::io::Result<()> {
    let mut used = false;
    loop {
        let mut length = [0; 2];
        read(reader, &mut length)?;
        let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
        read(reader, &mut message)?;
        let answer = match message.as_slice() {
            [0 | 2] if used => return Ok(()),
            [0..=2] => continue,
            [4] => atr.to_vec(),
            apdu => {
                used = true;
                let answer = card.answer(apdu);
                if let Some(log) = &mut log {
                    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02X}")).collect::<String>();
                    writeln!(log, "{} {}", hex(apdu), hex(&answer))?;
                }
                answer
            }
        };
        let mut framed = u16::try_from(answer.len()).map_err(std::io::Error::other)?.to_be_bytes().to_vec();
        framed.extend(answer);
        reader.write_all(&framed)?;
    }
}

/// The driver writes a length and its message apart, and without this each pair waits 40 ms for a confirmation.
fn read(reader: &mut TcpStream, buffer: &mut [u8]) -> std::io::Result<()> {
    #[cfg(target_os = "linux")]
    socket2::SockRef::from(&*reader).set_tcp_quickack(true)?;
    reader.read_exact(buffer)
}
