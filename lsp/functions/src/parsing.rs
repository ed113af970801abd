//! From text to a syntax tree, within a limit of time; a text that was edited is read again only where it changed.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::time::Duration;

use cpu_time::ThreadTime;
use tree_sitter::{InputEdit, ParseOptions, Parser, Point, Tree};

use crate::language::Language;

/// A file that takes the processor longer is not code that somebody wrote; it keeps what was known about it.
const LONGEST: Duration = Duration::from_secs(2);

thread_local! {
    /// A parser keeps its buffers from file to file.
    static PARSER: RefCell<Parser> = RefCell::new(Parser::new());
}

/// The tree of a text; none if it took too long.
pub(crate) fn parse(language: Language, text: &str, old: Option<&Tree>) -> Option<Tree> {
    PARSER.with_borrow_mut(|parser| {
        parser.set_language(&language.grammar()).ok()?;
        let started = ThreadTime::now();
        let mut in_time = |_: &tree_sitter::ParseState| {
            if started.elapsed() < LONGEST {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        };
        let options = ParseOptions::new().progress_callback(&mut in_time);
        let bytes = text.as_bytes();
        let tree = parser.parse_with_options(
            &mut |offset, _| bytes.get(offset..).unwrap_or_default(),
            old,
            Some(options),
        );
        if tree.is_none() {
            // An interrupted parser would go on with this text at the next one.
            parser.reset();
        }
        tree
    })
}

/// The tree of `new`, which was `old` before.
pub(crate) fn parse_again(language: Language, old: &str, tree: &Tree, new: &str) -> Option<Tree> {
    let mut tree = tree.clone();
    tree.edit(&difference(old, new));
    parse(language, new, Some(&tree))
}

/// The one piece in which two texts differ.
fn difference(old: &str, new: &str) -> InputEdit {
    let (before, after) = (old.as_bytes(), new.as_bytes());
    let mut start = before
        .iter()
        .zip(after)
        .take_while(|(left, right)| left == right)
        .count();
    while !(old.is_char_boundary(start) && new.is_char_boundary(start)) {
        start -= 1;
    }
    let longest = before.len().min(after.len()) - start;
    let same_at_end = before.iter().rev().zip(after.iter().rev()).take(longest);
    let mut end = same_at_end.take_while(|(left, right)| left == right).count();
    while !(old.is_char_boundary(before.len() - end) && new.is_char_boundary(after.len() - end)) {
        end -= 1;
    }
    let (old_end, new_end) = (before.len() - end, after.len() - end);
    InputEdit {
        start_byte: start,
        old_end_byte: old_end,
        new_end_byte: new_end,
        start_position: point(before, start),
        old_end_position: point(before, old_end),
        new_end_position: point(after, new_end),
    }
}

fn point(text: &[u8], offset: usize) -> Point {
    let before = text.get(..offset).unwrap_or(text);
    let row = before.iter().filter(|byte| **byte == b'\n').count();
    let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    Point::new(row, before.len() - line_start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn an_edited_text_has_the_tree_of_the_text_read_anew(
            head in "[a-zäß\n (:]{0,20}", old in "(def f\\(\\):\n  pass\n|ü|class A:\n|\\(){0,3}",
            new in "(def g\\(\\):\n  x = 1\n|é|class B:\n|\\)){0,3}", tail in "[a-zäß\n ):]{0,20}",
        ) {
            let before = format!("{head}{old}{tail}");
            let after = format!("{head}{new}{tail}");
            let tree = parse(Language::Python, &before, None).expect("a tree");
            let again = parse_again(Language::Python, &before, &tree, &after).expect("a tree");
            prop_assert_eq!(again.root_node().end_byte(), parse(Language::Python, &after, None).expect("a tree").root_node().end_byte());
            let edit = difference(&before, &after);
            prop_assert_eq!(&before[..edit.start_byte], &after[..edit.start_byte]);
            prop_assert_eq!(&before[edit.old_end_byte..], &after[edit.new_end_byte..]);
        }
    }
}
