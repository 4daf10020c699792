"""A server under mixed load for a long time, and whether it grows: loads of many kinds beside clients that break things.

    python tests/clients/soak.py PACEMARK MODEL [MINUTES] [STATE.csv]

Starts a server of 8 seats and 16 waiting, and against it, at once: `pacemark load` with prompts of many lengths, shared prefixes,
several turns, fresh connections and more streams than there is room; clients killed in the middle, sockets dropped at any byte,
invalid bodies, output held to schemas and expressions, three answers at once, embeddings. Every 30 s a line of the server's
state goes to the file; every 5 minutes, and at the end, all clients rest first, and then nothing may run, wait or hold a block.
Exits with 1 if something does, if descriptors are left, or if the server ends early. Whether memory grows is told by a fitted line
over the resting states' second half: read it with the file beside it.
"""
import csv
import http.client
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time

PACEMARK, MODEL = sys.argv[1:3]
MINUTES = float(sys.argv[3]) if len(sys.argv) > 3 else 30
STATE = sys.argv[4] if len(sys.argv) > 4 else "soak.csv"
SAMPLE_S, REST_S = 30, 300
LOADS = [line.split() for line in """
    --endpoint completions --input-tokens uniform:8..200 --output-tokens uniform:1..60 -c 3 -n 18
    --endpoint chat --input-tokens uniform:8..100 --output-tokens uniform:1..80 -c 2 -n 14
    --endpoint completions --input-tokens 40 --shared-prefix 200 --prefix-groups 3 --output-tokens 30 -c 4 -n 20
    --endpoint chat --input-tokens 32 --output-tokens 20 --connections fresh -c 6 -n 24
    --endpoint completions --input-tokens lognormal:100,80 --output-tokens 20 --no-stream -c 4 -n 16
    --endpoint chat --input-tokens 24 --output-tokens 24 --turns 3 -c 3 -n 18
    --endpoint completions --input-tokens 600 --output-tokens 8 -c 4 -n 12
    --endpoint completions --input-tokens 16 --output-tokens 30 -c 40 -n 80 --warmup 0
""".strip().splitlines()]
BAD = [b"", b"{", b"null", b'{"prompt": 5}', b'{"prompt": [99999999]}', b'{"prompt": "x", "temperature": -1}', b"\xff\xfe" * 40,
       b'{"prompt": "x", "max_tokens": 1e300}', b'{"prompt": "x", "n": 100000}', b'{"messages": []}', b"[" * 100000,
       b'{"prompt": "x", "guided_regex": "("}', b'{"model": "nobody", "prompt": "x"}', json.dumps({"prompt": "y " * 2_500_000}).encode()]
WORDS = "the sky is blue because of light and rain on green hills near old towns with dogs".split()

stop, rest = threading.Event(), threading.Event()
counts, lock = {}, threading.Lock()


def count(what):
    with lock:
        counts[what] = counts.get(what, 0) + 1


def text(rng, n):
    return " ".join(f"{rng.choice(WORDS)}{rng.randrange(999)}" for _ in range(n))


def start():
    server = subprocess.Popen([PACEMARK, "serve", "-m", MODEL, "--port", "0", "--max-num-seqs", "8", "--max-queue", "16", "--quiet"],
                              stderr=subprocess.PIPE, text=True)
    for line in server.stderr:
        if line.startswith("ready: "):
            threading.Thread(target=server.stderr.read, daemon=True).start()
            return server, int(line.split()[1].rsplit(":", 1)[1])
    sys.exit("the server does not start")


