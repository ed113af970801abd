//! The program that the tests start as a core process, as `flockscope serve` is by its clients. With `start` instead of
//! `serve` it is a client that starts one, says its process id, and ends.
//!
//! Settings beyond the arguments come from a file beside the store, `<store>.settings`: a line `key=value` each. Where there
//! is a file `<store>.panics`, a thread panics once the process is ready.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use flockscope_client::{ALREADY_SERVED, ClientError, ConnectOptions, Connection, Located, Served};
use flockscope_collector::{Options, RunError, SettingsFiles, run};
use flockscope_configuration::Sources;

#[derive(Default)]
struct Arguments {
    command: String,
    store: PathBuf,
    follow: Option<PathBuf>,
    mirror: bool,
    detached: bool,
    idle: Option<Duration>,
}

fn arguments() -> Arguments {
    let mut words = std::env::args().skip(1);
    let mut arguments = Arguments {
        command: words.next().unwrap_or_default(),
        ..Arguments::default()
    };
    while let Some(word) = words.next() {
        let mut value = || words.next().unwrap_or_default();
        match word.as_str() {
            "--store" => arguments.store = value().into(),
            "--follow" => arguments.follow = Some(value().into()),
            "--mirror" => arguments.mirror = true,
            "--detached" => arguments.detached = true,
            "--idle" => {
                let milliseconds = value().trim_end_matches("ms").parse().expect("milliseconds");
                arguments.idle = Some(Duration::from_millis(milliseconds));
            }
            other => panic!("unknown argument {other}"),
        }
    }
    arguments
}

fn main() -> ExitCode {
    let arguments = arguments();
    match arguments.command.as_str() {
        "serve" => serve(arguments),
        "start" => start(arguments),
        other => panic!("unknown command {other}"),
    }
}

fn serve(arguments: Arguments) -> ExitCode {
    let mut sources = Sources::default();
    let any_port = |key: &str| (key.to_owned(), "127.0.0.1:0".to_owned());
    sources.flags = ["api.address", "otlp.grpc_address", "otlp.http_address"]
        .map(any_port)
        .to_vec();
    let mut settings = arguments.store.clone().into_os_string();
    settings.push(".settings");
    for line in std::fs::read_to_string(settings).unwrap_or_default().lines() {
        let (key, value) = line.split_once('=').expect("key=value");
        sources.flags.push((key.to_owned(), value.to_owned()));
    }
    let settings = SettingsFiles {
        sources,
        project: arguments.store.parent().map(PathBuf::from),
    };
    let loaded = match settings.load() {
        Ok(loaded) => loaded,
        Err(problems) => {
            eprintln!("{problems}");
            return ExitCode::from(2);
        }
    };
    let mut panics = arguments.store.clone().into_os_string();
    panics.push(".panics");
    let panics = PathBuf::from(panics).exists();
    let outcome = run(Options {
        served: Served {
            store: arguments.store,
            follow: arguments.follow,
            keeps_history: !arguments.mirror,
        },
        loaded,
        settings,
        is_detached: arguments.detached,
        idle: arguments.idle,
        ready: Box::new(move |_| {
            println!("ready");
            if panics {
                let panicked = std::thread::spawn(|| panic!("on purpose, for a test")).join();
                assert!(panicked.is_err());
            }
        }),
    });
    match outcome {
        Ok(why) => {
            println!("ended: {why}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            match error {
                RunError::Client(ClientError::AlreadyServed { .. }) => ExitCode::from(ALREADY_SERVED),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn start(arguments: Arguments) -> ExitCode {
    let located = Located::Store { file: arguments.store };
    let options = ConnectOptions {
        idle: Some(Duration::from_secs(120)),
        ..ConnectOptions::default()
    };
    let connection = Connection::open(&located, options).await.expect("a process");
    let status = connection.status().await.expect("a status").expect("a process");
    println!("{}", status.pid);
    ExitCode::SUCCESS
}
