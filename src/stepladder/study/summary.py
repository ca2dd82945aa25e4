"""What a study says when it is done: the one record behind terminal, JSON and HTML.

The report reads this and nothing else, so the three always say the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal, get_args

from stepladder.checkpoints import short_names
from stepladder.records import Cost, Json, ProgramRun, Score, Trial, trial_from_json
from stepladder.study.forgetting import Forgetting, forgetting_from_json
from stepladder.study.spread import Spread, spread_from_json

VerdictKind = Literal["reached", "not-reached", "good-enough", "undecided", "refused", "unfinished"]
DepartureKind = Literal["won", "missed", "worse", "refused", "hopeless", "left out", "over"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer of a study, with the evidence it rests on."""

    kind: VerdictKind
    """`reached`: the cheapest rung shown to reach the target. `good-enough`: the cheapest shown to
    be within the margin of every other. `not-reached`: every rung is shown to miss the target.
    `undecided`: the items do not settle it. `refused`: no rung that was measured is shown to keep
    what the guard tasks ask for. `unfinished`: the study is still under way, or was
    stopped; its numbers are partial."""
    rung: str | None
    """The winner."""
    sentence: str
    alpha: float
    """The study's probability of a wrong claim is at most this."""
    more_items: int | None = None
    """About how many more test items would settle an undecided verdict, where that can be said."""
    notes: tuple[str, ...] = ()


ProgramFate = Literal[
    "right",
    "wrong answer",
    "no answer",
    "no program",
    "syntax",
    "name",
    "timeout",
    "memory",
    "refused",
    "error",
]
PROGRAM_FATES: tuple[ProgramFate, ...] = get_args(ProgramFate)


@dataclass(frozen=True, slots=True)
class Programs:
    """What became of a rung's programs."""

    fates: Mapping[ProgramFate, int]
    """Test items by what their program came to. Right is a full score on the deciding metric;
    where that is a corpus measure, every answer counts as `wrong answer` unless it equals a
    reference."""
    reasons: Mapping[str, int]
    """Why programs were refused, and how many."""
    run: int
    """Programs that were run: several an item where they are sampled."""
    seconds: float
    """Of running them, all together."""
    share: float | None
    """Of the seconds that the model took to write them; None where these are not known."""


AnswerKind = Literal["right", "abstained", "misread", "unsupported", "empty"]
ANSWER_KINDS: tuple[AnswerKind, ...] = get_args(AnswerKind)
"""What an answer is, where a study shows evidence: right; that it cannot be known, as the task
allows; wrong but carried by the evidence; wrong and carried by none of it, which is a
hallucination; nothing."""
EvidenceWay = Literal["none", "shuffled", "retrieved", "gold"]
EVIDENCE_WAYS: tuple[EvidenceWay, ...] = get_args(EvidenceWay)


@dataclass(frozen=True, slots=True)
class Retrieved:
    """How well a rung's evidence was found, means over its test items."""

    k: int
    """Passages shown."""
    carrying: float
    """The share of items with a reference word for word in a passage that was shown."""
    with_gold: int
    """Items whose gold passages are known; what follows is over these, and None without any."""
    recall: float | None
    """Of the gold passages, among the k."""
    reciprocal_rank: float | None
    ndcg: float | None


@dataclass(frozen=True, slots=True)
class Split:
    """The deciding metric, on its own scale, of the same rung on other evidence."""

    items: int
    values: Mapping[EvidenceWay, float | None]
    """None where it could not be had: gold that is not known, an answer that the machine owes."""


@dataclass(frozen=True, slots=True)
class Grounded:
    """What a rung's answers have to do with the evidence; shares are None where nothing is there
    to take a share of."""

    kinds: Mapping[AnswerKind, int]
    """Test items by what their answer is, those that occur."""
    carried: float | None
    """Groundedness: the mean share of an answer's content that its evidence has. None, as are the
    citations, for a rung that is shown none."""
    citing: float | None
    """The share of answers that cite."""
    citation_precision: float | None
    citation_recall: float | None
    retrieved: Retrieved | None
    split: Split | None
    entailed: float | None = None
    """The share of statements that follow from what they rest on, by a model of natural-language
    inference; None where the task names none."""

    def share(self, kind: AnswerKind) -> float | None:
        """Of the answers that are there."""
        answers = sum(self.kinds.values())
        return self.kinds.get(kind, 0) / answers if answers else None


