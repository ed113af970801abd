//! A file as a stream of bytes, unpacked if it is gzip or zstd, told by its first bytes.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;

use crate::{Progress, SourceError};

pub(crate) const GZIP: &[u8] = &[0x1f, 0x8b];
pub(crate) const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// The bytes of a file, unpacked, and how much of the file is used up.
pub(crate) struct Input {
    bytes: Box<dyn BufRead + Send>,
    used: Arc<AtomicU64>,
    total: u64,
}

impl Input {
    /// Opens a file.
    pub(crate) fn open(path: &Path) -> Result<Self, SourceError> {
        let file = File::open(path).map_err(SourceError::io(path))?;
        let total = file.metadata().map_err(SourceError::io(path))?.len();
        let used = Arc::new(AtomicU64::new(0));
        let mut raw = BufReader::with_capacity(
            1 << 17,
            Counted {
                file,
                used: Arc::clone(&used),
            },
        );
        let start = raw.fill_buf().map_err(SourceError::io(path))?;
        let bytes: Box<dyn BufRead + Send> = if start.starts_with(GZIP) {
            Box::new(BufReader::with_capacity(1 << 17, MultiGzDecoder::new(raw)))
        } else if start.starts_with(ZSTD) {
            Box::new(BufReader::with_capacity(1 << 17, ZstdFrames::new(raw)))
        } else {
            Box::new(raw)
        };
        Ok(Self { bytes, used, total })
    }

    /// Bytes of the file (packed) that were taken.
    pub(crate) fn progress(&self) -> Progress {
        Progress {
            done: self.used.load(Ordering::Relaxed).min(self.total),
            total: self.total,
        }
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.bytes.read(buffer)
    }
}

impl BufRead for Input {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.bytes.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.bytes.consume(count);
    }
}

struct Counted {
    file: File,
    used: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.used.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// Zstd frames one after the other: the Collector ends a frame at every flush, and the decoder reads one frame only.
pub(crate) struct ZstdFrames<R: BufRead> {
    state: State<R>,
}

enum State<R: BufRead> {
    Between(R),
    Within(Box<StreamingDecoder<R, ruzstd::decoding::FrameDecoder>>),
    Ended,
}

impl<R: BufRead> ZstdFrames<R> {
    /// Reads all frames of `packed`.
    pub(crate) fn new(packed: R) -> Self {
        Self {
            state: State::Between(packed),
        }
    }
}

impl<R: BufRead> Read for ZstdFrames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            match std::mem::replace(&mut self.state, State::Ended) {
                State::Ended => return Ok(0),
                State::Between(mut packed) => {
                    if packed.fill_buf()?.is_empty() {
                        return Ok(0);
                    }
                    let decoder = StreamingDecoder::new(packed).map_err(io::Error::other)?;
                    self.state = State::Within(Box::new(decoder));
                }
                State::Within(mut decoder) => {
                    let count = decoder.read(buffer)?;
                    if count > 0 {
                        self.state = State::Within(decoder);
                        return Ok(count);
                    }
                    self.state = State::Between(decoder.into_inner());
                }
            }
        }
    }
}

/// Unpacks a message of zstd frames, refusing more than `limit` bytes.
pub(crate) fn unpack_zstd(packed: &[u8], limit: usize) -> io::Result<Vec<u8>> {
    let mut message = Vec::new();
    ZstdFrames::new(packed)
        .take(limit as u64 + 1)
        .read_to_end(&mut message)?;
    if message.len() > limit {
        return Err(io::Error::other(format!("more than {limit} bytes when unpacked")));
    }
    Ok(message)
}
