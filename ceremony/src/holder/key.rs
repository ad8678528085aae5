//! The secret half of a holder: `NAME.holder`, an armored age file under a passphrase (scrypt, N = 2^18).
//!
//! Plaintext, UTF-8 lines, each ended by `\n`, in this order and no others:
//! ```text
//! dta holder v1
//! name NAME
//! age AGE-SECRET-KEY-1...        the X25519 identity, Bech32
//! ed25519 64 hex digits          the RFC 8032 seed
//! ```
//! A holder with a hardware key has the identity of an age plugin there (`AGE-PLUGIN-NAME-1...`), and in the next line
//! `recipient age1NAME1...`, the recipient that it opens.

use std::fmt;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use age::armor::{ArmoredReader, ArmoredWriter, Format};
use age::secrecy::ExposeSecret;
use quorum::{HolderSignature, HolderSigningKey, Purpose};
use zeroize::Zeroizing;

use super::identity::{MissingPlugin, OwnIdentity, PluginIdentity};
use super::{BadName, HolderName, HolderPublic, SELF_SIGNATURE};
use crate::files::{self, FileError, Privacy};
use crate::passphrase::Passphrase;

const FIRST_LINE: &str = "dta holder v1";
/// scrypt N = 2^18, r = 8: 256 MiB and about a second, what age itself chooses on the machines of today.
const WORK_FACTOR: u8 = 18;
/// Files with more work than N = 2^20 are refused: somebody means to keep the machine busy.
const MOST_WORK: u8 = 20;
const LONGEST_FILE: u64 = 16 * 1024;
const LONGEST_PLAINTEXT: usize = 1024;

/// A holder's opened key. Zeroised on drop; `Debug` prints the name alone.
pub struct HolderSecrets {
    public: HolderPublic,
    identity: OwnIdentity,
    signing: HolderSigningKey,
}

/// Why a key file could not be made or opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HolderSecretsError {
    /// The file itself.
    #[error("the holder key file cannot be used")]
    File(#[from] FileError),
    /// Not an age file at all.
    #[error("{} is not a holder key file", .0.display())]
    NotAKeyFile(PathBuf),
    /// An age file sealed to somebody, such as a share.
    #[error("{} is sealed to a key, not to a passphrase: it is not a holder key file (a share, perhaps)", .0.display())]
    SealedToAKey(PathBuf),
    /// The passphrase does not open it.
    #[error("wrong passphrase for {}", .0.display())]
    WrongPassphrase(PathBuf),
    /// The passphrase is right and the contents are not.
    #[error("{} is damaged: {reason}", path.display())]
    Damaged {
        /// The file in question.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// It demands more scrypt than any file made by this tool.
    #[error("{} asks for 2^{required} scrypt iterations; at most 2^{MOST_WORK} are done", path.display())]
    TooMuchWork {
        /// The file in question.
        path: PathBuf,
        /// log2 of what it asks for.
        required: u8,
    },
    /// The system's random numbers or the key generation failed.
    #[error("cannot make a key: {0}")]
    Generate(&'static str),
}

impl HolderSecretsError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::File(error) => error.remedy(),
            Self::NotAKeyFile(_) | Self::SealedToAKey(_) => {
                Some("pass the file NAME.holder that `dta holder new` wrote")
            }
            Self::WrongPassphrase(_) => {
                Some("enter it again; check Caps Lock and the keyboard layout")
            }
            Self::Damaged { .. } => Some("use another copy of the key file"),
            Self::TooMuchWork { .. } => Some("check where this file comes from"),
            Self::Generate(_) => Some("check the system's random number generator"),
        }
    }
}

/// `DIR/NAME.holder`.
#[must_use]
pub fn key_path(dir: &Path, name: &HolderName) -> PathBuf {
    dir.join(format!("{name}.holder"))
}

/// `DIR/NAME.holder.pub`.
#[must_use]
pub fn public_path(dir: &Path, name: &HolderName) -> PathBuf {
    dir.join(format!("{name}.holder.pub"))
}

/// The file beside a key file that remembers the highest epoch its holder has seen: `NAME.holder.seen`.
#[must_use]
pub fn seen_path(key_file: &Path) -> PathBuf {
    let mut name = key_file.as_os_str().to_owned();
    name.push(".seen");
    PathBuf::from(name)
}

impl HolderSecrets {
    /// Fresh keys for the holder `name`, in memory alone.
    ///
    /// # Errors
    /// [`HolderSecretsError::Generate`].
    pub fn generate(name: &HolderName) -> Result<Self, HolderSecretsError> {
        let identity = OwnIdentity::X25519(age::x25519::Identity::generate());
        Self::around(name, identity)
    }

