//! A model in three words, as llama-bench prints it: architecture, size, quantization.

use pacemark_modelfile::quantize::RECIPES;
use pacemark_modelfile::{Metadata, ModelFile, synth};

/// E.g. `llama 135M Q4_1`. Size by the file's own label, else by its parameters; quantization by
/// the file type, else by the type of most weights; synthetic weights are called so.
pub fn model_type(file: &ModelFile) -> String {
    let metadata = file.metadata();
    if metadata.architecture().is_err() && file.n_params() == 0 {
        return "unknown".to_owned();
    }
    let architecture = metadata.architecture().unwrap_or("unknown");
    let size = match metadata.opt_string("general.size_label") {
        Ok(Some(label)) if label.len() <= 12 => label.to_string(),
        _ => size_label(file.n_params()),
    };
    let synthetic = if synth::is_synthetic(metadata) { ", synthetic" } else { "" };
    format!("{architecture} {size} {}{synthetic}", quantization(metadata, file))
}

fn quantization(metadata: &Metadata, file: &ModelFile) -> String {
    let by_key = metadata.opt_u32("general.file_type").ok().flatten();
    if let Some(info) = RECIPES.iter().find(|info| Some(info.file_type) == by_key) {
        return spelled_out(info.name);
    }
    let most = file.tensors().iter().max_by_key(|t| t.n_elements());
    most.map_or("unknown", |t| t.dtype.name()).to_string()
}

/// The recipe's name as llama.cpp prints it (`llama_model_ftype_name`).
fn spelled_out(name: &str) -> String {
    let sizes = [("_S", " - Small"), ("_M", " - Medium"), ("_L", " - Large")];
    match name {
        "F32" => "all F32".into(),
        "Q2_K" => "Q2_K - Medium".into(),
        "IQ4_NL" => "IQ4_NL - 4.5 bpw".into(),
        "IQ4_XS" => "IQ4_XS - 4.25 bpw".into(),
        "MXFP4" | "MXFP4_MOE" => "MXFP4 MoE".into(), // one number for both
        _ => match sizes.iter().find_map(|(end, size)| Some((name.strip_suffix(end)?, size))) {
            Some((stem, size)) => format!("{stem}{size}"),
            None => name.into(),
        },
    }
}

/// `135M`, `1.1B`: one decimal below ten of a unit.
fn size_label(n_params: u64) -> String {
    let (value, unit) = match n_params as f64 {
        n if n < 1e9 => (n / 1e6, "M"),
        n => (n / 1e9, "B"),
    };
    if value < 9.95 { format!("{value:.1}{unit}") } else { format!("{value:.0}{unit}") }
}

#[cfg(test)]
mod tests {
    use pacemark_modelfile::quantize::RECIPES;

    /// Of `llama_model_ftype_name` in llama.cpp's `src/llama-model-loader.cpp`.
    #[test]
    fn file_types_are_called_as_llama_cpp_calls_them() {
        let found: Vec<String> = RECIPES.iter().map(|i| super::spelled_out(i.name)).collect();
        let expected = [
            "all F32",
            "F16",
            "BF16",
            "Q8_0",
            "Q6_K",
            "Q5_K - Medium",
            "Q5_K - Small",
            "Q5_1",
            "Q5_0",
            "Q4_K - Medium",
            "Q4_K - Small",
            "Q4_1",
            "Q4_0",
            "IQ4_NL - 4.5 bpw",
            "IQ4_XS - 4.25 bpw",
            "MXFP4 MoE",
            "MXFP4 MoE",
            "Q3_K - Large",
            "Q3_K - Medium",
            "Q3_K - Small",
            "Q2_K - Medium",
            "Q2_K - Small",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn sizes_read_as_people_write_them() {
        let labels =
            [134_515_008, 1_100_048_384, 6_738_415_616, 70_000_000_000].map(super::size_label);
        assert_eq!(labels, ["135M", "1.1B", "6.7B", "70B"]);
    }
}
