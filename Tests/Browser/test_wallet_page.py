"""The wallet page in a real browser, against a real server (WL-1 to WL-5, WD-1, TK-4, TK-6, FC-6)."""

import base64
import json
import re
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

import pytest
from conftest import CAMPAIGN
from playwright.sync_api import expect

WALLET = "**/v1/wallet?*"
STATEMENT = "**/v1/wallet/statement?*"
WITHDRAWALS = "**/v1/wallet/withdrawals"
WITHDRAWAL = "**/v1/wallet/withdrawals/*"
TARGET_PX = 44
CONTRAST_MIN = 4.5
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


# ---- Money


@pytest.mark.parametrize(
    "typed, read",
    [
        ("0.01", 1),
        ("1", 100),
        ("1.2", 120),
        ("1.20", 120),
        (" 12.34 ", 1234),
        ("0.1", 10),
        ("4.35", 435),  # 434 in binary fractions
        ("1.15", 115),
        ("１２", 1200),  # as Chinese keyboards type
        ("１．５", 150),
        ("1。5", 150),
        ("9999999999999.99", 999_999_999_999_999),
        ("", "empty"),
        ("   ", "empty"),
        ("01", "malformed"),
        ("00.10", "malformed"),
        ("-1", "malformed"),
        ("+1", "malformed"),
        ("1e3", "malformed"),
        ("1.", "malformed"),
        (".5", "malformed"),
        ("1,000", "malformed"),
        ("1 0", "malformed"),
        ("0x10", "malformed"),
        ("NaN", "malformed"),
        ("¥1", "malformed"),
        ("٣", "malformed"),
        ("1.2.3", "malformed"),
        ("1.234", "precision"),
        ("0.001", "precision"),
        ("1.230", "precision"),
        ("0", "zero"),
        ("0.00", "zero"),
        ("10000000000000", "large"),
        ("9" * 400, "large"),
    ],
)
def test_reads_amounts_digit_by_digit(money_page, typed, read):
    result = money_page.evaluate("async (t) => (await import('/assets/money.js')).parseYuan(t)", typed)
    assert result == ({"fen": read} if isinstance(read, int) else {"refusal": read})


@pytest.mark.parametrize(
    "fen, plain, shown, signed",
    [
        (0, "0.00", "¥0.00", "¥0.00"),
        (1, "0.01", "¥0.01", "+¥0.01"),
        (10, "0.10", "¥0.10", "+¥0.10"),
        (435, "4.35", "¥4.35", "+¥4.35"),
        (-435, "4.35", "−¥4.35", "−¥4.35"),
        (99_999, "999.99", "¥999.99", "+¥999.99"),
        (100_000, "1000.00", "¥1,000.00", "+¥1,000.00"),
        (123_456_789, "1234567.89", "¥1,234,567.89", "+¥1,234,567.89"),
        (-100_000_000, "1000000.00", "−¥1,000,000.00", "−¥1,000,000.00"),
        (999_999_999_999_999, "9999999999999.99", "¥9,999,999,999,999.99", "+¥9,999,999,999,999.99"),
        (2**53, None, "—", "—"),  # not exact any more
        (1.5, None, "—", "—"),
        (None, None, "—", "—"),
        ("100", None, "—", "—"),
    ],
)
def test_writes_amounts_digit_by_digit(money_page, fen, plain, shown, signed):
    script = """async (fen) => { const m = await import('/assets/money.js');
      return [m.plainYuan(fen), m.formatFen(fen), m.formatSigned(fen)]; }"""
    assert money_page.evaluate(script, fen) == [plain, shown, signed]


@pytest.fixture(scope="module")
def money_page(browser, server):
    page = browser.new_page(base_url=server.base)
    page.goto("/wallet")
    yield page
    page.close()


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


