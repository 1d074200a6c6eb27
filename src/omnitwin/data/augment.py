"""Variations of drawings, for a whole batch at once: each image by its own numbers, from one generator.

B images, S pixels a side; images are ink: 0 for paper and 1 for strokes
"""

import math

import torch
from torch.nn import functional as F

from omnitwin.data.batches import TURNS
from omnitwin.recipes import InkAugmentation

COARSEST = 1 / 4  # of the size: to what an image is shrunk at most before it is enlarged again
ERASED = (0.15, 0.4)  # sides of a hole, as shares of the image
ELASTIC_NODES = 4  # a side, between which a warp is smooth
SHARE_OF_THINNING = 0.7  # a stroke that lost more would be gone


def vary(
    ink_BSS: torch.Tensor, way_B: torch.Tensor, amounts: InkAugmentation, generator: torch.Generator
) -> torch.Tensor:
    """Network input (B, 1, S, S): each image its way round (data.batches), warped, and spoilt as the recipe says."""
    ink_B1SS = _warped(ink_BSS, way_B, amounts, generator)
    if amounts.thickness:
        ink_B1SS = _thickened(ink_B1SS, amounts.thickness, generator)
    if amounts.coarse:
        ink_B1SS = _coarsened(ink_B1SS, amounts.coarse, generator)
    if amounts.erase:
        ink_B1SS = _erased(ink_B1SS, amounts.erase, generator)
    return 1 - ink_B1SS


def _warped(
    ink_BSS: torch.Tensor, way_B: torch.Tensor, amounts: InkAugmentation, generator: torch.Generator
) -> torch.Tensor:
    """One affine map each, its way round folded in, and one bilinear look-up; paper flows in from outside.

    With R a turn and the columns of the middle matrix unit x and y: R [[1, shear], [shear / 2, 1]] diag(scales), the
    scale of x negative for a mirror image.
    """
    device, count, size = ink_BSS.device, len(ink_BSS), ink_BSS.shape[-1]
    number_7B = torch.rand((7, count), generator=generator, device=device) * 2 - 1
    angle_B = number_7B[0] * math.radians(amounts.rotation) + way_B * (math.pi / 2)  # four quarter turns are none
    cos_B, sin_B = angle_B.cos(), angle_B.sin()
    width_B, height_B = (number_7B[1:3] * amounts.scale).exp()
    width_B = torch.where(way_B < TURNS, width_B, -width_B)
    shear_B, tilt_B = number_7B[3] * amounts.shear, number_7B[4] * amounts.shear / 2
    right_B, down_B = number_7B[5:] * 2 * amounts.shift
    m00_B, m01_B, m10_B, m11_B = width_B, shear_B * height_B, tilt_B * width_B, height_B
    rows = (
        (cos_B * m00_B - sin_B * m10_B, cos_B * m01_B - sin_B * m11_B, right_B),
        (sin_B * m00_B + cos_B * m10_B, sin_B * m01_B + cos_B * m11_B, down_B),
    )
    theta_B23 = torch.stack([torch.stack(row, 1) for row in rows], 1)
    along_S = (torch.arange(size, device=device) * 2 + 1) / size - 1
    place_3P = torch.stack([along_S.repeat(size), along_S.repeat_interleave(size), torch.ones(size**2, device=device)])
    grid_B2P = theta_B23 @ place_3P
    if amounts.elastic:
        node_B2NN = torch.randn((count, 2, ELASTIC_NODES, ELASTIC_NODES), generator=generator, device=device)
        bend_B2SS = F.interpolate(node_B2NN * 2 * amounts.elastic, (size, size), mode="bicubic", align_corners=True)
        grid_B2P = grid_B2P + bend_B2SS.flatten(2)
    grid_BSS2 = grid_B2P.transpose(1, 2).reshape(count, size, size, 2)
    return F.grid_sample(ink_BSS[:, None], grid_BSS2, mode="bilinear", padding_mode="zeros", align_corners=False)


def _thickened(ink_B1SS: torch.Tensor, probability: float, generator: torch.Generator) -> torch.Tensor:
    """Some images with thicker strokes, as many with thinner ones, by up to a pixel."""
    chance_B, amount_B = torch.rand((2, len(ink_B1SS)), generator=generator, device=ink_B1SS.device)
    size = ink_B1SS.shape[-1]
    thick = F.max_pool2d(ink_B1SS, 2, 1, 1)[..., :size, :size]
    thin = -F.max_pool2d(-ink_B1SS, 2, 1, 1)[..., :size, :size]
    more_B = torch.where(chance_B < probability / 2, amount_B, 0)[:, None, None, None]
    less_B = torch.where(chance_B > 1 - probability / 2, amount_B * SHARE_OF_THINNING, 0)[:, None, None, None]
    return ink_B1SS + more_B * (thick - ink_B1SS) + less_B * (thin - ink_B1SS)


def _coarsened(ink_B1SS: torch.Tensor, probability: float, generator: torch.Generator) -> torch.Tensor:
    """Some images shrunk, all to one size, and enlarged again: smooth grey strokes."""
    chosen_B = torch.rand(len(ink_B1SS), generator=generator, device=ink_B1SS.device) < probability
    size = ink_B1SS.shape[-1]
    low = int(torch.randint(max(1, int(size * COARSEST)), size - 1, (), generator=generator, device=ink_B1SS.device))
    smooth = F.interpolate(F.interpolate(ink_B1SS, (low, low), mode="area"), (size, size), mode="bilinear")
    return torch.where(chosen_B[:, None, None, None], smooth, ink_B1SS)


def _erased(ink_B1SS: torch.Tensor, probability: float, generator: torch.Generator) -> torch.Tensor:
    """Some images with a square hole of paper."""
    width_B, x_B, y_B, chance_B = torch.rand((4, len(ink_B1SS), 1), generator=generator, device=ink_B1SS.device)
    least, most = ERASED
    half_B = (least + (most - least) * width_B) / 2
    along_S = (torch.arange(ink_B1SS.shape[-1], device=ink_B1SS.device) + 0.5) / ink_B1SS.shape[-1]
    across_BS, down_BS = (along_S - x_B).abs() < half_B, (along_S - y_B).abs() < half_B
    hole_BSS = down_BS[:, :, None] & across_BS[:, None, :] & (chance_B < probability)[:, :, None]
    return ink_B1SS.masked_fill(hole_BSS[:, None], 0.0)
