# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run one scheduled job: unless somebody stopped all jobs, or it is frozen, or another job works on the same inventory.

    scheduled_run.py run (audit | reconcile) JOB [--jitter] [--notify]
    scheduled_run.py notice UNIT

Started by systemd's timers or by cron. Settings stand in /etc/infogerance-perimeter/schedule.json, written by the role.
What became of a job's last start stands in the state directory's status/, as JSON.

Exit codes: 0 done, or told why nothing was to be done; 75 the inventory stayed busy; 78 bad settings; else Ansible's.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import datetime
import fcntl
import hashlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time

CONFIG = "/etc/infogerance-perimeter/schedule.json"
ACTIONS = ("audit", "reconcile")
PREFIX = "infogerance-perimeter-"
BUSY, MISCONFIGURED = 75, 78
#: Last lines of the output that a notice carries.
TAIL = 40
SENDMAIL = "/usr/sbin/sendmail"
NOTICE_SECONDS = 60
# systemd reads a level from the start of a line; elsewhere it would only be noise.
WARNING, ERROR = ("<4>", "<3>") if os.environ.get("JOURNAL_STREAM") else ("", "")


class Bad(Exception):
    """Settings that cannot be followed; the message names the field."""


def say(level, text):
    print("%s%s" % (level, text), flush=True)


def load(path):
    """The settings. Raises Bad."""
    try:
        with open(path, encoding="utf-8") as stream:
            return json.load(stream)
    except (OSError, ValueError) as error:
        raise Bad("%s: %s" % (path, error)) from None


def stopped(config):
    """Why all jobs are stopped; None when they are not. A dangling link stops, too: whoever put it there meant it.
    So does a place that cannot be looked at: what might be a stop is one."""
    path = config["stop_file"]
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return "%s cannot be looked for: %s" % (path, error.strerror)
    reason = ""
    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as stream:
            reason = stream.read(200).decode("utf-8", "replace").partition("\n")[0]
    reason = "".join(letter for letter in reason if letter.isprintable()).strip()
    return "%s is there%s" % (path, ": " + reason if reason else "")


def frozen(config, job, today):
    """Why no change is wanted today; None when it is. Both dates of a window belong to it."""
    for window in [*config.get("freeze", []), *job.get("freeze", [])]:
        try:
            first, last = (datetime.date.fromisoformat(str(window[end])) for end in ("from", "until"))
        except (KeyError, ValueError) as error:
            raise Bad("freeze: %r: %s" % (window, error)) from None
        if first <= today <= last:
            return "frozen from %s until %s%s" % (first, last, ": " + window["reason"] if window.get("reason") else "")
    return None


def told(config, action, job):
    """Why this start does nothing: (outcome, reason), or None. Asked again whenever time has passed."""
    reason = stopped(config)
    if reason is not None:
        return "stopped", reason
    if action == "reconcile":
        # Local time: a freeze is agreed on by people.
        reason = frozen(config, job, datetime.datetime.now().astimezone().date())
        if reason is not None:
            return "frozen", reason
    return None


def credential(config, name):
    """Path of a secret: where systemd hands it over, else the file itself. None when there is none."""
    path = (config.get("credentials") or {}).get(name)
    if not path:
        return None
    handed = os.environ.get("CREDENTIALS_DIRECTORY")
    if handed and os.path.exists(os.path.join(handed, name)):
        path = os.path.join(handed, name)
    if not os.access(path, os.R_OK):
        raise Bad("credentials: %s: %s cannot be read by this user" % (name, path))
    return path


def command(config, action, name, job):
    """The command line of a job."""
    argv = [config["program"]]
    playbook = config["playbooks"][action]
    if config["mode"] == "pull":
        pull = config["pull"]
        argv += ["--url", pull["url"], "--directory", os.path.join(config["state"], "checkout-" + name)]
        argv += ["--checkout", pull["checkout"]] if pull.get("checkout") else []
        argv += ["--verify-commit"] if pull.get("verify_commit") else []
    for inventory in config.get("inventory") or []:
        argv += ["--inventory", inventory]
    argv += ["--limit", job["limit"]] if job.get("limit") else []
    for option, secret in (("--private-key", "ssh_key"), ("--vault-password-file", "vault_password")):
        path = credential(config, secret)
        argv += [option, path] if path else []
    if job.get("extra_vars"):
        argv += ["--extra-vars", json.dumps(job["extra_vars"], sort_keys=True)]
    return [*argv, *config.get("arguments", []), playbook]


def write_status(config, action, name, **fields):
    """Keep what became of this start. A full disk is no reason not to run."""
    folder = os.path.join(config["state"], "status")
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        handle, fresh = tempfile.mkstemp(prefix=".", dir=folder)
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump({"action": action, "job": name, **fields}, stream, indent=1)
        os.replace(fresh, os.path.join(folder, "%s-%s.json" % (action, name)))
    except OSError as error:
        say(WARNING, "the status cannot be written: %s" % error)


def now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


@contextlib.contextmanager
def turn(config, action, name):
    """The one turn on an inventory; yields the lock's descriptor, or None when others kept it too long."""
    folder = os.path.join(config["state"], "locks")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    where = json.dumps(["pull"] if config["mode"] == "pull" else sorted(config.get("inventory") or []))
    path = os.path.join(folder, hashlib.sha256(where.encode()).hexdigest()[:16])
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        limit = time.monotonic() + float(config.get("lock_wait", 0))
        waited = False
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                holder = os.pread(handle, 200, 0).decode("utf-8", "replace").strip() or "another job"
                if time.monotonic() >= limit:
                    say(ERROR, "%s %s: the inventory is still busy (%s)" % (action, name, holder))
                    yield None
                    return
                if not waited:
                    say("", "%s %s: waits for %s" % (action, name, holder))
                    waited = True
                time.sleep(min(1.0, max(0.05, limit - time.monotonic())))
        os.ftruncate(handle, 0)
        os.pwrite(handle, ("%s %s, since %s" % (action, name, now())).encode(), 0)
        yield handle
    finally:
        os.close(handle)


