//! The subset of structured fields (RFC 9651) that the profile needs: a dictionary with exactly one
//! member, whose value is either an inner list of strings with parameters (`Signature-Input`) or a
//! byte sequence (`Signature`, `Content-Digest`).
//!
//! Only the canonical serialisation is accepted, that is what a conforming serialiser writes: what
//! is parsed is written again and compared. So no two readers can understand one text differently.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Why a field cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Unreadable(pub(super) String);

/// One member of an inner list: the name of a component and whether parameters follow it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Component {
    /// The name, e.g. `@method`.
    pub(super) name: String,
    /// Boolean parameters, e.g. `req`; other kinds are unreadable.
    pub(super) parameters: Vec<String>,
}

/// A bare item: the two kinds that signature parameters have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Bare {
    /// An integer.
    Integer(i64),
    /// A string, unescaped.
    Text(String),
}

/// The one member of a `Signature-Input` field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SignatureInput {
    /// The label.
    pub(super) label: String,
    /// The covered components, in order.
    pub(super) components: Vec<Component>,
    /// The parameters, in order.
    pub(super) parameters: Vec<(String, Bare)>,
}

impl SignatureInput {
    /// Reads the value of a `Signature-Input` field.
    pub(super) fn parse(value: &str) -> Result<SignatureInput, Unreadable> {
        let mut reader = Reader::new(value);
        let label = reader.key()?;
        reader.expect('=')?;
        let components = reader.inner_list()?;
        let mut parameters = Vec::new();
        while reader.eat(';') {
            let name = reader.key()?;
            reader.expect('=')?;
            parameters.push((name, reader.bare_item()?));
        }
        reader.end()?;
        let input = SignatureInput {
            label,
            components,
            parameters,
        };
        if input.serialize() != value {
            return Err(Unreadable(
                "not in canonical form (RFC 9651 section 4.1)".into(),
            ));
        }
        Ok(input)
    }

    /// The whole field value: `label=(...);...`.
    pub(super) fn serialize(&self) -> String {
        format!("{}={}", self.label, self.signature_params())
    }

    /// The value of `@signature-params`: the field value without its label.
    pub(super) fn signature_params(&self) -> String {
        let components: Vec<_> = self.components.iter().map(Component::serialize).collect();
        let mut text = format!("({})", components.join(" "));
        for (name, value) in &self.parameters {
            text.push(';');
            text.push_str(name);
            text.push('=');
            match value {
                Bare::Integer(number) => text.push_str(&number.to_string()),
                Bare::Text(string) => text.push_str(&serialize_string(string)),
            }
        }
        text
    }
}

impl Component {
    /// A component without parameters.
    pub(super) fn plain(name: &str) -> Component {
        Component {
            name: name.to_owned(),
            parameters: Vec::new(),
        }
    }

    /// A component of the request, in a response's signature.
    pub(super) fn of_request(name: &str) -> Component {
        Component {
            name: name.to_owned(),
            parameters: vec!["req".to_owned()],
        }
    }

    /// The component identifier: `"name"` and its parameters.
    pub(super) fn serialize(&self) -> String {
        let mut text = serialize_string(&self.name);
        for parameter in &self.parameters {
            text.push(';');
            text.push_str(parameter);
        }
        text
    }
}

/// Reads a dictionary whose one member is a byte sequence: its key and the bytes.
pub(super) fn parse_bytes_member(value: &str) -> Result<(String, Vec<u8>), Unreadable> {
    let mut reader = Reader::new(value);
    let key = reader.key()?;
    reader.expect('=')?;
    reader.expect(':')?;
    let encoded = reader.until(':')?;
    reader.end()?;
    let bytes = STANDARD
        .decode(encoded)
        .map_err(|_| Unreadable("expected padded base64 between colons".into()))?;
    Ok((key, bytes))
}

/// Writes a dictionary whose one member is a byte sequence.
pub(super) fn serialize_bytes_member(key: &str, bytes: &[u8]) -> String {
    format!("{key}=:{}:", STANDARD.encode(bytes))
}

