#!/usr/bin/env python3
"""Makes the tiny models of tests/golden.rs: each as a Hugging Face directory and as GGUF, with logits by transformers.

    python -m venv venv && venv/bin/pip install -r requirements.txt
    venv/bin/python make_golden.py            # all cases, or the names of some

Weights are random but seeded. Logits are computed by transformers on the CPU in float32 from exactly the stored weights.
The GGUF files are written by llama.cpp's own converter (the `conversion` package in the source distribution of
llama-cpp-python, fetched with pip); it recognizes a pre-tokenizer by the hash of what it does to a text, which a vocabulary
this small cannot match, so that its name is told.
"""

import json
import logging
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile

import torch
import transformers
from safetensors.torch import save_file
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

LLAMA_CPP_PYTHON = "llama_cpp_python==0.3.36"
HERE = pathlib.Path(__file__).parent
PROMPT_TOKENS = 40
ROWS = [0, 1, 7, 15, 16, 23, 31, 38, 39]  # positions whose logits are kept

LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
TEXTS = [
    "Hello world",
    " Two  spaces,   three; a tab\tand\n\nnew lines \n",
    "I've 12345 apples, don't you? THE'LL",
    "naïve café — 东京 🙂 ½",
    "the thing in the end",
    "x<|end|>y",
]


def merges_of(words):
    """A few merges that build `words` from single symbols, left to right."""
    merges = []
    for word in words:
        for end in range(1, len(word)):
            pair = (word[:end], word[end])
            if pair not in merges:
                merges.append(pair)
    return merges


def byte_level(pattern, specials):
    """Byte-level BPE as GPT-2's; digits alone before as SmolLM's, or `pattern` in a Split of its own as Llama 3's and Qwen's."""
    vocab = {char: i for i, char in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    merges = merges_of(["the", "in", "Ġt", "en"])
    for a, b in merges:
        vocab.setdefault(a + b, len(vocab))
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges, ignore_merges=pattern == LLAMA3))
    own = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    if pattern is None:
        tokenizer.pre_tokenizer = own
    elif pattern == "digits":
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), own])
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
    if pattern == QWEN2:
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in specials])
    return tokenizer


def sentence_piece(specials, gemma):
    """BPE over characters with bytes to fall back to: what tokenizer.json holds for Llama 2 and for Gemma."""
    tokens = specials + [f"<0x{byte:02X}>" for byte in range(256)] + ["▁"] + list("etaoinshrdlcum")
    vocab = {token: i for i, token in enumerate(tokens)}
    merges = merges_of(["the", "in", "▁t", "en"])
    for a, b in merges:
        vocab.setdefault(a + b, len(vocab))
    tokenizer = Tokenizer(
        models.BPE(vocab=vocab, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    )
    space = normalizers.Replace(" ", "▁")
    if gemma:
        tokenizer.normalizer = space
        tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", behavior="merged_with_previous")
        tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    else:
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), space])
        strip = decoders.Strip(content=" ", left=1, right=0)
        tokenizer.decoder = decoders.Sequence(
            [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), strip]
        )
    tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in specials])
    bos = "<bos>" if gemma else "<s>"
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{bos}:0 $A:0" if gemma else f"{bos} $A", special_tokens=[(bos, vocab[bos])]
    )
    return tokenizer


def llama(**changes):
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "attention_bias": False,
        "mlp_bias": False,
        "hidden_act": "silu",
        "hidden_size": 32,
        "intermediate_size": 64,
        "max_position_embeddings": 256,
        "num_attention_heads": 2,
        "num_hidden_layers": 2,
        "num_key_value_heads": 2,
        "rms_norm_eps": 1e-5,
        "rope_scaling": None,
        "rope_theta": 10000.0,
        "tie_word_embeddings": False,
        "vocab_size": 288,
        "bos_token_id": 1,
        "eos_token_id": 2,
    }
    return config | changes


def qwen(architecture, model_type, **changes):
    return llama(
        architectures=[architecture],
        model_type=model_type,
        num_attention_heads=4,
        rms_norm_eps=1e-6,
        rope_theta=1000000.0,
        tie_word_embeddings=True,
        use_sliding_window=False,
        sliding_window=None,
        max_window_layers=2,
        bos_token_id=None,
        eos_token_id=263,
    ) | changes


