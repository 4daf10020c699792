#!/usr/bin/env python3
"""Writes templates.json: chat templates and what Jinja2 makes of them in Hugging Face's environment.

    pip install jinja2 && python make_templates.py

The environment is that of `jinja_environment.py`; the templates are our own, in the manner of those that models ship with.
"""
import json
import pathlib

import jinja2
from jinja_environment import NOW, render

TEMPLATES = {
    "chatml": """{% for message in messages %}
{% if loop.first and message['role'] != 'system' %}
{{ '<|im_start|>system\\nBe helpful.<|im_end|>\\n' }}
{% endif %}
{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}
{% endfor %}
{% if add_generation_prompt %}
{{ '<|im_start|>assistant\\n' }}
{% endif %}
""",
    "llama-3": """{{- bos_token }}
{%- if custom_tools is defined %}
    {%- set tools = custom_tools %}
{%- endif %}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}
        {%- set date_string = strftime_now("%d %b %Y") %}
    {%- else %}
        {%- set date_string = "26 Jul 2024" %}
    {%- endif %}
{%- endif %}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{{- "Today Date: " + date_string + "\\n\\n" }}
{%- if tools is not none %}
    {{- "You have these functions:\\n\\n" }}
    {%- for t in tools %}
        {{- t | tojson(indent=4) }}
        {{- "\\n\\n" }}
    {%- endfor %}
{%- endif %}
{{- system_message }}
{{- "<|eot_id|>" }}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}
            {{- raise_exception("This model only supports single tool-calls at once!") }}
        {%- endif %}
        {%- set tool_call = message.tool_calls[0].function %}
        {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' -}}
        {{- '{"name": "' + tool_call.name + '", ' }}
        {{- '"parameters": ' }}
        {{- tool_call.arguments | tojson }}
        {{- "}" }}
        {{- "<|eot_id|>" }}
    {%- elif message.role == "tool" or message.role == "ipython" %}
        {{- "<|start_header_id|>ipython<|end_header_id|>\\n\\n" }}
        {%- if message.content is mapping or message.content is iterable %}
            {{- message.content | tojson }}
        {%- else %}
            {{- message.content }}
        {%- endif %}
        {{- "<|eot_id|>" }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
""",
    "gemma": """{{ bos_token }}
{%- if messages[0]['role'] == 'system' -%}
    {%- if messages[0]['content'] is string -%}
        {%- set first_user_prefix = messages[0]['content'] + '\\n\\n' -%}
    {%- else -%}
        {%- set first_user_prefix = messages[0]['content'][0]['text'] + '\\n\\n' -%}
    {%- endif -%}
    {%- set loop_messages = messages[1:] -%}
{%- else -%}
    {%- set first_user_prefix = "" -%}
    {%- set loop_messages = messages -%}
{%- endif -%}
{%- for message in loop_messages -%}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}
        {{ raise_exception("Conversation roles must alternate user/assistant/user/assistant/...") }}
    {%- endif -%}
    {%- if (message['role'] == 'assistant') -%}
        {%- set role = "model" -%}
    {%- else -%}
        {%- set role = message['role'] -%}
    {%- endif -%}
    {{ '<start_of_turn>' + role + '\\n' + (first_user_prefix if loop.first else "") }}
    {%- if message['content'] is string -%}
        {{ message['content'] | trim }}
    {%- elif message['content'] is iterable -%}
        {%- for item in message['content'] -%}
            {%- if item['type'] == 'image' -%}
                {{ '<start_of_image>' }}
            {%- elif item['type'] == 'text' -%}
                {{ item['text'] | trim }}
            {%- endif -%}
        {%- endfor -%}
    {%- else -%}
        {{ raise_exception("Invalid content type") }}
    {%- endif -%}
    {{ '<end_of_turn>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{'<start_of_turn>model\\n'}}
{%- endif -%}
""",
    "tools": """{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {%- if messages[0].role == 'system' %}
        {{- messages[0].content + '\\n\\n' }}
    {%- endif %}
    {{- "# Tools\\n<tools>" }}
    {%- for tool in tools %}
        {{- "\\n" }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- "\\n</tools><|im_end|>\\n" }}
{%- endif %}
{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step_tool and message.role == "user" and not(message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}
        {%- set ns.multi_step_tool = false %}
        {%- set ns.last_query_index = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- set content = message.content if message.content is string else '' %}
    {%- if message.role == "user" %}
        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {%- set reasoning = '' %}
        {%- if '</think>' in content %}
            {%- set reasoning = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {{- '<|im_start|>' + message.role }}
        {% generation %}
        {%- if loop.index0 > ns.last_query_index and reasoning %}
            {{- '\\n<think>\\n' + reasoning.strip('\\n') + '\\n</think>\\n' }}
        {%- endif %}
        {{- '\\n' + content }}
        {%- if message.tool_calls %}
            {%- for tool_call in message.tool_calls %}
                {%- if (loop.first and content) or (not loop.first) %}
                    {{- '\\n' }}
                {%- endif %}
                {%- if tool_call.function %}
                    {%- set tool_call = tool_call.function %}
                {%- endif %}
                {{- '<tool_call>\\n{"name": "' }}
                {{- tool_call.name }}
                {{- '", "arguments": ' }}
                {%- if tool_call.arguments is string %}
                    {{- tool_call.arguments }}
                {%- else %}
                    {{- tool_call.arguments | tojson }}
                {%- endif %}
                {{- '}\\n</tool_call>' }}
            {%- endfor %}
        {%- endif %}
        {{- '<|im_end|>\\n' }}
        {%- endgeneration %}
    {%- elif message.role == "tool" %}
        {%- if loop.first or (messages[loop.index0 - 1].role != "tool") %}
            {{- '<|im_start|>user' }}
        {%- endif %}
        {{- '\\n<tool_response>\\n' + content + '\\n</tool_response>' }}
        {%- if loop.last or (messages[loop.index0 + 1].role != "tool") %}
            {{- '<|im_end|>\\n' }}
        {%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}
""",
    "json": """{% for tool in tools %}
{{ tool | tojson }}
{{ tool | tojson(indent=2) }}
{{ tool | tojson(separators=(',', ':'), sort_keys=true) }}
{{ tool | tojson(ensure_ascii=true) }}
{{ tool | tojson(ensure_ascii=False, indent=1) }}
{% endfor %}
{{ [] | tojson }} {{ {} | tojson(indent=2) }} {{ (1, 2.0) | tojson }} {{ {1: none, 'k': 'x'} | tojson }} {{ tools[1] }}
""",
    "python": """{%- set names = [] -%}
{%- for m in messages -%}
    {%- if m.role == 'skip' -%}{%- continue -%}{%- endif -%}
    {%- if m.role == 'stop' -%}{%- break -%}{%- endif -%}
    {{ loop.index }}:{{ m.role.upper() }}|{{ m.content.strip() }}|{{ m.content.title() }}|{{ m.get('name', 'nobody') }}
    {{- ' ' -}}
    {%- for k, v in m.items() -%}{{ k }}={{ v }};{%- endfor -%}
    {{ '\\n' }}
{%- endfor -%}
{{ 'x' * 3 }} {{ messages[-1].role }} {{ messages | map(attribute='role') | join(',') }} {{ 7 // 2 }} {{ 7 / 2 }} {{ 2 ** 5 }}
{{ messages | selectattr('role', 'equalto', 'user') | list | length }} {{ messages[0].content.replace('l', 'L').find('L') }}
{{ undefined_thing }}{{ none }} {{ True }} {{ 1.0 }} {{ ['a', 1, none, true, {'k': 'v'}] }} {{ 'a' in 'cat' }} {{ 'ab' ~ 1 ~ none }}
{% macro twice(x, sep=', ') %}{{ x }}{{ sep }}{{ x }}{% endmacro %}
{{ twice('é') }} {{ twice(1, sep='-') }} {{ messages[0]['content'][:2] }} {{ messages[0].content | length }} {{ namespace(a=1).a }}
{% set caught %}block {{ messages | length }}{% endset %}{{ caught }} {{ "%s-%d" | format('a', 3) }} {{ range(3) | list }} {{ 5 is even }}
""",
    "block-trim": """  {% if true %}
  kept
  {% endif %}

    {%+ if true %}indented{% endif +%}

a{# comment #}
{#- x -#}  b
{% generation %}
  said
{% endgeneration %}
c {%- generation -%} d {%- endgeneration %} e
""",
}

