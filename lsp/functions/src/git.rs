//! What git knows of functions that were edited before anybody looked: which commit was checked out when a span was made,
//! and what the function was in it. It is read from the repository's files: no program is run, and no configuration of the
//! user or the system is read.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use gix::sec::trust::Mapping;
use gix::{ObjectId, Repository, ThreadSafeRepository};

use crate::edits::Edit;
use crate::language::Language;
use crate::scan::facts_of_bytes;
use crate::workspace::{FunctionId, LARGEST_FILE, Workspace};

/// Repositories that are opened.
const MOST_REPOSITORIES: usize = 16;

/// Commits that are gone back, and entries of the log of what was checked out.
const MOST_COMMITS: usize = 20_000;

/// Later commits that are looked through for one function.
const MOST_LATER: usize = 1_000;

/// Files of commits that are looked up, and those of them that are read.
const MOST_LOOKUPS: usize = 100_000;
const MOST_READ: usize = 2_000;

/// A question to git about functions. It holds all it needs, so that another thread can ask it.
#[derive(Debug, Default)]
pub struct GitLook {
    requests: Vec<Request>,
}

#[derive(Debug)]
struct Request {
    function: FunctionId,
    path: Arc<Path>,
    language: Language,
    body: u64,
    time: i64,
}

/// What git knew, for [`Workspace::apply_git`].
#[derive(Debug, Default)]
pub struct GitAnswers {
    answers: Vec<(FunctionId, GitAnswer)>,
}

/// What git knew of one function.
#[derive(Debug)]
pub(crate) struct GitAnswer {
    body: u64,
    time: i64,
    edit: Edit,
}

impl GitAnswer {
    /// What it says about a body and a time; it was asked about one of each.
    pub(crate) fn about(&self, body: u64, time: i64) -> Edit {
        let is_same_time = time == self.time || time > self.time && self.edit == Edit::Unchanged;
        if body == self.body && is_same_time {
            self.edit
        } else {
            Edit::Unknown
        }
    }
}

impl GitLook {
    /// The question for functions and the times of their latest spans, in nanoseconds since the epoch. Those are left out
    /// that [`Workspace::edited_since`] has an answer for: above all, of files that were not written since.
    pub fn new(workspace: &Workspace, spans: impl IntoIterator<Item = (FunctionId, i64)>) -> Self {
        let requests = spans.into_iter().filter_map(|(function, time)| {
            let file = workspace.file(function.file)?;
            let is_open_question = file.installed_in.is_none()
                && file.on_disk().is_some()
                && !workspace.edits.of_git.get(&function).is_some_and(|answer| {
                    // Git was asked the same before, and did not know.
                    Some(answer.body) == workspace.body(function) && answer.time == time
                })
                && workspace.edited_since(function, time) == Edit::Unknown;
            is_open_question.then_some(Request {
                function,
                path: Arc::clone(&file.path),
                language: file.language,
                body: workspace.body(function)?,
                time,
            })
        });
        Self {
            requests: requests.collect(),
        }
    }

    /// Whether there is nothing to ask.
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// Asks. It reads files and can take seconds: not for the thread that answers.
    pub fn run(self) -> GitAnswers {
        let oldest = self.requests.iter().map(|request| seconds(request.time)).min();
        let mut repositories = Repositories {
            known: Vec::new(),
            of_folder: HashMap::new(),
            oldest: oldest.unwrap_or(i64::MAX),
        };
        let answers = self.requests.into_iter().map(|request| {
            let edit = repositories.edit(&request).unwrap_or(Edit::Unknown);
            let answer = GitAnswer {
                body: request.body,
                time: request.time,
                edit,
            };
            (request.function, answer)
        });
        GitAnswers {
            answers: answers.collect(),
        }
    }
}

impl Workspace {
    /// Takes in what git knew; from now on [`Workspace::edited_since`] knows it too.
    pub fn apply_git(&mut self, answers: GitAnswers) {
        self.edits.of_git.extend(answers.answers);
    }
}

