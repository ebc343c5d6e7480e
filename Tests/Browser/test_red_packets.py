"""The pages of red packets in a real browser: cover, open, result, details, the check, and sending (RP-2, RP-3, RP-7)."""

import pytest
from packet_page import Packet, open_packet
from playwright.sync_api import expect
from test_wallet_access import assert_contrast, small_targets, unnamed_controls
from wallet_page import answer, assert_no_sideways_scroll, yuan

OPEN = "拆红包"


def opened(open_page, server, window="phone", **fields):
    person = server.sign_in()
    page = open_page(window)
    packet = Packet(person.id, **fields).play(page)
    return page, packet, person


def test_opens_a_red_packet_and_checks_it(open_page, server, window, shoot):
    page, packet, person = opened(open_page, server, window)
    open_packet(page, packet, person)
    expect(page.get_by_role("heading", name="恭喜发财")).to_be_visible()
    expect(page.locator("#sender")).to_have_text("ID …6895 的红包")
    assert_no_sideways_scroll(page)
    shoot(page, f"packet-cover-{window}")
    page.get_by_role("button", name=OPEN).click()
    expect(page.locator("#mine-amount")).to_have_text(yuan(packet.shares[9]))
    expect(page.locator("#mine-where")).to_have_text("已存入活动钱包，可以提现")
    expect(page.locator("#shares")).to_have_text("已领 10 个，共 10 个")
    expect(page.locator("#result-title")).to_be_focused()
    # Page by page, everybody once, the luckiest marked.
    rows = page.locator("#luck .entry")
    expect(rows).to_have_count(4)
    for count in (8, 10):
        page.get_by_role("button", name="加载更多").click()
        expect(rows).to_have_count(count)
    expect(page.get_by_role("button", name="加载更多")).to_be_hidden()
    shown = [int(row.get_attribute("data-amount")) for row in rows.all()]
    assert shown == packet.shares
    best = page.locator("#luck .is-best")
    expect(best).to_have_count(1)
    expect(best).to_contain_text("手气最佳")
    assert int(best.get_attribute("data-amount")) == max(packet.shares)
    page.get_by_role("button", name="在这台设备上验证").click()
    expect(page.locator("#verdict")).to_have_text("验证通过：10 份都和发出时的承诺一致")
    assert_no_sideways_scroll(page)
    assert unnamed_controls(page) == []
    shoot(page, f"packet-result-{window}")


@pytest.mark.parametrize("count, amount", [(1, 1), (2, 2), (20, 30), (21, 10_000), (40, 52), (130, 130_000)])
def test_checks_small_and_large_packets(open_page, server, count, amount):
    page, packet, person = opened(open_page, server, count=count, amount=amount, claimed=count)
    open_packet(page, packet, person)
    page.get_by_role("button", name="看看大家的手气").click()
    page.get_by_role("button", name="在这台设备上验证").click()
    expect(page.locator("#verdict")).to_have_attribute("data-state", "holds")
    expect(page.locator("#verdict")).to_contain_text(f"{count} 份")


def test_tells_when_a_share_was_changed(open_page, server):
    page, packet, person = opened(open_page, server, claimed=10)
    packet.lie = {3: packet.shares[3] + 1}
    open_packet(page, packet, person)
    page.get_by_role("button", name="看看大家的手气").click()
    page.get_by_role("button", name="在这台设备上验证").click()
    expect(page.locator("#verdict")).to_have_text("验证不通过：有 1 份和种子不一致，第一处是第 4 个")


def test_tells_when_the_commitment_was_changed(open_page, server):
    """What the page was told first is what it holds the server to."""
    page, packet, person = opened(open_page, server, claimed=9)
    honest, packet.commitment = packet.commitment, "00" * 32
    open_packet(page, packet, person)
    expect(page.get_by_role("button", name=OPEN)).to_be_visible()
    packet.commitment = honest
    page.get_by_role("button", name=OPEN).click()
    page.get_by_role("button", name="在这台设备上验证").click()
    expect(page.locator("#verdict")).to_have_text("验证不通过：种子和发出时的承诺不一致")


