"""Red packets made up for the page: answers of the API whose shares are computed by Tests/KnownAnswers/split.py."""

import json
import pathlib
import re
import sys
import urllib.parse

from wallet_page import answer

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "KnownAnswers"))
import split  # noqa: E402

SEED = bytes(range(32))
SENDER = "81985529216486895"
AT = 1_643_628_600_000


class Packet:
    """What the API says of one packet. Claims of others are there from the start; `person` claims by the page."""

    def __init__(self, person, amount=1_000, count=10, claimed=9, number=7, page=4, **fields):
        self.person, self.number, self.page = person, number, page
        self.shares = [split.share(SEED, amount, count, position) for position in range(count)]
        self.commitment = split.commitment(number, amount, count, 2, SEED)
        self.fields = {"kind": "b2c", "split": "lucky", "scope": "everyone", "sender": SENDER, "greeting": "恭喜发财",
                       "amount": amount, "count": count, **fields}
        self.persons = [str(1_000 + position) for position in range(claimed)]
        self.state = None
        self.crowds = 0
        self.refusal = None
        self.lie = {}
        self.claims_asked = 0
        self.sent = []
        self.cashier = "https://cashier.example/pay/p_7"

    @property
    def path(self):
        return f"/red-packets/{self.number}"

    @property
    def is_over(self):
        return self.state == "expired" or len(self.persons) == self.fields["count"]

    def play(self, page):
        page.route("**/v1/red-packets", self.send)
        page.route(re.compile(rf"/v1/red-packets/{self.number}$"), self.look)
        page.route(re.compile(rf"/v1/red-packets/{self.number}/claims"), self.claims)
        return self

    def send(self, route):
        self.sent.append(route.request.post_data_json)
        body = {"packet": str(self.number), "state": self.state or "open", "commitment": self.commitment}
        if self.state == "awaiting_payment":
            body["payment"] = {"id": f"p_{self.number}", "url": self.cashier}
        route.fulfill(json=body)

    def look(self, route):
        remaining = self.fields["count"] - len(self.persons)
        state = self.state or ("finished" if self.is_over else "open")
        body = {"packet": str(self.number), "state": state, "remaining": {"count": remaining}, "createdAt": AT,
                "commitment": self.commitment, **self.fields}
        if self.person in self.persons:
            share = self.shares[self.persons.index(self.person)]
            body["mine"] = {"amount": share, "at": AT, "position": 0, "state": "credited"}
        route.fulfill(json=body)

    def claims(self, route):
        if route.request.method == "POST":
            return self.claim(route)
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlparse(route.request.url).query))
        start = int(query.get("cursor", 0))
        end = min(start + min(int(query.get("limit", self.page)), 1_000), len(self.persons))
        best = max(range(len(self.persons)), key=lambda p: (self.shares[p], -p), default=None)
        body = {"claims": [
            {"position": p, "person": self.persons[p], "amount": self.lie.get(p, self.shares[p]), "at": AT + p,
             "luckiest": p == best} for p in range(start, end)]}
        if end < len(self.persons):
            body["next"] = str(end)
        if self.is_over:
            body["reveal"] = {"packet": str(self.number), "amount": self.fields["amount"],
                              "count": self.fields["count"], "split": "lucky", "commitment": self.commitment,
                              "seed": SEED.hex()}
        route.fulfill(json=body)

    def claim(self, route):
        self.claims_asked += 1
        assert json.loads(route.request.post_data) == {}
        if self.claims_asked <= self.crowds:
            return answer(route, "try_again", 429, {"Retry-After": "0"})
        if self.refusal is not None:
            code, status = self.refusal
            return answer(route, code, status, {"Retry-After": "1"} if status == 503 else None)
        self.persons.append(self.person)
        share = self.shares[len(self.persons) - 1]
        left = self.fields["count"] - len(self.persons)
        route.fulfill(json={"amount": share, "sharesLeft": left, "replayed": False})


def open_packet(page, packet, person, query=""):
    page.goto(f"{packet.path}{query}#jwt={person.jwt}")
    return page
