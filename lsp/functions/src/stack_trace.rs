//! Reads recorded stack traces: the text of `exception.stacktrace`, as the language of the program writes it. Python's is
//! read as a whole, with chained exceptions and groups; of others, the lines that are frames are.

use std::collections::VecDeque;

/// Frames that are kept, those closest to the exception.
const MOST_FRAMES: usize = 1_000;

/// A longer text is cut, on the side away from the exception.
const LONGEST_TEXT: usize = 1 << 20;

/// A longer path or name is none.
const LONGEST_NAME: usize = 4_096;

/// A call that was not over when an exception was raised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackFrame {
    /// The file, as the program knew it. Of Java the package's folders and the file's name.
    pub path: String,
    /// The line, from 1.
    pub line: u32,
    /// The function's name, as the trace has it: Python's own name, `com.example.Shop.run`, `crate::module::function`.
    pub function: Option<String>,
}

/// The frames of a stack trace, the innermost one last: there the exception was raised. Frames of exceptions that led to
/// it, of those that a group holds, and those that a message tells of come before all of its own. Empty if the text is no
/// stack trace.
pub fn stack_frames(text: &str) -> Vec<StackFrame> {
    let mut frames = python(text);
    if frames.is_empty() {
        frames = others(text);
    }
    frames
}

/// The beginning of every traceback in Python, of a group after some more.
const HEADER: &str = "Traceback (most recent call last):";

/// The lines between two exceptions of which one led to the other.
const CHAINED: [&str; 2] = [
    "The above exception was the direct cause of the following exception:",
    "During handling of the above exception, another exception occurred:",
];

/// Exceptions of a group are further to the right than the group itself.
const MARGIN_OF_GROUP: usize = 2;

fn python(text: &str) -> Vec<StackFrame> {
    // Python's exception is at the end.
    let mut start = text.len().saturating_sub(LONGEST_TEXT);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    let text = text.get(start..).unwrap_or_default();
    let mut own: VecDeque<StackFrame> = VecDeque::new();
    let mut others: VecDeque<StackFrame> = VecDeque::new();
    // A text that was cut begins in the middle of a traceback.
    let mut is_inside = true;
    let mut is_own = true;
    let mut is_header_due = true;
    for (number, line) in text.lines().enumerate() {
        let (margin, line) = without_margin(line);
        if line.ends_with(HEADER) && !line.starts_with(' ') {
            is_inside = true;
            is_own = margin <= MARGIN_OF_GROUP && std::mem::take(&mut is_header_due);
        } else if CHAINED.contains(&line) {
            is_inside = false;
            is_header_due = true;
        } else if is_inside && let Some(frame) = python_frame(line) {
            let frames = if is_own { &mut own } else { &mut others };
            if frames.len() == MOST_FRAMES {
                frames.pop_front();
            }
            frames.push_back(frame);
        } else if !line.starts_with(' ') && !line.is_empty() && number > 0 {
            // The exception itself. What follows, if nothing says otherwise, is its message.
            is_inside = false;
            is_header_due = false;
        }
    }
    let too_many = (own.len() + others.len()).saturating_sub(MOST_FRAMES);
    others.drain(..too_many.min(others.len()));
    others.into_iter().chain(own).collect()
}

/// A line without what a group draws at its left, and how far to the right that is.
fn without_margin(line: &str) -> (usize, &str) {
    let Some(margin) = line.find(|letter| letter != ' ') else {
        return (0, "");
    };
    match line.get(margin..) {
        Some(rest) if rest.starts_with(['|', '+']) => {
            let rest = rest.get(1..).unwrap_or_default();
            (margin, rest.strip_prefix(' ').unwrap_or(rest))
        }
        _ => (0, line),
    }
}

/// `  File "path", line 1, in name`; of a syntax error without a name.
fn python_frame(line: &str) -> Option<StackFrame> {
    let rest = line.strip_prefix("  File \"")?;
    let (path, rest) = rest.rsplit_once("\", line ")?;
    let (number, name) = match rest.split_once(", in ") {
        Some((number, name)) => (number, Some(name)),
        None => (rest, None),
    };
    frame(path, number, name)
}

