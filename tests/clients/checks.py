"""What the scripts of the clients share: the server they are given, the forms they ask for, and the row of the table they print.

A script `with_NAME.py URL [KEY]` marks its functions with the column they belong to and ends with `row(package)`. A function that
raises makes a FAIL with its reason; a row with one makes the script exit with 1. Checks are of the form, never of the sense: a
model of 135M parameters answers nonsense. Whether a model calls a tool unasked is asked of those that do, `ABLE`.
"""
import enum
import importlib.metadata
import json
import sys
import urllib.request

import pydantic

COLUMNS = ("chat", "stream", "tools", "structured", "errors")
BASE = sys.argv[1].rstrip("/") + "/v1"
KEY = sys.argv[2] if len(sys.argv) > 2 else "none"


def served():
    request = urllib.request.Request(BASE + "/models", headers={"authorization": f"Bearer {KEY}"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["data"][0]["id"]


MODEL = served()
ABLE = "qwen" in MODEL.lower()
SYSTEM = "You answer in one short sentence."
QUESTION = "Write a sentence about the sea."
WEATHER_QUESTION = "What is the weather in Paris, in celsius?"
PERSON_QUESTION = "Alice Hill, 31, is happy and lives at 5 Main Street in Leeds. Friends call her Al. Extract the person as JSON."
TOO_LONG = "word " * 40_000


class Mood(str, enum.Enum):
    HAPPY = "happy"
    SAD = "sad"


class Address(pydantic.BaseModel):
    street: str = pydantic.Field(max_length=20)
    city: str = pydantic.Field(max_length=20)


class Person(pydantic.BaseModel):
    """A person."""

    name: str = pydantic.Field(description="The full name", max_length=20)
    age: int
    mood: Mood
    address: Address
    nicknames: list[str] = pydantic.Field(max_length=2)
    email: str | None = None


def is_person(person):
    """Validated by pydantic already; this is that it is no empty husk, and of the class that was asked for."""
    assert isinstance(person, Person) and isinstance(person.mood, Mood) and isinstance(person.address, Address), person


def weather(city: str, unit: str = "celsius") -> str:
    """The weather in a city."""
    return f"18 degrees {unit} in {city}"


WEATHER = {"type": "function", "function": {
    "name": "weather", "description": "The weather in a city.",
    "parameters": {"type": "object", "required": ["city"], "properties": {
        "city": {"type": "string", "maxLength": 20}, "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}}}}}


def is_weather_call(name, arguments):
    arguments = json.loads(arguments) if isinstance(arguments, str) else arguments
    assert name == "weather" and isinstance(arguments["city"], str), (name, arguments)
    assert set(arguments) <= {"city", "unit"}, f"parameters that the tool has not: {arguments}"


checks = {column: [] for column in COLUMNS}


def check(column):
    def marked(function):
        checks[column].append(function)
        return function
    return marked


def raises(kind, call):
    """Calls it, and gives the exception of that kind which it must raise."""
    try:
        call()
    except kind as error:
        return error
    raise AssertionError("was accepted")


def cell(functions):
    """`ok`, `-` where the client has nothing of it, or FAIL, and its reasons."""
    reasons = []
    for function in functions:
        try:
            function()
        except Exception as error:
            reasons.append(f"{function.__name__}: {type(error).__name__}: {' '.join(str(error).split())[:300]}")
    return ("FAIL" if reasons else "ok" if functions else "-"), reasons


def row(package, name=None):
    """Runs everything and ends; `name` where the package's alone would not tell the client."""
    cells = [cell(checks[column]) for column in COLUMNS]
    print(f"| {name or package} | {importlib.metadata.version(package)} | {' | '.join(told for told, _ in cells)} |")
    for column, (_, reasons) in zip(COLUMNS, cells):
        for reason in reasons:
            print(f"{name or package}, {column}: {reason}", file=sys.stderr)
    sys.exit(any(reasons for _, reasons in cells))
