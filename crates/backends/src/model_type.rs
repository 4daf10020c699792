//! A model in three words, as llama-bench prints it: architecture, size, quantization.

use pacemark_modelfile::{Metadata, ModelFile, synth};

/// llama.cpp's names of `general.file_type` (`llama_ftype` in llama.h).
const FILE_TYPES: &[(u32, &str)] = &[
    (0, "all F32"),
    (1, "F16"),
    (2, "Q4_0"),
    (3, "Q4_1"),
    (7, "Q8_0"),
    (8, "Q5_0"),
    (9, "Q5_1"),
    (10, "Q2_K - Medium"),
    (11, "Q3_K - Small"),
    (12, "Q3_K - Medium"),
    (13, "Q3_K - Large"),
    (14, "Q4_K - Small"),
    (15, "Q4_K - Medium"),
    (16, "Q5_K - Small"),
    (17, "Q5_K - Medium"),
    (18, "Q6_K"),
    (32, "BF16"),
];

/// E.g. `llama 135M Q4_1`. Size by the file's own label, else by its parameters; quantization by
/// the file type, else by the type of most weights; synthetic weights are called so.
pub fn model_type(file: &ModelFile) -> String {
    let metadata = file.metadata();
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
    if let Some((_, name)) = FILE_TYPES.iter().find(|(id, _)| Some(*id) == by_key) {
        return name.to_string();
    }
    let most = file.tensors().iter().max_by_key(|t| t.n_elements());
    most.map_or("unknown", |t| t.dtype.name()).to_string()
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
    #[test]
    fn sizes_read_as_people_write_them() {
        let labels =
            [134_515_008, 1_100_048_384, 6_738_415_616, 70_000_000_000].map(super::size_label);
        assert_eq!(labels, ["135M", "1.1B", "6.7B", "70B"]);
    }
}
