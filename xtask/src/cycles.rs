//! Checks that files in different folders of a crate don't import each other in a cycle.
//!
//! A folder of a crate has a boundary. Modules inside may depend on each other, but two folders
//! that need each other are really one, and neither can be understood, tested or moved alone. A
//! module and its own submodules may refer to each other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::shell;

/// The simulator's services act on each other as AWS's do: a rule publishes to a topic, an alarm
/// watches a queue, a policy of one names a role of another.
const EXEMPT: &str = "crates/simulator/services/src";

/// A module's file, and the folder it belongs to.
#[derive(Debug)]
struct Module {
    file: PathBuf,
    folder: Vec<String>,
}

/// Stands for the folder of the files directly in `src`, which contains no other.
const ROOT: &str = ".";

type Modules = BTreeMap<Vec<String>, Module>;

/// Checks every crate of the workspace.
pub(crate) fn check() -> Result<()> {
    let files = shell::output(shell::program("git").args([
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
        "crates/*.rs",
        "xtask/*.rs",
    ]))?;
    let mut crates: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
    for file in files.lines().map(Path::new) {
        let Some(source) = file.ancestors().find(|it| it.ends_with("src")) else {
            continue;
        };
        if shell::root().join(file).is_file() {
            let inside = file.strip_prefix(source)?.to_path_buf();
            crates.entry(source.to_path_buf()).or_default().push(inside);
        }
    }
    let mut cycles = Vec::new();
    crates.remove(Path::new(EXEMPT));
    for (source, files) in &crates {
        cycles.extend(cycles_of(source, files)?);
    }
    if !cycles.is_empty() {
        bail!(
            "files of different folders import each other in a cycle:\n{}",
            cycles.join("\n")
        );
    }
    println!("import cycles: {} crates, 0 found", crates.len());
    Ok(())
}

fn cycles_of(source: &Path, files: &[PathBuf]) -> Result<Vec<String>> {
    let modules = modules(files);
    let mut edges: BTreeMap<&Vec<String>, BTreeSet<&Vec<String>>> = BTreeMap::new();
    for (path, module) in &modules {
        let file = shell::root().join(source).join(&module.file);
        let text = std::fs::read_to_string(&file)
            .with_context(|| format!("could not read {}", file.display()))?;
        let names = imports(&text, path);
        let used = names.iter().filter_map(|name| target(&modules, name));
        edges.insert(path, used.filter(|other| *other != path).collect());
    }
    let reachable: BTreeMap<_, _> = edges
        .keys()
        .map(|from| (*from, reach(&edges, from)))
        .collect();
    let reaches = |from: &Vec<String>, to: &Vec<String>| {
        reachable.get(from).is_some_and(|all| all.contains(to))
    };
    let mut found = Vec::new();
    for (one, first) in &modules {
        for (other, second) in modules.range(one.clone()..).skip(1) {
            let nested = first.folder.starts_with(&second.folder)
                || second.folder.starts_with(&first.folder);
            if !nested && reaches(one, other) && reaches(other, one) {
                found.push(format!(
                    "{} and {}",
                    source.join(&first.file).display(),
                    source.join(&second.file).display()
                ));
            }
        }
    }
    Ok(found)
}

/// All modules by path, except tests, which may use anything, and the crate's root, which only
/// names the modules below it.
fn modules(files: &[PathBuf]) -> Modules {
    let mut modules = Modules::new();
    for file in files {
        let mut path: Vec<String> = file
            .with_extension("")
            .components()
            .map(|part| part.as_os_str().to_string_lossy().into_owned())
            .collect();
        let is_root = matches!(&path[..], [one] if one == "lib" || one == "main");
        if is_root || path.iter().any(|part| part == "tests" || part == "bin") {
            continue;
        }
        let opens_folder = path.last().is_some_and(|name| name == "mod");
        if opens_folder {
            path.pop();
        }
        let folder_beside = files
            .iter()
            .any(|other| other.starts_with(file.with_extension("")));
        let folder = if opens_folder || folder_beside {
            path.clone()
        } else if path.len() == 1 {
            vec![ROOT.to_owned()]
        } else {
            path.iter().take(path.len() - 1).cloned().collect()
        };
        modules.insert(
            path,
            Module {
                file: file.clone(),
                folder,
            },
        );
    }
    modules
}

/// The module that a path refers to: its longest prefix that is a module.
fn target<'a>(modules: &'a Modules, name: &[String]) -> Option<&'a Vec<String>> {
    (1..=name.len())
        .rev()
        .find_map(|length| modules.get_key_value(name.get(..length)?))
        .map(|(path, _)| path)
}

