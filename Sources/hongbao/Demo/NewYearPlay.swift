import Foundation
import HongbaoProto
import HongbaoServer

/// New Year's Eve in a minute: every play of the campaign, every kind of reward. Guests earn in one app, and see and
/// use what they got in another of the same account family (CF-8, CF-9, ID-1).
struct NewYearPlay: Sendable {
    let api: DemoClient
    let campaign: String
    /// Is told of the amount of each grant of money.
    let granted: @Sendable (Int64) -> Void
    let say: @Sendable (String) -> Void

    /// A scene, what its orders are, and what comes of it.
    private struct Turn: Sendable {
        let play: String
        let scene: String
        let awardType: UInt32
        let kind: String
        /// In fen, of money.
        var amount: Int64?
    }

    private static let turns = [
        Turn(play: "集卡", scene: "card-draw-ads", awardType: 1, kind: "commercialAds"),
        Turn(play: "集卡", scene: "card-draw-tea", awardType: 2, kind: "tea"),
        Turn(play: "集卡", scene: "card-draw-film", awardType: 3, kind: "film"),
        Turn(play: "集卡", scene: "card-koi", awardType: 4, kind: "cash", amount: 66_666),
        Turn(play: "集卡", scene: "card-draw-final", awardType: 1, kind: "cash", amount: 1_888),
        Turn(play: "集卡", scene: "card-final-shop", awardType: 2, kind: "ecommerce"),
        Turn(play: "红包雨", scene: "rain-subsidy", awardType: 3, kind: "subsidy", amount: 666),
        Turn(play: "红包雨", scene: "rain-payment", awardType: 4, kind: "payment"),
        Turn(play: "朋友页", scene: "friend-rain", awardType: 1, kind: "cash", amount: 520),
        Turn(play: "朋友页", scene: "friend-rain-finance", awardType: 2, kind: "consumerFinance"),
        Turn(play: "朋友页", scene: "friend-rain-credit-card", awardType: 3, kind: "creditCard"),
        Turn(play: "烟火", scene: "fireworks-cash", awardType: 1, kind: "cash", amount: 888),
        Turn(play: "烟火", scene: "fireworks-insurance", awardType: 2, kind: "insurance"),
        Turn(play: "烟火", scene: "fireworks-dou-plus", awardType: 3, kind: "douPlus"),
        Turn(play: "烟火", scene: "fireworks-museum", awardType: 4, kind: "culturalGoods"),
        Turn(play: "烟火", scene: "fireworks-pendant", awardType: 5, kind: "pendant"),
    ]
    /// In cash, of one guest.
    private static let cash = turns.reduce(0) { $0 + ($1.kind == "cash" ? $1.amount ?? 0 : 0) }
    /// Many, so that draws give all there is to draw.
    private static let guests = 40

    private struct Guest: Sendable {
        let person: UInt64
        let app: String
        /// To look with from another app.
        let otherApp: String
        let otherJWT: String
    }

    /// - Returns: whether everything that was checked holds.
    func play() async throws -> Bool {
        let apps = try await api.apps()
        guard let app = apps.first, let otherApp = apps.dropFirst().first else { return true }
        let guests = try await concurrently(Self.guests, width: 16) { index in
            let (person, _) = try await api.logIn(app: app, user: "guest-\(index)")
            let (same, jwt) = try await api.logIn(app: otherApp, user: "guest-\(index)")
            guard same == person else { throw StartFault("one user of two apps of a family is two people") }
            return Guest(person: person, app: app, otherApp: otherApp, otherJWT: jwt)
        }
        var kinds: [String: (granted: Int, used: Int)] = [:]
        var blessings = 0
        for turn in Self.turns {
            let results = try await grant(turn, guests)
            blessings += results.count { $0.fallback == "blessing" }
            kinds[turn.kind, default: (0, 0)].granted += results.count { $0.fallback != "blessing" }
        }
        let used = try await concurrently(guests.count, width: 8) { index in try await use(guests[index], index) }
        for kind in used.flatMap({ $0 }) { kinds[kind, default: (0, 0)].used += 1 }
        let granted = kinds.values.reduce(0) { $0 + $1.granted }
        say("evening  \(granted) rewards and \(blessings) blessings in \(Self.turns.count) scenes of four plays")
        for (kind, count) in kinds.sorted(by: { $0.key < $1.key }) {
            let name = kind.padding(toLength: 16, withPad: " ", startingAt: 0)
            say("         \(name) \(count.granted) granted in \(guests[0].app), \(count.used) used in \(otherApp)")
        }
        // Cash is counted by grants and used by one withdrawal, a subsidy by one packet, each coupon for itself.
        let areAllUsed = kinds.allSatisfy { kind, count in
            kind == "cash" || kind == "subsidy" ? count.used == guests.count : count.used == count.granted
        }
        let isComplete = kinds.count == 13 && kinds.values.allSatisfy { $0.granted > 0 }
        if !isComplete { say("evening  \(kinds.count) of 13 kinds were granted") }
        if !areAllUsed { say("evening  not all that was granted could be used") }
        return isComplete && areAllUsed
    }

    private func grant(_ turn: Turn, _ guests: [Guest]) async throws -> [WireGrantResult] {
        var batch = WireGrantBatch()
        batch.grants = guests.map { guest in
            var request = WireGrantRequest()
            request.campaign = campaign
            request.scene = turn.scene
            request.rain = 1
            request.awardType = turn.awardType
            request.stage = 0
            request.person = guest.person
            request.app = guest.app
            if let amount = turn.amount { request.amount = amount }
            return request
        }
        let results = try await api.grant(batch).results
        for result in results where result.hasError {
            throw StartFault("\(turn.scene): \(result.error.code)")
        }
        if let amount = turn.amount { for _ in results { granted(amount) } }
        return results
    }

    /// Uses all that a guest has, from the other app: coupons and pendants, the subsidy for a red packet, the cash by a
    /// withdrawal. Answers the kinds, one entry for each thing that was used.
    private func use(_ guest: Guest, _ index: Int) async throws -> [String] {
        let jwt = guest.otherJWT
        var used: [String] = []
        for reward in try await api.rewards(jwt) {
            guard reward.app == guest.app else { throw StartFault("a coupon was earned in \(reward.app)") }
            try await api.use(jwt, reward.id)
            used.append(reward.kind)
        }
        let left = try await api.rewards(jwt).count { $0.state != "used" }
        guard left == 0 else { throw StartFault("\(left) coupons were used and aren't called so") }
        if let subsidy = try await api.subsidies(jwt).first {
            _ = try await api.send(
                jwt,
                """
                "id":"evening","kind":"b2c","count":1,"split":"equal","scope":"everyone","subsidy":"\(subsidy.order)"
                """
            )
            used.append("subsidy")
        }
        let balance = try await api.wallet(jwt).balance
        guard balance == Self.cash else { throw StartFault("a guest has \(balance) fen of \(Self.cash)") }
        try await api.withdraw(jwt, id: "evening-\(index)", amount: balance)
        guard try await api.wallet(jwt).balance == 0 else { throw StartFault("a guest's cash isn't withdrawn") }
        used.append("cash")
        return used
    }
}
