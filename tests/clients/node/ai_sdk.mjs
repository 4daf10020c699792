// The checks of Vercel's AI SDK, for whichever provider's model it is given. See checks.mjs.
import { APICallError, Output, generateText, isStepCount, streamText, tool } from "ai";
import { ABLE, Person, PERSON_QUESTION, QUESTION, TOO_LONG, WEATHER_QUESTION, Weather, assert, check } from "./checks.mjs";

const execute = async ({ city, unit }) => `18 degrees ${unit ?? "celsius"} in ${city}`;
const tools = { weather: tool({ description: "The weather in a city.", inputSchema: Weather, execute }) };

// One call only: a weak model that must call may repeat itself to the end. `providerOptions` are as the provider names that.
export function checkModel(model, providerOptions) {
  const options = { model, providerOptions, temperature: 0, maxRetries: 0, maxOutputTokens: 300 };
  const short = { ...options, maxOutputTokens: 16 };

  check("chat", "chat", async () => {
    const answer = await generateText({ ...short, instructions: "You answer in one short sentence.", prompt: QUESTION });
    assert.ok(answer.text && answer.usage.outputTokens <= 16, answer.text);
  });

  check("stream", "stream", async () => {
    const answer = streamText({ ...short, prompt: QUESTION });
    const parts = [];
    for await (const part of answer.textStream) parts.push(part);
    assert.equal(parts.join(""), (await generateText({ ...short, prompt: QUESTION })).text);
    assert.ok(parts.length > 1);
    assert.ok((await answer.usage).outputTokens);
  });

  check("tools", "forced", async () => {
    for (const toolChoice of ["required", { type: "tool", toolName: "weather" }]) {
      const answer = await generateText({ ...options, prompt: WEATHER_QUESTION, tools, toolChoice });
      Weather.strict().parse(answer.toolCalls[0].input);
      assert.match(answer.toolResults[0].output, /18 degrees/);
    }
  });

  check("tools", "forced stream", async () => {
    const answer = streamText({ ...options, prompt: WEATHER_QUESTION, tools, toolChoice: "required" });
    await answer.consumeStream();
    Weather.strict().parse((await answer.toolCalls)[0].input);
  });

  check("tools", "round trip", async () => {
    const choices = [ABLE ? "auto" : "required", "none"];
    const answer = await generateText({
      ...options, maxOutputTokens: 100, prompt: WEATHER_QUESTION, tools, stopWhen: isStepCount(2),
      prepareStep: ({ stepNumber }) => ({ toolChoice: choices[stepNumber] }),
    });
    assert.match(answer.steps[0].toolResults[0].output, /18 degrees/);
    assert.equal(answer.steps.length, 2);
    assert.ok(answer.text);
  });

  check("structured", "object", async () => {
    Person.parse((await generateText({ ...options, prompt: PERSON_QUESTION, output: Output.object({ schema: Person }) })).output);
  });

  check("structured", "streamed object", async () => {
    const answer = streamText({ ...options, prompt: PERSON_QUESTION, output: Output.object({ schema: Person }) });
    let last;
    for await (const part of answer.partialOutputStream) last = part;
    Person.parse(last);
  });

  check("structured", "choice", async () => {
    const output = Output.choice({ options: ["red", "green"] });
    assert.ok(["red", "green"].includes((await generateText({ ...options, prompt: QUESTION, output })).output));
  });

  check("errors", "overflow", async () => {
    const error = await generateText({ ...short, prompt: TOO_LONG }).then(() => assert.fail("was accepted"), (error) => error);
    assert.ok(APICallError.isInstance(error), error.message);
    assert.equal(error.statusCode, 400);
    assert.match(error.message, /This model's maximum context length is/);
  });
}
