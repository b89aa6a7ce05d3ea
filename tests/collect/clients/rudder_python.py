"""Tell one small story with rudder-sdk-python: `rudder_python.py BASE_URL WRITE_KEY`."""

from __future__ import annotations

import sys

from rudderstack.analytics.client import Client

ANONYMOUS = "5f0c1d6e-rudder-python"
USER = "user-1002"
URL = "https://shop.example/pricing?utm_source=google&utm_medium=cpc&utm_campaign=spring&gclid=G-1002"
CAMPAIGN = {"source": "google", "medium": "cpc", "name": "spring"}


def main(base_url: str, write_key: str) -> None:
    """A tagged page view, a login with an address, an account, and a sale; sent before it ends."""
    client = Client(write_key, host=base_url, max_retries=2)
    page = {"url": URL, "referrer": "https://www.google.com/", "title": "Pricing"}
    client.page(anonymous_id=ANONYMOUS, name="Pricing", properties=page, context={"campaign": CAMPAIGN})
    client.identify(
        USER, anonymous_id=ANONYMOUS, traits={"email": "ada@acme.example", "phone": "+441632960001", "plan": "pro"}
    )
    client.group(USER, "acme", traits={"name": "Acme", "employees": 12})
    client.track(USER, "Order Completed", {"revenue": 199.5, "currency": "EUR", "order_id": "o-1"})
    client.alias(ANONYMOUS, USER)
    client.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
