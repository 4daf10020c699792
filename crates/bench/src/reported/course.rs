//! A figure along a parameter that was swept: which value is the best that is shown, from where on no
//! more is, and what is too noisy to say.
//!
//! Points of a sweep were measured one after the other and not in turn, so what is said of them is an
//! indication: two points are told apart only where their intervals do not touch. Which rows make up a
//! sweep is left to `sweep`, why it ends to `reason`.

use super::rows::alike;
use pacemark_record::Figure;
use pacemark_record::stats::Interval;
use pacemark_report::picture::number;

/// An interval whose half is a greater share of its figure says little of it.
const NOISY: f64 = 0.1;

/// A point of a course.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// The value of the parameter.
    pub(super) at: f64,
    value: f64,
    interval: Interval,
    /// Number of the row.
    pub(super) row: usize,
}

/// The figures along a line.
pub(super) struct Course {
    pub(super) points: Vec<Place>,
    /// More is better.
    rises: bool,
    /// The point whose worse end is the best.
    best: usize,
    /// The first point that is not too noisy.
    base: usize,
    /// What is recommended: the first point that cannot be told from the best and is shown to be
    /// better than the base, or the base.
    pub(super) knee: usize,
}

impl Course {
    /// Of points in ascending order: values of the parameter, figures, and numbers of the rows. `None`
    /// where a figure has no interval, for what scatters by nobody knows how much is nothing to go by.
    pub(super) fn of(
        points: impl IntoIterator<Item = (f64, Figure, usize)>,
        rises: bool,
    ) -> Option<Course> {
        let place = |(at, figure, row): (f64, Figure, usize)| {
            let value = figure.value.filter(|value| *value > 0.0)?;
            Some(Place { at, value, interval: figure.interval?, row })
        };
        let points: Vec<Place> = points.into_iter().map(place).collect::<Option<_>>()?;
        let worse_end = |i: &usize| {
            let Interval { low, high } = points[*i].interval;
            if rises { low } else { -high }
        };
        // Of equals the first.
        let best = (0..points.len()).rev().max_by(|a, b| worse_end(a).total_cmp(&worse_end(b)))?;
        let mut course = Course { points, rises, best, base: best, knee: best };
        let base = course.clear().next()?;
        course.base = base;
        if course.alike(course.base, best) {
            course.knee = course.base;
        } else {
            let knee =
                course.clear().find(|&i| course.alike(i, best) && course.beats(i, course.base));
            course.knee = knee?;
        }
        Some(course)
    }

    /// Points of which something can be said.
    fn clear(&self) -> impl DoubleEndedIterator<Item = usize> {
        (0..self.points.len()).filter(|&i| !self.is_noisy(i))
    }

    /// Whether it may be as good as the best or not, for all that was measured of it.
    fn is_noisy(&self, i: usize) -> bool {
        let Place { value, interval, .. } = self.points[i];
        let is_wide = interval.high - interval.low > 2.0 * NOISY * value;
        i != self.best && is_wide && self.alike(i, self.best)
    }

    fn alike(&self, a: usize, b: usize) -> bool {
        let figure = |i: usize| {
            let Place { value, interval, .. } = self.points[i];
            Figure { value: Some(value), interval: Some(interval) }
        };
        alike(&figure(a), &figure(b))
    }

    /// Whether a point is shown to be better than another.
    fn beats(&self, a: usize, b: usize) -> bool {
        let (x, y) = (self.points[a].value, self.points[b].value);
        !self.alike(a, b) && (x > y) == self.rises
    }

    /// The worst of the points from `from` on that the recommended one is shown to be better than.
    pub(super) fn worse_from(&self, from: usize) -> Option<usize> {
        let worse = self.clear().filter(|&i| i >= from && self.beats(self.knee, i));
        let badness =
            |i: usize| if self.rises { -self.points[i].value } else { self.points[i].value };
        worse.max_by(|a, b| badness(*a).total_cmp(&badness(*b)))
    }

    /// A parameter's growth helped until the recommended point.
    pub(super) fn helped(&self) -> bool {
        self.knee != self.base
    }

    /// No later point says anything.
    pub(super) fn is_last(&self) -> bool {
        self.clear().next_back() == Some(self.knee)
    }

    /// Where it stops to grow, if it grew and went on.
    pub(super) fn saturation(&self) -> Option<f64> {
        (self.helped() && !self.is_last()).then(|| self.points[self.knee].at)
    }

    /// A sentence or two; `beyond` is what to say of larger values where it had not stopped to grow.
    pub(super) fn told(&self, key: &str, beyond: &str) -> String {
        let at = |i: usize| number(self.points[i].at);
        let value = |i: usize| number(self.points[i].value);
        let (base, knee, last) = (self.base, self.knee, self.points.len() - 1);
        let noise = self.noise();
        if !self.helped() {
            return match self.worse_from(0) {
                None => format!(
                    "{key} makes no difference that can be told between {} and {}.{noise}",
                    at(0),
                    at(last)
                ),
                Some(worst) => format!(
                    "nothing is shown to be better than {key} {}, with {}; at {} it is {}.{noise}",
                    at(knee),
                    value(knee),
                    at(worst),
                    value(worst)
                ),
            };
        }
        let gain = self.points[knee].value / self.points[base].value;
        let gain = if self.rises { gain } else { 1.0 / gain };
        let helped = format!(
            "{key} helped from {} to {}: from {} to {}, {gain:.2} times as good.",
            at(base),
            at(knee),
            value(base),
            value(knee)
        );
        let after = match self.worse_from(knee + 1) {
            Some(worst) => format!(" Beyond it falls: {} at {}.", value(worst), at(worst)),
            None if knee == last => format!(" {beyond}"),
            None if self.is_last() => String::new(),
            None => format!(" From {} on no more is shown.", at(knee)),
        };
        format!("{helped}{after}{noise}")
    }

