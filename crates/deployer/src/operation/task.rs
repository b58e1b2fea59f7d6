//! What an operation is to do.

use crate::ports::{Action, Cloud, CloudError, InstanceRequest, StackSetUpdate};

/// What an operation is to do. Its id is filled in when it starts.
#[derive(Clone, Debug)]
pub(crate) enum Task {
    Update(Box<StackSetUpdate>),
    /// Brings instances to the stack set's present definition. `UpdateStackSet` would do so too, but
    /// it takes parameters, and then marks all other instances as outdated.
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