def ask(path, body=None):
    """Status and body; a request without a body is a GET."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    try:
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        connection.request("GET" if data is None else "POST", path, data, {"content-type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def load(rng):
    ran = subprocess.run([PACEMARK, "load", "--url", f"http://127.0.0.1:{port}", "-o", "json", *rng.choice(LOADS)], capture_output=True)
    count(f"loads, exit {ran.returncode}")


def killed(rng):
    body = {"prompt": text(rng, rng.randrange(1, 300)), "max_tokens": 1500, "ignore_eos": True, "stream": rng.random() < 0.8}
    client = subprocess.Popen(["curl", "-sN", f"http://127.0.0.1:{port}/v1/completions", "-H", "content-type: application/json",
                               "-d", json.dumps(body)], stdout=subprocess.DEVNULL)
    time.sleep(2 * rng.random())
    client.kill()
    client.wait()
    count("curl, killed")


def dropped(rng):
    body = json.dumps({"prompt": text(rng, 20), "max_tokens": 800, "ignore_eos": True, "stream": True}).encode()
    head = b"POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall((head + body)[:rng.choice([10, 60, len(head), len(head) + 20, None])])
        if rng.random() < 0.3:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        time.sleep(rng.random() / 2)
    count("sockets dropped")


def invalid(rng):
    path = rng.choice(["/v1/completions", "/v1/chat/completions", "/v1/embeddings", "/nowhere"])
    count(f"invalid, {ask(path, rng.choice(BAD))[0]}")


def constrained(rng):
    body = {"prompt": "Answer: ", "max_tokens": 40, "temperature": rng.random()}
    if rng.random() < 0.3:
        body["guided_regex"] = f"[a-z]{{1,{rng.randrange(1, 30)}}} (yes|no|{text(rng, 1)})"
    else:
        names = sorted({text(rng, 1) for _ in range(rng.randrange(1, 6))})
        schema = {"type": "object", "properties": {name: {"type": rng.choice(["string", "integer", "boolean"])} for name in names},
                  "required": names, "additionalProperties": False}
        body["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    count(f"constrained, {ask('/v1/completions', body)[0]}")


def embedded(rng):
    count(f"embeddings, {ask('/v1/embeddings', {'input': [text(rng, rng.randrange(1, 60)) for _ in range(3)]})[0]}")


def several(rng):
    body = {"prompt": text(rng, rng.randrange(1, 100)), "n": 3, "max_tokens": 20, "logprobs": 3, "temperature": 1}
    count(f"n=3, {ask('/v1/completions', body)[0]}")


def other(rng):
    for path in ("/health", "/v1/models", "/openapi.json", "/metrics"):
        count(f"GET, {ask(path)[0]}")
    count(f"tokenize, {ask('/tokenize', {'prompt': text(rng, 50)})[0]}")


def client(seed, acts, pause_s):
    rng = random.Random(seed)
    while not stop.is_set():
        if rest.is_set():
            time.sleep(0.2)
            continue
        with lock:
            busy.add(seed)
        try:
            rng.choice(acts)(rng)
        except (OSError, http.client.HTTPException) as error:
            count(f"client: {type(error).__name__}")
        with lock:
            busy.discard(seed)
        time.sleep(rng.random() * pause_s)


def state():
    """What /proc and /metrics tell of the server."""
    status = dict(line.split(":", 1) for line in open(f"/proc/{server.pid}/status"))
    metrics = {}
    for line in ask("/metrics")[1].decode().splitlines():
        if line.startswith(("vllm:", "pacemark:")) and "_bucket" not in line:
            name, value = line.split("{")[0], float(line.rsplit(" ", 1)[1])
            metrics[name] = metrics.get(name, 0) + value
    kib = lambda name: int(status[name].split()[0])
    return {"rss_kib": kib("VmRSS"), "anon_kib": kib("RssAnon"), "descriptors": len(os.listdir(f"/proc/{server.pid}/fd")),
            "threads": kib("Threads"), "running": int(metrics["vllm:num_requests_running"]),
            "waiting": int(metrics["vllm:num_requests_waiting"]), "kv_usage": metrics["vllm:kv_cache_usage_perc"],
            "generated": int(metrics["vllm:generation_tokens_total"]), "ended": int(metrics["vllm:request_success_total"]),
            "refused": int(metrics["pacemark:requests_refused_total"])}


def rested():
    """The state once nobody asks for anything."""
    rest.set()
    for _ in range(600):
        time.sleep(1)
        with lock:
            quiet = not busy
        if quiet and not any(state()[name] for name in ("running", "waiting")):
            break
    # Connections that were dropped are noticed, and threads that have nothing to do end.
    time.sleep(15)
    now = state()
    rest.clear()
    return now


def slope(points):
    """Of a line fitted to (minutes, KiB), in KiB a minute."""
    mean_x, mean_y = (sum(values) / len(points) for values in zip(*points))
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / sum((x - mean_x) ** 2 for x, _ in points)


server, port = start()
first, busy, resting, faults = state(), set(), [], []
out = csv.DictWriter(open(STATE, "w", buffering=1), ["running_s", "kind", *first])
out.writeheader()
out.writerow({"running_s": 0, "kind": "start", **first})
acts = [killed, killed, dropped, dropped, dropped, invalid, invalid, constrained, constrained, embedded, several, other]
clients = [threading.Thread(target=client, args=(seed, [load] if seed < 2 else acts, 0.3)) for seed in range(5)]
[thread.start() for thread in clients]
for second in range(1, int(60 * MINUTES) + 1):
    time.sleep(1)
    if server.poll() is not None:
        stop.set()
        sys.exit(f"the server ended: {server.returncode}")
    if second % REST_S and second < int(60 * MINUTES):
        if second % SAMPLE_S == 0:
            out.writerow({"running_s": second, "kind": "busy", **state()})
        continue
    now = rested()
    out.writerow({"running_s": second, "kind": "resting", **now})
    resting.append((second / 60, now["anon_kib"]))
    if now["running"] or now["waiting"] or now["kv_usage"] or now["descriptors"] > first["descriptors"]:
        faults.append(f"after {second} s of load, resting: {now}")
stop.set()
[thread.join() for thread in clients]
server.terminate()
print(json.dumps(counts, indent=1, sort_keys=True))
second_half = resting[len(resting) // 2:]
if len(second_half) > 1:
    print(f"anonymous memory, resting: {slope(second_half):.0f} KiB a minute over the second half, {second_half[-1][1]} KiB at the end")
if (code := server.wait()) != 0:
    faults.append(f"the server's exit code: {code}")
sys.exit("\n".join(faults))
