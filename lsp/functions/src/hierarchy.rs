//! Names across files: what a dotted name of a Python file means, which classes a class is made of, and with that
//! whether Flock traces a method. Made for one question and forgotten after it, so it is never out of date.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use crate::facts::{Binding, Class, Definition, Facts, Parent};
use crate::flock;
use crate::language::Language;
use crate::traced::Traced;
use crate::workspace::{File, FileId, Function, FunctionId, Workspace};

/// Imports that lead to imports, and bases of bases, are followed this far.
const FURTHEST: u32 = 48;

/// More bases, direct or not, than any class has.
const MOST_BASES: usize = 256;

/// A class: its file, and its place in [`Facts::classes`].
pub(crate) type ClassId = (FileId, u32);

/// What a dotted name means.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Meaning {
    /// A file of the workspace, as a module.
    Module(FileId),
    /// A class.
    Class(ClassId),
    /// A function, by its place in [`Facts::definitions`].
    Function(FileId, u32),
    /// Something outside of the workspace, as a full dotted name.
    Outside(String),
    /// Nothing that the file says anything about.
    Unknown,
}

/// The classes that a class is made of.
#[derive(Debug, Default)]
pub(crate) struct Lineage {
    /// The class itself, then its bases in the order in which Python looks for a method.
    pub(crate) order: Vec<ClassId>,
    /// The class that brings the metaclass of Flock in, if one does.
    traced_from: Option<String>,
    /// Whether it is a metaclass of Flock, or derived from it.
    is_metaclass: bool,
}

/// Answers about names and classes.
pub(crate) struct Hierarchy<'a> {
    pub(crate) workspace: &'a Workspace,
    lineages: RefCell<HashMap<ClassId, Rc<Lineage>>>,
    scopes: RefCell<HashMap<FileId, Rc<Scope<'a>>>>,
    methods: RefCell<HashMap<FileId, Rc<Methods<'a>>>>,
}

type Methods<'a> = HashMap<(Parent, &'a str), Vec<u32>>;

/// The names at the top of a file.
#[derive(Default)]
struct Scope<'a> {
    classes: HashMap<&'a str, u32>,
    functions: HashMap<&'a str, u32>,
    bindings: HashMap<&'a str, &'a Binding>,
    stars: Vec<&'a str>,
}

impl<'a> Hierarchy<'a> {
    pub(crate) fn new(workspace: &'a Workspace) -> Self {
        Self {
            workspace,
            lineages: RefCell::default(),
            scopes: RefCell::default(),
            methods: RefCell::default(),
        }
    }

