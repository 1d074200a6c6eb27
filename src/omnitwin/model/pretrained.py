"""Weights that others trained, for the encoders of model.backbones: find or fetch the file, check it, convert it once.

omnitwin train --encoder resnet50 --weights default

torchvision's own files end in the first digits of their SHA-256 (`resnet50-11ad3fa6.pth`), which is checked whenever
such a file is read; it is read with torch's `weights_only`, so that no code in it runs. Else only safetensors is read.
What was read is kept as safetensors in the cache folder, in the form of our encoder.
"""

import hashlib
import io
import os
import re
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from omnitwin.errors import BadInput, CannotRun, CannotWrite, DownloadFailed
from omnitwin.model.backbones import BACKBONE, BackboneEncoder, adopt, torchvision_models
from omnitwin.recipes import DEFAULT_WEIGHTS, TIMM, Network
from omnitwin.reports.progress import SILENT, Advance, Reporter
from omnitwin.system.fetch import fetch
from omnitwin.system.locks import hold
from omnitwin.system.paths import OFFLINE, cache_folder, expand, is_set, unlinked
from omnitwin.system.plain import open_named, open_plain
from omnitwin.system.tensorfile import checksum, header_problem, read_record, save_tensors

FORMAT, FORMAT_VERSION = "omnitwin-backbone", 1  # of a converted file
LARGEST_FILE = 1 << 32  # bytes; torchvision's largest file has 2.6e9
HASHED = re.compile(r"-([0-9a-f]{8,64})\.pth?$")  # how torchvision's files end
KEPT = 16  # digits of the SHA-256 in a converted file's name


@dataclass(frozen=True, kw_only=True)
class Pretrained:
    """Weights that were found and converted.

    name: of the file that they came in
    sha256: of that file
    """

    name: str
    sha256: str


def backbones_folder() -> Path:
    """Return the folder of converted weights, where files that cannot be fetched may be put. Raises CannotRun."""
    return unlinked(cache_folder() / "backbones")


def bring(network: Network, words: str, offline: bool | None = None, reporter: Reporter = SILENT) -> Pretrained:
    """Find the weights of a network's encoder, convert them unless that is done, and say which they are.

    words: `default`, which is fetched if it is missing, or the path of a file
    offline: whether the network is forbidden; None: OMNITWIN_OFFLINE decides

    Raises BadInput for a file that is not what its name says or is of another network, CannotRun and DownloadFailed if
    the default weights are not here and cannot be fetched.
    """
    if words != DEFAULT_WEIGHTS:
        return _converted(network, expand(words), reporter)
    if network.encoder.startswith(TIMM):
        raise BadInput("timm's networks have no default weights here", "Give a file: --weights FILE.safetensors")
    url = str(torchvision_models().get_model_weights(network.encoder).DEFAULT.url)
    name = url.rpartition("/")[2]
    hub = Path(torch.hub.get_dir(), "checkpoints", name)  # where torchvision itself keeps them
    for path in (backbones_folder() / name, hub):
        if path.exists():
            return _converted(network, path, reporter)
    if known := _known(network, name):
        return known
    return _fetched(network, url, is_set(OFFLINE) if offline is None else offline, reporter)


def read_pretrained(network: Network, known: Pretrained) -> dict[str, Tensor]:
    """Return converted weights by the names of the twin's tensors. Raises CannotRun if they are gone or damaged."""
    path = _path(network.encoder, known.sha256)
    wanted = BackboneEncoder(network).backbone.state_dict()
    try:
        if problem := header_problem(path):
            raise ValueError(problem)
        with safe_open(path, framework="pt") as file:
            record = read_record(file)
            tensors = {name: file.get_tensor(name) for name in sorted(file.keys())}
        same = (record["format"], record["sha256"]) == (FORMAT, known.sha256)
        if not same or record["checksum"] != checksum(tensors.values()) or _kinds(tensors) != _kinds(wanted):
            raise ValueError("it is damaged")
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise CannotRun(
            f"the weights {known.name} cannot be read from {path}: {reason}",
            "Remove that file and start a new run: --weights default, or --weights FILE",
        ) from error
    return {f"encoder.{BACKBONE}.{name}": tensor for name, tensor in tensors.items()}


def _path(encoder: str, sha256: str) -> Path:
    return backbones_folder() / f"{re.sub('[^a-z0-9_.]+', '-', encoder)}-{sha256[:KEPT]}.safetensors"


