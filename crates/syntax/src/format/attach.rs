//! Attaches each comment to the value next to which it was written.

use std::collections::BTreeMap;

use granit_parser::{Event, Options, Parser, ScalarStyle};

use crate::comment::Comment;
use crate::source::Span;
use crate::tree::{Node, Value};

/// A comment line before an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// Whether an empty line precedes it.
    pub(super) after_blank: bool,
    /// Includes the `#`.
    pub(super) comment: &'a str,
}

/// A value with the comments around the values in it.
#[derive(Debug)]
pub(super) enum Tree<'a> {
    Scalar(Scalar<'a>),
    Collection(Collection<'a>),
}

/// A scalar in its source spelling.
#[derive(Debug)]
pub(super) struct Scalar<'a> {
    pub(super) value: &'a Value,
    /// Source text; a block's starts at the text of its first line.
    pub(super) source: &'a str,
    /// Indentation of a block's lines, in spaces.
    pub(super) column: usize,
    pub(super) style: ScalarStyle,
}

/// A list or a mapping.
#[derive(Debug)]
pub(super) struct Collection<'a> {
    pub(super) is_mapping: bool,
    /// Whether the source uses brackets.
    pub(super) is_flow: bool,
    pub(super) items: Vec<Item<'a>>,
    /// Comments after the last item.
    pub(super) rest: Vec<Line<'a>>,
}

/// An item of a list or an entry of a mapping.
#[derive(Debug)]
pub(super) struct Item<'a> {
    pub(super) before: Vec<Line<'a>>,
    /// Whether an empty line directly precedes the item.
    pub(super) after_blank: bool,
    /// The key and whether it was written in quotes.
    pub(super) key: Option<(&'a str, bool)>,
    /// A comment after the key whose value begins on the next line.
    pub(super) beside_key: Option<&'a str>,
    pub(super) value: Tree<'a>,
    /// A comment after the value, on the same line.
    pub(super) beside: Option<&'a str>,
}

/// The whole file.
#[derive(Debug)]
pub(super) struct Document<'a> {
    /// Comments that belong to the file rather than to its first entry.
    pub(super) head: Vec<Line<'a>>,
    /// Whether an empty line comes after them.
    pub(super) head_stands_apart: bool,
    pub(super) root: Tree<'a>,
    /// Comments after a root that is not a collection.
    pub(super) rest: Vec<Line<'a>>,
}

type Order<'o> = &'o dyn Fn(&[&str]) -> Vec<&'static str>;

pub(super) fn tree<'a>(
    text: &'a str,
    root: &'a Node,
    comments: &'a [Comment],
    order: Order<'_>,
) -> Document<'a> {
    let mut attacher = Attacher {
        text,
        comments,
        next: 0,
        cursor: 0,
        styles: styles(text),
        order,
    };
    let mut head = Vec::new();
    if !matches!(root.value, Value::Mapping(_)) || is_flow(text, root.span) {
        head = attacher.lines_before(root.span.start);
    }
    let mut tree = attacher.value(root, text.len(), None, &mut Vec::new());
    let rest = attacher.lines_before(usize::MAX);
    let rest = match &mut tree {
        Tree::Collection(collection) if !collection.is_flow => {
            collection.rest.extend(rest);
            Vec::new()
        }
        _ => rest,
    };
    let mut head_stands_apart = false;
    if let Tree::Collection(collection) = &mut tree {
        if let Some(first) = collection.items.first_mut().filter(|_| head.is_empty()) {
            head = head_of(first);
            let blank = first
                .before
                .first_mut()
                .map_or(&mut first.after_blank, |line| &mut line.after_blank);
            // The empty line belongs to the head, since sorting may put another entry first.
            head_stands_apart = std::mem::take(blank) && !head.is_empty();
        }
        if collection.is_mapping {
            sort(collection, &[], order);
        }
    }
    Document {
        head,
        head_stands_apart,
        root: tree,
        rest,
    }
}

/// Comments at the top that are followed by an empty line, and editor directives. They stay at the
/// top, whichever key comes first.
fn head_of<'a>(first: &mut Item<'a>) -> Vec<Line<'a>> {
    let blank_after = |index: usize, first: &Item<'_>| match first.before.get(index + 1) {
        Some(line) => line.after_blank,
        None => first.after_blank,
    };
    let count = (0..first.before.len())
        .rev()
        .find(|index| {
            let comment = first.before.get(*index).map_or("", |line| line.comment);
            blank_after(*index, first) || comment.contains("yaml-language-server:")
        })
        .map_or(0, |index| index + 1);
    first.before.drain(..count).collect()
}

