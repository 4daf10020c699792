//! Pictures of a measurement, in files of their own.

use super::files::{Input, create};
use anyhow::Result;
use pacemark_files::Output;
use pacemark_report::picture::{Picture, png, svg};
use std::path::PathBuf;

/// Where a picture is drawn.
#[derive(clap::Args, Debug)]
pub(crate) struct PictureArgs {
    /// Draw a picture, PNG with 300 dots per inch
    #[arg(long, value_name = "FILE")]
    png: Option<PathBuf>,
    /// The same as SVG
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// Files that are ready to be drawn in.
pub(crate) struct PictureFiles {
    png: Option<Output>,
    svg: Option<Output>,
}

impl PictureArgs {
    /// A picture is asked for.
    pub(crate) fn is_some(&self) -> bool {
        self.png.is_some() || self.svg.is_some()
    }

    /// Makes sure that they can be written, and are none of `inputs`: before anything is measured.
    pub(crate) fn create(&self, inputs: &[Input<'_>]) -> Result<PictureFiles> {
        let made = |flag, path: &Option<PathBuf>, inputs: &[Input<'_>]| {
            path.as_ref().map(|path| create(flag, path, inputs)).transpose()
        };
        let png = self.png.as_deref().map(Input::Output);
        let with_png: Vec<Input<'_>> = inputs.iter().copied().chain(png).collect();
        Ok(PictureFiles {
            png: made("--png", &self.png, inputs)?,
            svg: made("--svg", &self.svg, &with_png)?,
        })
    }
}

impl PictureFiles {
    /// Draws it in all of them; one that cannot be written does not keep the other from it.
    pub(crate) fn draw(self, picture: &Picture) -> Result<()> {
        let write = |file: Option<Output>, bytes: &dyn Fn() -> Result<Vec<u8>>| -> Result<()> {
            let Some(file) = file else { return Ok(()) };
            file.write_whole(&bytes()?)?;
            Ok(())
        };
        let drawn = write(self.svg, &|| Ok(svg(picture).into_bytes()));
        write(self.png, &|| Ok(png(picture)?))?;
        drawn
    }
}
