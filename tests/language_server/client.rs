//! A client of the language server, over the real transport: a process, its standard input and output.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// A hung test is worse than a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Client {
    server: Child,
    input: Option<ChildStdin>,
    messages: Receiver<Value>,
    /// Requests and notifications of the server that came while an answer was waited for.
    heard: VecDeque<Value>,
    next_id: i64,
    /// What the server can do.
    pub(crate) capabilities: Value,
    /// Whether the server's requests are answered.
    pub(crate) answers: bool,
}

/// The messages of a stream, as the base protocol frames them.
/// <https://microsoft.github.io/language-server-protocol/specifications/lsp/3.17/specification/#baseProtocol>
fn messages_of(stream: impl Read + Send + 'static) -> Receiver<Value> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        loop {
            let mut length = 0;
            loop {
                let mut line = String::new();
                if stream.read_line(&mut line).unwrap_or(0) == 0 {
                    return;
                }
                if line == "\r\n" {
                    break;
                }
                if let Some(number) = line.strip_prefix("Content-Length: ") {
                    length = number.trim().parse().expect("a length");
                }
            }
            let mut body = vec![0; length];
            if stream.read_exact(&mut body).is_err() {
                return;
            }
            let message = serde_json::from_slice(&body).expect("JSON");
            if sender.send(message).is_err() {
                return;
            }
        }
    });
    receiver
}

impl Client {
    /// A server of a folder, ready to be asked.
    pub(crate) fn start(command: Command, folder: &Path, capabilities: &Value) -> Self {
        Self::start_with(command, folder, capabilities, Value::Null)
    }

    /// The same, with what the user sets in the editor.
    pub(crate) fn start_with(command: Command, folder: &Path, capabilities: &Value, settings: Value) -> Self {
        Self::start_for(std::process::id(), command, folder, (capabilities, settings))
    }

    /// The same for an editor that is another process.
    pub(crate) fn start_for(
        editor: u32,
        mut command: Command,
        folder: &Path,
        (capabilities, settings): (&Value, Value),
    ) -> Self {
        let mut server = command
            .args(["lsp", "--stdio"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the program runs");
        let messages = messages_of(server.stdout.take().expect("stdout"));
        let mut client = Self {
            input: server.stdin.take(),
            server,
            messages,
            heard: VecDeque::new(),
            next_id: 0,
            capabilities: Value::Null,
            answers: true,
        };
        let answer = client.ask(
            "initialize",
            json!({"processId": editor, "rootUri": address(folder), "capabilities": capabilities,
                   "initializationOptions": settings}),
        );
        assert_eq!(answer["serverInfo"]["name"], "flockscope");
        client.capabilities = answer["capabilities"].clone();
        client.tell("initialized", json!({}));
        client
    }

    fn send(&mut self, message: &Value) {
        self.send_body(&message.to_string());
    }

    /// Sends a text as a message, whatever it is.
    pub(crate) fn send_body(&mut self, body: &str) {
        self.send_bytes(format!("Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
    }

    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().expect("it runs");
        input.write_all(bytes).expect("it reads");
        input.flush().expect("it reads");
    }

    pub(crate) fn tell(&mut self, method: &str, params: Value) {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    /// Sends a request, without waiting for its answer.
    pub(crate) fn begin(&mut self, method: &str, params: Value) -> i64 {
        self.next_id += 1;
        let mut message = json!({"jsonrpc": "2.0", "id": self.next_id, "method": method});
        if !params.is_null() {
            message["params"] = params;
        }
        self.send(&message);
        self.next_id
    }

    /// The answer to a request: its result or its error.
    pub(crate) fn answer(&mut self, id: i64) -> Result<Value, Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let message = self
                .next_message(deadline)
                .unwrap_or_else(|| panic!("no answer to request {id}"));
            if message["id"] == id && message.get("method").is_none() {
                return match message.get("error") {
                    Some(error) => Err(error.clone()),
                    None => Ok(message["result"].clone()),
                };
            }
            self.heard.push_back(message);
        }
    }

    pub(crate) fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.begin(method, params);
        self.answer(id).unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// Waits until the server says, or asks for, this.
    pub(crate) fn wait_for(&mut self, method: &str) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(place) = self.heard.iter().position(|message| message["method"] == method) {
                return self.heard.remove(place).expect("there");
            }
            let message = self
                .next_message(deadline)
                .unwrap_or_else(|| panic!("no {method} came"));
            self.heard.push_back(message);
        }
    }

