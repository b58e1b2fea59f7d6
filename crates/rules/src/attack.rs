//! MITRE ATT&CK for Enterprise: <https://attack.mitre.org>.

/// The tactics in the order of an attack.
pub(crate) const TACTICS: [&str; 14] = [
    "reconnaissance",
    "resource-development",
    "initial-access",
    "execution",
    "persistence",
    "privilege-escalation",
    "defense-evasion",
    "credential-access",
    "discovery",
    "lateral-movement",
    "collection",
    "command-and-control",
    "exfiltration",
    "impact",
];

/// Techniques, one a line: id, tactics with commas between them, name. The first line, a comment,
/// says which version.
pub(crate) const TECHNIQUES: &str = include_str!("../data/attack-techniques.txt");
