//! From span to function. The surest way that finds something decides; a way that finds several functions says so and
//! does not fall back to a guess.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::ffi::OsStr;

use crate::facts::{Literal, LiteralKind, Parent};
use crate::hierarchy::{ClassId, Hierarchy};
use crate::language::Language;
use crate::observed::{Evidence, Match, Matches, Observed, Part, Tier};
use crate::traced::Traced;
use crate::workspace::{FileId, FunctionId, Workspace};

impl Workspace {
    /// Finds out whose spans these are. Reads memory alone; not for every keystroke, since it looks at every function.
    pub fn match_operations(&self, observed: &[Observed]) -> Matches {
        let matching = Matching::new(self);
        let mut matches = Matches::default();
        for operation in observed {
            let found = matching
                .by_code(operation)
                .or_else(|| matching.by_classes(operation))
                .or_else(|| matching.by_literal(operation))
                .or_else(|| matching.by_name(operation));
            for found in found.into_iter().flatten() {
                matches.add(found);
            }
        }
        matches.sort();
        matches
    }
}

/// A function by its place.
pub(crate) type Place = (FileId, u32);

/// What is looked up for many operations.
pub(crate) struct Matching<'a> {
    pub(crate) workspace: &'a Workspace,
    pub(crate) hierarchy: Hierarchy<'a>,
    classes: OnceCell<HashMap<&'a str, Vec<ClassId>>>,
    functions: OnceCell<HashMap<&'a str, Vec<Place>>>,
    literals: OnceCell<Literals<'a>>,
    file_names: OnceCell<HashMap<&'a OsStr, Vec<FileId>>>,
}

/// Places of written names: whole ones by name, those with gaps in a list.
#[derive(Default)]
struct Literals<'a> {
    whole: HashMap<&'a str, Vec<(FileId, &'a Literal)>>,
    with_gaps: Vec<(FileId, &'a Literal)>,
}

impl<'a> Matching<'a> {
    pub(crate) fn new(workspace: &'a Workspace) -> Self {
        Self {
            workspace,
            hierarchy: Hierarchy::new(workspace),
            classes: OnceCell::new(),
            functions: OnceCell::new(),
            literals: OnceCell::new(),
            file_names: OnceCell::new(),
        }
    }

    /// Every class of a name.
    pub(crate) fn classes_named(&self, name: &str) -> &[ClassId] {
        let classes = self.classes.get_or_init(|| {
            let mut classes: HashMap<&str, Vec<ClassId>> = HashMap::new();
            for (id, file) in self.workspace.all_files() {
                for (index, class) in (0..).zip(&file.facts.classes) {
                    classes.entry(&class.name).or_default().push((id, index));
                }
            }
            classes
        });
        // A generic class of pydantic is called `Box[int]` at run time.
        let name = name.split('[').next().unwrap_or(name);
        classes.get(name).map_or(&[], Vec::as_slice)
    }

    /// Every function of a name.
    pub(crate) fn functions_named(&self, name: &str) -> &[Place] {
        let functions = self.functions.get_or_init(|| {
            let mut functions: HashMap<&str, Vec<Place>> = HashMap::new();
            for (id, file) in self.workspace.all_files() {
                for (index, definition) in (0..).zip(&file.facts.definitions) {
                    functions.entry(&definition.name).or_default().push((id, index));
                }
            }
            functions
        });
        functions.get(name).map_or(&[], Vec::as_slice)
    }

    /// Every file of a name.
    pub(crate) fn files_named(&self, name: &str) -> &[FileId] {
        let files = self.file_names.get_or_init(|| {
            let mut files: HashMap<&OsStr, Vec<FileId>> = HashMap::new();
            for (id, file) in self.workspace.all_files() {
                files
                    .entry(file.path.file_name().unwrap_or_default())
                    .or_default()
                    .push(id);
            }
            files
        });
        files.get(OsStr::new(name)).map_or(&[], Vec::as_slice)
    }

