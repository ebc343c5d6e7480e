"""Withdrawing on the wallet page, in a real browser against a real server (WL-4, WD-2, WD-4, FC-6)."""

import re

import pytest
from conftest import CAMPAIGN
from playwright.sync_api import expect
from wallet_page import PAYOUT_MS, WITHDRAWAL, WITHDRAWALS, answer, ask_for, lines, open_wallet, settle


def test_withdraws_to_paid(open_page, server, window, shoot):
    person = server.sign_in().grant([1000, 234])
    page = open_wallet(open_page(window), person)
    page.get_by_role("button", name="提现", exact=True).click()
    dialog = page.get_by_role("dialog", name="提现")
    expect(dialog.get_by_text("可提现 ¥12.34")).to_be_visible()
    expect(dialog.get_by_label("提现金额（元）")).to_be_focused()
    dialog.get_by_role("button", name="全部").click()
    expect(dialog.get_by_label("提现金额（元）")).to_have_value("12.34")
    dialog.get_by_label("提现金额（元）").fill("2.3")
    shoot(page, f"withdraw-{window}")
    with page.expect_request(WITHDRAWALS) as request:
        dialog.get_by_role("button", name="提现 ¥2.30").click()
    body = request.value.post_data_json
    assert re.fullmatch(r"[A-Za-z0-9_-]{20,64}", body["id"])
    assert {k: body[k] for k in body if k != "id"} == {"campaign": CAMPAIGN, "amount": 230}

    result = dialog.get_by_role("heading", name="提现成功")
    expect(result).to_be_visible(timeout=PAYOUT_MS)
    expect(result).to_be_focused()
    expect(dialog).to_contain_text("¥2.30")
    expect(page.locator("#announcer")).to_have_text("提现成功 ¥2.30")
    shoot(page, f"paid-{window}")
    dialog.get_by_role("button", name="完成").click()
    expect(dialog).to_be_hidden()
    expect(page.locator("#balance")).to_have_text("¥10.04")
    expect(page.locator("#income")).to_have_text("¥12.34")
    expect(lines(page)).to_have_count(3)
    line = lines(page).filter(has_text="−¥2.30")
    expect(line).to_contain_text("已到账")
    assert page.evaluate("Object.keys(localStorage).filter(k => k.includes('withdrawal'))") == []
    assert person.wallet()["balance"] == 1004
    assert "#" not in page.url
    shoot(page, f"withdrawn-{window}")


def test_more_than_the_balance_is_refused_kindly(open_page, server, window, shoot):
    person = server.sign_in().grant([1000])
    page = open_page(window)
    page.watch.expect("/v1/wallet/withdrawals")
    open_wallet(page, person)
    ask_for(page, "10.01")
    error = page.get_by_role("alert").filter(visible=True)
    expect(error).to_have_text("余额不足，最多可提现 ¥10.00")
    expect(page.get_by_label("提现金额（元）")).to_be_focused()
    expect(page.get_by_label("提现金额（元）")).to_have_attribute("aria-invalid", "true")
    shoot(page, f"above-{window}")

    # Meanwhile somebody withdraws elsewhere: now the server has to refuse what this page believes possible.
    person.withdraw(600)
    page.get_by_label("提现金额（元）").fill("5")
    with page.expect_response(WITHDRAWALS) as response:
        page.locator("#withdraw-submit").click()
    assert response.value.json()["code"] == "insufficient_balance"
    expect(error).to_have_text("余额不足，请减少金额后再试")
    expect(page.locator("#balance")).to_have_text("¥4.00")
    page.get_by_label("提现金额（元）").fill("4")
    page.locator("#withdraw-submit").click()
    expect(page.get_by_role("heading", name="提现成功")).to_be_visible(timeout=PAYOUT_MS)
    expect(page.locator("#balance")).to_have_text("¥0.00")