    /// Waits until what is said to be wrong in a text is what is wanted.
    pub(crate) fn mistakes_when(&mut self, uri: &str, is_wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let said = self.wait_for("textDocument/publishDiagnostics");
            let found = said["params"]["diagnostics"].as_array().expect("diagnostics").clone();
            if said["params"]["uri"] == uri && is_wanted(&found) {
                return found;
            }
            assert!(Instant::now() < deadline, "in vain: {found:?}");
        }
    }

    fn next_message(&mut self, deadline: Instant) -> Option<Value> {
        let left = deadline.saturating_duration_since(Instant::now());
        let message = match self.messages.recv_timeout(left) {
            Ok(message) => message,
            Err(RecvTimeoutError::Timeout) => return None,
            Err(RecvTimeoutError::Disconnected) => panic!("the server ended"),
        };
        if self.answers
            && let (Some(id), Some(_)) = (message.get("id"), message.get("method"))
        {
            self.send(&json!({"jsonrpc": "2.0", "id": id, "result": null}));
        }
        Some(message)
    }

    pub(crate) fn open(&mut self, file: &Path, language: &str, text: &str) {
        self.tell(
            "textDocument/didOpen",
            json!({"textDocument": {"uri": address(file), "languageId": language, "version": 1, "text": text}}),
        );
    }

    /// The lenses of a file, resolved: line and title.
    pub(crate) fn lenses(&mut self, file: &Path) -> Vec<(u64, String)> {
        let lenses = self.ask("textDocument/codeLens", json!({"textDocument": {"uri": address(file)}}));
        let lenses = lenses.as_array().expect("lenses").clone();
        lenses
            .into_iter()
            .map(|lens| {
                let line = lens["range"]["start"]["line"].as_u64().expect("a line");
                // Neovim and VS Code give back what they were given only if a double can hold its numbers.
                assert!(lens["data"].is_string(), "{lens}");
                let lens = self.ask("codeLens/resolve", lens);
                (line, lens["command"]["title"].as_str().expect("a title").to_owned())
            })
            .collect()
    }

    /// Asks for lenses until there is one that is wanted.
    pub(crate) fn lens_when(
        &mut self,
        file: &Path,
        is_wanted: impl Fn(&[(u64, String)]) -> bool,
    ) -> Vec<(u64, String)> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let lenses = self.lenses(file);
            if is_wanted(&lenses) {
                return lenses;
            }
            assert!(Instant::now() < deadline, "in vain: {lenses:?}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// What is shown at a place; empty for nothing.
    pub(crate) fn hover(&mut self, file: &Path, line: usize, character: usize) -> String {
        let at = json!({"textDocument": {"uri": address(file)}, "position": {"line": line, "character": character}});
        let hover = self.ask("textDocument/hover", at);
        hover["contents"]["value"].as_str().unwrap_or_default().to_owned()
    }

    /// The next answers to so many requests, whole, in the order in which they come.
    pub(crate) fn answers(&mut self, count: usize) -> Vec<Value> {
        let deadline = Instant::now() + PATIENCE;
        let mut answers = Vec::new();
        while answers.len() < count {
            let message = self.next_message(deadline);
            let message = message.unwrap_or_else(|| panic!("{} of {count} answers came", answers.len()));
            match message.get("method") {
                None => answers.push(message),
                Some(_) => self.heard.push_back(message),
            }
        }
        answers
    }

    /// The exit code of a server that ends by itself.
    pub(crate) fn ended(mut self) -> Option<i32> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.server.try_wait().expect("it was started") {
                return status.code();
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!("the server does not end");
    }

    /// Ends the server as the protocol says, and gives its exit code.
    pub(crate) fn end(mut self) -> Option<i32> {
        self.ask("shutdown", Value::Null);
        self.tell("exit", Value::Null);
        self.input = None;
        self.server.wait().expect("its end").code()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // A test that failed leaves nothing running; one that went well has ended it already.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// A file or folder as the protocol names it.
pub(crate) fn address(path: &Path) -> String {
    format!("file://{}", path.display())
}

/// The text of a range, counted in UTF-16.
pub(crate) fn text_at(text: &str, range: &Value) -> String {
    let number = |end: &str, what: &str| range[end][what].as_u64().expect("a number") as usize;
    let line = text.split('\n').nth(number("start", "line")).expect("a line");
    assert_eq!(number("start", "line"), number("end", "line"), "one line");
    let units: Vec<u16> = line.encode_utf16().collect();
    String::from_utf16(&units[number("start", "character")..number("end", "character")]).expect("whole characters")
}

/// Line and column (in UTF-16) of the first character of a text within a file's text.
pub(crate) fn place(text: &str, needle: &str) -> (usize, usize) {
    let at = text.find(needle).unwrap_or_else(|| panic!("{needle:?} is not there"));
    let before = &text[..at];
    let line = before.matches('\n').count();
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    (line, before[start..].encode_utf16().count())
}
