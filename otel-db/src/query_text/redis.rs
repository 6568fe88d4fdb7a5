//! Commands of Redis and Valkey, as the drivers have them: a name and arguments.
//!
//! ```
//! use otel_db::query_text::redis::{self, RedisRules};
//!
//! let arguments: [&[u8]; 3] = [b"user:7", b"email", b"ada@example.com"];
//! assert_eq!(redis::sanitize("HSET", &arguments), "HSET ?");
//! assert_eq!(RedisRules::new().with_keys(true).sanitize("HSET", &arguments), "HSET user:7 email ?");
//! ```

/// The command with `?` for its arguments, whatever they are: keys hold names, addresses and tokens of sessions. Known
/// sub-commands stay: `CLIENT SETNAME ?`. [`RedisRules`] keeps the keys.
#[must_use]
pub fn sanitize(command: &str, arguments: &[&[u8]]) -> String {
    RedisRules::new().sanitize(command, arguments)
}

/// What is kept of the commands of Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct RedisRules {
    keys: bool,
}

impl RedisRules {
    /// The name of the command alone is kept.
    #[must_use]
    pub fn new() -> Self {
        Self { keys: false }
    }

    /// Whether keys, and the names of the fields in hashes, are kept, as in the example of the conventions:
    /// `HMSET myhash field1 ? field2 ?`. Default: `false`.
    ///
    /// Only commands whose keys are known show them. Long keys, and those with spaces or other than printing ASCII
    /// characters, do not come out.
    #[must_use]
    pub fn with_keys(mut self, keys: bool) -> Self {
        self.keys = keys;
        self
    }

    /// The command with `?` for its values.
    #[must_use]
    pub fn sanitize(self, command: &str, arguments: &[&[u8]]) -> String {
        if !is_command(command) {
            return "?".to_owned();
        }
        let mut text = command.to_owned();
        let upper = command.to_ascii_uppercase();
        let mut arguments = arguments;
        if let Some((first, rest)) = arguments.split_first()
            && let Some(sub_command) = sub_command(&upper, first)
        {
            text.push(' ');
            text.push_str(sub_command);
            arguments = rest;
        }
        if !self.keys {
            if !arguments.is_empty() {
                text.push_str(" ?");
            }
            return text;
        }
        let shape = shape(&upper);
        let mut hidden = false;
        for (index, argument) in arguments.iter().take(MOST_ARGUMENTS).enumerate() {
            let shown = shape.shows(index, arguments).then(|| printable(argument)).flatten();
            // Several values in a row are one `?`.
            if shown.is_none() && hidden {
                continue;
            }
            hidden = shown.is_none();
            text.push(' ');
            text.push_str(shown.unwrap_or("?"));
        }
        if arguments.len() > MOST_ARGUMENTS && !hidden {
            text.push_str(" ?");
        }
        text
    }
}

const MOST_ARGUMENTS: usize = 64;
const LONGEST_KEY: usize = 128;

/// Where the keys of a command are.
#[derive(Clone, Copy)]
enum Shape {
    /// All arguments are keys.
    Keys,
    /// The first so many are keys or fields, the rest values.
    First(usize),
    /// `key value key value`
    Pairs,
    /// `key field value field value`
    KeyAndPairs,
    /// `key field field`
    Fields,
    /// `script count key… value…`
    Script,
    /// Not known, or nothing to show.
    Hidden,
}

impl Shape {
    fn shows(self, index: usize, arguments: &[&[u8]]) -> bool {
        match self {
            Self::Keys | Self::Fields => true,
            Self::First(keys) => index < keys,
            Self::Pairs => index.is_multiple_of(2),
            Self::KeyAndPairs => index == 0 || index % 2 == 1,
            Self::Script => {
                let count = arguments.get(1).and_then(|count| std::str::from_utf8(count).ok()?.parse().ok());
                index >= 1 && count.is_some_and(|count: usize| index < 2 + count.min(MOST_ARGUMENTS))
            }
            Self::Hidden => false,
        }
    }
}

