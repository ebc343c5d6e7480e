"""Coupons, pendants and subsidies on the wallet page, in a real browser against a real server (WL-1, ID-1, FC-6).

Without a downstream the server gives at once; what a downstream may do besides is answered in its place.
"""

import secrets
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

import pytest
from conftest import Person
from playwright.sync_api import expect
from wallet_page import (
    USE, WALLET, answer, assert_no_sideways_scroll, cards, changed, choose, coupon, give, open_wallet, settle, use,
)

KINDS = {
    "commercialAds": "品牌券", "ecommerce": "电商券", "payment": "支付券", "consumerFinance": "消费金融券",
    "insurance": "保险券", "creditCard": "信用卡券", "tea": "奶茶券", "film": "电影券", "douPlus": "DOU+ 券",
    "culturalGoods": "文创券",
}
PAGE_CARDS = 20
TRIES = 3


def with_coupon(open_page, server, window="phone"):
    """A page that shows the coupons of somebody who has one; refusals of using it are provoked."""
    person = server.sign_in()
    give(person, "card-draw-tea", 2, "tea-half-price")
    page = open_page(window)
    page.watch.expect("/use")
    choose(open_wallet(page, person), "卡券")
    expect(cards(page)).to_have_count(1)
    return page, person


def asked_on(page):
    """The requests that use something."""
    asked = []
    page.on("request", lambda request: request.url.endswith("/use") and asked.append(request))
    return asked


# ---- Earning here, using there


def test_earned_in_one_app_used_in_another(open_page, server, window, shoot):
    """ID-1: whoever earned it in one app sees and uses it in all."""
    phone = "138" + f"{secrets.randbelow(10**8):08}"
    apps = server.apps()
    here, there = (
        Person(server, app["id"], f"{app['id']}-{phone}", login["person"], login["jwt"])
        for app in (apps[0], apps[-1])
        for login in [server.call("POST", "/v1/demo/login", {"app": app["id"], "user": phone, "phone": phone})]
    )
    assert here.id == there.id and here.app != there.app
    give(here, "card-draw-tea", 2, "tea-half-price")
    give(here, "fireworks-pendant", 5, "pendant-tiger")

    page = choose(open_wallet(open_page(window), there), "卡券")
    card = cards(page).first
    expect(card.get_by_role("heading")).to_have_text("集卡抽卡奶茶券")
    expect(card).to_contain_text("奶茶券")
    expect(card).to_contain_text(apps[0]["name"])
    card.get_by_role("button", name="使用：集卡抽卡奶茶券").click()
    dialog = page.get_by_role("dialog", name="使用这张卡券？")
    expect(dialog).to_contain_text(f"奶茶券 · 来自{apps[0]['name']}")
    expect(dialog).to_contain_text("只能使用一次")
    shoot(page, f"coupon-confirm-{window}")
    dialog.get_by_role("button", name="确认使用").click()
    expect(card.locator(".reward-state")).to_contain_text("已使用")
    expect(card.get_by_role("button")).to_have_count(0)
    expect(card.locator(".reward-state")).to_be_focused()
    expect(page.locator("#announcer")).to_have_text("集卡抽卡奶茶券 已使用")
    shoot(page, f"coupon-used-{window}")

    kept = here.wallet()["coupons"][0]
    assert kept["state"] == "used"
    used_at = datetime.fromtimestamp(kept["usedAt"] / 1000, timezone.utc).astimezone(ZoneInfo("Asia/Shanghai"))
    expect(card.locator(".reward-state time")).to_have_text(
        f"{used_at.month}月{used_at.day}日 {used_at.strftime('%H:%M')}")

    choose(page, "挂件")
    card = cards(page, "pendants").first
    expect(card).to_contain_text(apps[0]["name"])
    card.get_by_role("button", name="佩戴：烟火大会头像挂件").click()
    dialog = page.get_by_role("dialog", name="佩戴这个挂件？")
    shoot(page, f"pendant-confirm-{window}")
    dialog.get_by_role("button", name="确认佩戴").click()
    expect(card.locator(".reward-state")).to_contain_text("已佩戴")
    assert here.wallet()["pendants"][0]["state"] == "used"
    assert_no_sideways_scroll(page)
    # And so it stays.
    page.reload()
    choose(page, "挂件")
    expect(cards(page, "pendants").first.locator(".reward-state")).to_contain_text("已佩戴")


