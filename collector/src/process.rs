//! The parts of a process, put together and taken apart again.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use flockscope_api::Api;
use flockscope_client::{Following, LiveFile};
use flockscope_ingest::Ingest;
use flockscope_protocol::{DiscoveryFile, DiscoveryRecord, Event, process_folder};
use flockscope_redaction::Redactor;
use flockscope_security::{Face, Secret, Security, store_token};
use flockscope_store::{Settings, Store, StoreError};
use tokio::runtime::Handle;
use tokio::sync::broadcast;
use tokio::task::spawn_blocking;

use crate::activity::Activity;
use crate::care::Care;
use crate::end::{self, End, Ended, Signals};
use crate::error::RunError;
use crate::parts;
use crate::run::{Options, Ready};
use crate::servers::{Servers, bind_all, first_status};
use crate::settings_files::SettingsWatch;
use crate::sink::StoreSink;
use crate::state::{OtlpState, Receiver, SettingsState, State, locked};

/// Events that wait for a slow listener.
const WAITING_EVENTS: usize = 4096;

/// Commands that open the store themselves hold it for less than this.
const WAIT_FOR_STORE: Duration = Duration::from_secs(5);

/// So long the first clients wait until what was left of the last run, and what stands in the Flock file, is stored.
const WAIT_UNTIL_UP_TO_DATE: Duration = Duration::from_secs(20);

/// How long the last users of the store may take to let go of it.
const WAIT_FOR_LAST_USERS: Duration = Duration::from_secs(5);

/// Runs until it is told to end. The caller holds the lock of the store.
pub(crate) async fn process(options: Options) -> Result<Ended, RunError> {
    let Options {
        served,
        loaded,
        settings: settings_files,
        is_detached,
        idle,
        ready,
    } = options;
    let configuration = &loaded.configuration;
    let token_file = process_folder(&served.store).join("token");
    let token = store_token(&token_file)?;
    let security = Security::new(parts::of_security(configuration, Secret::new(token.reveal())))?;
    let redactor = Arc::new(Redactor::new(&parts::redaction_rules(configuration))?);
    // Before the store is opened: a taken port is found at once.
    let bound = bind_all(configuration, &loaded.effective, &security, is_detached)?;
    let (path, settings) = (served.store.clone(), parts::of_store(configuration));
    let store = Arc::new(on_a_thread(move || open_when_free(&path, &settings)).await??);
    let (events, _) = broadcast::channel(WAITING_EVENTS);
    let sink = StoreSink {
        store: store.clone(),
        events: events.clone(),
    };
    let ingest = {
        let folder = process_folder(&served.store).join("ingest");
        let settings = parts::of_ingest(configuration, &served.store);
        let (sink, redactor) = (Arc::new(sink.clone()), redactor.clone());
        on_a_thread(move || Ingest::open(&folder, settings, redactor, sink)).await??
    };
    let live = match &served.follow {
        Some(file) => {
            let following = Following::resume(&store, file)?.redacting(redactor.clone());
            let live = LiveFile::start(store.clone(), following, served.keeps_history, sink);
            Some(live.map_err(RunError::System)?)
        }
        None => {
            drop(sink);
            None
        }
    };
    let retention = parts::retention(configuration, served.keeps_history);
    let care = Care::start(store.clone(), retention, events.clone()).map_err(RunError::System)?;

    let end = End::new();
    let record = DiscoveryRecord {
        pid: std::process::id(),
        instance: instance(),
        address: bound.local_address,
        tls: false,
        token: token.reveal().to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at: now(),
    };
    let api_settings = parts::of_api(configuration);
    let state = Arc::new(State {
        record: record.clone(),
        store: served.store.clone(),
        follow: served.follow.clone(),
        idle,
        keeps_history: served.keeps_history,
        settings: Mutex::new(SettingsState::new(&loaded)),
        sql: api_settings.sql.clone(),
        ingest: ingest.clone(),
        redactor: redactor.clone(),
        events: events.clone(),
        live: Mutex::new(live),
        care: Mutex::new(Some(care)),
        otlp: Mutex::new(OtlpState {
            grpc: first_status(bound.grpc.as_ref()),
            http: first_status(bound.http.as_ref()),
        }),
        notes: bound.notes.clone(),
        end: end.clone(),
        runtime: Handle::current(),
    });
    let api = Api {
        store: store.clone(),
        events: events.clone(),
        process: state.clone(),
        instance: record.instance.clone(),
        settings: api_settings,
        viewer: configuration.api.viewer_folder.clone(),
    };
    let activity = Activity::new();
    let api_address = bound.api.local_addr().map_err(RunError::System)?;
    let api = security.protect(activity.watch(api.router()), Face::Api);
    let grpc = security.protect(activity.watch(ingest.grpc_router()), Face::Otlp);
    let http = security.protect(activity.watch(ingest.http_router()), Face::Otlp);
    let mut servers = Servers::new(end.clone());
    if let Some(local) = bound.local {
        servers.serve(local, api.clone(), None);
    }
    servers.serve(bound.api, api, bound.tls.clone());
    servers.receive(Receiver::Grpc, bound.grpc, grpc, bound.tls.clone(), state.clone());
    servers.receive(Receiver::Http, bound.http, http, bound.tls.clone(), state.clone());

    // Before the record is there: who reads it may end the process at once.
    tell_of_signals(end.clone());
    up_to_date(&state, &ingest).await;
    let file = DiscoveryFile::of_store(&served.store);
    let written = file.write(&record);
    written.map_err(|source| RunError::File {
        path: file.path().to_owned(),
        source,
    })?;
    tracing::info!(pid = record.pid, api = %api_address, store = %served.store.display(), "ready");
    ready(&Ready {
        record: record.clone(),
        api: api_address,
        uses_tls: bound.tls.is_some(),
        status: flockscope_api::Process::status(&*state),
    });

    let watch = SettingsWatch::start(settings_files, state.clone()).map_err(RunError::System)?;
    let why = tokio::select! {
        why = end.told() => why,
        () = idle_end(idle, &activity) => Ended::Idle,
    };
    tracing::info!(%why, "ending");
    end.tell(why);
    // Listeners end their connections after this.
    let _ = events.send(Event::Stopping);
    servers.ended().await;
    on_a_thread({
        let state = state.clone();
        move || {
            drop(watch);
            // The last look at the Flock file, and what was accepted and not stored yet.
            drop(locked(&state.live).take());
            state.ingest.close();
            drop(locked(&state.care).take());
        }
    })
    .await?;
    drop((ingest, state, activity));
    on_a_thread(move || close(store)).await?;
    file.remove(&record.instance).map_err(|source| RunError::File {
        path: file.path().to_owned(),
        source,
    })?;
    tracing::info!("ended");
    Ok(why)
}

