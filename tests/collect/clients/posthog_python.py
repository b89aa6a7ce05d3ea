"""Sends a visit, a login and a purchase with posthog: SCRIPT BASE_URL WRITE_KEY."""

import sys

from posthog import Posthog

base_url, write_key = sys.argv[1:]
client = Posthog(write_key, host=base_url, disable_geoip=True)
browser, login = "01890f5e-7b1a-7c3d-9e2f-1a2b3c4d5e6f", "user-1"
page = "https://www.example.com/pricing?utm_source=google&utm_medium=cpc&utm_campaign=spring&gclid=abc123"
client.capture(
    "$pageview", distinct_id=browser, properties={"$current_url": page, "$referrer": "https://www.google.com/"}
)
client.alias(previous_id=browser, distinct_id=login)
client.set(distinct_id=login, properties={"email": "ada@example.com", "plan": "team"})
client.capture("purchase", distinct_id=login, properties={"revenue": 49.5, "currency": "EUR", "order_id": "o-1"})
client.capture("price list sent")
client.shutdown()
