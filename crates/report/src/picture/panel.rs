//! One panel: title, axes and grid around what its marks draw.

use super::scale::Scale;
use super::sheet::{Anchor, Ink, Place, Sheet, Words};
use super::{Panel, text};

/// Sizes of text.
const TITLE: u32 = 14;
const AXIS: u32 = 12;
pub(super) const TICK: u32 = 11;
const REMARK: u32 = 10;

/// Pixels above a frame: the title, and a remark below it; those of a further line of the title, and how many
/// there are at most.
const HEAD: f64 = 42.0;
const TITLE_PITCH: f64 = 17.0;
const TITLE_LINES: usize = 3;

/// Pixels of an axis' name, and what ticks keep from the frame.
const NAME: f64 = 22.0;
const GAP: f64 = 6.0;

/// What marks draw, and the room that they need for it.
pub(super) trait Drawn {
    /// What they ask for.
    fn room(&self) -> Room;

    /// The values from the frame's bottom to its top.
    fn y(&self) -> &Scale;

    /// What a reader must know of the axis, in a few words each.
    fn remarks(&self) -> Vec<String> {
        Vec::new()
    }

    /// Draws the marks, and what stands below the frame.
    fn draw(&self, sheet: &mut Sheet, frame: &Frame);
}

/// The size of a frame, and what is needed around it, in pixels.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Room {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) below: f64,
}

impl Room {
    /// Enough for both.
    pub(super) fn and(self, other: Room) -> Room {
        Room {
            width: self.width.max(other.width),
            height: self.height.max(other.height),
            left: self.left.max(other.left),
            right: self.right.max(other.right),
            below: self.below.max(other.below),
        }
    }
}

/// Where marks are drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) right: f64,
    pub(super) bottom: f64,
}

impl Frame {
    /// The height of a value.
    pub(super) fn y(&self, scale: &Scale, value: f64) -> f64 {
        scale.at(value, self.bottom, self.top)
    }

    fn middle(&self) -> Place {
        (f64::midpoint(self.left, self.right), f64::midpoint(self.top, self.bottom))
    }
}

/// What a panel needs: its marks, and its axes' ticks and names.
pub(super) fn room(panel: &Panel, drawn: &dyn Drawn) -> Room {
    let Room { width, height, left, right, below } = drawn.room();
    let name = if panel.x_axis.is_empty() { 0.0 } else { NAME };
    Room {
        width,
        height,
        left: left.max(ticks_width(drawn.y()) + GAP + NAME),
        right,
        below: below + name,
    }
}

/// The title of a panel in lines of at most `room`: one that is cut where words themselves are too long.
pub(super) fn title(panel: &Panel, room: f64) -> Vec<String> {
    let size = f64::from(TITLE);
    let lines = text::wrapped(&panel.title, size, room);
    let has_room =
        |word: &str| text::width(word, size) <= room || word.chars().any(|c| c as u32 >= 0x2e80);
    match lines.len() <= TITLE_LINES && panel.title.split_whitespace().all(has_room) {
        true => lines,
        false => vec![panel.title.clone()],
    }
}

/// Pixels above a frame whose title has so many lines.
pub(super) fn head_height(lines: usize) -> f64 {
    HEAD + TITLE_PITCH * lines.saturating_sub(1) as f64
}

/// Draws a panel; `below` is where the next one may begin.
pub(super) fn draw(
    sheet: &mut Sheet,
    (panel, title): (&Panel, &[String]),
    drawn: &dyn Drawn,
    frame: &Frame,
    below: f64,
) {
    let scale = drawn.y();
    head(sheet, title, drawn, frame);
    for (value, name) in &scale.ticks {
        let y = frame.y(scale, *value);
        sheet.line((frame.left, y), (frame.right, y), Ink::PALE, 1.0);
        let at = (frame.left - GAP, y + 4.0);
        sheet.words(&Words { anchor: Anchor::End, ..Words::new(name, at, TICK) });
    }
    let (across, up) = frame.middle();
    if scale.ticks.is_empty() {
        let said = sheet.lang.say("no values");
        let words = Words::new(&said, (across, up), AXIS);
        sheet.words(&Words { anchor: Anchor::Middle, ink: Ink::MIDDLE, ..words });
    }
    sheet.words(&Words {
        anchor: Anchor::Middle,
        turn: -90.0,
        room: frame.bottom - frame.top,
        ..Words::new(&panel.y_axis, (frame.left - ticks_width(scale) - 2.0 * GAP, up), AXIS)
    });
    drawn.draw(sheet, frame);
    sheet.line((frame.left, frame.top), (frame.left, frame.bottom), Ink::DARK, 1.0);
    if scale.zoomed {
        broken(sheet, (frame.left - 1.5, frame.bottom - 10.0), 4.0);
    }
    if !panel.x_axis.is_empty() {
        let words = Words::new(&panel.x_axis, (across, below - GAP), AXIS);
        let room = frame.right - frame.left;
        sheet.words(&Words { anchor: Anchor::Middle, room, ..words });
    }
}

/// The title, and the remark below it.
fn head(sheet: &mut Sheet, title: &[String], drawn: &dyn Drawn, frame: &Frame) {
    let room = frame.right - frame.left;
    for (i, line) in title.iter().rev().enumerate() {
        let at = (frame.left, frame.top - 24.0 - TITLE_PITCH * i as f64);
        sheet.words(&Words { room, ..Words::new(line, at, TITLE) });
    }
    let lang = sheet.lang;
    let remarks: Vec<_> = drawn.remarks().iter().map(|one| lang.say(one).into_owned()).collect();
    let remark = remarks.join("; ");
    let remark = Words::new(&remark, (frame.left, frame.top - 9.0), REMARK);
    sheet.words(&Words { ink: Ink::MIDDLE, room, ..remark });
}

/// A grid and names at the ticks below a frame, and its lower edge.
pub(super) fn x_axis(sheet: &mut Sheet, frame: &Frame, scale: &Scale, size: u32) {
    for (value, name) in &scale.ticks {
        let x = scale.at(*value, frame.left, frame.right);
        sheet.line((x, frame.top), (x, frame.bottom), Ink::PALE, 1.0);
        let words = Words::new(name, (x, frame.bottom + 16.0), size);
        sheet.words(&Words { anchor: Anchor::Middle, ..words });
    }
    sheet.line((frame.left, frame.bottom), (frame.right, frame.bottom), Ink::DARK, 1.0);
}

/// Two strokes across an axis or a bar: something is left out here.
pub(super) fn broken(sheet: &mut Sheet, (x, y): Place, half: f64) {
    for (part, ink) in [(-1.0, Ink::DARK), (0.0, Ink::WHITE), (1.0, Ink::DARK)] {
        let (y, width) = (y + 2.5 * part, if part == 0.0 { 4.0 } else { 1.0 });
        sheet.line((x - half, y + 2.0), (x + half, y - 2.0), ink, width);
    }
}

fn ticks_width(scale: &Scale) -> f64 {
    let widths = scale.ticks.iter().map(|(_, name)| text::width(name, f64::from(TICK)));
    widths.fold(0.0, f64::max)
}
