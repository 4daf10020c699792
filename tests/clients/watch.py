"""Writes down what a client asks and what it gets: python tests/clients/watch.py UPSTREAM PORT LOG.jsonl; with LOG alone, sums it up.

A proxy between a client that nobody here wrote and a server. Bytes of an answer go on as they come, so that streams stay streams.
The summary has, for each route, the headers and JSON fields of the requests, and the statuses of the answers.
"""
import http.client
import http.server
import json
import sys
import threading
import urllib.parse

lock = threading.Lock()


class Watched(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_any(self):
        asked = self.rfile.read(int(self.headers.get("content-length") or 0))
        server = http.client.HTTPConnection(upstream.hostname, upstream.port, timeout=600)
        server.request(self.command, self.path, asked or None, dict(self.headers))
        answer = server.getresponse()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "connection"):
                self.send_header(name, value)
        self.send_header("connection", "close")
        self.end_headers()
        got = b""
        while part := answer.read1(65536):
            got += part
            self.wfile.write(part)
            self.wfile.flush()
        self.close_connection = True
        line = {"method": self.command, "path": self.path, "headers": dict(self.headers), "body": asked.decode("utf-8", "replace"),
                "status": answer.status, "answer_headers": dict(answer.getheaders()), "answer": got.decode("utf-8", "replace")}
        with lock, open(log, "a") as file:
            file.write(json.dumps(line) + "\n")

    do_GET = do_POST = do_HEAD = do_OPTIONS = do_PUT = do_DELETE = do_any

    def log_message(self, *_):
        pass


def fields(value, at=""):
    """Names of all fields, as paths; values of lists share one."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield f"{at}{name}"
            if name not in ("schema", "parameters", "arguments"):
                yield from fields(inner, f"{at}{name}.")
    elif isinstance(value, list):
        for inner in value:
            yield from fields(inner, at)


def summary(path):
    routes = {}
    for line in map(json.loads, open(path)):
        name = f"{line['method']} {line['path'].split('?')[0]}"
        headers, names, statuses = routes.setdefault(name, (set(), set(), {}))
        headers.update(header.lower() for header in line["headers"])
        try:
            names.update(fields(json.loads(line["body"] or "null")))
        except ValueError:
            names.add("(no JSON)")
        statuses[line["status"]] = statuses.get(line["status"], 0) + 1
    for name, (headers, names, statuses) in sorted(routes.items()):
        print(f"{name}: {', '.join(f'{count} x {status}' for status, count in statuses.items())}")
        print(f"  headers: {', '.join(sorted(headers))}\n  fields: {', '.join(sorted(names))}")


if len(sys.argv) == 2:
    summary(sys.argv[1])
else:
    upstream, log = urllib.parse.urlsplit(sys.argv[1]), sys.argv[3]
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Watched).serve_forever()
