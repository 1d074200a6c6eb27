"""What training makes small, against loops in plain numbers."""

import math

import pytest
import torch

from omnitwin.model.losses import (
    all_pairs_loss,
    arcface_loss,
    centroid_loss,
    contrast_loss,
    contrastive_loss,
    pair_loss,
    proxy_anchor_loss,
    triplet_loss,
)

CLASS_B = torch.tensor([0, 0, 0, 1, 1, 2, 2, 2, 2])


@pytest.fixture
def logits_BB():
    table = 3 * torch.randn(9, 9, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return table + table.T


def all_pairs_by_loops(logits, classes, focus):
    """Similar pairs: mean of -log p. Dissimilar: of -log(1 - p), once each and focus times more by share of p."""
    similar, dissimilar, weights = [], [], []
    for i, one in enumerate(classes):
        for j, other in enumerate(classes):
            p = 1 / (1 + math.exp(-logits[i][j]))
            if one == other and i != j:
                similar.append(-math.log(p))
            elif one != other:
                dissimilar.append(-math.log(1 - p))
                weights.append(p)
    hard = sum(loss * weight for loss, weight in zip(dissimilar, weights, strict=True)) / sum(weights)
    return (sum(similar) / len(similar) + sum(dissimilar) / len(dissimilar) + focus * hard) / 2


@pytest.mark.parametrize("focus", [0.0, 1.0, 2.5])
def test_the_loss_of_all_pairs_is_that_of_two_loops(logits_BB, focus):
    wanted = all_pairs_by_loops(logits_BB.tolist(), CLASS_B.tolist(), focus)
    assert float(all_pairs_loss(logits_BB, CLASS_B, focus)) == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("focus", [0.0, 1.0])
def test_an_image_with_itself_is_no_pair(logits_BB, focus):
    changed = logits_BB.clone().fill_diagonal_(50.0)
    assert float(all_pairs_loss(changed, CLASS_B, focus)) == float(all_pairs_loss(logits_BB, CLASS_B, focus))


def test_without_focus_it_is_the_pair_loss_of_both_kinds_weighing_one_half(logits_BB):
    same = CLASS_B[:, None] == CLASS_B
    pairs = ~torch.eye(9, dtype=torch.bool)
    kinds = [pair_loss(logits_BB[pairs & (same == kind)], same[pairs & (same == kind)]) for kind in (True, False)]
    assert float(all_pairs_loss(logits_BB, CLASS_B, 0)) == pytest.approx(float(sum(kinds) / 2), rel=1e-6)


def test_a_constant_network_has_a_loss_of_ln_2_and_of_one_and_a_half_with_focus():
    zeros = torch.zeros(9, 9)
    assert float(all_pairs_loss(zeros, CLASS_B, 0)) == pytest.approx(math.log(2))
    assert float(all_pairs_loss(zeros, CLASS_B, 1)) == pytest.approx(1.5 * math.log(2))


def test_the_weights_of_hard_pairs_are_no_path_for_the_gradient(logits_BB):
    """d loss / d logit of a dissimilar pair is half its weight times p; weights are numbers there."""
    logits = logits_BB.clone().requires_grad_()
    all_pairs_loss(logits, CLASS_B, 1).backward()
    p = logits_BB.sigmoid()
    dissimilar = (CLASS_B[:, None] != CLASS_B).double()
    weight = dissimilar / dissimilar.sum() + dissimilar * p / (dissimilar * p).sum()
    torch.testing.assert_close((logits.grad * dissimilar), weight * p / 2)


@pytest.mark.parametrize("value", [-1000.0, 1000.0])
def test_sure_and_wrong_answers_have_a_finite_loss_and_gradient(value):
    logits = torch.full((9, 9), value, requires_grad=True)
    loss = all_pairs_loss(logits, CLASS_B, 1)
    loss.backward()
    assert math.isfinite(float(loss.detach()))
    assert logits.grad.isfinite().all()


def centroid_by_loop(embeddings, scale):
    """Of each drawing: cosines with the other classes' centroids, and with that of its own without itself."""
    losses = []
    classes, drawings, _ = embeddings.shape
    for c in range(classes):
        for k in range(drawings):
            query = embeddings[c, k]
            cosines = []
            for other in range(classes):
                kept = [embeddings[other, j] for j in range(drawings) if (other, j) != (c, k)]
                centroid = torch.stack(kept).mean(0)
                cosines.append(scale * float(query @ centroid / centroid.norm()))
            losses.append(math.log(sum(map(math.exp, cosines))) - cosines[c])
    return sum(losses) / len(losses)


@pytest.mark.parametrize(("classes", "drawings", "scale"), [(5, 4, 20.0), (3, 2, 1.0), (2, 7, 5.0)])
def test_the_centroid_loss_is_that_of_a_loop_that_leaves_the_query_out(classes, drawings, scale):
    random = torch.randn(classes, drawings, 6, generator=torch.Generator().manual_seed(classes), dtype=torch.float64)
    embeddings = torch.nn.functional.normalize(random, dim=2)
    wanted = centroid_by_loop(embeddings, scale)
    assert float(centroid_loss(embeddings, scale)) == pytest.approx(wanted, rel=1e-9)


def test_the_centroid_loss_of_a_network_that_tells_nothing_is_ln_of_the_classes():
    assert float(centroid_loss(torch.ones(7, 3, 4) / 2, 20)) == pytest.approx(math.log(7), rel=1e-5)


def test_an_image_alone_in_its_class_is_one_more_centroid_and_no_query():
    random = torch.randn(17, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    embeddings = torch.nn.functional.normalize(random, dim=1)
    several, alone = embeddings[:15].view(5, 3, 6), embeddings[15:]
    losses = []
    for c in range(5):
        for k in range(3):
            query = several[c, k]
            own = several[c].sum(0) - query
            logits = [20 * cosine(query, own if other == c else several[other].sum(0)) for other in range(5)]
            logits += [20 * cosine(query, each) for each in alone]
            losses.append(math.log(sum(map(math.exp, logits))) - logits[c])
    assert float(centroid_loss(several, 20.0, alone)) == pytest.approx(sum(losses) / 15, rel=1e-9)


def test_an_image_without_a_similar_one_is_no_anchor_of_a_triplet():
    embeddings = unit(5, 4).detach()
    labels = torch.tensor([0, 0, 1, 1, 2])
    costs = []
    for i in range(4):
        others = [(apart(embeddings[i], embeddings[j]), bool(labels[i] == labels[j])) for j in range(5) if j != i]
        costs.append(max(0, 1 + max(d for d, same in others if same) - min(d for d, same in others if not same)))
    assert triplet_loss(embeddings, labels, 1.0).item() == pytest.approx(sum(costs) / 4, rel=1e-9)


def test_the_centroid_loss_of_classes_far_apart_is_none():
    apart = torch.eye(4, dtype=torch.float64)[:, None].expand(4, 3, 4)
    assert float(centroid_loss(apart, 20)) == pytest.approx(3 * math.exp(-20), rel=1e-2)


def unit(count, size, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.nn.functional.normalize(
        torch.randn(count, size, generator=generator, dtype=torch.float64), dim=1
    ).requires_grad_()


LABELS = torch.tensor([0, 0, 0, 1, 1, 2, 2, 2, 3, 3])


def apart(left, right):
    return math.dist(left.tolist(), right.tolist())


def pairs_of(embeddings, similar):
    return [
        apart(embeddings[i], embeddings[j])
        for i in range(len(embeddings))
        for j in range(len(embeddings))
        if i != j and bool(LABELS[i] == LABELS[j]) is similar
    ]


@pytest.mark.parametrize("margin", [0.5, 1.0, 2.0])
def test_the_contrastive_loss_is_that_of_two_loops(margin):
    embeddings = unit(10, 4).detach()
    similar, dissimilar = pairs_of(embeddings, True), pairs_of(embeddings, False)
    expected = sum(d * d for d in similar) / len(similar)
    expected += sum(max(0, margin - d) ** 2 for d in dissimilar) / len(dissimilar)
    assert contrastive_loss(embeddings, LABELS, margin).item() == pytest.approx(expected / 2, rel=1e-9)


@pytest.mark.parametrize("margin", [0.0, 0.3, 1.0])
def test_the_triplet_loss_takes_each_image_with_its_farthest_similar_and_nearest_other(margin):
    embeddings = unit(10, 4).detach()
    costs = []
    for i, anchor in enumerate(embeddings):
        others = [(apart(anchor, other), bool(LABELS[i] == LABELS[j])) for j, other in enumerate(embeddings) if j != i]
        farthest, nearest = max(d for d, same in others if same), min(d for d, same in others if not same)
        costs.append(max(0, margin + farthest - nearest))
    assert triplet_loss(embeddings, LABELS, margin).item() == pytest.approx(sum(costs) / len(costs), rel=1e-9)


@pytest.mark.parametrize("temperature", [0.05, 0.5])
def test_the_supervised_contrastive_loss_is_that_of_its_equation(temperature):
    embeddings = unit(10, 4).detach()
    losses = []
    for i in range(10):
        power = {j: math.exp(float(embeddings[i] @ embeddings[j]) / temperature) for j in range(10) if j != i}
        similar = [j for j in power if LABELS[j] == LABELS[i]]
        losses.append(-sum(math.log(power[j] / sum(power.values())) for j in similar) / len(similar))
    assert contrast_loss(embeddings, LABELS, temperature).item() == pytest.approx(sum(losses) / 10, rel=1e-9)


@pytest.mark.parametrize(("loss", "number"), [(contrastive_loss, 1.0), (triplet_loss, 0.3), (contrast_loss, 0.1)])
def test_equal_embeddings_have_a_finite_loss_and_gradient(loss, number):
    same = torch.ones(10, 4, dtype=torch.float64).div(2).requires_grad_()
    value = loss(same, LABELS, number)
    value.backward()
    assert value.isfinite()
    assert same.grad.isfinite().all()


@pytest.mark.parametrize(("loss", "number"), [(contrastive_loss, 1.0), (triplet_loss, 0.3), (contrast_loss, 0.1)])
def test_the_gradient_is_that_of_differences(loss, number):
    assert torch.autograd.gradcheck(lambda embeddings: loss(embeddings, LABELS, number), unit(10, 3))


# ---- losses with proxies ----

PROXIES = 3 * unit(6, 4, seed=1).detach()  # of 6 classes, of which 4 are in the batch; any length


def cosine(left, right):
    return float(left @ right) / math.sqrt(float(left @ left) * float(right @ right))


@pytest.mark.parametrize(("margin", "scale"), [(0.1, 32.0), (0.0, 4.0), (0.5, 1.0)])
def test_the_proxy_anchor_loss_is_that_of_its_equation(margin, scale):
    embeddings = unit(10, 4).detach()
    pulls, pushes = [], []
    for c, proxy in enumerate(PROXIES):
        own = [cosine(each, proxy) for each, label in zip(embeddings, LABELS, strict=True) if label == c]
        others = [cosine(each, proxy) for each, label in zip(embeddings, LABELS, strict=True) if label != c]
        if own:
            pulls.append(math.log(1 + sum(math.exp(-scale * (each - margin)) for each in own)))
        pushes.append(math.log(1 + sum(math.exp(scale * (each + margin)) for each in others)))
    wanted = sum(pulls) / len(pulls) + sum(pushes) / len(PROXIES)
    assert len(pulls) == 4
    assert proxy_anchor_loss(embeddings, LABELS, PROXIES, margin, scale).item() == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize(("margin", "scale"), [(0.5, 64.0), (0.0, 4.0), (1.4, 1.0)])
def test_the_arcface_loss_is_that_of_its_equation(margin, scale):
    embeddings = unit(10, 4).detach()
    losses, beyond = [], 0
    for image, label in zip(embeddings, LABELS.tolist(), strict=True):
        logits = [scale * cosine(image, proxy) for proxy in PROXIES]
        angle = math.acos(logits[label] / scale)
        beyond += angle > math.pi - margin
        own = math.cos(angle + margin) if angle <= math.pi - margin else math.cos(angle) - margin * math.sin(margin)
        logits[label] = scale * own
        losses.append(math.log(sum(map(math.exp, logits))) - logits[label])
    assert beyond or margin < 1
    assert arcface_loss(embeddings, LABELS, PROXIES, margin, scale).item() == pytest.approx(sum(losses) / 10, rel=1e-9)


def test_a_larger_angle_with_the_own_proxy_always_costs_more():
    """The cosine of angle and margin rises again beyond a half turn; the loss must not fall there."""
    turn = torch.linspace(0.01, math.pi - 0.01, 60, dtype=torch.float64)
    images = torch.stack([turn.cos(), turn.sin(), torch.zeros(60)], dim=1)
    proxies = torch.tensor([[1.0, 0, 0], [0, 0, 1.0]], dtype=torch.float64)
    label = torch.tensor([0])
    costs = [float(arcface_loss(image[None], label, proxies, 0.5, 4.0)) for image in images]
    assert costs == sorted(costs)


@pytest.mark.parametrize(("loss", "margin"), [(proxy_anchor_loss, 0.1), (arcface_loss, 0.5)])
def test_the_losses_with_proxies_are_those_of_pytorch_metric_learning(loss, margin):
    theirs = pytest.importorskip("pytorch_metric_learning.losses")
    if loss is arcface_loss:
        their = theirs.ArcFaceLoss(6, 4, margin=math.degrees(margin), scale=16)
        with torch.no_grad():
            their.W.copy_(PROXIES.T)
    else:
        their = theirs.ProxyAnchorLoss(6, 4, margin=margin, alpha=16)
        with torch.no_grad():
            their.proxies.copy_(PROXIES)
    embeddings = unit(10, 4, seed=3).detach().float()
    ours = loss(embeddings, LABELS, PROXIES.float(), margin, 16.0)
    assert float(ours) == pytest.approx(float(their(embeddings, LABELS).detach()), rel=1e-4)


@pytest.mark.parametrize(("loss", "margin"), [(proxy_anchor_loss, 0.1), (arcface_loss, 0.5)])
def test_images_on_and_opposite_their_proxies_have_a_finite_gradient(loss, margin):
    images = torch.cat([PROXIES, -PROXIES]).div(3).requires_grad_()
    proxies = PROXIES.clone().requires_grad_()
    value = loss(images, torch.arange(6).repeat(2), proxies, margin, 64.0)
    value.backward()
    assert all(tensor.isfinite().all() for tensor in (value, images.grad, proxies.grad))


@pytest.mark.parametrize(("loss", "margin"), [(proxy_anchor_loss, 0.1), (arcface_loss, 0.5)])
def test_the_gradient_of_images_and_proxies_is_that_of_differences(loss, margin):
    proxies = PROXIES[:, :3].clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda images, own: loss(images, LABELS, own, margin, 4.0), (unit(10, 3), proxies))
