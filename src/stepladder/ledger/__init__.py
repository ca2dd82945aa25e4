"""KEEP: one file that remembers every answer, every build and every event of every study.

    with Ledger.open("runs/ledger.db") as ledger:
        log = ledger.start("dialogsum", {"task": task_hash, "rungs": ["zero-shot", "lora"]})
        known = log.answers(addresses)              # asked before, by whichever study
        log.keep_answers({address: answer})         # one transaction a shard
        log.append("score", {"rung": "zero-shot", "rougeL": 0.21})

The log of a study is append-only. Answers and builds are kept under their recipe's hash and shared
by all studies of the file, so that nothing is asked or trained twice. A `kill -9` at any moment
loses at most the transaction in flight.

    ledger.contents(), ledger.examine(), ledger.prune(forget=["first try"])

What it does not do: it deletes nothing unless asked to, and it trusts its own file: digests find
damage, not forgery.
"""

from stepladder.ledger.contents import Contents, StudyLine
from stepladder.ledger.ledger import DEFAULT_LEDGER, KeptAnswer, Ledger, StudyEntry
from stepladder.ledger.log import Event, StudyLog
from stepladder.ledger.pruning import Freed
from stepladder.ledger.soundness import Soundness
from stepladder.ledger.store import Store

__all__ = [
    "DEFAULT_LEDGER",
    "Contents",
    "Event",
    "Freed",
    "KeptAnswer",
    "Ledger",
    "Soundness",
    "Store",
    "StudyEntry",
    "StudyLine",
    "StudyLog",
]
