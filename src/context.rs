//! What the commands share: finding and opening the traces, notes on stderr, the style of text.

use std::env;
use std::path::PathBuf;
use std::sync::Arc;

use flockscope_client::{Located, Opened, Options, Progress, Removed, locate};
use flockscope_configuration::{Configuration, Sources};
use flockscope_model::ReadReport;
use flockscope_redaction::Redactor;
use flockscope_render::Style;
use flockscope_store::Settings;
use indicatif::HumanCount;

use crate::arguments::GlobalArguments;
use crate::failure::{Failure, printable};
use crate::progress::Bar;
use crate::terminal;
use crate::traces::{Kept, Traces};

/// The arguments that every command takes, and what follows from them.
pub(crate) struct Context {
    arguments: GlobalArguments,
}

impl Context {
    pub(crate) fn new(arguments: GlobalArguments) -> Self {
        Self { arguments }
    }

    /// The path of `--db`.
    pub(crate) fn given(&self) -> Option<&std::path::Path> {
        self.arguments.db.as_deref()
    }

    pub(crate) fn quiet(&self) -> bool {
        self.arguments.quiet
    }

    /// How text is written to stdout.
    pub(crate) fn style(&self) -> Style {
        terminal::style(self.arguments.colour)
    }

    /// Says something on stderr.
    pub(crate) fn note(&self, text: &str) {
        if !self.arguments.quiet {
            eprintln!("{}", printable(text));
        }
    }

    pub(crate) fn working_directory() -> Result<PathBuf, Failure> {
        env::current_dir().map_err(|error| Failure::Failed(format!("the working directory can't be told: {error}")))
    }

    /// Finds the traces that are meant, without opening them.
    pub(crate) fn locate(&self) -> Result<Located, Failure> {
        Ok(locate(&Self::working_directory()?, self.given())?)
    }

    /// Whether no other process is to be asked.
    pub(crate) fn in_process(&self) -> bool {
        self.arguments.in_process
    }

    /// Finds the traces that are meant, and asks the process that keeps them; that of a project is started if need be.
    /// Where there is none, they are opened here, up to date.
    pub(crate) fn traces(&self) -> Result<Traces, Failure> {
        let located = self.locate()?;
        if let Some(kept) = Kept::running_or_started(self, &located)? {
            return Ok(Traces::Kept(kept));
        }
        Ok(Traces::Opened(Box::new(
            self.open_located(&located, self.opening(&located)?)?,
        )))
    }

    /// Finds the traces that are meant and opens them, up to date.
    pub(crate) fn open(&self) -> Result<Opened, Failure> {
        let located = self.locate()?;
        self.open_located(&located, self.opening(&located)?)
    }

    /// How the settings say that traces are opened.
    pub(crate) fn opening(&self, located: &Located) -> Result<Options, Failure> {
        let sources = match located.project_folder() {
            Some(folder) => Sources::of_project(folder),
            None => Sources::of_environment(),
        };
        let loaded = Configuration::load(&sources).map_err(|problems| Failure::Failed(problems.to_string()))?;
        let rules = flockscope_collector::redaction_rules(&loaded.configuration);
        let redactor = Redactor::new(&rules).map_err(|error| Failure::Failed(error.to_string()))?;
        let keeps_history = located.served().is_some_and(|served| served.keeps_history);
        Ok(Options {
            retention: flockscope_collector::retention(&loaded.configuration, keeps_history),
            redactor: Arc::new(redactor),
            settings: Settings::default(),
        })
    }

    /// Opens what was found.
    pub(crate) fn open_located(&self, located: &Located, options: Options) -> Result<Opened, Failure> {
        let mut bar = Bar::new("reading traces", self.quiet());
        let opened = flockscope_client::open(located, &options, &mut |progress: Progress| bar.show(progress))?;
        drop(bar);
        if let Some(note) = &opened.note {
            self.note(&format!("note: {note}"));
        }
        self.tell_of_skipped(&opened.loaded.report);
        self.tell_of_removed(&opened.removed);
        Ok(opened)
    }

    /// The process that keeps these traces, if one runs and may be asked.
    pub(crate) fn kept(&self, located: &Located) -> Result<Option<Kept>, Failure> {
        if self.in_process() {
            return Ok(None);
        }
        Kept::running(located)
    }

    /// As [`Self::open`], for a command that changes a store as no other may use it: not one that was only loaded for
    /// this once, and not a copy of one that another process holds. A process that a client started is ended for it; the
    /// next client starts another.
    pub(crate) fn open_to_care(&self) -> Result<Opened, Failure> {
        if let Located::Files { path } = self.locate()? {
            return Err(Failure::Usage(format!(
                "{} is not kept in a store; flockscope import puts it into one",
                path.display()
            )));
        }
        self.end_idle_process(&self.locate()?)?;
        let opened = self.open()?;
        if opened.is_copy() {
            return Err(Failure::Failed(
                "another process holds the store, and only that one could do this; end it first (flockscope stop; or is flockscope watch --in-process running?)".into(),
            ));
        }
        Ok(opened)
    }

    /// Ends the process that keeps the traces, unless a person started it: then that one has to.
    pub(crate) fn end_idle_process(&self, located: &Located) -> Result<(), Failure> {
        let Some(kept) = self.kept(located)? else {
            return Ok(());
        };
        kept.run(async |connection| {
            let status = connection.status().await?;
            if status.is_some_and(|status| status.ends_when_idle_for_s.is_some()) {
                connection.stop().await?;
                self.note(
                    "note: the process that kept the traces was ended for this; the next one that asks starts another",
                );
            }
            Ok(())
        })
    }

    /// Nothing is removed silently.
    pub(crate) fn tell_of_removed(&self, removed: &Removed) {
        if removed.expired.spans > 0 {
            self.note(&format!(
                "note: {} spans of {} traces were older than FLOCK_TRACE_TTL_DAYS and are gone",
                HumanCount(removed.expired.spans),
                HumanCount(removed.expired.traces)
            ));
        }
        if let Some(limited) = &removed.limited {
            if limited.spans > 0 {
                let spans = HumanCount(limited.spans);
                self.note(&format!(
                    "note: the oldest {spans} spans had to go to keep to FLOCKSCOPE_MAX_SIZE"
                ));
            }
            if !limited.fits {
                self.note("note: the store is still larger than FLOCKSCOPE_MAX_SIZE");
            }
        }
    }

    /// Nothing is left out silently.
    pub(crate) fn tell_of_skipped(&self, report: &ReadReport) {
        for (reason, count) in &report.skipped {
            self.note(&format!("note: {count} of {} spans left out: {reason}", report.read));
        }
    }

    /// An answer without rows has two reasons. Says so if it is that there is nothing to ask about.
    pub(crate) fn expect_spans(&self, traces: &Traces, answer_is_empty: bool) -> Result<(), Failure> {
        if answer_is_empty && traces.is_empty()? {
            return Err(Failure::NothingFound(format!(
                "{} holds no spans yet; run your Flock program with FLOCK_AUTO_TRACE=true FLOCK_TRACE_FILE=true, or import traces",
                self.locate()?.path().display()
            )));
        }
        Ok(())
    }
}
