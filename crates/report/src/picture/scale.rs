//! What values an axis spans, where it has ticks and what they are called.

use super::panel::TICK;
use super::{Spacing, text};

/// Values beyond these are no measurements, and their differences need not be numbers.
const LARGEST: f64 = 1e300;
const SMALLEST: f64 = 1e-300;

/// How many ticks an axis has, at most about; it has three at least.
const TICKS: f64 = 7.0;

/// Bars whose smallest is above this part of the largest look alike when drawn from zero.
const ALIKE: f64 = 0.5;

/// Differences below this part of a value are its last digits, and no axis is made for them.
const NOISE: f64 = 1e-6;

/// Bars that are so many times higher than all others, which look alike, are cut: on one axis with
/// them the others could not be told apart.
const FAR: f64 = 3.0;

/// An axis of fewer decades than this has the ticks of an even one.
const DECADE: f64 = 1.0;

/// How far below the smallest bar a zoomed axis begins, in parts of what the bars differ by: the
/// smallest is still a bar.
const FOOT: f64 = 0.4;

/// Whole values that are so few, and so many pixels apart on an axis of that many, are its ticks.
const FEW: std::ops::RangeInclusive<usize> = 3..=9;
const APART: f64 = 8.0;
const AXIS: f64 = 420.0;

/// What points keep from the frame, in parts of what they differ by.
const MARGIN: f64 = 0.08;

/// The values from one end of an axis to the other.
#[derive(Clone, Debug)]
pub(super) struct Scale {
    spacing: Spacing,
    /// Its ends as they are spaced: values, or their logarithms.
    low: f64,
    high: f64,
    /// Values that are marked, and their names.
    pub(super) ticks: Vec<(f64, String)>,
    /// It has bars and does not begin at zero.
    pub(super) zoomed: bool,
}

impl Spacing {
    /// Whether a value has a place on an axis.
    pub(super) fn has(self, value: f64) -> bool {
        drawable(value) && (self == Spacing::Even || value >= SMALLEST)
    }

    fn of(self, value: f64) -> f64 {
        match self {
            Spacing::Even => value,
            Spacing::Logarithmic => value.max(SMALLEST).log10(),
        }
    }
}

/// Whether a value has a place on an even axis.
pub(super) fn drawable(value: f64) -> bool {
    value.abs() < LARGEST
}

/// The ends of an interval in order, if it has a place.
pub(super) fn ends(interval: Option<(f64, f64)>) -> Option<(f64, f64)> {
    let (a, b) = interval.filter(|&(a, b)| drawable(a) && drawable(b))?;
    Some((a.min(b), a.max(b)))
}

/// The least and the greatest of those that are drawable.
fn extremes(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values
        .filter(|&value| drawable(value))
        .map(|value| if value.abs() < SMALLEST { 0.0 } else { value })
        .fold(None, |ends: Option<(f64, f64)>, value| {
            let (low, high) = ends.unwrap_or((value, value));
            Some((low.min(value), high.max(value)))
        })
}

/// The value that most bars reach at most, where these look alike and the others are far beyond.
pub(super) fn crowd(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.filter(|&value| drawable(value)).collect();
    values.sort_by(f64::total_cmp);
    let least = *values.first().filter(|&&least| least >= SMALLEST)?;
    let count = values.partition_point(|&value| value * ALIKE < least);
    let (most, next) = (values[count - 1], *values.get(count)?);
    (2 * count > values.len() && count > 1 && next > FAR * most).then_some(most)
}

impl Scale {
    /// For bars on an axis of `length` pixels, `head` of which stay free above the highest and
    /// below the lowest that is negative.
    pub(super) fn of_bars(values: impl Iterator<Item = f64>, length: f64, head: f64) -> Scale {
        let Some((least, most)) = extremes(values) else { return Scale::empty() };
        let zoomed = least > ALIKE * most && most - least > NOISE * most;
        let (low, high) = match (least, most) {
            _ if zoomed => (least - FOOT * (most - least), most),
            (0.0, 0.0) => (0.0, 1.0),
            _ => (least.min(0.0), most.max(0.0)),
        };
        let above = if high > 0.0 { head } else { 0.0 };
        let below = if low < 0.0 { head } else { 0.0 };
        let part = length / (length - above - below).max(1.0);
        let step = step((high - low) * part);
        let low = if zoomed { (low / step).floor() * step } else { low };
        let pixel = (high - low) * part / length;
        let (low, high) = (low - below * pixel, high + above * pixel);
        let ticks = ticks(low, high, step);
        Scale { spacing: Spacing::Even, low, high, ticks, zoomed: zoomed && low > 0.0 }
    }

