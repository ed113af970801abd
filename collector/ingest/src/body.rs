//! Request bodies: read whole, within limits of size, time and what all of them hold together.

use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

use crate::refused::Refused;

/// A decoder that keeps to it can read every stream that a web server may be sent: 8 MiB, by
/// [RFC 9659](https://www.rfc-editor.org/rfc/rfc9659).
const ZSTD_WINDOW_LOG: u32 = 23;
/// How much more of a body that is refused is read and thrown away, …
const MOST_IGNORED: usize = 64 << 20;
/// … and for how long.
const LONGEST_IGNORED: Duration = Duration::from_secs(2);

/// What all bodies that are being read hold together.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    bytes: Arc<Semaphore>,
    total: usize,
    patience: Duration,
    retry_after: Duration,
}

/// A body's part of the budget, given back when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Share(Option<OwnedSemaphorePermit>);

impl Budget {
    pub(crate) fn new(total: usize, patience: Duration, retry_after: Duration) -> Self {
        let total = total.min(Semaphore::MAX_PERMITS).min(u32::MAX as usize);
        Self {
            bytes: Arc::new(Semaphore::new(total)),
            total,
            patience,
            retry_after,
        }
    }

    /// Bytes that are held.
    pub(crate) fn held(&self) -> u64 {
        self.total.saturating_sub(self.bytes.available_permits()) as u64
    }

    async fn grow(&self, share: &mut Share, bytes: usize) -> Result<(), Refused> {
        let busy = Refused::Busy {
            retry_after: self.retry_after,
        };
        let Ok(count) = u32::try_from(bytes) else {
            return Err(busy);
        };
        let more = match Arc::clone(&self.bytes).try_acquire_many_owned(count) {
            Ok(more) => more,
            Err(TryAcquireError::Closed) => return Err(Refused::Internal),
            Err(TryAcquireError::NoPermits) => {
                let wait = Arc::clone(&self.bytes).acquire_many_owned(count);
                match tokio::time::timeout(self.patience, wait).await {
                    Ok(Ok(more)) => more,
                    Ok(Err(_)) | Err(_) => return Err(busy),
                }
            }
        };
        match &mut share.0 {
            Some(held) => held.merge(more),
            None => share.0 = Some(more),
        }
        Ok(())
    }
}

/// What the start of a body says of the whole: how many bytes there will be, once that can be told.
pub(crate) type Announced = fn(&[u8]) -> Option<u64>;

/// Reads a body to its end. One that announces more than the limit is refused before the rest of it has come.
pub(crate) async fn read<B>(
    body: B,
    limit: usize,
    announced: Announced,
    time: Duration,
    budget: &Budget,
) -> Result<(Bytes, Share), Refused>
where
    B: Body<Data = Bytes> + Unpin,
{
    tokio::time::timeout(time, read_all(body, limit, announced, budget))
        .await
        .unwrap_or(Err(Refused::Slow))
}

async fn read_all<B>(
    mut body: B,
    limit: usize,
    announced: Announced,
    budget: &Budget,
) -> Result<(Bytes, Share), Refused>
where
    B: Body<Data = Bytes> + Unpin,
{
    let too_large = Refused::TooLarge { limit, what: "" };
    if body.size_hint().lower() > limit as u64 {
        ignore(body).await;
        return Err(too_large);
    }
    let mut share = Share::default();
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        // The connection broke, or the client gave up: nobody is there to hear of it.
        let frame = frame.map_err(|_| Refused::Malformed {
            message: "the body stopped half way".into(),
        })?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if first.len().max(all.len()) + data.len() > limit {
            drop((first, all, share));
            ignore(body).await;
            return Err(too_large);
        }
        if let Err(busy) = budget.grow(&mut share, data.len()).await {
            drop((first, all, share, data));
            ignore(body).await;
            return Err(busy);
        }
        if first.is_empty() {
            first = data;
        } else {
            if all.is_empty() {
                all.extend_from_slice(&first);
            }
            all.extend_from_slice(&data);
        }
        let start = if all.is_empty() { &first[..] } else { &all[..] };
        if announced(start).is_some_and(|bytes| bytes > limit as u64) {
            drop((first, all, share));
            ignore(body).await;
            return Err(too_large);
        }
    }
    Ok((if all.is_empty() { first } else { all.freeze() }, share))
}

/// Reads the rest of a body that is refused and throws it away, within bounds: who is still sending when the connection
/// is closed may not get to read the answer.
pub(crate) async fn ignore<B>(mut body: B)
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut ignored = 0;
    let due = Instant::now() + LONGEST_IGNORED;
    while ignored < MOST_IGNORED
        && let Ok(Some(Ok(frame))) = tokio::time::timeout_at(due.into(), body.frame()).await
    {
        ignored += frame.data_ref().map_or(0, Bytes::len);
    }
}

/// How a body is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Identity,
    Gzip,
    Zstd,
}

