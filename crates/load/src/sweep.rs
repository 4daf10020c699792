//! Raising a load until more of it brings no more: which level is next, and where the knee was.

/// What a level brought.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Streams, or requests a second.
    pub level: f64,
    /// What is to be as much as possible: tokens a second, or requests a second within the limits.
    pub rate: f64,
    /// Median time of a request, in seconds.
    pub seconds: f64,
    /// The load would not last at this level: more arrives than is answered.
    pub overloaded: bool,
}

/// Less than this much more from a doubling is none.
const GAIN: f64 = 0.05;

/// A search by doubling.
#[derive(Clone, Debug, Default)]
pub struct Sweep {
    points: Vec<Point>,
}

/// Where a system is loaded best.
#[derive(Clone, Debug, PartialEq)]
pub struct Knee {
    /// Its level.
    pub level: f64,
    /// What it brings there.
    pub rate: f64,
    /// The level with the highest rate.
    pub best_level: f64,
    /// The highest rate.
    pub best_rate: f64,
    /// The rate stopped rising before the levels ended.
    pub saturated: bool,
}

impl Knee {
    /// How it was found.
    pub const METHOD: &str = "the level with the most rate per time of a request (Kleinrock's power); saturated where two doublings \
        in a row bring less than 5 % more";
}

impl Sweep {
    /// Adds what a level brought.
    pub fn push(&mut self, point: Point) {
        self.points.push(point);
    }

    /// Twice the last level, unless it no longer pays or would exceed `most`.
    pub fn next_level(&self, most: f64) -> Option<f64> {
        let last = self.points.last()?;
        let next = last.level * 2.0;
        (!self.is_saturated() && next <= most).then_some(next)
    }

    /// The last two doublings brought nothing, or the last level was too much.
    fn is_saturated(&self) -> bool {
        if self.points.last().is_some_and(|point| point.overloaded) {
            return true;
        }
        let [.., before, a, b] = self.points[..] else { return false };
        // A level that fell below the one before it counts too.
        a.rate < before.rate * (1.0 + GAIN) && b.rate < a.rate.max(before.rate) * (1.0 + GAIN)
    }

    /// The knee: the most power, which is rate over time of a request (Kleinrock, "Power and
    /// deterministic rules of thumb for probabilistic problems in computer communications", ICC
    /// 1979). `None` for fewer than three levels.
    pub fn knee(&self) -> Option<Knee> {
        let power =
            |point: &Point| if point.seconds > 0.0 { point.rate / point.seconds } else { 0.0 };
        let most = |of: &dyn Fn(&Point) -> f64| {
            self.points.iter().max_by(|a, b| of(a).total_cmp(&of(b))).copied()
        };
        if self.points.len() < 3 {
            return None;
        }
        let (knee, best) = (most(&power)?, most(&|point| point.rate)?);
        Some(Knee {
            level: knee.level,
            rate: knee.rate,
            best_level: best.level,
            best_rate: best.rate,
            saturated: self.is_saturated(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server with eight places: rate grows with the streams up to there, then requests wait.
    fn eight_places(level: f64) -> Point {
        let served = level.min(8.0);
        Point { level, rate: 100.0 * served, seconds: level / served, overloaded: false }
    }

    #[test]
    fn eight_places_have_their_knee_at_eight() {
        let mut sweep = Sweep::default();
        let mut level = Some(1.0);
        while let Some(at) = level {
            sweep.push(eight_places(at));
            level = sweep.next_level(1024.0);
        }
        assert_eq!(
            sweep.points.last().map(|point| point.level),
            Some(32.0),
            "two doublings past eight"
        );
        let knee = sweep.knee().unwrap();
        assert_eq!(
            (knee.level, knee.rate, knee.best_rate, knee.saturated),
            (8.0, 800.0, 800.0, true)
        );
    }

    #[test]
    fn bounds_and_overload_end_it() {
        let mut sweep = Sweep::default();
        assert_eq!((sweep.next_level(8.0), sweep.knee()), (None, None));
        sweep.push(eight_places(4.0));
        assert_eq!((sweep.next_level(8.0), sweep.next_level(7.0)), (Some(8.0), None));
        sweep.push(Point { overloaded: true, ..eight_places(8.0) });
        assert_eq!(sweep.next_level(1e9), None);
    }

    #[test]
    fn one_flat_step_is_not_the_end() {
        let mut sweep = Sweep::default();
        for (level, rate) in [(1.0, 100.0), (2.0, 102.0), (4.0, 300.0)] {
            sweep.push(Point { level, rate, seconds: 1.0, overloaded: false });
            assert!(sweep.next_level(1e9).is_some(), "{level}");
        }
    }
}