def test_a_subsidy_has_its_amount(open_page, server, shoot):
    person = server.sign_in()
    give(person, "rain-subsidy", 3, "video-subsidy", amount=1888)
    page = choose(open_wallet(open_page(), person), "补贴")
    card = cards(page, "subsidies").first
    expect(card).to_contain_text("视频红包补贴")
    expect(card).to_contain_text("¥18.88")
    expect(card).to_contain_text("可用来发红包")
    expect(card.get_by_role("button")).to_have_count(0)
    shoot(page, "subsidy")


# ---- How they are drawn


def test_what_can_be_used_comes_first_then_the_newest(open_page, server, window, shoot):
    rows = [
        coupon(1, state="used", usedAt=1643640000000), coupon(2, state="processing"), coupon(3, state="failed"),
        coupon(4, state="ready", title="一张名字特别长的券，用来看看它在很窄的屏幕上会不会把按钮挤出去"),
        coupon(5, state="used", usedAt=1643650000000), coupon(6, state="ready"),
    ]
    page = open_page(window)
    page.route(WALLET, lambda route: changed(route, coupons=rows))
    choose(open_wallet(page, server.sign_in()), "卡券")
    expect(cards(page)).to_have_count(6)
    shown = page.eval_on_selector_all("#coupons-list .reward", "rows => rows.map(r => [r.dataset.reward, r.innerText])")
    assert [row for row, _ in shown] == [rows[n - 1]["id"] for n in (2, 4, 6, 1, 3, 5)]
    for (_, said), state in zip(shown, ("发放中", "可使用", "可使用", "已使用", "未能发放", "已使用")):
        assert state in said
    # Which year is said when it isn't this one.
    expect(cards(page).nth(3).locator(".reward-state time")).to_have_text("2022年1月31日 22:40")
    expect(page.locator("#coupons-list").get_by_role("button")).to_have_count(3)
    assert_no_sideways_scroll(page)
    shoot(page, f"coupons-{window}")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_kind_has_its_name(open_page, server, language):
    rows = [coupon(n, kind=kind) for n, kind in enumerate(KINDS, 1)] + [coupon(99, kind="whatever")]
    page = open_page()
    page.route(WALLET, lambda route: changed(route, coupons=rows))
    person = server.sign_in()
    page.goto(f"/wallet?lang={language}#jwt={person.jwt}")
    choose(page, "卡券" if language == "zh" else "Coupons")
    expect(cards(page)).to_have_count(len(rows))
    names = cards(page).locator(".reward-kind").all_text_contents()
    if language == "zh":
        assert names == [*KINDS.values(), "卡券"]
    else:
        assert len(set(names)) == len(rows) and all(name.isascii() for name in names)


def test_hundreds_are_drawn_as_they_are_reached(open_page, server, window):
    person = server.sign_in()
    give(person, "card-draw-tea", 2, "tea-half-price", count=300)
    page = open_page(window)
    asked = []
    page.on("request", lambda request: "/v1/wallet?" in request.url and asked.append(request.url))
    open_wallet(page, person)
    assert cards(page).count() == PAGE_CARDS
    choose(page, "卡券")
    more = page.locator("#coupons-more")
    while more.is_visible():
        before = cards(page).count()
        page.mouse.move(page.viewport_size["width"] - 60, 600)
        page.mouse.wheel(0, 100_000)
        page.wait_for_function(
            "n => document.querySelectorAll('#coupons-list .reward').length > n || "
            "document.getElementById('coupons-more').hidden", arg=before)
    shown = page.eval_on_selector_all("#coupons-list .reward", "rows => rows.map(r => r.dataset.reward)")
    assert shown == [coupon["id"] for coupon in person.wallet()["coupons"]]
    assert len(set(shown)) == 300 and len(asked) == 1
    assert_no_sideways_scroll(page)
    # A refresh keeps the cards, the place, and the keyboard's.
    last = cards(page).last.get_by_role("button")
    last.focus()
    page.locator("#refresh").evaluate("button => button.click()")
    expect(page.locator("#announcer")).to_contain_text("余额")
    expect(last).to_be_focused()
    assert cards(page).count() == 300 and len(asked) == 2


@pytest.mark.parametrize("missing", ["coupons", "pendants", "ledger"])
def test_what_cannot_be_read_is_not_called_empty(open_page, server, missing):
    page = open_page()
    page.route(WALLET, lambda route: changed(route, complete=False, missing=[missing], coupons=[], pendants=[]))
    open_wallet(page, server.sign_in())
    expect(page.locator("#missing")).to_contain_text({"coupons": "卡券", "pendants": "挂件"}.get(missing, "部分余额和明细"))
    for name, source in (("卡券", "coupons"), ("挂件", "pendants")):
        choose(page, name)
        is_missing = missing in (source, "ledger")
        expect(page.get_by_role("tabpanel", name=name)).to_contain_text(
            "这部分暂时无法显示" if is_missing else f"还没有{name}")