fn shape(command: &str) -> Shape {
    match command {
        "DEL" | "UNLINK" | "EXISTS" | "TOUCH" | "MGET" | "WATCH" | "SUNION" | "SINTER" | "SDIFF"
        | "SUNIONSTORE" | "SINTERSTORE" | "SDIFFSTORE" | "PFCOUNT" | "PFMERGE" | "RENAME" | "RENAMENX"
        | "RPOPLPUSH" => Shape::Keys,
        "HGET" | "HDEL" | "HEXISTS" | "HMGET" | "HSTRLEN" => Shape::Fields,
        "MSET" | "MSETNX" => Shape::Pairs,
        "HSET" | "HMSET" | "HSETNX" => Shape::KeyAndPairs,
        "HINCRBY" | "HINCRBYFLOAT" | "SMOVE" | "LMOVE" | "COPY" | "ZRANGESTORE" => Shape::First(2),
        "EVALSHA" | "EVALSHA_RO" | "EVAL" | "EVAL_RO" | "FCALL" | "FCALL_RO" => Shape::Script,
        "GET" | "SET" | "SETEX" | "PSETEX" | "SETNX" | "GETSET" | "GETDEL" | "GETEX" | "GETRANGE"
        | "SETRANGE" | "APPEND" | "STRLEN" | "INCR" | "INCRBY" | "INCRBYFLOAT" | "DECR" | "DECRBY"
        | "EXPIRE" | "PEXPIRE" | "EXPIREAT" | "PEXPIREAT" | "TTL" | "PTTL" | "PERSIST" | "TYPE" | "DUMP"
        | "RESTORE" | "MOVE" | "SETBIT" | "GETBIT" | "BITCOUNT" | "BITFIELD" | "BITPOS" | "HGETALL"
        | "HKEYS" | "HVALS" | "HLEN" | "HSCAN" | "HRANDFIELD" | "LPUSH" | "RPUSH" | "LPUSHX" | "RPUSHX"
        | "LPOP" | "RPOP" | "LLEN" | "LRANGE" | "LINDEX" | "LSET" | "LINSERT" | "LREM" | "LTRIM" | "LPOS"
        | "SADD" | "SREM" | "SCARD" | "SMEMBERS" | "SISMEMBER" | "SMISMEMBER" | "SPOP" | "SRANDMEMBER"
        | "SSCAN" | "ZADD" | "ZREM" | "ZCARD" | "ZCOUNT" | "ZINCRBY" | "ZRANGE" | "ZRANGEBYSCORE"
        | "ZRANGEBYLEX" | "ZREVRANGE" | "ZREVRANGEBYSCORE" | "ZRANK" | "ZREVRANK" | "ZSCORE" | "ZMSCORE"
        | "ZPOPMIN" | "ZPOPMAX" | "ZREMRANGEBYRANK" | "ZREMRANGEBYSCORE" | "ZSCAN" | "GEOADD" | "GEODIST"
        | "GEOPOS" | "GEOHASH" | "GEOSEARCH" | "PFADD" | "XADD" | "XLEN" | "XRANGE" | "XREVRANGE"
        | "XDEL" | "XTRIM" | "XACK" | "SORT" | "PUBLISH" | "SPUBLISH" | "SUBSCRIBE" | "PSUBSCRIBE" => {
            Shape::First(1)
        }
        _ => Shape::Hidden,
    }
}

/// The second word of the commands that have two.
fn sub_command(command: &str, argument: &[u8]) -> Option<&'static str> {
    const KNOWN: [&str; 33] = [
        "CAT",
        "COUNT",
        "CREATE",
        "CREATECONSUMER",
        "DELUSER",
        "DESTROY",
        "DOCTOR",
        "ENCODING",
        "EXISTS",
        "FLUSH",
        "FREQ",
        "GET",
        "GETNAME",
        "GETUSER",
        "HELP",
        "ID",
        "IDLETIME",
        "INFO",
        "KILL",
        "LIST",
        "LOAD",
        "NUMPAT",
        "NUMSUB",
        "REFCOUNT",
        "RESET",
        "RESETSTAT",
        "REWRITE",
        "SET",
        "SETINFO",
        "SETNAME",
        "SETUSER",
        "TRACKING",
        "USAGE",
    ];
    const CONTAINERS: [&str; 15] = [
        "ACL", "CLIENT", "CLUSTER", "COMMAND", "CONFIG", "FUNCTION", "LATENCY", "MEMORY", "MODULE", "OBJECT",
        "PUBSUB", "SCRIPT", "SLOWLOG", "XGROUP", "XINFO",
    ];
    if !CONTAINERS.contains(&command) {
        return None;
    }
    KNOWN.into_iter().find(|known| argument.eq_ignore_ascii_case(known.as_bytes()))
}

