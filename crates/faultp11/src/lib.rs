//! A PKCS#11 2.40 module for tests that stands before another module, named by `module = PATH` in its rules, and
//! behaves as badly as real devices do.
//!
//! It refuses to start without the variable [`rules::RULES`], and never writes a PIN anywhere. Rules, all optional:
//!
//! | rule | effect |
//! | --- | --- |
//! | `module` | path of the module behind |
//! | `log` | a file that gets one line for every call: name and return value |
//! | `profile` | the rules of a device, see `rules.rs` |
//! | `fail.CALL` | code, always; `CODE@N` from the N-th call on, `CODE#N` only then |
//! | `before.CALL`, `after.CALL` | the process dies before or after the N-th call |
//! | `pulled.CALL` | the device is pulled before the N-th call, and stays out until the counter file goes |
//! | `removed` | 1: the device is out |
//! | `delay.CALL` | milliseconds; a removal in between is noticed |
//! | `hang.CALL` | the N-th call never returns |
//! | `capacity`, `full_rv` | octets of certificates and keys, and the code when they are full |
//! | `free_memory`, `total_memory` | what C_GetTokenInfo says |
//! | `library_version` | `1.2` |
//! | `model`, `manufacturer`, `shared_serial` | what the device calls itself |
//! | `max_rsa_bits`, `bits_rv` | longest RSA key, and the code for longer ones |
//! | `pin_tries`, `puk_tries` | real counters with their flags; `only_final_flag`: the first warning is not told |
//! | `pin_length` | `4-8`: what C_GetTokenInfo says |
//! | `locked_as_incorrect` | 1: a locked PIN is called incorrect, and only the flag tells the truth |
//! | `pinpad` | the PIN that is "typed on the device"; C_Login with one is refused |
//! | `always_authenticate` | 1: keys made from now on want the PIN for each signature |
//! | `keygen_needs_so` | 1: keys and certificates are written only under the SO login |
//! | `own_ids` | 1: CKA_ID and CKA_LABEL are the device's own |
//! | `session_keys` | 1: keys are made for the session only, and nobody says so |
//! | `replace_on_write` | 1: a second certificate with a CKA_ID replaces the first |
//! | `refuse_attribute` | an attribute type that no template may carry |
//! | `lie_on_create` | 1: C_CreateObject says yes and stores nothing |
//! | `unread.C_GetAttributeValue` | the certificate that the N-th call or a later one brings first cannot be read from then on |
//! | `unread.C_CreateObject` | the certificate that the N-th call stores can never be read |
//! | `twice.C_FindObjects` | the N-th call finds its last object twice |
//! | `twice.C_CreateObject` | the N-th call stores the object twice |

#![allow(clippy::unnecessary_cast, reason = "CK_ULONG has 32 bits on Windows")]
#![allow(non_snake_case, reason = "the functions have the names of the standard")]

mod objects;
pub mod rules;

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use cryptoki_sys::*;
use objects::{carried, may_write, number_carried, objects, pair_size, template, value};
use rules::{Counter, Rules};

/// The module behind, and the list of functions that is given out in place of its own.
struct Behind {
    real: CK_FUNCTION_LIST,
    ours: CK_FUNCTION_LIST,
    _library: libloading::Library,
}

// The lists hold pointers to functions, which stay where they are as long as the library does.
unsafe impl Send for Behind {}
unsafe impl Sync for Behind {}

static BEHIND: OnceLock<Option<Behind>> = OnceLock::new();
static CALLS: Mutex<BTreeMap<&'static str, u64>> = Mutex::new(BTreeMap::new());
/// The certificate that cannot be read any more.
static UNREAD: Mutex<Option<CK_OBJECT_HANDLE>> = Mutex::new(None);
/// Slots where the SO is logged in, by session.
static SO_SESSIONS: Mutex<Vec<CK_SESSION_HANDLE>> = Mutex::new(Vec::new());

