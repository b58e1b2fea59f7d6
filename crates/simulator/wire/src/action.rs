//! Declares a service's API actions, one table row each.

/// Whether an action is read-only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Leaves all state unchanged.
    Reads,
    /// May change state.
    Changes,
}

/// An API action. `Answer` is the type of its handler, which parses the parameters, authorizes the
/// caller and returns the output.
#[derive(Clone, Copy, Debug)]
pub struct Action<Answer> {
    /// The name in requests: `CreateTopic`.
    pub name: &'static str,
    /// Decides whether the call is counted and journaled as mutating.
    pub effect: Effect,
    /// The handler.
    pub answer: Answer,
}
