"""The nearest of many clips by cosine similarity. Neither the bank nor all similarities need to fit into the memory."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from registry.protocols import Subject

_BANK_AT_ONCE = 2**14  # clips: the fewer, the more often the nearest are sorted
_SIMILARITIES = 2**21  # at once: 8 MB
_SIMILARITIES_ON_GPU = 2**28  # 1 GB
_UNITS_AT_ONCE = 2**18  # values of embeddings that are scaled, or read from scratch, at once: 1 MB


def unit_means(subject: Subject, clips: int, inputs: Sequence[str]) -> Tensor:
    """``[N, D]`` the mean embedding of every clip, scaled to unit norm, on scratch; ``inputs`` names parts of it."""
    embeddings = subject.embeddings
    assert embeddings is not None
    unit_ND = torch.empty(0)
    for clips_B in embeddings.batches(torch.arange(clips), _UNITS_AT_ONCE):
        unit_BD = F.normalize(embeddings.means(clips_B, inputs), dim=1)
        if not len(unit_ND):
            unit_ND = subject.scratch(clips, unit_BD.shape[1])
        unit_ND[clips_B[0] : clips_B[-1] + 1] = unit_BD
    return unit_ND


class Banks:
    """Some banks, each with the number of neighbours that are sought in it. They share the computed similarities.

    Args:
        unit_ND: every clip, of unit norm.
        banks: positions of each bank's clips, ascending.
        k: how many neighbours each bank gives.
        device: where to compute.
    """

    def __init__(self, unit_ND: Tensor, banks: Sequence[Tensor], k: Sequence[int], device: torch.device) -> None:
        self.unit_ND, self.k, self.device = unit_ND, k, device
        self.members = [torch.zeros(len(unit_ND), dtype=torch.bool).index_fill_(0, bank, True) for bank in banks]
        every_N = torch.stack(self.members).any(0) if len(banks) > 1 else self.members[0]
        self.tiles = every_N.nonzero().flatten().split(_BANK_AT_ONCE)
        self.widest = len(self.tiles[0])
        self.buffer: Tensor | None = None  # it is large, and used for one batch of queries after another

    @property
    def queries_at_once(self) -> int:
        """How many clips are to be sought for at once."""
        most = _SIMILARITIES if self.device.type == "cpu" else _SIMILARITIES_ON_GPU
        return max(most // self.widest, 1)

    def nearest(self, query_BD: Tensor) -> list[tuple[Tensor, Tensor]]:
        """For each bank the similarities ``[B, K]`` and the positions ``[B, K]`` of the nearest, the nearest first."""
        query_BD = query_BD.to(self.device)
        similarity_BT, joined_BM = self._buffers(query_BD)
        found: list[tuple[Tensor, Tensor] | None] = [None] * len(self.k)
        for tile_T in self.tiles:
            self._compare(query_BD, tile_T, similarity_BT)
            for b, member_N in enumerate(self.members):
                column_M = member_N[tile_T].nonzero().flatten()
                if len(column_M):
                    found[b] = self._best(found[b], tile_T, column_M, similarity_BT, joined_BM, self.k[b])
        assert all(found), "every bank has clips"
        return [best for best in found if best]

    def _buffers(self, query_BD: Tensor) -> tuple[Tensor, Tensor]:
        """For the similarities of a tile; and for those of a bank: the best so far, and some of the tile's."""
        rows, joined = len(query_BD), max(self.k) + self.widest
        size = rows * (self.widest + joined)
        if self.buffer is None or len(self.buffer) != size:
            self.buffer = None  # first, because there may be no memory for both
            self.buffer = query_BD.new_empty(size)
        of_tile, of_bank = self.buffer.split([rows * self.widest, rows * joined])
        return of_tile.view(rows, self.widest), of_bank.view(rows, joined)

    def _compare(self, query_BD: Tensor, tile_T: Tensor, similarity_BT: Tensor) -> None:
        rows = max(_UNITS_AT_ONCE // self.unit_ND.shape[1], 1)
        for first, piece in zip(range(0, len(tile_T), rows), tile_T.split(rows), strict=True):
            unit_PD = self.unit_ND[piece].to(self.device)
            torch.mm(query_BD, unit_PD.T, out=similarity_BT[:, first : first + len(piece)])

    def _best(
        self,
        known: tuple[Tensor, Tensor] | None,
        tile_T: Tensor,
        column_M: Tensor,
        similarity_BT: Tensor,
        joined_BM: Tensor,
        k: int,
    ) -> tuple[Tensor, Tensor]:
        """The nearest k of those that are known and of some columns of a tile."""
        place_M = tile_T[column_M].to(self.device)
        before = known[0].shape[1] if known else 0
        joined_BM = joined_BM[:, : before + len(column_M)]
        if known:
            joined_BM[:, :before] = known[0]
        index_BM = column_M.to(self.device).expand(len(joined_BM), -1)
        torch.gather(similarity_BT, 1, index_BM, out=joined_BM[:, before:])
        best_BK, index_BK = joined_BM.topk(min(k, joined_BM.shape[1]), dim=1)
        if not known:
            return best_BK, place_M[index_BK]
        old_BK = known[1].gather(1, index_BK.clamp_max(before - 1))
        return best_BK, torch.where(index_BK < before, old_BK, place_M[(index_BK - before).clamp_min(0)])
