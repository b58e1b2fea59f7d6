//! Requests that start an operation.

use crate::ports::{Action, Cloud, CloudError, InstanceRequest, StackSetUpdate};

/// A request that starts an operation. Its operation id is set on start.
#[derive(Clone, Debug)]
pub(crate) enum Task {
    Update(Box<StackSetUpdate>),
    /// Brings instances to the stack set's present definition. `UpdateStackSet` could do that too,
    /// but it takes parameters and then marks all other instances as outdated.
    Refresh(InstanceRequest),
    Create(InstanceRequest),
    Delete(InstanceRequest),
}

impl Task {
    pub(crate) fn action(&self) -> Action {
        match self {
            Task::Update(_) | Task::Refresh(_) => Action::Update,
            Task::Create(_) => Action::Create,
            Task::Delete(_) => Action::Delete,
        }
    }

    pub(super) fn stack_set(&self) -> &str {
        match self {
            Task::Update(update) => &update.name,
            Task::Create(request) | Task::Refresh(request) | Task::Delete(request) => {
                &request.stack_set
            }
        }
    }

    pub(super) fn set_id(&mut self, id: &str) {
        match self {
            Task::Update(update) => id.clone_into(&mut update.operation_id),
            Task::Create(request) | Task::Refresh(request) | Task::Delete(request) => {
                id.clone_into(&mut request.operation_id);
            }
        }
    }

    pub(super) async fn start(&self, cloud: &impl Cloud) -> Result<String, CloudError> {
        match self {
            Task::Update(update) => cloud.update_stack_set(update).await,
            Task::Refresh(request) => cloud.update_instances(request).await,
            Task::Create(request) => cloud.create_instances(request).await,
            Task::Delete(request) => cloud.delete_instances(request).await,
        }
    }
}
