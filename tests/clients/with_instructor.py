"""instructor: pydantic models by each of its modes. It has no chat of its own: a `str` is what comes nearest. See checks.py."""
import instructor
import openai
import pydantic
from instructor.v2.core.errors import IncompleteOutputException, InstructorRetryException

from checks import BASE, KEY, MODEL, PERSON_QUESTION, TOO_LONG, WEATHER_QUESTION
from checks import Address, Person, check, is_person, raises, row


class Weather(pydantic.BaseModel):
    """The weather in a city."""

    city: str = pydantic.Field(max_length=20)


def ask(mode, form, question=PERSON_QUESTION, method="create", max_tokens=300):
    client = instructor.from_openai(openai.OpenAI(base_url=BASE, api_key=KEY, max_retries=0), mode=mode)
    return getattr(client, method)(model=MODEL, messages=[{"role": "user", "content": question}], response_model=form,
                                   temperature=0, max_tokens=max_tokens, max_retries=0)


@check("stream")
def partial():
    for mode in (instructor.Mode.TOOLS, instructor.Mode.JSON_SCHEMA):
        steps = list(ask(mode, Address, method="create_partial"))
        assert len(steps) > 3 and steps[-1].city, steps[-1:]


@check("tools")
def by_tool():
    is_person(ask(instructor.Mode.TOOLS, Person))
    is_person(ask(instructor.Mode.TOOLS_STRICT, Person))


@check("structured")
def by_schema():
    is_person(ask(instructor.Mode.JSON_SCHEMA, Person))


@check("structured")
def several():
    """A list without a bound, which a weak model may never end: what came before the cut is whole."""
    first = next(iter(ask(instructor.Mode.JSON_SCHEMA, Weather, WEATHER_QUESTION, "create_iterable")))
    assert isinstance(first, Weather), first


@check("errors")
def cut():
    raises(IncompleteOutputException, lambda: ask(instructor.Mode.TOOLS, Person, max_tokens=4))


@check("errors")
def overflow():
    error = raises(InstructorRetryException, lambda: ask(instructor.Mode.TOOLS, Person, TOO_LONG))
    assert "This model's maximum context length is" in str(error), error


row("instructor")
