//! Small models that the tests write.

#![allow(dead_code, reason = "each test uses some of it")]

use pacemark_modelfile::{Metadata, TensorInfo, Value, write_gguf};
use pacemark_quant::DType;
use std::path::PathBuf;

/// One value of every type.
pub(crate) fn every_value() -> Metadata {
    let mut metadata = Metadata::new();
    metadata
        .set("general.architecture", Value::String("llama".into()))
        .set("u8", Value::U8(200))
        .set("i8", Value::I8(-3))
        .set("u16", Value::U16(60000))
        .set("i16", Value::I16(-300))
        .set("u32", Value::U32(4_000_000_000))
        .set("i32", Value::I32(-70000))
        .set("f32", Value::F32(1.5))
        .set("bool", Value::Bool(true))
        .set("u64", Value::U64(u64::MAX))
        .set("i64", Value::I64(i64::MIN))
        .set("f64", Value::F64(-2.25))
        .set("u8s", Value::U8s(vec![1, 2]))
        .set("i8s", Value::I8s(vec![-1]))
        .set("u16s", Value::U16s(vec![]))
        .set("i16s", Value::I16s(vec![-9]))
        .set("u32s", Value::U32s(vec![7]))
        .set("i32s", Value::I32s(vec![-7, 7]))
        .set("f32s", Value::F32s(vec![0.5, -0.5]))
        .set("bools", Value::Bools(vec![true, false]))
        .set("strings", Value::Strings(["", "été", "文"].iter().collect()))
        .set("u64s", Value::U64s(vec![1 << 40]))
        .set("i64s", Value::I64s(vec![-(1 << 40)]))
        .set("f64s", Value::F64s(vec![1e300]))
        .set(
            "nested",
            Value::Nested(vec![Value::U8s(vec![1]), Value::Nested(vec![Value::F32s(vec![])])]),
        );
    metadata
}

/// Three tensors; the last one's bytes end where the file ends, without padding.
pub(crate) fn some_tensors() -> Vec<(TensorInfo, Vec<u8>)> {
    let tensor = |name: &str, dims: &[u64], dtype| {
        let info = TensorInfo::new(name, dims, dtype);
        let bytes = (0..info.n_bytes()).map(|i| (i * 7 + name.len() as u64) as u8).collect();
        (info, bytes)
    };
    vec![
        tensor("token_embd.weight", &[32, 3], DType::Q4_1),
        tensor("norm.weight", &[5], DType::F32),
        tensor("blk.0.cube", &[2, 2, 4, 4], DType::F16),
    ]
}

/// A small model's file.
pub(crate) fn small_model() -> Vec<u8> {
    write_gguf(Vec::new(), &every_value(), &some_tensors()).unwrap()
}

/// A new empty directory under the target directory, emptied if a former run left something in it.
pub(crate) fn directory(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    path
}
