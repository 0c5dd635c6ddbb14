"""Votes of the nearest clips in a large bank, beside one tiled product with top-k."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F  # noqa: N812

from registry.protocols.knn import Knn, _Vote
from tests.speed import Row, ratio
from tests.speed._made import made

_K = (5, 10, 20, 35, 50, 100, 200)
_TILE, _QUERIES = 16384, 256


def rows() -> Iterator[Row]:
    yield votes(2_000, 50_000, pairs=3)  # 10,000 queries, the whole work, take half a minute on either side


def votes(queries: int, bank: int, dim: int = 2048, pairs: int = 7) -> Row:
    """The votes of ``queries`` clips, for every K, against the nearest by hand."""
    subject, split = made(queries + bank, dim)
    query_Q, bank_N = torch.arange(queries), torch.arange(queries, queries + bank)
    vote = _Vote(subject, split.labels, Knn.Config())
    assert subject.embeddings is not None
    unit_ND = F.normalize(subject.embeddings.window_WD, dim=1)

    def bare() -> None:
        """The bank is in memory, and so are a tile of similarities and the best so far."""
        for query_BD in unit_ND[:queries].split(_QUERIES):
            best_BK, place_BK = query_BD.new_empty(len(query_BD), 0), query_Q.new_empty(len(query_BD), 0)
            for first in range(queries, queries + bank, _TILE):
                similarity_BT = query_BD @ unit_ND[first : min(first + _TILE, queries + bank)].T
                tile_BK, index_BK = similarity_BT.topk(min(max(_K), similarity_BT.shape[1]))
                best_BK, order_BK = torch.cat([best_BK, tile_BK], 1).topk(max(_K))
                place_BK = torch.cat([place_BK, index_BK + first], 1).gather(1, order_BK)

    work = f"votes of the nearest: {queries:,} queries, bank {bank:,} x {dim:,}, K up to {max(_K)}"
    return ratio(work, lambda: vote(query_Q, [bank_N], [_K]), "tiled product and top-k in torch", bare, 1.2, pairs)
