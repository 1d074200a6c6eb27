"""Bring a data set to this machine: find or fetch its zip, check it, pack it; then load the packed file."""

import shutil
import time
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path

import torch

from omnitwin.config import SourceConfig
from omnitwin.data import official, omniglot, synthetic
from omnitwin.data.imageset import ImageSet
from omnitwin.data.official import OfficialRuns, decode_runs, load_runs, save_runs
from omnitwin.data.omniglot import Archive, OmniglotSet
from omnitwin.data.packed import PackedSet, load_packed, save_packed
from omnitwin.errors import BadInput, CannotWrite, DatasetCorrupt, DatasetMissing
from omnitwin.reports.data import DownloadReport, SetReport
from omnitwin.reports.progress import SILENT, Advance, Reporter
from omnitwin.system.fetch import fetch
from omnitwin.system.files import digest, replacing
from omnitwin.system.locks import comes_and_goes, hold
from omnitwin.system.paths import expand, is_endless, omniglot_folder


def download(config: SourceConfig, reporter: Reporter = SILENT) -> DownloadReport:
    """Have both Omniglot sets and the official runs packed here; what is there is left alone unless config.force."""
    start = time.monotonic()
    wanted = _held_by(config.source)
    with nullcontext() if _all_there(wanted, config) else _alone(reporter):
        reports = tuple(_ensure(one, config, reporter) for one in wanted)
    return DownloadReport(sets=reports, seconds=time.monotonic() - start)


def _all_there(wanted: list[Archive], config: SourceConfig) -> bool:
    """Whether there is nothing to do, not even to clear up."""
    if config.force or any(_parts(one) for one in wanted) or _left_overs():
        return False
    sound = [one is official.ARCHIVE or _load_sound(one) is not None for one in wanted]
    test = _load_sound(omniglot.SETS["test"])
    return all(sound) and (official.ARCHIVE not in wanted or (test is not None and _load_sound_runs(test) is not None))


def _parts(one: Archive) -> list[Path]:
    """What is left of a download, which is of no use once the set is packed."""
    return list(omniglot_folder().glob(f"{one.stem}.zip.*.part"))


def _left_overs() -> bool:
    """Whether somebody works there, or was killed while doing so."""
    return omniglot_folder().is_dir() and any(map(comes_and_goes, omniglot_folder().iterdir()))


def _held_by(source: str | None) -> list[Archive]:
    """What a source is there to give: all, the one of a single zip or extracted folder, or what a folder has.

    The official runs may be missing from a folder: only one exam needs them.
    """
    sets: list[Archive] = list(omniglot.SETS.values())
    wanted = [*sets, official.ARCHIVE]
    if source is None or _is_url(source):
        return wanted
    path = expand(source)
    try:
        path.stat()
    except PermissionError:
        raise
    except (OSError, ValueError) as error:  # also a name that no file system takes
        raise BadInput(f"{path} does not exist", "Give a folder, a zip file or a base URL.") from error
    if is_endless(path):
        raise BadInput(f"{path} is a pipe or a device", "Give a folder, a zip file or a base URL.")
    if path.is_dir():
        named = [one for one in wanted if one.stem == path.name]
        return named or (wanted if any(place.exists() for place in _places(path, official.ARCHIVE)) else sets)
    held = official.ARCHIVE if official.holds_runs(path) else omniglot.set_of_zip(path)
    if held is None:
        stems = " nor ".join(one.stem for one in sets)
        raise BadInput(f"{path} holds neither {stems}", "Give one of the Omniglot zips.")
    return [held]


def load(dataset: str, subset: str, source: SourceConfig, reporter: Reporter = SILENT) -> ImageSet:
    """The `training` or `test` set of a data set, fetched first where it is missing."""
    if subset not in omniglot.SETS:
        raise BadInput(f"no set is called {subset!r}", f"Use {' or '.join(omniglot.SETS)}.")
    if dataset == "synthetic":
        return synthetic.draw_set(subset)
    if dataset != "omniglot":
        raise BadInput(f"no data set is called {dataset!r}", "Use omniglot or synthetic.")
    one = omniglot.SETS[subset]
    packed = _load_sound(one)
    if packed is None:
        with _alone(reporter):
            packed = _load_or_bring(one, source, reporter)
    return packed


def load_official(test: ImageSet, source: SourceConfig, reporter: Reporter = SILENT) -> OfficialRuns:
    """The official runs as rows of the test set, fetched first where they are missing."""
    runs = _load_sound_runs(test)
    if runs is None:
        with _alone(reporter):
            runs = _load_sound_runs(test)  # another process may have brought them meanwhile
            if runs is None:
                _bring(official.ARCHIVE, source, reporter)
                runs = load_runs(packed_path(official.ARCHIVE), test)
    return runs


def _alone(reporter: Reporter) -> AbstractContextManager[None]:
    """Nobody else brings or packs data meanwhile; it is waited for who does so now."""
    return hold(omniglot_folder(), waiting=reporter.note)


def _load_or_bring(one: OmniglotSet, source: SourceConfig, reporter: Reporter) -> PackedSet:
    packed = _load_sound(one)
    if packed is None:
        _bring(one, source, reporter)
        packed = load_packed(packed_path(one))
    return packed


def packed_path(one: Archive) -> Path:
    return omniglot_folder() / f"{one.stem}.safetensors"


