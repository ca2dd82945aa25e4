"""sacrebleu run beside ours: its statistics come from private calls, so the version is held too."""

from __future__ import annotations

import itertools
import random
from importlib.metadata import version
from typing import Any

import numpy as np
import pytest
import sacrebleu
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER

from stepladder.errors import MetricError
from stepladder.metrics import build_metrics
from stepladder.metrics.sacre import Bleu, Chrf, SacreMeasure, Ter

WORDS = "the a old cat dog house sat ran slept on under behind red mat . , får på 5".split()

PAIRS: list[tuple[SacreMeasure, Any]] = [
    (Bleu(), BLEU()),
    (Bleu(tokenize="intl", lowercase=True), BLEU(tokenize="intl", lowercase=True)),
    (Bleu(tokenize="char", smooth="floor"), BLEU(tokenize="char", smooth_method="floor")),
    (Bleu(smooth="add-k", effective_order=True), BLEU(smooth_method="add-k", effective_order=True)),
    (Chrf(), CHRF()),
    (Chrf(word_order=2, beta=3, lowercase=True), CHRF(word_order=2, beta=3, lowercase=True)),
    (Ter(), TER()),
    (Ter(normalized=True, no_punct=True), TER(normalized=True, no_punct=True)),
]


def corpus(seed: int, counts: tuple[int, ...]) -> tuple[list[str], list[list[str]]]:
    """Fifty answers that share words with their one or several references."""
    rng = random.Random(seed)

    def sentence() -> str:
        return " ".join(rng.choices(WORDS, k=rng.randint(4, 14))).capitalize()

    references = [[sentence() for _ in range(rng.choice(counts))] for _ in range(50)]
    answers = []
    for accepted in references:
        kept = [w if rng.random() < 0.7 else rng.choice(WORDS) for w in accepted[0].split()]
        answers.append(" ".join(kept))
    answers[7] = ""
    return answers, references


def test_the_version_whose_private_calls_are_used() -> None:
    assert version("sacrebleu") == sacrebleu.__version__ == "2.6.0"


@pytest.mark.parametrize("counts", [(1,), (3,), (1, 2, 3)])
@pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=lambda m: getattr(m, "name", ""))
def test_equals_corpus_score_exactly(
    ours: SacreMeasure, theirs: Any, counts: tuple[int, ...]
) -> None:
    answers, references = corpus(1, counts)
    streams = [list(s) for s in itertools.zip_longest(*references)]
    expected = theirs.corpus_score(answers, streams)
    rows = ours.statistics(answers, references)
    assert ours.aggregate(rows) == expected.score
    assert 0 < expected.score < 100


def test_resampled_rows_equal_a_resampled_corpus() -> None:
    answers, references = corpus(2, (2,))
    draw = np.random.default_rng(0).integers(50, size=50)
    for ours, theirs in PAIRS:
        rows = ours.statistics(answers, references)[draw]
        streams = [[references[i][j] for i in draw] for j in range(2)]
        expected = theirs.corpus_score([answers[i] for i in draw], streams).score
        assert ours.aggregate(rows) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("spec", "theirs"), [("bleu", BLEU()), ("chrf", CHRF()), ("ter", TER())])
def test_the_signature_is_the_librarys_own(spec: str, theirs: Any) -> None:
    for counts in ((1,), (2,), (1, 2)):
        answers, references = corpus(3, counts)
        theirs.corpus_score(answers, [list(s) for s in itertools.zip_longest(*references)])
        signature = build_metrics([spec], None, references)[0].signature
        assert signature.startswith(f"{spec}|{theirs.get_signature().format()}|")
        assert signature.endswith("|scale:0-100")


def test_bleu_keeps_precisions_penalty_and_lengths() -> None:
    answers, references = corpus(4, (1,))
    expected = BLEU().corpus_score(answers, [[accepted[0] for accepted in references]])
    details = Bleu().details(Bleu().statistics(answers, references))
    assert [details[f"precision {n}"] for n in (1, 2, 3, 4)] == expected.precisions
    assert details["brevity penalty"] == expected.bp
    assert details["length"] == expected.sys_len
    assert details["reference length"] == expected.ref_len


def test_bleu_of_a_published_example() -> None:
    # Papineni et al. 2002, section 2.1: the candidate of seven times "the" has a clipped
    # unigram precision of 2/7; candidate 1 has 17/18 (unigrams) and 10/17 (bigrams).
    cat = [["the cat is on the mat", "there is a cat on the mat"]]
    details = Bleu().details(Bleu().statistics(["the the the the the the the"], cat))
    assert details["precision 1"] == pytest.approx(100 * 2 / 7)
    guide = [
        [
            "It is a guide to action that ensures that the military will forever heed Party "
            "commands",
            "It is the guiding principle which guarantees the military forces always being under "
            "the command of the Party",
            "It is the practical guide for the army always to heed the directions of the party",
        ]
    ]
    candidate = (
        "It is a guide to action which ensures that the military always obeys the commands of "
        "the party"
    )
    bleu = Bleu(lowercase=True)
    details = bleu.details(bleu.statistics([candidate], guide))
    assert details["precision 1"] == pytest.approx(100 * 17 / 18)
    assert details["precision 2"] == pytest.approx(100 * 10 / 17)


def test_chrf_details_are_its_own_f() -> None:
    answers, references = corpus(5, (1,))
    chrf = Chrf()
    rows = chrf.statistics(answers, references)
    p, r = (chrf.details(rows)[part] for part in ("precision", "recall"))
    assert (1 + 4) * p * r / (4 * p + r) == pytest.approx(chrf.aggregate(rows))


def test_ter_counts_edits() -> None:
    ter = Ter()
    rows = ter.statistics(["a b c d", "a b"], [["a b c x"], ["a b c d"]])
    assert rows.tolist() == [[1, 4], [2, 4]]
    assert ter.aggregate(rows) == pytest.approx(37.5)


@pytest.mark.parametrize("setting", ["char_order=0", "word_order=-1", "beta=0"])
def test_chrf_refuses_orders_that_cannot_be(setting: str) -> None:
    with pytest.raises(MetricError, match=setting.partition("=")[0]):
        build_metrics([f"chrf({setting})"], None, [["a"]])