    /// A function with all that is known about it.
    pub(crate) fn function(&self, file: FileId, index: u32) -> Option<Function<'a>> {
        let found = self.workspace.file(file)?;
        let definition = found.facts.definitions.get(index as usize)?;
        Some(Function {
            id: FunctionId {
                file,
                key: definition.key,
            },
            path: &found.path,
            language: found.language,
            definition,
            class: found.facts.class_of(definition).map(|class| &*class.name),
            qualified_name: found.facts.qualified_name(definition),
            traced: self.traced(file, index),
            is_installed: found.installed_in.is_some(),
        })
    }

    /// Whether the calls of a function make spans.
    pub(crate) fn traced(&self, id: FileId, index: u32) -> Option<Traced> {
        let file = self.workspace.file(id)?;
        let definition = file.facts.definitions.get(index as usize)?;
        if file.language == Language::Python
            && let Some(traced) = self.traced_by_flock(id, file, index, definition)
        {
            return Some(traced);
        }
        if let Some(literal) = Workspace::whole_literals(file, index).next() {
            return Some(Traced::Span(literal.shown()));
        }
        let inside = file
            .facts
            .literals
            .iter()
            .filter(|literal| literal.function == Some(index));
        let names: Vec<_> = inside.map(|literal| literal.shown()).collect();
        (!names.is_empty()).then_some(Traced::Inside(names))
    }

    fn traced_by_flock(&self, id: FileId, file: &'a File, index: u32, definition: &'a Definition) -> Option<Traced> {
        let has = |wanted: &str| {
            definition
                .decorators
                .iter()
                .any(|name| self.is_of_flock(id, name, wanted))
        };
        let decorated = has(flock::DECORATOR);
        let by_metaclass = || {
            let Parent::Class(class) = definition.parent else {
                return None;
            };
            if flock::is_private(&definition.name)
                || definition.decorators.iter().any(|name| flock::makes_uncallable(name))
            {
                return None;
            }
            let from = self.lineage((id, class)).traced_from.clone()?;
            (!has(flock::SKIP) && self.is_what_remains(id, &file.facts, definition, index)).then_some(from)
        };
        match by_metaclass() {
            Some(from) => Some(Traced::Metaclass { from, twice: decorated }),
            None => decorated.then_some(Traced::Decorator),
        }
    }

    /// Whether a method is what its class has under the name when its body has run: the last one of the name, or one of
    /// several under a condition.
    fn is_what_remains(&self, id: FileId, facts: &Facts, definition: &Definition, index: u32) -> bool {
        let methods = self.methods(id);
        let Some(all) = methods.get(&(definition.parent, &*definition.name)) else {
            return true;
        };
        all.iter().all(|other| {
            let overwrites = facts
                .definitions
                .get(*other as usize)
                .is_some_and(|other| !other.is_conditional);
            *other <= index || !overwrites
        })
    }

    /// Whether a decorator is the named one of Flock. One that nothing is known about is taken by its name.
    fn is_of_flock(&self, file: FileId, decorator: &str, wanted: &str) -> bool {
        let last = |dotted: &str| dotted.rsplit('.').next().map(ToOwned::to_owned);
        match self.resolve(file, Parent::File, decorator, FURTHEST) {
            Meaning::Function(file, index) => {
                let Some(file) = self.workspace.file(file) else {
                    return false;
                };
                let name = file.facts.definitions.get(index as usize).map(|found| &*found.name);
                wanted.rsplit_once('.').is_some_and(|(module, function)| {
                    name == Some(function) && self.workspace.module_of(file) == module
                })
            }
            Meaning::Outside(dotted) => flock::is(&dotted, wanted),
            Meaning::Unknown => last(decorator) == last(wanted),
            Meaning::Module(_) | Meaning::Class(_) => false,
        }
    }

    /// The definitions of a name in a class itself that can be the one that is called.
    pub(crate) fn methods_of(&self, (file, class): ClassId, name: &str) -> Vec<u32> {
        let methods = self.methods(file);
        let Some(all) = methods.get(&(Parent::Class(class), name)) else {
            return Vec::new();
        };
        let Some(found) = self.workspace.file(file) else {
            return Vec::new();
        };
        let remains = |index: &&u32| {
            let definition = found.facts.definitions.get(**index as usize);
            definition.is_some_and(|definition| self.is_what_remains(file, &found.facts, definition, **index))
        };
        all.iter().filter(remains).copied().collect()
    }

    fn methods(&self, id: FileId) -> Rc<Methods<'a>> {
        if let Some(methods) = self.methods.borrow().get(&id) {
            return Rc::clone(methods);
        }
        let mut methods: Methods<'a> = HashMap::new();
        if let Some(file) = self.workspace.file(id) {
            for (index, definition) in (0..).zip(&file.facts.definitions) {
                methods
                    .entry((definition.parent, &definition.name))
                    .or_default()
                    .push(index);
            }
        }
        let methods = Rc::new(methods);
        self.methods.borrow_mut().insert(id, Rc::clone(&methods));
        methods
    }

    pub(crate) fn class(&self, (file, class): ClassId) -> Option<&'a Class> {
        self.workspace.file(file)?.facts.classes.get(class as usize)
    }

    /// The classes that a class is made of.
    pub(crate) fn lineage(&self, class: ClassId) -> Rc<Lineage> {
        self.lineage_within(class, FURTHEST)
    }

    fn lineage_within(&self, id: ClassId, further: u32) -> Rc<Lineage> {
        if let Some(lineage) = self.lineages.borrow().get(&id) {
            return Rc::clone(lineage);
        }
        // A class that is its own base finds this.
        let only_itself = Rc::new(Lineage {
            order: vec![id],
            ..Lineage::default()
        });
        let Some(class) = self.class(id) else {
            return only_itself;
        };
        let Some(further) = further.checked_sub(1) else {
            return only_itself;
        };
        self.lineages.borrow_mut().insert(id, only_itself);
        let lineage = Rc::new(self.work_out(id, class, further));
        self.lineages.borrow_mut().insert(id, Rc::clone(&lineage));
        lineage
    }

    fn work_out(&self, id: ClassId, class: &Class, further: u32) -> Lineage {
        let mut lineage = Lineage::default();
        let mut orders = Vec::new();
        let mut direct = Vec::new();
        if self.workspace.file(id.0).is_some_and(|file| {
            flock::METACLASS.rsplit_once('.').is_some_and(|(module, name)| {
                *class.name == *name && class.parent == Parent::File && self.workspace.module_of(file) == module
            })
        }) {
            lineage.is_metaclass = true;
        }
        if let Some(metaclass) = &class.metaclass {
            let is_traced = match self.resolve_base(id, class, metaclass, further) {
                Meaning::Class(metaclass) => self.lineage_within(metaclass, further).is_metaclass,
                Meaning::Outside(dotted) => flock::is_metaclass(&dotted),
                Meaning::Unknown => **metaclass == *"AutoTracedMeta",
                Meaning::Module(_) | Meaning::Function(..) => false,
            };
            if is_traced {
                lineage.traced_from = Some(class.name.to_string());
            }
        }
        for base in class.bases.iter().take(MOST_BASES) {
            match self.resolve_base(id, class, base, further) {
                Meaning::Class(base) if base != id => {
                    let above = self.lineage_within(base, further);
                    lineage.is_metaclass |= above.is_metaclass;
                    if lineage.traced_from.is_none() {
                        lineage.traced_from.clone_from(&above.traced_from);
                    }
                    orders.push(above.order.clone());
                    direct.push(base);
                }
                Meaning::Outside(dotted) => {
                    lineage.is_metaclass |= flock::is_metaclass(&dotted);
                    if lineage.traced_from.is_none() && flock::is_traced_class(&dotted) {
                        lineage.traced_from = dotted.rsplit('.').next().map(ToOwned::to_owned);
                    }
                }
                _ => {}
            }
        }
        orders.push(direct);
        lineage.order = merged(id, orders);
        lineage
    }

    fn resolve_base(&self, id: ClassId, class: &Class, dotted: &str, further: u32) -> Meaning {
        match self.resolve(id.0, class.parent, dotted, further) {
            // `class Agent(Agent)` means the one that was imported before.
            Meaning::Class(found) if found == id => self.bound(id.0, dotted, further),
            meaning => meaning,
        }
    }

    /// What a dotted name means in a file, seen from inside of a class or function.
    pub(crate) fn resolve(&self, file: FileId, parent: Parent, dotted: &str, further: u32) -> Meaning {
        let (first, rest) = match dotted.split_once('.') {
            Some((first, rest)) => (first, Some(rest)),
            None => (dotted, None),
        };
        let mut meaning = self
            .enclosed(file, parent, first)
            .unwrap_or_else(|| self.name_in(file, first, further));
        for name in rest.into_iter().flat_map(|rest| rest.split('.')) {
            meaning = self.member(&meaning, name, further);
        }
        meaning
    }

    /// A class that is defined in the same class or function, or one around it.
    fn enclosed(&self, file: FileId, mut parent: Parent, name: &str) -> Option<Meaning> {
        let facts = &self.workspace.file(file)?.facts;
        for _ in 0..FURTHEST {
            if parent == Parent::File {
                return None;
            }
            let position = facts
                .classes
                .iter()
                .position(|class| class.parent == parent && *class.name == *name);
            if let Some(index) = position {
                return Some(Meaning::Class((file, u32::try_from(index).ok()?)));
            }
            parent = match parent {
                Parent::Class(class) => facts.classes.get(class as usize)?.parent,
                Parent::Function(function) => facts.definitions.get(function as usize)?.parent,
                Parent::File => return None,
            };
        }
        None
    }

    fn name_in(&self, file: FileId, name: &str, further: u32) -> Meaning {
        let scope = self.scope(file);
        if let Some(class) = scope.classes.get(name) {
            return Meaning::Class((file, *class));
        }
        if let Some(function) = scope.functions.get(name) {
            return Meaning::Function(file, *function);
        }
        self.bound(file, name, further)
    }

    fn bound(&self, file: FileId, name: &str, further: u32) -> Meaning {
        let Some(further) = further.checked_sub(1) else {
            return Meaning::Unknown;
        };
        let scope = self.scope(file);
        match scope.bindings.get(name) {
            Some(Binding::Module { module, .. }) => self.module(file, module),
            Some(Binding::From { module, original, .. }) => {
                let module = self.module(file, module);
                self.member(&module, original, further)
            }
            Some(Binding::Alias { target, .. }) if **target != *name => {
                self.resolve(file, Parent::File, target, further)
            }
            Some(Binding::Alias { .. } | Binding::Star { .. }) => Meaning::Unknown,
            None => {
                for module in &scope.stars {
                    if let Meaning::Module(module) = self.module(file, module)
                        && module != file
                    {
                        let found = self.name_in(module, name, further);
                        if found != Meaning::Unknown {
                            return found;
                        }
                    }
                }
                Meaning::Unknown
            }
        }
    }

    /// A name of a module or class.
    fn member(&self, of: &Meaning, name: &str, further: u32) -> Meaning {
        let Some(further) = further.checked_sub(1) else {
            return Meaning::Unknown;
        };
        match of {
            Meaning::Module(file) => {
                let found = self.name_in(*file, name, further);
                if found != Meaning::Unknown {
                    return found;
                }
                let Some(module) = self.workspace.file(*file) else {
                    return Meaning::Unknown;
                };
                let is_package = module.path.file_name().is_some_and(|name| name == "__init__.py");
                let inside = module.path.parent().filter(|_| is_package);
                if let Some(found) = inside.and_then(|folder| self.workspace.module_in(folder, name)) {
                    return Meaning::Module(found);
                }
                Meaning::Outside(format!("{}.{name}", self.workspace.module_of(module)))
            }
            Meaning::Class((file, class)) => match self.enclosed(*file, Parent::Class(*class), name) {
                Some(found) => found,
                None => match self.methods_of((*file, *class), name).first() {
                    Some(method) => Meaning::Function(*file, *method),
                    None => Meaning::Unknown,
                },
            },
            Meaning::Outside(dotted) => {
                let full = format!("{dotted}.{name}");
                // A folder without `__init__.py` is a package all the same.
                match self.nearest(None, &full) {
                    Some(file) => Meaning::Module(file),
                    None => Meaning::Outside(full),
                }
            }
            Meaning::Function(..) | Meaning::Unknown => Meaning::Unknown,
        }
    }

    /// What a module's name means in a file.
    fn module(&self, file: FileId, module: &str) -> Meaning {
        let Some(found) = self.workspace.file(file) else {
            return Meaning::Unknown;
        };
        let name = module.trim_start_matches('.');
        let dots = module.len() - name.len();
        if dots > 0 {
            let Some(folder) = found.path.ancestors().nth(dots) else {
                return Meaning::Unknown;
            };
            return match self.workspace.module_in(folder, name) {
                Some(module) => Meaning::Module(module),
                None => Meaning::Outside(module.to_owned()),
            };
        }
        match self.nearest(Some(found), name) {
            Some(module) => Meaning::Module(module),
            None => Meaning::Outside(name.to_owned()),
        }
    }

    /// Of the files that a module's name can mean, the one that shares most folders with the file that imports it.
    fn nearest(&self, from: Option<&File>, module: &str) -> Option<FileId> {
        let files = self.workspace.files_of_module(module);
        let shared = |id: &FileId| {
            let (Some(from), Some(to)) = (from, self.workspace.file(*id)) else {
                return 0;
            };
            from.path
                .components()
                .zip(to.path.components())
                .take_while(|(left, right)| left == right)
                .count()
        };
        files.into_iter().max_by_key(|id| (shared(id), std::cmp::Reverse(*id)))
    }

    fn scope(&self, id: FileId) -> Rc<Scope<'a>> {
        if let Some(scope) = self.scopes.borrow().get(&id) {
            return Rc::clone(scope);
        }
        let mut scope = Scope::default();
        if let Some(file) = self.workspace.file(id) {
            let facts: &'a Facts = &file.facts;
            let classes = (0..)
                .zip(&facts.classes)
                .filter(|(_, class)| class.parent == Parent::File);
            scope.classes = classes.map(|(index, class)| (&*class.name, index)).collect();
            let functions = (0..)
                .zip(&facts.definitions)
                .filter(|(_, function)| function.parent == Parent::File);
            scope.functions = functions.map(|(index, function)| (&*function.name, index)).collect();
            for binding in &facts.bindings {
                match binding {
                    Binding::Star { module } => scope.stars.push(module),
                    Binding::Module { name, .. } | Binding::From { name, .. } | Binding::Alias { name, .. } => {
                        scope.bindings.insert(name, binding);
                    }
                }
            }
        }
        let scope = Rc::new(scope);
        self.scopes.borrow_mut().insert(id, Rc::clone(&scope));
        scope
    }
}

/// Python's order of method resolution (C3): every class before its bases, bases in the order in which they are written.
/// Where there is no such order, Python refuses the class; the rest is then taken as it comes.
fn merged(class: ClassId, mut orders: Vec<Vec<ClassId>>) -> Vec<ClassId> {
    let mut merged = vec![class];
    let mut seen = BTreeSet::from([class]);
    for order in &mut orders {
        order.reverse();
    }
    while merged.len() < MOST_BASES {
        orders.retain(|order| !order.is_empty());
        let heads = || orders.iter().filter_map(|order| order.last().copied());
        let is_free = |head: &ClassId| {
            let rests = orders.iter().filter_map(|order| order.split_last());
            !rests.into_iter().any(|(_, rest)| rest.contains(head))
        };
        let Some(next) = heads().find(is_free).or_else(|| heads().next()) else {
            break;
        };
        if seen.insert(next) {
            merged.push(next);
        }
        for order in &mut orders {
            order.retain(|class| *class != next);
        }
    }
    merged
}
