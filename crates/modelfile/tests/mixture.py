"""Makes data/mixture.txt: the types that llama-quantize gives the tensors of narrow models of several families.

Arguments: the path of llama-quantize. Needs the `gguf` and `numpy` packages. The models are those of quantize.rs: the true
names, numbers of layers and heads, and row lengths, but few rows.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

import gguf
import numpy

RECIPES = ("F32 F16 BF16 Q8_0 Q6_K Q5_K_M Q5_K_S Q5_1 Q5_0 Q4_K_M Q4_K_S Q4_1 Q4_0 IQ4_NL IQ4_XS MXFP4_MOE Q3_K_L Q3_K_M "
           "Q3_K_S Q2_K Q2_K_S").split()
DENSE = [("attn_norm", 1), ("attn_q", 2), ("attn_k", 2), ("attn_v", 2), ("attn_output", 2), ("ffn_gate", 2), ("ffn_up", 2),
         ("ffn_down", 2)]
MIXTURE = DENSE[:5] + [("ffn_gate_inp", 2), ("ffn_gate_exps", 3), ("ffn_up_exps", 3), ("ffn_down_exps", 3)]
FUSED = [("attn_norm", 1), ("attn_qkv", 2), ("attn_output", 2), ("ffn_up", 2), ("ffn_down", 2)]
# name: architecture, layers, heads, KV heads, experts, row length, tensors outside layers, tensors of a layer
MODELS = {
    "smollm2": ("llama", 30, 9, 3, 0, 576, ["token_embd"], DENSE),
    "gemma3": ("gemma3", 18, 4, 1, 0, 640, ["token_embd"], DENSE),
    "llama-70b": ("llama", 80, 64, 8, 0, 256, ["token_embd", "output"], DENSE),
    "mixtral": ("llama", 32, 32, 8, 8, 256, ["token_embd", "output"], MIXTURE),
    "gpt2": ("gpt2", 12, 12, 12, 0, 768, ["token_embd", "position_embd", "output"], FUSED),
    "falcon": ("falcon", 32, 64, 8, 0, 512, ["token_embd", "output"], FUSED),
    "odd": ("llama", 4, 4, 4, 0, 24, ["token_embd", "output"], DENSE),
}


def write(path, arch, layers, heads, kv, experts, width, outside, inside):
    out = gguf.GGUFWriter(path, arch)
    out.add_block_count(layers)
    out.add_context_length(64)
    out.add_embedding_length(width)
    out.add_feed_forward_length(width)
    out.add_head_count(heads)
    out.add_head_count_kv(kv)
    out.add_layer_norm_rms_eps(1e-5)
    out.add_layer_norm_eps(1e-5)
    out.add_vocab_size(2)
    if experts:
        out.add_expert_count(experts)
        out.add_expert_used_count(2)
    if arch == "gemma3":
        out.add_sliding_window(16)
    for name in outside:
        out.add_tensor(f"{name}.weight", numpy.zeros((2, width), numpy.float16))
    for layer in range(layers):
        for name, dims in inside:
            shape = [width, (2, width), (experts, 2, width)][dims - 1]
            kind = numpy.float32 if dims == 1 else numpy.float16
            out.add_tensor(f"blk.{layer}.{name}.weight", numpy.zeros(shape, kind))
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


def types(quantize, source, recipe, made):
    if recipe == "Q2_K_S":  # which llama-quantize refuses to make without importance matrix
        run = subprocess.run([quantize, "--dry-run", source, made, recipe], capture_output=True, text=True, check=True)
        found = {}
        for line in (run.stdout + run.stderr).splitlines():
            if match := re.search(r"\] +(\S+) +- \[.*type = +(\w+), size = +\S+ MiB(?: -> .*\((\w+)\))?", line):
                found[match[1]] = (match[3] or match[2]).upper()
        return found
    subprocess.run([quantize, source, made, recipe], capture_output=True, check=True)
    return {tensor.name: tensor.tensor_type.name for tensor in gguf.GGUFReader(made).tensors}


with tempfile.TemporaryDirectory() as folder, open(pathlib.Path(__file__).parent / "data" / "mixture.txt", "w") as out:
    for model, facts in MODELS.items():
        source, made = f"{folder}/{model}.gguf", f"{folder}/made.gguf"
        write(source, *facts)
        for recipe in RECIPES:
            found = types(sys.argv[1], source, recipe, made)
            kinds = {}
            for name in [f"{name}.weight" for name in facts[6]]:
                kinds[name.removesuffix(".weight")] = [found[name]]
            for name, _ in facts[7]:
                kinds[name] = [found[f"blk.{layer}.{name}.weight"] for layer in range(facts[1])]
            text = [f"{name}={each[0] if len(set(each)) == 1 else ','.join(each)}" for name, each in kinds.items()]
            out.write(f"{model} {recipe} {' '.join(text)}\n")
