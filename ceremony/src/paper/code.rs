//! Bytes as lines of words in which every mistake is found, and a single one located.
//!
//! A line is eight words of the English BIP-39 list: six of data (66 bits) and two of check, a Reed-Solomon code over
//! GF(2^11) (x^11 + x^2 + 1) with the line's number as a ninth symbol that is not written. With `a = x`:
//!
//! ```text
//! w0 + ... + w7 + n                    = 0
//! w0 + w1 a + ... + w7 a^7 + n a^8     = 0        n the number of the line, from 1
//! ```
//!
//! So one wrong word is named by its place, one or two are always noticed, and a line in the place of another is known as
//! what it is. More than that, the checksum of the whole page finds.

use bip39::Language;

use super::PaperError;

const WORDS: usize = 8;
const DATA_WORDS: usize = 6;
const BITS: usize = 11;
const MODULUS: u32 = 0b1000_0000_0101;

/// How many lines `bytes` take.
pub(super) fn lines_for(bytes: usize) -> usize {
    (bytes * 8).div_ceil(DATA_WORDS * BITS)
}

/// The lines of `bytes`, the last one padded with zero bits.
pub(super) fn to_lines(bytes: &[u8]) -> Vec<String> {
    let bit = |at: usize| bytes.get(at / 8).map_or(0, |byte| byte >> (7 - at % 8) & 1);
    let symbol =
        |number: usize| (0..BITS).fold(0, |s, i| s << 1 | u16::from(bit(number * BITS + i)));
    (0..lines_for(bytes.len()))
        .map(|line| {
            let mut symbols = [0; WORDS];
            for (at, place) in symbols.iter_mut().take(DATA_WORDS).enumerate() {
                *place = symbol(line * DATA_WORDS + at);
            }
            add_check(&mut symbols, number_symbol(line + 1));
            let list = Language::English.word_list();
            symbols.map(|symbol| list[usize::from(symbol)]).join(" ")
        })
        .collect()
}

/// The 66 bits of line `number`, as six symbols.
pub(super) fn from_line(number: usize, text: &str) -> Result<[u16; DATA_WORDS], PaperError> {
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower.split_whitespace().collect();
    let mut symbols = [0; WORDS];
    for (at, word) in words.iter().enumerate() {
        let known = Language::English.find_word(word);
        let symbol = known.ok_or_else(|| PaperError::UnknownWord {
            line: number,
            word: at + 1,
            text: word.chars().take(20).collect(),
        })?;
        if let Some(place) = symbols.get_mut(at) {
            *place = symbol;
        }
    }
    if words.len() != WORDS {
        return Err(PaperError::Count {
            line: number,
            have: words.len(),
        });
    }
    check(number, &symbols)?;
    let (data, _) = symbols
        .split_first_chunk()
        .expect("eight words are at least six");
    Ok(*data)
}

/// The bytes behind the symbols of all lines, with the padding.
pub(super) fn to_bytes(symbols: impl Iterator<Item = u16>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (mut held, mut bits) = (0u32, 0);
    for symbol in symbols {
        held = held << BITS | u32::from(symbol);
        bits += BITS;
        while bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits & 0xff) as u8);
        }
        held &= (1 << bits) - 1;
    }
    bytes
}

fn check(number: usize, symbols: &[u16; WORDS]) -> Result<(), PaperError> {
    let n = number_symbol(number);
    let sum = symbols.iter().fold(n, |sum, symbol| sum ^ symbol);
    let weighted = weigh(symbols) ^ times(n, power(WORDS));
    if sum == 0 && weighted == 0 {
        return Ok(());
    }
    // One wrong symbol at place j, off by `sum`, makes `weighted` = sum * a^j.
    match (0..=WORDS).find(|j| times(sum, power(*j)) == weighted) {
        Some(WORDS) => Err(PaperError::OtherLine {
            line: number,
            is: usize::from(n ^ sum),
        }),
        Some(at) => Err(PaperError::WrongWord {
            line: number,
            word: at + 1,
        }),
        None => Err(PaperError::WrongLine { line: number }),
    }
}

