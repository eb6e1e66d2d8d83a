# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Privilege, the files: setuid and setgid programs and file capabilities where no package puts them.

One walk below homes and temporary places, on what is mounted there, never through a link. A mount that is nosuid
gives none of these bits: it is passed over. In the system's own directories only what is out of the ordinary counts.

Sources: execve(2), capabilities(7), mount(8). The setuid programs that Debian's packages bring: sudo, passwd, ...
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterator

from .context import Context, iso
from .family import Closing, Finding
from .remedy import on_path
from .walking import Walk

__all__ = ["look"]

TEMPORARY = ("/tmp", "/var/tmp", "/dev/shm", "/run/user", "/var/lib/systemd/coredump")  # noqa: S108 - looked at, not used
SYSTEM = ("/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/usr/local/lib", "/usr/games", "/opt", "/srv",
          "/bin", "/sbin", "/etc", "/lib", "/usr/lib/openssh", "/usr/libexec", "/usr/lib")  # fmt: skip
#: Of these only the directory itself is read, not what lies below.
SHALLOW = frozenset(SYSTEM) - {"/opt", "/usr/local/lib", "/srv"}
#: Programs that Debian's packages install with a setuid or setgid bit.
KNOWN = frozenset((
    "Xorg.wrap", "at", "authbind-helper", "bsd-write", "chage", "chfn", "chkpwd", "chrome-sandbox", "chsh",
    "crontab", "dbus-daemon-launch-helper", "dma", "dma-mbox-create", "doas", "dotlockfile", "exim4", "expiry",
    "firejail", "fping", "fusermount", "fusermount3", "gpasswd", "gst-ptp-helper", "incusd-user",
    "kismet_cap_linux_bluetooth", "locate", "lockfile", "lxc-user-nic", "maidag", "man", "mandb", "mlocate",
    "mount", "mount.cifs", "mount.davfs", "mount.ecryptfs_private", "mount.nfs", "mtr-packet", "newgidmap",
    "newgrp", "newuidmap", "ntfs-3g", "opensmtpd", "passwd", "ping", "ping6", "pkexec", "plocate",
    "polkit-agent-helper-1", "postdrop", "postqueue", "pppd", "procmail", "screen", "sg", "smtpctl", "snap-confine",
    "ssh-agent", "ssh-keysign", "su", "sudo", "sudoedit", "suexec", "traceroute6.iputils", "umount", "unix_chkpwd",
    "userhelper", "utempter", "vmware-user-suid-wrapper", "wall", "write", "write.ul",
))  # fmt: skip
STRONG_CAPABILITIES = {
    0: "chown", 1: "dac_override", 2: "dac_read_search", 3: "fowner", 4: "fsetid", 6: "setgid", 7: "setuid",
    8: "setpcap", 16: "sys_module", 17: "sys_rawio", 18: "sys_chroot", 19: "sys_ptrace", 21: "sys_admin",
    25: "sys_time", 27: "mknod", 31: "setfcap", 33: "mac_admin", 39: "bpf",
}  # fmt: skip
_EXECUTABLE = 0o111
_SPECIAL = stat.S_ISUID | stat.S_ISGID


class _Walk(Walk):
    """What runs with rights of its own, and where."""

    def special(self, root: str, depth: int) -> Iterator[tuple[str, os.stat_result, list[str]]]:
        """(path, facts, capabilities) of each file that runs with rights of its own."""
        for folder, handle, files in self.below(root, depth):
            for row in files:
                try:
                    if not row.is_file(follow_symlinks=False):
                        continue
                    facts = row.stat(follow_symlinks=False)
                except OSError:
                    continue
                # An empty file runs nothing, one that nobody may execute neither.
                if not facts.st_mode & _EXECUTABLE or not facts.st_size:
                    continue
                capabilities = _capabilities(handle, row.name)
                if facts.st_mode & _SPECIAL or capabilities:
                    yield os.path.join(folder, row.name), facts, capabilities

    def crosses(self, point: str) -> bool:
        """A mount without setuid bits gives none of these rights."""
        return self.ctx.reachable(point) and "nosuid" not in self.ctx.mounts.options(point)


