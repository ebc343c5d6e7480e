import HTTPTypes
import HongbaoCore
import HongbaoEngine
import HongbaoGateway
import HummingbirdTesting
import Synchronization
import Testing

/// `/v1/callbacks/…` of all systems outside: authentic, once, and under the system's own name (AS-1, M9).
@Suite struct CallbackRouteTests {
    private struct Taken: Hashable, Sendable {
        let system: OutsideSystem
        let order: String
    }

    @Test func eachSystemIsHeardUnderItsName() async throws {
        let taken = Mutex<[Taken]>([])
        var rig = try GatewayRig()
        rig.change = { services in
            services.callback = { system, order in
                guard order.hasSuffix("_\(system.rawValue)") else { return false }
                taken.withLock { $0.append(Taken(system: system, order: order)) }
                return true
            }
        }
        try await rig.run { caller in
            for system in OutsideSystem.allCases {
                let good = #"{"order":"o_\#(system.rawValue)","state":"paid","amount":7}"#
                let nonce = "nonce-of-\(system.rawValue)-1"
                #expect(try await caller.callBack(system, good, nonce: nonce).text == #"{"taken":true}"#)
                #expect(try await caller.callBack(system, good, nonce: nonce).problem() == "401 unauthorized")
                // They have one secret here: what one has said can't be repeated to another.
                for other in OutsideSystem.allCases {
                    let again = try await caller.callBack(other, good, nonce: nonce)
                    #expect(again.problem() == "401 unauthorized", "\(other)")
                }
                for (index, (json, expected)) in [
                    (#"{"order":"o_x","state":"paid","amount":7}"#, "400 malformed order"),
                    (#"{"order":"o","state":"Paid"}"#, "400 malformed state"),
                    (#"{"order":"o","state":"paid","amount":-1}"#, "422 amount_invalid amount"),
                    (#"{"order":"o","state":"paid","state":"paid"}"#, "400 malformed state"),
                    (#"{"order":"o","state":"paid","to":1}"#, "400 unknown_field to"), ("}{", "400 malformed"),
                    (#"{"state":"paid"}"#, "400 malformed order"),
                ].enumerated() {
                    let answer = try await caller.callBack(system, json, nonce: "\(nonce)-bad-\(index)")
                    #expect(answer.problem() == expected, "\(json)")
                }
                let early = caller.now.advanced(bySeconds: 301)
                let late = caller.now.advanced(bySeconds: -301)
                for (index, time) in [early, late].enumerated() {
                    let answer = try await caller.callBack(system, good, nonce: "\(nonce)-time-\(index)", at: time)
                    #expect(answer.problem() == "401 unauthorized")
                }
                let secret = [UInt8](repeating: 8, count: 32)
                let forged = try await caller.callBack(system, good, nonce: "\(nonce)-forged", secret: secret)
                #expect(forged.problem() == "401 unauthorized")
            }
        }
        #expect(
            taken.withLock { $0 }
                == OutsideSystem.allCases.map { Taken(system: $0, order: "o_\($0.rawValue)") }
        )
    }

    /// A system without a secret isn't believed, and one's secret is of no use to another.
    @Test func secretsAreEachSystemsOwn() async throws {
        var rig = try GatewayRig()
        let others = [UInt8](repeating: 9, count: 32)
        rig.configuration.callbackSecrets = [.payouts: GatewayRig.callbackSecret, .payments: others]
        rig.change = { $0.callback = { _, _ in true } }
        try await rig.run { caller in
            let json = #"{"order":"o","state":"paid","amount":7}"#
            var count = 0
            for (system, secret, isTaken) in [
                (OutsideSystem.payouts, GatewayRig.callbackSecret, true), (.payouts, others, false),
                (.payments, others, true), (.payments, GatewayRig.callbackSecret, false),
                (.transfers, others, false), (.refunds, GatewayRig.callbackSecret, false), (.refunds, [], false),
            ] {
                count += 1
                let answer = try await caller.callBack(system, json, nonce: "0123456789-\(count)-abc", secret: secret)
                #expect(answer.status == (isTaken ? .ok : .unauthorized), "\(system) \(count)")
            }
        }
    }
    /// The same of downstreams, under the kind that each gives (GR-8).
    @Test func downstreamsAreHeardUnderTheirKinds() async throws {
        let taken = Mutex<[String]>([])
        var rig = try GatewayRig()
        let others = [UInt8](repeating: 9, count: 32)
        rig.configuration.rewardCallbackSecrets = [
            .tea: GatewayRig.callbackSecret, .film: GatewayRig.callbackSecret, .pendant: others,
        ]
        rig.change = { services in
            services.rewardCallback = { kind, order in
                guard order.hasPrefix("7_") else { return false }
                taken.withLock { $0.append("\(kind) \(order)") }
                return true
            }
        }
        try await rig.run { caller in
            let good = #"{"order":"7_1_1_1_0","state":"granted"}"#
            for (index, (kind, json, secret, expected)) in [
                ("tea", good, GatewayRig.callbackSecret, "200"), ("film", good, GatewayRig.callbackSecret, "200"),
                ("pendant", good, others, "200"),
                // Another's secret, no secret at all, money, and no kind.
                ("pendant", good, GatewayRig.callbackSecret, "401 unauthorized"),
                ("ecommerce", good, GatewayRig.callbackSecret, "401 unauthorized"),
                ("cash", good, GatewayRig.callbackSecret, "401 unauthorized"),
                ("coffee", good, GatewayRig.callbackSecret, "401 unauthorized"),
                ("tea", #"{"order":"8_1_1_1_0","state":"granted"}"#, GatewayRig.callbackSecret, "400 malformed order"),
                ("tea", #"{"order":"7_1","state":"paid"}"#, GatewayRig.callbackSecret, "400 malformed state"),
                ("tea", #"{"order":"7_1","state":"final"}"#, GatewayRig.callbackSecret, "400 malformed code"),
                (
                    "tea", #"{"order":"7_1","state":"granted","code":"busy"}"#, GatewayRig.callbackSecret,
                    "400 unknown_field code"
                ),
                (
                    "tea", #"{"order":"7_2","state":"final","code":"out_of_stock"}"#, GatewayRig.callbackSecret, "200"
                ),
            ].enumerated() {
                let nonce = "nonce-of-rewards-\(index)"
                let answer = try await caller.callBack(of: "rewards/\(kind)", json, nonce: nonce, secret: secret)
                #expect((expected == "200" ? "\(answer.status.code)" : answer.problem()) == expected, "\(index)")
                guard expected == "200" else { continue }
                // Tea and film have one secret: what one has said can't be repeated to the other.
                for again in [kind, kind == "tea" ? "film" : "tea"] {
                    let answer = try await caller.callBack(of: "rewards/\(again)", json, nonce: nonce, secret: secret)
                    #expect(answer.problem() == "401 unauthorized", "\(index) \(again)")
                }
            }
        }
        #expect(taken.withLock { $0 } == ["tea 7_1_1_1_0", "film 7_1_1_1_0", "pendant 7_1_1_1_0", "tea 7_2"])
    }
}
