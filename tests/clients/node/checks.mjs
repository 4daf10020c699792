// What the JavaScript clients share: ../checks.py in this language. A script's last call is `await row(package)`.
import assert from "node:assert/strict";
import fs from "node:fs";
import { z } from "zod";

export const BASE = process.argv[2].replace(/\/$/, "") + "/v1";
export const KEY = process.argv[3] ?? "none";
const listed = await fetch(BASE + "/models", { headers: { authorization: `Bearer ${KEY}` } });
export const MODEL = (await listed.json()).data[0].id;
export const ABLE = MODEL.toLowerCase().includes("qwen");
export const QUESTION = "Write a sentence about the sea.";
export const WEATHER_QUESTION = "What is the weather in Paris, in celsius?";
export const PERSON_QUESTION = "Alice Hill, 31, is happy and lives at 5 Main Street in Leeds. Friends call her Al. Extract the person as JSON.";
export const TOO_LONG = "word ".repeat(40_000);

export const Person = z.object({
  name: z.string().max(20).describe("The full name"),
  age: z.number().int(),
  mood: z.enum(["happy", "sad"]),
  address: z.object({ street: z.string().max(20), city: z.string().max(20) }),
  nicknames: z.array(z.string().max(20)).max(2),
  email: z.string().max(40).nullable(),
});
export const Weather = z.object({ city: z.string().max(20), unit: z.enum(["celsius", "fahrenheit"]).optional() });

const checks = { chat: [], stream: [], tools: [], structured: [], errors: [] };

export function check(column, name, run) {
  checks[column].push([name, run]);
}

export async function row(packageName, name = packageName) {
  const { version } = JSON.parse(fs.readFileSync(new URL(`./node_modules/${packageName}/package.json`, import.meta.url)));
  const cells = [];
  let failed = false;
  for (const [column, functions] of Object.entries(checks)) {
    let told = functions.length ? "ok" : "-";
    for (const [check, run] of functions) {
      try {
        await run();
      } catch (error) {
        told = "FAIL";
        failed = true;
        console.error(`${name}, ${column}: ${check}: ${`${error.name}: ${error.message}`.replace(/\s+/g, " ").slice(0, 300)}`);
      }
    }
    cells.push(told);
  }
  console.log(`| ${name} | ${version} | ${cells.join(" | ")} |`);
  process.exit(failed ? 1 : 0);
}

export { assert };
