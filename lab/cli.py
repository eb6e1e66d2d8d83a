# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command line: ``python3 -m lab <command>``."""

from __future__ import annotations

import argparse
import os
import sys

from lab.errors import LabError
from lab.fleet import FLAVOURS, Lab
from lab.image import DEFAULT_RELEASE, RELEASES, ensure_image, lab_images, prune_images
from lab.inventory import to_yaml
from lab.machine import say


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m lab", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="start the demo hosts and write the inventory; does nothing for those that run")
    commands.add_parser("seed", help="make the demo hosts anew, with the same believable mess each time")
    down = commands.add_parser("down", help="remove the hosts of this checkout, and no others")
    down.add_argument("--demo-only", action="store_true", help="leave the hosts of running tests alone")
    commands.add_parser("status", help="list the hosts of this checkout")
    inventory = commands.add_parser("inventory", help="print an Ansible inventory of the running hosts")
    inventory.add_argument("--kind", help="only hosts of this kind: demo, manual, molecule or test")
    host = commands.add_parser("host", help="start one more host; one of that name that runs already is kept")
    host.add_argument("name")
    host.add_argument("--flavour", choices=sorted(FLAVOURS), default="plain")
    host.add_argument("--release", choices=sorted(RELEASES), default=DEFAULT_RELEASE)
    host.add_argument("--package", action="append", default=[], metavar="DEBIAN_PACKAGE")
    host.add_argument("--kind", default="manual", help="what it is for (default: %(default)s)")
    host.add_argument("--remove", action="store_true", help="remove the host instead")
    ssh = commands.add_parser("ssh", help="log in over SSH as deploy")
    ssh.add_argument("name")
    ssh.add_argument("--user", default="deploy")
    ssh.add_argument("remote", nargs="*", help="a command; without one, a shell")
    image = commands.add_parser("image", help="make the image now, and list all")
    image.add_argument("--release", choices=sorted(RELEASES), default=DEFAULT_RELEASE)
    image.add_argument("--package", action="append", default=[], metavar="DEBIAN_PACKAGE")
    image.add_argument("--prune", action="store_true", help="remove images of former recipes")
    return parser


def _status(lab: Lab) -> None:
    rows = [("NAME", "STATE", "FLAVOUR", "SSH", "ADDRESS")]
    running = {host.name: host for host in lab.hosts()}
    for name in lab.names():
        host = running.get(name)
        if host is None:
            rows.append((name, "stopped", "-", "-", "-"))
        else:
            rows.append((name, "running", host.flavour, f"127.0.0.1:{host.port}", host.address))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _image(arguments: argparse.Namespace) -> None:
    if arguments.prune:
        for tag in prune_images():
            say(f"removed {tag}")
    else:
        ensure_image(arguments.release, arguments.package)
    for tag, size in lab_images():
        print(f"{tag}  {size}")


def _host(lab: Lab, arguments: argparse.Namespace) -> None:
    host = lab.get(arguments.name)
    if arguments.remove:
        if host is not None:
            host.destroy()
        return
    if host is None:
        host = lab.host(arguments.name, arguments.flavour, arguments.release, arguments.package, kind=arguments.kind)
    print(host.inventory_line)


def _ssh(lab: Lab, arguments: argparse.Namespace) -> int:
    host = lab.get(arguments.name)
    if host is None:
        raise LabError(f"{arguments.name}: no such host; there are: {', '.join(lab.names()) or 'none'}")
    # One word is a line for the remote shell, as with ssh(1); several are a command with its arguments.
    remote = arguments.remote[0] if len(arguments.remote) == 1 else arguments.remote
    argv = host.ssh_argv(arguments.user, remote or None)
    sys.stdout.flush()
    os.execvp(argv[0], argv)  # noqa: S606


def _run(arguments: argparse.Namespace) -> int:
    lab = Lab()
    command: str = arguments.command
    if command == "up":
        from lab.demo import bring_up

        bring_up(lab)
        _status(lab)
    elif command == "seed":
        from lab.demo import seed

        seed(lab)
    elif command == "down":
        names = lab.down("demo" if arguments.demo_only else None)
        say(f"removed {', '.join(names)}" if names else "nothing to remove")
    elif command == "status":
        _status(lab)
    elif command == "host":
        _host(lab, arguments)
    elif command == "inventory":
        hosts = {host.name: host.inventory_vars() for host in lab.hosts(arguments.kind)}
        print(to_yaml({"all": {"hosts": hosts}}), end="")
    elif command == "ssh":
        return _ssh(lab, arguments)
    elif command == "image":
        _image(arguments)
    return 0


def main(argv: list[str] | None = None) -> int:
    """Run one command; return the exit code: 0, or 1 with a message on stderr."""
    try:
        return _run(_parser().parse_args(argv))
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
