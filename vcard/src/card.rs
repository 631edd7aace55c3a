//! The card as a reader sees it: commands of ISO 7816-4, chained commands put together, long answers told in parts.

use heapless::Vec;
use iso7816::Status;
use iso7816::command::CommandView;
use trussed::virt::Client;

use crate::chip::Parts;

/// The longest command and answer: those of the applets.
const LONGEST: usize = 7609;

/// AID of PIV with its version (NIST SP 800-73-4, part 1, 2.2); programs of Yubico select it by its first five bytes.
const PIV: [u8; 9] = [0xA0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00];

/// Yubico's command for the card's own number.
const GET_SERIAL: u8 = 0xF8;

const GET_RESPONSE: u8 = 0xC0;

/// What speaks on the card.
pub enum Applet<'a> {
    Piv(Box<piv_authenticator::Authenticator<Client<'a, Parts>>>),
    #[cfg(feature = "openpgp")]
    OpenPgp(Box<opcard::Card<Client<'a, Parts>>>),
    /// Nothing: every command is refused.
    None,
}

/// A powered card.
pub struct Card<'a> {
    applet: Applet<'a>,
    serial: u32,
    /// Data of the commands of a chain so far.
    chain: std::vec::Vec<u8>,
    /// What of the last answer has not been asked for yet.
    rest: std::vec::Vec<u8>,
}

impl<'a> Card<'a> {
    pub fn new(applet: Applet<'a>, serial: u32) -> Self {
        Self { applet, serial, chain: std::vec::Vec::new(), rest: std::vec::Vec::new() }
    }

    /// The answer to one command, with its two status bytes.
    pub fn answer(&mut self, apdu: &[u8]) -> std::vec::Vec<u8> {
        let Ok(command) = CommandView::try_from(apdu) else { return vec![0x67, 0x00] };
        let instruction = apdu[1];
        // No Le at all stands for 256: programs of Yubico leave it out and wait for data.
        let asked = if command.expected() == 0 { 256 } else { command.expected() };
        if instruction == GET_RESPONSE {
            return self.part(asked);
        }
        self.rest.clear();
        if apdu[0] & 0x10 != 0 {
            self.chain.extend_from_slice(command.data());
            return vec![0x90, 0x00];
        }
        let mut data = std::mem::take(&mut self.chain);
        data.extend_from_slice(command.data());
        match &self.applet {
            Applet::Piv(_) if instruction == 0xA4 && data.len() >= 5 && PIV.starts_with(&data) => data = PIV.to_vec(),
            Applet::Piv(_) if instruction == GET_SERIAL => {
                self.rest = self.serial.to_be_bytes().to_vec();
                return self.part(asked);
            }
            _ => {}
        }
        let mut whole = vec![apdu[0], instruction, apdu[2], apdu[3], 0];
        let Ok(length) = u16::try_from(data.len()) else { return vec![0x67, 0x00] };
        if length > 0 {
            whole.extend(length.to_be_bytes());
            whole.extend(&data);
        }
        whole.extend([0, 0]);
        let Ok(command) = CommandView::try_from(whole.as_slice()) else { return vec![0x67, 0x00] };
        let mut reply = Vec::<u8, LONGEST>::new();
        let done = match &mut self.applet {
            Applet::Piv(applet) => applet.respond(command, reply.as_mut_view()),
            #[cfg(feature = "openpgp")]
            Applet::OpenPgp(applet) => applet.handle(command, reply.as_mut_view()),
            Applet::None => Err(Status::ClassNotSupported),
        };
        if let Err(status) = done {
            return <[u8; 2]>::from(status).to_vec();
        }
        self.rest = reply.to_vec();
        self.part(asked)
    }

    fn part(&mut self, asked: usize) -> std::vec::Vec<u8> {
        let left = self.rest.split_off(asked.min(self.rest.len()));
        let mut part = std::mem::replace(&mut self.rest, left);
        let status = match self.rest.len() {
            0 => Status::Success,
            more => Status::MoreAvailable(u8::try_from(more).unwrap_or(0)),
        };
        part.extend(<[u8; 2]>::from(status));
        part
    }
}
