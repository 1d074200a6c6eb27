"""Every default, once: frozen records that the command line shows, the library uses and a checkpoint records.

It has more than 400 lines because a default has this one home.
"""

import math
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from numbers import Real
from pathlib import Path
from typing import Any

from omnitwin.errors import BadInput
from omnitwin.recipes import CLASSIC, Recipe
from omnitwin.system.paths import BUNDLED, NEWEST
from omnitwin.system.words import device_word

DEMO_IMAGES = 4  # drawings that the demo shows: a row in 80 columns
DEMO_SECONDS = 40.0  # that the demo trains at most, so that it ends within a minute on a slow machine, too
FIGURE_PAIRS = 10  # on the sheet of eval --figures without --show, and on the page of a report: as in the example
HARDEST_PAIRS = 6  # of each kind that the exams of all pairs keep: the wrong ones that the scorer is surest of

BEYOND_PAIRS = 500  # of each variation in the exam beyond the set's own drawings

FOLDS = 5  # of the classes, by default: each network has four fifths of them

DATASETS = ("omniglot", "synthetic")  # the catalogue in data/catalogue.py has these and no others
EXAMS = ("pairs", "all-pairs", "same-group", "one-shot", "official", "retrieval", "beyond")
SEVERAL_EXAMS = ("usual", "all")  # words for many: all; or all but those that take long on images of your own
SUBSETS = ("test", "held-out", "training", "all")  # of a data set, that exams can be taken on; `all` of own images
SPLITS = ("classes", "images")  # what the parts of somebody's own images have apart
BASELINES = ("pixels", "hausdorff", "frozen")
EXAM_EVERY = 100  # iterations, between two exams on the held-out classes
LEAST_EXAMS = 8  # of a run: the best network of a short run may be an early one
TARGETS = ("balanced", "far", "precision")  # what a threshold can be chosen for
LINKAGES = ("average", "complete")  # how groups of images are formed (gallery/linkage.py)
LINKAGE = "complete"  # at a balanced threshold it agrees better with the classes (docs/LOG.md, Groups)
MAPS = ("pca", "umap")  # ways to two dimensions
PAGE_GROUPS = 500  # groups of duplicates on a page, with their pictures: 5 MB
MAP_PICTURES = 1000  # thumbnails on a map: 3 MB of a page, and as many as a browser moves smoothly
SCOPES = ("group", "any")  # from which the classes of an episode come
OLDER_EXAMS = {"same-alphabet": "same-group"}  # words that are still understood
OLDER_SCOPES = {"alphabet": "group"}
WAYS = 20  # classes to choose from in an episode, as in Lake's official runs
RESERVED = (NEWEST, BUNDLED, *BASELINES)  # names of checkpoints that are no run's
TARGET_FORM = "Write balanced, far=0.01 or precision=0.95."
NO_NAME = r'[<>:"/\\|?*\x00-\x1f\x7f]|^\.|[. ]\Z|^(con|prn|aux|nul|com\d|lpt\d)(\.|\Z)'  # hidden, or on Windows
MOST_PROCESSES = 1024  # that read images side by side
LONGEST_NAME = 255  # bytes of a file's name, on nearly every file system


@dataclass(frozen=True)
class Target:
    """What a threshold is chosen for.

    kind: `balanced` for the highest balanced accuracy; `far` for a share of dissimilar pairs that are accepted, at
        most; `precision` for a share of similar pairs among the accepted ones, at least, if there were as many similar
        as dissimilar pairs
    value: the share, between 0 and 1; above 0.5 for `precision`, which guessing reaches; None for `balanced`

    >>> parse_target("far=0.01")
    Target(kind='far', value=0.01)
    """

    kind: str = "balanced"
    value: float | None = None

    def __str__(self) -> str:
        return self.kind if self.value is None else f"{self.kind}={self.value!r}"