def test_waits_in_line_and_gets_its_share(open_page, server):
    page, packet, person = opened(open_page, server, claimed=5)
    page.watch.expect("429")
    packet.crowds = 2
    open_packet(page, packet, person)
    page.get_by_role("button", name=OPEN).click()
    expect(page.locator("#cover-hint")).to_contain_text("第 1 次，最多 10 次")
    expect(page.locator("#mine-amount")).to_have_text(yuan(packet.shares[5]))
    expect(page.locator("#shares")).to_have_text("已领 6 个，还剩 4 个")
    # Nothing can be checked while shares are left: the seed is a secret.
    expect(page.locator("#check")).to_be_hidden()
    assert packet.claims_asked == 3


def test_asks_ten_times_more_and_then_leaves_it_to_the_person(open_page, server):
    page, packet, person = opened(open_page, server)
    page.watch.expect("429")
    packet.crowds = 11
    open_packet(page, packet, person)
    page.get_by_role("button", name=OPEN).click()
    expect(page.get_by_role("alert")).to_contain_text("抢的人太多了")
    assert packet.claims_asked == 11
    page.get_by_role("button", name="重试").click()
    expect(page.locator("#mine-amount")).to_be_visible()


@pytest.mark.parametrize("code, status, chinese, english", [
    ("not_paid", 409, "红包还没有发出来，请稍后再来", "It isn't out yet. Please come back later"),
    ("out_of_scope", 403, "这个红包是发给别人的，你不能领", "This one is meant for others, you can't claim it"),
    ("exhausted", 409, "手慢了，红包派完了", "Too late: all shares are taken"),
    ("expired", 409, "红包已过期，没领的钱已退回", "It has expired. What was left has gone back"),
    ("not_found", 404, "没有找到这个红包", "There is no such red envelope"),
    ("unavailable", 503, "暂时拆不开，红包还在，请稍后再试",
     "It can't be opened right now. Nothing is lost, please try again later"),
])
def test_says_kindly_why_not(open_page, server, code, status, chinese, english):
    for query, button, sentence in (("", OPEN, chinese), ("?lang=en", "Open the red envelope", english)):
        page, packet, person = opened(open_page, server)
        page.watch.expect(str(status))
        packet.refusal = (code, status)
        open_packet(page, packet, person, query)
        page.get_by_role("button", name=button).click()
        expect(page.locator("#cover")).to_contain_text(sentence)
        if code in ("exhausted", "expired"):
            page.locator("#peek").click()
            expect(page.locator("#luck .entry")).to_have_count(4)


@pytest.mark.parametrize("state, sentence", [
    ("finished", "手慢了，红包派完了"), ("expired", "红包已过期，没领的钱已退回"), ("refunded", "红包已过期，没领的钱已退回"),
    ("cancelled", "没有付款，这个红包已取消"), ("awaiting_payment", "红包还没有发出来，请稍后再来"),
])
def test_a_packet_that_cannot_be_opened_says_so_at_once(open_page, server, state, sentence):
    page, packet, person = opened(open_page, server)
    packet.state = state
    open_packet(page, packet, person)
    expect(page.locator("#cover-hint")).to_have_text(sentence)
    expect(page.get_by_role("button", name=OPEN)).to_be_hidden()


def test_who_has_claimed_sees_the_result_at_once(open_page, server):
    person = server.sign_in()
    page = open_page()
    packet = Packet(person.id, kind="c2c").play(page)
    packet.persons[2] = person.id
    open_packet(page, packet, person)
    expect(page.locator("#mine-amount")).to_have_text(yuan(packet.shares[2]))
    expect(page.locator("#mine-where")).to_have_text("会自动存入你的零钱")
    expect(page.get_by_role("link", name="去提现")).to_be_hidden()
    expect(page.locator("#luck .is-mine")).to_contain_text("我")


def test_signs_in_and_comes_back(open_page, server):
    page = open_page()
    packet = Packet("0").play(page)
    page.goto(packet.path)
    expect(page.locator("#cover-hint")).to_have_text("登录后就可以拆红包")
    page.get_by_role("link", name="登录").click()
    page.locator(".app").first.click()
    page.get_by_label("用户名").fill("browser-packets")
    page.get_by_role("button", name="登录").click()
    page.wait_for_url(f"**{packet.path}")
    expect(page.get_by_role("button", name=OPEN)).to_be_visible()


