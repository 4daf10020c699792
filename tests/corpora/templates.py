#!/usr/bin/env python3
"""Renders every template of a directory with our conversations as transformers would, for `corpora.rs` to compare with.

    pip install jinja2 && python templates.py DIRECTORY

reads DIRECTORY/templates (see `fetch.py`) and writes DIRECTORY/renders.json.
"""
import json
import pathlib
import sys

from conversations import CONVERSATIONS

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "crates/tokenizer/tests/data"))
from jinja_environment import NOW, render  # noqa: E402


def present(message):
    """A message without its null fields: transformers drops them before a template sees them."""
    return {key: value for key, value in message.items() if value is not None}


def one(source, messages, options, add_generation_prompt):
    options = {"tools": None, **options}
    out = {"messages": messages, "tools": options.pop("tools"), "extra": options, "add_generation_prompt": add_generation_prompt}
    try:
        return out | {"prompt": render(source, messages, out["tools"], add_generation_prompt, **options)}
    except Exception as error:  # whatever a template brings Python to raise
        return out | {"error": f"{type(error).__name__}: {error}"}


def main(directory):
    templates = {path.stem: path.read_text() for path in sorted(directory.joinpath("templates").glob("*.jinja"))}
    renders = [
        {"template": name, "conversation": conversation} | one(source, [present(message) for message in messages], options, prompt)
        for name, source in templates.items()
        for conversation, (messages, options) in CONVERSATIONS.items()
        for prompt in (False, True)
    ]
    directory.joinpath("renders.json").write_text(json.dumps({"now": NOW, "templates": templates, "renders": renders}))
    refused = sum("error" in entry for entry in renders)
    print(f"{len(templates)} templates, {len(renders)} renders, {refused} of them refused by the template or Python")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
