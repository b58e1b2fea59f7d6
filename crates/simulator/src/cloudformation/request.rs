//! What the requests that bring a template have in common.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::stack::Deployment;
use super::template::parameter::{self, Given};
use super::template::{BODY_LIMIT, Template, URL_LIMIT};
use crate::api::{ApiError, Caller, RawRequest};
use crate::input::Input;
use crate::world::World;

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
    world: &mut World,
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
        (None, Some(url)) => fetch(world, caller, url)?,
    };
    let template = Template::parse(&text).map_err(ApiError::validation)?;
    let unknown: Vec<&str> = template
        .types()
        .into_iter()
        .filter(|kind| !crate::resources::is_known(kind))
        .collect();
    if !unknown.is_empty() {
        return Err(ApiError::validation(format!(
            "Template format error: Unrecognized resource types: [{}]",
            unknown.join(", ")
        )));
    }
    Ok(Some(Arc::new(template)))
}

/// Reads a template from the simulated S3, path-style or virtual-hosted.
fn fetch(world: &mut World, caller: &Caller, url: &str) -> Result<String, ApiError> {
    let broken = |why: &str| ApiError::validation(format!("S3 error: {why} ({url})"));
    let (_, rest) = url
        .split_once("://")
        .ok_or_else(|| broken("The specified url must be an Amazon S3 URL."))?;
    let (host, path) = rest
        .split_once('/')
        .ok_or_else(|| broken("The URL names no object."))?;
    let path = match host.split_once(".s3") {
        Some((bucket, _)) if !bucket.is_empty() => format!("/{bucket}/{path}"),
        _ => format!("/{path}"),
    };
    let request = RawRequest {
        method: "GET".to_owned(),
        path,
        query: Vec::new(),
        headers: BTreeMap::new(),
        body: Vec::new(),
    };
    let answer = crate::services::s3::rest(world, caller, &request);
    match answer.status {
        200 if answer.body.len() > URL_LIMIT => Err(ApiError::validation(format!(
            "Template may not exceed {URL_LIMIT} bytes in size."
        ))),
        200 => String::from_utf8(answer.body).map_err(|_| broken("The template is not UTF-8.")),
        403 => Err(broken("Access Denied")),
        _ => Err(broken("The specified key does not exist.")),
    }
}

/// The whole deployment a request describes, falling back to `previous` where it says so.
pub(crate) fn deployment(
    world: &mut World,
    caller: &Caller,
    input: Input<'_>,
    previous: Option<&Deployment>,
) -> Result<Arc<Deployment>, ApiError> {
    let reuse = input.boolean("UsePreviousTemplate")? == Some(true);
    let template = match (template(world, caller, input)?, previous) {
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