fn others(text: &str) -> Vec<StackFrame> {
    // These begin with the exception.
    let mut end = text.len().min(LONGEST_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut frames = Vec::new();
    let mut panic = None;
    // The name of a function, where it stands on the line above.
    let mut named: Option<&str> = None;
    for line in text.get(..end).unwrap_or_default().lines() {
        let trimmed = line.trim();
        let found = if let Some(rest) = trimmed.strip_prefix("at ") {
            java(rest).or_else(|| v8(rest, named))
        } else if line.starts_with('\t') {
            go(trimmed, named)
        } else if let Some((_, place)) = trimmed.split_once(" panicked at ") {
            panic = with_column(place.trim_end_matches(':'), None);
            None
        } else {
            firefox(trimmed)
        };
        named = if found.is_none() { Some(trimmed) } else { None };
        frames.extend(found);
        if frames.len() == MOST_FRAMES {
            break;
        }
    }
    if frames.is_empty() {
        frames.extend(panic);
    }
    frames.reverse();
    frames
}

/// `module/com.example.Shop$Till.total(Shop.java:7)`
fn java(rest: &str) -> Option<StackFrame> {
    let (name, place) = rest.strip_suffix(')')?.rsplit_once('(')?;
    let (file, number) = place.rsplit_once(':')?;
    let is_file = [".java", ".kt", ".scala", ".groovy"]
        .iter()
        .any(|end| file.ends_with(end));
    if !is_file || file.contains(['/', '\\']) {
        return None;
    }
    let name = name.rsplit('/').next().unwrap_or(name);
    let mut packages: Vec<&str> = name.split('.').collect();
    packages.truncate(packages.len().saturating_sub(2));
    packages.push(file);
    frame(&packages.join("/"), number, Some(&name.replace('$', ".")))
}

/// `async Shop.price (file:///shop.js:3:25)`, `/shop.js:7:37`; of Rust `./shop.rs:1:81` below `4: shop::price`.
fn v8(rest: &str, named: Option<&str>) -> Option<StackFrame> {
    match rest.strip_suffix(')').and_then(|rest| rest.split_once(" (")) {
        Some((name, place)) => {
            let name = name.strip_prefix("async ").unwrap_or(name);
            let name = name.strip_prefix("new ").unwrap_or(name);
            // `Object.total [as run]`
            with_column(place, name.split(" [as ").next())
        }
        None => {
            let symbol = named.and_then(|named| named.split_once(": "));
            let symbol = symbol.filter(|(number, _)| number.bytes().all(|byte| byte.is_ascii_digit()));
            let symbol = symbol.map(|(_, symbol)| symbol.trim_end_matches("::{{closure}}"));
            with_column(rest.strip_prefix("async ").unwrap_or(rest), symbol)
        }
    }
}

/// `price@https://example.org/shop.js:3:25`
fn firefox(line: &str) -> Option<StackFrame> {
    let (name, place) = line.split_once('@')?;
    let name = name.strip_prefix("async*").unwrap_or(name);
    with_column(place, (!name.is_empty()).then_some(name))
}

/// `/shop/till.go:10 +0x1a5` below `example.com/shop.(*Till).Total(0xc000012345, …)`
fn go(trimmed: &str, named: Option<&str>) -> Option<StackFrame> {
    let place = trimmed.split_once(" +0x").map_or(trimmed, |(place, _)| place);
    let (path, number) = place.rsplit_once(':')?;
    let name = named.map(|named| named.strip_prefix("created by ").unwrap_or(named));
    let name = name.and_then(|name| name.split(" in goroutine ").next());
    let name = name.map(|name| match name.rsplit_once('(') {
        Some((name, _)) if !name.is_empty() => name,
        _ => name,
    });
    path.ends_with(".go").then(|| frame(path, number, name))?
}

fn with_column(place: &str, name: Option<&str>) -> Option<StackFrame> {
    let (path, column) = place.rsplit_once(':')?;
    column.parse::<u32>().ok()?;
    let (path, number) = path.rsplit_once(':')?;
    frame(path, number, name)
}

fn frame(path: &str, number: &str, name: Option<&str>) -> Option<StackFrame> {
    let line = number.parse().ok().filter(|line| *line > 0)?;
    let is_short = |text: &&str| !text.is_empty() && text.len() <= LONGEST_NAME;
    Some(StackFrame {
        path: Some(path).filter(is_short)?.to_owned(),
        line,
        function: name.map(str::trim).filter(is_short).map(ToOwned::to_owned),
    })
}