def gptneox(**changes):
    config = {
        "architectures": ["GPTNeoXForCausalLM"],
        "model_type": "gpt_neox",
        "hidden_act": "gelu",
        "hidden_size": 32,
        "intermediate_size": 64,
        "layer_norm_eps": 1e-5,
        "max_position_embeddings": 256,
        "num_attention_heads": 2,
        "num_hidden_layers": 2,
        "rotary_emb_base": 10000,
        "rotary_pct": 0.25,
        "tie_word_embeddings": False,
        "use_parallel_residual": True,
        "vocab_size": 288,
        "bos_token_id": 261,
        "eos_token_id": 261,
    }
    return config | changes


GPT2 = {
    "architectures": ["GPT2LMHeadModel"],
    "model_type": "gpt2",
    "activation_function": "gelu_new",
    "layer_norm_epsilon": 1e-5,
    "n_ctx": 64,
    "n_embd": 32,
    "n_head": 2,
    "n_layer": 2,
    "n_positions": 64,
    "vocab_size": 288,
    "bos_token_id": 261,
    "eos_token_id": 261,
}
GEMMA3 = {
    "architectures": ["Gemma3ForCausalLM"],
    "model_type": "gemma3_text",
    "attention_bias": False,
    "attn_logit_softcapping": None,
    "final_logit_softcapping": None,
    "head_dim": 16,
    "hidden_activation": "gelu_pytorch_tanh",
    "hidden_size": 32,
    "intermediate_size": 48,
    "max_position_embeddings": 256,
    "num_attention_heads": 2,
    "num_hidden_layers": 7,
    "num_key_value_heads": 1,
    "query_pre_attn_scalar": 16,
    "rms_norm_eps": 1e-6,
    "rope_local_base_freq": 10000.0,
    "rope_scaling": None,
    "rope_theta": 1000000.0,
    "sliding_window": 8,
    "layer_types": ["sliding_attention"] * 5 + ["full_attention", "sliding_attention"],
    "vocab_size": 284,
    "bos_token_id": 2,
    "eos_token_id": 1,
}
OLMO2 = llama(
    architectures=["Olmo2ForCausalLM"],
    model_type="olmo2",
    num_attention_heads=4,
    num_key_value_heads=2,
    rms_norm_eps=1e-6,
    rope_theta=500000.0,
    bos_token_id=None,
    eos_token_id=261,
)
SMOLLM3 = llama(
    architectures=["SmolLM3ForCausalLM"],
    model_type="smollm3",
    num_attention_heads=4,
    num_hidden_layers=5,
    num_key_value_heads=2,
    rms_norm_eps=1e-6,
    rope_theta=5000000.0,
    no_rope_layer_interval=4,
    no_rope_layers=[1, 1, 1, 0, 1],
    use_sliding_window=False,
    sliding_window=None,
    max_window_layers=28,
    pad_token_id=261,
    layer_types=["full_attention"] * 5,
    tie_word_embeddings=True,
    bos_token_id=262,
    eos_token_id=263,
)
LLAMA3_ROPE = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
SPM = ["<unk>", "<s>", "</s>"]
GEMMA_SPM = ["<pad>", "<eos>", "<bos>", "<unk>"]
BPE = ["<|endoftext|>", "<|start|>", "<|end|>"]

# name: (config, weight type, tokenizer, name of the pre-tokenizer, options)
CASES = {
    "llama": (llama(), torch.float32, lambda: sentence_piece(SPM, False), "default", {}),
    "llama-rope3": (
        llama(
            num_key_value_heads=1,
            rope_scaling=LLAMA3_ROPE,
            rope_theta=500000.0,
            tie_word_embeddings=True,
            bos_token_id=262,
            eos_token_id=[261, 263],
        ),
        torch.bfloat16,
        lambda: byte_level(LLAMA3, BPE),
        "llama-bpe",
        {"bos": "<|start|>", "eos": "<|end|>"},
    ),
    "llama-grouped": (
        llama(num_attention_heads=4, num_key_value_heads=2, head_dim=12, bos_token_id=262, eos_token_id=263),
        torch.float16,
        lambda: byte_level("digits", BPE),
        "smollm",
        {"bos": "<|start|>", "eos": "<|end|>", "shards": 3},
    ),
    "qwen2": (
        qwen("Qwen2ForCausalLM", "qwen2"),
        torch.float32,
        lambda: byte_level(QWEN2, BPE),
        "qwen2",
        {"eos": "<|end|>"},
    ),
    "qwen3": (
        qwen("Qwen3ForCausalLM", "qwen3", head_dim=16, num_key_value_heads=2),
        torch.bfloat16,
        lambda: byte_level(QWEN2, BPE),
        "qwen2",
        {"eos": "<|end|>", "new_style": True},
    ),
    "gemma3": (
        GEMMA3,
        torch.float32,
        lambda: sentence_piece(GEMMA_SPM, True),
        "default",
        {},
    ),
    "olmo2": (OLMO2, torch.float32, lambda: byte_level(LLAMA3, BPE), "dbrx", {"bos": BPE[0], "eos": BPE[0]}),
    "smollm3": (
        SMOLLM3,
        torch.bfloat16,
        lambda: byte_level(LLAMA3, BPE),
        "smaug-bpe",
        {"bos": "<|start|>", "eos": "<|end|>"},
    ),
    "gpt2": (GPT2, torch.float32, lambda: byte_level(None, BPE), "gpt-2", {"bos": BPE[0], "eos": BPE[0]}),
    "gptneox": (gptneox(), torch.float32, lambda: byte_level(None, BPE), "olmo", {"bos": BPE[0], "eos": BPE[0]}),
    "gptneox-sequential": (
        gptneox(use_parallel_residual=False, rotary_pct=0.5),
        torch.float16,
        lambda: byte_level(None, BPE),
        "olmo",
        {"bos": BPE[0], "eos": BPE[0]},
    ),
    "gptneox-head80": (
        gptneox(hidden_size=80, num_attention_heads=1, num_hidden_layers=1),
        torch.float16,
        lambda: byte_level(None, BPE),
        "olmo",
        {"bos": BPE[0], "eos": BPE[0]},
    ),
}


