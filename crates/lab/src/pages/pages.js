// The script of all pages: sends forms as JSON, and shows what changes. What comes from the server goes
// into pages as text, never as markup.
"use strict";

const at = (id) => document.getElementById(id);
/** What is said again is not read aloud again. */
const say = (text) => { if (at("said").textContent !== text) at("said").textContent = text; };

/** The server's own words for what went wrong. */
async function failure(response) {
  if (response.status === 401) return "The server asks for a key: log in at /login.";
  try {
    const { error } = await response.json();
    return error.message || `The server answered ${response.status}.`;
  } catch {
    return `The server answered ${response.status}.`;
  }
}

const unreached = (error) => `The server cannot be reached: ${error.message}`;

/** A setting's value: JSON, or a word as it stands. */
function settingValue(text) {
  try {
    const value = JSON.parse(text);
    // A number that is too large would be sent as null.
    return typeof value === "number" && !Number.isFinite(value) ? undefined : value;
  } catch {
    return /^[\w./:+-]+$/.test(text) ? text : undefined;
  }
}

/** The settings of a text, one `key: value` or `key = value` a line; throws what is wrong with a line. */
function settingsOf(text) {
  const settings = new Map();
  text.split("\n").map((line) => line.trim()).forEach((line, i) => {
    if (!line) return;
    const found = /^([^\s:=]+)\s*[:=]\s*(.+)$/.exec(line);
    const value = found ? settingValue(found[2]) : undefined;
    const shown = line.length > 60 ? `${line.slice(0, 60)}…` : line;
    const wrong = (why) => new Error(`Settings, line ${i + 1}: ${why}, found ${shown}`);
    if (!found) throw wrong("expected a key and a value, such as latency.test_runs: 3");
    if (value === undefined) throw wrong("expected a number, a word, or JSON such as [1, 8] as the value");
    if (settings.has(found[1])) throw wrong("expected each key once");
    settings.set(found[1], value);
  });
  return Object.fromEntries(settings);
}

function startForm(form) {
  const button = form.querySelector("button");
  const text = form.elements.settings;
  const refuse = (why) => {
    say(why);
    text.setAttribute("aria-invalid", "true");
    text.focus();
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const data = new FormData(form);
    const body = { model_name: data.get("model"), test_types: data.getAll("test") };
    const name = data.get("name").trim();
    if (name) body.name = name;
    text.removeAttribute("aria-invalid");
    if (!body.test_types.length) return say("Choose one test at least.");
    try {
      const settings = settingsOf(data.get("settings"));
      if (Object.keys(settings).length) body.settings = settings;
    } catch (error) {
      return refuse(error.message);
    }
    say("");
    button.disabled = true;
    try {
      const headers = { "content-type": "application/json" };
      const response = await fetch("/api/benchmark", { method: "POST", headers, body: JSON.stringify(body) });
      if (response.ok) {
        const { id } = await response.json();
        location.assign(`/jobs/${encodeURIComponent(id)}`);
        return;
      }
      say(await failure(response));
    } catch (error) {
      say(unreached(error));
    }
    button.disabled = false;
  });
}

function jobPage(section) {
  const id = encodeURIComponent(section.dataset.id);
  const cancel = at("cancel");
  const show = (job) => {
    at("status").textContent = job.status;
    at("why").textContent = job.error || job.waits_for || "";
    const progress = job.progress;
    if (progress) {
      at("bar").max = Math.max(progress.of, 1);
      at("bar").value = Math.min(progress.done, progress.of);
      at("rows").textContent = `${progress.done} of ${progress.of}${progress.step ? `: ${progress.step}` : ""}`;
      at("results").hidden = false;
    }
  };
  if (cancel) {
    cancel.addEventListener("click", async () => {
      cancel.disabled = true;
      say("");
      try {
        const response = await fetch(`/api/benchmark/${id}`, { method: "DELETE" });
        if (response.ok) return;
        say(await failure(response));
      } catch (error) {
        say(unreached(error));
      }
      cancel.disabled = false;
    });
  }
  if (section.dataset.over === "true") return;
  const events = new EventSource(`/api/benchmark/${id}/events`);
  events.addEventListener("progress", (event) => { say(""); show(JSON.parse(event.data)); });
  events.addEventListener("end", (event) => {
    events.close();
    show(JSON.parse(event.data));
    if (cancel) cancel.hidden = true;
  });
  events.addEventListener("error", () => {
    say(events.readyState === EventSource.CLOSED
      ? "The server does not tell of this job any more; load the page again."
      : "The connection is lost; trying again.");
  });
}

/** Numbers of the text format of Prometheus, those of one name added up. */
function parse(text) {
  const values = new Map();
  for (const line of text.split("\n")) {
    const found = /^([A-Za-z_:][\w:]*)(?:\{.*\})? (\S+)/.exec(line);
    if (found && !found[1].endsWith("_bucket")) {
      values.set(found[1], (values.get(found[1]) || 0) + Number(found[2]));
    }
  }
  return values;
}

