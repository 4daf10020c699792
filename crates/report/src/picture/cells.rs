//! A value in each cell of a grid, written in it, on a colour that says it again.

use super::panel::{Drawn, Frame, Room, TICK};
use super::scale::Scale;
use super::sheet::{Anchor, Ink, Sheet, Words};
use super::text;

/// The size of a cell: where there are few, and down to what a number needs.
const WIDE: f64 = 96.0;
const NARROW: f64 = 38.0;
const HIGH: f64 = 36.0;
const LOW: f64 = 20.0;

/// What cells take together, above which they shrink.
const WIDTH: f64 = 440.0;
const HEIGHT: f64 = 260.0;

/// Between cells.
const GAP: f64 = 2.0;

/// Size of the numbers.
const SIZE: u32 = 11;

/// From nothing to all: one hue from light to dark, whose lightness falls evenly, so that it reads
/// the same with any kind of colour vision and in grey (ColorBrewer's sequential Blues).
const COLOURS: [Ink; 5] = [
    Ink(0xf0, 0xf5, 0xfb),
    Ink(0xbd, 0xd7, 0xe7),
    Ink(0x6b, 0xae, 0xd6),
    Ink(0x31, 0x82, 0xbd),
    Ink(0x08, 0x45, 0x94),
];

/// What stands in the place of a value that there is none of.
const MISSING: &str = "–";

/// A grid of shares.
pub(super) struct Cells<'a> {
    columns: &'a [String],
    rows: &'a [String],
    values: &'a [Vec<Option<f64>>],
    scale: Scale,
}

impl<'a> Cells<'a> {
    pub(super) fn new(
        columns: &'a [String],
        rows: &'a [String],
        values: &'a [Vec<Option<f64>>],
    ) -> Cells<'a> {
        Cells { columns, rows, values, scale: Scale::of_names(rows) }
    }

    fn value(&self, row: usize, column: usize) -> Option<f64> {
        self.values.get(row)?.get(column).copied().flatten()
    }
}

impl Drawn for Cells<'_> {
    fn room(&self) -> Room {
        let side = |room: f64, count: usize, (least, most): (f64, f64)| {
            let count = count.max(1) as f64;
            count * (room / count).clamp(least, most)
        };
        Room {
            width: side(WIDTH, self.columns.len(), (NARROW, WIDE)),
            height: side(HEIGHT, self.rows.len(), (LOW, HIGH)),
            left: 0.0,
            right: 0.0,
            below: f64::from(TICK) * 1.8,
        }
    }

    fn y(&self) -> &Scale {
        &self.scale
    }

    fn draw(&self, sheet: &mut Sheet, frame: &Frame) {
        let width = (frame.right - frame.left) / self.columns.len().max(1) as f64;
        let height = (frame.bottom - frame.top) / self.rows.len().max(1) as f64;
        for (i, name) in self.columns.iter().enumerate() {
            let left = frame.left + width * i as f64;
            for row in 0..self.rows.len() {
                let top = frame.top + height * row as f64;
                let corners = ((left + GAP, top + GAP), (left + width, top + height));
                let value = self.value(row, i).filter(|value| value.is_finite());
                let ground = value.map_or(Ink::ON_DARK, colour);
                sheet.rectangle(corners.0, corners.1, ground);
                let ink = on(ground);
                let words = value.map_or(MISSING.to_owned(), |value| {
                    text::number((value * 1000.0).round() / 10.0)
                });
                let middle = (left + (width + GAP) / 2.0, top + (height + GAP) / 2.0 + 4.0);
                let words = Words::new(&words, middle, SIZE);
                sheet.words(&Words { anchor: Anchor::Middle, ink, ..words });
            }
            let at = (left + (width + GAP) / 2.0, frame.bottom + f64::from(TICK) * 1.5);
            let words = Words { room: width, ..Words::new(name, at, TICK) };
            sheet.words(&Words { anchor: Anchor::Middle, ..words });
        }
    }
}

/// What is read best on a ground.
fn on(ground: Ink) -> Ink {
    let inks = [Ink::ON_LIGHT, Ink::ON_DARK];
    let [dark, light] = inks.map(|ink| ink.contrast(ground));
    if dark >= light { inks[0] } else { inks[1] }
}

/// The colour of a share, between those of [`COLOURS`] around it.
fn colour(share: f64) -> Ink {
    let at = share.clamp(0.0, 1.0) * (COLOURS.len() - 1) as f64;
    let below = (at as usize).min(COLOURS.len() - 2);
    let part = at - below as f64;
    let mix = |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * part).round() as u8;
    let (a, b) = (COLOURS[below], COLOURS[below + 1]);
    Ink(mix(a.0, b.0), mix(a.1, b.1), mix(a.2, b.2))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lightness falls with the share, and a number is read on each.
    #[test]
    fn more_is_darker() {
        let light = |share: f64| colour(share).luminance();
        for i in 0..100 {
            let ground = colour(f64::from(i) / 100.0);
            assert!(on(ground).contrast(ground) >= 4.5, "{i} %");
            assert!(light(f64::from(i) / 100.0) > light(f64::from(i + 1) / 100.0), "{i} %");
        }
        assert_eq!((colour(-1.0), colour(2.0)), (COLOURS[0], COLOURS[4]));
    }
}
