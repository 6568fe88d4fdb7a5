//! What a trace should be: which captured span stands for which expected one.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::ptr;
use std::sync::Arc;

use super::{ExpectedSpan, closest};
use crate::ReceivedSpan;
use crate::captured::Captured;

/// What a whole trace should be. Made by [`assert_trace!`](crate::assert_trace!) and
/// [`trace_tree!`](crate::trace_tree!), or step by step.
#[derive(Clone, Debug)]
#[must_use = "give it to assert_trace"]
pub struct ExpectedTrace {
    span: ExpectedSpan,
    children: Vec<ExpectedTrace>,
    any_order: bool,
    others: bool,
}

/// What was compared so far.
struct Search<'a> {
    captured: &'a Captured,
    children: HashMap<(&'a str, &'a str), Vec<&'a Arc<ReceivedSpan>>>,
    known: RefCell<HashMap<(*const ExpectedTrace, *const ReceivedSpan), Vec<String>>>,
}

impl ExpectedTrace {
    /// A span, so far without children.
    pub fn new(span: impl Into<ExpectedSpan>) -> Self {
        Self { span: span.into(), children: Vec::new(), any_order: false, others: false }
    }

    /// With one more child.
    pub fn child(mut self, child: Self) -> Self {
        self.children.push(child);
        self
    }

    /// The children may have started in any order.
    pub fn in_any_order(mut self) -> Self {
        self.any_order = true;
        self
    }

    /// There may be children that are not listed.
    pub fn and_others(mut self) -> Self {
        self.others = true;
        self
    }

    /// `None` if a captured trace is as expected, or else the differences of the one that is closest.
    pub(super) fn mismatch(&self, captured: &Captured) -> Option<String> {
        let traces = traces(captured);
        let search = Search { captured, children: captured.children(), known: RefCell::default() };
        let differences = |trace: &Vec<&Arc<ReceivedSpan>>| self.differences_of_trace(trace, &search);
        let distance = |trace: &Vec<&Arc<ReceivedSpan>>| {
            trace.first().map_or(0, |root| closest::name_distance(&root.name, self.span.name()))
        };
        let nearest = closest::closest(&traces, differences, distance);
        if nearest.as_ref().is_some_and(|(_, differences)| differences.is_empty()) {
            return None;
        }
        let mut message = "expected a trace like this, there is none:\n".to_owned();
        self.write_lines(1, &mut message);
        if let Some((trace, differences)) = nearest {
            let root = trace.first().map_or("", |root| root.name.as_str());
            let _ = writeln!(message, "the closest starts with {root:?}:");
            message.push_str(&closest::indented(&differences));
        }
        message.push_str(&self.describe_place(&traces, captured));
        Some(message)
    }

    /// As the tree is shown, with `..` where there may be others.
    fn write_lines(&self, depth: usize, into: &mut String) {
        let order =
            if self.any_order && self.children.len() > 1 { ", its children in any order" } else { "" };
        let _ = writeln!(into, "{}{}{order}", "  ".repeat(depth), self.span);
        for child in &self.children {
            child.write_lines(depth + 1, into);
        }
        if self.others {
            let _ = writeln!(into, "{}..", "  ".repeat(depth + 1));
        }
    }

    /// For who asks for a part of a trace.
    fn describe_place(&self, traces: &[Vec<&Arc<ReceivedSpan>>], captured: &Captured) -> String {
        let name = self.span.name();
        if traces.iter().flatten().any(|top| top.name == name) {
            return String::new();
        }
        let below = captured.spans.iter().filter(|span| span.name == name);
        match below.filter_map(|span| captured.parent(span)).next() {
            Some(parent) => {
                format!("{name:?} is there below {:?}: the tree must begin with the root\n", parent.name)
            }
            None => String::new(),
        }
    }

    fn differences_of_trace(&self, tops: &[&Arc<ReceivedSpan>], search: &Search<'_>) -> Vec<String> {
        let mut differences = Vec::new();
        let best = closest::closest(
            tops.iter().copied(),
            |top| self.differences(top, search),
            |top| closest::name_distance(&top.name, self.span.name()),
        );
        let Some((best, found)) = best else { return differences };
        differences.extend(found);
        // By its place: what was sent twice is there twice.
        let more = tops.iter().filter(|top| !ptr::eq(**top, best));
        differences.extend(more.map(|top| match top.parent_span_id {
            _ if top.span_id == best.span_id => format!("{:?} is there twice", top.name),
            Some(_) => format!("{:?} stands beside the root, its parent is missing", top.name),
            None => format!("{:?} stands beside the root, it has no parent", top.name),
        }));
        differences
    }

    /// Each line begins with the names from this span to the one that it is about. What was compared once is known: to find the
    /// children that fit, all are compared with all, and those below them again.
    fn differences(&self, span: &Arc<ReceivedSpan>, search: &Search<'_>) -> Vec<String> {
        let key = (ptr::from_ref(self), Arc::as_ptr(span));
        if let Some(known) = search.known.borrow().get(&key) {
            return known.clone();
        }
        let differences = self.compare(span, search);
        search.known.borrow_mut().insert(key, differences.clone());
        differences
    }

