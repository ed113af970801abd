//! What a user sets in the editor (`flockscope.…`): sent at the start, and when it changes.

use std::collections::BTreeMap;
use std::time::Duration;

use async_lsp::lsp_types::DiagnosticSeverity;
use serde::Deserialize;
use serde::de::{Deserializer, Error};
use serde_json::Value;

use crate::changes::Comparison;
use crate::lens::Template;

/// All of them; what is not given is as in the documentation (`docs/editors.md`).
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Preferences {
    pub(crate) lens: Lens,
    pub(crate) diagnostics: Diagnostics,
    pub(crate) inlay_hints: InlayHints,
    /// By span name (`Agent.execute`).
    pub(crate) service_levels: BTreeMap<String, ServiceLevel>,
    /// Commands of lenses and actions that the editor itself carries out.
    pub(crate) client_commands: Vec<String>,
    /// Whether the editor follows `command:` links in hovers.
    pub(crate) command_links: bool,
}

#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Lens {
    pub(crate) template: Template,
    /// `auto`, `version`, `off`, or a time: `6h`, `7d`.
    pub(crate) compare: Comparison,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Diagnostics {
    pub(crate) enabled: bool,
    pub(crate) severity: Severity,
    /// From so many times the duration before on a function is slower; 95th percentiles.
    pub(crate) slower: f64,
    /// From so much more of its calls on that fail, 0 to 1, it has become worse.
    pub(crate) failing: f64,
}

impl Default for Diagnostics {
    fn default() -> Self {
        Self {
            enabled: true,
            severity: Severity::Hint,
            slower: 1.5,
            failing: 0.1,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Severity {
    #[default]
    Hint,
    Information,
    Warning,
}

impl From<Severity> for DiagnosticSeverity {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Hint => Self::HINT,
            Severity::Information => Self::INFORMATION,
            Severity::Warning => Self::WARNING,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct InlayHints {
    pub(crate) enabled: bool,
    /// Calls that took less of their function's time say nothing, 0 to 1.
    pub(crate) least_share: f64,
}

impl Default for InlayHints {
    fn default() -> Self {
        Self {
            enabled: true,
            least_share: 0.01,
        }
    }
}

/// What is promised of an operation.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct ServiceLevel {
    /// The 95th percentile at most.
    #[serde(deserialize_with = "duration")]
    pub(crate) p95: Option<Duration>,
    /// The share of calls that fail at most, 0 to 1.
    pub(crate) error_rate: Option<f64>,
}

impl Preferences {
    /// Reads what an editor sent: the object itself, or one that holds it under `flockscope`. Nothing at all is fine.
    ///
    /// # Errors
    /// In words: which value is wrong, and what is allowed.
    pub(crate) fn read(sent: &Value) -> Result<Self, String> {
        let own = sent.get("flockscope").unwrap_or(sent);
        match own {
            Value::Object(_) => serde_path_to_error::deserialize(own).map_err(|error| {
                let path = error.path().to_string();
                format!("setting flockscope.{path}: {}", error.into_inner())
            }),
            _ => Ok(Self::default()),
        }
    }
}

impl<'de> Deserialize<'de> for Comparison {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let window = |time: Duration| i64::try_from(time.as_nanos()).ok().filter(|time| *time > 0);
        match text.as_str() {
            "auto" => Ok(Self::Auto),
            "version" => Ok(Self::Version),
            "off" => Ok(Self::Off),
            time => match humantime::parse_duration(time).ok().and_then(window) {
                Some(time) => Ok(Self::Window(time)),
                None => Err(D::Error::custom(format!(
                    "`{time}` is none of auto, version, off, and no time such as 6h or 7d"
                ))),
            },
        }
    }
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else {
        return Ok(None);
    };
    let time = humantime::parse_duration(&text);
    time.map(Some)
        .map_err(|_| D::Error::custom(format!("`{text}` is no time such as 500ms or 2s")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_given_counts_and_the_rest_is_as_ever() {
        let given = json!({"flockscope": {
            "lens": {"compare": "6h", "template": "{p50}"},
            "diagnostics": {"severity": "warning"},
            "serviceLevels": {"Agent.execute": {"p95": "500ms", "errorRate": 0.01}},
        }});
        let read = Preferences::read(&given).expect("right");
        assert_eq!(read.lens.compare, Comparison::Window(6 * 3_600 * 1_000_000_000));
        assert_eq!(
            (read.diagnostics.severity, read.diagnostics.slower),
            (Severity::Warning, 1.5)
        );
        let level = &read.service_levels["Agent.execute"];
        assert_eq!(
            (level.p95, level.error_rate),
            (Some(Duration::from_millis(500)), Some(0.01))
        );
        assert_eq!(Preferences::read(&Value::Null), Ok(Preferences::default()));
    }

    #[test]
    fn what_is_wrong_is_named_with_what_is_allowed() {
        for (given, words) in [
            (
                json!({"lens": {"compare": "often"}}),
                "lens.compare: `often` is none of auto, version, off",
            ),
            (
                json!({"lens": {"template": "{speed}"}}),
                "lens.template: `{speed}` is unknown; there are latest, age",
            ),
            (
                json!({"diagnostics": {"severity": "loud"}}),
                "unknown variant `loud`, expected one of `hint`",
            ),
            (json!({"lenses": {}}), "unknown field `lenses`, expected one of `lens`"),
            (
                json!({"serviceLevels": {"a.b": {"p95": "5"}}}),
                "serviceLevels.a.b.p95: `5` is no time",
            ),
        ] {
            let error = Preferences::read(&given).expect_err("wrong");
            assert!(error.contains(words), "{error}");
        }
    }
}
