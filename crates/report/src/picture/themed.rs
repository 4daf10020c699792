//! A panel for a page that has light and dark: its colours are the page's.

use super::sheet::{Ink, NTH};
use super::{Panel, Picture, page};

/// The panel as SVG without its title, in the colours of a page: `--paper`, `--ink`, `--second`, `--grid`
/// and `--n0` to `--n6` for words in the colours of lines. Without such a page they are those of paper.
pub fn themed_svg(panel: &Panel) -> String {
    let alone = Panel { title: String::new(), ..panel.clone() };
    let picture = Picture { panels: vec![alone], columns: 1, ..Picture::default() };
    let mut drawn = page::drawn(&picture).svg();
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
