from __future__ import annotations

import pytest

from stepladder.checkpoints import short_names


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (["/data/nets/width-64"], ["width-64"]),
        (["~/nets/width-64/", "../width-128"], ["width-64", "width-128"]),
        (["/a/one/net", "/a/two/net"], ["one/net", "two/net"]),
        (["/a/x/one/net", "/a/y/one/net", "/b/net"], ["x/one/net", "y/one/net", "b/net"]),
        (["/net", "/a/net"], ["/net", "a/net"]),
        (["google/flan-t5-base@main", "embedded"], ["google/flan-t5-base@main", "embedded"]),
        (["runs/export", "/x/runs/export"], ["runs/export", "x/runs/export"]),
        (["/a/embedded", "embedded"], ["a/embedded", "embedded"]),
        (["http://h/v1#qwen/2:0.5b", "outputs"], ["http://h/v1#qwen/2:0.5b", "outputs"]),
        (["/a/net", "/a/net/"], ["/a/net", "/a/net/"]),
        ([".", "..", "./"], [".", "..", "./"]),
        (["/a/net", "/a/net"], ["net"]),
        ([], []),
    ],
)
def test_a_folder_is_called_by_its_name_and_by_more_where_others_are_called_alike(
    names: list[str], labels: list[str]
) -> None:
    assert list(short_names(names).values()) == labels
