# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""dpkg's own records: which package a file came with, and whether it is still as it came.

Files of packages that nobody changed are no findings. Who is root can forge these records: this tells leavings from
the distribution's own, it is no intrusion detection.
"""

from __future__ import annotations

import hashlib
import os
import re

__all__ = ["Packages"]

#: The places that findings are looked for in. Paths are kept without /usr: Debian merges the two.
PLACES = re.compile(
    r"(/usr)?/(etc/|lib/(systemd|udev|NetworkManager|sysusers.d|tmpfiles.d|[^/]+/security|security|python)|share/polkit-1|var/lib/polkit-1/|"
    r"bin/|sbin/|share/base-files|lib/[^/]*/?(sudo|openssh|dbus|policykit|polkit|cups))"
)


class Packages:
    """Reads /var/lib/dpkg lazily; ``known`` is false where there is none."""

    def __init__(self, root: str = "/var/lib/dpkg") -> None:
        self.root = root
        self.known = os.path.isfile(os.path.join(root, "status"))
        self._owners: dict[str, str] | None = None
        self._conffiles: dict[str, str] | None = None
        self._sums: dict[str, dict[str, str]] = {}
        self._diverted: set[str] = set()

    def owner(self, path: str) -> str | None:
        """The package that brought a file; None where none did."""
        if self._owners is None:
            self._owners = self._read_owners()
        return self._owners.get(_plain(path))

    def pristine(self, path: str, data: bytes | None) -> bool:
        """True where ``data`` is what the package brought as this file."""
        package = self.owner(path)
        if package is None or data is None:
            return False
        wanted = self._conffile_sums().get(_plain(path)) or self._package_sums(package).get(_plain(path))
        return wanted is not None and hashlib.md5(data, usedforsecurity=False).hexdigest() == wanted

    def _read_owners(self) -> dict[str, str]:
        owners: dict[str, str] = {}
        folder = os.path.join(self.root, "info")
        try:
            names = sorted(n for n in os.listdir(folder) if n.endswith(".list"))
        except OSError:
            return owners
        for name in names:
            for line in _lines(os.path.join(folder, name)):
                if PLACES.match(line):
                    owners.setdefault(_plain(line), name[:-5])
        # The order of dpkg-divert: what was there, where it went, who diverts.
        rows = _lines(os.path.join(self.root, "diversions"))
        for kept, moved, _package in zip(rows[::3], rows[1::3], rows[2::3]):
            if _plain(kept) in owners:
                owners.setdefault(_plain(moved), owners[_plain(kept)])
        return owners

    def _conffile_sums(self) -> dict[str, str]:
        if self._conffiles is None:
            self._conffiles = {}
            for line in _lines(os.path.join(self.root, "status")):
                words = line.split()
                if line.startswith(" /") and len(words) >= 2 and len(words[1]) == 32:
                    self._conffiles[_plain(words[0])] = words[1]
        return self._conffiles

    def _package_sums(self, package: str) -> dict[str, str]:
        if package not in self._sums:
            rows = (line.partition("  ") for line in _lines(os.path.join(self.root, "info", package + ".md5sums")))
            self._sums[package] = {_plain("/" + path): digest for digest, _blank, path in rows}
        return self._sums[package]


def _plain(path: str) -> str:
    return path[4:] if path.startswith(("/usr/lib", "/usr/bin/", "/usr/sbin/")) else path


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as stream:
            return stream.read().splitlines()
    except OSError:
        return []