    /// What is too noisy; begins with a space.
    fn noise(&self) -> String {
        let noisy = (0..self.points.len()).filter(|&i| self.is_noisy(i)).map(|i| {
            let Place { at, interval, .. } = self.points[i];
            format!("{} ({}–{})", number(at), number(interval.low), number(interval.high))
        });
        match noisy.collect::<Vec<_>>().join(", ") {
            none if none.is_empty() => none,
            noisy => format!(" Too noisy to tell: {noisy}."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MORE: &str = "Go on.";

    /// Values of the parameter, figures, and half of the figures' intervals.
    fn course(values: &[(f64, f64, f64)], rises: bool) -> Course {
        let point = |(i, (x, value, half)): (usize, &(f64, f64, f64))| {
            let interval = Some(Interval { low: value - half, high: value + half });
            (*x, Figure { value: Some(*value), interval }, i)
        };
        Course::of(values.iter().enumerate().map(point), rises).unwrap()
    }

    fn told(values: &[(f64, f64, f64)]) -> String {
        course(values, true).told("x", MORE)
    }

    #[test]
    fn what_helped_and_where_it_stopped() {
        let grows = [(1.0, 100.0, 2.0), (2.0, 190.0, 3.0), (4.0, 191.0, 3.0), (8.0, 189.0, 3.0)];
        assert_eq!(course(&grows, true).saturation(), Some(2.0));
        let helped = "x helped from 1 to 2: from 100 to 190, 1.90 times as good.";
        assert_eq!(told(&grows), format!("{helped} From 2 on no more is shown."));
        let falls = told(&[(1.0, 100.0, 2.0), (2.0, 190.0, 3.0), (4.0, 120.0, 3.0)]);
        assert_eq!(falls, format!("{helped} Beyond it falls: 120 at 4."));
        let flat = [(1.0, 100.0, 2.0), (2.0, 101.0, 3.0), (4.0, 99.0, 3.0)];
        assert_eq!(told(&flat), "x makes no difference that can be told between 1 and 4.");
        assert_eq!(course(&flat, true).saturation(), None);
        let open = told(&[(1.0, 100.0, 2.0), (2.0, 150.0, 3.0), (4.0, 200.0, 3.0)]);
        assert_eq!(open, "x helped from 1 to 4: from 100 to 200, 2.00 times as good. Go on.");
        let sinks = told(&[(1.0, 100.0, 2.0), (2.0, 80.0, 3.0), (4.0, 60.0, 3.0)]);
        assert_eq!(sinks, "nothing is shown to be better than x 1, with 100; at 4 it is 60.");
    }

    #[test]
    fn the_middle_counts_too() {
        let dip = told(&[(16.0, 100.0, 0.9), (32.0, 50.0, 0.9), (64.0, 100.0, 0.9)]);
        assert_eq!(dip, "nothing is shown to be better than x 16, with 100; at 32 it is 50.");
        let late = told(&[
            (1.0, 100.0, 1.0),
            (2.0, 50.0, 1.0),
            (4.0, 200.0, 1.0),
            (8.0, 90.0, 1.0),
            (16.0, 199.0, 1.0),
        ]);
        assert!(
            late.ends_with(
                "helped from 1 to 4: from 100 to 200, 2.00 times as good. Beyond it falls: 90 at 8."
            ),
            "{late}"
        );
    }

    #[test]
    fn a_noisy_point_is_neither_recommended_nor_said_to_have_helped() {
        let wide = told(&[(16.0, 100.0, 0.9), (32.0, 94.0, 43.0), (64.0, 120.0, 0.9)]);
        let said = "x helped from 16 to 64: from 100 to 120, 1.20 times as good. Go on. Too noisy to tell: 32 (51–137).";
        assert_eq!(wide, said);
        let batches = [
            (16.0, 1130.0, 20.0),
            (32.0, 1503.0, 20.0),
            (64.0, 1748.0, 38.0),
            (128.0, 1612.0, 391.0),
            (256.0, 1936.0, 40.0),
        ];
        let said = told(&batches);
        assert!(said.contains("from 16 to 256") && said.ends_with("128 (1221–2003)."), "{said}");
        // The noisy one is the last: nothing is said of where it ends.
        let end = course(&[(1.0, 100.0, 2.0), (2.0, 150.0, 2.0), (4.0, 160.0, 60.0)], true);
        assert_eq!(end.saturation(), None);
        let said = end.told("x", MORE);
        assert!(said.ends_with("1.50 times as good. Too noisy to tell: 4 (100–220)."), "{said}");
        // A wide one that is shown to be the best is no noise.
        let far = told(&[(1.0, 100.0, 2.0), (2.0, 1000.0, 200.0), (4.0, 100.0, 2.0)]);
        assert!(far.contains("from 1 to 2: from 100 to 1000"), "{far}");
    }

    #[test]
    fn of_times_the_shorter_is_better() {
        let times = course(&[(1.0, 20.0, 0.1), (2.0, 10.0, 0.1), (4.0, 12.0, 0.1)], false);
        assert_eq!(
            times.told("x", MORE),
            "x helped from 1 to 2: from 20 to 10, 2.00 times as good. Beyond it falls: 12 at 4."
        );
        let none = (1.0, Figure { value: Some(1.0), interval: None }, 0);
        assert!(Course::of([none], true).is_none());
    }
}
