//! What a PKCS#11 return code means here: a cause to tell, or a session that may be lost.

use cryptoki::context::Function;
use cryptoki::error::{Error, RvError};

use crate::error::HsmError;
use crate::types::TokenId;

/// Why an operation on the token failed.
#[derive(Debug)]
pub(super) enum Fault {
    /// The cause is known; the session is fine.
    Told(HsmError),
    /// Token, session or handle may be gone: whoever holds the session throws it away.
    Lost {
        /// The call and its code: `C_EncryptInit returned CKR_OBJECT_HANDLE_INVALID`.
        problem: String,
    },
}

impl Fault {
    /// The error to report about the token that was last seen.
    pub(super) fn into_error(self, token: Option<&TokenId>) -> HsmError {
        match (self, token) {
            (Self::Told(error), _) => error,
            (Self::Lost { problem }, Some(token)) => HsmError::TokenRemoved {
                token: token.clone(),
                problem,
            },
            (Self::Lost { problem }, None) => {
                let (call, code) = problem.split_once(" returned ").unwrap_or((&problem, "?"));
                HsmError::Pkcs11 {
                    call: call.to_owned(),
                    code: code.to_owned(),
                }
            }
        }
    }
}

impl From<HsmError> for Fault {
    fn from(error: HsmError) -> Self {
        Self::Told(error)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match error {
            Error::Pkcs11(code, call) if may_be_lost(code) => Self::Lost {
                problem: format!("{} returned {}", call_name(call), code_name(code)),
            },
            other => Self::Told(to_error(&other)),
        }
    }
}

/// The error for a code that says nothing about the session.
pub(super) fn to_error(error: &Error) -> HsmError {
    match error {
        Error::Pkcs11(code, call) => HsmError::Pkcs11 {
            call: call_name(*call),
            code: code_name(*code),
        },
        other => HsmError::Pkcs11 {
            call: "the PKCS#11 binding".to_owned(),
            code: other.to_string(),
        },
    }
}

/// Whether the token refuses the mechanism, its parameters or the curve.
pub(super) fn is_unsupported(error: &Error) -> bool {
    use RvError as R;
    let Error::Pkcs11(code, _) = error else {
        return false;
    };
    matches!(
        code,
        R::MechanismInvalid
            | R::MechanismParamInvalid
            | R::CurveNotSupported
            | R::DomainParamsInvalid
            | R::FunctionNotSupported
            | R::AttributeValueInvalid
            | R::TemplateInconsistent
    )
}

/// SoftHSM2 says `CKR_OBJECT_HANDLE_INVALID` and `CKR_GENERAL_ERROR` when its token is gone, hardware
/// says anything in this list.
fn may_be_lost(code: RvError) -> bool {
    use RvError as R;
    matches!(
        code,
        R::CryptokiNotInitialized
            | R::DeviceError
            | R::DeviceMemory
            | R::DeviceRemoved
            | R::FunctionFailed
            | R::GeneralError
            | R::HostMemory
            | R::KeyHandleInvalid
            | R::ObjectHandleInvalid
            | R::OperationActive
            | R::OperationNotInitialized
            | R::SessionClosed
            | R::SessionCount
            | R::SessionHandleInvalid
            | R::SlotIdInvalid
            | R::TokenNotPresent
            | R::TokenNotRecognized
            | R::UserNotLoggedIn
            | R::UnknownErrorCode(_)
            | R::VendorDefined(_)
    )
}

fn call_name(call: Function) -> String {
    format!("C_{call:?}")
}

/// The name in the standard and in vendors' manuals: `CKR_PIN_INCORRECT` for `PinIncorrect`.
fn code_name(code: RvError) -> String {
    match code {
        RvError::VendorDefined(number) => format!("vendor code {number:#x}"),
        RvError::UnknownErrorCode(number) => format!("code {number:#x}"),
        known => {
            let mut name = "CKR".to_owned();
            for letter in format!("{known:?}").chars() {
                if letter.is_ascii_uppercase() {
                    name.push('_');
                }
                name.push(letter.to_ascii_uppercase());
            }
            name
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_calls_have_the_names_of_the_standard() {
        let error = Error::Pkcs11(RvError::TemplateInconsistent, Function::GenerateKey);
        let told = to_error(&error).to_string();
        assert_eq!(
            told,
            "the token failed: C_GenerateKey returned CKR_TEMPLATE_INCONSISTENT"
        );
        assert_eq!(
            code_name(RvError::VendorDefined(0x8000_0001)),
            "vendor code 0x80000001"
        );
    }

    #[test]
    fn a_lost_handle_is_reported_as_a_removed_token() {
        let error = Error::Pkcs11(RvError::ObjectHandleInvalid, Function::EncryptInit);
        let token = TokenId {
            label: "acme".to_owned(),
            serial: "7".to_owned(),
        };
        let told = Fault::from(error).into_error(Some(&token)).to_string();
        assert_eq!(
            told,
            "the token \"acme\" (serial 7) was removed or does not answer \
             (C_EncryptInit returned CKR_OBJECT_HANDLE_INVALID)"
        );
    }
}
