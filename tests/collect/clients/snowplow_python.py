"""Sends a visit, a form and a purchase with snowplow-tracker: SCRIPT BASE_URL WRITE_KEY. The key is the app id."""

import sys

from snowplow_tracker import (
    EmitterConfiguration,
    PageView,
    SelfDescribing,
    SelfDescribingJson,
    Snowplow,
    StructuredEvent,
    Subject,
)

base_url, write_key = sys.argv[1:]
subject = (
    Subject()
    .set_platform("web")
    .set_domain_user_id("b2f0a1d6-27a4-4a5c-9a0e-6d3b6c1f0e11")
    .set_domain_session_id("6f1c2d3e-8d7b-4f52-9a44-0a4f3a1b2c3d")
    .set_useragent("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
)
tracker = Snowplow.create_tracker(
    namespace="story",
    endpoint=base_url,
    app_id=write_key,
    subject=subject,
    emitter_config=EmitterConfiguration(batch_size=10),
)
page = "https://www.example.com/pricing?utm_source=google&utm_medium=cpc&utm_campaign=spring&gclid=abc123"
tracker.track(PageView(page_url=page, page_title="Pricing", referrer="https://www.google.com/"))
subject.set_user_id("user-1")
filled_in = {
    "formId": "demo",
    "formClasses": [],
    "elements": [{"name": "email", "value": "ada@example.com", "nodeName": "INPUT", "type": "email"}],
}
tracker.track(
    SelfDescribing(SelfDescribingJson("iglu:com.snowplowanalytics.snowplow/submit_form/jsonschema/1-0-0", filled_in))
)
tracker.track(StructuredEvent(category="shop", action="purchase", label="order", value=49.5))
tracker.flush()
