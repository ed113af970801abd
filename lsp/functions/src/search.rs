//! Functions by a few letters of their names, for a list that narrows down while one types.

use std::cmp::Reverse;

use frizbee::{CaseMatching, Config, Matcher, Pattern, PatternConfig, SortStrategy};

use crate::hierarchy::Hierarchy;
use crate::workspace::{FileId, Function, Workspace};

/// A longer query is cut.
const LONGEST_QUERY: usize = 200;

impl Workspace {
    /// At most `most` functions whose qualified names hold the letters of the query in their order, whatever their case,
    /// the best first. A query without letters fits every function. Those of installed packages are searched only if no
    /// other function fits. Reads memory alone; it looks at every function.
    pub fn named(&self, query: &str, most: usize) -> Vec<Function<'_>> {
        // Names of all languages are joined by dots here.
        let query = query.replace("::", ".");
        let letters = query.chars().filter(|letter| !letter.is_whitespace());
        let query: String = letters.take(LONGEST_QUERY).collect();
        let own = self.fitting(&query, most, false);
        if own.is_empty() {
            self.fitting(&query, most, true)
        } else {
            own
        }
    }

    fn fitting(&self, query: &str, most: usize, is_installed: bool) -> Vec<Function<'_>> {
        let config = Config::default()
            .casing(CaseMatching::Ignore)
            .max_typos(Some(0))
            .sort(SortStrategy::IndexAsc);
        let mut matcher = Matcher::new(Pattern::new(query, PatternConfig::default()), &config);
        let mut found: Vec<Found> = Vec::new();
        for (id, file) in self.all_files() {
            if file.installed_in.is_some() != is_installed {
                continue;
            }
            let definitions = file.facts.definitions.iter();
            let names: Vec<String> = definitions.map(|one| file.facts.qualified_name(one)).collect();
            found.extend(matcher.match_list(&names).into_iter().map(|matched| {
                let length = names.get(matched.index as usize).map_or(0, String::len);
                (Reverse((matched.exact, matched.score)), length, id, matched.index)
            }));
        }
        // Of the same score, the name with least else in it; then by path.
        let place = |(score, length, id, index): &Found| {
            let path = self.file(*id).map(|file| &file.path);
            (*score, *length, path, *index)
        };
        if found.len() > most && most > 0 {
            found.select_nth_unstable_by(most - 1, |left, right| place(left).cmp(&place(right)));
        }
        found.truncate(most);
        found.sort_unstable_by(|left, right| place(left).cmp(&place(right)));
        let hierarchy = Hierarchy::new(self);
        let functions = found.into_iter();
        functions
            .filter_map(|(.., id, index)| hierarchy.function(id, index))
            .collect()
    }
}

/// How well a function fits, how long its name is, and where it is.
type Found = (Reverse<(bool, u16)>, usize, FileId, u32);
