//! Spans on their way out: the opposite of `message.rs`.

use std::collections::HashMap;

use flockscope_model::{Span, StatusCode};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{self as proto, ResourceSpans, ScopeSpans};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::any_value::Fields;
use crate::message::{USUAL_FLAGS, kept, kind_number};

/// What [`to_request`] gives.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Export {
    /// The message.
    pub request: ExportTraceServiceRequest,
    /// Spans that are not in it, because their ids are not hexadecimal of 16 and 8 bytes, as OTLP demands.
    pub unexportable: u64,
}

/// Makes a message of spans, grouped by resource and scope, each group in the order of its first span.
///
/// What [`crate::from_request`] makes of the message are these spans again, but for their order, for
/// [`Span::created_at`] and [`Span::repair`], which OTLP has no field for, and for links with ids that OTLP does not
/// take: these are left out and counted among the dropped ones. Attributes that our conversion added (`otel.flags`, …)
/// go back to their fields. A receiver that refuses a message for one bad span should find none here.
pub fn to_request(spans: &[Span]) -> Export {
    let mut export = Export::default();
    let mut resources: HashMap<&str, usize> = HashMap::new();
    let mut scopes: HashMap<ScopeKey<'_>, usize> = HashMap::new();
    let resource_spans = &mut export.request.resource_spans;
    for span in spans {
        let mut attributes = Fields::of(&span.attributes).unwrap_or_default();
        let scope_attributes = attributes
            .take_last(kept::SCOPE_ATTRIBUTES, |raw| {
                (raw.get() != "{}" && raw.get().starts_with('{')).then(|| raw.get())
            })
            .unwrap_or("{}");
        let Some(exported) = exported(span, attributes) else {
            export.unexportable += 1;
            continue;
        };
        let resource = *resources.entry(&span.resource).or_insert_with(|| {
            resource_spans.push(new_resource(&span.resource));
            resource_spans.len() - 1
        });
        let Some(resource_spans) = resource_spans.get_mut(resource) else {
            continue;
        };
        let key = ScopeKey {
            resource,
            name: span.scope_name.as_deref().unwrap_or_default(),
            version: span.scope_version.as_deref().unwrap_or_default(),
            attributes: scope_attributes,
        };
        let scope = *scopes.entry(key).or_insert_with_key(|key| {
            resource_spans.scope_spans.push(new_scope(key));
            resource_spans.scope_spans.len() - 1
        });
        if let Some(scope_spans) = resource_spans.scope_spans.get_mut(scope) {
            scope_spans.spans.push(exported);
        }
    }
    export
}

#[derive(PartialEq, Eq, Hash)]
struct ScopeKey<'a> {
    resource: usize,
    name: &'a str,
    version: &'a str,
    attributes: &'a str,
}

fn new_resource(json: &str) -> ResourceSpans {
    let mut attributes = Fields::of(json).unwrap_or_default();
    ResourceSpans {
        resource: Some(Resource {
            dropped_attributes_count: take_count(&mut attributes, kept::DROPPED_ATTRIBUTES),
            attributes: attributes.key_values(),
            ..Resource::default()
        }),
        ..ResourceSpans::default()
    }
}

fn new_scope(key: &ScopeKey<'_>) -> ScopeSpans {
    ScopeSpans {
        scope: Some(InstrumentationScope {
            name: key.name.to_owned(),
            version: key.version.to_owned(),
            attributes: Fields::of(key.attributes).unwrap_or_default().key_values(),
            ..InstrumentationScope::default()
        }),
        ..ScopeSpans::default()
    }
}

/// The fields are taken from the end of the attributes, in the opposite of the order in which they were put there.
fn exported(span: &Span, mut attributes: Fields<'_>) -> Option<proto::Span> {
    let trace_id = bytes::<16>(&span.trace_id)?;
    let span_id = bytes::<8>(&span.span_id)?;
    let parent_span_id = match &span.parent_id {
        Some(parent) => bytes::<8>(parent)?,
        None => Vec::new(),
    };
    let flags = attributes.take_last(kept::FLAGS, |raw| {
        raw.get().parse().ok().filter(|flags: &u32| flags & !USUAL_FLAGS != 0)
    });
    let trace_state = take_text(&mut attributes, kept::TRACE_STATE);
    let dropped_links = take_count(&mut attributes, kept::DROPPED_LINKS);
    let dropped_events = take_count(&mut attributes, kept::DROPPED_EVENTS);
    let dropped_attributes = take_count(&mut attributes, kept::DROPPED_ATTRIBUTES);
    let (links, lost_links) = links(&span.links);
    Some(proto::Span {
        trace_id,
        span_id,
        trace_state,
        parent_span_id,
        flags: flags.unwrap_or_default(),
        name: span.name.clone(),
        kind: kind_number(&span.kind).into(),
        start_time_unix_nano: u64::try_from(span.start_time).ok()?,
        end_time_unix_nano: u64::try_from(span.end_time).ok()?,
        attributes: attributes.key_values(),
        dropped_attributes_count: dropped_attributes,
        events: events(&span.events),
        dropped_events_count: dropped_events,
        links,
        dropped_links_count: dropped_links.saturating_add(lost_links),
        status: Some(proto::Status {
            message: span.status_description.clone().unwrap_or_default(),
            code: match span.status_code {
                StatusCode::Unset => 0,
                StatusCode::Ok => 1,
                StatusCode::Error => 2,
            },
        }),
    })
}

