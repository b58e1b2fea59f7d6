#[derive(Debug, Default)]
pub(crate) struct StackSets {}
