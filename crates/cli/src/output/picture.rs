//! A picture in a file of its own, in the format that its name asks for.

use super::files::{Input, create};
use anyhow::Result;
use pacemark_files::Output;
use pacemark_report::picture::{Picture, png, svg};
use std::path::Path;

/// A file that a picture is to be drawn in.
pub(crate) struct PictureFile {
    file: Output,
    is_png: bool,
}

/// Makes sure that `path`, the value of `flag`, can be written: PNG where the name ends so, else
/// SVG.
pub(crate) fn picture(flag: &str, path: &Path, inputs: &[Input<'_>]) -> Result<PictureFile> {
    let is_png = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("png"));
    Ok(PictureFile { file: create(flag, path, inputs)?, is_png })
}

impl PictureFile {
    /// Draws it.
    pub(crate) fn draw(self, picture: &Picture) -> Result<()> {
        let bytes = if self.is_png { png(picture)? } else { svg(picture).into_bytes() };
        self.file.write_whole(&bytes)?;
        Ok(())
    }
}