struct Repositories {
    known: Vec<History>,
    /// By folder: the place in `known`, and the folder's path in the repository.
    of_folder: HashMap<PathBuf, Option<(usize, PathBuf)>>,
    oldest: i64,
}

impl Repositories {
    fn edit(&mut self, request: &Request) -> Option<Edit> {
        let folder = request.path.parent()?;
        if !self.of_folder.contains_key(folder) {
            let found = self.find(folder);
            self.of_folder.insert(folder.to_owned(), found);
        }
        let (place, inside) = self.of_folder.get(folder)?.as_ref()?;
        let path = inside.join(request.path.file_name()?);
        self.known.get_mut(*place)?.edit(request, &path)
    }

    fn find(&mut self, folder: &Path) -> Option<(usize, PathBuf)> {
        let folder = folder.canonicalize().ok()?;
        let inside = |history: &History| Some(folder.strip_prefix(&history.root).ok()?.to_owned());
        let known = (0..).zip(&self.known);
        let known = known.filter_map(|(place, history)| Some((place, inside(history)?)));
        // A repository can lie in another one.
        if let Some(found) = known.min_by_key(|(_, inside)| inside.as_os_str().len()) {
            return Some(found);
        }
        if self.known.len() >= MOST_REPOSITORIES {
            return None;
        }
        let options = Mapping {
            full: gix::open::Options::isolated(),
            reduced: gix::open::Options::isolated(),
        };
        let repository = ThreadSafeRepository::discover_opts(&folder, Default::default(), options).ok()?;
        let history = History::new(repository.to_thread_local(), self.oldest)?;
        let found = inside(&history)?;
        self.known.push(history);
        Some((self.known.len() - 1, found))
    }
}

/// A commit that was checked out from a time on.
#[derive(Debug)]
struct CheckedOut {
    /// Seconds since the epoch.
    from: i64,
    commit: ObjectId,
    /// The files are of no earlier time than this.
    written: i64,
}

/// One repository.
struct History {
    repository: Repository,
    root: PathBuf,
    /// In the order of time.
    checked_out: Vec<CheckedOut>,
    blobs: HashMap<(ObjectId, PathBuf), Option<ObjectId>>,
    bodies: HashMap<ObjectId, Option<Rc<Bodies>>>,
}

/// The hashes of a file's functions by their keys.
type Bodies = HashMap<u64, u64>;

impl History {
    fn new(repository: Repository, oldest: i64) -> Option<Self> {
        let root = repository.workdir()?.canonicalize().ok()?;
        let checked_out = checked_out(&repository, oldest);
        Some(Self {
            root,
            checked_out,
            repository,
            blobs: HashMap::new(),
            bodies: HashMap::new(),
        })
    }

    fn edit(&mut self, request: &Request, path: &Path) -> Option<Edit> {
        let time = seconds(request.time);
        let later = self.checked_out.partition_point(|one| one.from <= time);
        let commits = self.checked_out.get(later.checked_sub(1)?..)?;
        let commits = commits.iter().take(MOST_LATER).map(|one| (one.commit, one.written));
        let mut commits: Vec<(ObjectId, i64)> = commits.collect();
        let (then, _) = commits.remove(0);
        let blob_then = self.blob(then, path)?;
        let body_then = self.body(blob_then, request)?;
        if body_then == request.body {
            return Some(Edit::Unchanged);
        }
        // It may have been edited, and not been committed yet, before the span. The first commit of the file after the
        // span tells: it takes in what was edited until then.
        for (commit, written) in commits {
            let Some(blob) = self.blob(commit, path) else { break };
            if blob == blob_then {
                continue;
            }
            let is_later = written > time && self.body(blob, request) == Some(body_then);
            return Some(if is_later {
                Edit::Since { is_saved: true }
            } else {
                Edit::Perhaps
            });
        }
        Some(Edit::Perhaps)
    }