def test_an_expired_sign_in_asks_for_a_new_one(open_page, server):
    page, packet, person = opened(open_page, server)
    page.watch.expect("401")
    page.route("**/v1/red-packets/7", lambda route: answer(route, "unauthorized", 401))
    open_packet(page, packet, person)
    expect(page.locator("#cover-hint")).to_have_text("登录已过期，请重新登录。")
    expect(page.get_by_role("link", name="登录")).to_be_visible()


def test_the_server_knows_no_such_packet(open_page, server):
    """Without made-up answers."""
    page = open_page()
    page.watch.expect("404")
    person = server.sign_in()
    for path in ("/red-packets/12345", "/red-packets/x"):
        page.goto(f"{path}#jwt={person.jwt}")
        expect(page.locator("#cover-hint")).to_have_text("没有找到这个红包")


# ---- For everybody


def test_opens_by_keyboard_alone(open_page, server, window):
    page, packet, person = opened(open_page, server, window)
    open_packet(page, packet, person)
    expect(page.get_by_role("button", name=OPEN)).to_be_visible()
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "open":
            break
    page.keyboard.press("Enter")
    expect(page.locator("#result-title")).to_be_focused()


def test_every_control_has_a_name_and_room_for_a_finger(open_page, server, window):
    page, packet, person = opened(open_page, server, window, claimed=10)
    open_packet(page, packet, person)
    expect(page.get_by_role("button", name="看看大家的手气")).to_be_visible()
    assert unnamed_controls(page) == [] and small_targets(page) == []
    page.get_by_role("button", name="看看大家的手气").click()
    expect(page.locator("#luck .entry")).to_have_count(4)
    assert unnamed_controls(page) == [] and small_targets(page) == []
    page.goto("/red-packets/new")
    expect(page.get_by_role("button", name="塞钱进红包")).to_be_visible()
    assert unnamed_controls(page) == [] and small_targets(page) == []


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_nothing_scrolls_sideways(open_page, server, width):
    greeting = "WishingYouWealthAndLuckInEveryYearToCome" * 2
    page, packet, person = opened(open_page, server, (width, 700, 1), greeting=greeting)
    open_packet(page, packet, person)
    expect(page.get_by_role("button", name=OPEN)).to_be_visible()
    assert_no_sideways_scroll(page)
    page.get_by_role("button", name=OPEN).click()
    expect(page.locator("#luck .entry")).to_have_count(4)
    assert_no_sideways_scroll(page)
    page.goto("/red-packets/new")
    expect(page.get_by_role("button", name="塞钱进红包")).to_be_visible()
    assert_no_sideways_scroll(page)


def test_text_has_contrast(open_page, server):
    page, packet, person = opened(open_page, server, (390, 844, 1), claimed=9)
    open_packet(page, packet, person)
    expect(page.get_by_role("button", name=OPEN)).to_be_visible()
    assert_contrast(page, ["#sender", "#packet-title", "#facts", "#cover-hint", "#open"])
    page.get_by_role("button", name=OPEN).click()
    page.get_by_role("button", name="在这台设备上验证").click()
    expect(page.locator("#verdict")).to_have_attribute("data-state", "holds")
    assert_contrast(page, ["#result-greeting", "#mine-amount", "#mine-where", "#shares", ".entry-title", ".entry-when",
                           "#check-title", "#check-run", "#verdict", "summary"])


def test_motion_can_be_switched_off(open_page, server):
    person = server.sign_in()
    page = open_page(reduced_motion="reduce")
    packet = Packet(person.id).play(page)
    packet.crowds = 1
    page.watch.expect("429")
    open_packet(page, packet, person)
    page.get_by_role("button", name=OPEN).click()
    expect(page.locator("#cover")).to_have_attribute("data-state", "opening")
    assert page.evaluate("document.getAnimations().length") == 0
    expect(page.locator("#mine-amount")).to_be_visible()


# ---- Sending


