//! What the requests that bring a template have in common.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::stack::Deployment;
use super::template::parameter::{self, Given};
use super::template::{BODY_LIMIT, Template, URL_LIMIT};
use crate::cloudformation::Stage;
use crate::input::Input;
use crate::resources::Resources;
use crate::wire::api::{ApiError, Caller};

/// The parameters [`deployment`] reads.
pub(crate) const FIELDS: &[&str] = &[
    "TemplateBody",
    "TemplateURL",
    "UsePreviousTemplate",
    "Parameters",
    "Tags",
    "Capabilities",
];

/// [`FIELDS`] and what else an action knows.
pub(crate) fn fields(more: &[&'static str]) -> Vec<&'static str> {
    FIELDS.iter().chain(more).copied().collect()
}

/// The template of a request, checked; `None` if it sends none.
pub(crate) fn template(
    stage: &mut Stage<'_>,
    caller: &Caller,
    input: Input<'_>,
) -> Result<Option<Arc<Template>>, ApiError> {
    let (body, url) = (input.text("TemplateBody"), input.text("TemplateURL"));
    let text = match (body, url) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => {
            return Err(ApiError::validation(
                "Only one of TemplateBody or TemplateURL can be passed.",
            ));
        }
        (Some(body), None) if body.len() > BODY_LIMIT => {
            return Err(ApiError::validation(format!(
                "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: Member must have length less than or equal to {BODY_LIMIT}"
            )));
        }
        (Some(body), None) => body.to_owned(),
        (None, Some(url)) => fetch(stage, caller, url)?,
    };
    let template = Template::parse(&text).map_err(ApiError::validation)?;
    let unknown: Vec<&str> = template
        .types()
        .into_iter()
        .filter(|kind| !stage.services.is_known(kind))
        .collect();
    if !unknown.is_empty() {
        return Err(ApiError::validation(format!(
            "Template format error: Unrecognized resource types: [{}]",
            unknown.join(", ")
        )));
    }
    Ok(Some(Arc::new(template)))
}

/// Reads a template from the simulated S3 with the caller's own permissions.
fn fetch(stage: &mut Stage<'_>, caller: &Caller, url: &str) -> Result<String, ApiError> {
    let Some(address) = Address::of(url) else {
        return Err(ApiError::validation("TemplateURL must be a supported URL."));
    };
    let broken = |why: &str| {
        ApiError::validation(format!(
            "S3 error: {why}\nFor more information check http://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html"
        ))
    };
    // The documents want the bucket in the stack's own Region, and S3 serves a bucket at the
    // endpoint of its Region alone.
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
    let place = (address.bucket.as_str(), address.key.as_str());
    let body = crate::services::s3::read(stage.services, caller, place, address.version.as_deref())
        .map_err(|error| broken(&error.message))?;
    if body.len() > URL_LIMIT {
        return Err(ApiError::validation(format!(
            "Template may not exceed {URL_LIMIT} bytes in size."
        )));
    }
    String::from_utf8(body)
        .map_err(|_| ApiError::validation("Template format error: the template is not UTF-8."))
}

/// What a `TemplateURL` names.
#[derive(Debug, PartialEq, Eq)]
struct Address {
    bucket: String,
    key: String,
    /// `None` at the global endpoint.
    region: Option<String>,
    version: Option<String>,
}

impl Address {
    /// Bucket in the path or in the host name, `s3.REGION` or the older `s3-REGION`.
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

/// The whole deployment a request describes, falling back to `previous` where it says so.
pub(crate) fn deployment(
    stage: &mut Stage<'_>,
    caller: &Caller,
    input: Input<'_>,
    previous: Option<&Deployment>,
) -> Result<Arc<Deployment>, ApiError> {
    let reuse = input.boolean("UsePreviousTemplate")? == Some(true);
    let template = match (template(stage, caller, input)?, previous) {
        (Some(_), _) if reuse => {
            return Err(ApiError::validation(
                "You cannot specify both usePreviousTemplate and Template Body/Template URL.",
            ));
        }
        (Some(template), _) => template,
        (None, Some(previous)) if reuse => Arc::clone(&previous.template),
        _ => {
            return Err(ApiError::validation(
                "Either Template URL or Template Body must be specified.",
            ));
        }
    };
    let given = parameters(input, "Parameters")?;
    let values = parameter::values(
        &template,
        &given,
        previous.map(|previous| &previous.parameters),
    )
    .map_err(ApiError::validation)?;
    let capabilities = input.texts("Capabilities")?;
    capable(&template, &capabilities)?;
    let tags = match (input.has("Tags"), previous) {
        (false, Some(previous)) => previous.tags.clone(),
        _ => tags(input)?,
    };
    Ok(Arc::new(Deployment {
        template,
        parameters: values,
        tags,
        capabilities,
    }))
}

/// The parameters a request gives.
pub(crate) fn parameters(
    input: Input<'_>,
    name: &str,
) -> Result<BTreeMap<String, Given>, ApiError> {
    let mut given = BTreeMap::new();
    for item in input.list(name)? {
        let item = Input::new(
            item,
            &["ParameterKey", "ParameterValue", "UsePreviousValue"],
        )?;
        let key = item.required("ParameterKey")?;
        let value = match (
            item.text("ParameterValue"),
            item.boolean("UsePreviousValue")?,
        ) {
            (Some(_), Some(true)) => {
                return Err(ApiError::validation(format!(
                    "Invalid input for parameter key {key}. Cannot specify usePreviousValue as true and non empty value for a parameter"
                )));
            }
            (None, Some(true)) => Given::Previous,
            (value, _) => Given::Value(value.unwrap_or_default().to_owned()),
        };
        if given.insert(key.to_owned(), value).is_some() {
            return Err(ApiError::validation(format!(
                "Duplicate parameter key {key}"
            )));
        }
    }
    Ok(given)
}

/// The tags a request gives.
pub(crate) fn tags(input: Input<'_>) -> Result<BTreeMap<String, String>, ApiError> {
    let pairs = input.pairs("Tags", "Key", "Value")?;
    if pairs.len() > 50 {
        return Err(ApiError::validation("Tags must contain at most 50 entries"));
    }
    if let Some((key, _)) = pairs.iter().find(|(key, _)| key.starts_with("aws:")) {
        return Err(ApiError::validation(format!(
            "aws: prefixed tag key names are not allowed for external use. ({key})"
        )));
    }
    Ok(pairs.into_iter().collect())
}

/// Checks that the request acknowledges what the template may do.
pub(crate) fn capable(template: &Template, given: &[String]) -> Result<(), ApiError> {
    const KNOWN: &[&str] = &[
        "CAPABILITY_IAM",
        "CAPABILITY_NAMED_IAM",
        "CAPABILITY_AUTO_EXPAND",
    ];
    if let Some(other) = given
        .iter()
        .find(|capability| !KNOWN.contains(&capability.as_str()))
    {
        return Err(ApiError::validation(format!(
            "1 validation error detected: Value '[{other}]' at 'capabilities' failed to satisfy constraint: Member must satisfy enum value set: [{}]",
            KNOWN.join(", ")
        )));
    }
    let Some((needed, _)) = template.capability() else {
        return Ok(());
    };
    let enough = given
        .iter()
        .any(|capability| capability == "CAPABILITY_NAMED_IAM" || capability == needed);
    if enough {
        return Ok(());
    }
    Err(ApiError::new(
        "InsufficientCapabilitiesException",
        format!("Requires capabilities : [{needed}]"),
    ))
}

/// What the template says about itself, for `ValidateTemplate` and `GetTemplateSummary`.
pub(crate) fn declared(template: &Template) -> Vec<(String, Value)> {
    use serde_json::json;
    let capability = template.capability();
    let mut fields = vec![("Description".to_owned(), json!(template.description()))];
    if let Some((capability, reasons)) = capability {
        fields.push(("Capabilities".to_owned(), json!([capability])));
        fields.push((
            "CapabilitiesReason".to_owned(),
            json!(format!(
                "The following resource(s) require capabilities: [{}]",
                reasons.join(", ")
            )),
        ));
    }
    fields
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