def weights(model, gemma, dtype, generator):
    """Random weights that leave every feature its say: biases are not zero, norms not one."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if "norm" in name or "ln_" in name:
                center = 0.0 if gemma or name.endswith("bias") else 1.0
                noise = center + 0.2 * noise
            elif parameter.dim() == 1:
                noise = 0.3 * noise
            elif "embed" in name or "wte" in name or "wpe" in name:
                noise = noise / parameter.shape[1] ** 0.5 if gemma or model.config.tie_word_embeddings else noise
            else:
                fan_in = parameter.shape[0] if "c_" in name and model.config.model_type == "gpt2" else parameter.shape[1]
                noise = noise / fan_in**0.5
            parameter.copy_(noise.to(dtype))


def stored_tensors(model, dtype):
    """The tensors as checkpoints of the family have them."""
    tied = model.config.tie_word_embeddings
    kind = model.config.model_type
    tensors = {}
    for name, tensor in model.state_dict().items():
        if name in ("lm_head.weight", "embed_out.weight") and tied:
            continue
        name = name.removeprefix("transformer.") if kind == "gpt2" else name
        name = "embed_out.weight" if kind == "gpt_neox" and name == "lm_head.weight" else name
        tensors[name] = tensor.detach().to(dtype).contiguous().clone()
    return tensors


def buffers(model):
    """The masks and frequencies that old checkpoints carry besides, which a reader must know to leave alone."""
    tensors = {}
    kind = model.config.model_type
    mask = torch.tril(torch.ones(4, 4))[None, None]
    for layer in range(model.config.num_hidden_layers):
        if kind == "gpt2":
            tensors[f"h.{layer}.attn.bias"] = mask.clone()
        if kind == "gpt_neox":
            tensors[f"gpt_neox.layers.{layer}.attention.bias"] = mask.to(torch.bool).clone()
            tensors[f"gpt_neox.layers.{layer}.attention.masked_bias"] = torch.tensor(-1e9)
            tensors[f"gpt_neox.layers.{layer}.attention.rotary_emb.inv_freq"] = torch.ones(2)
    return tensors


def save_shards(tensors, directory, n_shards):
    if n_shards == 1:
        save_file(tensors, directory / "model.safetensors", metadata={"format": "pt"})
        return
    names = sorted(tensors)
    index = {}
    for shard in range(n_shards):
        file = f"model-{shard + 1:05}-of-{n_shards:05}.safetensors"
        part = {name: tensors[name] for name in names[shard::n_shards]}
        save_file(part, directory / file, metadata={"format": "pt"})
        index |= {name: file for name in part}
    total = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    document = {"metadata": {"total_size": total}, "weight_map": dict(sorted(index.items()))}
    (directory / "model.safetensors.index.json").write_text(json.dumps(document, indent=1) + "\n")


def convert(directory, out, pre, dtype):
    """Runs llama.cpp's converter in this process."""
    import conversion
    import gguf
    from conversion.base import TextModel

    TextModel.get_vocab_base_pre = lambda self, tokenizer: pre
    stored = json.loads((directory / "config.json").read_text())
    architecture = stored["architectures"][0]
    kind = conversion.get_model_class(architecture)
    if architecture == "Gemma3ForCausalLM":
        # Without tokenizer.model it would take the vocabulary for a byte-level one.
        kind.set_vocab = lambda self: (self._set_vocab_llama_hf(), self.gguf_writer.add_add_space_prefix(False))
    file_type = gguf.LlamaFileType.ALL_F32 if dtype == torch.float32 else (
        gguf.LlamaFileType.MOSTLY_F16 if dtype == torch.float16 else gguf.LlamaFileType.MOSTLY_BF16
    )
    converter = kind(directory, file_type, out, model_name=directory.name)
    if "rotary_pct" in stored:  # which transformers 5 renames on loading
        converter.hparams["rotary_pct"] = stored["rotary_pct"]
    converter.write()


