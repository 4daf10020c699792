//! Writing a model in another quantization: which type each tensor gets, and the conversion itself.
//!
//! [`RECIPES`] are the names that users know (`Q4_K_M`), [`targets`] applies a recipe's rules to a
//! list of tensors, and [`plan`] with [`write()`] make a new file of an open model. Nothing here
//! prints: fallbacks are in the plan, progress goes to the caller. The types themselves and their
//! quantizers are `quant`'s.

mod mixture;
mod pipeline;
mod recipe;

pub use mixture::{Choices, ModelFacts, TargetType, targets};
pub use pipeline::{Job, Plan, plan, write};
pub use recipe::{RECIPES, Recipe, RecipeInfo};

use crate::{DType, Metadata, ModelFileError, TensorInfo, Value};
use pacemark_files::excerpt;

/// Makes the description of an unquantized model that of the model quantized by `recipe`, for
/// sources that make their tensors in the type which is asked for.
pub(crate) fn describe(
    recipe: Recipe,
    metadata: &mut Metadata,
    tensors: &mut [TensorInfo],
) -> crate::Result<()> {
    metadata.set("general.file_type", Value::U32(recipe.info().file_type));
    let choices = Choices { recipe, pure: false, output: None, embedding: None };
    let targets = targets(&choices, &ModelFacts::of(metadata)?, tensors);
    for (tensor, target) in tensors.iter_mut().zip(targets) {
        tensor.dtype = target.dtype;
    }
    Ok(())
}

/// Why a model cannot be quantized.
#[derive(Debug, thiserror::Error)]
pub enum QuantizeError {
    /// The input cannot be read or the output not written.
    #[error(transparent)]
    File(#[from] ModelFileError),
    /// A tensor has lost precision once; quantizing it again loses more.
    #[error("{} is {} already: quantizing it again to {} loses more than quantizing the original once", excerpt(tensor), from.name(), to.name())]
    Requantize {
        /// The tensor.
        tensor: String,
        /// What it is.
        from: DType,
        /// What it would become.
        to: DType,
    },
    /// A weight that the type cannot hold.
    #[error("{} holds {value}, which {} cannot store", excerpt(tensor), to.name())]
    Value {
        /// The tensor.
        tensor: String,
        /// The weight.
        value: f32,
        /// What it should become.
        to: DType,
    },
    /// The caller's flag was set.
    #[error("interrupted")]
    Interrupted,
}
