//! Canonical JSON: the subset of RFC 8785 (JCS) that entries use, written and checked.
//!
//! Objects with ascending printable ASCII keys, arrays, strings, booleans and integers below 2^53 in
//! magnitude; no spaces, no fractions, no null. The checker reads the bytes once and allocates
//! nothing, so that verification costs little beside hashing.

use serde_json::{Map, Value};

use crate::entry::Envelope;

/// Integers up to here survive every JSON reader (RFC 8785 section 3.2.2.3).
const MAX_INTEGER: u64 = (1 << 53) - 1;

/// Objects and arrays inside one another, at most.
const MAX_DEPTH: u8 = 8;

/// A value that canonical JSON as used here cannot hold: a fraction, null, an integer from 2^53 or a
/// key that is not printable ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotRepresentable;

/// Bytes that are not canonical JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not canonical JSON at its byte {at}: {what}")]
pub struct NotCanonical {
    /// The position inside the entry.
    pub at: usize,
    /// What was wrong or expected there.
    pub what: &'static str,
}

/// Writes an object canonically.
pub(crate) fn write(fields: &Map<String, Value>) -> Result<Vec<u8>, NotRepresentable> {
    let mut out = Vec::with_capacity(512);
    write_object(&mut out, fields)?;
    Ok(out)
}

/// Checks that `bytes` is one canonical object and finds the fields that every entry has.
pub(crate) fn check(bytes: &[u8]) -> Result<Envelope<'_>, NotCanonical> {
    let text = std::str::from_utf8(bytes).map_err(|error| NotCanonical {
        at: error.valid_up_to(),
        what: "not UTF-8",
    })?;
    let mut checker = Checker { text, bytes, at: 0 };
    let mut envelope = Envelope::default();
    checker.object(0, |key, value| envelope.set(key, value))?;
    match checker.at == bytes.len() {
        true => Ok(envelope),
        false => checker.refuse("something follows the object"),
    }
}

fn write_value(out: &mut Vec<u8>, value: &Value) -> Result<(), NotRepresentable> {
    match value {
        Value::Object(fields) => write_object(out, fields)?,
        Value::Array(items) => {
            out.push(b'[');
            for (position, item) in items.iter().enumerate() {
                if position > 0 {
                    out.push(b',');
                }
                write_value(out, item)?;
            }
            out.push(b']');
        }
        Value::String(text) => write_string(out, text),
        Value::Bool(truth) => out.extend_from_slice(if *truth { b"true" } else { b"false" }),
        Value::Number(number) => {
            let magnitude = number
                .as_u64()
                .or_else(|| number.as_i64().map(i64::unsigned_abs))
                .ok_or(NotRepresentable)?;
            if magnitude > MAX_INTEGER {
                return Err(NotRepresentable);
            }
            out.extend_from_slice(number.to_string().as_bytes());
        }
        Value::Null => return Err(NotRepresentable),
    }
    Ok(())
}

// Sorts by itself: serde_json's map keeps insertion order as soon as any crate in the build asks for
// that feature, and the entries must not depend on it.
fn write_object(out: &mut Vec<u8>, fields: &Map<String, Value>) -> Result<(), NotRepresentable> {
    let mut sorted: Vec<_> = fields.iter().collect();
    sorted.sort_unstable_by_key(|(key, _)| key.as_bytes());
    out.push(b'{');
    for (position, (key, value)) in sorted.into_iter().enumerate() {
        if !key.bytes().all(is_key_byte) {
            return Err(NotRepresentable);
        }
        if position > 0 {
            out.push(b',');
        }
        write_string(out, key);
        out.push(b':');
        write_value(out, value)?;
    }
    out.push(b'}');
    Ok(())
}

fn write_string(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("writing a string to memory does not fail");
}

fn is_key_byte(byte: u8) -> bool {
    matches!(byte, 0x20..=0x7e) && byte != b'"' && byte != b'\\'
}

