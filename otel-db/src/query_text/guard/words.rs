//! The words that the guard knows.

/// What comes before a password; the media set of a backup of SQL Server's has one, too.
pub(super) const PASSWORDS: [&str; 3] = ["password", "passwd", "mediapassword"];

/// SQLCipher's names for a key.
pub(super) const KEYS: [&str; 6] = ["key", "rekey", "hexkey", "hexrekey", "textkey", "textrekey"];

/// What may follow a call of SQL Server's without a semicolon.
pub(super) const RESERVED: [&str; 24] = [
    "with", "at", "as", "select", "insert", "update", "delete", "merge", "exec", "execute", "declare", "set",
    "if", "else", "begin", "end", "while", "return", "print", "create", "drop", "alter", "truncate",
    "commit",
];

/// What begins a statement of SQL Server's, besides words that are reserved behind a call.
pub(super) const STATEMENTS: [&str; 36] = [
    "add",
    "backup",
    "break",
    "bulk",
    "call",
    "checkpoint",
    "close",
    "connect",
    "continue",
    "dbcc",
    "deallocate",
    "deny",
    "disable",
    "enable",
    "explain",
    "export",
    "fetch",
    "get",
    "go",
    "goto",
    "grant",
    "import",
    "kill",
    "move",
    "open",
    "raiserror",
    "receive",
    "reconfigure",
    "rename",
    "restore",
    "revert",
    "revoke",
    "save",
    "send",
    "use",
    "waitfor",
];

/// What is followed by the kind of an object.
pub(super) const OBJECTS: [&str; 5] = ["create", "alter", "drop", "modify", "rename"];

/// What begins a statement that may hold a password.
pub(super) const SECRETS: [&str; 10] = [
    "administer",
    "backup",
    "connect",
    "validate",
    "check",
    "export",
    "import",
    "recover",
    "restore",
    "grant",
];

/// The kinds of objects that have passwords.
pub(super) const WITH_SECRETS: [&str; 15] = [
    "role",
    "database",
    "system",
    "group",
    "server",
    "profile",
    "session",
    "credential",
    "subscription",
    "public",
    "shared",
    "keystore",
    "wallet",
    "pluggable",
    "dictionary",
];

pub(super) fn is_one_of(word: &str, words: &[&str]) -> bool {
    words.iter().any(|one| word.eq_ignore_ascii_case(one))
}
