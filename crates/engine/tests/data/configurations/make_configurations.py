#!/usr/bin/env python3
"""What Hugging Face transformers makes of several hundred configurations: configurations.json, for tests/configurations.rs.

    python -m venv venv && venv/bin/pip install -r ../golden/requirements.txt
    venv/bin/python make_configurations.py

A case is a model of ../golden with some fields of its config.json changed, none of which changes a tensor's shape. For each the
logits that transformers computes in float32 are written down at two positions for every twelfth token of the vocabulary, or
that transformers itself refuses it. Pacemark must give the same logits or refuse the directory by the field's name. Two kinds of
cases: every attribute of a family's configuration class set to something else, and combinations of what says how positions
are rotated in.

The same for keys of the golden models' GGUF files, for tests/gguf_keys.rs: what they mean is llama.cpp's `src/llama-model.cpp`, and
transformers computes it from a configuration that says the same, or with its frequencies replaced.

Also writes ../../../../modelfile/tests/data/config_attributes.json: the attributes of the classes, for the test that each is read,
refused or known to be harmless.
"""

import dataclasses
import json
import logging
import pathlib
import re
import shutil
import sys
import tempfile
import warnings

import torch
import transformers

HERE = pathlib.Path(__file__).parent
GOLDEN = HERE.parent / "golden"
ATTRIBUTES = HERE.parents[3] / "modelfile" / "tests" / "data" / "config_attributes.json"
BASES = ["llama", "llama-rope3", "qwen2", "qwen3", "gemma3", "gpt2", "gptneox", "gptneox-sequential", "olmo2", "smollm3"]
ROWS = [7, 39]
STEP = 12
ABSENT = "(absent)"

LINEAR = {"rope_type": "linear", "factor": 4.0}
LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
DEFAULT = {"rope_type": "default"}

