//! Words with ideographs in PNG files. The library draws all words in one font, which has none of them, so
//! that these words are drawn here, over its picture, in a font of just what [`crate::Lang`] needs.

use super::PictureError;
use super::sheet::{Anchor, Ink};
use fontdue::{Font, FontSettings};
use std::io::Cursor;
use std::sync::LazyLock;

/// See fonts/README.md.
const BYTES: &[u8] = include_bytes!("../../fonts/chinese.otf");

static FONT: LazyLock<Option<Font>> =
    LazyLock::new(|| Font::from_bytes(BYTES, FontSettings::default()).ok());

/// Words at a place, in pixels of the page.
#[derive(Clone, Debug)]
pub(super) struct Lettering {
    pub(super) text: String,
    pub(super) at: (f64, f64),
    pub(super) size: f64,
    pub(super) anchor: Anchor,
    /// Degrees, clockwise around `at`.
    pub(super) turn: f64,
    pub(super) ink: Ink,
}

/// Whether the library's font lacks one of its characters.
pub(super) fn has_ideographs(text: &str) -> bool {
    text.chars().any(|c| c as u32 >= 0x2e80)
}

/// Draws words over a picture that is `scale` times as large as its page.
pub(super) fn lettered(
    png: &[u8],
    words: &[Lettering],
    scale: f64,
) -> Result<Vec<u8>, PictureError> {
    let wrong = |error: &dyn std::fmt::Display| PictureError::Encoding(error.to_string());
    let mut reader = png::Decoder::new(Cursor::new(png)).read_info().map_err(|e| wrong(&e))?;
    let size = reader.output_buffer_size().ok_or_else(|| wrong(&"it is too large"))?;
    let mut pixels = vec![0; size];
    let info = reader.next_frame(&mut pixels).map_err(|e| wrong(&e))?;
    if info.color_type != png::ColorType::Rgba || info.bit_depth != png::BitDepth::Eight {
        return Err(wrong(&"its colours are not of four bytes"));
    }
    let mut canvas = Canvas { pixels, width: info.width as usize, height: info.height as usize };
    for one in words {
        canvas.letter(one, scale);
    }
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, info.width, info.height);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().map_err(|e| wrong(&e))?;
    writer.write_image_data(&canvas.pixels).map_err(|e| wrong(&e))?;
    writer.finish().map_err(|e| wrong(&e))?;
    Ok(out)
}

/// A line of letters: how much of each pixel is covered, 0 to 255, and the row of its base line.
struct Strip {
    coverage: Vec<u8>,
    width: usize,
    height: usize,
    base: f64,
}

impl Strip {
    fn of(font: &Font, text: &str, size: f32) -> Strip {
        let advances = text.chars().map(|c| font.metrics(c, size).advance_width);
        let width = advances.sum::<f32>().ceil() as usize + 2;
        let (base, height) = ((size * 1.2).ceil() as usize, (size * 1.6).ceil() as usize);
        let mut strip =
            Strip { coverage: vec![0; width * height], width, height, base: base as f64 };
        let mut pen = 1.0_f32;
        for c in text.chars() {
            let (metrics, bitmap) = font.rasterize(c, size);
            let left = pen.round() as i64 + i64::from(metrics.xmin);
            let top = base as i64 - metrics.height as i64 - i64::from(metrics.ymin);
            for (i, covered) in bitmap.iter().enumerate() {
                let x = left + (i % metrics.width) as i64;
                let y = top + (i / metrics.width) as i64;
                if let Some(at) = strip.at(x, y) {
                    strip.coverage[at] = strip.coverage[at].max(*covered);
                }
            }
            pen += metrics.advance_width;
        }
        strip
    }

    fn at(&self, x: i64, y: i64) -> Option<usize> {
        let is_in = x >= 0 && y >= 0 && x < self.width as i64 && y < self.height as i64;
        is_in.then(|| y as usize * self.width + x as usize)
    }

    /// Coverage at a place between pixels, 0 to 1.
    fn sample(&self, x: f64, y: f64) -> f64 {
        let (left, top) = ((x - 0.5).floor(), (y - 0.5).floor());
        let (dx, dy) = (x - 0.5 - left, y - 0.5 - top);
        let one = |i: i64, j: i64| {
            let at = self.at(left as i64 + i, top as i64 + j);
            at.map_or(0.0, |at| f64::from(self.coverage[at]) / 255.0)
        };
        let upper = one(0, 0) * (1.0 - dx) + one(1, 0) * dx;
        let lower = one(0, 1) * (1.0 - dx) + one(1, 1) * dx;
        upper * (1.0 - dy) + lower * dy
    }
}

