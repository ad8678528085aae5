//! The strict reader of a flat JSON object: no member twice, none unknown, errors by field name.

use std::fmt;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::fields::{FieldError, quote};

/// The members of a body, taken out one by one; [`Fields::finish`] refuses what is left.
#[derive(Debug)]
pub struct Fields {
    members: Map<String, Value>,
    known: Vec<&'static str>,
}

impl Fields {
    /// Reads one JSON object.
    ///
    /// # Errors
    /// If the bytes are not exactly one JSON object, or a member occurs twice at the top.
    pub fn parse(body: &[u8]) -> Result<Fields, FieldError> {
        let UniqueMap(members) = serde_json::from_slice(body)
            .map_err(|error| FieldError::new("body", format!("expected a JSON object: {error}")))?;
        Ok(Fields {
            members,
            known: Vec::new(),
        })
    }

    /// A member that must be there, a string read by `FromStr`.
    ///
    /// # Errors
    /// If it is missing, no string, or its text is refused.
    pub fn required<T: FromStr<Err = String>>(
        &mut self,
        name: &'static str,
    ) -> Result<T, FieldError> {
        self.optional(name)?
            .ok_or_else(|| FieldError::new(name, "is missing"))
    }

    /// A member that may be there, a string read by `FromStr`.
    ///
    /// # Errors
    /// If it is no string (`null` neither), or its text is refused.
    pub fn optional<T: FromStr<Err = String>>(
        &mut self,
        name: &'static str,
    ) -> Result<Option<T>, FieldError> {
        self.take(name)
            .map(|value| parse_text(name, &value))
            .transpose()
    }

    /// A member that must be there, an array of strings read by `FromStr`: 1 to `most` of them.
    ///
    /// # Errors
    /// If it is missing, no array, empty or too long, or an element is refused.
    pub fn required_list<T: FromStr<Err = String>>(
        &mut self,
        name: &'static str,
        most: usize,
    ) -> Result<Vec<T>, FieldError> {
        let elements = match self.take(name) {
            Some(Value::Array(elements)) => elements,
            Some(other) => return Err(mistyped(name, "an array of strings", &other)),
            None => return Err(FieldError::new(name, "is missing")),
        };
        if elements.is_empty() || elements.len() > most {
            let reason = format!("expected 1 to {most} elements, got {}", elements.len());
            return Err(FieldError::new(name, reason));
        }
        elements
            .iter()
            .enumerate()
            .map(|(at, element)| parse_text(&format!("{name}[{at}]"), element))
            .collect()
    }

    /// A member that must be there, an integer from 1 to `most`.
    ///
    /// # Errors
    /// If it is missing, no integer, or outside that range.
    pub fn required_count(&mut self, name: &'static str, most: u8) -> Result<u8, FieldError> {
        let value = self
            .take(name)
            .ok_or_else(|| FieldError::new(name, "is missing"))?;
        let expected = format!("an integer from 1 to {most}");
        value
            .as_u64()
            .and_then(|number| u8::try_from(number).ok())
            .filter(|number| (1..=most).contains(number))
            .ok_or_else(|| mistyped(name, &expected, &value))
    }

    /// A member that may be there, `true` or `false`; absent is `false`.
    ///
    /// # Errors
    /// If it is anything else.
    pub fn flag(&mut self, name: &'static str) -> Result<bool, FieldError> {
        match self.take(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(other) => Err(mistyped(name, "true or false", &other)),
        }
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// If a member is left that nobody asked for; the message lists the known ones.
    pub fn finish(self) -> Result<(), FieldError> {
        match self.members.keys().next() {
            None => Ok(()),
            Some(name) => {
                let reason = format!("is unknown here, expected only {}", self.known.join(", "));
                Err(FieldError::new(
                    name.chars().take(40).collect::<String>(),
                    reason,
                ))
            }
        }
    }

    fn take(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        self.members.remove(name)
    }
}

fn parse_text<T: FromStr<Err = String>>(name: &str, value: &Value) -> Result<T, FieldError> {
    match value {
        Value::String(text) => text.parse().map_err(|reason| FieldError::new(name, reason)),
        other => Err(mistyped(name, "a string", other)),
    }
}

fn mistyped(name: &str, expected: &str, found: &Value) -> FieldError {
    let found = match found {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "a boolean".to_owned(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => format!("the string {}", quote(text)),
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    };
    FieldError::new(name, format!("expected {expected}, got {found}"))
}

/// A JSON object in which no member occurs twice; `serde_json` alone would keep the last.
struct UniqueMap(Map<String, Value>);

impl<'de> Deserialize<'de> for UniqueMap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct UniqueVisitor;
        impl<'de> Visitor<'de> for UniqueVisitor {
            type Value = UniqueMap;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<UniqueMap, A::Error> {
                let mut members = Map::new();
                while let Some((name, value)) = access.next_entry::<String, Value>()? {
                    if members.contains_key(&name) {
                        let shown = quote(&name);
                        return Err(A::Error::custom(format!("member {shown} occurs twice")));
                    }
                    members.insert(name, value);
                }
                Ok(UniqueMap(members))
            }
        }
        deserializer.deserialize_map(UniqueVisitor)
    }
}
