"""The page of a campaign's running total in a real browser, against a real server (CT-1)."""

import re
import time

import pytest
from conftest import CAMPAIGN, WAIT_MS
from playwright.sync_api import expect
from wallet_page import answer, assert_no_sideways_scroll, open_wallet, yuan

TOTAL = f"/v1/totals/{CAMPAIGN}"
PAGE = f"/totals/{CAMPAIGN}"


def amount(text):
    assert re.fullmatch(r"¥[\d,]+\.\d\d", text), text
    return int(re.sub(r"[¥,.]", "", text))


def open_total(page, path=PAGE):
    page.goto(path)
    expect(page.locator("#total")).to_have_attribute("data-loaded", "true")
    return page


def test_it_grows_while_one_looks(open_page, server, window, shoot):
    before = server.call("GET", TOTAL)
    page = open_total(open_page(window))
    shown = page.locator("#total-amount")
    seen = [amount(shown.text_content())]
    assert seen[0] >= before["amount"]
    # Nobody touches the page: what is given elsewhere comes to it.
    person = server.sign_in()
    for step in (1_234, 5_678):
        target = seen[-1] + step
        person.grant([step])
        end = time.monotonic() + WAIT_MS / 1_000
        while seen[-1] < target:
            assert time.monotonic() < end, f"{seen[-1]} never comes to {target}"
            page.wait_for_timeout(50)
            seen.append(amount(shown.text_content()))
    assert seen == sorted(seen)
    assert seen[-1] <= server.call("GET", TOTAL)["amount"]
    expect(page.locator("#total-count")).to_have_text(re.compile(r"^共 [\d,]+ 份$"))
    assert_no_sideways_scroll(page)
    shoot(page, f"total-{window}")


def test_the_wallet_leads_there_and_back(open_page, server):
    page = open_wallet(open_page(), server.sign_in())
    page.get_by_role("link", name="看看一共发了多少").click()
    expect(page.get_by_role("heading", name="本场已经发出")).to_be_visible()
    expect(page.locator("#total")).to_have_attribute("data-live", "true")
    page.get_by_role("link", name="Switch to English").click()
    expect(page.get_by_role("heading", name="Given away so far")).to_be_visible()
    page.get_by_role("link", name="My wallet").click()
    expect(page.locator("#wallet")).to_be_visible()


@pytest.mark.parametrize("late", [0, -1_000])
def test_a_node_that_is_behind_shows_nothing_less(open_page, late):
    """Another node may be an interval behind; within a phase the page keeps the larger figure."""
    page = open_page()
    body = f'{{"name":"{CAMPAIGN}","phase":"live","amount":%d,"count":%d,"at":%d}}'
    events = "retry: 600000\n\n" + "".join(
        f"data: {body % (fen, count, 1_000 + late * index)}\n\n"
        for index, (fen, count) in enumerate([(500, 5), (400, 4), (600, 6), (100, 1)])
    )
    page.route(f"**{TOTAL}", lambda route: route.fulfill(
        content_type="application/json", body=body % (450, 4, 1_000)))
    page.route(f"**{TOTAL}/stream", lambda route: route.fulfill(content_type="text/event-stream", body=events))
    page.add_init_script("""
      window.seen = [];
      addEventListener("DOMContentLoaded", () => {
        const node = document.getElementById("total-amount");
        new MutationObserver(() => seen.push(node.textContent)).observe(node, { childList: true });
      });""")
    open_total(page)
    expect(page.locator("#total-amount")).to_have_text("¥6.00")
    expect(page.locator("#total-count")).to_have_text("共 6 份")
    # The stream is over, and the browser waits for the next one.
    expect(page.locator("#total")).to_have_attribute("data-live", "false")
    expect(page.get_by_text("正在连接，数字停在这里")).to_be_visible()
    assert page.evaluate("[...new Set(seen)]") == ["¥4.50", "¥5.00", "¥6.00"]


def test_a_campaign_that_is_not_there(open_page):
    page = open_page()
    page.watch.expect("/v1/totals/nobody")
    page.goto("/totals/nobody")
    expect(page.get_by_role("alert").filter(has_text="没有找到这个活动")).to_be_visible()
    expect(page.get_by_role("button", name="重试")).to_be_visible()


def test_a_server_that_refuses_streams_can_be_asked_again(open_page):
    page = open_page()
    page.watch.expect(f"{TOTAL}/stream")
    page.route(f"**{TOTAL}/stream", lambda route: answer(route, "overloaded", 503))
    open_total(page)
    expect(page.get_by_role("alert").filter(has_text="服务暂时不可用")).to_be_visible()
    page.unroute(f"**{TOTAL}/stream")
    page.get_by_role("button", name="重试").click()
    expect(page.locator("#total")).to_have_attribute("data-live", "true")
    expect(page.locator("#total-problem")).to_be_hidden()
