//! Lines through points: a value over time, over a parameter, or how many values lie below one.
//!
//! Each line has its name at its end, in its colour and with its own kind of point, so that no legend
//! is needed and none of it is told by colour alone.

use super::panel::{Drawn, Frame, Room, TICK, x_axis};
use super::scale::{Scale, ends};
use super::sheet::{Along, Anchor, Ink, Place, Sheet, Words};
use super::{Guide, Line, Spacing, Stroke, text};

/// The size of a frame.
const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 280.0;

/// The radius of points, which are drawn where a line has at most so many.
const RADIUS: f64 = 3.5;
const SPARSE: usize = 40;

/// Size of the names, and where they are cut.
const NAME: u32 = 10;
const LONGEST: f64 = 150.0;

/// What names of lines keep from the frame and from each other.
const GAP: f64 = 6.0;
const PITCH: f64 = 13.0;

/// What is taken by ticks below the frame.
const TICKS: f64 = 22.0;

/// Lines, and where they fall.
pub(super) struct Lines<'a> {
    lines: &'a [Line],
    guides: &'a [Guide],
    x: Scale,
    y: Scale,
    spacing: [Spacing; 2],
}

impl<'a> Lines<'a> {
    pub(super) fn new(lines: &'a [Line], spacing: [Spacing; 2], guides: &'a [Guide]) -> Lines<'a> {
        let drawn = || {
            let points = lines.iter().flat_map(|line| &line.points);
            points.filter(|point| spacing[0].has(point.x) && spacing[1].has(point.y))
        };
        let at = |guide: &Guide, wanted: bool| (guide.is_upright == wanted).then_some(guide.at);
        let xs = drawn().map(|point| point.x).chain(guides.iter().filter_map(|g| at(g, true)));
        let ys = drawn().flat_map(|point| {
            let ends = ends(point.interval).map(|(low, high)| [low, high]);
            [point.y].into_iter().chain(ends.into_iter().flatten())
        });
        let ys = ys.chain(guides.iter().filter_map(|g| at(g, false)));
        Lines {
            lines,
            guides,
            x: Scale::of_settings(xs, spacing[0]),
            y: Scale::of_points(ys, spacing[1]),
            spacing,
        }
    }

    fn at(&self, frame: &Frame, x: f64, y: f64) -> Place {
        (self.x.at(x, frame.left, frame.right), frame.y(&self.y, y))
    }

    /// The points of a line that have a place, in order.
    fn places(&self, frame: &Frame, line: &Line) -> Vec<Place> {
        let [x, y] = self.spacing;
        let has_place = line.points.iter().filter(|point| x.has(point.x) && y.has(point.y));
        has_place.map(|point| self.at(frame, point.x, point.y)).collect()
    }

    fn draw_line(&self, sheet: &mut Sheet, frame: &Frame, line: &Line) {
        let ink = Ink::from(line.role);
        let places = self.places(frame, line);
        if line.stroke != Stroke::Dots {
            for pair in places.windows(2) {
                let ([from, to], corner) = ([pair[0], pair[1]], (pair[1].0, pair[0].1));
                if line.stroke == Stroke::Steps {
                    sheet.line(from, corner, ink, 1.6);
                    sheet.line(corner, to, ink, 1.6);
                } else {
                    sheet.line(from, to, ink, 1.6);
                }
            }
        }
        for point in &line.points {
            let has_place = self.spacing[1].has(point.y) && self.spacing[0].has(point.x);
            let interval = ends(point.interval).filter(|_| has_place);
            if let Some((low, high)) = interval {
                let x = self.x.at(point.x, frame.left, frame.right);
                let rise = (frame.y(&self.y, low), frame.y(&self.y, high));
                sheet.whisker_of(rise, x, 3.0, Along::Up, ink);
            }
        }
        let sparse = line.stroke == Stroke::Dots || places.len() <= SPARSE;
        if line.stroke != Stroke::Steps && sparse {
            let radius = if places.len() <= SPARSE { RADIUS } else { RADIUS / 2.0 };
            places.iter().for_each(|place| sheet.dot(*place, radius, ink));
        }
    }

    /// Names beside the ends of their lines, moved apart where they would touch.
    fn draw_names(&self, sheet: &mut Sheet, frame: &Frame) {
        let end = |line: &'a Line| Some((self.places(frame, line).last()?.1, line));
        let mut named: Vec<(f64, &Line)> =
            self.lines.iter().filter(|line| !line.label.is_empty()).filter_map(end).collect();
        named.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut least = frame.top + PITCH / 2.0;
        for (y, _) in &mut named {
            *y = y.max(least);
            least = *y + PITCH;
        }
        // What was pushed out at the bottom goes up again.
        let mut most = frame.bottom;
        for (y, _) in named.iter_mut().rev() {
            *y = y.min(most);
            most = *y - PITCH;
        }
        for (y, line) in named {
            let at = (frame.right + GAP, y + 3.5);
            let words = Words::new(&line.label, at, NAME);
            sheet.words(&Words { ink: Ink::from(line.role).on_paper(), room: LONGEST, ..words });
        }
    }

    fn draw_guide(&self, sheet: &mut Sheet, frame: &Frame, guide: &Guide) {
        let words = |at, anchor| Words {
            anchor,
            ink: Ink::MIDDLE,
            room: LONGEST,
            ..Words::new(&guide.label, at, NAME)
        };
        if guide.is_upright {
            let x = self.x.at(guide.at, frame.left, frame.right);
            sheet.line((x, frame.top), (x, frame.bottom), Ink::MIDDLE, 1.0);
            let is_right = x > f64::midpoint(frame.left, frame.right);
            let (dx, anchor) = if is_right { (-4.0, Anchor::End) } else { (4.0, Anchor::Start) };
            sheet.words(&words((x + dx, frame.top + 11.0), anchor));
        } else {
            let y = frame.y(&self.y, guide.at);
            sheet.line((frame.left, y), (frame.right, y), Ink::MIDDLE, 1.0);
            sheet.words(&words((frame.left + 4.0, y - 4.0), Anchor::Start));
        }
    }
}

impl Drawn for Lines<'_> {
    fn room(&self) -> Room {
        let widths = self.lines.iter().map(|line| text::width(&line.label, f64::from(NAME)));
        let right = widths.fold(0.0, f64::max).min(LONGEST) + 2.0 * GAP;
        Room { width: WIDTH, height: HEIGHT, left: 0.0, right, below: TICKS }
    }

    fn y(&self) -> &Scale {
        &self.y
    }

    fn draw(&self, sheet: &mut Sheet, frame: &Frame) {
        x_axis(sheet, frame, &self.x, TICK);
        self.guides.iter().for_each(|guide| self.draw_guide(sheet, frame, guide));
        self.lines.iter().for_each(|line| self.draw_line(sheet, frame, line));
        self.draw_names(sheet, frame);
    }
}