const SECONDS = 120;
const RECENT = 10;

/** What the last readings come to; null where there is nothing to tell. */
function figures(readings) {
  const now = readings[readings.length - 1];
  const before = readings[readings.length - 2];
  const past = readings[Math.max(0, readings.length - 1 - RECENT)];
  const gauge = (name) => now.values.get(name) ?? null;
  const change = (name, from) => Math.max(0, (now.values.get(name) || 0) - (from.values.get(name) || 0));
  const rate = (name) => before ? change(name, before) / ((now.at - before.at) / 1000) : null;
  const mean = (name) => {
    const n = change(`${name}_count`, past);
    return n > 0 ? change(`${name}_sum`, past) / n * 1000 : null;
  };
  const used = gauge("vllm:kv_cache_usage_perc");
  return {
    generated: rate("vllm:generation_tokens_total"),
    prompt: rate("vllm:prompt_tokens_total"),
    requests: rate("vllm:request_success_total"),
    ttft: mean("vllm:time_to_first_token_seconds"),
    itl: mean("vllm:inter_token_latency_seconds"),
    running: gauge("vllm:num_requests_running"),
    waiting: gauge("vllm:num_requests_waiting"),
    kv: used === null ? null : used * 100,
  };
}

const told = (value) => value === null ? "–"
  : value === 0 || value >= 100 || Number.isInteger(value) ? value.toFixed(0) : value.toPrecision(3);

function livePage(cards) {
  const readings = [];
  const series = new Map();
  let paused = false;
  const draw = (card) => {
    const values = series.get(card.dataset.figure);
    const known = values.filter((value) => value !== null);
    const most = known.length ? Math.max(...known) : null;
    card.querySelector("output").textContent = told(values[values.length - 1]);
    card.querySelector(".most").textContent = told(most);
    const step = 240 / (SECONDS - 1);
    const first = SECONDS - values.length;
    const points = values.map((value, i) => value === null ? null
      : `${((first + i) * step).toFixed(1)},${(57 - (most > 0 ? value / most : 0) * 54).toFixed(1)}`);
    card.querySelector("polyline").setAttribute("points", points.filter((point) => point).join(" "));
  };
  const read = async () => {
    if (!paused && !document.hidden) {
      try {
        const response = await fetch("/metrics", { cache: "no-store" });
        if (!response.ok) {
          say(await failure(response));
        } else {
          const values = parse(await response.text());
          // A server that was started again counts from zero.
          const last = readings[readings.length - 1];
          const name = "vllm:generation_tokens_total";
          if (last && values.get(name) < last.values.get(name)) readings.length = 0;
          readings.push({ at: performance.now(), values });
          if (readings.length > RECENT + 1) readings.shift();
          const now = figures(readings);
          for (const card of cards.querySelectorAll("[data-figure]")) {
            const key = card.dataset.figure;
            const all = series.get(key) || [];
            all.push(now[key]);
            if (all.length > SECONDS) all.shift();
            series.set(key, all);
            draw(card);
          }
          say("Read once a second.");
        }
      } catch (error) {
        say(unreached(error));
      }
    }
    setTimeout(read, 1000);
  };
  at("pause").addEventListener("click", () => {
    paused = !paused;
    at("pause").setAttribute("aria-pressed", String(paused));
    if (paused) say("Paused.");
    else readings.length = 0;
  });
  read();
}

/** Calls `each` with the data of every server-sent event. */
async function events(body, each) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      const data = line.startsWith("data:") ? line.slice(5).trim() : "";
      if (data && data !== "[DONE]") each(JSON.parse(data));
    }
  }
}

