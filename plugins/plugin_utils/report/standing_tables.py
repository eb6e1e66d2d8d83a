# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Agreements with their balance, access reviews with what has changed since, and contacts, as tables. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.tables import Cell, Column, Table, cell
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.voices import Pair, Voices

_STATES = {"valid": "good", "exhausted": "bad", "expired": "bad", "not_accepted": "out", "not_yet_valid": "plain"}
REVIEWS = {"current": "good", "changed": "out", "overdue": "bad", "objected": "bad", "never": "bad"}
_HARD = "\u00a0"
# More would drown the page; the JSON file has them all.
_CHANGES_SHOWN, _NAMES_SHOWN = 12, 8


def agreements(
    voices: Voices, balances: Sequence[Mapping[str, Any]], every_client: bool, name: str = "agreements"
) -> Table:
    """One line an agreement, with what is left of it at the period's end."""
    word = voices.word
    columns = [
        Column("agreement", word("agreement")),
        Column("state", word("agreement_state"), filtered=True),
        Column("covers", word("agreement_covers")),
        Column("validity", word("agreement_validity")),
        Column("agreed", word("agreement_agreed"), numeric=True),
        Column("used", word("agreement_used"), numeric=True),
        Column("left", word("agreement_left"), numeric=True),
    ]
    if every_client:
        columns.insert(0, Column("client", word("client"), filtered=True))
    rows = []
    for its in balances:
        timed = its["seconds"] is not None
        price = _price(its["amount"], its["currency"]) if its["amount"] is not None else None
        accepted = its["accepted_by"] and word(
            "agreement_accepted", name=its["accepted_by"], date=voices.day(its["accepted_on"])
        )
        warned = its["warning"] and cell(
            word("agreement_warning", percent=voices.number(its["percent"])),
            b="bad" if its["warning"] >= 100 else "out",
        )
        row = [
            cell(its["id"], m=[cell(word(f"agreement_{its['kind']}"))]),
            cell(
                word(f"agreement_state_{its['state']}"),
                b=_STATES.get(its["state"], "plain"),
                m=[each for each in (warned, accepted and cell(accepted)) if each],
            ),
            _covers(voices, its["labels"]),
            cell(_validity(voices, its["valid_from"], its["valid_until"]), s=its["valid_until"] or "9999"),
            cell(
                voices.duration(its["seconds"]) if timed else price or "–",
                s=its["seconds"] or 0,
                m=[cell(price)] if timed and price else None,
            ),
            cell(voices.duration(its["used_seconds"] or None), s=its["used_seconds"]),
            cell(_left(voices, its["left_seconds"]), s=its["left_seconds"] if timed else 10**12),
        ]
        if every_client:
            row.insert(0, cell(its["client"]))
        rows.append(row)
    return Table(name, word("agreements"), columns, rows)


def _price(amount: str, currency: str) -> Pair:
    """Exact, as each language writes it: 1 500,00 EUR; EUR 1,500.00."""
    text = f"{Decimal(amount):,f}"
    return (f"{text.replace(',', _HARD).replace('.', ',')}{_HARD}{currency}", f"{currency}{_HARD}{text}")


def _covers(voices: Voices, labels: Sequence[Mapping[str, str]] | None) -> Cell:
    if labels is None:
        return cell(voices.word("agreement_all"))
    first, *rest = [cell((label["fr"], label["en"])) for label in labels] or [cell("–")]
    return {**first, **({"m": rest} if rest else {})}


def _validity(voices: Voices, first: str | None, last: str | None) -> Pair:
    if first and last:
        return voices.word("agreement_between", first=voices.day(first), last=voices.day(last))
    if first or last:
        return voices.word("agreement_from" if first else "agreement_until", date=voices.day(first or last))
    return voices.word("agreement_open")


def _left(voices: Voices, seconds: int | None) -> Pair | str:
    if seconds is None:
        return "–"
    if seconds >= 0:
        return voices.duration(seconds)
    return voices.word("agreement_over", time=voices.duration(-seconds))


