"""OpenVINO GenAI behind Pacemark's side-process protocol: LLMPipeline, with token ids in and out."""

import time

import side

try:
    import numpy
    import openvino
    import openvino_genai
except ImportError as why:
    raise SystemExit(f"{why}; install it with: pip install openvino-genai") from why


class Engine:
    name = f"OpenVINO GenAI {openvino_genai.__version__}"

    def load(self, ask, progress):
        begun = time.monotonic_ns()
        options = {}
        if ask["n_threads"] is not None:
            options["INFERENCE_NUM_THREADS"] = ask["n_threads"]
        self.pipeline = openvino_genai.LLMPipeline(ask["model"], ask["device"], **options)
        self.n_ctx = ask["n_ctx"] or 4096
        return {
            "device": ask["device"],
            "n_ctx": self.n_ctx,
            "n_seqs": 1,
            "n_vocab": len(self.pipeline.get_tokenizer().get_vocab()),
            "n_threads": ask["n_threads"] or 0,
            "scores": False,
            "logprobs": False,
            "batches": False,
            "load_ns": [["load", time.monotonic_ns() - begun]],
            "warnings": [],
        }

    def generate(self, job):
        [request] = job.requests
        if request["top_logprobs"] is not None:
            raise side.Refused("unsupported", "give log-probabilities")
        config = openvino_genai.GenerationConfig()
        config.max_new_tokens = request["max_tokens"]
        config.ignore_eos = request["ignore_eos"]
        config.min_new_tokens = request["min_tokens"]
        config.apply_chat_template = False
        config.do_sample = request["temperature"] > 0
        if config.do_sample:
            config.temperature, config.rng_seed = request["temperature"], request["seed"]
            config.top_p, config.top_k = request["top_p"], request["top_k"] or 2**31 - 1
        if request["stop_tokens"]:
            config.stop_token_ids = set(request["stop_tokens"])
        ids = numpy.array([request["prompt"]], dtype=numpy.int64)
        inputs = openvino_genai.TokenizedInputs(openvino.Tensor(ids), openvino.Tensor(numpy.ones_like(ids)))
        told = Told(job)
        job.started()
        if request["max_tokens"] == 0:
            config.max_new_tokens = 1
            self.pipeline.generate(inputs, config)
        else:
            self.pipeline.generate(inputs, config, told)
        job.finished(stopped=told.n < request["max_tokens"])


class Told(openvino_genai.StreamerBase):
    """Hands each token on when it is known."""

    def __init__(self, job):
        super().__init__()
        self.job, self.n = job, 0

    def write(self, tokens):
        ns = time.monotonic_ns()
        for token in tokens if isinstance(tokens, list) else [tokens]:
            self.n += 1
            self.job.token(token, ns=ns)
        going = openvino_genai.StreamingStatus
        return going.CANCEL if self.job.is_aborted() else going.RUNNING

    def end(self):
        pass


side.serve(Engine())
