//! What Flock traces, as its `auto_trace.py` and `trace_and_logged.py` do it: the metaclass `AutoTracedMeta` wraps every
//! callable of a class's body whose name has no leading underscore and that is not marked by `@skip_trace`;
//! `@traced_and_logged` wraps any function.

/// Where the metaclass is defined.
pub(crate) const METACLASS: &str = "flock.logging.auto_trace.AutoTracedMeta";

/// Where the decorator is defined.
pub(crate) const DECORATOR: &str = "flock.logging.trace_and_logged.traced_and_logged";

/// Where the decorator that switches tracing off is defined.
pub(crate) const SKIP: &str = "flock.logging.auto_trace.skip_trace";

/// The package.
pub(crate) const PACKAGE: &str = "flock";

/// Traced classes of Flock 0.5, for a workspace whose Flock is not installed where it is found (a container, say).
const TRACED_CLASSES: [&str; 12] = [
    "Agent",
    "AgentComponent",
    "BuiltinCollectionComponent",
    "CircuitBreakerComponent",
    "DSPyEngine",
    "DeduplicationComponent",
    "EngineComponent",
    "Flock",
    "GraphAssembler",
    "MetricsUtility",
    "OrchestratorComponent",
    "OutputUtilityComponent",
];

/// What decorators make of a method: none of these is callable, so the metaclass passes it by. The last part of the name
/// counts: `functools.cached_property`, `name.setter`.
const NOT_CALLABLE: [&str; 14] = [
    "cached_property",
    "classmethod",
    "computed_field",
    "deleter",
    "field_serializer",
    "field_validator",
    "getter",
    "model_serializer",
    "model_validator",
    "partialmethod",
    "property",
    "root_validator",
    "setter",
    "singledispatchmethod",
];

/// Whether a name that leads out of the workspace is a class that Flock traces.
pub(crate) fn is_traced_class(dotted: &str) -> bool {
    in_flock(dotted).is_some_and(|name| TRACED_CLASSES.contains(&name))
}

/// Whether a name that leads out of the workspace is the metaclass, or Flock's combination of it with pydantic's.
pub(crate) fn is_metaclass(dotted: &str) -> bool {
    in_flock(dotted).is_some_and(|name| name == "AutoTracedMeta" || name == "TracedModelMeta")
}

/// Whether two dotted names mean the same thing of Flock, which can be taken from any of its modules.
pub(crate) fn is(dotted: &str, wanted: &str) -> bool {
    dotted == wanted || in_flock(dotted).is_some_and(|name| wanted.rsplit('.').next() == Some(name))
}

fn in_flock(dotted: &str) -> Option<&str> {
    let (first, _) = dotted.split_once('.')?;
    (first == PACKAGE).then(|| dotted.rsplit('.').next()).flatten()
}

/// Whether the metaclass passes a method with this decorator by because it is no longer callable.
pub(crate) fn makes_uncallable(decorator: &str) -> bool {
    decorator
        .rsplit('.')
        .next()
        .is_some_and(|last| NOT_CALLABLE.contains(&last))
}

/// Whether a name of a class's body is private: the metaclass passes it by.
pub(crate) fn is_private(name: &str) -> bool {
    name.starts_with('_')
}
