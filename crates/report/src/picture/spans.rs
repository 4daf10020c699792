//! Stretches from one value to another, each on a row of its own: what follows upon what.

use super::panel::{Drawn, Frame, Room, TICK, x_axis};
use super::scale::Scale;
use super::sheet::{Ink, Sheet, Words};
use super::{Spacing, Span, text};

/// The width of a frame, and of a row, where there are few and where there are many.
const WIDTH: f64 = 560.0;
const HIGH: f64 = 26.0;
const LOW: f64 = 14.0;
const HEIGHT: f64 = 420.0;

/// The part of its row that a stretch fills.
const FILLED: f64 = 0.7;

/// Size of the words beside a stretch, and what they keep from it.
const SIZE: u32 = 10;
const GAP: f64 = 5.0;

/// What is taken by ticks below the frame.
const TICKS: f64 = 22.0;

/// Stretches, and where they fall.
pub(super) struct Spans<'a> {
    spans: &'a [Span],
    names: Scale,
    x: Scale,
}

impl<'a> Spans<'a> {
    pub(super) fn new(spans: &'a [Span]) -> Spans<'a> {
        let names: Vec<String> = spans.iter().map(|span| span.label.clone()).collect();
        let ends = spans.iter().flat_map(|span| [span.from, span.to]);
        Spans { spans, names: Scale::of_names(&names), x: Scale::of_points(ends, Spacing::Even) }
    }
}

impl Drawn for Spans<'_> {
    fn room(&self) -> Room {
        let count = self.spans.len().max(1) as f64;
        let words = self.spans.iter().map(|span| text::width(&span.words, f64::from(SIZE)));
        Room {
            width: WIDTH,
            height: count * (HEIGHT / count).clamp(LOW, HIGH),
            left: 0.0,
            right: words.fold(0.0, f64::max).min(WIDTH / 2.0) + 2.0 * GAP,
            below: TICKS,
        }
    }

    fn y(&self) -> &Scale {
        &self.names
    }

    fn draw(&self, sheet: &mut Sheet, frame: &Frame) {
        x_axis(sheet, frame, &self.x, TICK);
        let height = (frame.bottom - frame.top) / self.spans.len().max(1) as f64;
        for (i, span) in self.spans.iter().enumerate() {
            if !(Spacing::Even.has(span.from) && Spacing::Even.has(span.to)) {
                continue;
            }
            let middle = frame.top + height * (i as f64 + 0.5);
            let half = height * FILLED / 2.0;
            let [from, to] =
                [span.from, span.to].map(|value| self.x.at(value, frame.left, frame.right));
            let (left, right) = (from.min(to), from.max(to).max(from.min(to) + 1.0));
            sheet.rectangle((left, middle - half), (right, middle + half), span.role.into());
            let words = Words::new(&span.words, (right + GAP, middle + 3.5), SIZE);
            sheet.words(&Words { room: WIDTH / 2.0, ink: Ink::DARK, ..words });
        }
    }
}