def reviews(voices: Voices, standings: Sequence[Mapping[str, Any]], every_client: bool, name: str = "reviews") -> Table:
    """One line a client: who signed off what, until when, and what has changed since."""
    word = voices.word
    columns = [
        Column("standing", word("review_standing"), filtered=True),
        Column("signed", word("review_signed"), tight=True),
        Column("reviewer", word("review_reviewer")),
        Column("lists", word("review_lists")),
        Column("due", word("review_due"), tight=True),
        Column("changed", word("review_changed")),
    ]
    if every_client:
        columns.insert(0, Column("client", word("client")))
    rows = []
    for its in standings:
        signed = its["signed_at"]
        under = [cell(word("review_recorded_by", name=its["recorded_by"]))] if its["recorded_by"] else []
        under += [cell(its["note"])] if its["note"] else []
        lists, *more = [
            cell(word("review_list_count", count=voices.number(count), kind=word(f"list_{kind}")))
            for kind, count in its["counts"].items()
        ] or [cell("–")]
        more.append(cell(voices.servers(len(its["hosts"]))))
        if its["digest"]:
            more.append(cell(word("review_digest_short", digest=its["digest"][:12]), c=1))
        for at in sorted({each["signed_at"] for each in its["earlier"]}):
            names = sorted(each["host"] for each in its["earlier"] if each["signed_at"] == at)
            more.append(cell(word("review_earlier", date=voices.date_of(at), hosts=_some(names))))
        row = [
            cell(
                word(f"review_state_{its['state']}"),
                b=REVIEWS[its["state"]],
                m=[cell(word("review_state_changed"), b="out")] if its["changed"] and its["state"] != "changed" else [],
            ),
            cell(voices.date_of(signed) if signed else "–", s=signed or ""),
            cell(its["reviewer"] or "–", m=under),
            {**lists, "m": more},
            cell(voices.day(its["due"]) if its["due"] else "–", s=its["due"] or ""),
            _changed(voices, its),
        ]
        if every_client:
            row.insert(0, cell(its["client"]))
        rows.append(row)
    return Table(name, word("reviews"), columns, rows)


def _changed(voices: Voices, its: Mapping[str, Any]) -> Cell:
    word = voices.word
    if its["signed_at"] is None:
        return cell("–")
    seen = its["compared_at"]
    told = [cell(word("review_compared", date=voices.date_of(seen)) if seen else word("review_not_compared"))]
    if not its["changed"]:
        return cell(word("review_nothing_changed") if seen else "–", m=told)
    lines = [
        list(word("review_change", host=each["host"], kind=word(f"list_{each['kind']}"), what=_what(voices, each)))
        for each in its["changed"][:_CHANGES_SHOWN]
    ]
    if len(its["changed"]) > _CHANGES_SHOWN:
        lines.append(list(word("more_tasks", count=voices.number(len(its["changed"]) - _CHANGES_SHOWN))))
    hosts = voices.servers(len({each["host"] for each in its["changed"]}))
    return cell(hosts, s=len(its["changed"]), m=told, d=[list(word("details")), lines])


def _what(voices: Voices, each: Mapping[str, Any]) -> Pair:
    word = voices.word
    said: list[Pair] = [word("review_new_host")] if each["new"] else []
    for key in ("added", "removed", "altered"):
        names = each[key]
        if names:
            said.append(word(f"review_{key}", names=_some(names)))
    if not said or each["added"] is None:
        said.append(word("review_counts", before=each["before"] or 0, after=each["after"] or 0))
    return ("; ".join(one[0] for one in said), "; ".join(one[1] for one in said))


def _some(names: Sequence[str]) -> str:
    more = f" (+{len(names) - _NAMES_SHOWN})" if names[_NAMES_SHOWN:] else ""
    return ", ".join(names[:_NAMES_SHOWN]) + more


def contacts(voices: Voices, late: Sequence[Mapping[str, Any]], every_client: bool, name: str = "contacts") -> Table:
    """Contact pages, and contacts of theirs, that were not looked through in time."""
    word = voices.word
    columns = [
        Column("contact", word("contact_who")),
        Column("reviewed", word("contact_reviewed"), tight=True),
        Column("due", word("contact_due"), tight=True),
    ]
    if every_client:
        columns.insert(0, Column("client", word("client"), filtered=True))
    rows = []
    for its in late:
        row = [
            cell(its["contact"] or word("contact_page")),
            cell(voices.day(its["reviewed_on"]), s=its["reviewed_on"]),
            cell(voices.day(its["due"]), s=its["due"], b="bad"),
        ]
        if every_client:
            row.insert(0, cell(its["client"]))
        rows.append(row)
    return Table(name, word("contact_title"), columns, rows)
