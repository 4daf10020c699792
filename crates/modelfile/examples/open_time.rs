//! Prints how long a model file takes to open: `cargo run --release -p pacemark-modelfile --example
//! open_time -- FILE…`

use pacemark_modelfile::ModelFile;
use std::time::Instant;

fn main() -> Result<(), pacemark_modelfile::ModelFileError> {
    for path in std::env::args().skip(1) {
        for _ in 0..3 {
            let start = Instant::now();
            let model = ModelFile::open(&path)?;
            let elapsed = start.elapsed();
            println!(
                "{path}: {elapsed:?}, {} keys, {} tensors",
                model.metadata().len(),
                model.tensors().len()
            );
        }
    }
    Ok(())
}
