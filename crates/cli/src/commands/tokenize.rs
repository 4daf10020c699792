//! `pacemark tokenize`: the ids a model sees for a text.

use crate::exit::Exit;
use crate::{hub, input};
use anyhow::Result;
use clap::ValueEnum;
use pacemark_modelfile::ModelFile;
use pacemark_tokenizer::{EncodeOptions, Tokenizer};
use std::fmt::Write as _;
use std::io::Write;

const EXAMPLES: &str = "\
Examples:
  printf 'Hello, how are you?' | pacemark tokenize
  pacemark tokenize -m gemma3-270m --text '<start_of_turn>user' --plain
  pacemark tokenize -m model.gguf -o json < prompt.txt | jq '.ids | length'";

/// Shows the token ids of a text, which is read from standard input byte for byte (but for a
/// byte-order mark).
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Model: file, Hugging Face directory, catalog name or hf:ORG/REPO/FILE[@REV]
    #[arg(short, long, value_name = "MODEL", default_value = hub::DEFAULT_MODEL)]
    model: String,
    /// The text, instead of standard input
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    text: Option<String>,
    /// Add no special tokens (BOS, EOS) and take those written in the text as text
    #[arg(long)]
    plain: bool,
    /// How to print the ids
    #[arg(short, long, value_enum, default_value_t = IdsFormat::Text)]
    output: IdsFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum IdsFormat {
    /// A line for each token: its id and what it stands for
    Text,
    /// {"ids":[…]}
    Json,
}

pub(super) fn run(args: Args) -> Result<Exit> {
    let text = match args.text {
        Some(text) => text,
        None => input::read_stdin()?,
    };
    let model = ModelFile::open(hub::resolve(&args.model)?)?;
    let tokenizer = Tokenizer::from_metadata(model.metadata())?;
    let options = if args.plain { EncodeOptions::PLAIN } else { EncodeOptions::SPECIAL };
    let ids = tokenizer.encode(&text, options);
    let shown = match args.output {
        IdsFormat::Json => format!("{}\n", serde_json::json!({ "ids": ids })),
        IdsFormat::Text => ids.iter().fold(String::new(), |mut lines, &id| {
            let bytes = tokenizer.token_bytes(id).unwrap_or_default();
            let _ = writeln!(lines, "{id:>6}  {}", visible(&bytes)); // writing to a String cannot fail
            lines
        }),
    };
    std::io::stdout().write_all(shown.as_bytes())?;
    Ok(Exit::Fine)
}

/// `bytes` in quotes, with escapes for what cannot be seen; a token may be part of a character.
fn visible(bytes: &[u8]) -> String {
    let mut out = String::from("\"");
    for chunk in bytes.utf8_chunks() {
        // `{:?}` of a string, unlike `escape_debug`, leaves apostrophes alone.
        let quoted = format!("{:?}", chunk.valid());
        out += &quoted[1..quoted.len() - 1];
        out.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    out + "\""
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_byte_of_a_token_can_be_read() {
        assert_eq!(super::visible(" é\n\"'".as_bytes()), r#"" é\n\"'""#);
        assert_eq!(super::visible(b"a\xf0\x9f\\"), r#""a\xf0\x9f\\""#);
    }
}
