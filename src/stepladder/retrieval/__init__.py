"""FIND: which of many texts are nearest to a query.

search = open_search("bm25", ("the red lamp", "a blue coat"))
search.ranked("where is the lamp?")    # [0, 1]

kept = build_index(source, Making(), token_counter(model))      # documents to passages, on disk
open_index(kept.folder).search("where is the lamp?", k=3)
"""

from stepladder.retrieval.chunks import Cut, Passage
from stepladder.retrieval.gold import GoldFinder, KnowledgeLeak, knowledge_leak
from stepladder.retrieval.index import Hit, Index, Merge
from stepladder.retrieval.nearest import Search, open_search
from stepladder.retrieval.shelf import (
    KeptIndex,
    Making,
    build_index,
    copy_index,
    is_index,
    open_index,
)
from stepladder.retrieval.words import words_of

__all__ = [
    "Cut",
    "GoldFinder",
    "Hit",
    "Index",
    "KeptIndex",
    "KnowledgeLeak",
    "Making",
    "Merge",
    "Passage",
    "Search",
    "build_index",
    "copy_index",
    "is_index",
    "knowledge_leak",
    "open_index",
    "open_search",
    "words_of",
]
