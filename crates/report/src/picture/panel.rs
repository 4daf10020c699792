//! One panel: title, axes and grid around what its marks draw.

use super::scale::Scale;
use super::sheet::{Anchor, Ink, Place, Sheet, Words};
use super::{Panel, text};

/// Sizes of text.
pub(super) const TITLE: u32 = 14;
pub(super) const AXIS: u32 = 12;
pub(super) const TICK: u32 = 11;
const REMARK: u32 = 10;

/// Pixels above a frame: the title, and a remark below it.
pub(super) const HEAD: f64 = 42.0;

/// Pixels of an axis' name, and what ticks keep from the frame.
const NAME: f64 = 22.0;
const GAP: f64 = 6.0;

/// What marks draw, and the room that they need for it.
pub(super) trait Drawn {
    /// What they ask for.
    fn room(&self) -> Room;

    /// The values from the frame's bottom to its top.
    fn y(&self) -> &Scale;

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

/// Draws a panel; `below` is where the next one may begin.
pub(super) fn draw(
    sheet: &mut Sheet,
    panel: &Panel,
    drawn: &dyn Drawn,
    frame: &Frame,
    below: f64,
) {
    let scale = drawn.y();
    head(sheet, panel, scale, frame);
    for (value, name) in &scale.ticks {
        let y = frame.y(scale, *value);
        sheet.line((frame.left, y), (frame.right, y), Ink::PALE, 1.0);
        let at = (frame.left - GAP, y + 4.0);
        sheet.words(&Words { anchor: Anchor::End, ..Words::new(name, at, TICK) });
    }
    let (across, up) = frame.middle();
    if scale.ticks.is_empty() {
        let at = (across, up);
        let words = Words::new("no values", at, AXIS);
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
        broken(sheet, (frame.left, frame.bottom - 10.0));
    }
    if !panel.x_axis.is_empty() {
        let words = Words::new(&panel.x_axis, (across, below - GAP), AXIS);
        let room = frame.right - frame.left;
        sheet.words(&Words { anchor: Anchor::Middle, room, ..words });
    }
}

/// The title, and where an axis of bars begins if that is not where a reader expects it.
fn head(sheet: &mut Sheet, panel: &Panel, scale: &Scale, frame: &Frame) {
    let room = frame.right - frame.left;
    let bold = Words { bold: true, ..Words::new(&panel.title, (frame.left, frame.top - 24.0), TITLE) };
    // Bold letters are wider than those that the room is measured in.
    let room_of_bold = room * text::width("I", 1.0) / text::bold_width("I", 1.0);
    sheet.words(&Words { room: room_of_bold, ..bold });
    if scale.zoomed {
        let remark = format!("axis begins at {}, not at 0", text::number(scale.low()));
        let words = Words::new(&remark, (frame.left, frame.top - 9.0), REMARK);
        sheet.words(&Words { ink: Ink::MIDDLE, room, ..words });
    }
}

/// Two strokes across an axis: something is left out below.
fn broken(sheet: &mut Sheet, (x, y): Place) {
    sheet.rectangle((x - 2.0, y - 2.0), (x + 2.0, y + 2.0), Ink::WHITE);
    for stroke in [y - 2.0, y + 2.0] {
        sheet.line((x - 5.0, stroke + 2.0), (x + 5.0, stroke - 2.0), Ink::DARK, 1.0);
    }
}

fn ticks_width(scale: &Scale) -> f64 {
    let widths = scale.ticks.iter().map(|(_, name)| text::width(name, f64::from(TICK)));
    widths.fold(0.0, f64::max)
}
