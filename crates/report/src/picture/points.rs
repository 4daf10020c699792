//! Points in the plane with their intervals and names, and the line of a front.

use super::panel::{Drawn, Frame, Room, TICK};
use super::scale::{Scale, drawable, ends};
use super::sheet::{Anchor, Ink, Place, Sheet, Words};
use super::{Point, bars, place, text};

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
    points: &'a [Point],
    front: &'a [usize],
    x: Scale,
    y: Scale,
}

impl<'a> Points<'a> {
    pub(super) fn new(points: &'a [Point], front: &'a [usize]) -> Points<'a> {
        fn with_ends(value: f64, interval: Option<(f64, f64)>) -> impl Iterator<Item = f64> {
            let ends = ends(interval).map(|(low, high)| [low, high]);
            [value].into_iter().chain(ends.into_iter().flatten())
        }
        let drawn = || points.iter().filter(|point| has_place(point));
        let x = Scale::of_points(drawn().flat_map(|point| with_ends(point.x, point.x_interval)));
        let y = Scale::of_points(drawn().flat_map(|point| with_ends(point.y, point.y_interval)));
        Points { points, front, x, y }
    }

    /// Names and values of the points that have no place.
    fn lost(&self) -> Option<String> {
        let told = |point: &Point| {
            format!("{} ({}, {})", point.label, text::number(point.x), text::number(point.y))
        };
        let lost: Vec<String> =
            self.points.iter().filter(|point| !has_place(point)).map(told).collect();
        (!lost.is_empty()).then(|| format!("not drawn: {}", lost.join(", ")))
    }

    fn at(&self, frame: &Frame, x: f64, y: f64) -> Place {
        (self.x.at(x, frame.left, frame.right), frame.y(&self.y, y))
    }

    fn draw_axis(&self, sheet: &mut Sheet, frame: &Frame) {
        for (value, name) in &self.x.ticks {
            let x = self.x.at(*value, frame.left, frame.right);
            sheet.line((x, frame.top), (x, frame.bottom), Ink::PALE, 1.0);
            let words = Words::new(name, (x, frame.bottom + 16.0), TICK);
            sheet.words(&Words { anchor: Anchor::Middle, ..words });
        }
        sheet.line((frame.left, frame.bottom), (frame.right, frame.bottom), Ink::DARK, 1.0);
        if let Some(lost) = self.lost() {
            let words = Words::new(&lost, (frame.left, frame.bottom + TICKS + 12.0), NAME);
            let room = frame.right - frame.left;
            sheet.words(&Words { ink: Ink::MIDDLE, room, ..words });
        }
    }

    fn draw_front(&self, sheet: &mut Sheet, frame: &Frame) {
        let on = self.front.iter().filter_map(|&i| self.points.get(i));
        let on: Vec<Place> =
            on.filter(|point| has_place(point)).map(|point| self.at(frame, point.x, point.y)).collect();
        for ends in on.windows(2) {
            sheet.dashes(ends[0], ends[1], Ink::MIDDLE, 1.2);
        }
    }

    fn draw_point(&self, sheet: &mut Sheet, frame: &Frame, point: &Point) {
        let (x, y) = self.at(frame, point.x, point.y);
        if let Some((low, high)) = ends(point.y_interval) {
            bars::whisker(sheet, x, (frame.y(&self.y, low), frame.y(&self.y, high)), 3.0);
        }
        if let Some((low, high)) = ends(point.x_interval) {
            let across = |value| self.x.at(value, frame.left, frame.right);
            sheet.line((across(low), y), (across(high), y), Ink::DARK, 1.2);
            for end in [across(low), across(high)] {
                sheet.line((end, y - 3.0), (end, y + 3.0), Ink::DARK, 1.2);
            }
        }
        sheet.dot((x, y), RADIUS, point.role.into());
    }

    fn draw_names(&self, sheet: &mut Sheet, frame: &Frame) {
        let drawn: Vec<&Point> = self.points.iter().filter(|point| has_place(point)).collect();
        let dots: Vec<Place> = drawn.iter().map(|point| self.at(frame, point.x, point.y)).collect();
        let height = f64::from(NAME);
        let sizes: Vec<(f64, f64)> = drawn
            .iter()
            .map(|point| {
                let width = text::width(&text::clean(&point.label), height);
                (width.min(LONGEST), height)
            })
            .collect();
        let spots = place::names(&dots, &sizes, RADIUS, frame);
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
        let lost = if self.lost().is_some() { LINE } else { 0.0 };
        Room { width: WIDTH, height: HEIGHT, left: 0.0, right: 16.0, below: TICKS + lost }
    }

    fn y(&self) -> &Scale {
        &self.y
    }

    fn draw(&self, sheet: &mut Sheet, frame: &Frame) {
        self.draw_axis(sheet, frame);
        self.draw_front(sheet, frame);
        self.draw_names(sheet, frame);
        for point in self.points.iter().filter(|point| has_place(point)) {
            self.draw_point(sheet, frame, point);
        }
    }
}

fn has_place(point: &Point) -> bool {
    drawable(point.x) && drawable(point.y)
}
