# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the backends read and write: other people's files and listings, with every byte that is not ours kept."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.infogerance.perimeter.plugins.module_utils.addresses import parse
from ansible_collections.infogerance.perimeter.plugins.module_utils.firewalls import catalogue
from ansible_collections.infogerance.perimeter.plugins.module_utils.firewalls.fail2ban import read_ignoreip
from ansible_collections.infogerance.perimeter.plugins.module_utils.firewalls.firewalld import (
    outside_zones,
    read_ipset,
    sources_of,
)
from ansible_collections.infogerance.perimeter.plugins.module_utils.firewalls.ipset import read_saved
from ansible_collections.infogerance.perimeter.plugins.module_utils.firewalls.iptables_rules import read_rules
from ansible_collections.infogerance.perimeter.plugins.module_utils.firewalls.line_file import Block, Template
from ansible_collections.infogerance.perimeter.plugins.module_utils.firewalls.minifirewall import (
    lost_jumps,
    read_value,
    write_value,
)
from ansible_collections.infogerance.perimeter.plugins.module_utils.firewalls.nftables import (
    FEW,
    Nftables,
    elements_of,
    outside_rules,
    parse_file,
)
from ansible_collections.infogerance.perimeter.plugins.module_utils.firewalls.nrpe import read_hosts, write_hosts
from ansible_collections.infogerance.perimeter.plugins.module_utils.firewalls.protocol import (
    Change,
    SinkError,
    SinkState,
)
from ansible_collections.infogerance.perimeter.plugins.module_utils.firewalls.sshd import Sshd
from ansible_collections.infogerance.perimeter.plugins.module_utils.firewalls.ufw import Ufw, read_tuples

ipv4 = st.integers(0x0B000000, 0xDF000000).map(lambda n: str(parse("%d.%d.%d.%d" % tuple(n.to_bytes(4, "big")))))
ipv6 = st.integers(0x2001 << 112, (0x2002 << 112) - 1).map(lambda n: str(type(parse("::"))(6, n, 128)))
address = ipv4 | ipv6
addresses = st.frozensets(address, max_size=8)
text = st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=200)
lines = st.lists(st.text(alphabet="abc =#'\"[]{};,.:/0123456789-_\t", max_size=40), max_size=8).map("\n".join)


# -- nftables -------------------------------------------------------------------------------------


@given(addresses, addresses)
def test_an_nftables_file_gives_back_the_sets_that_were_written(privileged: Any, trusted: Any) -> None:
    sink = Nftables({"ports": [22], "trusted_ports": [5666]}, {})
    written = sink.render({"privileged": privileged, "trusted": trusted})
    sets = parse_file(written)
    assert sets.get("privileged_ipv4", frozenset()) | sets.get("privileged_ipv6", frozenset()) == privileged
    assert sets.get("trusted_ipv4", frozenset()) | sets.get("trusted_ipv6", frozenset()) == trusted
    assert not any(":" in a for a in sets.get("privileged_ipv4", ()))


def test_nft_elements_are_read_in_all_their_forms() -> None:
    found = list(
        elements_of(
            [
                {"elem": {"val": "10.0.0.1", "comment": "hi"}},
                {"prefix": {"addr": "192.0.2.0", "len": 25}},
                "198.51.100.7",
                {"range": ["203.0.113.1", "203.0.113.5"]},
                "::1.2.3.4",
                {"elem": {"val": {"prefix": {"addr": "2001:db8::", "len": 32}}}},
            ]
        )
    )
    assert found == [
        "10.0.0.1",
        "192.0.2.0/25",
        "198.51.100.7",
        "203.0.113.1-203.0.113.5",
        "::102:304",
        "2001:db8::/32",
    ]


def test_a_transaction_takes_before_it_adds_and_names_each_family_s_set() -> None:
    sink = Nftables({}, {})
    sink._sets = {name: frozenset() for name in ("privileged_ipv4", "privileged_ipv6", "trusted_ipv4", "trusted_ipv6")}
    change = Change(sink.slots)
    change.add["privileged"] = ["192.0.2.0/24", "2001:db8::1"]
    change.take["privileged"] = ["192.0.2.7"]
    state: Any = type("State", (), {"live": {"privileged": frozenset({"192.0.2.7"}), "trusted": frozenset()}})
    script = sink.script(state, change).splitlines()
    assert script == [
        "add table inet infogerance_perimeter",
        "delete element inet infogerance_perimeter privileged_ipv4 { 192.0.2.7 }",
        "add element inet infogerance_perimeter privileged_ipv4 { 192.0.2.0/24 }",
        "add element inet infogerance_perimeter privileged_ipv6 { 2001:db8::1 }",
    ]


