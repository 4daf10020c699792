"""OpenVINO GenAI behind Pacemark's side-process protocol, with token ids in and out: its continuous batching, and on
NPUs its pipeline for one request."""

import os
import sys
import time

import side

# It would tell its makers of each use, from a process that it forks and that outlives this one.
sys.modules["openvino_telemetry"] = None

import numpy
import openvino
import openvino_genai

# What an inference may be asked to keep keys and values as, by Pacemark's names.
CACHE = {"f16": "f16", "f32": "f32", "bf16": "bf16", "q8_0": "u8"}
# Tokens of a block of its cache (`device_config.hpp`).
BLOCK = {"CPU": 32, "GPU": 16}


class Engine:
    name = f"OpenVINO GenAI {openvino_genai.__version__}"

    def load(self, ask, progress):
        begun = time.monotonic_ns()
        device, warnings = choose(ask["device"])
        check_model(ask["model"])
        n_ctx = ask["n_ctx"] or 4096
        try:
            self.runs = (OneByOne if device.startswith("NPU") else Batching)(ask, device, n_ctx)
        except RuntimeError as why:
            refuse(ask, device, str(why))
        self.generate, self.score = self.runs.generate, self.runs.score
        loaded = time.monotonic_ns()
        # What is compiled or set up with the first request is none of that request's time.
        self.runs.warm()
        warm = time.monotonic_ns()
        asked = CACHE[ask["kv"][0]]
        dtype = computed(device, ask["dtype"])
        kv = kept(device, asked, dtype)
        if asked == "u8":
            warnings.append("keys and values are OpenVINO's u8, which is not q8_0")
        if kv != asked:
            warnings.append(f"keys and values: OpenVINO keeps them in {kv} beside {dtype}, not {asked}")
        if ask["dtype"] not in (None, dtype):
            warnings.append(f"precision: {ask['dtype']} was asked for, OpenVINO computes in {dtype} on this device")
        return {
            "device": device,
            "n_ctx": n_ctx,
            "n_seqs": ask["n_seqs"],
            "n_vocab": len(self.runs.pipeline.get_tokenizer().get_vocab()),
            "n_threads": (ask["n_threads"] or 0) if device == "CPU" else 0,
            "scores": self.runs.scores,
            "logprobs": False,
            "batches": self.runs.batches,
            "kv": kv,
            "dtype": dtype,
            "load_ns": [["load", loaded - begun], ["warm", warm - loaded]],
            "warnings": warnings,
        }


def refuse(ask, device, why):
    """What it does not load, by its name where that is known."""
    if "gguf_tensor_to_f16" in why:
        known = "F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q4_K and Q6_K"
        raise side.Refused("unsupported", f"OpenVINO's reader of GGUF knows tensors in {known} only")
    if device == "CPU" and "f32" in (ask["kv"][0], ask["dtype"]):
        dtype = computed(device, ask["dtype"])
        if {CACHE[ask["kv"][0]], dtype} == {"f32", "bf16"}:
            both = f"keys and values in {ask['kv'][0]} beside {dtype}"
            raise side.Refused("engine", f"OpenVINO does not load {both} on processors: give --dtype and -ctk, -ctv alike")
    # Where in its sources it was is nothing to whom it is told.
    lines = [line for line in why.splitlines() if line.strip() and not line.startswith("Exception from ")]
    raise side.Refused("engine", " ".join(lines) or why)


def options_of(ask, device):
    options = {"KV_CACHE_PRECISION": CACHE[ask["kv"][0]]}
    if ask["n_threads"] is not None and device == "CPU":
        options["INFERENCE_NUM_THREADS"] = ask["n_threads"]
    if ask["dtype"] is not None:
        options["INFERENCE_PRECISION_HINT"] = ask["dtype"]
    return options


