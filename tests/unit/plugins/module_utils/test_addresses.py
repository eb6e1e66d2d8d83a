# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses in one notation: what is read, what is refused, and what covers what."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.infogerance.perimeter.plugins.module_utils.addresses import (
    Coverage,
    Network,
    allowed_names,
    canonical,
    lenient,
    parse,
    refusal,
    span,
)
from ansible_collections.infogerance.perimeter.plugins.module_utils.reconcile import InvalidEntry

MIN_PREFIX = {4: 16, 6: 32}


@st.composite
def networks(draw: st.DrawFn, version: int | None = None) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    which = version or draw(st.sampled_from((4, 6)))
    bits = 32 if which == 4 else 128
    prefix = draw(st.integers(0, bits))
    value = draw(st.integers(0, (1 << bits) - 1)) >> (bits - prefix) << (bits - prefix)
    return ipaddress.ip_network((value, prefix))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("198.51.100.999", "999 is above 255"),
        ("10.0.0.1/33", "IPv4 has 0 to 32"),
        ("2001:db8::/129", "IPv6 has 0 to 128"),
        ("10.0.0.1/24", "has host bits set: write 10.0.0.0/24 for the network or 10.0.0.1 for the one address"),
        ("2001:db8::1/64", "has host bits set"),
        ("192.0.2.1;reboot", "has characters that no address has: ';'"),
        ("192.0.2.1 203.0.113.1", "has characters that no address has: ' '"),
        ("$(id)", "has characters that no address has"),
        ("192.0.2.1\n", "has characters that no address has"),
        ("010.0.0.1", "has a leading zero"),
        ("10.0.0.0/08", "has a prefix length with a leading zero"),
        ("10.0.0.0/255.0.0.0", "has a netmask"),
        ("10.0.0.1-10.0.0.9", "looks like a range"),
        ("fe80::1%eth0", "has a zone"),
        ("office.example.org", "is a hostname"),
        ("", "is empty"),
        ("10.0.0", "is not an IPv4 address"),
        ("1", "is not an IPv4 address"),
        ("::1::2", "is not an IPv6 address"),
        ("١٩٢.0.2.1", "has characters that no address has"),
    ],
)
def test_a_bad_address_is_refused_with_a_reason(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        parse(text)
    assert why in str(caught.value)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("198.51.100.7/32", "198.51.100.7"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("2001:db8::1/128", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::ffff:c000:200/120", "192.0.2.0/24"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("::/0", "::/0"),
    ],
)
def test_an_address_has_one_notation(text: str, wanted: str) -> None:
    assert canonical(text) == wanted


@given(networks())
def test_every_network_survives_in_the_notation_of_the_standard_library(
    network: ipaddress.IPv4Network | ipaddress.IPv6Network,
) -> None:
    found = parse(str(network))
    mapped = isinstance(network, ipaddress.IPv6Network) and int(network[0]) >> 32 == 0xFFFF and network.prefixlen >= 96
    if not mapped:
        assert ipaddress.ip_network(str(found)) == network
    assert parse(str(found)) == found


@given(networks(6))
def test_another_notation_of_an_address_is_the_same_entry(network: ipaddress.IPv6Network) -> None:
    long = "%s/%d" % (network.network_address.exploded.upper(), network.prefixlen)
    assert canonical(long) == canonical(str(network))


@given(st.text(max_size=60))
def test_no_text_crashes_the_reader_or_passes_with_a_foreign_character(text: str) -> None:
    try:
        found = parse(text)
    except ValueError:
        pass
    else:
        assert set(text) <= set("0123456789abcdefABCDEF:./")
        assert set(str(found)) <= set("0123456789abcdef:./")
    lenient(text)


@given(st.text(alphabet="0123456789abcdef:./", max_size=24))
def test_what_the_reader_takes_the_standard_library_takes_too(text: str) -> None:
    try:
        found = parse(text)
    except ValueError:
        return
    network = ipaddress.ip_network(text)
    if network.version == found.version:
        assert network == ipaddress.ip_network(str(found))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("0.0.0.0/0", "whole internet"),
        ("::/0", "whole internet"),
        ("128.0.0.0/1", "broader than /16"),
        ("10.0.0.0/8", "broader than /16"),
        ("2001::/16", "broader than /32"),
        ("224.0.0.1", "multicast"),
        ("ff02::1", "multicast"),
        ("127.0.0.1", "loopback"),
        ("127.0.0.0/8", "loopback"),
        ("::1", "loopback"),
        ("::", "unspecified"),
        ("0.0.0.0", "unspecified"),
        ("169.254.1.1", "link-local"),
        ("fe80::1", "link-local"),
        ("255.255.255.255", "reserved"),
    ],
)
def test_what_no_list_means_is_refused(text: str, why: str) -> None:
    told = refusal(parse(text), MIN_PREFIX)
    assert told is not None
    assert why in told


@given(networks())
def test_what_passes_holds_no_address_that_is_refused(
    network: ipaddress.IPv4Network | ipaddress.IPv6Network,
) -> None:
    if refusal(parse(str(network)), MIN_PREFIX) is not None:
        return
    first, last = network[0], network[-1]
    for address in (first, last):
        if getattr(address, "ipv4_mapped", None) is None:
            assert not address.is_multicast
            assert not address.is_loopback
            assert not address.is_unspecified


@given(st.lists(networks(4), max_size=12), networks(4))
def test_coverage_answers_as_a_scan_would(held: list[ipaddress.IPv4Network], asked: ipaddress.IPv4Network) -> None:
    index = Coverage(parse(str(n)) for n in held)
    over = [n for n in held if asked.subnet_of(n)]
    found = index.widest(parse(str(asked)))
    assert (parse(str(asked)) in index) == bool(over)
    if over:
        assert found is not None
        assert found.prefix == min(n.prefixlen for n in over)
    strict = index.widest(parse(str(asked)), strictly=True)
    assert (strict is not None) == any(n.prefixlen < asked.prefixlen for n in over)


def test_families_never_cover_each_other() -> None:
    assert parse("192.0.2.1") not in Coverage([Network(6, 0, 0)])


def test_a_range_is_the_networks_it_is_made_of() -> None:
    assert [str(n) for n in span("192.0.2.0", "192.0.2.5")] == ["192.0.2.0/30", "192.0.2.4/31"]
    with pytest.raises(ValueError, match="no range"):
        span("192.0.2.5", "192.0.2.0")


def test_names_of_exceptions_are_canonical_and_checked() -> None:
    assert allowed_names(["::/0", "Office.Example.org.", "198.51.100.0/24"]) == {
        "::/0",
        "office.example.org",
        "198.51.100.0/24",
    }
    with pytest.raises(InvalidEntry, match="allow"):
        allowed_names(["10.0.0.1/8"])


def test_what_a_server_wrote_is_read_with_more_patience() -> None:
    assert str(lenient("127.0.0.1/8")) == "127.0.0.0/8"
    assert str(lenient("10.0.0.0/255.0.0.0")) == "10.0.0.0/8"
    assert lenient("localhost") is None
