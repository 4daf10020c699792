//! Experiments, metrics and the runner that measures any backend.
