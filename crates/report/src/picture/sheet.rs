//! What is drawn on: lines, rectangles, dots and words in pixels, and the two files made of them.
//!
//! This is the one file that names the drawing library. Of kuva only the last layer is used, a list
//! of shapes and what writes it as SVG and PNG: its own bars have no values on top, and bars that are
//! missing or cut, turned names and places for labels would have to be drawn over its layout. What
//! its PNG draws otherwise than its SVG (bold letters as plain ones, dashes of the wrong length) is
//! not offered here. Where shapes go is `page`'s.

use super::glyphs::{Lettering, has_ideographs, lettered};
use super::{PictureError, Role, text};
use crate::Lang;
use kuva::RasterBackend;
use kuva::backend::svg::SvgBackend;
use kuva::render::color::Color;
use kuva::render::render::{Primitive, Scene, TextAnchor};

/// Pixels of the SVG in an inch, as CSS has it, and of the PNG.
const CSS_DPI: f64 = 96.0;
const PNG_DPI: f64 = 300.0;

/// Pixels of the largest PNG: 256 MB while it is drawn.
const MOST_PIXELS: u64 = 64 << 20;

/// The chunk that says 300 dots per inch, which is 11,811 in a metre, with its length before it and
/// its checksum after it (PNG specification, section 11.3.4.3).
const PHYS: [u8; 21] = *b"\0\0\0\x09pHYs\0\0\x2e\x23\0\0\x2e\x23\x01\x78\xa5\x3f\x76";

/// Where the chunk goes: behind the signature (8 bytes) and the header (25).
const AFTER_HEADER: usize = 33;

/// Fonts of an SVG's reader, the one that widths are of first.
const FONTS: &str = "DejaVu Sans, Verdana, sans-serif";

/// A colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ink(pub(super) u8, pub(super) u8, pub(super) u8);

impl Ink {
    /// Text and axes.
    pub(super) const DARK: Ink = Ink(0x22, 0x22, 0x22);
    /// What is read second.
    pub(super) const MIDDLE: Ink = Ink(0x66, 0x66, 0x66);
    /// Lines behind everything.
    pub(super) const PALE: Ink = Ink(0xe3, 0xe3, 0xe3);
    /// The paper.
    pub(super) const WHITE: Ink = Ink(0xff, 0xff, 0xff);

    /// On a ground of its own colour, light and dark: these two are no page's. On any ground one of them has
    /// a contrast of 4.5 to 1.
    pub(super) const ON_LIGHT: Ink = Ink(0x01, 0x01, 0x01);
    /// The other.
    pub(super) const ON_DARK: Ink = Ink(0xfe, 0xfe, 0xfe);

    /// As a file has it.
    pub(super) fn hex(self) -> String {
        format!("#{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }

    /// The same, dark enough for words.
    pub(super) fn on_paper(self) -> Ink {
        let part = |x: u8| (f64::from(x) * 0.62) as u8;
        Ink(part(self.0), part(self.1), part(self.2))
    }

    /// Relative luminance (WCAG 2.2).
    pub(super) fn luminance(self) -> f64 {
        let part = |x: u8| match f64::from(x) / 255.0 {
            x if x <= 0.04045 => x / 12.92,
            x => ((x + 0.055) / 1.055).powf(2.4),
        };
        0.2126 * part(self.0) + 0.7152 * part(self.1) + 0.0722 * part(self.2)
    }

    /// How far two colours are apart, 1 to 21 (WCAG 2.2).
    pub(super) fn contrast(self, other: Ink) -> f64 {
        let (a, b) = (self.luminance(), other.luminance());
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    fn colour(self) -> Color {
        Color::Rgb(self.0, self.1, self.2)
    }
}

/// Colours of [`Role::Nth`], without the palette's yellow. Its orange and its light blue are darker here, so
/// that a line of each has a contrast of 3 to 1 (WCAG 2.2, 1.4.11) on white and on the dark page.
pub(super) const NTH: [Ink; 7] = [
    Ink(0x00, 0x72, 0xb2),
    Ink(0xd5, 0x5e, 0x00),
    Ink(0x00, 0x9e, 0x73),
    Ink(0xcc, 0x79, 0xa7),
    Ink(0xb5, 0x7d, 0x00),
    Ink(0x2b, 0x8f, 0xc9),
    Ink(0x22, 0x22, 0x22),
];

impl From<Role> for Ink {
    fn from(role: Role) -> Ink {
        match role {
            Role::Baseline => Ink(0x8c, 0x8c, 0x8c),
            Role::Streaming => Ink(0x3a, 0x9d, 0x4f),
            Role::Recent => Ink(0xd6, 0x4b, 0x45),
            Role::Other => Ink(0x3b, 0x7d, 0xc4),
            Role::Control => Ink(0xb8, 0x80, 0x0f),
            Role::Nth(i) => NTH[i % NTH.len()],
        }
    }
}

/// A place, from the left and from the top.
pub(super) type Place = (f64, f64);

/// Which point of a text is at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// Which way something is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Along {
    Across,
    Up,
}

/// Words.
pub(super) struct Words<'a> {
    pub(super) text: &'a str,
    pub(super) at: Place,
    pub(super) size: u32,
    pub(super) anchor: Anchor,
    /// Degrees, clockwise around `at`.
    pub(super) turn: f64,
    pub(super) ink: Ink,
    /// How wide it may become.
    pub(super) room: f64,
}

impl<'a> Words<'a> {
    /// Words that may take what they need.
    pub(super) fn new(text: &'a str, at: Place, size: u32) -> Words<'a> {
        Words {
            text,
            at,
            size,
            anchor: Anchor::Start,
            turn: 0.0,
            ink: Ink::DARK,
            room: f64::INFINITY,
        }
    }
}

/// A page that is drawn on.
pub(super) struct Sheet {
    scene: Scene,
    /// The language of what the page says itself.
    pub(super) lang: Lang,
    /// Words that the library's font lacks, and their places among the shapes.
    lettered: Vec<(usize, Lettering)>,
}

impl Sheet {
    /// A white one.
    pub(super) fn new(width: f64, height: f64, lang: Lang) -> Sheet {
        let mut scene = Scene::new(width.ceil(), height.ceil());
        scene.font_family = Some(FONTS.to_owned());
        Sheet { scene, lang, lettered: Vec::new() }
    }

