//! CloudTrail logs in an S3 bucket.

use std::fmt;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use aws_config::{BehaviorVersion, Region};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::error::{DisplayErrorContext, SdkError};
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::primitives::ByteStream;
use backtest::{Folder, Found, ListError, LogFile, Scope, Source, is_log, is_not_records};
use futures::stream::{FuturesUnordered, StreamExt};
use tokio::runtime::Handle;

use crate::http;

/// Attempts per call.
const ATTEMPTS: u32 = 8;
/// Concurrent list calls: a trail of hundreds of accounts has thousands of folders.
const LISTINGS: usize = 16;
/// Files downloaded concurrently. Each one mostly waits for the network.
const DOWNLOADS: usize = 16;

/// The log files under a prefix of a bucket, which may be in any account and Region.
///
/// Needs `s3:ListBucket` and `s3:GetObject`, and `kms:Decrypt` if the trail uses a KMS key. Lists
/// only folders that may be in scope, since a trail's folders are named after account, Region and
/// day.
#[derive(Clone)]
pub struct LogBucket {
    client: Client,
    bucket: String,
    prefix: String,
    runtime: Handle,
}

impl fmt::Debug for LogBucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogBucket")
            .field("bucket", &self.bucket)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

impl LogBucket {
    /// Connects with the environment's credentials. `address` is `s3://bucket` or
    /// `s3://bucket/prefix`; returns `None` for anything else.
    ///
    /// Must be called within a tokio runtime. Use the result on threads that may block.
    pub async fn connect(address: &str) -> Option<Self> {
        let path = address.strip_prefix("s3://")?;
        let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
        if bucket.is_empty() {
            return None;
        }
        let base = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .http_client(http::object_client())
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .load()
            .await;
        let region = base.region().map_or("us-east-1", Region::as_ref).to_owned();
        let client = |region: String| {
            let config = aws_sdk_s3::config::Builder::from(&base).region(Region::new(region));
            Client::from_conf(config.build())
        };
        let here = client(region.clone());
        // A bucket is only served in its own Region; even an error response names that Region.
        let there = match here.head_bucket().bucket(bucket).send().await {
            Ok(output) => output.bucket_region().map(str::to_owned),
            Err(error) => error.raw_response().and_then(|response| {
                let region = response.headers().get("x-amz-bucket-region")?;
                Some(region.to_owned())
            }),
        };
        Some(Self {
            client: client(there.unwrap_or(region)),
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
            runtime: Handle::current(),
        })
    }

    fn address(&self, key: &str) -> PathBuf {
        PathBuf::from(format!("s3://{}/{key}", self.bucket))
    }

    /// One page of a listing, either of a folder alone or of everything below it.
    async fn page(
        &self,
        listing: Listing,
    ) -> Result<(Listing, ListObjectsV2Output), Box<SdkError<ListFault>>> {
        let page = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(&listing.prefix)
            .set_delimiter((!listing.is_deep).then(|| "/".to_owned()))
            .set_continuation_token(listing.token.clone())
            .send()
            .await
            .map_err(Box::new)?;
        Ok((listing, page))
    }

    async fn walk(
        &self,
        scope: &Scope,
        each: &mut dyn FnMut(Found) -> ControlFlow<()>,
    ) -> Result<(), Box<SdkError<ListFault>>> {
        let mut waiting = vec![Listing::of(scope, self.prefix.clone())];
        let mut running = FuturesUnordered::new();
        loop {
            while running.len() < LISTINGS
                && let Some(listing) = waiting.pop()
            {
                running.push(self.page(listing));
            }
            let Some(result) = running.next().await else {
                return Ok(());
            };
            let (listing, page) = result?;
            for object in page.contents() {
                let (Some(key), size) = (object.key(), object.size().unwrap_or_default()) else {
                    continue;
                };
                let size = u64::try_from(size).unwrap_or_default();
                let found = self.judge(scope, key, size);
                if found.is_some_and(|found| each(found).is_break()) {
                    return Ok(());
                }
            }
            for folder in page.common_prefixes().iter().filter_map(|it| it.prefix()) {
                match scope.folder(folder) {
                    Folder::Open => waiting.push(Listing::of(scope, folder.to_owned())),
                    Folder::Outside => {}
                    Folder::NotRecords(kind) => {
                        if each(Found::NotRecords(kind.to_owned())).is_break() {
                            return Ok(());
                        }
                    }
                }
            }
            if let Some(token) = page.next_continuation_token() {
                waiting.push(Listing {
                    token: Some(token.to_owned()),
                    ..listing
                });
            }
        }
    }