struct Checker<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Checker<'a> {
    fn refuse<T>(&self, what: &'static str) -> Result<T, NotCanonical> {
        Err(NotCanonical { at: self.at, what })
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn take(&mut self, byte: u8, what: &'static str) -> Result<(), NotCanonical> {
        if self.peek() != Some(byte) {
            return self.refuse(what);
        }
        self.at += 1;
        Ok(())
    }

    fn take_if(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    /// Reads an object and shows each key with the raw text of its value.
    fn object(
        &mut self,
        depth: u8,
        mut field: impl FnMut(&'a str, &'a str),
    ) -> Result<(), NotCanonical> {
        self.take(b'{', "expected an object")?;
        if self.take_if(b'}') {
            return Ok(());
        }
        let mut last: Option<&str> = None;
        loop {
            let key = self.key()?;
            if last.is_some_and(|last| last >= key) {
                return self.refuse("keys are not in ascending order");
            }
            last = Some(key);
            self.take(b':', "expected a colon")?;
            let start = self.at;
            self.value(depth + 1)?;
            field(key, &self.text[start..self.at]);
            if self.take_if(b'}') {
                return Ok(());
            }
            self.take(b',', "expected a comma or the object's end")?;
        }
    }

    fn array(&mut self, depth: u8) -> Result<(), NotCanonical> {
        self.take(b'[', "expected an array")?;
        if self.take_if(b']') {
            return Ok(());
        }
        loop {
            self.value(depth + 1)?;
            if self.take_if(b']') {
                return Ok(());
            }
            self.take(b',', "expected a comma or the array's end")?;
        }
    }

    fn value(&mut self, depth: u8) -> Result<(), NotCanonical> {
        if depth > MAX_DEPTH {
            return self.refuse("nested too deeply");
        }
        match self.peek() {
            Some(b'{') => self.object(depth, |_, _| ()),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string(),
            Some(b't') => self.word("true"),
            Some(b'f') => self.word("false"),
            Some(b'-' | b'0'..=b'9') => self.integer(),
            _ => self.refuse("expected an object, array, string, boolean or integer"),
        }
    }

    fn word(&mut self, word: &'static str) -> Result<(), NotCanonical> {
        if !self.bytes[self.at..].starts_with(word.as_bytes()) {
            return self.refuse("expected true or false");
        }
        self.at += word.len();
        Ok(())
    }

    fn key(&mut self) -> Result<&'a str, NotCanonical> {
        self.take(b'"', "expected a key")?;
        let start = self.at;
        while self.peek().is_some_and(is_key_byte) {
            self.at += 1;
        }
        let key = &self.text[start..self.at];
        self.take(b'"', "keys are printable ASCII without escapes")?;
        Ok(key)
    }

    fn string(&mut self) -> Result<(), NotCanonical> {
        self.take(b'"', "expected a string")?;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                Some(0x20..) => self.at += 1,
                _ => return self.refuse("a control character or the end inside a string"),
            }
        }
    }

    /// JCS has one spelling for each escaped character: the short one, else `\u00xx` in lower case.
    fn escape(&mut self) -> Result<(), NotCanonical> {
        let rest = &self.bytes[self.at + 1..];
        let length = match rest {
            [b'"' | b'\\' | b'b' | b't' | b'n' | b'f' | b'r', ..] => 2,
            [b'u', b'0', b'0', high @ (b'0' | b'1'), low, ..] => {
                let short = *high == b'0' && matches!(*low, b'8' | b'9' | b'a' | b'c' | b'd');
                match low {
                    b'0'..=b'9' | b'a'..=b'f' if !short => 6,
                    _ => return self.refuse("not the canonical spelling of an escape"),
                }
            }
            _ => return self.refuse("not the canonical spelling of an escape"),
        };
        self.at += length;
        Ok(())
    }

    fn integer(&mut self) -> Result<(), NotCanonical> {
        let negative = self.take_if(b'-');
        let start = self.at;
        let mut magnitude = 0_u64;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            magnitude = magnitude
                .saturating_mul(10)
                .saturating_add(u64::from(digit - b'0'));
            self.at += 1;
        }
        let digits = &self.bytes[start..self.at];
        let plain = match digits {
            [] => false,
            [b'0'] => !negative,
            [b'0', ..] => false,
            _ => magnitude <= MAX_INTEGER,
        };
        match plain {
            true => Ok(()),
            false => self.refuse("not an integer below 2^53 in its shortest form"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn refusal(text: &str) -> String {
        check(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn every_departure_from_the_canonical_form_is_refused_and_placed() {
        let cases = [
            ("", 0, "expected an object"),
            ("[]", 0, "expected an object"),
            ("{} ", 2, "something follows the object"),
            ("{ }", 1, "expected a key"),
            (r#"{"b":1,"a":2}"#, 10, "keys are not in ascending order"),
            (r#"{"a":1,"a":2}"#, 10, "keys are not in ascending order"),
            (r#"{"a" :1}"#, 4, "expected a colon"),
            (r#"{"a":1,}"#, 7, "expected a key"),
            (
                r#"{"a":null}"#,
                5,
                "expected an object, array, string, boolean or integer",
            ),
            (r#"{"a":tru}"#, 5, "expected true or false"),
            (r#"{"a":1.5}"#, 6, "expected a comma or the object's end"),
            (
                r#"{"a":01}"#,
                7,
                "not an integer below 2^53 in its shortest form",
            ),
            (
                r#"{"a":-0}"#,
                7,
                "not an integer below 2^53 in its shortest form",
            ),
            (
                r#"{"a":-}"#,
                6,
                "not an integer below 2^53 in its shortest form",
            ),
            (
                r#"{"a":9007199254740992}"#,
                21,
                "not an integer below 2^53 in its shortest form",
            ),
            (
                r#"{"a":"\/"}"#,
                6,
                "not the canonical spelling of an escape",
            ),
            (
                r#"{"a":"\u000A"}"#,
                6,
                "not the canonical spelling of an escape",
            ),
            (
                r#"{"a":"\u000a"}"#,
                6,
                "not the canonical spelling of an escape",
            ),
            (
                r#"{"a":"\u0041"}"#,
                6,
                "not the canonical spelling of an escape",
            ),
            (
                "{\"a\":\"\n\"}",
                6,
                "a control character or the end inside a string",
            ),
            (r#"{"é":1}"#, 2, "keys are printable ASCII without escapes"),
            (r#"{"a":[[[[[[[[[1]]]]]]]]]}"#, 13, "nested too deeply"),
        ];
        for (text, at, what) in cases {
            let expected = format!("not canonical JSON at its byte {at}: {what}");
            assert_eq!(refusal(text), expected, "{text}");
        }
        assert_eq!(check(b"{\"a\":\"\xff\"}").unwrap_err().what, "not UTF-8");
    }

    #[test]
    fn fractions_and_null_are_never_written() {
        for text in [
            r#"{"a":1.5}"#,
            r#"{"a":null}"#,
            r#"{"a":9007199254740992}"#,
            r#"{"é":1}"#,
        ] {
            assert_eq!(
                write(&serde_json::from_str(text).unwrap()),
                Err(NotRepresentable),
                "{text}"
            );
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            (-(MAX_INTEGER as i64)..=MAX_INTEGER as i64).prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            "[\u{0}-\u{7f}\u{80}-\u{10ffff}]{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::vec(("[a-z_0-9]{0,3}", inner), 0..5)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_passes_the_check_and_reads_back(inner in value()) {
            let fields: Map<_, _> = [("x".to_owned(), inner)].into_iter().collect();
            let bytes = write(&fields).unwrap();
            prop_assert!(check(&bytes).is_ok(), "{}", String::from_utf8_lossy(&bytes));
            prop_assert_eq!(serde_json::from_slice::<Map<_, _>>(&bytes).unwrap(), fields);
        }

        #[test]
        fn what_passes_the_check_is_what_would_be_written(
            inner in value(), at in any::<prop::sample::Index>(), byte in any::<u8>()
        ) {
            let mut bytes = write(&[("x".to_owned(), inner)].into_iter().collect()).unwrap();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if check(&bytes).is_ok() {
                let fields: Map<_, _> = serde_json::from_slice(&bytes).unwrap();
                prop_assert_eq!(write(&fields).unwrap(), bytes);
            }
        }
    }
}