@pytest.mark.parametrize(
    "typed, sentence",
    [
        ("", "请输入金额"),
        ("0", "至少提现 0.01 元"),
        ("abc", "请输入正确的金额，例如 12.34"),
        ("1.234", "最多两位小数"),
        ("99999999999999", "金额太大了"),
    ],
)
def test_amounts_that_cannot_be_are_refused_here(open_page, server, typed, sentence):
    page = open_wallet(open_page(), server.sign_in().grant([100]))
    sent = []
    page.on("request", lambda request: "withdrawals" in request.url and sent.append(request.url))
    ask_for(page, typed)
    expect(page.get_by_role("alert").filter(visible=True)).to_have_text(sentence)
    assert sent == []


@pytest.mark.parametrize(
    "code, status, sentence",
    [
        ("withdrawal_closed", 409, "提现还没有向你开放"),
        ("switched_off", 409, "这项功能暂时关闭"),
        ("amount_invalid", 422, "请输入正确的金额"),
        ("a_code_of_tomorrow", 409, "出了点问题"),
    ],
)
def test_refusals_are_explained(open_page, server, code, status, sentence):
    page = open_page()
    page.watch.expect("/v1/wallet/withdrawals")
    page.route(WITHDRAWALS, lambda route: answer(route, code, status))
    open_wallet(page, server.sign_in().grant([100]))
    ask_for(page, "1")
    expect(page.get_by_role("alert").filter(visible=True)).to_contain_text(sentence)
    expect(page.locator("#resume")).to_be_hidden()


@pytest.mark.parametrize(
    "code, status, sentence",
    [("rate_limited", 429, "操作太频繁了"), ("overloaded", 503, "现在人有点多"), ("unavailable", 503, "你的钱是安全的")],
)
def test_a_busy_server_is_waited_for_and_asked_for_the_same_withdrawal(
    open_page, server, code, status, sentence, shoot
):
    person = server.sign_in().grant([100])
    page = open_page()
    page.watch.expect("/v1/wallet/withdrawals")
    ids = []

    def busy(route):
        ids.append(route.request.post_data_json["id"])
        answer(route, code, status, {"Retry-After": "30"})

    page.route(WITHDRAWALS, busy)
    open_wallet(page, person)
    page.clock.install()
    ask_for(page, "1")
    expect(page.get_by_role("alert").filter(visible=True)).to_contain_text(sentence)
    retry = page.locator("#withdraw-stuck-problem button")
    expect(retry).to_have_text(re.compile(r"重试（\d+ 秒）"))
    shoot(page, f"busy-{code}")
    retry.click(force=True)
    assert len(ids) == 1, "a Retry-After of 30 s is kept"
    page.clock.run_for(31_000)
    expect(retry).to_have_text("重试")
    page.unroute(WITHDRAWALS)
    page.clock.resume()
    with page.expect_request(WITHDRAWALS) as request:
        retry.click()
    assert request.value.post_data_json["id"] == ids[0]
    expect(page.get_by_role("heading", name="提现成功")).to_be_visible(timeout=PAYOUT_MS)
    assert person.wallet()["balance"] == 0


def test_a_lost_answer_never_withdraws_twice(open_page, server, shoot):
    """The server does it, the answer gets lost, the page is loaded anew: still one withdrawal (WD-4)."""
    person = server.sign_in().grant([1000])
    page = open_page()
    page.watch.expect("/v1/wallet/withdrawals")

    def lose(route):
        route.fetch()
        route.abort()

    page.route(WITHDRAWALS, lose)
    open_wallet(page, person)
    ask_for(page, "3")
    expect(page.get_by_role("heading", name="还没有收到结果")).to_be_visible()
    shoot(page, "no-answer")
    page.unroute(WITHDRAWALS)
    page.locator("#withdraw-stuck-problem button").click()
    expect(page.get_by_role("heading", name="提现成功")).to_be_visible(timeout=PAYOUT_MS)
    assert [e["amount"] for e in person.statement() if e["kind"] == "withdrawal"] == [-300]

    page.get_by_role("button", name="完成").click()
    page.route(WITHDRAWALS, lose)
    ask_for(page, "2")
    expect(page.get_by_role("heading", name="还没有收到结果")).to_be_visible()
    page.unroute(WITHDRAWALS)
    page.reload()
    expect(page.locator("#balance")).to_have_text("¥5.00")
    expect(page.get_by_role("heading", name=re.compile("提现成功|提现处理中"))).to_be_visible()
    assert sorted(e["amount"] for e in person.statement() if e["kind"] == "withdrawal") == [-300, -200]