def send_page(open_page, server, window="phone", **fields):
    page, packet, person = opened(open_page, server, window, claimed=0, **fields)
    page.goto(f"/red-packets/new#jwt={person.jwt}")
    expect(page.get_by_role("button", name="塞钱进红包")).to_be_visible()
    return page, packet, person


def test_sends_a_paid_packet(open_page, server, window, shoot):
    page, packet, person = send_page(open_page, server, window, kind="c2c")
    packet.fields["sender"] = person.id
    packet.state = "awaiting_payment"
    page.context.route("https://cashier.example/**", lambda route: route.fulfill(body="cashier"))
    page.get_by_label("总金额（元）").fill("10")
    page.get_by_label("红包个数").fill("10")
    page.get_by_label("粉丝").check()
    page.get_by_label("祝福语").fill("新年好")
    shoot(page, f"packet-send-{window}")
    page.get_by_role("button", name="塞钱进红包").click()
    expect(page.get_by_role("heading", name="还差一步：付款")).to_be_focused()
    assert len(packet.sent) == 1
    request = packet.sent[0]
    assert request.pop("id").startswith("p-")
    assert request == {"kind": "c2c", "split": "lucky", "scope": "followers", "amount": 1_000, "count": 10,
                       "greeting": "新年好"}
    with page.context.expect_page() as cashier:
        page.get_by_role("link", name="去付款").click()
    assert cashier.value.url == packet.cashier
    # This tab waits, and goes on when the payment has arrived.
    expect(page.locator("#cover-hint")).to_have_text("付款后红包就会发出去")
    expect(page.get_by_role("link", name="去付款")).to_have_attribute("href", packet.cashier)
    packet.state = None
    expect(page.get_by_role("button", name=OPEN)).to_be_visible(timeout=15_000)


def test_a_repeated_send_is_the_same_packet(open_page, server):
    page, packet, person = send_page(open_page, server, kind="c2c")
    page.watch.expect("503", "failed:", "ERR_FAILED")
    asked = []

    def lose(route):
        asked.append(route.request.post_data_json)
        if len(asked) <= 2:
            return answer(route, "payment_unavailable", 503, {"Retry-After": "1"})
        packet.send(route)

    page.route("**/v1/red-packets", lose)
    page.get_by_label("总金额（元）").fill("0.02")
    page.get_by_label("红包个数").fill("2")
    page.get_by_role("button", name="塞钱进红包").click()
    expect(page.get_by_role("alert").filter(has_text="收银台")).to_be_visible()
    page.get_by_role("button", name="塞钱进红包").click()
    expect(page.get_by_role("heading", name="红包已发出")).to_be_visible()
    assert len(asked) == 3 and all(request == asked[0] for request in asked)


def test_sends_a_packet_with_a_subsidy(open_page, server):
    page, packet, person = send_page(open_page, server)
    subsidies = [{"order": "9_1_1_1_0", "amount": 500, "state": "used", "campaign": "c"},
                 {"order": "9_1_2_1_0", "amount": 600, "state": "available", "campaign": "c", "token": "AQ"},
                 {"order": "9_1_3_1_0", "amount": 700, "state": "available", "campaign": "c", "title": "红包雨补贴"}]
    page.route("**/v1/subsidies?*", lambda route: route.fulfill(
        json={"subsidies": subsidies, "complete": False, "missing": ["tokens"]}))
    page.get_by_label("用活动补贴").check()
    expect(page.locator("#subsidies .app")).to_have_text(["红包补贴 ¥6.00", "红包雨补贴 ¥7.00"])
    expect(page.locator("#subsidies-note")).to_have_text("有些补贴暂时看不到，看得到的都能用")
    expect(page.get_by_label("总金额（元）")).to_be_hidden()
    page.get_by_label("红包个数").fill("601")
    page.get_by_role("button", name="发出红包").click()
    expect(page.locator("#send-error")).to_have_text("每个红包至少 0.01 元")
    page.get_by_label("红包个数").fill("6")
    page.get_by_label("每人一样多").check()
    page.get_by_role("button", name="发出红包").click()
    expect(page.get_by_role("heading", name="红包已发出")).to_be_focused()
    request = packet.sent[0]
    assert request.pop("id").startswith("p-")
    assert request == {"kind": "b2c", "split": "equal", "scope": "everyone", "subsidy": "9_1_2_1_0", "token": "AQ",
                       "count": 6}
    expect(page.locator("#sent-address")).to_contain_text("/red-packets/7")
    page.get_by_role("link", name="看看这个红包").click()
    page.wait_for_url("**/red-packets/7")


