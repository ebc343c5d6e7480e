"""The wallet page in a real browser, against a real server (WL-1 to WL-3, WL-5, TK-4, TK-6, FC-6)."""

import re
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

import pytest
from conftest import CAMPAIGN
from playwright.sync_api import expect
from wallet_page import STATEMENT, WALLET, answer, assert_no_sideways_scroll, changed, lines, open_wallet, settle, yuan


# ---- Policy, languages


def test_served_under_the_strict_policy(open_page):
    answer = open_page().goto("/wallet")
    policy = answer.headers["content-security-policy"]
    for rule in ("default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'",
                 "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'"):
        assert rule in policy
    assert "unsafe" not in policy


def test_everything_comes_from_this_server(open_page, server):
    page = open_page()
    addresses = []
    page.on("request", lambda request: addresses.append(request.url))
    open_wallet(page, server.sign_in())
    assert addresses and all(url.startswith((server.base, "data:")) for url in addresses)


def test_both_languages_have_every_text(open_page):
    page = open_page()
    source = page.request.get("/assets/strings.js").text()
    chinese, english = source.split("const en = {")
    keys = [re.findall(r'^  "([\w.]+)":', part, re.M) for part in (chinese, english)]
    assert keys[0] == keys[1] and len(set(keys[0])) == len(keys[0]) > 100


def test_english_is_a_switch_away(open_page, server, shoot):
    page = open_wallet(open_page(), server.sign_in().grant([1234]))
    page.get_by_role("link", name="Switch to English").click()
    expect(page.get_by_role("heading", name="Event wallet")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "en-GB")
    expect(page.locator("#balance")).to_have_text("¥12.34")
    expect(page.get_by_role("tab", name="Coupons")).to_be_visible()
    shoot(page, "english")
    page.get_by_role("link", name="切换到中文").click()
    expect(page.get_by_role("heading", name="活动钱包")).to_be_visible()


# ---- Signing in and out


def test_sign_in_with_the_form(open_page, server, window, shoot):
    page = open_page(window)
    page.goto("/wallet")
    form = page.get_by_role("group", name="你在哪个应用参加活动？")
    expect(form.get_by_role("radio")).to_have_count(len(server.apps()))
    shoot(page, f"signin-{window}")
    assert_no_sideways_scroll(page)

    page.get_by_role("button", name="登录").click()
    expect(page.get_by_role("alert").filter(has_text="请选择一个应用")).to_be_visible()
    form.get_by_role("radio", name=server.apps()[0]["name"], exact=True).check()
    page.get_by_role("button", name="登录").click()
    expect(page.get_by_role("alert").filter(has_text="请填写用户名")).to_be_visible()
    expect(page.get_by_label("用户名")).to_be_focused()

    user = server.sign_in().user
    page.get_by_label("用户名").fill(user)
    page.get_by_role("button", name="登录").click()
    expect(page.locator("#balance")).to_have_text("¥0.00")
    expect(page.locator("#income")).to_have_text("¥0.00")
    expect(page.locator("#who")).to_contain_text(user)
    expect(page.get_by_text("还没有明细")).to_be_visible()
    shoot(page, f"empty-{window}")

    page.reload()
    expect(page.locator("#balance")).to_have_text("¥0.00")
    page.get_by_role("button", name="退出").click()
    expect(page.get_by_role("button", name="登录")).to_be_visible()
    assert page.evaluate("sessionStorage.getItem('hongbao.session')") is None
    page.reload()
    expect(page.get_by_role("button", name="登录")).to_be_visible()


def test_a_phone_that_cannot_be_is_explained(open_page, server):
    page = open_page()
    page.watch.expect("/v1/demo/login")
    page.route("**/v1/demo/login", lambda route: answer(route, "malformed", 400, param="phone"))
    page.goto("/wallet")
    page.get_by_role("radio").first.check()
    page.get_by_label("用户名").fill("zhang")
    page.get_by_label("手机号").fill("12")
    page.get_by_role("button", name="登录").click()
    expect(page.get_by_role("alert").filter(has_text="请填写 5 到 15 位数字的手机号")).to_be_visible()
    expect(page.get_by_label("手机号")).to_be_focused()


