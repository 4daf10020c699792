//! Synthetic models: the shape and the types of a real model, weights from a seed.
//!
//! How fast a model runs and how much memory it takes depend on its shape and types, not on what
//! its weights say. A synthetic model has the exact tensors of the real one and the mixture of
//! types that quantizing it gives, so speed and memory measured with it are the real model's; its
//! text is noise, and what measures quality refuses it ([`is_synthetic`]). Nothing is read or
//! downloaded: `synth:SHAPE[:TYPE]` is made tensor by tensor while it is loaded.

mod describe;
mod shape;
mod slice;
mod weights;

use crate::arch::ArchError;
use crate::quantize::{self, RECIPES, Recipe};
use crate::{Metadata, ModelFile, ModelFileError, Result, TensorInfo};
use describe::MIN_VOCAB;
use pacemark_files::text::decode;
pub use shape::{SHAPES, Shape};
pub use slice::slice;
use std::path::Path;

/// What a model's name starts with when it is synthetic.
pub const PREFIX: &str = "synth:";
/// The key that marks a file as synthetic.
pub(crate) const SYNTHETIC_KEY: &str = "pacemark.synthetic";
/// The types of weights where none is named.
const DEFAULT_TYPE: &str = "Q4_K_M";

/// Whether the weights of a model mean nothing.
pub fn is_synthetic(metadata: &Metadata) -> bool {
    matches!(metadata.opt_bool(SYNTHETIC_KEY), Ok(Some(true)))
}

/// The shape and, where it is named, the type of `[synth:]SHAPE[:TYPE]`.
pub fn split(model: &str) -> (&str, Option<&str>) {
    let rest = model.strip_prefix(PREFIX).unwrap_or(model);
    match rest.rsplit_once(':') {
        // A colon of a JSON object is no separator.
        Some((shape, name)) if !name.contains('}') => (shape, Some(name)),
        _ => (rest, None),
    }
}

/// Makes `synth:SHAPE[:TYPE]`, where SHAPE is a name of [`SHAPES`], a JSON object of dimensions
/// ([`Shape`]'s fields), or the path of a file that holds one.
pub fn open(model: &str) -> Result<ModelFile> {
    let label = Path::new(model);
    let (shape, type_name) = split(model);
    let type_name = type_name.unwrap_or(DEFAULT_TYPE);
    let shape = if shape.starts_with('{') {
        Shape::from_json(shape, label)?
    } else if let Some(shape) = Shape::named(shape) {
        shape
    } else if shape.ends_with(".json") {
        let path = Path::new(shape);
        let bytes =
            std::fs::read(path).map_err(|e| ModelFileError::io(path, "read the shape", e))?;
        let text = decode(bytes)
            .map_err(|e| ModelFileError::invalid(path, "shape", e.expected, e.found))?;
        Shape::from_json(&text, path)?
    } else {
        let names: Vec<_> = SHAPES.iter().map(|row| row.0).collect();
        let expected = format!("one of {}, a JSON object or a .json file", names.join(", "));
        return Err(ModelFileError::invalid(label, "shape", &expected, shape.to_string()));
    };
    build(label, shape, type_name)
}

fn build(label: &Path, shape: Shape, type_name: &str) -> Result<ModelFile> {
    let config = shape.config().map_err(|error| match error {
        ArchError::File(error) => error,
        other => ModelFileError::invalid(label, "shape", "a model's", other.to_string()),
    })?;
    let mut tensors = describe::tensors(&shape, &config);
    let mut metadata = describe::metadata(&shape, type_name);
    choose_types(label, type_name, &mut metadata, &mut tensors)?;
    let source = weights::Shaped::new(label.to_owned(), shape);
    ModelFile::from_source(label, metadata, tensors, Box::new(source))
}

/// The types that quantizing the real model gives; vectors stay F32.
fn choose_types(
    label: &Path,
    type_name: &str,
    metadata: &mut Metadata,
    tensors: &mut [TensorInfo],
) -> Result<()> {
    let Some(recipe) = Recipe::from_name(type_name) else {
        let names: Vec<_> = RECIPES.iter().map(|info| info.name).collect();
        return Err(ModelFileError::invalid(
            label,
            "type",
            names.join(", "),
            type_name.to_string(),
        ));
    };
    quantize::describe(recipe, metadata, tensors)
}
