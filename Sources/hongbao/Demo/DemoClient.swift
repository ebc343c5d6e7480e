import AsyncHTTPClient
import Foundation
import HongbaoGateway
import HongbaoProto
import HongbaoServer
import NIOCore
import NIOHTTP1
import SwiftProtobuf

/// The public HTTP API as the demo's simulated callers use it. Everything goes over a real connection.
struct DemoClient: Sendable {
    let client: HTTPClient
    let base: String
    let serviceKey: String
    let campaign: String

    struct Wallet: Sendable {
        let balance: Int64
        let income: Int64
        let isComplete: Bool
    }

    /// Sends a batch as the campaign's back-end does; 503 and 429 are tried again with the same order numbers.
    func grant(_ batch: WireGrantBatch) async throws -> WireGrantBatchResult {
        let body: [UInt8] = try batch.serializedBytes()
        let path = "/v1/grants/batch"
        let (status, answer) = try await post(path, serviceKey, body, type: "application/x-protobuf", tries: 100)
        guard status == 200 else {
            throw StartFault("POST \(path): \(status) \(String(decoding: answer, as: UTF8.self))")
        }
        return try WireGrantBatchResult(serializedBytes: answer)
    }

    func logIn(app: String, user: String) async throws -> (person: UInt64, jwt: String) {
        let body = #"{"app":"\#(app)","user":"\#(user)"}"#
        let answer = try await json(.POST, "/v1/demo/login", nil, body)
        guard let person = (answer["person"] as? String).flatMap({ UInt64($0) }), let jwt = answer["jwt"] as? String
        else {
            throw StartFault("POST /v1/demo/login: an answer without person and jwt")
        }
        return (person, jwt)
    }

    func apps() async throws -> [String] {
        let answer = try await json(.GET, "/v1/demo/apps", nil, nil)
        let apps = (answer["apps"] as? [[String: Any]] ?? []).compactMap { $0["id"] as? String }
        guard !apps.isEmpty else { throw StartFault("GET /v1/demo/apps: no apps") }
        return apps
    }

    func wallet(_ jwt: String) async throws -> Wallet {
        let answer = try await json(.GET, "/v1/wallet?campaign=\(campaign)", jwt, nil)
        guard let balance = (answer["balance"] as? NSNumber)?.int64Value,
            let income = (answer["income"] as? NSNumber)?.int64Value, let isComplete = answer["complete"] as? Bool
        else { throw StartFault("GET /v1/wallet: an answer without balance, income and complete") }
        return Wallet(balance: balance, income: income, isComplete: isComplete)
    }

    func withdraw(_ jwt: String, id: String, amount: Int64) async throws {
        let body = #"{"campaign":"\#(campaign)","id":"\#(id)","amount":\#(amount)}"#
        _ = try await json(.POST, "/v1/wallet/withdrawals", jwt, body)
    }

    func withdrawalState(_ jwt: String, id: String) async throws -> String {
        let answer = try await json(.GET, "/v1/wallet/withdrawals/\(id)?campaign=\(campaign)", jwt, nil)
        return answer["state"] as? String ?? ""
    }

    // MARK: Red packets

    struct SentPacket: Sendable {
        let id: String
        /// Where its sender pays; `nil` when a subsidy has paid.
        let paymentPage: String?
    }

    enum ClaimAnswer: Sendable {
        case share(amount: Int64)
        /// With the problem's code.
        case refused(String)
    }

    struct PacketDetails: Sendable {
        struct Share: Sendable {
            let person: String
            let amount: Int64
            let isLuckiest: Bool
        }
        let shares: [Share]
        let isRevealed: Bool
    }

