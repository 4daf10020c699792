//! The engines that are scripts: the table of them, how one is started, and what of it is here.

use pacemark_setup::{DType, Precision};
use serde::Deserialize;
use std::io;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

/// An engine that is a script.
pub struct Engine {
    /// Its name in [`crate::BACKENDS`].
    pub name: &'static str,
    /// One line on what it is.
    pub help: &'static str,
    /// What it runs on where nothing is said.
    pub device: &'static str,
    /// Devices that may be asked for by name, or the beginning of one: `GPU.1` is a `GPU`.
    pub devices: &'static [&'static str],
    /// The modules that it needs, its own last.
    pub modules: &'static [&'static str],
    /// What brings them.
    pub install: &'static str,
    /// What it reads.
    pub reads: &'static str,
    /// Types of keys and values that may be asked for; the first one, which is the default, is its own
    /// choice where it has no word for it.
    pub cache: &'static [DType],
    /// Numbers that may be asked for.
    pub precisions: &'static [Precision],
    /// Types of a GGUF file whose blocks it does not compute as they are, and what it does to them.
    pub rounds: &'static [(DType, &'static str)],
    pub(super) script: &'static str,
}

/// OpenVINO GenAI.
pub static OPENVINO: Engine = Engine {
    name: "openvino",
    help: "OpenVINO GenAI, in a Python process",
    device: "CPU",
    devices: &["CPU", "GPU", "NPU", "AUTO"],
    modules: &["numpy", "openvino", "openvino_tokenizers", "openvino_genai"],
    install: "pip install openvino-genai",
    reads: "GGUF files of llama, qwen2 and qwen3, and OpenVINO-IR directories (openvino_model.xml)",
    cache: &[DType::F16, DType::F32, DType::BF16, DType::Q8_0],
    precisions: &[Precision::F32, Precision::Bf16, Precision::F16],
    rounds: &[(DType::Q4_1, MINIMA), (DType::Q4K, MINIMA)],
    script: include_str!("../../../side/python/engine_openvino.py"),
};

/// Hugging Face transformers.
pub static TRANSFORMERS: Engine = Engine {
    name: "transformers",
    help: "Hugging Face transformers, in a Python process",
    device: "cpu",
    devices: &["cpu", "cuda", "mps", "xpu", "auto"],
    modules: &["torch", "transformers"],
    install: "pip install torch transformers accelerate gguf",
    reads: "Hugging Face directories of causal language models, and GGUF files with the packages gguf and accelerate",
    cache: &[DType::F16],
    precisions: &Precision::ALL,
    rounds: &[],
    script: include_str!("../../../side/python/engine_transformers.py"),
};

/// What OpenVINO GenAI's reader of GGUF does to types with a minimum (`gguf_utils/building_blocks.cpp`,
/// `make_int4_weights`): perplexity of SmolLM2 in Q4_1 rises by a fifth.
const MINIMA: &str = "rounds the minimum of each block to a whole number of its steps";

/// Every one of them.
pub static ENGINES: [&Engine; 2] = [&OPENVINO, &TRANSFORMERS];

/// The engine of that name.
pub fn find(name: &str) -> Option<&'static Engine> {
    ENGINES.into_iter().find(|engine| engine.name == name)
}

/// What every script imports.
const SIDE: &str = include_str!("../../../side/python/side.py");
const LOOK: &str = include_str!("../../../side/python/look.py");

/// Where Python is looked for, if not under this name on the path.
pub const PYTHON: &str = "PACEMARK_PYTHON";

/// The Python that is used.
pub(super) fn python() -> std::ffi::OsString {
    std::env::var_os(PYTHON).filter(|path| !path.is_empty()).unwrap_or_else(|| "python3".into())
}

/// A command line that runs a script, which can import `side`: of this program nothing has to be found
/// but Python and the packages.
fn command(name: &str, script: &str) -> Command {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let program = format!(
        "import sys, types\nside = types.ModuleType('side')\nexec({}, side.__dict__)\n\
         sys.modules['side'] = side\nexec(compile({}, '{name}.py', 'exec'))",
        quoted(SIDE),
        quoted(script),
    );
    let mut command = Command::new(python());
    command.arg("-c").arg(program);
    command
}

impl Engine {
    /// A command line on which it runs.
    pub(super) fn command(&self) -> Command {
        command(&format!("engine_{}", self.name), self.script)
    }

    /// Whether a device of that name may be asked for.
    pub(crate) fn has_device(&self, name: &str) -> bool {
        let plain = name.split(['.', ':']).next().unwrap_or_default();
        self.devices.iter().any(|device| device.eq_ignore_ascii_case(plain))
    }
}

/// What of an engine is here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Python and the packages with their versions, as far as they are here.
    pub versions: Vec<String>,
    /// What computes, as the engine names it.
    pub devices: Vec<String>,
    /// Why it cannot be used, and the command that mends it; `None` where it can.
    pub lacking: Option<Lacking>,
}

/// What keeps an engine from being used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lacking {
    /// The cause, with the name of what was looked for.
    pub cause: String,
    /// What to do.
    pub mend: String,
}

#[derive(Deserialize)]
struct Told {
    python: String,
    executable: String,
    modules: Vec<Module>,
    devices: Vec<String>,
}

#[derive(Deserialize)]
struct Module {
    module: String,
    version: Option<String>,
    error: Option<String>,
    library: Option<String>,
    found: Vec<String>,
}

