//! Reads templates from S3 by `TemplateURL`.

use super::Stage;
use super::template::URL_LIMIT;
use crate::wire::api::{ApiError, Caller};

/// Reads a template from simulated S3 with the caller's permissions.
pub(crate) fn fetch(stage: &mut Stage<'_>, caller: &Caller, url: &str) -> Result<String, ApiError> {
    let Some(address) = Address::of(url) else {
        return Err(ApiError::validation("TemplateURL must be a supported URL."));
    };
    let broken = |why: &str| {
        ApiError::validation(format!(
            "S3 error: {why}\nFor more information check http://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html"
        ))
    };
    // The documentation requires a bucket in the stack's own Region, and S3 serves a bucket only
    // at the endpoint of its Region.
    let bucket = stage.services.s3.buckets.get(&address.bucket);
    if bucket.is_some_and(|bucket| {
        bucket.region != caller.region
            || address
                .region
                .as_ref()
                .is_some_and(|region| *region != bucket.region)
    }) {
        return Err(broken(
            "The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint.",
        ));
    }
    let object = (address.bucket.as_str(), address.key.as_str());
    let body =
        crate::services::s3::read(stage.services, caller, object, address.version.as_deref())
            .map_err(|error| broken(&error.message))?;
    if body.len() > URL_LIMIT {
        return Err(ApiError::validation(format!(
            "Template may not exceed {URL_LIMIT} bytes in size."
        )));
    }
    String::from_utf8(body)
        .map_err(|_| ApiError::validation("Template format error: the template is not UTF-8."))
}

/// A parsed `TemplateURL`.
#[derive(Debug, PartialEq, Eq)]
struct Address {
    bucket: String,
    key: String,
    /// `None` for the global endpoint.
    region: Option<String>,
    version: Option<String>,
}

impl Address {
    /// Parses path-style and virtual-hosted URLs, with `s3.REGION` or the older `s3-REGION`.
    fn of(url: &str) -> Option<Address> {
        let (host, rest) = url.strip_prefix("https://")?.split_once('/')?;
        let host = host.strip_suffix(".amazonaws.com")?;
        let (before, after) = match host.find("s3") {
            Some(0) => ("", host.get(2..)?),
            _ => host.rsplit_once(".s3")?,
        };
        let region = match after {
            "" => None,
            _ => Some(after.strip_prefix(['.', '-'])?.to_owned()),
        };
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (bucket, key) = match before {
            "" => path.split_once('/')?,
            bucket => (bucket, path),
        };
        let version = form_urlencoded::parse(query.as_bytes())
            .find(|(name, _)| name == "versionId")
            .map(|(_, id)| id.into_owned());
        let usable = !bucket.is_empty() && !key.is_empty();
        usable.then(|| Address {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            region,
            version,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Address;

    #[test]
    fn buckets_are_addressed_in_the_path_or_in_the_host() {
        let address =
            |url: &str| Address::of(url).map(|it| (it.bucket, it.key, it.region, it.version));
        let found = |region: Option<&str>, version: Option<&str>| {
            let owned = |text: Option<&str>| text.map(str::to_owned);
            Some((
                "b".to_owned(),
                "k/t.json".to_owned(),
                owned(region),
                owned(version),
            ))
        };
        let home = Some("eu-central-1");
        for (url, expected) in [
            (
                "https://b.s3.eu-central-1.amazonaws.com/k/t.json",
                found(home, None),
            ),
            (
                "https://b.s3-eu-central-1.amazonaws.com/k/t.json",
                found(home, None),
            ),
            (
                "https://s3.eu-central-1.amazonaws.com/b/k/t.json",
                found(home, None),
            ),
            (
                "https://s3.amazonaws.com/b/k/t.json?versionId=v%2B1",
                found(None, Some("v+1")),
            ),
            ("https://b.s3.amazonaws.com/k/t.json", found(None, None)),
            ("http://b.s3.amazonaws.com/k/t.json", None),
            ("https://example.com/k/t.json", None),
            ("https://s3.amazonaws.com/b", None),
        ] {
            assert_eq!(address(url), expected, "{url}");
        }
    }
}