    /// A filled rectangle from its upper left to its lower right corner.
    pub(super) fn rectangle(&mut self, (left, top): Place, (right, bottom): Place, ink: Ink) {
        self.scene.elements.push(Primitive::Rect {
            x: left,
            y: top,
            width: (right - left).max(0.0),
            height: (bottom - top).max(0.0),
            fill: ink.colour(),
            stroke: None,
            stroke_width: None,
            opacity: None,
        });
    }

    /// A line.
    pub(super) fn line(&mut self, from: Place, to: Place, ink: Ink, width: f64) {
        self.scene.elements.push(Primitive::Line {
            x1: from.0,
            y1: from.1,
            x2: to.0,
            y2: to.1,
            stroke: ink.colour(),
            stroke_width: width,
            stroke_dasharray: None,
        });
    }

    /// An interval: a line from end to end, each end with a stroke across it of twice `half`.
    pub(super) fn whisker(&mut self, ends: (f64, f64), at: f64, half: f64, along: Along) {
        self.whisker_of(ends, at, half, along, Ink::DARK);
    }

    /// The same in a colour.
    pub(super) fn whisker_of(
        &mut self,
        (from, to): (f64, f64),
        at: f64,
        half: f64,
        along: Along,
        ink: Ink,
    ) {
        let place = |along_it, across_it| match along {
            Along::Up => (across_it, along_it),
            Along::Across => (along_it, across_it),
        };
        self.line(place(from, at), place(to, at), ink, 1.2);
        for end in [from, to] {
            self.line(place(end, at - half), place(end, at + half), ink, 1.2);
        }
    }

    /// A dot with a white rim, which keeps two apart that touch.
    pub(super) fn dot(&mut self, at: Place, radius: f64, ink: Ink) {
        self.scene.elements.push(Primitive::Circle {
            cx: at.0,
            cy: at.1,
            r: radius,
            fill: ink.colour(),
            fill_opacity: None,
            stroke: Some(Ink::WHITE.colour()),
            stroke_width: Some(1.0),
        });
    }

    /// Words, cut to their room; all of them in a tooltip where they were.
    pub(super) fn words(&mut self, words: &Words<'_>) {
        let whole = text::clean(words.text);
        if whole.trim().is_empty() {
            return;
        }
        let shown = text::elided(words.text, f64::from(words.size), words.room);
        let cut = shown != whole;
        if cut {
            let title = Some(whole);
            self.scene.elements.push(Primitive::GroupStart {
                transform: None,
                title,
                extra_attrs: None,
            });
        }
        if has_ideographs(&shown) {
            let lettering = Lettering {
                text: shown.clone(),
                at: words.at,
                size: f64::from(words.size),
                anchor: words.anchor,
                turn: words.turn,
                ink: words.ink,
            };
            self.lettered.push((self.scene.elements.len(), lettering));
        }
        self.scene.elements.push(Primitive::Text {
            x: words.at.0,
            y: words.at.1,
            // The library reads formulas between dollar signs.
            content: shown.replace('$', "\\$"),
            size: words.size,
            anchor: match words.anchor {
                Anchor::Start => TextAnchor::Start,
                Anchor::Middle => TextAnchor::Middle,
                Anchor::End => TextAnchor::End,
            },
            rotate: (words.turn != 0.0).then_some(words.turn),
            bold: false,
            color: Some(words.ink.colour()),
        });
        if cut {
            self.scene.elements.push(Primitive::GroupEnd);
        }
    }

