"""Vary the images of a batch at once: each by its own random numbers, all from one generator.

B images, D channels, H x W pixels, P = H * W; images are ink: 0 for paper and 1 for strokes
"""

import math

import torch
from torch.nn import functional as F

from omnitwin.data.batches import TURNS
from omnitwin.data.warping import warped
from omnitwin.recipes import InkAugmentation

COARSEST = 1 / 4  # of the size: the smallest that an image is shrunk to before it is enlarged again
ERASED = (0.15, 0.4)  # sides of a hole, as shares of the image
ELASTIC_NODES = 4  # a side; a warp is smooth between them
SHARE_OF_THINNING = 0.7  # a stroke that lost more would vanish
FEWEST, MOST = 0.2, 0.9  # of the size: pixels of an image in low resolution; its ink alone takes fewer
FAINT = 1e-3  # of full ink: the darkest of an image without any
SIDES = 4  # numbers of pixels that the images of a batch are reduced to; each image has one of them
INK_LEVEL = (0.35, 0.6)  # of the darkest ink: what is read as half ink
STEEPEST = 3.0  # times as steep as needed for paper to stay paper: how sharply ink is told from paper


def vary(
    ink_BDHW: torch.Tensor, way_B: torch.Tensor, amounts: InkAugmentation, generator: torch.Generator
) -> torch.Tensor:
    """Return a network's input (B, D, H, W): each image turned its way round (data.batches), warped and spoilt."""
    ink_BDHW = _warped(ink_BDHW, way_B, amounts, generator)
    if amounts.thickness:
        ink_BDHW = _thickened(ink_BDHW, amounts.thickness, generator)
    if amounts.coarse:
        ink_BDHW = _coarsened(ink_BDHW, amounts.coarse, generator)
    if amounts.low_resolution:
        ink_BDHW = _of_few_pixels(ink_BDHW, amounts.low_resolution, generator)
    if amounts.erase:
        ink_BDHW = _erased(ink_BDHW, amounts.erase, generator)
    return 1 - ink_BDHW


def _warped(
    ink_BDHW: torch.Tensor, way_B: torch.Tensor, amounts: InkAugmentation, generator: torch.Generator
) -> torch.Tensor:
    """Apply an affine map to each image, its way round included, by one bilinear look-up; paper flows in from outside.

    With R a turn and the columns of the middle matrix unit x and y: R [[1, shear], [shear / 2, 1]] diag(scales), the
    scale of x negative for a mirror image. While the map is applied, x has the unit of y, so that a turn is a turn
    where images are not square.
    """
    device, count, (height, width) = ink_BDHW.device, len(ink_BDHW), ink_BDHW.shape[2:]
    aspect = width / height
    number_7B = torch.rand((7, count), generator=generator, device=device) * 2 - 1
    angle_B = number_7B[0] * math.radians(amounts.rotation) + way_B * (math.pi / 2)  # four quarter turns are none
    cos_B, sin_B = angle_B.cos(), angle_B.sin()
    width_B, height_B = (number_7B[1:3] * amounts.scale).exp()
    width_B = torch.where(way_B < TURNS, width_B, -width_B)
    shear_B, tilt_B = number_7B[3] * amounts.shear, number_7B[4] * amounts.shear / 2
    right_B, down_B = number_7B[5:] * 2 * amounts.shift
    m00_B, m01_B, m10_B, m11_B = width_B, shear_B * height_B, tilt_B * width_B, height_B
    rows = (
        (cos_B * m00_B - sin_B * m10_B, cos_B * m01_B - sin_B * m11_B, right_B * aspect),
        (sin_B * m00_B + cos_B * m10_B, sin_B * m01_B + cos_B * m11_B, down_B),
    )
    bend_B2HW = None
    if amounts.elastic:
        node_B2NN = torch.randn((count, 2, ELASTIC_NODES, ELASTIC_NODES), generator=generator, device=device)
        bend_B2HW = F.interpolate(node_B2NN * 2 * amounts.elastic, (height, width), mode="bicubic", align_corners=True)
    return warped(ink_BDHW, rows, "zeros", bend_B2HW)


