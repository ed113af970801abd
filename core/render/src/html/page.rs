//! A fragment as a page of its own.

use maud::{DOCTYPE, PreEscaped, html};

use crate::visible;

/// Only what can't be said inline: the ground of the page and what follows the reader's choice of light or dark.
const STYLE: &str = "\
:root { color-scheme: light dark }
body { margin: 24px auto; max-width: 1600px; padding: 0 16px; font: 14px/1.45 system-ui, sans-serif; background: #ffffff; color: #1f2328 }
h1 { font-size: 20px; margin: 0 0 16px } h2 { font-size: 16px; margin: 28px 0 8px }
summary { cursor: pointer } summary:hover, tr:hover td { background: #87878720 }
@media (prefers-color-scheme: dark) { body { background: #1e1e1e; color: #d4d4d4 } }
";

/// A whole document around HTML `body`, which must come from this crate. It loads nothing and runs nothing: the policy
/// in its head forbids it.
pub fn page(title: &str, body: &str) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (visible::line(title)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { (visible::line(title)) }
                (PreEscaped(body))
            }
        }
    }
    .into_string()
}
