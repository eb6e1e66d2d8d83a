# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All exporters, by name."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.billing.exporters.csv_lines import CsvLines
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.billing.exporters.dolibarr import Dolibarr
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.billing.exporters.glpi import Glpi
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.billing.exporters.json_lines import JsonLines
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.billing.exporters.kimai_api import KimaiApi
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.billing.exporters.kimai_csv import KimaiCsv
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.billing.exporters.protocol import Exporter

_ALL: tuple[Exporter, ...] = (CsvLines(), JsonLines(), KimaiApi(), KimaiCsv(), Dolibarr(), Glpi())
EXPORTERS: Mapping[str, Exporter] = {exporter.name: exporter for exporter in _ALL}
