# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the contact procedure and publish its page. Runs on the controller and connects to no server."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.contacts import page, procedure, publishing
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import by_hand, contact_reviews, who
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.configured import (
    configured_path,
    configured_setting,
)
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger, LedgerError
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report import branding, writing
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope import terms_files
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.loading import load
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.model import CatalogueError
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.plain_fields import TermsError

_CATEGORY = "monitoring_and_alerts"
_OPTIONS = {
    "procedure": {"type": "dict", "required": True},
    "directory": {"type": "path"},
    "repository": {"type": "path"},
    "subdirectory": {"type": "str", "default": "."},
    "push": {"type": "bool", "default": False},
    "author": {"type": "str", "default": "infogerance.perimeter"},
    "author_email": {"type": "str", "default": "perimeter@localhost"},
    "mode": {"type": "str", "default": "0644"},
    "agreements": {"type": "path"},
    "provider": {"type": "str"},
    "logo": {"type": "path"},
    "catalogue": {"type": "path"},
    "ledger": {"type": "path"},
}


class ActionModule(ActionBase):
    """A procedure in, pages and an intervention out."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(
            argument_spec=_OPTIONS,
            required_one_of=[["directory", "repository"]],
            mutually_exclusive=[["directory", "repository"]],
        )
        now = datetime.now(UTC)
        try:
            result.update(self._publish(options, task_vars or {}, now))
        except (
            *(TermsError, CatalogueError, branding.BrandError, publishing.PublishingError, LedgerError, ValueError),
        ) as error:
            raise AnsibleActionFail(f"contact_page: {error}") from None
        return result

    def _publish(self, options, variables, now):
        # Before anything is read or written: it is used at the end.
        writing.file_mode(options["mode"])
        brand = branding.brand(options["provider"], options["logo"])
        terms = terms_files.load(options["agreements"] or configured_setting("agreements"))
        parties = terms.of(str(options["procedure"].get("client") or "")).third_parties
        today = procedure.today_of(options["procedure"], now)
        checked = procedure.parse(options["procedure"], today, parties)
        category = load(options["catalogue"] or configured_setting("catalogue")).categories.get(_CATEGORY)
        if category is None:
            raise ValueError(f"the catalogue has no category {_CATEGORY}, under which a change is recorded")
        name = writing.base_name(checked.client, "page", checked.language, kind="contacts").removesuffix(
            f"-page-{checked.language}"
        )
        pages = {
            f"{name}.html": page.html(checked, today, brand),
            **{f"{name}-{language}.md": page.markdown(checked, today, language) for language in ("fr", "en")},
        }
        plain = checked.as_dict()
        # Last, and after the record: as long as it is the old one, the change is not called published.
        marker = {f"{name}.json": json.dumps(plain, indent=2, sort_keys=True, ensure_ascii=False) + "\n"}
        changes = page.differences(self._before(options, f"{name}.json"), plain)
        pretend = self._task.check_mode
        first = self._write(options, pages, changes, pretend, commit=False)
        if not pretend:
            self._record(options, variables, checked, category, changes, now)
        last = self._write(options, {**pages, **marker}, changes, pretend, commit=True)
        written = [*first.written, *(path for path in last.written if path not in first.written)]
        overdue = checked.overdue(today)
        return {
            "changed": bool(written or last.commit),
            "written": written,
            "commit": last.commit,
            "pushed": last.pushed,
            "changes": changes,
            "overdue": overdue,
            "unused": checked.unused,
            "review_due": checked.review_due.isoformat(),
        }

    def _folder(self, options):
        if options["directory"]:
            return Path(options["directory"]).expanduser()
        return Path(options["repository"]).expanduser() / options["subdirectory"]

    def _before(self, options, name):
        """What was published last; None where there is nothing that can be read."""
        try:
            found = json.loads((self._folder(options) / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def _write(self, options, files, changes, pretend, *, commit):
        mode = writing.file_mode(options["mode"])
        if options["directory"] or not commit:
            if options["repository"]:
                # That it is a repository is found out before anything is written into it.
                publishing.into_repository(
                    Path(options["repository"]).expanduser(), options["subdirectory"], {}, mode, "", ("", ""),
                    push=False, pretend=True,
                )  # fmt: skip
            return publishing.into_directory(self._folder(options), files, mode, pretend=pretend)
        message = "Contact page: " + ("; ".join(changes) or "made anew")
        return publishing.into_repository(
            Path(options["repository"]).expanduser(),
            options["subdirectory"],
            files,
            mode,
            message,
            (options["author"], options["author_email"]),
            push=options["push"],
            pretend=pretend,
        )

    def _record(self, options, variables, checked, category, changes, now):
        ledger = Ledger(configured_path(options["ledger"]))
        ledger.create()
        operator = who.operator(variables)
        work = by_hand.ByHand(
            key=f"contact_page {checked.client} {now.isoformat()}",
            started=now,
            ended=now,
            duration_seconds=0.0,
            clients=[checked.client],
            operator=operator,
            category=category,
            origin="contact_page",
            said={"note": by_hand.lines_of("Contact page\n" + "\n".join(changes))},
        )
        with ledger.transaction() as transaction:
            # The report tells a review that is overdue, whether the page is published again or not.
            transaction.add(
                contact_reviews.news(transaction.query, checked.client, checked.reviews, now, operator["name"])
            )
            if changes:
                by_hand.store(transaction, work, now)
