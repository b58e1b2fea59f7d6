//! Turns rendered templates into the deployed text, and splits those that are too large.

use serde_json::Value;
use syntax::Diagnostic;

use crate::{Part, Templates, limits, structure};

/// A template that passed all structure and size checks.
#[derive(Debug)]
pub(crate) struct Rendered {
    pub(crate) template: Value,
    pub(crate) text: String,
}

/// Renders a part and checks the result. `None` if it exceeds `most` bytes or the limit of
/// resources.
pub(crate) fn render(
    templates: &Templates,
    part: Part,
    context: minijinja::Value,
    most: usize,
) -> Result<Option<Rendered>, Vec<Diagnostic>> {
    let template = templates
        .render(part, context)
        .map_err(|diagnostic| vec![*diagnostic])?;
    let problems = structure::problems(&template);
    if !problems.is_empty() {
        let diagnostic = |problem: String| {
            let diagnostic = Diagnostic::error(
                "template::structure",
                format!(
                    "the template of `{}` is not deployable: {problem}",
                    part.name()
                ),
            );
            match templates.location(part) {
                Some(location) => diagnostic.at(location),
                None => diagnostic,
            }
        };
        return Err(problems.into_iter().map(diagnostic).collect());
    }
    let resources = template.get("Resources").and_then(Value::as_object);
    if resources.is_some_and(|resources| resources.len() > limits::RESOURCES) {
        return Ok(None);
    }
    Ok(text(&template, most).map(|text| Rendered { template, text }))
}

/// Pretty-printed if that fits into a request, otherwise minified; `None` if even that is too
/// large.
fn text(template: &Value, most: usize) -> Option<String> {
    let pretty = serde_json::to_string_pretty(template)
        .ok()
        .map(|text| text + "\n");
    let compact = || serde_json::to_string(template).ok();
    let fits = |most: usize| move |text: &String| text.len() <= most;
    pretty
        .filter(fits(limits::TEMPLATE))
        .or_else(|| compact().filter(fits(most)))
}

/// Distributes items over as few templates as possible, in order. An item that doesn't fit into a
/// template of its own is passed to `too_large`.
pub(crate) fn shards<T>(
    items: &[T],
    mut render: impl FnMut(&[T]) -> Result<Option<Rendered>, Vec<Diagnostic>>,
    too_large: impl Fn(&T) -> Diagnostic,
) -> Result<Vec<(&[T], Rendered)>, Vec<Diagnostic>> {
    let mut shards = Vec::new();
    let mut rest = items;
    // Usually everything fits, so try that first. After that, the next shard is likely as large as
    // the previous one, which avoids rendering much larger templates.
    let mut likely = items.len();
    while let Some(first) = rest.first() {
        let mut best = None;
        let (mut fits, mut fails) = (0, rest.len() + 1);
        while fits + 1 < fails {
            let count = if fits == 0 && fails > rest.len() {
                likely.min(rest.len())
            } else if fails > rest.len() {
                (2 * fits).min(rest.len())
            } else {
                fits.midpoint(fails)
            };
            match render(rest.get(..count).unwrap_or(rest))? {
                Some(rendered) => {
                    best = Some((count, rendered));
                    fits = count;
                }
                None => fails = count,
            }
        }
        let Some((count, rendered)) = best else {
            return Err(vec![too_large(first)]);
        };
        likely = count;
        let (shard, remaining) = rest.split_at(count);
        shards.push((shard, rendered));
        rest = remaining;
    }
    Ok(shards)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fake(limit: usize) -> impl FnMut(&[usize]) -> Result<Option<Rendered>, Vec<Diagnostic>> {
        move |items| {
            let sum: usize = items.iter().sum();
            Ok((sum <= limit).then(|| Rendered {
                template: json!(items),
                text: String::new(),
            }))
        }
    }

    fn sizes(items: &[usize], limit: usize) -> Vec<Vec<usize>> {
        let too_large = |_: &usize| Diagnostic::error("x", "x");
        let shards = shards(items, fake(limit), too_large).unwrap();
        shards
            .into_iter()
            .map(|(items, _)| items.to_vec())
            .collect()
    }

    #[test]
    fn one_shard_if_all_fits() {
        assert_eq!(sizes(&[3, 3, 3], 9), [vec![3, 3, 3]]);
        assert_eq!(sizes(&[], 9), Vec::<Vec<usize>>::new());
    }

    #[test]
    fn fills_each_shard_in_order() {
        assert_eq!(sizes(&[3, 3, 3, 3, 1], 7), [vec![3, 3], vec![3, 3, 1]]);
        assert_eq!(sizes(&[7, 1, 7], 7), [vec![7], vec![1], vec![7]]);
    }

    #[test]
    fn names_the_item_that_is_too_large() {
        let too_large = |size: &usize| Diagnostic::error("x", size.to_string());
        let diagnostics = shards(&[1, 8, 1], fake(7), too_large).unwrap_err();
        assert_eq!(diagnostics[0].message, "8");
    }

    #[test]
    fn minifies_templates_that_do_not_fit_pretty_printed() {
        let small = json!({"a": [1, 2]});
        assert_eq!(
            text(&small, limits::TEMPLATE).unwrap(),
            "{\n  \"a\": [\n    1,\n    2\n  ]\n}\n"
        );
        let large = json!({"a": vec![1; 20_000]});
        assert_eq!(text(&large, limits::TEMPLATE).unwrap().len(), 40_007);
        let larger = json!({"a": vec![1; 30_000]});
        assert_eq!(text(&larger, limits::TEMPLATE), None);
        let by_bucket = text(&larger, limits::TEMPLATE_IN_BUCKET);
        assert_eq!(by_bucket.unwrap().len(), 60_007);
    }
}