/// An event as a span holds it. Files of others may hold other things, of which nothing is made.
#[derive(Deserialize)]
struct EventJson<'a> {
    #[serde(default)]
    name: Option<String>,
    #[serde(borrow, default)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow, default)]
    attributes: Option<Fields<'a>>,
}

fn events(json: &str) -> Vec<proto::span::Event> {
    list(json)
        .into_iter()
        .filter_map(|raw| serde_json::from_str::<EventJson<'_>>(raw.get()).ok())
        .map(|event| {
            let mut attributes = event.attributes.unwrap_or_default();
            proto::span::Event {
                time_unix_nano: event
                    .timestamp
                    .and_then(|raw| raw.get().parse().ok())
                    .unwrap_or_default(),
                name: event.name.unwrap_or_default(),
                dropped_attributes_count: take_count(&mut attributes, kept::DROPPED_ATTRIBUTES),
                attributes: attributes.key_values(),
            }
        })
        .collect()
}

/// A link, with its ids in it or, as Flock writes it, under `context`.
#[derive(Deserialize)]
struct LinkJson<'a> {
    #[serde(default)]
    trace_id: Option<String>,
    #[serde(default)]
    span_id: Option<String>,
    #[serde(default)]
    context: Option<LinkContext>,
    #[serde(borrow, default)]
    attributes: Option<Fields<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct LinkContext {
    trace_id: String,
    span_id: String,
}

/// The links, and how many were left out.
fn links(json: &str) -> (Vec<proto::span::Link>, u32) {
    let mut lost = 0_u32;
    let mut links = Vec::new();
    for raw in list(json) {
        match link(raw) {
            Some(link) => links.push(link),
            None => lost = lost.saturating_add(1),
        }
    }
    (links, lost)
}

fn link(raw: &RawValue) -> Option<proto::span::Link> {
    let link: LinkJson<'_> = serde_json::from_str(raw.get()).ok()?;
    let context = link.context.unwrap_or_default();
    let mut attributes = link.attributes.unwrap_or_default();
    let trace_state = take_text(&mut attributes, kept::TRACE_STATE);
    Some(proto::span::Link {
        trace_id: bytes::<16>(&link.trace_id.unwrap_or(context.trace_id))?,
        span_id: bytes::<8>(&link.span_id.unwrap_or(context.span_id))?,
        trace_state,
        dropped_attributes_count: take_count(&mut attributes, kept::DROPPED_ATTRIBUTES),
        attributes: attributes.key_values(),
        ..proto::span::Link::default()
    })
}

fn list(json: &str) -> Vec<&RawValue> {
    serde_json::from_str(json).unwrap_or_default()
}

/// Exactly so many bytes of hexadecimal, in either case, also with the prefix `0x` that Flock writes in links.
fn bytes<const COUNT: usize>(hex: &str) -> Option<Vec<u8>> {
    let hex = hex.strip_prefix("0x").unwrap_or(hex);
    if hex.len() != 2 * COUNT {
        return None;
    }
    let digit = |digit: u8| {
        char::from(digit)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    hex.as_bytes()
        .chunks_exact(2)
        .map(|pair| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        })
        .collect()
}

fn take_count(attributes: &mut Fields<'_>, key: &str) -> u32 {
    let count = attributes.take_last(key, |raw| raw.get().parse().ok().filter(|count: &u32| *count != 0));
    count.unwrap_or_default()
}

fn take_text(attributes: &mut Fields<'_>, key: &str) -> String {
    let text = attributes.take_last(key, |raw| {
        serde_json::from_str(raw.get())
            .ok()
            .filter(|text: &String| !text.is_empty())
    });
    text.unwrap_or_default()
}
