//! The variables of the Flock program itself.

use serde::Serialize;

use crate::Origin;

/// A variable that the traced Flock program reads and Flockscope only shows: setting it in `flockscope.toml` would do
/// nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ProgramVariable {
    /// Its name.
    pub name: &'static str,
    /// What Flock does where it is not set.
    pub default: &'static str,
    /// What it does.
    pub description: &'static str,
}

/// A variable of the program and its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProgramValue {
    /// Its name.
    pub variable: &'static str,
    /// Its value as text, Flock's default where it is not set.
    pub value: String,
    /// Where it stands.
    pub origin: Origin,
    /// What it does.
    pub description: &'static str,
}

/// The variables that flock-core 0.5.7 reads for tracing, besides those that are settings too (`FLOCK_TRACE_SERVICES`,
/// `FLOCK_TRACE_IGNORE`, `FLOCK_TRACE_TTL_DAYS`). True is `true`, `1`, `yes` or `on`, anything else is false.
pub const PROGRAM_VARIABLES: &[ProgramVariable] = &[
    ProgramVariable {
        name: "FLOCK_AUTO_TRACE",
        default: "true",
        description: "Whether Flock traces its components.",
    },
    ProgramVariable {
        name: "FLOCK_TRACE_FILE",
        default: "false",
        description: "Whether Flock writes its spans to `.flock/traces.duckdb`, which is followed.",
    },
    ProgramVariable {
        name: "FLOCK_AUTO_WORKFLOW_TRACE",
        default: "false",
        description: "Whether Flock puts all spans of a workflow under one root.",
    },
    ProgramVariable {
        name: "FLOCK_DISABLE_TELEMETRY_AUTOSETUP",
        default: "false",
        description: "Whether Flock leaves the setup of telemetry to the program.",
    },
    ProgramVariable {
        name: "OTEL_EXPORTER_OTLP_ENDPOINT",
        default: "",
        description: "Where Flock sends its spans over OTLP (gRPC): `http://localhost:4317` is this process.",
    },
];
