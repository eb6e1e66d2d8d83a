# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on a host of the lab, as root by sudo over SSH: kill the module at its n-th write, look, put right, look again.

    on_host.py save                       keep the state of now as the one to start from
    on_host.py reference                  run undisturbed; keep what came out as the new state
    on_host.py kill N auto|never          one kill; prints one line of JSON

The module is the very program that Ansible sent, kept and exploded; only its arguments' nonce differs from run to run.
"""

from __future__ import annotations

import glob
import hashlib
import importlib
import json
import os
import shutil
import subprocess
import sys
import time

HERE = "/root/soak"
STATE = "/var/lib/infogerance-perimeter"
KEPT = [
    "/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow", "/etc/subuid", "/etc/subgid", "/etc/sudoers.d",
    "/etc/ssh", "/etc/nftables.conf", "/etc/nftables.d", "/home", "/var/spool/cron/crontabs",
]  # fmt: skip
#: Where a kill may leave files that no service reads: temporary ones of ours, and those of shadow-utils.
OURS = (".infogerance-perimeter", "infogerance-perimeter-rollback")
#: What else there is to keep and to look at, where the module is vpn_certificates.
VPN = importlib.import_module("vpn_on_host") if os.path.exists(HERE + "/vpn_on_host.py") else None
KEPT += VPN.KEPT if VPN else []


def run(*argv, check=True, **options):
    return subprocess.run(argv, check=check, capture_output=True, text=True, **options)


def tree():
    found = {}
    for top in KEPT:
        names = [top] if os.path.isfile(top) else [os.path.join(d, f) for d, _s, files in os.walk(top) for f in files]
        for path in names:
            if any(word in path for word in OURS) or path.endswith(("-", "~", ".lock")):
                continue
            seen = os.lstat(path)
            with open(path, "rb") as stream:
                digest = hashlib.sha256(stream.read()).hexdigest()
            found[path] = [seen.st_mode, seen.st_uid, seen.st_gid, digest]
    return found


def ruleset():
    return run("nft", "list", "ruleset", check=False).stdout


def picture(vpn=None):
    return {"tree": tree(), "nft": ruleset(), "vpn": vpn() if vpn else None}


def save():
    os.makedirs(HERE, exist_ok=True)
    there = [path for path in [*KEPT, STATE] if os.path.exists(path)]
    run("tar", "-cpPf", HERE + "/base.tar", *there)
    with open(HERE + "/base.json", "w") as stream:
        json.dump(picture(VPN and VPN.state), stream)
    with open(HERE + "/base.nft", "w") as stream:
        stream.write("flush ruleset\n" + ruleset())


def load(name):
    with open(HERE + "/" + name) as stream:
        return json.load(stream)


def reset():
    fixed = (STATE, "/home", "/etc/sudoers.d", "/etc/nftables.d", "/etc/nftables.conf", "/var/spool/cron/crontabs")
    for path in (*fixed, *(VPN.KEPT if VPN else ())):
        if os.path.isdir(path):
            for name in os.listdir(path):
                inner = os.path.join(path, name)
                shutil.rmtree(inner) if os.path.isdir(inner) else os.unlink(inner)
        elif os.path.exists(path):
            os.unlink(path)
    for path in glob.glob("/etc/cron.d/infogerance*"):
        os.unlink(path)
    run("tar", "-xpPf", HERE + "/base.tar")
    run("nft", "-f", HERE + "/base.nft")
    if VPN:
        VPN.before()


def module(nonce=None, fault=0, timeout=3600):
    program = glob.glob(HERE + "/AnsiballZ_*.py")[0]
    path = HERE + "/debug_dir/args"
    arguments = load("debug_dir/args")
    if not VPN:
        arguments["ANSIBLE_MODULE_ARGS"].update(_confirm_nonce=nonce, confirm_timeout=timeout)
    with open(path, "w") as stream:
        json.dump(arguments, stream)
    environment = dict(os.environ)
    if fault:
        environment.update(INFOGERANCE_PERIMETER_FAULT="*", INFOGERANCE_PERIMETER_FAULT_AT=str(fault))
    done = run(sys.executable, program, "execute", check=False, env=environment)
    answer = json.loads(done.stdout[done.stdout.index("{") :]) if "{" in done.stdout else {}
    return done.returncode, answer, done.stderr


def problems_now(base, new):
    """What a server must never be: checked right after the kill, before anything is put right."""
    found = []
    if run("pwck", "-r", "-q", check=False).returncode not in (0, 2):
        found.append("pwck: " + run("pwck", "-r", check=False).stdout)
    if run("grpck", "-r", check=False).returncode != 0:
        found.append("grpck: " + run("grpck", "-r", check=False).stdout)
    for argv in (["visudo", "-c", "-q"], ["/usr/sbin/sshd", "-t"]):
        done = run(*argv, check=False)
        if done.returncode != 0:
            found.append("%s: %s" % (argv[0], done.stdout + done.stderr))
    if not os.path.exists("/etc/ssh/sshd_config"):
        found.append("no sshd_config")
    for path, row in tree().items():
        if "authorized_keys" in path or path.startswith(("/etc/nftables", "/etc/ssh")):
            known = [side["tree"][path] for side in (base, new) if path in side["tree"]]
            if row not in known:
                found.append("%s is neither old nor new: %s, not %s" % (path, row, known))
    rules = ruleset()
    if rules not in (base["nft"], new["nft"]):
        found.append("nft rules are neither old nor new")
    return found + (VPN.problems_now(base["vpn"]) if VPN else [])


def reference():
    reset()
    code, answer, told = module()
    if code != 0:
        raise SystemExit("the undisturbed run failed: %s %s" % (answer.get("msg"), told))
    with open(HERE + "/new.json", "w") as stream:
        json.dump(picture(VPN and VPN.after_the_reference), stream)
    print(json.dumps({"planned": len(answer["plan"])}))


def kill(number, mode):
    reset()
    base, new = load("base.json"), load("new.json")
    nonce = "%032x" % (time.time_ns() % 2**120) if mode == "auto" else None
    code, _answer, told = module(nonce, number)
    if code == 0:
        print(json.dumps({"number": number, "mode": mode, "killed": False}))
        return
    if code != -9:
        print(json.dumps({"number": number, "mode": mode, "killed": False, "problems": ["exit %d: %s" % (code, told)]}))
        return
    problems = problems_now(base, new)
    rolled = False
    for folder in glob.glob(STATE + "/pending/*"):
        if os.path.exists(folder + "/armed"):
            done = run(sys.executable, "-m", "program", "rollback", ".", check=False, cwd=folder)
            rolled = done.stdout.strip() == "rolled back"
            if not rolled:
                problems.append("rollback: " + done.stdout + done.stderr)
            with open(folder + "/evidence.json") as stream:
                problems += ["rollback: " + text for text in json.load(stream)["problems"]]
    if mode == "auto":
        after = {"tree": tree(), "nft": ruleset()}
        for path in sorted(set(after["tree"]) ^ set(base["tree"])):
            problems.append("after the roll-back: %s" % path)
        for path, row in after["tree"].items():
            if path in base["tree"] and base["tree"][path] != row:
                problems.append("after the roll-back %s differs" % path)
        if after["nft"] != base["nft"]:
            problems.append("after the roll-back the nft rules differ")
    code, answer, told = module()
    if code != 0:
        problems.append("the next run failed: %s %s" % (answer.get("msg"), told[-500:]))
    # A run that ends well has looked again and found nothing left to do; now and then it is asked once more.
    if code == 0 and number % 8 < 2:
        code, answer, told = module()
        if code != 0 or answer.get("changed") or answer.get("plan"):
            problems.append("did not converge: %s" % [answer.get("msg"), answer.get("plan"), told[-500:]])
    final = tree()
    for path, row in new["tree"].items():
        if "authorized_keys" in path and final.get(path) != row:
            problems.append("at the end %s is not the new one" % path)
    if ruleset() != new["nft"]:
        problems.append("at the end the nft rules are not the new ones")
    if VPN:
        problems += VPN.problems_at_the_end(new["vpn"])
    print(json.dumps({"number": number, "mode": mode, "killed": True, "rolled": rolled, "problems": problems}))


if __name__ == "__main__":
    if sys.argv[1] == "kill":
        kill(int(sys.argv[2]), sys.argv[3])
    else:
        {"save": save, "reference": reference}[sys.argv[1]]()