class Batching:
    """Requests computed together, over a cache of blocks."""

    scores = batches = True

    def __init__(self, ask, device, n_ctx):
        n_seqs = ask["n_seqs"]
        scheduler = openvino_genai.SchedulerConfig()
        scheduler.num_kv_blocks = (n_ctx // BLOCK[device.split(".")[0]] + 2) * n_seqs
        scheduler.max_num_batched_tokens = max(ask["n_batch"], n_seqs)
        scheduler.max_num_seqs = n_seqs
        scheduler.enable_prefix_caching = False
        options = options_of(ask, device)
        self.pipeline = openvino_genai.ContinuousBatchingPipeline(ask["model"], scheduler, device, options)
        self.next_id = 0

    def warm(self):
        self.score([1, 1], 0)

    def add(self, prompt, config):
        ids = numpy.array([prompt], dtype=numpy.int64)
        self.next_id += 1
        return self.pipeline.add_request(self.next_id, openvino.Tensor(ids), config)

    def generate(self, job):
        handles = []
        for index, request in enumerate(job.requests):
            job.started(index=index)
            handles.append(self.add(request["prompt"], config_of(request)))
        counts = [0] * len(handles)
        open_ones = set(range(len(handles)))
        while open_ones:
            self.pipeline.step()
            ns = time.monotonic_ns()
            for index in sorted(open_ones):
                handle, request = handles[index], job.requests[index]
                ended = None
                while handle.can_read():
                    for output in handle.read().values():
                        for token in output.generated_ids:
                            counts[index] += 1
                            if counts[index] <= request["max_tokens"]:
                                job.token(token, index=index, ns=ns)
                        if output.finish_reason != openvino_genai.GenerationFinishReason.NONE:
                            ended = output.finish_reason == openvino_genai.GenerationFinishReason.STOP
                if ended is not None:
                    open_ones.discard(index)
                    job.finished(stopped=ended, index=index)
                elif handle.get_status() == openvino_genai.GenerationStatus.IGNORED:
                    open_ones.discard(index)
                    job.failed("engine", "its cache has no room for the request", index=index)
                elif job.is_aborted(index):
                    handle.cancel()
                    open_ones.discard(index)
        # What was cancelled leaves with the next step.
        while self.pipeline.has_non_finished_requests():
            self.pipeline.step()

    def score(self, tokens, first):
        config = openvino_genai.GenerationConfig()
        config.max_new_tokens, config.ignore_eos = 1, True
        config.echo, config.logprobs = True, 1
        handle = self.add(tokens, config)
        logprobs = []
        while self.pipeline.has_non_finished_requests():
            self.pipeline.step()
            while handle.can_read():
                for output in handle.read().values():
                    logprobs += output.generated_log_probs
        if len(logprobs) < len(tokens):
            raise side.Refused("engine", f"{len(logprobs)} log-probabilities came of {len(tokens)}")
        # The first is of the first token, which nothing is before; the last of the one that was generated.
        # It does not tell which token it holds most likely.
        return [min(0.0, x) for x in logprobs[first + 1 : len(tokens)]], []


class OneByOne:
    """What computes on NPUs, whose graphs have a fixed length: one request after the other, and no scores."""

    scores = batches = False

    def __init__(self, ask, device, n_ctx):
        if ask["kv"][0] != "f16" or ask["dtype"] not in (None, "f16"):
            raise side.Refused("unsupported", f"{device}: computes and keeps f16 only")
        lengths = {"MAX_PROMPT_LEN": n_ctx, "MIN_RESPONSE_LEN": 128} if device.startswith("NPU") else {}
        self.pipeline = openvino_genai.LLMPipeline(ask["model"], device, **lengths)

    def warm(self):
        self.run([1, 1], openvino_genai.GenerationConfig(max_new_tokens=1), None)

    def run(self, prompt, config, streamer):
        ids = numpy.array([prompt], dtype=numpy.int64)
        inputs = openvino_genai.TokenizedInputs(openvino.Tensor(ids), openvino.Tensor(numpy.ones_like(ids)))
        return self.pipeline.generate(inputs, config, streamer)

    def generate(self, job):
        for index, request in enumerate(job.requests):
            job.started(index=index)
            if job.is_aborted(index):
                job.finished(stopped=False, index=index)
                continue
            ended = self.run(request["prompt"], config_of(request), Told(job, index, request["max_tokens"]))
            stopped = ended.finish_reasons[0] == openvino_genai.GenerationFinishReason.STOP
            job.finished(stopped=stopped, index=index)

    def score(self, tokens, first):
        raise side.Refused("unsupported", "score tokens on NPUs")


class Told(openvino_genai.StreamerBase):
    """Tells the tokens of one request as they are known."""

    def __init__(self, job, index, n):
        super().__init__()
        self.job, self.index, self.left = job, index, n

    def write(self, tokens):
        ns = time.monotonic_ns()
        for token in [tokens] if isinstance(tokens, int) else tokens:
            if self.left > 0:
                self.left -= 1
                self.job.token(token, index=self.index, ns=ns)
        status = openvino_genai.StreamingStatus
        return status.CANCEL if self.job.is_aborted(self.index) else status.RUNNING

    def end(self):
        pass


def config_of(request):
    if request["top_logprobs"] is not None:
        raise side.Refused("unsupported", "give log-probabilities")
    config = openvino_genai.GenerationConfig()
    # One token at least is computed; nobody hears of it where none was asked for.
    config.max_new_tokens = max(1, request["max_tokens"])
    config.ignore_eos = request["ignore_eos"]
    config.min_new_tokens = min(request["min_tokens"], config.max_new_tokens)
    config.do_sample = request["temperature"] > 0
    if config.do_sample:
        config.temperature, config.rng_seed = request["temperature"], request["seed"]
        config.top_p, config.top_k = request["top_p"], request["top_k"] or 2**31 - 1
    if request["stop_tokens"]:
        config.stop_token_ids = set(request["stop_tokens"])
    return config


def choose(asked):
    """The device, and what is to be said of how it was chosen."""
    there = openvino.Core().available_devices
    if asked.upper() != "AUTO":
        kind = asked.upper()
        if not any(name == kind or name.startswith(kind + ".") for name in there):
            raise side.Refused("invalid", f"device {kind}: not here; OpenVINO finds {', '.join(there)}")
        return kind, []
    for kind in ("GPU", "NPU", "CPU"):
        for name in there:
            if name == kind or name.startswith(kind + "."):
                return name, [f"AUTO: {name}, the first of GPU, NPU and CPU that OpenVINO finds ({', '.join(there)})"]
    raise side.Refused("engine", "OpenVINO finds no device")


def computed(device, asked):
    """The precision that this device computes in where that one is asked for: what a graph of one node says."""
    node = openvino.opset13.parameter([1, 4], numpy.float32)
    graph = openvino.Model([openvino.opset13.relu(node)], [node])
    options = {} if asked is None else {"INFERENCE_PRECISION_HINT": asked}
    try:
        compiled = openvino.Core().compile_model(graph, device, options)
        return compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
    except RuntimeError:
        return None


def kept(device, asked, dtype):
    """What keys and values are kept as: beside bf16, processors keep f16 as bf16 (scores are equal to the last digit)."""
    return "bf16" if device == "CPU" and dtype == "bf16" and asked == "f16" else asked


def check_model(path):
    if os.path.isdir(path):
        if not os.path.exists(os.path.join(path, "openvino_model.xml")):
            what = "a directory without openvino_model.xml: export it with optimum-cli export openvino"
            raise side.Refused("unsupported", what)
    elif not path.endswith(".gguf"):
        raise side.Refused("unsupported", "OpenVINO GenAI knows a GGUF file by its name, which must end with .gguf")


side.serve(Engine())
