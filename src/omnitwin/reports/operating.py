"""A threshold's operating point: what it was chosen for, and how often it errs."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

HELD_OUT, CALIBRATION = "held-out", "calibration"  # kinds of classes that a threshold is chosen on
BY_ITSELF = "the classes that chose the threshold"  # how rates were measured: beginnings of a method
BY_OTHERS = "each pair by a threshold that neither of its classes chose"
BY_OTHER_FOLDS = "each pair by a threshold that the other folds chose"
BY_OTHER_FITS = "cross-validated: each pair by a fit without its classes"
LONGEST = 500  # characters of a name
MOST_PAIRS = 1 << 62

Interval = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class OperatingPoint:
    """What a threshold was chosen for and on, and its errors there with their 95 % intervals.

    target: `balanced`, `far=0.01` or `precision=0.95`
    far: share of dissimilar pairs that are accepted
    frr: share of similar pairs that are rejected
    similar, dissimilar: number of pairs that were counted
    classes: number of classes that they are of
    chosen_on: `held-out`: classes kept out of training; `calibration`: those given to `omnitwin calibrate`
    data: name of the image set of these classes
    method: how rates and intervals were estimated
    within: what both images of each dissimilar pair that counts share, such as `alphabet`; empty: nothing

    >>> omnitwin.load("my-run").operating.far
    0.0098
    """

    target: str
    far: float
    far_interval: Interval
    frr: float
    frr_interval: Interval
    similar: int
    dissimilar: int
    classes: int
    chosen_on: str
    data: str
    method: str
    within: str = ""

    def __post_init__(self) -> None:
        words = (self.target, self.data, self.method, self.within)
        if not all(isinstance(word, str) and len(word) <= LONGEST for word in words):
            raise TypeError("a name of an operating point is no text, or too long")
        if self.chosen_on not in (HELD_OUT, CALIBRATION):
            raise ValueError(f"a threshold chosen on {self.chosen_on!r}")
        for rate, interval in ((self.far, self.far_interval), (self.frr, self.frr_interval)):
            low, high = interval
            if not all(isinstance(share, float) for share in (low, rate, high)) or not 0 <= low <= rate <= high <= 1:
                raise ValueError(f"a rate that is no share, or not in its interval: {low}, {rate}, {high}")
        for count in (self.similar, self.dissimilar, self.classes):
            if type(count) is not int or not 0 < count <= MOST_PAIRS:  # to Python, True is 1
                raise ValueError(f"a number of pairs or classes that is none: {count}")

    @property
    def measured(self) -> str:
        """Of whom the rates are, in a few words; empty if that is not known."""
        if self.method.startswith(BY_OTHERS):
            return "cross-validated on these classes, which also chose the best checkpoint"
        if self.method.startswith((BY_OTHER_FOLDS, BY_OTHER_FITS)):
            return "cross-validated on these classes"
        return "measured on these classes, which chose it: too kind" if self.method.startswith(BY_ITSELF) else ""

    @classmethod
    def of_rates(
        cls, rates: Mapping[str, tuple[float, Interval]], *, similar: int, dissimilar: int, data: str, **facts: Any
    ) -> "OperatingPoint":
        """Return the record of the rates `far` and `frr` with their intervals. facts: the other fields"""
        (far, far_interval), (frr, frr_interval) = rates["far"], rates["frr"]
        return cls(
            far=far,
            far_interval=far_interval,
            frr=frr,
            frr_interval=frr_interval,
            similar=similar,
            dissimilar=dissimilar,
            data=data[:LONGEST],
            **facts,
        )

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "OperatingPoint":
        """Return the record that JSON kept. Raises TypeError, KeyError or ValueError for any other."""
        if record.keys() != {each.name for each in fields(cls)}:
            raise KeyError("an operating point has other fields")
        intervals = {name: tuple(record[name]) for name in ("far_interval", "frr_interval")}
        return cls(**{**record, **intervals})
