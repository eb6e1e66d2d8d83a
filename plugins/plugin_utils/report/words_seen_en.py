# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a client reads of what was seen on the servers, in English."""

from __future__ import annotations

from collections.abc import Mapping

WORDS: Mapping[str, str] = {
    "unseen_rows": "On {host}, lines that are not shown here: {count}.",
    "unseen_limit": "On {host} the look is not complete: {why}",
    "runtimes": "Runtimes in user accounts",
    "runtimes_about": (
        "Whatever is installed in user accounts is your responsibility: to follow it, and to apply its security "
        "updates. We update the system's packages that some of it rests on, and are glad to advise you."
    ),
    "runtime_account": "Account",
    "runtime_version": "Version",
    "runtime_lock": "Age of the lock",
    "runtime_updates": "Updated by",
    "runtime_base_own": "you",
    "runtime_base_system": "you (content), us (system packages)",
    "runtime_running": "running",
    "runtime_unlocked": "no lock",
    "runtime_days_one": "{count} day",
    "runtime_days_many": "{count} days",
    "runtime_jobs": "scheduled jobs: {count}",
    "runtime_container_storage": "Container storage",
    "runtime_container": "Container",
    "runtime_container_image": "Container image",
    "runtime_container_socket": "Container socket",
    "runtime_composer_project": "PHP project (Composer)",
    "runtime_composer": "Composer",
    "runtime_node": "Node.js",
    "runtime_npm": "npm",
    "runtime_node_project": "Node.js project",
    "runtime_version_manager": "Version manager",
    "runtime_python": "Python",
    "runtime_python_venv": "Python virtual environment",
    "runtime_python_project": "Python project",
    "runtime_ruby": "Ruby",
    "runtime_ruby_project": "Ruby project",
    "runtime_php_fpm_pool": "PHP-FPM pool",
    "monitoring": "Monitoring: what differs from your declarations",
    "monitoring_about": (
        "What listens or runs on your servers, compared with what you have declared to us. Tell us of additions and "
        "changes: we will watch what must be watched, and nothing will raise an alert for no reason."
    ),
    "monitoring_state": "Difference",
    "monitoring_program": "Program",
    "monitoring_undeclared": "Not declared",
    "monitoring_gone": "Declared, gone",
    "monitoring_changed": "Changed",
    "monitored_port": "Port",
    "monitored_unit": "Service",
    "monitored_timer": "Scheduled job (systemd)",
    "monitored_container": "Container",
    "monitored_vhost": "Web site",
    "sessions": "Privileged sessions without a recorded intervention",
    "sessions_about": (
        "Sessions with administrator's rights that were read on your servers, and that no intervention accounts for. "
        "Where the tools that keep track are in place, they must be used, by you and by us."
    ),
    "session_account": "Account",
    "session_end": "End",
    "session_from": "From",
    "session_shell": "shell",
    "session_other_one": "no terminal, {count} time",
    "session_other_many": "no terminal, {count} times",
    "session_ssh": "SSH login as root",
    "session_console": "Login at the console",
    "session_sudo": "sudo",
    "session_su": "su",
    "session_become": "sudo by Ansible",
    "runtime_cron_jobs": "Scheduled jobs (cron)",
}
