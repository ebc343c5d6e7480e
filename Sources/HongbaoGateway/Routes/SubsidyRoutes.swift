import HTTPTypes
import HongbaoCore
import HongbaoEngine
import Hummingbird

/// What the person who asks can send red packets with (SU-2, SU-3). Asking posts none of them.
struct SubsidyRoutes: Sendable {
    let services: GatewayServices

    var routes: [Route] {
        [
            Route(.get, "/v1/subsidies", isCutOff: false, about: .callersWallet, .person(list)),
            Route(.post, "/v1/subsidies", body: .json, isCutOff: false, about: .callersWallet, .person(list)),
        ]
    }

    private func list(_ call: Call, _ caller: PersonCaller) async throws(Problem) -> Response {
        let (reading, hasTokens) = try await services.reading(call, caller)
        return .json(capacity: 128 + reading.subsidies.count * 160) { json in
            json.object { json in
                json.write(subsidiesOf: reading)
                json.write(missing: reading.missing.filter { $0 != .coupons && $0 != .pendants })
                if hasTokens { json.write(refusedOf: reading) }
            }
        }
    }
}

extension JSONWriter {
    /// The newest first.
    mutating func write(subsidiesOf reading: WalletReading) {
        key("subsidies")
        array { json in
            for subsidy in reading.subsidies {
                json.object { json in
                    json.key("order")
                    json.value(ascii: OrderText.bytes(subsidy.order))
                    json.field("title", reading.phase.scene(subsidy.order.scene)?.billTitle ?? "补贴")
                    json.field("amount", subsidy.amount.fen)
                    json.field("at", subsidy.at.milliseconds)
                    json.field("state", subsidy.isUsed ? "used" : "available")
                    json.field("campaign", reading.campaign.key)
                }
            }
        }
    }
}
