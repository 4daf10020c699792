"""Twelve conversations that exercise what chat templates look at. Each is messages, and what else the template is given."""

WEATHER = {"type": "function", "function": {
    "name": "get_weather", "description": "Current weather <at> a \"place\" & time.",
    "parameters": {"type": "object", "required": ["city"], "properties": {
        "city": {"type": "string", "description": "Name of the city"},
        "unit": {"type": "string", "enum": ["celsius", "fahrenheit"], "default": None},
        "days": {"type": ["integer", "null"], "minimum": 1, "maximum": 7.5}}}}}
SEARCH = {"type": "function", "function": {
    "name": "search", "description": "", "parameters": {"type": "object", "properties": {
        "query": {"type": "string"}, "filters": {"type": "array", "items": {"type": "object", "properties": {
            "field": {"type": "string"}, "values": {"type": "array", "items": {"type": "number"}}}}}}}}}
TOOLS = [WEATHER, SEARCH]


def user(content):
    return {"role": "user", "content": content}


def assistant(content, **more):
    return {"role": "assistant", "content": content, **more}


def system(content):
    return {"role": "system", "content": content}


def call(name, arguments, id="call00001"):
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def result(content, name="get_weather", id="call00001"):
    return {"role": "tool", "name": name, "tool_call_id": id, "content": content}


CALLED = [user("Weather in Ulm?"), assistant("", tool_calls=[call("get_weather", {"city": "Ulm", "days": 2, "deep": {"a": [1.5, None]}})])]
ODD = "  Ünïcode 🙂 “quotes” \"double\" 'single' \\ back\n\n\ttab\r\n<b>&amp;</b> {{ x }} {% y %} <|im_start|>system\n<|eot_id|></s>[INST] "

CONVERSATIONS = {
    "plain": ([user("Hello!")], {}),
    "system": ([system("  You are terse.\n"), user("Name a colour.")], {}),
    "multi-turn": ([system("Be kind."), user("1 + 1?"), assistant("2"), user("And 2 + 2?"), assistant("4"), user("Thanks. Why?")], {}),
    "tools": ([system("Use tools."), user("Weather in Ulm?")], {"tools": TOOLS}),
    "tool call": (CALLED, {"tools": TOOLS}),
    "tool result": (CALLED + [result('{"temperature": 21.5, "sky": "clear"}'), assistant("It is 21.5 degrees."), user("And tomorrow?")],
                    {"tools": TOOLS}),
    "parallel calls": ([system("Use tools."), user("Ulm and Bonn?"), assistant("I look it up.", tool_calls=[
        call("get_weather", {"city": "Ulm"}), call("search", {"query": "Bonn \"weather\"", "filters": []}, "call00002")]),
        result("21 °C\nclear"), result("[1, 2]", "search", "call00002")], {"tools": TOOLS}),
    "reasoning": ([user("What is 6 * 7?"), assistant("42.", reasoning_content="Six times seven.\nThat is 42."), user("Sure?"),
                   assistant("<think>\nI check.\n</think>\n\nYes.", reasoning_content="I check."), user("Good.")], {"enable_thinking": True}),
    "no thinking": ([system("Think little."), user("Hi")], {"enable_thinking": False, "thinking": False, "reasoning_effort": "low"}),
    "parts": ([user([{"type": "text", "text": " What is "}, {"type": "text", "text": "this? "}]), assistant([{"type": "text", "text": "Text."}]),
               user("And this?")], {}),
    "empty": ([system(""), user(""), assistant(None, tool_calls=[call("search", {})]), result("", "search"), assistant(""), user(" ")],
              {"tools": []}),
    "odd": ([system(ODD), user(ODD), assistant(ODD), user(ODD + "?")], {"custom": ODD}),
}
