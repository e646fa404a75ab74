# SPDX-License-Identifier: Apache-2.0
"""Services of the tables that are gone, so that nothing stands in for them."""

DEAD = (  # service, why, source, read
    ("Google Domains (dead)", "shut down, for which ddclient 4.0 removed it",
     "https://github.com/ddclient/ddclient/blob/main/ChangeLog.md", "2026-11-23"),
    ("twoDNS", "discontinued by its operator on 2024-12-20, records deleted",
     "https://github.com/publicsuffix/list/pull/2689", "2026-11-23"),
    ("DNSPark", "defunct: ddclient 3.10 removed it, its site broken and the domain for sale since 2019",
     "https://github.com/ddclient/ddclient/issues/87", "2026-11-23"),
)