    /// A fresh signing key for the holder `name`, whose shares are sealed to a hardware key.
    ///
    /// # Errors
    /// [`HolderSecretsError::Generate`].
    pub fn generate_with(
        name: &HolderName,
        identity: PluginIdentity,
    ) -> Result<Self, HolderSecretsError> {
        Self::around(name, OwnIdentity::Plugin(identity))
    }

    fn around(name: &HolderName, identity: OwnIdentity) -> Result<Self, HolderSecretsError> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(seed.as_mut())
            .map_err(|_| HolderSecretsError::Generate("no random numbers"))?;
        let signing = HolderSigningKey::from_seed(seed);
        Ok(Self::from_parts(name.clone(), identity, signing))
    }

    /// Writes `NAME.holder` (0600) and `NAME.holder.pub` into `dir`; returns both paths.
    ///
    /// # Errors
    /// [`HolderSecretsError::File`], also when either exists: then neither is written.
    pub fn write(
        &self,
        dir: &Path,
        passphrase: &Passphrase,
    ) -> Result<(PathBuf, PathBuf), HolderSecretsError> {
        self.write_with(dir, passphrase, WORK_FACTOR)
    }

    /// As [`HolderSecrets::write`] with scrypt N = 2^2, so that tests do not wait. Release builds do not have it.
    ///
    /// # Errors
    /// As [`HolderSecrets::write`].
    #[cfg(any(test, debug_assertions))]
    pub fn write_weakly(
        &self,
        dir: &Path,
        passphrase: &Passphrase,
    ) -> Result<(PathBuf, PathBuf), HolderSecretsError> {
        self.write_with(dir, passphrase, 2)
    }

    /// Opens the key file `path`.
    ///
    /// # Errors
    /// Says whether the file, its kind, the passphrase or its contents are wrong.
    pub fn open(path: &Path, passphrase: &Passphrase) -> Result<Self, HolderSecretsError> {
        let sealed = files::read(path, LONGEST_FILE)?;
        let plaintext = unseal(path, &sealed, passphrase)?;
        let damaged = |reason| HolderSecretsError::Damaged {
            path: path.to_owned(),
            reason,
        };
        let text = std::str::from_utf8(&plaintext).map_err(|_| damaged("it is not text"))?;
        parse(text).map_err(damaged)
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> &HolderPublic {
        &self.public
    }

    /// The holder's name.
    #[must_use]
    pub fn name(&self) -> &HolderName {
        &self.public.name
    }

    /// The holder's signature over `message` for `purpose`.
    #[must_use]
    pub fn sign(&self, purpose: Purpose, message: &[u8]) -> HolderSignature {
        self.signing.sign(purpose, message)
    }

    /// The signing key, for a manifest's signature.
    #[must_use]
    pub fn signing_key(&self) -> &HolderSigningKey {
        &self.signing
    }

    pub(crate) fn identity(&self) -> Result<Box<dyn age::Identity>, MissingPlugin> {
        self.identity.to_age()
    }

    /// The X25519 identity, where the key file holds one.
    pub(crate) fn x25519(&self) -> Option<&age::x25519::Identity> {
        match &self.identity {
            OwnIdentity::X25519(identity) => Some(identity),
            OwnIdentity::Plugin(_) => None,
        }
    }

    /// Another value of the same key, for a rehearsal, in which one person sits on two chairs.
    pub(crate) fn twin(&self) -> Self {
        parse(&self.plaintext()).expect("a key reads what it wrote")
    }

    fn from_parts(name: HolderName, identity: OwnIdentity, signing: HolderSigningKey) -> Self {
        let mut public = HolderPublic {
            name,
            recipient: identity.recipient(),
            sign_key: signing.public(),
            signature: HolderSignature::from_bytes([0; 64]),
        };
        public.signature = signing.sign(SELF_SIGNATURE, &public.signed_bytes());
        Self {
            public,
            identity,
            signing,
        }
    }

    fn write_with(
        &self,
        dir: &Path,
        passphrase: &Passphrase,
        work: u8,
    ) -> Result<(PathBuf, PathBuf), HolderSecretsError> {
        let (secret, public) = (key_path(dir, self.name()), public_path(dir, self.name()));
        if public.exists() {
            return Err(FileError::Exists(public).into());
        }
        let sealed = seal(&self.plaintext(), passphrase, work).map_err(|source| FileError::Io {
            verb: "write",
            path: secret.clone(),
            source,
        })?;
        files::create(&secret, &sealed, Privacy::Secret)?;
        files::create(&public, &self.public.to_bytes(), Privacy::Public)?;
        Ok((secret, public))
    }

    fn plaintext(&self) -> Zeroizing<String> {
        // Room for everything at once: a string that grows leaves copies of the secret behind.
        let mut text = Zeroizing::new(String::with_capacity(LONGEST_PLAINTEXT));
        let identity = match &self.identity {
            OwnIdentity::X25519(identity) => identity.to_string(),
            OwnIdentity::Plugin(plugin) => plugin.to_lines().into(),
        };
        let seed = Zeroizing::new(hex::encode(self.signing.seed().as_slice()));
        for part in [
            FIRST_LINE,
            "\nname ",
            self.name().as_str(),
            "\nage ",
            identity.expose_secret(),
            "\ned25519 ",
            &seed,
            "\n",
        ] {
            text.push_str(part);
        }
        text
    }
}