USER = {"role": "user", "content": "Hello <b> & 'you'?"}
CHAT = [{"role": "system", "content": " You are terse. "}, {"role": "user", "content": "Name a colour."},
        {"role": "assistant", "content": "Blue."}, {"role": "user", "content": "Another.  "}]
TOOL = {"type": "function", "function": {"name": "get_weather", "description": "Wetter <now> & “später” 🙂\t\"quoted\"\\",
        "parameters": {"type": "object", "properties": {"city": {"type": "string", "default": None}, "days": {"type": "integer",
        "minimum": 1, "maximum": 1e16, "step": 0.5, "eps": 1e-7}}, "required": ["city"], "empty": [], "none": {}}, "strict": True}}
CALLS = [{"role": "user", "content": "Weather in Ulm?"},
         {"role": "assistant", "content": "<think>\nUlm it is.\n</think>\n\nI look.", "tool_calls": [
             {"id": "1", "type": "function", "function": {"name": "get_weather", "arguments": {"city": "Ulm", "days": 2}}}]},
         {"role": "tool", "content": "sunny"}, {"role": "tool", "content": "22 °C"},
         {"role": "assistant", "content": "Sunny."}]
PARTS = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": " What is this? "}]}]
PYTHON = [{"role": "user", "content": " hello world ", "name": "ann"}, {"role": "skip", "content": "?"},
          {"role": "user", "content": "its"}, {"role": "stop", "content": ""}]

