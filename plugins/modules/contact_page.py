# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name: it runs on the controller and never on a server."""

from __future__ import annotations

DOCUMENTATION = r"""
module: contact_page
short_description: Check a client's contact procedure and publish its page
version_added: 0.1.0
author:
  - infogerance.perimeter contributors (@infogerance)
description:
  - Checks who must be contacted, in which case, when and by what means. Every required case is covered, each step has
    a means that the contact has, and cases that may come at any hour have no gap in the week.
  - Publishes the page as HTML (French and English in one file that loads nothing), as Markdown in both languages and as
    JSON, into a directory or a git working tree. Nothing is written or committed when nothing has changed.
  - A change is recorded as an intervention of the client, without time, with what changed as its note.
  - Runs on the controller as an action plugin and connects to no server.
attributes:
  check_mode:
    support: full
    description: Says what would be written, and writes, commits and records nothing.
  diff_mode:
    support: none
    description: Has nothing to show; RV(changes) tells it.
  idempotent:
    support: full
    description: A second run with the same procedure changes nothing, until a review becomes overdue.
options:
  procedure:
    description:
      - The procedure, with C(client), C(language), C(timezone), C(reviewed_on), C(review_days), C(contacts), C(cases)
        and C(not_applicable), as the variables of the role P(infogerance.perimeter.contact_page#role).
    type: dict
    required: true
  directory:
    description: Where to publish. Made where it is missing. This or O(repository) is needed.
    type: path
  repository:
    description: A git working tree, or a folder inside one, to publish into. Only the page's files are committed.
    type: path
  subdirectory:
    description: Where in O(repository).
    type: str
    default: "."
  push:
    description: Whether to push the branch to its upstream, with what an earlier run could not push.
    type: bool
    default: false
  author:
    description: The commits' author.
    type: str
    default: infogerance.perimeter
  author_email:
    description: The author's address.
    type: str
    default: perimeter@localhost
  mode:
    description: Mode of the files that are written, octal and in quotes.
    type: str
    default: "0644"
  agreements:
    description:
      - The clients' terms. The contacts of the client's third parties there can be named in steps.
      - The default is what the callback's settings say.
    type: path
  provider:
    description: The provider's name, at the head of the page.
    type: str
  logo:
    description: Path of an image for the head of the page.
    type: path
  catalogue:
    description: The catalogue of scope categories. The default is what the callback's settings say.
    type: path
  ledger:
    description: Path of the ledger. The default is what the callback's settings say.
    type: path
seealso:
  - module: infogerance.perimeter.third_parties
"""

EXAMPLES = r"""
- name: Publish acme's page into the repository of the private space
  infogerance.perimeter.contact_page:
    procedure: "{{ lookup('ansible.builtin.file', 'contacts/acme.yml') | from_yaml }}"
    repository: /srv/private-space
    subdirectory: acme
    push: true
"""

RETURN = r"""
written:
  description: Files that changed.
  returned: success
  type: list
  elements: str
  sample:
    - /srv/wiki/acme/contacts-acme.html
    - /srv/wiki/acme/contacts-acme-fr.md
    - /srv/wiki/acme/contacts-acme-en.md
    - /srv/wiki/acme/contacts-acme.json
commit:
  description: The new commit in the repository, null when there is none.
  returned: success
  type: str
  sample: f1cec55c24565b5d25640ced2abbca0b672d9aa0
pushed:
  description: Whether something was pushed.
  returned: success
  type: bool
  sample: true
changes:
  description: What changed in the procedure since it was last published.
  returned: success
  type: list
  elements: str
  sample: ["contacts: changed client", "reviewed_on: 2025-11-04 -> 2026-05-02"]
overdue:
  description: One sentence for each overdue review.
  returned: success
  type: list
  elements: str
  sample: [the page was to be reviewed by 2026-10-29]
unused:
  description: Contacts that no case leads to.
  returned: success
  type: list
  elements: str
  sample: []
review_due:
  description: By when the page is to be looked through again.
  returned: success
  type: str
  sample: "2026-10-29"
"""
