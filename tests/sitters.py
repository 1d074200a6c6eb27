"""Who sits an exam in tests: models that know everything, nothing or only pictures, and sets made by hand."""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from omnitwin.answers.engines import Model, TorchNetwork
from omnitwin.answers.verifier import TORCH, Verifier
from omnitwin.config import EvalConfig
from omnitwin.data.packed import PackedSet
from omnitwin.exams.exam import Exam, Sitting
from omnitwin.exams.scorer import Scorer, seated
from omnitwin.model.twin import TwinNetwork
from omnitwin.recipes import SMALL
from omnitwin.reports.exams import ExamReport
from omnitwin.training.trainer import build_network

CPU = torch.device("cpu")
Answer = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # scores of pairs of rows


class Sitter:
    """A model for which an image is its row in a set, and a score what `answer` says of two rows."""

    def __init__(self, packed: PackedSet, answer: Answer) -> None:
        self.row_of = {image.numpy().tobytes(): row for row, image in enumerate(packed.images_NHW)}
        assert len(self.row_of) == len(packed), "two images are the same"
        self.white, self.answer = packed.white, answer
        self.embedded: list[int] = []  # rows, as often as they were asked for

    def embed(self, images_B1SS: torch.Tensor) -> torch.Tensor:
        pixels_BSS = (images_B1SS[:, 0] * self.white).round().to(torch.uint8)
        rows = [self.row_of[image.numpy().tobytes()] for image in pixels_BSS]
        self.embedded += rows
        return torch.tensor(rows)[:, None]

    def score(self, left_B1: torch.Tensor, right_B1: torch.Tensor) -> torch.Tensor:
        return self.answer(left_B1[:, 0], right_B1[:, 0]).float()

    def prepare(self, embeddings_N1: torch.Tensor) -> torch.Tensor:
        return embeddings_N1

    def score_all(self, left_A1: torch.Tensor, right_B1: torch.Tensor) -> torch.Tensor:
        return self.answer(*torch.broadcast_tensors(left_A1, right_B1.T)).float()


def constant(value: float) -> Answer:
    return lambda left, right: torch.full(left.shape, value)


def noise(seed: int) -> Answer:
    """A new random number for each pair, each time it is asked for."""
    generator = torch.Generator().manual_seed(seed)
    return lambda left, right: torch.randn(left.shape, generator=generator)


def oracle(packed: PackedSet) -> Answer:
    return lambda left, right: (packed.class_N[left] == packed.class_N[right]) * 2.0 - 1


def vague(packed: PackedSet, seed: int = 0) -> Answer:
    """One number for each pair, the same in either order and each time, that tends to be higher for similar pairs."""
    table_NN = torch.randn(len(packed), len(packed), generator=torch.Generator().manual_seed(seed)).triu(1)
    table_NN = table_NN + table_NN.T + (packed.class_N[:, None] == packed.class_N)
    return lambda left, right: table_NN[left, right]


def same_picture(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    return (left == right) * 2.0 - 1


def verifier_of(model: Model, **fields: Any) -> Verifier:
    """A model on the CPU, as what answers; its threshold is one half, its images are of any size."""
    known = {"name": "by hand", "view": None, "threshold": 0.5}
    return Verifier(**{"network": TorchNetwork(model, CPU), "engine": TORCH, **known, **fields})


def sit(packed: PackedSet, answer: Answer, **fields: Any) -> Scorer:
    return seated(verifier_of(Sitter(packed, answer), **fields), packed)


def taken(exam: Exam, scorer: Scorer, packed: PackedSet, config: EvalConfig, material: Any = None) -> ExamReport:
    """The report of one exam by a scorer of the set, or of the set in another frame."""
    return exam.take(Sitting(scorer=scorer, images=packed, config=config, material=material))


def uneven_set(alphabets: Sequence[Sequence[int]], size: int = 28) -> PackedSet:
    """Alphabets of classes with these numbers of images, which are noise."""
    counts = [count for alphabet in alphabets for count in alphabet]
    names = [f"Alphabet {index + 1}" for index in range(len(alphabets))]
    generator = torch.Generator().manual_seed(len(counts))
    return PackedSet(
        name="by hand",
        images_NHW=torch.randint(0, 2, (sum(counts), size, size), generator=generator, dtype=torch.uint8),
        white=1,
        class_N=torch.arange(len(counts)).repeat_interleave(torch.tensor(counts)),
        source_N=torch.cat([torch.arange(1, count + 1) for count in counts]),
        group_C=torch.arange(len(alphabets)).repeat_interleave(torch.tensor([len(one) for one in alphabets])),
        class_names=tuple(
            f"{name}/character{index + 1:02d}"
            for name, alphabet in zip(names, alphabets, strict=True)
            for index in range(len(alphabet))
        ),
        group_names=tuple(names),
        fingerprint="none",
    )


def dyadic_network(packed: PackedSet) -> TwinNetwork:
    """A twin network whose scores of the set's images are exact: no sum of theirs is ever rounded, in any order.

    Embeddings are multiples of 1/8, weights of 1/16 (of both signs, and zero), and the number of images, by which
    prepare divides, is a power of two: all terms are multiples of 2**-12 and all sums far below 2**12. Images of a
    class are alike, scores have ties, and some are 0 exactly.
    """
    count = len(packed)
    assert count & (count - 1) == 0
    generator = torch.Generator().manual_seed(count)
    network = build_network(SMALL).eval()
    features = network.head.in_features
    centre_CD = torch.randint(1, 8, (len(packed.class_names), features), generator=generator)
    own_ND = torch.randint(1, 8, (count, features), generator=generator)
    strays_ND = torch.rand(count, features, generator=generator) < 0.7
    table_ND = torch.where(strays_ND, own_ND, centre_CD[packed.class_N]) / 8
    with torch.no_grad():
        network.head.weight.copy_(torch.randint(-5, 3, (1, features), generator=generator) / 16)
        differences = (table_ND[:, None] - table_ND).abs() @ network.head.weight[0]
        network.head.bias.copy_(-differences[0, -1])  # a pair that scores 0
    rows = Sitter(packed, same_picture)
    network.embed = lambda images_B1SS: table_ND[rows.embed(images_B1SS)[:, 0]]
    return network
