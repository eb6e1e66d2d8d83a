# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Privilege, PAM: lines that let everybody pass, and modules that no package brought.

Sources: pam.conf(5), pam_permit(8), pam_rootok(8), pam_wheel(8), pam_exec(8), pam_listfile(8).
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator

from .context import Context, Seen
from .family import Closing, Finding
from .remedy import comment_out, remove

__all__ = ["look"]

MODULES = ("/lib/*/security/*.so", "/usr/lib/*/security/*.so", "/lib/security/*.so", "/usr/lib/security/*.so")
_LINE = re.compile(r"-?(auth|account|password|session)\s+(\[[^]]*\]|\w+)\s+(\S+)\s*(.*)\Z")
#: A line that asks somebody: an included stack, or a module that is neither pam_permit nor preparation.
_JUDGES = re.compile(
    r"@include|-?auth\s+(\[[^]]*\]|\w+)\s+(?!\S*pam_(permit|env|nologin|faildelay|debug|echo|motd)\.so)"
)
#: Services that only root can start as root: pam_rootok asks who called them.
OWN_CALLERS = (
    "su", "su-l", "runuser", "runuser-l", "chfn", "chsh", "chpasswd", "newusers", "groupmems", "useradd", "userdel",
    "usermod", "groupadd", "groupdel", "groupmod", "chage", "passwd", "atd", "cron", "login", "polkit-1",
)  # fmt: skip


def look(ctx: Context) -> Iterator[Finding]:
    """The services' files, then the modules."""
    for folder in ("/etc/pam.d", "/usr/lib/pam.d", "/usr/share/pam-configs"):
        for found in ctx.files(folder):
            if folder != "/usr/share/pam-configs" and not ctx.packages.pristine(found.path, found.data):
                yield from _service(found)
    main = ctx.look("/etc/pam.conf")
    if main is not None and not ctx.packages.pristine(main.path, main.data):
        yield from _service(main)
    if ctx.packages.known:
        yield from _modules(ctx)


def _service(found: Seen) -> Iterator[Finding]:
    service = os.path.basename(found.path)
    judges = any(_JUDGES.match(line) for _number, line in found.lines)
    for number, line in found.lines:
        # pam.conf(5) names the service first.
        match = _LINE.match(line.split(None, 1)[-1] if service == "pam.conf" else line)
        if match is None or match.group(1) not in ("auth", "account"):
            continue
        why = _why(service, *match.groups())
        if why is None and not judges and match.group(1) == "auth" and match.group(3).endswith("pam_permit.so"):
            why = "the service asks for nothing: no other line of its judges a login"
        if why:
            yield Finding(
                "pam_passes", found.path, why, Closing(comment_out(found.path, number)), None, line, since=found.since
            )


def _why(service: str, kind: str, control: str, module: str, options: str) -> str | None:
    name = os.path.basename(module)
    passes = name in ("pam_permit.so", "pam_debug.so")
    jumps = re.search(r"success\s*=\s*[1-9]", control)
    if kind == "account":
        last = control in ("sufficient", "binding") or "success=done" in control.replace(" ", "")
        return "accounts that expired or are locked pass" if passes and (last or jumps) else None
    if passes and jumps:
        return "%s steps over the lines that refuse" % name
    ends = control in ("sufficient", "binding") or re.search(r"success\s*=\s*(done|ok\b.*new_authtok)", control)
    if kind == "auth" and module.startswith("/") and not module.startswith(("/lib/", "/usr/lib/")):
        return "a module from %s judges logins" % os.path.dirname(module)
    if kind == "auth" and ends and name in ("pam_permit.so", "pam_succeed_if.so", "pam_debug.so", "pam_localuser.so"):
        return "%s lets everybody pass who gets to this line: no password is asked" % name
    if kind == "auth" and ends and name == "pam_rootok.so" and service not in OWN_CALLERS:
        return "pam_rootok passes who calls it as root, and this service runs as root itself"
    if kind == "auth" and ends and name == "pam_wheel.so" and "trust" in options.split():
        return "members of its group pass without a password"
    if kind == "auth" and ends and name in ("pam_rhosts.so", "pam_listfile.so", "pam_access.so"):
        return "%s alone decides who passes" % name
    if kind == "auth" and name in ("pam_exec.so", "pam_script.so", "pam_python.so"):
        return "a program sees each login, passwords too where it asks for them (%s)" % name
    return None


def _modules(ctx: Context) -> Iterator[Finding]:
    seen: set[str] = set()
    for pattern in MODULES:
        for path in sorted(glob.glob(pattern)):
            real = os.path.realpath(path)
            if real not in seen and ctx.packages.owner(real) is None:
                found = ctx.look(real, content=False)
                yield Finding(
                    "pam_module", real, "a module that no package brought; a line of PAM may load it",
                    Closing(remove(real)), None, since=found.since if found else None,
                )  # fmt: skip
            seen.add(real)
