import HTTPTypes
import HongbaoCore
import HongbaoEngine
import Hummingbird

/// The coupons, pendants and subsidies of the person who asks, and using one (WL-1, ID-1).
struct RewardRoutes: Sendable {
    let services: GatewayServices

    var routes: [Route] {
        [
            Route(.get, "/v1/wallet/rewards", isCutOff: false, about: .callersWallet, .person(list)),
            Route(.post, "/v1/wallet/rewards/{id}/use", .person(use)),
        ]
    }

    private func list(_ call: Call, _ caller: PersonCaller) async throws(Problem) -> Response {
        let query = try Query(call.head, allowed: ["campaign", "kind"])
        let campaign = try query.requiredName("campaign")
        let kind = try query.name("kind").map { name throws(Problem) in
            guard let kind = RewardKind(rawValue: name), kind != .cash else {
                throw Problem(.malformed, param: "kind", detail: "There is no such kind of reward.")
            }
            return kind
        }
        let reading = try await services.reading(of: caller.person, campaign)
        let rewards = reading.rewards.filter { kind == nil || $0.kind == kind }
        return .json(capacity: 128 + rewards.count * 240) { json in
            json.object { json in
                json.key("rewards")
                json.write(rewards, of: reading)
                if kind == nil || kind == .subsidy { json.write(subsidiesOf: reading) }
                json.write(missing: reading)
            }
        }
    }

    private func use(_ call: Call, _ caller: PersonCaller) async throws(Problem) -> Response {
        // Another person's isn't even there for whoever asks.
        guard let order = OrderNumber(String(call.captures[0])),
            services.identities.person(order.person) == caller.person
        else {
            throw Problem(.notFound)
        }
        let outcome: RedeemOutcome
        do throws(StoreError) {
            outcome = try await services.redeem(order)
        } catch {
            throw Problem(error)
        }
        let (reward, isReplay): (GivenReward, Bool)
        switch outcome {
        case .redeemed(let redeemed): (reward, isReplay) = (redeemed, false)
        case .alreadyRedeemed(let redeemed): (reward, isReplay) = (redeemed, true)
        case .notGivenYet: throw Problem(.tryAgain, detail: "It is on its way: try again soon.")
        case .refused: throw Problem(.rewardRefused)
        case .notFound: throw Problem(.notFound)
        }
        return .json { json in
            json.object { json in
                json.key("id")
                json.value(ascii: OrderText.bytes(reward.id))
                json.field("state", ShownReward.State.used.rawValue)
                if let at = reward.redeemedAt { json.field("usedAt", at.milliseconds) }
                json.field("replayed", isReplay)
            }
        }
    }
}

extension JSONWriter {
    /// The newest first.
    mutating func write(_ rewards: [ShownReward], of reading: WalletReading) {
        array { json in
            for reward in rewards {
                json.object { json in
                    json.key("id")
                    json.value(ascii: OrderText.bytes(reward.order))
                    json.field("kind", reward.kind.rawValue)
                    json.field("rewardID", reward.rewardID)
                    json.field("title", reading.phase.scene(reward.order.scene)?.billTitle ?? reward.rewardID)
                    json.field("at", reward.at.milliseconds)
                    if let app = reading.campaign.app(reward.app) {
                        json.field("app", app.key)
                        json.field("appName", app.name)
                    }
                    json.field("state", reward.state.rawValue)
                    if let usedAt = reward.usedAt { json.field("usedAt", usedAt.milliseconds) }
                }
            }
        }
    }
}
