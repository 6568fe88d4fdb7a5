//! Which of several candidates is nearest to what was expected.

/// A message stays readable, and quick to make, when a receiver got a hundred thousand spans.
const MOST_LINES: usize = 100;
/// Of those that are as expected; what is left is like them.
const MOST_FOUND: usize = 10;

/// The candidate with the fewest differences, among those of the expected name if there are any: whoever asks for "charge"
/// means "charge", even when another span fits all the rest. Of several, the one whose name is most like the expected one.
pub(super) fn closest<'a, T>(
    candidates: impl IntoIterator<Item = &'a T>,
    differences: impl Fn(&T) -> Vec<String>,
    name_distance: impl Fn(&T) -> usize,
) -> Option<(&'a T, Vec<String>)> {
    let rated = candidates.into_iter().map(|candidate| (candidate, differences(candidate)));
    rated.min_by_key(|(candidate, differences)| {
        let distance = name_distance(candidate);
        (distance != 0, differences.len(), distance)
    })
}

/// The name that is most like `wanted`.
pub(crate) fn nearest_name<'n>(names: impl IntoIterator<Item = &'n str>, wanted: &str) -> Option<&'n str> {
    names.into_iter().min_by_key(|name| name_distance(name, wanted))
}

/// Whether `name` is `wanted` but for a slip or two.
pub(super) fn is_slip(name: &str, wanted: &str) -> bool {
    name_distance(name, wanted) <= wanted.chars().count() / 4
}

/// How many characters must be changed, added, removed or swapped with their neighbour to make one name of the other.
pub(crate) fn name_distance(one: &str, other: &str) -> usize {
    let [one, other]: [Vec<char>; 2] = [one, other].map(|name| name.chars().collect());
    let mut before = Vec::new();
    let mut above: Vec<usize> = (0..=other.len()).collect();
    for line in 0..one.len() {
        let mut row = vec![line + 1];
        for column in 0..other.len() {
            let replaced = above[column] + usize::from(one[line] != other[column]);
            let mut least = replaced.min(above[column + 1] + 1).min(row[column] + 1);
            let are_before = line > 0 && column > 0;
            if are_before && one[line] == other[column - 1] && one[line - 1] == other[column] {
                least = least.min(before[column - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[other.len()]
}

/// Those that are there and too many.
pub(super) fn found(lines: &[String]) -> String {
    if lines.is_empty() { String::new() } else { format!("found:\n{}", first_indented(lines, MOST_FOUND)) }
}

/// Lines with an indent of two.
pub(super) fn indented(lines: &[String]) -> String {
    first_indented(lines, MOST_LINES)
}

fn first_indented(lines: &[String], most: usize) -> String {
    let mut text: String = lines.iter().take(most).map(|line| format!("  {line}\n")).collect();
    push_rest(&mut text, lines.len(), most);
    text
}

/// The first lines of a text.
pub(crate) fn first_lines(text: &str) -> String {
    let mut first: String = text.split_inclusive('\n').take(MOST_LINES).collect();
    push_rest(&mut first, text.lines().count(), MOST_LINES);
    first
}

fn push_rest(text: &mut String, lines: usize, most: usize) {
    if lines > most {
        text.push_str(&format!("  and {} lines more\n", lines - most));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_counted() {
        let pairs =
            [("", "", 0), ("tier", "", 4), ("iter", "tier", 1), ("on", "no", 1), ("charge", "carge", 1)];
        for (one, other, distance) in pairs {
            assert_eq!(
                (name_distance(one, other), name_distance(other, one)),
                (distance, distance),
                "{one} {other}"
            );
        }
        assert!(is_slip("teir", "tier") && !is_slip("user", "tier"));
    }
}
