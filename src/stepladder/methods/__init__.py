"""HOW: each method turns one adaptation into another; a rung is a list of them, left to right.

rung = parse_rung("few-shot(2, nearest=bm25) + lora(rank=16)")
rung.name          # 'few-shot(2, nearest=bm25) + lora(rank=16)'
rung.methods       # (FewShot(k=2, nearest='bm25'), Lora(rank=16))
"""

from stepladder.methods.rung import Rung, parse_rung

__all__ = ["Rung", "parse_rung"]
