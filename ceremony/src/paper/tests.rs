//! Any change of a page is noticed, and named by its line.

use proptest::prelude::*;

use super::*;
use crate::testing::Dealt;

fn pin(text: &str) -> SharePin {
    SharePin::entered(text.into()).unwrap()
}

fn printed() -> (Dealt, Page, String) {
    let dealt = Dealt::new(2, 3);
    let recipient = &dealt.holders[1].public().recipient;
    let page = Page::seal_weakly(&dealt.shares[1], 1, Protection::Key(recipient)).unwrap();
    let text = text(&dealt.shares[1].header(), &page).unwrap();
    (dealt, page, text)
}

#[test]
fn a_printed_page_reads_back_from_its_words_and_from_its_qr_code() {
    let (dealt, page, text) = printed();
    let words = Page::read(&text).unwrap();
    assert_eq!(words, page);
    assert_eq!(Page::read(&page.qr_text()).unwrap(), page);
    let opened = words
        .unseal(&dealt.holders[1])
        .unwrap()
        .without_pin()
        .unwrap();
    assert_eq!(opened.encoded(), dealt.shares[1].encode().as_slice());
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
    for fact in [
        "share      2 of 3, 2 open",
        "holder     holder-2",
        &page.checksum(),
    ] {
        assert!(text.contains(fact), "{fact}: {text}");
    }
}

#[test]
fn the_html_page_needs_nothing_else_and_has_the_same_words() {
    let (dealt, page, _) = printed();
    let html = html(&dealt.shares[1].header(), &page).unwrap();
    assert!(html.contains("<svg") && html.contains("</svg>"));
    assert!(!html.contains("<script") && !html.contains("src=") && !html.contains("href="));
    assert_eq!(Page::read(&html.replace("<pre>", "\n")).unwrap(), page);
}

#[test]
fn the_bare_value_is_never_on_the_page() {
    let (dealt, page, _) = printed();
    let encoded = dealt.shares[1].encode();
    let value = &encoded[encoded.len() - 40..encoded.len() - 8];
    assert!(!page.data.windows(8).any(|window| window == &value[..8]));
}

#[test]
fn a_colleague_cannot_open_a_page() {
    let (dealt, page, _) = printed();
    let error = page.unseal(&dealt.holders[0]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the page is not sealed to the key of holder-1: it is another holder's share"
    );
    assert_eq!(error.verdict(), Some("wrong-holder"));
}

#[test]
fn a_page_may_carry_a_pin_and_a_page_without_a_key_needs_more_than_digits() {
    let dealt = Dealt::new(1, 1);
    let (share, holder) = (&dealt.shares[0], &dealt.holders[0]);
    let recipient = &holder.public().recipient;
    let (digits, phrase) = (pin("2468"), pin("eleven otters row upstream"));
    for (protection, right) in [
        (Protection::KeyAndPin(recipient, &digits), &digits),
        (Protection::Passphrase(&phrase), &phrase),
    ] {
        let page = Page::seal_weakly(share, 2, protection).unwrap();
        let page = Page::read(&text(&share.header(), &page).unwrap()).unwrap();
        assert_eq!(page.copy(), 2);
        let unsealed = || page.unseal(holder).unwrap();
        assert_eq!(unsealed().header(), share.header());
        let error = unsealed().with_pin(Some(&pin("1357"))).unwrap_err();
        assert_eq!(
            error.to_string(),
            "wrong PIN for the page; the share is unharmed"
        );
        let opened = unsealed().with_pin(Some(right)).unwrap();
        assert_eq!(opened.encoded(), share.encode().as_slice());
    }
    let error = Page::seal_weakly(share, 1, Protection::Passphrase(&digits)).unwrap_err();
    assert_eq!(error.to_string(), "digits alone do not protect a page");
}

#[test]
fn typing_goes_on_after_a_mistake() {
    let (_, page, _) = printed();
    let lines = page.lines();
    let mut entry = Entry::default();
    for (at, line) in lines.iter().enumerate() {
        assert_eq!(entry.next_line(), Some(at + 1));
        let mistyped = line.replacen(' ', "x ", 1);
        let error = entry.enter(&mistyped).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("line {}, word 1: ", at + 1)),
            "{error}"
        );
        entry.enter(line).unwrap();
        assert_eq!(entry.of(), Some(lines.len()));
    }
    assert_eq!(entry.next_line(), None);
    assert_eq!(entry.finish().unwrap(), page);
}

#[test]
fn missing_repeated_and_foreign_lines_are_named() {
    let (_, page, _) = printed();
    let numbered = |page: &Page| -> Vec<String> {
        let lines = page.lines();
        (1..)
            .zip(lines)
            .map(|(n, line)| format!("{n} {line}"))
            .collect()
    };
    let lines = numbered(&page);
    let refusal = |lines: &[String]| Page::read(&lines.join("\n")).unwrap_err().to_string();
    let mut without = lines.clone();
    without.remove(3);
    assert_eq!(refusal(&without), "line 4 is missing");
    assert_eq!(
        refusal(&lines[..lines.len() - 1]),
        format!("line {} is missing", lines.len())
    );
    let mut twice = lines.clone();
    twice.push(lines[2].clone());
    assert_eq!(refusal(&twice), "line 3 is there twice");
    let (_, other, _) = printed();
    let mut mixed = lines.clone();
    mixed[5] = numbered(&other)[5].clone();
    assert_eq!(
        refusal(&mixed),
        "every line is right, but they are not the lines of one page"
    );
    assert_eq!(
        refusal(&["hello".to_owned()]),
        "there are no numbered lines of words here, nor the text of a QR code"
    );
    let cut = page.qr_text()[..60].to_owned();
    assert_eq!(refusal(&[cut]), "the text of the QR code is damaged");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn any_changed_word_is_noticed_and_named(line in 0usize..20, word in 0usize..8, other in 0usize..2048) {
        let (_, page, _) = printed();
        let mut lines: Vec<Vec<String>> =
            page.lines().iter().map(|line| line.split(' ').map(str::to_owned).collect()).collect();
        let line = line % lines.len();
        let list = bip39::Language::English.word_list();
        prop_assume!(lines[line][word] != list[other]);
        list[other].clone_into(&mut lines[line][word]);
        let text: String =
            (1..).zip(&lines).map(|(n, line)| format!("{n} {}\n", line.join(" "))).collect();
        prop_assert_eq!(
            Page::read(&text).unwrap_err(),
            PaperError::WrongWord { line: line + 1, word: word + 1 }
        );
    }

    #[test]
    fn any_changed_character_is_noticed_and_its_line_named(at in any::<prop::sample::Index>(), to in "[a-z]") {
        let (_, page, _) = printed();
        let lines = page.lines();
        let mut text: String = (1..).zip(&lines).map(|(n, line)| format!("{n} {line}\n")).collect();
        let letters: Vec<usize> =
            text.char_indices().filter(|(_, c)| c.is_ascii_lowercase()).map(|(at, _)| at).collect();
        let at = letters[at.index(letters.len())];
        prop_assume!(text[at..=at] != to);
        let line = text[..at].lines().count();
        text.replace_range(at..=at, &to);
        let error = Page::read(&text).unwrap_err().to_string();
        prop_assert!(error.starts_with(&format!("line {line}, word ")), "{}", error);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "([0-9]{1,2} )?([a-z]{3,5} |abandon |zoo ){0,20}\n?.{0,20}") {
        let _ = Page::read(&text);
        let _ = Page::read(&format!("{QR_PREFIX}{text}"));
    }
}
