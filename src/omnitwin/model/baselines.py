"""Scores without a network, to compare networks with. A baseline can take any exam that a network can.

N images, left A and right B of many, S pixels a side, G nodes a side of a distance map
"""

import torch

NODES = 1.4  # nodes a side of a distance map per pixel of the image; ink further out counts as on the map's edge
MAPS_AT_ONCE = 32  # images


class PixelBaseline:
    """Score = minus the share of pixels that differ (for grey images, minus their mean squared difference)."""

    def embed(self, images_N1SS: torch.Tensor) -> torch.Tensor:
        """Return the grey levels (N, S * S), ink 0 and paper 1."""
        return images_N1SS.flatten(1)

    def score(self, left_B: torch.Tensor, right_B: torch.Tensor) -> torch.Tensor:
        return -(left_B - right_B).square().mean(1)

    def prepare(self, embeddings_N: torch.Tensor) -> torch.Tensor:
        return embeddings_N

    def score_all(self, left_A: torch.Tensor, right_B: torch.Tensor) -> torch.Tensor:
        squares_AB = left_A.square().sum(1)[:, None] + right_B.square().sum(1)
        return (2 * left_A @ right_B.T - squares_AB) / left_A.shape[1]


class HausdorffBaseline:
    """Score = minus the modified Hausdorff distance of the ink, in pixels, both drawings centred on their mean ink.

    max(mean over a of the distance to the nearest b, the same with a and b exchanged): Dubuisson and Jain 1994, "A
    modified Hausdorff distance for object matching". With it Lake's demo of the official runs gets 38.8 % wrong
    (github.com/brendenlake/omniglot). An image without ink is a single point in its middle.
    """

    def embed(self, images_N1SS: torch.Tensor) -> torch.Tensor:
        """Return whether each pixel is ink, (N, S, S) bool."""
        ink_NSS = images_N1SS[:, 0] < 0.5
        empty_N = ~ink_NSS.flatten(1).any(1)
        middle = ink_NSS.shape[1] // 2
        ink_NSS[empty_N, middle, middle] = True
        return ink_NSS

    def score(self, left_BSS: torch.Tensor, right_BSS: torch.Tensor) -> torch.Tensor:
        """Return the exact scores (B,), from the distances between all points of both drawings."""
        scores = []
        for left_SS, right_SS in zip(left_BSS, right_BSS, strict=True):
            distances = torch.cdist(_centred(left_SS), _centred(right_SS), compute_mode="donot_use_mm_for_euclid_dist")
            scores.append(-torch.maximum(distances.amin(0).mean(), distances.amin(1).mean()))
        return torch.stack(scores)

    def prepare(self, embeddings_NSS: torch.Tensor, at_once: int = MAPS_AT_ONCE) -> torch.Tensor:
        """Return maps (N, 2, G * G) in half precision: the ink on a grid about its centre, and distances to the ink.

        Ink between nodes is shared out among the four nodes around it. So a mean of distances becomes a dot product,
        on Omniglot within 0.2 pixels of the exact mean.

        at_once: images that are mapped together, which bounds the memory
        """
        images, size, _ = embeddings_NSS.shape
        maps_N2G = embeddings_NSS.new_empty((images, 2, _nodes(size) ** 2), dtype=torch.float16)
        for maps_B2G, ink_BSS in zip(torch.split(maps_N2G, at_once), torch.split(embeddings_NSS, at_once), strict=True):
            maps_B2G.copy_(self._maps(ink_BSS))
        return maps_N2G

    def _maps(self, ink_BSS: torch.Tensor) -> torch.Tensor:
        size = ink_BSS.shape[1]
        nodes = _nodes(size)
        grey_BSS, along_S = ink_BSS.float(), torch.arange(size, dtype=torch.float32, device=ink_BSS.device)
        grid_G = torch.arange(nodes, dtype=torch.float32, device=ink_BSS.device) - nodes // 2
        mass_B = grey_BSS.sum((1, 2))
        row_B, column_B = grey_BSS.sum(2) @ along_S / mass_B, grey_BSS.sum(1) @ along_S / mass_B
        rows_BS, columns_BS = (
            (along_S - middle_B[:, None]).clamp(-(nodes // 2), nodes // 2) for middle_B in (row_B, column_B)
        )
        rows_BSG, columns_BSG = rows_BS[..., None] - grid_G, columns_BS[..., None] - grid_G  # from node to pixel
        row_shares_BSG, column_shares_BSG = ((1 - part.abs()).clamp(0) for part in (rows_BSG, columns_BSG))
        shares_BGG = row_shares_BSG.transpose(1, 2) @ grey_BSS @ column_shares_BSG / mass_B[:, None, None]
        return torch.stack([shares_BGG.flatten(1), _distances(ink_BSS, rows_BSG, columns_BSG)], 1).half()

    def score_all(self, left_A2G: torch.Tensor, right_B2G: torch.Tensor) -> torch.Tensor:
        """Return the scores (A, B) of all pairs of two sets of maps, nearly those of `score`."""
        left_ink, left_map = left_A2G.float().unbind(1)
        right_ink, right_map = right_B2G.float().unbind(1)
        return -torch.maximum(left_ink @ right_map.T, left_map @ right_ink.T)


def _nodes(size: int) -> int:
    return int(size * NODES) | 1


def _centred(ink_SS: torch.Tensor) -> torch.Tensor:
    points_P2 = ink_SS.nonzero().float()
    return points_P2 - points_P2.mean(0)


def _distances(ink_BSS: torch.Tensor, rows_BSG: torch.Tensor, columns_BSG: torch.Tensor) -> torch.Tensor:
    """Return the distance of each node to the nearest ink, (B, G * G): along each row of pixels, then across rows."""
    maps = []
    for ink_SS, rows_SG, columns_SG in zip(ink_BSS, rows_BSG, columns_BSG, strict=True):
        rows = ink_SS.any(1)
        nearest_RG = torch.where(ink_SS[rows, :, None], columns_SG.square(), torch.inf).amin(1)
        maps.append((rows_SG[rows].square()[:, :, None] + nearest_RG[:, None, :]).amin(0).sqrt().flatten())
    return torch.stack(maps)


# by name; config.BASELINES has the same names, and that of model.frozen, without torch
BASELINES: dict[str, type[PixelBaseline] | type[HausdorffBaseline]] = {
    "pixels": PixelBaseline,
    "hausdorff": HausdorffBaseline,
}
