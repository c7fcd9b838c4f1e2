"""A wall clock of our own for the programs of a test, which it can set forward and back."""

import struct
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("wall_clock.c")


class WallClock:
    """Programs that are started with `environment` read the wall clock through it. `folder` takes its two files."""

    def __init__(self, folder: Path) -> None:
        self._library = folder / "wall_clock.so"
        self._offset = folder / "wall_clock.offset"
        self._offset.write_bytes(bytes(8))
        subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-o", str(self._library), str(SOURCE)], check=True)

    @property
    def environment(self) -> dict[str, str]:
        return {"LD_PRELOAD": str(self._library), "CHAOS_CLOCK": str(self._offset)}

    def set(self, offset_s: int) -> None:
        """From now on, the wall clock is off by so much."""
        with self._offset.open("r+b") as file:
            file.write(struct.pack("=q", offset_s))