def play(config, argv, lock):
    """Run Ansible and pass its output on. Returns exit code, last lines, and whether a signal was passed on, too."""
    environment = dict(os.environ)
    environment.update(config.get("environment", {}))
    tail = collections.deque(maxlen=TAIL)
    # The lock goes along: if this program is killed, the inventory stays taken for as long as Ansible runs.
    process = subprocess.Popen(
        argv,
        cwd=config.get("project") or None,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=[lock],
    )

    ended_by = []

    def forward(number, _frame):
        ended_by.append(number)
        process.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, forward)
    for line in process.stdout:
        text = line.decode("utf-8", "replace").rstrip("\n")
        tail.append(text)
        say("", text)
    code = process.wait()
    return (128 - code if code < 0 else code), list(tail), bool(ended_by)


def run(config, action, name, jitter, notify):
    job = config["jobs"].get(name)
    if job is None:
        raise Bad("jobs: there is no %r" % name)
    if jitter:
        time.sleep(random.uniform(0, float(config.get("jitter", 0))))  # noqa: S311 - spreads load, keeps no secret
    started = now()

    def nothing_to_do():
        reason = told(config, action, job)
        if reason is not None:
            say(WARNING, "%s %s was not run: %s" % (action, name, reason[1]))
            write_status(config, action, name, started=started, ended=now(), outcome=reason[0], said=[reason[1]])
        return reason is not None

    if nothing_to_do():
        return 0
    argv = command(config, action, name, job)
    with turn(config, action, name) as lock:
        if lock is None:
            code, tail, ended = BUSY, ["the inventory stayed busy for %s s" % config.get("lock_wait", 0)], False
        elif nothing_to_do():
            return 0
        else:
            write_status(config, action, name, started=started, outcome="running")
            code, tail, ended = play(config, argv, lock)
    outcome = "ok" if code == 0 else "busy" if lock is None else "ended" if ended else "failed"
    write_status(config, action, name, started=started, ended=now(), rc=code, outcome=outcome, said=tail)
    if code and notify:
        notice(config, "%s%s-%s.service" % (PREFIX, action, name))
    return code


def notice_text(config, unit):
    """Subject and body of a failure's notice, from the unit's name and the job's status."""
    label = unit[len(PREFIX) :] if unit.startswith(PREFIX) else unit
    label = label[: -len(".service")] if label.endswith(".service") else label
    action, _dash, name = label.partition("-")
    status = {}
    path = os.path.join(config["state"], "status", label + ".json")
    with contextlib.suppress(OSError, ValueError), open(path, encoding="utf-8") as stream:
        status = json.load(stream)
    outcome = status.get("outcome", "unknown")
    # A unit that systemd ended had no time to write its own end.
    why = "was killed, or took too long" if outcome in ("running", "ended") else outcome
    if "rc" in status:
        why += ", exit code %s" % status["rc"]
    subject = "[infogerance.perimeter] %s of %s on %s: %s" % (action, name, socket.gethostname(), why)
    body = [
        subject,
        "",
        "started: %s" % status.get("started", "unknown"),
        "ended:   %s" % status.get("ended", "unknown"),
        "look:    journalctl -u %s" % unit,
        "stop all jobs: touch %s" % config["stop_file"],
        "",
        *status.get("said", []),
    ]
    return subject, "\n".join(body) + "\n"


def notice(config, unit):
    """Tell people. Returns 1 if somebody could not be told."""
    subject, body = notice_text(config, unit)
    say(ERROR, subject)
    wanted = config.get("notice") or {}
    ways = []
    if wanted.get("mail"):
        head = "To: %s\nSubject: %s\nContent-Type: text/plain; charset=utf-8\nAuto-Submitted: auto-generated\n\n"
        ways.append(([SENDMAIL, "-t", "-i"], head % (", ".join(wanted["mail"]), subject) + body))
    if wanted.get("command"):
        ways.append((wanted["command"], body))
    failed = 0
    for argv, text in ways:
        try:
            subprocess.run(
                argv,
                input=text.encode("utf-8", "replace"),
                env=dict(os.environ, NOTICE_UNIT=unit, NOTICE_SUBJECT=subject),
                timeout=NOTICE_SECONDS,
                check=True,
            )
        except (OSError, subprocess.SubprocessError) as error:
            say(ERROR, "the notice could not be handed to %s: %s" % (argv[0], error))
            failed = 1
    return failed


def main(arguments):
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--config", default=CONFIG)
    what = parser.add_subparsers(dest="what", required=True)
    running = what.add_parser("run")
    running.add_argument("action", choices=ACTIONS)
    running.add_argument("job")
    running.add_argument("--jitter", action="store_true", help="wait a random time first, as a timer would")
    running.add_argument("--notify", action="store_true", help="tell of a failure, as OnFailure would")
    noticing = what.add_parser("notice")
    noticing.add_argument("unit")
    chosen = parser.parse_args(arguments)
    os.umask(0o077)
    try:
        config = load(chosen.config)
        if chosen.what == "notice":
            return notice(config, chosen.unit)
        return run(config, chosen.action, chosen.job, chosen.jitter, chosen.notify)
    except Bad as error:
        say(ERROR, str(error))
        return MISCONFIGURED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
