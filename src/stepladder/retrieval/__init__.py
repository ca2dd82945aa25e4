"""FIND: which of many texts are nearest to a query.

search = open_search("bm25", ("the red lamp", "a blue coat"))
search.ranked("where is the lamp?")    # [0, 1]
"""

from stepladder.retrieval.nearest import Search, open_search

__all__ = ["Search", "open_search"]