def parse_target(words: "str | Target") -> Target:
    """Return the target of words such as `balanced`, `far=0.01` or `precision=0.95`. Raises BadInput."""
    if isinstance(words, Target):
        words = str(words)
    kind, _, share = words.partition("=") if isinstance(words, str) else ("", "", "")
    if kind not in TARGETS:
        raise BadInput(f"no target is called {words!r}", TARGET_FORM)
    if words == TARGETS[0]:
        return Target()
    try:
        value = float(share)
    except ValueError:
        value = math.nan
    least = 0.5 if kind == "precision" else 0.0
    if kind == TARGETS[0] or not least < value < 1:
        reason = "takes no value" if kind == TARGETS[0] else f"needs a share between {least:g} and 1"
        raise BadInput(f"the target {words!r} is none: {kind} {reason}", TARGET_FORM)
    return Target(kind, value)


Images = Any  # omnitwin.data.catalogue.Images, which needs torch: a data set's name, image set or mapping of sets


@dataclass(frozen=True, kw_only=True)
class SourceConfig:
    """Where a data set comes from. What is None is read from the environment when data is loaded.

    >>> omnitwin.download(omnitwin.SourceConfig(source="/mnt/omniglot", force=True))
    """

    source: str | None = None  # a folder, a zip file or a base URL; None: OMNITWIN_MIRROR, else the official address
    offline: bool | None = None  # whether the network is forbidden; None: as OMNITWIN_OFFLINE says
    force: bool = False  # fetch and pack again what is here already
    pattern: str | None = None  # of a folder: regular expression for the class in a file's path; None: its folder
    split: str | None = None  # of a folder or table: a test has other `classes` than training, or only other `images`;
    # None: as the network was trained, else `classes`

    def __post_init__(self) -> None:
        if isinstance(self.source, os.PathLike):
            object.__setattr__(self, "source", os.fspath(self.source))
        if self.source is not None and not isinstance(self.source, str):
            raise BadInput(f"{self.source!r} is no source", "Give a folder, a zip file or a base URL.")
        if self.split not in (None, *SPLITS):
            raise BadInput(f"no split is called {self.split!r}", f"Use {' or '.join(SPLITS)}.")

    @property
    def divided(self) -> str:
        """How a folder or table is divided, unless a network says otherwise."""
        return self.split or SPLITS[0]


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How, on what and for how long to run a recipe.

    encoder: a module of your own, for a recipe whose encoder is called `own`
    objective: a callable of (embeddings (B, D), labels (B,)) to a scalar, for a recipe whose objective is called `own`
    target: what the threshold is chosen for on the held-out classes; words are read by parse_target

    >>> omnitwin.TrainConfig(recipe=omnitwin.RECIPES["fast"], device="cuda", max_seconds=600.0)
    """

    recipe: Recipe = CLASSIC
    dataset: str | Images = "omniglot"
    source: SourceConfig = field(default_factory=SourceConfig)
    device: str = "auto"
    precision: str = "auto"
    compile: bool = False
    max_seconds: float | None = None
    checkpoint_seconds: float = 300.0  # between two checkpoints: at most this much work is lost
    exam_every: int | None = None  # iterations between two exams on the held-out classes; None: examined_every says
    target: str | Target = Target()
    output: Path | None = None
    name: str | None = None
    encoder: Any = None  # torch.nn.Module; a config is made without torch
    objective: Callable[[Any, Any], Any] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "device", device_word(self.device))
        object.__setattr__(self, "target", parse_target(self.target))
        if self.name is not None:
            check_run_name(self.name)
            if self.output is not None:
                raise BadInput("a run's name and its output folder exclude each other", "Leave one out.")
        seconds = self.max_seconds
        if seconds is not None and not (_is_number(seconds) and seconds > 0):
            raise BadInput(f"the time of a run is a number of seconds above 0, not {seconds!r}", "For example: 1800")
        every = self.exam_every
        if every is not None and (type(every) is not int or every < 1):
            raise BadInput(f"exam_every is a number of iterations, 1 or more, not {every!r}", "For example: 100")

    @property
    def examined_every(self) -> int:
        """Iterations between two exams: EXAM_EVERY unless told otherwise, fewer in a run too short for LEAST_EXAMS."""
        return self.exam_every or max(1, min(EXAM_EVERY, self.recipe.iterations // LEAST_EXAMS))


@dataclass(frozen=True, kw_only=True)
class EvalConfig:
    """The exams to take, the network or baseline that takes them, and the images.

    >>> omnitwin.EvalConfig(exams=("one-shot",), way=5, shot=1, seeds=3)
    """

    exams: tuple[str, ...] = ("pairs",)  # names of EXAMS or SEVERAL_EXAMS
    batches: int = 5  # pairs: random batches
    batch_size: int = 150  # pairs: pairs in each batch
    way: int | None = None  # one-shot: classes to choose from; None: WAYS, or as many as there are
    shot: int = 1  # one-shot: examples of each class
    episodes: int = 10_000  # one-shot
    scope: str = "group"  # one-shot: the classes of an episode are from one group (alphabet), or from `any`
    seed: int = 0  # of the exams that are sampled
    seeds: int = 1  # times that these exams are taken, with seed, seed + 1 and so on
    checkpoint: str | None = None  # None: the default network
    baseline: str | None = None  # instead of a network
    encoder: str = "mobilenet_v2"  # frozen: a model of torchvision
    weights: str = "default"  # frozen: its weights; or a file of them
    dataset: str | Images | None = None  # None: the one that the checkpoint was trained on
    subset: str = "test"  # which part of the data set
    source: SourceConfig = field(default_factory=SourceConfig)
    device: str = "auto"
    precision: str = "fp32"  # the figure should not depend on the hardware
    show: int = 0  # pairs: scored pairs in the report

    def __post_init__(self) -> None:
        object.__setattr__(self, "device", device_word(self.device))
        least = {"batches": 1, "batch_size": 1, "way": 2, "shot": 1, "episodes": 1, "seeds": 1}
        for name, bound in least.items():
            given = getattr(self, name)
            if given is not None and given < bound:
                raise BadInput(
                    f"{name.replace('_', ' ')} must be at least {bound}, not {given}", f"Give {bound} or more."
                )
        object.__setattr__(self, "exams", tuple(OLDER_EXAMS.get(exam, exam) for exam in self.exams))
        object.__setattr__(self, "scope", OLDER_SCOPES.get(self.scope, self.scope))
        known = {"exam": (*EXAMS, *SEVERAL_EXAMS), "set": SUBSETS, "scope": SCOPES, "baseline": BASELINES}
        words_of = {"exam": self.exams, "set": (self.subset,), "scope": (self.scope,), "baseline": (self.baseline,)}
        for kind, words in words_of.items():
            for word in words:
                if word is not None and word not in known[kind]:
                    raise BadInput(f"no {kind} is called {word!r}", f"Use {', '.join(known[kind])}.")
        for name in ("encoder", "weights"):
            if self.baseline != "frozen" and getattr(self, name) != getattr(EvalConfig, name):
                raise BadInput(f"--{name} belongs to the baseline frozen", "Add --baseline frozen.")
        if self.baseline is not None and self.checkpoint is not None:
            raise BadInput("--baseline and --checkpoint exclude each other", "Leave one out.")


REPORT = EvalConfig(exams=("usual",), show=FIGURE_PAIRS)  # the exams on a report's page


def check_threshold(threshold: float | None) -> None:
    """Raise BadInput for a threshold that is no probability between 0 and 1; None is the checkpoint's own."""
    if threshold is not None and not (_is_number(threshold) and 0 < threshold < 1):
        raise BadInput(f"a threshold is a probability between 0 and 1, not {threshold!r}", "For example: 0.5")


