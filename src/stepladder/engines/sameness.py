"""Whether a model still answers as it did, once its weights have been written somewhere else.

    studied = observe(engine, prompts, answers, sampling)
    same = hold("as exported", other_engine, studied)     # or EngineError, naming the likely cause

Held together are the prompts as rendered and as tokens, the tokens that end an answer, whether
input and output embeddings are one matrix, the log-likelihoods of given answers (within 1e-3 nats)
and greedy answers token by token. An answer may differ after a step at which the two best tokens
all but tie (`HFEngine.near_ties`), since other sums of the same numbers round otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from stepladder.checkpoints import encode_prompt
from stepladder.contracts import Engine
from stepladder.engines.hf import HFEngine
from stepladder.errors import CheckpointError, EngineError
from stepladder.records import Prompt, Sampling

TOLERANCE = 1e-3
"""Nats by which the log-likelihood of a whole answer may differ, in float32."""


@dataclass(frozen=True)
class Observed:
    """What a model does with some prompts."""

    prompts: tuple[Prompt, ...]
    answers: tuple[str, ...]
    sampling: Sampling
    rendered: tuple[str, ...]
    ids: tuple[tuple[int, ...], ...]
    ends: tuple[int, ...]
    tied: bool
    likelihoods: tuple[float, ...]
    """Of each given answer after its prompt, nats."""
    tokens: tuple[tuple[int, ...], ...]
    """Greedy, by prompt."""


class Sameness(NamedTuple):
    """How closely a form of a model was found to be another."""

    form: str
    items: int
    ties: int
    """Answers that differ after a step at which two tokens all but tied."""
    gap: float
    """Largest difference between two log-likelihoods of a whole answer, nats."""


def observe(
    engine: HFEngine,
    prompts: Sequence[Prompt],
    answers: Sequence[str],
    sampling: Sampling,
    *,
    asked_through: Engine | None = None,
) -> Observed:
    """Asks every prompt by `sampling`, which is greedy, and scores the given answer to it.

    `asked_through` stands in for the engine where answers may be known already.
    """
    rendered, ids = _read(engine, prompts)
    return Observed(
        prompts=tuple(prompts),
        answers=tuple(answers),
        sampling=sampling,
        rendered=rendered,
        ids=ids,
        ends=_ends(engine),
        tied=_tied(engine),
        likelihoods=_likelihoods(engine, prompts, answers),
        tokens=_greedy(asked_through or engine, prompts, sampling),
    )


def hold(form: str, engine: HFEngine, studied: Observed) -> Sameness:
    """Asks `engine` the same, cheapest question first. Raises EngineError, which names the likely
    cause, at the first difference."""
    rendered, ids = _read(engine, studied.prompts)
    if rendered != studied.rendered:
        raise _other(form, "chat template", "the prompts are rendered otherwise")
    if ids != studied.ids:
        raise _other(form, "tokenizer", "the same prompts are other tokens")
    try:
        ends, tied = _ends(engine), _tied(engine)
    except CheckpointError as error:
        if not studied.tied:
            raise
        raise _other(form, "tied embeddings", f"it cannot be loaded: {error}") from error
    if tied != studied.tied:
        said = "are one matrix no more" if studied.tied else "have become one matrix"
        raise _other(form, "tied embeddings", f"input and output embeddings {said}")
    if ends != studied.ends:
        raise _other(form, "end token", f"answers end at {ends} instead of {studied.ends}")
    gap = _largest_gap(form, engine, studied)
    return Sameness(form, len(studied.prompts), _ties(form, engine, studied), gap)


def _largest_gap(form: str, engine: HFEngine, studied: Observed) -> float:
    found = _likelihoods(engine, studied.prompts, studied.answers)
    gaps = [abs(a - b) for a, b in zip(found, studied.likelihoods, strict=True)]
    gap = max(gaps, default=0.0)
    if not gap <= TOLERANCE:  # nan is no agreement
        raise _other(
            form,
            "the weights themselves",
            f"log-likelihoods of the same answers differ by up to {gap:.3g} nats",
        )
    return gap


def _ties(form: str, engine: HFEngine, studied: Observed) -> int:
    """Answers that differ by a tie; each is asked again alone, to see whether it is one."""
    found = _greedy(engine, studied.prompts, studied.sampling)
    ties = 0
    for prompt, before, now in zip(studied.prompts, studied.tokens, found, strict=True):
        if before == now:
            continue
        known = engine.near_ties
        _greedy(engine, [prompt], studied.sampling)
        if engine.near_ties == known:
            raise _other(
                form,
                "the weights themselves",
                f"greedy tokens differ without a tie ({list(now)[:8]}, {list(before)[:8]})",
            )
        ties += 1
    return ties


def _read(
    engine: HFEngine, prompts: Sequence[Prompt]
) -> tuple[tuple[str, ...], tuple[tuple[int, ...], ...]]:
    rendered = tuple(engine.render(prompt) for prompt in prompts)
    return rendered, tuple(tuple(encode_prompt(engine.tokenizer, prompt)) for prompt in prompts)


def _ends(engine: HFEngine) -> tuple[int, ...]:
    return tuple(engine.model.generation_config.eos_token_id)


def _tied(engine: HFEngine) -> bool:
    out = engine.model.get_output_embeddings()
    return out is not None and out.weight is engine.model.get_input_embeddings().weight


def _likelihoods(
    engine: HFEngine, prompts: Sequence[Prompt], answers: Sequence[str]
) -> tuple[float, ...]:
    pairs = list(zip(prompts, answers, strict=True))
    return tuple(found.total for found in engine.log_likelihood(pairs))


def _greedy(
    engine: Engine, prompts: Sequence[Prompt], sampling: Sampling
) -> tuple[tuple[int, ...], ...]:
    found = {c.index: c.tokens for c in engine.generate(prompts, sampling)}
    return tuple(found[index] for index in range(len(prompts)))


def _other(form: str, cause: str, what: str) -> EngineError:
    return EngineError(f"{form}, the model answers otherwise: {what}; likely cause: {cause}")
