"""Amounts, read and written by the page in a real browser."""

import pytest


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
