"""Makes tasks.json: what lm-eval and RULER themselves make of some texts, for the tests of bench/src/tasks.

    pip download --no-deps lm_eval==0.4.13 && unzip lm_eval-0.4.13-*.whl -d lm_eval
    git clone https://github.com/NVIDIA/RULER        # commit in the file that is written
    pip install jinja2 numpy scipy pyyaml
    python make_tasks.py lm_eval/lm_eval RULER > tasks.json

Their functions are run as they are, from their files; modules that these import and that are not
needed here are stood in for. RULER's random choices are replaced by the ones that a case names, so
that another generator of random numbers can be held to the same texts.
"""

import ast
import importlib.util
import json
import random
import subprocess
import sys
import types

import jinja2
import numpy as np
import yaml


def stub(name, **members):
    module = types.ModuleType(name)
    vars(module).update(members)
    sys.modules[name] = module
    return module


def load(path, name):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def toy(text):
    """As `testing::toy`."""
    tokens, start = [], 0
    while start < len(text):
        end = start + (text[start] == " ")
        while end < len(text) and text[end].isascii() and text[end].isalnum():
            end += 1
        end = max(end, start + 1)
        value = 7
        for char in text[start:end]:
            value = (value * 31 + ord(char)) % 100003
        tokens.append(value + 100)
        start = end
    return tokens


# --- lm-eval ----------------------------------------------------------------------------------

def pairs(path):
    """`loglikelihood` with the real `_encode_pair`, cut from the file by its syntax tree."""
    tree = ast.parse(open(path).read())
    found = [f for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) and f.name == "_encode_pair"]
    space = {}
    exec(compile(ast.Module(body=found, type_ignores=[]), path, "exec"), space)

    class Model:
        backend = "causal"

        def __init__(self, bos):
            self.bos = bos
            self.prefix_token_id = 1 if bos else 2

        def tok_encode(self, text, add_special_tokens=None):
            bos = [1] if self.bos and add_special_tokens is not False else []
            return bos + toy(text)

        def pair(self, context, continuation):
            if context == "":
                rest = self.tok_encode(continuation, add_special_tokens=False)
                if self.prefix_token_id != rest[0]:
                    return [self.prefix_token_id], rest
                return rest[:1], rest[1:]
            return space["_encode_pair"](self, context, continuation)

    cases = [("a b", " c d"), ("a b ", "c d"), ("a b  ", "c"), ("A man sits.", " He eats."),
             ("end", "ing of a word"), ("", " alone"), ("tab\t", "x"), ("naïve é", " ü x")]
    for bos in (False, True):
        for context, continuation in cases:
            head, tail = Model(bos).pair(context, continuation)
            yield {"bos": bos, "context": context, "continuation": continuation,
                   "context_enc": head, "continuation_enc": tail}


def lm_eval(root):
    stub("datasets", Dataset=object)
    utils = load(root + "/tasks/hellaswag/utils.py", "hellaswag_utils")
    texts = ["plain", " [header] How to eat [title] Wash. [step] Cut  it.  Twice   now. ",
             "a [b c", "a] b [c] d [e] f", "[x [y] z]", "x [title] [title] y", "one [two\nthree] four",
             "[substeps] Naïve [title]Größe."]
    docs = [
        {"activity_label": "Paintball", "ctx_a": "Men run [step] about. ", "ctx_b": "they ALL",
         "endings": ["jump [title] high.", "  stop  now."], "label": "1"},
        {"activity_label": "Family Life", "ctx_a": "[header] How to rest [title] Lie down.", "ctx_b": "",
         "endings": ["a", "b"], "label": "0"},
    ]

    class Docs(list):
        def map(self, function):
            return [function(doc) for doc in self]

    made = utils.process_docs(Docs(docs))
    task = yaml.load(open(root + "/tasks/truthfulqa/truthfulqa_mc1.yaml"), yaml.BaseLoader)
    template = jinja2.Environment(keep_trailing_newline=True, undefined=jinja2.StrictUndefined)
    template = template.from_string(task["doc_to_text"])
    questions = ["What is it?", "Where is Größe 'x' \"y\"?"]
    return {
        "pairs": list(pairs(root + "/api/model.py")),
        "preprocess": [{"text": t, "cleaned": utils.preprocess(t)} for t in texts],
        "hellaswag": [{"doc": d, "query": m["query"], "choices": m["choices"]}
                      for d, m in zip(docs, made)],
        "truthfulqa": [{"question": q, "text": template.render(question=q)} for q in questions],
    }