def test_one_phone_is_one_wallet_in_all_apps(open_page, server):
    phone = "139" + str(int(server.sign_in().id) % 10**8).zfill(8)
    app = server.apps()[0]["id"]
    login = server.call("POST", "/v1/demo/login", {"app": app, "user": f"one-{phone}", "phone": phone})
    page = open_page()
    page.goto("/wallet")
    page.get_by_role("radio").last.check()
    page.get_by_label("用户名").fill(f"other-{phone}")
    page.get_by_label("手机号").fill(f"{phone[:3]} {phone[3:7]}-{phone[7:]}")
    with page.expect_response("**/v1/demo/login") as response:
        page.get_by_role("button", name="登录").click()
    assert response.value.json()["person"] == login["person"]
    # The page keeps no phone (ID-4).
    expect(page.locator("#balance")).to_be_visible()
    kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    assert phone not in kept.replace(f"other-{phone}", "")


def test_a_link_signs_in_and_leaves_no_trace_in_the_address(open_page, server):
    person = server.sign_in()
    page = open_wallet(open_page(), person)
    assert page.url.endswith(f"/wallet?campaign={CAMPAIGN}")
    assert person.jwt not in page.evaluate("JSON.stringify({...localStorage})")
    page.reload()
    expect(page.locator("#balance")).to_have_text("¥0.00")


def test_without_the_demo_people_sign_in_from_their_app(open_page, shoot):
    page = open_page()
    page.watch.expect("/v1/demo/apps")
    page.route("**/v1/demo/apps*", lambda route: answer(route, "not_found", 404))
    page.goto("/wallet")
    expect(page.get_by_role("heading", name="请从你的应用进入活动钱包")).to_be_visible()
    expect(page.get_by_role("button", name="登录")).to_be_hidden()
    shoot(page, "from-app")


def test_an_expired_sign_in_goes_back_to_signing_in(open_page, server):
    page = open_page()
    page.watch.expect("/v1/wallet")
    open_wallet(page, server.sign_in())
    page.route(WALLET, lambda route: answer(route, "unauthorized", 401))
    page.get_by_role("button", name="刷新").click()
    expect(page.get_by_text("登录已过期，请重新登录。")).to_be_visible()
    expect(page.get_by_role("button", name="登录")).to_be_visible()
    assert page.evaluate("sessionStorage.getItem('hongbao.session')") is None


# ---- Balance, income, statement


def test_shows_balance_income_and_statement(open_page, server, window, shoot):
    person = server.sign_in().grant([188, 666]).grant([8800, 1]).grant([520])
    page = open_wallet(open_page(window), person)
    expect(page.locator("#balance")).to_have_text(yuan(person.total))
    expect(page.locator("#income")).to_have_text(yuan(person.total))
    expect(lines(page)).to_have_count(5)

    asked = person.statement()
    shown = page.eval_on_selector_all("#entries .entry", "rows => rows.map(r => [r.dataset.line, +r.dataset.amount])")
    assert shown == [[f"{e['kind']}:{e['id']}", e["amount"]] for e in asked]
    assert shown[0][1] == 520 and {amount for _, amount in shown[1:3]} == {8800, 1}
    times = page.eval_on_selector_all("#entries time", "nodes => nodes.map(n => n.dateTime)")
    assert times == sorted(times, reverse=True)
    expect(lines(page).first.locator(".entry-amount")).to_have_text("+¥5.20")
    expect(lines(page).first.locator(".entry-title")).to_have_text(asked[0]["title"])
    expect(page.get_by_role("heading", name="今天")).to_be_visible()
    assert_no_sideways_scroll(page)
    shoot(page, f"wallet-{window}")


