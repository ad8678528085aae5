//! Canonical JSON: the one spelling of a document that is hashed and signed.

use serde::Serialize;

/// The canonical JSON of `document`: RFC 8785 (JCS) for what this house writes, that is objects with
/// ASCII keys whose values are strings, integers below 2^53, booleans, arrays and objects.
///
/// # Errors
/// When the document cannot be written as JSON at all, such as a map with keys that are no strings.
pub fn canonical_json<T: Serialize + ?Sized>(document: &T) -> Result<Vec<u8>, serde_json::Error> {
    let mut value = serde_json::to_value(document)?;
    // Sorted anyway, unless some crate in the build asks serde_json to keep the order of insertion.
    value.sort_all_objects();
    serde_json::to_vec(&value)
}
