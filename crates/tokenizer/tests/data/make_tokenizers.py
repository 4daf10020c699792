#!/usr/bin/env python3
"""Writes tokenizers.json: tiny tokenizers in many configurations, and what Hugging Face makes of delicate texts with them.

    pip install tokenizers==0.23.3 transformers==5.24.0 && python make_tokenizers.py

Ids are by the `tokenizers` library, as a whole (`ids`, with BOS where the post-processor adds it) and with special tokens left
as text (`plain`: encode_special_tokens, which transformers calls split_special_tokens); `decoded` is the text of `ids`
without special tokens. Where a configuration has settings for `tokenizer_config.json`, the ids are by transformers.

Of three configurations the texts are not kept, for shortcomings of the library that are not copied: it shows special tokens that are normalized even
where it is asked not to, and reads the letters of a token that was added to a byte-level vocabulary as bytes.
"""
import copy
import json
import pathlib
import tempfile

from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import AutoTokenizer

SPECIALS = ["<unk>", "<s>", "</s>", "<|end|>"]
CORPUS = [
    "the thing in the end, the other thing and then another one of them", "  two  spaces   three    four", "x = 1; y = 22; z = 333",
    "I've seen, don't, we'll THE END", "caf\u00e9 na\u00efve \u00fcber \u00c9COLE stra\u00dfe", "one\ntwo\n\nthree\tfour", "a a a aa aaa aaaa b b bb",
] * 4
TEXTS = [
    "", " ", "  ", "   ", "a", " a", "a ", " a ", "  a", "the", " the", "  the", "the thing in the end", "The END", "▁the", " ▁the", "▁▁the",
    "▁", "a▁b", "caf\u00e9", "cafe\u0301", "e\u0301\u0301", "\u0301a", "\u00e9\u0301", "\u212b \u2126", "\ufb01ne \u00bd \u2460", "\uac00 \u1100\u1161",
    "stra\u00dfe \u0130I\u0131", "\u03a3\u0391\u03a3", "\u00a0a\u00a0b", "a\u3000b\u2003c", "\n", "\n\nthe", "a\tb\r\nc", "日本語", "🙂🙂", "a🙂b 日 c", "\u0000\u0001\u007f",
    "<s>", "<s>the", "<s> the", "a <s> the", " <s>", "a</s>", "<|end|>the", "a<|end|> the", "a <|end|>  b", "<|end|><|end|>", "<|end|> <|end|>", "<|end", "x<unk>y",
    "[X]", "a[X]b", "a [X] b", "  [X]  ", "a \n[X]\n b", "[X][X]", "[X] [X]", "[Y]", "a  [Y]  b", "[y] [Y]", "it's [YZ] ok", "cafe\u0301[X]cafe\u0301",
    "I've 12345 apples, don't you? THE'LL", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "the the  the   the    the",
]