/// Puts the entries of a mapping in order.
fn sort(collection: &mut Collection<'_>, path: &[&str], order: Order<'_>) {
    let order = order(path);
    collection.items.sort_by_key(|item| {
        let key = item.key.map_or("", |(key, _)| key);
        order
            .iter()
            .position(|known| *known == key)
            .unwrap_or(order.len())
    });
}

struct Attacher<'a, 'o> {
    text: &'a str,
    comments: &'a [Comment],
    /// Index of the first unattached comment.
    next: usize,
    /// End offset of the last token that was consumed.
    cursor: usize,
    /// Style of every scalar that isn't plain, by start offset.
    styles: BTreeMap<usize, ScalarStyle>,
    order: Order<'o>,
}

impl<'a> Attacher<'a, '_> {
    fn source(&self, span: Span) -> &'a str {
        self.text.get(span.start..span.end).unwrap_or_default()
    }

    fn style(&self, start: usize) -> ScalarStyle {
        self.styles
            .get(&start)
            .copied()
            .unwrap_or(ScalarStyle::Plain)
    }

    fn peek(&self) -> Option<&'a Comment> {
        self.comments.get(self.next)
    }

    fn take(&mut self, comment: &'a Comment) -> &'a str {
        self.next += 1;
        self.cursor = comment.span.end.max(self.cursor);
        self.source(comment.span).trim_end()
    }

    /// Whether an empty line lies between the cursor and an offset.
    fn blank_before(&self, offset: usize) -> bool {
        let between = self.text.get(self.cursor..offset).unwrap_or_default();
        let mut lines = between.split('\n');
        // The rest of the current line comes first, then whole lines.
        lines.next();
        let whole = lines.clone().count().saturating_sub(1);
        lines.take(whole).any(|line| line.trim().is_empty())
    }

    fn lines_before(&mut self, offset: usize) -> Vec<Line<'a>> {
        let mut lines = Vec::new();
        while let Some(comment) = self.peek().filter(|it| it.span.start < offset) {
            let after_blank = self.blank_before(comment.span.start);
            let comment = self.take(comment);
            lines.push(Line {
                after_blank,
                comment,
            });
        }
        lines
    }

    /// The comment on the cursor's line, if it starts before `limit`.
    fn beside(&mut self, limit: usize) -> Option<&'a str> {
        let comment = self.peek().filter(|it| it.span.start < limit)?;
        let between = self.text.get(self.cursor..comment.span.start)?;
        (!comment.alone && !between.contains('\n')).then(|| self.take(comment))
    }

    /// Attaches the comments of a value. `limit` is the offset of the next token outside of it,
    /// `outer` the column of the enclosing collection.
    fn value(
        &mut self,
        node: &'a Node,
        limit: usize,
        outer: Option<usize>,
        path: &mut Vec<&'a str>,
    ) -> Tree<'a> {
        match &node.value {
            Value::Sequence(items) => {
                let flow = is_flow(self.text, node.span);
                let children = items.iter().map(|item| Child {
                    key: None,
                    start: item.span.start,
                    node: item,
                });
                self.collection(node, children.collect(), flow, limit, outer, path)
            }
            Value::Mapping(entries) => {
                let flow = is_flow(self.text, node.span);
                let children = entries.iter().map(|entry| Child {
                    key: Some((entry.key.as_str(), entry.key_span)),
                    start: entry.key_span.start,
                    node: &entry.value,
                });
                self.collection(node, children.collect(), flow, limit, outer, path)
            }
            value => {
                // An empty value has no span of its own.
                let source = self.source(node.span);
                let style = self.style(node.span.start);
                // Computed only when needed: a line may contain a megabyte of values.
                let (column, text) = match style {
                    ScalarStyle::Literal | ScalarStyle::Folded => {
                        let column = self.column(node.span.start);
                        (column, without_empty_lines(source, column))
                    }
                    _ => (0, source.trim_end()),
                };
                self.cursor = self.cursor.max(node.span.start + text.len());
                Tree::Scalar(Scalar {
                    value,
                    source,
                    column,
                    style,
                })
            }
        }
    }

    fn collection(
        &mut self,
        node: &'a Node,
        children: Vec<Child<'a>>,
        is_flow: bool,
        limit: usize,
        outer: Option<usize>,
        path: &mut Vec<&'a str>,
    ) -> Tree<'a> {
        let column = if is_flow {
            // Comments inside brackets end with the bracket, whatever their indentation.
            0
        } else {
            self.column(node.span.start)
        };
        let end = if is_flow { node.span.end } else { limit };
        let starts: Vec<usize> = children.iter().map(|child| child.start).collect();
        let is_mapping = matches!(node.value, Value::Mapping(_));
        let mut items = Vec::new();
        for (index, child) in children.into_iter().enumerate() {
            let before = self.lines_before(child.start);
            let after_blank = self.blank_before(child.start);
            let until = starts.get(index + 1).copied().unwrap_or(end);
            let key = child.key.map(|(key, span)| {
                self.cursor = self.cursor.max(span.end);
                (key, self.style(span.start) != ScalarStyle::Plain)
            });
            path.push(key.map_or("[]", |(key, _)| key));
            let is_block = matches!(child.node.value, Value::Mapping(_) | Value::Sequence(_))
                && !self::is_flow(self.text, child.node.span);
            let begins_below = is_block
                || matches!(
                    self.style(child.node.span.start),
                    ScalarStyle::Literal | ScalarStyle::Folded
                );
            let beside_key = if key.is_some() && begins_below {
                self.beside(until)
            } else {
                None
            };
            let mut value = self.value(child.node, until, Some(column), path);
            if let Tree::Collection(collection) = &mut value
                && collection.is_mapping
            {
                sort(collection, path, self.order);
            }
            path.pop();
            let beside = if begins_below {
                None
            } else {
                self.beside(until)
            };
            items.push(Item {
                before,
                after_blank,
                key,
                beside_key,
                value,
                beside,
            });
        }
        let rest = if is_flow {
            let rest = self.lines_before(end);
            self.cursor = self.cursor.max(end);
            rest
        } else {
            self.lines_of_block(limit, outer)
        };
        Tree::Collection(Collection {
            is_mapping,
            is_flow,
            items,
            rest,
        })
    }

    /// Comments below a block's last item with the item's indentation.
    fn lines_of_block(&mut self, limit: usize, outer: Option<usize>) -> Vec<Line<'a>> {
        let mut lines = Vec::new();
        while let Some(comment) = self.peek() {
            let column = self.column(comment.span.start);
            if comment.span.start >= limit || outer.is_some_and(|outer| column <= outer) {
                break;
            }
            let after_blank = self.blank_before(comment.span.start);
            let comment = self.take(comment);
            lines.push(Line {
                after_blank,
                comment,
            });
        }
        lines
    }

    /// Column in bytes; only compared between lines of the same kind.
    fn column(&self, offset: usize) -> usize {
        let before = self.text.get(..offset).unwrap_or_default();
        offset - before.rfind('\n').map_or(0, |at| at + 1)
    }
}

