//! The five agents of the help desk, and what each is made of.

/// Who a span works for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Agent {
    None,
    Intake,
    Researcher,
    Risk,
    Responder,
    Archivist,
}

impl Agent {
    pub(crate) const ALL: [Self; 5] = [
        Self::Intake,
        Self::Researcher,
        Self::Risk,
        Self::Responder,
        Self::Archivist,
    ];

    /// The agent of this name.
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "intake" => Self::Intake,
            "researcher" => Self::Researcher,
            "risk" => Self::Risk,
            "responder" => Self::Responder,
            "archivist" => Self::Archivist,
            _ => Self::None,
        }
    }

    /// Its utility components, in the order in which their hooks run.
    pub(crate) fn utilities(self) -> &'static [&'static str] {
        match self {
            Self::None => &[],
            Self::Intake => &["MetricsUtility", "AuditUtility"],
            Self::Researcher => &["AuditUtility"],
            Self::Risk | Self::Responder | Self::Archivist => &["OutputUtilityComponent"],
        }
    }

    /// Its engines, in the order in which they run.
    pub(crate) fn engines(self) -> &'static [&'static str] {
        match self {
            Self::None => &[],
            Self::Intake => &["IntakeEngine"],
            Self::Researcher => &["ResearchEngine"],
            Self::Risk => &["RiskEngine"],
            Self::Responder => &["DraftEngine", "PolishEngine"],
            Self::Archivist => &["DigestEngine"],
        }
    }
}
