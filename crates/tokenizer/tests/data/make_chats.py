#!/usr/bin/env python3
"""Writes chats.json: what transformers makes of messages before a template sees them, which of several templates it takes,
where it finds them in a directory, and which ids a chat has.

    pip install transformers==5.24.0 jinja2 && python make_chats.py

The tokenizer is that of the engine's tiny llama, which begins its texts with BOS. Templates are our own.
"""
import json
import pathlib
import tempfile

from transformers import AutoTokenizer, PreTrainedTokenizerFast

HERE = pathlib.Path(__file__).resolve().parent
LLAMA = HERE.parents[2] / "engine/tests/data/golden/llama"

# Every field of every message, in order.
DUMP = "{% for m in messages %}{{ m | tojson }}\n{% endfor %}"
CALL = {"id": "a", "type": "function", "function": {"name": "f", "arguments": {"x": None}}}
MESSAGES = [
    [{"role": "user", "content": "hi", "name": None, "refusal": None}],
    [{"role": "assistant", "content": None, "tool_calls": [CALL]}],
    [{"role": "assistant", "content": "a", "tool_calls": None, "audio": None, "annotations": []}],
    [{"role": "assistant", "content": "a", "reasoning_content": "r"}],
    [{"role": "assistant", "content": "a", "reasoning": "r"}],
    [{"role": "assistant", "content": "a", "thinking": "t"}],
    [{"role": "assistant", "content": "a", "reasoning": "r", "thinking": "t"}],
    [{"role": "assistant", "content": "a", "thinking": "t", "reasoning_content": "c", "reasoning": "r"}],
    [{"role": "assistant", "content": "a", "reasoning_content": None, "thinking": None, "reasoning": "r"}],
    [{"role": "assistant", "content": "a", "reasoning_content": "", "reasoning": "r"}],
    [{"role": "assistant", "content": "a", "reasoning_content": None}],
    [{"role": "user", "content": [{"type": "text", "text": "x", "cache": None}], "weight": 1.5}],
]

TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
# Templates that show tools: where one does not, Pacemark tells of them itself.
TOOLS = "{% if tools %} {{ tools[0].function.name }}{% endif %}"
NAMED = {
    "one": {"default": "D" + TOOLS},
    "tools": {"default": "D" + TOOLS, "tool_use": "T" + TOOLS},
    "more": {"default": "D" + TOOLS, "tool_use": "T" + TOOLS, "rag": "R" + TOOLS},
    "without": {"tool_use": "T" + TOOLS, "rag": "R" + TOOLS},
}

TWO = [{"name": "default", "template": "listed"}, {"name": "tool_use", "template": "listed tools"}]
DIRECTORIES = [
    {"tokenizer_config.json": {"chat_template": "text"}},
    {"tokenizer_config.json": {"chat_template": TWO}},
    {"tokenizer_config.json": {"chat_template": TWO + [{"name": "default", "template": "later"}]}},
    {"tokenizer_config.json": {"chat_template": {"default": "object", "rag": "object rag"}}},
    {"tokenizer_config.json": {"chat_template": []}},
    {"tokenizer_config.json": {"chat_template": None}},
    {"tokenizer_config.json": {"chat_template": "text"}, "chat_template.jinja": "file"},
    {"tokenizer_config.json": {"chat_template": TWO}, "chat_template.jinja": "file"},
    {"tokenizer_config.json": {"chat_template": "text"}, "additional_chat_templates/rag.jinja": "file rag"},
    {"chat_template.jinja": "file", "additional_chat_templates/rag.jinja": "file rag",
     "additional_chat_templates/tool_use.jinja": "file tools", "additional_chat_templates/notes.txt": "none"},
    {"chat_template.jinja": "file", "additional_chat_templates/default.jinja": "other file"},
    {"tokenizer_config.json": {"chat_template": TWO}, "chat_template.json": {"chat_template": "legacy"}},
    {"chat_template.jinja": "file", "chat_template.json": {"chat_template": "legacy"}},
    {},
]

# BOS and EOS as a template writes them, and the same chat as a template that writes none has it.
IDS = ["{{ bos_token }}{{ messages[0].content }}", "{{ messages[0].content }}", "{{ bos_token * 2 }}{{ messages[0].content }}",
       "{{ messages[0].content }}{{ eos_token }}", "{{ messages[0].content }}{{ bos_token }}", "<s>x{{ messages[0].content }}"]


def tokenizer(template):
    loaded = PreTrainedTokenizerFast.from_pretrained(LLAMA)
    loaded.chat_template = template
    return loaded


def named(templates, tools, name):
    out = {"templates": templates, "tools": tools, "name": name}
    try:
        out["prompt"] = tokenizer(templates).apply_chat_template(
            [{"role": "user", "content": "hi"}], tools=tools, chat_template=name, tokenize=False)
    except ValueError as error:
        out["error"] = str(error)
    return out


def directory(files):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for file in ["tokenizer.json", "tokenizer_config.json"]:
            (folder / file).write_bytes((LLAMA / file).read_bytes())
        settings = json.loads((folder / "tokenizer_config.json").read_text())
        settings.pop("chat_template", None)
        for name, content in {"tokenizer_config.json": {}, **files}.items():
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            if name == "tokenizer_config.json":
                content = settings | content
            path.write_text(content if isinstance(content, str) else json.dumps(content))
        found = AutoTokenizer.from_pretrained(folder).chat_template
    return {"files": files, "templates": {"default": found} if isinstance(found, str) else found or {}}


def main():
    dump = tokenizer(DUMP)
    golden = {
        "dump": DUMP,
        "messages": [{"messages": m, "prompt": dump.apply_chat_template(m, tokenize=False)} for m in MESSAGES],
        "named": [named(t, tools, name) for t in NAMED.values() for tools in [None, [TOOL]]
                  for name in [None, *(n for n in t if n != "default")]],
        "directories": [directory(files) for files in DIRECTORIES],
        "ids": [{"template": t, "ids": tokenizer(t).apply_chat_template(
            [{"role": "user", "content": "the tin"}], return_dict=False)} for t in IDS],
    }
    lists = ",\n  ".join(
        f'"{name}": [\n    ' + ",\n    ".join(json.dumps(case, ensure_ascii=False) for case in cases) + "\n  ]"
        for name, cases in golden.items() if name != "dump")
    path = HERE / "chats.json"
    path.write_text(f'{{\n  "dump": {json.dumps(DUMP)},\n  {lists}\n}}\n')


main()