# --- RULER ------------------------------------------------------------------------------------

def ruler_module(root, file, *flags):
    stub("tokenizer", select_tokenizer=lambda *_: types.SimpleNamespace(text_to_tokens=toy))
    stub("manifest_utils", write_manifest=None)
    words = stub("wonderwords")
    words.random_word = types.SimpleNamespace(_get_words_from_text_file=lambda _: ["one", "two"])
    stub("nltk")
    stub("nltk.tokenize", sent_tokenize=lambda text: text.split(". "))
    folder = root + "/scripts/data/synthetic"
    sys.path.insert(0, folder)
    sys.argv = ["x", "--save_dir=x", "--save_name=x", "--tokenizer_path=x", "--num_samples=1", *flags]
    return load(f"{folder}/{file}.py", file)


def template(root, name):
    task = load(root + "/scripts/data/synthetic/constants.py", "constants").TASKS[name]
    return task["template"] + task["answer_prefix"]


class Chosen:
    """`random`, of which some choices are made before."""

    def __init__(self, samples):
        self.samples = list(samples)
        self.Random = lambda _: types.SimpleNamespace(shuffle=lambda _: None)

    def sample(self, population, k):
        return self.samples.pop(0)


def niah(root):
    module = ruler_module(root, "niah", "--max_seq_length=512", "--tokens_to_generate=128",
                          "--type_haystack=noise", "--template=" + template(root, "niah"))
    module.generate_random = lambda kind: "calm-island" if kind == "words" else "1234567"
    module.random = Chosen([[2], [0]])
    text, answers = module.generate_input_output(5)
    return {"noises": 5, "at": 2, "key": "calm-island", "value": "1234567", "text": text, "answers": answers}


def vt(root):
    module = ruler_module(root, "variable_tracking", "--max_seq_length=512",
                          "--template=" + template(root, "variable_tracking"))
    names, at = ["AAAAA", "BBBBB", "CCCCC", "DDDDD", "EEEEE"], [0, 1, 3, 4, 6]
    chain = ["VAR AAAAA = 54321"] + [f"VAR {b} = VAR {a} " for a, b in zip(names, names[1:])]
    module.generate_chains = lambda *_, **__: ([names], [chain])
    module.random = Chosen([at])
    text, answers = module.generate_input_output(8, 1, 4)
    return {"noises": 8, "at": at, "names": names, "value": "54321", "text": text, "answers": answers}


def fwe(root):
    module = ruler_module(root, "freq_words_extraction", "--max_seq_length=512",
                          "--template=" + template(root, "freq_words_extraction"))
    alphabet = [a * 6 for a in "abcdefghij"]
    draws = iter(alphabet)
    module.random = types.SimpleNamespace(
        choices=lambda *_, **__: list(next(draws)),
        Random=lambda _: types.SimpleNamespace(shuffle=lambda _: None))
    cases = []
    for n_words in (20, 150, 1000):
        draws = iter(alphabet)
        text, answers, _ = module.generate_input_output(10**9, num_words=n_words, vocab_size=10)
        cases.append({"n_words": n_words, "words": alphabet, "text": text, "answers": answers})
    return cases


def cwe(root):
    # Its list of words needs a file that is not in the repository; only `get_example` is run.
    path = root + "/scripts/data/synthetic/common_words_extraction.py"
    tree = ast.parse(open(path).read())
    wanted = [f for f in tree.body if isinstance(f, ast.FunctionDef) and f.name == "get_example"]
    words = [f"w{i}" for i in range(14)]
    space = {"words": words, "random": Chosen([words]), "args": types.SimpleNamespace(random_seed=0)}
    exec(compile(ast.Module(body=wanted, type_ignores=[]), path, "exec"), space)
    context, answers = space["get_example"](14, 6, 1, 10)
    return {"words": words, "context": context, "answers": answers, "template": template(
        root, "common_words_extraction").format(num_cw=10, context=context, query="")}


def main(lm_eval_root, ruler_root):
    commit = subprocess.run(["git", "-C", ruler_root, "rev-parse", "HEAD"], capture_output=True,
                            text=True, check=True).stdout.strip()
    made = lm_eval(lm_eval_root)
    made["ruler"] = {"commit": commit, "niah": niah(ruler_root), "vt": vt(ruler_root),
                     "fwe": fwe(ruler_root), "cwe": cwe(ruler_root)}
    json.dump(made, sys.stdout, indent=1, ensure_ascii=False)
    print()


if __name__ == "__main__":
    main(*sys.argv[1:])
