"""Bring Omniglot to this machine: find or fetch its zips, check them, pack them; then read the packed files.

omnitwin download --from FOLDER
"""

import os
import shutil
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path

import torch

from omnitwin.config import SourceConfig
from omnitwin.data import official, omniglot
from omnitwin.data.imageset import ImageSet
from omnitwin.data.official import OfficialRuns, decode_runs, load_runs, save_runs
from omnitwin.data.omniglot import Archive, OmniglotSet
from omnitwin.data.packed import PackedSet, load_packed, save_packed
from omnitwin.errors import BadInput, CannotWrite, DatasetCorrupt, DatasetMissing
from omnitwin.reports.data import DownloadReport, SetReport
from omnitwin.reports.progress import SILENT, Advance, Reporter
from omnitwin.system.fetch import Fetched, check_url, fetch
from omnitwin.system.files import digest, replacing
from omnitwin.system.locks import comes_and_goes, hold
from omnitwin.system.paths import OFFLINE, expand, is_endless, is_set, omniglot_folder
from omnitwin.system.plain import is_link, is_plain

MIRROR = "OMNITWIN_MIRROR"


def download(
    config: SourceConfig, reporter: Reporter = SILENT, read: Callable[[Path], PackedSet] = load_packed
) -> DownloadReport:
    """Pack both Omniglot sets and the official runs here. Leave packed files alone, unless config.force is set.

    read: reads a packed set; each is read at most once

    >>> omnitwin.download(omnitwin.SourceConfig(source="omniglot.zip")).seconds
    4.8
    """
    start = time.monotonic()
    store = _Store(config, reporter, read)
    wanted = _held_by(store.source)
    with nullcontext() if store.has_nothing_to_do(wanted) else store.alone():
        reports = tuple(store.ensure(archive) for archive in wanted)
    return DownloadReport(sets=reports, seconds=time.monotonic() - start)


def open_omniglot(subset: str, config: SourceConfig, reporter: Reporter = SILENT) -> PackedSet:
    """Return Omniglot's `training` or `test` set, and fetch it first if it is missing."""
    store = _Store(config, reporter)
    archive = omniglot.SETS[subset]
    packed = store.read_set(archive)
    if packed is None:
        with store.alone():
            packed = store.read_or_bring(archive)
    return packed


def load_official(test: ImageSet, config: SourceConfig, reporter: Reporter = SILENT) -> OfficialRuns:
    """Return the official runs as rows of the test set, and fetch them first if they are missing."""
    store = _Store(config, reporter)
    runs = _read_runs(test)
    if runs is None:
        with store.alone():
            runs = _read_runs(test)  # another process may have brought them meanwhile
            if runs is None:
                store.bring(official.ARCHIVE)
                runs = load_runs(packed_path(official.ARCHIVE), test)
    return runs


def packed_path(archive: Archive) -> Path:
    """Return the packed file of an archive."""
    return omniglot_folder() / f"{archive.stem}.safetensors"


def _held_by(source: str | None) -> list[Archive]:
    """Return the archives that a source has: all, that of a single zip or extracted folder, or those of a folder.

    The official runs may be missing from a folder: only one exam needs them.
    """
    sets: list[Archive] = list(omniglot.SETS.values())
    wanted = [*sets, official.ARCHIVE]
    if source is None or _is_url(source):
        return wanted
    path = _named(source)
    try:
        path.stat()
    except PermissionError:
        raise
    except (OSError, ValueError) as error:  # ValueError: no file system takes this name
        raise BadInput(f"{path} does not exist", "Give a folder, a zip file or a base URL.") from error
    if is_endless(path):
        raise BadInput(f"{path} is a pipe or a device", "Give a folder, a zip file or a base URL.")
    if path.is_dir():
        named = [archive for archive in wanted if archive.stem == path.name]
        return named or (wanted if any(place.exists() for place in _places(path, official.ARCHIVE)) else sets)
    held = official.ARCHIVE if official.holds_runs(path) else omniglot.set_of_zip(path)
    if held is None:
        stems = " nor ".join(archive.stem for archive in sets)
        raise BadInput(f"{path} holds neither {stems}", "Give one of the Omniglot zips.")
    return [held]