    /// Every function of a name in one file.
    pub(crate) fn functions_in(&self, file: FileId, name: &str) -> &[Place] {
        // Files were gone through in order.
        let all = self.functions_named(name);
        let start = all.partition_point(|place| place.0 < file);
        let end = all.partition_point(|place| place.0 <= file);
        all.get(start..end).unwrap_or_default()
    }

    /// Module, class and function, as Flock writes them.
    fn by_classes(&self, observed: &Observed) -> Option<Vec<Match>> {
        let (module, function) = (observed.module.as_deref()?, observed.function.as_deref()?);
        let function = function.rsplit('.').next().unwrap_or(function);
        let files = self.files_that_ran(module, function);
        let all: Vec<Place> = files
            .ids
            .iter()
            .flat_map(|file| self.functions_in(*file, function))
            .copied()
            .collect();
        if all.is_empty() {
            return None;
        }
        let chains = self.chains(observed.class.as_deref(), function, &files.ids);
        let plain: Vec<Place> = all
            .iter()
            .copied()
            .filter(|place| self.is_traced_without_object(*place))
            .collect();
        let sure = if files.is_certain { Tier::Exact } else { Tier::Inferred };
        match (&*chains, &*plain) {
            ([chain], []) => Some(self.along(observed, chain, sure)),
            ([], [only]) => Some(self.one(observed, *only, sure, Evidence::Module)),
            // The class is known, and does not have the function from here: it was renamed or moved since.
            ([], []) if observed.class.as_deref().is_some_and(|class| self.is_understood(class)) => None,
            ([], []) => Some(self.among(observed, &all, Tier::Inferred, Evidence::Module)),
            _ => {
                let firsts = chains.iter().filter_map(|chain| chain.first());
                let firsts = firsts.flat_map(|link| link.places.iter().copied());
                let places: Vec<Place> = firsts.chain(plain).collect();
                Some(self.among(observed, &places, sure, Evidence::Classes))
            }
        }
    }

    /// For each class of the name, the definitions of the function that an object of the class can reach: from the first
    /// one in these files on. Classes that come to the same are one.
    fn chains(&self, class: Option<&str>, function: &str, files: &[FileId]) -> Vec<Chain> {
        let mut chains: Vec<Chain> = Vec::new();
        for class in class.map_or(&[][..], |class| self.classes_named(class)) {
            let lineage = self.hierarchy.lineage(*class);
            let links = lineage.order.iter().map(|class| Link {
                places: {
                    let methods = self.hierarchy.methods_of(*class, function).into_iter();
                    methods.map(|index| (class.0, index)).collect()
                },
                is_here: files.contains(&class.0),
            });
            let links = links.filter(|link| !link.places.is_empty());
            let chain: Chain = links.skip_while(|link| !link.is_here).collect();
            if !chain.is_empty() && !chains.contains(&chain) {
                chains.push(chain);
            }
        }
        chains
    }

    /// Whether everything that a class of this name can reach is known.
    fn is_understood(&self, class: &str) -> bool {
        let classes = self.classes_named(class);
        !classes.is_empty() && classes.iter().all(|class| !self.hierarchy.lineage(*class).is_open)
    }

