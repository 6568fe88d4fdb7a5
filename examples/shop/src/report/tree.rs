//! A trace as a tree: every span under its parent, every log under its span, in the order of time.

use std::fmt::Write;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::Paint;
use super::trace::{Kind, Log, Span, Trace};

/// Where the kinds begin: in line with those of other trees where the names leave room, and further right where they do not,
/// up to a limit.
const NAME_WIDTHS: RangeInclusive<usize> = 52..=76;

/// A level of the tree.
const BRANCH_WIDTH: usize = 3;

/// The attributes worth a place in the tree. Of others the collector knows.
const SHOWN: [&str; 10] = [
    "error.type",
    "app.outcome",
    "app.error.retryable",
    "customer.tier",
    "shop.order.id",
    "shop.amount.cents",
    "shop.channel",
    "url.full",
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.output_tokens",
];

/// Draws a trace.
pub(crate) fn tree(trace: &Trace, paint: Paint) -> String {
    let widest = trace.tops().map(|top| width(trace, top, 0)).max().unwrap_or(0);
    let name_width = widest.clamp(*NAME_WIDTHS.start(), *NAME_WIDTHS.end());
    let mut drawing = Drawing { trace, paint, name_width, out: String::new() };
    let services = trace.services().len();
    let services = format!("{services} service{}", if services == 1 { "" } else { "s" });
    let head = format!("trace {}  {services}  {}", trace.id, milliseconds(trace.duration()));
    drawing.line(&paint.bold(head));
    for top in trace.tops() {
        if let Some(parent) = &top.parent {
            drawing.line(
                &paint.faint(format!("(called from span {parent}, which was not received: a browser)")),
            );
        }
        drawing.span(top, "", "");
    }
    drawing.out
}

fn name(span: &Span) -> String {
    format!("{} {}", span.service, span.name)
}

/// The width of the widest name in a tree, with the branches before it.
fn width(trace: &Trace, span: &Span, depth: usize) -> usize {
    let own = BRANCH_WIDTH * depth + name(span).chars().count();
    trace.children(span).map(|child| width(trace, child, depth + 1)).fold(own, usize::max)
}

enum Entry<'t> {
    Span(&'t Span),
    Log(&'t Log),
}

struct Drawing<'t> {
    trace: &'t Trace,
    paint: Paint,
    name_width: usize,
    out: String,
}

impl<'t> Drawing<'t> {
    fn line(&mut self, line: &str) {
        self.out.push_str(line.trim_end());
        self.out.push('\n');
    }

    /// `branch` stands before the span itself, `stem` before all that is below.
    fn span(&mut self, span: &'t Span, branch: &str, stem: &str) {
        let line = self.describe(span, branch);
        self.line(&line);
        let entries = self.entries_below(span);
        // The line down from a span goes on as far as its last child.
        let last_child = entries.iter().rposition(|entry| matches!(entry, Entry::Span(_)));
        let is_above_last = |index| last_child.is_some_and(|last| index < last);
        for (trace_id, span_id) in &span.links {
            let line = if last_child.is_some() { "│ " } else { "  " };
            let link = self.paint.cyan(format!("~ comes from span {span_id} of trace {trace_id}"));
            self.line(&format!("{stem}{line}{link}"));
        }
        for (index, entry) in entries.iter().enumerate() {
            match entry {
                Entry::Log(log) => {
                    let line = if is_above_last(index) { "│ " } else { "  " };
                    let line = self.describe_log(log, &format!("{stem}{line}"));
                    self.line(&line);
                }
                Entry::Span(child) => {
                    let (branch, below) =
                        if is_above_last(index) { ("├─ ", "│  ") } else { ("└─ ", "   ") };
                    self.span(child, &format!("{stem}{branch}"), &format!("{stem}{below}"));
                }
            }
        }
    }