@pytest.mark.parametrize("number", [FEW + 1, 1000])
@pytest.mark.parametrize("why_not", ["", "a set of the user's", "an element with a comment"])
def test_however_many_go_a_set_of_ours_is_filled_anew_and_another_keeps_the_rest(number: int, why_not: str) -> None:
    """nft sorts an interval set for each element that is deleted: the number of deletes must not grow."""
    sink = Nftables({"table": "mine"} if "user" in why_not else {}, {})
    names = ("privileged_ipv4", "privileged_ipv6", "trusted_ipv4", "trusted_ipv6")
    sink._sets = {name: frozenset() for name in names}
    sink._dressed = {"privileged_ipv4"} if "comment" in why_not else set()
    held = ["10.0.%d.%d" % divmod(n, 250) for n in range(number + 5)]
    change = Change(sink.slots)
    change.take["privileged"] = held[5:]
    change.add["privileged"] = ["192.0.2.7"]
    state = SinkState(live={"privileged": frozenset([*held, "2001:db8::1"]), "trusted": frozenset()})
    script = sink.script(state, change)
    deleted = sum(line.count(",") + 1 for line in script.splitlines() if line.startswith("delete element"))
    where = "%s %s privileged_ipv4" % (sink.family, sink.table)
    if why_not:
        assert deleted == number
        assert "flush" not in script
        assert "add element %s { 192.0.2.7 }" % where in script
    else:
        assert deleted == 0
        assert script.splitlines()[1:] == [
            "flush set %s" % where,
            "add element %s { %s }" % (where, ", ".join(sorted([*held[:5], "192.0.2.7"]))),
        ]


def test_what_is_inside_a_slot_is_put_together_once() -> None:
    state = SinkState(file={"a": frozenset(["x"])}, live={"a": frozenset(["y"])})
    assert state.inside("a") == {"x", "y"}
    assert state.inside("a") is state.inside("a")


def test_other_tables_that_accept_an_address_are_told() -> None:
    rule = {
        "family": "inet",
        "table": "filter",
        "chain": "input",
        "handle": 7,
        "expr": [
            {
                "match": {
                    "op": "==",
                    "left": {"payload": {"protocol": "ip", "field": "saddr"}},
                    "right": {"set": ["203.0.113.5", {"prefix": {"addr": "192.0.2.0", "len": 24}}]},
                }
            },
            {"accept": None},
        ],
    }
    dropped = dict(rule, expr=[rule["expr"][0], {"drop": None}])  # type: ignore[index]
    found = list(outside_rules({"nftables": [{"rule": rule}, {"rule": dropped}]}, ("inet", "ours")))
    assert [o.address for o in found] == ["203.0.113.5", "192.0.2.0/24"]
    assert "inet filter input" in found[0].where


@pytest.mark.parametrize("name", ["a;b", "a b", "", "../x", "a" * 80, "1set"])
def test_a_name_that_nft_could_misread_is_refused(name: str) -> None:
    if name:
        with pytest.raises(SinkError, match="is no name"):
            Nftables({"table": name}, {})
    with pytest.raises(SinkError):
        Nftables({"set": name or "{list}"}, {})


# -- ipset, iptables, ufw, firewalld --------------------------------------------------------------


def test_ipset_save_is_read_with_canonical_members() -> None:
    found = read_saved("create p hash:net family inet hashsize 1024\nadd p 198.51.100.0/24\nadd p 198.51.100.7\n")
    assert found == {"p": ("hash:net family inet hashsize 1024", frozenset({"198.51.100.0/24", "198.51.100.7"}))}


def test_iptables_rules_are_read_and_unknown_matches_are_not_plain() -> None:
    found = list(
        read_rules(
            "-P INPUT DROP\n-N X\n"
            "-A X -s 198.51.100.8/32 -p tcp -m multiport --dports 22,443 -j ACCEPT\n"
            "-A X -s 203.0.113.0/24 -i eth0 -j ACCEPT\n"
            "-A X -m set --match-set p src -j ACCEPT\n"
        )
    )
    assert [(r.source, r.ports, r.target, r.plain) for r in found] == [
        ("198.51.100.8", "22,443", "ACCEPT", True),
        ("203.0.113.0/24", None, "ACCEPT", False),
        (None, None, "ACCEPT", False),
    ]


