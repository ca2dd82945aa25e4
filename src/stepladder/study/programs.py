"""What became of a rung's programs, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from stepladder.adaptation.readers import FATES
from stepladder.contracts import Floats, Metric
from stepladder.records import Example, Generation
from stepladder.study.summary import PROGRAM_FATES, ProgramFate, Programs

_BY_CAUSE: Mapping[str, ProgramFate] = {
    cause: fate for fate in PROGRAM_FATES for known, cause in FATES.items() if known == fate
}


def count_programs(
    items: Sequence[Example],
    generations: Mapping[str, Generation],
    metric: Metric,
    statistics: Floats,
) -> Programs | None:
    """The counts over these items, whose rows of the deciding metric are `statistics`; None where
    no programs were run. A prompt that was too long has no program, and is not counted here."""
    fates: Counter[ProgramFate] = Counter()
    for item, row in zip(items, statistics, strict=True):
        generation = generations.get(item.id)
        if generation is None or not generation.runs:
            continue
        if generation.failure is not None:
            fates[_BY_CAUSE.get(generation.failure.cause, "wrong answer")] += 1
        else:
            full = row[0] == 1 if metric.mean else generation.answer in item.references
            fates["right" if full else "wrong answer"] += 1
    if not fates:
        return None
    kept = [generations[item.id] for item in items if item.id in generations]
    runs = [run for generation in kept for run in generation.runs]
    seconds = sum(run.seconds for run in runs)
    whole = [g.seconds for g in kept if g.runs]
    writing = sum(s for s in whole if s is not None) - seconds
    return Programs(
        fates={fate: fates[fate] for fate in PROGRAM_FATES if fates[fate]},
        reasons=dict(Counter(run.detail for run in runs if run.fate == "refused").most_common(10)),
        run=sum(run.sandbox is not None for run in runs),
        seconds=seconds,
        share=seconds / writing if writing > 0 and None not in whole else None,
    )
