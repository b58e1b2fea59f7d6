//! A management call that changes nothing but is recorded by CloudTrail.

use std::future::Future;

use super::{CloudError, Location};

/// Parameters of Systems Manager.
pub trait Parameters {
    /// Deletes a parameter. Succeeds if it doesn't exist, as `ssm:DeleteParameters` does: the answer
    /// then lists it as invalid.
    ///
    /// AWS: <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DeleteParameters.html>
    fn delete_parameter(
        &self,
        location: &Location,
        name: &str,
    ) -> impl Future<Output = Result<(), CloudError>> + Send;
}
