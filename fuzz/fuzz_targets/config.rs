//! Any `config.json` is refused with a message, or describes a model that the engine knows or
//! refuses.
#![no_main]

#[path = "../../crates/tokenizer/tests/inputs/mod.rs"]
#[allow(dead_code)]
mod inputs;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Some(file) = inputs::directory::config_json(bytes) {
        let _ = pacemark_engine::model_config(&file);
    }
});
