//! diesel 2.2 and later: its instrumentation hook.

use std::fmt::{self, Write as _};

use diesel::connection::{Instrumentation as DieselInstrumentation, InstrumentationEvent};
use diesel::result::{DatabaseErrorKind, Error};

use crate::{DbClient, DbFailure, DbOperation};

/// Observes the statements of a connection of diesel.
///
/// ```
/// use diesel::{Connection, SqliteConnection};
/// use otel_db::{DbClient, DbSystem, diesel::Instrumentation};
///
/// let db = DbClient::new(DbSystem::SQLITE);
/// let mut connection = SqliteConnection::establish(":memory:")?;
/// connection.set_instrumentation(Instrumentation::new(&db));
/// # Ok::<(), diesel::ConnectionError>(())
/// ```
///
/// diesel calls it before and after a statement, on the thread that runs it. It shows a statement together with its binds;
/// those are cut off before anything else looks at the text. diesel's errors have kinds and no codes: `unique_violation`.
pub struct Instrumentation {
    client: DbClient,
    running: Option<DbOperation>,
    /// The query that goes on once `running`, the lookup of a type, has ended.
    waiting: Option<DbOperation>,
}

impl Instrumentation {
    /// Statements become calls of `client`.
    #[must_use]
    pub fn new(client: &DbClient) -> Self {
        Self { client: client.clone(), running: None, waiting: None }
    }
}

impl DieselInstrumentation for Instrumentation {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        match event {
            InstrumentationEvent::StartQuery { query, .. } => {
                let mut text = WithoutBinds(String::new());
                // It fails when there is no more to write.
                let _ = write!(text, "{query}");
                // Of a query that could not bind its values diesel tells no end: any other query shows that it is over.
                self.waiting = self.running.take().filter(|_| text.looks_up_type());
                self.running = Some(self.client.query(text.sql()).start());
            }
            InstrumentationEvent::FinishQuery { error, .. } => {
                let Some(operation) = std::mem::replace(&mut self.running, self.waiting.take()) else {
                    return;
                };
                match error {
                    // No row is an answer.
                    None | Some(Error::NotFound) => operation.end(),
                    Some(error) => operation.fail(failure_of(error)),
                }
            }
            InstrumentationEvent::StartEstablishConnection { .. } => {
                self.running = Some(self.client.operation("CONNECT").with_summary("CONNECT").start());
            }
            InstrumentationEvent::FinishEstablishConnection { error, .. } => {
                let Some(operation) = self.running.take() else { return };
                match error {
                    None => operation.end(),
                    Some(_) => operation.fail(DbFailure::new("connect")),
                }
            }
            // The statements of transactions come as queries too.
            _ => {}
        }
    }
}

impl fmt::Debug for Instrumentation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instrumentation").field("client", &self.client).finish_non_exhaustive()
    }
}

/// What diesel writes between a statement and its binds.
const BINDS: &str = " -- binds: ";

/// Longer ones are not looked at: their text is left out, and so is the rest here.
const LONGEST: usize = 32 * 1024;

/// Takes text up to the binds. A statement with these very words in a literal is cut there, which leaves its text out.
struct WithoutBinds(String);

impl WithoutBinds {
    fn sql(&self) -> &str {
        self.0.split(BINDS).next().unwrap_or_default()
    }

    /// Whether it asks PostgreSQL for the number of a type, which diesel does between the start and the end of the query that
    /// binds a value of it.
    fn looks_up_type(&self) -> bool {
        self.sql().contains("pg_type")
    }
}

impl fmt::Write for WithoutBinds {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.push_str(text);
        let is_enough = self.0.len() > LONGEST || self.0.contains(BINDS);
        if is_enough { Err(fmt::Error) } else { Ok(()) }
    }
}

fn failure_of(error: &Error) -> DbFailure {
    match error {
        Error::DatabaseError(kind, _) => DbFailure::new(match kind {
            DatabaseErrorKind::UniqueViolation => "unique_violation",
            DatabaseErrorKind::ForeignKeyViolation => "foreign_key_violation",
            DatabaseErrorKind::NotNullViolation => "not_null_violation",
            DatabaseErrorKind::CheckViolation => "check_violation",
            DatabaseErrorKind::ExclusionViolation => "exclusion_violation",
            DatabaseErrorKind::RestrictViolation => "restrict_violation",
            DatabaseErrorKind::SerializationFailure => "serialization_failure",
            DatabaseErrorKind::ReadOnlyTransaction => "read_only_transaction",
            DatabaseErrorKind::ClosedConnection => "connection_lost",
            DatabaseErrorKind::UnableToSendCommand => "connection_lost",
            _ => "database",
        }),
        Error::QueryBuilderError(_) | Error::SerializationError(_) | Error::InvalidCString(_) => {
            DbFailure::new("encode")
        }
        Error::DeserializationError(_) => DbFailure::new("decode"),
        _ => DbFailure::OTHER,
    }
}
