"""The losses of training.

B pairs or images, C classes, K images of each, D features
"""

import torch
from torch.nn import functional as F


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


def centroid_loss(embeddings_CKD: torch.Tensor, scale: float) -> torch.Tensor:
    """Return the cross-entropy, in nats, of classifying each image by its cosines with the centroids of C classes.

    The centroid of an image's own class leaves that image out. This is the one-shot task in training, as in
    prototypical networks (Snell et al. 2017), with cosines times `scale` as logits and every image a query.
    """
    classes, drawings, _ = embeddings_CKD.shape
    sum_C1D = embeddings_CKD.sum(1, keepdim=True)
    own_CK = (F.normalize(sum_C1D - embeddings_CKD, dim=2) * embeddings_CKD).sum(2)
    cosine_BC = embeddings_CKD.flatten(0, 1) @ F.normalize(sum_C1D[:, 0], dim=1).T
    class_B = torch.arange(classes, device=embeddings_CKD.device).repeat_interleave(drawings)
    cosine_BC = cosine_BC.scatter(1, class_B[:, None], own_CK.flatten()[:, None])
    return F.cross_entropy(scale * cosine_BC, class_B)