impl fmt::Debug for HolderSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HolderSecrets({}, ..)", self.name())
    }
}

fn seal(plaintext: &str, passphrase: &Passphrase, work: u8) -> std::io::Result<Vec<u8>> {
    let mut recipient = age::scrypt::Recipient::new(passphrase.secret());
    recipient.set_work_factor(work);
    let encryptor =
        age::Encryptor::with_recipients(std::iter::once(&recipient as &dyn age::Recipient))
            .map_err(std::io::Error::other)?;
    let armor = ArmoredWriter::wrap_output(Vec::new(), Format::AsciiArmor)?;
    let mut writer = encryptor.wrap_output(armor)?;
    writer.write_all(plaintext.as_bytes())?;
    writer.finish()?.finish()
}

fn unseal(
    path: &Path,
    sealed: &[u8],
    passphrase: &Passphrase,
) -> Result<Zeroizing<Vec<u8>>, HolderSecretsError> {
    let path = || path.to_owned();
    let decryptor = age::Decryptor::new_buffered(ArmoredReader::new(sealed))
        .map_err(|_| HolderSecretsError::NotAKeyFile(path()))?;
    if !decryptor.is_scrypt() {
        return Err(HolderSecretsError::SealedToAKey(path()));
    }
    let mut identity = age::scrypt::Identity::new(passphrase.secret());
    identity.set_max_work_factor(MOST_WORK);
    let reader = decryptor
        .decrypt(std::iter::once(&identity as &dyn age::Identity))
        .map_err(|error| match error {
            age::DecryptError::ExcessiveWork { required, .. } => HolderSecretsError::TooMuchWork {
                path: path(),
                required,
            },
            age::DecryptError::InvalidMac | age::DecryptError::InvalidHeader => {
                HolderSecretsError::Damaged {
                    path: path(),
                    reason: "its header was changed",
                }
            }
            _ => HolderSecretsError::WrongPassphrase(path()),
        })?;
    let mut plaintext = Zeroizing::new(Vec::with_capacity(LONGEST_PLAINTEXT + 1));
    reader
        .take(LONGEST_PLAINTEXT as u64 + 1)
        .read_to_end(&mut plaintext)
        .map_err(|_| HolderSecretsError::Damaged {
            path: path(),
            reason: "its contents were changed or cut",
        })?;
    Ok(plaintext)
}