def make(name):
    config, dtype, make_tokenizer, pre, options = CASES[name]
    directory = HERE / name
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    stored = config | {"torch_dtype": str(dtype).removeprefix("torch."), "transformers_version": "4.51.0"}
    (directory / "config.json").write_text(json.dumps(stored, indent=1) + "\n")
    tokenizer = make_tokenizer()
    tokenizer.save(str(directory / "tokenizer.json"))
    names = {key + "_token": options[key] for key in ("bos", "eos") if key in options}
    names = names or {"bos_token": tokenizer.id_to_token(config["bos_token_id"]),
                      "eos_token": tokenizer.id_to_token(config["eos_token_id"])}
    kind = "LlamaTokenizerFast" if pre == "default" else "PreTrainedTokenizerFast"
    described = {"tokenizer_class": kind, **names}
    if name.startswith("qwen"):
        described |= {"add_bos_token": False, "chat_template": "{% for m in messages %}{{ m['content'] }}{% endfor %}"}
    (directory / "tokenizer_config.json").write_text(json.dumps(described, indent=1) + "\n")

    transformers.set_seed(0)
    generator = torch.Generator().manual_seed(sum(name.encode()))
    loaded = transformers.AutoConfig.from_pretrained(directory)
    model = transformers.AutoModelForCausalLM.from_config(loaded, attn_implementation="eager", dtype=torch.float32)
    weights(model, config["model_type"].startswith("gemma"), dtype, generator)
    model.tie_weights()
    stored = stored_tensors(model, dtype)
    save_shards(stored, directory, options.get("shards", 1))
    if options.get("new_style"):  # as transformers 5 writes it: rope_parameters in place of rope_theta
        loaded.save_pretrained(directory)

    model = transformers.AutoModelForCausalLM.from_pretrained(
        directory, attn_implementation="eager", dtype=torch.float32
    ).eval()
    ids = torch.randint(0, 260, (1, PROMPT_TOKENS), generator=generator)
    with torch.no_grad():
        logits = model(ids).logits[0]
    texts = [{"text": text, "ids": tokenizer.encode(text).ids} for text in TEXTS]
    golden = {
        "made_with": {"torch": torch.__version__, "transformers": transformers.__version__, "converter": LLAMA_CPP_PYTHON},
        "tokens": ids[0].tolist(),
        "rows": ROWS,
        "logits": [[float(f"{x:.7g}") for x in logits[row].tolist()] for row in ROWS],
        "texts": texts,
    }
    (HERE / f"{name}.json").write_text(json.dumps(golden) + "\n")
    (HERE / f"{name}.gguf").unlink(missing_ok=True)
    convert(directory, HERE / f"{name}.gguf", pre, dtype)
    save_shards(stored | buffers(model), directory, options.get("shards", 1))  # on some of which the converter stumbles
    sizes = {path.name: path.stat().st_size for path in [*directory.iterdir(), HERE / f"{name}.gguf"]}
    print(name, f"logits {logits.std():.2f}", sizes)


def fetch_converter():
    """llama.cpp's tree from the source distribution; its directory is put on the path."""
    into = pathlib.Path(tempfile.mkdtemp())
    fetch = ["download", "--no-deps", "--no-binary", ":all:", "--no-build-isolation", LLAMA_CPP_PYTHON, "-d", str(into)]
    subprocess.run([sys.executable, "-m", "pip", "-q", *fetch], check=True)
    with tarfile.open(next(into.glob("*.tar.gz"))) as archive:
        archive.extractall(into, filter="data")
    return next(into.glob("*/vendor/llama.cpp"))


if __name__ == "__main__":
    logging.disable(logging.INFO)
    arguments = sys.argv[1:]
    tree = pathlib.Path(arguments.pop(0).partition("=")[2]) if arguments and arguments[0].startswith("--llama-cpp=") else None
    tree = tree or fetch_converter()
    sys.path[:0] = [str(tree), str(tree / "gguf-py")]
    for case in arguments or CASES:
        make(case)
