//! Files of models: found, fetched and loaded on a thread that can be left behind, since loading cannot be
//! ended.

use crate::error::{self, Kind, LoadError};
use crate::wait;
use pacemark_backends::native::{NativeService, ServiceOptions};
use pacemark_hub::{Caller, Here, Transfer};
use pacemark_modelfile::synth::{self, PREFIX, SHAPES};
use pacemark_setup::Setup;
use pyo3::prelude::*;
use std::cell::Cell;
use std::io::{IsTerminal, Write, stderr};
use std::sync::mpsc::channel;

/// What the thread tells that loads.
enum Told {
    Layers(usize, usize),
    Done(Result<Box<NativeService>, LoadError>),
}

/// Loads a model by what people call it: a file, a name of the catalog (fetched on first use), a shape.
///
/// # Errors
/// Where it is not there, cannot be computed, or somebody interrupts; then the thread ends by itself.
pub(crate) fn load(
    py: Python<'_>,
    model: String,
    setup: Setup,
    options: ServiceOptions,
    progress: Option<Py<PyAny>>,
) -> PyResult<NativeService> {
    let (tell, mut told) = channel();
    let work = move || {
        let layers = |done, of| drop(tell.send(Told::Layers(done, of)));
        let loaded =
            pacemark_hub::resolve(&model, &Stderr).map_err(LoadError::Hub).and_then(|path| {
                let mut layers = layers;
                let loaded = NativeService::load(&path, &setup, options, &mut layers);
                loaded.map_err(LoadError::Native)
            });
        // Where nobody waits any more, it is dropped here.
        drop(tell.send(Told::Done(loaded.map(Box::new))));
    };
    let thread = std::thread::Builder::new().name("load".into()).spawn(work);
    thread.map_err(|why| error::of(py, Kind::Model, format!("cannot start a thread: {why}")))?;
    loop {
        match wait::next(py, &mut told)? {
            Some(Told::Layers(done, of)) => {
                if let Some(progress) = &progress {
                    progress.call1(py, (done, of))?;
                }
            }
            Some(Told::Done(Ok(service))) => return Ok(*service),
            Some(Told::Done(Err(why))) => return Err(error::of_load(py, &why)),
            None => return Err(error::of(py, Kind::Model, "loading broke off; it is told above")),
        }
    }
}

/// `synth:NAME` where the name is of a known shape and no file of it is here: random weights of the same
/// size, which are as fast and say nothing.
#[pyfunction]
pub(crate) fn shape_of(name: &str) -> Option<String> {
    let is_shape = SHAPES.iter().any(|known| known.0 == synth::split(name).0);
    let is_here = matches!(pacemark_hub::here(name), Ok(Here::Path(_)));
    (is_shape && !is_here).then(|| format!("{PREFIX}{name}"))
}

/// Whoever waits for a file reads of it on standard error, as with the command.
struct Stderr;

impl Caller for Stderr {
    fn tell(&self, line: &str) {
        eprintln!("{line}");
    }

    fn transfer(&self, total: Option<u64>) -> Box<dyn Transfer> {
        Box::new(Percent { total, shown: Cell::new(None), is_shown: stderr().is_terminal() })
    }

    fn authorities(&self) -> Vec<Vec<u8>> {
        let found = pacemark_load::system_certificates().unwrap_or_else(|error| {
            eprintln!("warning: {error}; Mozilla's authorities are trusted instead");
            Vec::new()
        });
        found.iter().map(|certificate| certificate.to_vec()).collect()
    }
}

/// How much of a file has come, on a terminal.
struct Percent {
    total: Option<u64>,
    shown: Cell<Option<u64>>,
    is_shown: bool,
}

impl Transfer for Percent {
    fn start_at(&self, bytes: u64) {
        self.set(bytes);
    }

    fn set(&self, bytes: u64) {
        let Some(total) = self.total.filter(|total| self.is_shown && *total > 0) else { return };
        let percent = bytes.saturating_mul(100) / total;
        if self.shown.replace(Some(percent)) != Some(percent) {
            eprint!("\r{percent:3} %");
            let _ = stderr().flush(); // it is for show only
        }
    }
}

impl Drop for Percent {
    fn drop(&mut self) {
        if self.shown.get().is_some() {
            eprintln!();
        }
    }
}