@dataclass(frozen=True, slots=True)
class RungSummary:
    """One row of the table."""

    name: str
    """Unique in the study; begins with what the model is called where there are several."""
    model: str
    """As the user named it, a folder with its path."""
    methods: tuple[str, ...]
    state: Literal["measured", "failed", "skipped"]
    """`skipped`: not built or not asked, because one that was predicted to cost less had reached
    the target, or because an unfinished study has not come to it yet."""
    error: str | None
    """Why it could not be built, with what to do."""
    metrics: Mapping[str, Score]
    cost: Cost
    failures: Mapping[str, int]
    """Answers counted as empty, by cause."""
    missing: int
    """Answers that the machine owes."""
    cut_share: float | None
    """Share of answers cut at max_new_tokens; None where it cannot be known."""
    lower: float | None
    """Anytime-valid one-sided bounds on the deciding metric, on its own scale, at the level that
    the verdict uses."""
    upper: float | None
    notes: tuple[str, ...] = ()
    prompt: str | None = None
    """The first test item's prompt as rendered for the model."""
    programs: Programs | None = None
    """What became of its programs; None for a rung that runs none."""
    forgetting: Forgetting | None = None
    """None for a rung that trains nothing, and where the task has no guards."""
    grounded: Grounded | None = None
    """None where no rung of the study is shown evidence."""
    trials: tuple[Trial, ...] = ()
    """Settings tried on dev before it was built, the chosen one marked."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two rungs on the same items: description beside the verdict."""

    better: str
    worse: str
    difference: float
    """Of the deciding metric, `better` minus `worse`, on its own scale."""
    low: float | None
    high: float | None
    p: float
    """Approximate randomisation, two-sided."""
    p_holm: float
    """The same after Holm's correction over all pairs."""
    n: int | None = None
    """The items that both have answered; None where an older Stepladder did not say."""


@dataclass(frozen=True, slots=True)
class Departure:
    """When and why a rung left the race."""

    rung: str
    kind: DepartureKind
    """`won`: it settled the race. `missed`: shown to miss the target. `worse`: shown to be worse
    than another by more than the margin. `refused`: not shown to stay within `max_drop` on a guard
    task. `hopeless`: its remaining items could not make it reach
    the target any more. `left out`: never asked. `over`: asked no further, since the race was
    settled. The last three claim nothing about the rung."""
    items: int
    """Answers it had given by then."""
    evidence: str
    """The bound, in words."""

    def sentence(self, of: int) -> str:
        """In words; `of` is the number of items planned."""
        if self.kind == "left out":
            return f"{self.rung} was not asked: {self.evidence}."
        said = {
            "won": "decided the race",
            "missed": "left",
            "worse": "left",
            "refused": "was refused",
            "hopeless": "was asked no further",
            "over": "was asked no further",
        }[self.kind]
        return f"{self.rung} {said} after {self.items:,} of {of:,} items: {self.evidence}."


@dataclass(frozen=True, slots=True)
class Race:
    """How the rungs were raced, and what early decisions saved."""

    items: int
    """Test items that each rung would have answered."""
    departures: tuple[Departure, ...]
    """In their order."""
    requests: int
    """Answers that the table rests on; rungs that are files of outputs are left out."""
    requests_saved: int
    trainings_saved: int
    seconds_saved: float | None
    """Predicted: requests saved at each rung's own mean time, and trainings not run. None where
    nothing is known about a rung that was left out."""

    @property
    def saved(self) -> str:
        """In words; empty where nothing was."""
        parts = []
        if self.requests_saved:
            whole = self.requests + self.requests_saved
            parts.append(f"{self.requests_saved:,} of {whole:,} requests")
        if self.trainings_saved:
            parts.append(f"{self.trainings_saved} training{'s' * (self.trainings_saved > 1)}")
        if not parts:
            return ""
        known = self.seconds_saved
        time = "" if known is None else f", predicted to take {known:,.3g} s"
        return f"Saved by early decisions: {' and '.join(parts)}{time}."


@dataclass(frozen=True, slots=True)
class ShownAnswer:
    text: str
    failure: str | None
    runs: tuple[ProgramRun, ...] = ()
    """The programs behind it."""
    probability: float | None = None
    """Of the answer, where a head on features chose it."""


