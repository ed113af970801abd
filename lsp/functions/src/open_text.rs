//! A text that an editor has open. It is read again only where it changed, and a line that is half typed does not take
//! the functions around it away: an open bracket or quote makes a parser lose everything that follows.

use std::collections::HashSet;
use std::ops::Range;

use tree_sitter::Tree;

use crate::facts::{Call, Facts};
use crate::language::Language;
use crate::open_brackets::without_open_brackets;
use crate::parsing::{parse, parse_again};
use crate::reading::read;

/// A text with its tree.
struct Parsed {
    text: String,
    tree: Tree,
    /// The keys of its functions.
    keys: HashSet<u64>,
}

/// A text as an editor has it.
pub(crate) struct OpenText {
    current: Parsed,
    /// The last text that could be read well, if the current one cannot.
    sound: Option<Parsed>,
    pub(crate) calls: Vec<Call>,
}

impl OpenText {
    /// The text, and the root of its tree.
    pub(crate) fn current(&self) -> (&str, tree_sitter::Node<'_>) {
        (&self.current.text, self.current.tree.root_node())
    }

    /// Reads a text, which was another one before. None if that takes too long.
    pub(crate) fn read(language: Language, text: &str, before: Option<Self>) -> Option<(Self, Facts)> {
        let (tree, sound) = match before {
            Some(before) => {
                let tree = parse_again(language, &before.current.text, &before.current.tree, text)?;
                (tree, before.sound.or(Some(before.current)))
            }
            None => (parse(language, text, None)?, None),
        };
        let (mut facts, mut calls) = match &sound {
            // A text that could be read before tells better which lines are in the way.
            Some(_) => read(language, text, &tree, true),
            None => read_well(language, text, &tree, true),
        };
        let mut keeps_sound = None;
        // An open quote is not always an error to the parser, which then takes the code up to the next one for a string.
        let has_error = tree.root_node().has_error();
        if let Some(sound) = sound
            && let missing = sound.missing(&facts)
            && missing > 0
        {
            let mended = mended(&sound.text, text);
            let again = mended.as_ref().and_then(|(_, mended)| {
                let tree = parse_again(language, &sound.text, &sound.tree, mended)?;
                Some(read(language, mended, &tree, true))
            });
            if let (Some((blank, _)), Some((mended_facts, mended_calls))) = (mended, again)
                && sound.missing(&mended_facts) < missing
                && (has_error
                    || mended_facts.definitions.len() > facts.definitions.len()
                    || !begins_definition(text.get(blank.clone()).unwrap_or_default()))
            {
                calls.retain(|call| blank.contains(&(call.range.start as usize)));
                calls.extend(mended_calls);
                calls.sort_by_key(|call| call.range.start);
                for call in &mut calls {
                    call.function = mended_facts.definition_at(call.range.start).map(|(index, _)| index);
                }
                facts = mended_facts;
                keeps_sound = Some(sound);
            }
        }
        let current = Parsed {
            text: text.to_owned(),
            tree,
            keys: facts.definitions.iter().map(|definition| definition.key).collect(),
        };
        let open = Self {
            current,
            sound: keeps_sound,
            calls,
        };
        Some((open, facts))
    }
}

impl Parsed {
    /// How many of its functions these facts do not have.
    fn missing(&self, facts: &Facts) -> usize {
        let found = facts
            .definitions
            .iter()
            .filter(|definition| self.keys.contains(&definition.key));
        self.keys.len().saturating_sub(found.count())
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
    let start = same(sound.split_inclusive('\n'), new.split_inclusive('\n'));
    let (sound_rest, new_rest) = (sound.get(start..)?, new.get(start..)?);
    let same_at_end = same(
        sound_rest.split_inclusive('\n').rev(),
        new_rest.split_inclusive('\n').rev(),
    );
    let end = new.len() - same_at_end;
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

/// Whether new lines are meant to give the functions around them another place: a class that is divided in two.
fn begins_definition(lines: &str) -> bool {
    let words = ["class ", "def ", "async def ", "impl", "mod ", "func", "export "];
    lines
        .lines()
        .any(|line| words.iter().any(|word| line.trim_start().starts_with(word)))
}

/// The bytes of the lines that two texts have in common before they differ.
fn same<'a>(one: impl Iterator<Item = &'a str>, other: impl Iterator<Item = &'a str>) -> usize {
    one.zip(other)
        .take_while(|(left, right)| left == right)
        .map(|(line, _)| line.len())
        .sum()
}
