//! Which script or function a command calls.

use redis::{Arg, Cmd};

/// No name of a function is longer, or it is cut out.
const LONGEST_NAME: usize = 128;
/// SHA-1 in hexadecimal digits.
const DIGEST: usize = 40;

/// `db.stored_procedure.name`: "if operation applies to a specific Lua script".
pub(super) enum Script {
    /// What `FCALL` calls.
    Function(String),
    /// What `EVALSHA` calls.
    Digest(String),
}

impl Script {
    /// `None` for other commands, and for what can be neither: it may be anything, a secret too.
    pub(super) fn of(name: &str, command: &Cmd) -> Option<Self> {
        let is_function = matches!(name, "FCALL" | "FCALL_RO");
        if !is_function && !matches!(name, "EVALSHA" | "EVALSHA_RO") {
            return None;
        }
        let Some(Arg::Simple(argument)) = command.args_iter().nth(1) else { return None };
        let text = std::str::from_utf8(argument).ok()?;
        if is_function {
            // "Function names can only contain letters, numbers, or underscores(_)".
            let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
            let is_name = (1..=LONGEST_NAME).contains(&argument.len()) && argument.iter().all(is_of_name);
            return is_name.then(|| Self::Function(text.to_owned()));
        }
        let is_digest = argument.len() == DIGEST && argument.iter().all(u8::is_ascii_hexdigit);
        is_digest.then(|| Self::Digest(text.to_ascii_lowercase()))
    }
}
