"""Summaries as a study could end with: a full one with all that can go wrong, an undecided one, a
single rung, and one in which nothing was measured."""

from __future__ import annotations

from dataclasses import replace

from stepladder.records import Cost, ProgramRun, Score
from stepladder.study.forgetting import Forgetting, GuardDrop, TextRise
from stepladder.study.spread import RungSpread, Spread
from stepladder.study.summary import (
    Comparison,
    Crossover,
    Departure,
    Programs,
    Race,
    RungSummary,
    ShownAnswer,
    ShownItem,
    Summary,
    Verdict,
)

HOSTILE = "</script></style><img src=x onerror=alert(1)> & \"quoted\" '{{ 7 * 7 }}' \x1b[31mred\x00"
UNBROKEN = "Donaudampfschifffahrtsgesellschaft" * 9
RTL = "שלום עולם \u202eevil\u202c مرحبا بالعالم"
DIALOGUE = "\n".join(
    f"#Person{1 + i % 2}#: {line}"
    for i, line in enumerate(
        [
            "Ms. Dawson, I need you to take a dictation for me.",
            "Yes, sir. Go ahead.",
            "This should go out as an intra-office memorandum to all employees by this afternoon.",
            "Yes, sir. Go ahead.",
            "Effective immediately, all office communications are restricted to email "
            "correspondence and official memos. The use of instant messaging by employees during "
            "working hours is strictly prohibited.",
            "Sir, does this apply to intra-office communications only? Or will it also restrict "
            "external communications?",
            "It should apply to all communications, not only in this office between employees, "
            "but also any external communications.",
        ]
    )
)
REFERENCES = (
    "Ms. Dawson helps #Person1# to write a memo to inform every employee that they have to change "
    "the communication method and should not use instant messaging anymore.",
    "In order to prevent employees from wasting time, #Person1# asks Ms. Dawson to write a memo.",
    "Ms. Dawson takes a dictation for #Person1# about prohibiting instant messaging at work.",
)


def score(metric: str, value: float | None, half: float = 0.016, n: int = 200) -> Score:
    low, high = (None, None) if value is None else (value - half, value + half * 1.1)
    details = {}
    if value is not None and metric.startswith("rouge"):
        details = {"precision": value * 1.12, "recall": value * 0.94}
    return Score(
        metric=metric,
        value=value,
        low=low,
        high=high,
        n=n,
        signature=f"{metric}|stemmer:yes|tokenizer:a-z|references:best|rouge-score:0.1.2|scale:0-1",
        details=details,
    )


def scores(rouge_l: float) -> dict[str, Score]:
    return {
        "rougeL": score("rougeL", rouge_l),
        "rouge1": score("rouge1", rouge_l * 1.19),
        "rouge2": score("rouge2", rouge_l * 0.46, 0.012),
    }


def rung(
    name: str, value: float, cost: Cost, model: str = "embedded", **more: object
) -> RungSummary:
    fields: dict[str, object] = {
        "failures": {},
        "missing": 0,
        "cut_share": 0.035,
        "lower": value - 0.043,
        "upper": value + 0.047,
        "notes": (),
        "prompt": f"Summarize the following conversation.\n\nInput: {DIALOGUE}\nOutput:",
    }
    return RungSummary(
        name=name,
        model=model,
        methods=tuple(name.split(": ")[-1].split(" + ")),
        state="measured",
        error=None,
        metrics=scores(value),
        cost=cost,
        **{**fields, **more},  # type: ignore[arg-type]
    )


def asking(seconds: float, tokens_in: float = 212.4, labels: int = 0) -> Cost:
    return Cost(labels=labels, tokens_in=tokens_in, tokens_out=31.7, seconds=seconds)


def trained(build: float, trainable: int, stored: int, seconds: float = 0.043) -> Cost:
    return Cost(
        build_seconds=build,
        peak_memory=1_342_177_280,
        foretold_memory=1_258_291_200,
        foretold_seconds=0.9 * build,
        foretold_request=0.28,
        trainable=trainable,
        stored=stored,
        labels=1_100,
        tokens_in=212.4,
        tokens_out=24.2,
        seconds=seconds,
    )