def check_run_name(name: str) -> None:
    """Raise BadInput unless a folder can have the name on every system, and the name can mean nothing but a run."""
    check_folder_name(name, "run")
    if name in RESERVED:
        raise BadInput(f"{name!r} cannot name a run: it names something else", "Choose another name.")


def check_folder_name(name: str, kind: str) -> None:
    """Raise BadInput unless a folder can have the name on every system. kind: what it names, `run` or `index`"""
    of = f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
    if not isinstance(name, str) or not name or re.search(NO_NAME, name, re.IGNORECASE):
        raise BadInput(f"{name!r} cannot name {of}", "Use letters, digits, - and _.")
    length = len(name.encode(errors="surrogateescape"))  # of names that the locale cannot spell, too
    if length > LONGEST_NAME:
        raise BadInput(f"{of}'s name has at most {LONGEST_NAME} bytes, not {length}", "Shorten it.")


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and not math.isnan(value)


@dataclass(frozen=True, kw_only=True)
class AnswerConfig:
    """The network, the probability from which it answers `same`, the device, and whether it may refuse to answer."""

    checkpoint: str | None = None  # None: the bundled weights, or what `omnitwin use` chose
    threshold: float | None = None  # None: the checkpoint's own
    device: str = "cpu"  # one pair is done before a GPU has woken up
    always_answer: bool = False  # answer `same` or `different` also where the verifier cannot tell

    def __post_init__(self) -> None:
        object.__setattr__(self, "device", device_word(self.device))
        check_threshold(self.threshold)


