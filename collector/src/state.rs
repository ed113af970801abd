//! What the process knows of itself, for the API.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flockscope_api::{BackupMade, Check, Measurement, MeasurementKind, Process, ProcessError, Setting, SqlBudgets};
use flockscope_client::{LiveFile, stored_event};
use flockscope_configuration::{Effective, Loaded, Origin, Problems, settings};
use flockscope_ingest::Ingest;
use flockscope_model::Span;
use flockscope_protocol::{DiscoveryRecord, Event, OtlpStatus, ProcessStatus, process_folder};
use flockscope_redaction::Redactor;
use flockscope_store::{Cleared, Ingested, Store};
use tokio::runtime::Handle;
use tokio::sync::broadcast;

use crate::care::Care;
use crate::end::{End, Ended};
use crate::figures::{self, Figures};
use crate::parts;

/// Sections of the configuration that concern everybody who asks, not only those who run the process.
const PUBLIC_SECTIONS: [&str; 3] = ["filters", "retention", "sql"];

/// With less room than this spans can soon no longer be taken.
const LEAST_ROOM: u64 = 64 << 20;

/// How long spans that were accepted may take to reach the store before it is cleared.
const FLUSH_TIME: Duration = Duration::from_secs(30);

/// The process around the API.
pub(crate) struct State {
    pub(crate) record: DiscoveryRecord,
    pub(crate) store: PathBuf,
    pub(crate) follow: Option<PathBuf>,
    pub(crate) idle: Option<Duration>,
    /// See [`flockscope_client::Served::keeps_history`].
    pub(crate) keeps_history: bool,
    pub(crate) settings: Mutex<SettingsState>,
    /// The limits of users' SQL, shared with the API.
    pub(crate) sql: SqlBudgets,
    pub(crate) ingest: Ingest,
    pub(crate) redactor: Arc<Redactor>,
    pub(crate) events: broadcast::Sender<Event>,
    pub(crate) live: Mutex<Option<LiveFile>>,
    pub(crate) care: Mutex<Option<Care>>,
    pub(crate) otlp: Mutex<OtlpState>,
    /// What a person should know, from the start.
    pub(crate) notes: Vec<String>,
    pub(crate) end: End,
    pub(crate) runtime: Handle,
}

/// The settings that count, and what stands in the way of others.
pub(crate) struct SettingsState {
    effective: Vec<Effective>,
    notes: Vec<String>,
}

impl SettingsState {
    pub(crate) fn new(loaded: &Loaded) -> Self {
        Self {
            effective: loaded.effective.clone(),
            notes: Vec::new(),
        }
    }

    /// Takes over what may change while the process runs; the rest is noted. Says what changed.
    fn take(&mut self, loaded: &Loaded) -> Vec<String> {
        self.notes.clear();
        let mut changed = Vec::new();
        for (setting, (counts, found)) in settings().iter().zip(self.effective.iter_mut().zip(&loaded.effective)) {
            if setting.needs_restart {
                if counts.value != found.value {
                    self.notes.push(format!(
                        "{} is {:?} by now ({}), which counts when the process starts again (flockscope stop)",
                        setting.key, found.value, found.origin
                    ));
                }
                continue;
            }
            if counts.value != found.value {
                changed.push(format!("{} = {}", setting.key, found.value));
            }
            counts.clone_from(found);
        }
        changed
    }
}

/// State of the receivers.
#[derive(Debug, Clone)]
pub(crate) struct OtlpState {
    pub(crate) grpc: OtlpStatus,
    pub(crate) http: OtlpStatus,
}

/// Which receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Receiver {
    Grpc,
    Http,
}

impl State {
    pub(crate) fn set_receiver(&self, receiver: Receiver, status: OtlpStatus) {
        let mut otlp = locked(&self.otlp);
        match receiver {
            Receiver::Grpc => otlp.grpc = status,
            Receiver::Http => otlp.http = status,
        }
    }

