// Vercel's AI SDK by its OpenAI provider: `.chat(model)`, since a plain call of it asks for the Responses API. See ai_sdk.mjs.
import { createOpenAI } from "@ai-sdk/openai";
import { checkModel } from "./ai_sdk.mjs";
import { BASE, KEY, MODEL, row } from "./checks.mjs";

checkModel(createOpenAI({ baseURL: BASE, apiKey: KEY }).chat(MODEL), { openai: { parallelToolCalls: false } });
await row("@ai-sdk/openai", "Vercel AI SDK, `@ai-sdk/openai`");
