//! Exceptions: what of the engine's errors is whose, and the classes themselves.

use pacemark_backend::BackendError;
use pacemark_backends::native::NativeError;
use pacemark_hub::HubError;
use pyo3::exceptions::{PyException, PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple, PyType};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A class of exceptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// All of them.
    Pacemark,
    /// A model is not there, cannot be read, or cannot be computed.
    Model,
    /// A request that cannot be answered as it stands.
    Request,
    /// The engine computes nothing any more.
    Engine,
    /// It was closed.
    Closed,
}

/// Where they are.
const MODULE: &str = "pacemark._native";

/// Names and what stands in their help.
const CLASSES: [(Kind, &str, &str); 5] = [
    (Kind::Pacemark, "PacemarkError", "What all errors of this package are."),
    (
        Kind::Model,
        "ModelError",
        "A model that is not there, cannot be read, or cannot be computed.",
    ),
    (Kind::Request, "RequestError", "A request that the engine cannot answer as it stands."),
    (Kind::Engine, "EngineError", "The engine computes nothing any more."),
    (Kind::Closed, "EngineClosedError", "The engine was closed."),
];

static MADE: PyOnceLock<Vec<(Kind, Py<PyType>)>> = PyOnceLock::new();

/// The classes, each made once.
fn classes(py: Python<'_>) -> PyResult<&Vec<(Kind, Py<PyType>)>> {
    MADE.get_or_try_init(py, || {
        let mut made: Vec<(Kind, Py<PyType>)> = Vec::new();
        for (kind, name, about) in CLASSES {
            let of = |kind: Kind| {
                let found = made.iter().find(|(other, _)| *other == kind);
                found.map(|(_, class)| class.bind(py).clone())
            };
            let own = [of(Kind::Pacemark), of(Kind::Engine).filter(|_| kind == Kind::Closed)];
            let above = own.into_iter().flatten().next_back();
            let general = match kind {
                Kind::Pacemark => Some(py.get_type::<PyException>()),
                Kind::Request => Some(py.get_type::<PyValueError>()),
                Kind::Engine => Some(py.get_type::<PyRuntimeError>()),
                Kind::Model | Kind::Closed => None,
            };
            let bases: Vec<_> = above.into_iter().chain(general).collect();
            let fields = PyDict::new(py);
            fields.set_item("__module__", MODULE)?;
            fields.set_item("__doc__", about)?;
            let class = py.get_type::<PyType>().call1((name, PyTuple::new(py, bases)?, fields))?;
            made.push((kind, class.cast_into::<PyType>()?.unbind()));
        }
        Ok(made)
    })
}

/// Puts the classes into the module.
pub(crate) fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    for (_, class) in classes(module.py())? {
        let class = class.bind(module.py());
        module.add(class.name()?, class)?;
    }
    Ok(())
}

/// An exception of a class.
pub(crate) fn of(py: Python<'_>, kind: Kind, why: impl Into<String>) -> PyErr {
    let made = match classes(py) {
        Ok(made) => made,
        Err(error) => return error,
    };
    match made.iter().find(|(other, _)| *other == kind) {
        Some((_, class)) => PyErr::from_type(class.bind(py).clone(), why.into()),
        None => PyRuntimeError::new_err(why.into()),
    }
}

/// An argument that means nothing: its name, what was expected, what was found.
pub(crate) fn argument(name: &str, expected: &str, found: impl std::fmt::Display) -> PyErr {
    PyValueError::new_err(format!("{name}: expected {expected}, found {found}"))
}

/// The engine was closed before, or while somebody waited.
pub(crate) fn closed(py: Python<'_>) -> PyErr {
    of(py, Kind::Closed, "the engine was closed")
}

/// It is another process's: a fork has none of its threads.
pub(crate) fn forked(py: Python<'_>) -> PyErr {
    let why = "the engine was made in another process: a fork has none of its threads; make one there, or use spawn";
    of(py, Kind::Engine, why)
}

/// Of a request.
pub(crate) fn of_backend(py: Python<'_>, error: &BackendError) -> PyErr {
    let kind = match error {
        BackendError::Engine(_) | BackendError::Full(_) => Kind::Engine,
        _ => Kind::Request,
    };
    of(py, kind, error.to_string())
}

/// Of loading.
#[derive(Debug)]
pub(crate) enum LoadError {
    /// There is no such file, or it cannot be had.
    Hub(HubError),
    /// It cannot be computed.
    Native(NativeError),
}

/// The same as an exception: a setup that the engine does not do is an argument's mistake.
pub(crate) fn of_load(py: Python<'_>, error: &LoadError) -> PyErr {
    let with_causes = |error: &dyn std::error::Error| {
        let causes = std::iter::successors(error.source(), |cause| cause.source());
        let mut said = error.to_string();
        for cause in causes.map(ToString::to_string).filter(|cause| !cause.is_empty()) {
            if !said.contains(&cause) {
                said = format!("{said}: {cause}");
            }
        }
        said
    };
    match error {
        LoadError::Native(NativeError::Unsupported(error)) => {
            PyValueError::new_err(error.to_string())
        }
        LoadError::Native(error) => of(py, Kind::Model, with_causes(error)),
        LoadError::Hub(error) => of(py, Kind::Model, with_causes(error)),
    }
}

/// A file could not be written.
pub(crate) fn of_output(path: &str, error: &pacemark_files::OutputError) -> PyErr {
    PyOSError::new_err(format!("{path}: {error}"))
}

/// What panics is an exception like others, and the interpreter goes on.
pub(crate) fn calm<T>(py: Python<'_>, work: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
    let broken = |_| of(py, Kind::Engine, "something broke in the engine; it is told above");
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(broken(panic)))
}
