"""The wallet page as the tests handle it: opening it, its lines, and answers made up for it."""

import json

from conftest import CAMPAIGN
from playwright.sync_api import expect

WALLET = "**/v1/wallet?*"
STATEMENT = "**/v1/wallet/statement?*"
WITHDRAWALS = "**/v1/wallet/withdrawals"
WITHDRAWAL = "**/v1/wallet/withdrawals/*"
USE = "**/v1/wallet/rewards/*/use"
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


# ---- Coupons, pendants, subsidies


def give(person, scene, award, reward, count=1, **fields):
    """Grants so many of a reward ID, in rains 1 and later of a scene that takes the award type."""
    stages = 100 if count > 1 else 1
    grants = [
        {"campaign": CAMPAIGN, "scene": scene, "rain": 1 + n // stages, "awardType": award, "stage": n % stages,
         "person": person.id, "app": person.app, "rewardID": reward, **fields}
        for n in range(count)
    ]
    answer = person.server.call("POST", "/v1/grants/batch", {"grants": grants}, bearer=person.server.key)
    assert not [result for result in answer["results"] if "error" in result]


def coupon(number, **fields):
    """One as the server would show it, earned in the evening of New Year's Eve."""
    return {"id": f"7_458774_1_2_{number}", "kind": "tea", "rewardID": "tea-half-price", "title": f"奶茶券 {number}",
            "at": 1643630400000 - number * 60_000, "app": "douyin", "appName": "抖音", "state": "ready", **fields}


def cards(page, name="coupons"):
    return page.locator(f"#{name}-list .reward")


def choose(page, tab):
    page.get_by_role("tab", name=tab).click()
    return page


def use(page):
    """Uses the first coupon, as a person would."""
    cards(page).first.get_by_role("button").click()
    page.locator("#use-confirm").click()
