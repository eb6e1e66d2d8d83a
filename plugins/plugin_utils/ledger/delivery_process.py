# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process that talks to a shared ledger on behalf of `pushing`, which may kill it at any moment.

A request as one JSON object on standard input, answers as one JSON object a line on standard output, the last of them
{"end": why}. The URL comes this way because arguments and environment can be seen by others.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import shared_url
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.outbox import Acknowledged
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger, LedgerError


def main() -> None:
    """Read the request, deliver, say how it ended."""
    request = json.load(sys.stdin)
    # Should who started this be killed, it still ends.
    signal.setitimer(signal.ITIMER_REAL, request["patience"] + 1)
    # What a library prints must not get between the answers.
    answers = os.dup(1)
    os.dup2(2, 1)

    def say(message: Any) -> None:
        os.write(answers, json.dumps(message).encode() + b"\n")

    end = ""
    try:
        from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import delivery

        delivery.deliver(
            Ledger(request["path"], request["timeout"]),
            shared_url.parse(request["url"]),
            [Acknowledged(*item) for item in request["known"]],
            say,
            thorough=request["thorough"],
            patience=request["patience"],
        )
    except LedgerError as error:
        end = str(error)
    except Exception as error:  # noqa: BLE001 - its text may quote what must not be shown
        end = f"{type(error).__name__} while pushing"
    with contextlib.suppress(OSError):
        say({"end": end})
