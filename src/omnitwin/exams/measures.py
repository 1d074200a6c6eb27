"""The figures that the exams report: their labels, and how they are drawn."""

from dataclasses import dataclass, replace

from omnitwin.metrics.operating import pairs_needed
from omnitwin.reports.exams import Measure


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of figure; the fields are those of reports.exams.Measure."""

    name: str
    label: str = ""
    short: str = ""
    percent: bool = True
    detail: bool = False
    far: float | None = None  # of which it tells the share of similar pairs accepted

    def of(self, dissimilar: int) -> "Kind":
        """Return the same kind, whose label says if so many dissimilar pairs cannot show its FAR (rule of three)."""
        if self.far is None or dissimilar >= pairs_needed("far", self.far):
            return self
        return replace(self, label=f"{self.label} (too few pairs to show it)", short=self.short or self.label)

    def at(self, threshold: float) -> "Kind":
        """Return the same kind with the exam's threshold in its label."""
        return replace(self, label=f"{self.label} at {threshold:.4g}, the threshold")

    def of_page(self, page: str) -> "Kind":
        """Return the same kind for a kind of page, as a detail."""
        return replace(self, name=f"{self.name}_{page.replace(' ', '_')}", label=f"{self.label}: {page}", detail=True)

    def measure(self, value: float, interval: tuple[float, float] | None, n: int, method: str) -> Measure:
        return Measure(
            name=self.name,
            value=value,
            interval=interval,
            n=n,
            method=method,
            label=self.label,
            short=self.short,
            percent=self.percent,
            detail=self.detail,
        )


ACCURACY = Kind(name="accuracy")
ERROR = Kind(name="error", label="error rate", short="error")
BALANCED = Kind(name="balanced_accuracy", label="balanced accuracy", short="balanced")
BALANCED_HALF = Kind(name="balanced_accuracy_at_0.5", label="balanced accuracy at 0.5", detail=True)
FAR = Kind(name="far", label="false accepts (FAR)", short="FAR", detail=True)
FRR = Kind(name="frr", label="false rejects (FRR)", short="FRR", detail=True)
AUC = Kind(name="auc", label="ROC AUC", short="AUC", percent=False)
EER = Kind(name="eer", label="equal error rate (EER)", short="EER")
TAR_2, TAR_3, TAR_4 = (
    Kind(name=f"tar_at_far_{far}", label=f"TAR at FAR {far}", detail=True, far=float(far))
    for far in ("1e-2", "1e-3", "1e-4")
)
AVERAGE_PRECISION = Kind(name="average_precision", label="average precision", percent=False, detail=True)
RECALL_1 = Kind(name="recall_at_1", label="nearest image is of the class (R@1)", short="R@1")
RECALL_5 = Kind(name="recall_at_5", label="one of the 5 nearest is of the class (R@5)", short="R@5")
MAP_R = Kind(name="map_at_r", label="mean average precision at R (MAP@R)", short="MAP@R")
REFUSED = Kind(name="refused", label="pairs refused (cannot tell)", short="refused")
RIGHTLY_REFUSED = Kind(name="rightly_refused", label="pairs without a drawing refused", short="rightly refused")
MARKED = Kind(name="balanced_accuracy_marked", label="balanced accuracy with foreign marks", short="marked")
FALSE_ALARMS = Kind(name="false_alarms", label="false alarms (drawings warned of)", short="alarms")
