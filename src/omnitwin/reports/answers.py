"""What `compare` and `use` say, and what a bug report needs, as frozen records of plain numbers and words."""

from dataclasses import dataclass, field
from pathlib import Path

from omnitwin.reports.pictures import Picture

INLINE = {"inline": True}  # metadata of a field: in JSON its parts lie among those of the record that has it
BEST = 10  # images of a ranking, the most similar, that are drawn


@dataclass(frozen=True, kw_only=True)
class TrainedNetwork:
    """Which network it is, and how far it was trained.

    checkpoint: its weights file
    bundled: whether the weights came with omnitwin
    recipe: name of the recipe
    iteration: iterations done when these weights were written
    iterations: iterations that the recipe asked for
    """

    checkpoint: Path
    bundled: bool
    recipe: str
    iteration: int
    iterations: int


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The network that answered, and how.

    engine: `numpy` or `torch`, which ran the network
    calibrated: whether probabilities were fitted to held-out pairs, as many similar as dissimilar
    threshold: probability from which a pair is called the same
    """

    network: TrainedNetwork = field(metadata=INLINE)
    engine: str
    calibrated: bool
    threshold: float


@dataclass(frozen=True, kw_only=True)
class ComparisonReport(Answer):
    """The answer for two files: probability that they show the same thing, and the verdict at the threshold.

    Pictures are of the files, inputs of what the network saw of them. first_novelty, second_novelty: how unlike any
    known drawing they are, far from all above 1; None where the checkpoint cannot tell.
    """

    first: Path
    second: Path
    same: bool
    probability: float
    notes: tuple[str, ...]
    first_picture: Picture
    second_picture: Picture
    first_input: Picture
    second_input: Picture
    first_novelty: float | None
    second_novelty: float | None


@dataclass(frozen=True, kw_only=True)
class RankedImage:
    """novelty: how unlike any drawing known in training the image is, above 1 it is far; None where nobody can tell."""

    rank: int
    file: Path
    probability: float
    same: bool
    notes: tuple[str, ...]
    novelty: float | None
    picture: Picture


@dataclass(frozen=True, kw_only=True)
class UnreadImage:
    """A file or folder that nothing could be read from; problem is a line that names it."""

    file: Path
    problem: str


@dataclass(frozen=True, kw_only=True)
class RankingReport(Answer):
    """Images by the probability that they show what the query shows, the most similar first.

    seconds: to read, embed and compare all images, the query too; images_per_second: how many of them in one.
    """

    query: Path
    notes: tuple[str, ...]
    novelty: float | None
    query_picture: Picture
    ranked: tuple[RankedImage, ...]
    unread: tuple[UnreadImage, ...]
    images: int
    seconds: float
    images_per_second: float


@dataclass(frozen=True, kw_only=True)
class ChoiceReport:
    """The default network. name: `bundled`, a run's name or a path."""

    name: str
    network: TrainedNetwork = field(metadata=INLINE)


@dataclass(frozen=True, kw_only=True)
class EnvironmentReport:
    """default_network: who answers where nobody is named, or None with the problem where it cannot."""

    versions: dict[str, str]
    devices: tuple[str, ...]
    chosen_device: str
    precision: str
    folders: dict[str, str]
    variables: dict[str, str]
    default_network: ChoiceReport | None
    default_problem: str | None
