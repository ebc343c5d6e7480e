import Foundation
import HTTPTypes
import HongbaoCore
import HongbaoEngine
import HongbaoGateway
import HongbaoProto
import HummingbirdTesting
import SwiftProtobuf
import Testing

/// Batches whose grants are for several nodes.
@Suite(.timeLimit(.minutes(5))) struct DividedBatchTests {
    private static func person(_ concern: Concern) -> UInt64 {
        if case .person(let person) = concern { person.rawValue } else { 0 }
    }

    /// Odd ones here, even ones there, and every fifth nowhere.
    private static var divided: TwoNodes {
        var nodes = TwoNodes()
        nodes.place = { concern, second in
            let person = Self.person(concern)
            if person.isMultiple(of: 5) { return .at(TwoNodes.nowhere) }
            return person.isMultiple(of: 2) ? .at(second) : .here
        }
        return nodes
    }

    /// What becomes of the grant of each person from 1 to 12, where that of 4 and 7 are above the cap.
    private static func outcome(_ person: UInt64) -> String {
        if person.isMultiple(of: 5) { return "unavailable" }
        return person == 4 || person == 7 ? "over_cap amount" : "\(person)"
    }

    private static func amount(_ person: UInt64) -> Int64 { person == 4 || person == 7 ? 20_001 : 100 }

    private static let calls = ["first grant 1 3 7 9 11", "second grant 2 4 6 8 12"]

    @Test func jsonComesBackInPlace() async throws {
        try await Self.divided.run { nodes in
            let items = (1...12 as ClosedRange<UInt64>).map {
                grantJSON(person: #""\#($0)""#, amount: "\(Self.amount($0))")
            }
            let answer = try await nodes.first.send(
                .post,
                "/v1/grants/batch",
                json: #"{"grants":[\#(items.joined(separator: ","))]}"#,
                token: GatewayRig.grantKey
            )
            let results = try #require(answer.object["results"] as? [[String: Any]])
            let outcomes = results.map { result in
                if let error = result["error"] as? [String: Any] {
                    return [error["code"], error["param"]].compactMap { $0 as? String }.joined(separator: " ")
                }
                return (result["order"] as? String ?? "").prefix { $0 != "_" }.description
            }
            #expect(outcomes == (1...12).map(Self.outcome))
            #expect(nodes.calls.sorted == Self.calls)
            // The same from the other node, asked for itself.
            let direct = try await nodes.second.send(.post, "/v1/grants", json: items[1], token: GatewayRig.grantKey)
            let there = direct.object
            #expect(results[1]["token"] as? String == there["token"] as? String)
            #expect(results[1]["amount"] as? Int == 100 && results[1]["rewardID"] as? String == "cash")
            #expect(results[1]["replayed"] as? Bool == false && there["replayed"] as? Bool == true)
        }
    }

    @Test func protobufComesBackInPlace() async throws {
        try await Self.divided.run { nodes in
            var batch = WireGrantBatch()
            batch.grants = (1...12).map { GrantRouteTests.message(person: $0, amount: Self.amount($0)) }
            let answer = try await nodes.first.send(
                .post,
                "/v1/grants/batch",
                try batch.serializedBytes(),
                type: "application/x-protobuf",
                token: GatewayRig.grantKey
            )
            let results = try WireGrantBatchResult(serializedBytes: answer.bytes).results
            let outcomes = results.map { result in
                result.hasError
                    ? [result.error.code, result.error.param].filter { !$0.isEmpty }.joined(separator: " ")
                    : result.order.prefix { $0 != "_" }.description
            }
            #expect(outcomes == (1...12).map(Self.outcome))
            #expect(nodes.calls.sorted == Self.calls)
        }
    }

    /// What only JSON had goes along: the number that the caller expects, and when it was opened.
    @Test func allFieldsGoAlong() async throws {
        let seen = AsyncStream<[GrantRequest]>.makeStream()
        var nodes = TwoNodes()
        nodes.changeSecond = { services in
            services.grant = { requests in
                seen.continuation.yield(requests)
                return requests.map { _ in .refused(.personMismatch) }
            }
        }
        let full = grantJSON(
            amount: "-9223372036854775808",
            rain: "65535",
            stage: "255",
            extra: #","rewardID":"cash","openedAt":1643630399000,"order":"42_1966081_1_1_0""#
        )
        let bare = grantJSON(person: #""18446744073709551615""#).replacing(#","amount":100"#, with: "")
        try await nodes.run { nodes in
            let answer = try await nodes.first.send(
                .post,
                "/v1/grants/batch",
                json: #"{"grants":[\#(full),\#(bare)]}"#,
                token: GatewayRig.grantKey
            )
            #expect(answer.text.contains(#""code":"person_mismatch""#) && answer.text.contains(#""param":"order""#))
        }
        seen.continuation.finish()
        var all: [[GrantRequest]] = []
        for await requests in seen.stream { all.append(requests) }
        #expect(all == [[try GrantJSON.request(Array(full.utf8)), try GrantJSON.request(Array(bare.utf8))]])
    }
}

/// What a node reads of another's answer.
@Suite struct GrantResultTests {
    private static let order = "42_458753_1_1_0"

    private static func granted(_ change: (inout WireGrantResult) -> Void = { _ in }) -> WireGrantResult {
        var result = WireGrantResult()
        result.order = order
        result.status = 2
        result.amount = 100
        result.rewardID = "cash"
        result.token = .init([1, 2, 3])
        change(&result)
        return result
    }

    private static func problem(_ change: (inout WireError) -> Void = { _ in }) -> WireGrantResult {
        var result = WireGrantResult()
        result.error.code = "over_cap"
        result.error.detail = "Too much."
        result.error.param = "amount"
        change(&result.error)
        return result
    }

    private static func read(_ results: WireGrantResult...) throws -> [Result<Granted, Problem>]? {
        var batch = WireGrantBatchResult()
        batch.results = results
        return GrantProtobuf.results(try batch.serializedBytes(), max: 3)
    }

    @Test func resultsAreRead() throws {
        let order = try #require(OrderNumber(Self.order))
        let all = try Self.read(
            Self.granted {
                $0.fallback = "blessing"
                $0.blessing = "福"
                $0.status = 8
                $0.replayed = true
                $0.clearRewardID()
                $0.clearAmount()
            },
            Self.granted { $0.fallback = "backup" },
            Self.problem()
        )
        let blessed = Granted(
            order: order,
            status: .credited,
            amount: .zero,
            rewardID: nil,
            fallback: .blessing("福"),
            token: [1, 2, 3],
            isReplay: true
        )
        let backup = Granted(
            order: order,
            status: .processing,
            amount: try #require(Amount(fen: 100)),
            rewardID: "cash",
            fallback: .backup,
            token: [1, 2, 3],
            isReplay: false
        )
        let overCap = Problem(.overCap, param: "amount", detail: "Too much.")
        #expect(all == [.success(blessed), .success(backup), .failure(overCap)])
        #expect(try Self.read() == [])
    }

    /// A newer node's codes: the caller does with them what it would have done.
    @Test func unknownCodesAreReplaced() throws {
        let results = try Self.read(
            Self.problem { $0.code = "new" },
            Self.problem {
                $0.code = "new"
                $0.retryable = true
            }
        )
        #expect(
            results == [
                .failure(Problem(.internal, param: "amount", detail: "Too much.")),
                .failure(Problem(.unavailable, param: "amount", detail: "Too much.")),
            ]
        )
    }

    @Test func whatIsNotAResultIsNotRead() throws {
        let bad = [
            Self.granted { $0.order = "042_458753_1_1_0" }, Self.granted { $0.order = "" },
            Self.granted { $0.status = 3 }, Self.granted { $0.amount = -1 }, Self.granted { $0.rewardID = "a b" },
            Self.granted { $0.fallback = "other" }, Self.granted { $0.fallback = "blessing" },
            Self.granted { $0.blessing = "福" }, Self.granted { $0.token.removeAll() },
            Self.granted { $0.error.code = "over_cap" }, Self.problem { $0.code = "" }, WireGrantResult(),
        ]
        for result in bad {
            #expect(try Self.read(Self.granted(), result) == nil, "\(result)")
        }
        let good = Self.granted()
        #expect(try Self.read(good, good, good, good) == nil)
    }
}
