//! Whole files of documents: a page for a browser, and pictures. Unlike what [`mod@crate::render`] writes row by
//! row, they are made when all is measured, and of several documents at once.

mod html;
mod pictures;

pub use html::{STYLE, article, escaped};

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

/// Makes files of documents.
pub type Makes<T> = fn(&Cover, &[Document]) -> Result<T, PictureError>;

/// A row of [`PAGES`].
pub struct PageFormat {
    /// Its name on the command line, and the end of the file's name.
    pub name: &'static str,
    /// One line on what it is for.
    pub help: &'static str,
    /// Makes the file of documents that are complete.
    pub write: Makes<Vec<u8>>,
    /// The same as several files, where one would be too large.
    pub pages: Makes<Vec<Vec<u8>>>,
}

/// Every format of whole files.
pub const PAGES: &[PageFormat] = &[html::FORMAT, pictures::PNG, pictures::SVG];

/// The format of that name.
pub fn find(name: &str) -> Option<&'static PageFormat> {
    PAGES.iter().find(|format| format.name == name)
}

#[cfg(test)]
mod tests;
