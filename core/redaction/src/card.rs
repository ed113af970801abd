//! Numbers of payment cards within texts.

use std::ops::Range;

/// A run of digits with single spaces or hyphens between them, long enough for a card.
pub(crate) const RUN: &str = "[0-9](?:[ -]?[0-9]){12,}";

/// The numbers of cards within a run: from and to a place where no other digit follows at once.
pub(crate) fn cards(run: &str) -> Vec<Range<usize>> {
    let bytes = run.as_bytes();
    let is_digit = |place: usize| bytes.get(place).is_some_and(u8::is_ascii_digit);
    let mut found = Vec::new();
    let mut start = 0;
    while start < bytes.len() {
        let begins = is_digit(start) && (start == 0 || !is_digit(start - 1));
        match begins.then(|| longest_card(bytes, start)).flatten() {
            Some(end) => {
                found.push(start..end);
                start = end;
            }
            None => start += 1,
        }
    }
    found
}

/// Where the longest number of a card that begins at `start` ends.
fn longest_card(bytes: &[u8], start: usize) -> Option<usize> {
    let mut digits = Vec::with_capacity(19);
    let mut end = None;
    for (place, byte) in bytes.iter().enumerate().skip(start) {
        if !byte.is_ascii_digit() {
            continue;
        }
        digits.push(byte - b'0');
        if digits.len() > 19 {
            break;
        }
        if !bytes.get(place + 1).is_some_and(u8::is_ascii_digit) && is_card(&digits) {
            end = Some(place + 1);
        }
    }
    end
}

/// Whether the digits are of an issuer, as many as it uses, and pass the check of Luhn (ISO/IEC 7812-1).
fn is_card(digits: &[u8]) -> bool {
    let number = |count: usize| {
        digits
            .iter()
            .take(count)
            .fold(0_u32, |number, digit| number * 10 + u32::from(*digit))
    };
    let of_issuer = match digits.len() {
        13 | 19 => number(1) == 4 || (digits.len() == 19 && matches!(number(1), 5 | 6)),
        14 => matches!(number(3), 300..=305) || matches!(number(2), 36 | 38 | 39),
        15 => matches!(number(2), 34 | 37),
        16 => matches!(number(1), 4..=6) || matches!(number(4), 2221..=2720 | 3528..=3589),
        _ => false,
    };
    let sum: u32 = (0..)
        .zip(digits.iter().rev())
        .map(|(place, digit)| match (place % 2, u32::from(*digit)) {
            (0, digit) => digit,
            (_, digit) if digit > 4 => digit * 2 - 9,
            (_, digit) => digit * 2,
        })
        .sum();
    of_issuer && sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(run: &str) -> Vec<&str> {
        cards(run).into_iter().map(|card| &run[card]).collect()
    }

    #[test]
    fn numbers_that_issuers_publish_for_tests_are_cards() {
        for card in [
            "4111111111111111",
            "4111 1111 1111 1111",
            "5555-5555-5555-4444",
            "378282246310005",
            "6011111111111117",
            "30569309025904",
            "3530111333300000",
            "2223003122003222",
            "4222222222222",
        ] {
            assert_eq!(found(card), [card], "{card}");
        }
    }

    #[test]
    fn other_numbers_are_none() {
        for number in [
            "4111111111111112",
            "1700000000000000000",
            "1234567812345670",
            "41111111111111111111",
            "0000000000000000",
            "20240101123456789",
        ] {
            assert!(found(number).is_empty(), "{number}");
        }
    }

    #[test]
    fn a_card_among_other_numbers_is_found() {
        assert_eq!(found("2023 4111 1111 1111 1111 12 24"), ["4111 1111 1111 1111"]);
        assert!(cards(&"4 1 ".repeat(100_000)).len() < 100_000);
    }
}
