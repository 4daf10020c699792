//! Whole files of documents: a page for a browser, and pictures. Unlike what [`mod@crate::render`] writes row by
//! row, they are made when all is measured, and of several documents at once.

mod html;
mod pictures;

use crate::picture::PictureError;
use crate::{Document, Lang};

/// What a file is of.
#[derive(Clone, Debug, Default)]
pub struct Cover {
    /// What stands above everything.
    pub title: String,
    /// Its language.
    pub lang: Lang,
}

/// A row of [`PAGES`].
pub struct PageFormat {
    /// Its name on the command line, and the end of the file's name.
    pub name: &'static str,
    /// One line on what it is for.
    pub help: &'static str,
    /// Makes the file of documents that are complete.
    pub write: fn(&Cover, &[Document]) -> Result<Vec<u8>, PictureError>,
    /// The same as several files, where one would be too large.
    pub pages: fn(&Cover, &[Document]) -> Result<Vec<Vec<u8>>, PictureError>,
}

/// Every format of whole files.
pub const PAGES: &[PageFormat] = &[html::FORMAT, pictures::PNG, pictures::SVG];

/// The format of that name.
pub fn find(name: &str) -> Option<&'static PageFormat> {
    PAGES.iter().find(|format| format.name == name)
}

#[cfg(test)]
mod tests;
