//! Bars side by side, each with its value, its interval and its name.

use super::panel::{Drawn, Frame, Room, broken};
use super::scale::{Scale, crowd, drawable, ends};
use super::sheet::{Along, Anchor, Ink, Sheet, Words};
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

/// What stands in the place of a value that there is none of, and the size of what stands in place
/// of a bar where there is room.
const MISSING: &str = "–";
const ALONE: u32 = 16;

/// How far bars that are cut stand out above the others.
const CUT: f64 = 26.0;

/// What text keeps from what it belongs to.
const GAP: f64 = 5.0;

/// Bars, their values as text, and how these and the names are written.
pub(super) struct Bars<'a> {
    bars: &'a [Bar],
    values: Vec<String>,
    scale: Scale,
    /// The value that bars reach which are not cut, where some are.
    most: Option<f64>,
    /// What is free above the highest bar.
    head: f64,
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
        let most = crowd(bars.iter().filter_map(|bar| bar.value));
        let drawn = bars.iter().filter(|bar| !is_beyond(bar, most)).flat_map(|bar| {
            let ends = ends(bar.interval).map(|(low, high)| [low, high]);
            bar.value.into_iter().chain(ends.filter(|_| has_bar(bar)).into_iter().flatten())
        });
        let cut = if most.is_some() { CUT } else { 0.0 };
        let scale = Scale::of_bars(drawn, HEIGHT, head + cut);
        let names = self::widest(bars.iter().map(|bar| bar.label.as_str()), SIZE);
        let name = match names {
            names if names <= slot - 2.0 * GAP => (SIZE, 0.0),
            _ if slot >= NARROW => (SIZE, LEAN),
            _ => (small, 90.0),
        };
        Bars { bars, values, scale, most, head, slot, value, name }
    }

    fn name_width(&self, bar: &Bar) -> f64 {
        text::width(&text::clean(&bar.label), f64::from(self.name.0)).min(LONGEST)
    }

    /// Draws a bar with its interval; how far up and down both reach.
    fn draw_bar(
        &self,
        sheet: &mut Sheet,
        frame: &Frame,
        bar: &Bar,
        x: f64,
        half: f64,
    ) -> (f64, f64) {
        let ground = frame.y(&self.scale, 0.0);
        let Some(value) = bar.value.filter(|_| has_bar(bar)) else { return (ground, ground) };
        if is_beyond(bar, self.most) {
            let top = frame.top + self.head;
            sheet.rectangle((x - half, top), (x + half, ground), bar.role.into());
            broken(sheet, (x, top + CUT / 2.0), half + 2.0);
            return (top, ground);
        }
        let top = frame.y(&self.scale, value);
        let reach = (ground.min(top), ground.max(top));
        sheet.rectangle((x - half, reach.0), (x + half, reach.1), bar.role.into());
        let Some((low, high)) = ends(bar.interval) else { return reach };
        let (low, high) = (frame.y(&self.scale, low), frame.y(&self.scale, high));
        sheet.whisker((low, high), x, (half * 0.4).clamp(1.5, 6.0), Along::Up);
        (reach.0.min(high), reach.1.max(low))
    }

    /// Writes a value above what its bar reaches, or below where it is negative.
    fn draw_value(&self, sheet: &mut Sheet, i: usize, x: f64, (top, bottom): (f64, f64)) {
        let (bar, value) = (&self.bars[i], &self.values[i]);
        let (size, turned) = self.value;
        let ink = if has_bar(bar) { Ink::DARK } else { Ink::MIDDLE };
        if !has_bar(bar) && text::width(value, f64::from(ALONE)) <= self.slot {
            let words = Words::new(value, (x, top - GAP), ALONE);
            sheet.words(&Words { anchor: Anchor::Middle, ink, ..words });
            return;
        }
        let negative = bar.value.is_some_and(|value| value < 0.0);
        let height = f64::from(size);
        let (at, anchor) = match (turned, negative) {
            (false, false) => ((x, top - GAP), Anchor::Middle),
            (false, true) => ((x, bottom + GAP + height * 0.8), Anchor::Middle),
            (true, false) => ((x + height * 0.36, top - GAP), Anchor::Start),
            (true, true) => ((x + height * 0.36, bottom + GAP), Anchor::End),
        };
        let turn = if turned { -90.0 } else { 0.0 };
        sheet.words(&Words { anchor, turn, ink, ..Words::new(value, at, size) });
    }

    fn draw_name(&self, sheet: &mut Sheet, frame: &Frame, bar: &Bar, x: f64) {
        let (size, turn) = self.name;
        let height = f64::from(size);
        let (at, anchor) = match turn {
            0.0 => ((x, frame.bottom + GAP + height), Anchor::Middle),
            LEAN => ((x + height * 0.4, frame.bottom + GAP + height * 0.6), Anchor::End),
            _ => ((x + height * 0.36, frame.bottom + GAP), Anchor::End),
        };
        let words = Words::new(&bar.label, at, size);
        sheet.words(&Words { anchor, turn: -turn, room: LONGEST, ..words });
    }
}

impl Drawn for Bars<'_> {
    fn room(&self) -> Room {
        let (size, turn) = self.name;
        let (sin, cos) = turn.to_radians().sin_cos();
        let longest = self.bars.iter().map(|bar| self.name_width(bar)).fold(0.0, f64::max);
        // The first names reach over the frame's left end.
        let over = self
            .bars
            .iter()
            .enumerate()
            .map(|(i, bar)| self.name_width(bar) * cos - self.slot * (i as f64 + 0.5));
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

    fn remarks(&self) -> Vec<String> {
        let mut said = Vec::new();
        if let Some((_, first)) = self.scale.ticks.first().filter(|_| self.scale.zoomed) {
            said.push(format!("axis begins at {first}, not at 0"));
        }
        match self.bars.iter().filter(|bar| is_beyond(bar, self.most)).count() {
            0 => {}
            1 => said.push("one bar is cut: it goes far beyond".to_owned()),
            count => said.push(format!("{count} bars are cut: they go far beyond")),
        }
        said
    }

    fn draw(&self, sheet: &mut Sheet, frame: &Frame) {
        let slot = (frame.right - frame.left) / self.bars.len().max(1) as f64;
        let half = (slot * FILLED).min(BROADEST) / 2.0;
        for (i, bar) in self.bars.iter().enumerate() {
            let x = frame.left + slot * (i as f64 + 0.5);
            let reach = self.draw_bar(sheet, frame, bar, x, half);
            self.draw_value(sheet, i, x, reach);
            self.draw_name(sheet, frame, bar, x);
        }
        let ground = frame.y(&self.scale, 0.0);
        sheet.line((frame.left, ground), (frame.right, ground), Ink::DARK, 1.0);
    }
}

fn has_bar(bar: &Bar) -> bool {
    bar.value.is_some_and(drawable)
}

/// Whether a bar is cut: it is beyond the most that others reach.
fn is_beyond(bar: &Bar, most: Option<f64>) -> bool {
    most.is_some_and(|most| has_bar(bar) && bar.value.is_some_and(|value| value > most))
}

fn written(bar: &Bar) -> String {
    bar.value.map_or(MISSING.to_owned(), text::number)
}

fn widest<'a>(texts: impl Iterator<Item = &'a str>, size: u32) -> f64 {
    texts.map(|text| text::width(text, f64::from(size))).fold(0.0, f64::max)
}
