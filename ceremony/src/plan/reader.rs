//! Walks a TOML document and collects what is wrong with it instead of stopping at the first mistake.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::check::Mistake;

/// The document's text and the mistakes found so far.
pub(super) struct Reader<'t> {
    text: &'t str,
    mistakes: Vec<Mistake>,
}

/// One table of the document, with the path that a person would call it by.
pub(super) struct Section<'d> {
    path: String,
    line: usize,
    table: &'d DeTable<'d>,
}

/// A value and the line it stands on.
#[derive(Clone, Copy)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) line: usize,
}

impl<'t> Reader<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self {
            text,
            mistakes: Vec::new(),
        }
    }

    /// Notes a mistake in `field` on `line`.
    pub(super) fn mistake(
        &mut self,
        line: usize,
        field: impl Into<String>,
        message: impl Into<String>,
    ) {
        self.mistakes.push(Mistake {
            line,
            field: field.into(),
            message: message.into(),
        });
    }

    pub(super) fn line_of(&self, span: Range<usize>) -> usize {
        let before = self
            .text
            .as_bytes()
            .get(..span.start)
            .unwrap_or(self.text.as_bytes());
        before.iter().filter(|byte| **byte == b'\n').count() + 1
    }

    /// All mistakes, in the order of their lines.
    pub(super) fn into_mistakes(mut self) -> Vec<Mistake> {
        self.mistakes.sort_by_key(|mistake| mistake.line);
        self.mistakes
    }

    /// The table under `key`, which must be there.
    pub(super) fn table<'d>(&mut self, section: &Section<'d>, key: &str) -> Option<Section<'d>> {
        let found = self.required(section, key, "a table")?;
        let path = section.field(key);
        match found.value {
            DeValue::Table(table) => Some(Section {
                path,
                line: found.line,
                table,
            }),
            other => self.wrong_type(found.line, path, "a table", other),
        }
    }

    /// The table under `key`, if the key is there.
    pub(super) fn optional_table<'d>(
        &mut self,
        section: &Section<'d>,
        key: &str,
    ) -> Option<Section<'d>> {
        self.find(section, key)?;
        self.table(section, key)
    }

    /// The tables `[[key]]`, of which one at least must be there.
    pub(super) fn tables<'d>(
        &mut self,
        section: &Section<'d>,
        key: &str,
    ) -> Option<Vec<Section<'d>>> {
        let found = self.required(section, key, "one or more tables")?;
        let path = section.field(key);
        let DeValue::Array(array) = found.value else {
            return self.wrong_type(found.line, path, "tables written [[...]]", found.value);
        };
        let mut tables = Vec::new();
        for (at, element) in array.iter().enumerate() {
            let line = self.line_of(element.span());
            let path = format!("{path}[{}]", at + 1);
            match element.get_ref() {
                DeValue::Table(table) => tables.push(Section { path, line, table }),
                other => self.wrong_type(line, path, "a table", other).unwrap_or(()),
            }
        }
        Some(tables)
    }

    /// The string under `key`, which must be there.
    pub(super) fn string<'d>(&mut self, section: &Section<'d>, key: &str) -> Option<At<&'d str>> {
        let found = self.required(section, key, "a string")?;
        self.as_string(found, section.field(key))
    }

    /// The string under `key`, if the key is there.
    pub(super) fn optional_string<'d>(
        &mut self,
        section: &Section<'d>,
        key: &str,
    ) -> Option<At<&'d str>> {
        let found = self.find(section, key)?;
        self.as_string(found, section.field(key))
    }

    /// The strings of the array under `key`, which must be there and not be empty.
    pub(super) fn strings<'d>(
        &mut self,
        section: &Section<'d>,
        key: &str,
    ) -> Option<Vec<At<&'d str>>> {
        let found = self.required(section, key, "a list of strings")?;
        let path = section.field(key);
        let DeValue::Array(array) = found.value else {
            return self.wrong_type(found.line, path, "a list of strings", found.value);
        };
        if array.is_empty() {
            self.mistake(found.line, path, "is empty; name at least one");
            return None;
        }
        let elements: Vec<_> = array
            .iter()
            .map(|element| At {
                value: element.get_ref(),
                line: self.line_of(element.span()),
            })
            .collect();
        elements
            .into_iter()
            .map(|element| self.as_string(element, path.clone()))
            .collect()
    }

    /// The whole number under `key`, which must be there.
    pub(super) fn integer(&mut self, section: &Section<'_>, key: &str) -> Option<At<u64>> {
        let found = self.required(section, key, "a whole number")?;
        let path = section.field(key);
        let DeValue::Integer(integer) = found.value else {
            return self.wrong_type(found.line, path, "a whole number", found.value);
        };
        match u64::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(value) => Some(At {
                value,
                line: found.line,
            }),
            Err(_) => {
                self.mistake(
                    found.line,
                    path,
                    format!("is {}; expected a whole number from 0", integer.as_str()),
                );
                None
            }
        }
    }

    /// Notes every key of `section` that is not in `known`, with the nearest one that is.
    pub(super) fn only(&mut self, section: &Section<'_>, known: &[&str]) {
        for key in section.table.keys() {
            let name = key.get_ref().as_ref();
            if !known.contains(&name) {
                let line = self.line_of(key.span());
                let hint = match nearest(name, known) {
                    Some(near) => format!("is not a key of a plan; did you mean `{near}`?"),
                    None => format!(
                        "is not a key of a plan; here there can be {}",
                        known.join(", ")
                    ),
                };
                self.mistake(line, section.field(&shorten(name)), hint);
            }
        }
    }

    /// The line on which `key` stands, if it does.
    pub(super) fn present(&self, section: &Section<'_>, key: &str) -> Option<usize> {
        self.find(section, key).map(|found| found.line)
    }

    fn find<'d>(&self, section: &Section<'d>, key: &str) -> Option<At<&'d DeValue<'d>>> {
        let (name, value) = section.table.get_key_value(key)?;
        Some(At {
            value: value.get_ref(),
            line: self.line_of(name.span()),
        })
    }

    fn required<'d>(
        &mut self,
        section: &Section<'d>,
        key: &str,
        kind: &str,
    ) -> Option<At<&'d DeValue<'d>>> {
        let found = self.find(section, key);
        if found.is_none() {
            self.mistake(
                section.line,
                section.field(key),
                format!("is missing; expected {kind}"),
            );
        }
        found
    }

    fn as_string<'d>(&mut self, found: At<&'d DeValue<'d>>, path: String) -> Option<At<&'d str>> {
        match found.value {
            DeValue::String(text) => Some(At {
                value: text.as_ref(),
                line: found.line,
            }),
            other => self.wrong_type(found.line, path, "a string", other),
        }
    }

    fn wrong_type<T>(
        &mut self,
        line: usize,
        path: String,
        kind: &str,
        value: &DeValue<'_>,
    ) -> Option<T> {
        self.mistake(
            line,
            path,
            format!("has type {}; expected {kind}", value.type_str()),
        );
        None
    }
}

impl<'d> Section<'d> {
    pub(super) fn root(table: &'d DeTable<'d>) -> Self {
        Self {
            path: String::new(),
            line: 1,
            table,
        }
    }

    pub(super) fn line(&self) -> usize {
        self.line
    }

    /// The path of `key` in this section, such as `unlock.holders[2].name`.
    pub(super) fn field(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }
}

/// The known name that `name` is most likely a slip of.
fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    if name.len() > 64 {
        return None;
    }
    let scored = known
        .iter()
        .map(|candidate| (distance(name, candidate), *candidate));
    scored
        .min()
        .filter(|(edits, near)| *edits <= near.len().max(3) / 3)
        .map(|(_, near)| near)
}

/// Levenshtein's edit distance, in bytes.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

fn shorten(name: &str) -> String {
    name.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_near_and_other_words_are_not() {
        assert_eq!(nearest("sign-key", &["name", "sign_key"]), Some("sign_key"));
        assert_eq!(nearest("holder", &["m", "n", "holders"]), Some("holders"));
        assert_eq!(nearest("pin", &["token_label", "token_serial"]), None);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