# Families with one rotation. Whatever else a base says of it is taken out first.
UNIFORM = [
    {},
    {"rope_theta": 500.0},
    {"rope_scaling": None, "rope_theta": 500.0},
    {"rope_parameters": {**DEFAULT, "rope_theta": 500.0}},
    {"rope_parameters": DEFAULT, "rope_theta": 500.0},
    {"rope_parameters": {**DEFAULT, "rope_theta": 700.0}, "rope_theta": 500.0},
    {"rope_parameters": {"rope_theta": 700.0}},
    {"rope_parameters": {}, "rope_theta": 500.0},
    {"rope_parameters": None, "rope_theta": 500.0},
    {"rope_parameters": LINEAR},
    {"rope_parameters": {**LINEAR, "rope_theta": 700.0}},
    {"rope_parameters": LINEAR, "rope_theta": 500.0},
    {"rope_scaling": LINEAR},
    {"rope_scaling": LINEAR, "rope_theta": 500.0},
    {"rope_scaling": {"type": "linear", "factor": 4.0}},
    {"rope_scaling": {"type": "linear", "rope_type": "default", "factor": 4.0}},
    {"rope_scaling": {"type": "default", "rope_type": "linear", "factor": 4.0}},
    {"rope_scaling": {**LINEAR, "rope_theta": 700.0}, "rope_theta": 500.0},
    {"rope_scaling": LINEAR, "rope_parameters": {**DEFAULT, "rope_theta": 700.0}},
    {"rope_scaling": LINEAR, "rope_parameters": {**DEFAULT, "rope_theta": 700.0}, "rope_theta": 500.0},
    {"rope_scaling": DEFAULT, "rope_parameters": LINEAR},
    {"rope_scaling": {}, "rope_parameters": LINEAR},
    {"rope_scaling": None, "rope_parameters": LINEAR},
    {"rope_scaling": LLAMA3},
    {"rope_scaling": LLAMA3, "rope_theta": 500.0},
    {"rope_parameters": {**LLAMA3, "rope_theta": 700.0}},
    {"rope_parameters": LLAMA3, "rope_theta": 500.0},
    {"rope_parameters": {k: v for k, v in LLAMA3.items() if k != "original_max_position_embeddings"}},
    {"rope_parameters": LLAMA3, "original_max_position_embeddings": 32},
    {"rope_parameters": {**LLAMA3, "original_max_position_embeddings": None}},
    {"rope_parameters": {**LLAMA3, "factor": 0.5}},
    {"rope_parameters": {**LLAMA3, "factor": "8"}},
    {"rope_scaling": {"factor": 4.0}},
    {"rope_scaling": {"rope_type": "dynamic", "factor": 4.0}},
    {"rope_scaling": {"rope_type": "yarn", "factor": 4.0}},
    {"rope_scaling": {"rope_type": "proportional", "factor": 4.0}},
    {"rope_scaling": {"type": "mrope", "mrope_section": [2, 3, 3]}},
    {"rope_parameters": {**DEFAULT, "attention_factor": 2.0}},
    {"rope_parameters": {**DEFAULT, "partial_rotary_factor": 0.5}},
    {"rope_parameters": {**DEFAULT, "partial_rotary_factor": 1.0}},
    {"rope_parameters": {**LINEAR, "partial_rotary_factor": 0.5}},
    {"partial_rotary_factor": 0.5},
    {"partial_rotary_factor": 1.0},
    {"rope_parameters": {"full_attention": LINEAR}},
    {"rope_parameters": {"full_attention": {**DEFAULT, "rope_theta": 700.0}, "sliding_attention": DEFAULT}},
    {"rope_parameters": {"full_attention": LINEAR}, "layer_types": ["full_attention", "full_attention"]},
    {"rope_theta": None},
    {"rope_theta": 0},
    {"rope_theta": "10000"},
]
GPTNEOX_ONLY = [
    {"rotary_emb_base": 500},
    {"rotary_emb_base": 500, "rope_theta": 700.0},
    {"rotary_pct": 0.5},
    {"rotary_pct": 1.0},
    {"rotary_pct": 0.5, "partial_rotary_factor": 0.25},
    {"rope_parameters": {**DEFAULT, "rope_theta": 700.0, "partial_rotary_factor": 0.5}, "rotary_pct": 0.25},
    {"rope_parameters": {**LINEAR, "partial_rotary_factor": 0.5}, "rotary_emb_base": 500},
    {"rope_scaling": LINEAR, "rotary_pct": 0.5, "rotary_emb_base": 500},
    {"rope_scaling": LLAMA3, "rotary_pct": 0.5},
]
SMOLLM3_ONLY = [
    {"no_rope_layers": [0, 1, 1, 1, 0]},
    {"no_rope_layers": [1, 1, 1, 1, 1]},
    {"no_rope_layers": [0, 0, 0, 0, 0]},
    {"no_rope_layers": [1, 0, 1, 1, 1, 0, 1]},
    {"no_rope_layers": [1, 0, 1, 2, 1]},
    {"no_rope_layers": [True, False, True, True, False]},
    {"no_rope_layers": "1"},
    {"no_rope_layers": None},
    {"no_rope_layers": ABSENT, "no_rope_layer_interval": 2},
    {"no_rope_layers": None, "no_rope_layer_interval": 1},
    {"no_rope_layers": ABSENT, "no_rope_layer_interval": 0},
    {"no_rope_layers": ABSENT, "no_rope_layer_interval": ABSENT},
    {"no_rope_layer_interval": 2},
    {"use_sliding_window": True, "sliding_window": 4},
    {"use_sliding_window": True, "sliding_window": 4, "layer_types": ABSENT},
    {"use_sliding_window": True, "sliding_window": None, "layer_types": ABSENT},
]
LOCAL = {**DEFAULT, "rope_theta": 300.0}
GLOBAL = {**DEFAULT, "rope_theta": 700.0}
GEMMA3 = [
    {},
    {"rope_theta": 500.0},
    {"rope_local_base_freq": 300.0},
    {"rope_theta": 500.0, "rope_local_base_freq": 300.0},
    {"rope_scaling": LINEAR},
    {"rope_scaling": {"type": "linear", "factor": 4.0}},
    {"rope_scaling": {"type": "default"}},
    {"rope_scaling": {**LINEAR, "rope_theta": 700.0}, "rope_theta": 500.0},
    {"rope_scaling": LLAMA3},
    {"rope_parameters": {"full_attention": GLOBAL, "sliding_attention": LOCAL}},
    {"rope_parameters": {"full_attention": GLOBAL}},
    {"rope_parameters": {"full_attention": GLOBAL, "sliding_attention": None}},
    {"rope_parameters": {"sliding_attention": LOCAL}},
    {"rope_parameters": {"sliding_attention": LOCAL}, "rope_theta": 500.0},
    {"rope_parameters": {"full_attention": DEFAULT, "sliding_attention": DEFAULT}, "rope_theta": 500.0},
    {"rope_parameters": {"full_attention": DEFAULT, "sliding_attention": DEFAULT}, "rope_local_base_freq": 300.0},
    {"rope_parameters": {"full_attention": GLOBAL, "sliding_attention": LOCAL}, "rope_theta": 500.0},
    {"rope_parameters": {"full_attention": {**GLOBAL, **LINEAR}, "sliding_attention": LOCAL}},
    {"rope_parameters": {"full_attention": GLOBAL, "sliding_attention": {**LOCAL, **LINEAR}}},
    {"rope_parameters": {"full_attention": LINEAR, "sliding_attention": {**LINEAR, "factor": 2.0}}},
    {"rope_parameters": {"full_attention": {**GLOBAL, **LLAMA3}, "sliding_attention": LOCAL}},
    {"rope_parameters": {"full_attention": GLOBAL, "sliding_attention": LOCAL}, "rope_scaling": LINEAR},
    {"rope_parameters": GLOBAL},
    {"rope_parameters": LINEAR},
    {"rope_parameters": {**LINEAR, "full_attention": GLOBAL, "sliding_attention": LOCAL}},
    {"rope_parameters": {"full_attention": {**GLOBAL, "partial_rotary_factor": 0.5}}},
    {"partial_rotary_factor": 0.5},
    {"layer_types": ABSENT},
    {"layer_types": ABSENT, "sliding_window_pattern": 2},
    {"layer_types": ABSENT, "_sliding_window_pattern": 2},
    {"sliding_window_pattern": 2},
    {"layer_types": ["full_attention"] * 7},
    {"layer_types": ["sliding_attention"] * 7},
    {"layer_types": ["full_attention", "sliding_attention"] * 3 + ["chunked_attention"]},
    {"sliding_window": 3},
    {"sliding_window": None},
    {"final_logit_softcapping": 2.0},
    {"query_pre_attn_scalar": 64},
    {"query_pre_attn_scalar": ABSENT},
]
ROPE_FIELDS = {
    "rope_theta", "rope_scaling", "rope_parameters", "rope_local_base_freq", "rotary_emb_base", "rotary_pct", "partial_rotary_factor"
}