def test_grants_never_look_unposted(open_page, server):
    """TK-6: whatever state a line of a grant carries, only withdrawals show theirs."""
    def unposted(route):
        response = route.fetch()
        page = response.json()
        for entry in page["entries"]:
            entry["state"] = "processing"
        route.fulfill(response=response, json=page)

    page = open_page()
    page.route(STATEMENT, unposted)
    open_wallet(page, server.sign_in().grant([100, 200]))
    expect(lines(page)).to_have_count(2)
    expect(page.locator("#entries .chip")).to_have_count(0)
    expect(page.locator("#entries")).not_to_contain_text("处理中")


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/New_York", "Asia/Kathmandu"])
def test_times_are_in_the_persons_time_zone(open_page, server, zone):
    person = server.sign_in().grant([100])
    page = open_wallet(open_page(timezone_id=zone), person)
    at = datetime.fromtimestamp(person.statement()[0]["at"] / 1000, timezone.utc).astimezone(ZoneInfo(zone))
    expect(lines(page).first.locator("time")).to_have_text(at.strftime("%H:%M"))


def test_pages_to_the_last_of_sixty_entries(open_page, server, window, shoot):
    person = server.sign_in().grant(range(101, 161))
    page = open_page(window)
    requests = []
    page.on("request", lambda request: "/v1/wallet/statement" in request.url and requests.append(request.url))
    open_wallet(page, person)
    expect(lines(page).nth(19)).to_be_attached()
    assert lines(page).count() < 60, "all pages at once isn't paging"
    while page.locator("#entries-end").is_hidden():
        before = lines(page).count()
        page.mouse.move(page.viewport_size["width"] - 60, 600)
        page.mouse.wheel(0, 100_000)
        page.wait_for_function(
            """n => document.querySelectorAll('#entries .entry').length > n
              || !document.getElementById('entries-end').hidden""", arg=before)
    shown = page.eval_on_selector_all("#entries .entry", "rows => rows.map(r => r.dataset.line)")
    assert shown == [f"{e['kind']}:{e['id']}" for e in person.statement()]
    assert len(shown) == len(set(shown)) == 60
    assert len(requests) == len(set(requests)) == 3
    assert_no_sideways_scroll(page)
    shoot(page, f"paged-{window}")


def test_a_page_that_fails_waits_for_a_tap(open_page, server):
    person = server.sign_in().grant(range(101, 131))
    page = open_page()
    page.watch.expect("cursor=")
    asked = []

    def fail_second(route):
        if "cursor=" not in route.request.url:
            return route.continue_()
        asked.append(route.request.url)
        answer(route, "internal", 500)

    page.route(STATEMENT, fail_second)
    open_wallet(page, person)
    page.locator("#entries-sentinel").scroll_into_view_if_needed()
    expect(page.locator("#entries-problem")).to_contain_text("你的钱是安全的")
    expect(lines(page)).to_have_count(20)
    for _ in range(3):
        page.mouse.wheel(0, -2000)
        page.mouse.wheel(0, 9000)
    assert len(asked) == 1
    page.unroute(STATEMENT)
    page.locator("#entries-problem").get_by_role("button", name="重试").click()
    expect(lines(page)).to_have_count(30)
    expect(page.locator("#entries-problem")).to_be_hidden()


def test_coupons_pendants_and_subsidies_have_their_places(open_page, server, window, shoot):
    page = open_wallet(open_page(window), server.sign_in())
    for name, sentence in (("卡券", "还没有卡券"), ("挂件", "还没有挂件"), ("补贴", "还没有补贴")):
        page.get_by_role("tab", name=name).click()
        expect(page.get_by_role("tabpanel", name=name)).to_contain_text(sentence)
        shoot(page, f"tab-{name}-{window}")
    page.keyboard.press("Home")
    expect(page.get_by_role("tab", name="明细")).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("tab", name="补贴")).to_have_attribute("aria-selected", "true")


