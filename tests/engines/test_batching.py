"""Requests and batches."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stepladder.engines.batching import gather, take, tokens_of

ENCODED = st.lists(
    st.tuples(st.sampled_from("abc"), st.lists(st.integers(0, 3), min_size=1, max_size=6)),
    min_size=1,
    max_size=20,
)


def test_equal_prompts_are_one_request_longest_first() -> None:
    requests = gather([("b", [1]), ("a", [1, 2]), ("b", [1])])
    assert [(r.ids, r.places) for r in requests] == [((1, 2), (1,)), ((1,), (0, 2))]


@given(ENCODED, st.integers(1, 40), st.integers(0, 5))
def test_every_place_is_asked_once_within_the_budget(
    encoded: list[tuple[str, list[int]]], budget: int, room: int
) -> None:
    waiting = gather(encoded)
    places = []
    while waiting:
        batch = take(waiting, budget=budget, room=room)
        assert len(batch) == 1 or tokens_of(batch, room=room) <= budget
        waiting = waiting[len(batch) :]
        places += [place for request in batch for place in request.places]
    assert sorted(places) == list(range(len(encoded)))
