//! The trace context in a comment of the statement, for the database's own logs: <https://google.github.io/sqlcommenter/spec/>

use std::fmt::Write;

use opentelemetry::Context;
use opentelemetry::propagation::Injector;
use opentelemetry::trace::TraceContextExt;
use otel_core::Providers;

/// Which statements carry their trace context in a comment, `/*traceparent='00-..-..-01'*/`.
///
/// Every call has another one, so a statement with a comment is a new one for whatever caches by the text: prepared
/// statements of a connection, plans of some databases, and statistics such as `pg_stat_statements` of old versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SqlComments {
    /// Those that no connection keeps as a prepared statement.
    Unprepared,
    /// All of them. What would have been prepared and kept is prepared anew for each call.
    All,
}

/// The longest value that is written: `tracestate` may hold 512 characters, three times as many when they are encoded.
const LONGEST: usize = 2048;

/// `text` with the comment behind it; `None` if there is nothing to say, or the text has a comment already.
pub(crate) fn with_comment(text: &str, providers: &Providers, context: &Context) -> Option<String> {
    // "If a comment already exists within a statement, we MUST NOT mutate that statement."
    if text.contains("/*") || text.contains("--") || !context.span().span_context().is_valid() {
        return None;
    }
    let mut fields = Fields::default();
    providers.inject(context, &mut fields);
    let Fields { trace_parent: Some(trace_parent), trace_state } = fields else { return None };
    // Behind a semicolon the comment would be a statement of its own for some. Others want one: a MERGE of SQL Server's, a
    // block of PL/SQL.
    let statement = text.trim_end_matches(|end: char| end == ';' || end.is_whitespace());
    let end = if text[statement.len()..].contains(';') { ";" } else { "" };
    let mut commented = String::with_capacity(statement.len() + 96);
    let _ = write!(commented, "{statement} /*traceparent='{}'", encoded(&trace_parent));
    if let Some(trace_state) = trace_state.map(|value| encoded(&value)).filter(|value| !value.is_empty()) {
        let _ = write!(commented, ",tracestate='{trace_state}'");
    }
    commented.push_str("*/");
    commented.push_str(end);
    Some(commented)
}

/// What of the context goes into a comment: no baggage, which may be anybody's.
#[derive(Default)]
struct Fields {
    trace_parent: Option<String>,
    trace_state: Option<String>,
}

impl Injector for Fields {
    fn set(&mut self, key: &str, value: String) {
        match key {
            "traceparent" => self.trace_parent = Some(value),
            "tracestate" => self.trace_state = Some(value),
            _ => {}
        }
    }
}

/// Everything but letters, digits and `-_.~` as `%XX`: no value can end the comment, a quote, or anything else.
fn encoded(value: &str) -> String {
    let mut encoded = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    if encoded.len() > LONGEST { String::new() } else { encoded }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};
    use opentelemetry_sdk::propagation::TraceContextPropagator;

    use super::*;

    fn context(state: TraceState) -> Context {
        let (trace, span) = (TraceId::from(7), SpanId::from(8));
        Context::new().with_remote_span_context(SpanContext::new(
            trace,
            span,
            TraceFlags::SAMPLED,
            true,
            state,
        ))
    }

    #[test]
    fn the_comment_stands_before_the_semicolon() {
        let mut providers = Providers::default();
        providers.set_propagator(TraceContextPropagator::new());
        let comment = "/*traceparent='00-00000000000000000000000000000007-0000000000000008-01'*/";
        for (text, expected) in [
            ("SELECT 1", format!("SELECT 1 {comment}")),
            ("SELECT 1\n", format!("SELECT 1 {comment}")),
            // SQL Server refuses a MERGE, and Oracle a block, without it.
            ("MERGE t USING u ON 1 = 1 WHEN MATCHED THEN DELETE;", {
                format!("MERGE t USING u ON 1 = 1 WHEN MATCHED THEN DELETE {comment};")
            }),
            ("BEGIN p; END; ;\n", format!("BEGIN p; END {comment};")),
        ] {
            let commented = with_comment(text, &providers, &context(TraceState::NONE));
            assert_eq!(commented, Some(expected), "{text}");
        }
        for untouched in ["SELECT 1 /* mine */", "SELECT 1 -- mine"] {
            assert_eq!(with_comment(untouched, &providers, &context(TraceState::NONE)), None);
        }
        assert_eq!(with_comment("SELECT 1", &providers, &Context::new()), None, "no trace");
    }

    /// Whoever calls us chooses the state of the trace.
    #[test]
    fn a_hostile_trace_state_stays_inside_of_the_comment() {
        let mut providers = Providers::default();
        providers.set_propagator(TraceContextPropagator::new());
        let state = TraceState::from_key_value([("a", "*/;DROP TABLE t;/*'x'%27\\")]).unwrap();
        let commented = with_comment("SELECT 1", &providers, &context(state)).unwrap();
        let (_, state) = commented.split_once(",tracestate='").unwrap();
        let state = state.strip_suffix("'*/").unwrap();
        assert!(state.starts_with("a%3D%2A%2F%3BDROP"), "{state}");
        assert!(state.chars().all(|c| c.is_ascii_alphanumeric() || "-_.~%".contains(c)), "{state}");
    }

    #[test]
    fn nothing_gets_out_of_the_comment() {
        for hostile in ["*/ DROP TABLE songs; --", "'", "\\'", "%27", "\0", "é", "a'*/b", "\n"] {
            let encoded = encoded(hostile);
            let is_safe = |c: char| c.is_ascii_alphanumeric() || "-_.~%".contains(c);
            assert!(encoded.chars().all(is_safe), "{hostile:?} became {encoded:?}");
        }
        assert_eq!(encoded("congo=t61rcWkgMzE"), "congo%3Dt61rcWkgMzE");
        assert_eq!(encoded(&"=".repeat(1_000)), "", "too long");
    }
}