def _capabilities(handle: int, name: str) -> list[str]:
    """The capabilities that a file gives, by name; those that give root first."""
    try:
        # By way of /proc: no call takes a directory's handle and a name.
        raw = os.getxattr("/proc/self/fd/%d/%s" % (handle, name), "security.capability", follow_symlinks=False)
    except (OSError, ValueError):
        return []
    if len(raw) < 20:
        return []
    permitted = struct.unpack("<II", raw[4:12])[0] | struct.unpack("<I", raw[12:16])[0] << 32
    numbers = [n for n in range(64) if permitted >> n & 1]
    return [STRONG_CAPABILITIES[n] for n in numbers if n in STRONG_CAPABILITIES] or ["of lesser power"] * bool(numbers)


def look(ctx: Context) -> Iterator[Finding]:
    """Homes and temporary places whole; the system's directories for what stands out."""
    walk = _Walk(ctx, "privilege, setuid files")
    for path, facts, capabilities in _system(ctx, walk):
        name = os.path.basename(path)
        usual = ctx.packages.owner(path) is not None and name in KNOWN
        strong = [c for c in capabilities if c != "of lesser power"]
        local = not path.startswith(("/usr/bin/", "/usr/sbin/", "/usr/lib", "/bin/", "/sbin/", "/lib/"))
        if (facts.st_mode & _SPECIAL and not usual) or strong or (capabilities and local):
            yield _finding(ctx, path, facts, capabilities)
    before = walk.left
    for root in _places(ctx):
        for path, facts, capabilities in walk.special(root, ctx.bounds.max_depth):
            yield _finding(ctx, path, facts, capabilities)
    ctx.tell({"walked": before - walk.left})


def _system(ctx: Context, walk: _Walk) -> Iterator[tuple[str, os.stat_result, list[str]]]:
    for root in SYSTEM:
        if ctx.reachable(root) and "nosuid" not in ctx.mounts.options(root):
            yield from (
                _Shallow(ctx, walk.what).special(root, 0)
                if root in SHALLOW
                else walk.special(root, ctx.bounds.max_depth)
            )


class _Shallow(_Walk):
    """One directory without what is below it."""

    def enters(self, path: str, name: str) -> bool:
        """Nowhere."""
        del path, name
        return False


def _places(ctx: Context) -> list[str]:
    """Where users write: no place inside another one twice."""
    wanted = ["/home", "/root", *TEMPORARY]
    for account, home in ctx.homes():
        if account.uid != 0 and (ctx.database.is_person(account) or home.count("/") > 1):
            wanted.append(home)
    kept: list[str] = []
    points = {row[0] for row in ctx.mounts.rows}
    for path in sorted(set(wanted)):
        inside = any(path.startswith(k + "/") and path not in points for k in kept)
        system = path in SYSTEM or path in (
            "/",
            "/usr",
            "/var",
            "/proc",
            "/sys",
            "/dev",
            "/run",
            "/usr/sbin",
            "/var/cache",
        )
        if not inside and not system and ctx.reachable(path) and "nosuid" not in ctx.mounts.options(path):
            kept.append(path)
    return kept


def _at_itself(call: str, path: str) -> str:
    """A call on the very file: whoever owns a directory on the way could put a link in its place meanwhile.

    The file is opened first, and must still be where it was found.
    """
    program = (
        "import os, sys; p = os.fsencode(sys.argv[1]); f = os.open(p, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK);"
        " sys.exit('moved') if os.readlink(b'/proc/self/fd/%d' % f) != p else os." + call
    )
    return on_path(["python3", "-c", program], path)


def _finding(ctx: Context, path: str, facts: os.stat_result, capabilities: list[str]) -> Finding:
    owner = ctx.name_of(facts.st_uid)
    place = next((a.name for a, home in ctx.homes_list if path.startswith(home + "/")), None)
    who = ctx.people.account(place)
    since = iso(facts.st_ctime)
    if capabilities:
        why = "whoever runs it gets the capabilities %s" % ", ".join(capabilities)
        return Finding(
            "file_capability",
            path,
            why,
            Closing(_at_itself("removexattr(f, 'security.capability')", path)),
            place,
            "",
            *who,
            since=since,
        )
    setuid = facts.st_mode & stat.S_ISUID
    rights = "%s's" % (owner or "uid %d" % facts.st_uid) if setuid else "group %d's" % facts.st_gid
    return Finding(
        "setuid_file" if setuid else "setgid_file", path, "whoever runs it gets %s rights" % rights,
        Closing(_at_itself("fchmod(f, os.fstat(f).st_mode & 0o1777)", path)), place, "", *who, since=since,
    )  # fmt: skip
