"""How much faster an endpoint is asked by adaptive concurrency than one request after the other.

    python benchmarks/endpoint.py

The server is the tests' own, on 127.0.0.1: an answer takes 50 ms there, and so many are worked on
at once. Sequential asks a part of the prompts, and both give requests a second from one run. Texts
are compared. BENCH=quick asks fewer.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import kit
from servers import FakeServer
from stepladder.checkpoints import read_address
from stepladder.engines.endpoint import EndpointEngine, find_out
from stepladder.records import Prompt, Sampling

SECONDS = 0.05
PROMPTS = kit.quick(400, 200)
SEQUENTIAL = kit.quick(60, 20)
SAMPLING = Sampling(max_new_tokens=8)


def rate(engine: EndpointEngine, count: int) -> tuple[float, list[str]]:
    """Requests a second, and the answers in order."""
    prompts = [Prompt(f"word{i}", ()) for i in range(count)]
    started = time.perf_counter()
    found = sorted(engine.generate(prompts, SAMPLING), key=lambda c: c.index)
    return count / (time.perf_counter() - started), [c.text for c in found]


def main() -> None:
    print(f"{os.cpu_count()} cores; {SECONDS * 1000:.0f} ms an answer")
    for slots in (1, 4, 16, 1000):
        with FakeServer(seconds=SECONDS, slots=slots) as server:
            endpoint = find_out(read_address(server.address), SAMPLING)
            one, alone = rate(EndpointEngine(endpoint, most=1), SEQUENTIAL)
            many, texts = rate(EndpointEngine(endpoint), PROMPTS)
        print(
            f"{slots:>5} at once: {one:5.1f} /s one by one, {many:6.1f} /s adaptive, "
            f"{many / one:5.1f}x; same texts: {texts[:SEQUENTIAL] == alone}; "
            f"most under way {server.most_at_once}"
        )


if __name__ == "__main__":
    main()
