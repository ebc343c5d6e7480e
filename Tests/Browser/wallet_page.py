"""The wallet page as the tests handle it: opening it, its lines, and answers made up for it."""

import json

from conftest import CAMPAIGN
from playwright.sync_api import expect

WALLET = "**/v1/wallet?*"
STATEMENT = "**/v1/wallet/statement?*"
WITHDRAWALS = "**/v1/wallet/withdrawals"
WITHDRAWAL = "**/v1/wallet/withdrawals/*"
# What a payout may take with a slow channel.
PAYOUT_MS = 60_000


def yuan(fen):
    sign = "−" if fen < 0 else ""
    return f"{sign}¥{abs(fen) // 100:,}.{abs(fen) % 100:02}"


def open_wallet(page, person):
    page.goto(f"/wallet?campaign={CAMPAIGN}#jwt={person.jwt}")
    expect(page.locator("#wallet")).to_have_attribute("data-loaded", "true")
    return page


def lines(page):
    return page.locator("#entries .entry")


def problem(code, status, **more):
    body = {"type": f"urn:hongbao:error:{code}", "title": code, "status": status, "detail": code, "code": code,
            "retryable": status in (429, 503), "kind": "refused", **more}
    return json.dumps(body)


def answer(route, code, status, headers=None, **more):
    headers = {"Content-Type": "application/problem+json", **(headers or {})}
    route.fulfill(status=status, headers=headers, body=problem(code, status, **more))


def changed(route, **fields):
    """Lets the real answer through with some fields changed."""
    response = route.fetch()
    route.fulfill(response=response, json={**response.json(), **fields})


def settle(page):
    """Lets what the page has asked for be answered while its clock stands still."""
    page.evaluate("fetch('/wallet').then(answer => answer.text()).then(() => 0)")


def assert_no_sideways_scroll(page):
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{wide} px too wide"


def ask_for(page, amount):
    page.get_by_role("button", name="提现", exact=True).click()
    page.get_by_label("提现金额（元）").fill(amount)
    page.locator("#withdraw-submit").click()