class _Store:
    """Omniglot's packed files, and the source of missing ones.

    source: a folder, a zip file or a base URL; None: the official address. The environment decides if the config is
    silent.
    """

    def __init__(
        self, config: SourceConfig, reporter: Reporter, read: Callable[[Path], PackedSet] = load_packed
    ) -> None:
        self.source = config.source or os.environ.get(MIRROR) or None
        self.offline = is_set(OFFLINE) if config.offline is None else config.offline
        self.force, self.reporter, self.read = config.force, reporter, read
        self.test: PackedSet | None = None  # kept: its rows are what the runs refer to
        self.runs: OfficialRuns | None = None
        self.sound: set[str] = set()  # stems of the packed sets that were read and found sound

    def alone(self) -> AbstractContextManager[None]:
        """Keep other processes from bringing or packing data; wait for the one that does so now."""
        return hold(omniglot_folder(), waiting=self.reporter.note)

    def has_nothing_to_do(self, wanted: list[Archive]) -> bool:
        """Return whether all is packed and nothing needs clearing up."""
        if self.force or any(_parts(archive) for archive in wanted) or _somebody_works_or_was_killed():
            return False
        return all(self.is_packed(archive) for archive in wanted)

    def is_packed(self, archive: Archive) -> bool:
        """Return whether the packed file of an archive is here and sound."""
        if isinstance(archive, OmniglotSet):
            return archive.stem in self.sound or self.read_set(archive) is not None
        if self.runs is None:
            test = self.read_set(omniglot.SETS["test"])
            self.runs = None if test is None else _read_runs(test)
        return self.runs is not None

    def read_set(self, archive: OmniglotSet) -> PackedSet | None:
        """Return the packed set; None if it is missing, damaged or another set."""
        if self.test is not None and archive is omniglot.SETS["test"]:
            return self.test
        try:
            packed = self.read(packed_path(archive)) if is_plain(packed_path(archive)) else None
        except DatasetCorrupt:
            return None
        if packed is None or packed.fingerprint != archive.fingerprint:
            return None
        self._keep(archive, packed)
        return packed

    def read_or_bring(self, archive: OmniglotSet) -> PackedSet:
        """Return the packed set, and bring it first if it is missing."""
        packed = self.read_set(archive)
        if packed is None:
            self.bring(archive)
            packed = self.test if archive is omniglot.SETS["test"] else self.read(packed_path(archive))
            assert packed is not None
        return packed

    def _keep(self, archive: OmniglotSet, packed: PackedSet) -> None:
        self.sound.add(archive.stem)
        if archive is omniglot.SETS["test"]:
            self.test = packed

    def ensure(self, archive: Archive) -> SetReport:
        """Pack an archive unless it is packed, and report it."""
        test = self.test_set() if archive is official.ARCHIVE else None
        there = not self.force and self.is_packed(archive)
        if there:
            for part in _parts(archive):
                part.unlink(missing_ok=True)
        source = "packed before" if there else self.bring(archive)
        if isinstance(archive, OmniglotSet):
            classes, alphabets = archive.characters, archive.alphabets
        else:
            assert test is not None
            assert test.group_C is not None
            assert self.runs is not None
            characters = torch.unique(test.class_N[self.runs.support_RW])
            classes, alphabets = len(characters), len(torch.unique(test.group_C[characters]))
        return SetReport(
            name=archive.name,
            fetched=not there,
            images=archive.images,
            classes=classes,
            alphabets=alphabets,
            fingerprint=archive.fingerprint,
            source=source,
            packed=packed_path(archive),
            packed_bytes=packed_path(archive).stat().st_size,
        )

    def test_set(self) -> PackedSet:
        """Return the set that the official runs refer to. Raises DatasetMissing if the source has only the runs."""
        archive = omniglot.SETS["test"]
        packed = self.read_set(archive)
        if packed is None and self.source is not None and not _is_url(self.source):
            path = _named(self.source)
            if not any(place.exists() for place in _places(path, archive)) or path.is_file():
                raise DatasetMissing(
                    f"{path} holds runs of the drawings in {archive.stem}.zip, which is not packed here yet"
                )
        return packed or self.read_or_bring(archive)

    def bring(self, archive: Archive) -> str:
        """Pack an archive from the source, or from a zip fetched earlier; return where it came from."""
        kept_zip = omniglot_folder() / f"{archive.stem}.zip"
        remote = self.source is None or _is_url(self.source)
        if remote and is_plain(kept_zip) and not self.force:
            self._pack(kept_zip, archive)
            return str(kept_zip)
        if remote:
            folder = f"{omniglot.OFFICIAL_URL}/{archive.folder}" if self.source is None else self.source
            url = f"{folder.rstrip('/')}/{archive.stem}.zip"
            self._fetch_and_pack(url, kept_zip, archive)
            return url
        local = _find_local(_named(self.source or ""), archive)
        self._pack(local, archive)
        if local.is_file() and local.resolve() != Path(os.path.realpath(kept_zip.parent), kept_zip.name):
            with replacing(kept_zip) as temporary:
                shutil.copyfile(local, temporary)
        return str(local)

    def _fetch_and_pack(self, url: str, kept_zip: Path, archive: Archive) -> None:
        if self.offline:
            raise DatasetMissing(
                f"{archive.stem}.zip would have to be fetched and the network is forbidden ({OFFLINE})",
                "Run: omnitwin download --from FOLDER or ZIP",
            )
        check_url(url)
        self.reporter.note(f"Fetching {archive.stem}.zip from {url}")
        part, resumed = self._fetch(url, kept_zip, archive)
        try:
            self._check_and_pack(url, part, archive)
        except DatasetCorrupt:
            if not resumed:
                raise
            self.reporter.note(f"The parts of {archive.stem}.zip do not fit together. Fetching it afresh.")
            part, _ = self._fetch(url, kept_zip, archive)
            self._check_and_pack(url, part, archive)
        try:
            part.replace(kept_zip)
        except OSError as error:
            raise CannotWrite(f"cannot write {kept_zip}: {error.strerror or error}") from error

    def _fetch(self, url: str, kept_zip: Path, archive: Archive) -> Fetched:
        with ExitStack() as stack:

            def started(total: int, there: int) -> Advance:
                advance = stack.enter_context(self.reporter.task(f"Fetching {archive.stem}.zip", total, "bytes"))
                advance(there)
                return advance

            return fetch(url, kept_zip, omniglot.LARGEST_ZIP, started, note=self.reporter.note)

    def _check_and_pack(self, url: str, part: Path, archive: Archive) -> None:
        """Pack a fetched zip. If it is not what it should be, remove it and raise DatasetCorrupt."""
        try:
            if self.source is None and digest(part, "md5") != archive.md5:
                raise DatasetCorrupt(
                    f"{url} did not send the official zip (its MD5 is not {archive.md5})", "Try again later."
                )
            self._pack(part, archive)
        except DatasetCorrupt as error:
            part.unlink(missing_ok=True)
            raise DatasetCorrupt(f"{error}; nothing was kept", "Try again, or name another source: --from") from error

    def _pack(self, path: Path, archive: Archive) -> None:
        test = None if isinstance(archive, OmniglotSet) else self.test_set()
        with self.reporter.task(f"Checking and packing {archive.stem}", archive.images, "images") as advance:
            if isinstance(archive, OmniglotSet):
                packed = omniglot.decode(path, archive, advance)
                save_packed(packed_path(archive), packed)
                self._keep(archive, packed)
            else:
                assert test is not None
                runs = decode_runs(path, test, advance)
                save_runs(packed_path(archive), runs, test)
                self.runs = runs


