//! Readers and what lies in them, as the system sees it (PC/SC, part 5: SCardEstablishContext, SCardListReaders,
//! SCardGetStatusChange): the only unsafe code for that interface. The system's library is loaded when it is asked for,
//! so that the program starts where there is none. No card is ever opened here, because that disturbs its middleware.

#![allow(unsafe_code, reason = "the foreign interface of PC/SC")]

use std::ffi::{CStr, CString, c_char, c_void};
use std::sync::mpsc::channel;
use std::time::Duration;

use libloading::{Library, Symbol};

/// How long the system's service may take: it answers from memory, and one that hangs must not hang us.
const PATIENCE: Duration = Duration::from_secs(5);

/// A reader with what lies in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reader {
    /// The name that PKCS#11 modules give in slotDescription, too.
    pub name: String,
    /// Answer to reset of the card (ISO 7816-3, 2 to 33 octets); `None` when there is no card, or it does not answer.
    pub atr: Option<Vec<u8>>,
}

/// Why readers cannot be listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadersUnknown {
    /// This computer has no library for readers.
    NoLibrary,
    /// The service for readers does not run, or does not answer.
    NoService,
}

/// All readers that the system knows now; none is no error.
///
/// # Errors
///
/// [`ReadersUnknown`].
pub fn readers() -> Result<Vec<Reader>, ReadersUnknown> {
    let (told, answer) = channel();
    std::thread::spawn(move || told.send(ask()));
    answer.recv_timeout(PATIENCE).unwrap_or(Err(ReadersUnknown::NoService))
}

// The types of the interface differ by system: winscard.h, and pcsclite.h with `long`, and Apple's with 32 bits.
#[cfg(all(unix, not(target_os = "macos")))]
mod types {
    pub(super) type Dword = std::ffi::c_ulong;
    pub(super) type Handle = std::ffi::c_long;
    pub(super) const ATR: usize = 33;
    pub(super) const LIBRARIES: [&str; 2] = ["libpcsclite.so.1", "libpcsclite_real.so.1"];
    pub(super) const NAMES: [&[u8]; 2] = [b"SCardListReaders", b"SCardGetStatusChange"];
}
#[cfg(target_os = "macos")]
mod types {
    pub(super) type Dword = u32;
    pub(super) type Handle = i32;
    pub(super) const ATR: usize = 33;
    pub(super) const LIBRARIES: [&str; 1] = ["/System/Library/Frameworks/PCSC.framework/PCSC"];
    pub(super) const NAMES: [&[u8]; 2] = [b"SCardListReaders", b"SCardGetStatusChange"];
}
#[cfg(windows)]
mod types {
    pub(super) type Dword = u32;
    pub(super) type Handle = usize;
    pub(super) const ATR: usize = 36;
    pub(super) const LIBRARIES: [&str; 1] = ["winscard.dll"];
    pub(super) const NAMES: [&[u8]; 2] = [b"SCardListReadersA", b"SCardGetStatusChangeA"];
}

use types::{ATR, Dword, Handle, LIBRARIES, NAMES};

/// SCARD_READERSTATE. Apple's is packed; the fields before its end lie at the same places either way.
#[cfg_attr(target_os = "macos", repr(C, packed))]
#[cfg_attr(not(target_os = "macos"), repr(C))]
struct ReaderState {
    reader: *const c_char,
    user: *mut c_void,
    current: Dword,
    event: Dword,
    atr_length: Dword,
    atr: [u8; ATR],
}

/// SCARD_STATE_PRESENT.
const PRESENT: Dword = 0x20;

// On 32-bit Windows the interface has its own calling convention, which "system" stands for.
type Establish = unsafe extern "system" fn(Dword, *const c_void, *const c_void, *mut Handle) -> i32;
type List = unsafe extern "system" fn(Handle, *const c_char, *mut c_char, *mut Dword) -> i32;
type Status = unsafe extern "system" fn(Handle, Dword, *mut ReaderState, Dword) -> i32;
type Release = unsafe extern "system" fn(Handle) -> i32;

fn ask() -> Result<Vec<Reader>, ReadersUnknown> {
    // Loading runs the library's own start: it is the system's.
    let library = LIBRARIES.iter().find_map(|name| unsafe { Library::new(name) }.ok());
    let library = library.ok_or(ReadersUnknown::NoLibrary)?;
    // The types are those that the interface gives to these names.
    let (establish, list, status, release): (
        Symbol<'_, Establish>,
        Symbol<'_, List>,
        Symbol<'_, Status>,
        Symbol<'_, Release>,
    ) = unsafe {
        let missing = |_| ReadersUnknown::NoLibrary;
        (
            library.get(b"SCardEstablishContext").map_err(missing)?,
            library.get(NAMES[0]).map_err(missing)?,
            library.get(NAMES[1]).map_err(missing)?,
            library.get(b"SCardReleaseContext").map_err(missing)?,
        )
    };
    let mut context: Handle = 0;
    // Scope 0 is the user's own.
    if unsafe { establish(0, std::ptr::null(), std::ptr::null(), &mut context) } != 0 {
        return Err(ReadersUnknown::NoService);
    }
    let names = names(*list, context);
    let mut states: Vec<ReaderState> = names
        .iter()
        .map(|name| ReaderState {
            reader: name.as_ptr(),
            user: std::ptr::null_mut(),
            current: 0,
            event: 0,
            atr_length: 0,
            atr: [0; ATR],
        })
        .collect();
    // "Unaware" of every reader (0) and no waiting: the answer comes at once. The names outlive the call.
    let count = Dword::try_from(states.len()).unwrap_or(0);
    let told = count > 0 && unsafe { status(context, 0, states.as_mut_ptr(), count) } == 0;
    unsafe { release(context) };
    let reader = |(name, state): (&CString, &ReaderState)| {
        let (event, length) = (state.event, usize::try_from(state.atr_length).unwrap_or(0).min(ATR));
        let atr = (told && event & PRESENT != 0 && length > 1).then(|| state.atr[..length].to_vec());
        Reader { name: name.to_string_lossy().into_owned(), atr }
    };
    Ok(names.iter().zip(&states).map(reader).collect())
}

/// Names of all readers; none is an error code of its own, which is not told apart from an empty list.
fn names(list: List, context: Handle) -> Vec<CString> {
    let mut length: Dword = 0;
    if unsafe { list(context, std::ptr::null(), std::ptr::null_mut(), &mut length) } != 0 {
        return Vec::new();
    }
    let mut text = vec![0u8; usize::try_from(length).unwrap_or(0).min(1 << 20)];
    // A reader that comes between the two calls makes the second fail, and is seen the next time.
    if unsafe { list(context, std::ptr::null(), text.as_mut_ptr().cast(), &mut length) } != 0 {
        return Vec::new();
    }
    let mut names = Vec::new();
    let mut rest = text.as_slice();
    while let Ok(name) = CStr::from_bytes_until_nul(rest) {
        if name.is_empty() {
            break;
        }
        rest = &rest[name.count_bytes() + 1..];
        names.push(name.to_owned());
    }
    names
}
