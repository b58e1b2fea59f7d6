//! MITRE ATT&CK for Enterprise: <https://attack.mitre.org>.

/// Tactics, in the order of an attack.
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

/// Techniques, one per line: id, comma-separated tactics, name. The first line is a comment with
/// the version.
pub(crate) const TECHNIQUES: &str = include_str!("../data/attack-techniques.txt");