PROVENANCE = {
    "data": {
        "train": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "test": "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752",
    },
    "packages": {"torch": "2.13.0", "transformers": "5.23.0", "sacrebleu": "2.6.0"},
    "git": {"commit": "15d8b78", "dirty": False},
    "machine": {"processor": "x86_64", "cores": 2, "memory_bytes": 8_350_000_000, "gpu": None},
    "sampling": {"max_new_tokens": 50, "temperature": 0.0, "stop": []},
    "models": [
        {"name": "embedded", "fingerprint": "ab12" * 16},
        {"name": "google/flan-t5-base", "fingerprint": "cd34" * 16},
    ],
    "work": {"requests": 1_000, "from_ledger": 200, "trainings": 2},
    "hostile": HOSTILE,
}
TASK = {
    "name": "dialogsum",
    "instruction": "Summarize the following conversation.",
    "rows": {"train": 1_000, "dev": 100, "test": 200},
    "notes": ["dev was made by a seeded hash of the example, 10 %"],
}
T5 = "google/flan-t5-base"


def full() -> Summary:
    """Two models, a failed rung, outputs of unknown cost, ten items, hostile texts."""
    rungs = (
        rung("embedded: zero-shot", 0.163, asking(0.041), failures={"prompt over the context": 2}),
        rung(
            "embedded: few-shot(3, nearest=bm25)",
            0.214,
            asking(0.092, 804.0, labels=1_000),
            notes=("1 of 3 demonstrations was dropped for all items: they did not fit.",),
            failures={"prompt over the context": 7, HOSTILE: 1},
            missing=3,
        ),
        rung(
            "embedded: lora(rank=16) + few-shot(1)", 0.287, trained(2_040, 294_912, 1_204_224, 0.06)
        ),
        replace(
            rung(f"{T5}: full", 0.0, trained(0, 0, 0), T5),
            state="failed",
            error="out of memory at batch_size=8; lower batch_size or use lora",
            metrics={},
            lower=None,
            upper=None,
            cut_share=None,
            prompt=None,
        ),
        rung(f"{T5}: lora", 0.341, trained(11_400, 1_769_472, 7_110_000, 0.31), T5),
        replace(
            rung("outputs: bart-large.jsonl", 0.362, Cost(build_seconds=None), "outputs"),
            methods=(),
            cut_share=None,
            prompt=None,
        ),
    )
    return Summary(
        study="dialogsum-<b>two models</b>",
        verdict=Verdict(
            kind="reached",
            rung=f"{T5}: lora",
            sentence=f"{T5}: lora is the cheapest rung shown to reach rougeL 29.0.",
            alpha=0.05,
            notes=("google/flan-t5-base: full failed to build; the verdict is over the others.",),
        ),
        rungs=rungs,
        deciding="rougeL",
        target=0.29,
        margin=None,
        requests=100_000,
        task=TASK,
        comparisons=comparisons(rungs),
        items=tuple(item(i, rungs) for i in range(10)),
        crossover=Crossover(
            first="embedded: lora(rank=16) + few-shot(1)",
            second=f"{T5}: lora",
            requests=None,
            sentence="embedded: lora(rank=16) + few-shot(1) costs less at any traffic.",
        ),
        provenance=PROVENANCE,
        prices={"per_hour": 1.2},
    )


def comparisons(rungs: tuple[RungSummary, ...]) -> tuple[Comparison, ...]:
    measured = sorted(
        (r for r in rungs if r.metrics), key=lambda r: -(r.metrics["rougeL"].value or 0)
    )
    pairs = []
    for i, better in enumerate(measured):
        for worse in measured[i + 1 :]:
            d = (better.metrics["rougeL"].value or 0) - (worse.metrics["rougeL"].value or 0)
            p = 0.0001 if d > 0.03 else 0.0312
            pairs.append(
                Comparison(better.name, worse.name, d, d - 0.014, d + 0.015, p, min(1.0, p * 10))
            )
    return tuple(pairs)


def item(index: int, rungs: tuple[RungSummary, ...]) -> ShownItem:
    said = [
        "Ms. Dawson writes a memo to every employee that instant messaging is prohibited.",
        "#Person1# asks Ms. Dawson to take a dictation.",
        REFERENCES[0],
        HOSTILE,
        UNBROKEN,
        RTL,
    ]
    answers = {}
    for k, one in enumerate(rungs):
        if one.state == "failed":
            continue
        failure = "prompt over the context" if (index + k) % 9 == 8 else None
        text = "" if failure else said[(index + (0 if k == 4 else k)) % len(said)]
        answers[one.name] = ShownAnswer(text, failure)
    question = DIALOGUE if index % 3 else "Is the sky blue?"
    return ShownItem(f"test_{index}", question, REFERENCES[: 1 + index % 3], answers)


