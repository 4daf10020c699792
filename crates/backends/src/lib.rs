//! Concrete backends, one module each, all behind the trait of `backend`.
//!
//! [`native`] runs Pacemark's own engine. A new backend is one module here and one line in [`BACKENDS`]; it must pass
//! `backend::conformance`.

mod model_type;
pub mod native;

/// Names of the backends, for help and error messages.
pub const BACKENDS: &[&str] = &[native::NAME];

pub use model_type::model_type;
