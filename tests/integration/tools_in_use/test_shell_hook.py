# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hook asks at the end of a privileged shell, whatever ends it, and never stands in anybody's way."""

from __future__ import annotations

import time

import pytest

from tests.integration.tools_in_use.conftest import QUESTION, SPOOL, Team
from tests.integration.tools_in_use.terminal import Terminal

PROMPT = ":~# "
#: As the hook's own program, it does not hear what `timeout` sends first.
STUBBORN = '#!/bin/sh\\n[ $1 = begin ] || exit 0\\ntrap "" TERM\\nsleep 600\\n'


def collect(team: Team, **options: bool) -> dict[str, object]:
    run = team.play("infogerance.perimeter.tools_in_use", **options)
    result: dict[str, object] = run.one(action="infogerance.perimeter.interventions_collect").result
    return result


def open_shell(team: Team, *command: str) -> Terminal:
    terminal = Terminal(team.host, command or ("sudo", "-i"))
    terminal.expect("# ")
    return terminal


def wait_for(team: Team, ending: str, number: int = 1) -> None:
    for _try in range(300):
        if sum(name.endswith(ending) for name in team.waiting()) >= number:
            return
        time.sleep(0.1)
    raise AssertionError(f"no note ends in {ending}: {team.waiting()}")


def test_every_way_out_of_a_shell_becomes_one_intervention(team: Team) -> None:
    before = len(team.noted()) if team.ledger.exists() else 0
    with open_shell(team) as shell:
        shell.type("exit 3\r")
        shell.expect(QUESTION)
        shell.type("Renewed the certificate of the shop\r")
        assert shell.ended() == 3, "the shell's own exit status is kept"
    with open_shell(team, "sudo", "-s") as shell:
        shell.type("\x04")
        shell.expect(QUESTION)
        shell.type("Left by the end of input\r")
        shell.ended()
    with open_shell(team, "sudo", "sh", "-l") as shell:
        shell.type("exit\r")
        shell.expect(QUESTION)
        shell.type("From another shell, `$(touch /tmp/pwned)`; \u00e9t\u00e9\r")
        shell.ended()
    with open_shell(team) as shell:
        shell.type("exit\r")
        shell.expect(QUESTION)
        shell.type("\r")
        shell.ended()
    with open_shell(team) as shell:
        shell.hang_up()
    # Rarely bash dies of the hangup before it comes to what is to be done at its end: that note is one of the killed.
    try:
        wait_for(team, ".done", 5)
        closed = 5
    except AssertionError:
        wait_for(team, ".done", 4)
        closed = 4
    with open_shell(team) as shell:
        shell.type("kill -KILL $$\r")
        shell.ended()
    # No terminal: nobody is asked, and the message may come with the command.
    message = "INFOGERANCE_PERIMETER_MESSAGE='From a script' bash -l"
    team.host.ssh("deploy", f"echo true | sudo {message}")
    with open_shell(team) as still_open:
        assert [name[-5:] for name in team.waiting()].count(".open") == 7 - closed
        team.host.run(f"cp -a {SPOOL} /root/notes")
        would = collect(team, check=True)
        assert (would["added"], would["known"], would["removed"]) == (7, 0, 0)
        result = collect(team)
        assert (result["added"], result["running"], result["removed"]) == (7, 1, 7)
        # As if they could not be removed: the ledger has them already, and check mode says so.
        team.host.run(f"cp -a /root/notes/*.done {SPOOL}/; rm -r /root/notes")
        would = collect(team, check=True)
        assert (would["added"], would["known"]) == (0, closed + 1)
        assert collect(team)["removed"] == closed + 1
        still_open.type("exit\r")
        still_open.expect(QUESTION)
        still_open.type("The last one\r")
        still_open.ended()

    rows = team.noted()[before:]
    # Several may have begun within one second: their order is nobody's.
    assert sorted((row["note"] or "", row["complete"]) for row in rows) == [
        ("", 0),
        ("", 0),
        ("", 0),
        ("From a script", 1),
        ("From another shell, `$(touch /tmp/pwned)`; \u00e9t\u00e9", 1),
        ("Left by the end of input", 1),
        ("Renewed the certificate of the shop", 1),
    ]
    assert {row["operator"] for row in rows} == {"deploy"}
    assert {row["origin"] for row in rows} == {"shell_hook"}
    assert not team.host.exists("/tmp/pwned")

    assert collect(team)["added"] == 1
    assert collect(team)["added"] == 0
    assert (len(team.noted()), team.waiting()) == (before + 8, [])