    /// - Parameter fields: those of `POST /v1/red-packets` beside `campaign`, as JSON.
    func send(_ jwt: String, _ fields: String) async throws -> SentPacket {
        let answer = try await json(.POST, "/v1/red-packets", jwt, #"{"campaign":"\#(campaign)",\#(fields)}"#)
        guard let id = answer["packet"] as? String else {
            throw StartFault("POST /v1/red-packets: an answer without a packet")
        }
        return SentPacket(id: id, paymentPage: (answer["payment"] as? [String: Any])?["url"] as? String)
    }

    /// Presses the button of the cashier's page.
    func pay(_ page: String) async throws {
        var request = HTTPClientRequest(url: page)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/x-www-form-urlencoded")
        request.body = .bytes(Array("action=pay".utf8))
        let response = try await client.execute(request, timeout: .seconds(30))
        guard response.status.code < 400 else { throw StartFault("POST \(page): \(response.status.code)") }
        _ = try await bytes(of: response)
    }

    /// Has one of the sandbox's systems fail no order for good: a person would have to look after a share that can't be
    /// transferred.
    func keepFromFailing(_ system: String, at sandbox: String) async throws {
        var request = HTTPClientRequest(url: "\(sandbox)/settings/\(system)")
        request.method = .PUT
        request.body = .bytes(Array(#"{"failures":0}"#.utf8))
        let response = try await client.execute(request, timeout: .seconds(30))
        guard response.status == .ok else { throw StartFault("PUT \(request.url): \(response.status.code)") }
        _ = try await bytes(of: response)
    }

    func packetState(_ jwt: String, _ packet: String) async throws -> String {
        try await json(.GET, "/v1/red-packets/\(packet)", jwt, nil)["state"] as? String ?? ""
    }

    /// Asks for a share, and again as long as the packet says so (RP-7).
    func claim(_ jwt: String, _ packet: String) async throws -> ClaimAnswer {
        let path = "/v1/red-packets/\(packet)/claims"
        let (status, answer) = try await post(path, jwt, Array("{}".utf8), type: "application/json", tries: 100)
        let object = try JSONSerialization.jsonObject(with: Data(answer)) as? [String: Any]
        if status == 200, let amount = (object?["amount"] as? NSNumber)?.int64Value { return .share(amount: amount) }
        return .refused(object?["code"] as? String ?? "\(status)")
    }

    func details(_ jwt: String, _ packet: String) async throws -> PacketDetails {
        var shares: [PacketDetails.Share] = []
        var cursor: String?
        repeat {
            let query = cursor.map { "?cursor=\($0)" } ?? ""
            let answer = try await json(.GET, "/v1/red-packets/\(packet)/claims\(query)", jwt, nil)
            for claim in answer["claims"] as? [[String: Any]] ?? [] {
                guard let person = claim["person"] as? String,
                    let amount = (claim["amount"] as? NSNumber)?.int64Value, let isLuckiest = claim["luckiest"] as? Bool
                else { throw StartFault("GET …/claims: a claim without person, amount and luckiest") }
                shares.append(PacketDetails.Share(person: person, amount: amount, isLuckiest: isLuckiest))
            }
            cursor = answer["next"] as? String
            if cursor == nil { return PacketDetails(shares: shares, isRevealed: answer["reveal"] is [String: Any]) }
        } while true
    }

    /// The order numbers and amounts of subsidies that can be used.
    func subsidies(_ jwt: String) async throws -> [(order: String, amount: Int64)] {
        let answer = try await json(.GET, "/v1/subsidies?campaign=\(campaign)", jwt, nil)
        return (answer["subsidies"] as? [[String: Any]] ?? []).compactMap { subsidy in
            guard subsidy["state"] as? String == "available", let order = subsidy["order"] as? String,
                let amount = (subsidy["amount"] as? NSNumber)?.int64Value
            else { return nil }
            return (order, amount)
        }
    }

    struct ShownReward: Sendable {
        let id: String
        let kind: String
        let app: String
        let state: String
    }

    /// Coupons and pendants.
    func rewards(_ jwt: String) async throws -> [ShownReward] {
        let answer = try await json(.GET, "/v1/wallet/rewards?campaign=\(campaign)", jwt, nil)
        return try (answer["rewards"] as? [[String: Any]] ?? []).map { reward in
            guard let id = reward["id"] as? String, let kind = reward["kind"] as? String,
                let app = reward["app"] as? String, let state = reward["state"] as? String
            else { throw StartFault("GET /v1/wallet/rewards: a reward without id, kind, app and state") }
            return ShownReward(id: id, kind: kind, app: app, state: state)
        }
    }

    /// Uses a coupon, and tries again as long as its downstream hasn't given it.
    func use(_ jwt: String, _ id: String) async throws {
        let path = "/v1/wallet/rewards/\(id)/use"
        let (status, answer) = try await post(path, jwt, [], type: nil, tries: 600)
        if status != 200 { throw StartFault("POST \(path): \(status) \(String(decoding: answer, as: UTF8.self))") }
    }

    /// The values of the metrics page by name, label sets added up.
    func metrics() async throws -> [String: Double] {
        let response = try await send(.GET, "/metrics", nil, nil, type: nil)
        var values: [String: Double] = [:]
        for line in try await text(of: response).split(separator: "\n") where !line.hasPrefix("#") {
            guard let blank = line.lastIndex(of: " "), let value = Double(line[line.index(after: blank)...])
            else { continue }
            let name = line[..<(line.firstIndex(of: "{") ?? blank)]
            values[String(name), default: 0] += value
        }
        return values
    }

    // MARK: HTTP

    private func json(_ method: Method, _ path: String, _ bearer: String?, _ body: String?) async throws
        -> [String: Any]
    {
        let response = try await send(
            method,
            path,
            bearer,
            body.map { Array($0.utf8) },
            type: body == nil ? nil : "application/json"
        )
        let bytes = try await bytes(of: response)
        guard (200..<300).contains(response.status.code),
            let object = try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any]
        else {
            throw StartFault("\(method) \(path): \(response.status.code) \(String(decoding: bytes, as: UTF8.self))")
        }
        return object
    }

    enum Method: String { case GET, POST }

    /// Tries again, every 100 ms, as long as the answer is 429 or 503.
    private func post(
        _ path: String,
        _ bearer: String,
        _ body: [UInt8],
        type: String?,
        tries: Int
    ) async throws -> (status: UInt, answer: [UInt8]) {
        for _ in 1..<tries {
            let response = try await send(.POST, path, bearer, body, type: type)
            let answer = try await bytes(of: response)
            if response.status.code != 429 && response.status.code != 503 { return (response.status.code, answer) }
            try await Task.sleep(for: .milliseconds(100))
        }
        let response = try await send(.POST, path, bearer, body, type: type)
        return (response.status.code, try await bytes(of: response))
    }

    private func send(
        _ method: Method,
        _ path: String,
        _ bearer: String?,
        _ body: [UInt8]?,
        type: String?
    ) async throws -> HTTPClientResponse {
        var request = HTTPClientRequest(url: base + path)
        request.method = method == .GET ? .GET : .POST
        if let bearer { request.headers.add(name: "Authorization", value: "Bearer \(bearer)") }
        if let type { request.headers.add(name: "Content-Type", value: type) }
        if type == "application/x-protobuf" { request.headers.add(name: "Accept", value: "application/x-protobuf") }
        if let body { request.body = .bytes(body) }
        return try await client.execute(request, timeout: .seconds(30))
    }

    private func bytes(of response: HTTPClientResponse) async throws -> [UInt8] {
        Array(buffer: try await response.body.collect(upTo: 16 << 20))
    }

    private func text(of response: HTTPClientResponse) async throws -> String {
        String(decoding: try await bytes(of: response), as: UTF8.self)
    }
}
