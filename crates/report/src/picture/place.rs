//! Where names of points go, such that none covers another or a point.
//!
//! Each in turn takes the best of some places around its point, and nothing is undone. Where points are
//! too many the names overlap least rather than not at all. Time grows with the square of the points:
//! hundreds are nothing, tens of thousands would have to be drawn without names.

use super::panel::Frame;
use super::sheet::Place;
use std::f64::consts::TAU;

/// Distances from a point that are tried, in pixels from its rim, and directions.
const DISTANCES: [f64; 6] = [3.0, 10.0, 20.0, 34.0, 52.0, 76.0];
const DIRECTIONS: u32 = 16;

/// What a square pixel costs that two share, and one outside of the frame; both are in pixels of
/// distance.
const SHARED: f64 = 20.0;
const OUTSIDE: f64 = 200.0;

/// What it costs to stand anywhere but to the right or the left, at most.
const ASKEW: f64 = 4.0;

/// How far squares are apart that stand for a line.
const LINK: f64 = 4.0;

/// What names keep from each other.
const GAP: f64 = 1.5;

/// A rectangle on the page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) right: f64,
    pub(super) bottom: f64,
}

impl Spot {
    fn around((x, y): Place, (width, height): (f64, f64)) -> Spot {
        let (w, h) = (width / 2.0, height / 2.0);
        Spot { left: x - w, top: y - h, right: x + w, bottom: y + h }
    }

    /// Its point that is nearest to another.
    pub(super) fn nearest(&self, (x, y): Place) -> Place {
        (x.clamp(self.left, self.right), y.clamp(self.top, self.bottom))
    }

    /// How far that is.
    pub(super) fn distance(&self, from: Place) -> f64 {
        let (x, y) = self.nearest(from);
        (x - from.0).hypot(y - from.1)
    }

    fn shared(&self, other: &Spot) -> f64 {
        let across = self.right.min(other.right) - self.left.max(other.left) + GAP;
        let down = self.bottom.min(other.bottom) - self.top.max(other.top) + GAP;
        across.max(0.0) * down.max(0.0)
    }

    /// By how much it leaves the frame.
    fn outside(&self, frame: &Frame) -> f64 {
        let over = [
            frame.left - self.left,
            self.right - frame.right,
            frame.top - self.top,
            self.bottom - frame.bottom,
        ];
        over.into_iter().map(|over| over.max(0.0)).sum()
    }
}

/// What lies along a line, as squares.
fn along(from: Place, to: Place) -> impl Iterator<Item = Spot> {
    let count = ((to.0 - from.0).hypot(to.1 - from.1) / LINK).ceil().max(1.0);
    (0..=count as u32).map(move |i| {
        let part = f64::from(i) / count;
        let at = (from.0 + (to.0 - from.0) * part, from.1 + (to.1 - from.1) * part);
        Spot::around(at, (2.0, 2.0))
    })
}

/// A place for a name of each size beside each dot; names keep off the lines too.
pub(super) fn names(
    dots: &[Place],
    sizes: &[(f64, f64)],
    lines: &[[Place; 2]],
    radius: f64,
    frame: &Frame,
) -> Vec<Spot> {
    let side = 2.0 * radius;
    let dotted = dots.iter().map(|&dot| Spot::around(dot, (side, side)));
    let lined = lines.iter().flat_map(|[from, to]| along(*from, *to));
    let mut taken: Vec<Spot> = dotted.chain(lined).collect();
    let mut spots = Vec::with_capacity(dots.len());
    for (&dot, &size) in dots.iter().zip(sizes) {
        let mut best: Option<(Spot, f64)> = None;
        for (spot, away) in around(dot, size, radius) {
            let outside = OUTSIDE * spot.outside(frame);
            let cost = |shared: f64| away + SHARED * shared + outside;
            // Of two alike the first is taken, and one that is worse already is looked at no further.
            let is_worse = |shared| best.is_some_and(|(_, least)| cost(shared) >= least);
            let mut shared = 0.0;
            let mut places = taken.iter();
            while !is_worse(shared) {
                let Some(place) = places.next() else {
                    best = Some((spot, cost(shared)));
                    break;
                };
                shared += spot.shared(place);
            }
        }
        let (spot, _) = best.expect("there are directions");
        taken.push(spot);
        spots.push(spot);
    }
    spots
}

/// Places for a name around a dot, each with what it costs to be there.
fn around((x, y): Place, size: (f64, f64), radius: f64) -> impl Iterator<Item = (Spot, f64)> {
    DISTANCES.into_iter().flat_map(move |distance| {
        (0..DIRECTIONS).map(move |direction| {
            let (sin, cos) = (TAU * f64::from(direction) / f64::from(DIRECTIONS)).sin_cos();
            let away = radius + distance;
            let middle = (x + cos * (away + size.0 / 2.0), y + sin * (away + size.1 / 2.0));
            // Of two alike the first is taken: right before left.
            (Spot::around(middle, size), distance + ASKEW * sin.abs())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Frame = Frame { left: 0.0, top: 0.0, right: 600.0, bottom: 400.0 };

    #[test]
    fn one_name_stands_to_the_right_and_left_at_the_edge() {
        let spots = names(&[(300.0, 200.0), (595.0, 200.0)], &[(80.0, 10.0); 2], &[], 5.0, &FRAME);
        assert!(spots[0].left > 300.0 && spots[0].left < 315.0, "{spots:?}");
        assert!(spots[1].right < 595.0, "{spots:?}");
    }

    #[test]
    fn names_of_a_crowd_do_not_overlap_or_leave() {
        let dots: Vec<Place> = (0..12)
            .map(|i| (200.0 + f64::from(i % 4) * 30.0, 180.0 + f64::from(i / 4) * 25.0))
            .collect();
        let line = [(150.0, 150.0), (400.0, 260.0)];
        let spots = names(&dots, &[(90.0, 10.0); 12], &[line], 5.0, &FRAME);
        for (i, spot) in spots.iter().enumerate() {
            assert_eq!(spot.outside(&FRAME), 0.0, "{spot:?}");
            for other in &spots[..i] {
                assert!(
                    spot.right.min(other.right) <= spot.left.max(other.left)
                        || spot.bottom.min(other.bottom) <= spot.top.max(other.top),
                    "{spot:?} {other:?}"
                );
            }
            assert!(dots.iter().all(|&dot| spot.distance(dot) >= 5.0), "{spot:?} covers a dot");
            let crosses = along(line[0], line[1]).any(|link| spot.shared(&link) > 0.0);
            assert!(!crosses, "{spot:?} is on the line");
        }
    }
}
