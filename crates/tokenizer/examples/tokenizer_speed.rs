//! How long a tokenizer takes to build and to encode: `tokenizer_speed MODEL TEXT`.

use pacemark_modelfile::ModelFile;
use pacemark_tokenizer::{EncodeOptions, Tokenizer};
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(model), Some(text)) = (args.next(), args.next()) else {
        return Err("usage: tokenizer_speed MODEL TEXT".into());
    };
    let start = Instant::now();
    let model = ModelFile::open(model)?;
    println!("open    {:?}", start.elapsed());
    let text = std::fs::read_to_string(text)?;
    for _ in 0..5 {
        let start = Instant::now();
        let tokenizer = Tokenizer::from_metadata(model.metadata())?;
        let built = start.elapsed();
        let ids = tokenizer.encode(&text, EncodeOptions::PLAIN);
        let encoded = start.elapsed() - built;
        let decoded = tokenizer.decode(&ids)?;
        let done = start.elapsed() - built - encoded;
        println!(
            "build {built:?}, encode {encoded:?} ({} ids), decode {done:?}, same {}",
            ids.len(),
            decoded == text
        );
    }
    Ok(())
}