def _known(network: Network, name: str) -> Pretrained | None:
    """Return the weights of a file of torchvision's that was converted earlier and is gone, or None."""
    match = HASHED.search(name)
    assert match is not None
    for path in sorted(backbones_folder().glob(f"{network.encoder}-{match[1][:KEPT]}*.safetensors")):
        try:
            with open(path, "rb", opener=open_plain), safe_open(path, framework="pt") as file:
                known = Pretrained(name=name, sha256=str(read_record(file)["sha256"]))
            if known.sha256.startswith(match[1]):
                read_pretrained(network, known)
                return known
        except (OSError, SafetensorError, KeyError, TypeError, ValueError, CannotRun):
            continue
    return None


def _fetched(network: Network, url: str, offline: bool, reporter: Reporter) -> Pretrained:
    folder, name = backbones_folder(), url.rpartition("/")[2]
    hint = f"Fetch {url} elsewhere, and put {name} into {folder}"
    if offline:
        raise CannotRun(f"{name} is not here, and the network is forbidden ({OFFLINE})", hint)
    with hold(folder, waiting=reporter.note), ExitStack() as stack:

        def started(total: int, there: int) -> Advance:
            advance = stack.enter_context(reporter.task(f"Fetching {name}", total, "bytes"))
            advance(there)
            return advance

        try:
            part = fetch(url, folder / name, LARGEST_FILE, started, note=reporter.note).part
        except DownloadFailed as error:
            raise DownloadFailed(str(error), hint) from error
        try:
            part.replace(folder / name)
        except OSError as error:
            raise CannotWrite(f"cannot write {folder / name}: {error.strerror or error}") from error
    try:
        return _converted(network, folder / name, reporter)
    finally:  # what was converted is kept, and what is not what its name says is worth nothing
        (folder / name).unlink(missing_ok=True)


def _converted(network: Network, path: Path, reporter: Reporter) -> Pretrained:
    """Read a file, check it, and keep it in our encoder's form unless that is done."""
    content = _content(path)
    sha256 = hashlib.sha256(content).hexdigest()
    match = HASHED.search(path.name)
    if path.suffix != ".safetensors":
        if match is None:
            raise BadInput(
                f"{path.name} is no safetensors file, and its name does not end in a SHA-256 to check it by",
                "Give a safetensors file, or torchvision's own, such as resnet50-11ad3fa6.pth.",
            )
        if not sha256.startswith(match[1]):
            raise BadInput(
                f"{path} is not what its name says: its SHA-256 begins with {sha256[: len(match[1])]}",
                "Remove it and fetch it again.",
            )
    known = Pretrained(name=path.name, sha256=sha256)
    target = _path(network.encoder, sha256)
    if os.path.lexists(target):
        try:
            read_pretrained(network, known)
            return known
        except CannotRun:
            reporter.note(f"{target} is damaged and is written again.")
    encoder = BackboneEncoder(network)
    if problems := adopt(encoder.backbone, _parsed(path, content)):
        raise BadInput(
            f"{path} does not hold the weights of {network.encoder}: {', '.join(problems[:3])} missing or extra",
            "Give the file of that network.",
        )
    tensors = dict(sorted(encoder.backbone.state_dict().items()))
    if not all(bool(tensor.isfinite().all()) for tensor in tensors.values()):
        raise BadInput(f"{path} holds numbers that are not finite", "Give another file.")
    record = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "encoder": network.encoder,
        "file": known.name,
        "sha256": sha256,
        "checksum": checksum(tensors.values()),
    }
    with hold(backbones_folder(), waiting=reporter.note):
        save_tensors(target, tensors, record)
    return known


def _content(path: Path) -> bytes:
    """Return the bytes of a file, which are checked and parsed as they were read."""
    try:
        with open(path, "rb", opener=open_named) as file:
            size = os.fstat(file.fileno()).st_size
            if size > LARGEST_FILE:
                raise BadInput(
                    f"{path} has {size:,} bytes, and no more than {LARGEST_FILE:,} are read",
                    "Give --weights default, or the weights file of one network.",
                )
            return file.read(LARGEST_FILE)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadInput(f"{path} cannot be read: {reason}", "Give --weights default, or the path of a file.") from error


def _parsed(path: Path, content: bytes) -> Mapping[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load

            return load(content)
        tensors = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        if not isinstance(tensors, Mapping) or not all(isinstance(each, Tensor) for each in tensors.values()):
            raise TypeError("it holds something else than tensors by name")
    except Exception as error:  # whatever a stranger's file makes of torch's reader
        reason = str(error).splitlines()[0] if str(error) else repr(error)
        raise BadInput(f"{path} cannot be read as weights: {reason}", "Give another file.") from error
    return tensors


def _kinds(tensors: Mapping[str, Tensor]) -> dict[str, tuple[torch.Size, torch.dtype]]:
    return {name: (tensor.shape, tensor.dtype) for name, tensor in tensors.items()}