@dataclass(frozen=True, slots=True)
class ShownItem:
    """A test item, side by side over all rungs."""

    id: str
    input: str
    references: tuple[str, ...]
    answers: Mapping[str, ShownAnswer]


@dataclass(frozen=True, slots=True)
class Crossover:
    """Where the cheaper of the two best rungs changes with traffic."""

    first: str
    second: str
    requests: int | None
    """From this many requests on `second` costs fewer seconds in total; None: never."""
    sentence: str


@dataclass(frozen=True, slots=True)
class Summary:
    study: str
    verdict: Verdict
    rungs: tuple[RungSummary, ...]
    """In the order of the task file."""
    deciding: str
    """The metric that decides."""
    target: float | None
    """On the deciding metric's own scale."""
    margin: float | None
    requests: int
    """Traffic that costs are spread over."""
    task: Json
    """name, instruction, rows of train, dev and test, notes on how the splits were made."""
    comparisons: tuple[Comparison, ...] = ()
    items: tuple[ShownItem, ...] = ()
    crossover: Crossover | None = None
    provenance: Json = field(default_factory=dict)
    """Content hashes, package versions, git state, machine, sampling, seed, work done and saved."""
    prices: Json = field(default_factory=dict)
    """As the user gave them; empty: no money is shown."""
    race: Race | None = None
    """None where an older Stepladder, which asked every item, wrote the summary."""
    spread: Spread | None = None
    """What the rungs that decide come to under further seeds; None where none were asked for, or
    before the first of them."""

    @property
    def deciding_score(self) -> Score | None:
        """The first rung's that has one, for what is the same of all: the scale, and which way is
        better. None where nothing was measured."""
        scores = (rung.metrics.get(self.deciding) for rung in self.rungs)
        return next((score for score in scores if score is not None), None)

    @property
    def models(self) -> dict[str, str]:
        """The rungs' models, each with what to call it here."""
        return short_names([rung.model for rung in self.rungs])

    def as_json(self) -> Json:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Json) -> Summary:
        """The inverse of `as_json`."""
        fields = dict(data)
        fields["verdict"] = Verdict(**_tuples(data["verdict"], "notes"))
        fields["rungs"] = tuple(_rung(row) for row in data["rungs"])
        fields["comparisons"] = tuple(Comparison(**row) for row in data["comparisons"])
        fields["items"] = tuple(_item(row) for row in data["items"])
        crossover = data["crossover"]
        fields["crossover"] = Crossover(**crossover) if crossover else None
        race = data.get("race")
        fields["race"] = _race(race) if race else None
        spread = data.get("spread")
        fields["spread"] = spread_from_json(spread) if spread else None
        return cls(**fields)


def _tuples(data: Json, *names: str) -> Json:
    return {**data, **{name: tuple(data[name]) for name in names}}


def _rung(data: Json) -> RungSummary:
    fields = _tuples(data, "methods", "notes")
    fields["metrics"] = {name: Score(**row) for name, row in data["metrics"].items()}
    fields["cost"] = Cost(**data["cost"])
    programs = data.get("programs")
    fields["programs"] = Programs(**programs) if programs else None
    forgetting = data.get("forgetting")
    fields["forgetting"] = forgetting_from_json(forgetting) if forgetting else None
    grounded = data.get("grounded")
    fields["grounded"] = _grounded(grounded) if grounded else None
    fields["trials"] = tuple(trial_from_json(row) for row in data.get("trials", ()))
    return RungSummary(**fields)


def _grounded(data: Json) -> Grounded:
    retrieved, split = data["retrieved"], data["split"]
    return Grounded(
        **{
            **data,
            "retrieved": Retrieved(**retrieved) if retrieved else None,
            "split": Split(**split) if split else None,
        }
    )


def _race(data: Json) -> Race:
    departures = tuple(Departure(**row) for row in data["departures"])
    return Race(**{**data, "departures": departures})


def _item(data: Json) -> ShownItem:
    fields = _tuples(data, "references")
    fields["answers"] = {name: _answer(row) for name, row in data["answers"].items()}
    return ShownItem(**fields)


def _answer(data: Json) -> ShownAnswer:
    runs = tuple(ProgramRun(**run) for run in data.get("runs", ()))
    return ShownAnswer(**{**data, "runs": runs})
