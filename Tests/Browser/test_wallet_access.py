"""The wallet page for everybody: keyboard, names, room, contrast, motion (WL-5)."""

import base64
import re

import pytest
from playwright.sync_api import expect
from wallet_page import (
    PAYOUT_MS, USE, WALLET, answer, assert_no_sideways_scroll, cards, changed, choose, coupon, give, lines,
    open_wallet,
)

TARGET_PX = 44
CONTRAST_MIN = 4.5


def tab_to(locator):
    page = locator.page
    for _ in range(30):
        page.keyboard.press("Tab")
        if locator.evaluate("node => node === document.activeElement"):
            return
    raise AssertionError(f"Tab never reaches {locator}")


def test_withdraws_by_keyboard_alone(open_page, server, window):
    person = server.sign_in().grant([500])
    page = open_wallet(open_page(window), person)
    expect(lines(page)).to_have_count(1)

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


def test_uses_a_coupon_by_keyboard_alone(open_page, server, window):
    person = server.sign_in()
    give(person, "card-draw-tea", 2, "tea-half-price", count=2)
    page = open_wallet(open_page(window), person)
    tab_to(page.get_by_role("tab", name="明细"))
    page.keyboard.press("ArrowRight")
    card = cards(page).last
    tab_to(card.get_by_role("button"))
    page.keyboard.press("Enter")
    # The question is read first: whoever keeps Enter down has answered nothing.
    expect(page.get_by_role("heading", name="使用这张卡券？")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    confirm = page.get_by_role("button", name="确认使用")
    tab_to(confirm)
    expect(confirm).to_have_attribute("aria-disabled", "false")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(card.locator(".reward-state")).to_contain_text("已使用")
    expect(card.locator(".reward-state")).to_be_focused()
    expect(cards(page).first.get_by_role("button")).to_be_visible()


def test_more_cards_by_keyboard(open_page, server):
    """Where the window brings no more cards by itself, the button does, and leads on to the first of them."""
    page = open_page()
    page.add_init_script("window.IntersectionObserver = class { observe() {} unobserve() {} disconnect() {} }")
    page.route(WALLET, lambda route: changed(route, coupons=[coupon(n) for n in range(1, 31)]))
    choose(open_wallet(page, server.sign_in()), "卡券")
    more = page.get_by_role("button", name="再显示一些（还有 10 张）")
    more.focus()
    page.keyboard.press("Enter")
    expect(cards(page)).to_have_count(30)
    expect(cards(page).nth(20)).to_be_focused()
    expect(page.locator("#announcer")).to_have_text("已显示 30 张，共 30 张")
    expect(more).to_be_hidden()


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
def test_coupons_fit(open_page, server, width):
    page = open_page((width, 700, 1))
    title = "一张名字特别长的券，用来看看它在很窄的屏幕上会不会把按钮挤出去"
    page.route(WALLET, lambda route: changed(route, coupons=[coupon(n, title=title) for n in (1, 2)]))
    choose(open_wallet(page, server.sign_in()), "卡券")
    expect(cards(page)).to_have_count(2)
    assert_no_sideways_scroll(page)
    for card in cards(page).all():
        outer, inner = card.bounding_box(), card.get_by_role("button").bounding_box()
        assert inner["x"] + inner["width"] <= outer["x"] + outer["width"]


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


ONE_OF_EACH = [coupon(1), coupon(2, state="processing"), coupon(3, state="used", usedAt=1643640000000),
               coupon(4, state="failed")]


def test_coupons_have_names_room_and_contrast(open_page, server, window):
    page = open_page(window)
    page.watch.expect("/use")
    page.route(WALLET, lambda route: changed(route, coupons=ONE_OF_EACH))
    page.route(USE, lambda route: answer(route, "not_found", 404))
    choose(open_wallet(page, server.sign_in()), "卡券")
    expect(cards(page)).to_have_count(4)
    assert unnamed_controls(page) == [] and small_targets(page) == []
    cards(page).first.get_by_role("button").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert unnamed_controls(page) == [] and small_targets(page) == []
    assert_contrast(page, ["#use-title", "#use-what", "#use-kind", "#use-hint", "#use .quiet"])
    page.locator("#use-confirm").click()
    expect(page.locator(".reward-problem:visible")).to_have_count(1)
    assert_contrast(page, [".reward-problem"])
    for state in ("ready", "processing", "used", "failed"):
        card = f'.reward[data-state="{state}"]'
        assert_contrast(page, [f"{card} {part}" for part in (".reward-title", ".reward-kind", ".chip", "time")])
    assert_contrast(page, [".reward .gold"])


def luminance(colour):
    def linear(part):
        part /= 255
        return part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(part) for part in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def pixels(page, locator):
    """The colours of an element as painted, each once."""
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
          const colours = new Set();
          for (let i = 0; i < bytes.length; i += 4) colours.add((bytes[i] << 16) | (bytes[i + 1] << 8) | bytes[i + 2]);
          return [...colours].map((colour) => [colour >> 16, (colour >> 8) & 255, colour & 255]);
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
    names = ("title", "available", "all", "error", "submit")
    assert_contrast(page, [f"#withdraw-{name}" for name in names])


def assert_contrast(page, selectors):
    for selector in selectors:
        text = page.locator(f"{selector}:visible").first
        colour = [int(part) for part in re.findall(r"\d+", text.evaluate("node => getComputedStyle(node).color"))[:3]]
        ink = luminance(colour)
        # The background is what is at least as far from the ink as the middle: strokes and their soft edges aren't.
        behind = sorted(pixels(page, text), key=luminance, reverse=ink < 0.2)
        paper = luminance(behind[len(behind) // 10])
        ratio = (max(ink, paper) + 0.05) / (min(ink, paper) + 0.05)
        assert ratio >= CONTRAST_MIN, f"{selector}: {ratio:.2f}"


def test_motion_can_be_switched_off(open_page, server):
    page = open_wallet(open_page(reduced_motion="reduce"), server.sign_in())
    page.get_by_role("button", name="提现", exact=True).click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert page.evaluate("document.getAnimations().length") == 0
