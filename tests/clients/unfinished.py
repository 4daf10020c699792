"""How many constrained answers never end: python tests/clients/unfinished.py http://127.0.0.1:8080 [--max-tokens 200]

Sixty requests as users of structured output and forced tools write them: ten cases, three temperatures, two seeds. An answer is
unfinished where it was cut at max_tokens, and broken where what came is no JSON of the form that was asked for. A model may run on
inside a string or a list that has no bound; white space between tokens, digits and the like are the server's affair, so the place
where each cut answer was is told. Exits with 1 if one is unfinished or broken. Needs Python alone.
"""
import argparse
import concurrent.futures
import json
import sys
import urllib.error
import urllib.request

TEMPERATURES, SEEDS = (0, 0.7, 1.3), 2


def strict(**properties):
    """An object as OpenAI's strict schemas are: every property required, no other allowed."""
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def text(max_length=40):
    return {"type": "string", "maxLength": max_length}


def listed(items, most):
    return {"type": "array", "items": items, "maxItems": most}


def optional(schema):
    """As pydantic writes `X | None`."""
    return {"anyOf": [schema, {"type": "null"}]}


NUMBER, INTEGER = {"type": "number"}, {"type": "integer"}
DATE = {"type": "string", "format": "date"}
PERSON = strict(name=text(), age=INTEGER, city=text())
EVENT = strict(name=text(), date=DATE, participants=listed(text(20), 4))
ORDER = strict(customer=strict(name=text(20), address=strict(street=text(20), city=text(20))),
               items=listed(strict(product=text(20), quantity=INTEGER, price=NUMBER), 2), paid={"type": "boolean"})
REVIEW = strict(sentiment={"type": "string", "enum": ["positive", "neutral", "negative"]}, score=INTEGER,
                topics=listed({"type": "string", "enum": ["price", "quality", "delivery"]}, 3))
CONTACT = strict(name=text(), email=optional(text()), phone=optional(text(20)), notes=optional(listed(text(20), 2)))
STEPS = strict(steps=listed(strict(explanation=text(30), output=text(15)), 2), final_answer=text(15))
FREE = {"type": "object", "title": "Person", "required": ["name", "age"],
        "properties": {"name": {"title": "Name", "type": "string"}, "age": {"title": "Age", "type": "integer"}}}
WEATHER = ("get_weather", strict(city=text(30), unit={"type": "string", "enum": ["celsius", "fahrenheit"]}))
MEETING = ("create_event", EVENT)
# As pydantic writes a model inside of another: neither is closed.
SEARCH = ("search", {
    "type": "object", "required": ["query"], "$defs": {"Sort": {"type": "object", "required": ["by"], "properties": {
        "by": {"enum": ["date", "relevance"]}, "descending": {"type": "boolean"}}}},
    "properties": {"query": {"type": "string", "maxLength": 60}, "limit": {"type": "integer"},
                   "sort": {"anyOf": [{"$ref": "#/$defs/Sort"}, {"type": "null"}]}}})


def schema(name, schema):
    return {"response_format": {"type": "json_schema", "json_schema": {"name": name, "schema": schema, "strict": True}}}


def tools(*functions, choice="required", **options):
    return {"tool_choice": choice, **options, "tools": [
        {"type": "function", "function": {"name": name, "parameters": parameters}} for name, parameters in functions]}


CASES = {
    "person": ("Tell me about Alice, 31, who lives in Paris. Answer in JSON.", schema("person", PERSON)),
    "event": ("Alice and Bob go to a science fair on Friday, 3 May 2024. Extract the event as JSON.", schema("event", EVENT)),
    "order": ("Extract as JSON: Bob Hill, 5 Main St, Leeds, bought 2 lamps at 19.50 and a chair at 40, and paid.", schema("order", ORDER)),
    "review": ("Classify this review as JSON: 'Came late, but the quality is great.'", schema("review", REVIEW)),
    "contact": ("Extract the contact as JSON: Eve Stone, eve@example.com, no phone.", schema("contact", CONTACT)),
    "steps": ("Solve 8x + 7 = -23 step by step, in JSON.", schema("steps", STEPS)),
    "free strings": ("Extract the person as JSON: Jason is 25 years old.", schema("Person", FREE)),
    "a named tool": ("What is the weather in Paris, in celsius?",
                     tools(WEATHER, choice={"type": "function", "function": {"name": "get_weather"}})),
    "required tool": ("Put a meeting with Alice and Bob into my calendar for 2024-05-03.", tools(WEATHER, MEETING, parallel_tool_calls=False)),
    "required tools": ("Find five papers about paged attention, the newest first.", tools(WEATHER, SEARCH)),
}


