//! The names by which users ask for a quantization.

use crate::DType;

/// A quantization of a whole model. The discriminant indexes [`RECIPES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are the field's own; RecipeInfo describes each")]
pub enum Recipe {
    F32,
    F16,
    BF16,
    Q8_0,
    Q6K,
    Q5KM,
    Q5KS,
    Q5_1,
    Q5_0,
    Q4KM,
    Q4KS,
    Q4_1,
    Q4_0,
    IQ4NL,
    IQ4XS,
    MXFP4,
    MXFP4MoE,
    Q3KL,
    Q3KM,
    Q3KS,
    Q2K,
    Q2KS,
}

/// One row of [`RECIPES`].
pub struct RecipeInfo {
    /// The recipe.
    pub recipe: Recipe,
    /// llama.cpp's name.
    pub name: &'static str,
    /// Its number in `general.file_type`.
    pub file_type: u32,
    /// What tensors become where no rule says otherwise.
    pub dtype: DType,
    /// What distinguishes it, in a line.
    pub help: &'static str,
}

/// Every recipe, in the order of [`Recipe`]: from the most to the fewest bits.
pub const RECIPES: &[RecipeInfo] = &[
    row(Recipe::F32, "F32", 0, DType::F32, "single precision"),
    row(Recipe::F16, "F16", 1, DType::F16, "half precision"),
    row(Recipe::BF16, "BF16", 32, DType::BF16, "bfloat16"),
    row(Recipe::Q8_0, "Q8_0", 7, DType::Q8_0, "8.5 bits a weight; hardly to be told from F16"),
    row(Recipe::Q6K, "Q6_K", 18, DType::Q6K, "6.6 bits"),
    row(
        Recipe::Q5KM,
        "Q5_K_M",
        17,
        DType::Q5K,
        "5.5 bits, the sensitive half of attn_v and ffn_down in Q6_K",
    ),
    row(Recipe::Q5KS, "Q5_K_S", 16, DType::Q5K, "5.5 bits throughout"),
    row(Recipe::Q5_1, "Q5_1", 9, DType::Q5_1, "6 bits, the older kind"),
    row(Recipe::Q5_0, "Q5_0", 8, DType::Q5_0, "5.5 bits, the older kind"),
    row(
        Recipe::Q4KM,
        "Q4_K_M",
        15,
        DType::Q4K,
        "4.5 bits, the sensitive half of attn_v and ffn_down in Q6_K",
    ),
    row(Recipe::Q4KS, "Q4_K_S", 14, DType::Q4K, "4.5 bits, the first attn_v and ffn_down in Q5_K"),
    row(Recipe::Q4_1, "Q4_1", 3, DType::Q4_1, "5 bits, the older kind"),
    row(Recipe::Q4_0, "Q4_0", 2, DType::Q4_0, "4.5 bits, the older kind"),
    row(Recipe::IQ4NL, "IQ4_NL", 25, DType::IQ4NL, "4.5 bits, non-linear"),
    row(Recipe::IQ4XS, "IQ4_XS", 30, DType::IQ4XS, "4.25 bits, non-linear"),
    row(
        Recipe::MXFP4,
        "MXFP4",
        38,
        DType::MXFP4,
        "4.25 bits, microscaling floats in all matrices but the output",
    ),
    row(
        Recipe::MXFP4MoE,
        "MXFP4_MOE",
        38,
        DType::MXFP4,
        "MXFP4 in the experts of a mixture, Q8_0 elsewhere",
    ),
    row(
        Recipe::Q3KL,
        "Q3_K_L",
        13,
        DType::Q3K,
        "3.4 bits, attn_v, attn_output and ffn_down in Q5_K",
    ),
    row(
        Recipe::Q3KM,
        "Q3_K_M",
        12,
        DType::Q3K,
        "3.4 bits, attn_v, attn_output and ffn_down in Q4_K or Q5_K",
    ),
    row(Recipe::Q3KS, "Q3_K_S", 11, DType::Q3K, "3.4 bits throughout"),
    row(
        Recipe::Q2K,
        "Q2_K",
        10,
        DType::Q2K,
        "2.6 bits, attn_v, attn_output and ffn_down in Q3_K or Q4_K",
    ),
    row(Recipe::Q2KS, "Q2_K_S", 21, DType::Q2K, "2.6 bits nearly throughout"),
];

const fn row(
    recipe: Recipe,
    name: &'static str,
    file_type: u32,
    dtype: DType,
    help: &'static str,
) -> RecipeInfo {
    RecipeInfo { recipe, name, file_type, dtype, help }
}

impl Recipe {
    /// This recipe's row of [`RECIPES`].
    pub fn info(self) -> &'static RecipeInfo {
        &RECIPES[self as usize]
    }

    /// The recipe of this name, in upper or lower case. `Q3_K`, `Q4_K` and `Q5_K` are the `_M`
    /// recipes, as in llama.cpp.
    pub fn from_name(name: &str) -> Option<Recipe> {
        let medium = format!("{name}_M");
        let of = |name: &str| RECIPES.iter().find(|info| info.name.eq_ignore_ascii_case(name));
        of(name).or_else(|| of(&medium)).map(|info| info.recipe)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_in_enum_order_and_found_by_name() {
        for (index, info) in RECIPES.iter().enumerate() {
            assert_eq!(info.recipe as usize, index, "{}", info.name);
            assert_eq!(Recipe::from_name(&info.name.to_lowercase()), Some(info.recipe));
        }
        assert_eq!(Recipe::from_name("Q4_K"), Some(Recipe::Q4KM));
        assert_eq!(Recipe::from_name("Q7_K"), None);
    }
}
