//! What values an axis spans, where it has ticks and what they are called.

/// Values beyond these are no measurements, and their differences need not be numbers.
const LARGEST: f64 = 1e300;
const SMALLEST: f64 = 1e-300;

/// How many ticks an axis has, about.
const TICKS: f64 = 5.0;

/// Bars whose smallest is above this part of the largest look alike when drawn from zero.
const ALIKE: f64 = 0.5;

/// Differences below this part of a value are its last digits, and no axis is made for them.
const NOISE: f64 = 1e-6;

/// How far below the smallest bar a zoomed axis begins, in parts of what the bars differ by: the
/// smallest is still a bar.
const FOOT: f64 = 0.4;

/// What points keep from the frame, in parts of what they differ by.
const MARGIN: f64 = 0.08;

/// The values from one end of an axis to the other.
#[derive(Clone, Debug)]
pub(super) struct Scale {
    low: f64,
    high: f64,
    /// Values that are marked, and their names.
    pub(super) ticks: Vec<(f64, String)>,
    /// It has bars and does not begin at zero.
    pub(super) zoomed: bool,
}

/// Whether a value has a place on an axis.
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
        let step = step(high - low);
        let low = if zoomed { (low / step).floor() * step } else { low };
        let above = if high > 0.0 { head } else { 0.0 };
        let below = if low < 0.0 { head } else { 0.0 };
        let pixel = (high - low) / (length - above - below).max(1.0);
        Scale::new(low - below * pixel, high + above * pixel, zoomed)
    }

    /// For points, with some room around them.
    pub(super) fn of_points(values: impl Iterator<Item = f64>) -> Scale {
        let Some((least, most)) = extremes(values) else { return Scale::empty() };
        let size = least.abs().max(most.abs());
        let margin = match most - least {
            0.0 if size == 0.0 => 1.0,
            span if span <= NOISE * size => size * 0.1,
            span => span * MARGIN,
        };
        Scale::new(least - margin, most + margin, false)
    }

    fn empty() -> Scale {
        Scale { low: 0.0, high: 1.0, ticks: Vec::new(), zoomed: false }
    }

    fn new(low: f64, high: f64, zoomed: bool) -> Scale {
        let step = step(high - low);
        // A tick at the very end counts, whatever rounding made of it.
        let (first, last) = ((low / step - 1e-6).ceil(), (high / step + 1e-6).floor());
        let count = (last - first).clamp(0.0, 2.0 * TICKS) as u32;
        let ticks = (0..=count).map(|i| {
            let value = (first + f64::from(i)) * step;
            (value, name(value, step))
        });
        Scale { low, high, ticks: ticks.collect(), zoomed }
    }

    /// Where a value falls between `from` and `to`, the pixels of the ends. What is outside falls
    /// on the nearer end.
    pub(super) fn at(&self, value: f64, from: f64, to: f64) -> f64 {
        let part = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        from + part * (to - from)
    }

    /// The value at the axis' beginning.
    pub(super) fn low(&self) -> f64 {
        self.low
    }
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
        assert_eq!((scale.zoomed, scale.low()), (false, 0.0));
        assert_eq!(names(&scale), ["0", "2", "4", "6", "8", "10"]);
        assert_eq!(scale.at(5.0, 200.0, 100.0), 150.0);
    }

    #[test]
    fn bars_that_look_alike_are_zoomed_and_still_bars() {
        let values = [15.1, 15.4, 15.9];
        let scale = Scale::of_bars(values.into_iter(), 100.0, 20.0);
        assert!(scale.zoomed && scale.low() > 14.0);
        assert!(scale.at(15.1, 100.0, 0.0) < 85.0, "the smallest has a height");
        assert!((scale.at(15.9, 100.0, 0.0) - 20.0).abs() < 1e-6, "the highest leaves the head");
        let beginning = format!("{:.1}", scale.low());
        assert_eq!(names(&scale)[0], beginning, "it begins at a tick");
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
    fn every_axis_is_finite_with_a_few_ticks() {
        let odd = [0.0, -0.0, 1.0, 1.0 + 1e-15, 5e-324, 1e-299, 1e299, -1e299, f64::MAX, f64::NAN];
        let odd = odd.into_iter().chain([f64::INFINITY, 1e7, 123_456_789.0, 1e-6]);
        let odd: Vec<f64> = odd.collect();
        for a in &odd {
            for b in &odd {
                let values = || [*a, *b].into_iter();
                for scale in [Scale::of_bars(values(), 100.0, 10.0), Scale::of_points(values())] {
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