    /// The settings were read again.
    pub(crate) fn take_settings(&self, loaded: &Loaded) {
        let changed = locked(&self.settings).take(loaded);
        if changed.is_empty() {
            return;
        }
        tracing::info!(settings = changed.join(", "), "settings were changed");
        self.sql.replace(&parts::sql_budgets(&loaded.configuration));
        if let Some(care) = locked(&self.care).as_ref() {
            care.keep(parts::retention(&loaded.configuration, self.keeps_history));
        }
    }

    /// The settings can't be read as they are: those from before go on to count.
    pub(crate) fn refuse_settings(&self, problems: &Problems) {
        let note = format!("the changed settings can't be used, the ones from before still count: {problems}");
        let mut settings = locked(&self.settings);
        if settings.notes.last() != Some(&note) {
            tracing::warn!("{note}");
            settings.notes = vec![note];
        }
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = self.notes.clone();
        notes.extend(locked(&self.settings).notes.iter().cloned());
        let otlp = locked(&self.otlp).clone();
        for (name, status) in [("gRPC", &otlp.grpc), ("HTTP", &otlp.http)] {
            if let OtlpStatus::Unavailable { reason } = status {
                notes.push(format!("no OTLP over {name}: {reason}"));
            }
        }
        if let Some(trouble) = locked(&self.live).as_ref().and_then(|live| live.state().trouble) {
            notes.push(format!("the Flock file can't be followed right now: {trouble}"));
        }
        if let Some(trouble) = locked(&self.care).as_ref().and_then(|care| care.last().trouble) {
            notes.push(format!("old spans could not be removed: {trouble}"));
        }
        let counters = self.ingest.counters();
        if let Some(onward) = &counters.onward
            && let Some(trouble) = &onward.trouble
        {
            notes.push(format!(
                "{} spans wait on the disk to be sent onward, which failed and is tried again: {trouble}",
                onward.waiting_spans
            ));
        }
        if let Some(trouble) = counters.sink_trouble.filter(|_| counters.waiting_spans > 0) {
            notes.push(format!("{} spans wait to be stored: {trouble}", counters.waiting_spans));
        }
        notes
    }
}

impl Process for State {
    fn status(&self) -> ProcessStatus {
        let otlp = locked(&self.otlp).clone();
        ProcessStatus {
            pid: self.record.pid,
            instance: self.record.instance.clone(),
            version: self.record.version.clone(),
            started_at: self.record.started_at,
            store: Some(self.store.display().to_string()),
            following: self.follow.as_ref().map(|file| file.display().to_string()),
            otlp_grpc: otlp.grpc,
            otlp_http: otlp.http,
            ends_when_idle_for_s: self.idle.map(|idle| idle.as_secs()),
            // The API asks the store.
            spans: 0,
            traces: 0,
            notes: self.notes(),
        }
    }

    fn configuration(&self) -> Vec<Setting> {
        locked(&self.settings).effective.iter().map(setting).collect()
    }

    fn measurements(&self) -> Vec<Measurement> {
        let mut figures = Figures(figures::of_ingest(&self.ingest.counters()));
        if let Some(care) = locked(&self.care).as_ref() {
            let last = care.last();
            let help = "How long the last round of the retention took";
            figures.add(
                "retention_seconds",
                help,
                MeasurementKind::Gauge,
                last.took.as_secs_f64(),
                None,
            );
            figures.counter(
                "retention_removed_spans",
                "Spans that the retention removed",
                last.removed,
            );
        }
        if let Some(live) = locked(&self.live).as_ref() {
            let state = live.state();
            figures.counter(
                "followed_spans",
                "Spans that were read from the Flock file",
                state.report.read,
            );
            let skipped = state.report.skipped_total();
            figures.counter("followed_skipped_spans", "Spans of it that were left out", skipped);
        }
        if let Ok(room) = self.room() {
            figures.gauge("disk_free_bytes", "Room on the disk of the store", room);
        }
        figures.0
    }