fn reach<'a>(
    edges: &BTreeMap<&'a Vec<String>, BTreeSet<&'a Vec<String>>>,
    from: &Vec<String>,
) -> BTreeSet<&'a Vec<String>> {
    let mut seen = BTreeSet::new();
    let mut waiting: Vec<&Vec<String>> = vec![from];
    while let Some(next) = waiting.pop() {
        for other in edges.get(next).into_iter().flatten() {
            if seen.insert(*other) {
                waiting.push(other);
            }
        }
    }
    seen
}

/// Every path that starts with `crate` or `super`, resolved from the crate's root.
fn imports(text: &str, module: &[String]) -> Vec<Vec<String>> {
    let tokens = tokens(text);
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let follows_path = at > 0 && tokens.get(at - 1).is_some_and(|it| it == "::");
        if !follows_path && (token == "crate" || token == "super") {
            let mut rest = tokens.get(at..).unwrap_or_default();
            tree(&mut rest, &mut Vec::new(), module, &mut found);
        }
    }
    found
}

/// Reads a use tree such as `crate::a::{b, c::d}` and collects its paths.
fn tree(
    tokens: &mut &[String],
    prefix: &mut Vec<String>,
    module: &[String],
    found: &mut Vec<Vec<String>>,
) {
    let depth = prefix.len();
    loop {
        match tokens {
            [open, rest @ ..] if open == "{" => {
                *tokens = rest;
                while let [next, ..] = tokens {
                    match next.as_str() {
                        "}" => break,
                        "," => *tokens = tokens.get(1..).unwrap_or_default(),
                        _ => {
                            let before = tokens.len();
                            tree(tokens, prefix, module, found);
                            if tokens.len() == before {
                                *tokens = tokens.get(1..).unwrap_or_default();
                            }
                        }
                    }
                }
                *tokens = tokens.get(1..).unwrap_or_default();
                break;
            }
            [name, rest @ ..] if name.starts_with(|it: char| it.is_alphabetic() || it == '_') => {
                *tokens = rest;
                prefix.push(name.clone());
                match tokens {
                    [colons, rest @ ..] if colons == "::" => *tokens = rest,
                    _ => {
                        found.extend(resolve(prefix, module));
                        break;
                    }
                }
            }
            _ => {
                found.extend(resolve(prefix, module));
                break;
            }
        }
    }
    prefix.truncate(depth);
}

/// Resolves a path in `module` from the crate's root.
fn resolve(path: &[String], module: &[String]) -> Option<Vec<String>> {
    let ups = path.iter().take_while(|name| *name == "super").count();
    if ups == 0 {
        return (path.first()? == "crate").then(|| path.iter().skip(1).cloned().collect());
    }
    let base = module.get(..module.len().checked_sub(ups)?)?;
    Some(base.iter().chain(path.iter().skip(ups)).cloned().collect())
}

/// Names and path punctuation, without comments and unit tests.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    // Unit tests come last in a file.
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    for line in code.lines() {
        let code = line.split("//").next().unwrap_or_default();
        let mut characters = code.chars().peekable();
        while let Some(character) = characters.next() {
            if character.is_alphanumeric() || character == '_' {
                let mut name = character.to_string();
                while let Some(more) = characters.next_if(|it| it.is_alphanumeric() || *it == '_') {
                    name.push(more);
                }
                tokens.push(name);
            } else if character == ':' && characters.next_if_eq(&':').is_some() {
                tokens.push("::".to_owned());
            } else if !character.is_whitespace() {
                tokens.push(character.to_string());
            }
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(path: &str) -> Vec<String> {
        path.split("::").map(str::to_owned).collect()
    }

    #[test]
    fn imports_are_read_from_use_trees_and_inline_paths() {
        let text = "use crate::a::{b, c::{D, e}};\nfn f() { super::g::h(); } // crate::no\n";
        let found = imports(text, &names("x::y"));
        let expected: Vec<_> = ["a::b", "a::c::D", "a::c::e", "x::g::h"].map(names).into();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_module_and_its_submodules_are_one_folder() {
        let files: Vec<PathBuf> = ["lib.rs", "a.rs", "a/b.rs", "c/mod.rs", "c/d.rs", "e.rs"]
            .map(PathBuf::from)
            .into();
        let modules = modules(&files);
        let folder = |path: &str| modules.get(&names(path)).map(|it| it.folder.join("::"));
        assert_eq!(folder("a").as_deref(), Some("a"));
        assert_eq!(folder("a::b").as_deref(), Some("a"));
        assert_eq!(folder("c::d").as_deref(), Some("c"));
        assert_eq!(folder("e").as_deref(), Some(ROOT));
        assert_eq!(
            target(&modules, &names("c::d::Thing")),
            Some(&names("c::d"))
        );
    }
}
