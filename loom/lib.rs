//! Nothing: what is here to be run is in `tests/`.
