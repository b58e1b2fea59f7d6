//! Passes templates that are too large for a request through an S3 bucket.

use aws_config::{Region, SdkConfig};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use deployer::ports::{Buckets, CloudError, Emptied, Location};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};

use crate::connect::Aws;
use crate::error::cloud_error;

/// Maximum size in bytes of a template within a request.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>
const INLINE: usize = 51_200;

/// All but the characters that a URL never needs to encode (RFC 3986).
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The bucket for templates that are too large for a request. It must be in the home Region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtifactBucket {
    /// Bucket name, without `s3://`.
    pub name: String,
    /// Id of the account that must own the bucket. Bucket names can be guessed, and a bucket owned
    /// by another account could control what gets deployed.
    pub owner: String,
    /// Prefix of all keys, such as `templates/`.
    pub prefix: String,
}

/// A template as a request carries it: exactly one of the two fields is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PreparedTemplate {
    pub(crate) body: Option<String>,
    pub(crate) url: Option<String>,
}

impl Aws {
    /// Prepares a template for a call with this configuration: inline if it is small enough,
    /// otherwise uploaded to the artifact bucket and referenced by URL.
    pub(crate) async fn prepare_template(
        &self,
        config: &SdkConfig,
        template: &str,
    ) -> Result<PreparedTemplate, CloudError> {
        if template.len() <= INLINE {
            return Ok(PreparedTemplate {
                body: Some(template.to_owned()),
                url: None,
            });
        }
        let too_large = |why: &str| CloudError::Invalid {
            message: format!(
                "a template of {} bytes is too large for a request, whose limit is {INLINE}: {why}",
                template.len()
            ),
        };
        let Some(bucket) = self.artifacts() else {
            return Err(too_large(
                "name an artifact bucket, `artifacts` in the organization file",
            ));
        };
        let home = self.base().region().map_or("", Region::as_ref);
        if config.region().map(Region::as_ref) != Some(home) {
            return Err(too_large(
                "CloudFormation reads it only from a bucket in its own Region",
            ));
        }
        let key = format!("{}{}.json", bucket.prefix, sha256(template));
        let client = aws_sdk_s3::Client::new(config);
        let version = self
            .call("s3:PutObject", || async {
                client
                    .put_object()
                    .bucket(&bucket.name)
                    .key(&key)
                    .expected_bucket_owner(&bucket.owner)
                    .content_type("application/json")
                    .body(ByteStream::from(template.as_bytes().to_vec()))
                    .send()
                    .await
                    .map_err(|e| cloud_error("s3:PutObject", &e))
            })
            .await?
            .version_id;
        Ok(PreparedTemplate {
            body: None,
            url: Some(address(bucket, home, &key, version.as_deref())),
        })
    }

    /// One page of a bucket's object versions, and the marker of the next page.
    async fn versions(
        &self,
        client: &aws_sdk_s3::Client,
        bucket: &str,
        after: Option<&(String, String)>,
    ) -> Result<(Vec<ObjectIdentifier>, Option<(String, String)>), CloudError> {
        let page = self
            .call("s3:ListBucketVersions", || async {
                client
                    .list_object_versions()
                    .bucket(bucket)
                    .set_key_marker(after.map(|(key, _)| key.clone()))
                    .set_version_id_marker(after.map(|(_, version)| version.clone()))
                    .send()
                    .await
                    .map_err(|e| cloud_error("s3:ListBucketVersions", &e))
            })
            .await?;
        let versions = page.versions().iter().map(|it| (it.key(), it.version_id()));
        let markers = page.delete_markers().iter();
        let mut found = Vec::new();
        for (key, version) in versions.chain(markers.map(|it| (it.key(), it.version_id()))) {
            let identifier = ObjectIdentifier::builder()
                .key(key.unwrap_or_default())
                .set_version_id(version.map(str::to_owned));
            found.extend(identifier.build());
        }
        let next = page
            .next_key_marker
            .zip(page.next_version_id_marker)
            .filter(|_| page.is_truncated == Some(true));
        Ok((found, next))
    }

    async fn delete_versions(
        &self,
        client: &aws_sdk_s3::Client,
        bucket: &str,
        versions: Vec<ObjectIdentifier>,
    ) -> Result<(), CloudError> {
        const ACTION: &str = "s3:DeleteObjectVersion";
        let list = Delete::builder().set_objects(Some(versions)).quiet(true);
        let list = list.build().map_err(|error| CloudError::Invalid {
            message: format!("{ACTION}: {error}"),
        })?;
        let answer = self
            .call(ACTION, || async {
                client
                    .delete_objects()
                    .bucket(bucket)
                    .delete(list.clone())
                    .send()
                    .await
                    .map_err(|e| cloud_error(ACTION, &e))
            })
            .await?;
        // The call succeeds even if individual objects could not be deleted.
        let Some(refused) = answer.errors().first() else {
            return Ok(());
        };
        let message = refused.message().unwrap_or("no reason given").to_owned();
        Err(match refused.code() {
            Some("AccessDenied") => CloudError::AccessDenied {
                action: ACTION.to_owned(),
                message,
            },
            code => CloudError::Unexpected {
                code: code.unwrap_or("Unknown").to_owned(),
                message: format!("{ACTION}: {message}"),
                request_id: None,
            },
        })
    }
}

impl Buckets for Aws {
    async fn empty_bucket(
        &self,
        location: &Location,
        bucket: &str,
        prefix: &str,
    ) -> Result<Emptied, CloudError> {
        let client = aws_sdk_s3::Client::new(&self.at(location).await?);
        let mut emptied = Emptied::default();
        let mut after = None;
        loop {
            // Deleting this page doesn't shift the next one, which starts after a key.
            let (page, next) = self.versions(&client, bucket, after.as_ref()).await?;
            let (matching, others): (Vec<_>, Vec<_>) = page
                .into_iter()
                .partition(|it| it.key().starts_with(prefix));
            emptied.left += others.len();
            if !matching.is_empty() {
                emptied.deleted += matching.len();
                self.delete_versions(&client, bucket, matching).await?;
            }
            match next {
                Some(next) if after.as_ref() != Some(&next) => after = Some(next),
                _ => return Ok(emptied),
            }
        }
    }
}

/// The URL of exactly this object version, so that nobody can replace the template in between.
fn address(bucket: &ArtifactBucket, region: &str, key: &str, version: Option<&str>) -> String {
    let suffix = Location::new(&bucket.owner, region).url_suffix();
    let mut url = format!("https://{}.s3.{region}.{suffix}/{key}", bucket.name);
    if let Some(version) = version {
        url.push_str("?versionId=");
        url.extend(utf8_percent_encode(version, UNRESERVED));
    }
    url
}

fn sha256(text: &str) -> String {
    deployer::hex(&Sha256::digest(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::{ArtifactBucket, address, sha256};

    #[test]
    fn a_template_is_addressed_by_its_content_and_version() {
        let bucket = ArtifactBucket {
            name: "example-templates".into(),
            owner: "111122223333".into(),
            prefix: "templates/".into(),
        };
        let key = format!("{}{}.json", bucket.prefix, sha256(""));
        assert_eq!(
            address(&bucket, "eu-central-1", &key, Some("a.b/c")),
            "https://example-templates.s3.eu-central-1.amazonaws.com/templates/\
             e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855.json?versionId=a.b%2Fc"
        );
        let unversioned = address(&bucket, "us-gov-west-1", "k", None);
        assert_eq!(
            unversioned,
            "https://example-templates.s3.us-gov-west-1.amazonaws.com/k"
        );
    }
}
