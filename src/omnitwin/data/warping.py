"""Warp the images of a batch, each by a map of its own, with one bilinear look-up.

B images, D channels, H x W pixels, P = H * W
"""

import torch
from torch.nn import functional as F


def warped(
    images_BDHW: torch.Tensor,
    rows: tuple[tuple[torch.Tensor, ...], ...],
    padding: str,
    bend_B2HW: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return the images (B, D, H, W), where the pixel at a place comes from where the map leads.

    rows: the two rows of each image's affine map, of three numbers (B,): of x, of y, and the shift. While it is
        applied, x has the unit of y, so that a turn is a turn where images are not square
    padding: what lies outside, as torch.nn.functional.grid_sample has it: `zeros` or `border`
    bend_B2HW: what is added to the places; None: nothing
    """
    device, count, (height, width) = images_BDHW.device, len(images_BDHW), images_BDHW.shape[2:]
    aspect = width / height
    theta_B23 = torch.stack([torch.stack(row, 1) for row in rows], 1)
    across_W, down_H = ((torch.arange(side, device=device) * 2 + 1) / side - 1 for side in (width, height))
    ones_P = torch.ones(height * width, device=device)
    place_3P = torch.stack([across_W.repeat(height) * aspect, down_H.repeat_interleave(width), ones_P])
    grid_B2P = theta_B23 @ place_3P
    grid_B2P[:, 0] /= aspect
    if bend_B2HW is not None:
        grid_B2P = grid_B2P + bend_B2HW.flatten(2)
    grid_BHW2 = grid_B2P.transpose(1, 2).reshape(count, height, width, 2)
    return F.grid_sample(images_BDHW, grid_BHW2, mode="bilinear", padding_mode=padding, align_corners=False)
