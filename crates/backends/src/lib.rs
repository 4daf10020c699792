//! Concrete backends, one module each, all behind the trait of `backend`.
//!
//! [`native`] runs Pacemark's own engine, `llama_cpp` (feature `llama-cpp`) the one to compare
//! with, [`openai`] asks a server, `openvino_capi` (feature `openvino-capi`) is OpenVINO without Python. A new backend is one module here and one line in [`BACKENDS`]; it must pass
//! `backend::conformance`. All load by the same [`Setup`](pacemark_setup::Setup); what one does not
//! do of it is said in `supports`, before anything is loaded. [`served`] makes a service of any of them.

mod cost;
mod devices;
mod gather;
mod generation;
#[cfg(feature = "llama-cpp")]
pub mod llama_cpp;
mod logprob;
mod look;
mod model_type;
pub mod native;
pub mod openai;
#[cfg(feature = "openvino-capi")]
pub mod openvino_capi;
pub mod served;
pub mod side;
mod supports;
mod table;
mod text;

pub use devices::{Device, Work, devices, work};
pub use look::{Chosen, auto, look};
pub use model_type::model_type;
pub use table::{BACKENDS, BackendEntry, Load, LoadError, find};
pub use text::{ModelText, TextError};
