//! The figures of a small model, computed by hand.

mod common;

use pacemark_modelfile::summary::Summary;
use pacemark_modelfile::{Metadata, ModelFile, TensorInfo, Value, write_gguf_file};
use pacemark_quant::DType;

fn summary(
    name: &str,
    change: impl Fn(&mut Metadata, &mut Vec<(TensorInfo, Vec<u8>)>),
) -> Result<Summary, String> {
    let mut metadata = Metadata::new();
    metadata.set("general.architecture", Value::String("llama".into()));
    for (key, value) in [("block_count", 2), ("embedding_length", 64), ("attention.head_count", 4)]
    {
        metadata.set(format!("llama.{key}"), Value::U32(value));
    }
    let tensor = |name: &str, dims: &[u64], dtype| {
        let info = TensorInfo::new(name, dims, dtype);
        let bytes = vec![0; info.n_bytes() as usize];
        (info, bytes)
    };
    let mut tensors = vec![
        tensor("token_embd.weight", &[64, 10], DType::Q8_0), // 680 bytes
        tensor("blk.0.ffn_up.weight", &[64, 4], DType::F16), // 512
        tensor("output_norm.weight", &[64], DType::F32),     // 256
        tensor("blk.0.ffn_up_exps.weight", &[64, 1, 8], DType::F32), // 2048
    ];
    change(&mut metadata, &mut tensors);
    let path = common::directory(&format!("summary-{name}")).join("m.gguf");
    write_gguf_file(&path, &metadata, &tensors).unwrap();
    Summary::of(&ModelFile::open(&path).unwrap()).map_err(|e| e.to_string())
}

#[test]
fn a_tied_model_reads_its_embeddings_as_output() {
    let found = summary("tied", |_, _| ()).unwrap();
    assert!(found.tied_embeddings);
    assert_eq!(found.bytes_per_token, 680 + 512 + 256 + 2048);
    assert_eq!(found.kv_bytes_per_token_f16, Some(2 * 4 * (16 + 16) * 2));
    assert_eq!(found.kv_bytes_per_token(DType::F16), found.kv_bytes_per_token_f16);
    // Half a block of 32 elements is a whole one.
    assert_eq!(found.kv_bytes_per_token(DType::Q8_0), Some(2 * 4 * (34 + 34)));
    assert_eq!((found.n_params, found.tensor_bytes), (640 + 256 + 64 + 512, 3496));
    let types: Vec<_> = found.types.iter().map(|t| (t.dtype, t.n_tensors, t.n_bytes)).collect();
    assert_eq!(types, [(DType::F32, 2, 2304), (DType::Q8_0, 1, 680), (DType::F16, 1, 512)]);
    assert_eq!((found.context_length, found.name), (None, None));
}

#[test]
fn an_untied_mixture_reads_the_used_experts() {
    let found = summary("experts", |metadata, tensors| {
        metadata
            .set("llama.expert_count", Value::U32(8))
            .set("llama.expert_used_count", Value::U32(2));
        let output = TensorInfo::new("output.weight", [64, 10], DType::Q8_0);
        tensors.push((output, vec![0; 680]));
    });
    let found = found.unwrap();
    assert!(!found.tied_embeddings);
    assert_eq!(found.bytes_per_token, 680 + 512 + 256 + 2048 / 4);
}

#[test]
fn heads_may_differ_by_layer_and_lengths_be_given() {
    let found = summary("layers", |metadata, _| {
        metadata.set("llama.attention.head_count_kv", Value::I32s(vec![1, 3]));
        metadata
            .set("llama.attention.key_length", Value::U32(10))
            .set("llama.attention.value_length", Value::U32(6));
    });
    let found = found.unwrap();
    assert_eq!((found.n_head_kv, found.kv_bytes_per_token_f16), (Some(1), Some((1 + 3) * 16 * 2)));
}

#[test]
fn wrong_types_and_absurd_numbers_are_no_panic() {
    let error = summary("type", |metadata, _| {
        metadata.set("llama.block_count", Value::String("two".into()));
    });
    assert!(
        error
            .unwrap_err()
            .contains("llama.block_count: expected an integer that fits u64, found string \"two\"")
    );
    let found = summary("absurd", |metadata, _| {
        metadata
            .set("llama.block_count", Value::U64(u64::MAX))
            .set("llama.attention.head_count", Value::U32(0));
    });
    assert_eq!(found.unwrap().kv_bytes_per_token_f16, None);
}
