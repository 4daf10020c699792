//! Bars side by side, each with its value, its interval and its name.

use super::panel::{Drawn, Frame, Room};
use super::scale::{Scale, drawable, ends};
use super::sheet::{Anchor, Ink, Sheet, Words};
use super::{Bar, text};

/// The least size of a frame.
const WIDTH: f64 = 440.0;
const HEIGHT: f64 = 260.0;

/// What a bar and the space beside it take where there are many, down to what the smallest text
/// needs; up to some number of bars the frame grows no wider.
const SLOT: (f64, f64) = (7.0, 30.0);
const WIDE: f64 = 1600.0;

/// The part of its slot that a bar fills, and the most pixels of it.
const FILLED: f64 = 0.72;
const BROADEST: f64 = 56.0;

/// Sizes of text: what is aimed at, what is still read well upright, and what is left where a slot is
/// narrow.
const SIZE: u32 = 11;
const UPRIGHT: u32 = 9;
const TINY: u32 = 5;

/// Names lean by so many degrees where they do not fit side by side, and stand where slots are
/// narrower than this; they are cut at that length.
const LEAN: f64 = 40.0;
const NARROW: f64 = 20.0;
const LONGEST: f64 = 250.0;

/// What stands in the place of a value that there is none of.
const MISSING: &str = "–";

/// What text keeps from what it belongs to.
const GAP: f64 = 5.0;

/// Bars, their values as text, and how these and the names are written.
pub(super) struct Bars<'a> {
    bars: &'a [Bar],
    values: Vec<String>,
    scale: Scale,
    /// Width of a slot, at least.
    slot: f64,
    /// Size of the values' text, and whether it is turned.
    value: (u32, bool),
    /// Size of the names' text, and how far it is turned.
    name: (u32, f64),
}

