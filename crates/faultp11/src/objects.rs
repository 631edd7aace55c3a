//! Objects of the module behind: finding them, what they take, and whether the rules let one be written.

use std::sync::PoisonError;

use cryptoki_sys::*;

use crate::rules::Rules;
use crate::{SO_SESSIONS, behind};

/// Handles of all objects of a class.
pub(crate) fn objects(session: CK_SESSION_HANDLE, class: CK_OBJECT_CLASS) -> Vec<CK_OBJECT_HANDLE> {
    let Some(real) = behind().map(|behind| &behind.real) else { return Vec::new() };
    let (Some(init), Some(find), Some(end)) = (real.C_FindObjectsInit, real.C_FindObjects, real.C_FindObjectsFinal)
    else {
        return Vec::new();
    };
    let mut class = class;
    let mut template = [CK_ATTRIBUTE {
        type_: CKA_CLASS,
        pValue: (&raw mut class).cast(),
        ulValueLen: size_of::<CK_OBJECT_CLASS>() as CK_ULONG,
    }];
    let mut found = vec![0; 512];
    let mut count = 0;
    unsafe {
        if init(session, template.as_mut_ptr(), 1) != CKR_OK {
            return Vec::new();
        }
        find(session, found.as_mut_ptr(), found.len() as CK_ULONG, &mut count);
        end(session);
    }
    found.truncate(count as usize);
    found
}

/// One attribute of an object.
pub(crate) fn value(session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE, kind: CK_ATTRIBUTE_TYPE) -> Vec<u8> {
    let Some(get) = behind().and_then(|behind| behind.real.C_GetAttributeValue) else { return Vec::new() };
    let mut template = CK_ATTRIBUTE { type_: kind, pValue: std::ptr::null_mut(), ulValueLen: 0 };
    unsafe {
        if get(session, object, &mut template, 1) != CKR_OK || template.ulValueLen == CK_UNAVAILABLE_INFORMATION {
            return Vec::new();
        }
        let mut bytes = vec![0u8; template.ulValueLen as usize];
        template.pValue = bytes.as_mut_ptr().cast();
        if get(session, object, &mut template, 1) == CKR_OK { bytes } else { Vec::new() }
    }
}

/// What a pair of keys of this kind takes on a card, in octets: five halves of the modulus, or three coordinates.
pub(crate) fn pair_size(modulus: usize) -> u64 {
    if modulus > 0 { modulus as u64 * 7 / 2 } else { 200 }
}

/// Octets that certificates and keys take now.
pub(crate) fn taken(session: CK_SESSION_HANDLE) -> u64 {
    let certificates: u64 =
        objects(session, CKO_CERTIFICATE).iter().map(|object| value(session, *object, CKA_VALUE).len() as u64).sum();
    let keys: u64 = objects(session, CKO_PRIVATE_KEY)
        .iter()
        .map(|object| pair_size(value(session, *object, CKA_MODULUS).len()))
        .sum();
    // Objects of data, which reserve room.
    let data: u64 =
        objects(session, CKO_DATA).iter().map(|object| value(session, *object, CKA_VALUE).len() as u64).sum();
    certificates + keys + data
}

/// A template as the caller gave it.
///
/// # Safety
///
/// The pointer and the count must be those of the call.
pub(crate) unsafe fn template<'a>(pointer: CK_ATTRIBUTE_PTR, count: CK_ULONG) -> &'a [CK_ATTRIBUTE] {
    if pointer.is_null() { &[] } else { unsafe { std::slice::from_raw_parts(pointer, count as usize) } }
}

pub(crate) fn carried(template: &[CK_ATTRIBUTE], kind: CK_ATTRIBUTE_TYPE) -> Option<Vec<u8>> {
    let attribute = template.iter().find(|attribute| attribute.type_ == kind)?;
    // The caller promises that the value is there as long as the call lasts.
    let bytes = unsafe { std::slice::from_raw_parts(attribute.pValue.cast::<u8>(), attribute.ulValueLen as usize) };
    Some(bytes.to_vec())
}

pub(crate) fn number_carried(template: &[CK_ATTRIBUTE], kind: CK_ATTRIBUTE_TYPE) -> Option<u64> {
    let bytes = carried(template, kind)?;
    let mut whole = [0; size_of::<CK_ULONG>()];
    whole.get_mut(..bytes.len())?.copy_from_slice(&bytes);
    Some(CK_ULONG::from_ne_bytes(whole) as u64)
}

/// Whether the rules let something be written; the code when they do not.
pub(crate) fn may_write(
    rules: &Rules,
    session: CK_SESSION_HANDLE,
    size: u64,
    templates: &[&[CK_ATTRIBUTE]],
) -> Result<(), CK_RV> {
    let is_so = !SO_SESSIONS.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
    if rules.is_set("keygen_needs_so") && !is_so {
        return Err(CKR_USER_NOT_LOGGED_IN);
    }
    if let Some(refused) = rules.number("refuse_attribute")
        && templates.iter().any(|template| template.iter().any(|attribute| attribute.type_ as u64 == refused))
    {
        return Err(CKR_ATTRIBUTE_TYPE_INVALID);
    }
    match rules.number("capacity") {
        Some(capacity) if taken(session) + size > capacity => {
            Err(rules.number("full_rv").map_or(CKR_DEVICE_MEMORY, |rv| rv as CK_RV))
        }
        _ => Ok(()),
    }
}