/// Opens the store. A command that asks it without this process may hold it for a moment.
fn open_when_free(path: &Path, settings: &Settings) -> Result<Store, StoreError> {
    let deadline = Instant::now() + WAIT_FOR_STORE;
    loop {
        match Store::open(path, settings.clone()) {
            Err(StoreError::InUse { .. }) if Instant::now() < deadline => thread::sleep(Duration::from_millis(50)),
            outcome => return outcome,
        }
    }
}

/// Closes the store, which writes what is in its log into its file. Queries that still run are given a moment.
fn close(mut store: Arc<Store>) {
    let deadline = Instant::now() + WAIT_FOR_LAST_USERS;
    loop {
        match Arc::try_unwrap(store) {
            Ok(store) => return drop(store),
            Err(shared) if Instant::now() < deadline => {
                store = shared;
                thread::sleep(Duration::from_millis(10));
            }
            Err(_) => {
                // Nothing is lost: the next start reads the store's log.
                tracing::warn!("a query still uses the store, which is left as it is");
                return;
            }
        }
    }
}

async fn up_to_date(state: &Arc<State>, ingest: &Ingest) {
    let is_flushed = tokio::time::timeout(WAIT_UNTIL_UP_TO_DATE, ingest.flush())
        .await
        .is_ok();
    let followed = on_a_thread({
        let state = state.clone();
        move || {
            if let Some(live) = locked(&state.live).as_ref() {
                live.wait_until_up_to_date(WAIT_UNTIL_UP_TO_DATE);
            }
        }
    });
    if !is_flushed || followed.await.is_err() {
        tracing::info!("spans of the last run are still being stored");
    }
}

async fn idle_end(idle: Option<Duration>, activity: &Activity) {
    match idle {
        Some(most) => end::idle(activity, most).await,
        None => std::future::pending().await,
    }
}

/// Catches signals from now on.
fn tell_of_signals(end: End) {
    match Signals::catch() {
        Ok(signals) => {
            tokio::spawn(async move {
                signals.wait().await;
                end.tell(Ended::Signal);
            });
        }
        Err(error) => tracing::error!(%error, "signals can't be caught; flockscope stop ends the process"),
    }
}

/// Does what blocks.
async fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, RunError> {
    spawn_blocking(work)
        .await
        .map_err(|error| RunError::System(std::io::Error::other(error)))
}

/// A word that no other run has: nobody can guess it, and so pass for this one.
fn instance() -> String {
    let mut bytes = [0_u8; 16];
    // Without random numbers there was no token either, so this never fails here; the time tells runs apart, too.
    if getrandom::fill(&mut bytes).is_err() {
        bytes[..8].copy_from_slice(&now().to_le_bytes());
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Nanoseconds since the epoch.
fn now() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_nanos()).unwrap_or(i64::MAX)
}
