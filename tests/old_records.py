"""Records of checkpoints and recipes as earlier versions wrote them."""

import json
from dataclasses import fields

from omnitwin.recipes import FAST, PARTS


def flat_record(recipe):
    """The record of a recipe before it had parts: fields side by side, and `batches` for training on all pairs."""
    of_batches = [each for part in (FAST.sampling, FAST.augmentation, FAST.objective) for each in fields(part)]
    names = {each.name for each in of_batches} - {"batch_size"} | {"weight_decay", "warm_up", "averaging", "head_rate"}
    flat = {name: value for name, value in recipe.flat().items() if name not in (*PARTS, "channels")}
    rest = {name: value for name, value in flat.items() if name not in names}
    batches = {name: value for name, value in flat.items() if name in names}
    return json.loads(json.dumps({**rest, "batches": batches or None}))


def as_version_3(record, recipe):
    """Turn the record of a checkpoint or state of that recipe into one of version 3, in place."""
    del record["network"]
    record.update(format_version=3, recipe=flat_record(recipe), channels=1, ink=0)


def as_version_1(record, recipe):
    """As omnitwin wrote it before it knew of calibration and held-out alphabets."""
    as_version_3(record, recipe)
    del record["held_out"], record["recipe"]["holdout"]
    record.update(format_version=1, calibration=None)
