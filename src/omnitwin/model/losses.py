"""The losses of training. Those of embeddings (B, D) take embeddings of length 1, so distances are between 0 and 2.

B pairs or images, C classes, K images of each, D features. Those with proxies take class_B from 0 to C - 1.
"""

import math

import torch
from torch.nn import functional as F

NEAREST = 1e-12  # squared distance: the root's gradient is infinite at 0
STRAIGHT = 1e-6  # a cosine stays this far from 1 and -1, where the gradient of its angle is infinite


def pair_loss(logits_B: torch.Tensor, similar_B: torch.Tensor) -> torch.Tensor:
    """Return the mean binary cross-entropy in nats: -log p for a similar pair, else -log(1 - p), p = sigmoid(logit).

    It is computed from the logits, so that it neither overflows nor takes log 0.
    """
    return F.binary_cross_entropy_with_logits(logits_B, similar_B.float())


def all_pairs_loss(logits_BB: torch.Tensor, class_B: torch.Tensor, focus: float) -> torch.Tensor:
    """Return the mean binary cross-entropy of all pairs in a batch, in nats; both kinds of pair weigh one half.

    focus: additional weight of the dissimilar pairs, in proportion to their probabilities: hard pairs count most
    """
    same_BB = class_B[:, None] == class_B
    similar_BB = same_BB.float().fill_diagonal_(0)
    dissimilar_BB = (~same_BB).float()
    weight_BB = dissimilar_BB / dissimilar_BB.sum()
    if focus:
        hard_BB = dissimilar_BB * logits_BB.detach().sigmoid()
        weight_BB = weight_BB + focus * hard_BB / hard_BB.sum().clamp(min=torch.finfo(hard_BB.dtype).tiny)
    similar_BB = similar_BB / similar_BB.sum()
    # for a similar pair softplus(-l) is softplus(l) - l
    return ((F.softplus(logits_BB) * (similar_BB + weight_BB)).sum() - (logits_BB * similar_BB).sum()) / 2


def centroid_loss(embeddings_CKD: torch.Tensor, scale: float, alone_SD: torch.Tensor | None = None) -> torch.Tensor:
    """Return the cross-entropy, in nats, of classifying each image by its cosines with the centroids of C classes.

    The centroid of an image's own class leaves that image out. This is the one-shot task in training, as in
    prototypical networks (Snell et al. 2017), with cosines times `scale` as logits and every image a query.

    alone_SD: images that are alone in their class: each is one more centroid, and no query
    """
    classes, drawings, _ = embeddings_CKD.shape
    sum_C1D = embeddings_CKD.sum(1, keepdim=True)
    own_CK = (F.normalize(sum_C1D - embeddings_CKD, dim=2) * embeddings_CKD).sum(2)
    sum_CD = sum_C1D[:, 0] if alone_SD is None else torch.cat([sum_C1D[:, 0], alone_SD])
    cosine_BC = embeddings_CKD.flatten(0, 1) @ F.normalize(sum_CD, dim=1).T
    class_B = torch.arange(classes, device=embeddings_CKD.device).repeat_interleave(drawings)
    cosine_BC = cosine_BC.scatter(1, class_B[:, None], own_CK.flatten()[:, None])
    return F.cross_entropy(scale * cosine_BC, class_B)


def contrastive_loss(embeddings_BD: torch.Tensor, class_B: torch.Tensor, margin: float) -> torch.Tensor:
    """Return the contrastive loss of all pairs of a batch (Hadsell, Chopra and LeCun 2006, eq. 4), both kinds halved.

    A similar pair costs its squared distance, and a dissimilar one (margin - distance)^2 while it is nearer.
    """
    distance_BB = distances(embeddings_BD)
    similar_BB, dissimilar_BB = _pairs(class_B)
    near_BB = (margin - distance_BB).clamp(min=0)
    return (_mean(distance_BB.square(), similar_BB) + _mean(near_BB.square(), dissimilar_BB)) / 2


def triplet_loss(embeddings_BD: torch.Tensor, class_B: torch.Tensor, margin: float) -> torch.Tensor:
    """Return the batch-hard triplet loss (Hermans, Beyer and Leibe 2017, eq. 5).

    Each image that has a similar one is an anchor with its farthest similar and its nearest dissimilar image, and costs
    max(0, margin + farthest - nearest).
    """
    distance_BB = distances(embeddings_BD)
    similar_BB, dissimilar_BB = _pairs(class_B)
    farthest_B = distance_BB.masked_fill(~similar_BB, 0.0).amax(1)
    nearest_B = distance_BB.masked_fill(~dissimilar_BB, math.inf).amin(1)
    return (margin + farthest_B - nearest_B)[similar_BB.any(1)].clamp(min=0).mean()