fn parse(text: &str) -> Result<HolderSecrets, &'static str> {
    let mut lines = text.lines();
    if lines.next() != Some(FIRST_LINE) {
        return Err("the first line is not `dta holder v1`");
    }
    let mut field = |name: &str| {
        lines
            .next()
            .and_then(|line| line.strip_prefix(name))
            .and_then(|rest| rest.strip_prefix(' '))
    };
    let name = field("name").ok_or("the line `name` is missing")?;
    let identity = field("age").ok_or("the line `age` is missing")?;
    let recipient = match identity.starts_with("AGE-PLUGIN-") {
        true => Some(field("recipient").ok_or("the line `recipient` is missing")?),
        false => None,
    };
    let seed_hex = field("ed25519").ok_or("the line `ed25519` is missing")?;
    if lines.next().is_some() {
        return Err("it has more lines than a holder key");
    }
    let name = name
        .parse()
        .map_err(|_: BadName| "the name is not a holder's name")?;
    let identity = match recipient {
        None => OwnIdentity::X25519(
            identity
                .parse()
                .map_err(|_| "the age identity does not parse")?,
        ),
        Some(recipient) => {
            let recipient = recipient
                .parse()
                .map_err(|_| "the recipient does not parse")?;
            OwnIdentity::Plugin(PluginIdentity::new(identity, recipient)?)
        }
    };
    let mut seed = Zeroizing::new([0; 32]);
    hex::decode_to_slice(seed_hex, seed.as_mut())
        .map_err(|_| "the Ed25519 seed is not 64 hex digits")?;
    Ok(HolderSecrets::from_parts(
        name,
        identity,
        HolderSigningKey::from_seed(seed),
    ))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    fn passphrase() -> Passphrase {
        Passphrase::entered("correct horse battery staple".into()).unwrap()
    }

    fn alice() -> HolderSecrets {
        HolderSecrets::generate(&"alice".parse().unwrap()).unwrap()
    }

    #[test]
    fn a_key_file_opens_again_under_its_passphrase_with_mode_0600() {
        let dir = tempfile::tempdir().unwrap();
        let key = alice();
        let (secret, public) = key.write_weakly(dir.path(), &passphrase()).unwrap();
        assert_eq!(std::fs::metadata(&secret).unwrap().mode() & 0o777, 0o600);
        assert!(
            std::fs::read_to_string(&secret)
                .unwrap()
                .starts_with("-----BEGIN AGE ENCRYPTED FILE-----")
        );
        let opened = HolderSecrets::open(&secret, &passphrase()).unwrap();
        assert_eq!(opened.public(), key.public());
        assert_eq!(
            &HolderPublic::parse(&std::fs::read(public).unwrap()).unwrap(),
            key.public()
        );
        let signature = opened.sign(SELF_SIGNATURE, b"x");
        assert!(
            key.public()
                .sign_key
                .verify(SELF_SIGNATURE, b"x", &signature)
                .is_ok()
        );
        assert_eq!(format!("{opened:?}"), "HolderSecrets(alice, ..)");
    }

    #[test]
    fn the_real_work_factor_opens_too() {
        let dir = tempfile::tempdir().unwrap();
        let (secret, _) = alice().write(dir.path(), &passphrase()).unwrap();
        assert!(HolderSecrets::open(&secret, &passphrase()).is_ok());
    }

    #[test]
    fn a_wrong_passphrase_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let (secret, _) = alice().write_weakly(dir.path(), &passphrase()).unwrap();
        let wrong = Passphrase::entered("incorrect horse".into()).unwrap();
        let error = HolderSecrets::open(&secret, &wrong).unwrap_err();
        assert!(
            error.to_string().starts_with("wrong passphrase for"),
            "{error}"
        );
        assert!(error.remedy().unwrap().contains("Caps Lock"));
    }

    #[test]
    fn other_files_are_told_apart_from_key_files() {
        let dir = tempfile::tempdir().unwrap();
        let key = alice();
        let (secret, public) = key.write_weakly(dir.path(), &passphrase()).unwrap();
        let error = HolderSecrets::open(&public, &passphrase()).unwrap_err();
        assert!(
            error.to_string().ends_with("is not a holder key file"),
            "{error}"
        );

        let sealed = key.public().recipient.seal(b"x").unwrap();
        let share = dir.path().join("a.share");
        std::fs::write(&share, sealed).unwrap();
        let error = HolderSecrets::open(&share, &passphrase()).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("is sealed to a key, not to a passphrase"),
            "{error}"
        );

        let mut bytes = std::fs::read(&secret).unwrap();
        let end = bytes.len() - 40;
        bytes[end] = if bytes[end] == b'A' { b'B' } else { b'A' };
        let damaged = dir.path().join("damaged.holder");
        std::fs::write(&damaged, bytes).unwrap();
        let error = HolderSecrets::open(&damaged, &passphrase()).unwrap_err();
        assert!(error.to_string().contains("is damaged"), "{error}");

        let foreign = seal("dta holder v1\nname alice\n", &passphrase(), 2).unwrap();
        let path = dir.path().join("foreign.holder");
        std::fs::write(&path, foreign).unwrap();
        let error = HolderSecrets::open(&path, &passphrase()).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("is damaged: the line `age` is missing"),
            "{error}"
        );
    }

    #[test]
    fn a_key_is_never_written_over_another() {
        let dir = tempfile::tempdir().unwrap();
        let first = alice();
        let (secret, public) = first.write_weakly(dir.path(), &passphrase()).unwrap();
        let before = std::fs::read(&secret).unwrap();
        let error = alice().write_weakly(dir.path(), &passphrase()).unwrap_err();
        assert!(
            matches!(error, HolderSecretsError::File(FileError::Exists(_))),
            "{error}"
        );
        std::fs::remove_file(public).unwrap();
        assert!(alice().write_weakly(dir.path(), &passphrase()).is_err());
        assert_eq!(std::fs::read(&secret).unwrap(), before);
    }
}
