"""A completions server in this process, as llama.cpp's or vLLM's: a small model whose answers are cut to k.

Speaks what their documentation says and does wrong what it is told to do wrong.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import torch

MODEL = "tiny-base"


@dataclass
class Manners:
    """How the server behaves; changed by a test while it runs."""

    kind: str = "llama.cpp"
    most: int | None = None
    """Longest list of log-probabilities that it gives."""
    faults: list[int] = field(default_factory=list)
    """Status codes of the next replies, before it behaves."""
    dies_after: int | None = None
    """Completions that it answers before it is always busy."""
    mute: bool = False
    by_text: bool = False
    processed: bool = False
    """Biases are counted into the log-probabilities."""
    foreign: bool = False
    """Its ids mean something else."""
    sleepy: threading.Event | None = None
    """Answers wait for it."""
    asked: list[tuple[str, Any]] = field(default_factory=list)
    """Path and body of every request."""

    @property
    def completions(self) -> list[Any]:
        return [body for path, body in self.asked if path.endswith(("/completion", "/completions"))]


class Model:
    """Log-probabilities of the next token."""

    def __init__(self, folder: Path) -> None:
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self.module = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self._known: dict[tuple[int, ...], torch.Tensor] = {}
        self._lock = threading.Lock()

    def logits(self, prompt: list[int]) -> torch.Tensor:
        key = tuple(prompt)
        with self._lock:
            if key not in self._known:
                with torch.inference_mode():
                    self._known[key] = self.module(torch.tensor([prompt])).logits[0, -1].float()
            return self._known[key]

    def place(
        self, prompt: list[int], k: int, bias: dict[int, float], *, processed: bool
    ) -> tuple[int, float, list[tuple[int, float]]]:
        """The token written, its log-probability, the k likeliest with theirs."""
        raw = self.logits(prompt)
        biased = raw.clone()
        for token, value in bias.items():
            biased[token] += value
        told = (biased if processed else raw).log_softmax(-1)
        chosen = int(biased.argmax())
        best = told.topk(min(k, len(told)))
        return (
            chosen,
            float(told[chosen]),
            list(zip(best.indices.tolist(), best.values.tolist(), strict=True)),
        )


@contextmanager
def serving(model: Model, manners: Manners) -> Iterator[str]:
    """The address of a running server."""

    class Handler(_Handler):
        pass

    Handler.model, Handler.manners = model, manners
    server = _Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """A client that has gone away is no error here."""


class _Handler(BaseHTTPRequestHandler):
    model: Model
    manners: Manners
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.manners.asked.append((self.path, None))
        self._send(200, {"data": [{"id": MODEL}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        manners = self.manners
        manners.asked.append((self.path, body))
        if manners.sleepy is not None:
            manners.sleepy.wait(20)
        if manners.faults:
            self._send(manners.faults.pop(0), {"error": {"message": "told to fail"}})
        elif self.path == "/detokenize":
            self._send(200, self._spelled(body["tokens"]))
        elif manners.dies_after is not None and len(manners.completions) > manners.dies_after:
            self._send(503, {"error": {"message": "overloaded"}})
        elif manners.kind == "llama.cpp" and self.path == "/completion":
            self._send(200, self._llama(body))
        elif manners.kind == "vllm" and self.path == "/v1/completions":
            self._vllm(body)
        else:
            self._send(404, {"error": {"message": "no such path"}})

    def _spelled(self, ids: list[int]) -> dict[str, str]:
        ids = [token + self.manners.foreign for token in ids]
        text = self.model.tokenizer.decode(ids, clean_up_tokenization_spaces=False)
        return {"content": text, "prompt": text}

    def _place(self, prompt: list[int], k: int, bias: dict[int, float]) -> Any:
        k = min(k, self.manners.most or k)
        return self.model.place(prompt, k, bias, processed=self.manners.processed)

    def _llama(self, body: dict[str, Any]) -> Any:
        assert body["n_predict"] == 1
        assert body["post_sampling_probs"] is False
        bias = {int(token): value for token, value in body["logit_bias"]}
        answers = []
        for index, prompt in enumerate(body["prompt"]):
            chosen, own, best = self._place(prompt, body["n_probs"], bias)
            place = {"id": chosen, "logprob": own, "token": "?"}
            place["top_logprobs"] = [{"id": token, "logprob": value} for token, value in best]
            # As the real one, silent about a token that is no whole character.
            whole = "�" not in self.model.tokenizer.decode([chosen])
            one: dict[str, Any] = {"index": index, "content": "?"}
            if not self.manners.mute:
                one["completion_probabilities"] = [place] if whole else []
            answers.insert(0, one)  # in any order
        return answers if len(answers) > 1 else answers[0]

    def _vllm(self, body: dict[str, Any]) -> None:
        if body["model"] != MODEL:
            self._send(404, {"error": {"message": f"The model `{body['model']}` does not exist."}})
            return
        if body["logprobs"] > (self.manners.most or body["logprobs"]):
            self._send(400, {"error": {"message": "logprobs is greater than max allowed"}})
            return
        assert body["max_tokens"] == 1
        bias = {int(token): value for token, value in (body["logit_bias"] or {}).items()}
        choices = []
        for index, prompt in enumerate(body["prompt"]):
            chosen, own, best = self._place(prompt, body["logprobs"], bias)
            listed = {self._name(token): value for token, value in [*best, (chosen, own)]}
            told = {"tokens": [self._name(chosen)], "token_logprobs": [own], "top_logprobs": [listed]}
            choices.append({"index": index, "text": "?", "logprobs": None if self.manners.mute else told})
        self._send(200, {"choices": choices})

    def _name(self, token: int) -> str:
        return self.model.tokenizer.decode([token]) if self.manners.by_text else f"token_id:{token}"

    def _send(self, status: int, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