fn load() -> Option<Behind> {
    let rules = Rules::read()?;
    let path = rules.text("module")?;
    // The module behind is one that a test chose; what it does when it is loaded is the test's business.
    let library = unsafe { libloading::Library::new(path) }.ok()?;
    let mut list: CK_FUNCTION_LIST_PTR = std::ptr::null_mut();
    let real = unsafe {
        let get: libloading::Symbol<'_, unsafe extern "C" fn(CK_FUNCTION_LIST_PTR_PTR) -> CK_RV> =
            library.get(b"C_GetFunctionList").ok()?;
        if get(&mut list) != CKR_OK || list.is_null() {
            return None;
        }
        *list
    };
    let mut ours = real;
    ours.version = CK_VERSION { major: 2, minor: 40 };
    put(&mut ours);
    Some(Behind { real, ours, _library: library })
}

fn behind() -> Option<&'static Behind> {
    BEHIND.get_or_init(load).as_ref()
}

/// What is decided about a call before it reaches the module behind.
struct Call {
    name: &'static str,
    n: u64,
    rules: Rules,
}

fn is_out(rules: &Rules) -> bool {
    rules.is_set("removed") || Counter::named("pulled").get() > 0
}

/// Calls that a missing device answers with CKR_TOKEN_NOT_PRESENT or CKR_DEVICE_REMOVED.
fn gone(name: &str) -> Option<CK_RV> {
    match name {
        "C_Initialize" | "C_Finalize" | "C_GetInfo" | "C_GetSlotList" | "C_CloseSession" => None,
        "C_GetSlotInfo" => None,
        "C_GetTokenInfo" | "C_GetMechanismList" | "C_GetMechanismInfo" | "C_OpenSession" | "C_InitToken" => {
            Some(CKR_TOKEN_NOT_PRESENT)
        }
        _ => Some(CKR_DEVICE_REMOVED),
    }
}