def test_one_phone_is_one_wallet_in_all_apps(open_page, server):
    phone = "139" + str(int(server.sign_in().id) % 10**8).zfill(8)
    app = server.apps()[0]["id"]
    login = server.call("POST", "/v1/demo/login", {"app": app, "user": f"one-{phone}", "phone": phone})
    page = open_page()
    page.goto("/wallet")
    page.get_by_role("radio").last.check()
    page.get_by_label("用户名").fill(f"other-{phone}")
    page.get_by_label("手机号").fill(phone)
    with page.expect_response("**/v1/demo/login") as response:
        page.get_by_role("button", name="登录").click()
    assert response.value.json()["person"] == login["person"]
    # The page keeps no phone (ID-4).
    expect(page.locator("#balance")).to_be_visible()
    kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.getElementById('who').textContent])")
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


def test_an_unknown_balance_is_not_shown_as_zero(open_page, server):
    page = open_page()
    page.route(WALLET, lambda route: changed(route, complete=False, missing=["ledger", "whatever"], balance=None))
    open_wallet(page, server.sign_in().grant([500]))
    expect(page.locator("#balance")).to_have_text("—")
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
    tried = page.locator("#wallet-problem, #entries-problem").filter(visible=True)
    for _ in range(100):
        if tried.count() == 2:
            break
        page.clock.run_for(200)
        settle(page)
    expect(page.locator("#wallet-problem")).to_contain_text("服务暂时不可用")
    shoot(page, "unavailable")
    assert len(asked) == 6
    page.clock.run_for(120_000)
    assert len(asked) == 6
    page.unroute(WALLET)
    page.unroute(STATEMENT)
    page.locator("#wallet-problem").get_by_role("button", name="重试").click()
    expect(page.locator("#balance")).to_have_text("¥0.00")
    expect(page.locator("#wallet-problem")).to_be_hidden()
    expect(page.locator("#entries-problem")).to_be_hidden()


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


# ---- Withdrawing


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
    expect(page.get_by_role("heading", name="提现成功").or_(page.get_by_role("heading", name="提现处理中"))).to_be_visible()
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


# ---- For everybody


def test_withdraws_by_keyboard_alone(open_page, server, window):
    person = server.sign_in().grant([500])
    page = open_wallet(open_page(window), person)
    expect(lines(page)).to_have_count(1)

    def tab_to(locator):
        for _ in range(30):
            page.keyboard.press("Tab")
            if locator.evaluate("node => node === document.activeElement"):
                return
        raise AssertionError(f"Tab never reaches {locator}")

    tab_to(page.get_by_role("button", name="提现", exact=True))
    page.keyboard.press("Enter")
    expect(page.get_by_label("提现金额（元）")).to_be_focused()
    page.keyboard.type("1.25")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="提现成功")).to_be_focused(timeout=PAYOUT_MS)
    tab_to(page.get_by_role("button", name="完成"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.get_by_role("button", name="提现", exact=True)).to_be_focused()
    expect(page.locator("#balance")).to_have_text("¥3.75")
    # And on to the tabs, the statement's neighbours.
    tab_to(page.get_by_role("tab", name="明细"))
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="卡券")).to_be_focused()


