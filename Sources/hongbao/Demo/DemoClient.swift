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
        for _ in 0..<50 {
            let response = try await send(.POST, "/v1/grants/batch", serviceKey, body, type: "application/x-protobuf")
            switch response.status.code {
            case 200: return try WireGrantBatchResult(serializedBytes: try await bytes(of: response))
            case 429, 503: try await Task.sleep(for: .milliseconds(100))
            default: throw StartFault("POST /v1/grants/batch: \(response.status.code) \(try await text(of: response))")
            }
        }
        throw StartFault("POST /v1/grants/batch: still unavailable after 50 tries")
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