def given():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--max-tokens", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="seeds of each case and temperature: sixty requests with two")
    parser.add_argument("--at-once", type=int, default=4)
    parser.add_argument("--show", action="store_true", help="every answer, not only those at fault")
    return parser.parse_args()


def asked(url, body):
    request = urllib.request.Request(url + "/v1/chat/completions", json.dumps(body).encode(), {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=900) as answer:
            return json.load(answer)["choices"][0]
    except urllib.error.HTTPError as error:
        return {"finish_reason": "refused", "message": {"content": error.read().decode()}}


def where(written):
    """What a cut text was in the middle of: white space between tokens if more than half of it is that, else by its end."""
    inside, blank, at = False, 0, 0
    while at < len(written):
        if inside and written[at] == "\\":
            at += 1
        elif written[at] == '"':
            inside = not inside
        elif not inside and written[at].isspace():
            blank += 1
        at += 1
    if 2 * blank > len(written):
        return "white space"
    if inside:
        return "a string"
    return "a number" if len(written) - len(written.rstrip("0123456789.eE+-")) > 20 else "between values"


def matches(value, schema, defs={}):
    """Whether a value has a schema's form: the few keywords that the cases use."""
    defs = schema.get("$defs", defs)
    if "$ref" in schema:
        return matches(value, defs[schema["$ref"].removeprefix("#/$defs/")], defs)
    if "anyOf" in schema:
        return any(matches(value, one, defs) for one in schema["anyOf"])
    if "enum" in schema:
        return value in schema["enum"]
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None)}
    if not isinstance(value, kinds[schema["type"]]) or (isinstance(value, bool) and schema["type"] in ("integer", "number")):
        return False
    if isinstance(value, dict):
        known = schema["properties"]
        return set(schema["required"]) <= set(value) and all(matches(value[name], known[name], defs) for name in value if name in known)
    if isinstance(value, list):
        return len(value) <= schema["maxItems"] and all(matches(item, schema["items"], defs) for item in value)
    return not isinstance(value, str) or len(value) <= schema.get("maxLength", 10**9)


def judged(options, choice):
    """What is wrong with an answer, and its text."""
    message = choice["message"]
    calls = message.get("tool_calls") or []
    written = calls[0]["function"]["arguments"] if calls else message.get("content") or ""
    if choice["finish_reason"] == "length":
        return f"cut after {len(calls)} calls" if len(calls) > 1 else f"cut in {where(written)}", written
    if choice["finish_reason"] == "refused":
        return "refused", written
    try:
        value = json.loads(written)
    except ValueError as error:
        return f"no JSON: {error}", written
    if "tools" in options:
        allowed = {tool["function"]["name"]: tool["function"]["parameters"] for tool in options["tools"]}
        called = [call["function"] for call in calls]
        fine = called and all(matches(json.loads(one["arguments"]), allowed.get(one["name"], {"enum": []})) for one in called)
        fine = fine and (len(called) == 1 or options.get("parallel_tool_calls") is not False)
    else:
        fine = matches(value, options["response_format"]["json_schema"]["schema"])
    return None if fine else "not of the form", written


def main():
    options = given()
    runs = [(case, temperature, seed) for case in CASES for temperature in TEMPERATURES for seed in range(1, options.seeds + 1)]

    def run(run):
        case, temperature, seed = run
        prompt, format = CASES[case]
        body = {"messages": [{"role": "user", "content": prompt}], "max_tokens": options.max_tokens, "temperature": temperature,
                "seed": seed, **format}
        return judged(format, asked(options.url.rstrip("/"), body))

    faults = {}
    with concurrent.futures.ThreadPoolExecutor(options.at_once) as pool:
        for (case, temperature, seed), (fault, written) in zip(runs, pool.map(run, runs)):
            if fault:
                faults[fault] = faults.get(fault, 0) + 1
            if fault or options.show:
                print(f"{case}, temperature {temperature}, seed {seed}: {fault or 'fine'}: {written[:100]!r} … {written[-60:]!r}")
    print(f"{sum(faults.values())} of {len(runs)} unfinished or broken at {options.max_tokens} tokens",
          "".join(f"; {count} {fault}" for fault, count in sorted(faults.items())))
    sys.exit(1 if faults else 0)


main()
