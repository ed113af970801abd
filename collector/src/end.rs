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

/// The signals that end a process. They are caught from [`Signals::catch`] on: before that, one of them kills it.
#[cfg(unix)]
pub(crate) struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    pub(crate) fn catch() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for one of them.
    pub(crate) async fn wait(mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }
}

/// The signals that end a process. They are caught from [`Signals::catch`] on: before that, one of them kills it.
#[cfg(windows)]
pub(crate) struct Signals {
    interrupt: tokio::signal::windows::CtrlC,
    stop: tokio::signal::windows::CtrlBreak,
    close: tokio::signal::windows::CtrlClose,
    shutdown: tokio::signal::windows::CtrlShutdown,
}

#[cfg(windows)]
impl Signals {
    pub(crate) fn catch() -> std::io::Result<Self> {
        use tokio::signal::windows;
        Ok(Self {
            interrupt: windows::ctrl_c()?,
            stop: windows::ctrl_break()?,
            close: windows::ctrl_close()?,
            shutdown: windows::ctrl_shutdown()?,
        })
    }

    /// Waits for one of them.
    pub(crate) async fn wait(mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.stop.recv() => {}
            _ = self.close.recv() => {}
            _ = self.shutdown.recv() => {}
        }
    }
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