def _read_runs(test: ImageSet) -> OfficialRuns | None:
    """Return the packed runs; None if they are missing, damaged or rows of another set."""
    try:
        return load_runs(packed_path(official.ARCHIVE), test)
    except DatasetCorrupt:
        return None


def _parts(archive: Archive) -> list[Path]:
    """Return the files left of downloads, which are of no use once the set is packed."""
    return list(omniglot_folder().glob(f"{archive.stem}.zip.*.part"))


def _somebody_works_or_was_killed() -> bool:
    """Return whether another process packs data here, or was killed while it did."""
    return omniglot_folder().is_dir() and any(map(comes_and_goes, omniglot_folder().iterdir()))


def _named(source: str) -> Path:
    """Return the path of a local source. What the user names may be a link to a zip."""
    path = expand(source)
    return Path(os.path.realpath(path)) if is_link(path) and path.is_file() else path


def _is_url(source: str) -> bool:
    return "://" in source


def _places(source: Path, archive: Archive) -> list[Path]:
    """Return the paths where a local source may have an archive."""
    if source.is_file() or source.name == archive.stem:
        return [source]
    return [source / f"{archive.stem}.zip", source / archive.stem]


def _find_local(source: Path, archive: Archive) -> Path:
    for place in _places(source, archive):
        if place.exists():
            return _named(str(place))
    raise BadInput(
        f"{source} holds neither {archive.stem}.zip nor a folder {archive.stem}", "Give another folder, or none."
    )
