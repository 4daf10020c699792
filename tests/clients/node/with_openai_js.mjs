// OpenAI's JavaScript package, and whether a browser would let it through: the server must run with `--cors-origin '*'`. See checks.mjs.
import http from "node:http";
import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { BASE, KEY, MODEL, Person, PERSON_QUESTION, QUESTION, TOO_LONG, WEATHER_QUESTION, Weather, assert, check, row } from "./checks.mjs";

const ORIGIN = "https://page.example";
const sent = new Set();
const client = new OpenAI({
  baseURL: BASE, apiKey: KEY, maxRetries: 0, organization: "org", project: "proj", timeout: 600_000,
  defaultHeaders: { "OpenAI-Beta": "assistants=v2" },
  fetch: (url, options) => {
    new Headers(options.headers).forEach((_, name) => sent.add(name));
    return fetch(url, options);
  },
});
const options = { model: MODEL, temperature: 0, max_tokens: 300 };
const user = (content) => [{ role: "user", content }];
const weather = {
  type: "function",
  function: { name: "weather", description: "The weather in a city.", parameters: Weather.toJSONSchema(), strict: false },
};

// What a browser asks before it sends those headers, and which of them the answer does not admit. Node's `fetch` does not ask.
function refused(names) {
  return new Promise((resolve, reject) => {
    const headers = { origin: ORIGIN, "access-control-request-method": "POST", "access-control-request-headers": names.join(",") };
    http.request(BASE + "/chat/completions", { method: "OPTIONS", headers }, (answer) => {
      answer.resume();
      const admitted = (answer.headers["access-control-allow-headers"] ?? "").toLowerCase().split(",").map((name) => name.trim());
      const origin = answer.headers["access-control-allow-origin"];
      if (answer.statusCode >= 300 || ![ORIGIN, "*"].includes(origin)) return resolve([`status ${answer.statusCode}, origin ${origin}`]);
      // `*` does not stand for authorization.
      resolve(names.filter((name) => !admitted.includes(name) && (name === "authorization" || !admitted.includes("*"))));
    }).on("error", reject).end();
  });
}

check("chat", "chat", async () => {
  const answer = await client.chat.completions.create({ ...options, max_tokens: 16, messages: user(QUESTION) });
  assert.ok(answer.choices[0].message.content && answer._request_id);
});

check("chat", "preflight", async () => {
  // Headers that no page sets by itself need no leave.
  const plain = ["accept", "accept-language", "content-length", "user-agent"];
  const names = [...sent, "x-stainless-retry-count", "x-stainless-timeout", "x-stainless-helper-method", "x-stainless-poll-helper",
    "x-stainless-custom-poll-interval", "x-stainless-async", "idempotency-key"];
  assert.deepEqual(await refused([...new Set(names)].filter((name) => !plain.includes(name)).sort()), []);
});

check("stream", "stream", async () => {
  let text = "";
  const stream = await client.chat.completions.create({ ...options, max_tokens: 16, messages: user(QUESTION), stream: true });
  for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
  assert.equal(text, (await client.chat.completions.create({ ...options, max_tokens: 16, messages: user(QUESTION) })).choices[0].message.content);
});

check("tools", "round trip", async () => {
  const messages = user(WEATHER_QUESTION);
  const called = (await client.chat.completions.create({ ...options, messages, tools: [weather], tool_choice: "required" })).choices[0];
  const call = called.message.tool_calls[0];
  Weather.strict().parse(JSON.parse(call.function.arguments));
  const result = { role: "tool", tool_call_id: call.id, content: "18 degrees" };
  const answer = await client.chat.completions.create({
    ...options, max_tokens: 24, messages: [...messages, called.message, result], tools: [weather], tool_choice: "none" });
  assert.ok(answer.choices[0].message.content);
});

check("tools", "forced stream", async () => {
  const runner = client.chat.completions.stream({ ...options, messages: user(WEATHER_QUESTION), tools: [weather], tool_choice: "required" });
  const call = (await runner.finalChatCompletion()).choices[0].message.tool_calls[0];
  Weather.strict().parse(JSON.parse(call.function.arguments));
});

check("structured", "parsed", async () => {
  const answer = await client.chat.completions.parse({
    ...options, messages: user(PERSON_QUESTION), response_format: zodResponseFormat(Person, "person") });
  Person.parse(answer.choices[0].message.parsed);
});

check("errors", "overflow", async () => {
  const error = await client.chat.completions.create({ ...options, messages: user(TOO_LONG) }).then(() => assert.fail("was accepted"), (error) => error);
  assert.equal(error.code, "context_length_exceeded");
  assert.match(error.message, /This model's maximum context length is/);
});

await row("openai", "openai (JavaScript)");