def trained(pre, alphabet, size):
    """A vocabulary that grew from the corpus."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre
    tokenizer.train_from_iterator(CORPUS, trainers.BpeTrainer(
        vocab_size=size, special_tokens=SPECIALS, initial_alphabet=alphabet, show_progress=False))
    model = json.loads(tokenizer.to_str())["model"]
    return {"vocab": model["vocab"], "merges": model["merges"]}


def with_bytes(vocabulary, n_bytes):
    """The first bytes as tokens to fall back to."""
    vocabulary = copy.deepcopy(vocabulary)
    for byte in range(n_bytes):
        vocabulary["vocab"][f"<0x{byte:02X}>"] = len(vocabulary["vocab"])
    return vocabulary


def without(vocabulary, gone):
    """Without some tokens and all that are made of them."""
    keep = lambda text: text in SPECIALS or not any(c in text for c in gone)
    vocab = [text for text, _ in sorted(vocabulary["vocab"].items(), key=lambda entry: entry[1]) if keep(text)]
    merges = [pair for pair in vocabulary["merges"] if keep("".join(pair))]
    return {"vocab": {text: id for id, text in enumerate(vocab)}, "merges": merges}


BYTES = trained(pre_tokenizers.ByteLevel(add_prefix_space=False), pre_tokenizers.ByteLevel.alphabet(), 330)
CHARS = trained(pre_tokenizers.Metaspace(split=False), [], 130)
VOCABULARIES = {
    "bytes": BYTES, "bytes without some": without(BYTES, "ðŁĉ\u0120"), "characters": with_bytes(CHARS, 256),
    "characters without bytes": CHARS, "characters with some bytes": with_bytes(CHARS, 0xC4),
    "characters without ▁": without(with_bytes(CHARS, 0), "▁"),
}

QWEN2 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
LLAMA3 = QWEN2.replace(r"\p{N}| ", r"\p{N}{1,3}| ")


DIGITS = {"type": "Digits", "individual_digits": True}


def byte_level(**options):
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True} | options


def split(*regexes, digits=()):
    steps = [{"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False} for regex in regexes]
    return sequence("pretokenizers", *steps, *digits, byte_level(use_regex=False))


def sequence(name, *parts):
    return {"type": "Sequence", name: list(parts)}


def metaspace(scheme, split):
    return {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": split}


def replace(pattern, content):
    return {"type": "Replace", "pattern": {"String": pattern}, "content": content}


PREPEND, SPACES = {"type": "Prepend", "prepend": "▁"}, replace(" ", "▁")
FUSE, STRIP = {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}
UNDONE = [replace("▁", " "), {"type": "ByteFallback"}, FUSE]
BOS = {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
       "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
       "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}}


def added(content, id, **flags):
    return {"id": id, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True} | flags


NOT_DECODED = {"qwen2, NFC", "NFKC and lower case", "llama-2, normalized specials"}


def configuration(name, vocabulary, normalizer=None, pre=None, decoder=None, post=None, model={}, flags={}, more=(), settings=None):
    """`flags` are of special tokens by name, `more` are tokens to add (content and flags)."""
    size = len(VOCABULARIES[vocabulary]["vocab"])
    tokens = [added(text, VOCABULARIES[vocabulary]["vocab"][text], **flags.get(text, {})) for text in SPECIALS]
    tokens += [added(text, VOCABULARIES[vocabulary]["vocab"].get(text, size + at), **given) for at, (text, given) in enumerate(more)]
    options = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
               "fuse_unk": False, "byte_fallback": False, "ignore_merges": False}
    return {"name": name, "vocabulary": vocabulary, "settings": settings, "tokenizer": {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": tokens, "normalizer": normalizer, "pre_tokenizer": pre,
        "post_processor": post, "decoder": decoder, "model": options | model}}


def characters(name, vocabulary="characters", model={}, **options):
    model = {"unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True} | model
    return configuration(name, vocabulary, model=model, **options)


X = ("[X]", {"special": False})
CONFIGURATIONS = [
    configuration("gpt-2", "bytes", pre=byte_level(), decoder=byte_level(), more=[X]),
    configuration("gpt-2, prefix", "bytes", pre=byte_level(add_prefix_space=True), decoder=byte_level(), more=[X]),
    configuration("gpt-2, ignore_merges", "bytes", pre=byte_level(), decoder=byte_level(), model={"ignore_merges": True}),
    configuration("gpt-2, bytes missing", "bytes without some", pre=byte_level(), decoder=byte_level()),
    configuration("gpt-2, unknown", "bytes without some", pre=byte_level(), decoder=byte_level(), model={"unk_token": "<unk>"}),
    configuration("gpt-2, unknown fused", "bytes without some", pre=byte_level(), decoder=byte_level(),
                  model={"unk_token": "<unk>", "fuse_unk": True}),
    configuration("smollm", "bytes", decoder=byte_level(), pre=sequence("pretokenizers", DIGITS, byte_level())),
    configuration("deepseek-coder", "bytes", decoder=byte_level(), post=BOS, more=[X],
                  pre=split(r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[一-龥ࠀ-一가-퟿]+", digits=[DIGITS])),
    configuration("qwen2, NFC", "bytes", normalizer={"type": "NFC"}, pre=split(QWEN2), decoder=byte_level(),
                  more=[X, ("[Y]", {"normalized": True}), ("cafe\u0301", {"normalized": True, "special": False})]),
    configuration("qwen2, ignore_merges", "bytes", normalizer={"type": "NFC"}, pre=split(QWEN2), model={"ignore_merges": True}),
    configuration("llama-3", "bytes", pre=split(LLAMA3), decoder=byte_level(), post=BOS, model={"ignore_merges": True}),
    configuration("llama-3, merges", "bytes", pre=split(LLAMA3), decoder=byte_level(), post=BOS),
    configuration("NFD", "bytes", normalizer={"type": "NFD"}, pre=byte_level(), decoder=byte_level()),
    configuration("NFKC and lower case", "bytes", normalizer=sequence("normalizers", {"type": "NFKC"}, {"type": "Lowercase"}),
                  pre=byte_level(), decoder=byte_level(), more=[("[Y]", {"normalized": True}), X]),
    configuration("NFKD without accents", "bytes", normalizer=sequence("normalizers", {"type": "NFKD"}, {"type": "StripAccents"}),
                  pre=byte_level(), decoder=byte_level()),
    configuration("Strip", "bytes", normalizer={"type": "Strip", "strip_left": True, "strip_right": True}, pre=byte_level(), decoder=byte_level(), more=[X]),
    configuration("Strip left", "bytes", normalizer={"type": "Strip", "strip_left": True, "strip_right": False}, pre=byte_level(), decoder=byte_level()),
    configuration("Replace", "bytes", normalizer=sequence("normalizers", replace("th", "TH"), replace("e", "")), pre=byte_level(), decoder=byte_level()),
    configuration("white space taken", "bytes", pre=byte_level(), decoder=byte_level(),
                  flags={"<|end|>": {"rstrip": True}, "</s>": {"lstrip": True}, "<s>": {"lstrip": True, "rstrip": True}},
                  more=[("[X]", {"lstrip": True, "rstrip": True, "special": False}), ("[Y]", {"lstrip": True, "normalized": True}), ("  ", {"special": False})]),
    configuration("overlapping added tokens", "bytes", pre=byte_level(), decoder=byte_level(),
                  more=[("[Y", {"special": False}), ("[YZ]", {"special": False}), ("Y]", {}), ("the thing", {"special": False}), ("thing in the end", {})]),
    characters("llama-2", normalizer=sequence("normalizers", PREPEND, SPACES), decoder=sequence("decoders", *UNDONE, STRIP), post=BOS, more=[X]),
    characters("llama-2, normalized specials", normalizer=sequence("normalizers", PREPEND, SPACES), decoder=sequence("decoders", *UNDONE, STRIP), post=BOS,
               flags={"<s>": {"normalized": True}, "<|end|>": {"normalized": True}}, more=[("[X]", {"normalized": True, "special": False})]),
    characters("phi-3", normalizer=sequence("normalizers", PREPEND, SPACES), decoder=sequence("decoders", *UNDONE, STRIP), post=BOS,
               flags={"</s>": {"rstrip": True}, "<|end|>": {"rstrip": True}}, more=[("[X]", {"rstrip": True})]),
    characters("gemma", normalizer=SPACES, pre={"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False},
               decoder=sequence("decoders", *UNDONE), post=BOS, more=[("▁▁", {"special": False}), ("\n\n", {"special": False})]),
    characters("Metaspace always", pre=metaspace("always", True), post=BOS, more=[X]),
    characters("Metaspace always, whole", pre=metaspace("always", False), decoder=sequence("decoders", *UNDONE, STRIP), post=BOS, more=[X]),
    characters("Metaspace first", pre=metaspace("first", True), decoder=sequence("decoders", *UNDONE, STRIP), post=BOS, more=[X]),
    characters("Metaspace first, whole", pre=metaspace("first", False), decoder=sequence("decoders", *UNDONE, STRIP), more=[X, ("[Y]", {"normalized": True})]),
    characters("Metaspace never", pre=metaspace("never", False), decoder=sequence("decoders", *UNDONE), more=[X]),
    characters("Metaspace, NFKC before", normalizer={"type": "NFKC"}, pre=metaspace("always", True), decoder=sequence("decoders", *UNDONE, STRIP), more=[X]),
    characters("Metaspace, older words", pre={"type": "Metaspace", "replacement": "▁", "str_rep": "▁", "add_prefix_space": True}, post=BOS),
    characters("Metaspace, ignore_merges", pre=metaspace("first", False), decoder=sequence("decoders", *UNDONE, STRIP), model={"ignore_merges": True}),
    characters("no bytes, fused", "characters without bytes", pre=metaspace("first", True), model={"byte_fallback": False}),
    characters("no bytes, each", "characters without bytes", pre=metaspace("first", True), model={"byte_fallback": False, "fuse_unk": False}),
    characters("no bytes, left out", "characters without bytes", pre=metaspace("first", False), model={"byte_fallback": False, "unk_token": None}),
    characters("some bytes", "characters with some bytes", pre=metaspace("always", False)),
    characters("some bytes, each", "characters with some bytes", pre=metaspace("always", True), model={"fuse_unk": False}),
    characters("no space", "characters without ▁", pre=metaspace("first", False), model={"byte_fallback": False}),
    configuration("settings: flags", "bytes", pre=byte_level(), more=[X], settings={"added_tokens_decoder": {
        "3": {"content": "<|end|>", "lstrip": True, "rstrip": True, "normalized": False, "single_word": False, "special": True}}}),
    configuration("settings: named tokens", "bytes", pre=byte_level(), settings={"pad_token": "th", "extra_special_tokens": ["in"], "bos_token": "<s>"}),
    configuration("settings: objects", "bytes", pre=byte_level(), settings={"image_token": {
        "__type": "AddedToken", "content": "th", "lstrip": True, "rstrip": False, "normalized": False, "single_word": False}}),
]


def results(configuration, vocabulary):
    document = copy.deepcopy(configuration["tokenizer"])
    document["model"] |= vocabulary
    if configuration["settings"] is None:
        tokenizer = Tokenizer.from_str(json.dumps(document))
        ids = [tokenizer.encode(text).ids for text in TEXTS]
        tokenizer.encode_special_tokens = True
        plain = [tokenizer.encode(text, add_special_tokens=False).ids for text in TEXTS]
        is_decoded = document["decoder"] and configuration["name"] not in NOT_DECODED
        decoded = [tokenizer.decode(one) for one in ids] if is_decoded else None
        return {"ids": ids, "plain": plain, "decoded": decoded}
    with tempfile.TemporaryDirectory() as directory:
        settings = {"tokenizer_class": "PreTrainedTokenizerFast"} | configuration["settings"]
        for name, content in [("tokenizer", document), ("tokenizer_config", settings)]:
            pathlib.Path(directory, f"{name}.json").write_text(json.dumps(content))
        tokenizer = AutoTokenizer.from_pretrained(directory)
        return {"ids": [tokenizer(text)["input_ids"] for text in TEXTS], "plain": None, "decoded": None}


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


cases = [compact(one | results(one, VOCABULARIES[one["vocabulary"]])) for one in CONFIGURATIONS]
vocabularies = ",\n    ".join(f"{compact(name)}: {compact(vocabulary)}" for name, vocabulary in VOCABULARIES.items())
path = pathlib.Path(__file__).with_name("tokenizers.json")
path.write_text('{\n  "texts": %s,\n  "vocabularies": {\n    %s\n  },\n  "configurations": [\n    %s\n  ]\n}\n' % (
    compact(TEXTS), vocabularies, ",\n    ".join(cases)))
print(len(CONFIGURATIONS), "configurations,", len(TEXTS), "texts,", max(len(v["vocab"]) for v in VOCABULARIES.values()), "tokens at most")
