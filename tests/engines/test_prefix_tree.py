"""The tree of shared prefixes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stepladder.engines.prefix_tree import Line, Node, grow

LINES = st.lists(
    st.lists(st.integers(0, 2), min_size=1, max_size=12).map(tuple), min_size=1, max_size=20
)


def lines_of(ids: list[tuple[int, ...]]) -> list[Line]:
    return [Line(line, len(line) - 1) for line in ids]


def nodes_of(homes: list[Node | None]) -> set[Node]:
    return {node for home in homes if home for node in home.branch()}


@given(LINES, st.integers(0, 10))
def test_a_path_is_the_beginning_of_its_lines_and_leaves_them_a_token(
    ids: list[tuple[int, ...]], cost: int
) -> None:
    homes = grow(lines_of(ids), cost=cost)
    for line, home in zip(ids, homes, strict=True):
        if home is not None:
            assert line[: home.end] == home.path()
            assert home.end < len(line)
    for node in nodes_of(homes):
        assert (node.lines - 1) * len(node.tokens) > cost
        assert sum(node in home.branch() for home in homes if home) == node.lines


@given(LINES)
def test_without_a_cost_every_shared_token_is_computed_once(ids: list[tuple[int, ...]]) -> None:
    """The last token of a line is its own; of the others each distinct beginning is one token of
    work, unless a line that ends sooner kept its neighbours from sharing."""
    ids = [(*line, 9) for line in ids]
    homes = grow(lines_of(ids), cost=0)
    own = sum(len(line) - (home.end if home else 0) for line, home in zip(ids, homes, strict=True))
    work = own + sum(len(node.tokens) for node in nodes_of(homes))
    shortest = min(map(len, ids))
    beginnings = {line[: n + 1] for line in ids for n in range(len(line) - 1)}
    assert len(beginnings) + len(ids) <= work or len({*ids}) < len(ids)
    assert work <= sum(map(len, ids))
    if all(len(line) == shortest for line in ids) and len({*ids}) == len(ids):
        assert work == len(beginnings) + len(ids)


def test_what_few_tokens_save_is_not_worth_a_node() -> None:
    """An instruction of 50 tokens for all, 2 tokens more for half of them."""
    root = tuple(range(50))
    ids = [(*root, *((70, 71) if i % 2 else ()), 100 + i, 8) for i in range(10)]
    homes = grow(lines_of(ids), cost=40)
    assert {home.path() for home in homes if home} == {root}
    assert all(homes)


def test_demonstrations_of_several_lengths_are_one_branch() -> None:
    root, more = tuple(range(30)), tuple(range(30, 60))
    ids = [(*root, 90 + i) for i in range(5)] + [(*root, *more, 90 + i) for i in range(5)]
    homes = grow(lines_of(ids), cost=20)
    assert [home.path() for home in homes if home] == [root] * 5 + [(*root, *more)] * 5
    assert len(nodes_of(homes)) == 2


def test_equal_lines_share_all_but_their_last_token() -> None:
    homes = grow(lines_of([tuple(range(40))] * 4), cost=50)
    assert [home.end for home in homes if home] == [39] * 4


def test_nothing_grows_from_nothing() -> None:
    assert grow([], cost=0) == []
    assert grow(lines_of([(1, 2)]), cost=0) == [None]
