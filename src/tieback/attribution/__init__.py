"""What counts as a touch and as a conversion, which touches led to which conversion, and what each earned.

Comes in: facts and people. Goes out: touchpoints, costs, conversions, journeys and credits, as Ibis expressions.
"""

from tieback.attribution import models
from tieback.attribution.conversions import conversions, owned
from tieback.attribution.costs import costs
from tieback.attribution.credits import credits
from tieback.attribution.exclusions import bots_seen, staff
from tieback.attribution.feedback import last_words
from tieback.attribution.journeys import candidates, converted_paths, of_subjects, open_paths
from tieback.attribution.members import members
from tieback.attribution.moments import moments
from tieback.attribution.rates import rates_of_moments, rates_of_spend, refuse_missing
from tieback.attribution.sessions import junk_identifiers, logins_between, of_devices, possible_touches, sessions
from tieback.attribution.touchpoints import channels_of, clicks, led_to_a_visit, touchpoints

__all__ = [
    "bots_seen",
    "candidates",
    "channels_of",
    "clicks",
    "conversions",
    "converted_paths",
    "costs",
    "credits",
    "junk_identifiers",
    "last_words",
    "led_to_a_visit",
    "logins_between",
    "members",
    "models",
    "moments",
    "of_devices",
    "of_subjects",
    "open_paths",
    "owned",
    "possible_touches",
    "rates_of_moments",
    "rates_of_spend",
    "refuse_missing",
    "sessions",
    "staff",
    "touchpoints",
]