/// Start offset and style of every scalar that isn't plain.
fn styles(text: &str) -> BTreeMap<usize, ScalarStyle> {
    let mut options = Options::default();
    options.disallow_directives = true;
    options.set_emit_comments(false);
    let mut parser = Parser::new_from_str_with_options(text, options);
    let mut styles = BTreeMap::new();
    while let Some(Ok((event, span))) = parser.next_event() {
        match event {
            Event::StreamEnd => break,
            Event::Scalar(_, style, ..) if style != ScalarStyle::Plain => {
                styles.insert(span.byte_range().unwrap_or_default().start, style);
            }
            _ => {}
        }
    }
    styles
}

struct Child<'a> {
    key: Option<(&'a str, Span)>,
    start: usize,
    node: &'a Node,
}

fn is_flow(text: &str, span: Span) -> bool {
    text.get(span.start..)
        .is_some_and(|rest| rest.starts_with(['[', '{']))
}

/// A block's source without the empty lines at its end, which aren't text. A line of spaces that go beyond
/// the block's column is.
fn without_empty_lines(source: &str, column: usize) -> &str {
    let mut rest = source;
    while let Some((before, last)) = rest.rsplit_once('\n') {
        let last = last.strip_suffix('\r').unwrap_or(last);
        if last.len() > column || last.contains(|c| c != ' ') {
            break;
        }
        rest = before;
    }
    rest.strip_suffix('\r').unwrap_or(rest)
}