# What generic code of transformers asks a configuration for, and what other families' classes have.
BESIDES = [
    {"is_causal": False},
    {"is_causal": True},
    {"use_bidirectional_attention": True},
    {"attn_logit_softcapping": 2.0},
    {"final_logit_softcapping": 2.0},
    {"sliding_window": 4},
    {"use_sliding_window": True, "sliding_window": 4, "max_window_layers": 0},
    {"layer_types": ["sliding_attention", "full_attention"]},
    {"layer_types": ["full_attention", "full_attention"]},
    {"attention_chunk_size": 4},
    {"per_layer_config": {"1": {"rms_norm_eps": 0.5}}},
    {"quantization_config": {"quant_method": "fp8"}},
    {"logits_scaling": 2.0},
    {"logit_scale": 2.0},
    {"residual_multiplier": 2.0},
    {"embedding_multiplier": 2.0},
    {"attention_multiplier": 2.0},
    {"clip_qkv": 1.0},
    {"alibi": True},
    {"num_local_experts": 4},
    {"no_rope_layers": [1, 0]},
    {"rope_interleaved": True},
    {"tie_word_embeddings": True},
    {"tie_word_embeddings": False},
    {"hidden_size": 32, "num_attention_heads": 2},
    {"hidden_act": "swish"},
    {"hidden_act": "gelu_fast"},
    {"head_dim": 8},
    {"num_key_value_heads": None},
    {"num_key_value_heads": ABSENT},
    {"rms_norm_eps": ABSENT, "layer_norm_eps": ABSENT, "layer_norm_epsilon": ABSENT},
    {"rms_norm_eps": 0.5},
    {"max_position_embeddings": ABSENT},
    {"something_new": 3},
]


