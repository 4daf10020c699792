"""A tiny model as a Hugging Face directory: what a quantization that is made on loading is tried on."""

from __future__ import annotations

import json
import random
import struct
from pathlib import Path
from typing import Any


def llama_directory(folder: Path) -> str:
    """Writes a llama of random F32 weights with a vocabulary of bytes; the directory."""
    n_embd, n_ff, n_vocab, n_kv = 64, 128, 257, 32
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (n_vocab, n_embd), "model.norm.weight": (n_embd,)}
    for i in range(2):
        at = f"model.layers.{i}."
        shapes |= {
            at + "self_attn.q_proj.weight": (n_embd, n_embd),
            at + "self_attn.k_proj.weight": (n_kv, n_embd),
            at + "self_attn.v_proj.weight": (n_kv, n_embd),
            at + "self_attn.o_proj.weight": (n_embd, n_embd),
            at + "mlp.gate_proj.weight": (n_ff, n_embd),
            at + "mlp.up_proj.weight": (n_ff, n_embd),
            at + "mlp.down_proj.weight": (n_embd, n_ff),
            at + "input_layernorm.weight": (n_embd,),
            at + "post_attention_layernorm.weight": (n_embd,),
        }
    rng = random.Random(0)
    header: dict[str, Any] = {}
    data = b""
    for name, shape in shapes.items():
        n = shape[0] * (shape[1] if len(shape) > 1 else 1)
        raw = struct.pack(f"<{n}f", *(rng.uniform(-0.3, 0.3) if len(shape) > 1 else 1.0 for _ in range(n)))
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    head = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(head)) + head + data)
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": n_embd, "intermediate_size": n_ff,
        "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 32, "vocab_size": n_vocab,
        "max_position_embeddings": 256, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": True,
        "hidden_act": "silu", "bos_token_id": 256, "eos_token_id": 256, "torch_dtype": "float32",
    }
    (folder / "config.json").write_text(json.dumps(config))
    visible = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in visible]
    letters = {b: chr(b) for b in visible} | {b: chr(256 + i) for i, b in enumerate(others)}
    tokenizer = {
        "version": "1.0",
        "added_tokens": [{"id": 256, "content": "<end>", "special": True, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False}],
        "normalizer": None,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
        "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {"type": "BPE", "vocab": {letters[b]: b for b in range(256)}, "merges": []},
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    return str(folder)