@dataclass(frozen=True, kw_only=True)
class CompareConfig(AnswerConfig):
    first: Path
    second: Path


@dataclass(frozen=True, kw_only=True)
class RankConfig(AnswerConfig):
    """others: image files, and folders of them."""

    query: Path
    others: tuple[Path, ...]


@dataclass(frozen=True, kw_only=True)
class PlacesConfig:
    """Image files to embed, and the network.

    places: image files, and folders, which are searched with all that is in them
    listed: a CSV or TSV with a column `path`, or a text file with a path a line; `-` for standard input
    exclude: patterns such as `*.gif` or `old/*`, of a file's or folder's name, or of its path from the place
    processes: that read images side by side; None: as many as processors; 0: this process reads
    """

    places: tuple[Path, ...] = ()
    listed: str | None = None
    exclude: tuple[str, ...] = ()
    checkpoint: str | None = None  # None: the bundled weights, or what `omnitwin use` chose
    device: str = "cpu"
    processes: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "device", device_word(self.device))
        count = self.processes
        if count is not None and (type(count) is not int or not 0 <= count <= MOST_PROCESSES):
            raise BadInput(
                f"processes is a number from 0 to {MOST_PROCESSES:,}, not {count!r}", "0 reads in this process."
            )


@dataclass(frozen=True, kw_only=True)
class IndexConfig(PlacesConfig):
    """An index to make or to bring up to date.

    places, listed: if there are none, those that the index was made of
    name: of the index in omnitwin's data folder; None: that of the first place
    output: its folder, in place of a name
    rebuild: read every image again, also for another network
    """

    name: str | None = None
    output: Path | None = None
    rebuild: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.name is not None:
            check_folder_name(self.name, "index")
            if self.output is not None:
                raise BadInput("an index's name and its output folder exclude each other", "Leave one out.")


@dataclass(frozen=True, kw_only=True)
class SearchConfig:
    """Images to look for, and where.

    index: an index's name or folder; None: the only one there is
    folders: places that are not indexed, in place of an index
    top: images that are found for each query, at most
    least: probability below which no image counts as found; None: the network's threshold, and all are listed
    """

    queries: tuple[Path, ...]
    index: str | None = None
    folders: tuple[Path, ...] = ()
    top: int = 10
    least: float | None = None
    checkpoint: str | None = None  # None: the index's network, else the default network
    device: str = "cpu"
    processes: int | None = None  # as in PlacesConfig, to read the folders
    always_answer: bool = False
    pictures: bool = False  # whether the report has thumbnails

    def __post_init__(self) -> None:
        object.__setattr__(self, "device", device_word(self.device))
        if type(self.top) is not int or self.top < 1:
            raise BadInput(f"top is a number of images, 1 or more, not {self.top!r}", "For example: 10")
        if self.least is not None and not (_is_number(self.least) and 0 <= self.least <= 1):
            raise BadInput(
                f"a least probability lies between 0 and 1, not {self.least!r}", "For example: --min-probability 0.9"
            )
        if self.index is not None and self.folders:
            raise BadInput("an index and folders to search exclude each other", "Leave one out.")


