"""Against `transformers serve`, a server that nobody here wrote, on a local folder."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from stepladder.checkpoints import read_address
from stepladder.engines.endpoint import EndpointEngine, find_out
from stepladder.engines.hf import HFEngine
from stepladder.engines.opening import find_model
from stepladder.records import Prompt, Sampling, Turn

pytestmark = pytest.mark.slow

TEMPLATE = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant:"
SERVE = "from transformers.cli.transformers import main; main()"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def folder(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with a chat template, which the server needs."""
    copy = tmp_path_factory.mktemp("served") / "tiny-chat"
    shutil.copytree(tiny_llama, copy)
    (copy / "chat_template.jinja").write_text(TEMPLATE)
    return copy


@pytest.fixture(scope="module")
def address(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    for needed in ("fastapi", "uvicorn", "opentelemetry"):
        if find_spec(needed) is None:
            pytest.skip(f"transformers serve needs {needed}: pip install 'transformers[serving]'")
    port, home = free_port(), tmp_path_factory.mktemp("hub")
    (home / "hub").mkdir()  # the list of models fails without it
    log = (home / "log").open("w+")
    server = subprocess.Popen(
        [sys.executable, "-c", SERVE, "serve", "--host", "127.0.0.1", "--port", str(port)],
        env={**os.environ, "HF_HOME": str(home), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        give_up = time.monotonic() + 240
        while not listens(port):
            log.seek(0)
            assert server.poll() is None, log.read()
            assert time.monotonic() < give_up
            time.sleep(0.3)
        yield f"http://127.0.0.1:{port}/v1#{folder}"
    finally:
        server.terminate()
        server.wait(30)
        log.close()


def test_its_answers_are_those_of_the_model(address: str, folder: Path) -> None:
    endpoint = find_out(read_address(address), Sampling())
    assert endpoint.capabilities.chat
    assert endpoint.reported is not None
    texts = ["the cat sat", "a dog", "Input: the dog ran"]
    prompts = [Prompt(text, (Turn("user", text),)) for text in texts]
    sampling = Sampling(max_new_tokens=12)
    served = {c.index: c for c in EndpointEngine(endpoint).generate(prompts, sampling)}
    local = find_model(str(folder))
    for expected in HFEngine(local).generate(prompts, sampling):  # type: ignore[arg-type]
        found = served[expected.index]
        assert found.failure is None
        assert found.text.strip() == expected.text.strip()
        assert found.finish == expected.finish
        assert found.tokens_in in (None, expected.tokens_in)


def test_it_streams(address: str) -> None:
    engine = EndpointEngine(find_out(read_address(address), Sampling()))
    prompt = Prompt("", (Turn("user", "the cat"),))
    pieces, shown = engine.stream(prompt, Sampling(max_new_tokens=12)), []
    whole = next(engine.generate([prompt], Sampling(max_new_tokens=12)))
    shown += list(pieces)
    # Its stream holds back half a character at the end of an answer that is cut.
    assert "".join(shown) == whole.text.rstrip("\ufffd")
