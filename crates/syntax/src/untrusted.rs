//! Text that strangers can choose, made safe to show.
//!
//! Names of files and accounts, reasons of failures, values in events and logs: whoever chooses them
//! must not move a terminal's cursor, hide text, forge a line of a report, give a command to GitHub's
//! log, or end a code block. Every report and every line that Gizmos prints goes through one of these
//! functions. They show what was there: a character that could do harm becomes its escape, such as
//! `\u{1b}`, and a line start that could do harm gets a backslash.
//!
//! All functions are idempotent except [`markdown`] and [`code`].

use std::borrow::Cow;

/// Starts of lines that do something: GitHub's workflow commands, and fences of code blocks.
const COMMANDS: [&str; 3] = ["::", "```", "~~~"];

/// GitHub's older command marker, which counts anywhere in a line.
/// <https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs>
const OLD_COMMAND: &str = "##[";

/// Longest text in [`code`], in characters.
const LONGEST_CODE: usize = 120;

/// Whether the character controls a terminal, is invisible, or changes the direction of text. Line
/// feeds and tabs don't count.
pub fn is_deceptive(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\t'))
        || matches!(
            c,
            '\u{061c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// The text as one line: a line feed becomes `\n`.
///
/// ```
/// let name = "Payroll\n::error::deleted\u{1b}[2J";
/// assert_eq!(syntax::untrusted::line(name), r"Payroll\n::error::deleted\u{1b}[2J");
/// assert_eq!(syntax::untrusted::line("  ::stop-commands::x"), r"  \::stop-commands::x");
/// ```
pub fn line(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => safe.push_str("\\n"),
            '\r' => safe.push_str("\\r"),
            c if is_deceptive(c) => safe.extend(c.escape_unicode()),
            c => safe.push(c),
        }
    }
    // Spaces before a command don't keep GitHub from following it.
    let start = safe.trim_start();
    if COMMANDS.iter().any(|command| start.starts_with(command)) {
        safe.insert(safe.len() - start.len(), '\\');
    }
    if safe.contains(OLD_COMMAND) {
        safe = safe.replace(OLD_COMMAND, "#\\#[");
    }
    safe
}

/// The text with its lines, each of them safe.
pub fn lines(text: &str) -> String {
    let line_of = |it: &str| line(it.strip_suffix('\r').unwrap_or(it));
    let lines: Vec<String> = text.split('\n').map(line_of).collect();
    lines.join("\n")
}

/// The text as one line of Markdown that means itself, also within a table's cell.
///
/// ```
/// let name = "<img src=x> | @all [x](y)";
/// assert_eq!(
///     syntax::untrusted::markdown(name),
///     r"&lt;img src=x&gt; \| &#64;all \[x\](y)"
/// );
/// ```
pub fn markdown(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in line(text).chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '@' => safe.push_str("&#64;"),
            '[' | ']' | '`' | '*' | '|' | '\\' | '~' | '#' => safe.extend(['\\', c]),
            c => safe.push(c),
        }
    }
    safe
}

/// The text as a code span, also within a table's cell; long text is cut. Nothing can be escaped
/// there, so what would end it becomes `_`.
pub fn code(text: &str) -> String {
    let clean: String = line(text)
        .chars()
        .map(|c| if matches!(c, '`' | '|') { '_' } else { c })
        .take(LONGEST_CODE)
        .collect();
    format!("`{clean}`")
}

/// The text as a code block, which it can't end.
pub fn fence(language: &str, text: &str) -> String {
    format!("```{language}\n{}\n```\n", lines(text.trim_end()))
}

/// A JSON document in which every deceptive character is escaped; it means the same. JSON needs only
/// the first 32 control characters escaped.
pub fn json(document: &str) -> Cow<'_, str> {
    if !document.contains(is_deceptive) && !document.contains(OLD_COMMAND) {
        return Cow::Borrowed(document);
    }
    let mut safe = String::with_capacity(document.len());
    for c in document.chars() {
        if is_deceptive(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                safe.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe.replace(OLD_COMMAND, "#\\u0023["))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn untrusted_lines_show_controls_and_disarm_commands() {
        for (text, safe) in [
            ("plain ä 日本 👍", "plain ä 日本 👍"),
            ("a\u{9b}31mb\u{7f}", r"a\u{9b}31mb\u{7f}"),
            ("a\r\nb", r"a\r\nb"),
            ("\u{202e}evil\u{2066}", r"\u{202e}evil\u{2066}"),
            ("\u{3000}::error::x", "\u{3000}\\::error::x"),
            ("said ##[error]x ###[x", r"said #\#[error]x ##\#[x"),
            ("```", r"\```"),
            (" ~~~~", r" \~~~~"),
            ("rule::id", "rule::id"),
            ("\u{e0041}", r"\u{e0041}"),
        ] {
            assert_eq!(line(text), safe);
        }
        assert_eq!(lines("a\r\n::b\n\n"), "a\n\\::b\n\n");
    }

    #[test]
    fn untrusted_fences_and_code_end_where_they_should() {
        assert_eq!(
            fence("text", "a\n```\n::error::b\n"),
            "```text\na\n\\```\n\\::error::b\n```\n"
        );
        assert_eq!(code("a`b|c\n"), r"`a_b_c\n`");
        assert_eq!(code(&"x".repeat(500)).len(), 122);
    }

    #[test]
    fn untrusted_json_means_the_same() {
        let value = serde_json::json!({"a": "\u{9b}\u{202e}\u{e0041} ##[error]\n\u{1b}"});
        let text = serde_json::to_string_pretty(&value).unwrap();
        let safe = json(&text);
        assert!(
            !safe.contains(is_deceptive) && !safe.contains("##["),
            "{safe}"
        );
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&safe).unwrap(),
            value
        );
        assert!(matches!(json("{\n}"), Cow::Borrowed("{\n}")));
    }

    proptest! {
        #[test]
        fn untrusted_text_is_safe_and_stays_so(text in r"[ \t\n\r:#\[`~\u{1b}\u{9b}\u{202e}\u{2028}ab]{0,24}") {
            let safe = lines(&text);
            prop_assert!(!safe.contains(is_deceptive) && !safe.contains("##["), "{safe:?}");
            for line in safe.lines() {
                let start = line.trim_start();
                prop_assert!(!COMMANDS.iter().any(|it| start.starts_with(it)), "{line:?}");
            }
            prop_assert!(!line(&text).contains('\n'));
            prop_assert_eq!(lines(&safe), safe);
        }
    }
}
