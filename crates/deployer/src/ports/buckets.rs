//! Emptying buckets.

use std::future::Future;

use super::{CloudError, Location};

/// The result of emptying a bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Emptied {
    /// Versions of objects and delete markers that were deleted.
    pub deleted: usize,
    /// Those that remain, since their keys begin with something else.
    pub left: usize,
}

/// Buckets in an account and Region.
pub trait Buckets {
    /// Deletes every version of every object whose key begins with `prefix`, for good.
    ///
    /// AWS: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>
    fn empty_bucket(
        &self,
        location: &Location,
        bucket: &str,
        prefix: &str,
    ) -> impl Future<Output = Result<Emptied, CloudError>> + Send;
}
