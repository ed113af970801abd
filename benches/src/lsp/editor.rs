//! An editor as the language server meets it: requests over the server's standard input, answers with the time at which
//! they came.

use std::collections::VecDeque;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout_at;

use crate::child::Memory;

/// An answer that takes longer will not come.
const PATIENCE: Duration = Duration::from_secs(120);

/// A language server, and what came from it. It is killed when this is dropped.
pub(crate) struct Editor {
    process: Child,
    pid: u32,
    input: ChildStdin,
    messages: UnboundedReceiver<(Instant, Value)>,
    /// When the server asked for lenses to be drawn anew.
    refreshes: VecDeque<Instant>,
    last_id: i64,
    /// When the process was started.
    pub(crate) started: Instant,
}

impl Editor {
    /// Starts the server by a command that lacks nothing but its streams, and opens a folder.
    pub(crate) async fn start(mut command: Command, folder: &Path) -> Result<Self> {
        let started = Instant::now();
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start the language server")?;
        let (sender, messages) = unbounded_channel();
        tokio::spawn(read(process.stdout.take().context("it has a standard output")?, sender));
        let mut editor = Self {
            pid: process.id().context("the process was just started")?,
            input: process.stdin.take().context("it has a standard input")?,
            process,
            messages,
            refreshes: VecDeque::new(),
            last_id: 0,
            started,
        };
        let capabilities = json!({
            "workspace": {"codeLens": {"refreshSupport": true}},
            "textDocument": {"completion": {"completionItem": {"snippetSupport": true}}},
        });
        let params = json!({"processId": std::process::id(), "rootUri": address(folder), "capabilities": capabilities});
        let (answer, _) = editor.ask("initialize", params).await?;
        ensure!(answer["serverInfo"]["name"] == "flockscope", "it answered {answer}");
        editor.tell("initialized", json!({})).await?;
        Ok(editor)
    }

    /// Sends a notification.
    pub(crate) async fn tell(&mut self, method: &str, params: Value) -> Result<()> {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params}))
            .await
    }

    /// Sends a request, and gives its number.
    pub(crate) async fn begin(&mut self, method: &str, params: Value) -> Result<i64> {
        self.last_id += 1;
        let mut request = json!({"jsonrpc": "2.0", "id": self.last_id, "method": method});
        if !params.is_null() {
            request["params"] = params;
        }
        self.send(&request).await?;
        Ok(self.last_id)
    }

    /// The result of a request, and when it came. Answers come in the order of the requests.
    pub(crate) async fn answer(&mut self, id: i64) -> Result<(Value, Instant)> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (at, mut message) = self.next(deadline).await?.context("the server does not answer")?;
            if message["id"] != id || message.get("method").is_some() {
                continue;
            }
            ensure!(message.get("error").is_none(), "the server answered {message}");
            return Ok((message["result"].take(), at));
        }
    }

    /// Asks, and says how long the answer took.
    pub(crate) async fn ask(&mut self, method: &str, params: Value) -> Result<(Value, Duration)> {
        let start = Instant::now();
        let id = self.begin(method, params).await?;
        let (answer, at) = self.answer(id).await?;
        Ok((answer, at - start))
    }

    /// The first time after a moment at which the server asked for new lenses; waits for it.
    pub(crate) async fn refresh_after(&mut self, moment: Instant) -> Result<Instant> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            while let Some(at) = self.refreshes.pop_front() {
                if at > moment {
                    return Ok(at);
                }
            }
            self.next(deadline)
                .await?
                .context("the server asks for no new lenses")?;
        }
    }

    /// Lets time pass, and hears what the server says meanwhile.
    pub(crate) async fn rest(&mut self, time: Duration) -> Result<()> {
        let deadline = Instant::now() + time;
        while self.next(deadline).await?.is_some() {}
        Ok(())
    }

    pub(crate) async fn open(&mut self, file: &Path, language: &str, text: &str) -> Result<()> {
        let document = json!({"uri": address(file), "languageId": language, "version": 1, "text": text});
        self.tell("textDocument/didOpen", json!({"textDocument": document}))
            .await
    }

    /// What memory the server has and had.
    pub(crate) fn memory(&self) -> Memory {
        Memory::of_process(self.pid)
    }

    /// Ends the server as an editor does.
    pub(crate) async fn end(mut self) -> Result<()> {
        self.ask("shutdown", Value::Null).await?;
        self.tell("exit", Value::Null).await?;
        let ended = tokio::time::timeout(PATIENCE, self.process.wait())
            .await
            .context("the server does not end")??;
        ensure!(ended.success(), "the server ended with {ended}");
        Ok(())
    }

    async fn send(&mut self, message: &Value) -> Result<()> {
        let body = message.to_string();
        let framed = format!("Content-Length: {}\r\n\r\n{body}", body.len());
        self.input
            .write_all(framed.as_bytes())
            .await
            .context("the server ended")?;
        Ok(self.input.flush().await?)
    }

    /// The next message; none before the deadline. Requests of the server are answered.
    async fn next(&mut self, deadline: Instant) -> Result<Option<(Instant, Value)>> {
        let Ok(message) = timeout_at(deadline.into(), self.messages.recv()).await else {
            return Ok(None);
        };
        let Some((at, message)) = message else {
            bail!("the server ended");
        };
        if let (Some(id), Some(method)) = (message.get("id"), message.get("method")) {
            if method == "workspace/codeLens/refresh" {
                self.refreshes.push_back(at);
            }
            let answer = json!({"jsonrpc": "2.0", "id": id, "result": null});
            self.send(&answer).await?;
        }
        Ok(Some((at, message)))
    }
}

/// A file or folder as the protocol names it. Those of a benchmark have no character that would have to be escaped.
pub(crate) fn address(path: &Path) -> String {
    format!("file://{}", path.display())
}

/// Hands messages on, with the times at which their last bytes came.
/// <https://microsoft.github.io/language-server-protocol/specifications/lsp/3.17/specification/#baseProtocol>
async fn read(stream: ChildStdout, to: UnboundedSender<(Instant, Value)>) -> Result<()> {
    let mut stream = BufReader::with_capacity(1 << 16, stream);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            ensure!(stream.read_line(&mut line).await? > 0, "the stream ended");
            if line == "\r\n" {
                break;
            }
            if let Some(number) = line.strip_prefix("Content-Length: ") {
                length = number.trim().parse()?;
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        let at = Instant::now();
        to.send((at, serde_json::from_slice(&body)?))?;
    }
}