UFW = """*filter
:ufw-user-input - [0:0]
### RULES ###

### tuple ### deny any any 0.0.0.0/0 any 203.0.113.6 in
-A ufw-user-input -s 203.0.113.6 -j DROP

### tuple ### allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in comment=73736820c3a9
-A ufw-user-input -p tcp --dport 22 -j ACCEPT

### END RULES ###

### LOGGING ###
COMMIT
"""


@given(addresses, addresses)
def test_ufw_rules_of_others_stay_byte_for_byte_whatever_we_write(first: Any, second: Any) -> None:
    sink = Ufw({"ports": [22, 443]}, {})
    once = sink._render("ipv4", UFW, first)
    rows = read_tuples(once)
    assert {r.source for r in rows if r.comment == "infogerance.perimeter"} == {a for a in first if ":" not in a}
    for part in UFW.split("### tuple ###")[1:]:
        assert part.split("### END")[0].rstrip() in once
    assert once.endswith(UFW[UFW.index("### END RULES ###") :])
    assert sink._render("ipv4", once, second) == sink._render("ipv4", UFW, second)


def test_a_file_that_is_not_ufw_s_is_refused() -> None:
    with pytest.raises(SinkError, match="no rules file"):
        read_tuples("*filter\nCOMMIT\n")


def test_firewalld_entries_in_a_comment_do_not_count() -> None:
    assert read_ipset("<ipset><entry>192.0.2.1</entry><!-- <entry>192.0.2.2</entry> --></ipset>") == {"192.0.2.1"}


def test_firewalld_sources_and_rich_rules_of_others_are_told() -> None:
    listing = (
        "public (active)\n  sources: 192.0.2.0/24 ipset:x\n  rich rules: \n"
        '\trule family="ipv4" source address="203.0.113.5" accept\n'
        '\trule family="ipv4" source address="203.0.113.6" reject\n'
    )
    assert [(o.address, o.where) for o in outside_zones(listing, frozenset())] == [
        ("192.0.2.0/24", "source of zone public"),
        ("203.0.113.5", "rich rule of zone public"),
    ]
    assert sources_of(listing, "public") == {"192.0.2.0/24", "ipset:x"}
    assert sources_of(listing, "trusted") == set()


# -- values and blocks that others share ----------------------------------------------------------

MINIFIREWALL = """# comment TRUSTEDIPS='x'
INT='eth0'
TRUSTEDIPS='192.0.2.1 192.0.2.2'   # ours
  PRIVILEGIEDIPS="203.0.113.1"
/sbin/iptables -A INPUT -s 198.51.100.9 -j ACCEPT
"""


def test_minifirewall_values_are_read_and_only_the_value_changes() -> None:
    assert read_value(MINIFIREWALL, "TRUSTEDIPS") == ["192.0.2.1", "192.0.2.2"]
    assert read_value(MINIFIREWALL, "PRIVILEGIEDIPS") == ["203.0.113.1"]
    assert read_value(MINIFIREWALL, "INTLAN") is None
    changed = write_value(MINIFIREWALL, "PRIVILEGIEDIPS", ["203.0.113.1", "2001:db8::1"])
    assert changed == MINIFIREWALL.replace('"203.0.113.1"', "'203.0.113.1 2001:db8::1'")
    assert write_value("A=1", "TRUSTEDIPS", ["192.0.2.1"]) == "A=1\nTRUSTEDIPS='192.0.2.1'\n"


@pytest.mark.parametrize(
    "line",
    [
        "TRUSTEDIPS='192.0.2.1",
        'TRUSTEDIPS="$TRUSTEDIPS 192.0.2.1"',
        "TRUSTEDIPS=`cat /etc/ips`",
        "TRUSTEDIPS='192.0.2.1'; reboot",
        "TRUSTEDIPS=\\",
    ],
)
def test_a_value_that_the_shell_reads_in_another_way_is_refused(line: str) -> None:
    with pytest.raises(SinkError, match="not a plain value"):
        read_value(line + "\n192.0.2.2'\n", "TRUSTEDIPS")


@given(lines, st.lists(address, max_size=5), lines)
def test_a_minifirewall_value_comes_back_and_the_rest_stays(before: str, words: list[str], after: str) -> None:
    whole = before + "\nTRUSTEDIPS=''\n" + after
    try:
        changed = write_value(whole, "TRUSTEDIPS", words)
        assert read_value(changed, "TRUSTEDIPS") == words
    except SinkError:
        return
    if "TRUSTEDIPS" not in after and "TRUSTEDIPS" not in before:
        assert changed == before + "\nTRUSTEDIPS='%s'\n" % " ".join(words) + after