/// Looks for an engine: imports its packages, in a process of its own. Once `stop` is set, it is not
/// waited for.
pub fn look(engine: &Engine, stop: &AtomicBool) -> Found {
    let shown = python().to_string_lossy().into_owned();
    let lacking = |cause: String, mend: String| Found {
        versions: Vec::new(),
        devices: Vec::new(),
        lacking: Some(Lacking { cause, mend }),
    };
    let mut command = command("look", LOOK);
    command.args(engine.modules);
    let output = match pacemark_side::output(command, IMPORT, ANSWER_BYTES, stop) {
        Ok(Some(output)) => output,
        Ok(None) if stop.load(Relaxed) => {
            return lacking("it was not waited for".to_owned(), "pacemark doctor".to_owned());
        }
        Ok(None) => {
            let modules = engine.modules.join(", ");
            let cause = format!("importing {modules} took more than {} s", IMPORT.as_secs());
            return lacking(cause, format!("{shown} -c 'import {modules}' shows where it hangs"));
        }
        Err(error) => {
            let mend = format!("install Python 3, or name one: {PYTHON}=/path/to/python3");
            let what = match error.kind() {
                io::ErrorKind::NotFound => "Python was not found as",
                _ => "cannot start Python as",
            };
            return lacking(format!("{what} {shown}: {error}"), mend);
        }
    };
    let Ok(told) = serde_json::from_slice::<Told>(&output.stdout) else {
        let words = String::from_utf8_lossy(&output.stderr);
        let last = words.lines().rfind(|line| !line.trim().is_empty());
        let said = last.map_or("and said nothing".to_owned(), |last| format!("and said: {last}"));
        let modules = engine.modules.join(", ");
        let cause = format!("{shown}, importing {modules}, ended with {} {said}", output.status);
        let mend = format!(
            "{shown} -c 'import {modules}' shows whether that is Python's or a package's doing; {PYTHON}=/path/to/python3 names another"
        );
        return lacking(cause, mend);
    };
    read(engine, &told)
}

/// How long packages may take to be imported.
const IMPORT: Duration = Duration::from_secs(120);
/// More than any answer has.
const ANSWER_BYTES: u64 = 1 << 20;

fn read(engine: &Engine, told: &Told) -> Found {
    let of = |module: &Module| {
        module.version.as_ref().map(|version| format!("{} {version}", module.module))
    };
    let versions = std::iter::once(format!("Python {}", told.python))
        .chain(told.modules.iter().filter_map(of))
        .collect();
    let lacking = told.modules.iter().find(|module| module.error.is_some()).map(|module| {
        let error = module.error.as_deref().unwrap_or_default();
        let mend = format!("{} -m {}", told.executable, engine.install);
        let place = module.found.first().and_then(|path| std::path::Path::new(path).parent());
        let cause = format!("{}: {error}", module.module);
        match (&module.library, place) {
            (Some(library), Some(place)) => Lacking {
                cause: format!(
                    "{cause} ({library} is not where the loader looks; files of that name are in {})",
                    place.display()
                ),
                mend: format!("LD_LIBRARY_PATH={} pacemark …, or {mend}", place.display()),
            },
            (Some(library), None) => Lacking {
                cause: format!("{cause} ({library} is nowhere beside the package either)"),
                mend,
            },
            _ => Lacking { cause, mend },
        }
    });
    Found { versions, devices: told.devices.clone(), lacking }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(error: Option<&str>, library: Option<&str>, found: &[&str]) -> Told {
        let module = |name: &str, error: Option<&str>| Module {
            module: name.into(),
            version: Some("2026.4.1".into()),
            error: error.map(Into::into),
            library: library.map(Into::into),
            found: found.iter().map(ToString::to_string).collect(),
        };
        Told {
            python: "3.11.7".into(),
            executable: "/venv/bin/python3".into(),
            modules: vec![module("openvino", error), module("openvino_genai", None)],
            devices: vec!["CPU".into()],
        }
    }

    #[test]
    fn what_is_lacking_has_a_cause_and_a_mend() {
        let engine = find("openvino").unwrap();
        let fine = read(engine, &told(None, None, &[]));
        assert_eq!(fine.lacking, None);
        assert_eq!(
            fine.versions,
            ["Python 3.11.7", "openvino 2026.4.1", "openvino_genai 2026.4.1"]
        );
        let missing = read(engine, &told(Some("No module named 'openvino'"), None, &[]));
        let missing = missing.lacking.unwrap();
        assert_eq!(missing.mend, "/venv/bin/python3 -m pip install openvino-genai");
        let error = "ImportError: libopenvino.so.2641: cannot open shared object file";
        let at = ["/opt/intel/lib/libopenvino.so.2641"];
        let library = read(engine, &told(Some(error), Some("libopenvino.so.2641"), &at));
        let library = library.lacking.unwrap();
        assert!(library.cause.contains("files of that name are in /opt/intel/lib"), "{library:?}");
        assert!(library.mend.starts_with("LD_LIBRARY_PATH=/opt/intel/lib "), "{library:?}");
    }

    #[test]
    fn devices_go_by_their_kind() {
        let engine = find("openvino").unwrap();
        assert!(engine.has_device("GPU.1") && engine.has_device("cpu"));
        assert!(!engine.has_device("CUDA0") && !engine.has_device(""));
    }
}
