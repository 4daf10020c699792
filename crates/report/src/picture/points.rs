//! Points in the plane with their intervals and names, and the line of a front.

use super::panel::{Drawn, Frame, Room, TICK, x_axis};
use super::scale::{Scale, ends};
use super::sheet::{Along, Ink, Place, Sheet, Words};
use super::{Point, Spacing, place, text};

/// The size of a frame.
const WIDTH: f64 = 620.0;
const HEIGHT: f64 = 400.0;

const RADIUS: f64 = 5.0;

/// Size of the names, and where they are cut.
const NAME: u32 = 10;
const LONGEST: f64 = 200.0;

/// What is taken by ticks below the frame, and by the line of points that have no place.
const TICKS: f64 = 22.0;
const LINE: f64 = 16.0;

/// Points, and where they fall.
pub(super) struct Points<'a> {
    /// Those that have a place.
    drawn: Vec<&'a Point>,
    /// Where the front's line goes through.
    front: Vec<&'a Point>,
    /// Names and values of the others.
    lost: String,
    x: Scale,
    y: Scale,
}

impl<'a> Points<'a> {
    pub(super) fn new(points: &'a [Point], spacing: [Spacing; 2], front: &[usize]) -> Points<'a> {
        let has_place = |point: &&Point| spacing[0].has(point.x) && spacing[1].has(point.y);
        let (drawn, lost): (Vec<&Point>, Vec<&Point>) = points.iter().partition(has_place);
        let xs = drawn.iter().flat_map(|point| with_ends(point.x, point.x_interval));
        let ys = drawn.iter().flat_map(|point| with_ends(point.y, point.y_interval));
        let told = lost.iter().map(|point| {
            format!("{} ({}, {})", point.label, text::number(point.x), text::number(point.y))
        });
        Points {
            x: Scale::of_points(xs, spacing[0]),
            y: Scale::of_points(ys, spacing[1]),
            front: front.iter().filter_map(|&i| points.get(i)).filter(has_place).collect(),
            lost: told.collect::<Vec<_>>().join(", "),
            drawn,
        }
    }

    fn at(&self, frame: &Frame, x: f64, y: f64) -> Place {
        (self.x.at(x, frame.left, frame.right), frame.y(&self.y, y))
    }

    fn draw_axis(&self, sheet: &mut Sheet, frame: &Frame) {
        x_axis(sheet, frame, &self.x, TICK);
        if !self.lost.is_empty() {
            let lost = sheet.lang.say(&format!("not drawn: {}", self.lost)).into_owned();
            let words = Words::new(&lost, (frame.left, frame.bottom + TICKS + 12.0), NAME);
            let room = frame.right - frame.left;
            sheet.words(&Words { ink: Ink::MIDDLE, room, ..words });
        }
    }

    fn line(&self, frame: &Frame) -> Vec<Place> {
        self.front.iter().map(|point| self.at(frame, point.x, point.y)).collect()
    }

    /// Where a point's whiskers reach from left to right and from bottom to top, where more of them
    /// is seen than the dot covers.
    fn whiskers(&self, frame: &Frame, point: &Point) -> [Option<(f64, f64)>; 2] {
        let (x, y) = self.at(frame, point.x, point.y);
        let shows =
            |(from, to): &(f64, f64), at: f64| (from - at).abs().max((to - at).abs()) > RADIUS;
        let across = |value| self.x.at(value, frame.left, frame.right);
        let reach = |(low, high)| (across(low), across(high));
        let rise = |(low, high)| (frame.y(&self.y, low), frame.y(&self.y, high));
        [
            ends(point.x_interval).map(reach).filter(|ends| shows(ends, x)),
            ends(point.y_interval).map(rise).filter(|ends| shows(ends, y)),
        ]
    }

    fn draw_whiskers(&self, sheet: &mut Sheet, frame: &Frame, point: &Point) {
        let (x, y) = self.at(frame, point.x, point.y);
        let [reach, rise] = self.whiskers(frame, point);
        if let Some(ends) = rise {
            sheet.whisker(ends, x, 3.0, Along::Up);
        }
        if let Some(ends) = reach {
            sheet.whisker(ends, y, 3.0, Along::Across);
        }
    }

    /// What names keep off besides dots: the front and all whiskers.
    fn lines(&self, frame: &Frame) -> Vec<[Place; 2]> {
        let front = self.line(frame);
        let mut lines: Vec<[Place; 2]> = front.windows(2).map(|ends| [ends[0], ends[1]]).collect();
        for point in &self.drawn {
            let (x, y) = self.at(frame, point.x, point.y);
            let [reach, rise] = self.whiskers(frame, point);
            lines.extend(reach.map(|(from, to)| [(from, y), (to, y)]));
            lines.extend(rise.map(|(from, to)| [(x, from), (x, to)]));
        }
        lines
    }

    fn draw_names(&self, sheet: &mut Sheet, frame: &Frame) {
        let drawn = &self.drawn;
        let dots: Vec<Place> = drawn.iter().map(|point| self.at(frame, point.x, point.y)).collect();
        let height = f64::from(NAME);
        let sizes: Vec<(f64, f64)> = drawn
            .iter()
            .map(|point| {
                let width = text::width(&text::clean(&point.label), height);
                (width.min(LONGEST), height)
            })
            .collect();
        let spots = place::names(&dots, &sizes, &self.lines(frame), RADIUS, frame);
        for (dot, spot) in dots.iter().zip(&spots) {
            if spot.distance(*dot) > 2.0 * RADIUS {
                sheet.line(*dot, spot.nearest(*dot), Ink::MIDDLE, 0.6);
            }
        }
        for (point, spot) in drawn.iter().zip(&spots) {
            let words = Words::new(&point.label, (spot.left, spot.bottom - height * 0.2), NAME);
            sheet.words(&Words { room: LONGEST, ..words });
        }
    }
}

impl Drawn for Points<'_> {
    fn room(&self) -> Room {
        let lost = if self.lost.is_empty() { 0.0 } else { LINE };
        Room { width: WIDTH, height: HEIGHT, left: 0.0, right: 16.0, below: TICKS + lost }
    }

    fn y(&self) -> &Scale {
        &self.y
    }

    fn draw(&self, sheet: &mut Sheet, frame: &Frame) {
        self.draw_axis(sheet, frame);
        for ends in self.line(frame).windows(2) {
            sheet.line(ends[0], ends[1], Ink::MIDDLE, 1.2);
        }
        self.draw_names(sheet, frame);
        // No dot lies under another's whiskers.
        for point in &self.drawn {
            self.draw_whiskers(sheet, frame, point);
        }
        for point in &self.drawn {
            sheet.dot(self.at(frame, point.x, point.y), RADIUS, point.role.into());
        }
    }
}

fn with_ends(value: f64, interval: Option<(f64, f64)>) -> impl Iterator<Item = f64> {
    let ends = ends(interval).map(|(low, high)| [low, high]);
    [value].into_iter().chain(ends.into_iter().flatten())
}
