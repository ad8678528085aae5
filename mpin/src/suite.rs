//! The three ways of hashing to G1, fixed per master key and never mixed under one.

use std::fmt;
use std::str::FromStr;

/// How `H1` maps an identity, or a day and an identity, to a point of G1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Suite {
    /// RFC 9380 `BLS12381G1_XMD:SHA-256_SSWU_RO_` with domain separation tags of our own.
    #[default]
    Ro,
    /// RFC 9380 `BLS12381G1_XMD:SHA-256_SSWU_NU_`; the client tag is that of MIRACL Core.
    Nu,
    /// `mapit` of Apache Milagro's curve BLS381.
    ///
    /// It has a hole by construction: client share and time permit of crafted inputs coincide, so
    /// that whoever may enrol can make permits. Only for clients that exist already.
    Milagro,
}

impl Suite {
    /// Every suite, in the order of the documentation.
    pub const ALL: [Suite; 3] = [Suite::Ro, Suite::Nu, Suite::Milagro];

    /// `RO`, `NU` or `MILAGRO`: the name in files, on the wire and in proofs.
    pub fn as_str(self) -> &'static str {
        match self {
            Suite::Ro => "RO",
            Suite::Nu => "NU",
            Suite::Milagro => "MILAGRO",
        }
    }
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A name that is none of the suites.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a suite, expected RO, NU or MILAGRO")]
pub struct UnknownSuite(String);

impl FromStr for Suite {
    type Err = UnknownSuite;

    fn from_str(name: &str) -> Result<Self, UnknownSuite> {
        Suite::ALL
            .into_iter()
            .find(|suite| suite.as_str() == name)
            .ok_or_else(|| UnknownSuite(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_suite_reads_back_from_its_own_name() {
        for suite in Suite::ALL {
            assert_eq!(suite.to_string().parse::<Suite>().unwrap(), suite);
        }
    }

    #[test]
    fn a_name_in_lower_case_is_refused() {
        let error = "ro".parse::<Suite>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "\"ro\" is not a suite, expected RO, NU or MILAGRO"
        );
    }
}
