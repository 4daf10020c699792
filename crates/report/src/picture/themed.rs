//! A panel for a page that has light and dark: its colours are the page's.

use super::sheet::{Ink, NTH};
use super::{Panel, Picture, page};

/// What is free above a panel without a title, and at the other edges, which a page has of its own.
const ABOVE: f64 = 46.0;
const BELOW: f64 = 18.0;
const LEFT: f64 = 18.0;

/// The drawing without its empty edges.
fn cropped(svg: &str, (width, height): (f64, f64)) -> String {
    let (w, h) = (width - LEFT, height - ABOVE - BELOW);
    svg.replacen(
        &format!("viewBox=\"0 0 {width} {height}\""),
        &format!("viewBox=\"{LEFT} {ABOVE} {w} {h}\""),
        1,
    )
    .replacen(
        &format!("width=\"{width}\" height=\"{height}\""),
        &format!("width=\"{w}\" height=\"{h}\""),
        1,
    )
}

/// The panel as SVG without its title, in the colours of a page: `--paper`, `--ink`, `--second`, `--grid`
/// and `--n0` to `--n6` for words in the colours of lines. Without such a page they are those of paper.
pub fn themed_svg(panel: &Panel) -> String {
    let alone = Panel { title: String::new(), ..panel.clone() };
    let picture = Picture { panels: vec![alone], columns: 1, ..Picture::default() };
    let sheet = page::drawn(&picture);
    let mut drawn = cropped(&sheet.svg(), sheet.size());
    let mut swap = |ink: Ink, name: &str| {
        let hex = ink.hex();
        let (old, new) = (format!("=\"{hex}\""), format!("=\"var({name}, {hex})\""));
        drawn = drawn.replace(&old, &new);
    };
    for (i, ink) in NTH.iter().enumerate() {
        // Words first: the last colour is that of text.
        swap(ink.on_paper(), &format!("--n{i}"));
    }
    for (ink, name) in [
        (Ink::DARK, "--ink"),
        (Ink::MIDDLE, "--second"),
        (Ink::PALE, "--grid"),
        (Ink::WHITE, "--paper"),
    ] {
        swap(ink, name);
    }
    drawn.replacen("fill=\"white\"", "fill=\"var(--paper, #ffffff)\"", 1)
}