@pytest.mark.parametrize("amount, count, scope, sentence", [
    ("", "1", "所有人", "请输入金额"), ("1.234", "1", "所有人", "最多两位小数"), ("0", "1", "所有人", "至少 0.01 元"),
    ("1", "", "所有人", "请输入红包个数，例如 10"), ("1", "1.5", "所有人", "请输入红包个数，例如 10"),
    ("1", "0", "所有人", "请输入红包个数，例如 10"), ("1000", "100001", "所有人", "最多 100000 个"),
    ("0.09", "10", "所有人", "每个红包至少 0.01 元"), ("1", "1", "指定的人", "请填写 1 到 1000 个用户号"),
])
def test_says_what_is_wrong_with_the_form(open_page, server, amount, count, scope, sentence):
    page, packet, _ = send_page(open_page, server, kind="c2c")
    page.get_by_label("总金额（元）").fill(amount)
    page.get_by_label("红包个数").fill(count)
    page.get_by_label(scope).check()
    page.get_by_role("button", name="塞钱进红包").click()
    expect(page.locator("#send-error")).to_have_text(sentence)
    assert packet.sent == []


@pytest.mark.parametrize("code, status, sentence", [
    ("payment_closed", 409, "现在不能付款发红包，用活动补贴可以"), ("order_conflict", 409, "这个红包刚才已经发过了"),
    ("amount_invalid", 422, "金额不对"), ("not_in_phase", 409, "活动还没有开始或者已经结束"),
])
def test_says_kindly_why_it_was_not_sent(open_page, server, code, status, sentence):
    page, _, _ = send_page(open_page, server, kind="c2c")
    page.watch.expect(str(status))
    page.route("**/v1/red-packets", lambda route: answer(route, code, status))
    page.get_by_label("总金额（元）").fill("1")
    page.get_by_label("红包个数").fill("1")
    page.get_by_role("button", name="塞钱进红包").click()
    expect(page.locator("#send-error")).to_contain_text(sentence)


# ---- Without made-up answers


def test_a_packet_from_the_form_to_three_people(open_page, server, shoot):
    """RP-2, RP-3, RP-10 on the server itself: sent, paid at the cashier, opened by three, and checked by the last."""
    sender, others = server.sign_in(), [server.sign_in(), server.sign_in()]
    page = open_page()
    page.goto(f"/red-packets/new#jwt={sender.jwt}")
    page.get_by_label("总金额（元）").fill("10")
    page.get_by_label("红包个数").fill("3")
    page.get_by_label("祝福语").fill("新年好")
    page.get_by_role("button", name="塞钱进红包").click()
    with page.context.expect_page() as cashier:
        page.get_by_role("link", name="去付款").click()
    cashier.value.get_by_role("button", name="支付").click()
    expect(page.get_by_role("button", name=OPEN)).to_be_visible(timeout=60_000)
    address = page.url.split("#")[0]
    page.get_by_role("button", name=OPEN).click()
    expect(page.locator("#shares")).to_have_text("已领 1 个，还剩 2 个")
    for number, person in enumerate(others):
        page = open_page()
        page.goto(f"{address}#jwt={person.jwt}")
        expect(page.get_by_role("heading", name="新年好")).to_be_visible()
        page.get_by_role("button", name=OPEN).click()
        expect(page.locator("#luck .entry")).to_have_count(2 + number)
    shares = [int(row.get_attribute("data-amount")) for row in page.locator("#luck .entry").all()]
    assert sum(shares) == 1_000 and min(shares) > 0
    expect(page.locator("#luck .is-best")).to_have_count(1)
    page.get_by_role("button", name="在这台设备上验证").click()
    expect(page.locator("#verdict")).to_have_text("验证通过：3 份都和发出时的承诺一致")
    shoot(page, "packet-checked")
