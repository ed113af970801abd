//! Frames: how batches of spans lie in a file, and how the sound ones are found again in a file that was damaged.
//!
//! A frame is a mark of four bytes, the length of its payload (u32, little-endian), the CRC-32 of length and payload
//! (u32, little-endian), and the payload. The mark begins with a byte that UTF-8 never holds, so that no text of a
//! client can look like a frame.

use flockscope_model::Span;
use memchr::memmem;

use crate::record;

/// Bytes before the payload.
pub(crate) const HEAD: usize = 12;
const MARK: [u8; 4] = [0xf5, b'S', b'p', 0xf5];

/// One frame with these spans. `None` where it would be larger than a length can say (4 GiB).
pub(crate) fn encode(spans: &[Span]) -> Option<Vec<u8>> {
    let guess = spans.iter().map(record::held_bytes).sum::<usize>();
    let mut frame = Vec::with_capacity(HEAD + guess);
    frame.resize(HEAD, 0);
    let mut frame = record::encode(spans, frame).ok()?;
    let (head, payload) = frame.split_at_mut(HEAD);
    let length = u32::try_from(payload.len()).ok()?.to_le_bytes();
    let sum = checksum(length, payload);
    for (to, from) in head
        .iter_mut()
        .zip(MARK.iter().chain(&length).chain(&sum.to_le_bytes()))
    {
        *to = *from;
    }
    Some(frame)
}

fn checksum(length: [u8; 4], payload: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&length);
    sum.update(payload);
    sum.finalize()
}

/// What a stretch of a file is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stretch<'a> {
    /// A sound frame, at this place.
    Frame {
        /// Of the frame's first byte.
        offset: usize,
        /// Without the head.
        payload: &'a [u8],
    },
    /// The end of the file, which was being written when the process or the machine ended. It was never acknowledged,
    /// or not yet synced.
    Torn { offset: usize },
    /// Bytes that were once sound.
    Damaged { offset: usize, bytes: usize },
}

/// The stretches of a file, from a place on.
pub(crate) fn stretches(file: &[u8], from: usize) -> impl Iterator<Item = Stretch<'_>> {
    let mut offset = from;
    std::iter::from_fn(move || {
        let rest = file.get(offset..).filter(|rest| !rest.is_empty())?;
        if let Some(payload) = frame_at(rest) {
            let frame = Stretch::Frame { offset, payload };
            offset += HEAD + payload.len();
            return Some(frame);
        }
        let start = offset;
        let next = memmem::find_iter(rest, &MARK)
            .filter(|place| *place > 0)
            .find(|place| rest.get(*place..).and_then(frame_at).is_some());
        match next {
            Some(bytes) => {
                offset += bytes;
                Some(Stretch::Damaged { offset: start, bytes })
            }
            None => {
                offset = file.len();
                Some(if is_torn(rest) {
                    Stretch::Torn { offset: start }
                } else {
                    Stretch::Damaged {
                        offset: start,
                        bytes: rest.len(),
                    }
                })
            }
        }
    })
}

/// The payload of a sound frame at the start of the bytes.
pub(crate) fn frame_at(bytes: &[u8]) -> Option<&[u8]> {
    let (mark, rest) = bytes.split_first_chunk::<4>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (sum, rest) = rest.split_first_chunk::<4>()?;
    let payload = rest.get(..u32::from_le_bytes(*length) as usize)?;
    (*mark == MARK && checksum(*length, payload) == u32::from_le_bytes(*sum)).then_some(payload)
}

/// Whether bytes that are no frame look like a frame that was not written to its end: its head or its payload stops
/// with the file, or the file system had given it room (zeros) but no content yet.
fn is_torn(rest: &[u8]) -> bool {
    if rest.iter().all(|byte| *byte == 0) {
        return true;
    }
    match rest.split_first_chunk::<HEAD>() {
        None => true,
        Some((head, payload)) => {
            let [m0, m1, m2, m3, l0, l1, l2, l3, ..] = *head;
            [m0, m1, m2, m3] == MARK && u32::from_le_bytes([l0, l1, l2, l3]) as usize > payload.len()
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::tests::full_span;

    fn frames(count: usize) -> Vec<Vec<u8>> {
        (0..count).map(|i| encode(&[full_span(i)]).expect("a frame")).collect()
    }

    fn sound(file: &[u8]) -> Vec<Vec<Span>> {
        stretches(file, 0)
            .filter_map(|stretch| match stretch {
                Stretch::Frame { payload, .. } => Some(record::decode(payload).expect("records")),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn frames_are_read_in_their_order() {
        let file = frames(3).concat();
        assert_eq!(sound(&file), [[full_span(0)], [full_span(1)], [full_span(2)]]);
    }

    #[test]
    fn an_end_that_was_cut_anywhere_is_torn() {
        let frames = frames(2);
        let file = frames.concat();
        for end in frames[0].len() + 1..file.len() {
            let last = stretches(&file[..end], 0).last().expect("an end");
            assert_eq!(
                last,
                Stretch::Torn {
                    offset: frames[0].len()
                },
                "{end} bytes"
            );
            assert_eq!(sound(&file[..end]).len(), 1);
        }
        let mut zeros = file.clone();
        zeros.resize(file.len() + 4096, 0);
        assert_eq!(stretches(&zeros, 0).last(), Some(Stretch::Torn { offset: file.len() }));
    }

    #[test]
    fn a_damaged_length_does_not_hide_the_next_frame() {
        let frames = frames(3);
        let mut file = frames.concat();
        file[frames[0].len() + 6] ^= 0x7f;
        assert_eq!(sound(&file), [[full_span(0)], [full_span(2)]]);
        assert!(stretches(&file, 0).any(|stretch| stretch
            == Stretch::Damaged {
                offset: frames[0].len(),
                bytes: frames[1].len()
            }));
    }

    #[test]
    fn a_last_frame_that_is_whole_but_wrong_is_damaged() {
        let mut file = frames(1).concat();
        let end = file.len() - 1;
        file[end] ^= 1;
        assert!(matches!(
            stretches(&file, 0).last(),
            Some(Stretch::Damaged { offset: 0, .. })
        ));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        /// A changed byte costs at most the frame that it is in, and nothing is read that was not written.
        #[test]
        fn a_changed_byte_costs_one_frame(place in any::<proptest::sample::Index>(), change in 1_u8..) {
            let mut file = frames(5).concat();
            let place = place.index(file.len());
            file[place] ^= change;
            let read = sound(&file);
            prop_assert_eq!(read.len(), 4);
            for spans in read {
                prop_assert!((0..5).any(|i| spans == [full_span(i)]));
            }
        }

        /// Any bytes are read to their end, without a panic and without overlap.
        #[test]
        fn any_bytes_are_read_to_their_end(file in proptest::collection::vec(any::<u8>(), 0..600)) {
            prop_assert!(stretches(&file, 0).count() <= file.len());
        }
    }
}