    /// Children and logs of a span, in the order of time.
    fn entries_below(&self, span: &'t Span) -> Vec<Entry<'t>> {
        let trace = self.trace;
        let mut entries: Vec<(u64, Entry<'t>)> = Vec::new();
        entries.extend(trace.children(span).map(|child| (child.start, Entry::Span(child))));
        entries.extend(trace.logs_of(span).map(|log| (log.time, Entry::Log(log))));
        entries.sort_by_key(|(time, _)| *time);
        entries.into_iter().map(|(_, entry)| entry).collect()
    }

    fn describe(&self, span: &Span, branch: &str) -> String {
        let (name, name_width) = (format!("{branch}{}", name(span)), self.name_width);
        let kind = kind(span.kind);
        let duration = milliseconds(span.duration());
        let status = span.attribute("http.response.status_code").unwrap_or("-");
        let failed = if span.failed { self.paint.red("ERROR") } else { "     ".to_owned() };
        let attributes = self.paint.faint(shown(span.attributes.iter()));
        format!("{name:<name_width$} {kind:<8} {duration:>10}  {status:>3} {failed} {attributes}")
    }

    fn describe_log(&self, log: &Log, stem: &str) -> String {
        let severity = match log.severity.as_str() {
            "ERROR" | "FATAL" => self.paint.red(&log.severity),
            "WARN" => self.paint.yellow(&log.severity),
            _ => log.severity.clone(),
        };
        format!("{stem}* {severity} {}  {}", log.message, self.paint.faint(shown(log.attributes.iter())))
    }
}

fn shown<'a>(attributes: impl Iterator<Item = (&'a String, &'a String)>) -> String {
    attributes.filter(|(key, _)| SHOWN.contains(&key.as_str())).fold(
        String::new(),
        |mut text, (key, value)| {
            let _ = write!(text, "{}{key}={value}", if text.is_empty() { "" } else { " " });
            text
        },
    )
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Internal => "internal",
        Kind::Server => "server",
        Kind::Client => "client",
        Kind::Producer => "producer",
        Kind::Consumer => "consumer",
    }
}

/// A duration as people read it.
pub(super) fn milliseconds(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn spans_stand_under_their_parents_and_logs_at_their_time() {
        let mut client = Span::sample("gateway", "2", Some("1"), Kind::Client);
        client.failed = true;
        client.attributes.insert("http.response.status_code".to_owned(), "402".to_owned());
        client.attributes.insert("error.type".to_owned(), "402".to_owned());
        client.attributes.insert("network.protocol.version".to_owned(), "1.1".to_owned());
        let mut server = Span::sample("payments", "3", Some("2"), Kind::Server);
        server.links = vec![("cafe".to_owned(), "7".to_owned())];
        let late = Span::sample("gateway", "8", Some("1"), Kind::Internal);
        let log = |span_id: &str, time| Log {
            service: "payments".to_owned(),
            trace_id: "order".to_owned(),
            span_id: span_id.to_owned(),
            time,
            severity: "WARN".to_owned(),
            message: "declined".to_owned(),
            attributes: BTreeMap::from([("error.type".to_owned(), "card_declined".to_owned())]),
        };
        let root = Span::sample("gateway", "1", Some("b"), Kind::Server);
        let logs = [log("3", 3_500_000), log("1", 5_000_000)];
        let traces = Trace::assemble([late, server, client, root], logs);
        let drawn: Vec<String> = tree(&traces[0], Paint::plain()).lines().map(str::to_owned).collect();
        assert_eq!(
            drawn,
            [
                "trace order  2 services  19.0 ms",
                "(called from span b, which was not received: a browser)",
                "gateway GET /                                        server      19.0 ms    -",
                "├─ gateway GET                                       client      18.0 ms  402 ERROR error.type=402",
                "│  └─ payments GET /                                 server      17.0 ms    -",
                "│       ~ comes from span 7 of trace cafe",
                "│       * WARN declined  error.type=card_declined",
                "│ * WARN declined  error.type=card_declined",
                "└─ gateway GET                                       internal    12.0 ms    -",
            ]
        );
    }

    #[test]
    fn long_names_move_the_columns_of_their_tree_up_to_a_limit() {
        for (length, kind_at) in [(10, 53), (56, 68), (200, 77)] {
            let mut child = Span::sample("gateway", "2", Some("1"), Kind::Client);
            child.name = "n".repeat(length);
            let root = Span::sample("gateway", "1", None, Kind::Server);
            let drawn = tree(&Trace::assemble([root, child], [])[0], Paint::plain());
            assert_eq!(drawn.lines().nth(1).and_then(|line| line.find("server")), Some(kind_at), "{drawn}");
        }
    }
}
