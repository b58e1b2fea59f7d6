//! Turns rendered templates into the deployed text, and splits those that are too large.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use syntax::Diagnostic;

use crate::{Part, Templates, limits, structure};

/// Share of a template, in percent, that new items fill. The rest is room in which a template's
/// items can grow without one of them having to move to another stack set.
const FILL: usize = 90;

/// A template that passed all structure and size checks.
#[derive(Debug)]
pub(crate) struct Rendered {
    pub(crate) template: Value,
    pub(crate) text: String,
}

/// A template that passed the structure checks, or whatever else items are distributed over, and
/// how full it is.
#[derive(Debug)]
pub(crate) struct Attempt<R = Rendered> {
    /// Bytes of the minified text.
    pub(crate) bytes: usize,
    pub(crate) resources: usize,
    /// Most bytes that it may have.
    pub(crate) most: usize,
    /// `None` if it exceeds a limit.
    pub(crate) rendered: Option<R>,
}

impl<R> Attempt<R> {
    /// Whether it fits and leaves the room that new items must leave.
    fn leaves_room(&self) -> bool {
        self.rendered.is_some()
            && self.bytes * 100 <= self.most * FILL
            && self.resources * 100 <= limits::RESOURCES * FILL
    }
}

/// Renders a part and checks the result. `None` if it exceeds `most` bytes or the limit of
/// resources.
pub(crate) fn render(
    templates: &Templates,
    part: Part,
    context: minijinja::Value,
    most: usize,
) -> Result<Option<Rendered>, Vec<Diagnostic>> {
    attempt(templates, part, context, most).map(|attempt| attempt.rendered)
}

/// Renders a part, checks its structure, and measures it.
pub(crate) fn attempt(
    templates: &Templates,
    part: Part,
    context: minijinja::Value,
    most: usize,
) -> Result<Attempt, Vec<Diagnostic>> {
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
    let resources = resources.map_or(0, serde_json::Map::len);
    let compact = template.to_string();
    let bytes = compact.len();
    let text = (resources <= limits::RESOURCES).then(|| text(&template, compact, most));
    Ok(Attempt {
        bytes,
        resources,
        most,
        rendered: text.flatten().map(|text| Rendered { template, text }),
    })
}

/// Pretty-printed if that fits into a request, otherwise `compact`; `None` if even that is too
/// large.
fn text(template: &Value, compact: String, most: usize) -> Option<String> {
    if compact.len() < limits::TEMPLATE {
        let pretty = format!("{template:#}\n");
        if pretty.len() <= limits::TEMPLATE {
            return Some(pretty);
        }
    }
    (compact.len() <= most).then_some(compact)
}

/// The items of one stack set among several of the same part.
pub(crate) struct Shard<'i, T, R = Rendered> {
    /// Counts from 1. Numbers of stack sets that carry nothing any more are left out.
    pub(crate) number: usize,
    pub(crate) items: Vec<&'i T>,
    pub(crate) rendered: R,
}

/// Distributes items over templates.
///
/// An item stays in the template that carries it now, one of `homes`. If a template has become too
/// large, the smallest items that make it fit move, as few as possible. They and the new items go
/// into the first template with room, never into one that had to give an item: that way no two
/// templates exchange items, and each can receive before another gives.
///
/// An item that doesn't fit into a template of its own is passed to `too_large`.
pub(crate) fn shards<'i, T, R>(
    items: &'i [T],
    homes: impl Fn(&T) -> BTreeSet<usize>,
    render: impl FnMut(usize, &[&'i T]) -> Result<Attempt<R>, Vec<Diagnostic>>,
    too_large: impl Fn(&T) -> Diagnostic,
) -> Result<Vec<Shard<'i, T, R>>, Vec<Diagnostic>> {
    let mut distribution = Distribution {
        items,
        render,
        too_large,
        kept: BTreeMap::new(),
        givers: BTreeSet::new(),
        latest: BTreeMap::new(),
    };
    let homes: Vec<BTreeSet<usize>> = items.iter().map(homes).collect();
    let mut homeless = distribution.keep(&homes);
    homeless.extend(distribution.relieve_all()?);
    homeless.extend(distribution.choose(&homes)?);
    homeless.sort_unstable();
    distribution.fill(&homeless)?;
    distribution.render_all()
}