def _thickened(ink_BDHW: torch.Tensor, probability: float, generator: torch.Generator) -> torch.Tensor:
    """Make the strokes of some images thicker, and of as many thinner, by up to a pixel."""
    chance_B, amount_B = torch.rand((2, len(ink_BDHW)), generator=generator, device=ink_BDHW.device)
    height, width = ink_BDHW.shape[2:]
    thick = F.max_pool2d(ink_BDHW, 2, 1, 1)[..., :height, :width]
    thin = -F.max_pool2d(-ink_BDHW, 2, 1, 1)[..., :height, :width]
    more_B = torch.where(chance_B < probability / 2, amount_B, 0)[:, None, None, None]
    less_B = torch.where(chance_B > 1 - probability / 2, amount_B * SHARE_OF_THINNING, 0)[:, None, None, None]
    return ink_BDHW + more_B * (thick - ink_BDHW) + less_B * (thin - ink_BDHW)


def _coarsened(ink_BDHW: torch.Tensor, probability: float, generator: torch.Generator) -> torch.Tensor:
    """Shrink some images, all to the same size, and enlarge them again, which gives smooth grey strokes."""
    chosen_B = torch.rand(len(ink_BDHW), generator=generator, device=ink_BDHW.device) < probability
    height, width = ink_BDHW.shape[2:]
    side = min(height, width)
    low = int(torch.randint(max(1, int(side * COARSEST)), side - 1, (), generator=generator, device=ink_BDHW.device))
    small = F.interpolate(ink_BDHW, (low * height // side, low * width // side), mode="area")
    smooth = F.interpolate(small, (height, width), mode="bilinear")
    return torch.where(chosen_B[:, None, None, None], smooth, ink_BDHW)


def _of_few_pixels(ink_BDHW: torch.Tensor, probability: float, generator: torch.Generator) -> torch.Tensor:
    """Reduce some images to few pixels, and read them as images.cleaning reads such files: as blobs of full ink."""
    device, count, (height, width) = ink_BDHW.device, len(ink_BDHW), ink_BDHW.shape[2:]
    chance_B, choice_B, level_B, steep_B = torch.rand((4, count, 1, 1, 1), generator=generator, device=device)
    few_BDHW = ink_BDHW
    for place, number in enumerate(torch.rand(SIDES, generator=generator, device=device).tolist()):
        share = FEWEST * (MOST / FEWEST) ** number  # few pixels are as frequent as many
        small = F.interpolate(ink_BDHW, [max(1, round(side * share)) for side in (height, width)], mode="area")
        enlarged = F.interpolate(small, (height, width), mode="bicubic")
        few_BDHW = torch.where((choice_B * SIDES).long() == place, enlarged, few_BDHW)
    half_B = (INK_LEVEL[0] + (INK_LEVEL[1] - INK_LEVEL[0]) * level_B) * few_BDHW.amax((1, 2, 3), True).clamp(min=FAINT)
    read_BDHW = (0.5 + 0.5 * STEEPEST**steep_B * (few_BDHW / half_B - 1)).clamp(0, 1)
    return torch.where(chance_B < probability, read_BDHW, ink_BDHW)


def _erased(ink_BDHW: torch.Tensor, probability: float, generator: torch.Generator) -> torch.Tensor:
    """Make a hole of paper in some images, with the proportions of the image."""
    width_B, x_B, y_B, chance_B = torch.rand((4, len(ink_BDHW), 1), generator=generator, device=ink_BDHW.device)
    least, most = ERASED
    half_B = (least + (most - least) * width_B) / 2
    height, width = ink_BDHW.shape[2:]
    down_H, across_W = ((torch.arange(side, device=ink_BDHW.device) + 0.5) / side for side in (height, width))
    across_BW, down_BH = (across_W - x_B).abs() < half_B, (down_H - y_B).abs() < half_B
    hole_BHW = down_BH[:, :, None] & across_BW[:, None, :] & (chance_B < probability)[:, :, None]
    return ink_BDHW.masked_fill(hole_BHW[:, None], 0.0)
