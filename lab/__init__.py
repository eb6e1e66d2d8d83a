# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Throw-away Debian hosts with a real sshd, for tests, demos and benchmarks.

Run ``python3 -m lab --help`` from the checkout, or use the Python interface:

    from lab import Lab

    lab = Lab()
    host = lab.host("web1")
    host.run("useradd -m alice")
    host.destroy()
"""

from __future__ import annotations

from lab.errors import LabError
from lab.fleet import Lab
from lab.host import Host

__all__ = ["Host", "Lab", "LabError"]
