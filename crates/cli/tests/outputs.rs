//! What commands do to what is already where they write: each command with each kind of file.
#![cfg(unix)]

mod binary;

use pacemark_modelfile::{DType, Metadata, ModelFile, TensorInfo, Value, write_gguf_file};
use std::fs::{self, File, Permissions};
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const SHAPE: &str = r#"{"architecture": "llama", "n_embd": 64, "n_ff": 64, "n_layers": 2, "n_heads": 2, "n_vocab": 300}:Q8_0"#;

/// Writes to the path that it is given, in a directory with the model `m.gguf`.
type Writer = fn(&mut Command, &Path);

fn stages(command: &mut Command, flag: &str, path: &Path) {
    let few = [
        "--requests",
        "2",
        "--gen-tokens",
        "4",
        "--concurrency",
        "2",
        "-t",
        "1",
        "--stages",
        "0",
        "--rounds",
        "1",
    ];
    command.args(["stages", "-m", "m.gguf"]).args(few).arg(flag).arg(path);
}

/// Each with the bytes that what it writes begins with.
const WRITERS: [(&str, Writer, &str); 4] = [
    ("synth", |command, path| _ = command.args(["models", "synth", SHAPE, "-o"]).arg(path), "GGUF"),
    (
        "quantize",
        |command, path| {
            _ = command.args(["models", "quantize", "m.gguf"]).arg(path).args([
                "--type",
                "Q4_0",
                "--allow-requantize",
            ])
        },
        "GGUF",
    ),
    ("record", |command, path| stages(command, "--save", path), "{\"schema\""),
    ("chart", |command, path| stages(command, "--chart", path), "<svg"),
];

/// A directory that holds nothing but `m.gguf`.
fn directory(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("outputs-{name}"));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    let made = command(&path).args(["models", "synth", SHAPE, "-o", "m.gguf"]).output().unwrap();
    assert!(made.status.success());
    path
}

fn command(directory: &Path) -> Command {
    let mut command = binary::pacemark();
    command.current_dir(directory).env("PACEMARK_HOME", directory.join("home"));
    command
}

fn run(directory: &Path, writer: Writer, path: &Path) -> Output {
    let mut command = command(directory);
    writer(&mut command, path);
    command.output().unwrap()
}