def unnamed_controls(page):
    session = page.context.new_cdp_session(page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    roles = {"button", "link", "textbox", "radio", "tab", "tabpanel", "dialog", "tablist", "heading", "main"}
    controls = [n for n in nodes if not n["ignored"] and n["role"]["value"] in roles]
    assert controls
    return [n["role"]["value"] for n in controls if not n.get("name", {}).get("value", "").strip()]


def small_targets(page):
    return page.evaluate(
        """(min) => [...document.querySelectorAll('button, a[href], input')].filter(node => {
            const box = node.getBoundingClientRect();
            const on = node.checkVisibility({visibilityProperty: true}) && !node.matches('.skip');
            return on && (box.width < min - 0.5 || box.height < min - 0.5);
          }).map(node => node.id || node.textContent)""", TARGET_PX)


def test_every_control_has_a_name_and_room_for_a_finger(open_page, server, window):
    page = open_page(window)
    page.goto("/wallet")
    expect(page.get_by_role("button", name="登录")).to_be_visible()
    assert unnamed_controls(page) == [] and small_targets(page) == []
    open_wallet(page, server.sign_in().grant([100]))
    expect(lines(page)).to_have_count(1)
    assert unnamed_controls(page) == [] and small_targets(page) == []
    page.get_by_role("button", name="提现", exact=True).click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert unnamed_controls(page) == [] and small_targets(page) == []


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_nothing_scrolls_sideways(open_page, server, width):
    person = server.sign_in().grant([100])
    page = open_page((width, 700, 1))
    page.goto("/wallet")
    expect(page.get_by_role("button", name="登录")).to_be_visible()
    assert_no_sideways_scroll(page)
    page.route(WALLET, lambda route: changed(route, balance=999_999_999_999, income=999_999_999_999))
    open_wallet(page, person)
    expect(page.locator("#balance")).to_have_text("¥9,999,999,999.99")
    assert_no_sideways_scroll(page)
    fits = page.eval_on_selector("#balance", "node => node.scrollWidth <= node.clientWidth && node.clientHeight < 100")
    assert fits, "the largest balance has to stay on one line"


def luminance(colour):
    def linear(part):
        part /= 255
        return part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(part) for part in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def pixels(page, locator):
    """The colours of an element as painted, by frequency."""
    page.evaluate("document.fonts.ready")
    shot = locator.screenshot(animations="disabled")
    return page.evaluate(
        """async (data) => {
          const image = new Image();
          image.src = 'data:image/png;base64,' + data;
          await image.decode();
          const canvas = new OffscreenCanvas(image.width, image.height);
          const context = canvas.getContext('2d');
          context.drawImage(image, 0, 0);
          const { data: bytes } = context.getImageData(0, 0, image.width, image.height);
          const colours = [];
          for (let i = 0; i < bytes.length; i += 4) colours.push([bytes[i], bytes[i + 1], bytes[i + 2]]);
          return colours;
        }""", base64.b64encode(shot).decode())


def test_text_has_contrast(open_page, server):
    """WCAG AA on what is really painted: the text's own colour against nearly all of its background."""
    person = server.sign_in().grant([100])
    page = open_page((390, 844, 1))
    page.route(WALLET, lambda route: changed(route, complete=False, missing=["coupons"]))
    open_wallet(page, person)
    person.withdraw(10)
    page.get_by_role("button", name="刷新").click()
    expect(page.locator(".chip").first).to_be_visible()
    seen = [".couplet", ".hero-title", ".balance-label", "#balance", ".income", "#income", "#signout", "#withdraw-open",
            "#missing-text", "#tab-statement", "#tab-coupons", ".day h3", ".entry-title", ".entry-when time", ".chip",
            ".is-in", ".is-out"]
    assert_contrast(page, seen)
    page.get_by_role("button", name="提现", exact=True).click()
    page.locator("#withdraw-submit").click()
    assert_contrast(page, ["#withdraw-title", "#withdraw-available", "#withdraw-all", "#withdraw-error", "#withdraw-submit"])


def assert_contrast(page, selectors):
    for selector in selectors:
        text = page.locator(f"{selector}:visible").first
        colour = [int(part) for part in re.findall(r"\d+", text.evaluate("node => getComputedStyle(node).color"))[:3]]
        ink = luminance(colour)
        # The background is what is at least as far from the ink as the middle: strokes and their soft edges aren't.
        behind = sorted({tuple(pixel) for pixel in pixels(page, text)}, key=luminance, reverse=ink < 0.2)
        paper = luminance(behind[len(behind) // 10])
        ratio = (max(ink, paper) + 0.05) / (min(ink, paper) + 0.05)
        assert ratio >= CONTRAST_MIN, f"{selector}: {ratio:.2f}"


def test_motion_can_be_switched_off(open_page, server):
    page = open_wallet(open_page(reduced_motion="reduce"), server.sign_in())
    page.get_by_role("button", name="提现", exact=True).click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert page.evaluate("document.getAnimations().length") == 0
