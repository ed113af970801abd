//! How a command ends when it does not end well: an exit code and one message.

use std::fmt::Write as _;
use std::io;
use std::process::ExitCode;

use flockscope_client::ClientError;
use flockscope_sources::SourceError;
use flockscope_store::StoreError;

/// Why a command ended early.
pub(crate) enum Failure {
    /// It could not be done.
    Failed(String),
    /// The arguments do not fit.
    Usage(String),
    /// What was asked for is not there.
    NothingFound(String),
    /// Another process serves the store.
    AlreadyServed(String),
    /// `doctor` found faults, and has said which.
    Faults,
    /// Nobody reads the output any more.
    OutputClosed,
}

impl Failure {
    /// The failure of writing output.
    pub(crate) fn writing(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::OutputClosed
        } else {
            Self::Failed(format!("the output could not be written: {error}"))
        }
    }

    /// Says it on stderr.
    pub(crate) fn report(self) -> ExitCode {
        let (code, message) = match self {
            Self::Failed(message) => (1, message),
            Self::Usage(message) => (2, message),
            Self::NothingFound(message) => (3, message),
            Self::AlreadyServed(message) => (flockscope_client::ALREADY_SERVED, message),
            Self::Faults => return ExitCode::from(4),
            Self::OutputClosed => return ExitCode::SUCCESS,
        };
        eprintln!("error: {}", printable(&message));
        ExitCode::from(code)
    }
}

/// A message may hold names from a stranger's file: what would steer the terminal is shown as an escape.
pub(crate) fn printable(message: &str) -> String {
    let mut text = String::with_capacity(message.len());
    for c in message.trim_end().chars() {
        if c.is_control() && c != '\n'
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        {
            let _ = write!(text, "\\u{{{:x}}}", u32::from(c));
        } else {
            text.push(c);
        }
    }
    text
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        Self::Failed(error.to_string())
    }
}
