"""The engine's side of Pacemark's side-process protocol, version 1 (docs/side.md).

An engine is a class with `name`, `load(ask, progress)`, `generate(job)` and, where it can, `score(tokens,
first)` and `predict(job, tokens, first)`; `serve(engine)` does the rest. It imports this before its
packages: from then on messages go over what was standard output, whatever a library prints goes to
standard error, and the process ends when its standard input does, in the middle of an import as well.
"""

import base64
import faulthandler
import json
import os
import queue
import signal
import sys
import threading
import time
import traceback

PROTOCOL = 1
# A library that lets no other thread of Python run for so long is given up, as Pacemark has before (after
# ten minutes), or nobody listens any more and this process would stay.
STUCK_S = 660


class Refused(Exception):
    """What was asked is not done; `kind` is invalid, unsupported, too_long or engine."""

    def __init__(self, kind, message):
        super().__init__(message)
        self.kind = kind


class Job:
    """What is computed under one number, and who hears of it."""

    def __init__(self, ask):
        self.id, self.requests = ask["id"], ask.get("requests", [])

    def is_aborted(self, index=None):
        """Whether nobody wants all of it any more, or one of its requests."""
        return (self.id, None) in aborted or (self.id, index) in aborted

    def started(self, index=0, cached=0):
        tell(tell="started", id=self.id, index=index, ns=time.monotonic_ns(), cached=cached)

    def token(self, token, index=0, ns=None, logprob=None, top=()):
        ns = time.monotonic_ns() if ns is None else ns
        tell(tell="token", id=self.id, index=index, ns=ns, token=token, logprob=logprob, top=list(top))

    def row(self, at, logits):
        """What is predicted after the token at this place: bytes of 32-bit floats, lowest byte first."""
        tell(tell="row", id=self.id, at=at, logits=base64.b64encode(logits).decode("ascii"))

    def finished(self, stopped, index=0):
        tell(tell="finished", id=self.id, index=index, ns=time.monotonic_ns(), stopped=stopped)

    def failed(self, kind, message, index=0):
        tell(tell="failed", id=self.id, index=index, kind=kind, message=message)


out = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)
sys.stdout = sys.stderr
lock, asked, aborted = threading.Lock(), queue.Queue(), set()


def tell(**message):
    line = json.dumps(message, allow_nan=False)
    with lock:
        out.write(line + "\n")
        out.flush()


def listen():
    try:
        for line in sys.stdin:
            ask = json.loads(line)
            if ask["ask"] == "abort":
                aborted.add((ask["id"], ask.get("index")))
            elif ask["ask"] == "clock":
                tell(tell="clock", n=ask["n"], ns=time.monotonic_ns())
            else:
                asked.put(ask)
    except BaseException:  # said before the end, which cannot
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        # Also from within a call of a library that takes long, and after half a message; with all that a
        # library has started, where this process leads a group of its own.
        if os.getpgid(0) == os.getpid():
            os.killpg(0, signal.SIGKILL)
        os._exit(0)


def watch():
    while True:
        faulthandler.dump_traceback_later(STUCK_S, exit=True)
        time.sleep(30)


threading.Thread(target=listen, daemon=True).start()
threading.Thread(target=watch, daemon=True).start()


def serve(engine):
    """Answers until standard input ends."""
    tell(tell="hello", protocol=PROTOCOL, engine=engine.name, pid=os.getpid())
    while True:
        ask = asked.get()
        try:
            answer(engine, ask, Job(ask) if "id" in ask else None)
        except Refused as why:
            fail(ask, why.kind, str(why))
        except Exception as why:  # an engine's own words, whatever it throws
            fail(ask, "engine", f"{type(why).__name__}: {why}")


def answer(engine, ask, job):
    if ask["ask"] == "load":
        tell(tell="loaded", **engine.load(ask, lambda done, of: tell(tell="progress", done=done, of=of)))
    elif job.is_aborted():
        for index in range(len(job.requests)):
            job.finished(stopped=False, index=index)
    elif ask["ask"] == "generate":
        engine.generate(job)
    elif ask["ask"] == "score":
        logprobs, hits = engine.score(ask["tokens"], ask["first"])
        tell(tell="scores", id=ask["id"], logprobs=logprobs, hits=hits)
    elif ask["ask"] == "predict":
        engine.predict(job, ask["tokens"], ask["first"])
        job.finished(stopped=False)


def fail(ask, kind, message):
    """Of everything that was asked under that number; who has ended is not heard any more."""
    for index in range(max(1, len(ask.get("requests", [])))):
        tell(tell="failed", id=ask.get("id", 0), index=index, kind=kind, message=message)