@dataclass(frozen=True, kw_only=True)
class EmbedConfig(PlacesConfig):
    """Images to embed into a file. output: FILE.npz, FILE.csv or FILE.parquet"""

    output: Path


@dataclass(frozen=True, kw_only=True)
class CalibrateConfig:
    """The network to calibrate, and the images that choose its threshold.

    data: a folder or a table of images
    pattern: regular expression for the class in a file's path; None: its folder is its class
    name: of the new verifier; None: after the network and the data
    """

    data: Path
    checkpoint: str | None = None  # None: the bundled weights, or what `omnitwin use` chose
    pattern: str | None = None
    target: str | Target = Target()
    name: str | None = None
    device: str = "cpu"

    def __post_init__(self) -> None:
        object.__setattr__(self, "device", device_word(self.device))
        object.__setattr__(self, "target", parse_target(self.target))
        if self.name is not None:
            check_run_name(self.name)


@dataclass(frozen=True, kw_only=True)
class ShowConfig:
    """What to show of a data set.

    dataset: its name, or the path of a folder or table of images
    seed: of the pictures that are drawn, and of the split that is made of a folder or table
    """

    images: int = 8
    pairs: int = 10
    subset: str = "training"
    dataset: str | Images = "omniglot"
    seed: int = 0
    source: SourceConfig = field(default_factory=SourceConfig)


@dataclass(frozen=True, kw_only=True)
class GalleryConfig:
    """A folder of images, the network that embeds them, and the limit from which a pair counts as the same.

    min_probability: None: the checkpoint's own threshold
    """

    place: Path
    checkpoint: str | None = None  # None: the bundled weights, or what `omnitwin use` chose
    min_probability: float | None = None
    device: str = "cpu"

    def __post_init__(self) -> None:
        object.__setattr__(self, "device", device_word(self.device))
        check_threshold(self.min_probability)


@dataclass(frozen=True, kw_only=True)
class DuplicatesConfig(GalleryConfig):
    """What is there twice in a folder, or in another one of what the first has.

    far: the share of dissimilar pairs that the limit may accept; it excludes min_probability
    linkage: a word of LINKAGES; None: the default. Between two folders there is none
    pictures: whether the report has thumbnails
    """

    other: Path | None = None
    far: float | None = None
    linkage: str | None = None
    pictures: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_far(self.far)
        if self.far is not None and self.min_probability is not None:
            raise BadInput("a FAR and a probability both set the limit", "Give --far or --min-probability, not both.")
        if self.linkage is not None:
            check_linkage(self.linkage)
            if self.other is not None:
                raise BadInput(
                    "a linkage has no effect between two folders: each file stands with the most similar of the first",
                    "Leave --linkage out.",
                )

    @property
    def linked_by(self) -> str:
        """The linkage within a folder."""
        return self.linkage or LINKAGE


@dataclass(frozen=True, kw_only=True)
class GroupConfig(GalleryConfig):
    """How to group the images of a folder. labels: whether to compare the groups with the classes of its folders"""

    linkage: str = LINKAGE
    labels: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_linkage(self.linkage)


@dataclass(frozen=True, kw_only=True)
class MapConfig(GalleryConfig):
    """How to lay out the images of a folder in two dimensions.

    method: a word of MAPS
    pictures: number of thumbnails in the report
    """

    method: str = "pca"
    pictures: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.method not in MAPS:
            raise BadInput(f"no way to draw a map is called {self.method!r}", f"Use {' or '.join(MAPS)}.")


def check_linkage(word: str) -> None:
    """Raise BadInput unless a word names a linkage."""
    if word not in LINKAGES:
        raise BadInput(f"no linkage is called {word!r}", f"Use {' or '.join(LINKAGES)}.")


def check_far(far: float | None) -> None:
    """Raise BadInput for a FAR that is no share between 0 and 1; None is none."""
    if far is not None and not (_is_number(far) and 0 < far < 1):
        raise BadInput(f"a FAR is a share of pairs between 0 and 1, not {far!r}", "For example: 0.001")
