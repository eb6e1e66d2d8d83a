# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a client reads of what was seen on the servers, in French."""

from __future__ import annotations

from collections.abc import Mapping

WORDS: Mapping[str, str] = {
    "unseen_rows": "Sur {host}, lignes non montrées ici : {count}.",
    "unseen_limit": "Sur {host}, relevé incomplet : {why}",
    "runtimes": "Environnements d'exécution dans les comptes utilisateurs",
    "runtimes_about": (
        "Tout ce qui est installé dans les comptes utilisateurs est sous votre responsabilité : le suivi et les "
        "mises à jour de sécurité vous reviennent. Nous mettons à jour les paquets du système sur lesquels certains "
        "reposent, et pouvons vous conseiller."
    ),
    "runtime_account": "Compte",
    "runtime_version": "Version",
    "runtime_lock": "Âge du verrou",
    "runtime_updates": "Mises à jour par",
    "runtime_base_own": "vous",
    "runtime_base_system": "vous (contenu), nous (paquets du système)",
    "runtime_running": "en cours d'exécution",
    "runtime_unlocked": "aucun verrou",
    "runtime_days_one": "{count} jour",
    "runtime_days_many": "{count} jours",
    "runtime_jobs": "tâches planifiées : {count}",
    "runtime_container_storage": "Stockage de conteneurs",
    "runtime_container": "Conteneur",
    "runtime_container_image": "Image de conteneur",
    "runtime_container_socket": "Socket de conteneurs",
    "runtime_composer_project": "Projet PHP (Composer)",
    "runtime_composer": "Composer",
    "runtime_node": "Node.js",
    "runtime_npm": "npm",
    "runtime_node_project": "Projet Node.js",
    "runtime_version_manager": "Gestionnaire de versions",
    "runtime_python": "Python",
    "runtime_python_venv": "Environnement virtuel Python",
    "runtime_python_project": "Projet Python",
    "runtime_ruby": "Ruby",
    "runtime_ruby_project": "Projet Ruby",
    "runtime_php_fpm_pool": "Pool PHP-FPM",
    "monitoring": "Supervision : écarts avec vos déclarations",
    "monitoring_about": (
        "Ce qui écoute ou s'exécute sur vos serveurs, comparé à ce que vous nous avez déclaré. Signalez-nous les "
        "ajouts et les modifications : nous surveillerons ce qui doit l'être, et rien ne donnera d'alerte inutile."
    ),
    "monitoring_state": "Écart",
    "monitoring_program": "Programme",
    "monitoring_undeclared": "Non déclaré",
    "monitoring_gone": "Déclaré, disparu",
    "monitoring_changed": "Modifié",
    "monitored_port": "Port",
    "monitored_unit": "Service",
    "monitored_timer": "Tâche planifiée (systemd)",
    "monitored_container": "Conteneur",
    "monitored_vhost": "Site web",
    "sessions": "Sessions privilégiées sans intervention enregistrée",
    "sessions_about": (
        "Sessions avec les droits d'administration, relevées sur vos serveurs, auxquelles aucune intervention ne "
        "correspond. Lorsque les outils de suivi sont en place, ils doivent être utilisés, par vous comme par nous."
    ),
    "session_account": "Compte",
    "session_end": "Fin",
    "session_from": "Depuis",
    "session_shell": "interpréteur de commandes",
    "session_other_one": "sans terminal, {count} fois",
    "session_other_many": "sans terminal, {count} fois",
    "session_ssh": "Connexion SSH en root",
    "session_console": "Connexion à la console",
    "session_sudo": "sudo",
    "session_su": "su",
    "session_become": "sudo par Ansible",
    "runtime_cron_jobs": "Tâches planifiées (cron)",
}