struct Distribution<'i, T, F, L, R> {
    items: &'i [T],
    render: F,
    too_large: L,
    /// Indices of items by number of the template, in order.
    kept: BTreeMap<usize, Vec<usize>>,
    /// Numbers of templates that had to give an item.
    givers: BTreeSet<usize>,
    /// The latest attempt by number of the template, with its items.
    latest: BTreeMap<usize, (Vec<usize>, Attempt<R>)>,
}

impl<'i, T, F, L, R> Distribution<'i, T, F, L, R>
where
    F: FnMut(usize, &[&'i T]) -> Result<Attempt<R>, Vec<Diagnostic>>,
    L: Fn(&T) -> Diagnostic,
{
    fn attempt(
        &mut self,
        number: usize,
        indices: &[usize],
    ) -> Result<&Attempt<R>, Vec<Diagnostic>> {
        let attempt = match self.latest.remove(&number) {
            Some((same, attempt)) if same == indices => attempt,
            _ => {
                let items = indices.iter().filter_map(|index| self.items.get(*index));
                (self.render)(number, &items.collect::<Vec<_>>())?
            }
        };
        let latest = self.latest.entry(number);
        let (_, attempt) = latest.insert_entry((indices.to_vec(), attempt)).into_mut();
        Ok(attempt)
    }

    fn is_too_large(&self, index: usize) -> Vec<Diagnostic> {
        let item = self.items.get(index);
        item.map(|item| (self.too_large)(item))
            .into_iter()
            .collect()
    }

    /// Keeps items with one home there. Returns those without one.
    fn keep(&mut self, homes: &[BTreeSet<usize>]) -> Vec<usize> {
        let mut homeless = Vec::new();
        for (index, homes) in homes.iter().enumerate() {
            match (homes.first(), homes.len()) {
                (Some(home), 1) => self.kept.entry(*home).or_default().push(index),
                (None, _) => homeless.push(index),
                _ => {}
            }
        }
        homeless
    }

    /// Takes items out of templates that have become too large, and returns them.
    fn relieve_all(&mut self) -> Result<Vec<usize>, Vec<Diagnostic>> {
        let mut moved = Vec::new();
        for number in self.kept.keys().copied().collect::<Vec<_>>() {
            let mut kept = self.kept.remove(&number).unwrap_or_default();
            while self.attempt(number, &kept)?.rendered.is_none() {
                let Some(position) = self.least(number, &kept)? else {
                    break;
                };
                moved.push(kept.remove(position));
                self.givers.insert(number);
            }
            if !kept.is_empty() {
                self.kept.insert(number, kept);
            }
        }
        Ok(moved)
    }

    /// The position of the smallest item without which the template fits; if there is none, that
    /// of the largest item.
    fn least(&mut self, number: usize, kept: &[usize]) -> Result<Option<usize>, Vec<Diagnostic>> {
        if let [only] = kept {
            return Err(self.is_too_large(*only));
        }
        let mut enough: Option<(usize, usize)> = None;
        let mut largest: Option<(usize, usize)> = None;
        for position in 0..kept.len() {
            let mut others = kept.to_vec();
            others.remove(position);
            let without = self.attempt(number, &others)?;
            let (bytes, fits) = (without.bytes, without.rendered.is_some());
            if fits && enough.is_none_or(|(most, _)| bytes > most) {
                enough = Some((bytes, position));
            }
            if largest.is_none_or(|(least, _)| bytes < least) {
                largest = Some((bytes, position));
            }
        }
        Ok(enough.or(largest).map(|(_, position)| position))
    }

    /// Decides for one of several homes: an item is in two templates if a run was killed, or failed,
    /// after one received it and before the other gave it. Returns the items that fit nowhere.
    fn choose(&mut self, homes: &[BTreeSet<usize>]) -> Result<Vec<usize>, Vec<Diagnostic>> {
        let mut homeless = Vec::new();
        for (index, homes) in homes.iter().enumerate().filter(|(_, it)| it.len() > 1) {
            let mut chosen = None;
            for home in homes.difference(&self.givers.clone()) {
                let mut kept = self.kept.get(home).cloned().unwrap_or_default();
                kept.push(index);
                kept.sort_unstable();
                if self.attempt(*home, &kept)?.rendered.is_some() {
                    chosen = Some((*home, kept));
                    break;
                }
            }
            match chosen {
                Some((home, kept)) => {
                    self.kept.insert(home, kept);
                }
                None => homeless.push(index),
            }
        }
        Ok(homeless)
    }

    /// Puts the remaining items into the first templates with room.
    fn fill(&mut self, mut rest: &[usize]) -> Result<(), Vec<Diagnostic>> {
        // Usually everything fits, so try that first. After that, the next template likely takes
        // as many as the previous one, which avoids rendering much larger templates.
        let mut likely = rest.len();
        for number in 1.. {
            let Some(first) = rest.first() else {
                break;
            };
            if self.givers.contains(&number) {
                continue;
            }
            let kept = self.kept.get(&number).cloned().unwrap_or_default();
            let mut count = self.room(number, &kept, rest, likely)?;
            if count == 0 && kept.is_empty() {
                if self.attempt(number, &[*first])?.rendered.is_none() {
                    return Err(self.is_too_large(*first));
                }
                count = 1;
            }
            if count > 0 {
                likely = count;
                let (taken, remaining) = rest.split_at(count);
                let all = self.kept.entry(number).or_default();
                all.extend(taken);
                all.sort_unstable();
                rest = remaining;
            }
        }
        Ok(())
    }

    /// How many of `rest` a template takes while leaving room.
    fn room(
        &mut self,
        number: usize,
        kept: &[usize],
        rest: &[usize],
        likely: usize,
    ) -> Result<usize, Vec<Diagnostic>> {
        let (mut fits, mut fails) = (0, rest.len() + 1);
        while fits + 1 < fails {
            let count = if fits == 0 && fails > rest.len() {
                likely.min(rest.len())
            } else if fails > rest.len() {
                (2 * fits).min(rest.len())
            } else {
                fits.midpoint(fails)
            };
            let mut all = kept.to_vec();
            all.extend(rest.get(..count).unwrap_or(rest));
            all.sort_unstable();
            if self.attempt(number, &all)?.leaves_room() {
                fits = count;
            } else {
                fails = count;
            }
        }
        Ok(fits)
    }

    fn render_all(mut self) -> Result<Vec<Shard<'i, T, R>>, Vec<Diagnostic>> {
        let mut shards = Vec::new();
        for (number, kept) in std::mem::take(&mut self.kept) {
            self.attempt(number, &kept)?;
            let attempt = self.latest.remove(&number).map(|(_, attempt)| attempt);
            let Some(rendered) = attempt.and_then(|attempt| attempt.rendered) else {
                // Never drop an item silently.
                return Err(kept
                    .first()
                    .map_or_else(Vec::new, |it| self.is_too_large(*it)));
            };
            let items = kept.iter().filter_map(|index| self.items.get(*index));
            shards.push(Shard {
                number,
                items: items.collect(),
                rendered,
            });
        }
        Ok(shards)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sizes(items: &[usize], homes: &[&[usize]], limit: usize) -> Vec<(usize, Vec<usize>)> {
        let numbered: Vec<(usize, usize)> = items.iter().copied().enumerate().collect();
        let found = shards(
            &numbered,
            |(index, _)| {
                let homes = homes.get(*index).copied().unwrap_or_default();
                homes.iter().copied().collect()
            },
            |_, items| Ok(fake(items.iter().map(|(_, size)| size).sum(), limit)),
            |(_, size)| Diagnostic::error("x", size.to_string()),
        );
        found
            .unwrap()
            .into_iter()
            .map(|it| (it.number, it.items.iter().map(|(_, size)| *size).collect()))
            .collect()
    }

    fn fake(bytes: usize, most: usize) -> Attempt {
        Attempt {
            bytes,
            resources: 0,
            most,
            rendered: (bytes <= most).then(|| Rendered {
                template: json!({}),
                text: String::new(),
            }),
        }
    }

    #[test]
    fn one_shard_if_all_fits_with_room() {
        assert_eq!(sizes(&[30, 30, 30], &[], 100), [(1, vec![30, 30, 30])]);
        assert_eq!(sizes(&[], &[], 100), Vec::<(usize, Vec<usize>)>::new());
    }

    #[test]
    fn a_new_library_fills_each_shard_in_order_and_leaves_room() {
        assert_eq!(
            sizes(&[30, 30, 31, 10, 10], &[], 100),
            [(1, vec![30, 30]), (2, vec![31, 10, 10])]
        );
        // An item that leaves no room gets a template of its own.
        assert_eq!(
            sizes(&[100, 10, 95], &[], 100),
            [(1, vec![100]), (2, vec![10]), (3, vec![95])]
        );
    }

    #[test]
    fn items_keep_their_shard_when_others_come_and_go() {
        let homes: &[&[usize]] = &[&[1], &[2], &[1], &[5]];
        assert_eq!(
            sizes(&[30, 30, 30, 30], homes, 100),
            [(1, vec![30, 30]), (2, vec![30]), (5, vec![30])]
        );
        // A new item goes to the first one with room, wherever its id is in the order.
        let homes: &[&[usize]] = &[&[], &[2], &[1], &[5]];
        assert_eq!(
            sizes(&[50, 30, 80, 30], homes, 100),
            [(1, vec![80]), (2, vec![50, 30]), (5, vec![30])]
        );
    }

    #[test]
    fn an_item_that_grows_within_the_room_does_not_move() {
        let homes: &[&[usize]] = &[&[1], &[1], &[2]];
        assert_eq!(
            sizes(&[60, 40, 10], homes, 100),
            [(1, vec![60, 40]), (2, vec![10])]
        );
    }

    #[test]
    fn the_smallest_item_that_makes_a_template_fit_moves() {
        let homes: &[&[usize]] = &[&[1], &[1], &[1], &[2]];
        assert_eq!(
            sizes(&[60, 20, 30, 10], homes, 100),
            [(1, vec![60, 30]), (2, vec![20, 10])]
        );
        // One large item rather than two small ones.
        let homes: &[&[usize]] = &[&[1], &[1], &[1], &[1], &[2]];
        assert_eq!(
            sizes(&[60, 15, 15, 35, 10], homes, 100),
            [(1, vec![60, 15, 15]), (2, vec![35, 10])]
        );
    }

    #[test]
    fn a_template_that_gives_does_not_receive() {
        let homes: &[&[usize]] = &[&[1], &[1], &[2], &[2], &[]];
        let found = sizes(&[95, 20, 95, 20, 1], homes, 100);
        assert_eq!(found, [(1, vec![95]), (2, vec![95]), (3, vec![20, 20, 1])]);
    }

    #[test]
    fn an_item_in_two_templates_stays_where_it_fits() {
        let homes: &[&[usize]] = &[&[1], &[1, 2], &[2]];
        assert_eq!(
            sizes(&[95, 20, 10], homes, 100),
            [(1, vec![95]), (2, vec![20, 10])]
        );
        assert_eq!(
            sizes(&[50, 20, 10], homes, 100),
            [(1, vec![50, 20]), (2, vec![10])]
        );
    }

    #[test]
    fn names_the_item_that_is_too_large() {
        let items = [1, 101, 1];
        for homes in [BTreeSet::new(), BTreeSet::from([1])] {
            let diagnostics = shards(
                &items,
                |_| homes.clone(),
                |_, items| Ok(fake(items.iter().copied().sum(), 100)),
                |size| Diagnostic::error("x", size.to_string()),
            )
            .err()
            .unwrap();
            assert_eq!(diagnostics[0].message, "101");
        }
    }

    #[test]
    fn minifies_templates_that_do_not_fit_pretty_printed() {
        let text = |template: &Value, most| text(template, template.to_string(), most);
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