    /// The spans of an object whose class and bases define the function in the same file. What the class itself defines
    /// was called first; what lies within such a span was passed on to a base.
    fn along(&self, observed: &Observed, chain: &Chain, sure: Tier) -> Vec<Match> {
        let Some((own, bases)) = chain.split_first() else {
            return Vec::new();
        };
        let passes_on = |link: &Link| link.places.iter().any(|place| self.calls_base(*place));
        // The first base that does not pass on is the last that can have run.
        let last = bases
            .iter()
            .position(|base| !passes_on(base))
            .map_or(bases.len(), |last| last + 1);
        let reached = bases.get(..last).unwrap_or(bases);
        let places = |links: &[Link]| {
            let here = links.iter().filter(|link| link.is_here);
            here.flat_map(|link| link.places.iter().copied())
                .collect::<Vec<Place>>()
        };
        let mut nested = places(reached);
        let is_traced = |place: &Place| self.hierarchy.traced(place.0, place.1).is_some();
        if own.places.iter().all(is_traced) && reached.iter().all(|link| link.is_here) {
            // A method that is not traced is called without a span.
            nested.retain(is_traced);
        }
        if nested.is_empty() || !passes_on(own) {
            return self.among(observed, &own.places, sure, Evidence::Classes);
        }
        // A method that is traced twice makes a span within its own span.
        let is_traced_twice = |place: &Place| {
            let traced = self.hierarchy.traced(place.0, place.1);
            matches!(traced, Some(Traced::Metaclass { twice: true, .. }))
        };
        if own.places.iter().chain(&nested).any(is_traced_twice) {
            return self.among(observed, &places(chain), Tier::Inferred, Evidence::Nesting);
        }
        if reached.iter().any(|link| !link.is_here) {
            // The parent of the base's span is then one of another file, as that of the class's own can be.
            return self.among(observed, &places(chain), Tier::Inferred, Evidence::Nesting);
        }
        let mut matches = self.among(observed, &own.places, Tier::Inferred, Evidence::Nesting);
        if !observed
            .parents
            .iter()
            .any(|(parent, calls)| *parent == observed.id && *calls > 0)
        {
            return matches;
        }
        for found in &mut matches {
            found.part = Part::Outer;
        }
        let below = self.among(observed, &nested, Tier::Inferred, Evidence::Nesting);
        matches.extend(below.into_iter().map(|found| Match {
            part: Part::Nested,
            ..found
        }));
        matches
    }

    fn calls_base(&self, (file, index): Place) -> bool {
        let file = self.workspace.file(file);
        let definition = file.and_then(|file| file.facts.definitions.get(index as usize));
        definition.is_some_and(|definition| definition.calls_base)
    }

    /// Whether the spans of a function bear a class that says nothing: it is traced, and no method of an object.
    fn is_traced_without_object(&self, (file, index): Place) -> bool {
        let Some(found) = self.workspace.file(file) else {
            return false;
        };
        let Some(definition) = found.facts.definitions.get(index as usize) else {
            return false;
        };
        let has = |wanted: &str| definition.decorators.iter().any(|name| **name == *wanted);
        let has_object = matches!(definition.parent, Parent::Class(_)) && !has("staticmethod") && !has("classmethod");
        !has_object
            && self
                .hierarchy
                .traced(file, index)
                .is_some_and(|traced| traced.is_whole())
    }

    /// The files that a module's name can mean. Of `__main__` that is every file with such a function; a file that is
    /// made to be run comes before the others.
    fn files_that_ran(&self, module: &str, function: &str) -> FilesThatRan {
        if module != "__main__" {
            return FilesThatRan {
                ids: self.workspace.files_of_module(module),
                is_certain: true,
            };
        }
        let mut all: Vec<FileId> = self.functions_named(function).iter().map(|place| place.0).collect();
        all.dedup();
        all.retain(|id| {
            let file = self.workspace.file(*id);
            file.is_some_and(|file| file.language == Language::Python && file.installed_in.is_none())
        });
        let runs = |id: &FileId| {
            let file = self.workspace.file(*id);
            file.is_some_and(|file| {
                file.facts.is_script || file.path.file_name().is_some_and(|name| name == "__main__.py")
            })
        };
        let scripts: Vec<FileId> = all.iter().copied().filter(runs).collect();
        FilesThatRan {
            is_certain: all.len() <= 1,
            ids: if scripts.is_empty() { all } else { scripts },
        }
    }