    fn checks(&self) -> Vec<Check> {
        let counters = self.ingest.counters();
        let is_stuck = counters.waiting_spans > 0 && counters.sink_trouble.is_some();
        let is_full = self.room().is_ok_and(|room| room < LEAST_ROOM);
        vec![
            check("ingest", is_stuck, "spans that were accepted can't be stored right now"),
            check("disk", is_full, "the disk is nearly full"),
        ]
    }

    fn clear(&self, store: &Store) -> Result<Cleared, ProcessError> {
        // What was accepted before counts as seen: it must not come back after it was cleared.
        let flushed = self
            .runtime
            .block_on(async { tokio::time::timeout(FLUSH_TIME, self.ingest.flush()).await });
        if flushed.is_err() {
            return Err(ProcessError::CannotDo(
                "spans that were accepted can't be stored right now; try again later".into(),
            ));
        }
        Ok(store.clear()?)
    }

    fn take(&self, store: &Store, mut spans: Vec<Span>) -> Result<Ingested, ProcessError> {
        for span in &mut spans {
            self.redactor.redact(span);
        }
        let ingested = store.ingest(&spans)?;
        if !spans.is_empty() {
            // Nobody listens: that is no fault.
            let _ = self.events.send(stored_event(&spans));
        }
        Ok(ingested)
    }

    fn backup(&self, store: &Store, folder: Option<&Path>) -> Result<BackupMade, ProcessError> {
        let folder = match folder {
            Some(folder) if folder.symlink_metadata().is_ok() => {
                return Err(ProcessError::CannotDo(
                    "at the place of the backup there is something already; choose another folder".into(),
                ));
            }
            Some(folder) => folder.to_owned(),
            None => {
                let backups = process_folder(&self.store).join("backups");
                std::fs::create_dir_all(&backups).map_err(|error| ProcessError::Failed(error.to_string()))?;
                backups.join(name_of_backup())
            }
        };
        let manifest = store.backup(&folder, |_| {})?;
        Ok(BackupMade {
            name: folder.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            spans: manifest.stored_spans + manifest.archived_spans,
            bytes: manifest.files.iter().map(|file| file.bytes).sum(),
        })
    }

    fn stop(&self) {
        self.end.tell(Ended::Asked);
    }
}

impl State {
    fn room(&self) -> std::io::Result<u64> {
        fs4::available_space(process_folder(&self.store))
    }
}

pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn check(name: &str, is_bad: bool, detail: &str) -> Check {
    Check {
        name: name.into(),
        ok: !is_bad,
        detail: is_bad.then(|| detail.to_owned()),
    }
}

fn setting(effective: &Effective) -> Setting {
    let is_public = PUBLIC_SECTIONS
        .iter()
        .any(|section| effective.key.split('.').next() == Some(section));
    Setting {
        name: effective.key.into(),
        value: effective.value.clone().into(),
        source: source(&effective.origin),
        public: is_public,
    }
}

/// Where a value stands, without the folder: who may look in from another machine is told no paths of this one.
fn source(origin: &Origin) -> String {
    let file_name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    match origin {
        Origin::File { path, line } => format!("{}, line {line}", file_name(path)),
        Origin::EnvironmentFile { path, .. } => file_name(path),
        Origin::Default | Origin::Environment { .. } | Origin::CommandLine { .. } => origin.to_string(),
    }
}

/// `2026-11-23T09-30-00Z`: sorts by time, and is a file name everywhere.
fn name_of_backup() -> String {
    chrono::DateTime::<chrono::Utc>::from(std::time::SystemTime::now())
        .format("%Y-%m-%dT%H-%M-%SZ")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_of_a_setting_names_no_folder() {
        let path = Path::new("/home/someone/project/flockscope.toml").to_owned();
        assert_eq!(source(&Origin::File { path, line: 3 }), "flockscope.toml, line 3");
        let path = Path::new("/home/someone/project/.env").to_owned();
        let variable = "FLOCKSCOPE_SQL_ROWS".to_owned();
        assert_eq!(source(&Origin::EnvironmentFile { path, variable }), ".env");
        assert_eq!(source(&Origin::Default), "default");
    }
}
