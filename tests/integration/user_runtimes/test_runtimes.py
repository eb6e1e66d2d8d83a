# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Debian's own tools leave in a home is found, attributed and dated; and it reaches the ledger and the report."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab import Host
from lab.ansible_run import PlayRun

MODULE = "infogerance.perimeter.user_runtimes_info"
#: Debian's own: what they write is what users' copies write.
PACKAGES = ("composer", "nodejs", "php-fpm", "podman", "python3-venv", "ruby-bundler", "uidmap")

#: Run as the user, by the real tools, without a network.
LIFE = r"""
set -eu
export HOME=/home/alice XDG_RUNTIME_DIR=/run/user/1001 COMPOSER_HOME=/home/alice/.composer
cd "$HOME"
python3 -m venv --without-pip site/env
printf 'requests==2.31.0\nflask==3.0.0\n' > site/requirements.txt
mkdir shop blog
printf '{"name": "acme/shop", "require": {}, "repositories": {"packagist.org": false}}' > shop/composer.json
composer --working-dir=shop --no-interaction --quiet update
touch -d '500 days ago' shop/composer.lock
printf "source 'https://rubygems.org'\n" > blog/Gemfile
(cd blog && bundle lock --local --quiet 2>/dev/null || bundle lock --local >/dev/null)
mkdir -p .nvm/versions/node/v18.20.4/bin
cp /usr/bin/node .nvm/versions/node/v18.20.4/bin/node
mkdir app
printf '{"name": "app", "version": "1.0.0"}' > app/package.json
printf 'v18\n' > app/.nvmrc
printf 'PASSWORD=planted-secret\n5 4 * * * /usr/bin/mysqldump -pplanted-secret shop\n@daily ./site/run.sh\n' | crontab -
"""
#: Without subordinate ids, which a container in a container may not use, all files are the user's own.
CONTAINERS = r"""
set -eu
export HOME=/home/alice XDG_RUNTIME_DIR=/run/user/1001
cd "$HOME"
echo hello > hello
tar c --owner=0 --group=0 hello | podman --storage-driver vfs import --quiet - localhost/shop:1.4
podman --storage-driver vfs create --quiet --name web --env DB_PASSWORD=planted-secret localhost/shop:1.4 /hello
rm hello
"""


@pytest.fixture(scope="module")
def lived_in(module_hosts: Any) -> Host:
    host: Host = module_hosts("runtimes", extra_packages=PACKAGES)
    host.run(
        "useradd -m -s /bin/bash -u 1001 alice; install -d -m 700 -o alice -g alice /run/user/1001;"
        ": > /etc/subuid; : > /etc/subgid;"
        "printf '[alice]\\nuser = alice\\ngroup = alice\\nlisten = /run/php/alice.sock\\npm = static\\n"
        "pm.max_children = 1\\nenv[DB] = planted-secret\\n' > /etc/php/8.2/fpm/pool.d/alice.conf;"
        "mkdir -p /run/php; php-fpm8.2"
    )
    host.run(["sh", "-s"], input=LIFE, user="alice")
    host.run(["sh", "-s"], input=CONTAINERS, user="alice")
    return host


def seen(rows: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["kind"], row["what"]): row for row in rows}


def test_what_the_real_tools_leave_is_found_attributed_and_dated(lived_in: Host, ansible: Any) -> None:
    code, result, output = ansible(lived_in, MODULE, {})
    assert code == 0, output
    assert not result.get("changed")
    rows = seen(result["runtimes"])

    python = lived_in.run("python3 -c 'import platform; print(platform.python_version())'").stdout.strip()
    assert rows["python_venv", "env"]["version"] == python
    assert rows["python_venv", "env"]["base"] == "system"
    assert rows["python_project", "site"]["locked_by"] == "/home/alice/site/requirements.txt"
    shop = rows["composer_project", "shop"]
    assert (shop["path"], shop["lock_age_days"]) == ("/home/alice/shop", 500)
    assert shop["detail"].startswith("plugin API 2.")
    bundler = lived_in.run("bundle --version").stdout.split()[-1]
    assert rows["ruby_project", "blog"]["detail"] == f"Bundler {bundler}"
    assert rows["ruby_project", "blog"]["lock_age_days"] == 0
    assert rows["node", "nvm"]["version"] == "18.20.4"
    assert (rows["node_project", "app"]["version"], rows["node_project", "app"]["locked_by"]) == ("18", None)
    pool = rows["php_fpm_pool", "alice"]
    assert (pool["version"], pool["base"], pool["running"]) == ("8.2", "system", True)
    assert rows["cron_jobs", "2"]["detail"] == "mysqldump, run.sh"
    web = rows["container", "web"]
    assert (web["version"], web["base"], web["running"]) == ("localhost/shop:1.4", "system", False)
    assert web["lock_age_days"] == 0
    assert {row["account"] for row in result["runtimes"]} == {"alice"}
    assert {row["responsible"] for row in result["runtimes"]} == {"client"}
    assert (result["unread"], result["limits"]) == ([], [])
    assert "planted-secret" not in output + json.dumps(result)


def test_the_ledger_keeps_it_and_the_report_draws_the_border(
    lived_in: Host, ansible_playbook: Callable[..., PlayRun], tmp_path: Path
) -> None:
    environment = {
        "ANSIBLE_CALLBACKS_ENABLED": "infogerance.perimeter.intervention,record_results",
        "INFOGERANCE_PERIMETER_LEDGER": str(tmp_path / "ledger.sqlite3"),
    }
    groups = {"client_acme": [lived_in.name]}
    run = ansible_playbook([lived_in], "infogerance.perimeter.user_runtimes", groups=groups, extra_env=environment)
    assert run.rc == 0, run.stdout
    assert "alice: composer_project shop (plugin API 2." in run.stdout
    year = lived_in.run("date +%Y").stdout.strip()
    report = {"report_period": year, "report_client": "acme", "report_directory": str(tmp_path / "out")}
    made = ansible_playbook([], "infogerance.perimeter.report", extra_vars=report, extra_env=environment)
    assert made.rc == 0, made.stdout
    files = {path.suffix + path.stem.rpartition("-")[2]: path for path in (tmp_path / "out").iterdir()}
    page = next(path for path in files.values() if path.suffix == ".html").read_text()
    assert "Environnements d\u2019exécution dans les comptes utilisateurs" in page
    assert "sont sous votre responsabilité" in page or "est sous votre responsabilité" in page
    rows = json.loads(next(path for path in files.values() if path.suffix == ".json").read_text())["runtimes"]
    assert seen(rows)["composer_project", "shop"]["lock_age_days"] == 500
    table = files[".csvruntimes"].read_text()
    assert "composer_project" in table
    assert "planted-secret" not in page + table + (tmp_path / "ledger.sqlite3").read_bytes().decode("latin-1")