def undecided() -> Summary:
    """A margin instead of a target, close rungs, cost within one order of magnitude."""
    rungs = (
        rung("zero-shot", 0.2982, asking(0.041), lower=None, upper=None),
        rung("one-shot", 0.3011, asking(0.052), lower=None, upper=None),
        rung("few-shot(3)", 0.3023, asking(0.0535), lower=None, upper=None),
        rung("few-shot(4)", 0.3031, asking(0.0548), lower=None, upper=None),
        rung("few-shot(5)", 0.3019, asking(0.0561), lower=None, upper=None),
        rung("lora", 0.3105, trained(310, 294_912, 1_204_224, 0.042), lower=None, upper=None),
    )
    return Summary(
        study="close",
        verdict=Verdict(
            kind="undecided",
            rung=None,
            sentence="Undecided: about 640 more test items would settle which rung is the cheapest "
            "within 1.0 points of the others.",
            alpha=0.05,
            more_items=640,
        ),
        rungs=rungs,
        deciding="rougeL",
        target=None,
        margin=0.01,
        requests=1_000,
        task=TASK,
        comparisons=comparisons(rungs),
        items=tuple(item(i, rungs) for i in range(3)),
        crossover=Crossover(
            "one-shot", "lora", 31_000, "From 31,000 requests on, lora costs less than one-shot."
        ),
        provenance=PROVENANCE,
    )


def single() -> Summary:
    """One rung, no failures, no comparisons; a measure where lower is better."""
    ter = Score("ter", 61.3, 58.9, 63.9, 500, "TER|nrefs:1|v:2.6.0", "lower", 1.0)
    only = replace(
        rung("zero-shot", 0.6, asking(0.4)), metrics={"ter": ter}, lower=0.583, upper=0.644
    )
    return Summary(
        study="one",
        verdict=Verdict(
            "not-reached", None, "Not reached: zero-shot is shown to miss TER 40.0.", 0.05
        ),
        rungs=(replace(only, lower=56.1, upper=66.8),),
        deciding="ter",
        target=40.0,
        margin=None,
        requests=100_000,
        task={"name": "tatoeba"},
        items=(ShownItem("1", "Hej!", ("Hello!",), {"zero-shot": ShownAnswer("Hello!", None)}),),
    )


def unmeasured() -> Summary:
    """The only rung failed to build."""
    whole = full()
    return replace(
        whole,
        rungs=(whole.rungs[3],),
        verdict=Verdict("undecided", None, "Undecided: no rung was measured.", 0.05),
        comparisons=(),
        items=(),
        crossover=None,
        prices={},
    )


def stopped() -> Summary:
    """A target reached early, so that a costlier rung was not built."""
    whole = undecided()
    skipped = replace(
        whole.rungs[5], state="skipped", metrics={}, cost=Cost(), cut_share=None, prompt=None
    )
    return replace(
        whole,
        study="stopped",
        rungs=(replace(whole.rungs[0], lower=0.26), skipped),
        target=0.25,
        margin=None,
        verdict=Verdict("reached", "zero-shot", "zero-shot reaches rougeL 25.0.", 0.05),
        comparisons=(),
        items=(),
        crossover=None,
    )


def raced() -> Summary:
    """Rungs that left at different numbers of items; the winner was not asked to the end either."""
    whole = stopped()
    left = rung("few-shot(3)", 0.2, asking(0.05))
    left = replace(left, metrics={"rougeL": score("rougeL", 0.2, n=40)})
    won = replace(whole.rungs[0], metrics={"rougeL": score("rougeL", 0.31, n=90)})
    return replace(
        whole,
        study="raced",
        rungs=(left, won, whole.rungs[1]),
        comparisons=(Comparison("zero-shot", "few-shot(3)", 0.11, 0.05, 0.16, 0.01, 0.01, n=40),),
        race=Race(
            items=200,
            departures=(
                Departure("few-shot(3)", "missed", 40, "at most 24.4: it misses rougeL 25.0"),
                Departure("zero-shot", "won", 90, "at least 25.2: it reaches rougeL 25.0"),
                Departure("lora", "left out", 0, "zero-shot, predicted to cost less, reaches it"),
            ),
            requests=130,
            requests_saved=470,
            trainings_saved=1,
            seconds_saved=321.4,
        ),
    )


