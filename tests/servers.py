"""An OpenAI-compatible server on 127.0.0.1 that answers as FakeEngine does and fails as it is told.

    with FakeServer(key="secret") as server:
        server.play("500", "429 after 0.2", "cut")      # the next three requests for an answer
        server.address                                    # "http://127.0.0.1:40213/v1#tiny"

A token is a word with the space before it.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from stepladder.engines.fake import FakeEngine, last_line
from stepladder.records import Prompt, Sampling

Json = dict[str, Any]
OVER = "This model's maximum context length is {context} tokens, however you requested {wanted}."


@dataclass
class FakeServer:
    answer: Callable[[str], str] = last_line
    """From the text of the last turn, or the plain prompt."""
    model: str = "tiny"
    reported: str | None = "tiny-2026-11"
    key: str | None = None
    chat: bool = True
    scores: bool = True
    usage: bool = True
    lists: bool = True
    context: int | None = None
    seconds: float = 0.0
    """An answer takes."""
    slots: int = 1000
    """Answers that are worked on at once; more of them wait."""
    refuses: tuple[str, ...] = ()
    """Parameters that are answered with 400."""
    fault: Callable[[Json], str | None] = lambda request: None
    """What is to go wrong with a request."""
    echoes_key: bool = False
    """Puts the Authorization header into everything that it says."""
    asked: list[Json] = field(default_factory=list)
    """The bodies of all requests for an answer."""
    headers: list[dict[str, str]] = field(default_factory=list)
    most_at_once: int = 0

    def __enter__(self) -> Self:
        self._played: deque[str] = deque()
        self._lock, self._room = threading.Lock(), threading.Semaphore(self.slots)
        self._at_once = 0
        self.closing = threading.Event()
        handler = type("Handler", (_Handler,), {"fake": self})
        self._http = _Server(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}/v1"
        self.address = f"{self.url}#{self.model}"
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()

    def play(self, *faults: str) -> None:
        """What happens to the next requests for an answer, in turn; `ok` is no fault."""
        self._played.extend(faults)

    def next_fault(self, request: Json) -> str | None:
        with self._lock:
            self.asked.append(request)
            played = self._played.popleft() if self._played else None
        return None if played == "ok" else played or self.fault(request)

    def work(self, request: Json) -> Json:
        """A response, after its time."""
        with self._lock:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            with self._room:
                time.sleep(self.seconds)
        finally:
            with self._lock:
                self._at_once -= 1
        return self._response(request)

    def _response(self, request: Json) -> Json:
        chat = "messages" in request
        prompt = request["messages"][-1]["content"] if chat else request["prompt"]
        sampling = Sampling(
            max_new_tokens=request.get("max_tokens") or request.get("max_completion_tokens"),
            temperature=request["temperature"],
            seed=request.get("seed", 0),
            stop=tuple(request.get("stop", ())),
        )
        completion = next(FakeEngine(self.answer).generate([Prompt(prompt, ())], sampling))
        choice: Json = {
            "index": 0,
            "finish_reason": "length" if completion.finish == "length" else "stop",
            "stop_reason": "met" if completion.finish == "stop" else None,
        }
        text = completion.text
        if chat:
            choice["message"] = {"role": "assistant", "content": text}
        else:
            choice["text"] = prompt + text if request.get("echo") else text
            choice["logprobs"] = _logprobs(choice["text"]) if request.get("logprobs") else None
        response: Json = {"object": "x", "choices": [choice]}
        if self.reported is not None:
            response["model"] = self.reported
        if self.usage:
            words = {"prompt_tokens": completion.tokens_in, "completion_tokens": len(text.split())}
            response["usage"] = words
        return response


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, *_: object) -> None:
        """Clients that leave are part of the play."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    fake: FakeServer

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        if not self._known():
            return
        fake = self.fake
        rows = [{"id": fake.model, "max_model_len": fake.context}, {"id": "tiny-other"}]
        if self.path == "/v1/models" and fake.lists:
            self._json(200, {"data": rows})
        else:
            self._json(404, {"detail": "Not Found"})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        request = json.loads(body)
        self.fake.headers.append({k.lower(): v for k, v in self.headers.items()})
        ways = {"/v1/completions": True, "/v1/chat/completions": self.fake.chat}
        if not self._known():
            return
        if not ways.get(self.path) or (request.get("echo") and not self.fake.scores):
            self._json(404, {"detail": "Not Found"})
        elif request["model"] != self.fake.model:
            message = f"The model `{request['model']}` does not exist."
            self._json(404, {"error": {"message": message, "code": "model_not_found"}})
        elif refused := [p for p in self.fake.refuses if p in request]:
            told = {"message": f"Unsupported parameter: {refused[0]}", "param": refused[0]}
            self._json(400, {"error": told})
        elif self._over_context(request):
            wanted = {"context": self.fake.context, "wanted": "more"}
            self._json(400, {"error": {"message": OVER.format(**wanted), "code": 400}})
        else:
            self._answer(request, self.fake.next_fault(request))

    def _known(self) -> bool:
        key = self.fake.key
        if key is None or self.headers.get("Authorization") == f"Bearer {key}":
            return True
        said = f"Incorrect API key provided: {self.headers.get('Authorization')}"
        self._json(401, {"error": {"message": said, "code": "invalid_api_key"}})
        return False

    def _over_context(self, request: Json) -> bool:
        context = self.fake.context
        told = request.get("prompt") or " ".join(m["content"] for m in request.get("messages", ()))
        return context is not None and len(told.split()) + request["max_tokens"] > context

    def _answer(self, request: Json, fault: str | None) -> None:
        if fault == "hang":
            self.fake.closing.wait(30)
            self.close_connection = True
        elif fault == "slam":
            self.close_connection = True
        elif fault == "not json":
            self._send(200, b"<html>gateway</html>")
        elif fault == "half json":
            self._send(200, b'{"choices": [{"mess')
        elif fault == "wrong json":
            self._json(200, {"choices": []})
        elif fault == "list json":
            self._send(200, b"[1]")
        elif fault is not None and re.match(r"\d{3}", fault):
            status, _, after = fault.partition(" after ")
            said = {"message": f"told to answer {status}", **_CODES.get(status[3:].strip(), {})}
            headers = {"Retry-After": after} if after else {}
            self._json(int(status[:3]), {"error": said}, headers)
        else:
            self._whole(request, fault)

    def _whole(self, request: Json, fault: str | None) -> None:
        response = self.fake.work(request)
        if fault == "another model":
            response["model"] = "huge"
        if fault == "filter":
            response["choices"][0]["finish_reason"] = "content_filter"
        if request.get("stream"):
            self._stream(response, fault)
            return
        if self.fake.echoes_key and "message" in response["choices"][0]:
            response["choices"][0]["message"]["content"] += f" {self.headers['Authorization']}"
        body = json.dumps(response).encode()
        if fault == "cut":
            self._head(200, len(body))
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
        elif fault == "drip":
            self._head(200, len(body))
            for place in range(len(body)):
                self.wfile.write(body[place : place + 1])
                self.wfile.flush()
                if self.fake.closing.wait(0.05):
                    break
        else:
            self._send(200, body)

    def _stream(self, response: Json, fault: str | None) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        choice = response["choices"][0]
        chat = "message" in choice
        words = re.findall(r"\s*\S+", choice["message"]["content"] if chat else choice["text"])
        for number, word in enumerate(words):
            if fault == "cut" and number == len(words) // 2:
                break
            piece = {"delta": {"content": word}} if chat else {"text": word}
            self._event({"model": response.get("model"), "choices": [{"index": 0, **piece}]})
            self.fake.closing.wait(0.02 if fault == "drip" else 0)
        else:
            told = {k: choice[k] for k in ("finish_reason", "stop_reason")}
            last = {"index": 0, **told, **({"delta": {}} if chat else {"text": ""})}
            self._event({"model": response.get("model"), "choices": [last]})
            self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True

    def _event(self, data: Json) -> None:
        self.wfile.write(b"data: " + json.dumps(data).encode() + b"\n\n")
        self.wfile.flush()

    def _json(self, status: int, data: Json, headers: dict[str, str] | None = None) -> None:
        if self.fake.echoes_key:
            data["seen"] = self.headers["Authorization"]
            if isinstance(data.get("error"), dict):
                data["error"]["message"] += f" for {self.headers['Authorization']}"
        self._send(status, json.dumps(data).encode(), headers or {})

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self._head(status, len(body), headers)
        self.wfile.write(body)

    def _head(self, status: int, length: int, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(length))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()


_CODES: dict[str, Json] = {
    "quota": {"code": "insufficient_quota"},
    "filter": {"code": "content_filter"},
    "overflow": {"code": "context_length_exceeded"},
}
"""Behind a status: `429 quota`."""


def _logprobs(text: str) -> Json:
    """-1 a word, -3 for every word with an x; always beside a rival of -2."""
    found = list(re.finditer(r"\s*\S+", text))
    values = [-3.0 if "x" in m[0] else -1.0 for m in found]
    return {
        "tokens": [m[0] for m in found],
        "text_offset": [m.start() for m in found],
        "token_logprobs": [None, *values[1:]],
        "top_logprobs": [
            None,
            *({m[0]: v, "?": -2.0} for m, v in list(zip(found, values, strict=True))[1:]),
        ],
    }
