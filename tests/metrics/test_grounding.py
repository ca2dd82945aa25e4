"""Whether words, numbers and names of an answer stand in the evidence."""

from __future__ import annotations

import math

import numpy as np
import pytest

from stepladder.metrics.grounding import claims, ground, supported
from stepladder.metrics.ranking import rank_measures

LAMP = "The red lamp. It weighs 3 kilos. Ask Anna Holm about it."
COAT = "The blue coat. It is made of wool, and delivered within 9 days."


def test_an_answer_that_cites_what_carries_it() -> None:
    found = ground("The red lamp weighs 3 kilos [1].", [LAMP, COAT])
    assert found == (1, 1.0, True, 1, 1, 1)


def test_every_statement_is_held_to_its_own_citation() -> None:
    found = ground("It weighs 3 kilos [1]. It is made of wool [1].", [LAMP, COAT])
    assert (found.statements, found.citations, found.right, found.held) == (2, 2, 1, 1)
    assert found.supported  # by what was shown, though not by what is cited
    assert found.carried == 3 / 5  # weighs, 3, kilos of these and made, wool


def test_two_passages_may_carry_a_statement_together() -> None:
    found = ground("Anna Holm delivers the coat within 9 days [1, 2].", [LAMP, COAT])
    assert (found.held, found.supported) == (1, True)
    apart = ground("Anna Holm delivers the coat within 9 days.", [LAMP, COAT])
    assert (apart.held, apart.supported) == (0, False)


def test_a_number_that_is_not_there_is_not_outweighed_by_words() -> None:
    assert not supported("The red lamp weighs 4 kilos", [LAMP])
    assert supported("The red lamp weighs 3 kilos", [LAMP])


def test_a_name_that_is_not_there_neither() -> None:
    assert not supported("Ask the lady Anna Berg about the lamp", [LAMP])
    assert supported("Ask the lady Anna Holm about the lamp", [LAMP])


def test_half_of_two_words_is_not_enough() -> None:
    assert not supported("iron lamp", [LAMP])
    assert supported("red lamp", [LAMP])


def test_without_evidence_nothing_is_supported() -> None:
    assert ground("3 kilos", []) == (1, 0.0, False, 0, 0, 0)


@pytest.mark.parametrize("text", ["", "  ", "[1]", "It is.", "?!"])
def test_no_statement_is_a_state_and_no_number(text: str) -> None:
    found = ground(text, [LAMP])
    assert (found.statements, found.carried, found.supported) == (0, None, False)


def test_a_citation_of_nothing_is_wrong() -> None:
    found = ground("It weighs 3 kilos [7].", [LAMP])
    assert (found.citations, found.right, found.held, found.carried) == (1, 0, 0, 0.0)
    assert found.supported


def test_letters_of_every_language_count() -> None:
    assert supported("Lampan väger 3 kilo", ["Den röda lampan väger 3 kilo."])


def test_ranking_against_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="the reference is not installed")
    found, right, k = [5, 2, 9, 7, 1], {2, 1, 8}, 4
    scores = np.linspace(1, 0, 10)[None]
    order = [*found, 0, 3, 4, 6, 8]
    gains = np.array([[float(at in right) for at in order]])
    ours = rank_measures(found, right, k)
    assert ours.ndcg == pytest.approx(metrics.ndcg_score(gains, scores, k=k))
    assert (ours.recall, ours.reciprocal_rank) == (1 / 3, 1 / 2)


def test_ranking_at_its_ends() -> None:
    assert rank_measures([1, 2], {1, 2}, 2) == (1.0, 1.0, 1.0)
    assert rank_measures([1, 2], {3}, 2) == (0.0, 0.0, 0.0)
    assert rank_measures([], {3}, 2) == (0.0, 0.0, 0.0)
    assert rank_measures([4, 3], {3}, 2).ndcg == pytest.approx(1 / math.log2(3))


def test_claims_stand_behind_what_they_rest_on() -> None:
    text = "It weighs 3 kilos [1]. It is soft wool. A ghost [9]."
    assert claims(text, [LAMP, COAT]) == [
        (LAMP, "It weighs 3 kilos."),
        (f"{LAMP} {COAT}", "It is soft wool."),
        (f"{LAMP} {COAT}", "A ghost."),
    ]