def test_a_wallet_that_fails_calls_nothing_empty(open_page, server):
    page = open_page()
    page.watch.expect("/v1/wallet")
    page.route(WALLET, lambda route: answer(route, "internal", 500))
    person = server.sign_in()
    page.goto(f"/wallet#jwt={person.jwt}")
    expect(page.locator("#wallet-problem")).to_be_visible()
    choose(page, "卡券")
    expect(page.get_by_role("tabpanel", name="卡券")).to_contain_text("这部分暂时无法显示")


# ---- Once


def test_used_in_two_tabs_is_used_once(open_page, server):
    page, person = with_coupon(open_page, server)
    other = choose(open_wallet(open_page(), person), "卡券")
    use(page)
    expect(cards(page).first.locator(".reward-state")).to_contain_text("已使用")
    expect(cards(page).first).not_to_contain_text("之前")
    with other.expect_response(USE) as response:
        use(other)
    assert response.value.json()["replayed"] is True
    expect(cards(other).first.locator(".reward-state")).to_contain_text("已使用")
    expect(cards(other).first).to_contain_text("之前已经用过了")
    times = [cards(tab).first.locator(".reward-state time").get_attribute("datetime") for tab in (page, other)]
    assert times[0] == times[1]


def test_a_double_tap_is_one(open_page, server):
    page, person = with_coupon(open_page, server)
    asked = asked_on(page)
    # Held back until the test has tapped often enough.
    held = []
    page.route(USE, lambda route: held.append(route))
    cards(page).first.get_by_role("button").dblclick()
    # The second tap confirms nothing.
    expect(page.locator("#use")).to_be_visible()
    assert asked == []
    confirm = page.locator("#use-confirm")
    expect(confirm).not_to_have_attribute("aria-disabled", "true")
    confirm.dblclick()
    button = cards(page).first.get_by_role("button")
    expect(button).to_have_text("使用中…")
    button.click(force=True)
    button.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#use")).to_be_hidden()
    assert len(held) == len(asked) == 1
    # A refresh meanwhile changes nothing of that.
    page.locator("#refresh").evaluate("button => button.click()")
    expect(page.locator("#announcer")).to_contain_text("余额")
    expect(button).to_have_text("使用中…")
    held[0].continue_()
    expect(cards(page).first.locator(".reward-state")).to_contain_text("已使用")
    assert len(asked) == 1 and person.wallet()["coupons"][0]["state"] == "used"


def test_an_answer_from_before_does_not_give_it_back(open_page, server):
    page, person = with_coupon(open_page, server)
    before = person.wallet()
    use(page)
    expect(cards(page).first.locator(".reward-state")).to_contain_text("已使用")
    page.route(WALLET, lambda route: route.fulfill(json=before))
    page.locator("#refresh").click()
    expect(page.locator("#announcer")).to_contain_text("余额")
    expect(cards(page).first.locator(".reward-state")).to_contain_text("已使用")


@pytest.mark.parametrize("way", ["取消", "关闭", "Escape"])
def test_whoever_thinks_better_of_it_has_used_nothing(open_page, server, way):
    page, person = with_coupon(open_page, server)
    asked = asked_on(page)
    cards(page).first.get_by_role("button").click()
    dialog = page.get_by_role("dialog", name="使用这张卡券？")
    expect(dialog).to_be_visible()
    if way == "Escape":
        page.keyboard.press(way)
    else:
        dialog.get_by_role("button", name=way).click()
    expect(dialog).to_be_hidden()
    expect(cards(page).first.get_by_role("button")).to_be_focused()
    assert asked == [] and person.wallet()["coupons"][0]["state"] != "used"
    use(page)
    expect(cards(page).first.locator(".reward-state")).to_contain_text("已使用")


# ---- What may come between


def test_what_is_on_its_way_is_waited_for(open_page, server, shoot):
    page, person = with_coupon(open_page, server)
    asked = asked_on(page)

    def late(route):
        if len(asked) < 3:
            return answer(route, "try_again", 429, {"Retry-After": "1"})
        route.continue_()

    page.route(USE, late)
    use(page)
    card = cards(page).first
    expect(card.locator(".reward-state")).to_have_text("卡券还在发放，正在等它…")
    expect(page.locator("#announcer")).to_have_text("卡券还在发放，正在等它…")
    expect(card.get_by_role("button")).to_have_attribute("aria-disabled", "true")
    shoot(page, "coupon-coming")
    expect(card.locator(".reward-state")).to_contain_text("已使用")
    assert len(asked) == 3 and person.wallet()["coupons"][0]["state"] == "used"


