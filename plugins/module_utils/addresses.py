# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses and networks in one canonical form, and what may not be on a list of privileged ones.

Pure: no name is resolved, no file is read. ``socket`` serves for its parser only, which is strict and fast.
"""

from __future__ import annotations

import functools
import ipaddress
import re
import socket
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from .reconcile import InvalidEntry

__all__ = [
    "Coverage",
    "Network",
    "canonical",
    "is_hostname",
    "lenient",
    "parse",
    "refusal",
    "span",
]

BITS = {4: 32, 6: 128}
#: Nothing else occurs in an address. Everything a shell, nft or a config file could take for syntax is outside.
ALPHABET = re.compile(r"[0-9A-Fa-f:.]+(?:/[0-9]{1,3})?\Z", re.ASCII)
HOSTNAME = re.compile(
    r"(?=.{1,253}\Z)(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.?\Z",
    re.ASCII,
)
MAPPED = 0xFFFF << 32


class Network(NamedTuple):
    """One address or network. ``value`` is the first address as a number, ``prefix`` the length in bits."""

    version: int
    value: int
    prefix: int

    def __str__(self) -> str:
        text = _text(self.version, self.value)
        return text if self.prefix == BITS[self.version] else "%s/%d" % (text, self.prefix)

    @property
    def family(self) -> str:
        """``ipv4`` or ``ipv6``."""
        return "ipv%d" % self.version

    @property
    def last(self) -> int:
        """The last address as a number."""
        return self.value | ((1 << (BITS[self.version] - self.prefix)) - 1)

    def covers(self, other: Network) -> bool:
        """True where every address of ``other`` is in this network."""
        if self.version != other.version or self.prefix > other.prefix:
            return False
        return self.value <= other.value <= self.last

    def overlaps(self, other: Network) -> bool:
        """True where the two share an address."""
        return self.covers(other) or other.covers(self)


def _text(version: int, value: int) -> str:
    if version == 4:
        return "%d.%d.%d.%d" % (value >> 24, value >> 16 & 255, value >> 8 & 255, value & 255)
    return str(ipaddress.IPv6Address(value))


@functools.lru_cache(maxsize=1 << 17)
def parse(text: str) -> Network:
    """Read one address or network strictly. Raises ValueError with a reason a person can act on."""
    if "%" in text:
        raise ValueError("has a zone: a zone means something on one machine only")
    if not ALPHABET.match(text):
        raise ValueError(_why_not(text))
    address, slash, length = text.partition("/")
    version = 6 if ":" in address else 4
    bits = BITS[version]
    try:
        packed = socket.inet_pton(socket.AF_INET6 if version == 6 else socket.AF_INET, address)
    except OSError:
        raise ValueError("is not an IPv%d address%s" % (version, _hint(address))) from None
    prefix = int(length) if slash else bits
    if prefix > bits:
        raise ValueError("has a prefix length of %d: IPv%d has 0 to %d" % (prefix, version, bits))
    if len(length) > 1 and length.startswith("0"):
        raise ValueError("has a prefix length with a leading zero")
    value = int.from_bytes(packed, "big")
    if value & ((1 << (bits - prefix)) - 1):
        whole = Network(version, value >> (bits - prefix) << (bits - prefix), prefix)
        raise ValueError(
            "has host bits set: write %s for the network or %s for the one address" % (whole, _text(version, value))
        )
    if version == 6 and value >> 32 == 0xFFFF and prefix >= 96:
        return Network(4, value & 0xFFFFFFFF, prefix - 96)
    return Network(version, value, prefix)


def _why_not(text: str) -> str:
    if not text:
        return "is empty"
    bad = sorted({c for c in text if not (c.isascii() and (c.isalnum() or c in ":./-_"))})
    if bad:
        return "has characters that no address has: %s" % " ".join(repr(c) for c in bad[:5])
    if is_hostname(text):
        return "is a hostname: what it resolves to may change behind your back"
    if "-" in text:
        return "looks like a range: write networks"
    if re.search(r"/.*[.:]", text):
        return "has a netmask: write a prefix length"
    return "is neither an address nor a network"


def _hint(address: str) -> str:
    parts = address.split(".")
    if ":" not in address and len(parts) == 4:
        for part in parts:
            if part.isdigit() and int(part) > 255:
                return ": %s is above 255" % part
            if part.isdigit() and len(part) > 1 and part.startswith("0"):
                return ": %s has a leading zero, which some tools read as octal" % part
    return ""


def is_hostname(text: str) -> bool:
    """True for what can only be a name: its last label begins with a letter."""
    return bool(HOSTNAME.match(text)) and ":" not in text


def canonical(text: str) -> str:
    """The one notation of an address or network. Raises ValueError."""
    return str(parse(text))


@functools.lru_cache(maxsize=1 << 17)
def lenient(text: str) -> Network | None:
    """What a server's own file or tool wrote: host bits are cleared, netmasks understood. None if it is no address."""
    text = text.strip()
    try:
        return parse(text)
    except ValueError:
        pass
    try:
        found = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
    if "%" in text:
        return None
    return Network(found.version, int(found.network_address), found.prefixlen)


