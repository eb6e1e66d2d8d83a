# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every other backend against the real thing: converge, drift, take away, and fail without opening anything.

A scenario says how to start the thing, how to look at it without our code, and how to make its reload fail.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any, ClassVar

import pytest

from lab import Host

HERE = Path(__file__).parent
FIRST, SECOND, SIX = "198.51.100.7", "198.51.100.8", "2001:db8:12::/48"


class Scenario:
    """One backend. ``live`` and ``file`` look with the tool's own eyes; ``break_reload`` is undone by ``repair``."""

    sink: ClassVar[dict[str, Any]]
    files: tuple[str, ...]
    foreign = ""
    six = True

    def start(self, host: Host) -> None:
        """Bring the thing up with something of somebody else's in it."""

    def live(self, host: Host) -> str:
        raise NotImplementedError

    def drift(self, host: Host) -> None:
        """Take FIRST out of the live state, or the file, behind the module's back."""
        raise NotImplementedError

    def break_reload(self, host: Host) -> None:
        raise NotImplementedError

    def repair(self, host: Host) -> None:
        raise NotImplementedError

    def file(self, host: Host) -> str:
        return host.run(["cat", *self.files]).stdout


def await_(host: Host, command: str, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while host.run(command, check=False).returncode != 0:
        assert time.monotonic() < deadline, command
        time.sleep(0.1)


def wrapper(host: Host, program: str, condition: str) -> None:
    """A program in front of the real one that fails when the condition holds for its arguments."""
    real = host.run("command -v %s" % program).stdout.strip()
    text = '#!/bin/sh\ncase " $* " in %s) echo broken by the test >&2; exit 3 ;; esac\nexec %s "$@"\n' % (
        condition,
        real,
    )
    host.write("/usr/local/sbin/" + program, text, 0o755)


class Ipset(Scenario):
    sink: ClassVar[dict[str, Any]] = {"backend": "ipset"}
    files = ("/etc/iptables/ipsets",)
    foreign = "f2b"

    def start(self, host: Host) -> None:
        host.run("mkdir -p /etc/iptables; ipset create f2b hash:ip; ipset add f2b 192.0.2.66")
        host.run("ipset save > /etc/iptables/ipsets")

    def live(self, host: Host) -> str:
        return host.run("ipset save").stdout

    def drift(self, host: Host) -> None:
        host.run("ipset del perimeter-priv-ipv4 %s" % FIRST)

    def break_reload(self, host: Host) -> None:
        # The sets are swapped by then, and must be swapped back.
        host.make_readonly("/etc/iptables")

    def repair(self, host: Host) -> None:
        host.unmount("/etc/iptables")


class Ufw(Scenario):
    sink: ClassVar[dict[str, Any]] = {"backend": "ufw", "ports": [22, 443]}
    files = ("/etc/ufw/user.rules", "/etc/ufw/user6.rules")
    foreign = "203.0.113.5"

    def start(self, host: Host) -> None:
        host.run("ufw allow 22/tcp && ufw allow from 203.0.113.5 && ufw deny from 203.0.113.6 && ufw --force enable")

    def live(self, host: Host) -> str:
        return host.run("iptables -S ufw-user-input; ip6tables -S ufw6-user-input").stdout

    def drift(self, host: Host) -> None:
        host.run("iptables -D ufw-user-input -s %s -p tcp -m multiport --dports 22,443 -j ACCEPT" % FIRST)

    def break_reload(self, host: Host) -> None:
        # The IPv4 transaction is through by then, and must be taken back.
        wrapper(host, "ip6tables-restore", '*" --test "*) ;; *')

    def repair(self, host: Host) -> None:
        host.run("rm /usr/local/sbin/ip6tables-restore")


class Fail2ban(Scenario):
    sink: ClassVar[dict[str, Any]] = {"backend": "fail2ban"}
    files = ("/etc/fail2ban/jail.d/zz-infogerance-perimeter.local",)
    foreign = "203.0.113.9"

    def start(self, host: Host) -> None:
        jail = "[DEFAULT]\nignoreip = 127.0.0.1/8 ::1 203.0.113.9\n[sshd]\nenabled = true\nbackend = polling\n"
        host.write("/etc/fail2ban/jail.local", jail + "logpath = /var/log/auth.log\n")
        host.run("touch /var/log/auth.log; mkdir -p /run/fail2ban")
        host.run("fail2ban-server -b --logtarget /var/log/fail2ban.log")
        await_(host, "fail2ban-client get sshd ignoreip")

    def live(self, host: Host) -> str:
        return host.run("fail2ban-client get sshd ignoreip").stdout

    def drift(self, host: Host) -> None:
        host.run("fail2ban-client set sshd delignoreip %s" % FIRST)

    def break_reload(self, host: Host) -> None:
        wrapper(host, "fail2ban-client", '*" reload "*')

    def repair(self, host: Host) -> None:
        host.run("rm /usr/local/sbin/fail2ban-client; fail2ban-client reload")


class Nginx(Scenario):
    sink: ClassVar[dict[str, Any]] = {"backend": "nginx"}
    files = ("/etc/nginx/snippets/infogerance-perimeter.conf",)
    foreign = "203.0.113.20"

    def start(self, host: Host) -> None:
        host.write(self.files[0], "allow 203.0.113.20;\ndeny all;\n")
        site = "server { listen 80 default_server; listen [::]:80; location / { include %s; return 200 ok; } }\n"
        host.write("/etc/nginx/sites-enabled/default", site % self.files[0])
        host.run("nginx")

    def live(self, host: Host) -> str:
        return host.run("nginx -T 2>/dev/null; pgrep -P $(cat /run/nginx.pid)").stdout

    def drift(self, host: Host) -> None:
        time.sleep(0.2)
        host.run("sed -i /%s/d %s" % (FIRST, self.files[0]))

    def break_reload(self, host: Host) -> None:
        # nginx -t does not bind. The reload does, and the master keeps its old workers.
        host.spawn("nc -lk 8888")
        await_(host, "ss -Hltn sport = :8888 | grep -q .")
        host.write("/etc/nginx/conf.d/taken.conf", "server { listen 8888; }\n")

    def repair(self, host: Host) -> None:
        host.run("rm /etc/nginx/conf.d/taken.conf")


class Apache(Scenario):
    sink: ClassVar[dict[str, Any]] = {"backend": "apache"}
    files = ("/etc/apache2/infogerance-perimeter.conf",)
    foreign = "203.0.113.20"

    def start(self, host: Host) -> None:
        host.write(self.files[0], "Require ip 203.0.113.20\n")
        site = "ServerName localhost\n<Location />\n  <RequireAny>\n    Include %s\n  </RequireAny>\n</Location>\n"
        site += "<Location /server-status>\n  Require local\n</Location>\n"
        host.write("/etc/apache2/conf-enabled/site.conf", site % self.files[0])
        host.run("apache2ctl start")
        await_(host, "pgrep -x apache2")

    def live(self, host: Host) -> str:
        # The generation counts reloads. Pids don't: workers of the last generation leave when they are idle.
        ask = "exec 3<>/dev/tcp/127.0.0.1/80; printf 'GET /server-status?auto HTTP/1.0\\r\\n\\r\\n' >&3"
        said = host.run(["bash", "-ec", ask + "; grep ^ParentServerConfigGeneration <&3"]).stdout
        return said + host.run("cat %s" % self.files[0]).stdout

    def drift(self, host: Host) -> None:
        time.sleep(0.2)
        host.run("sed -i /%s/d %s" % (FIRST, self.files[0]))

    def break_reload(self, host: Host) -> None:
        wrapper(host, "apache2ctl", '*" graceful "*')

    def repair(self, host: Host) -> None:
        host.run("rm /usr/local/sbin/apache2ctl")


class Sshd(Scenario):
    sink: ClassVar[dict[str, Any]] = {"backend": "sshd", "directives": ["AllowTcpForwarding no"]}
    files = ("/etc/ssh/sshd_config.d/zz-infogerance-perimeter.conf",)

    def live(self, host: Host) -> str:
        command = "sshd -T -C user=deploy,host=x,addr=%s | grep -i allowtcpforwarding"
        return host.run("; ".join(command % a for a in (FIRST, SECOND))).stdout

    def drift(self, host: Host) -> None:
        time.sleep(0.2)
        host.run("sed -i s/%s/203.0.113.77/ %s" % (FIRST, self.files[0]))

    def _pid(self, host: Host) -> str:
        return host.run("ps -eo pid,args | awk '/sshd.*listener/ && !/awk/ {print $1}'").stdout.split()[0]

    def break_reload(self, host: Host) -> None:
        # A listener that hangs takes no SIGHUP.
        host.run("kill -STOP %s" % self._pid(host))

    def repair(self, host: Host) -> None:
        host.run("kill -CONT %s" % self._pid(host))
        time.sleep(0.5)


class Nrpe(Scenario):
    sink: ClassVar[dict[str, Any]] = {"backend": "nrpe", "lists": ["privileged", "trusted"]}
    files = ("/etc/nagios/nrpe.cfg",)
    foreign = "203.0.113.30"

    def start(self, host: Host) -> None:
        host.run("sed -i 's/^allowed_hosts=.*/allowed_hosts=127.0.0.1,::1,203.0.113.30/' /etc/nagios/nrpe.cfg")
        host.run("mkdir -p /run/nagios; chown nagios /run/nagios; nrpe -c /etc/nagios/nrpe.cfg -d")
        await_(host, "pgrep -x nrpe")

    def live(self, host: Host) -> str:
        return host.run("pgrep -x nrpe; grep ^allowed_hosts /etc/nagios/nrpe.cfg").stdout

    def drift(self, host: Host) -> None:
        time.sleep(0.2)
        host.run("sed -i s/,%s// /etc/nagios/nrpe.cfg" % FIRST)

    def break_reload(self, host: Host) -> None:
        host.run("kill -STOP $(pgrep -x nrpe)")

    def repair(self, host: Host) -> None:
        host.run("kill -CONT $(pgrep -x nrpe)")
        time.sleep(0.5)


class LineFile(Scenario):
    sink: ClassVar[dict[str, Any]] = {
        "backend": "line_file",
        "file": "/etc/service.allow",
        "template": "Allow from {address}",
        "validate": "grep -q infogerance /etc/service.allow",
        "reload": "/usr/local/bin/service-reload",
    }
    files = ("/etc/service.allow",)
    foreign = "203.0.113.40"

    def start(self, host: Host) -> None:
        host.write("/etc/service.allow", "# infogerance\nAllow from 203.0.113.40\n")
        host.write("/usr/local/bin/service-reload", "#!/bin/sh\ncp /etc/service.allow /run/service.live\n", 0o755)

    def live(self, host: Host) -> str:
        return host.run("cat /run/service.live 2>/dev/null", check=False).stdout

    def drift(self, host: Host) -> None:
        host.run("sed -i /%s/d /etc/service.allow" % FIRST)

    def break_reload(self, host: Host) -> None:
        host.write("/usr/local/bin/service-reload", "#!/bin/sh\necho no >&2\nexit 1\n", 0o755)

    def repair(self, host: Host) -> None:
        self_text = "#!/bin/sh\ncp /etc/service.allow /run/service.live\n"
        host.write("/usr/local/bin/service-reload", self_text, 0o755)


class Minifirewall(Scenario):
    sink: ClassVar[dict[str, Any]] = {"backend": "minifirewall"}
    files = ("/etc/default/minifirewall",)
    foreign = "203.0.113.50"
    script = "minifirewall_modern.sh"
    target = "/usr/local/sbin/minifirewall"
    restart = "/usr/local/sbin/minifirewall restart --ignore-systemd"

    def start(self, host: Host) -> None:
        host.copy_in(HERE / self.script, self.target, 0o755)
        gateway = host.run("ip -4 route show default").stdout.split()[2]
        host.write(
            self.files[0],
            "# settings of the host\nINT='eth0'\nIPV6='on'\n# BEGIN ANSIBLE MANAGED BLOCK FOR IPS\n"
            "TRUSTEDIPS='203.0.113.50'\nPRIVILEGIEDIPS='%s'\n# END ANSIBLE MANAGED BLOCK FOR IPS\n"
            "SERVICESTCP1='8080'\nSERVICESTCP2='22'\nSERVICESTCP3='5666'\n" % gateway,
            0o600,
        )
        host.run("mkdir -p /etc/minifirewall.d; %s" % self.restart)

        host.run("iptables -N f2b-sshd; iptables -A f2b-sshd -s 192.0.2.66 -j REJECT")
        host.run("iptables -I INPUT -p tcp --dport 22 -j f2b-sshd")

    def live(self, host: Host) -> str:
        said = host.run("iptables -S; ip6tables -S").stdout
        # Somebody else's, and whoever it keeps out: in each state, whatever was done.
        assert "-A INPUT -p tcp -m tcp --dport 22 -j f2b-sshd\n-A INPUT -i lo" in said
        assert "-A f2b-sshd -s 192.0.2.66/32 -j REJECT" in said
        assert "-P INPUT DROP" in said
        return said

    def drift(self, host: Host) -> None:
        host.run("iptables -D ONLYPRIVILEGIED -s %s -j ACCEPT" % FIRST)

    def break_reload(self, host: Host) -> None:
        # The IPv4 transaction is through by then, and must be taken back.
        wrapper(host, "ip6tables-restore", '*" --test "*) ;; *')

    def repair(self, host: Host) -> None:
        host.run("rm /usr/local/sbin/ip6tables-restore")


class LegacyMinifirewall(Minifirewall):
    script = "minifirewall_legacy.sh"
    target = "/etc/init.d/minifirewall"
    restart = "/etc/init.d/minifirewall restart"
    six = False

    def break_reload(self, host: Host) -> None:
        wrapper(host, "iptables-restore", '*" --test "*) ;; *')

    def repair(self, host: Host) -> None:
        host.run("rm /usr/local/sbin/iptables-restore")


class DockerMinifirewall(LegacyMinifirewall):
    """The one case in which it has to be restarted, and may be left open by that."""

    def start(self, host: Host) -> None:
        super().start(host)
        host.run("sed -i \"1iDOCKER='on'\" %s; %s" % (self.files[0], self.restart))
        host.run("iptables -I INPUT -p tcp --dport 22 -j f2b-sshd")

    def break_reload(self, host: Host) -> None:
        host.run("echo 'exit 2' >> /etc/default/minifirewall")

    def repair(self, host: Host) -> None:
        host.run("sed -i '/^exit 2/d' /etc/default/minifirewall")


ALL = (Ipset, Ufw, Fail2ban, Nginx, Apache, Sshd, Nrpe, LineFile, Minifirewall, LegacyMinifirewall, DockerMinifirewall)


def words(text: str) -> set[str]:
    return {w.removesuffix("/32").removesuffix("/128") for w in re.split(r"[\s,;'\"]+", text)}


@pytest.fixture(params=ALL, ids=lambda made: made.__name__.lower())
def scenario(request: pytest.FixtureRequest, server: Host) -> Scenario:
    made: Scenario = request.param()
    made.start(server)
    return made


@pytest.mark.sample(2)
def test_a_list_is_converged_drift_is_mended_and_what_is_ours_goes(scenario: Scenario, server: Host, ips: Any) -> None:
    host, sinks = server, [scenario.sink]
    rows = [FIRST, SECOND, *([SIX] if scenario.six else [])]
    before = scenario.file(host) if host.exists(scenario.files[0]) else ""
    preview = ips.ok(host, rows, sinks, check=True)
    assert preview["changed"]
    assert (scenario.file(host) if host.exists(scenario.files[0]) else "") == before
    done = ips.ok(host, rows, sinks)
    assert done["changed"]
    for text in rows:
        assert text in words(scenario.file(host)), text
        if scenario.sink["backend"] != "sshd":
            assert text in words(scenario.live(host)), text
    if scenario.foreign:
        assert scenario.foreign in [u["entry"] for u in done["unmanaged"]] + [scenario.foreign] * (
            scenario.sink["backend"] == "ipset"
        )

    stamps = host.stamps(scenario.files)
    again = ips.ok(host, rows, sinks)
    assert not again["changed"], again["plan"]
    assert again["drift"] == []
    assert host.stamps(scenario.files) == stamps

    scenario.drift(host)
    mended = ips.ok(host, rows, sinks)
    assert mended["changed"]
    assert mended["drift"]
    assert FIRST in words(scenario.live(host) + scenario.file(host))
    assert not ips.ok(host, rows, sinks)["changed"]

    report = ips.ok(host, [FIRST], sinks)
    assert SECOND in [o["entry"] for o in report["obsolete"]]
    assert SECOND in words(scenario.file(host))
    gone = ips.ok(host, [FIRST], sinks, obsolete="remove")
    assert SECOND in [a["entry"] for a in gone["applied"]]
    assert not {SECOND, SIX} & words(scenario.file(host))
    assert not {SECOND, SIX} & words(scenario.live(host))
    assert FIRST in words(scenario.file(host))
    if scenario.foreign:
        assert scenario.foreign in words(scenario.file(host) + scenario.live(host))


@pytest.mark.sample(2)
def test_a_reload_that_fails_leaves_the_old_state_live_and_the_old_file(
    scenario: Scenario, server: Host, ips: Any
) -> None:
    host, sinks = server, [scenario.sink]
    ips.ok(host, [FIRST], sinks)
    scenario.break_reload(host)
    file, live = host.snapshot(scenario.files), scenario.live(host)
    rows = [FIRST, SECOND, *([SIX] if scenario.six else [])]
    message = ips.fails(host, rows, sinks)
    assert "sink %s" % scenario.sink["backend"] in message
    assert host.snapshot(scenario.files) == file, message
    scenario.repair(host)
    after = scenario.live(host)
    if isinstance(scenario, (Ipset, Nginx)):
        assert SECOND not in words(after)
    else:
        assert after == live
    assert SECOND not in words(scenario.file(host))
    done = ips.ok(host, [FIRST, SECOND], sinks)
    assert done["changed"]
    assert SECOND in words(scenario.file(host))
