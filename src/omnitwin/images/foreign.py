"""Leave out marks that are no part of a drawing: ruled lines, forms, boxes, lines across, round stamps.

found = without_foreign(ink_HW)  # ink from 0 for paper to 1, (H, W)
found.ink_HW, found.notes, found.findings
"""

from omnitwin.images.lines import without_lines
from omnitwin.images.rings import without_rings
from omnitwin.images.separated import Separated
from omnitwin.metrics.arrays import Array


def without_foreign(ink_HW: Array) -> Separated:
    """Return the ink of the drawing alone, what was left out, and what was found (reports.pages)."""
    found = Separated(ink_HW)
    return without_rings(without_lines(found)) if found.marks else found
