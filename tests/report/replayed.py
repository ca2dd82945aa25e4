"""What a search for a share of replay might have found."""

from __future__ import annotations

from stepladder.study.forgetting import GuardDrop, TextRise
from stepladder.study.shares_found import Build, Share, SharesFound, Standing


def guard(drop: float, name: str = "echo", max_drop: float | None = 0.05) -> GuardDrop:
    most = drop + 0.02
    return GuardDrop(
        guard=name,
        metric="accuracy",
        before=0.9,
        after=0.9 - drop,
        drop=drop,
        low=drop - 0.01,
        high=drop + 0.01,
        most=most,
        max_drop=max_drop,
        n=300,
        missing=0,
        refusal=None if max_drop is None or most <= max_drop else f"on {name} it falls",
    )


def share(
    value: float, losses: list[float], standing: Standing, of: float, name: str = "echo"
) -> Share:
    text = TextRise("held.txt", 2.5, 2.5 + losses[0], None, None, 14, 9000)
    builds = tuple(
        Build(
            seed,
            value + seed,
            (guard(loss, name), guard(loss / 2, f"{name} beside", None)),
            (name,) if standing == "beyond" else (),
            text,
        )
        for seed, loss in enumerate(losses)
    )
    rung = f"full(replay={of:g})" if of else "full"
    return Share(of, rung, builds, standing)


def found(name: str = "echo") -> SharesFound:
    return SharesFound(
        task="notes",
        model="embedded",
        method="full",
        deciding="rougeL",
        better="higher",
        items=150,
        seeds=2,
        base=23.5,
        shares=(
            share(97.0, [0.30, 0.34], "beyond", 0.0, name),
            share(98.0, [0.12, 0.14], "beyond", 0.05, name),
            share(96.0, [0.01, 0.03], "within", 0.1, name),
            share(95.0, [0.02, 0.04], "within", 0.2, name),
            Share(0.4, "full(replay=0.4)", (), "not tried"),
        ),
    )