fn begin(name: &'static str) -> Result<Call, CK_RV> {
    let rules = Rules::read().ok_or(CKR_GENERAL_ERROR)?;
    let n = {
        let mut calls = CALLS.lock().unwrap_or_else(PoisonError::into_inner);
        let n = calls.entry(name).or_insert(0);
        *n += 1;
        *n
    };
    if rules.strikes("before", name, n) {
        std::process::abort();
    }
    if rules.strikes("pulled", name, n) {
        Counter::named("pulled").set(1);
    }
    let call = Call { name, n, rules };
    if call.rules.strikes("hang", name, n) {
        loop {
            std::thread::sleep(Duration::from_secs(60));
        }
    }
    if let Some(delay) = call.rules.number(&format!("delay.{name}")) {
        let end = Instant::now() + Duration::from_millis(delay);
        while Instant::now() < end {
            if Rules::read().is_none_or(|rules| is_out(&rules)) {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    let now = Rules::read().ok_or(CKR_GENERAL_ERROR)?;
    if let Some(rv) = gone(name).filter(|_| is_out(&now)) {
        return Err(call.end(rv));
    }
    if let Some(rv) = call.rules.fails(name, call.n) {
        return Err(call.end(rv as CK_RV));
    }
    Ok(call)
}

impl Call {
    /// Notes the call, and lets the process die when it is to die now.
    fn end(&self, rv: CK_RV) -> CK_RV {
        if let Some(log) = self.rules.text("log")
            && let Ok(mut file) = std::fs::OpenOptions::new().create(true).append(true).open(log)
        {
            let _ = file.write_all(format!("{} {rv:#x}\n", self.name).as_bytes());
        }
        if self.rules.strikes("after", self.name, self.n) {
            std::process::abort();
        }
        rv
    }
}

/// A function that only goes through: what the rules say of every call holds, the rest is done behind.
macro_rules! through {
    ($($name:ident ( $($argument:ident : $kind:ty),* );)*) => {
        $(unsafe extern "C" fn $name($($argument: $kind),*) -> CK_RV {
            let call = match begin(stringify!($name)) { Ok(call) => call, Err(rv) => return rv };
            let Some(function) = behind().and_then(|behind| behind.real.$name) else { return CKR_FUNCTION_NOT_SUPPORTED };
            call.end(unsafe { function($($argument),*) })
        })*
    };
}

through! {
    C_Initialize(arguments: CK_VOID_PTR);
    C_Finalize(reserved: CK_VOID_PTR);
    C_GetSlotInfo(slot: CK_SLOT_ID, info: CK_SLOT_INFO_PTR);
    C_GetMechanismList(slot: CK_SLOT_ID, list: CK_MECHANISM_TYPE_PTR, count: CK_ULONG_PTR);
    C_InitToken(slot: CK_SLOT_ID, pin: CK_UTF8CHAR_PTR, length: CK_ULONG, label: CK_UTF8CHAR_PTR);
    C_OpenSession(slot: CK_SLOT_ID, flags: CK_FLAGS, app: CK_VOID_PTR, notify: CK_NOTIFY, session: CK_SESSION_HANDLE_PTR);
    C_CloseSession(session: CK_SESSION_HANDLE);
    C_CloseAllSessions(slot: CK_SLOT_ID);
    C_GetSessionInfo(session: CK_SESSION_HANDLE, info: CK_SESSION_INFO_PTR);
    C_DestroyObject(session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE);
    C_SetAttributeValue(session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE, template: CK_ATTRIBUTE_PTR, count: CK_ULONG);
    C_FindObjectsInit(session: CK_SESSION_HANDLE, template: CK_ATTRIBUTE_PTR, count: CK_ULONG);
    C_FindObjectsFinal(session: CK_SESSION_HANDLE);
    C_SignInit(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, key: CK_OBJECT_HANDLE);
    C_Sign(session: CK_SESSION_HANDLE, data: CK_BYTE_PTR, length: CK_ULONG, signature: CK_BYTE_PTR, signature_length: CK_ULONG_PTR);
}

unsafe extern "C" fn C_GetAttributeValue(
    session: CK_SESSION_HANDLE,
    object: CK_OBJECT_HANDLE,
    attributes: CK_ATTRIBUTE_PTR,
    count: CK_ULONG,
) -> CK_RV {
    let call = match begin("C_GetAttributeValue") {
        Ok(call) => call,
        Err(rv) => return rv,
    };
    let Some(function) = behind().and_then(|behind| behind.real.C_GetAttributeValue) else {
        return CKR_FUNCTION_NOT_SUPPORTED;
    };
    let rv = unsafe { function(session, object, attributes, count) };
    let is_due = call.rules.number("unread.C_GetAttributeValue").is_some_and(|from| call.n >= from);
    if rv == CKR_OK && is_due {
        let given = unsafe { template(attributes, count) };
        let octets = given.iter().find(|attribute| attribute.type_ == CKA_VALUE && !attribute.pValue.is_null());
        let is_certificate = || value(session, object, CKA_CLASS) == CKO_CERTIFICATE.to_ne_bytes();
        if let Some(octets) = octets.filter(|octets| octets.ulValueLen > 0)
            && is_certificate()
            && *UNREAD.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(object) == object
        {
            unsafe { *octets.pValue.cast::<u8>() ^= 1 };
        }
    }
    call.end(rv)
}

unsafe extern "C" fn C_FindObjects(
    session: CK_SESSION_HANDLE,
    found: CK_OBJECT_HANDLE_PTR,
    most: CK_ULONG,
    count: CK_ULONG_PTR,
) -> CK_RV {
    let call = match begin("C_FindObjects") {
        Ok(call) => call,
        Err(rv) => return rv,
    };
    let Some(function) = behind().and_then(|behind| behind.real.C_FindObjects) else {
        return CKR_FUNCTION_NOT_SUPPORTED;
    };
    let rv = unsafe { function(session, found, most, count) };
    if rv == CKR_OK && call.rules.strikes("twice", "C_FindObjects", call.n) {
        let last = unsafe { *count };
        if last > 0 && last < most {
            unsafe {
                *found.add(last as usize) = *found.add(last as usize - 1);
                *count = last + 1;
            }
        }
    }
    call.end(rv)
}

/// Puts a text into one of the blank-padded fields of the standard.
fn fill(field: &mut [CK_UTF8CHAR], text: &str) {
    field.fill(b' ');
    let length = text.len().min(field.len());
    field[..length].copy_from_slice(&text.as_bytes()[..length]);
}

unsafe extern "C" fn C_GetInfo(info: CK_INFO_PTR) -> CK_RV {
    let call = match begin("C_GetInfo") {
        Ok(call) => call,
        Err(rv) => return rv,
    };
    let Some(function) = behind().and_then(|behind| behind.real.C_GetInfo) else { return CKR_FUNCTION_NOT_SUPPORTED };
    let rv = unsafe { function(info) };
    if let (CKR_OK, Some(version)) = (rv, call.rules.text("library_version")) {
        let (major, minor) = version.split_once('.').unwrap_or((version, "0"));
        let version = CK_VERSION { major: major.parse().unwrap_or(0), minor: minor.parse().unwrap_or(0) };
        unsafe { (*info).libraryVersion = version };
    }
    call.end(rv)
}

unsafe extern "C" fn C_GetSlotList(present: CK_BBOOL, list: CK_SLOT_ID_PTR, count: CK_ULONG_PTR) -> CK_RV {
    let call = match begin("C_GetSlotList") {
        Ok(call) => call,
        Err(rv) => return rv,
    };
    if present != CK_FALSE && is_out(&call.rules) {
        unsafe { *count = 0 };
        return call.end(CKR_OK);
    }
    let Some(function) = behind().and_then(|behind| behind.real.C_GetSlotList) else {
        return CKR_FUNCTION_NOT_SUPPORTED;
    };
    call.end(unsafe { function(present, list, count) })
}

unsafe extern "C" fn C_GetTokenInfo(slot: CK_SLOT_ID, info: CK_TOKEN_INFO_PTR) -> CK_RV {
    let call = match begin("C_GetTokenInfo") {
        Ok(call) => call,
        Err(rv) => return rv,
    };
    let Some(function) = behind().and_then(|behind| behind.real.C_GetTokenInfo) else {
        return CKR_FUNCTION_NOT_SUPPORTED;
    };
    let rv = unsafe { function(slot, info) };
    if rv != CKR_OK {
        return call.end(rv);
    }
    let info = unsafe { &mut *info };
    let rules = &call.rules;
    if info.flags & CKF_TOKEN_INITIALIZED != 0 {
        for (rule, field) in [
            ("model", &mut info.model[..]),
            ("manufacturer", &mut info.manufacturerID[..]),
            ("shared_serial", &mut info.serialNumber[..]),
        ] {
            if let Some(text) = rules.text(rule) {
                fill(field, text);
            }
        }
    }
    if let Some(free) = rules.number("free_memory") {
        (info.ulFreePublicMemory, info.ulFreePrivateMemory) = (free as CK_ULONG, free as CK_ULONG);
    }
    if let Some(total) = rules.number("total_memory") {
        (info.ulTotalPublicMemory, info.ulTotalPrivateMemory) = (total as CK_ULONG, total as CK_ULONG);
    }
    if let Some((least, most)) = rules.text("pin_length").and_then(|text| text.split_once('-')) {
        info.ulMinPinLen = least.trim().parse().unwrap_or(0);
        info.ulMaxPinLen = most.trim().parse().unwrap_or(0);
    }
    if rules.text("pinpad").is_some() {
        info.flags |= CKF_PROTECTED_AUTHENTICATION_PATH;
    }
    let sets = [
        ("pin", CKF_USER_PIN_COUNT_LOW, CKF_USER_PIN_FINAL_TRY, CKF_USER_PIN_LOCKED),
        ("puk", CKF_SO_PIN_COUNT_LOW, CKF_SO_PIN_FINAL_TRY, CKF_SO_PIN_LOCKED),
    ];
    for (which, low, last, locked) in sets {
        let Some(tries) = rules.number(&format!("{which}_tries")) else { continue };
        let wrong = counter(which, slot).get();
        info.flags &= !(low | last | locked);
        if wrong >= tries {
            info.flags |= locked;
        } else if wrong + 1 == tries {
            info.flags |= last;
        }
        if wrong > 0 && wrong < tries && !rules.is_set("only_final_flag") {
            info.flags |= low;
        }
    }
    call.end(rv)
}

unsafe extern "C" fn C_GetMechanismInfo(
    slot: CK_SLOT_ID,
    mechanism: CK_MECHANISM_TYPE,
    info: CK_MECHANISM_INFO_PTR,
) -> CK_RV {
    let call = match begin("C_GetMechanismInfo") {
        Ok(call) => call,
        Err(rv) => return rv,
    };
    let Some(function) = behind().and_then(|behind| behind.real.C_GetMechanismInfo) else {
        return CKR_FUNCTION_NOT_SUPPORTED;
    };
    let rv = unsafe { function(slot, mechanism, info) };
    if let (CKR_OK, CKM_RSA_PKCS_KEY_PAIR_GEN, Some(most)) = (rv, mechanism, call.rules.number("max_rsa_bits")) {
        unsafe { (*info).ulMaxKeySize = most as CK_ULONG };
    }
    call.end(rv)
}

/// The wrong tries of one slot; devices in two slots have two counters.
fn counter(which: &str, slot: CK_SLOT_ID) -> Counter {
    Counter::named(&format!("{which}-{slot}"))
}

fn slot_of(session: CK_SESSION_HANDLE) -> CK_SLOT_ID {
    let mut info = CK_SESSION_INFO::default();
    let function = behind().and_then(|behind| behind.real.C_GetSessionInfo);
    match function {
        Some(function) if unsafe { function(session, &mut info) } == CKR_OK => info.slotID,
        _ => 0,
    }
}

/// Spends a try of a counter around the call that checks a PIN.
fn counted(rules: &Rules, which: &str, slot: CK_SLOT_ID, check: impl FnOnce() -> CK_RV) -> CK_RV {
    let Some(tries) = rules.number(&format!("{which}_tries")) else { return check() };
    let wrong = counter(which, slot);
    if wrong.get() >= tries {
        return if rules.is_set("locked_as_incorrect") { CKR_PIN_INCORRECT } else { CKR_PIN_LOCKED };
    }
    let rv = check();
    match rv {
        CKR_OK => wrong.set(0),
        CKR_PIN_INCORRECT | CKR_PIN_LEN_RANGE => {
            wrong.set(wrong.get() + 1);
            return CKR_PIN_INCORRECT;
        }
        _ => {}
    }
    rv
}

unsafe extern "C" fn C_Login(
    session: CK_SESSION_HANDLE,
    user: CK_USER_TYPE,
    pin: CK_UTF8CHAR_PTR,
    length: CK_ULONG,
) -> CK_RV {
    let call = match begin("C_Login") {
        Ok(call) => call,
        Err(rv) => return rv,
    };
    let Some(function) = behind().and_then(|behind| behind.real.C_Login) else { return CKR_FUNCTION_NOT_SUPPORTED };
    let typed = call.rules.text("pinpad").map(str::as_bytes).map(<[u8]>::to_vec);
    let (pin, length) = match (&typed, pin.is_null()) {
        (Some(typed), true) => (typed.as_ptr().cast_mut(), typed.len() as CK_ULONG),
        // The device would have to read the PIN itself.
        (Some(_), false) => return call.end(CKR_ARGUMENTS_BAD),
        (None, _) => (pin, length),
    };
    let which = if user == CKU_SO { "puk" } else { "pin" };
    let rv = counted(&call.rules, which, slot_of(session), || unsafe { function(session, user, pin, length) });
    if rv == CKR_OK && user == CKU_SO {
        SO_SESSIONS.lock().unwrap_or_else(PoisonError::into_inner).push(session);
    }
    call.end(rv)
}

unsafe extern "C" fn C_Logout(session: CK_SESSION_HANDLE) -> CK_RV {
    let call = match begin("C_Logout") {
        Ok(call) => call,
        Err(rv) => return rv,
    };
    SO_SESSIONS.lock().unwrap_or_else(PoisonError::into_inner).clear();
    let Some(function) = behind().and_then(|behind| behind.real.C_Logout) else { return CKR_FUNCTION_NOT_SUPPORTED };
    call.end(unsafe { function(session) })
}

unsafe extern "C" fn C_InitPIN(session: CK_SESSION_HANDLE, pin: CK_UTF8CHAR_PTR, length: CK_ULONG) -> CK_RV {
    let call = match begin("C_InitPIN") {
        Ok(call) => call,
        Err(rv) => return rv,
    };
    let Some(function) = behind().and_then(|behind| behind.real.C_InitPIN) else { return CKR_FUNCTION_NOT_SUPPORTED };
    let rv = unsafe { function(session, pin, length) };
    if rv == CKR_OK && call.rules.text("pin_tries").is_some() {
        counter("pin", slot_of(session)).set(0);
    }
    call.end(rv)
}

unsafe extern "C" fn C_SetPIN(
    session: CK_SESSION_HANDLE,
    old: CK_UTF8CHAR_PTR,
    old_length: CK_ULONG,
    new: CK_UTF8CHAR_PTR,
    new_length: CK_ULONG,
) -> CK_RV {
    let call = match begin("C_SetPIN") {
        Ok(call) => call,
        Err(rv) => return rv,
    };
    let Some(function) = behind().and_then(|behind| behind.real.C_SetPIN) else { return CKR_FUNCTION_NOT_SUPPORTED };
    let is_so = SO_SESSIONS.lock().unwrap_or_else(PoisonError::into_inner).contains(&session);
    let which = if is_so { "puk" } else { "pin" };
    let rv = counted(&call.rules, which, slot_of(session), || unsafe {
        function(session, old, old_length, new, new_length)
    });
    call.end(rv)
}

unsafe extern "C" fn C_CreateObject(
    session: CK_SESSION_HANDLE,
    attributes: CK_ATTRIBUTE_PTR,
    count: CK_ULONG,
    object: CK_OBJECT_HANDLE_PTR,
) -> CK_RV {
    let call = match begin("C_CreateObject") {
        Ok(call) => call,
        Err(rv) => return rv,
    };
    let Some(real) = behind().map(|behind| &behind.real) else { return CKR_GENERAL_ERROR };
    let (Some(create), Some(destroy)) = (real.C_CreateObject, real.C_DestroyObject) else {
        return CKR_FUNCTION_NOT_SUPPORTED;
    };
    let given = unsafe { template(attributes, count) };
    let size = carried(given, CKA_VALUE).map_or(200, |value| value.len() as u64);
    if let Err(rv) = may_write(&call.rules, session, size, &[given]) {
        return call.end(rv);
    }
    if call.rules.is_set("lie_on_create") {
        unsafe { *object = 0xDEAD };
        return call.end(CKR_OK);
    }
    let is_certificate = number_carried(given, CKA_CLASS) == Some(CKO_CERTIFICATE as u64);
    if call.rules.is_set("replace_on_write") && is_certificate {
        let id = carried(given, CKA_ID).unwrap_or_default();
        for other in objects(session, CKO_CERTIFICATE) {
            if value(session, other, CKA_ID) == id {
                unsafe { destroy(session, other) };
            }
        }
    }
    let mut own = given.to_vec();
    let mut octets = carried(given, CKA_VALUE).unwrap_or_default();
    if is_certificate && call.rules.strikes("unread", "C_CreateObject", call.n) && !octets.is_empty() {
        octets[0] ^= 1;
        for attribute in own.iter_mut().filter(|attribute| attribute.type_ == CKA_VALUE) {
            attribute.pValue = octets.as_mut_ptr().cast();
        }
    }
    let rv = unsafe { create(session, own.as_mut_ptr(), count, object) };
    if rv == CKR_OK && call.rules.strikes("twice", "C_CreateObject", call.n) {
        let mut other = 0;
        unsafe { create(session, own.as_mut_ptr(), count, &mut other) };
    }
    call.end(rv)
}

unsafe extern "C" fn C_GenerateKeyPair(
    session: CK_SESSION_HANDLE,
    mechanism: CK_MECHANISM_PTR,
    public: CK_ATTRIBUTE_PTR,
    public_count: CK_ULONG,
    private: CK_ATTRIBUTE_PTR,
    private_count: CK_ULONG,
    public_object: CK_OBJECT_HANDLE_PTR,
    private_object: CK_OBJECT_HANDLE_PTR,
) -> CK_RV {
    let call = match begin("C_GenerateKeyPair") {
        Ok(call) => call,
        Err(rv) => return rv,
    };
    let Some(function) = behind().and_then(|behind| behind.real.C_GenerateKeyPair) else {
        return CKR_FUNCTION_NOT_SUPPORTED;
    };
    let (ours, theirs) = unsafe { (template(public, public_count), template(private, private_count)) };
    let bits = number_carried(ours, CKA_MODULUS_BITS).unwrap_or(0);
    if call.rules.number("max_rsa_bits").is_some_and(|most| bits > most) {
        return call.end(call.rules.number("bits_rv").map_or(CKR_KEY_SIZE_RANGE, |rv| rv as CK_RV));
    }
    if let Err(rv) = may_write(&call.rules, session, pair_size(bits as usize / 8), &[ours, theirs]) {
        return call.end(rv);
    }
    let (mut ours, mut theirs) = (ours.to_vec(), theirs.to_vec());
    let mut id = vec![objects(session, CKO_PRIVATE_KEY).len() as u8 + 1];
    if call.rules.is_set("own_ids") {
        for list in [&mut ours, &mut theirs] {
            list.retain(|attribute| attribute.type_ != CKA_ID && attribute.type_ != CKA_LABEL);
            list.push(CK_ATTRIBUTE { type_: CKA_ID, pValue: id.as_mut_ptr().cast(), ulValueLen: 1 });
        }
    }
    let mut yes: CK_BBOOL = CK_TRUE;
    if call.rules.is_set("always_authenticate") {
        theirs.push(CK_ATTRIBUTE { type_: CKA_ALWAYS_AUTHENTICATE, pValue: (&raw mut yes).cast(), ulValueLen: 1 });
    }
    let mut no: CK_BBOOL = CK_FALSE;
    if call.rules.is_set("session_keys") {
        for attribute in ours.iter_mut().chain(&mut theirs).filter(|attribute| attribute.type_ == CKA_TOKEN) {
            attribute.pValue = (&raw mut no).cast();
        }
    }
    let rv = unsafe {
        function(
            session,
            mechanism,
            ours.as_mut_ptr(),
            ours.len() as CK_ULONG,
            theirs.as_mut_ptr(),
            theirs.len() as CK_ULONG,
            public_object,
            private_object,
        )
    };
    call.end(rv)
}

/// Puts our functions into the list.
fn put(list: &mut CK_FUNCTION_LIST) {
    macro_rules! ours {
        ($($name:ident)*) => { $(list.$name = Some($name);)* };
    }
    ours! {
        C_Initialize C_Finalize C_GetInfo C_GetSlotList C_GetSlotInfo C_GetTokenInfo C_GetMechanismList
        C_GetMechanismInfo C_InitToken C_InitPIN C_SetPIN C_OpenSession C_CloseSession C_CloseAllSessions
        C_GetSessionInfo C_Login C_Logout C_CreateObject C_DestroyObject C_GetAttributeValue C_SetAttributeValue
        C_FindObjectsInit C_FindObjects C_FindObjectsFinal C_SignInit C_Sign C_GenerateKeyPair
    }
    list.C_GetFunctionList = Some(C_GetFunctionList);
}

/// The list of functions (PKCS#11 2.40 section 5.4).
///
/// CKR_GENERAL_ERROR without rules, or when the module behind cannot be loaded.
///
/// # Safety
///
/// `list` must point to a place for the pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn C_GetFunctionList(list: CK_FUNCTION_LIST_PTR_PTR) -> CK_RV {
    let Some(behind) = behind() else { return CKR_GENERAL_ERROR };
    unsafe { *list = (&raw const behind.ours).cast_mut() };
    CKR_OK
}
