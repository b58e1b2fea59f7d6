//! Pagination of listings.

use serde_json::{Value, json};

use super::api::ApiError;

/// The output of a listing action: the page of `items` that the token selects, and the next token
/// if there are more.
pub fn listing(
    name: &str,
    items: Vec<Value>,
    token: Option<&str>,
    size: usize,
) -> Result<Value, ApiError> {
    let (items, next) = page(items, token, size)?;
    Ok(match next {
        Some(next) => json!({name: items, "NextToken": next}),
        None => json!({name: items}),
    })
}

/// Like [`listing`], for IAM and KMS: `names` are the service's field names for the truncation flag
/// and the next marker.
pub fn marked_listing(
    name: &str,
    items: Vec<Value>,
    names: (&str, &str),
    token: Option<&str>,
    size: Option<usize>,
) -> Result<Value, ApiError> {
    let (items, next) = page(items, token, size.unwrap_or(100))?;
    let mut answer = json!({name: items, names.0: next.is_some()});
    if let (Some(next), Some(answer)) = (next, answer.as_object_mut()) {
        answer.insert(names.1.to_owned(), Value::String(next));
    }
    Ok(answer)
}

/// The error for an invalid pagination token, in the service's wording.
pub fn bad_token(service: &str, token: &str) -> ApiError {
    match service {
        "cloudformation" => ApiError::validation(format!("{token} is not a valid NextToken")),
        "organizations" => ApiError::new(
            "InvalidInputException",
            "You specified a value for NextToken that isn't valid.",
        ),
        _ => ApiError::new(
            "InvalidNextTokenException",
            "The pagination token is invalid.",
        ),
    }
}

/// The first `size` of `items`, and the key of the last one if there are more, after which the next
/// page begins. Reads only one page of a long list, and entries added or removed elsewhere between
/// two pages don't shift it.
pub fn page_of<T>(
    mut items: impl Iterator<Item = T>,
    size: usize,
    key: impl Fn(&T) -> String,
) -> (Vec<T>, Option<String>) {
    let page: Vec<T> = items.by_ref().take(size.max(1)).collect();
    let next = page.last().map(key).filter(|_| items.next().is_some());
    (page, next)
}

/// One page of `items`, and the token of the next one: its start position. A list that shrank
/// between two pages ends without an error.
pub fn page<T>(
    items: Vec<T>,
    token: Option<&str>,
    size: usize,
) -> Result<(Vec<T>, Option<String>), ApiError> {
    let start: usize = match token {
        None | Some("") => 0,
        Some(token) => token.parse().map_err(|_| bad_token("", token))?,
    };
    let size = size.max(1);
    let end = start.saturating_add(size);
    let next = (end < items.len()).then(|| end.to_string());
    Ok((items.into_iter().skip(start).take(size).collect(), next))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_cover_everything_once() {
        let items: Vec<u32> = (0..45).collect();
        let mut seen = Vec::new();
        let mut token = None;
        loop {
            let (part, next) = page(items.clone(), token.as_deref(), 20).unwrap();
            seen.extend(part);
            token = next;
            if token.is_none() {
                break;
            }
        }
        assert_eq!(seen, items);
        assert!(page(items, Some("nonsense"), 20).is_err());
    }
}
