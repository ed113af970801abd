//! A text that an editor has open. It is read again only where it changed, and a line that is half typed does not take
//! the functions around it away: an open bracket or quote makes a parser lose everything that follows.

use std::ops::Range;

use tree_sitter::Tree;

use crate::facts::{Call, Facts};
use crate::language::Language;
use crate::open_brackets::without_open_brackets;
use crate::parsing::{difference, parse, parse_again};
use crate::reading::read;

/// A text with its tree.
struct Parsed {
    text: String,
    tree: Tree,
}

/// A text as an editor has it.
pub(crate) struct OpenText {
    current: Parsed,
    /// The last text that could be read well, if the current one cannot, and how many functions it had.
    sound: Option<(Parsed, usize)>,
    functions: usize,
    pub(crate) calls: Vec<Call>,
}

impl OpenText {
    /// Reads a text, which was another one before. None if that takes too long.
    pub(crate) fn read(language: Language, text: &str, before: Option<Self>) -> Option<(Self, Facts)> {
        let (tree, sound) = match before {
            Some(before) => {
                let tree = parse_again(language, &before.current.text, &before.current.tree, text)?;
                (tree, before.sound.or(Some((before.current, before.functions))))
            }
            None => (parse(language, text, None)?, None),
        };
        let (mut facts, mut calls) = match &sound {
            // A text that could be read before tells better which lines are in the way.
            Some(_) => read(language, text, &tree, true),
            None => read_well(language, text, &tree, true),
        };
        let mut keeps_sound = None;
        if tree.root_node().has_error()
            && let Some((sound, functions)) = sound
            && facts.definitions.len() < functions
        {
            let mended = mended(&sound.text, text);
            let again = mended.as_ref().and_then(|(_, mended)| {
                let tree = parse_again(language, &sound.text, &sound.tree, mended)?;
                Some(read(language, mended, &tree, true))
            });
            if let (Some((blank, _)), Some((mended_facts, mended_calls))) = (mended, again)
                && mended_facts.definitions.len() > facts.definitions.len()
            {
                calls.retain(|call| blank.contains(&(call.range.start as usize)));
                calls.extend(mended_calls);
                calls.sort_by_key(|call| call.range.start);
                for call in &mut calls {
                    call.function = mended_facts.definition_at(call.range.start).map(|(index, _)| index);
                }
                facts = mended_facts;
                keeps_sound = Some((sound, functions));
            }
        }
        let functions = facts.definitions.len();
        let text = text.to_owned();
        let open = Self {
            current: Parsed { text, tree },
            sound: keeps_sound,
            functions,
            calls,
        };
        Some((open, facts))
    }
}

/// Facts and calls of a text; of Python also if a bracket was left open.
pub(crate) fn read_well(language: Language, text: &str, tree: &Tree, with_calls: bool) -> (Facts, Vec<Call>) {
    let found = read(language, text, tree, with_calls);
    if language != Language::Python || !tree.root_node().has_error() {
        return found;
    }
    let again = without_open_brackets(text).and_then(|mended| {
        let tree = parse(language, &mended, None)?;
        Some(read(language, &mended, &tree, with_calls))
    });
    match again {
        Some(again) if again.0.definitions.len() > found.0.definitions.len() => again,
        _ => found,
    }
}

/// The new text with the lines that are new as blanks, and the bytes of these. Every other byte stays in its place.
fn mended(sound: &str, new: &str) -> Option<(Range<usize>, String)> {
    let edit = difference(sound, new);
    let start = new.get(..edit.start_byte)?.rfind('\n').map_or(0, |at| at + 1);
    let end = new
        .get(edit.new_end_byte..)?
        .find('\n')
        .map_or(new.len(), |at| edit.new_end_byte + at);
    let blank = new.get(start..end)?.bytes().map(|byte| {
        if matches!(byte, b'\n' | b'\r') {
            char::from(byte)
        } else {
            ' '
        }
    });
    let mut text = String::with_capacity(new.len());
    text.push_str(new.get(..start)?);
    text.extend(blank);
    text.push_str(new.get(end..)?);
    Some((start..end, text))
}