/// A command's name, also of a module: `JSON.GET`. What else comes in its place may be anything.
fn is_command(command: &str) -> bool {
    (1..=32).contains(&command.len())
        && command.bytes().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'.' | b'_'))
}

fn printable(argument: &[u8]) -> Option<&str> {
    let printable =
        argument.len() <= LONGEST_KEY && !argument.is_empty() && argument.iter().all(u8::is_ascii_graphic);
    std::str::from_utf8(argument).ok().filter(|_| printable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table() {
        // The command, without its keys, with them.
        let cases = [
            ("GET session:1", "GET ?", "GET session:1"),
            ("SET user:1 s3cret EX 60", "SET ?", "SET user:1 ?"),
            ("HMSET myhash field1 s3cret field2 s3cret", "HMSET ?", "HMSET myhash field1 ? field2 ?"),
            ("MSET a s3cret b s3cret", "MSET ?", "MSET a ? b ?"),
            ("AUTH s3cret", "AUTH ?", "AUTH ?"),
            ("AUTH joe s3cret", "AUTH ?", "AUTH ?"),
            ("HELLO 3 AUTH joe s3cret", "HELLO ?", "HELLO ?"),
            ("CONFIG SET requirepass s3cret", "CONFIG SET ?", "CONFIG SET ?"),
            ("ACL SETUSER joe >s3cret", "ACL SETUSER ?", "ACL SETUSER ?"),
            ("ACL s3cret", "ACL ?", "ACL ?"),
            ("client setname s3cret", "client SETNAME ?", "client SETNAME ?"),
            ("MIGRATE host 6379 key 0 5000 AUTH s3cret", "MIGRATE ?", "MIGRATE ?"),
            ("EVAL s3cret 2 k1 k2 s3cret s3cret", "EVAL ?", "EVAL ? 2 k1 k2 ?"),
            ("EVAL s3cret x k1", "EVAL ?", "EVAL ?"),
            ("EVAL s3cret 99999999999999999999 k1", "EVAL ?", "EVAL ?"),
            ("SADD tags s3cret s3cret", "SADD ?", "SADD tags ?"),
            ("HGET h f", "HGET ?", "HGET h f"),
            ("PING", "PING", "PING"),
            ("JSON.SET doc $ s3cret", "JSON.SET ?", "JSON.SET ?"),
            ("s3cret", "?", "?"),
            ("NOSUCH s3cret", "NOSUCH ?", "NOSUCH ?"),
        ];
        for (command, hidden, shown) in cases {
            let mut words = command.split(' ');
            let name = words.next().unwrap();
            let arguments: Vec<_> = words.map(str::as_bytes).collect();
            assert_eq!(sanitize(name, &arguments), hidden);
            assert_eq!(RedisRules::new().with_keys(true).sanitize(name, &arguments), shown);
        }
    }

    #[test]
    fn odd_keys_do_not_come_out() {
        let rules = RedisRules::new().with_keys(true);
        let long = "k".repeat(LONGEST_KEY + 1);
        for key in ["", "a b", "a\nb", "é", "\u{0}", &long] {
            assert_eq!(rules.sanitize("GET", &[key.as_bytes()]), "GET ?");
        }
        let many: Vec<&[u8]> = vec![b"k"; 1000];
        assert_eq!(rules.sanitize("DEL", &many).len(), "DEL".len() + 2 * MOST_ARGUMENTS + 2);
        assert_eq!(rules.sanitize("", &[]), "?");
    }
}
