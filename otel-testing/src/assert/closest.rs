//! Which of several candidates is nearest to what was expected.

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

/// How many characters must be changed, added or removed to make one name of the other (Levenshtein).
pub(crate) fn name_distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, left) in one.chars().enumerate() {
        let mut diagonal = line;
        row[0] = line + 1;
        for (column, right) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(left != *right);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

/// Lines with an indent of two.
pub(super) fn indented(lines: &[String]) -> String {
    lines.iter().map(|line| format!("  {line}\n")).collect()
}