def test_the_answer_can_be_mended_while_it_is_typed(team: Team) -> None:
    with open_shell(team) as shell:
        shell.type("exit\r")
        shell.expect(QUESTION)
        shell.type("Renewd\x7fed the certificate\r")
        shell.ended()
    assert message_of_the_only_note(team) == "Renewed the certificate"


def test_a_shell_in_the_background_ends_without_an_answer(team: Team) -> None:
    with Terminal(team.host, ("bash", "--norc")) as shell:
        shell.expect("$ ")
        shell.type("echo true | sudo bash -l > /dev/null 2>&1 &\r")
        wait_for(team, ".done")
        shell.type("exit\r")
        shell.ended()
    assert message_of_the_only_note(team) == ""


def test_a_hangup_that_comes_twice_does_not_leave_the_note_open(team: Team) -> None:
    program = "/usr/local/lib/infogerance-perimeter/session-note"
    # As if the program took long to start: the second hangup comes before it ignores hangups.
    slow = f'#!/bin/sh\n[ "$1" = begin ] || {{ touch /tmp/starts; sleep 2; }}\nexec {program}.away "$@"\n'
    team.host.run(f"mv {program} {program}.away")
    team.host.write(program, slow.encode(), 0o755)
    try:
        for _hangup in range(4):
            with open_shell(team) as shell:
                shell.hang_up()
            for _try in range(100):
                if team.host.exists("/tmp/starts"):
                    break
                time.sleep(0.05)
            else:
                # bash died of the hangup before it started the program.
                team.host.run(f"rm -f {SPOOL}/*")
                continue
            break
        team.host.run("pkill -HUP -f '[s]ession-note end'")
        wait_for(team, ".done")
    finally:
        team.host.run(f"mv {program}.away {program}; rm -f /tmp/starts")
    assert message_of_the_only_note(team) == ""


def test_an_account_database_that_hangs_keeps_nobody_out(team: Team) -> None:
    team.host.write("/usr/sbin/getent", b"#!/bin/sh\ntrap '' TERM\nsleep 600\nsleep 600\n", 0o755)
    try:
        with open_shell(team) as shell:
            shell.type("exit\r")
            shell.expect(QUESTION)
            shell.type("\r")
            shell.ended()
    finally:
        team.host.run("rm /usr/sbin/getent")
    uid = team.host.run(["id", "-u", "deploy"]).stdout.strip()
    assert f"user {uid}\n" in the_only_note(team)


def test_what_another_tool_does_at_the_end_of_a_shell_is_done(team: Team) -> None:
    other = "/etc/profile.d/aa-other.sh"
    team.host.write(other, b"[ \"$(id -u)\" != 0 ] || trap 'echo \"it'\\''s done\" > /tmp/other' 0\n")
    try:
        with open_shell(team) as shell:
            shell.type("exit 3\r")
            shell.expect(QUESTION)
            shell.type("Asked, too\r")
            assert shell.ended() == 3
    finally:
        team.host.run(["rm", other])
    assert team.host.read("/tmp/other") == b"it's done\n"
    assert message_of_the_only_note(team) == "Asked, too"


def the_only_note(team: Team) -> str:
    """It is removed, so that the next one is the only one again."""
    (name,) = team.waiting()
    content: str = team.host.read(f"{SPOOL}/{name}").decode()
    team.host.run(["rm", f"{SPOOL}/{name}"])
    return content


def message_of_the_only_note(team: Team) -> str:
    return the_only_note(team).split("\nmessage ")[1].strip("\n")


def test_what_is_no_shell_leaves_no_note(team: Team) -> None:
    team.host.ssh("deploy", "sudo true; sudo -i id; sudo bash -lc id")
    with Terminal(team.host, ("bash", "-l")) as shell:
        shell.expect("$ ")
        shell.type("exit\r")
        assert shell.ended() == 0
    assert team.waiting() == []


