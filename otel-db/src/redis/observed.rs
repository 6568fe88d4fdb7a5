//! A connection and its options.

use std::borrow::Cow;
use std::fmt;

use redis::aio::ConnectionLike;
use redis::{Arg, Cmd, ConnectionAddr, ConnectionInfo, Pipeline, RedisFuture, Value};

use super::cache::Lookup;
use super::outcome::{end, end_pipeline, failure_of, refused};
use super::script::Script;
use crate::client::DbOptions;
use crate::request::{PIPELINE, TRANSACTION};
use crate::{DbClient, DbClientBuilder, DbOperation, DbSystem};

/// A connection of the crate `redis` whose commands are observed.
///
/// ```
/// # async fn example() -> redis::RedisResult<()> {
/// use redis::AsyncCommands;
///
/// let client = redis::Client::open("redis://cache.internal/0")?;
/// let connection = client.get_multiplexed_async_connection().await?;
/// let db = otel_db::redis::client_builder(client.get_connection_info()).build();
/// let mut cache = otel_db::redis::Connection::new(connection, &db);
/// let name: Option<String> = cache.get("song:7").await?;
/// # Ok(())
/// # }
/// ```
///
/// It clones if the connection does. Commands that ask for values count hits and misses.
#[derive(Clone)]
pub struct Connection<C> {
    inner: C,
    client: DbClient,
}

impl<C> Connection<C> {
    /// Observes a connection, as calls of `client`.
    #[must_use]
    pub fn new(inner: C, client: &DbClient) -> Self {
        Self { inner, client: client.clone() }
    }

    /// The client whose calls these are: for calls of your own with the [`inner`](Self::inner) connection.
    #[must_use]
    pub fn client(&self) -> &DbClient {
        &self.client
    }

    /// The connection itself. What is done with it is not observed.
    pub fn inner(&mut self) -> &mut C {
        &mut self.inner
    }

    /// As [`inner`](Self::inner), without the wrapper.
    #[must_use]
    pub fn into_inner(self) -> C {
        self.inner
    }
}

impl<C> fmt::Debug for Connection<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("client", &self.client).finish_non_exhaustive()
    }
}

/// Options of a client with the address, the port and the number of the database of a connection, for [`Connection::new`];
/// never with its user or password.
pub fn client_builder(info: &ConnectionInfo) -> DbClientBuilder {
    let mut options = DbOptions::new(DbSystem::REDIS);
    match info.addr() {
        ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
            options.server_address = Some(host.clone());
            options.server_port = Some(*port);
        }
        ConnectionAddr::Unix(path) => options.server_address = path.to_str().map(ToOwned::to_owned),
        _ => {}
    }
    options.namespace = Some(info.redis_settings().db().to_string());
    DbClientBuilder::from_options(options)
}

impl<C: ConnectionLike + Send> ConnectionLike for Connection<C> {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(async move {
            let name = name_of(command);
            let mut operation = self.start(&name, command);
            let answer = operation.observe(self.inner.req_packed_command(command)).await;
            if let Ok(answer) = &answer {
                self.note_lookup(&mut operation, Lookup::of(&name, answer));
            }
            match &answer {
                Ok(value) => end(operation, refused(value)),
                Err(error) => operation.fail(failure_of(error)),
            }
            answer
        })
    }

    #[doc(hidden)]
    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(async move {
            let mut operation = self.start_pipeline(pipeline);
            let answer = operation.observe(self.inner.req_packed_commands(pipeline, offset, count)).await;
            match &answer {
                Ok(answers) => {
                    self.note_lookup(&mut operation, pipeline_lookup(pipeline, answers));
                    end_pipeline(operation, pipeline, answers).await;
                }
                Err(error) => operation.fail(failure_of(error)),
            }
            answer
        })
    }

    fn get_db(&self) -> i64 {
        self.inner.get_db()
    }
}

impl<C> Connection<C> {
    fn start(&self, name: &str, command: &Cmd) -> DbOperation {
        let values = command.args_iter().skip(1).map(|argument| match argument {
            Arg::Simple(value) => value,
            _ => b"",
        });
        let text = crate::query_text::redis::sanitize(name, &values.collect::<Vec<_>>());
        let call = self.client.operation(name).with_safe_query_text(text);
        match Script::of(name, command) {
            Some(Script::Function(function)) => call.with_stored_procedure(function).start(),
            // A service may make a script for each call, so digests are in no name and no metric.
            Some(Script::Digest(digest)) => {
                let mut operation = call.start();
                operation.set_attribute("db.stored_procedure.name", digest);
                operation
            }
            None => call.start(),
        }
    }

    /// "If the individual operations are known to have the same command then that command SHOULD be used prepended by `MULTI `
    /// or `PIPELINE `. Otherwise `db.operation.name` SHOULD be `MULTI` or `PIPELINE`." One command in a pipeline is a call of
    /// its own.
    fn start_pipeline(&self, pipeline: &Pipeline) -> DbOperation {
        let mut names = pipeline.cmd_iter().map(name_of);
        let shared = names.next().filter(|first| names.all(|name| name == *first));
        let name = match (pipeline.is_transaction(), shared) {
            (true, Some(shared)) => format!("{TRANSACTION} {shared}").into(),
            (true, None) => Cow::Borrowed(TRANSACTION),
            (false, Some(shared)) => shared,
            (false, None) => Cow::Borrowed(PIPELINE),
        };
        self.client.operation(name).with_batch_size(pipeline.len()).start()
    }

    fn note_lookup(&self, operation: &mut DbOperation, lookup: Option<Lookup>) {
        let Some(lookup) = lookup else { return };
        if lookup.hits + lookup.misses == 1 {
            operation.set_attribute("otel_db.cache.hit", lookup.hits == 1);
        }
        self.client.count_lookups(lookup.hits, lookup.misses);
    }
}

/// No command is longer.
const LONGEST_NAME: usize = 32;

/// The command's name, in capitals: one of few, as long as it is a name at all.
fn name_of(command: &Cmd) -> Cow<'static, str> {
    let Some(Arg::Simple(name)) = command.args_iter().next() else { return Cow::Borrowed("UNKNOWN") };
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    match std::str::from_utf8(name) {
        Ok(text) if !name.is_empty() && name.len() <= LONGEST_NAME && name.iter().all(is_name) => {
            Cow::Owned(text.to_ascii_uppercase())
        }
        _ => Cow::Borrowed("UNKNOWN"),
    }
}

fn pipeline_lookup(pipeline: &Pipeline, answers: &[Value]) -> Option<Lookup> {
    if pipeline.is_transaction() || answers.len() != pipeline.len() {
        return None;
    }
    let mut sum = None;
    for (command, answer) in pipeline.cmd_iter().zip(answers) {
        if let Some(lookup) = Lookup::of(&name_of(command), answer) {
            sum.get_or_insert_with(Lookup::default).add(lookup);
        }
    }
    sum
}
