//! The rows of a table of actions.

/// Whether an action changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It only reads.
    Reads,
    /// It changes something.
    Changes,
}

/// An action that a service answers. `Answer` is the function that reads the parameters, checks
/// that the caller is allowed to, and answers.
#[derive(Clone, Copy, Debug)]
pub struct Action<Answer> {
    /// As requests name it: `CreateTopic`.
    pub name: &'static str,
    /// What it does to the service's state.
    pub effect: Effect,
    /// Answers it.
    pub answer: Answer,
}
