//! The signature base (RFC 9421 section 2.5), and header fields as it needs them.

use super::MAX_FIELD;
use super::structured::{Component, SignatureInput};

/// Builds the signature base: one line for each covered component, then `@signature-params`.
/// `value` gives the value of a component, or `None` for one that there is no value for.
///
/// # Errors
/// The identifier of the component without a value.
pub(super) fn signature_base<'v>(
    input: &SignatureInput,
    value: impl Fn(&Component) -> Option<std::borrow::Cow<'v, str>>,
) -> Result<String, String> {
    let mut base = String::new();
    for component in &input.components {
        let identifier = component.serialize();
        let value = value(component).ok_or_else(|| identifier.clone())?;
        base.push_str(&identifier);
        base.push_str(": ");
        base.push_str(&value);
        base.push('\n');
    }
    base.push_str("\"@signature-params\": ");
    base.push_str(&input.signature_params());
    Ok(base)
}

/// The value of `@query`: with its `?`, and `?` alone if there is none (section 2.2.7).
pub(super) fn query_component(query: Option<&str>) -> String {
    format!("?{}", query.unwrap_or_default())
}

/// The value of a header field that must occur on at most one line.
///
/// Folded lines, control characters, bytes that are not ASCII and space at either end are refused:
/// intermediaries treat them differently.
///
/// # Errors
/// What is wrong with the field.
pub(super) fn single_field<'a>(
    headers: &[(&'a str, &'a [u8])],
    name: &str,
) -> Result<Option<&'a str>, String> {
    let mut lines = headers
        .iter()
        .filter(|(found, _)| found.eq_ignore_ascii_case(name));
    let Some((_, value)) = lines.next() else {
        return Ok(None);
    };
    if lines.next().is_some() {
        return Err(format!("header field `{name}` occurs more than once"));
    }
    if value.len() > MAX_FIELD {
        return Err(format!(
            "header field `{name}` is longer than {MAX_FIELD} bytes"
        ));
    }
    let clean =
        |text: &str| text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) && text.trim() == text;
    match std::str::from_utf8(value) {
        Ok(text) if !text.is_empty() && clean(text) => Ok(Some(text)),
        _ => Err(format!(
            "header field `{name}` must hold visible ASCII on one line, not empty, no space around"
        )),
    }
}
