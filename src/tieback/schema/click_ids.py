"""The parameters in which ad platforms, shops and mail tools hand on a click."""

from __future__ import annotations

# The first in this order that an address carries is taken: those that prove an ad or an e-mail come first. The last
# three are put on unpaid links too.
CLICK_IDS = (
    "gclid",
    "gbraid",
    "wbraid",
    "gad_source",
    "msclkid",
    "yclid",
    "dclid",
    "li_fat_id",
    "ttclid",
    "twclid",
    "rdt_cid",
    "sccid",
    "qclid",
    "irclickid",
    "irclid",
    "srsltid",
    "mc_cid",
    "_kx",
    "fbclid",
    "igshid",
    "epik",
)