def unfinished() -> Summary:
    """Stopped half-way: partial numbers, a rung that was not come to, no verdict."""
    sentence = "Not finished: partial results, 130 answers so far, and no verdict yet."
    whole = raced()
    return replace(
        whole,
        study="unfinished",
        verdict=Verdict("unfinished", None, sentence, 0.05),
        comparisons=(),
    )


def programmed() -> Summary:
    """A rung that writes programs, one of them hostile, one refused, one that printed."""
    whole = undecided()
    runs = (
        ProgramRun("apples = 7\nanswer = apples * 2", "answered", "14", "", "", "monty", 0.0003),
        ProgramRun(HOSTILE, "syntax", "", "", HOSTILE, "monty", 0.0001),
        ProgramRun("print('half')\nimport pandas", "refused", "", "half", "no pandas", "monty"),
    )
    first, *rest = whole.rungs
    fates = {"right": 120, "wrong answer": 60, "syntax": 19, "refused": 1}
    rungs = (
        replace(first, programs=Programs(fates, {"no pandas": 1}, 200, 0.06, 0.0123)),
        *rest,
    )
    items = []
    for index, shown in enumerate(whole.items):
        run = runs[index % len(runs)]
        failure = None if run.fate == "answered" else f"program: {run.fate}"
        mine = {**shown.answers, first.name: ShownAnswer(run.answer or HOSTILE, failure, (run,))}
        items.append(replace(shown, answers=mine))
    return replace(whole, study="programmed", rungs=rungs, items=tuple(items))


def guarded() -> Summary:
    """A rung that is refused for what it forgot, and one that is owed a guard's answers."""
    whole = undecided()
    *others, last = whole.rungs
    refusal = "on echo it falls by 30.0 points (100.0 before and 70.0 after)"
    drop = GuardDrop("echo", "accuracy", 1.0, 0.7, 0.3, 0.24, 0.37, 0.4012, 0.1, 200, 0)
    owed = replace(drop, after=None, drop=None, low=None, high=None, missing=3)
    text = TextRise(HOSTILE, 1.25, 1.5, 0.2, 0.31, 12, 9_000)
    rungs = (
        *others[:-1],
        replace(others[-1], forgetting=Forgetting((replace(owed, refusal="3 are missing"),))),
        replace(last, forgetting=Forgetting((replace(drop, refusal=refusal),), text)),
    )
    return replace(whole, study="guarded", rungs=rungs)


def seeded() -> Summary:
    """Over nine seeds: a rung with a spread beyond what decided, and one whose build failed."""
    whole = full()
    few, winner = whole.rungs[1].name, whole.rungs[4].name
    values = (0.341, 0.262, 0.3, 0.333, 0.352, 0.29, 0.31, 0.327, 0.348)
    hole = (0.214, None, *(0.2 + i / 100 for i in range(7)))
    warning = (
        f"The 9 builds of {winner} lie 9.0 points apart, more than the 5.1 points that decided."
    )
    spread = Spread(
        seeds=tuple(range(9)),
        rungs=(RungSpread.of(few, 200, hole), RungSpread.of(winner, 200, values)),
        sentences=(
            "A spread of 9 builds on the same items. It is no interval of the population.",
            f"{few} (seed 1) failed to build: {HOSTILE}",
            "The further seeds took 8 trainings and 3,200 requests, which is on no rung's bill.",
        ),
        warnings=(warning,),
        trainings=8,
        requests=3_200,
        seconds=None,
    )
    return replace(whole, study="seeded", spread=spread)


def unseeded() -> Summary:
    """Further seeds were asked for, and nothing was repeated."""
    said = ("No rung that the verdict hangs on was repeated under another seed.",)
    return replace(stopped(), study="unseeded", spread=Spread((0, 1), (), said, (), 0, 0, 0.0))


ALL = {
    "seeded": seeded,
    "unseeded": unseeded,
    "guarded": guarded,
    "programmed": programmed,
    "raced": raced,
    "unfinished": unfinished,
    "full": full,
    "undecided": undecided,
    "single": single,
    "unmeasured": unmeasured,
    "stopped": stopped,
}