def span(first: str, last: str) -> list[Network]:
    """The networks that a range of addresses (``nft`` prints some) is made of. Raises ValueError."""
    low, high = parse(first), parse(last)
    if low.version != high.version or low.value > high.value:
        raise ValueError("%s-%s is no range" % (first, last))
    low_address = ipaddress.ip_address(first) if low.version == 6 else ipaddress.IPv4Address(low.value)
    high_address = ipaddress.ip_address(last) if low.version == 6 else ipaddress.IPv4Address(high.value)
    found = ipaddress.summarize_address_range(low_address, high_address)
    return [Network(n.version, int(n.network_address), n.prefixlen) for n in found]


#: What no client's list means to hold. The whole internet is dealt with by its prefix length.
NEVER = (
    ("multicast", ("224.0.0.0/4", "ff00::/8")),
    ("loopback", ("127.0.0.0/8", "::1")),
    ("unspecified", ("0.0.0.0/8", "::")),
    ("link-local", ("169.254.0.0/16", "fe80::/10")),
    ("reserved", ("240.0.0.0/4",)),
)
_NEVER = tuple((name, tuple(parse(n) for n in networks)) for name, networks in NEVER)


def refusal(network: Network, min_prefix: Mapping[int, int]) -> str | None:
    """Why this network may only be on the list if it is allowed by name, or None.

    ``min_prefix`` maps the IP version to the shortest prefix length taken without asking.
    """
    if network.prefix == 0:
        return "is the whole internet"
    if network.prefix >= min_prefix[network.version] and not _suspect(network):
        return None
    for name, networks in _NEVER:
        for never in networks:
            if network.version == never.version and never.covers(network):
                return "is %s" % name
    if network.prefix < min_prefix[network.version]:
        return "is broader than /%d" % min_prefix[network.version]
    for name, networks in _NEVER:
        if any(network.overlaps(never) for never in networks):
            return "holds %s addresses" % name
    return None


def _suspect(network: Network) -> bool:
    """Cheap: False where the network can't touch any of NEVER. Most addresses of a long list end here."""
    if network.version == 4:
        return network.prefix < 8 or network.value >> 24 in (0, 127, 169) or network.value >> 28 >= 14
    return network.prefix < 16 or network.value >> 112 == 0 or network.value >> 112 >= 0xFE80


class Coverage:
    """Which networks cover an address: one set of numbers for each prefix length, so a question costs no scan."""

    def __init__(self, networks: Iterable[Network] = ()) -> None:
        self._by_length: dict[tuple[int, int], set[int]] = {}
        for network in networks:
            self._by_length.setdefault((network.version, network.prefix), set()).add(network.value)
        self._lengths = {v: sorted(p for (w, p) in self._by_length if w == v) for v in (4, 6)}

    def widest(self, network: Network, strictly: bool = False) -> Network | None:
        """The widest member that covers ``network``; with ``strictly``, only one that is wider than it."""
        bits = BITS[network.version]
        for prefix in self._lengths[network.version]:
            if prefix > network.prefix or (strictly and prefix == network.prefix):
                return None
            value = network.value >> (bits - prefix) << (bits - prefix)
            if value in self._by_length[(network.version, prefix)]:
                return Network(network.version, value, prefix)
        return None

    def __contains__(self, network: Network) -> bool:
        return self.widest(network) is not None


def allowed_names(names: Iterable[str]) -> frozenset[str]:
    """The option ``allow`` as canonical texts; hostnames in lower case. Raises InvalidEntry."""
    known = set()
    for name in names:
        if is_hostname(name):
            known.add(name.lower().rstrip("."))
            continue
        try:
            known.add(canonical(name.strip()))
        except ValueError as error:
            raise InvalidEntry(name, "allow", str(error)) from None
    return frozenset(known)


def addresses_in(text: str) -> Iterator[str]:
    """The words of a list that is parted by blanks or commas, as they stand."""
    for word in re.split(r"[\s,]+", text):
        if word:
            yield word
