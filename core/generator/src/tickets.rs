//! What the agents work on.

use crate::random::{Random, Uuid};

/// What an agent publishes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Artifact {
    Ticket,
    Classified,
    Findings,
    RiskReport,
    Reply,
    Digest,
}

/// One ticket on its way through the desk.
pub(crate) struct Ticket {
    /// Four digits.
    pub(crate) number: String,
    /// `2026-11-23 07:11:09.681141`.
    pub(crate) created_at: String,
    pub(crate) correlation: Uuid,
    artifacts: [Uuid; 6],
    /// The knowledge base often fails for this product.
    pub(crate) is_camera: bool,
    /// The score divides by zero.
    pub(crate) is_without_baseline: bool,
}

impl Ticket {
    pub(crate) fn new(random: &mut Random, number: u32, created_at: i64) -> Self {
        Self {
            number: format!("{:04}", number % 10_000),
            created_at: chrono::DateTime::from_timestamp_nanos(created_at)
                .format("%Y-%m-%d %H:%M:%S%.6f")
                .to_string(),
            correlation: random.uuid(),
            artifacts: std::array::from_fn(|_| random.uuid()),
            is_camera: random.chance(1.0 / 6.0),
            is_without_baseline: random.chance(1.0 / 51.0),
        }
    }

    /// The id of an artifact made from this ticket.
    pub(crate) fn artifact(&self, artifact: Artifact) -> &Uuid {
        &self.artifacts[artifact as usize]
    }
}

/// One run of an agent.
pub(crate) struct Task {
    pub(crate) id: Uuid,
}

impl Task {
    pub(crate) fn new(random: &mut Random) -> Self {
        Self { id: random.uuid() }
    }
}
