//! How a command or a pipeline has ended.

use std::future::ready;

use redis::aio::ConnectionLike;
use redis::{Cmd, ErrorKind, Pipeline, RedisError, RedisFuture, Value};

use crate::{DbFailure, DbOperation};

/// No code of an error is longer.
const LONGEST_CODE: usize = 32;

/// An answer may be an error of the server's.
pub(super) fn end(operation: DbOperation, refused: Option<DbFailure>) {
    match refused {
        Some(failure) => operation.fail(failure),
        None => operation.end(),
    }
}

/// The first of the errors inside counts, that of a transaction's commands too. A pipeline that ignores errors hands each of
/// them to the application as the result of its command: the call has not failed, and says the code alone.
pub(super) async fn end_pipeline(mut operation: DbOperation, pipeline: &Pipeline, answers: &[Value]) {
    let Some(failure) = answers.iter().find_map(refused) else { return operation.end() };
    // The crate `redis` shows nowhere what a pipeline ignores, but its own reading of the answers does.
    if pipeline.query_async::<Value>(&mut Answered(answers)).await.is_err() {
        return operation.fail(failure);
    }
    if let Some(code) = failure.status_code {
        operation.set_status_code(code);
    }
    operation.end();
}

/// A connection to what was answered before.
struct Answered<'a>(&'a [Value]);

impl ConnectionLike for Answered<'_> {
    fn req_packed_command<'a>(&'a mut self, _: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(ready(Ok(Value::Nil)))
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        _: &'a Pipeline,
        _: usize,
        _: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(ready(Ok(self.0.to_vec())))
    }

    fn get_db(&self) -> i64 {
        0
    }
}

/// The crate `redis` makes an error of any that is inside of an answer. Its parser bounds how deep that is.
pub(super) fn refused(value: &Value) -> Option<DbFailure> {
    match value {
        Value::ServerError(error) => Some(refusal(error.code())),
        Value::Array(values) | Value::Set(values) | Value::Push { data: values, .. } => {
            values.iter().find_map(refused)
        }
        Value::Map(pairs) => pairs.iter().find_map(|(key, value)| refused(key).or_else(|| refused(value))),
        Value::Attribute { data, .. } => refused(data),
        _ => None,
    }
}

/// "The first upper-case word after the `-` [...] represents the kind of error returned": a script may answer anything there.
/// <https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors>
fn refusal(code: &str) -> DbFailure {
    let is_of_code = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    match !code.is_empty() && code.len() <= LONGEST_CODE && code.bytes().all(is_of_code) {
        true => DbFailure::with_code(code.to_owned()),
        false => DbFailure::new("database"),
    }
}

/// The prefix of the server's error, `WRONGTYPE`, or the class of the client's. Texts stay out: they quote values.
pub(super) fn failure_of(error: &RedisError) -> DbFailure {
    if let Some(code) = error.code() {
        return refusal(code);
    }
    if error.is_timeout() {
        return DbFailure::TIMEOUT;
    }
    if error.is_connection_refusal() {
        return DbFailure::new("connect");
    }
    if error.is_connection_dropped() || error.is_io_error() {
        return DbFailure::new("connection_lost");
    }
    match error.kind() {
        ErrorKind::Parse | ErrorKind::UnexpectedReturnType => DbFailure::new("decode"),
        ErrorKind::AuthenticationFailed => DbFailure::new("authentication"),
        ErrorKind::InvalidClientConfig => DbFailure::new("configuration"),
        _ => DbFailure::OTHER,
    }
}
