//! A running `flockscope serve`.

use std::env::{self, consts::EXE_SUFFIX};
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use flockscope_protocol::{DiscoveryFile, DiscoveryRecord, OtlpStatus, ProcessStatus, SqlRequest};
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::child::Memory;

/// It opens an empty store.
const START_TIME: Duration = Duration::from_secs(60);
/// It may still have much to store.
const END_TIME: Duration = Duration::from_secs(120);
/// How long spans that were accepted may stay out of sight before they count as lost.
const STORE_TIME: Duration = Duration::from_secs(60);
/// Time for an answer.
const ANSWER_TIME: Duration = Duration::from_secs(120);

const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A core process of a new store, which is killed when this is dropped.
pub(crate) struct Server {
    process: Child,
    pid: u32,
    pub(crate) receivers: Receivers,
    /// A connection to its API.
    pub(crate) api: Api,
}

/// Where OTLP is taken in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Receivers {
    pub(crate) grpc: SocketAddr,
    pub(crate) http: SocketAddr,
}

impl Server {
    /// Starts the program on a store in the folder, with default settings and on free ports.
    pub(crate) async fn start(program: &Path, folder: &Path) -> Result<Self> {
        let store = folder.join("store.duckdb");
        let log = folder.join("output.log");
        let output = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let mut command = Command::new(program);
        command.arg("serve").arg("--store").arg(&store);
        for receiver in ["--address", "--grpc-address", "--http-address"] {
            command.args([receiver, "127.0.0.1:0"]);
        }
        for name in env::vars_os()
            .map(|(name, _)| name)
            .filter(|name| is_a_setting(&name.to_string_lossy()))
        {
            command.env_remove(name);
        }
        // Where no project has settings of its own.
        command.current_dir(folder).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let mut process = command
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let record = wait_for_record(&mut process, &store).await.with_context(|| {
            let said = fs::read_to_string(&log).unwrap_or_default();
            format!("{} serve is not ready (it said: {})", program.display(), said.trim())
        })?;
        let api = Api::new(record)?;
        let status: ProcessStatus = serde_json::from_slice(&api.get("/api/v1/status").await?)?;
        Ok(Self {
            pid: process.id().context("the process has just answered")?,
            process,
            receivers: Receivers {
                grpc: address(status.otlp_grpc)?,
                http: address(status.otlp_http)?,
            },
            api,
        })
    }

    /// What memory it has and had.
    pub(crate) fn memory(&self) -> Memory {
        Memory::of_process(self.pid)
    }

