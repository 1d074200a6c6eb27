"""Reports of `compare`, `use` and `env`: frozen records of plain numbers and words."""

from dataclasses import dataclass, field
from pathlib import Path

from omnitwin.reports.operating import OperatingPoint
from omnitwin.reports.pictures import Picture

INLINE = {"json": "inline"}  # metadata of a field: in JSON its fields are those of the record around it
OMITTED = {"json": "omitted"}
SAME, DIFFERENT, UNSURE = "same", "different", "unsure"  # verdicts
UNFAMILIAR = "unlike any image that the network was trained for"
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
    operating: what the threshold was chosen for, and its errors; None: not known, or another threshold was given
    rates_are: how the errors of `operating` were measured, in words; None: not known
    """

    network: TrainedNetwork = field(metadata=INLINE)
    engine: str
    calibrated: bool
    threshold: float
    operating: OperatingPoint | None = None
    rates_are: str | None = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rates_are", (self.operating and self.operating.measured) or None)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Same, different, or cannot tell.

    same: whether the answer is `same`: the probability reaches the threshold, and nothing speaks against an answer
    reasons: why the verifier cannot tell, each with the image's name; none if it can, or was told to answer always
    verdict: `same`, `different`, or `unsure` if there is a reason
    """

    same: bool
    reasons: tuple[str, ...] = ()
    verdict: str = field(init=False)

    def __post_init__(self) -> None:
        if self.same and self.reasons:
            raise ValueError("a verdict that is `same`, with reasons why it cannot be told")
        answer = SAME if self.same else DIFFERENT
        object.__setattr__(self, "verdict", UNSURE if self.reasons else answer)


@dataclass(frozen=True, kw_only=True)
class Comparison(Verdict):
    """Whether two images show the same thing.

    >>> omnitwin.load().compare("a.png", "b.png").probability
    0.9966

    probability: that both show the same thing; it means little if the verdict is `unsure`
    notes: the changes made to the images
    first_novelty, second_novelty: distance from familiar images, above 1 unlike all of them; None: not known
    """

    probability: float
    threshold: float
    notes: tuple[str, ...]
    first_novelty: float | None
    second_novelty: float | None


@dataclass(frozen=True, kw_only=True)
class ComparisonReport(Answer, Verdict):
    """The answer for two files.

    probability: that both show the same thing; it means little if the verdict is `unsure`
    notes: the changes made to the images, with the file's name
    first_picture, second_picture: the files as a person sees them
    first_input, second_input: the images as the network sees them
    first_novelty, second_novelty: distance from familiar images, above 1 unlike all of them; None: not known
    """

    first: Path
    second: Path
    probability: float
    notes: tuple[str, ...]
    first_picture: Picture
    second_picture: Picture
    first_input: Picture
    second_input: Picture
    first_novelty: float | None
    second_novelty: float | None

    def __post_init__(self) -> None:
        Answer.__post_init__(self)
        Verdict.__post_init__(self)


@dataclass(frozen=True, kw_only=True)
class RankedImage(Verdict):
    """One image of a ranking.

    rank: 1 for the most similar
    probability: that it shows what the query shows
    notes: the changes made to it
    novelty: distance from familiar images, above 1 unlike all of them; None: not known
    """

    rank: int
    file: Path
    probability: float
    notes: tuple[str, ...]
    novelty: float | None


@dataclass(frozen=True, kw_only=True)
class UnreadImage:
    """A file or folder that could not be read. problem: a line that names it"""

    file: Path
    problem: str


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """What was left out of a folder of images.

    subfolders: folders in it, which were not searched
    files: files in it that are no images; hidden ones don't count
    names: of both, without the folder
    """

    folder: Path
    subfolders: int
    files: int
    names: tuple[str, ...] = field(default=(), metadata={"json": "omitted"})


@dataclass(frozen=True, kw_only=True)
class RankingReport(Answer):
    """Images by the probability that they show what the query shows, the most similar first.

    notes, novelty, query_picture: of the query; the picture is as the network sees it
    pictures: the first BEST in ranked, as the network sees them
    images: number of images that were read, with the query
    seconds: time to read, embed and compare them all
    images_per_second: images / seconds
    """

    query: Path
    notes: tuple[str, ...]
    novelty: float | None
    query_picture: Picture
    ranked: tuple[RankedImage, ...]
    pictures: tuple[Picture, ...] = field(metadata=OMITTED)
    unread: tuple[UnreadImage, ...]
    left_out: tuple[LeftOut, ...] = ()
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
    """The facts that a bug report needs.

    versions: of omnitwin, Python, the system and the libraries, by name
    devices: descriptions of the devices here, the preferred one first
    chosen_device, precision: the values that `auto` stands for here
    folders: paths of the `cache` and `data` folders
    variables: values of the environment variables that are set
    default_network: the network used without --checkpoint, or None if it cannot be used
    default_problem: why it cannot be used, or None
    """

    versions: dict[str, str]
    devices: tuple[str, ...]
    chosen_device: str
    precision: str
    folders: dict[str, str]
    variables: dict[str, str]
    default_network: ChoiceReport | None
    default_problem: str | None
