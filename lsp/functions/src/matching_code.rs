//! Spans that say where in the source they come from: `code.file.path`, `code.line.number`, `code.function.name`.

use std::path::Path;

use crate::matching::{Matching, Place};
use crate::observed::{Evidence, Match, Observed, Tier};
use crate::workspace::FileId;

impl Matching<'_> {
    /// The function that the attributes `code.*` name.
    pub(crate) fn by_code(&self, observed: &Observed) -> Option<Vec<Match>> {
        let name = observed.code_function_name.as_deref().and_then(FullName::of);
        let Some(path) = observed.code_file_path.as_deref() else {
            return self.by_full_name(observed, &name?);
        };
        let (files, agreement) = self.files_of_path(path);
        let at_line: Vec<Place> = match observed.code_line.and_then(|line| line.checked_sub(1)) {
            Some(line) => files.iter().filter_map(|file| self.at_line(*file, line)).collect(),
            None => Vec::new(),
        };
        let Some(name) = name else {
            let tier = if agreement == Agreement::Whole {
                Tier::Exact
            } else {
                Tier::Inferred
            };
            return (!at_line.is_empty()).then(|| self.among(observed, &at_line, tier, Evidence::Code));
        };
        let in_files = self
            .functions_named(name.own)
            .iter()
            .filter(|place| files.contains(&place.0));
        let named = self.best_named(in_files.copied().collect(), &name);
        let both: Vec<Place> = at_line.into_iter().filter(|place| named.contains(place)).collect();
        let sure = if agreement == Agreement::FileName {
            Tier::Inferred
        } else {
            Tier::Exact
        };
        match (&*both, &*named) {
            ([], []) => None,
            // The line was that of another time, or of a call.
            ([], named) => {
                let tier = if observed.code_line.is_none() {
                    sure
                } else {
                    Tier::Inferred
                };
                Some(self.among(observed, named, tier, Evidence::Code))
            }
            (both, _) => Some(self.among(observed, both, sure, Evidence::Code)),
        }
    }

    /// A function by its full name alone: exact if what stands before its own name is its class or module.
    fn by_full_name(&self, observed: &Observed, name: &FullName<'_>) -> Option<Vec<Match>> {
        let places = self.functions_named(name.own).to_vec();
        let fitting: Vec<Place> = places
            .iter()
            .copied()
            .filter(|place| self.fits(*place, name) > 0)
            .collect();
        if !fitting.is_empty() {
            let best = self.best_named(fitting, name);
            return Some(self.among(observed, &best, Tier::Exact, Evidence::Code));
        }
        if !name.before.is_empty() || observed.module.is_some() {
            return None;
        }
        (!places.is_empty()).then(|| self.among(observed, &places, Tier::Inferred, Evidence::Code))
    }

    /// Those whose class and module agree best with the name.
    fn best_named(&self, places: Vec<Place>, name: &FullName<'_>) -> Vec<Place> {
        let best = places.iter().map(|place| self.fits(*place, name)).max().unwrap_or(0);
        places
            .into_iter()
            .filter(|place| self.fits(*place, name) == best)
            .collect()
    }

    /// How many of the words before the name are those that stand before the function: classes, then the module.
    fn fits(&self, (file, index): Place, name: &FullName<'_>) -> usize {
        let Some(file) = self.workspace.file(file) else {
            return 0;
        };
        let Some(definition) = file.facts.definitions.get(index as usize) else {
            return 0;
        };
        let qualified = file.facts.qualified_name(definition);
        let path = file.path.with_extension("");
        let folders = path
            .iter()
            .filter_map(|part| part.to_str())
            .filter(|part| *part != "__init__" && *part != "mod");
        let mut around: Vec<&str> = folders.chain(qualified.split('.')).collect();
        // The class `Shop` is in `Shop.java`.
        around.dedup();
        let words = around.iter().rev().skip(1).zip(name.before.iter().rev());
        words.take_while(|(have, wanted)| have == wanted).count()
    }

    fn at_line(&self, id: FileId, line: u32) -> Option<Place> {
        let file = self.workspace.file(id)?;
        let holds = |lines: (u32, u32)| lines.0 <= line && line <= lines.1;
        let definitions = (0..).zip(&file.facts.definitions);
        let around = definitions.filter(|(_, definition)| holds(definition.lines));
        around.last().map(|(index, _)| (id, index))
    }

    /// The files that a path, perhaps of another machine, can mean: the path itself, or those with the longest common end.
    pub(crate) fn files_of_path(&self, path: &str) -> (Vec<FileId>, Agreement) {
        let path = path.strip_prefix("file://").unwrap_or(path);
        if let Some((id, _)) = self.workspace.file_at(Path::new(path)) {
            return (vec![id], Agreement::Whole);
        }
        let wanted: Vec<&str> = path
            .split(['/', '\\'])
            .filter(|part| !part.is_empty() && *part != ".")
            .collect();
        if let Some((id, _)) = self.workspace.file_at(&self.workspace.root.join(wanted.join("/"))) {
            return (vec![id], Agreement::Whole);
        }
        let is_library = wanted.iter().any(|part| LIBRARIES.contains(part)) || wanted.windows(2).any(is_library_folder);
        let common = |id: &FileId| {
            let file = self.workspace.file(*id)?;
            if is_library && file.installed_in.is_none() {
                return None;
            }
            let have = file.path.iter().rev().filter_map(|part| part.to_str());
            let common = have
                .zip(wanted.iter().rev())
                .take_while(|(have, wanted)| have == *wanted)
                .count();
            let below_root = file
                .path
                .strip_prefix(&self.workspace.root)
                .map_or(usize::MAX, |below| below.iter().count());
            Some((common, common >= below_root.max(2), *id))
        };
        let named = wanted.last().map_or(&[][..], |name| self.files_named(name));
        let files: Vec<_> = named.iter().filter_map(common).collect();
        let longest = files.iter().map(|(common, ..)| *common).max().unwrap_or(0);
        let best: Vec<_> = files.into_iter().filter(|(common, ..)| *common == longest).collect();
        let below_root = best.iter().all(|(_, whole, _)| *whole);
        let agreement = if below_root {
            Agreement::BelowRoot
        } else {
            Agreement::FileName
        };
        (best.into_iter().map(|(.., id)| id).collect(), agreement)
    }
}

/// Folders of other people's code: a file there is none of the workspace, whatever its name.
const LIBRARIES: [&str; 4] = [".cargo", "dist-packages", "node_modules", "site-packages"];

/// `go/pkg/mod`, `lib/python3.12`.
fn is_library_folder(pair: &[&str]) -> bool {
    match pair {
        ["pkg", "mod"] => true,
        ["lib" | "lib64", inside] => inside.starts_with("python3"),
        _ => false,
    }
}

/// How much of a path is that of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Agreement {
    /// It is the file.
    Whole,
    /// Everything below the workspace's folder: the same project in another place.
    BelowRoot,
    /// The file's name, and perhaps some folders.
    FileName,
}

/// `com.example.Service.run`, `crate::module::function`, `pkg/http.(*Client).Do` in words.
struct FullName<'a> {
    own: &'a str,
    before: Vec<&'a str>,
}

impl<'a> FullName<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let is_part = |part: &&str| !part.is_empty() && !matches!(*part, "<locals>" | "<anonymous>");
        let mut words: Vec<&str> = text
            .split(['.', ':', '/', '\\', '#', '(', ')', '*', ' '])
            .filter(is_part)
            .collect();
        let own = words.pop()?;
        Some(Self { own, before: words })
    }
}