fn names(directory: &Path) -> Vec<String> {
    let names = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

#[test]
fn a_fifo_gets_it_and_stays_one() {
    for (name, writer, begins) in WRITERS {
        let directory = directory(&format!("fifo-{name}"));
        let path = directory.join("pipe");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let reader = std::thread::spawn({
            let path = path.clone();
            move || {
                let mut bytes = Vec::new();
                File::open(path).unwrap().read_to_end(&mut bytes).unwrap();
                bytes
            }
        });
        let output = run(&directory, writer, &path);
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        let bytes = reader.join().unwrap();
        assert!(bytes.starts_with(begins.as_bytes()), "{name}");
        assert!(fs::symlink_metadata(&path).unwrap().file_type().is_fifo(), "{name}");
        assert_eq!(names(&directory), ["m.gguf", "pipe"], "{name}");
        if begins == "GGUF" {
            fs::write(directory.join("got.gguf"), bytes).unwrap();
            ModelFile::open(directory.join("got.gguf")).unwrap();
        }
    }
}

#[test]
fn links_modes_and_names_beside_are_kept() {
    for (name, writer, begins) in WRITERS {
        let directory = directory(&format!("kept-{name}"));
        fs::write(directory.join("far"), "old").unwrap();
        fs::set_permissions(directory.join("far"), Permissions::from_mode(0o600)).unwrap();
        symlink("far", directory.join("out")).unwrap();
        let beside = ["out.part", "out.tmp", "far.part", ".far.part"];
        beside.iter().for_each(|name| fs::write(directory.join(name), "mine").unwrap());
        let output = run(&directory, writer, &directory.join("out"));
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(fs::symlink_metadata(directory.join("out")).unwrap().is_symlink(), "{name}");
        assert!(fs::read(directory.join("far")).unwrap().starts_with(begins.as_bytes()), "{name}");
        assert_eq!(
            fs::metadata(directory.join("far")).unwrap().permissions().mode() & 0o7777,
            0o600,
            "{name}"
        );
        for kept in beside {
            assert_eq!(fs::read(directory.join(kept)).unwrap(), b"mine", "{name}: {kept}");
        }
        assert_eq!(names(&directory).len(), 3 + beside.len(), "{name}: {:?}", names(&directory));
    }
}

#[test]
fn the_model_that_is_read_is_no_output() {
    for (name, writer, ..) in &WRITERS[1..] {
        let directory = directory(&format!("input-{name}"));
        let before = fs::read(directory.join("m.gguf")).unwrap();
        symlink("m.gguf", directory.join("soft")).unwrap();
        fs::hard_link(directory.join("m.gguf"), directory.join("hard")).unwrap();
        for path in ["m.gguf", "./m.gguf", "soft", "hard"] {
            let output = run(&directory, *writer, Path::new(path));
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{name} {path}: {said}");
            assert!(said.contains("is part of the"), "{name} {path}: {said}");
        }
        assert_eq!(fs::read(directory.join("m.gguf")).unwrap(), before, "{name}");
    }
}

#[test]
fn other_inputs_are_no_outputs() {
    let directory = directory("other-inputs");
    fs::write(directory.join("shape.json"), SHAPE.rsplit_once(':').unwrap().0).unwrap();
    let both = ["stages", "-m", "m.gguf", "--save", "new", "--chart", "./new"];
    for arguments in [&["models", "synth", "shape.json", "-o", "shape.json"][..], &both] {
        let output = command(&directory).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(names(&directory), ["m.gguf", "shape.json"]);
}

/// Three tensors in three files.
#[test]
fn no_part_of_a_split_model_is_an_output() {
    let directory = directory("split");
    let name = |part: u16| format!("s-{part:05}-of-00003.gguf");
    for part in 1..=3u16 {
        let mut metadata = Metadata::new();
        if part == 1 {
            metadata.set("general.architecture", Value::String("llama".into()));
            metadata.set("llama.block_count", Value::U32(1));
        }
        metadata.set("split.no", Value::U16(part - 1)).set("split.count", Value::U16(3));
        let tensor = TensorInfo::new(
            format!("blk.0.ffn_{}.weight", ["up", "down", "gate"][part as usize - 1]),
            [32, 2],
            DType::F32,
        );
        write_gguf_file(&directory.join(name(part)), &metadata, &[(tensor, vec![0; 256])]).unwrap();
    }
    for part in 1..=3 {
        let before = fs::read(directory.join(name(part))).unwrap();
        let arguments = ["models", "quantize", &name(1), &name(part), "--type", "F16"];
        let output = command(&directory).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(fs::read(directory.join(name(part))).unwrap(), before);
    }
    let output = command(&directory)
        .args(["models", "quantize", &name(1), "one.gguf", "--type", "F16"])
        .output()
        .unwrap();
    assert!(
        output.status.success()
            && ModelFile::open(directory.join("one.gguf")).unwrap().tensors().len() == 3
    );
}

/// A limit on the size of files is a disk that is full to this process, and needs no rights.
#[test]
fn a_write_that_fails_leaves_the_old_file_whole_and_nothing_else() {
    let directory = directory("full");
    fs::write(directory.join("out.gguf"), "old").unwrap();
    let script = "trap '' XFSZ; ulimit -f 8; exec \"$@\"";
    for arguments in [
        &["models", "synth", SHAPE, "-o"][..],
        &["models", "quantize", "m.gguf", "--type", "F32", "--allow-requantize"],
    ] {
        let output = binary::shell()
            .args(["-c", script, "sh", env!("CARGO_BIN_EXE_pacemark")])
            .args(arguments)
            .arg("out.gguf")
            .current_dir(&directory)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("out.gguf was not written") && said.contains("too large"), "{said}");
        assert_eq!(fs::read(directory.join("out.gguf")).unwrap(), b"old");
        assert_eq!(names(&directory), ["m.gguf", "out.gguf"]);
    }
}

#[test]
fn a_model_on_standard_output_is_that_alone() {
    let directory = directory("stdout");
    let output =
        command(&directory).args(["models", "synth", SHAPE, "-o", "/dev/stdout"]).output().unwrap();
    assert!(output.status.success());
    fs::write(directory.join("got.gguf"), &output.stdout).unwrap();
    assert_eq!(output.stdout, fs::read(directory.join("m.gguf")).unwrap());
    assert!(String::from_utf8_lossy(&output.stderr).contains("bits a weight"));
}