impl<'a> Bars<'a> {
    pub(super) fn new(bars: &'a [Bar]) -> Bars<'a> {
        let count = bars.len().max(1) as f64;
        let slot = (WIDTH / count).max((WIDE / count).clamp(SLOT.0, SLOT.1));
        let values: Vec<String> = bars.iter().map(written).collect();
        let small = ((slot * 0.85) as u32).clamp(TINY, SIZE);
        let widest = |size| widest(values.iter().map(String::as_str), size);
        let upright = (UPRIGHT..=SIZE).rev().find(|&size| widest(size) <= slot - 2.0);
        let value = upright.map_or((small, true), |size| (size, false));
        let head = if value.1 { widest(small) } else { f64::from(value.0) } + 2.0 * GAP;
        let drawn = bars.iter().flat_map(|bar| {
            let ends = ends(bar.interval).map(|(low, high)| [low, high]);
            bar.value.into_iter().chain(ends.filter(|_| has_bar(bar)).into_iter().flatten())
        });
        let scale = Scale::of_bars(drawn, HEIGHT, head);
        let names = self::widest(bars.iter().map(|bar| bar.label.as_str()), SIZE);
        let name = match names {
            names if names <= slot - 2.0 * GAP => (SIZE, 0.0),
            _ if slot >= NARROW => (SIZE, LEAN),
            _ => (small, 90.0),
        };
        Bars { bars, values, scale, slot, value, name }
    }

    fn name_width(&self, bar: &Bar) -> f64 {
        text::width(&text::clean(&bar.label), f64::from(self.name.0)).min(LONGEST)
    }

    fn draw_bar(&self, sheet: &mut Sheet, frame: &Frame, i: usize, slot: f64) {
        let bar = &self.bars[i];
        let x = frame.left + slot * (i as f64 + 0.5);
        let ground = frame.y(&self.scale, 0.0);
        let value = bar.value.filter(|_| has_bar(bar));
        let top = value.map_or(ground, |value| frame.y(&self.scale, value));
        let half = (slot * FILLED).min(BROADEST) / 2.0;
        let mut reach = (ground.min(top), ground.max(top));
        if value.is_some() {
            sheet.rectangle((x - half, reach.0), (x + half, reach.1), bar.role.into());
            if let Some((low, high)) = ends(bar.interval) {
                let (low, high) = (frame.y(&self.scale, low), frame.y(&self.scale, high));
                whisker(sheet, x, (low, high), half * 0.4);
                reach = (reach.0.min(high), reach.1.max(low));
            }
        }
        let below = value.is_some_and(|value| value < 0.0);
        let (size, turned) = self.value;
        let (x, y) = match (turned, below) {
            (false, false) => (x, reach.0 - GAP),
            (false, true) => (x, reach.1 + GAP + f64::from(size) * 0.8),
            (true, false) => (x + f64::from(size) * 0.36, reach.0 - GAP),
            (true, true) => (x + f64::from(size) * 0.36, reach.1 + GAP),
        };
        sheet.words(&Words {
            anchor: match (turned, below) {
                (false, _) => Anchor::Middle,
                (true, false) => Anchor::Start,
                (true, true) => Anchor::End,
            },
            turn: if turned { -90.0 } else { 0.0 },
            ink: if value.is_some() { Ink::DARK } else { Ink::MIDDLE },
            ..Words::new(&self.values[i], (x, y), size)
        });
    }

    fn draw_name(&self, sheet: &mut Sheet, frame: &Frame, i: usize, slot: f64) {
        let (size, turn) = self.name;
        let height = f64::from(size);
        let x = frame.left + slot * (i as f64 + 0.5);
        let (at, anchor) = match turn {
            0.0 => ((x, frame.bottom + GAP + height), Anchor::Middle),
            LEAN => ((x + height * 0.4, frame.bottom + GAP + height * 0.6), Anchor::End),
            _ => ((x + height * 0.36, frame.bottom + GAP), Anchor::End),
        };
        let words = Words::new(&self.bars[i].label, at, size);
        sheet.words(&Words { anchor, turn: -turn, room: LONGEST, ..words });
    }
}

impl Drawn for Bars<'_> {
    fn room(&self) -> Room {
        let (size, turn) = self.name;
        let (sin, cos) = turn.to_radians().sin_cos();
        let longest = self.bars.iter().map(|bar| self.name_width(bar)).fold(0.0, f64::max);
        // The first names reach over the frame's left end.
        let over = self.bars.iter().enumerate().map(|(i, bar)| {
            self.name_width(bar) * cos - self.slot * (i as f64 + 0.5)
        });
        let left = if turn == LEAN { over.fold(0.0, f64::max) + GAP } else { 0.0 };
        Room {
            width: self.slot * self.bars.len().max(1) as f64,
            height: HEIGHT,
            left,
            right: 0.0,
            below: longest * sin + f64::from(size) * 1.3 + 2.0 * GAP,
        }
    }

    fn y(&self) -> &Scale {
        &self.scale
    }

    fn draw(&self, sheet: &mut Sheet, frame: &Frame) {
        let slot = (frame.right - frame.left) / self.bars.len().max(1) as f64;
        for i in 0..self.bars.len() {
            self.draw_bar(sheet, frame, i, slot);
            self.draw_name(sheet, frame, i, slot);
        }
        let ground = frame.y(&self.scale, 0.0);
        sheet.line((frame.left, ground), (frame.right, ground), Ink::DARK, 1.0);
    }
}

/// An interval: a line with an end across it, below and above.
pub(super) fn whisker(sheet: &mut Sheet, x: f64, (low, high): (f64, f64), half: f64) {
    let half = half.clamp(1.5, 6.0);
    sheet.line((x, low), (x, high), Ink::DARK, 1.2);
    for y in [low, high] {
        sheet.line((x - half, y), (x + half, y), Ink::DARK, 1.2);
    }
}

fn has_bar(bar: &Bar) -> bool {
    bar.value.is_some_and(drawable)
}

fn written(bar: &Bar) -> String {
    bar.value.map_or(MISSING.to_owned(), text::number)
}

fn widest<'a>(texts: impl Iterator<Item = &'a str>, size: u32) -> f64 {
    texts.map(|text| text::width(text, f64::from(size))).fold(0.0, f64::max)
}
