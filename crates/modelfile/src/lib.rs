//! Reads and writes model files: GGUF metadata and tensor views over a memory map; the catalog of named models.