impl Encoding {
    /// Reads the values of `Content-Encoding`. A list of several encodings is not taken.
    pub(crate) fn of<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, Refused> {
        let mut values = values.into_iter();
        let (value, more) = (values.next().unwrap_or_default(), values.next());
        let is = |name: &str| value.trim_ascii().eq_ignore_ascii_case(name.as_bytes());
        if more.is_some() {
            return Err(Refused::Unsupported {
                message: "more than one content encoding: gzip, zstd or identity are taken".into(),
            });
        }
        if value.is_empty() || is("identity") {
            Ok(Self::Identity)
        } else if is("gzip") || is("x-gzip") {
            Ok(Self::Gzip)
        } else if is("zstd") {
            Ok(Self::Zstd)
        } else {
            let name: String = String::from_utf8_lossy(value).chars().take(40).collect();
            Err(Refused::Unsupported {
                message: format!("content encoding {name:?}: gzip, zstd or identity are taken"),
            })
        }
    }
}

/// Decompresses a body. Reading stops one byte after the limit, whatever the body would grow to.
pub(crate) fn decompress(body: Bytes, encoding: Encoding, limit: usize) -> Result<Bytes, Refused> {
    let mut plain = Vec::new();
    let outcome = match encoding {
        Encoding::Identity => return Ok(body),
        Encoding::Gzip => flate2::read::MultiGzDecoder::new(&*body)
            .take(limit as u64 + 1)
            .read_to_end(&mut plain),
        Encoding::Zstd => zstd::Decoder::with_buffer(&*body).and_then(|mut decoder| {
            decoder.window_log_max(ZSTD_WINDOW_LOG)?;
            decoder.take(limit as u64 + 1).read_to_end(&mut plain)
        }),
    };
    match outcome {
        Err(_) => Err(Refused::Malformed {
            message: format!("the body is not {encoding:?}, as its content encoding says").to_lowercase(),
        }),
        Ok(_) if plain.len() > limit => Err(Refused::TooLarge {
            limit,
            what: " after decompression",
        }),
        Ok(_) => Ok(plain.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use http_body_util::Full;

    use super::*;

    fn gzip(plain: &[u8]) -> Bytes {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(plain).expect("compressed");
        encoder.finish().expect("compressed").into()
    }

    #[test]
    fn what_was_compressed_comes_back() {
        let plain = b"spans, spans, spans".repeat(100);
        let zstd: Bytes = zstd::encode_all(&*plain, 3).expect("compressed").into();
        for (body, encoding) in [(gzip(&plain), Encoding::Gzip), (zstd, Encoding::Zstd)] {
            assert_eq!(decompress(body, encoding, plain.len()).expect("decompressed"), plain);
        }
    }

    #[test]
    fn a_bomb_stops_at_the_limit() {
        let plain = vec![0; 30 << 20];
        let zstd: Bytes = zstd::encode_all(&*plain, 3).expect("compressed").into();
        let gzip = gzip(&plain);
        assert!(gzip.len() < 60 << 10 && zstd.len() < 6 << 10);
        drop(plain);
        for (body, encoding) in [(gzip, Encoding::Gzip), (zstd, Encoding::Zstd)] {
            let refused = decompress(body, encoding, 1 << 20).expect_err("refused");
            assert!(
                matches!(refused, Refused::TooLarge { limit: 1_048_576, .. }),
                "{refused}"
            );
        }
    }

    #[test]
    fn a_zstd_stream_that_wants_a_large_window_is_refused() {
        let mut encoder = zstd::Encoder::new(Vec::new(), 3).expect("an encoder");
        encoder.window_log(27).expect("allowed to a writer");
        encoder.write_all(&[7; 1000]).expect("compressed");
        let body = encoder.finish().expect("compressed");
        let refused = decompress(body.into(), Encoding::Zstd, 1 << 20).expect_err("refused");
        assert!(matches!(refused, Refused::Malformed { .. }), "{refused}");
    }

    #[test]
    fn encodings_are_named_in_any_case() {
        let of = |value: &'static str| Encoding::of([value.as_bytes()]);
        assert_eq!(Encoding::of([]), Ok(Encoding::Identity));
        assert_eq!(of("GZip"), Ok(Encoding::Gzip));
        assert_eq!(of("zstd"), Ok(Encoding::Zstd));
        for value in ["deflate", "br", "gzip, zstd", "none"] {
            assert!(matches!(of(value), Err(Refused::Unsupported { .. })), "{value}");
        }
        assert!(Encoding::of([b"gzip".as_slice(), b"zstd"]).is_err());
    }

    #[tokio::test]
    async fn bodies_share_a_budget() {
        let budget = Budget::new(100, Duration::from_millis(1), Duration::from_secs(1));
        let time = Duration::from_secs(5);
        let body = |bytes| Full::new(Bytes::from(vec![0; bytes]));
        let (_, first) = read(body(60), 200, |_| None, time, &budget).await.expect("room");
        assert_eq!(budget.held(), 60);
        let refused = read(body(60), 200, |_| None, time, &budget).await.expect_err("refused");
        assert!(matches!(refused, Refused::Busy { .. }));
        drop(first);
        read(body(60), 200, |_| None, time, &budget).await.expect("room again");
        assert_eq!(budget.held(), 0);
    }
}
