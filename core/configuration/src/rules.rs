//! What must hold between settings, and between a setting and the disk.

use std::net::SocketAddr;
use std::path::Path;

use http::Uri;

use crate::network::is_this_machine;
use crate::problem::Given;
use crate::settings::by_key;
use crate::value::{Value, Values};
use crate::{Configuration, Kind, Place, Problem, Problems, Setting, settings};

/// By which name and where a setting was given.
pub(crate) type Whence<'a> = &'a dyn Fn(&Setting) -> Given;

/// Checks all rules. That an address of the network needs authentication is not among them: who binds it decides.
pub(crate) fn check(
    configuration: &Configuration,
    values: &Values,
    given: Whence<'_>,
    problems: &mut Problems,
    warnings: &mut Vec<Problem>,
) {
    paths_are_there(values, given, problems);
    for (key, what) in contradictions(configuration) {
        if let Some(setting) = by_key(key) {
            problems.push(Problem::about(setting, &given(setting), &what));
        }
    }
    if configuration.filters.services.as_ref().is_some_and(Vec::is_empty)
        && let Some(setting) = by_key("filters.services")
    {
        let what = "is an empty list, so that every span is dropped";
        warnings.push(Problem::about(setting, &given(setting), what));
    }
}

/// Settings that can't be as they are together, with a sentence about each.
fn contradictions(configuration: &Configuration) -> Vec<(&'static str, String)> {
    let Configuration { tls, auth, .. } = configuration;
    let mut found = Vec::new();
    match (&tls.certificate, &tls.key) {
        (Some(_), None) => found.push(("tls.certificate", "also needs tls.key".into())),
        (None, Some(_)) => found.push(("tls.key", "also needs tls.certificate".into())),
        _ => {}
    }
    if auth.jwks_file.is_some() && auth.jwks_url.is_some() {
        found.push(("auth.jwks_file", "can't be set together with auth.jwks_url".into()));
    }
    for (key, other) in same_addresses(configuration) {
        found.push((key, format!("must not be the same address as {other}")));
    }
    if sends_to_itself(configuration) {
        let what = "is where this process itself takes in spans, so that each would come again for ever";
        found.push(("onward.endpoint", what.into()));
    }
    found
}

fn paths_are_there(values: &Values, given: Whence<'_>, problems: &mut Problems) {
    for setting in settings() {
        let (Kind::Path { place }, Value::Path(path)) = (setting.kind, values.value(setting.key)) else {
            continue;
        };
        let is_there = match place {
            Place::File => path.is_file(),
            Place::Folder => path.is_dir(),
            Place::MayBeMissing => !path.is_dir(),
        };
        if !is_there {
            let what = missing(path, place);
            problems.push(Problem::about(setting, &given(setting), &what));
        }
    }
}

fn missing(path: &Path, place: Place) -> String {
    let (must_be, is) = match place {
        Place::File => ("a file", "there is none"),
        Place::Folder => ("a folder", "there is none"),
        Place::MayBeMissing => ("a file", "there is a folder"),
    };
    format!("is {path:?}, but must be the path of {must_be}; {is}")
}

fn same_addresses(configuration: &Configuration) -> Vec<(&'static str, &'static str)> {
    let mut addresses = vec![("api.address", configuration.api.address)];
    if configuration.otlp.enabled {
        addresses.push(("otlp.grpc_address", configuration.otlp.grpc_address));
        addresses.push(("otlp.http_address", configuration.otlp.http_address));
    }
    let mut same = Vec::new();
    for (index, (key, address)) in addresses.iter().enumerate() {
        let before = addresses.iter().take(index);
        // Any number of listeners may ask for any free port.
        same.extend(
            before
                .filter(|(_, other)| other == address && address.port() != 0)
                .map(|(other, _)| (*key, *other)),
        );
    }
    same
}

fn sends_to_itself(configuration: &Configuration) -> bool {
    let Some(uri) = configuration
        .onward
        .endpoint
        .as_deref()
        .and_then(|text| text.parse::<Uri>().ok())
    else {
        return false;
    };
    let (Some(host), Some(port)) = (uri.host(), uri.port_u16()) else {
        return false;
    };
    let is_it = |address: &SocketAddr| {
        let is_host = if is_this_machine(host) {
            address.ip().is_loopback() || address.ip().is_unspecified()
        } else {
            host.trim_matches(['[', ']']) == address.ip().to_string()
        };
        address.port() == port && is_host
    };
    let otlp = &configuration.otlp;
    otlp.enabled && [otlp.grpc_address, otlp.http_address].iter().any(is_it)
}
