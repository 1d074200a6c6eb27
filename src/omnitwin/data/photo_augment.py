"""Vary the photos of a batch at once: each by its own random numbers, all from one generator.

B images, C channels, H x W pixels, P = H * W; images are float32 from 0 (black) to 1 (white)
"""

import math

import torch
from torch.nn import functional as F

from omnitwin.data.batches import RED_GREEN_BLUE, TURNS
from omnitwin.data.warping import warped
from omnitwin.recipes import PhotoAugmentation

COARSEST = 1 / 4  # of the size: the smallest that an image is shrunk to before it is enlarged again
ERASED = (0.15, 0.4)  # sides of a hole, as shares of the image
LUMA = (0.299, 0.587, 0.114)  # weights of red, green and blue in grey (ITU-R BT.601)


def vary_photos(
    images_BCHW: torch.Tensor, way_B: torch.Tensor, amounts: PhotoAugmentation, generator: torch.Generator
) -> torch.Tensor:
    """Return the images turned their way round (data.batches) and moved, then changed in light, then spoilt."""
    images_BCHW = _moved(images_BCHW, way_B, amounts, generator)
    images_BCHW = _relit(images_BCHW, amounts, generator)
    if amounts.coarse:
        images_BCHW = _coarsened(images_BCHW, amounts.coarse, generator)
    if amounts.erase:
        images_BCHW = _erased(images_BCHW, amounts.erase, generator)
    return images_BCHW


def _moved(
    images_BCHW: torch.Tensor, way_B: torch.Tensor, amounts: PhotoAugmentation, generator: torch.Generator
) -> torch.Tensor:
    """Turn, scale, stretch, shift and mirror each image by one bilinear look-up; its edge goes on outside.

    While the map is applied, x has the unit of y, so that a turn is a turn where images are not square.
    """
    device, count, (height, width) = images_BCHW.device, len(images_BCHW), images_BCHW.shape[2:]
    aspect = width / height
    number_6B = torch.rand((6, count), generator=generator, device=device) * 2 - 1
    angle_B = number_6B[0] * math.radians(amounts.rotation) + way_B * (math.pi / 2)  # four quarter turns are none
    cos_B, sin_B = angle_B.cos(), angle_B.sin()
    size_B, stretch_B = (number_6B[1] * amounts.scale).exp(), (number_6B[2] * amounts.stretch).exp()
    mirror_B = (number_6B[5] < 2 * amounts.flip - 1) != (way_B >= TURNS)
    across_B, down_B = torch.where(mirror_B, -size_B, size_B) * stretch_B, size_B / stretch_B
    right_B, low_B = number_6B[3:5] * 2 * amounts.shift
    rows = (
        (cos_B * across_B, -sin_B * down_B, right_B * aspect),
        (sin_B * across_B, cos_B * down_B, low_B),
    )
    return warped(images_BCHW, rows, "border")


def _relit(images_BCHW: torch.Tensor, amounts: PhotoAugmentation, generator: torch.Generator) -> torch.Tensor:
    """Change contrast, brightness, saturation and the colour of the light; a grey image has no colour to change."""
    count, channels = images_BCHW.shape[:2]
    number_6B = torch.rand((6, count), generator=generator, device=images_BCHW.device) * 2 - 1
    strengths = (amounts.contrast, amounts.brightness, amounts.saturation, *[amounts.tint] * 3)
    factor_6B = (number_6B * torch.tensor(strengths, device=images_BCHW.device)[:, None]).exp()
    contrast_B111, light_B111, vivid_B111 = factor_6B[:3, :, None, None, None]
    mean_B111 = images_BCHW.mean((1, 2, 3), keepdim=True)
    images_BCHW = (images_BCHW - mean_B111) * contrast_B111 + mean_B111 * light_B111
    if channels == RED_GREEN_BLUE:
        luma_C11 = torch.tensor(LUMA, device=images_BCHW.device)[:, None, None]
        grey_B1HW = (images_BCHW * luma_C11).sum(1, keepdim=True)
        images_BCHW = grey_B1HW + (images_BCHW - grey_B1HW) * vivid_B111
        images_BCHW = images_BCHW * factor_6B[3:].T[:, :, None, None]
    return images_BCHW.clamp(0, 1)


def _coarsened(images_BCHW: torch.Tensor, probability: float, generator: torch.Generator) -> torch.Tensor:
    """Shrink some images, all to the same size, and enlarge them again, as blur and low resolution do."""
    device, (height, width) = images_BCHW.device, images_BCHW.shape[2:]
    chosen_B = torch.rand(len(images_BCHW), generator=generator, device=device) < probability
    side = min(height, width)
    least = max(1, int(side * COARSEST))
    low = int(torch.randint(least, max(side, least + 1), (), generator=generator, device=device))
    small = F.interpolate(images_BCHW, (low * height // side, low * width // side), mode="area")
    smooth = F.interpolate(small, (height, width), mode="bilinear")
    return torch.where(chosen_B[:, None, None, None], smooth, images_BCHW)


def _erased(images_BCHW: torch.Tensor, probability: float, generator: torch.Generator) -> torch.Tensor:
    """Cover a rectangle of some images with their mean colour (Zhong et al. 2020, "Random Erasing")."""
    device, count, (height, width) = images_BCHW.device, len(images_BCHW), images_BCHW.shape[2:]
    width_B, height_B, x_B, y_B, chance_B = torch.rand((5, count, 1), generator=generator, device=device)
    least, most = ERASED
    across_W, down_H = ((torch.arange(side, device=device) + 0.5) / side for side in (width, height))
    inside_BW = (across_W - x_B).abs() < (least + (most - least) * width_B) / 2
    inside_BH = (down_H - y_B).abs() < (least + (most - least) * height_B) / 2
    hole_BHW = inside_BH[:, :, None] & inside_BW[:, None, :] & (chance_B < probability)[:, :, None]
    return torch.where(hole_BHW[:, None], images_BCHW.mean((2, 3), keepdim=True), images_BCHW)