def test_two_collectors_at_once_store_each_note_once(team: Team) -> None:
    before = len(team.noted())
    for number in range(3):
        team.host.ssh("deploy", f"echo true | sudo INFOGERANCE_PERIMETER_MESSAGE='Run {number}' bash -l")
    notes = [(name, team.host.read(f"{SPOOL}/{name}")) for name in team.waiting()]
    assert collect(team)["added"] == 3
    # As if the controller had died between the ledger and the server.
    for name, content in notes:
        team.host.write(f"{SPOOL}/{name}", content, 0o600)
    again = collect(team)
    assert (again["added"], again["known"], again["removed"]) == (0, 3, 3)
    assert len(team.noted()) == before + 3


def test_an_answer_that_came_after_the_note_was_taken_over_is_kept(team: Team) -> None:
    name = "00000000-0000-0000-0000-0000000000aa"
    opened = b"begin 1700000000\nuser ada\nshell 4194303 1\nboot none\n"
    team.host.write(f"{SPOOL}/{name}.open", opened, 0o600)
    assert collect(team)["added"] == 1
    team.host.write(f"{SPOOL}/{name}.done", opened + b"end 1700000060\nmessage Disk changed\n", 0o600)
    try:
        result = collect(team)
        assert (result["added"], result["known"], result["removed"]) == (0, 0, 0)
        assert name in str(result["damaged"])
        assert team.waiting() == [f"{name}.done"]
    finally:
        team.host.run(["rm", f"{SPOOL}/{name}.done"])


def test_the_spool_is_trusted_only_as_far_as_root_made_it(team: Team) -> None:
    names = [f"00000000-0000-0000-0000-00000000000{number}" for number in range(5)]
    team.host.run(
        f"cd {SPOOL}; mkfifo {names[0]}.done; ln -s /etc/shadow {names[1]}.done; truncate -s 1T {names[2]}.done;"
        f"printf 'begin 1700000000\nend 1700000060\nuser ada\nmessage \033[2J\377 odd\n' > {names[3]}.done;"
        f"printf 'begin 1700000000\nend 1700000060\nmessage x\n' > {names[4]}.done; chown alice {names[4]}.done"
    )
    try:
        result = collect(team)
        assert result["added"] == 1
        assert len(result["damaged"]) == 4  # type: ignore[arg-type]
        assert "\x1b" not in str(team.noted())
        team.host.run(f"chmod 777 {SPOOL}")
        run = team.try_to_play("infogerance.perimeter.tools_in_use")
        assert run.rc != 0
        assert "others than root may look into it" in run.stdout
    finally:
        team.host.run(f"chmod 700 {SPOOL}; rm -f {SPOOL}/*")


@pytest.mark.parametrize(
    "fault",
    [
        "full disk",
        "no spool",
        "no program",
        "a program that hangs",
    ],
)
def test_a_broken_hook_neither_keeps_a_shell_from_starting_nor_from_ending(team: Team, fault: str) -> None:
    program = "/usr/local/lib/infogerance-perimeter/session-note"
    broken, mended = {
        "full disk": (f"chmod 700 {SPOOL}; head -c 1M /dev/zero > {SPOOL}/x || true", "true"),
        "no spool": (f"mv {SPOOL} {SPOOL}.away", f"mv {SPOOL}.away {SPOOL}"),
        "no program": (f"mv {program} {program}.away", f"mv {program}.away {program}"),
        "a program that hangs": (
            f"mv {program} {program}.away; printf '{STUBBORN}' > {program}; chmod 755 {program}",
            f"mv {program}.away {program}",
        ),
    }[fault]
    if fault == "full disk":
        team.host.mount_tmpfs(SPOOL, "4k")
    team.host.run(broken)
    try:
        with open_shell(team) as shell:
            shell.type("exit 4\r")
            assert shell.ended() == 4
        assert team.host.ssh("deploy", "echo 'exit 5' | sudo sh -l; echo $?").stdout.strip() == "5"
    finally:
        if fault == "full disk":
            team.host.unmount(SPOOL)
        team.host.run(mended)


def test_the_role_is_idempotent_and_takes_itself_away_again(team: Team) -> None:
    assert team.hook().stats[team.host.name]["changed"] == 0
    with open_shell(team) as shell:
        team.hook("absent")
        shell.type("exit 6\r")
        assert shell.ended() == 6, "a shell that began with the hook ends without it"
    assert not team.host.exists("/etc/profile.d/zz-infogerance-perimeter.sh")
    assert "infogerance" not in team.host.read("/etc/bash.bashrc").decode()
    with open_shell(team) as shell:
        shell.type("exit\r")
        assert shell.ended() == 0
    team.hook()
    assert collect(team)["added"] == 1
