//! Concrete backends, one module each.