CASES = [
    ("chatml", [USER], {}), ("chatml", CHAT, {"add_generation_prompt": True}), ("chatml", [], {"add_generation_prompt": True}),
    ("llama-3", CHAT, {"add_generation_prompt": True}), ("llama-3", CALLS, {"tools": [TOOL]}),
    ("llama-3", [USER], {"extra": {"date_string": "yesterday"}}),
    ("llama-3", [{"role": "assistant", "tool_calls": []}], {}),
    ("gemma", CHAT, {"add_generation_prompt": True}), ("gemma", PARTS, {"add_generation_prompt": True}),
    ("gemma", CHAT[2:], {}), ("gemma", [{"role": "user"}], {}),
    ("tools", CALLS, {"tools": [TOOL, TOOL], "add_generation_prompt": True}), ("tools", CHAT, {"tools": [TOOL]}),
    ("tools", [USER], {"add_generation_prompt": True, "extra": {"enable_thinking": False}}),
    ("json", [], {"tools": [TOOL, {"a": [[], {}, "\u0001\u007f\b\f"], "b": -0.0, "A": 12345678901234567890}]}),
    ("python", PYTHON, {}), ("block-trim", [], {}),
]


def case(name, messages, options):
    options = {"tools": None, "add_generation_prompt": False, "extra": {}} | options
    out = {"template": name, "messages": messages, **options}
    try:
        out["prompt"] = render(
            TEMPLATES[name], messages, options["tools"], options["add_generation_prompt"], **options["extra"])
    except jinja2.exceptions.TemplateError as error:
        out["error"] = str(error)
    return out


cases = [json.dumps(case(*c), ensure_ascii=False) for c in CASES]
templates = json.dumps(TEMPLATES, ensure_ascii=False, indent=4).replace("\n}", "\n  }")
path = pathlib.Path(__file__).with_name("templates.json")
path.write_text('{\n  "now": %d,\n  "templates": %s,\n  "cases": [\n    %s\n  ]\n}\n' % (NOW, templates, ",\n    ".join(cases)))
