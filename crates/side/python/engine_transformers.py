"""Hugging Face transformers behind Pacemark's side-process protocol: prompts and tokens computed with the
model's own `forward`, one call a token, so that each is stamped when it is known."""

import inspect
import os
import time

import side
import torch
import transformers

# By Pacemark's names.
DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}
# Rows of logits that are held at once while a text is scored.
ROWS = 256


class Engine:
    name = f"transformers {transformers.__version__} (torch {torch.__version__})"

    def load(self, ask, progress):
        begun = time.monotonic_ns()
        warnings = []
        self.device = choose(ask["device"], warnings)
        if ask["n_threads"] is not None:
            torch.set_num_threads(ask["n_threads"])
        options, where = source(ask["model"])
        if ask["dtype"] in ("int8", "int4"):
            options["quantization_config"] = quantized(ask["dtype"])
        elif ask["dtype"] is not None:
            options["dtype"] = DTYPES[ask["dtype"]]
        else:
            options["dtype"] = torch.float32 if "gguf_file" in options else "auto"
        model = transformers.AutoModelForCausalLM.from_pretrained(where, local_files_only=True, **options)
        if "quantization_config" not in options:
            model = model.to(self.device)
        self.model = model.eval()
        config = model.config.get_text_config()
        longest = getattr(config, "max_position_embeddings", None) or ask["n_ctx"] or 4096
        self.n_ctx = min(ask["n_ctx"] or 4096, longest)
        self.n_batch = ask["n_batch"]
        self.takes = set(inspect.signature(model.forward).parameters)
        weights = next((name for name, dtype in DTYPES.items() if dtype == model.dtype), str(model.dtype))
        warnings.append(f"keys and values are {weights}, as the model computes")
        loaded = time.monotonic_ns()
        with torch.inference_mode():
            self.forward(torch.tensor([[0]], device=self.device), None)
        warm = time.monotonic_ns()
        return {
            "device": self.device,
            "n_ctx": self.n_ctx,
            "n_seqs": ask["n_seqs"],
            "n_vocab": config.vocab_size,
            "n_threads": torch.get_num_threads(),
            "scores": True,
            "predicts": True,
            "logprobs": True,
            "batches": True,
            "kv": weights,
            "dtype": ask["dtype"] or weights,
            "load_ns": [["load", loaded - begun], ["warm", warm - loaded]],
            "warnings": warnings,
        }

    def forward(self, ids, past, mask=None, positions=None, all_rows=False):
        """Logits of the last tokens, or of all, and the keys and values until then."""
        options = {"use_cache": True, "past_key_values": past, "return_dict": True}
        if mask is not None:
            options["attention_mask"] = mask
        if positions is not None and "position_ids" in self.takes:
            options["position_ids"] = positions
        if not all_rows and "logits_to_keep" in self.takes:
            options["logits_to_keep"] = 1
        output = self.model(input_ids=ids, **options)
        return output.logits, output.past_key_values

    def prefill(self, ids, mask, positions):
        """A prompt in steps of so many tokens as were asked for."""
        past, logits = None, None
        for begin in range(0, ids.shape[1], self.n_batch):
            end = min(begin + self.n_batch, ids.shape[1])
            part = None if positions is None else positions[:, begin:end]
            seen = None if mask is None else mask[:, :end]
            logits, past = self.forward(ids[:, begin:end], past, seen, part)
        return logits[:, -1], past

    @torch.inference_mode()
    def generate(self, job):
        requests = job.requests
        choosers = [Chooser(request) for request in requests]
        ids, mask, positions = padded([request["prompt"] for request in requests], self.device)
        for index in range(len(requests)):
            job.started(index=index)
        logits, past = self.prefill(ids, mask, positions)
        open_ones = set(range(len(requests)))
        for index, request in enumerate(requests):
            if request["max_tokens"] == 0:
                open_ones.discard(index)
                job.finished(stopped=False, index=index)
        tokens = [0] * len(requests)
        while open_ones and not job.is_aborted():
            for index in sorted(open_ones):
                if job.is_aborted(index):
                    open_ones.discard(index)
                    continue
                chooser = choosers[index]
                tokens[index], logprob, top = chooser.choose(logits[index])
                job.token(tokens[index], index=index, logprob=logprob, top=top)
                if chooser.ended is not None:
                    open_ones.discard(index)
                    job.finished(stopped=chooser.ended, index=index)
            if not open_ones:
                return
            step = torch.tensor([[token] for token in tokens], device=self.device)
            if mask is not None:
                mask = torch.cat([mask, mask.new_ones(len(requests), 1)], dim=1)
                positions = positions[:, -1:] + 1
            logits, past = self.forward(step, past, mask, positions)
            logits = logits[:, -1]

    def rows(self, tokens, first):
        """Logits after each token but the last, from `first` on, some rows at a time."""
        past = None
        for begin in range(0, len(tokens) - 1, ROWS):
            end = min(begin + ROWS, len(tokens) - 1)
            ids = torch.tensor([tokens[begin:end]], device=self.device)
            logits, past = self.forward(ids, past, all_rows=True)
            if end > first:
                skipped = max(0, first - begin)
                yield begin + skipped, logits[0, skipped:].float()

    @torch.inference_mode()
    def score(self, tokens, first):
        logprobs, hits = [], []
        for at, logits in self.rows(tokens, first):
            wanted = torch.tensor(tokens[at + 1 : at + 1 + len(logits)], device=self.device)
            scores = torch.log_softmax(logits, dim=-1)
            logprobs += scores.gather(1, wanted[:, None])[:, 0].clamp(max=0.0).tolist()
            hits += (logits.argmax(dim=-1) == wanted).tolist()
        return logprobs, hits

    @torch.inference_mode()
    def predict(self, job, tokens, first):
        for at, logits in self.rows(tokens, first):
            for i, row in enumerate(logits.cpu().contiguous()):
                if job.is_aborted():
                    return
                job.row(at + i, row.numpy().astype("<f4").tobytes())