def test_nobody_waits_for_ever(open_page, server, shoot):
    """FC-6: about ten seconds, a few requests, then only a tap asks again."""
    person = server.sign_in()
    give(person, "card-draw-tea", 2, "tea-half-price")
    page = open_page()
    page.watch.expect("/use")
    page.clock.install()
    choose(open_wallet(page, person), "卡券")
    asked = asked_on(page)
    page.route(USE, lambda route: answer(route, "try_again", 429, {"Retry-After": "1"}))
    card = cards(page).first
    card.get_by_role("button").click()
    page.clock.run_for(400)
    page.locator("#use-confirm").click()
    expect(card.locator(".reward-state")).to_contain_text("正在等它")
    waited = 0
    while card.locator(".reward-problem").is_hidden():
        assert waited < 15_000
        page.clock.run_for(500)
        waited += 500
        settle(page)
    expect(card.locator(".reward-problem")).to_have_text("还在发放，暂时不能使用。请过一会儿再试")
    expect(page.locator("#announcer")).to_have_text("还在发放，暂时不能使用。请过一会儿再试")
    shoot(page, "coupon-try-later")
    assert 3 <= len(asked) <= 8 and waited >= 4_000
    told = len(asked)
    page.clock.run_for(120_000)
    assert len(asked) == told
    page.unroute(USE)
    button = card.get_by_role("button")
    expect(button).to_have_attribute("aria-disabled", "false")
    expect(button).to_have_accessible_description("还在发放，暂时不能使用。请过一会儿再试")
    button.click()
    page.clock.run_for(400)
    page.locator("#use-confirm").click()
    expect(card.locator(".reward-state")).to_contain_text("已使用")
    expect(card.locator(".reward-problem")).to_be_hidden()


def test_what_is_refused_for_good_says_so(open_page, server, shoot):
    page, _ = with_coupon(open_page, server)
    asked = asked_on(page)
    page.route(USE, lambda route: answer(route, "reward_refused", 409))
    use(page)
    card = cards(page).first
    expect(card.locator(".reward-problem")).to_have_text("没有发放成功，不能使用。很抱歉")
    expect(card.locator(".reward-state")).to_contain_text("未能发放")
    expect(card.get_by_role("button")).to_have_count(0)
    assert len(asked) == 1
    shoot(page, "coupon-refused")


def test_what_is_not_there_says_so(open_page, server):
    page, _ = with_coupon(open_page, server)
    page.route(USE, lambda route: answer(route, "not_found", 404))
    use(page)
    expect(cards(page).first.locator(".reward-problem")).to_have_text("没有找到，请刷新后再看")


def test_without_a_network_nothing_is_lost(open_page, server, shoot):
    page, person = with_coupon(open_page, server)
    asked = asked_on(page)
    page.context.set_offline(True)
    use(page)
    card = cards(page).first
    expect(card.locator(".reward-problem")).to_have_text("网络不太好，还没有收到结果。可以放心重试，不会用两次")
    assert len(asked) == TRIES
    shoot(page, "coupon-offline")
    page.context.set_offline(False)
    assert person.wallet()["coupons"][0]["state"] != "used"
    use(page)
    expect(card.locator(".reward-state")).to_contain_text("已使用")
    expect(card.locator(".reward-problem")).to_be_hidden()


def test_a_lost_answer_is_asked_for_again(open_page, server):
    """The first request arrives and its answer doesn't: that its repeat is one is nothing to tell."""
    page, person = with_coupon(open_page, server)
    asked = asked_on(page)

    def lose_first(route):
        if len(asked) > 1:
            return route.continue_()
        # What the server did is done.
        assert route.fetch().ok
        route.abort()

    # On its way it would be answered with try_again, and nothing would be lost.
    until_ready(page, person)
    page.route(USE, lose_first)
    use(page)
    card = cards(page).first
    expect(card.locator(".reward-state")).to_contain_text("已使用")
    expect(card).not_to_contain_text("之前")
    assert len(asked) == 2


def until_ready(page, person):
    for _ in range(100):
        if person.wallet()["coupons"][0]["state"] == "ready":
            return
        settle(page)
    raise AssertionError("the server gives at once")


def test_an_expired_sign_in_ends_it(open_page, server):
    page, _ = with_coupon(open_page, server)
    page.route(USE, lambda route: answer(route, "unauthorized", 401))
    use(page)
    expect(page.get_by_text("登录已过期，请重新登录。")).to_be_visible()
    expect(cards(page)).to_have_count(0)
