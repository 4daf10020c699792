//! Text to token ids and back: byte-level BPE, SPM-BPE, streaming detokenizer, chat templates.
