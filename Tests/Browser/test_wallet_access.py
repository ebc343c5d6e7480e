"""The wallet page for everybody: keyboard, names, room, contrast, motion (WL-5)."""

import base64
import re

import pytest
from playwright.sync_api import expect
from wallet_page import PAYOUT_MS, WALLET, assert_no_sideways_scroll, changed, lines, open_wallet

TARGET_PX = 44
CONTRAST_MIN = 4.5


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
