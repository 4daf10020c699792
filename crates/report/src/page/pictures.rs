//! All panels of documents on one page, as SVG and as PNG of 300 dots per inch.

use super::{Cover, PageFormat};
use crate::picture::{Legend, Picture, png_in, png_pages, svg_in};
use crate::{Document, Lang};

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
    let Legend { colours, mut notes } = legend(documents, cover.lang);
    if panels.is_empty() {
        notes = vec![nothing];
    }
    let columns = COLUMNS.min(panels.len().max(1));
    let title = cover.title.clone();
    cover.lang.picture(&Picture { title, notes, legend: colours, panels, columns })
}

/// What colours mean on a page of all documents, in this language. Where they mean other things in another
/// document, the title of its first panel stands before what they mean in it.
fn legend(documents: &[Document], lang: Lang) -> Legend {
    let with = || documents.iter().filter(|document| !document.legend.colours.is_empty());
    let first = with().next().map(|document| &document.legend.colours);
    let is_one = with().all(|document| Some(&document.legend.colours) == first);
    let mut all = Legend::default();
    for document in documents {
        let of = document.panels.first().filter(|_| !is_one).map(|panel| lang.say(&panel.title));
        let mut more = document.legend.clone();
        for (_, words) in &mut more.colours {
            let said = lang.say(words);
            *words = match &of {
                Some(of) => format!("{of}: {said}"),
                None => said.into_owned(),
            };
        }
        all.add(more);
    }
    all
}