    /// For points, with some room around them.
    pub(super) fn of_points(values: impl Iterator<Item = f64>, spacing: Spacing) -> Scale {
        let values: Vec<f64> = values.filter(|&value| spacing.has(value)).collect();
        // Between whole numbers there is nothing to mark.
        let is_whole = values.iter().all(|value| value.fract() == 0.0);
        let spaced = values.into_iter().map(|value| spacing.of(value));
        let Some((least, most)) = extremes(spaced) else { return Scale::empty() };
        let size = match spacing {
            Spacing::Even => least.abs().max(most.abs()),
            Spacing::Logarithmic => 1.0,
        };
        let margin = match most - least {
            0.0 if size == 0.0 => 1.0,
            span if span <= NOISE * size => size * 0.1,
            span => span * MARGIN,
        };
        let (low, high) = (least - margin, most + margin);
        let ticks = match spacing {
            Spacing::Even if is_whole && most > least => {
                ticks(low, high, step(high - low).max(1.0))
            }
            Spacing::Even => ticks(low, high, step(high - low)),
            Spacing::Logarithmic => decades(low, high),
        };
        Scale { spacing, low, high, ticks, zoomed: false }
    }

    /// For points from left to right: where their values are few and whole, as those of a parameter are, each
    /// is marked.
    pub(super) fn of_settings(values: impl Iterator<Item = f64>, spacing: Spacing) -> Scale {
        let mut values: Vec<f64> = values.filter(|&value| spacing.has(value)).collect();
        let mut scale = Scale::of_points(values.iter().copied(), spacing);
        values.sort_by(f64::total_cmp);
        values.dedup();
        let is_whole = values.iter().all(|value| value.fract() == 0.0 && value.abs() < 1e7);
        if !FEW.contains(&values.len()) || !is_whole {
            return scale;
        }
        let ticks: Vec<(f64, String)> = values.iter().map(|&x| (x, name(x, 1.0))).collect();
        let place = |x: f64| scale.at(x, 0.0, AXIS);
        let half = |name: &str| text::width(name, f64::from(TICK)) / 2.0;
        let is_apart = |pair: &[(f64, String)]| {
            let room = half(&pair[0].1) + half(&pair[1].1) + APART;
            place(pair[1].0) - place(pair[0].0) >= room
        };
        if ticks.windows(2).all(is_apart) {
            scale.ticks = ticks;
        }
        scale
    }

    /// For rows of equal height, the first at the top.
    pub(super) fn of_names(names: &[String]) -> Scale {
        if names.is_empty() {
            return Scale::empty();
        }
        let high = names.len() as f64;
        let tick = |(i, name): (usize, &String)| (high - i as f64 - 0.5, name.clone());
        let ticks = names.iter().enumerate().map(tick).collect();
        Scale { spacing: Spacing::Even, low: 0.0, high, ticks, zoomed: false }
    }

    fn empty() -> Scale {
        let (spacing, ticks) = (Spacing::Even, Vec::new());
        Scale { spacing, low: 0.0, high: 1.0, ticks, zoomed: false }
    }

