//! Share files round trip, and every other file is told apart from them.

use std::os::unix::fs::MetadataExt;

use super::*;
use crate::files::FileError;
use crate::testing::Dealt;

#[test]
fn a_share_file_opens_for_its_holder_with_mode_0600() {
    let dealt = Dealt::new(2, 3);
    let dir = tempfile::tempdir().unwrap();
    let path = dealt.write_share(dir.path(), 2);
    assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    let name: ShareFileName = path.file_name().unwrap().to_str().unwrap().parse().unwrap();
    assert_eq!((name.index.get(), name.copy), (2, 1));
    let opened = open(&path, &dealt.holders[1]).unwrap();
    assert_eq!(opened.encoded(), dealt.shares[1].encode().as_slice());
    assert!(!format!("{opened:?}").contains(&hex::encode(&opened.encoded()[71..103])));
}

#[test]
fn a_colleagues_share_is_refused_and_named() {
    let dealt = Dealt::new(2, 3);
    let dir = tempfile::tempdir().unwrap();
    let path = dealt.write_share(dir.path(), 2);
    let error = open(&path, &dealt.holders[0]).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("is not sealed to the key of holder-1: it is another holder's share")
    );
    assert_eq!(
        error.remedy(),
        Some("use your own share; each holder enters only that")
    );
    assert_eq!(error.verdict(), Some("wrong-holder"));
}

#[test]
fn a_share_file_is_never_overwritten() {
    let dealt = Dealt::new(1, 2);
    let dir = tempfile::tempdir().unwrap();
    dealt.write_share(dir.path(), 1);
    let again = write(
        dir.path(),
        1,
        &dealt.shares[0],
        &dealt.holders[0].public().recipient,
    );
    assert!(matches!(
        again,
        Err(ShareFileError::File(FileError::Exists(_)))
    ));
}

#[test]
fn damage_and_other_files_are_told_apart() {
    let dealt = Dealt::new(1, 1);
    let dir = tempfile::tempdir().unwrap();
    let path = dealt.write_share(dir.path(), 1);
    let bytes = std::fs::read(&path).unwrap();
    let attempt = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        open(&path, &dealt.holders[0]).unwrap_err().to_string()
    };
    assert!(attempt("text", b"hello").ends_with("is not a share file"));
    assert!(attempt("empty", b"").ends_with("is not a share file"));
    let mut damaged = bytes.clone();
    let at = bytes.len() - 50;
    damaged[at] = if damaged[at] == b'A' { b'B' } else { b'A' };
    assert!(attempt("damaged", &damaged).contains("is damaged"));
    assert!(attempt("cut", &bytes[..bytes.len() - 60]).contains("is damaged"));
    let recipient = &dealt.holders[0].public().recipient;
    let sealed = |plain: &[u8]| recipient.seal(plain).unwrap().into_bytes();
    assert!(
        attempt("newer", &sealed(b"dta share file v1 pon\nx")).ends_with("does not know: v1 pon")
    );
    assert!(
        attempt("not", &sealed(b"dta share file v1 plain\nx"))
            .ends_with("what is in it is not a share")
    );
}

#[test]
fn a_share_under_a_pin_opens_with_it_alone_and_is_unharmed_by_another() {
    let dealt = Dealt::new(2, 3);
    let dir = tempfile::tempdir().unwrap();
    let pin = |text: &str| SharePin::entered(text.into()).unwrap();
    let (holder, share) = (&dealt.holders[1], &dealt.shares[1]);
    let recipient = &holder.public().recipient;
    let path = write(
        dir.path(),
        ShareCopy::weakly(2, &pin("2468")),
        share,
        recipient,
    )
    .unwrap();
    assert!(path.to_string_lossy().ends_with("-1-2-2.share"));
    let error = open(&path, holder).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("is under a PIN, and no PIN was given")
    );
    let before = std::fs::read(&path).unwrap();
    let unsealed = unseal(&path, holder).unwrap();
    assert_eq!(unsealed.header(), share.header());
    let error = unsealed.with_pin(Some(&pin("2469"))).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("-1-2-2.share; the share is unharmed"),
        "{error}"
    );
    assert_eq!(error.verdict(), None);
    assert_eq!(std::fs::read(&path).unwrap(), before);
    let opened = unseal(&path, holder)
        .unwrap()
        .with_pin(Some(&pin("2468")))
        .unwrap();
    assert_eq!(opened.encoded(), share.encode().as_slice());
    // The PIN alone is worth nothing: a colleague does not get as far as being asked for it.
    assert!(matches!(
        unseal(&path, &dealt.holders[0]),
        Err(ShareFileError::NotForThisHolder { .. })
    ));
}

#[test]
fn a_share_file_can_be_looked_at_without_a_key() {
    let dealt = Dealt::new(2, 3);
    let dir = tempfile::tempdir().unwrap();
    let path = dealt.write_share(dir.path(), 3);
    assert_eq!(look_at(&path).unwrap().name.unwrap().index.get(), 3);
    let renamed = dir.path().join("mine");
    std::fs::rename(&path, &renamed).unwrap();
    assert_eq!(look_at(&renamed).unwrap().name, None);
    std::fs::write(&path, "hello").unwrap();
    assert!(matches!(
        look_at(&path),
        Err(ShareFileError::NotAShareFile(_))
    ));
}

#[test]
fn share_file_names_have_one_spelling() {
    let good = format!("{}-1-16-1.share", "ab".repeat(16));
    assert_eq!(good.parse::<ShareFileName>().unwrap().to_string(), good);
    for bad in [
        "",
        "x.share",
        &good.replace("-16-", "-017-"),
        &good.replace("-1-", "-01-"),
        &good.replace("-16-", "-17-"),
    ] {
        assert_eq!(
            bad.parse::<ShareFileName>().unwrap_err().to_string(),
            "not the name of a share file: SETID-EPOCH-INDEX-COPY.share"
        );
    }
}
