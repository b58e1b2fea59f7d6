//! Emptying S3 buckets.

use std::future::Future;

use super::{CloudError, Location};

/// The result of emptying a bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Emptied {
    /// Number of object versions and delete markers deleted.
    pub deleted: usize,
    /// Number of those that remain because their keys have another prefix.
    pub left: usize,
}

/// S3 buckets by account and Region.
pub trait Buckets {
    /// Permanently deletes every version of every object whose key starts with `prefix`.
    ///
    /// AWS: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>
    fn empty_bucket(
        &self,
        location: &Location,
        bucket: &str,
        prefix: &str,
    ) -> impl Future<Output = Result<Emptied, CloudError>> + Send;
}