# ---- Degraded sources, failures


def test_says_what_is_missing_and_shows_the_rest(open_page, server, window, shoot):
    person = server.sign_in().grant([500])
    page = open_page(window)
    page.route(WALLET, lambda route: changed(route, complete=False, missing=["coupons", "subsidies"]))
    open_wallet(page, person)
    banner = page.get_by_role("status").filter(has_text="暂时无法显示")
    expect(banner).to_have_text("卡券、补贴暂时无法显示，其余内容正常。")
    expect(page.locator("#balance")).to_have_text("¥5.00")
    expect(lines(page)).to_have_count(1)
    shoot(page, f"degraded-{window}")
    page.get_by_role("tab", name="卡券").click()
    expect(page.get_by_role("tabpanel", name="卡券")).to_contain_text("这部分暂时无法显示")
    page.unroute(WALLET)
    page.get_by_role("button", name="刷新").click()
    expect(banner).to_be_hidden()


@pytest.mark.parametrize("fields", [{"balance": None, "income": None}, {"balance": 7, "income": 7}])
def test_without_the_ledger_no_sum_is_shown(open_page, server, fields):
    page = open_page()
    page.route(WALLET, lambda route: changed(route, complete=False, missing=["ledger", "whatever"], **fields))
    open_wallet(page, server.sign_in().grant([500]))
    expect(page.locator("#balance")).to_have_text("—")
    expect(page.locator("#income")).to_have_text("—")
    expect(page.get_by_text("余额暂时无法显示")).to_be_visible()
    expect(page.locator("#missing")).to_contain_text("部分余额和明细、部分内容")
    expect(lines(page)).to_have_count(1)


def test_failure_does_not_raise_polling(open_page, server, shoot):
    """FC-6: after three tries each, nothing is asked again until a person taps."""
    page = open_page()
    page.watch.expect("/v1/wallet")
    asked = []

    def fail(route):
        asked.append(route.request.url)
        answer(route, "unavailable", 503, {"Retry-After": "1"})

    person = server.sign_in()
    page.route(WALLET, fail)
    page.route(STATEMENT, fail)
    page.clock.install()
    page.goto(f"/wallet?campaign={CAMPAIGN}#jwt={person.jwt}")
    for _ in range(100):
        if page.locator("#wallet-problem").is_visible() and len(asked) == 6:
            break
        page.clock.run_for(200)
        settle(page)
    expect(page.locator("#wallet-problem")).to_contain_text("服务暂时不可用")
    shoot(page, "unavailable")
    expect(page.locator("#balance")).to_have_text("—")
    expect(page.get_by_role("button", name=re.compile("重试"))).to_have_count(1)
    assert len(asked) == 6
    page.clock.run_for(120_000)
    assert len(asked) == 6
    page.unroute(WALLET)
    page.unroute(STATEMENT)
    page.locator("#wallet-problem").get_by_role("button", name="重试").click()
    expect(page.locator("#balance")).to_have_text("¥0.00")
    expect(page.locator("#wallet-problem")).to_be_hidden()
    expect(page.locator("#entries-problem")).to_be_hidden()


def test_a_retry_is_for_the_person_now_signed_in(open_page, server):
    """Whoever signed in here before has no listener left on the buttons."""
    first, second = server.sign_in(), server.sign_in().grant([100])
    page = open_page()
    page.watch.expect("/v1/wallet")
    open_wallet(page, first)
    page.get_by_role("button", name="退出").click()
    expect(page.get_by_role("button", name="登录")).to_be_visible()
    page.route(WALLET, lambda route: answer(route, "internal", 500))
    page.evaluate("jwt => { location.hash = 'jwt=' + jwt }", second.jwt)
    retry = page.locator("#wallet-problem").get_by_role("button", name="重试")
    expect(retry).to_be_visible()
    page.unroute(WALLET)
    bearers = []
    page.on("request", lambda request: "/v1/wallet" in request.url and bearers.append(request.headers["authorization"]))
    retry.click()
    expect(page.locator("#balance")).to_have_text("¥1.00")
    expect(lines(page)).to_have_count(1)
    assert set(bearers) == {f"Bearer {second.jwt}"} and len(bearers) == 2


