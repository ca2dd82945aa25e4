"""The same prompts through lm-eval or CTranslate2, in an environment of their own.

    python3 -m venv benchmarks/.rivals
    benchmarks/.rivals/bin/pip install torch==2.13.0
    benchmarks/.rivals/bin/pip install transformers==5.23.0 lm_eval==0.4.13 ctranslate2==4.8.5
    benchmarks/.rivals/bin/pip install trl==1.16.0 peft==0.21.2     # for trainers.py

`asked` starts that environment's Python on this file, which reads a job and writes what came out;
times are of answering alone. `RIVALS` names another Python, if it is set.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

PYTHON = Path(os.environ.get("RIVALS", Path(__file__).parents[1] / ".rivals/bin/python"))


class Asked(NamedTuple):
    seconds: float
    """Of the wall, or of the processor where `processor` was asked for."""
    answers: list[Any]
    """A list of tokens for each prompt, without an end token; for pairs a log-likelihood."""


def missing() -> str | None:
    """Why the rivals cannot be asked; None where they can."""
    return None if PYTHON.exists() else f"{PYTHON} is not there; see {Path(__file__).name}"


def best_of(rival: str, batches: Sequence[int], job: dict[str, Any]) -> Asked:
    """Asked in batches of each of these sizes, the fastest counts."""
    best: Asked | None = None
    for batch in batches:
        one = asked(rival, {**job, "batch": batch})
        print(f"  {rival}, batches of {batch}: {one.seconds:.2f} s", flush=True)
        best = min(best or one, one, key=lambda some: some.seconds)
    assert best is not None
    return best


def asked(rival: str, job: dict[str, Any]) -> Asked:
    """`rival` is a name of RIVALS. A job: folder, texts or pairs, shared (words in common), new,
    batch, threads, processor (which clock)."""
    result = run(PYTHON, Path(__file__), rival, job)
    return Asked(result["seconds"], result["answers"])


def run(python: Path, script: Path, name: str, job: dict[str, Any]) -> dict[str, Any]:
    """What `script` writes that is given `name`, a file with the job, and a file to write to."""
    with tempfile.TemporaryDirectory(prefix="stepladder-rival-") as folder:
        given, found = Path(folder, "job.json"), Path(folder, "found.json")
        given.write_text(json.dumps(job), encoding="utf-8")
        command = [str(python), str(script), name, str(given), str(found)]
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        ended = subprocess.run(command, env=environment, capture_output=True, text=True)
        if ended.returncode != 0:
            raise RuntimeError(f"{name} failed:\n{ended.stderr[-2000:]}")
        result: dict[str, Any] = json.loads(found.read_text("utf-8"))
    return result


def _backend(job: dict[str, Any]) -> Any:
    """lm-eval on transformers, with a fixed batch size."""
    import torch
    from lm_eval.models.huggingface import HFLM

    torch.set_num_threads(job["threads"])
    return HFLM(job["folder"], device="cpu", dtype="float32", batch_size=job["batch"])


def _lm_eval_labels(job: dict[str, Any]) -> Callable[[], list[float]]:
    from lm_eval.api.instance import Instance

    model = _backend(job)

    def ask(pairs: Sequence[tuple[str, str]]) -> list[float]:
        instances = [
            Instance("loglikelihood", {}, tuple(pair), number) for number, pair in enumerate(pairs)
        ]
        return [total for total, _ in model.loglikelihood(instances, disable_tqdm=True)]

    ask(job["pairs"][:1])
    return lambda: ask(job["pairs"])


def _lm_eval(job: dict[str, Any]) -> Callable[[], list[list[int]]]:
    from lm_eval.api.instance import Instance

    model = _backend(job)
    settings = {"until": [], "max_gen_toks": job["new"], "do_sample": False}

    def ask(texts: Sequence[str]) -> list[list[int]]:
        instances = [
            Instance("generate_until", {}, (text, dict(settings)), number)
            for number, text in enumerate(texts)
        ]
        answers = model.generate_until(instances, disable_tqdm=True)
        return [[int(word[1:]) for word in answer.split()] for answer in answers]

    ask(job["texts"][:1])
    return lambda: ask(job["texts"])


def _ctranslate2(job: dict[str, Any]) -> Callable[[], list[list[int]]]:
    """What is shared as a static prompt, which it computes once a batch size."""
    import ctranslate2

    converted = tempfile.mkdtemp(prefix="stepladder-ct2-")
    ctranslate2.converters.TransformersConverter(job["folder"]).convert(converted, force=True)
    # A model without a begin token gets null for it there, which the reader refuses.
    settings = Path(converted, "config.json")
    known = json.loads(settings.read_text("utf-8"))
    named = {name: "</s>" if name == "bos_token" and not v else v for name, v in known.items()}
    settings.write_text(json.dumps(named), encoding="utf-8")
    generator = ctranslate2.Generator(converted, intra_threads=job["threads"])
    rows = [text.split() for text in job["texts"]]
    shared, own = rows[0][: job["shared"]], [row[job["shared"] :] for row in rows]

    def ask(prompts: Sequence[list[str]]) -> list[list[int]]:
        results = generator.generate_batch(
            prompts,
            static_prompt=shared,
            max_batch_size=job["batch"],
            max_length=job["new"],
            sampling_topk=1,
            include_prompt_in_result=False,
        )
        return [list(result.sequences_ids[0]) for result in results]

    ask(own[:1])
    return lambda: ask(own)


RIVALS: dict[str, Callable[[dict[str, Any]], Callable[[], list[Any]]]] = {
    "lm-eval": _lm_eval,
    "lm-eval labels": _lm_eval_labels,
    "ctranslate2": _ctranslate2,
}


def _main(rival: str, job: str, found: str) -> None:
    settings = json.loads(Path(job).read_text("utf-8"))
    ask = RIVALS[rival](settings)
    clock = time.process_time if settings["processor"] else time.perf_counter
    start = clock()
    answers = ask()
    result = {"seconds": clock() - start, "answers": answers}
    Path(found).write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    _main(*sys.argv[1:])