fn add_check(symbols: &mut [u16; WORDS], n: u16) {
    let (first, second) = (power(WORDS - 2), power(WORDS - 1));
    let sum = symbols.iter().fold(n, |sum, symbol| sum ^ symbol);
    let weighted = weigh(symbols) ^ times(n, power(WORDS));
    let last = times(weighted ^ times(sum, first), inverse(first ^ second));
    symbols[WORDS - 1] = last;
    symbols[WORDS - 2] = sum ^ last;
}

fn weigh(symbols: &[u16; WORDS]) -> u16 {
    let terms = symbols.iter().enumerate();
    terms.fold(0, |sum, (at, symbol)| sum ^ times(*symbol, power(at)))
}

fn number_symbol(line: usize) -> u16 {
    u16::try_from(line % (1 << BITS)).expect("less than 2^11")
}

fn power(exponent: usize) -> u16 {
    (0..exponent).fold(1, |power, _| times(power, 2))
}

/// `x^(2^11 - 2)`, which is 1 / x.
fn inverse(x: u16) -> u16 {
    (0..(1 << BITS) - 2).fold(1, |product, _| times(product, x))
}

fn times(a: u16, b: u16) -> u16 {
    let mut product = 0u32;
    for bit in (0..BITS).rev() {
        product <<= 1;
        if product >> BITS != 0 {
            product ^= MODULUS;
        }
        if b >> bit & 1 == 1 {
            product ^= u32::from(a);
        }
    }
    u16::try_from(product).expect("reduced below 2^11")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(lines: &[String]) -> Vec<u8> {
        let symbols = lines.iter().enumerate();
        to_bytes(symbols.flat_map(|(at, line)| from_line(at + 1, line).unwrap()))
    }

    #[test]
    fn the_field_is_a_field() {
        for x in 1..1 << BITS {
            assert_eq!(times(x, inverse(x)), 1, "{x}");
        }
        let mut seen: Vec<_> = (0..=WORDS).map(power).collect();
        seen.dedup();
        assert_eq!(seen.len(), WORDS + 1);
    }

    #[test]
    fn lines_are_pinned_for_ever() {
        assert_eq!(
            to_lines(&[0; 8]),
            ["abandon abandon abandon abandon abandon abandon able about"]
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        #[test]
        fn lines_round_trip(bytes in proptest::collection::vec(any::<u8>(), 1..300)) {
            let lines = to_lines(&bytes);
            prop_assert_eq!(lines.len(), lines_for(bytes.len()));
            prop_assert!(lines.iter().all(|line| line.len() <= 71));
            prop_assert_eq!(&read(&lines)[..bytes.len()], &bytes[..]);
        }

        #[test]
        fn any_one_wrong_word_is_located_and_any_two_are_noticed(
            bytes in proptest::collection::vec(any::<u8>(), 80), line in 0usize..9,
            (at, also) in (0usize..8, 0usize..8), (word, other) in (0usize..2048, 0usize..2048),
        ) {
            let lines = to_lines(&bytes);
            let list = Language::English.word_list();
            let mut words: Vec<_> = lines[line].split(' ').collect();
            prop_assume!(words[at] != list[word]);
            words[at] = list[word];
            prop_assert_eq!(
                from_line(line + 1, &words.join(" ")).unwrap_err(),
                PaperError::WrongWord { line: line + 1, word: at + 1 }
            );
            words[also] = list[other];
            if words.join(" ") != lines[line] {
                prop_assert!(from_line(line + 1, &words.join(" ")).is_err());
            }
        }

        #[test]
        fn a_line_in_the_place_of_another_is_known_as_what_it_is(
            bytes in proptest::collection::vec(any::<u8>(), 80), here in 1usize..9, there in 1usize..9,
        ) {
            prop_assume!(here != there);
            let lines = to_lines(&bytes);
            prop_assert_eq!(
                from_line(here, &lines[there - 1]).unwrap_err(),
                PaperError::OtherLine { line: here, is: there }
            );
        }
    }
}
