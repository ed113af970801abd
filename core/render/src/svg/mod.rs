//! SVG pictures that stand alone: no script, nothing loaded, a title for screen readers.
//!
//! Each brings its own ground, light by itself and dark where the reader prefers dark, so that it reads well anywhere;
//! where a sanitiser drops its `<style>`, it stays light.

mod dependencies;
mod red;
mod timeline;

pub use dependencies::dependencies;
pub use red::red;
pub use timeline::timeline;

use maud::{Markup, PreEscaped, html};
use unicode_width::UnicodeWidthStr;

use crate::visible;

const STYLE: &str = "\
@media (prefers-color-scheme: dark) { \
.ground { fill: #1e1e1e } .ink { fill: #d4d4d4 } .faint { fill: #9d9d9d } .box { fill: #2a2a2a } .error { fill: #ff7b72 } }";

/// Ink of words, and of words that matter less; dark mode overrides both by class.
const INK: &str = "#1f2328";
const FAINT: &str = "#656d76";
const GROUND: &str = "#ffffff";

/// Columns of `text` times this is about its width at 12 pixels, in pixels. Fonts differ; this is on the wide side.
const LETTER: f64 = 6.9;

/// The document around `body`.
fn document(title: &str, width: f64, height: f64, body: &Markup) -> String {
    let title = visible::line(title);
    html! {
        svg xmlns="http://www.w3.org/2000/svg" role="img" width=(number(width)) height=(number(height)) viewBox={ "0 0 " (number(width)) " " (number(height)) } font-family="system-ui, sans-serif" font-size="12" {
            title { (title) }
            style { (PreEscaped(STYLE)) }
            rect class="ground" width="100%" height="100%" fill=(GROUND) {}
            (body)
        }
    }
    .into_string()
}

/// A coordinate: one decimal is a tenth of a pixel.
fn number(value: f64) -> String {
    let text = format!("{:.1}", if value.is_finite() { value } else { 0.0 });
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// Width of a text at 12 pixels, in pixels.
fn text_width(text: &str) -> f64 {
    UnicodeWidthStr::width(text) as f64 * LETTER
}

/// Text of a trace, on one line that fits `width` pixels.
fn fit(text: &str, width: f64) -> String {
    visible::cut(
        &visible::line(&visible::shorten(text, 400)),
        (width / LETTER).max(1.0) as usize,
        "…",
    )
    .into_owned()
}

/// Words at a place, `class` being `ink` or `faint`.
fn words(x: f64, y: f64, text: &str, ink: Ink, anchor: &str) -> Markup {
    let (class, fill) = match ink {
        Ink::Plain => ("ink", INK),
        Ink::Faint => ("faint", FAINT),
        Ink::Error => ("error", crate::colour::ERROR.hex),
    };
    html! {
        text class=(class) x=(number(x)) y=(number(y)) fill=(fill) text-anchor=(anchor) { (text) }
    }
}

#[derive(Clone, Copy)]
enum Ink {
    Plain,
    Faint,
    Error,
}