    /// A name that is written in a program.
    fn by_literal(&self, observed: &Observed) -> Option<Vec<Match>> {
        let literals = self.literals.get_or_init(|| {
            let mut literals = Literals::default();
            for (id, file) in self.workspace.all_files() {
                for literal in &file.facts.literals {
                    match literal.name() {
                        Some(name) => literals.whole.entry(name).or_default().push((id, literal)),
                        None => literals.with_gaps.push((id, literal)),
                    }
                }
            }
            literals
        });
        let fitting: Vec<_> = match literals.whole.get(observed.name.as_str()) {
            Some(literals) => literals.clone(),
            None => {
                let with_gaps = literals.with_gaps.iter();
                with_gaps
                    .filter(|(_, literal)| literal.fits(&observed.name))
                    .copied()
                    .collect()
            }
        };
        let is_whole = |(_, literal): &(FileId, &Literal)| literal.kind == LiteralKind::Whole;
        let evidence = if fitting.iter().any(is_whole) {
            Evidence::Literal
        } else {
            Evidence::Inside
        };
        let places: Vec<Place> = fitting
            .iter()
            .filter_map(|(id, literal)| Some((*id, literal.function?)))
            .collect();
        (!places.is_empty()).then(|| self.among(observed, &places, Tier::Inferred, evidence))
    }

    /// `Class.method`, or the name of a function all of whose calls are spans.
    fn by_name(&self, observed: &Observed) -> Option<Vec<Match>> {
        // Spans that name a module which nobody knows are of a function that nobody knows: a base's, most likely, whose
        // name is that of the subclass.
        if observed.module.is_some() {
            return None;
        }
        let places: Vec<Place> = match observed.name.rsplit_once('.') {
            Some((class, method)) => {
                let class = class.rsplit('.').next().unwrap_or(class);
                let found = self.classes_named(class).iter().filter_map(|class| {
                    let lineage = self.hierarchy.lineage(*class);
                    lineage.order.iter().find_map(|class| {
                        let methods = self.hierarchy.methods_of(*class, method);
                        let methods: Vec<_> = methods.into_iter().map(|index| (class.0, index)).collect();
                        (!methods.is_empty()).then_some(methods)
                    })
                });
                found.flatten().collect()
            }
            None => {
                let traced = self.functions_named(&observed.name).iter().filter(|(file, index)| {
                    self.hierarchy
                        .traced(*file, *index)
                        .is_some_and(|traced| traced.is_whole())
                });
                traced.copied().collect()
            }
        };
        (!places.is_empty()).then(|| self.among(observed, &places, Tier::Inferred, Evidence::Name))
    }

    pub(crate) fn one(&self, observed: &Observed, place: Place, tier: Tier, evidence: Evidence) -> Vec<Match> {
        self.among(observed, &[place], tier, evidence)
    }

    /// One function with the tier that is given; of several, those that are traced; if that are still several, nobody
    /// knows which.
    pub(crate) fn among(&self, observed: &Observed, places: &[Place], tier: Tier, evidence: Evidence) -> Vec<Match> {
        let is_traced = |place: &&Place| self.hierarchy.traced(place.0, place.1).is_some();
        let mut functions: Vec<FunctionId> = Vec::new();
        let mut add = |place: &Place| functions.extend(self.hierarchy.id(place.0, place.1));
        if places.len() > 1 && places.iter().any(|place| is_traced(&place)) {
            places.iter().filter(is_traced).for_each(&mut add);
        } else {
            places.iter().for_each(&mut add);
        }
        functions.sort_unstable();
        functions.dedup();
        let tier = match &*functions {
            [_] => tier,
            several => Tier::Ambiguous(several.into()),
        };
        let matched = functions.iter().map(|function| Match {
            observed: observed.id,
            function: *function,
            part: Part::All,
            tier: tier.clone(),
            evidence,
        });
        matched.collect()
    }
}

/// The definitions of a method that an object can reach, in the order in which Python looks.
type Chain = Vec<Link>;

/// What one class has under the method's name.
#[derive(PartialEq)]
struct Link {
    places: Vec<Place>,
    /// Whether it is in a file that the spans name.
    is_here: bool,
}

struct FilesThatRan {
    ids: Vec<FileId>,
    /// Whether their name says that it was them.
    is_certain: bool,
}