fn serialize_string(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Reader<'a> {
        Reader { text, at: 0 }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn eat(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    fn expect(&mut self, wanted: char) -> Result<(), Unreadable> {
        if self.eat(wanted) {
            Ok(())
        } else {
            Err(self.unexpected(&format!("`{wanted}`")))
        }
    }

    fn end(&self) -> Result<(), Unreadable> {
        match self.peek() {
            None => Ok(()),
            Some(',') => Err(Unreadable("expected exactly one member".into())),
            Some(_) => Err(self.unexpected("the end")),
        }
    }

    fn unexpected(&self, wanted: &str) -> Unreadable {
        let found = match self.peek() {
            Some(found) => format!("{found:?}"),
            None => "the end".to_owned(),
        };
        Unreadable(format!(
            "expected {wanted} at position {}, found {found}",
            self.at
        ))
    }

    /// `key`, RFC 9651 section 4.2.3.3.
    fn key(&mut self) -> Result<String, Unreadable> {
        let start = self.at;
        if !self
            .peek()
            .is_some_and(|c| c.is_ascii_lowercase() || c == '*')
        {
            return Err(self.unexpected("a lower-case key"));
        }
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-.*".contains(c);
        while self.peek().is_some_and(allowed) {
            self.bump();
        }
        Ok(self.text[start..self.at].to_owned())
    }

    fn inner_list(&mut self) -> Result<Vec<Component>, Unreadable> {
        self.expect('(')?;
        let mut components = Vec::new();
        while !self.eat(')') {
            if !components.is_empty() {
                self.expect(' ')?;
            }
            let name = self.string()?;
            let mut parameters = Vec::new();
            while self.eat(';') {
                parameters.push(self.key()?);
                if self.peek() == Some('=') {
                    return Err(Unreadable(format!(
                        "component {name:?} has a parameter with a value"
                    )));
                }
            }
            components.push(Component { name, parameters });
        }
        Ok(components)
    }

    fn bare_item(&mut self) -> Result<Bare, Unreadable> {
        match self.peek() {
            Some('"') => self.string().map(Bare::Text),
            Some(c) if c == '-' || c.is_ascii_digit() => self.integer().map(Bare::Integer),
            _ => Err(self.unexpected("a string or an integer")),
        }
    }

    /// At most 15 digits, RFC 9651 section 3.3.1.
    fn integer(&mut self) -> Result<i64, Unreadable> {
        let start = self.at;
        self.eat('-');
        let digits = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.bump();
        }
        if !(1..=15).contains(&(self.at - digits)) {
            return Err(Unreadable(format!(
                "expected an integer of 1 to 15 digits at position {start}"
            )));
        }
        let text = &self.text[start..self.at];
        text.parse()
            .map_err(|_| Unreadable(format!("{text} is not an integer")))
    }

    /// Visible ASCII and spaces, with `\"` and `\\` as the only escapes, RFC 9651 section 3.3.3.
    fn string(&mut self) -> Result<String, Unreadable> {
        self.expect('"')?;
        let mut text = String::new();
        loop {
            match self.bump() {
                Some('"') => return Ok(text),
                Some('\\') => match self.bump() {
                    Some(escaped @ ('"' | '\\')) => text.push(escaped),
                    _ => return Err(Unreadable("a string with an unknown escape".into())),
                },
                Some(c @ ' '..='~') => text.push(c),
                Some(_) => {
                    return Err(Unreadable(
                        "a string with a character that is not ASCII".into(),
                    ));
                }
                None => return Err(Unreadable("a string without its end".into())),
            }
        }
    }

    fn until(&mut self, stop: char) -> Result<&'a str, Unreadable> {
        let rest = self.rest();
        let length = rest
            .find(stop)
            .ok_or_else(|| self.unexpected(&format!("`{stop}`")))?;
        self.at += length + stop.len_utf8();
        Ok(&rest[..length])
    }
}