    /// Classifies an object; `None` if it is out of scope.
    fn judge(&self, scope: &Scope, key: &str, size: u64) -> Option<Found> {
        let (folder, name) = key.rsplit_once('/').unwrap_or(("", key));
        let path = self.address(key);
        match scope.folder(folder) {
            Folder::Outside => return None,
            Folder::NotRecords(kind) => return Some(Found::NotRecords(kind.to_owned())),
            Folder::Open => {}
        }
        // The S3 console creates empty objects for folders.
        if name.is_empty() && size == 0 {
            return None;
        }
        Some(match is_not_records(name) {
            Some(kind) => Found::NotRecords(kind.to_owned()),
            // A prefix that equals a key selects that object, whatever its extension.
            None if is_log(name) || key == self.prefix => Found::File(LogFile { path, size }),
            None => Found::Skipped {
                path,
                reason: "is not named like a log (.json, .jsonl, .gz)".to_owned(),
            },
        })
    }
}

type ListFault = aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Error;

/// A listing that is still to be done.
#[derive(Debug)]
struct Listing {
    prefix: String,
    /// Whether to list everything below the prefix instead of one folder at a time. That takes
    /// fewer calls, but can't skip folders.
    is_deep: bool,
    token: Option<String>,
}

impl Listing {
    fn of(scope: &Scope, prefix: String) -> Self {
        Self {
            // Below a Region's folder, only days can be skipped.
            is_deep: prefix.contains("/CloudTrail/")
                && !prefix.ends_with("/CloudTrail/")
                && !scope.has_days(),
            prefix,
            token: None,
        }
    }
}

impl Source for LogBucket {
    fn list(
        &self,
        scope: &Scope,
        each: &mut dyn FnMut(Found) -> ControlFlow<()>,
    ) -> Result<(), ListError> {
        self.runtime
            .block_on(self.walk(scope, each))
            .map_err(|error| ListError {
                place: self.address(&self.prefix).display().to_string(),
                source: DisplayErrorContext(&*error).to_string().into(),
            })
    }

    fn open(&self, file: &LogFile) -> io::Result<Box<dyn Read + Send>> {
        let key = key(&file.path, &self.bucket)
            .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let request = self.client.get_object().bucket(&self.bucket).key(key);
        let object = self
            .runtime
            .block_on(request.send())
            .map_err(|error| io::Error::other(DisplayErrorContext(error).to_string()))?;
        Ok(Box::new(Download {
            stream: object.body,
            chunk: io::Cursor::default(),
            runtime: self.runtime.clone(),
        }))
    }

    fn parallel(&self) -> Option<usize> {
        Some(DOWNLOADS)
    }
}

fn key<'a>(path: &'a Path, bucket: &str) -> Option<&'a str> {
    path.to_str()?
        .strip_prefix("s3://")?
        .strip_prefix(bucket)?
        .strip_prefix('/')
}

/// An object's content as it arrives, readable on a thread that may block.
struct Download {
    stream: ByteStream,
    chunk: io::Cursor<Vec<u8>>,
    runtime: Handle,
}

impl Read for Download {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let length = self.chunk.read(buffer)?;
            if length > 0 || buffer.is_empty() {
                return Ok(length);
            }
            match self.runtime.block_on(self.stream.next()) {
                Some(Ok(bytes)) => self.chunk = io::Cursor::new(bytes.into()),
                Some(Err(error)) => return Err(io::Error::other(error)),
                None => return Ok(0),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_a_region_everything_is_listed_at_once_unless_days_are_selected() {
        let everything = Scope::default();
        let november = Scope {
            from: "2026-11-01".parse().ok(),
            ..Scope::default()
        };
        let trail = "logs/AWSLogs/o-exampleorg1/012345678901/CloudTrail/";
        let deep =
            |scope: &Scope, below: &str| Listing::of(scope, format!("{trail}{below}")).is_deep;
        assert!(!deep(&everything, ""));
        assert!(deep(&everything, "us-east-1/"));
        assert!(!deep(&november, "us-east-1/"));
        assert!(!Listing::of(&everything, "AWSLogs/".to_owned()).is_deep);
    }

    #[test]
    fn an_address_is_bucket_and_key() {
        let path = Path::new("s3://example-logs/AWSLogs/a b.json.gz");
        assert_eq!(key(path, "example-logs"), Some("AWSLogs/a b.json.gz"));
        assert_eq!(key(path, "example"), None);
    }
}
