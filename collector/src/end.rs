//! Why the process ends, and how it comes to know.

use std::fmt;
use std::time::Duration;

use tokio::sync::watch;

use crate::activity::Activity;

/// Why a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// By a signal: Ctrl-C, or the system shuts down.
    Signal,
    /// A client said so.
    Asked,
    /// Nobody needed it.
    Idle,
    /// Part of it failed.
    Failed,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Signal => "a signal came",
            Self::Asked => "a client said so",
            Self::Idle => "nobody needed it any more",
            Self::Failed => "a part of it failed",
        })
    }
}

/// Tells all parts to end. The first reason counts.
#[derive(Debug, Clone)]
pub(crate) struct End(watch::Sender<Option<Ended>>);

impl End {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(None))
    }

    pub(crate) fn tell(&self, why: Ended) {
        self.0.send_if_modified(|end| {
            let is_first = end.is_none();
            end.get_or_insert(why);
            is_first
        });
    }

    /// Waits until it is told to end.
    pub(crate) async fn told(&self) -> Ended {
        let mut end = self.0.subscribe();
        // The sender lives as long as `self` does.
        match end.wait_for(Option::is_some).await {
            Ok(why) => why.unwrap_or(Ended::Failed),
            Err(_) => Ended::Failed,
        }
    }
}

/// Waits for a signal to end.
#[cfg(unix)]
pub(crate) async fn signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        _ = hang_up.recv() => {}
    }
    Ok(())
}

/// Waits for a signal to end.
#[cfg(windows)]
pub(crate) async fn signal() -> std::io::Result<()> {
    use tokio::signal::windows;
    let mut interrupt = windows::ctrl_c()?;
    let mut stop = windows::ctrl_break()?;
    let mut close = windows::ctrl_close()?;
    let mut shutdown = windows::ctrl_shutdown()?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = stop.recv() => {}
        _ = close.recv() => {}
        _ = shutdown.recv() => {}
    }
    Ok(())
}

/// Waits until nothing went on for so long.
pub(crate) async fn idle(activity: &Activity, most: Duration) {
    loop {
        let left = most.saturating_sub(activity.idle_for());
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_reason_counts_for_all_who_wait() {
        let end = End::new();
        let waiting = tokio::spawn({
            let end = end.clone();
            async move { end.told().await }
        });
        end.tell(Ended::Asked);
        end.tell(Ended::Signal);
        assert_eq!(waiting.await.expect("told"), Ended::Asked);
        assert_eq!(end.told().await, Ended::Asked);
    }
}
