//! Reads a role's TOML file: one file per role, unknown keys refused with the nearest known name.
//!
//! The known names are the fields of the role's own struct, asked of serde itself, so that no second
//! list can drift away from the code. Secrets never stand in a configuration file; only paths do.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::value::Error as NoValue;
use serde::de::{DeserializeOwned, Deserializer, Error as _, Visitor};
use thiserror::Error;

use crate::term::{CliError, Exit};

/// Reads and parses `path` as the configuration of a role.
pub(crate) fn load<T: DeserializeOwned>(path: &Path) -> Result<T, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
        path: path.to_owned(),
        source,
    })?;
    parse(&text, path)
}

/// `host[:port]` as customers write it in their URL and sign it in `@authority`: lower case, and no port
/// if it is 443. Spelled otherwise it would fit no signature.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct PublicAuthority(String);

impl PublicAuthority {
    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for PublicAuthority {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let expected = "expected HOST or HOST:PORT";
        let endpoint = client::Endpoint::parse(&format!("https://{text}"));
        match endpoint.map(|endpoint| endpoint.public_authority) {
            Ok(canonical) if canonical == text => Ok(Self(text)),
            Ok(canonical) => Err(format!("{expected} as customers sign it: {canonical}")),
            Err(_) => Err(format!("{expected}, got {text:?}")),
        }
    }
}

/// Why a configuration file is refused.
#[derive(Debug, Error)]
pub(crate) enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {}", path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    /// A key that no such role has.
    #[error("unknown key `{key}` in {}", path.display())]
    UnknownKey {
        path: PathBuf,
        key: String,
        nearest: Option<&'static str>,
        known: String,
    },
    /// Not TOML, a key missing, or a value of the wrong type.
    #[error("{} is not a valid configuration: {message}", path.display())]
    Invalid { path: PathBuf, message: String },
}

impl ConfigError {
    /// What a person can do about it.
    pub(crate) fn remedy(&self) -> String {
        match self {
            Self::Read { .. } => {
                "name the file with --config, and check that this user may read it".to_owned()
            }
            Self::UnknownKey {
                nearest: Some(nearest),
                ..
            } => {
                format!("did you mean `{nearest}`?")
            }
            Self::UnknownKey { known, .. } => format!("the known keys are: {known}"),
            Self::Invalid { .. } => {
                "correct the line; the samples in docs/samples document every key".to_owned()
            }
        }
    }
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        let remedy = error.remedy();
        Self::new(Exit::Usage, error).with_remedy(Some(remedy))
    }
}

fn parse<T: DeserializeOwned>(text: &str, path: &Path) -> Result<T, ConfigError> {
    let invalid = |error: toml::de::Error| ConfigError::Invalid {
        path: path.to_owned(),
        message: error.to_string().trim_end().to_owned(),
    };
    let table: toml::Table = toml::from_str(text).map_err(invalid)?;
    let known = field_names::<T>();
    if let Some(key) = table.keys().find(|key| !known.contains(&key.as_str())) {
        return Err(ConfigError::UnknownKey {
            path: path.to_owned(),
            key: key.clone(),
            nearest: nearest(key, known),
            known: known.join(", "),
        });
    }
    toml::from_str(text).map_err(invalid)
}

/// The names of the fields of `T`, as its derived `Deserialize` announces them.
fn field_names<T: DeserializeOwned>() -> &'static [&'static str] {
    let mut names: &'static [&'static str] = &[];
    // The value is refused on purpose: only the announcement is wanted.
    let _ = T::deserialize(FieldNames(&mut names));
    names
}

