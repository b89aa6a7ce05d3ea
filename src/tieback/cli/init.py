"""tieback init."""

from __future__ import annotations

from pathlib import Path

import click

from tieback.cli.output import say
from tieback.config import FILE_NAME, settings_from, write_new
from tieback.errors import WorkspaceError


@click.command("init")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option("--currency", default="USD", show_default=True, help="Base currency (ISO 4217).")
@click.option("--time-zone", default="UTC", show_default=True, help="Reporting time zone (IANA name).")
@click.pass_obj
def command(chosen: Path, folder: Path | None, currency: str, time_zone: str) -> None:
    """Make a workspace: a folder with a commented tieback.toml."""
    target = folder or chosen
    name = target.resolve().name.encode("utf-8", "replace").decode()
    text = commented_settings(name, currency, time_zone)
    settings_from(text, "the settings asked for")
    try:
        target.mkdir(parents=True, exist_ok=True)
        write_new(target / FILE_NAME, text)
    except FileExistsError:
        if not target.is_dir():
            raise WorkspaceError(f"{target} is a file. A workspace is a folder: choose another name.") from None
        raise WorkspaceError(
            f"{target / FILE_NAME} is there already; it was left as it is. Edit it, or choose another folder."
        ) from None
    except OSError as error:
        raise WorkspaceError(
            f"{target} cannot be written ({error.strerror}). Choose another folder or mend its permissions."
        ) from None
    option = "" if target == Path() else f" -w {target}"
    say(f"Made {target / FILE_NAME}: every setting stands in it, commented. Next: `tieback{option} import events FILE`")


def commented_settings(name: str, currency: str = "USD", time_zone: str = "UTC") -> str:
    """The text of a new tieback.toml: every setting with its default, commented out where the default serves."""
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    return _TEMPLATE.replace("@NAME@", quoted).replace("@CURRENCY@", currency).replace("@TIME_ZONE@", time_zone)


# A line that starts with "#" and no space is a setting at its default; "# " is a remark.
_TEMPLATE = """\
# A tieback workspace. Lines that are commented out show the defaults; remove the # to change one.

name = "@NAME@"
currency = "@CURRENCY@"      # base currency (ISO 4217): all reports are in it
time_zone = "@TIME_ZONE@"    # the day of a report begins at midnight here (IANA name)

# What the stages of your CRM mean. Letter case is ignored.
#[stages]
#lead = ["lead", "new"]
#mql = ["mql", "marketing qualified lead"]
#sql = ["sql", "sales qualified lead"]
#opportunity = ["opportunity", "proposal", "negotiation"]
#customer = ["customer", "won", "closed won", "closedwon"]
#lost = ["lost", "closed lost", "closedlost"]

# What counts as a conversion. source: deals (by stage), orders (by order_kind) or events (by name or kind).
# lookback_days: how long before it a touch may earn credit. is_revenue: its value is revenue.
# is_sale: it makes a customer. value: amount, margin (orders), value (events), none, or a number such as "120".
#[conversions.lead]
#source = "deals"
#stage = "lead"
#value = "none"
#lookback_days = 90.0
#[conversions.customer]
#source = "deals"
#stage = "customer"
#value = "amount"
#is_revenue = true
#is_sale = true
#lookback_days = 365.0
# [conversions.signup]
# source = "events"
# event = "signup"
# lookback_days = 30

# Which models to run; leave the section out to run all twelve. Parameters stand under the name.
# [models.linear]
# [models.time_decay]
# half_life = 7.0
# [models.ours]
# type = "position_based"
# first = 0.3
# last = 0.5

# Which events are marketing touches, besides visits and forms.
#[touches]
#session_minutes = 30        # silence after which a visit ends
#kinds = ["ad_click", "email_click", "call", "chat", "text", "meeting", "webinar", "crm_campaign", "offline"]
#credit_views = false        # ad views and e-mail opens are kept and shown, but earn credit only when true
# [touches.lookback_days]    # a window for one kind of touch
# ad_view = 1

# What is never a referral, besides well-known payment providers and sign-in pages.
#[traffic]
#own_domains = []            # your own sites: ["example.com"]
#payment_domains = []
#sign_in_domains = []

# Channel rules of your own, tried before the built-in ones; conditions are regular expressions on the whole value.
# [[channels]]
# channel = "Podcast"
# source = "podcast-.*"
# is_paid = true

# How identifiers become people, and people accounts.
#[identity]
#max_anonymous = 100         # browsers and devices of one person
#max_email = 10
#max_phone = 5
#max_customer = 5
#max_account_people = 1000   # above this, an e-mail domain is no company
#junk = []                   # identifiers that never link, besides null, guest, 0, undefined …
#free_mail = []              # e-mail domains that are no company, besides the well-known ones
#phone_region = "US"         # where a number without a country code is dialled

# What never counts. Patterns are globs; letter case is ignored.
#[exclude]
#bots = true
#bots_allowed = []           # bots that count nevertheless, by their reason: ["monitoring: *"]; see `tieback bots list`
#email_domains = []          # staff and partners, by the domain that is registered: acme.com
#user_ids = []
#anonymous_ids = []
#deals = ["test*", "*(test)*"]   # by name or id
#accounts = []

# Which signals of Consent Mode each purpose needs; one refusal refuses it. Global Privacy Control refuses `ads`.
#[consent]
#analytics = ["analytics_storage"]   # visits and goals are counted
#attribution = ["ad_storage"]        # a touch may earn credit
#ads = ["ad_user_data"]              # may be told to ad platforms
#assumed = true                      # what an event that says nothing is taken to have agreed to

# For how many days `tieback privacy prune` leaves the rows of each table; 0: for ever.
#[retention]
#events = 0                  # by when they happened
#links = 0
#contacts = 0                # with all their changes, since the last one; so are the next four
#accounts = 0
#deals = 0
#deal_contacts = 0
#orders = 0
#quarantine = 0              # refused rows, which hold what their file held
#vault = 0                   # raw addresses and numbers, since a row last carried them

#[report]
#model = "linear"            # shown unless --model says otherwise
#few_conversions = 30        # below this, "too few to say"

#[warehouse]
#url = ""                    # another engine, as in "postgresql://me:${PASSWORD}@host/db"; empty: a file in this folder
#memory = "1.5GB"            # what the embedded engine may use before it spills to disk
#threads = 0                 # 0: all cores
#spill = "spill"             # the folder that it spills to, below this one unless it is absolute
#keep_runs = 5               # finished runs that stay readable; older ones are pruned

# The front door that `tieback serve` opens.
#[collect]
#server = "uvicorn"          # or "granian", with pip install 'tieback[granian]'
#host = "127.0.0.1"          # "0.0.0.0" to be reached without a proxy in front
#port = 8787
#ledger = ""                 # "postgresql://me:${PASSWORD}@host/db" when several machines collect; empty: a file here
#public_url = ""             # where the world reaches it: "https://acme.example"; for links and signed webhooks
#proxies = []                # networks whose X-Forwarded-For is believed: ["10.0.0.0/8"]
#most_kb = 4000              # a larger request is refused (413)
#per_second = 0              # events that a source may send to one collector (429 beyond); 0: any number
#countries = ""              # a database of countries in MaxMind's format: "GeoLite2-Country.mmdb"
#keep_masked_ip = false      # the network that an event came from (/24, of IPv6 /48) stays as its property ip
#load_seconds = 2.0          # how often what came in becomes facts, and the run is brought up to date
"""