@given(lines, st.lists(address, min_size=1, max_size=5), lines)
def test_allowed_hosts_come_back_and_the_rest_stays(before: str, words: list[str], after: str) -> None:
    changed = write_hosts(before + "\nallowed_hosts=127.0.0.1\n" + after, words)
    assert read_hosts(changed) == words
    assert changed == before + "\nallowed_hosts=%s\n" % ",".join(words) + after


def test_the_last_allowed_hosts_line_counts() -> None:
    assert read_hosts("allowed_hosts=192.0.2.1\n#allowed_hosts=x\nallowed_hosts = 127.0.0.1, ::1 \n") == [
        "127.0.0.1",
        "::1",
    ]
    assert read_hosts("server_port=5666\n") is None


@pytest.mark.parametrize("template", ["allow {address};", "Require ip {address}", "{address}", "a({address})"])
@given(value=address)
def test_a_template_reads_what_it_wrote(template: str, value: str) -> None:
    made = Template(template)
    assert made.read(made.render(value)) == value
    assert made.read("   " + made.render(value) + "  # by hand") == value


@pytest.mark.parametrize("template", ["allow all;", "{address} {address}", "a\n{address}", "\x1b{address}"])
def test_a_template_without_one_address_in_one_line_is_refused(template: str) -> None:
    with pytest.raises(SinkError, match="template"):
        Template(template)


@given(text)
def test_no_line_crashes_a_template(line: str) -> None:
    Template("allow {address};").read(line)


@given(lines, addresses, lines)
def test_what_is_outside_the_block_is_never_touched(before: str, inner: Any, after: str) -> None:
    block = Block("#")
    head = before + "\n" if before else ""
    rendered = ["allow %s;" % a for a in sorted(inner)]
    whole = block.join(head, rendered, after)
    assert block.split(whole) == (head, rendered, after)


@pytest.mark.parametrize("mark", ["# BEGIN infogerance.perimeter\n", "# END infogerance.perimeter\n"])
def test_half_a_block_is_refused(mark: str) -> None:
    with pytest.raises(SinkError, match="damaged"):
        Block("#").split("allow 192.0.2.1;\n" + mark)


def test_fail2ban_values_are_read_with_their_continuations() -> None:
    found = read_ignoreip(
        "[DEFAULT]\nbantime = 1\nignoreip = 127.0.0.1/8 ::1\n   # note\n   192.0.2.1\n\n   192.0.2.2\nmaxretry=3\n"
        "[sshd]\nignoreip: 203.0.113.1\n"
    )
    assert found == {"DEFAULT": ["127.0.0.1/8 ::1", "192.0.2.1", "192.0.2.2"], "sshd": ["203.0.113.1"]}


#: What the formats are made of, in any order: deeper into the readers than random text gets.
WORDS = (
    "\n", "\n", " ", "\t", "#", "\\", "'", '"', "{", "}", ",", "192.0.2.1", "2001:db8::/32",
    "198.51.100.0/255.255.255.0", "203.0.113.1-203.0.113.9", "ignoreip = ", "[DEFAULT]", "[sshd", "set ",
    "elements = ", "table inet x ", "add ",
    "create ", "perimeter-priv-ipv4 ", "-A INPUT ", "-s ", "-p tcp ", "-m ", "--dports ", "-j ACCEPT", "*filter",
    "COMMIT", ":INPUT DROP", ":f2b-x - [0:0]", "-j f2b-x", "allowed_hosts=", "TRUSTEDIPS=", "PRIVILEGIEDIPS='", "$(",
    "### tuple ### ", "allow ", "comment=", "any 22 0.0.0.0/0 any ", "<ipset>", "<entry>", "</entry>", "<zone>", "<!--",
    "<source ipset='x'/>", "-->", "# BEGIN infogerance.perimeter\n", "# END infogerance.perimeter\n", "Match Address ",
    "\x00", "\udcff",
)  # fmt: skip
soup = st.lists(st.sampled_from(WORDS), max_size=40).map("".join)
leaves = st.none() | st.booleans() | st.integers() | st.sampled_from(("192.0.2.1", "2001:db8::/32", "@set", "x", ""))
NAMES = (
    "elem",
    "val",
    "prefix",
    "addr",
    "len",
    "range",
    "set",
    "concat",
    "comment",
    "match",
    "left",
    "right",
    "payload",
    "op",
)
json_values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3)
)