    /// Waits until there are so many spans in the store, or more, and says how many; or how many there are after a
    /// minute without another one.
    pub(crate) async fn wait_for(&self, spans: u64) -> Result<u64> {
        let (mut found, mut deadline) = (0, Instant::now() + STORE_TIME);
        loop {
            let now = self.api.count().await?;
            if now >= spans || Instant::now() >= deadline {
                return Ok(now);
            }
            if now > found {
                (found, deadline) = (now, Instant::now() + STORE_TIME);
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Ends it as `flockscope stop` does.
    pub(crate) async fn stop(mut self) -> Result<()> {
        self.api.post("/api/v1/stop", "application/json", Vec::new()).await?;
        let ended = timeout(END_TIME, self.process.wait())
            .await
            .context("the server does not end")??;
        ensure!(ended.success(), "the server ended with {ended}");
        Ok(())
    }
}

/// The program that is named, or the one that was built together with this one.
pub(crate) fn program(named: Option<&Path>) -> Result<PathBuf> {
    let program = match named {
        Some(program) => program.to_owned(),
        None => {
            let here = env::current_exe().context("cannot find this program")?;
            here.with_file_name(format!("flockscope{EXE_SUFFIX}"))
        }
    };
    // Processes are started in folders of their own.
    let program = program.canonicalize().unwrap_or(program);
    ensure!(
        program.is_file(),
        "there is no {}: build it, or name it with --flockscope",
        program.display()
    );
    Ok(program)
}

/// Whether an environment variable could change what Flock, an OpenTelemetry SDK or the server does.
pub(crate) fn is_a_setting(variable: &str) -> bool {
    ["FLOCK", "OTEL_", "ALLOWED_ORIGINS"]
        .iter()
        .any(|start| variable.starts_with(start))
}

async fn wait_for_record(process: &mut Child, store: &Path) -> Result<DiscoveryRecord> {
    let file = DiscoveryFile::of_store(store);
    let deadline = Instant::now() + START_TIME;
    loop {
        if let Some(record) = file.read()? {
            return Ok(record);
        }
        if let Some(ended) = process.try_wait()? {
            bail!("it ended with {ended}");
        }
        ensure!(
            Instant::now() < deadline,
            "it has no discovery record after {} s",
            START_TIME.as_secs()
        );
        sleep(LOOK_EVERY).await;
    }
}

fn address(status: OtlpStatus) -> Result<SocketAddr> {
    match status {
        OtlpStatus::Listening { address } => Ok(address),
        status => bail!("a receiver does not listen: {status:?}"),
    }
}

/// The API, asked with the store's token.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    client: reqwest::Client,
    url: String,
    token: String,
}

impl Api {
    fn new(record: DiscoveryRecord) -> Result<Self> {
        Ok(Self {
            client: client()?,
            url: format!("{}://{}", if record.tls { "https" } else { "http" }, record.address),
            token: record.token,
        })
    }

    /// The same with a connection of its own, as another program would have it.
    pub(crate) fn another(&self) -> Result<Self> {
        Ok(Self {
            client: client()?,
            ..self.clone()
        })
    }

    /// The body of an answer; any status but success is an error.
    pub(crate) async fn get(&self, path: &str) -> Result<Vec<u8>> {
        self.answer(self.client.get(format!("{}{path}", self.url)), path).await
    }

    /// The answer to a user's SQL as CSV.
    pub(crate) async fn sql(&self, query: &str) -> Result<String> {
        let request = SqlRequest {
            query: query.to_owned(),
            ..SqlRequest::default()
        };
        let answer = self
            .post("/api/v1/sql", "text/csv", serde_json::to_vec(&request)?)
            .await?;
        Ok(String::from_utf8(answer)?)
    }

    /// Spans in the store.
    pub(crate) async fn count(&self) -> Result<u64> {
        self.count_where("true").await
    }

    /// Spans that meet a condition.
    pub(crate) async fn count_where(&self, condition: &str) -> Result<u64> {
        let answer = self
            .sql(&format!("SELECT count(*) AS spans FROM spans WHERE {condition}"))
            .await?;
        number(&answer).with_context(|| format!("a count is {answer:?}"))
    }

    async fn post(&self, path: &str, accept: &str, body: Vec<u8>) -> Result<Vec<u8>> {
        let request = self
            .client
            .post(format!("{}{path}", self.url))
            .header(CONTENT_TYPE, "application/json");
        self.answer(request.header(ACCEPT, accept).body(body), path).await
    }

    async fn answer(&self, request: reqwest::RequestBuilder, path: &str) -> Result<Vec<u8>> {
        let response = request
            .bearer_auth(&self.token)
            .send()
            .await
            .with_context(|| path.to_owned())?;
        let status = response.status();
        let body = response.bytes().await.with_context(|| path.to_owned())?;
        ensure!(
            status.is_success(),
            "{path}: {status}: {}",
            String::from_utf8_lossy(&body)
        );
        Ok(body.into())
    }
}

fn client() -> Result<reqwest::Client> {
    Ok(reqwest::Client::builder().no_proxy().timeout(ANSWER_TIME).build()?)
}

/// The only value of a CSV document of one column and one row.
fn number(csv: &str) -> Option<u64> {
    let mut lines = csv.lines().skip(1);
    let value = lines.next()?.trim().parse().ok()?;
    lines.next().is_none().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_the_one_value_below_the_head() {
        assert_eq!(number("spans\r\n17\r\n"), Some(17));
        assert_eq!(number("spans\n0\n"), Some(0));
        assert_eq!(number("spans\n"), None);
        assert_eq!(number("spans\n1\n2\n"), None);
        assert_eq!(number("spans\nnone\n"), None);
    }

    #[test]
    fn nothing_of_this_environment_sets_anything() {
        assert!(is_a_setting("FLOCK_AUTO_TRACE"));
        assert!(is_a_setting("FLOCKSCOPE_STORE"));
        assert!(is_a_setting("OTEL_EXPORTER_OTLP_ENDPOINT"));
        assert!(!is_a_setting("PATH"));
    }

    #[tokio::test]
    async fn a_program_that_ends_at_once_is_an_error_that_quotes_it() {
        super::super::install_crypto();
        let folder = tempfile::tempdir().expect("a folder");
        // This test program itself, which knows no `serve` with such options.
        let program = env::current_exe().expect("a program");
        let error = Server::start(&program, folder.path()).await.err().expect("an error");
        let said = format!("{error:#}");
        assert!(said.contains("option: 'store'"), "{said}");
        assert!(said.contains("it ended with"), "{said}");
    }
}