def contrast_loss(embeddings_BD: torch.Tensor, class_B: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return the supervised contrastive loss, in nats (Khosla et al. 2020, eq. 2): the mean over anchors that have one.

    Each similar image competes with all other images of the batch in a softmax of cosines over the temperature.
    """
    cosine_BB = (embeddings_BD @ embeddings_BD.T / temperature).fill_diagonal_(-math.inf)
    similar_BB, _ = _pairs(class_B)
    surprise_BB = torch.where(similar_BB, -F.log_softmax(cosine_BB, dim=1), 0.0)
    count_B = similar_BB.sum(1)
    return (surprise_BB.sum(1) / count_B.clamp(min=1))[count_B > 0].mean()


def proxy_anchor_loss(
    embeddings_BD: torch.Tensor, class_B: torch.Tensor, proxies_CD: torch.Tensor, margin: float, scale: float
) -> torch.Tensor:
    """Return the proxy-anchor loss, in nats (Kim, Kim, Cho and Kwak 2020, eq. 4). proxies_CD: of any length

    Each proxy pulls the images of its class and pushes all others, the hardest of the batch most: log(1 + sum of
    exp(-scale (cosine - margin))) and log(1 + sum of exp(scale (cosine + margin))), means over the proxies.
    """
    cosine_BC = embeddings_BD @ F.normalize(proxies_CD, dim=1).T
    own_BC = F.one_hot(class_B, len(proxies_CD)).bool()
    pull_C = _log_of_more(-scale * (cosine_BC - margin), own_BC)
    push_C = _log_of_more(scale * (cosine_BC + margin), ~own_BC)
    return pull_C.sum() / own_BC.any(0).sum() + push_C.mean()


def arcface_loss(
    embeddings_BD: torch.Tensor, class_B: torch.Tensor, proxies_CD: torch.Tensor, margin: float, scale: float
) -> torch.Tensor:
    """Return the additive angular margin loss, in nats (Deng, Guo, Xue and Zafeiriou 2019, eq. 3).

    The cross-entropy of classifying each image by its cosines with the proxies, times `scale`, where the angle with its
    own proxy counts as larger by `margin` (radians). Beyond a half turn, where the cosine of that sum would rise again,
    the own cosine less margin sin(margin) stands for it, as in the authors' code. proxies_CD: of any length
    """
    cosine_BC = embeddings_BD @ F.normalize(proxies_CD, dim=1).T
    own_B1 = cosine_BC.gather(1, class_B[:, None])
    angle_B1 = own_B1.clamp(STRAIGHT - 1, 1 - STRAIGHT).acos()
    less_B1 = torch.where(angle_B1 < math.pi - margin, (angle_B1 + margin).cos(), own_B1 - margin * math.sin(margin))
    return F.cross_entropy(scale * cosine_BC.scatter(1, class_B[:, None], less_B1), class_B)


def distances(embeddings_BD: torch.Tensor) -> torch.Tensor:
    """Return the distances (B, B) of embeddings, with a finite gradient also where two are equal."""
    square_B = embeddings_BD.square().sum(1)
    square_BB = square_B[:, None] + square_B - 2 * embeddings_BD @ embeddings_BD.T
    return square_BB.clamp(min=NEAREST).sqrt()


def _pairs(class_B: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return which ordered pairs of different images are similar, and which are dissimilar, (B, B) bool each."""
    same_BB = class_B[:, None] == class_B
    return same_BB & ~torch.eye(len(class_B), dtype=torch.bool, device=class_B.device), ~same_BB


def _log_of_more(logits_BC: torch.Tensor, chosen_BC: torch.Tensor) -> torch.Tensor:
    """Return log(1 + sum of exp(chosen logits)) of each column, (C,), without overflow."""
    zero_1C = torch.zeros_like(logits_BC[:1])
    return torch.cat([zero_1C, logits_BC.masked_fill(~chosen_BC, -math.inf)]).logsumexp(0)


def _mean(values_BB: torch.Tensor, chosen_BB: torch.Tensor) -> torch.Tensor:
    return (values_BB * chosen_BB).sum() / chosen_BB.sum().clamp(min=1)