    /// The file of a commit.
    fn blob(&mut self, commit: ObjectId, path: &Path) -> Option<ObjectId> {
        let place = (commit, path.to_owned());
        if let Some(blob) = self.blobs.get(&place) {
            return *blob;
        }
        if self.blobs.len() >= MOST_LOOKUPS {
            return None;
        }
        let find = || {
            let tree = self.repository.find_commit(commit).ok()?.tree().ok()?;
            let entry = tree.lookup_entry_by_path(path).ok()??;
            entry.mode().is_blob().then(|| entry.object_id())
        };
        let blob = find();
        self.blobs.insert(place, blob);
        blob
    }

    /// What a function is in a file.
    fn body(&mut self, blob: ObjectId, request: &Request) -> Option<u64> {
        if !self.bodies.contains_key(&blob) {
            if self.bodies.len() >= MOST_READ {
                return None;
            }
            let bodies = self.read(blob, request.language);
            self.bodies.insert(blob, bodies.map(Rc::new));
        }
        self.bodies.get(&blob)?.as_ref()?.get(&request.function.key).copied()
    }

    fn read(&self, blob: ObjectId, language: Language) -> Option<Bodies> {
        if self.repository.find_header(blob).ok()?.size() > LARGEST_FILE {
            return None;
        }
        let facts = facts_of_bytes(language, &self.repository.find_blob(blob).ok()?.data)?;
        let definitions = facts.definitions.iter();
        Some(
            definitions
                .map(|definition| (definition.key, definition.body))
                .collect(),
        )
    }
}

/// What was checked out when, back to a time. Git keeps a log of that, for some months and of this copy alone; what was
/// before is taken from the commits, each for the time until the next one of the same branch.
fn checked_out(repository: &Repository, oldest: i64) -> Vec<CheckedOut> {
    let mut found = logged(repository);
    let (mut next, until) = match found.first() {
        Some(first) => (Some(first.commit), first.from),
        None => (repository.head_id().ok().map(|id| id.detach()), i64::MAX),
    };
    // From here on in the reverse order.
    found.reverse();
    for _ in 0..MOST_COMMITS {
        if found.last().is_some_and(|last| last.from <= oldest) {
            break;
        }
        let Some(commit) = next.and_then(|id| repository.find_commit(id).ok()) else {
            break;
        };
        let (Ok(committer), Ok(author)) = (commit.committer(), commit.author()) else {
            break;
        };
        let from = committer.seconds();
        if from < until {
            found.push(CheckedOut {
                from,
                commit: commit.id,
                // What a rebase put on top again was written earlier.
                written: from.min(author.seconds()),
            });
        }
        next = commit.parent_ids().next().map(|id| id.detach());
    }
    found.reverse();
    // Clocks go wrong; what was checked out before a commit was so at most until then.
    let mut latest = i64::MAX;
    for one in found.iter_mut().rev() {
        latest = latest.min(one.from);
        one.from = latest;
    }
    found
}

/// The log of what was checked out, in its order.
fn logged(repository: &Repository) -> Vec<CheckedOut> {
    let log = repository.git_dir().join("logs").join("HEAD");
    if fs::metadata(log).map_or(true, |log| log.len() > LARGEST_FILE) {
        return Vec::new();
    }
    let Ok(head) = repository.head() else { return Vec::new() };
    let mut log = head.log_iter();
    let Ok(Some(lines)) = log.all() else { return Vec::new() };
    let lines = lines.flatten().map(|line| CheckedOut {
        from: line.signature.seconds(),
        commit: line.new_oid(),
        written: line.signature.seconds(),
    });
    let mut lines: Vec<CheckedOut> = lines.filter(|line| !line.commit.is_null()).collect();
    lines.drain(..lines.len().saturating_sub(MOST_COMMITS));
    lines
}

fn seconds(time: i64) -> i64 {
    time.div_euclid(1_000_000_000)
}
