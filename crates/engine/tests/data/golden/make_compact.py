#!/usr/bin/env python3
"""Writes compact.json, the logits of tests/compact.rs: the models of make_golden.py under StreamingLLM's positions.

    venv/bin/python make_compact.py           # the environment of make_golden.py

StreamingLLM (Xiao et al., 2023) keeps a text's first S tokens and its last R, and counts positions within the cache. Here
that is done as it is told: transformers runs token by token in float32, the cache holds keys as they were before they were
rotated, and at every step each key is rotated to its rank in the cache and the query to the last rank. A token is let go
after the pass that exceeded S + R, so that a token sees S + R + 1 keys at most, its own among them.

A layer with a window is left alone: it holds what its window sees, which is the text's last tokens and none of the first,
so that ranks are positions but for a constant. A layer that does not rotate keeps the same tokens as those that do.
"""

import importlib
import json
import pathlib
import tempfile

import torch
import transformers
from transformers import AttentionInterface, AttentionMaskInterface, DynamicCache
from transformers.models.gpt_neox.modeling_gpt_neox import apply_rotary_pos_emb  # rotates a part of the head, or all

HERE = pathlib.Path(__file__).parent
SIZES = [(2, 6), (1, 3), (4, 12)]
# Before anything is let go, where the first is gone, and long after.
ROWS = [3, 5, 9, 17, 28, 39]
EVERY = 9  # of a row's logits

MODELS = [
    "llama", "llama-rope3", "llama-grouped", "qwen2", "qwen3", "gemma3", "gptneox", "gptneox-sequential",
    "gptneox-head80", "olmo2", "smollm3",
]
# name: (model, what its config.json says otherwise)
CASES = {name: (name, {}) for name in MODELS} | {
    "llama-linear": ("llama", {"rope_scaling": {"rope_type": "linear", "factor": 4.0}}),
}


class UnrotatedCache(DynamicCache):
    """Keys as they were before they were rotated, and values: of each layer its `kept` first and last."""

    def __init__(self, kept):
        super().__init__()
        self.kept, self.held = kept, {}

    def update(self, keys, values, layer, *_, **__):
        if layer in self.held:
            keys, values = (torch.cat(pair, dim=2) for pair in zip(self.held[layer], (keys, values)))
        self.held[layer] = (keys, values)
        return keys, values

    def let_go(self):
        for layer, (keys, values) in self.held.items():
            first, last = self.kept[layer]
            if (n := keys.shape[2]) > first + last:
                kept = [*range(first), *range(n - last, n)]
                self.held[layer] = (keys[:, :, kept], values[:, :, kept])


def attention_by_rank(rotary):
    """Attention of one query, which is the newest of the keys, by formula; `rotary` gives a layer's cosines and sines."""

    def attend(module, query, keys, values, attention_mask, scaling, **_):
        n = keys.shape[2]
        if getattr(module, "use_rope", True):
            cos, sin = rotary(module, keys, torch.arange(n)[None])
            _, keys = apply_rotary_pos_emb(keys, keys, cos, sin)
            query, _ = apply_rotary_pos_emb(query, query, cos[:, -1:], sin[:, -1:])
        group = query.shape[1] // keys.shape[1]
        keys, values = keys.repeat_interleave(group, dim=1), values.repeat_interleave(group, dim=1)
        scores = query @ keys.transpose(2, 3) * scaling
        window = getattr(module, "sliding_window", None)
        if window is not None:
            scores[..., : max(0, n - window)] = -torch.inf
        shares = scores.softmax(dim=-1)
        return (shares @ values).transpose(1, 2).contiguous(), shares

    return attend


def load(model_name, changes):
    """The model, its layers' own rotation taken out."""
    stored = HERE / model_name
    with tempfile.TemporaryDirectory() as directory:
        directory = pathlib.Path(directory)
        for path in stored.iterdir():
            (directory / path.name).write_bytes(path.read_bytes())
        config = json.loads((stored / "config.json").read_text()) | changes
        (directory / "config.json").write_text(json.dumps(config))
        model = transformers.AutoModelForCausalLM.from_pretrained(
            directory, attn_implementation="by_rank", dtype=torch.float32
        ).eval()
    code = importlib.import_module(type(model).__module__)
    code.apply_rotary_pos_emb = lambda query, keys, *_, **__: (query, keys)
    rotary = model.base_model.rotary_emb

    def angles(module, x, ranks):
        kinds = (module.layer_type,) if config["model_type"] == "gemma3_text" else ()
        return rotary(x, ranks, *kinds)

    AttentionInterface.register("by_rank", attention_by_rank(angles))
    return model


def logits(model, tokens, sinks, recent):
    windows = [getattr(getattr(layer, "self_attn", None), "sliding_window", None) for layer in model.base_model.layers]
    cache = UnrotatedCache([(sinks, recent) if window is None else (0, window) for window in windows])
    rows = []
    for token in tokens:
        with torch.no_grad():
            out = model(torch.tensor([[token]]), cache=cache, use_cache=True, position_ids=torch.tensor([[0]]))
        rows.append(out.logits[0, -1])
        cache.let_go()
        assert all(keys.shape[2] == min(len(rows), sum(cache.kept[layer])) for layer, (keys, _) in cache.held.items())
    assert len(cache.held) == len(windows) == model.config.num_hidden_layers
    return rows


def case(name):
    model_name, changes = CASES[name]
    model = load(model_name, changes)
    golden = json.loads((HERE / f"{model_name}.json").read_text())
    tokens = golden["tokens"]
    if not changes:  # with room for all it must be what the model gives without any of this
        whole = logits(model, tokens, 0, len(tokens))
        for row, expected in zip(golden["rows"], golden["logits"]):
            assert (whole[row] - torch.tensor(expected)).abs().max() < 2e-5, name
    specs = {}
    for sinks, recent in SIZES:
        found = logits(model, tokens, sinks, recent)
        specs[f"{sinks}+{recent}"] = [[float(f"{x:.7g}") for x in found[row][::EVERY].tolist()] for row in ROWS]
    print(name, f"{len(specs)} specs")
    return {"name": name, "model": model_name, "config": changes, "tokens": tokens, "logits": specs}


if __name__ == "__main__":
    AttentionMaskInterface.register("by_rank", lambda *_, **__: None)
    AttentionInterface.register("by_rank", attention_by_rank(None))
    document = {
        "made_with": {"torch": torch.__version__, "transformers": transformers.__version__},
        "rows": ROWS,
        "every": EVERY,
        "cases": [case(name) for name in CASES],
    }
    (HERE / "compact.json").write_text(json.dumps(document) + "\n")
