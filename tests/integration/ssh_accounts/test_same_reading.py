# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What opens a door to sshd or sudo must be a door to us: odd texts, tried on the real tools of each release."""

from __future__ import annotations

import base64
import json
import subprocess

import pytest

from ansible_collections.infogerance.perimeter.plugins.module_utils.authorized_keys import parse_file
from ansible_collections.infogerance.perimeter.plugins.module_utils.sudoers_text import expand, read_sudoers


def _string(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def _parts(blob: str) -> list[bytes]:
    raw, found = base64.b64decode(blob), []
    while raw:
        length = int.from_bytes(raw[:4], "big")
        found.append(raw[4 : 4 + length])
        raw = raw[4 + length :]
    return found


def _blob(*parts: bytes) -> bytes:
    return base64.b64encode(b"".join(_string(p) for p in parts))


def ed25519_lines(blob: str) -> dict[str, bytes]:
    """Ways to write one ed25519 key, most of them odd."""
    good = blob.encode()
    kind = b"ssh-ed25519 "
    half = len(good) // 2
    key = _parts(blob)[1]
    return {
        "plain": kind + good + b" comment\n",
        "no comment, no line end": kind + good,
        "carriage return": kind + good + b"\r\n",
        "leading blanks": b" \t " + kind + good + b"\n",
        "tabs": b"ssh-ed25519\t\t" + good + b"\tx\n",
        "several blanks": b"ssh-ed25519    " + good + b"    x\n",
        "nul after the key": kind + good + b"\0 rest\n",
        "nul before the key": b"\0" + kind + good + b"\n",
        "nul in the comment": kind + good + b" a\0b\n",
        "carriage return in the key": kind + good[:half] + b"\r" + good[half:] + b"\n",
        "vertical tab in the key": kind + good[:half] + b"\v" + good[half:] + b"\n",
        "form feed in the key": kind + good[:half] + b"\f" + good[half:] + b"\n",
        "form feed behind the key": kind + good + b"\fcomment\n",
        "form feed for a blank": b"ssh-ed25519\f" + good + b"\n",
        "no-break space for a blank": b"ssh-ed25519\xc2\xa0" + good + b"\n",
        "leading carriage return": b"\r" + kind + good + b"\n",
        "leading form feed": b"\f" + kind + good + b"\n",
        "byte order mark": b"\xef\xbb\xbf" + kind + good + b"\n",
        "backslash at the line end": kind + good[:half] + b"\\\n" + good[half:] + b"\n",
        "blank in the key": kind + good[:half] + b" " + good[half:] + b"\n",
        "name in the key is short": kind + _blob(b"ed25519", key) + b"\n",
        "name in the key is short and large": kind + _blob(b"ED25519", key) + b"\n",
        "name in the key is large": kind + _blob(b"SSH-ED25519", key) + b"\n",
        "name on the line is short": b"ed25519 " + _blob(b"ed25519", key) + b"\n",
        "bytes behind the key": kind + _blob(b"ssh-ed25519", key, b"more") + b"\n",
        "good option": b"no-pty " + kind + good + b"\n",
        "option in large letters": b'NO-PTY,Environment="A=b" ' + kind + good + b"\n",
        "quoted option": b'environment="A=a b,c\\" d" ' + kind + good + b"\n",
        "option with an open quote": b'environment="A=a ' + kind + good + b"\n",
        "quote in the middle of an option": b'no-pty"," ' + kind + good + b"\n",
        "unknown option": b"no-such-option " + kind + good + b"\n",
        "comma behind an option": b"no-pty, " + kind + good + b"\n",
        "type in front of a line": kind + kind + good + b"\n",
        "authority": b"cert-authority " + kind + good + b"\n",
        "comment sign in front": b"#" + kind + good + b"\n",
        "blank, then comment sign": b"  # " + kind + good + b"\n",
        "long options": b'environment="A=' + b"x" * 20000 + b'" ' + kind + good + b"\n",
        "long comment": kind + good + b" " + b"x" * 70000 + b"\n",
        "past": b'expiry-time="20200101" ' + kind + good + b"\n",
        "future": b'expiry-time="20400101" ' + kind + good + b"\n",
        "bad time": b'expiry-time="soon" ' + kind + good + b"\n",
        "bad padding": kind + good + b"=\n",
    }


def rsa_lines(blob: str) -> dict[str, bytes]:
    good = blob.encode()
    _kind, exponent, modulus = _parts(blob)
    return {
        "plain": b"ssh-rsa " + good + b"\n",
        "sha256 name": b"rsa-sha2-256 " + good + b"\n",
        "sha512 name": b"rsa-sha2-512 " + good + b"\n",
        "short name": b"RSA " + good + b"\n",
        "name in the key is short": b"ssh-rsa " + _blob(b"rsa", exponent, modulus) + b"\n",
        "name in the key is of a signature": b"ssh-rsa " + _blob(b"rsa-sha2-256", exponent, modulus) + b"\n",
        "leading zeros": b"ssh-rsa " + _blob(b"ssh-rsa", b"\0\0" + exponent, b"\0\0" + modulus) + b"\n",
    }


def ecdsa_lines(blob: str) -> dict[str, bytes]:
    good = blob.encode()
    parts = _parts(blob)
    return {
        "plain": b"ecdsa-sha2-nistp256 " + good + b"\n",
        "other curve on the line": b"ecdsa-sha2-nistp384 " + good + b"\n",
        "name in the key is short": b"ecdsa-sha2-nistp256 " + _blob(b"ecdsa", *parts[1:]) + b"\n",
    }


MAKERS = {"ed25519": ed25519_lines, "rsa": rsa_lines, "ecdsa": ecdsa_lines}


@pytest.mark.parametrize("release", ["bullseye", "bookworm", "trixie"])
@pytest.mark.sample(1)
def test_every_line_that_sshd_takes_for_a_key_is_one_to_us(make_host, release, tmp_path):
    host = make_host(release=release)
    # Refused logins cost time and, from OpenSSH 9.8 on, a penalty.
    more = "PerSourcePenalties no\n" if release == "trixie" else ""
    host.write("/etc/ssh/sshd_config.d/00-test.conf", "PermitUserEnvironment yes\n" + more)
    host.restart_sshd()
    host.run("useradd -m -s /bin/bash -p '*' probe && install -d -m 700 -o probe -g probe /home/probe/.ssh")
    hidden, phantom, seen = [], [], 0
    for kind, maker in MAKERS.items():
        path = tmp_path / kind
        subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(path)], check=True)
        told = subprocess.run(["ssh-keygen", "-lf", str(path)], check=True, capture_output=True, text=True)
        fingerprint = told.stdout.split()[1]
        for name, line in maker(path.with_suffix(".pub").read_text().split()[1]).items():
            host.write("/home/probe/.ssh/authorized_keys", line, 0o600, "probe:probe")
            opens = host.can_log_in("probe", path)
            ours = [k for k in parse_file(line) if k.fingerprint == fingerprint]
            seen += opens
            if opens and not ours:
                hidden.append(f"{kind}: {name}")
            # Newer releases forgive less than older ones; what any of them takes is a key to us.
            if ours and not opens and not ours[0].options and "in the key is" not in name:
                phantom.append(f"{kind}: {name}")
    assert seen > 20
    assert hidden == [], "sshd lets these in and we see no key"
    # The other way round would make a closed account look as declared.
    assert phantom == []


