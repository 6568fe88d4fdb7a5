//! Exponential histograms added up.
//!
//! "Exponential histograms of different scales can be merged by reducing the one of higher scale"
//! (<https://opentelemetry.io/docs/specs/otel/metrics/data-model/#exponential-scale>): each step down joins two neighbours.

use crate::ExponentialHistogramPoint;

/// The SDK's limit of buckets on either side. Buckets that lie farther apart are counted on a lower scale: what was received may
/// have any index.
const MOST_BUCKETS: i64 = 160;

type Buckets = (i32, Vec<u64>);

pub(super) fn sum(
    first: &ExponentialHistogramPoint,
    second: &ExponentialHistogramPoint,
) -> ExponentialHistogramPoint {
    let mut scale = i64::from(first.scale.min(second.scale));
    let (positive, negative) = loop {
        let side = |buckets: fn(&ExponentialHistogramPoint) -> &Buckets| {
            let all = [first, second].map(|point| on_scale(buckets(point), i64::from(point.scale) - scale));
            joined(&all.concat())
        };
        if let Some(both) = side(|point| &point.positive).zip(side(|point| &point.negative)) {
            break both;
        }
        scale -= 1;
    };
    ExponentialHistogramPoint {
        count: first.count.saturating_add(second.count),
        sum: first.sum.zip(second.sum).map(|(first, second)| first + second),
        min: first.min.into_iter().chain(second.min).reduce(f64::min),
        max: first.max.into_iter().chain(second.max).reduce(f64::max),
        scale: i32::try_from(scale).unwrap_or(i32::MIN),
        zero_count: first.zero_count.saturating_add(second.zero_count),
        positive,
        negative,
    }
}

/// Index and count of the buckets that hold something, so many steps down.
fn on_scale((offset, counts): &Buckets, steps: i64) -> Vec<(i64, u64)> {
    let buckets = (i64::from(*offset)..).zip(counts).filter(|(_, count)| **count > 0);
    buckets.map(|(index, count)| (index >> steps.min(63), *count)).collect()
}

/// `None` if they lie too far apart.
fn joined(buckets: &[(i64, u64)]) -> Option<Buckets> {
    let indices = || buckets.iter().map(|(index, _)| *index);
    let (Some(lowest), Some(highest)) = (indices().min(), indices().max()) else {
        return Some(Buckets::default());
    };
    let length = highest - lowest + 1;
    if length > MOST_BUCKETS {
        return None;
    }
    let mut counts = vec![0_u64; usize::try_from(length).ok()?];
    for (index, count) in buckets {
        let at = usize::try_from(index - lowest).ok()?;
        counts[at] = counts[at].saturating_add(*count);
    }
    Some((i32::try_from(lowest).ok()?, counts))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(scale: i32, positive: Buckets, negative: Buckets) -> ExponentialHistogramPoint {
        ExponentialHistogramPoint { scale, positive, negative, ..ExponentialHistogramPoint::default() }
    }

    #[test]
    fn of_two_scales_the_lower_one_holds() {
        let fine = point(1, (-3, vec![1, 2, 4, 8]), Buckets::default());
        let coarse = point(0, (0, vec![16, 32]), (1, vec![5]));
        let expected = point(0, (-2, vec![1, 6, 24, 32]), (1, vec![5]));
        assert_eq!(sum(&fine, &coarse), expected);
        assert_eq!(sum(&coarse, &fine), expected);
    }

    #[test]
    fn buckets_that_lie_far_apart_are_counted_on_a_lower_scale() {
        let ends = [
            point(i32::MAX, (i32::MIN, vec![u64::MAX]), Buckets::default()),
            point(i32::MIN, (i32::MAX, vec![1, 1]), (7, vec![1])),
            point(3, (i32::MIN, vec![1]), Buckets::default()),
            point(3, (i32::MAX, vec![1]), Buckets::default()),
        ];
        for first in &ends {
            for second in &ends {
                let sum = sum(first, second);
                let counts = |point: &ExponentialHistogramPoint| {
                    point.positive.1.iter().fold(0_u64, |all, count| all.saturating_add(*count))
                };
                assert!(sum.positive.1.len() <= 160, "{sum:?}");
                assert_eq!(counts(&sum), counts(first).saturating_add(counts(second)));
            }
        }
    }
}
