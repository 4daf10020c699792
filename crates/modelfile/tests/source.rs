//! A model whose tensors are made on demand behaves as a file does, and its description is checked
//! as a file's is.

use pacemark_modelfile::{
    Metadata, ModelFile, Result, TensorBytes, TensorInfo, TensorSource, Value,
};
use pacemark_quant::DType;

/// Makes bytes that repeat the tensor's first dimension; `short` bytes too few.
#[derive(Debug)]
struct Repeats {
    short: usize,
}

impl TensorSource for Repeats {
    fn bytes(&self, tensor: &TensorInfo) -> Result<TensorBytes> {
        Ok(vec![tensor.dims[0] as u8; tensor.n_bytes() as usize - self.short].into())
    }
}

fn model(short: usize, tensors: Vec<TensorInfo>) -> Result<ModelFile, String> {
    let mut metadata = Metadata::new();
    metadata.set("general.architecture", Value::String("llama".into()));
    ModelFile::from_source("made:up", metadata, tensors, Box::new(Repeats { short }))
        .map_err(|e| e.to_string())
}

#[test]
fn bytes_are_made_when_asked_for() {
    let tensors =
        vec![TensorInfo::new("a", [2, 3], DType::F32), TensorInfo::new("b", [32], DType::Q4_0)];
    let model = model(0, tensors).unwrap();
    assert_eq!(*model.bytes(model.tensor("a").unwrap()).unwrap(), [2u8; 24]);
    let bytes = model.bytes(model.tensor("b").unwrap()).unwrap();
    assert_eq!(
        (model.n_params(), model.n_bytes(), model.file_bytes(), model.n_parts()),
        (38, 42, 0, 1)
    );
    drop(model);
    bytes.release();
    assert_eq!(*bytes, [32u8; 18]);
}

#[test]
fn metadata_names_the_source() {
    let model = model(0, Vec::new()).unwrap();
    let message = model.metadata().u32("x").unwrap_err().to_string();
    assert!(message.starts_with("made:up: x:"), "{message}");
}

#[test]
fn descriptions_are_checked_as_files_are() {
    let refused = |tensors: Vec<TensorInfo>| model(0, tensors).unwrap_err();
    let twice = TensorInfo::new("a", [1], DType::F32);
    assert_eq!(
        refused(vec![twice.clone(), twice]),
        "made:up: a: expected each tensor once, found a second one of this name"
    );
    assert!(
        refused(vec![TensorInfo::new("a", [3, 0], DType::F32)])
            .contains("dimensions of at least 1")
    );
    assert!(
        refused(vec![TensorInfo::new("a", [31], DType::Q8_0)])
            .contains("rows of whole Q8_0 blocks")
    );
    assert!(
        refused(vec![TensorInfo::new("a", [u64::MAX, 2], DType::F32)])
            .contains("a size that can be addressed")
    );
}

#[test]
fn a_source_that_makes_too_little_is_found_out() {
    let model = model(1, vec![TensorInfo::new("a", [2], DType::F32)]).unwrap();
    let message = model.bytes(&model.tensors()[0]).unwrap_err().to_string();
    assert_eq!(message, "made:up: a: expected 8 bytes, found 7");
}
