#!/usr/bin/env python3
"""Writes jinja_expressions.json: what Jinja2 makes of the expressions and small templates in `jinja_cases.py`.

    pip install jinja2 && python make_jinja_expressions.py

The environment is that of `jinja_environment.py`. A case has an output or, where Python fails, the error, which is there to be
read: another engine need not have the same words.
"""
import json
import pathlib

from jinja_cases import CASES, VARIABLES
from jinja_environment import NOW, render


def case(category, template):
    if category != "white space" and not any(tag in template for tag in ("{{", "{%", "{#")):
        template = "{{ " + template + " }}"
    out = {"category": category, "template": template}
    try:
        return out | {"output": render(template, **VARIABLES)}
    except Exception as error:  # whatever a template brings Python to raise
        return out | {"error": f"{type(error).__name__}: {error}"}


cases = [case(category, template) for category, templates in CASES.items() for template in templates]
assert len({one["template"] for one in cases}) == len(cases), "a template stands there twice"
lines = ",\n    ".join(json.dumps(one, ensure_ascii=False) for one in cases)
path = pathlib.Path(__file__).with_name("jinja_expressions.json")
variables = json.dumps(VARIABLES, ensure_ascii=False)
path.write_text('{\n  "now": %d,\n  "variables": %s,\n  "cases": [\n    %s\n  ]\n}\n' % (NOW, variables, lines))
print(len(cases), "cases,", sum("error" in one for one in cases), "of them errors")