function chatPage(form) {
  const talk = at("talk");
  const send = at("send");
  const stop = at("stop");
  let messages = [];
  let running = null;
  const add = (className, heading, text) => {
    const article = document.createElement("article");
    article.className = className;
    const parts = [["h2", "", heading], ["p", "text", text], ["p", "took", ""]].map(([tag, name, content]) => {
      const part = document.createElement(tag);
      if (name) part.className = name;
      part.textContent = content;
      article.append(part);
      return part;
    });
    talk.append(article);
    return { article, text: parts[1], took: parts[2] };
  };
  const took = (state, ended) => {
    const { began, first, last, pieces, usage, reason } = state;
    if (first === null) return ended;
    const n = usage ? usage.completion_tokens : null;
    const parts = [`TTFT ${(first - began).toFixed(0)} ms`];
    parts.push(n === null ? `${pieces} pieces of text` : `${n} tokens`);
    const after = (n ?? pieces) - 1;
    if (after > 0 && last > first) {
      parts.push(`${(after / ((last - first) / 1000)).toFixed(1)} ${n === null ? "pieces" : "tokens"}/s`);
    }
    parts.push(`${((last - began) / 1000).toFixed(2)} s in all`);
    if (usage) {
      const cached = usage.prompt_tokens_details && usage.prompt_tokens_details.cached_tokens;
      parts.push(`prompt ${usage.prompt_tokens} tokens${cached ? `, ${cached} cached` : ""}`);
    }
    if (reason) parts.push(`ended: ${reason}`);
    if (ended) parts.push(ended);
    return parts.join(" · ");
  };
  const ask = async (data) => {
    const text = data.get("text").trim();
    if (!text) return;
    const own = messages; // an answer that ends after the conversation is of that one
    const model = data.get("model");
    const [most, temperature] = [data.get("most"), data.get("temperature")];
    const wanted = { model, messages: [...own, { role: "user", content: text }], stream: true,
      stream_options: { include_usage: true } };
    if (most) wanted.max_tokens = Number(most);
    if (temperature) wanted.temperature = Number(temperature);
    say("");
    add("question", "You", text);
    form.elements.text.value = "";
    const answer = add("answer", model, "");
    const state = { began: performance.now(), first: null, last: 0, pieces: 0, usage: null, reason: "" };
    let said = "";
    let ended = "";
    running = new AbortController();
    // Where the keys were is not lost with the button.
    const was_at_send = document.activeElement === send;
    [send.disabled, stop.disabled] = [true, false];
    if (was_at_send) stop.focus();
    talk.setAttribute("aria-busy", "true");
    try {
      const headers = { "content-type": "application/json" };
      const response = await fetch("/v1/chat/completions",
        { method: "POST", headers, body: JSON.stringify(wanted), signal: running.signal });
      if (!response.ok) throw new Error(await failure(response));
      await events(response.body, (part) => {
        if (part.error) throw new Error(part.error.message);
        if (part.usage) state.usage = part.usage;
        const choice = part.choices && part.choices[0];
        if (!choice) return;
        if (choice.finish_reason) state.reason = choice.finish_reason;
        const delta = choice.delta || {};
        const more = (delta.reasoning_content || "") + (delta.content || "");
        if (!more) return;
        state.last = performance.now();
        state.first ??= state.last;
        state.pieces += 1;
        said += more;
        answer.text.textContent = said;
        answer.took.textContent = took({ ...state, usage: null }, "");
      });
      if (state.first === null) ended = "no text";
    } catch (error) {
      ended = error.name === "AbortError" ? "stopped" : "failed";
      if (ended === "failed") {
        say(error.message);
        running.abort(); // what still comes is not read
      }
    }
    answer.took.textContent = took(state, ended);
    // What failed without a word is not said again to the model.
    if (said) own.push({ role: "user", content: text }, { role: "assistant", content: said });
    else form.elements.text.value ||= text;
    running = null;
    [send.disabled, stop.disabled] = [false, true];
    talk.removeAttribute("aria-busy");
    form.elements.text.focus();
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!running) ask(new FormData(form));
  });
  form.elements.text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      form.requestSubmit(send);
    }
  });
  stop.addEventListener("click", () => { if (running) running.abort(); });
  at("clear").addEventListener("click", () => {
    if (running) running.abort();
    messages = [];
    talk.replaceChildren();
    say("");
  });
}

/** Where to go then: an address of this server, however it was written. */
function target() {
  const to = new URLSearchParams(location.search).get("to") || "/";
  if (!/^\/(?![/\\])/.test(to)) return "/";
  try {
    const url = new URL(to, location.origin);
    return url.origin === location.origin ? url.href : "/";
  } catch {
    return "/";
  }
}

function loginPage(form) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const key = new FormData(form).get("key");
    say("");
    try {
      const value = encodeURIComponent(key);
      const secure = location.protocol === "https:" ? "; Secure" : "";
      document.cookie = `pacemark_key=${value}; path=/; SameSite=Strict${secure}`;
      const response = await fetch("/v1/models", { cache: "no-store" });
      if (response.ok) {
        location.assign(target());
        return;
      }
      document.cookie = "pacemark_key=; path=/; SameSite=Strict; Max-Age=0";
      say(response.status === 401 ? "The server does not know this key." : await failure(response));
    } catch (error) {
      say(unreached(error));
    }
  });
}

/** A way to forget the key, where a browser has one. */
function logout() {
  if (!/(^|;\s*)pacemark_key=/.test(document.cookie)) return;
  const [item, button] = [document.createElement("li"), document.createElement("button")];
  button.type = "button";
  button.id = "logout";
  button.textContent = "Log out";
  button.addEventListener("click", () => {
    document.cookie = "pacemark_key=; path=/; SameSite=Strict; Max-Age=0";
    location.assign("/login");
  });
  item.append(button);
  document.querySelector(".ways ul").append(item);
}

logout();
for (const [id, begin] of [["start", startForm], ["job", jobPage], ["live", livePage], ["chat", chatPage], ["login", loginPage]]) {
  const found = at(id);
  if (found) begin(found);
}
