//! Text as other systems write it (byte-order marks, UTF-16, ends of lines with CR) in everything
//! that a command reads: what is printed is the same as for plain UTF-8. `load`'s files are with
//! its other sources, a model directory's in `modelfile`.

mod binary;

use pacemark_testmodel::TestModel;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// A way to write text, with its name.
type Encoding = (&'static str, fn(&str) -> Vec<u8>);

const ENCODINGS: [Encoding; 3] = [
    ("UTF-8 with a mark", |text| [b"\xef\xbb\xbf", text.as_bytes()].concat()),
    ("UTF-16, little-endian", |text| {
        "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
    }),
    ("UTF-16, big-endian", |text| {
        "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_be_bytes).collect()
    }),
];

/// Arguments with `FILE` for the file, none where the text comes on standard input; and the text.
const READERS: [(&str, &str); 8] = [
    ("tokenize -m MODEL -o json", "in the é end"),
    ("run -m MODEL -n 3 -o text", "in the é end"),
    ("run -m MODEL -n 3 -f FILE", "in the é end"),
    (
        "run -m MODEL -n 3 --chat --messages -f FILE",
        "[{\"role\": \"user\",\r\n \"content\": \"é\"}]\r\n",
    ),
    ("run -m MODEL -n 3 --chat --messages", "[{\"role\": \"user\", \"content\": \"é\"}]"),
    (
        "run -m MODEL -n 3 --chat -p hi --chat-template FILE",
        "{% for m in messages %}\r\n{{ m.content }}é\r\n{% endfor %}",
    ),
    (
        "models info synth:FILE -o json",
        r#"{"architecture": "llama", "n_embd": 64, "n_ff": 64, "n_layers": 1, "n_heads": 2, "n_vocab": 300}"#,
    ),
    (
        "eval perplexity -m MODEL -c 16 -f FILE",
        "the end of the thing in the end of the thing in the end of it all é and then the other thing",
    ),
];

fn directory(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    path
}

/// What is printed of `bytes`, times and notes on the machine left out; or the error.
fn printed(directory: &Path, line: &str, bytes: &[u8]) -> Result<String, String> {
    let file = directory.join("text.json");
    std::fs::write(&file, bytes).unwrap();
    let model = directory.join("model.gguf");
    let word = |word: &str| {
        word.replace("MODEL", model.to_str().unwrap()).replace("FILE", file.to_str().unwrap())
    };
    let mut command = binary::pacemark();
    command
        .args(line.split(' ').map(word))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(bytes); // not read where there is a file
    let output = child.wait_with_output().unwrap();
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let text = String::from_utf8(output.stdout).unwrap();
    let varies = |line: &&str| line.contains(" t/s") || line.starts_with("note: ");
    Ok(text.lines().filter(|line| !varies(line)).map(|line| format!("{line}\n")).collect())
}

#[test]
fn marks_are_no_part_of_any_text() {
    let directory = directory("marks");
    TestModel::llama().write(&directory.join("model.gguf")).unwrap();
    for (line, text) in READERS {
        let plain = printed(&directory, line, text.as_bytes())
            .unwrap_or_else(|error| panic!("{line}: {error}"));
        assert!(!plain.is_empty(), "{line}");
        for (encoding, encode) in ENCODINGS {
            assert_eq!(
                printed(&directory, line, &encode(text)).as_ref(),
                Ok(&plain),
                "{line}: {encoding}"
            );
        }
        for (bytes, says) in [
            (&b"\xff\xfe\0\0a\0\0\0"[..], "UTF-32"),
            (b"ab\xffc", "found byte 0xff at offset 2"),
            (b"\xff\xfea", "UTF-16"),
        ] {
            let error = printed(&directory, line, bytes).expect_err(line);
            assert!(error.contains(says), "{line}: {error}");
        }
    }
}
