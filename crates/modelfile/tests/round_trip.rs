//! What is written is what is read, in one file and over several.

mod common;

use common::{directory, every_value, small_model, some_tensors};
use pacemark_modelfile::{
    GgufWriter, Metadata, ModelFile, OpenOptions, Strings, TensorInfo, Value, gguf, write_gguf,
    write_gguf_file,
};
use pacemark_quant::{DTYPES, DType};
use proptest::prelude::*;
use std::path::Path;

#[test]
fn a_file_reads_back_as_it_was_written() {
    let path = directory("round-trip").join("m.gguf");
    let tensors = some_tensors();
    write_gguf_file(&path, &every_value(), &tensors).unwrap();
    let model = ModelFile::open(&path).unwrap();
    assert_eq!(*model.metadata(), every_value());
    assert_eq!(model.tensors().len(), tensors.len());
    for (info, bytes) in &tensors {
        let found = model.tensor(&info.name).unwrap();
        assert_eq!((&found.dims, found.dtype), (&info.dims, info.dtype));
        assert_eq!(*model.bytes(found).unwrap(), **bytes);
    }
    assert_eq!(model.n_params(), 96 + 5 + 64);
    assert_eq!(model.n_bytes(), 60 + 20 + 128);
    assert_eq!(
        std::fs::read_dir(path.parent().unwrap()).unwrap().count(),
        1,
        "no temporary file is left"
    );
}

#[test]
fn released_bytes_stay_readable() {
    let path = directory("release").join("m.gguf");
    let info = TensorInfo::new("big", [1 << 20], DType::F32);
    let bytes: Vec<u8> = (0..info.n_bytes()).map(|i| (i % 251) as u8).collect();
    write_gguf_file(&path, &Metadata::new(), &[(info, &bytes)]).unwrap();
    let model = ModelFile::open(&path).unwrap();
    let view = model.bytes(&model.tensors()[0]).unwrap();
    drop(model);
    assert_eq!(*view, *bytes);
    view.release();
    assert_eq!(*view, *bytes);
}

#[test]
fn files_are_read_without_a_mapping() {
    let directory = directory("unmapped");
    let (path, unmapped) =
        (directory.join("m.gguf"), OpenOptions { no_mmap: true, ..OpenOptions::default() });
    // Longer than what is read at first.
    for padding in [0, 3 << 20] {
        let mut metadata = every_value();
        metadata.set("padding", Value::String("x".repeat(padding)));
        write_gguf_file(&path, &metadata, &some_tensors()).unwrap();
        let (mapped, read) =
            (ModelFile::open(&path).unwrap(), ModelFile::open_with(&path, unmapped).unwrap());
        assert_eq!((read.metadata(), read.tensors()), (mapped.metadata(), mapped.tensors()));
        assert_eq!((read.file_bytes(), read.n_parts()), (mapped.file_bytes(), 1));
        for tensor in mapped.tensors() {
            assert_eq!(*read.bytes(tensor).unwrap(), *mapped.bytes(tensor).unwrap());
        }
        assert!(read.lock().is_err());
    }
    let whole = std::fs::read(&path).unwrap();
    let read = ModelFile::open_with(&path, unmapped).unwrap();
    for cut in [0, 3, 100, 2 << 20, whole.len() - 1] {
        std::fs::write(&path, &whole[..cut]).unwrap();
        let error = |options| ModelFile::open_with(&path, options).unwrap_err().to_string();
        assert_eq!(error(unmapped), error(OpenOptions::default()), "cut at {cut}");
    }
    let tensor = read.tensors().last().unwrap();
    assert!(read.bytes(tensor).unwrap_err().to_string().ends_with("m.gguf: cannot read a tensor"));
    let error = ModelFile::open_with(&directory, unmapped).unwrap_err().to_string();
    assert!(error.contains("--no-mmap: expected a GGUF file"), "{error}");
}

#[test]
fn version_2_is_read() {
    let mut bytes = small_model();
    bytes[4] = 2;
    assert_eq!(gguf::read::parse(&bytes, Path::new("m")).unwrap().metadata, every_value());
}

#[test]
fn every_type_of_tensor_at_other_alignments() {
    for alignment in [1u32, 64, 4096] {
        let mut metadata = Metadata::new();
        metadata.set("general.alignment", Value::U32(alignment));
        let tensors: Vec<_> = DTYPES
            .iter()
            .map(|row| {
                (
                    TensorInfo::new(row.name, [row.block_len as u64, 3], row.dtype),
                    vec![9; 3 * row.block_bytes],
                )
            })
            .collect();
        let bytes = write_gguf(Vec::new(), &metadata, &tensors).unwrap();
        let header = gguf::read::parse(&bytes, Path::new("m")).unwrap();
        assert!(header.tensors.iter().zip(&tensors).all(|(a, b)| a.n_bytes() == b.0.n_bytes()));
    }
}

#[test]
fn the_writer_refuses_what_readers_would() {
    let new = |metadata: &Metadata, tensors: Vec<TensorInfo>| {
        GgufWriter::new(Vec::new(), metadata, tensors)
    };
    let tensor = |dims: &[u64]| vec![TensorInfo::new("t", dims, DType::Q8_0)];
    let empty = Metadata::new();
    assert!(new(&empty, tensor(&[33])).is_err(), "a broken block");
    assert!(new(&empty, tensor(&[])).is_err(), "no dimensions");
    assert!(new(&empty, [tensor(&[32]), tensor(&[32])].concat()).is_err(), "a name twice");
    let mut mixed = Metadata::new();
    mixed.set("k", Value::Nested(vec![Value::U8(1)]));
    assert!(new(&mixed, vec![]).is_err(), "a scalar where an array must be");
    let mut writer = new(&empty, tensor(&[32])).unwrap();
    assert!(writer.write_tensor(&[0; 33]).is_err(), "the wrong size");
    assert!(writer.finish().is_err(), "a tensor too few");
}

