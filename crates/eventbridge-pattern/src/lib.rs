#![doc = include_str!("../README.md")]
//! # The language
//!
//! A pattern is a JSON object. Its members are the event's, and each ends in an array:
//!
//! ```json
//! {
//!   "source": ["aws.ec2"],
//!   "detail": {
//!     "state": ["running", {"prefix": "stop"}],
//!     "$or": [{"cpu": [{"numeric": [">", 90]}]}, {"urgent": [true]}]
//!   }
//! }
//! ```
//!
//! * A **field** is a path and an array of terms. Its path is the names on the way to the array,
//!   joined by dots: `detail.state`.
//! * A **term** tests one value. A field is satisfied if one of its terms accepts one of the event's
//!   values at the path.
//! * An **alternative** is a way to match: fields that must all be satisfied. A pattern without
//!   `$or` has one, this one has two. An event matches if it satisfies one of them.
//! * A **leaf** is a value of the event that isn't an object or an array, with its path. Arrays add
//!   nothing to a path: their elements are values of the same path.
//!
//! AWS documents the language under
//! [event patterns](https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html)
//! and [operators](https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html).
//!
//! ## Terms
//!
//! | Term | Accepts |
//! |---|---|
//! | `"x"` | the string `x`; a string that is an IP address accepts every spelling of the address |
//! | `5`, `true`, `null` | the same value; `5` accepts `5.0` and `5e0` if the field has a numeric term |
//! | `{"exactly": "x"}` | the string `x`, never as an address |
//! | `{"prefix": "x"}`, `{"suffix": "x"}` | strings that begin or end so |
//! | `{"prefix": {"equals-ignore-case": "x"}}`, `{"suffix": {"equals-ignore-case": "x"}}` | the same without regard to case |
//! | `{"equals-ignore-case": "x"}` | `x` and `X` |
//! | `{"wildcard": "a*b"}` | strings that begin with `a` and end with `b`; `\*` and `\\` stand for themselves |
//! | `{"numeric": [">", 0, "<=", 5]}` | numbers in the range; `=`, `<`, `<=`, `>` and `>=` also alone |
//! | `{"cidr": "10.0.0.0/24"}` | IP addresses in the block, IPv6 too |
//! | `{"exists": true}` | any leaf, `null` included, but not an object or an array without leaves |
//! | `{"exists": false}` | nothing: the field is satisfied if there is no leaf at the path |
//! | `{"anything-but": "x"}`, `{"anything-but": ["x", "y"]}` | any leaf but these strings |
//! | `{"anything-but": 1}`, `{"anything-but": [1, 2]}` | any leaf but these numbers |
//! | `{"anything-but": {"prefix": "x"}}` | any leaf but strings that begin so; a list of strings, too |
//! | `{"anything-but": {"suffix": "x"}}` | any leaf but strings that end so; a list of strings, too |
//! | `{"anything-but": {"equals-ignore-case": "x"}}` | any leaf but `x` in any case; a list of strings, too |
//! | `{"anything-but": {"wildcard": "a*b"}}` | any leaf but strings that fit; a list of strings, too |
//!
//! ```
//! # use eventbridge_pattern::{Event, Pattern};
//! let accepts = |terms: &str, value: &str| {
//!     let pattern = Pattern::parse(&format!(r#"{{"field": [{terms}]}}"#))?;
//!     let event = Event::parse(&format!(r#"{{"field": {value}}}"#))?;
//!     Ok::<bool, Box<dyn std::error::Error>>(pattern.matches(&event)?)
//! };
//! for (terms, accepted, refused) in [
//!     (r#""x""#, r#""x""#, r#""X""#),
//!     (r#""10.0.0.1""#, r#""10.0.000.1""#, r#""10.0.0.2""#),
//!     (r#"{"exactly": "10.0.0.1"}"#, r#""10.0.0.1""#, r#""10.0.000.1""#),
//!     ("5", "5", r#""5""#),
//!     (r#"5, {"numeric": ["<", 0]}"#, "5e0", "4"),
//!     ("null", "null", r#""""#),
//!     (r#"{"prefix": "ab"}"#, r#""abc""#, r#""Abc""#),
//!     (r#"{"prefix": {"equals-ignore-case": "ab"}}"#, r#""ABc""#, r#""bc""#),
//!     (r#"{"suffix": "bc"}"#, r#""abc""#, r#""abC""#),
//!     (r#"{"suffix": {"equals-ignore-case": "bc"}}"#, r#""aBC""#, r#""ab""#),
//!     (r#"{"equals-ignore-case": "ab"}"#, r#""AB""#, r#""abc""#),
//!     (r#"{"wildcard": "a*b\\*"}"#, r#""axxb*""#, r#""axxb""#),
//!     (r#"{"numeric": [">", 0, "<=", 5]}"#, "5.0", "0"),
//!     (r#"{"numeric": ["=", 300]}"#, "3e2", r#""300""#),
//!     (r#"{"cidr": "10.0.0.0/24"}"#, r#""10.0.0.255""#, r#""10.0.1.0""#),
//!     (r#"{"cidr": "2001:db8::/32"}"#, r#""2001:db8::1""#, r#""2001:db9::1""#),
//!     (r#"{"exists": true}"#, "null", r#"{"inner": 1}"#),
//!     (r#"{"exists": false}"#, "[]", "0"),
//!     (r#"{"anything-but": ["x", "y"]}"#, r#""z""#, r#""x""#),
//!     (r#"{"anything-but": 1}"#, "2", "1.0"),
//!     (r#"{"anything-but": {"prefix": "x"}}"#, r#""yx""#, r#""xy""#),
//!     (r#"{"anything-but": {"suffix": ["x", "y"]}}"#, r#""xz""#, r#""zy""#),
//!     (r#"{"anything-but": {"equals-ignore-case": "x"}}"#, r#""y""#, r#""X""#),
//!     (r#"{"anything-but": {"wildcard": "*x*"}}"#, "null", r#""axb""#),
//! ] {
//!     assert!(accepts(terms, accepted)?, "{terms} accepts {accepted}");
//!     assert!(!accepts(terms, refused)?, "{terms} refuses {refused}");
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! ## Where intuition misleads
//!
//! * `exists` looks at leaves. An object at the path is no leaf: `{"exists": true}` refuses it and
//!   `{"exists": false}` accepts it.
//! * With an array in the event, a field is satisfied if *some* element is accepted. So
//!   `{"anything-but": "x"}` matches `["x", "y"]`.
//! * `anything-but` needs a leaf. An event without the path doesn't match.
//! * Fields below the same array must be satisfied by the same element ("array consistency").
//! * A field that stands both inside a `$or` and outside overrides itself: of fields with the same
//!   path in one alternative only the last one counts ([`Pattern::overridden_paths`]).
//! * A dot in a name is the same as nesting: `{"a.b": [1]}` is `{"a": {"b": [1]}}`, in events too.
//! * Comparison is case-sensitive, and by value: `"5"` isn't `5`, `"false"` isn't `false`.
//!
//! ## Limits
//!
//! | Limit | Value | On AWS |
//! |---|---|---|
//! | characters of a pattern, white space aside | 2,048 | [a quota that AWS can raise](https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html); [`Limits::characters`] |
//! | alternatives that `$or` multiplies to | 1,000 | [documented](https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html); [`Limits::combinations`] |
//! | wildcard complexity | 10 | [`Limits::complexity`] |
//! | paths of an alternative | 256 | the same |
//! | nesting of a pattern | 500 | can't be reached within the quota |
//! | nesting of an event | 1,000 | the same |
//! | steps that array consistency takes | 1,000,000 for an alternative, 20,000,000 for an event | none known; see [`TooMuchWork`] |
//!
//! No input makes the engine overflow the stack or run away.
//!
//! # Features of the crate
//!
//! None is on by default, and without them the crate reads JSON by itself.
//!
//! * `serde`: `Serialize` and `Deserialize` for [`Pattern`] (as a string), `Serialize` for
//!   [`Explanation`].
//! * `samples`: `Pattern::samples`, events made from a pattern.
//! * `vectors`: the module `vectors`, which runs recorded verdicts of the service or of another
//!   engine through this one.
//!
//! # Modules
//!
//! How the parts depend on each other, from the lowest to the highest:
//!
//! | Modules | What they do |
//! |---|---|
//! | `scan`, `document`, `json_path` | a strict JSON scanner, a tree of JSON, paths into it |
//! | `number`, `address`, `fold`, `wildcard` | the service's idea of numbers, addresses, case and wildcards |
//! | `term` | the terms of a field, and which values they accept |
//! | `parse`, `term_parse`, `complexity`, `pattern` | from text to alternatives, with each of the service's checks |
//! | `leaves`, `event` | an event's leaves and their places in arrays |
//! | `matching`, `explain` | one pattern and one event; array consistency |
//! | `trie`, `table`, `structure`, `keys`, `reader` | the wanted paths, and a reader of bytes that looks at nothing else |
//! | `ruleset` | many patterns and one event |
//! | `language`, `samples`, `implication`, `paths`, `canonical`, [`union`] | static analysis of patterns |
//! | [`transformer`] | what a target receives |

mod address;
mod canonical;
mod complexity;
mod document;
mod error;
mod event;
mod explain;
mod fold;
mod implication;
mod json_path;
mod keys;
mod language;
mod leaves;
mod matching;
mod number;
mod parse;
mod paths;
mod pattern;
mod reader;
mod ruleset;
mod samples;
mod scan;
mod structure;
mod table;
mod term;
mod term_parse;
pub mod transformer;
mod trie;
pub mod union;
#[cfg(feature = "vectors")]
pub mod vectors;
mod wildcard;

pub use error::{EventError, PatternError, PatternErrorKind, TooMuchWork};
pub use event::Event;
pub use explain::{ExplainedAlternative, ExplainedField, Explanation};
pub use implication::{Implication, RedundancyReason, RedundantPart};
pub use pattern::{Limits, Pattern};
pub use ruleset::{Matches, RuleSet, RuleSetBuilder, Scratch};