def others(value):
    """Other values of an attribute that keep all shapes."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, float):
        return [value * 2 + 0.25]
    if value is None:
        return [True, 2]
    if isinstance(value, int):
        return [value * 2, 0]
    if isinstance(value, str):
        return ["gelu_new", "relu"]
    return []


# These say what shapes tensors have, which is tested elsewhere, or name things.
SHAPES = {
    "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim",
    "n_embd", "n_layer", "n_head", "n_inner", "n_positions", "layer_types", "rope_parameters", "transformers_version", "architectures",
    "dtype", "id2label", "label2id", "problem_type", "bos_token_id", "eos_token_id", "pad_token_id", "model_type", "max_position_embeddings",
}


def cases(base, stored, kind):
    yield {}
    for field in dataclasses.fields(kind):
        if field.name in SHAPES or field.name.startswith("base_model"):
            continue
        default = stored.get(field.name, field.default)
        for other in others(None if default is dataclasses.MISSING else default):
            yield {field.name: other}
    yield from BESIDES
    if base == "gemma3":
        yield from GEMMA3
    elif base in ("llama", "qwen2", "qwen3", "gptneox", "olmo2", "smollm3"):
        yield from UNIFORM
    if base == "gptneox":
        yield from GPTNEOX_ONLY
    if base == "smollm3":
        yield from SMOLLM3_ONLY


def edits(stored, changes):
    """What is removed from a configuration and what is set. One that says something of the rotation says all of it."""
    remove = {field for field, value in changes.items() if value == ABSENT}
    if ROPE_FIELDS & changes.keys():
        remove |= ROPE_FIELDS & stored.keys() - changes.keys()
    return sorted(remove), {field: value for field, value in changes.items() if value != ABSENT}


# base, keys that are removed, keys that are set, the configuration that means the same, elements of a head that are rotated
GGUF = [
    ("llama", [], {"llama.rope.scaling.factor": 4.0}, {"rope_scaling": LINEAR, "rope_theta": 10000.0}, None),
    ("llama", [], {"llama.rope.scale_linear": 4.0}, {"rope_scaling": LINEAR, "rope_theta": 10000.0}, None),
    ("llama", [], {"llama.rope.scaling.type": "none", "llama.rope.scaling.factor": 4.0}, {}, None),
    ("gemma3", [], {"gemma3.final_logit_softcapping": 2.0}, {"final_logit_softcapping": 2.0}, None),
    ("gemma3", ["gemma3.attention.sliding_window"], {}, {"layer_types": ["full_attention"] * 7}, None),
    ("gemma3", [], {"gemma3.attention.sliding_window": 0}, {"layer_types": ["full_attention"] * 7}, None),
    ("gemma3", ["gemma3.rope.freq_base"], {}, {"rope_theta": 10000.0, "rope_local_base_freq": 10000.0}, None),
    ("gemma3", ["gemma3.attention.sliding_window_pattern"], {}, {"layer_types": ABSENT}, None),
    ("gemma3", [], {"gemma3.rope.dimension_count": 8}, {}, 8),
    ("qwen2", [], {"qwen2.rope.dimension_count": 4}, {}, 4),
    ("qwen3", [], {"qwen3.rope.dimension_count": 8}, {}, 8),
]


def rotate_only(model, n):
    """The first `n` elements of each head are rotated, as llama.cpp does by rope.dimension_count."""
    rotary = model.model.rotary_emb
    for name, frequencies in list(rotary.named_buffers()):
        if name.endswith("inv_freq") and "original" not in name:
            half = frequencies.shape[0]
            base = frequencies[1].item() ** -half  # the second frequency is base ** (-1 / half)
            setattr(rotary, name, 1.0 / base ** (torch.arange(0, n, 2, dtype=torch.float32) / n))
    module = sys.modules[type(model).__module__]
    whole = module.apply_rotary_pos_emb

    def part(q, k, cos, sin, *arguments, **keywords):
        rotated = whole(q[..., :n], k[..., :n], cos, sin, *arguments, **keywords)
        return tuple(torch.cat([turned, x[..., n:]], dim=-1) for turned, x in zip(rotated, (q, k)))

    module.apply_rotary_pos_emb = part
    return lambda: setattr(module, "apply_rotary_pos_emb", whole)


def compute(directory, tokens, rotated=None):
    model = transformers.AutoModelForCausalLM.from_pretrained(
        directory, attn_implementation="eager", dtype=torch.float32
    ).eval()
    restore = rotate_only(model, rotated) if rotated else lambda: None
    with torch.no_grad():
        logits = model(torch.tensor([tokens])).logits[0]
    restore()
    if not bool(torch.isfinite(logits).all()):
        raise ValueError("logits that are no numbers")
    return [[float(f"{x:.6g}") for x in logits[row][::STEP].tolist()] for row in ROWS]


def attributes(kind, module):
    """Attributes of a class, and what the code of its models asks a configuration for."""
    source = pathlib.Path(module.__file__).read_text()
    asked = set(re.findall(r"\bconfig\.([a-z_]+)", source)) | set(re.findall(r'getattr\([a-z_.]*config, "([a-z_]+)"', source))
    methods = {name for name in dir(kind) if callable(getattr(kind, name, None)) and name not in kind.__dataclass_fields__}
    return sorted({field.name for field in dataclasses.fields(kind)} | set(kind.attribute_map) | (asked - methods))


def of_directory(base, config, tokens, rotated=None):
    """What transformers makes of a golden model with another configuration."""
    with tempfile.TemporaryDirectory() as scratch:
        directory = pathlib.Path(scratch) / "model"
        shutil.copytree(GOLDEN / base, directory)
        (directory / "config.json").write_text(json.dumps(config))
        try:
            return {"logits": compute(directory, tokens, rotated)}
        except Exception as error:  # whatever it raises, it has refused
            return {"error": f"{type(error).__name__}: {str(error).strip().splitlines()[0][:100] if str(error) else ''}"}


def read(base):
    stored = json.loads((GOLDEN / base / "config.json").read_text())
    return stored, json.loads((GOLDEN / f"{base}.json").read_text())["tokens"]


def edited(stored, changes):
    remove, fields = edits(stored, changes)
    return {field: value for field, value in stored.items() if field not in remove} | fields


def main():
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    out, known = [], {}
    for base in BASES:
        stored, tokens = read(base)
        kind = type(transformers.AutoConfig.for_model(stored["model_type"]))
        model = transformers.AutoModelForCausalLM._model_mapping[kind]
        known[stored["model_type"]] = attributes(kind, __import__(model.__module__, fromlist=["x"]))
        for changes in cases(base, stored, kind):
            remove, fields = edits(stored, changes)
            result = of_directory(base, edited(stored, changes), tokens)
            out.append({"base": base, "remove": remove, "set": fields, **result})
    of_keys = []
    for base, remove, fields, changes, rotated in GGUF:
        stored, tokens = read(base)
        result = of_directory(base, edited(stored, changes), tokens, rotated)
        of_keys.append({"base": base, "remove": remove, "set": fields, "logits": result["logits"]})
    gguf = ",\n".join(json.dumps(case) for case in of_keys)
    document = ",\n".join(json.dumps(case) for case in out)
    head = json.dumps({"torch": torch.__version__, "transformers": transformers.__version__})
    (HERE / "configurations.json").write_text(f'{{"made_with": {head}, "rows": {ROWS}, "step": {STEP}, "cases": [\n{document}\n], "gguf": [\n{gguf}\n]}}\n')
    ATTRIBUTES.parent.mkdir(parents=True, exist_ok=True)
    ATTRIBUTES.write_text(json.dumps({"transformers": transformers.__version__, "classes": known}, indent=1) + "\n")
    refused = sum("error" in case for case in out)
    print(f"{len(out)} configurations, of which transformers refuses {refused}")


if __name__ == "__main__":
    main()