# ---- Grant tokens that the client keeps


def kept_tokens(page, person):
    return page.evaluate(
        "key => (JSON.parse(localStorage.getItem(key)) ?? []).map(entry => entry.token)",
        f"hongbao.tokens.{CAMPAIGN}.{person.id}")


def test_keeps_tokens_and_sends_them_along(open_page, server):
    person = server.sign_in().grant([321])
    token = person.granted[0][1]
    page = open_page()
    with page.expect_request(lambda request: request.method == "POST" and "/v1/wallet?" in request.url) as request:
        page.goto(f"/wallet?campaign={CAMPAIGN}#jwt={person.jwt}&token={token}")
    assert request.value.post_data_json == {"tokens": [token]}
    expect(page.locator("#balance")).to_have_text("¥3.21")
    expect(page.locator("#income")).to_have_text("¥3.21")
    expect(lines(page)).to_have_count(1)
    assert kept_tokens(page, person) == [token]
    assert "#" not in page.url


def test_tokens_of_somebody_else_are_dropped(open_page, server):
    """TK-9 as the client sees it: the real server refuses, the page shows the wallet all the same."""
    theirs = server.sign_in().grant([777]).granted[0][1]
    person = server.sign_in().grant([5])
    page = open_page()
    page.watch.expect("/v1/wallet?")
    page.goto(f"/wallet?campaign={CAMPAIGN}#jwt={person.jwt}&token={theirs}")
    expect(page.locator("#balance")).to_have_text("¥0.05")
    expect(lines(page)).to_have_count(1)
    assert kept_tokens(page, person) == []


@pytest.mark.parametrize("form", ["named", "unnamed", "listed"])
def test_refused_tokens_are_dropped_and_good_ones_kept(open_page, server, form):
    person = server.sign_in()
    page = open_page()
    page.watch.expect("/v1/wallet?")

    def refuse(route):
        if route.request.method == "GET":
            return route.continue_()
        tokens = route.request.post_data_json["tokens"]
        body = {**person.wallet()}
        if "bad" not in tokens:
            return route.fulfill(json=body)
        place = tokens.index("bad")
        if form == "listed":
            return route.fulfill(json={**body, "refused": [{"index": place, "error": {"code": "token_invalid"}}]})
        answer(route, "token_invalid", 422, **({"param": f"tokens[{place}]"} if form == "named" else {}))

    page.route(WALLET, refuse)
    page.goto(f"/wallet?campaign={CAMPAIGN}#jwt={person.jwt}&token=good1&token=good2")
    expect(page.locator("#wallet")).to_have_attribute("data-loaded", "true")
    page.goto(f"/wallet?campaign={CAMPAIGN}#token=bad")
    page.wait_for_function(
        "key => !localStorage.getItem(key).includes('bad') && localStorage.getItem(key).includes('good')",
        arg=f"hongbao.tokens.{CAMPAIGN}.{person.id}")
    expect(page.locator("#balance")).to_have_text("¥0.00")
    assert kept_tokens(page, person) == ["good2", "good1"]


def test_keeps_two_hundred_tokens_at_most(open_page, server):
    person = server.sign_in()
    page = open_wallet(open_page(), person)
    page.evaluate(
        """async () => { const { keepToken } = await import('/assets/session.js');
          for (let n = 0; n < 230; n += 1) keepToken('t' + n); keepToken('t229'); keepToken('<no token>'); }""")
    kept = kept_tokens(page, person)
    assert len(kept) == 200 and kept[0] == "t229" and kept[-1] == "t30"
