//! What is printed: the page as text, and as HTML that needs nothing else.

use std::fmt::Write as _;

use qrcode::render::{svg, unicode};
use qrcode::{EcLevel, QrCode};
use quorum::ShareHeader;

use super::{Page, PaperError};

const INTO_A_STRING: &str = "writing into a string does not fail";

const WHAT_TO_DO: &str = "\
This page is one share of a D-TA's unlock secret. It is sealed: without what
`form` names nobody can read it. Keep it as you would keep a key: dry, dark and
locked away, never in one place with the holder's key file or passphrase. Do not
photograph it. Two copies of one share are still one share.

To use it:    dta unlock --paper - --holder-key NAME.holder
and type the words of each line. A mistyped word is named at once, and only that
line is typed again. Or scan the QR code into a file and pass its name in place
of the dash.";

/// The page as plain text of 80 columns, with the QR code in block characters.
///
/// # Errors
/// [`PaperError::CannotMake`].
pub fn text(header: &ShareHeader, page: &Page) -> Result<String, PaperError> {
    let qr = qr(page)?.render::<unicode::Dense1x2>().build();
    Ok(format!(
        "SHARE ON PAPER\n\n{}\n{WHAT_TO_DO}\n\nThe words, from left to right:\n\n{}\n{qr}\n",
        facts(header, page),
        numbered_lines(page)
    ))
}

/// The page as HTML that prints on one sheet, with the QR code drawn.
///
/// # Errors
/// [`PaperError::CannotMake`].
pub fn html(header: &ShareHeader, page: &Page) -> Result<String, PaperError> {
    let drawn = qr(page)?
        .render::<svg::Color<'_>>()
        .min_dimensions(240, 240)
        .build();
    let qr = drawn
        .split_once("<svg")
        .map_or(drawn.as_str(), |(_, rest)| rest);
    Ok(format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Share on paper</title>\n<style>\n\
         body {{ font: 11pt/1.4 serif; max-width: 48em; margin: 1.5em auto; }}\n\
         pre {{ font: 10pt/1.5 monospace; }}\n\
         @page {{ margin: 15mm; }}\n</style>\n</head>\n<body>\n<h1>Share on paper</h1>\n<pre>{}</pre>\n<pre>{}</pre>\n\
         <pre>{}</pre>\n<svg{qr}\n</body>\n</html>\n",
        escaped(&facts(header, page)),
        escaped(WHAT_TO_DO),
        escaped(&numbered_lines(page)),
    ))
}

fn facts(header: &ShareHeader, page: &Page) -> String {
    format!(
        "authority  {}\nset        {}, epoch {}\nshare      {} of {}, {} open\nholder     {}\ncopy       {}\nform       {}\n\
         checksum   {}\n",
        header.genesis,
        header.set_id,
        header.epoch,
        header.index,
        header.threshold.n(),
        header.threshold.m(),
        header.holder,
        page.copy(),
        page.form().describe(),
        page.checksum()
    )
}

fn numbered_lines(page: &Page) -> String {
    let mut text = String::new();
    for (at, line) in page.lines().iter().enumerate() {
        writeln!(text, "{:>3}  {line}", at + 1).expect(INTO_A_STRING);
    }
    text
}

fn qr(page: &Page) -> Result<QrCode, PaperError> {
    QrCode::with_error_correction_level(page.qr_text(), EcLevel::M)
        .map_err(|_| PaperError::CannotMake("too much for a QR code"))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
