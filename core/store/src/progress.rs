/// How far a long piece of work has come. Each report follows a step that is complete on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is being done, in words: `copying the database`.
    pub what: &'static str,
    /// Steps that are done.
    pub done: u64,
    /// Steps in all.
    pub total: u64,
}
