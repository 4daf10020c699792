// Vercel's AI SDK by its provider for servers like OpenAI's, told that this one keeps to schemas. See ai_sdk.mjs.
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { checkModel } from "./ai_sdk.mjs";
import { BASE, KEY, MODEL, row } from "./checks.mjs";

const provider = createOpenAICompatible({ name: "pacemark", baseURL: BASE, apiKey: KEY, includeUsage: true, supportsStructuredOutputs: true });
checkModel(provider.chatModel(MODEL), { pacemark: { parallel_tool_calls: false } });
await row("@ai-sdk/openai-compatible", "Vercel AI SDK, `@ai-sdk/openai-compatible`");
