//! Request parameters shared by several actions.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::Stage;
use super::stack::Deployment;
use super::template::parameter::{self, Given};
use super::template::{BODY_LIMIT, Template};
use super::template_url;
use crate::resources::Resources;
use crate::wire::api::{ApiError, Caller};
use crate::wire::paging::bad_token;

/// Declares the parameters of an action. `of stack set` adds those that identify a stack set, `with
/// template` those that describe a deployment.
macro_rules! request {
    ($name:ident of stack set $(with $template:ident)? { $($fields:tt)* }) => {
        $crate::request::request! { $name $(with $template)? {
            stack_set_name: String,
            #[serde(default)]
            call_as: $crate::request::CallAs,
            $($fields)*
        } }
    };
    ($name:ident with template { $($fields:tt)* }) => {
        $crate::request::request! { $name {
            $($fields)*
            template_body: Option<String>,
            #[serde(rename = "TemplateURL")]
            template_url: Option<String>,
            #[serde(default)]
            use_previous_template: bool,
            parameters: Option<Vec<$crate::request::ParameterGiven>>,
            tags: Option<Vec<$crate::request::Tag>>,
            #[serde(default)]
            capabilities: Vec<String>,
        } }

        impl $name {
            fn source(&self) -> $crate::request::Source<'_> {
                $crate::request::Source {
                    body: self.template_body.as_deref(),
                    url: self.template_url.as_deref(),
                    reuse: self.use_previous_template,
                    parameters: self.parameters.as_deref().unwrap_or_default(),
                    tags: self.tags.as_deref(),
                    capabilities: &self.capabilities,
                }
            }
        }
    };
    ($name:ident { $($(#[$attribute:meta])* $field:ident: $type:ty),* $(,)? }) => {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields, rename_all = "PascalCase")]
        struct $name {
            $($(#[$attribute])* $field: $type,)*
        }
    };
}
pub(crate) use request;

/// Default and maximum page size of listings.
const PAGE: usize = 100;

/// The page size for `MaxResults`.
pub(crate) fn page_size(most: Option<usize>) -> Result<usize, ApiError> {
    match most.unwrap_or(PAGE) {
        size @ 1..=PAGE => Ok(size),
        _ => Err(ApiError::validation("MaxResults must be between 1 and 100")),
    }
}

/// One page of a listing.
pub(crate) fn listing(
    name: &str,
    items: Vec<Value>,
    token: Option<&str>,
    most: Option<usize>,
) -> Result<Value, ApiError> {
    crate::wire::listing(name, items, token, page_size(most)?)
        .map_err(|_| bad_token("cloudformation", token.unwrap_or_default()))
}

/// `CallAs`: the management account itself or a delegated administrator.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum CallAs {
    #[default]
    #[serde(rename = "SELF")]
    Itself,
    DelegatedAdmin,
}

/// An entry of `Parameters`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(crate) struct ParameterGiven {
    parameter_key: String,
    parameter_value: Option<String>,
    #[serde(default)]
    use_previous_value: bool,
}

/// An entry of `Tags`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(crate) struct Tag {
    key: String,
    value: Option<String>,
}

/// An entry of a listing's `Filters`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(crate) struct Filter<T> {
    pub(crate) name: T,
    pub(crate) values: Option<String>,
}

/// The request parameters that describe a deployment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) body: Option<&'a str>,
    pub(crate) url: Option<&'a str>,
    /// `UsePreviousTemplate`.
    pub(crate) reuse: bool,
    pub(crate) parameters: &'a [ParameterGiven],
    pub(crate) tags: Option<&'a [Tag]>,
    pub(crate) capabilities: &'a [String],
}

/// Reads and checks a request's template; `None` if it has none.
pub(crate) fn template(
    stage: &mut Stage<'_>,
    caller: &Caller,
    body: Option<&str>,
    url: Option<&str>,
) -> Result<Option<Arc<Template>>, ApiError> {
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
        (None, Some(url)) => template_url::fetch(stage, caller, url)?,
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

/// The error for a request without a template.
pub(crate) fn no_template() -> ApiError {
    ApiError::validation("Either Template URL or Template Body must be specified.")
}

/// The complete deployment of a request, with values from `previous` where it asks for them.
pub(crate) fn deployment(
    stage: &mut Stage<'_>,
    caller: &Caller,
    source: Source<'_>,
    previous: Option<&Deployment>,
) -> Result<Arc<Deployment>, ApiError> {
    let sent = template(stage, caller, source.body, source.url)?;
    let template = match (sent, previous) {
        (Some(_), _) if source.reuse => {
            return Err(ApiError::validation(
                "You cannot specify both usePreviousTemplate and Template Body/Template URL.",
            ));
        }
        (Some(template), _) => template,
        (None, Some(previous)) if source.reuse => Arc::clone(&previous.template),
        _ => return Err(no_template()),
    };
    let given = parameters(source.parameters)?;
    let before = previous.map(|previous| &previous.parameters);
    let parameters = parameter::values(&template, &given, before).map_err(ApiError::validation)?;
    let capabilities = source.capabilities.to_vec();
    capable(&template, &capabilities)?;
    let tags = match (source.tags, previous) {
        (None, Some(previous)) => previous.tags.clone(),
        (given, _) => tags(given.unwrap_or_default())?,
    };
    Ok(Arc::new(Deployment {
        template,
        parameters,
        tags,
        capabilities,
    }))
}

/// A request's parameters by name.
pub(crate) fn parameters(items: &[ParameterGiven]) -> Result<BTreeMap<String, Given>, ApiError> {
    let mut given = BTreeMap::new();
    for item in items {
        let key = &item.parameter_key;
        let value = match (&item.parameter_value, item.use_previous_value) {
            (Some(_), true) => {
                return Err(ApiError::validation(format!(
                    "Invalid input for parameter key {key}. Cannot specify usePreviousValue as true and non empty value for a parameter"
                )));
            }
            (None, true) => Given::Previous,
            (value, false) => Given::Value(value.clone().unwrap_or_default()),
        };
        if given.insert(key.clone(), value).is_some() {
            return Err(ApiError::validation(format!(
                "Duplicate parameter key {key}"
            )));
        }
    }
    Ok(given)
}

fn tags(given: &[Tag]) -> Result<BTreeMap<String, String>, ApiError> {
    if given.len() > 50 {
        return Err(ApiError::validation("Tags must contain at most 50 entries"));
    }
    if let Some(tag) = given.iter().find(|tag| tag.key.starts_with("aws:")) {
        return Err(ApiError::validation(format!(
            "aws: prefixed tag key names are not allowed for external use. ({})",
            tag.key
        )));
    }
    let pair = |tag: &Tag| (tag.key.clone(), tag.value.clone().unwrap_or_default());
    Ok(given.iter().map(pair).collect())
}

/// Checks that the request has the capabilities that the template requires.
fn capable(template: &Template, given: &[String]) -> Result<(), ApiError> {
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

/// The template's description and required capabilities, for `ValidateTemplate` and
/// `GetTemplateSummary`.
pub(crate) fn declared(template: &Template) -> Vec<(String, Value)> {
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