def test_a_request_that_never_arrived_can_be_given_up(open_page, server):
    person = server.sign_in().grant([1000])
    page = open_page()
    page.watch.expect("/v1/wallet/withdrawals")
    page.route(WITHDRAWALS, lambda route: answer(route, "overloaded", 503, {"Retry-After": "30"}))
    open_wallet(page, person)
    ask_for(page, "3")
    expect(page.get_by_role("heading", name="还没有提交成功")).to_be_visible()
    page.get_by_role("button", name="放弃这一笔").click()
    expect(page.get_by_label("提现金额（元）")).to_be_focused()
    assert page.evaluate("Object.keys(localStorage).filter(k => k.includes('withdrawal'))") == []
    assert person.wallet()["balance"] == 1000


def test_a_payout_that_fails_says_so(open_page, server, shoot):
    page = open_page()
    pending = {"id": "x", "amount": 100, "state": "pending"}
    page.route(WITHDRAWALS, lambda route: route.fulfill(json=pending))
    page.route(WITHDRAWAL, lambda route: route.fulfill(json={**pending, "state": "failed"}))
    open_wallet(page, server.sign_in().grant([100]))
    ask_for(page, "1")
    expect(page.get_by_role("heading", name="提现未成功")).to_be_visible()
    expect(page.get_by_role("dialog")).to_contain_text("金额已退回余额")
    shoot(page, "failed")
    page.get_by_role("button", name="再试一次").click()
    expect(page.get_by_label("提现金额（元）")).to_be_focused()


def test_polling_slows_down_and_stops(open_page, server, shoot):
    """FC-6: a payout that takes for ever is asked about ever more slowly, and after a while no more."""
    page = open_page()
    asked = []
    pending = {"id": "x", "amount": 100, "state": "pending"}

    def still(route):
        asked.append(route.request.url)
        route.fulfill(json=pending)

    page.route(WITHDRAWALS, lambda route: route.fulfill(json=pending))
    page.route(WITHDRAWAL, still)
    open_wallet(page, server.sign_in().grant([100]))
    page.clock.install()
    ask_for(page, "1")
    expect(page.get_by_role("heading", name="提现处理中")).to_be_visible()
    shoot(page, "pending")
    counts = []
    for _ in range(30):
        for _ in range(10):
            page.clock.run_for(1_000)
            settle(page)
        counts.append(len(asked))
    expect(page.get_by_role("heading", name="还在处理中")).to_be_visible()
    shoot(page, "slow")
    assert counts[-1] == counts[-8] <= 30
    page.get_by_role("button", name="关闭").last.click()
    expect(page.get_by_text("有一笔 ¥1.00 的提现处理中")).to_be_visible()
    shoot(page, "resume")


def test_the_back_button_closes_the_dialog(open_page, server):
    page = open_wallet(open_page(), server.sign_in())
    dialog = page.get_by_role("dialog", name="提现")
    page.get_by_role("button", name="提现", exact=True).click()
    expect(dialog).to_be_visible()
    assert page.url.endswith("#withdraw")
    page.go_back()
    expect(dialog).to_be_hidden()
    page.get_by_role("button", name="提现", exact=True).click()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.get_by_role("button", name="提现", exact=True)).to_be_focused()
    page.wait_for_function("location.hash === ''")
