"""Jinja2 as Hugging Face's `transformers` sets it up for chat templates (`utils/chat_template_utils.py`, 5.24).

An immutable sandbox with trim_blocks and lstrip_blocks, loop controls, a `generation` tag that renders its body, `tojson` as
json.dumps, `raise_exception`, `strftime_now`, a `dict` without its class's attributes and a `namespace` that takes no names
with an underscore in front. Only `pip install jinja2` is needed. The clock stands still, so that what is made is the same
every day.
"""
import datetime
import functools
import json

import jinja2
from jinja2.ext import Extension, loopcontrols
from jinja2.nodes import CallBlock
from jinja2.sandbox import ImmutableSandboxedEnvironment

NOW = 1_753_351_200  # 2025-07-24 10:00:00 UTC
BOS, EOS = "<s>", "</s>"


class Generation(Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return CallBlock(self.call_method("_words"), [], [], body).set_lineno(line)

    def _words(self, caller):
        return caller()


class Dict:
    def __call__(self, *args, **kwargs):
        return dict(*args, **kwargs)

    def fromkeys(self, *args, **kwargs):
        return dict.fromkeys(*args, **kwargs)


class Namespace(jinja2.utils.Namespace):
    def __init__(*args, **kwargs):
        self, attributes = args[0], dict(*args[1:], **kwargs)
        for name in attributes:
            Namespace._check(name)
        jinja2.utils.Namespace.__init__(self, attributes)

    def __setitem__(self, name, value):
        Namespace._check(name)
        jinja2.utils.Namespace.__setitem__(self, name, value)

    @staticmethod
    def _check(name):
        if isinstance(name, str) and name.startswith("_"):
            raise jinja2.exceptions.SecurityError(f"a namespace takes no name like {name!r}")


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def strftime_now(form):
    return datetime.datetime.fromtimestamp(NOW, datetime.timezone.utc).strftime(form)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def environment():
    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])
    env.filters["tojson"] = tojson
    env.globals.update(raise_exception=raise_exception, strftime_now=strftime_now, dict=Dict(), namespace=Namespace)
    return env


ENV = environment()
compiled = functools.lru_cache(ENV.from_string)


def render(source, messages=(), tools=None, add_generation_prompt=False, **variables):
    """What `apply_chat_template` makes of a template."""
    return compiled(source).render(
        messages=list(messages), tools=tools, documents=None, add_generation_prompt=add_generation_prompt,
        bos_token=BOS, eos_token=EOS, **variables)