    /// Its width and height.
    pub(super) fn size(&self) -> (f64, f64) {
        (self.scene.width, self.scene.height)
    }

    /// The page as SVG.
    pub(super) fn svg(&self) -> String {
        let drawn = SvgBackend::new().with_pretty(true).render_scene(&self.scene);
        // Without it the page cannot be shown smaller.
        let (width, height) = (self.scene.width, self.scene.height);
        drawn.replacen("<svg ", &format!("<svg viewBox=\"0 0 {width} {height}\" "), 1)
    }

    /// The shapes as pixels, without the words that are lettered.
    fn raster(&self, scale: f32) -> Result<Vec<u8>, PictureError> {
        let draw = |scene: &Scene| {
            let drawn = RasterBackend::new().with_scale(scale).render_scene(scene);
            drawn.map_err(PictureError::Encoding)
        };
        if self.lettered.is_empty() {
            return draw(&self.scene);
        }
        let mut scene = Scene::new(self.scene.width, self.scene.height);
        scene.font_family.clone_from(&self.scene.font_family);
        let is_lettered = |i: usize| self.lettered.binary_search_by_key(&i, |(at, _)| *at).is_ok();
        let shapes = self.scene.elements.iter().enumerate().filter(|(i, _)| !is_lettered(*i));
        scene.elements = shapes.map(|(_, shape)| shape.clone()).collect();
        draw(&scene)
    }

    /// Pixels of the PNG: width and height.
    fn pixels(&self) -> (u64, u64) {
        let pixels = |length: f64| (length * PNG_DPI / CSS_DPI).ceil() as u64;
        (pixels(self.scene.width), pixels(self.scene.height))
    }

    /// What part of the largest PNG it is; above 1 none is made.
    pub(super) fn load(&self) -> f64 {
        let (width, height) = self.pixels();
        width as f64 * height as f64 / MOST_PIXELS as f64
    }

    /// The page as PNG.
    pub(super) fn png(&self) -> Result<Vec<u8>, PictureError> {
        let (width, height) = self.pixels();
        if width.saturating_mul(height) > MOST_PIXELS {
            return Err(PictureError::TooLarge { width, height, limit: MOST_PIXELS });
        }
        let scale = (PNG_DPI / CSS_DPI) as f32;
        let mut png = self.raster(scale)?;
        if !self.lettered.is_empty() {
            let words: Vec<Lettering> = self.lettered.iter().map(|(_, one)| one.clone()).collect();
            png = lettered(&png, &words, f64::from(scale))?;
        }
        if png.get(12..16) != Some(b"IHDR") || png.len() < AFTER_HEADER {
            return Err(PictureError::Encoding("it does not begin with its header".to_owned()));
        }
        png.splice(AFTER_HEADER..AFTER_HEADER, PHYS);
        Ok(png)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rightmost dark pixel of each row of words, which are `pitch` apart.
    fn right_ends(sheet: &Sheet, rows: usize, pitch: f64) -> Vec<f64> {
        let png = sheet.png().unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        let scale = PNG_DPI / CSS_DPI;
        let dark = |x: usize, y: usize| pixels[(y * info.width as usize + x) * 4] < 128;
        let band = |row: usize| {
            (row as f64 * pitch * scale) as usize..((row + 1) as f64 * pitch * scale) as usize
        };
        let end =
            |row: usize| (0..info.width as usize).rev().find(|&x| band(row).any(|y| dark(x, y)));
        (0..rows).map(|row| end(row).unwrap() as f64 / scale).collect()
    }

    #[test]
    fn widths_are_those_of_the_font() {
        const TIMES: usize = 20;
        const PITCH: f64 = 20.0;
        let rows: Vec<String> =
            (' '..='~').map(|c| format!("{}|", c.to_string().repeat(TIMES))).collect();
        let height = PITCH * (rows.len() + 1) as f64;
        let mut sheet = Sheet::new(400.0, height, Lang::En);
        for (row, words) in ["|"].into_iter().chain(rows.iter().map(String::as_str)).enumerate() {
            sheet.words(&Words::new(words, (10.0, PITCH * row as f64 + 14.0), 12));
        }
        let ends = right_ends(&sheet, rows.len() + 1, PITCH);
        for (row, end) in rows.iter().zip(&ends[1..]) {
            let measured = text::width(&row[..TIMES], 12.0);
            assert!((end - ends[0] - measured).abs() < 0.7, "{row}: {end} {measured}");
        }
    }
}
