//! What the terminal can show.

use std::env;
use std::io::{IsTerminal, stderr, stdout};

use clap::ValueEnum;
use flockscope_render::Style;

/// Columns where no terminal tells: wide enough for every column of most tables.
const WIDTH_OF_A_FILE: usize = 120;

/// When to write colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum ColourChoice {
    #[default]
    Auto,
    Always,
    Never,
}

impl ColourChoice {
    /// Whether to write colours to a stream that is, or is not, a terminal.
    /// <https://no-color.org>, <https://bixense.com/clicolors>
    fn decide(self, is_terminal: bool) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto if anstyle_query::no_color() => false,
            Self::Auto if anstyle_query::clicolor_force() => true,
            Self::Auto => {
                is_terminal
                    && anstyle_query::clicolor().unwrap_or(true)
                    && (cfg!(windows) || anstyle_query::term_supports_ansi_color())
            }
        }
    }
}

/// How text is written to stdout.
pub(crate) fn style(colour: ColourChoice) -> Style {
    let is_terminal = stdout().is_terminal();
    Style {
        colour: colour.decide(is_terminal),
        width: width(),
        unicode: !is_terminal || !is_ascii_only(),
    }
}

/// The terminal's columns, also for a pipe that begins in one: it mostly ends in a pager.
fn width() -> usize {
    let of_terminal = terminal_size::terminal_size_of(stdout()).or_else(|| terminal_size::terminal_size_of(stderr()));
    let told = || env::var("COLUMNS").ok()?.parse().ok();
    let width = of_terminal.map(|(width, _)| usize::from(width.0)).or_else(told);
    width.filter(|width| *width > 0).unwrap_or(WIDTH_OF_A_FILE)
}

/// A locale that was set to plain C, or a console that has few signs. Where no locale is set at all, as in containers,
/// the terminal nearly always shows UTF-8.
fn is_ascii_only() -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .filter_map(|name| env::var(name).ok())
        .find(|text| !text.is_empty());
    let is_plain = locale.is_some_and(|locale| matches!(locale.as_str(), "C" | "POSIX"));
    is_plain || env::var("TERM").is_ok_and(|term| matches!(term.as_str(), "dumb" | "linux"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_for_wins_over_what_is_guessed() {
        assert!(ColourChoice::Always.decide(false));
        assert!(!ColourChoice::Never.decide(true));
    }
}