/// Writes a model in `count` parts and gives the first one's path. `change` may spoil a part's
/// metadata.
fn write_split(name: &str, count: u16, change: impl Fn(u16, &mut Metadata)) -> std::path::PathBuf {
    let directory = directory(name);
    for part in 0..count {
        let mut metadata = if part == 0 { every_value() } else { Metadata::new() };
        metadata.set("split.no", Value::U16(part)).set("split.count", Value::U16(count));
        metadata.set("split.tensors.count", Value::I32(count.into()));
        change(part, &mut metadata);
        let info = TensorInfo::new(format!("t{part}"), [32], DType::Q8_0);
        let path = directory.join(format!("m-{:05}-of-{count:05}.gguf", part + 1));
        write_gguf_file(&path, &metadata, &[(info, vec![part as u8; 34])]).unwrap();
    }
    directory.join(format!("m-00001-of-{count:05}.gguf"))
}

#[test]
fn a_split_model_opens_from_its_first_part() {
    let model = ModelFile::open(write_split("split", 3, |_, _| ())).unwrap();
    assert_eq!((model.tensors().len(), model.n_parts()), (3, 3));
    assert_eq!(model.metadata().architecture().unwrap(), "llama");
    for part in 0..3 {
        let tensor = model.tensor(&format!("t{part}")).unwrap();
        assert_eq!(*model.bytes(tensor).unwrap(), [part as u8; 34]);
    }
}

#[test]
fn a_spoilt_split_says_what_is_wrong() {
    let error = |path: &Path| ModelFile::open(path).unwrap_err().to_string();
    let first = write_split("split-second", 2, |_, _| ());
    let second = first.with_file_name("m-00002-of-00002.gguf");
    assert!(error(&second).contains("expected the first part"), "{}", error(&second));
    std::fs::remove_file(&second).unwrap();
    assert!(error(&first).contains("m-00002-of-00002.gguf: cannot open"), "{}", error(&first));
    let renamed = first.with_file_name("model.gguf");
    std::fs::rename(&first, &renamed).unwrap();
    assert!(error(&renamed).contains("-00001-of-00002.gguf"), "{}", error(&renamed));

    let first = write_split("split-number", 2, |part, metadata| {
        if part == 1 {
            metadata.set("split.no", Value::U16(5));
        }
    });
    assert!(error(&first).contains("split.no: expected 1, found 5"), "{}", error(&first));
    let first = write_split("split-total", 2, |_, metadata| {
        metadata.set("split.tensors.count", Value::I32(7));
    });
    assert!(
        error(&first).contains("expected 7 tensors in all parts, found 2"),
        "{}",
        error(&first)
    );
}

fn array() -> impl Strategy<Value = Value> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..4).prop_map(Value::U8s),
        prop::collection::vec(any::<i8>(), 0..4).prop_map(Value::I8s),
        prop::collection::vec(any::<u16>(), 0..4).prop_map(Value::U16s),
        prop::collection::vec(any::<i16>(), 0..4).prop_map(Value::I16s),
        prop::collection::vec(any::<u32>(), 0..4).prop_map(Value::U32s),
        prop::collection::vec(any::<i32>(), 0..4).prop_map(Value::I32s),
        prop::collection::vec(-1e30f32..1e30, 0..4).prop_map(Value::F32s),
        prop::collection::vec(any::<bool>(), 0..4).prop_map(Value::Bools),
        prop::collection::vec(".*", 0..4)
            .prop_map(|v| Value::Strings(v.iter().collect::<Strings>())),
        prop::collection::vec(any::<u64>(), 0..4).prop_map(Value::U64s),
        prop::collection::vec(any::<i64>(), 0..4).prop_map(Value::I64s),
        prop::collection::vec(-1e300f64..1e300, 0..4).prop_map(Value::F64s),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let nested = array().prop_recursive(2, 8, 3, |inner| {
        prop::collection::vec(inner, 0..3).prop_map(Value::Nested)
    });
    prop_oneof![
        any::<u8>().prop_map(Value::U8),
        any::<i8>().prop_map(Value::I8),
        any::<u16>().prop_map(Value::U16),
        any::<i16>().prop_map(Value::I16),
        any::<u32>().prop_map(Value::U32),
        any::<i32>().prop_map(Value::I32),
        (-1e30f32..1e30).prop_map(Value::F32),
        any::<bool>().prop_map(Value::Bool),
        ".*".prop_map(Value::String),
        any::<u64>().prop_map(Value::U64),
        any::<i64>().prop_map(Value::I64),
        (-1e300f64..1e300).prop_map(Value::F64),
        nested,
    ]
}

proptest! {
    #[test]
    fn any_metadata_round_trips(entries in prop::collection::btree_map("[a-z._]{1,12}", value(), 0..12)) {
        let mut metadata = Metadata::new();
        for (key, value) in entries {
            metadata.set(key, value);
        }
        let bytes = write_gguf::<_, Vec<u8>>(Vec::new(), &metadata, &[]).unwrap();
        let header = gguf::read::parse(&bytes, Path::new("m")).unwrap();
        prop_assert_eq!(header.metadata, metadata);
    }
}