struct FieldNames<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for FieldNames<'_> {
    type Error = NoValue;

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, NoValue> {
        Err(NoValue::custom("only field names are asked for"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, NoValue> {
        *self.0 = fields;
        Err(NoValue::custom("only field names are asked for"))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// The known name that a mistyped one most likely meant, if any is near enough.
fn nearest(typed: &str, known: &[&'static str]) -> Option<&'static str> {
    let near = known
        .iter()
        .map(|name| (edit_distance(typed, name), *name))
        .min()?;
    (near.0 <= typed.len().max(near.1.len()) / 2).then_some(near.1)
}

/// Levenshtein's distance over bytes; configuration keys are ASCII.
fn edit_distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.bytes().enumerate() {
            let substituted = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        state_dir: PathBuf,
        #[serde(default)]
        session_minutes: u32,
    }

    fn read(text: &str) -> Result<Sample, ConfigError> {
        parse(text, Path::new("sample.toml"))
    }

    /// Every key of `T` stands in the sample, and the sample is a configuration as it is, also with
    /// the keys that it comments out because they are defaults.
    #[track_caller]
    fn documents<T: DeserializeOwned>(sample: &str) {
        parse::<T>(sample, Path::new("sample.toml")).unwrap();
        for name in field_names::<T>() {
            let stands = |line: &str| {
                line.trim_start_matches("# ")
                    .starts_with(&format!("{name} = "))
            };
            assert!(sample.lines().any(stands), "{name}");
        }
        let is_default = |line: &&str| line.starts_with("# ") && line.contains(" = ");
        let defaults = sample.lines().filter(is_default).map(|line| &line[2..]);
        let all = defaults.fold(sample.to_owned(), |text, line| format!("{text}\n{line}"));
        parse::<T>(&all, Path::new("sample.toml")).unwrap();
    }

    #[test]
    fn the_samples_document_every_key_and_can_be_used() {
        documents::<crate::authority::Config>(include_str!("../../docs/samples/authority.toml"));
        documents::<crate::proxy::Config>(include_str!("../../docs/samples/proxy.toml"));
    }

    #[test]
    fn known_keys_are_read_and_optional_ones_may_be_absent() {
        let sample = read("state_dir = \"/var/lib/dta\"").unwrap();
        assert_eq!(sample.state_dir, PathBuf::from("/var/lib/dta"));
        assert_eq!(sample.session_minutes, 0);
    }

    #[test]
    fn a_public_authority_has_the_one_spelling_that_customers_sign() {
        let read = |text: &str| PublicAuthority::try_from(text.to_owned());
        for good in [
            "dta.example",
            "dta.example:8443",
            "[::1]:8443",
            "127.0.0.1:1",
        ] {
            assert_eq!(read(good).unwrap().as_str(), good);
        }
        let expected = "expected HOST or HOST:PORT as customers sign it: dta.example";
        for other in ["DTA.example", "dta.example:443"] {
            assert_eq!(read(other).unwrap_err(), expected);
        }
        for bad in [
            "",
            "https://dta.example",
            "dta.example/v1",
            "dta.example:port",
            "a b",
        ] {
            let error = read(bad).unwrap_err();
            assert!(
                error.starts_with("expected HOST or HOST:PORT, got "),
                "{bad}: {error}"
            );
        }
    }

    #[test]
    fn a_mistyped_key_is_refused_and_the_nearest_name_is_offered() {
        let error = read("state_dri = \"/var/lib/dta\"").unwrap_err();
        assert_eq!(error.to_string(), "unknown key `state_dri` in sample.toml");
        assert_eq!(error.remedy(), "did you mean `state_dir`?");
    }

    #[test]
    fn a_key_like_no_other_is_refused_with_the_list() {
        let error = read("zzz = 1").unwrap_err();
        assert_eq!(
            error.remedy(),
            "the known keys are: state_dir, session_minutes"
        );
    }

    #[test]
    fn a_missing_key_and_a_wrong_type_are_named() {
        let error = read("session_minutes = 3").unwrap_err();
        assert!(
            error.to_string().contains("missing field `state_dir`"),
            "{error}"
        );
        let error = read("state_dir = 7").unwrap_err();
        assert!(error.to_string().contains("state_dir = 7"), "{error}");
    }
}
