"""What counts as a touch and as a conversion, which touches led to which conversion, and what each earned.

Comes in: facts and people. Goes out: touchpoints, costs, conversions, journeys and credits, as Ibis expressions.
"""

from tieback.attribution import models
from tieback.attribution.costs import costs
from tieback.attribution.credits import credits
from tieback.attribution.exclusions import bots_seen, staff
from tieback.attribution.feedback import last_words
from tieback.attribution.journeys import candidates, converted_paths, of_subjects, open_paths
from tieback.attribution.members import members
from tieback.attribution.rates import rates_of_spend, refuse_missing
from tieback.attribution.steps import conversions_by_steps, sessions_by_steps, touchpoints_by_steps

__all__ = [
    "bots_seen",
    "candidates",
    "conversions_by_steps",
    "converted_paths",
    "costs",
    "credits",
    "last_words",
    "members",
    "models",
    "of_subjects",
    "open_paths",
    "rates_of_spend",
    "refuse_missing",
    "sessions_by_steps",
    "staff",
    "touchpoints_by_steps",
]
