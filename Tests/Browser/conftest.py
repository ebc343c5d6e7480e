"""What the browser tests stand on: a running server, a real browser, and people with money.

The server is any that listens at HONGBAO_URL and takes HONGBAO_SERVICE_KEY; the tests talk to nothing but its public
HTTP API. HONGBAO_CAMPAIGN and HONGBAO_SCENE name what grants are made in. HONGBAO_SCREENSHOTS is a folder for
screenshots; without it none are saved.
"""

import itertools
import json
import os
import pathlib
import secrets
import urllib.error
import urllib.request
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import expect, sync_playwright

CHROMIUM = os.environ.get("HONGBAO_CHROMIUM", "/usr/bin/chromium")
CAMPAIGN = os.environ.get("HONGBAO_CAMPAIGN", "spring-festival-2022")
SCENE = os.environ.get("HONGBAO_SCENE", "rain")
WINDOWS = {"phone": (390, 844, 2), "desktop": (1280, 800, 1)}
BATCH = 64
# Against a page that hangs, not for timing one: where cores are few and shared, three tries of a request with their
# pauses take longer than the library's 5 s.
WAIT_MS = 30_000
expect.set_options(timeout=WAIT_MS)

# Reports each breach of the content security policy to the console, where `Watch` finds it.
REPORT_BREACHES = """addEventListener("securitypolicyviolation", (event) =>
  console.error("CSP breach: " + event.violatedDirective + " " + event.blockedURI));"""


def setting(name):
    value = os.environ.get(name)
    if not value:
        pytest.skip(f"{name} isn't set: there is no server to test")
    return value


class Server:
    """The public HTTP API, as a service and as a person."""

    def __init__(self, base, key):
        self.base = base.rstrip("/")
        self.key = key

    def call(self, method, path, body=None, bearer=None):
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if bearer is not None:
            headers["Authorization"] = f"Bearer {bearer}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read().decode()}") from None

    def apps(self):
        return self.call("GET", "/v1/demo/apps")["apps"]

    def sign_in(self):
        app = self.apps()[0]["id"]
        user = f"browser-{secrets.token_hex(6)}"
        login = self.call("POST", "/v1/demo/login", {"app": app, "user": user})
        return Person(self, app, user, login["person"], login["jwt"])


@dataclass
class Person:
    server: Server
    app: str
    user: str
    id: str
    jwt: str
    granted: list = field(default_factory=list)
    orders: object = None

    @property
    def total(self):
        return sum(amount for amount, _ in self.granted)

    def grant(self, amounts):
        """Grants each amount, in this order, under whatever order numbers the scene's rule takes."""
        if self.orders is None:
            # Rains first: a scene that takes only a few of them leaves award types and stages.
            self.orders = ((r, a, s) for s, a, r in itertools.product(range(1, 9), range(1, 9), range(1, 65)))
        waiting = list(amounts)
        while waiting:
            parts = list(itertools.islice(self.orders, min(BATCH, len(waiting))))
            assert parts, "the scene takes too few order numbers for this test"
            asked = waiting[: len(parts)]
            grants = [
                {"campaign": CAMPAIGN, "scene": SCENE, "rain": rain, "awardType": kind, "stage": stage,
                 "person": self.id, "app": self.app, "amount": amount}
                for (rain, kind, stage), amount in zip(parts, asked)
            ]
            answer = self.server.call("POST", "/v1/grants/batch", {"grants": grants}, bearer=self.server.key)
            refused = []
            for amount, result in zip(asked, answer["results"]):
                if "error" not in result:
                    self.granted.append((amount, result["token"]))
                    continue
                assert result["error"]["code"] == "order_part_invalid", result
                refused.append(amount)
            waiting = refused + waiting[len(parts) :]
        return self

    def wallet(self):
        return self.server.call("GET", f"/v1/wallet?campaign={CAMPAIGN}", bearer=self.jwt)

    def withdraw(self, amount):
        body = {"campaign": CAMPAIGN, "id": f"t-{secrets.token_hex(8)}", "amount": amount}
        return self.server.call("POST", "/v1/wallet/withdrawals", body, bearer=self.jwt)

    def statement(self):
        """All lines, page by page."""
        entries, cursor = [], ""
        while cursor is not None:
            path = f"/v1/wallet/statement?campaign={CAMPAIGN}&limit=50" + (f"&cursor={cursor}" if cursor else "")
            page = self.server.call("GET", path, bearer=self.jwt)
            entries += page["entries"]
            cursor = page.get("next")
        return entries


class Watch:
    """Holds that a page breaks no policy and writes no error; answers that a test provokes are named beforehand."""

    def __init__(self, page):
        self.errors = []
        self.provoked = []
        page.on("console", self.hear)
        page.on("pageerror", lambda error: self.errors.append(f"uncaught: {error}"))
        page.on("requestfailed", self.fail)

    def fail(self, request):
        # Who leaves a page ends what it still asks for.
        if request.failure != "net::ERR_ABORTED":
            self.errors.append(f"failed: {request.url} {request.failure}")

    def hear(self, message):
        if message.type in ("error", "warning"):
            self.errors.append(f"{message.type}: {message.text} {message.location.get('url', '')}")

    def expect(self, *parts):
        self.provoked += parts

    def check(self):
        surprises = [error for error in self.errors if not any(part in error for part in self.provoked)]
        assert surprises == []


@pytest.fixture(scope="session")
def server():
    return Server(setting("HONGBAO_URL"), setting("HONGBAO_SERVICE_KEY"))


@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser, server):
    """Opens pages in contexts of their own, and holds afterwards that none of them had trouble of its own."""
    contexts, watches = [], []

    def open_page(window="phone", **options):
        width, height, scale = WINDOWS.get(window, window)
        options = {"locale": "zh-CN", "timezone_id": "Asia/Shanghai", **options}
        context = browser.new_context(
            base_url=server.base, viewport={"width": width, "height": height}, device_scale_factor=scale, **options
        )
        context.set_default_timeout(WAIT_MS)
        context.add_init_script(REPORT_BREACHES)
        contexts.append(context)
        page = context.new_page()
        page.watch = Watch(page)
        watches.append(page.watch)
        return page

    yield open_page
    for context in contexts:
        context.close()
    for watch in watches:
        watch.check()


@pytest.fixture(params=list(WINDOWS))
def window(request):
    return request.param


@pytest.fixture
def shoot():
    """Saves a screenshot under a name, when a folder is set for them."""
    folder = os.environ.get("HONGBAO_SCREENSHOTS")

    def shoot(page, name):
        if not folder:
            return
        pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=f"{folder}/wallet-{name}.png", animations="disabled")

    return shoot
