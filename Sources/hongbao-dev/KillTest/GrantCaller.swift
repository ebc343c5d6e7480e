import AsyncHTTPClient
import Foundation
import HongbaoCore
import HongbaoProto
import NIOCore
import NIOHTTP1
import SwiftProtobuf

/// A campaign's back-end as a kill test plays it: sends grants until the server is gone, and writes down every answer.
struct GrantCaller: Sendable {
    enum Form: Sendable {
        /// Batches of up to so many, as protobuf.
        case batches(Int)
        /// One grant at a time, as JSON.
        case single
    }

    let client: HTTPClient
    let base: String
    let serviceKey: String
    let campaign: String
    let book: GrantBook

    /// The connection broke, or the answer can't be read: nothing is known of what was asked.
    struct Unanswered: Error {}

    /// Answers how many were granted, now or before.
    @discardableResult
    func send(_ asked: [GrantBook.Asked], as form: Form) async throws -> Int {
        switch form {
        case .batches: return try await sendBatch(asked)
        case .single:
            var count = 0
            for one in asked where try await sendSingle(one) { count += 1 }
            return count
        }
    }

    private func sendBatch(_ asked: [GrantBook.Asked]) async throws -> Int {
        var batch = WireGrantBatch()
        batch.grants = asked.map { asked in
            var request = WireGrantRequest()
            request.campaign = campaign
            request.scene = "rain"
            request.rain = UInt32(asked.order.rain.rawValue)
            request.awardType = UInt32(asked.order.awardType)
            request.stage = UInt32(asked.order.stage)
            request.person = asked.order.person.rawValue
            request.app = "douyin"
            request.amount = asked.amount
            return request
        }
        let (status, bytes) = try await post("/v1/grants/batch", try batch.serializedBytes(), "application/x-protobuf")
        guard status == 200 else {
            refused(status, bytes)
            return 0
        }
        let results = try WireGrantBatchResult(serializedBytes: bytes).results
        guard results.count == asked.count else {
            book.breach("POST /v1/grants/batch: \(results.count) results for \(asked.count) grants")
            return 0
        }
        for (asked, result) in zip(asked, results) {
            if result.hasError {
                if !result.error.retryable { book.breach("order \(asked.index): refused, \(result.error.code)") }
                continue
            }
            book.note(
                asked,
                order: result.order,
                amount: result.amount,
                token: Array(result.token),
                isReplay: result.replayed
            )
        }
        return results.count { !$0.hasError }
    }

    private func sendSingle(_ asked: GrantBook.Asked) async throws -> Bool {
        let order = asked.order
        let body =
            #"{"campaign":"\#(campaign)","scene":"rain","rain":\#(order.rain.rawValue),"awardType":\#(order.awardType)"#
            + #","stage":\#(order.stage),"person":"\#(order.person.rawValue)","app":"douyin""#
            + #","amount":\#(asked.amount)}"#
        let (status, bytes) = try await post("/v1/grants", Array(body.utf8), "application/json")
        guard status == 200 else {
            refused(status, bytes)
            return false
        }
        guard let answer = try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any],
            let number = answer["order"] as? String, let amount = (answer["amount"] as? NSNumber)?.int64Value,
            let token = (answer["token"] as? String).flatMap(Self.bytes), let isReplay = answer["replayed"] as? Bool
        else {
            book.breach("POST /v1/grants: 200 with \(String(decoding: bytes, as: UTF8.self))")
            return false
        }
        book.note(asked, order: number, amount: amount, token: token, isReplay: isReplay)
        return true
    }

    /// The token as bytes, so that it can be compared with one from a protobuf answer.
    private static func bytes(_ base64URL: String) -> [UInt8]? {
        var text = base64URL.replacing("-", with: "+").replacing("_", with: "/")
        text += String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
        return Data(base64Encoded: text).map { Array($0) }
    }

    /// A server that starts or ends may say 503; no other refusal is due.
    private func refused(_ status: UInt, _ body: [UInt8]) {
        if status == 503 || status == 429 { return }
        book.breach("refused with \(status): \(String(decoding: body.prefix(300), as: UTF8.self))")
    }

    /// Grants that are accepted and not posted, as the server's metrics tell.
    func backlog() async throws -> Double { try await metric("hongbao_backlog_grants") }

    /// A metric without labels.
    func metric(_ name: String) async throws -> Double {
        let response = try await client.execute(HTTPClientRequest(url: base + "/metrics"), timeout: .seconds(30))
        let text = String(buffer: try await response.body.collect(upTo: 16 << 20))
        guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("\(name) ") }),
            let value = Double(line.dropFirst(name.count + 1))
        else { throw KillTestFault("the metrics have no \(name)") }
        return value
    }

    private func post(_ path: String, _ body: [UInt8], _ type: String) async throws -> (UInt, [UInt8]) {
        var request = HTTPClientRequest(url: base + path)
        request.method = .POST
        request.headers.add(name: "Authorization", value: "Bearer \(serviceKey)")
        request.headers.add(name: "Content-Type", value: type)
        request.headers.add(name: "Accept", value: type)
        request.body = .bytes(body)
        do {
            let response = try await client.execute(request, timeout: .seconds(30))
            let bytes = Array(buffer: try await response.body.collect(upTo: 16 << 20))
            return (response.status.code, bytes)
        } catch {
            throw Unanswered()
        }
    }
}
