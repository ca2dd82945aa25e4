"""What a rung costs at the stated traffic, in seconds and, where the user gives prices, in money.

    prices = {"per_hour": 1.20, "per_million_tokens_in": 0.15, "per_million_tokens_out": 0.60}
    money(rung.cost, requests=100_000, prices=prices)

Requests are charged by the token where a token price is given, else by the hour; building is
always charged by the hour. A part that cannot be known makes the sum unknown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from stepladder.records import Cost, Json
from stepladder.report import units
from stepladder.study.summary import RungSummary, Summary


def known_cost(cost: Cost) -> Json:
    """The cost as plain data. Where building is unknown (a file of outputs), the zeros that stand
    for "nothing was trained, kept or labelled" are not known either and become None."""
    plain = asdict(cost)
    if cost.build_seconds is None:
        for name in ("trainable", "stored", "labels"):
            plain[name] = plain[name] or None
    return plain


def money(cost: Cost, requests: int, prices: Mapping[str, Any]) -> float | None:
    """The price of building once and answering `requests` requests, in the prices' currency."""
    by_token = [
        (prices.get(f"per_million_tokens_{way}"), tokens)
        for way, tokens in (("in", cost.tokens_in), ("out", cost.tokens_out))
    ]
    by_token = [(price, tokens) for price, tokens in by_token if price is not None]
    per_hour = prices.get("per_hour")
    parts = [_product(per_hour, cost.build_seconds, 1 / 3600)]
    if by_token:
        parts += [_product(price, tokens, requests / 1e6) for price, tokens in by_token]
    else:
        parts.append(_product(per_hour, cost.seconds, requests / 3600))
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


def against_full(summary: Summary) -> tuple[str, ...]:
    """Of each model, how much more memory training all of it took than training a part on the same
    prompts; nothing where one of them was not measured."""
    return tuple(line for model in summary.models for line in _of_model(model, summary))


def _of_model(model: str, summary: Summary) -> Iterator[str]:
    rungs = [rung for rung in summary.rungs if rung.model == model and rung.cost.peak_memory]
    whole = next((rung for rung in rungs if _trained(rung) == ["full"]), None)
    parts = [rung for rung in rungs if _trained(rung) in (["lora"], ["prompt-tuning"])]
    if whole is None or not parts:
        return
    said = []
    for part in parts:
        measured = units.part(_ratio(whole.cost.peak_memory, part.cost.peak_memory))
        foretold = _ratio(whole.cost.foretold_memory, part.cost.foretold_memory)
        told = "" if foretold is None else f" (foretold {units.part(foretold)})"
        said.append(f"{measured} times what {units.legible(part.name)} took{told}")
    yield (
        f"Training all {units.count(whole.cost.trainable)} weights, {units.legible(whole.name)}, "
        f"took {units.size(whole.cost.peak_memory)} of memory: {', '.join(said)}."
    )


def _trained(rung: RungSummary) -> list[str]:
    """What a rung of one method trains; more than one method make other prompts, or one training
    of several parts."""
    names = [method.partition("(")[0].strip() for method in rung.methods]
    return names if len(names) == 1 else []


def _ratio(more: int | None, less: int | None) -> float | None:
    return more / less if more and less else None


def _product(price: float | None, amount: float | None, scale: float) -> float | None:
    """Nothing costs nothing at any price; an unknown price or amount gives an unknown cost."""
    if amount == 0:
        return 0.0
    return None if price is None or amount is None else price * amount * scale