/// Four bytes a pixel.
struct Canvas {
    pixels: Vec<u8>,
    width: usize,
    height: usize,
}

impl Canvas {
    fn letter(&mut self, words: &Lettering, scale: f64) {
        let Some(font) = &*FONT else { return };
        let strip = Strip::of(font, &words.text, (words.size * scale) as f32);
        let before = match words.anchor {
            Anchor::Start => 0.0,
            Anchor::Middle => strip.width as f64 / 2.0,
            Anchor::End => strip.width as f64,
        };
        let (sin, cos) = words.turn.to_radians().sin_cos();
        let (x, y) = (words.at.0 * scale, words.at.1 * scale);
        // Where a place of the strip falls on the page, and back.
        let onto = |u: f64, v: f64| {
            let (u, v) = (u - before, v - strip.base);
            (x + u * cos - v * sin, y + u * sin + v * cos)
        };
        let (w, h) = (strip.width as f64, strip.height as f64);
        let corners = [onto(0.0, 0.0), onto(w, 0.0), onto(0.0, h), onto(w, h)];
        let range = |of: fn(&(f64, f64)) -> f64, most: usize| {
            let low = corners.iter().map(of).fold(f64::INFINITY, f64::min).floor();
            let high = corners.iter().map(of).fold(f64::NEG_INFINITY, f64::max).ceil();
            (low.max(0.0) as usize).min(most)..(high.max(0.0) as usize).min(most)
        };
        for row in range(|corner| corner.1, self.height) {
            for column in range(|corner| corner.0, self.width) {
                let (dx, dy) = (column as f64 + 0.5 - x, row as f64 + 0.5 - y);
                let (u, v) = (dx * cos + dy * sin + before, dy * cos - dx * sin + strip.base);
                self.cover(row, column, strip.sample(u, v), words.ink);
            }
        }
    }

    /// Puts ink on a share of a pixel.
    fn cover(&mut self, row: usize, column: usize, share: f64, ink: Ink) {
        if share <= 0.0 {
            return;
        }
        let at = (row * self.width + column) * 4;
        for (byte, ink) in self.pixels[at..at + 3].iter_mut().zip([ink.0, ink.1, ink.2]) {
            *byte = (f64::from(*byte) * (1.0 - share) + f64::from(ink) * share).round() as u8;
        }
        self.pixels[at + 3] = 255;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Lang;

    #[test]
    fn the_font_has_every_character_of_the_table() {
        let font = FONT.as_ref().expect("it can be read");
        let lacking: String = Lang::characters()
            .filter(|c| !c.is_control() && font.lookup_glyph_index(*c) == 0)
            .collect();
        assert_eq!(lacking, "", "fonts/README.md says how it is made anew");
    }

    /// Ink within a rectangle, in pixels of the page.
    fn ink_in(png: &[u8], scale: f64, (left, top, right, bottom): (f64, f64, f64, f64)) -> usize {
        let mut reader = png::Decoder::new(Cursor::new(png)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        let inside = |i: &usize| {
            let (x, y) = ((i % info.width as usize) as f64, (i / info.width as usize) as f64);
            (left..right).contains(&(x / scale)) && (top..bottom).contains(&(y / scale))
        };
        (0..pixels.len() / 4).filter(inside).filter(|i| pixels[i * 4] < 128).count()
    }

    #[test]
    fn words_stand_where_they_should_whichever_way_they_are_turned() {
        let mut blank = Vec::new();
        let mut encoder = png::Encoder::new(&mut blank, 200, 200);
        encoder.set_color(png::ColorType::Rgba);
        encoder.write_header().unwrap().write_image_data(&[255; 200 * 200 * 4]).unwrap();
        let words = |anchor, turn| Lettering {
            text: "中位数".into(),
            at: (50.0, 50.0),
            size: 12.0,
            anchor,
            turn,
            ink: Ink::DARK,
        };
        let drawn = |anchor, turn| lettered(&blank, &[words(anchor, turn)], 2.0).unwrap();
        let right = (50.0, 38.0, 90.0, 54.0);
        let left = (10.0, 38.0, 50.0, 54.0);
        let above = (38.0, 10.0, 54.0, 50.0);
        for (anchor, turn, place) in
            [(Anchor::Start, 0.0, right), (Anchor::End, 0.0, left), (Anchor::Start, -90.0, above)]
        {
            let png = drawn(anchor, turn);
            let all = ink_in(&png, 2.0, (0.0, 0.0, 100.0, 100.0));
            assert!(all > 100 && ink_in(&png, 2.0, place) == all, "{anchor:?} {turn}");
        }
    }
}
