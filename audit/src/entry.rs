//! One entry: an event with its version, index and time, as canonical JSON.

use serde_json::{Map, Value};

use crate::canonical::{self, NotCanonical};
use crate::{BurntNonce, Event, Timestamp};

/// The longest entry, in bytes: tiles store the length in 16 bits.
pub const MAX_ENTRY_BYTES: usize = 65_535;

/// The version of the entry schema, field `v`.
const VERSION: u64 = 1;

/// An entry as it stands in the journal, its framing and canonical form checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Its position in the log, from 0.
    pub index: u64,
    /// Where its record starts in the journal, in bytes.
    pub offset: u64,
    /// When it was written.
    pub time: Timestamp,
    /// The event's name.
    pub event: &'a str,
    /// The entry's bytes: the leaf of the tree.
    pub bytes: &'a [u8],
    pub(crate) envelope: Envelope<'a>,
}

impl Entry<'_> {
    /// Whether bytes have the form of an entry: canonical JSON with version, index, time and event.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn check(bytes: &[u8]) -> Result<(), EntryFault> {
        decode(bytes).map(|_| ())
    }

    /// The registry's generation, on entries that have one.
    pub fn generation(&self) -> Option<u64> {
        self.envelope.generation?.parse().ok()
    }

    /// The nonce that the entry's request burnt, on entries of signed requests.
    pub fn nonce(&self) -> Option<BurntNonce> {
        let text = |field: Option<&str>| serde_json::from_str(field?).ok();
        Some(BurntNonce {
            keyid: text(self.envelope.keyid)?,
            nonce: text(self.envelope.nonce)?,
            expires: self.envelope.expires?.parse().ok()?,
        })
    }

    /// The entry as a typed event, with `v`, `index` and `time` left out.
    ///
    /// # Errors
    /// When a newer version wrote an event that this one does not know.
    pub fn event(&self) -> Result<Event, serde_json::Error> {
        let mut fields = self.fields();
        for own in ["v", "index", "time"] {
            fields.remove(own);
        }
        serde_json::from_value(Value::Object(fields))
    }

    /// The entry as a JSON object, for showing it.
    pub fn fields(&self) -> Map<String, Value> {
        serde_json::from_slice(self.bytes).expect("the checker accepts nothing but JSON objects")
    }
}

/// An entry cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EncodeError {
    TooLong(usize),
    NotRepresentable,
}

/// The bytes of an entry.
pub(crate) fn encode(event: &Event, index: u64, time: Timestamp) -> Result<Vec<u8>, EncodeError> {
    let Ok(Value::Object(mut fields)) = serde_json::to_value(event) else {
        return Err(EncodeError::NotRepresentable);
    };
    let own = [
        ("v", VERSION.into()),
        ("index", index.into()),
        ("time", time.to_string().into()),
    ];
    for (name, value) in own {
        // An event whose own field would be overwritten must not be written half.
        if fields.insert(name.to_owned(), value).is_some() {
            return Err(EncodeError::NotRepresentable);
        }
    }
    let bytes = canonical::write(&fields).map_err(|_| EncodeError::NotRepresentable)?;
    match bytes.len() {
        0..=MAX_ENTRY_BYTES => Ok(bytes),
        length => Err(EncodeError::TooLong(length)),
    }
}

/// The fields that every entry has.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Head<'a> {
    pub(crate) index: u64,
    pub(crate) time: Timestamp,
    pub(crate) event: &'a str,
    pub(crate) envelope: Envelope<'a>,
}

/// Checks the form of an entry's bytes and reads the fields that every entry has.
pub(crate) fn decode(bytes: &[u8]) -> Result<Head<'_>, EntryFault> {
    let envelope = canonical::check(bytes)?;
    if envelope.version != Some("1") {
        return Err(EntryFault::Version);
    }
    let index = envelope
        .index
        .and_then(|text| text.parse().ok())
        .ok_or(EntryFault::Index)?;
    let time = quoted(envelope.time)
        .and_then(|text| text.parse().ok())
        .ok_or(EntryFault::Time)?;
    let event = quoted(envelope.event)
        .filter(|name| {
            !name.is_empty()
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'-')
        })
        .ok_or(EntryFault::Event)?;
    Ok(Head {
        index,
        time,
        event,
        envelope,
    })
}

fn quoted(text: Option<&str>) -> Option<&str> {
    text?.strip_prefix('"')?.strip_suffix('"')
}

/// The bytes of an entry are not what this version writes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryFault {
    /// Not canonical JSON.
    #[error(transparent)]
    NotCanonical(#[from] NotCanonical),
    /// `v` is missing or not 1.
    #[error("its version is not 1")]
    Version,
    /// `index` is missing or not a number.
    #[error("it has no index")]
    Index,
    /// `time` is missing or not a timestamp.
    #[error("it has no time such as 2026-11-20T18:48:00.123Z")]
    Time,
    /// `event` is missing or not a name.
    #[error("it has no event name")]
    Event,
}

/// The raw JSON text of the top-level fields that the log itself reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Envelope<'a> {
    version: Option<&'a str>,
    index: Option<&'a str>,
    time: Option<&'a str>,
    event: Option<&'a str>,
    generation: Option<&'a str>,
    keyid: Option<&'a str>,
    nonce: Option<&'a str>,
    expires: Option<&'a str>,
}

impl<'a> Envelope<'a> {
    pub(crate) fn set(&mut self, key: &str, value: &'a str) {
        let field = match key {
            "v" => &mut self.version,
            "index" => &mut self.index,
            "time" => &mut self.time,
            "event" => &mut self.event,
            "generation" => &mut self.generation,
            "keyid" => &mut self.keyid,
            "nonce" => &mut self.nonce,
            "expires" => &mut self.expires,
            _ => return,
        };
        *field = Some(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_without_its_own_fields_is_refused() {
        let good = br#"{"event":"stop","index":0,"time":"2026-11-20T18:48:00.123Z","v":1}"#;
        assert_eq!(Entry::check(good), Ok(()));
        let said = |text: &str| Entry::check(text.as_bytes()).map_err(|fault| fault.to_string());
        let cases = [
            (
                r#"{"event":"stop","index":0,"time":"2026-11-20T18:48:00.123Z","v":2}"#,
                "its version is not 1",
            ),
            (
                r#"{"event":"stop","time":"2026-11-20T18:48:00.123Z","v":1}"#,
                "it has no index",
            ),
            (
                r#"{"event":"stop","index":-1,"time":"2026-11-20T18:48:00.123Z","v":1}"#,
                "it has no index",
            ),
            (
                r#"{"event":"stop","index":0,"time":"2026-11-20","v":1}"#,
                "it has no time such as 2026-11-20T18:48:00.123Z",
            ),
            (
                r#"{"event":"Stop","index":0,"time":"2026-11-20T18:48:00.123Z","v":1}"#,
                "it has no event name",
            ),
            (
                "{} ",
                "not canonical JSON at its byte 2: something follows the object",
            ),
        ];
        for (text, message) in cases {
            assert_eq!(said(text), Err(message.to_owned()), "{text}");
        }
    }
}
