"""
Records the trace that comes with the workbench: ``python record.py archives.reads.xz``.

Python's own library is packed into a zip file, a tar file and a sorted list of words, and some readers work on these,
one after the other, drawn at random: one takes members from the zip file, one looks for members in the tar file, one
searches the list by halving, one copies whole files, one reads the ends of files.  What they read is noted by the file
object they read from, in blocks of 4 KiB.  The one that ships was made with Python 3.11.
"""

import io
import lzma
import random
import sys
import sysconfig
import tarfile
import tempfile
import zipfile
from pathlib import Path

BLOCK = 4096
READS = 120_000


class Noted(io.RawIOBase):
    """A file that notes which of its blocks are read; nothing keeps them, so each reader's habits are seen."""

    def __init__(self, path, name, notes):
        self._file, self._name, self._notes = open(path, "rb", buffering=0), name, notes  # noqa: SIM115
        self._size = path.stat().st_size

    def readable(self):
        return True

    def seekable(self):
        return True

    def seek(self, offset, whence=0):
        return self._file.seek(offset, whence)

    def tell(self):
        return self._file.tell()

    def readinto(self, buffer):
        start = self._file.tell()
        count = self._file.readinto(buffer)
        if count:
            for block in range(start // BLOCK, (start + count - 1) // BLOCK + 1):
                self._notes.append((self._name, block))
        return count

    def close(self):
        self._file.close()
        super().close()


def takeFromZip(rng, opened):
    with zipfile.ZipFile(opened("zip")) as archive:
        for name in rng.sample(archive.namelist(), rng.randint(1, 2)):
            archive.read(name)


def lookInTar(rng, opened):
    last = rng.randint(2, 20)
    with tarfile.open(fileobj=opened("tar")) as archive:
        for number, member in enumerate(archive):
            if number > last:
                archive.extractfile(member).read() if member.isfile() else None
                break


def searchWords(rng, opened):
    words = opened("words")
    wanted, low, high = bytes([rng.randint(97, 122), rng.randint(97, 122)]), 0, words.seek(0, 2)
    while high - low > BLOCK:
        middle = (low + high) // 2
        words.seek(middle)
        words.readline()
        low, high = (low, middle) if words.readline() > wanted else (middle, high)
    words.seek(low)
    for _ in range(rng.choice((20, 200, 600))):
        words.readline()


def copyWhole(rng, opened):
    source = opened(rng.choice(opened.sources))
    while source.read(rng.choice((4096, 16384, 65536))):
        pass


def readEnd(rng, opened):
    source = opened(rng.choice(opened.sources))
    size = source.seek(0, 2)
    source.seek(max(0, size - rng.randint(1, 4) * BLOCK))
    source.read()


def main(out):
    library, notes, rng = Path(sysconfig.get_path("stdlib")), [], random.Random(4)
    sources = sorted(path for path in library.glob("*.py") if path.stat().st_size > BLOCK)
    with tempfile.TemporaryDirectory() as folder:
        paths = {str(number): path for number, path in enumerate(sources)}
        paths |= {name: Path(folder, name) for name in ("zip", "tar", "words")}
        with zipfile.ZipFile(paths["zip"], "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sources:
                archive.write(path, path.name)
        with tarfile.open(paths["tar"], "w") as archive:
            for path in sources:
                archive.add(path, path.name)
        words = {word for path in sources for word in path.read_bytes().split()}
        paths["words"].write_bytes(b"\n".join(sorted(words)))

        def opened(name):
            return io.BufferedReader(Noted(paths[name], name, notes), BLOCK)

        opened.sources = [str(number) for number in range(len(sources))]
        while len(notes) < READS:
            work = rng.choices((takeFromZip, lookInTar, searchWords, copyWhole, readEnd), (6, 1, 4, 12, 6))[0]
            work(rng, opened)
    with lzma.open(out, "wt", encoding="ascii", preset=9) as stream:
        stream.writelines(f"{name} {block}\n" for name, block in notes[:READS])


if __name__ == "__main__":
    main(*sys.argv[1:])
