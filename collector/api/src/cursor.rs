//! Where a page of traces ended, as an opaque text.

use flockscope_store::After;

use crate::problem::ApiProblem;

/// Longest trace id in a cursor.
const LONGEST_ID: usize = 1_024;

/// Writes a place: the start and the id, in hexadecimal, so that any id fits into a URI.
pub(crate) fn write(after: &After) -> String {
    let mut text = format!("{:016x}", after.start_time);
    for byte in after.trace_id.bytes() {
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

/// Reads a place.
pub(crate) fn read(text: &str) -> Result<After, ApiProblem> {
    decode(text).ok_or_else(|| ApiProblem::parameter("cursor", text, "a cursor from the field next of an answer"))
}

fn decode(text: &str) -> Option<After> {
    if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) || text.len() > 16 + 2 * LONGEST_ID {
        return None;
    }
    let (start, id) = text.split_at_checked(16)?;
    let bytes: Option<Vec<u8>> = (0..id.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(id.get(at..at + 2)?, 16).ok())
        .collect();
    let trace_id = String::from_utf8(bytes?).ok().filter(|id| !id.contains('\0'))?;
    Some(After {
        start_time: i64::from_str_radix(start, 16).ok()?,
        trace_id,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_place_comes_back(start_time in 0..i64::MAX, trace_id in "[^\\x00]{1,40}") {
            let after = After { start_time, trace_id };
            prop_assert_eq!(decode(&write(&after)), Some(after));
        }

        #[test]
        fn what_is_no_cursor_is_refused_and_nothing_breaks(text in "\\PC{0,60}") {
            if let Some(after) = decode(&text) {
                prop_assert_eq!(write(&after), text.to_lowercase());
            }
        }
    }
}