    fn compare(&self, span: &ReceivedSpan, search: &Search<'_>) -> Vec<String> {
        let path = &span.name;
        let own = self.span.differences(span, search.captured);
        let mut differences: Vec<String> = own.into_iter().map(|line| format!("{path}: {line}")).collect();
        let children = search.children.get(&(span.trace_id.as_str(), span.span_id.as_str()));
        let children = children.map_or(&[] as &[_], Vec::as_slice);
        let pairs = if self.any_order {
            self.pairs_in_any_order(children, search)
        } else {
            self.pairs_in_order(children, search)
        };
        for (expected, position) in self.children.iter().zip(&pairs) {
            match position {
                Some(position) => {
                    let below = expected.differences(children[*position], search);
                    differences.extend(below.into_iter().map(|line| format!("{path} > {line}")));
                }
                None => {
                    let left = (0..children.len()).filter(|position| !pairs.contains(&Some(*position)));
                    let closest = expected.describe_closest(left.map(|position| children[position]), search);
                    differences.push(format!("{path}: there is no child {}{closest}", expected.span));
                }
            }
        }
        if !self.others {
            let unexpected = (0..children.len()).filter(|position| !pairs.contains(&Some(*position)));
            differences.extend(
                unexpected.map(|position| format!("{path}: unexpected child {:?}", children[position].name)),
            );
        }
        if !self.any_order && !pairs.iter().flatten().is_sorted() {
            differences.push(format!("{path}: {}", self.describe_order(children)));
        }
        differences
    }

    /// Of the children that are not expected otherwise, the one that may be meant.
    fn describe_closest<'s>(
        &self,
        candidates: impl Iterator<Item = &'s Arc<ReceivedSpan>>,
        search: &Search<'_>,
    ) -> String {
        let nearest = closest::closest(
            candidates,
            |span| self.span.differences(span, search.captured),
            |span| closest::name_distance(&span.name, self.span.name()),
        );
        nearest.map_or_else(String::new, |(span, differences)| {
            format!("; the closest is {:?}: {}", span.name, differences.join(", "))
        })
    }

    fn is_met_by(&self, span: &Arc<ReceivedSpan>, search: &Search<'_>) -> bool {
        self.differences(span, search).is_empty()
    }

    /// For each expected child the position of the captured one. In order where that is possible; if not, in any order,
    /// so that the message can say that the order is wrong rather than that everything is.
    fn pairs_in_order(&self, children: &[&Arc<ReceivedSpan>], search: &Search<'_>) -> Vec<Option<usize>> {
        let mut next = 0;
        let mut pairs = Vec::new();
        for expected in &self.children {
            let found = (next..children.len()).find(|at| expected.is_met_by(children[*at], search));
            match found {
                Some(at) => {
                    next = at + 1;
                    pairs.push(Some(at));
                }
                None => return self.pairs_in_another_order(children, search),
            }
        }
        pairs
    }

    fn pairs_in_another_order(
        &self,
        children: &[&Arc<ReceivedSpan>],
        search: &Search<'_>,
    ) -> Vec<Option<usize>> {
        let pairs = self.pairs_in_any_order(children, search);
        match pairs.iter().flatten().is_sorted() {
            true => pairs,
            false => self.pairs_by_name(children).unwrap_or(pairs),
        }
    }

    /// Of siblings with one name it is no matter of order when they differ.
    fn pairs_by_name(&self, children: &[&Arc<ReceivedSpan>]) -> Option<Vec<Option<usize>>> {
        let mut rest = 0..children.len();
        let names = self.children.iter().map(|expected| expected.span.name());
        names.map(|name| rest.find(|at| children[*at].name == name).map(Some)).collect()
    }

    /// First everything that fits, by augmenting paths, then what is left by the fewest differences.
    fn pairs_in_any_order(&self, children: &[&Arc<ReceivedSpan>], search: &Search<'_>) -> Vec<Option<usize>> {
        let fits: Vec<Vec<usize>> = self
            .children
            .iter()
            .map(|expected| {
                (0..children.len()).filter(|at| expected.is_met_by(children[*at], search)).collect()
            })
            .collect();
        let mut owners: Vec<Option<usize>> = vec![None; children.len()];
        for expected in 0..self.children.len() {
            assign(expected, &fits, &mut owners, &mut vec![false; children.len()]);
        }
        let mut pairs: Vec<Option<usize>> = vec![None; self.children.len()];
        for (at, owner) in owners.iter().enumerate() {
            if let Some(owner) = owner {
                pairs[*owner] = Some(at);
            }
        }
        for (expected, pair) in self.children.iter().zip(0..) {
            if pairs[pair].is_none() {
                let same_name =
                    |at: &usize| !pairs.contains(&Some(*at)) && children[*at].name == expected.span.name();
                let nearest = (0..children.len())
                    .filter(same_name)
                    .min_by_key(|at| expected.differences(children[*at], search).len());
                pairs[pair] = nearest;
            }
        }
        pairs
    }

    fn describe_order(&self, children: &[&Arc<ReceivedSpan>]) -> String {
        let found: Vec<&str> = children.iter().map(|child| child.name.as_str()).collect();
        let expected: Vec<&str> = self.children.iter().map(|child| child.span.name()).collect();
        format!("its children started in the order {found:?}, expected {expected:?}")
    }
}

/// Finds a place for `expected`, moving others that have another choice (Kuhn's algorithm).
fn assign(expected: usize, fits: &[Vec<usize>], owners: &mut [Option<usize>], tried: &mut [bool]) -> bool {
    for &at in &fits[expected] {
        if std::mem::replace(&mut tried[at], true) {
            continue;
        }
        let is_free = match owners[at] {
            None => true,
            Some(owner) => assign(owner, fits, owners, tried),
        };
        if is_free {
            owners[at] = Some(expected);
            return true;
        }
    }
    false
}

/// Per trace the spans that hang below no other one.
fn traces(captured: &Captured) -> Vec<Vec<&Arc<ReceivedSpan>>> {
    let mut traces: Vec<Vec<&Arc<ReceivedSpan>>> = Vec::new();
    let family = captured.family();
    for span in captured.spans.iter().filter(|span| !family.has_parent(span)) {
        match traces.iter_mut().find(|tops| tops[0].trace_id == span.trace_id) {
            Some(tops) => tops.push(span),
            None => traces.push(vec![span]),
        }
    }
    traces
}
