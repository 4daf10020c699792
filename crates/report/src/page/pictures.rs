//! All panels of documents on one page, as SVG and as PNG of 300 dots per inch.

use super::{Cover, PageFormat};
use crate::Document;
use crate::picture::{Picture, png_in, png_pages, svg_in};

pub(super) const SVG: PageFormat = PageFormat {
    name: "svg",
    help: "its pictures, to any size",
    write: |cover, documents| Ok(svg_in(&picture(cover, documents), cover.lang).into_bytes()),
    pages: |cover, documents| Ok(vec![svg_in(&picture(cover, documents), cover.lang).into_bytes()]),
};

pub(super) const PNG: PageFormat = PageFormat {
    name: "png",
    help: "its pictures, 300 dots per inch",
    write: |cover, documents| png_in(&picture(cover, documents), cover.lang),
    pages: |cover, documents| png_pages(&picture(cover, documents), cover.lang),
};

/// Two panels beside each other.
const COLUMNS: usize = 2;

pub(super) fn picture(cover: &Cover, documents: &[Document]) -> Picture {
    let panels: Vec<_> = documents.iter().flat_map(|document| document.panels.clone()).collect();
    let nothing = "There is nothing to draw: no row has a figure.".to_owned();
    let notes = if panels.is_empty() { vec![nothing] } else { Vec::new() };
    let columns = COLUMNS.min(panels.len().max(1));
    let picture =
        Picture { title: cover.title.clone(), panels, notes, columns, ..Picture::default() };
    cover.lang.picture(&picture)
}
