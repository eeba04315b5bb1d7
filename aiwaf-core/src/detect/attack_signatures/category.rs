//! What attacks are sorted by, and how much each counts.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A kind of attack. Each can be switched off by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AttackCategory {
    /// SQL injection.
    SqlInjection,
    /// Cross-site scripting.
    CrossSiteScripting,
    /// Path traversal, and files of the system or the application that are asked for by name.
    PathTraversal,
    /// Files or streams from elsewhere that are to be included or fetched.
    FileInclusion,
    /// Commands of a shell.
    CommandInjection,
    /// PHP code and streams.
    PhpInjection,
    /// Java classes, expressions, serialised objects, Log4Shell.
    JavaInjection,
    /// Code and expressions for other languages and for template engines, prototype pollution, server-side includes.
    CodeInjection,
    /// Queries for other databases and directories: NoSQL, LDAP, XPath, GraphQL introspection.
    QueryInjection,
    /// External entities of XML.
    XmlInjection,
    /// Requests that the server is to make on the attacker's behalf.
    RequestForgery,
    /// Line breaks and second requests smuggled into headers.
    HeaderInjection,
    /// Scanners that say what they are.
    Scanner,
    /// Files that have no business being asked for.
    Probe,
}

impl AttackCategory {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::SqlInjection,
        Self::CrossSiteScripting,
        Self::PathTraversal,
        Self::FileInclusion,
        Self::CommandInjection,
        Self::PhpInjection,
        Self::JavaInjection,
        Self::CodeInjection,
        Self::QueryInjection,
        Self::XmlInjection,
        Self::RequestForgery,
        Self::HeaderInjection,
        Self::Scanner,
        Self::Probe,
    ];

    /// The name, as it stands in settings, rules and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SqlInjection => "sql_injection",
            Self::CrossSiteScripting => "cross_site_scripting",
            Self::PathTraversal => "path_traversal",
            Self::FileInclusion => "file_inclusion",
            Self::CommandInjection => "command_injection",
            Self::PhpInjection => "php_injection",
            Self::JavaInjection => "java_injection",
            Self::CodeInjection => "code_injection",
            Self::QueryInjection => "query_injection",
            Self::XmlInjection => "xml_injection",
            Self::RequestForgery => "request_forgery",
            Self::HeaderInjection => "header_injection",
            Self::Scanner => "scanner",
            Self::Probe => "probe",
        }
    }
}

impl fmt::Display for AttackCategory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How sure a rule is, and so how much it adds to the score of a request; the scale is that of the OWASP Core Rule Set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Odd, and no more: 2.
    Notice,
    /// Likely an attack, but seen with honest clients: 3.
    Warning,
    /// An attack with few exceptions: 4.
    Error,
    /// An attack: 5, which reaches the default threshold.
    Critical,
}

impl Severity {
    /// What it adds to the score.
    pub const fn score(self) -> u32 {
        match self {
            Self::Notice => 2,
            Self::Warning => 3,
            Self::Error => 4,
            Self::Critical => 5,
        }
    }

    /// The name, as it stands in rules and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