class Chooser:
    """Chooses the tokens of one request."""

    def __init__(self, request):
        self.request, self.n, self.ended = request, 0, None
        self.stops = request["stop_tokens"]
        self.random = torch.Generator().manual_seed(request["seed"] % 2**63)

    def choose(self, logits):
        """The next token, and what was asked for of its log-probabilities."""
        own = logits.float()
        wanted, logprob, top = self.request["top_logprobs"], None, []
        changed = own
        if self.n < self.request["min_tokens"] and self.stops:
            changed = own.clone()
            changed[self.stops] = float("-inf")
        token = self.sample(changed)
        if wanted is not None:
            logprobs = torch.log_softmax(own, dim=-1)
            best = torch.topk(logprobs, wanted) if wanted else None
            top = [] if best is None else list(zip(best.indices.tolist(), best.values.clamp(max=0.0).tolist()))
            logprob = min(0.0, float(logprobs[token]))
        self.n += 1
        if token in self.stops:
            self.ended = True
        elif self.n >= self.request["max_tokens"]:
            self.ended = False
        return token, logprob, top

    def sample(self, logits):
        if self.request["temperature"] <= 0:
            return int(logits.argmax())
        logits = logits.cpu() / self.request["temperature"]
        if self.request["top_k"]:
            least = torch.topk(logits, min(self.request["top_k"], len(logits))).values[-1]
            logits = logits.masked_fill(logits < least, float("-inf"))
        probabilities = torch.softmax(logits, dim=-1)
        if self.request["top_p"] < 1:
            ordered, order = probabilities.sort(descending=True)
            before = ordered.cumsum(0) - ordered
            probabilities[order[before >= self.request["top_p"]]] = 0
        return int(torch.multinomial(probabilities, 1, generator=self.random))


def padded(prompts, device):
    """Prompts in one matrix, with what is before the shorter ones masked; no mask where none is shorter."""
    longest = max(map(len, prompts))
    ids = torch.tensor([[0] * (longest - len(prompt)) + prompt for prompt in prompts], device=device)
    if all(len(prompt) == longest for prompt in prompts):
        return ids, None, None
    mask = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts], device=device)
    return ids, mask, (mask.cumsum(-1) - 1).clamp(min=0)


def choose(asked, warnings):
    """The device, by torch's name."""
    name = asked.lower()
    if name == "auto":
        for kind, there in (("cuda", torch.cuda.is_available()), ("mps", torch.backends.mps.is_available())):
            if there:
                warnings.append(f"auto: {kind}, which torch finds")
                return kind
        warnings.append("auto: cpu, since torch finds neither cuda nor mps")
        return "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise side.Refused("invalid", f"device {name}: torch {torch.__version__} finds no CUDA device")
    return name


def source(path):
    """What `from_pretrained` is given."""
    if os.path.isdir(path):
        if not os.path.exists(os.path.join(path, "config.json")):
            raise side.Refused("unsupported", "a directory without config.json")
        return {}, path
    try:
        import accelerate  # noqa: F401
        import gguf  # noqa: F401
    except ImportError as why:
        raise side.Refused("unsupported", f"GGUF files need more packages ({why}): pip install accelerate gguf") from why
    return {"gguf_file": os.path.basename(path)}, os.path.dirname(path) or "."


def quantized(dtype):
    try:
        import bitsandbytes  # noqa: F401
    except ImportError as why:
        raise side.Refused("unsupported", f"{dtype} needs bitsandbytes ({why}): pip install bitsandbytes") from why
    if dtype == "int8":
        return transformers.BitsAndBytesConfig(load_in_8bit=True)
    return transformers.BitsAndBytesConfig(load_in_4bit=True)


side.serve(Engine())
