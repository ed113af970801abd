//! Text with placeholders, as `measure/measure.py` writes it: `${ticket}`, `${artifact.Reply}`, …

use crate::tickets::{Artifact, Task, Ticket};

/// A text with slots for what differs from span to span.
#[derive(Debug, Default)]
pub(crate) struct Template(Vec<Piece>);

#[derive(Debug)]
enum Piece {
    Text(String),
    Slot(Slot),
}

#[derive(Debug, Clone, Copy)]
enum Slot {
    Correlation,
    Task,
    Artifact(Artifact),
    Ticket,
    Time,
    Fraction,
}

/// What fills the slots.
pub(crate) struct Filling<'a> {
    pub(crate) ticket: &'a Ticket,
    pub(crate) task: &'a Task,
    /// Digits of a number between 0 and 1.
    pub(crate) fraction: u32,
}

impl Template {
    /// Reads a text with placeholders. A placeholder that is not known is plain text.
    pub(crate) fn parse(text: &str) -> Self {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            let end = rest[start..].find('}').map_or(rest.len(), |length| start + length + 1);
            plain.push_str(&rest[..start]);
            match slot(&rest[start..end]) {
                Some(slot) => {
                    pieces.push(Piece::Text(std::mem::take(&mut plain)));
                    pieces.push(Piece::Slot(slot));
                }
                None => plain.push_str(&rest[start..end]),
            }
            rest = &rest[end..];
        }
        plain.push_str(rest);
        pieces.push(Piece::Text(plain));
        Self(pieces)
    }

    /// Appends the text to `to`, with the slots filled.
    pub(crate) fn render(&self, filling: &Filling<'_>, to: &mut String) {
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => to.push_str(text),
                Piece::Slot(Slot::Correlation) => to.push_str(filling.ticket.correlation.as_str()),
                Piece::Slot(Slot::Task) => to.push_str(filling.task.id.as_str()),
                Piece::Slot(Slot::Artifact(artifact)) => to.push_str(filling.ticket.artifact(*artifact).as_str()),
                Piece::Slot(Slot::Ticket) => to.push_str(&filling.ticket.number),
                Piece::Slot(Slot::Time) => to.push_str(&filling.ticket.created_at),
                Piece::Slot(Slot::Fraction) => {
                    to.push_str("0.");
                    to.push_str(&format!("{:05}", filling.fraction % 100_000));
                }
            }
        }
    }
}

fn slot(placeholder: &str) -> Option<Slot> {
    Some(match placeholder {
        "${correlation}" => Slot::Correlation,
        "${task}" => Slot::Task,
        "${ticket}" => Slot::Ticket,
        "${time}" => Slot::Time,
        "${fraction}" => Slot::Fraction,
        "${artifact.Ticket}" => Slot::Artifact(Artifact::Ticket),
        "${artifact.Classified}" => Slot::Artifact(Artifact::Classified),
        "${artifact.Findings}" => Slot::Artifact(Artifact::Findings),
        "${artifact.RiskReport}" => Slot::Artifact(Artifact::RiskReport),
        "${artifact.Reply}" => Slot::Artifact(Artifact::Reply),
        "${artifact.Digest}" => Slot::Artifact(Artifact::Digest),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn slots_are_filled_and_other_text_is_kept() {
        let mut random = Random::new(1);
        let ticket = Ticket::new(&mut random, 42, 1_795_392_000_123_456_789);
        let task = Task::new(&mut random);
        let filling = Filling {
            ticket: &ticket,
            task: &task,
            fraction: 7,
        };
        let mut text = String::new();
        Template::parse("T-${ticket} at ${time}: ${fraction}, ${other} $ ${").render(&filling, &mut text);
        assert_eq!(text, "T-0042 at 2026-11-23 00:00:00.123456: 0.00007, ${other} $ ${");
    }
}
