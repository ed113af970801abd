//! What comes from the editor, without what is no message: async-lsp would end the server at the first one, and with it
//! all lenses. <https://microsoft.github.io/language-server-protocol/specifications/lsp/3.17/specification/#baseProtocol>

use std::io;

use async_lsp::lsp_types::NumberOrString;
use futures_util::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use futures_util::stream::{self, TryStreamExt};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// No editor sends more at once.
const LARGEST_MESSAGE: u64 = 256 << 20;

/// A longer line is no header.
const LONGEST_HEADER: u64 = 1 << 10;

/// The messages of a stream as they came, one after the other; everything else is passed over.
pub(crate) fn well_formed(input: impl AsyncRead + Unpin) -> impl AsyncBufRead + Unpin {
    let input = BufReader::with_capacity(1 << 16, input);
    let messages = stream::try_unfold(input, |mut input| async move {
        let message = next_message(&mut input).await?;
        io::Result::Ok(message.map(|message| (message, input)))
    });
    Box::pin(messages).into_async_read()
}

/// The next message with its header, `None` at the end of the stream.
async fn next_message(input: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Vec<u8>>> {
    while let Some(length) = next_length(input).await? {
        if length > LARGEST_MESSAGE {
            tracing::warn!(length, "a message of the editor is too large");
            pass_over(input, length).await?;
            continue;
        }
        let mut message = format!("Content-Length: {length}\r\n\r\n").into_bytes();
        let start = message.len();
        // The memory grows with what comes, not with what was announced.
        let came = input.take(length).read_to_end(&mut message).await?;
        if (came as u64) < length {
            return Ok(None);
        }
        match message.get(start..).map(serde_json::from_slice::<Message>) {
            Some(Ok(found)) if found.is_one() => return Ok(Some(message)),
            _ => tracing::warn!("what the editor sent is no message"),
        }
    }
    Ok(None)
}

/// The length of the next body; `None` at the end of the stream. Lines that are no headers are passed over.
async fn next_length(input: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<u64>> {
    let mut length = None;
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.take(LONGEST_HEADER).read_until(b'\n', &mut line).await? == 0 {
            return Ok(None);
        }
        let text = String::from_utf8_lossy(&line);
        match (text.trim().split_once(':'), length) {
            (None, Some(length)) if text.trim().is_empty() => return Ok(Some(length)),
            (Some((name, value)), _) if name.trim().eq_ignore_ascii_case("Content-Length") => {
                length = value.trim().parse().ok();
            }
            _ => {}
        }
    }
}

async fn pass_over(input: &mut (impl AsyncBufRead + Unpin), mut bytes: u64) -> io::Result<()> {
    while bytes > 0 {
        let came = input
            .fill_buf()
            .await?
            .len()
            .min(usize::try_from(bytes).unwrap_or(usize::MAX));
        if came == 0 {
            return Ok(());
        }
        input.consume_unpin(came);
        bytes -= came as u64;
    }
    Ok(())
}

/// As much of a message as tells whether async-lsp can read it.
#[derive(Deserialize)]
struct Message {
    jsonrpc: String,
    method: Option<String>,
    id: Option<serde_json::Value>,
    #[serde(rename = "params")]
    _params: Option<IgnoredAny>,
    #[serde(rename = "result")]
    _result: Option<IgnoredAny>,
    #[serde(rename = "error")]
    _error: Option<Fault>,
}

#[derive(Deserialize)]
struct Fault {
    #[serde(rename = "code")]
    _code: i32,
    #[serde(rename = "message")]
    _message: String,
}

impl Message {
    /// A request or notification has a method, an answer the number of what it answers.
    fn is_one(&self) -> bool {
        let has_id = || {
            self.id
                .as_ref()
                .is_some_and(|id| NumberOrString::deserialize(id).is_ok())
        };
        self.jsonrpc == "2.0" && (self.method.is_some() || has_id())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(input: &[u8]) -> Vec<String> {
        let mut output = Vec::new();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime");
        let done = runtime.block_on(well_formed(input).read_to_end(&mut output));
        done.expect("memory can be read");
        let text = String::from_utf8(output).expect("text");
        let parts = text.split("Content-Length: ").skip(1);
        parts
            .map(|part| part.split_once("\r\n\r\n").expect("a header").1.to_owned())
            .collect()
    }

    fn framed(body: &str) -> String {
        format!("Content-Length: {}\r\n\r\n{body}", body.len())
    }

    const REQUEST: &str = r#"{"jsonrpc":"2.0","id":1,"method":"shutdown"}"#;

    #[test]
    fn what_is_no_message_is_passed_over() {
        let good = [
            REQUEST,
            r#"{"jsonrpc":"2.0","id":"one","method":"x","params":[1]}"#,
            r#"{"jsonrpc":"2.0","method":"x","params":{"a":{}}}"#,
            r#"{"jsonrpc":"2.0","id":7,"result":null}"#,
            r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32601,"message":"no","data":[1]}}"#,
        ];
        for bad in [
            "",
            "{",
            "null",
            "[]",
            &format!("[{REQUEST}]"),
            "\u{0}",
            "{}",
            r#"{"id":1,"method":"x"}"#,
            r#"{"jsonrpc":"1.0","id":1,"method":"x"}"#,
            r#"{"jsonrpc":"2.0"}"#,
            r#"{"jsonrpc":"2.0","id":1.5}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":2}"#,
            r#"{"jsonrpc":"2.0","id":1,"error":"no"}"#,
            &"[".repeat(100_000),
        ] {
            for good in good {
                let stream = format!("{}{}{}", framed(good), framed(bad), framed(good));
                assert_eq!(read(stream.as_bytes()), [good, good], "{bad}");
            }
        }
    }

    #[test]
    fn headers_are_read_as_far_as_they_can_be() {
        let body = REQUEST;
        let length = body.len();
        for header in [
            format!("Content-Length: {length}\r\nContent-Type: application/vscode-jsonrpc; charset=utf-8\r\n\r\n"),
            format!("content-length:{length}\r\n\r\n"),
            format!("junk\r\n\u{fffd}: x\r\nContent-Length: {length}\r\n\r\n"),
            format!("\r\n\r\nContent-Length: {length}\n\n"),
            format!("Content-Length: many\r\nContent-Length: {length}\r\n\r\n"),
            format!("{}\r\nContent-Length: {length}\r\n\r\n", "x".repeat(5_000)),
        ] {
            assert_eq!(read(format!("{header}{body}").as_bytes()), [body], "{header:?}");
        }
        // What was announced and does not come takes no memory, and is no message.
        assert_eq!(read(b"Content-Length: 18446744073709551615\r\n\r\n{}"), [""; 0]);
        assert_eq!(read(b"Content-Length: 200000000\r\n\r\n{}"), [""; 0]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_to_their_end(bytes in prop::collection::vec(any::<u8>(), 0..300), good in any::<bool>()) {
            let mut stream = bytes;
            // Whatever was announced before is over with so many lines.
            if good {
                stream.splice(0..0, framed(REQUEST).bytes());
            }
            let found = read(&stream);
            prop_assert_eq!(found.first().map(String::as_str), good.then_some(REQUEST));
        }
    }
}
