//! Where in the workspace an exception was raised, by the frames of its stack trace.

use std::path::Path;

use crate::matching::Matching;
use crate::matching_code::Agreement;
use crate::stack_trace::StackFrame;
use crate::workspace::{FileId, FunctionId, Workspace};

/// The frame of a stack trace that is the workspace's own and closest to where the exception was raised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FramePlace<'a> {
    /// Its place among the frames.
    pub frame: usize,
    /// The file.
    pub path: &'a Path,
    /// The line, from 0. The file may have been edited since, and be shorter.
    pub line: u32,
    /// The function that holds the line, if one does; where the trace names one, the innermost of that name.
    pub function: Option<FunctionId>,
    /// Whether the file is known by its path, and the function on the line is the one that the trace names. Otherwise the
    /// file was edited since, or only looks like that of the trace.
    pub is_certain: bool,
}

/// A line of a file, and what the trace's name has to do with it.
struct Candidate {
    file: FileId,
    function: Option<FunctionId>,
    is_named: bool,
}

impl Workspace {
    /// The innermost frame, of those that [`crate::stack_frames`] gives, that lies in a file of the workspace. Installed
    /// packages and the language's own library are passed by.
    pub fn place_of_frame(&self, frames: &[StackFrame]) -> Option<FramePlace<'_>> {
        self.places_of_frames([frames]).pop().flatten()
    }

    /// The same for many stack traces, in one go through the workspace.
    pub fn places_of_frames<'t>(
        &self,
        traces: impl IntoIterator<Item = &'t [StackFrame]>,
    ) -> Vec<Option<FramePlace<'_>>> {
        let matching = Matching::new(self);
        let places = traces.into_iter().map(|frames| {
            let mut numbered = frames.iter().enumerate().rev();
            numbered.find_map(|(number, frame)| self.place_of(&matching, number, frame))
        });
        places.collect()
    }

    fn place_of(&self, matching: &Matching<'_>, number: usize, frame: &StackFrame) -> Option<FramePlace<'_>> {
        let line = frame.line.checked_sub(1)?;
        let (files, agreement) = matching.files_of_path(&frame.path);
        let own = files.into_iter().filter(|file| {
            let file = self.file(*file);
            file.is_some_and(|file| file.installed_in.is_none())
        });
        let mut candidates: Vec<Candidate> = own.map(|file| self.on_line(file, line, frame)).collect();
        // A file of the same name, and nothing else, can be one of another program.
        if agreement == Agreement::FileName {
            candidates.retain(|candidate| candidate.is_named && candidate.function.is_some());
        }
        if candidates.len() > 1 {
            candidates.retain(|candidate| candidate.is_named);
        }
        let [found] = &*candidates else { return None };
        let path = &self.file(found.file)?.path;
        // Java knows the folders of the package, and none above.
        let is_package = frame.path.contains('/') && path.ends_with(&frame.path);
        Some(FramePlace {
            frame: number,
            path,
            line,
            function: found.function,
            is_certain: found.is_named && (agreement != Agreement::FileName || is_package),
        })
    }

    fn on_line(&self, file: FileId, line: u32, frame: &StackFrame) -> Candidate {
        let definitions = self.file(file).map_or(&[][..], |file| &*file.facts.definitions);
        let around = definitions
            .iter()
            .rev()
            .filter(|one| one.lines.0 <= line && line <= one.lines.1);
        let id = |key| FunctionId { file, key };
        let name = frame.function.as_deref().map(own_name);
        let named = around.clone().find(|one| name == Some(&one.name));
        let innermost = named.or_else(|| around.clone().next());
        let is_named = match name {
            None => false,
            // The top of a file, and what has no name of its own.
            Some("<module>") => innermost.is_none(),
            Some(name) => named.is_some() || name.starts_with('<'),
        };
        Candidate {
            file,
            function: innermost.map(|one| id(one.key)),
            is_named,
        }
    }
}

/// The name of a function without what stands before it: `Total` of `example.com/shop.(*Till).Total`.
fn own_name(name: &str) -> &str {
    name.rsplit(['.', ':', '/', '#']).next().unwrap_or(name)
}