SUDOERS = """\
Defaults env_reset
User_Alias ADMINS = alice, bob : OPS = %ops, #1005
Cmnd_Alias ANY = ALL
root ALL=(ALL:ALL) ALL
ADMINS, carl ALL=(ALL) NOPASSWD: ANY
OPS, !dora web, db = (www-data) /bin/a, \\
    /bin/b -x=1 : mail = ALL
%sudo ALL=(ALL:ALL) ALL # the usual, eve ALL=ALL
#erin ALL=ALL
%#27, +net ALL = ALL
!!fred ALL=ALL
"g h",i\\ j ALL=ALL
"""


@pytest.mark.parametrize("release", ["bullseye", "bookworm", "trixie"])
def test_whom_sudo_reads_in_its_rules_we_read_too(make_host, release):
    host = make_host(release=release)
    host.run(["visudo", "-c", "-f", "-"], input=SUDOERS)
    told = json.loads(host.run(["cvtsudoers", "-c", "/dev/null", "-f", "json", "-"], input=SUDOERS).stdout)
    aliases = dict(told.get("User_Aliases", {}))
    theirs = set()

    def collect(users):
        for user in users:
            if user.get("negated"):
                continue
            if "useralias" in user:
                collect(aliases[user["useralias"]])
                continue
            kind, value = next((k, v) for k, v in user.items() if k != "negated")
            sign = {"username": "", "userid": "#", "usergroup": "%", "usergid": "%#", "netgroup": "+"}[kind]
            theirs.add(f"{sign}{value}")

    for spec in told["User_Specs"]:
        collect(spec["User_List"])
    made = read_sudoers(SUDOERS)
    assert {name for rule in made.rules for name in expand(rule.users, made.aliases, "User")} == theirs
    assert len(theirs) > 10
