//! What the configuration means for each part of the process.

use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use flockscope_api::{SqlBudgets, SqlLimits};
use flockscope_client::Retention;
use flockscope_configuration::{Configuration, OnwardProtocol};
use flockscope_ingest::{Filter, OnwardSettings};
use flockscope_protocol::process_folder;
use flockscope_redaction::Rules;
use flockscope_security::{JwksSource, JwtSettings, RateLimits, Secret};

use crate::jwks::jwks_from_network;

/// Most rows and most time that a client on this machine may ask for: analyses come by SQL, too.
const MOST_LOCAL_ROWS: u64 = 10_000_000;
const MOST_LOCAL_TIME: Duration = Duration::from_secs(600);

/// Memory of the database while spans are stored and nobody asks: enough for the largest batches.
const RESTING_MEMORY: u64 = 96 << 20;

pub(crate) fn of_store(configuration: &Configuration) -> flockscope_store::Settings {
    let bytes = |bytes: u64| format!("{bytes}B");
    flockscope_store::Settings {
        memory_limit: bytes(configuration.store.memory),
        resting_memory: Some(bytes(configuration.store.memory.min(RESTING_MEMORY))),
        threads: configuration.store.threads,
        sandboxes: configuration.sql.concurrent,
        sandbox_memory: bytes(configuration.sql.memory),
        ..flockscope_store::Settings::default()
    }
}

/// What is made unreadable, as the configuration says.
pub fn redaction_rules(configuration: &Configuration) -> Rules {
    let redaction = &configuration.redaction;
    Rules {
        enabled: redaction.enabled,
        keys: redaction.keys.clone(),
        patterns: redaction.patterns.clone(),
        emails: redaction.emails,
        cards: redaction.cards,
        allow: redaction.allow.clone(),
        ..Rules::default()
    }
}

pub(crate) fn of_ingest(configuration: &Configuration, store: &Path) -> flockscope_ingest::Settings {
    let (otlp, ingest, filters) = (&configuration.otlp, &configuration.ingest, &configuration.filters);
    let per_second = |most: u64| NonZeroU32::new(u32::try_from(most).unwrap_or(u32::MAX));
    flockscope_ingest::Settings {
        filter: Filter::new(filters.services.clone(), filters.ignore.clone()),
        spans_per_second: otlp.max_spans_per_second.and_then(per_second),
        max_spans_per_request: size(otlp.max_spans_per_request),
        max_grpc_message: size(otlp.max_grpc_request),
        max_http_body: size(otlp.max_http_request),
        queue_bytes: size(ingest.queue),
        sync_interval: ingest.sync_interval,
        onward: of_onward(configuration, store),
        ..flockscope_ingest::Settings::default()
    }
}

fn of_onward(configuration: &Configuration, store: &Path) -> Option<OnwardSettings> {
    let onward = &configuration.onward;
    let protocol = match onward.protocol {
        OnwardProtocol::Grpc => flockscope_ingest::OnwardProtocol::Grpc,
        OnwardProtocol::HttpProtobuf => flockscope_ingest::OnwardProtocol::HttpProtobuf,
    };
    let folder = process_folder(store).join("onward");
    let mut settings = OnwardSettings::new(folder, onward.endpoint.clone()?, protocol);
    let headers = onward.headers.iter();
    settings.headers = headers
        .map(|(name, value)| (name.clone(), value.expose().to_owned()))
        .collect();
    settings.timeout = onward.timeout;
    settings.queue_bytes = onward.queue_size;
    Some(settings)
}

pub(crate) fn of_security(configuration: &Configuration, token: Secret) -> flockscope_security::Settings {
    let (api, auth, otlp) = (&configuration.api, &configuration.auth, &configuration.otlp);
    let is_loopback = |address: std::net::SocketAddr| flockscope_security::is_loopback(address.ip());
    flockscope_security::Settings {
        // Clients on this machine have the token of the store; whether others are let in is another question, see
        // `flockscope_security::check_address`.
        keys_file: auth.api_keys_file.clone().filter(|_| auth.enabled),
        jwt: of_jwt(configuration).filter(|_| auth.enabled),
        api_is_loopback: is_loopback(api.address),
        otlp_is_loopback: !otlp.enabled || is_loopback(otlp.grpc_address) && is_loopback(otlp.http_address),
        allowed_origins: api.allowed_origins.clone(),
        allowed_hosts: api.allowed_hosts.clone(),
        rate_limits: RateLimits {
            sql: NonZeroU32::new(configuration.sql.queries_per_minute),
            ..RateLimits::default()
        },
        ..flockscope_security::Settings::local(token)
    }
}

fn of_jwt(configuration: &Configuration) -> Option<JwtSettings> {
    let auth = &configuration.auth;
    let jwks = match (&auth.jwks_file, &auth.jwks_url) {
        (Some(file), _) => Some(JwksSource::File(file.clone())),
        (None, Some(url)) => Some(jwks_from_network(url.clone())),
        (None, None) => None,
    };
    let secret = auth.jwt_secret.as_ref().map(|secret| Secret::new(secret.expose()));
    (secret.is_some() || jwks.is_some()).then(|| JwtSettings {
        secret,
        jwks,
        issuer: auth.jwt_issuer.clone(),
        audience: auth.jwt_audience.clone(),
    })
}

pub(crate) fn of_api(configuration: &Configuration) -> flockscope_api::Settings {
    let sql = &configuration.sql;
    flockscope_api::Settings {
        queries: sql.concurrent.saturating_add(1),
        sql_queries: sql.concurrent,
        queries_of_caller: sql.concurrent,
        sql: sql_budgets(configuration),
        metrics: configuration.api.metrics,
        ..flockscope_api::Settings::default()
    }
}

/// What the SQL of users may use.
pub(crate) fn sql_budgets(configuration: &Configuration) -> SqlBudgets {
    let sql = &configuration.sql;
    let network = SqlLimits {
        rows: sql.rows,
        most_rows: sql.rows,
        bytes: size(sql.answer_size),
        time: sql.time,
        most_time: sql.time,
    };
    let local = SqlLimits {
        most_rows: MOST_LOCAL_ROWS.max(sql.rows),
        most_time: MOST_LOCAL_TIME.max(sql.time),
        ..network.clone()
    };
    SqlBudgets::new(local, network)
}

/// What the store keeps. One that only mirrors a file keeps what that file has.
pub fn retention(configuration: &Configuration, keeps_history: bool) -> Retention {
    let retention = &configuration.retention;
    match keeps_history {
        true => Retention {
            days: retention.days,
            bytes: retention.max_size,
        },
        false => Retention::default(),
    }
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
