//! Classes across files: which ones a class is made of, and what it has under a name. Made for one question and forgotten
//! after it, so it is never out of date.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use crate::facts::{Class, Definition, Facts, Parent};
use crate::flock;
use crate::names::{Meaning, Scope};
use crate::workspace::{FileId, Function, FunctionId, Workspace};

/// Imports that lead to imports, and bases of bases, are followed this far.
pub(crate) const FURTHEST: u32 = 48;

/// More bases, direct or not, than any class has.
const MOST_BASES: usize = 256;

/// A class: its file, and its place in [`Facts::classes`].
pub(crate) type ClassId = (FileId, u32);

/// The classes that a class is made of.
#[derive(Debug, Default)]
pub(crate) struct Lineage {
    /// The class itself, then its bases in the order in which Python looks for a method.
    pub(crate) order: Vec<ClassId>,
    /// The class that brings the metaclass of Flock in, if one does.
    pub(crate) traced_from: Option<String>,
    /// Whether it is a metaclass of Flock, or derived from it.
    is_metaclass: bool,
    /// Whether a base is made at run time, so that `order` does not tell all: `class A(make_base()): ...`.
    pub(crate) is_open: bool,
}

/// Answers about names and classes.
pub(crate) struct Hierarchy<'a> {
    pub(crate) workspace: &'a Workspace,
    lineages: RefCell<HashMap<ClassId, Rc<Lineage>>>,
    pub(crate) scopes: RefCell<HashMap<FileId, Rc<Scope<'a>>>>,
    methods: RefCell<HashMap<FileId, Rc<Methods<'a>>>>,
}

type Methods<'a> = HashMap<(Parent, &'a str), Vec<u32>>;

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

    /// Whether a method is what its class has under the name when its body has run: the last one of the name, or one of
    /// several under a condition.
    pub(crate) fn is_what_remains(&self, id: FileId, facts: &Facts, definition: &Definition, index: u32) -> bool {
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

    /// The last definition of a name in a class or function, or at the top of a file.
    pub(crate) fn last_in(&self, file: FileId, parent: Parent, name: &str) -> Option<u32> {
        self.methods(file).get(&(parent, name))?.last().copied()
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
                    lineage.is_open |= above.is_open;
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
                Meaning::Function(..) | Meaning::Module(_) => lineage.is_open = true,
                Meaning::Class(_) | Meaning::Unknown => {}
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
}

/// Python's order of method resolution (C3): every class before its bases, bases in the order in which they are written.
/// Where there is no such order, Python refuses the class; the rest is then taken as it comes.
fn merged(class: ClassId, orders: Vec<Vec<ClassId>>) -> Vec<ClassId> {
    let mut orders: Vec<_> = orders.into_iter().map(|order| order.into_iter().peekable()).collect();
    // How many of the orders have a class further down than at their head: it has to wait for what stands above it.
    let mut waiting: HashMap<ClassId, usize> = HashMap::new();
    for below in orders.iter().flat_map(|order| order.clone().skip(1)) {
        *waiting.entry(below).or_default() += 1;
    }
    let mut merged = vec![class];
    let mut seen = HashSet::from([class]);
    while merged.len() < MOST_BASES {
        for order in &mut orders {
            while order.next_if(|head| seen.contains(head)).is_some() {
                if let Some(count) = order.peek().and_then(|head| waiting.get_mut(head)) {
                    *count = count.saturating_sub(1);
                }
            }
        }
        let mut heads = orders.iter_mut().filter_map(|order| order.peek().copied());
        let first = heads.next();
        let is_free = |head: &ClassId| waiting.get(head).is_none_or(|count| *count == 0);
        let Some(next) = first.filter(is_free).or_else(|| heads.find(is_free)).or(first) else {
            break;
        };
        merged.push(next);
        seen.insert(next);
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(orders: &[&[u32]]) -> Vec<u32> {
        let id = |class: &u32| (FileId(0), *class);
        let orders = orders.iter().map(|order| order.iter().map(id).collect()).collect();
        merged((FileId(0), 0), orders)
            .into_iter()
            .map(|(_, class)| class)
            .collect()
    }

    #[test]
    fn classes_are_merged_as_python_does() {
        // The example of Python's own documentation of the order: A(B, C), B(D, E), C(D, F), all from O.
        assert_eq!(order(&[&[2, 4, 5, 7], &[3, 4, 6, 7], &[2, 3]]), [0, 2, 3, 4, 5, 6, 7]);
        assert_eq!(order(&[&[2, 5, 4, 7], &[3, 4, 6, 7], &[2, 3]]), [0, 2, 5, 3, 4, 6, 7]);
        assert_eq!(order(&[&[1, 2, 3], &[1]]), [0, 1, 2, 3]);
        assert_eq!(order(&[&[]]), [0]);
    }

    #[test]
    fn orders_that_contradict_each_other_end() {
        assert_eq!(order(&[&[1, 2], &[2, 1], &[1, 2]]), [0, 1, 2]);
    }
}
