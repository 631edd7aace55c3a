//! The few calls of PKCS#11 2.40 that the `cryptoki` crate does not make: one signature in one call, PINs that are
//! typed on the device, and the start of NSS, which wants parameters of its own. The only unsafe code of this crate.

#![allow(unsafe_code, reason = "the foreign interface of PKCS#11")]

use std::ffi::{CString, c_char, c_void};
use std::path::Path;

use cryptoki::context::Function;
use cryptoki::error::{Error, Rv};
use cryptoki_sys::{
    CK_C_INITIALIZE_ARGS, CK_FLAGS, CK_FUNCTION_LIST, CK_FUNCTION_LIST_PTR, CK_FUNCTION_LIST_PTR_PTR, CK_RV,
    CK_SESSION_HANDLE, CK_ULONG, CKF_OS_LOCKING_OK, CKR_BUFFER_TOO_SMALL, CKR_FUNCTION_NOT_SUPPORTED,
};

/// A signature of RSA-8192 is this long, in octets; nothing here signs with longer keys.
const LONGEST_SIGNATURE: usize = 1024;

/// The functions of a module.
#[derive(Clone)]
pub(crate) struct Raw {
    list: CK_FUNCTION_LIST,
    // The functions are there only as long as the library is.
    _library: std::sync::Arc<libloading::Library>,
}

/// C_Initialize's arguments as NSS reads them: its own field stands before the reserved one.
#[repr(C)]
struct NssArguments {
    plain: [*mut c_void; 4],
    flags: CK_FLAGS,
    parameters: *mut *mut c_char,
    reserved: *mut c_void,
}

fn result(rv: CK_RV, function: Function) -> Result<(), Error> {
    Rv::from(rv).into_result(function)
}

impl Raw {
    /// The functions of a module that is loaded already, or is loaded by this.
    pub(crate) fn of(path: &Path) -> Result<Self, String> {
        // Loading runs the library's own start: it is one that the person, or their system, installed for this.
        let library = unsafe { libloading::Library::new(path) }.map_err(|error| error.to_string())?;
        let mut list: CK_FUNCTION_LIST_PTR = std::ptr::null_mut();
        // The type is the one that the standard gives to this name; the list is copied while the library is there.
        let list = unsafe {
            let get: libloading::Symbol<'_, unsafe extern "C" fn(CK_FUNCTION_LIST_PTR_PTR) -> CK_RV> =
                library.get(b"C_GetFunctionList").map_err(|error| error.to_string())?;
            result(get(&mut list), Function::GetFunctionList).map_err(|error| error.to_string())?;
            if list.is_null() {
                return Err("C_GetFunctionList gave nothing".to_owned());
            }
            *list
        };
        Ok(Self { list, _library: std::sync::Arc::new(library) })
    }

    /// C_Initialize with the parameters that NSS wants (`configdir='sql:PATH' ...`).
    pub(crate) fn initialize_nss(&self, parameters: &str) -> Result<(), Error> {
        let unsupported = || Rv::from(CKR_FUNCTION_NOT_SUPPORTED).into_result(Function::Initialize);
        let (Some(initialize), Ok(text)) = (self.list.C_Initialize, CString::new(parameters)) else {
            return unsupported();
        };
        // NSS keeps no pointer to the text, but reads it as one that it might change.
        let mut text = text.into_bytes_with_nul();
        let mut arguments = NssArguments {
            plain: [std::ptr::null_mut(); 4],
            flags: CKF_OS_LOCKING_OK,
            parameters: text.as_mut_ptr().cast(),
            reserved: std::ptr::null_mut(),
        };
        debug_assert!(size_of::<NssArguments>() > size_of::<CK_C_INITIALIZE_ARGS>());
        // Text and arguments live until the call is over.
        result(unsafe { initialize((&raw mut arguments).cast()) }, Function::Initialize)
    }

    /// C_Sign after C_SignInit, in one call: asking for the length first is a call more, and costs some devices the
    /// login that was meant for this signature.
    pub(crate) fn sign(&self, session: CK_SESSION_HANDLE, data: &[u8]) -> Result<Vec<u8>, Error> {
        let Some(sign) = self.list.C_Sign else {
            return result(CKR_FUNCTION_NOT_SUPPORTED, Function::Sign).map(|()| Vec::new());
        };
        let mut signature = vec![0u8; LONGEST_SIGNATURE];
        let mut length = signature.len() as CK_ULONG;
        // The module reads `data` and writes at most `length` octets; both outlive the call.
        let rv = unsafe {
            sign(session, data.as_ptr().cast_mut(), data.len() as CK_ULONG, signature.as_mut_ptr(), &mut length)
        };
        debug_assert_ne!(rv, CKR_BUFFER_TOO_SMALL);
        result(rv, Function::Sign)?;
        signature.truncate(usize::try_from(length).unwrap_or(0));
        Ok(signature)
    }

    /// C_SetPIN where both PINs are typed on the device.
    pub(crate) fn set_pin_on_pad(&self, session: CK_SESSION_HANDLE) -> Result<(), Error> {
        let none = std::ptr::null_mut();
        let rv = match self.list.C_SetPIN {
            // NULL for both says that the device asks (PKCS#11 2.40 section 5.6).
            Some(set) => unsafe { set(session, none, 0, none, 0) },
            None => CKR_FUNCTION_NOT_SUPPORTED,
        };
        result(rv, Function::SetPIN)
    }

    /// C_InitPIN where the new PIN is typed on the device.
    pub(crate) fn init_pin_on_pad(&self, session: CK_SESSION_HANDLE) -> Result<(), Error> {
        let rv = match self.list.C_InitPIN {
            // As above.
            Some(init) => unsafe { init(session, std::ptr::null_mut(), 0) },
            None => CKR_FUNCTION_NOT_SUPPORTED,
        };
        result(rv, Function::InitPIN)
    }
}