def _ensure(one: Archive, config: SourceConfig, reporter: Reporter) -> SetReport:
    packed = _test_set(config, reporter) if one is official.ARCHIVE else None
    there = not config.force and (_load_sound_runs(packed) if packed else _load_sound(one)) is not None
    if there:
        for part in _parts(one):
            part.unlink(missing_ok=True)
    source = "packed before" if there else _bring(one, config, reporter)
    if isinstance(one, OmniglotSet):
        classes, alphabets = one.characters, one.alphabets
    else:
        assert packed is not None
        assert packed.group_C is not None
        characters = torch.unique(packed.class_N[load_runs(packed_path(one), packed).support_RW])
        classes, alphabets = len(characters), len(torch.unique(packed.group_C[characters]))
    return SetReport(
        name=one.name,
        fetched=not there,
        images=one.images,
        classes=classes,
        alphabets=alphabets,
        fingerprint=one.fingerprint,
        source=source,
        packed=packed_path(one),
        packed_bytes=packed_path(one).stat().st_size,
    )


def _load_sound(one: Archive) -> PackedSet | None:
    """The packed set, or None where it is missing, damaged or another one."""
    try:
        packed = load_packed(packed_path(one)) if packed_path(one).is_file() else None
    except DatasetCorrupt:
        return None
    return packed if packed and packed.fingerprint == one.fingerprint else None


def _load_sound_runs(test: ImageSet) -> OfficialRuns | None:
    try:
        return load_runs(packed_path(official.ARCHIVE), test)
    except DatasetCorrupt:
        return None


def _test_set(config: SourceConfig, reporter: Reporter) -> PackedSet:
    """The set whose drawings the official runs are; DatasetMissing where the source has the runs alone."""
    test = omniglot.SETS["test"]
    packed = _load_sound(test)
    if packed is None and config.source is not None and not _is_url(config.source):
        path = expand(config.source)
        if not any(place.exists() for place in _places(path, test)) or path.is_file():
            raise DatasetMissing(f"{path} holds runs of the drawings in {test.stem}.zip, which is not packed here yet")
    return packed or _load_or_bring(test, config, reporter)


def _bring(one: Archive, config: SourceConfig, reporter: Reporter) -> str:
    """Pack a set from where the config says, or from a zip fetched earlier; returns where it came from."""
    kept_zip = omniglot_folder() / f"{one.stem}.zip"
    remote = config.source is None or _is_url(config.source)
    if remote and kept_zip.is_file() and not config.force:
        _pack(kept_zip, one, config, reporter)
        return str(kept_zip)
    if remote:
        folder = f"{omniglot.OFFICIAL_URL}/{one.folder}" if config.source is None else config.source
        url = f"{folder.rstrip('/')}/{one.stem}.zip"
        _fetch_and_pack(url, kept_zip, one, config, reporter)
        return url
    local = _find_local(expand(config.source or ""), one)
    _pack(local, one, config, reporter)
    if local.is_file() and local.resolve() != kept_zip.resolve():
        with replacing(kept_zip) as temporary:
            shutil.copyfile(local, temporary)
    return str(local)


def _is_url(source: str) -> bool:
    return "://" in source


def _places(source: Path, one: Archive) -> list[Path]:
    """Where a local source may have an archive."""
    if source.is_file() or source.name == one.stem:
        return [source]
    return [source / f"{one.stem}.zip", source / one.stem]


def _find_local(source: Path, one: Archive) -> Path:
    for place in _places(source, one):
        if place.exists():
            return place
    raise BadInput(f"{source} holds neither {one.stem}.zip nor a folder {one.stem}", "Give another folder, or none.")


def _fetch_and_pack(url: str, kept_zip: Path, one: Archive, config: SourceConfig, reporter: Reporter) -> None:
    if config.offline:
        raise DatasetMissing(
            f"{one.stem}.zip would have to be fetched and the network is forbidden (OMNITWIN_OFFLINE)",
            "Run: omnitwin download --from FOLDER or ZIP",
        )
    reporter.note(f"Fetching {one.stem}.zip from {url}")
    with ExitStack() as stack:

        def started(total: int, there: int) -> Advance:
            advance = stack.enter_context(reporter.task(f"Fetching {one.stem}.zip", total, "bytes"))
            advance(there)
            return advance

        part = fetch(url, kept_zip, omniglot.LARGEST_ZIP, started)
    try:
        if config.source is None and digest(part, "md5") != one.md5:
            raise DatasetCorrupt(f"{url} did not send the official zip (its MD5 is not {one.md5})", "Try again later.")
        _pack(part, one, config, reporter)
    except DatasetCorrupt as error:
        part.unlink(missing_ok=True)
        raise DatasetCorrupt(f"{error}; nothing was kept", "Try again, or name another source: --from") from error
    try:
        part.replace(kept_zip)
    except OSError as error:
        raise CannotWrite(f"cannot write {kept_zip}: {error.strerror or error}") from error


def _pack(path: Path, one: Archive, config: SourceConfig, reporter: Reporter) -> None:
    test = None if isinstance(one, OmniglotSet) else _test_set(config, reporter)
    with reporter.task(f"Checking and packing {one.stem}", one.images, "images") as advance:
        if isinstance(one, OmniglotSet):
            save_packed(packed_path(one), omniglot.decode(path, one, advance))
        else:
            assert test is not None
            save_runs(packed_path(one), decode_runs(path, test, advance), test)
