//! `C_GetTokenInfo` without the binding: cryptoki 0.12 refuses a token that claims a clock and leaves
//! its time blank, and with it the label by which it is selected.
//!
//! The one place of this room with `unsafe` code: a function of the vendor's library is called
//! through the table the library itself hands out.
#![allow(unsafe_code)]

use std::path::Path;

use cryptoki_sys::{
    CK_FUNCTION_LIST, CK_RV, CK_SLOT_ID, CK_TOKEN_INFO, CKF_TOKEN_INITIALIZED,
    CKF_USER_PIN_COUNT_LOW, CKF_USER_PIN_FINAL_TRY, CKF_USER_PIN_LOCKED,
    CKR_FUNCTION_NOT_SUPPORTED, CKR_OK,
};

use crate::types::{PinState, TokenId};

/// A second handle on the loaded library: the loader counts them, the code is there once.
pub(super) struct RawLibrary {
    /// Points into the library, which `_library` keeps loaded.
    functions: *mut CK_FUNCTION_LIST,
    _library: cryptoki_sys::Pkcs11,
}

// SAFETY: the table behind `functions` is written by the library before it hands the pointer out and
// never again; it is only read here, and lives as long as `_library`.
unsafe impl Send for RawLibrary {}

impl RawLibrary {
    /// Opens the library again and asks for its function table.
    pub(super) fn load(path: &Path) -> Result<Self, String> {
        // SAFETY: the same library has just been loaded by cryptoki, so no initialiser runs that has
        // not run yet; the operator vouches for the library as such.
        let library = unsafe { cryptoki_sys::Pkcs11::new(path) }.map_err(|e| e.to_string())?;
        let get = library
            .C_GetFunctionList
            .as_ref()
            .map_err(|e| e.to_string())?;
        let mut functions = std::ptr::null_mut();
        // SAFETY: the symbol has this signature in every version of PKCS#11; `functions` is a valid
        // place for the pointer it writes.
        let code = unsafe { get(&raw mut functions) };
        if code != CKR_OK || functions.is_null() {
            return Err(format!("C_GetFunctionList returned code {code:#x}"));
        }
        Ok(Self {
            functions,
            _library: library,
        })
    }

    /// The token in a slot, or the return code.
    pub(super) fn token_facts(&self, slot: u64) -> Result<TokenFacts, CK_RV> {
        // SAFETY: `functions` is not null (checked in `load`) and valid while `_library` is loaded.
        let get = unsafe { (*self.functions).C_GetTokenInfo }.ok_or(CKR_FUNCTION_NOT_SUPPORTED)?;
        let slot = CK_SLOT_ID::try_from(slot).map_err(|_| cryptoki_sys::CKR_SLOT_ID_INVALID)?;
        let mut info = CK_TOKEN_INFO::default();
        // SAFETY: `info` is a valid CK_TOKEN_INFO for the library to fill in; it keeps no reference.
        match unsafe { get(slot, &raw mut info) } {
            CKR_OK => Ok(TokenFacts(info)),
            code => Err(code),
        }
    }
}

/// `CK_TOKEN_INFO`; the time in it is never looked at.
pub(super) struct TokenFacts(CK_TOKEN_INFO);

impl TokenFacts {
    pub(super) fn id(&self) -> TokenId {
        TokenId {
            label: text(&self.0.label),
            serial: text(&self.0.serialNumber),
        }
    }

    pub(super) fn manufacturer(&self) -> String {
        text(&self.0.manufacturerID)
    }

    pub(super) fn model(&self) -> String {
        text(&self.0.model)
    }

    pub(super) fn firmware(&self) -> String {
        let version = self.0.firmwareVersion;
        format!("{}.{}", version.major, version.minor)
    }

    pub(super) fn is_initialised(&self) -> bool {
        self.has(CKF_TOKEN_INITIALIZED)
    }

    pub(super) fn pin_state(&self) -> PinState {
        if self.has(CKF_USER_PIN_LOCKED) {
            PinState::Locked
        } else if self.has(CKF_USER_PIN_FINAL_TRY) {
            PinState::FinalTry
        } else if self.has(CKF_USER_PIN_COUNT_LOW) {
            PinState::CountLow
        } else {
            PinState::Normal
        }
    }

    fn has(&self, flag: cryptoki_sys::CK_FLAGS) -> bool {
        self.0.flags & flag != 0
    }
}

/// Fixed-width text is padded with blanks; some tokens pad with zero bytes.
fn text(padded: &[u8]) -> String {
    String::from_utf8_lossy(padded)
        .trim_end_matches([' ', '\0'])
        .to_owned()
}

#[cfg(test)]
mod tests {
    use cryptoki_sys::CKF_CLOCK_ON_TOKEN;

    use super::*;

    fn facts(flags: cryptoki_sys::CK_FLAGS) -> TokenFacts {
        let mut info = CK_TOKEN_INFO {
            flags,
            ..Default::default()
        };
        info.label = [b' '; 32];
        info.label[..4].copy_from_slice(b"acme");
        info.serialNumber[..2].copy_from_slice(b"42");
        info.utcTime = [b' '; 16];
        TokenFacts(info)
    }

    #[test]
    fn a_token_with_a_clock_and_a_blank_time_is_read() {
        let id = facts(CKF_CLOCK_ON_TOKEN | CKF_TOKEN_INITIALIZED).id();
        assert_eq!(id.to_string(), "\"acme\" (serial 42)");
    }

    #[test]
    fn the_worst_pin_flag_counts() {
        let all = CKF_USER_PIN_LOCKED | CKF_USER_PIN_FINAL_TRY | CKF_USER_PIN_COUNT_LOW;
        assert_eq!(facts(all).pin_state(), PinState::Locked);
        assert_eq!(
            facts(all & !CKF_USER_PIN_LOCKED).pin_state(),
            PinState::FinalTry
        );
        assert_eq!(
            facts(CKF_USER_PIN_COUNT_LOW).pin_state(),
            PinState::CountLow
        );
        assert_eq!(facts(0).pin_state(), PinState::Normal);
    }
}
