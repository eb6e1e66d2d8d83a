# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of confirm-or-roll-back: prove over a fresh connection that we can still get in.

The module armed a timer on the server before its first write. Only a new login, with become, that reaches the
server in time disarms it. An established connection proves nothing: it survives a removed key and a closed port.
"""

from __future__ import annotations

import secrets
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

__all__ = ["ConfirmedAction"]

display = Display()

#: Connection plugins that carry a login which a change of access can break, and that can be opened anew.
CONFIRMABLE = ("ssh", "paramiko", "paramiko_ssh", "smart")
#: Connection plugins that need no login: nothing on the server can shut them out, so nothing is to be proved.
LOGINLESS = (
    "local", "chroot", "jail", "zone", "iocage", "funcd", "lxc", "lxd", "incus", "docker", "docker_api", "podman",
    "buildah", "nsenter", "machinectl", "qubes", "saltstack", "kubectl", "oc", "aws_ssm", "proxmox_pct_remote",
)  # fmt: skip
#: Seconds for one attempt at least: several must fit into the shortest useful timeout.
ATTEMPT = 5
#: How long after the deadline the server may need to put the old state back.
SLACK = 20
SHORTEST = 10

#: First words win for -o, the last one for -S: with both, no option of the user's can lead to an open channel.
ALONE_FIRST = "-o ControlMaster=no -o ControlPath=none -o ServerAliveInterval=5 -o ServerAliveCountMax=2"
ALONE_LAST = "-S none"

UNANSWERED = (
    "unknown: the module ended without an answer; if it had begun to change something, "
    "the server puts the old state back by itself"
)

_PROGRAM = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from program.rollback_program import main; sys.exit(main(sys.argv[2:]))"
)


class ConfirmedAction(ActionBase):  # type: ignore[misc]
    """Runs ``module_name`` and confirms what it changed. Subclass it once per module."""

    _supports_check_mode = True
    _supports_diff = True
    module_name = ""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        arguments.pop("_confirm_nonce", None)
        status = self._applicable(arguments)
        if status is None:
            arguments["_confirm_nonce"] = secrets.token_hex(16)
        try:
            result.update(
                self._execute_module(
                    module_name=self.module_name, module_args=arguments, task_vars=task_vars, wrap_async=False
                )
            )
        except AnsibleConnectionFailure as error:
            if status is not None or not was_cut(str(error)):
                raise
            return self._after_a_cut(result, arguments, error)
        armed = result.get("confirmation")
        if isinstance(armed, dict) and armed.get("status") == "armed":
            self._prove(result, armed)
        elif status is None and (result.get("unreachable") or {"module_stdout", "module_stderr"} & set(result)):
            result["confirmation"] = {"status": UNANSWERED}
        else:
            result["confirmation"] = {"status": status or "nothing to confirm"}
        return result

    def _applicable(self, arguments: dict[str, Any]) -> str | None:
        """Why nothing will be armed; None where it will. Raises AnsibleError for bad words, before anything runs."""
        wanted = arguments.get("confirm", "auto")
        if wanted not in ("auto", "never"):
            raise AnsibleError(f"policy: confirm: {wanted!r} is neither auto nor never")
        try:
            timeout = int(arguments.get("confirm_timeout", 60))
        except (TypeError, ValueError):
            raise AnsibleError("policy: confirm_timeout: is not a number of seconds") from None
        if timeout < SHORTEST:
            raise AnsibleError(
                f"policy: confirm_timeout: {timeout} s is too short for a new login, at least {SHORTEST}"
            )
        if wanted == "never":
            return "never: switched off by confirm"
        if self._task.check_mode:
            return "check mode: nothing is armed"
        if self._task.async_val:
            raise AnsibleError("confirm-or-roll-back does not run as an async job: remove async, or set confirm: never")
        transport = str(getattr(self._connection, "ansible_name", None) or self._connection.transport)
        short = transport.rsplit(".", 1)[-1]
        if short in CONFIRMABLE:
            return None
        if short not in LOGINLESS:
            display.warning(
                f"confirm-or-roll-back knows no way to prove a login over connection {transport}: "
                "this change is made without that net"
            )
        return f"not applicable: connection {transport} is no login that could be proved"

    def _prove(self, result: dict[str, Any], armed: dict[str, Any]) -> None:
        deadline = time.monotonic() + float(armed["timeout"])
        start = [str(armed["python"]), "-I", "-B", "-c", _PROGRAM, str(armed["folder"])]
        ask = shlex.join([*start, "confirm", str(armed["folder"]), str(armed["nonce"])])
        proof, told = self._try(ask, deadline)
        if proof:
            result["confirmation"] = {"status": "confirmed", "timer": armed["timer"], "reboot": armed.get("reboot")}
            return
        look = shlex.join([*start, "status", str(armed["folder"])])
        gone, state = self._try(look, deadline + SLACK, wait_for="rolled-back")
        result["confirmation"] = {"status": "rolled back" if gone else "unknown", "why": told, "server": state}
        result.update(failed=True, changed=not gone)
        if gone:
            result["applied"] = []
            result["counts"] = dict(result.get("counts", {}), applied=0)
            result["msg"] = f"no new login was possible ({told}); the server put the old state back"
        else:
            result["msg"] = (
                f"no new login was possible ({told}), and the server could not be asked since; "
                f"its timer ({armed['timer']}) puts the old state back by itself"
            )

    def _after_a_cut(
        self, result: dict[str, Any], arguments: dict[str, Any], error: AnsibleConnectionFailure
    ) -> dict[str, Any]:
        """The line broke while the module ran, perhaps by its own doing. What it did is not known: not confirmed."""
        root = str(arguments.get("state_directory") or "/var/lib/infogerance-perimeter")
        look = shlex.join(["ls", "-1", f"{root}/pending/{arguments['_confirm_nonce']}"])
        deadline = time.monotonic() + float(arguments.get("confirm_timeout", 60)) + SLACK
        gone, told = self._try(look, deadline, wait_for="rolled-back")
        if not gone:
            raise error
        result.update(
            failed=True, changed=False, applied=[],
            confirmation={"status": "rolled back", "why": _last_line(str(error)), "server": told},
            msg=f"the line broke while the module ran ({_last_line(str(error))}); the server put the old state back",
        )  # fmt: skip
        return result

    def _try(self, command: str, deadline: float, wait_for: str = "confirmed") -> tuple[bool, str]:
        """Run a command over fresh logins until it answers ``wait_for`` or the time is over."""
        told, refused = "no answer", ""
        while time.monotonic() < deadline:
            try:
                with self._fresh_login(deadline - time.monotonic()):
                    done = self._low_level_execute_command(command, sudoable=True)
            except (AnsibleConnectionFailure, AnsibleError) as error:
                told = refused = _last_line(str(error)) or type(error).__name__
            else:
                said = " ".join((done.get("stdout") or "").split())
                told = said or _last_line(done.get("stderr")) or f"exit {done.get('rc')}"
                if answers(told, wait_for):
                    return True, told
                if wait_for == "confirmed" and told.startswith("not confirmed"):
                    # What kept us out until now tells more than that it is too late.
                    return False, refused or told
                refused = refused or told
            display.vv(f"no proof yet: {told}", host=self._play_context.remote_addr)
            time.sleep(1)
        return False, told

    @contextmanager
    def _fresh_login(self, left: float) -> Iterator[None]:
        """While it lasts, every command opens a connection of its own: no multiplexing, no socket reused."""
        connection = self._connection
        if not hasattr(connection, "_persistence_controls"):
            # paramiko: one connection for all commands, so close it and let the next command open another.
            connection.close()
            yield
            return
        kept = {
            name: connection.get_option(name)
            for name in ("ssh_args", "ssh_extra_args", "timeout", "reconnection_retries")
        }
        connection.set_option("ssh_args", f"{ALONE_FIRST} {kept['ssh_args'] or ''}".strip())
        connection.set_option("ssh_extra_args", f"{kept['ssh_extra_args'] or ''} {ALONE_LAST}".strip())
        connection.set_option("timeout", attempt_timeout(kept["timeout"], left))
        connection.set_option("reconnection_retries", 0)
        try:
            yield
        finally:
            for name, value in kept.items():
                connection.set_option(name, value)


def was_cut(message: str) -> bool:
    """Whether ssh lost a connection that it had, rather than never getting one."""
    lowered = message.lower()
    return any(word in lowered for word in ("closed", "reset by", "broken pipe", "not responding", "mux_client"))


def attempt_timeout(configured: Any, left: float) -> int:
    """Seconds for one login: what the user configured for a slow server, but so that three attempts fit in."""
    return max(ATTEMPT, min(int(configured or ATTEMPT), int(left / 3)))


def answers(told: str, wait_for: str) -> bool:
    """Whether the server's words say so: ``confirmed``, a status (``<nonce>: rolled-back, ...``), a list of names."""
    words = told.replace(",", " ").replace(":", " ").split()
    return wait_for in words and not told.startswith("not ")


def _last_line(text: str | None) -> str:
    lines = [line.strip() for line in (text or "").splitlines() if line.strip()]
    return lines[-1] if lines else ""