    /// Where a value falls between `from` and `to`, the pixels of the ends. What is outside falls
    /// on the nearer end.
    pub(super) fn at(&self, value: f64, from: f64, to: f64) -> f64 {
        let part = ((self.spacing.of(value) - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        from + part * (to - from)
    }
}

/// Ticks of an even axis, and their names.
fn ticks(low: f64, high: f64, step: f64) -> Vec<(f64, String)> {
    // A tick at the very end counts, whatever rounding made of it.
    let (first, last) = ((low / step - 1e-6).ceil(), (high / step + 1e-6).floor());
    let count = (last - first).clamp(0.0, 2.0 * TICKS) as u32;
    let values = (0..=count).map(|i| (first + f64::from(i)) * step);
    values.map(|value| (value, name(value, step))).collect()
}

/// Ticks of a logarithmic axis, whose ends are given as logarithms.
fn decades(low: f64, high: f64) -> Vec<(f64, String)> {
    if high - low < DECADE {
        let (low, high) = (10f64.powf(low), 10f64.powf(high));
        return ticks(low, high, step(high - low));
    }
    // Each power of ten with its double and its half where there is room, else every so many.
    let every = ((high - low) / TICKS).ceil();
    let within: &[f64] = if high - low < TICKS / 2.0 { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let count = ((high - low) / every) as u32 + 1;
    let powers = (0..=count).map(|i| ((low / every).floor() + f64::from(i)) * every);
    let values = powers.flat_map(|power| within.iter().map(move |part| part * 10f64.powf(power)));
    let shown = values.filter(|value| (low..=high).contains(&value.log10()));
    shown.map(|value| (value, name(value, value))).collect()
}

/// The distance of ticks on an axis of that span: 1, 2 or 5 of some power of ten.
fn step(span: f64) -> f64 {
    let rough = span / TICKS;
    let power = 10f64.powf(rough.log10().floor());
    let whole = [1.0, 2.0, 5.0].into_iter().find(|whole| whole * power >= rough * (1.0 - 1e-9));
    whole.unwrap_or(10.0) * power
}

/// What a tick is called: as many decimals as its distance to the next one needs.
fn name(value: f64, step: f64) -> String {
    let place = step.log10().floor();
    if value.abs() >= 1e7 || place < -5.0 {
        let digits = (value.abs().max(step).log10().floor() - place).clamp(0.0, 9.0);
        return if value == 0.0 { "0".to_owned() } else { format!("{value:.*e}", digits as usize) };
    }
    // No tick is a negative zero.
    format!("{:.*}", (-place).max(0.0) as usize, value + 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(scale: &Scale) -> Vec<&str> {
        scale.ticks.iter().map(|(_, name)| name.as_str()).collect()
    }

    #[test]
    fn bars_that_differ_begin_at_zero() {
        let scale = Scale::of_bars([3.0, 10.0].into_iter(), 100.0, 0.0);
        assert_eq!((scale.zoomed, scale.low), (false, 0.0));
        assert_eq!(names(&scale), ["0", "2", "4", "6", "8", "10"]);
        assert_eq!(scale.at(5.0, 200.0, 100.0), 150.0);
    }

    #[test]
    fn bars_that_look_alike_are_zoomed_and_still_bars() {
        let values = [15.1, 15.4, 15.9];
        let scale = Scale::of_bars(values.into_iter(), 100.0, 20.0);
        assert!(scale.zoomed && scale.low > 14.0);
        assert!(scale.at(15.1, 100.0, 0.0) < 85.0, "the smallest has a height");
        assert!((scale.at(15.9, 100.0, 0.0) - 20.0).abs() < 1e-6, "the highest leaves the head");
        assert_eq!(scale.ticks[0].0, scale.low, "it begins at a tick");
    }

    #[test]
    fn equal_bars_and_noise_are_not_zoomed() {
        for values in [[7.0, 7.0], [7.0, 7.0 + 1e-12], [0.0, 0.0], [-3.0, -3.0], [5e-324, 0.0]] {
            let scale = Scale::of_bars(values.into_iter(), 100.0, 10.0);
            assert!(!scale.zoomed && scale.ticks.len() > 2, "{values:?}: {scale:?}");
        }
    }

    #[test]
    fn negative_bars_keep_room_for_their_values() {
        let scale = Scale::of_bars([-4.0, 4.0].into_iter(), 100.0, 10.0);
        assert_eq!([-4.0, 0.0, 4.0].map(|v| scale.at(v, 100.0, 0.0).round()), [90.0, 50.0, 10.0]);
    }

    #[test]
    fn a_few_bars_far_beyond_the_others_are_cut() {
        let crowd = |values: &[f64]| crowd(values.iter().copied());
        assert_eq!(crowd(&[15.3, 412.7, 16.9, 390.0, 16.0]), Some(16.9));
        assert_eq!(crowd(&[15.3, 16.9, 40.0, 16.0]), None, "not far");
        assert_eq!(crowd(&[15.3, 412.7, 390.0]), None, "most of them");
        assert_eq!(crowd(&[252.0, 508.0, 1020.0, 8192.0]), None, "the others differ");
        assert_eq!(crowd(&[0.0, 0.0, 5.0]), None, "nothing is a multiple of zero");
        assert_eq!(crowd(&[-5.0, 1.0, 1.0, 90.0]), None);
        assert_eq!(crowd(&[]), None);
        assert_eq!(crowd(&[f64::NAN, 1.0, 1.0]), None);
    }

    #[test]
    fn logarithms_have_round_ticks() {
        let scale = |values: [f64; 2]| Scale::of_points(values.into_iter(), Spacing::Logarithmic);
        assert_eq!(names(&scale([15.0, 412.0])), ["20", "50", "100", "200", "500"]);
        assert_eq!(names(&scale([15.0, 17.0])), ["15.0", "15.5", "16.0", "16.5", "17.0"]);
        assert_eq!(names(&scale([1e-3, 2e6])), ["0.01", "1", "100", "10000", "1000000"]);
        let even = scale([10.0, 1000.0]);
        assert!((even.at(100.0, 0.0, 1.0) - 0.5).abs() < 1e-9);
        assert!(scale([0.0, -1.0]).ticks.is_empty(), "neither has a place");
    }

    #[test]
    fn values_of_a_parameter_are_all_marked() {
        let scale = |values: &[f64], spacing| Scale::of_settings(values.iter().copied(), spacing);
        let threads = scale(&[1.0, 2.0, 4.0, 8.0, 4.0], Spacing::Logarithmic);
        assert_eq!(names(&threads), ["1", "2", "4", "8"]);
        let batch = scale(&[512.0, 2048.0, 1024.0], Spacing::Even);
        assert_eq!(names(&batch), ["512", "1024", "2048"]);
        for (values, why) in [
            (vec![1.0, 2.0, 3.0, 1000.0], "two would touch"),
            (vec![0.5, 1.0, 2.0], "not whole"),
            (vec![1.0, 8.0], "two say nothing of what is between"),
            ((1..=30).map(f64::from).collect(), "many"),
        ] {
            let plain = Scale::of_points(values.iter().copied(), Spacing::Even);
            assert_eq!(names(&scale(&values, Spacing::Even)), names(&plain), "{why}");
        }
    }

    #[test]
    fn every_axis_is_finite_with_a_few_ticks() {
        let odd = [0.0, -0.0, 1.0, 1.0 + 1e-15, 5e-324, 1e-299, 1e299, -1e299, f64::MAX, f64::NAN];
        let odd = odd.into_iter().chain([f64::INFINITY, 1e7, 123_456_789.0, 1e-6]);
        let odd: Vec<f64> = odd.collect();
        for a in &odd {
            for b in &odd {
                let values = || [*a, *b].into_iter();
                for scale in [
                    Scale::of_bars(values(), 100.0, 10.0),
                    Scale::of_points(values(), Spacing::Even),
                    Scale::of_points(values(), Spacing::Logarithmic),
                    Scale::of_settings(values(), Spacing::Even),
                ] {
                    assert!(scale.low.is_finite() && scale.high > scale.low, "{a} {b}: {scale:?}");
                    assert!(scale.ticks.len() <= 11, "{a} {b}: {scale:?}");
                    for value in values().filter(|&value| drawable(value)) {
                        assert!(scale.at(value, 0.0, 1.0).is_finite(), "{a} {b}: {scale:?}");
                    }
                    let mut names = names(&scale);
                    names.dedup();
                    assert_eq!(names.len(), scale.ticks.len(), "{a} {b}: {scale:?}");
                }
            }
        }
    }
}