@given(st.lists(json_values, max_size=5))
def test_no_element_or_rule_of_another_nft_crashes_the_reader(values: list[Any]) -> None:
    try:
        # Nothing is dropped unseen: as many texts as elements, or an error.
        assert len(list(elements_of(values))) == len(values)
    except SinkError:
        pass
    rule = {"family": "inet", "table": "t", "chain": "c", "handle": 1, "expr": [*values, {"accept": None}]}
    list(outside_rules({"nftables": [{"rule": rule}, {"set": {}}]}, ("inet", "ours")))


@given(text | soup)
def test_no_file_crashes_a_reader(content: str) -> None:
    read_ignoreip(content)
    parse_file(content)
    read_saved(content)
    list(read_rules(content))
    read_ipset(content)
    outside_zones(content, frozenset())
    read_hosts(content)
    list(lost_jumps({"ipv4": content}, {"ipv4": content[: len(content) // 2]}))
    for reader in (
        lambda: read_tuples(content),
        lambda: read_value(content, "TRUSTEDIPS"),
        lambda: Block("#").split(content),
    ):
        try:
            reader()
        except SinkError:
            pass


# -- settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"backend": "pf"}, "is no backend"),
        ({"backend": "ufw", "zone": "x"}, "zone is no setting of this backend"),
        ({"backend": "ufw", "ports": [0]}, "0 in ports is no port"),
        ({"backend": "ufw", "ports": list(range(1, 17))}, "15 ports at most"),
        ({"backend": "nginx", "file": "snippets/x"}, "no absolute path"),
        ({"backend": "nginx", "file": "/etc/x\ny"}, "no absolute path"),
        ({"backend": "nginx", "name": "a b"}, "is no name for a sink"),
        ({"backend": "line_file"}, "file and template are needed"),
        ({"backend": "line_file", "file": "/x", "template": "{address}", "reload": "/no/such"}, "is not installed"),
        ({"backend": "sshd"}, "directives are needed"),
        ({"backend": "sshd", "directives": ["Match all"]}, "is no directive"),
        ({"backend": "sshd", "directives": ["X11Forwarding yes\nMatch all"]}, "is no directive"),
        ({"backend": "nftables", "table": "filter", "ports": [22]}, "ports need our own table"),
        ({"backend": "ipset", "set": "x" * 40}, "27 characters at most"),
        ({"backend": "firewalld", "set": "one"}, "gives two lists or families one name"),
    ],
)
def test_a_setting_that_would_pass_unseen_is_an_error(row: Any, why: str) -> None:
    with pytest.raises(SinkError, match=r".") as caught:
        catalogue.build([row], {})
    assert why in str(caught.value)


def test_two_sinks_of_one_name_are_refused() -> None:
    row = {"backend": "line_file", "file": "/etc/x", "template": "{address}"}
    with pytest.raises(SinkError, match="two sinks have the name line_file"):
        catalogue.build([row, row], {})
    assert [s.name for s in catalogue.build([row, dict(row, name="second")], {})] == ["line_file", "second"]


def test_every_backend_says_what_it_is_and_has_its_settings() -> None:
    made = {name: catalogue.sink_class(name) for name in catalogue.SETTINGS}
    assert {sink.backend: sink for sink in made.values()} == made
    assert {name for name, sink in made.items() if sink.gates} == {
        "nftables", "ipset", "ufw", "firewalld", "minifirewall"
    }  # fmt: skip


def test_a_run_loads_the_backends_that_are_named_and_no_other() -> None:
    ours = "ansible_collections.infogerance.perimeter.plugins.module_utils.firewalls"
    script = (
        "import sys\n"
        f"from {ours} import catalogue\n"
        "catalogue.build([{'backend': 'nftables'}], {})\n"
        f"print(*sorted(n.rpartition('.')[2] for n in sys.modules if n.startswith('{ours}.')))\n"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert "nftables" in said
    assert not {"apache", "ufw", "firewalld", "minifirewall", "nrpe", "fail2ban"} & set(said)


@given(addresses)
def test_an_sshd_file_holds_each_address_once_and_is_empty_without_any(held: Any) -> None:
    made = Sshd({"directives": ["PasswordAuthentication yes"]}, {})._render(held)
    match = [line for line in made.splitlines() if line.startswith("Match")]
    assert len(match) == (1 if held else 0)
    if held:
        assert set(match[0].split()[2].split(",")) == held
