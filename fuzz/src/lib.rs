//! What the fuzz targets share: a place for files, a holder's key file, errors read aloud, and a
//! request or response as text.

use std::error::Error;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use age::secrecy::SecretString;

static SCRATCH: LazyLock<PathBuf> = LazyLock::new(|| {
    let path = std::env::temp_dir().join(format!("dta-fuzz-{}", std::process::id()));
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&path)
        .expect("the temporary directory is writable");
    path
});

/// A directory of this process alone, in `TMPDIR`.
pub fn scratch() -> &'static Path {
    &SCRATCH
}

/// Puts `bytes` into the file `name` of [`scratch`], mode 0600.
pub fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = scratch().join(name);
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&path)
        .expect("the scratch directory is writable");
    file.write_all(bytes)
        .expect("the scratch directory has room");
    path
}

/// What opens [`key_file`].
pub const PASSPHRASE: &str = "only for fuzzing";

/// A holder's key file with this plaintext, at the least work that scrypt can do.
pub fn key_file(plaintext: &[u8]) -> PathBuf {
    let mut recipient = age::scrypt::Recipient::new(SecretString::from(PASSPHRASE));
    recipient.set_work_factor(1);
    let recipients = std::iter::once(&recipient as &dyn age::Recipient);
    let encryptor = age::Encryptor::with_recipients(recipients).expect("one recipient is enough");
    let mut sealed = Vec::new();
    let mut writer = encryptor
        .wrap_output(&mut sealed)
        .expect("memory takes the header");
    writer.write_all(plaintext).expect("memory takes it");
    writer.finish().expect("memory takes it");
    file("fuzz.holder", &sealed)
}

/// Formats an error and its causes: what builds a message is code too, and none may be empty.
pub fn say(error: &dyn Error) {
    let mut error = Some(error);
    while let Some(said) = error {
        assert!(!said.to_string().is_empty());
        error = said.source();
    }
}

/// A request or a response as text: a first line, `name: value` lines, an empty line, the body.
pub struct Message<'a> {
    /// `POST /v1/client-shares`, or the status.
    pub first: &'a str,
    /// In order, as they stand.
    pub headers: Vec<(&'a str, &'a [u8])>,
    /// What follows the empty line.
    pub body: &'a [u8],
}

impl<'a> Message<'a> {
    /// Splits the text; whatever is missing is empty.
    pub fn read(bytes: &'a [u8]) -> Self {
        let (first, mut rest) = line(bytes);
        let mut headers = Vec::new();
        while !rest.is_empty() {
            let (header, after) = line(rest);
            rest = after;
            if header.is_empty() {
                break;
            }
            let colon = header.windows(2).position(|pair| pair == b": ");
            let (name, value) = match colon {
                Some(at) => (&header[..at], &header[at + 2..]),
                None => (header, &b""[..]),
            };
            headers.push((text(name), value));
        }
        Self {
            first: text(first),
            headers,
            body: rest,
        }
    }
}

fn line(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.iter().position(|byte| *byte == b'\n') {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (bytes, b""),
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}
