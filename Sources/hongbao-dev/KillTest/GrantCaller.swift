import Foundation
import HongbaoCore
import HongbaoProto
import SwiftProtobuf

/// A campaign's back-end as a kill test plays it: sends grants until the server is gone, and writes down every answer.
struct GrantCaller: Sendable {
    enum Form: Sendable {
        /// Batches of up to so many, as protobuf.
        case batches(Int)
        /// One grant at a time, as JSON.
        case single
    }

    let caller: Caller
    let serviceKey: String
    let campaign: String
    let book: GrantBook

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
        let bytes: [UInt8] = try batch.serializedBytes()
        let answer = try await caller.post("/v1/grants/batch", bytes, type: "application/x-protobuf", as: serviceKey)
        guard answer.status == 200 else {
            refused(answer)
            return 0
        }
        let results = try WireGrantBatchResult(serializedBytes: answer.bytes).results
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
        let body = Self.body(campaign, scene: "rain", asked.order, amount: asked.amount)
        let answer = try await caller.post("/v1/grants", Array(body.utf8), as: serviceKey)
        guard answer.status == 200 else {
            refused(answer)
            return false
        }
        guard let told = try answer.object(),
            let number = told["order"] as? String, let amount = (told["amount"] as? NSNumber)?.int64Value,
            let token = (told["token"] as? String).flatMap(Self.bytes), let isReplay = told["replayed"] as? Bool
        else {
            book.breach("POST /v1/grants: \(answer.text)")
            return false
        }
        book.note(asked, order: number, amount: amount, token: token, isReplay: isReplay)
        return true
    }

    /// One grant, as JSON.
    static func body(_ campaign: String, scene: String, _ order: OrderNumber, amount: Int64) -> String {
        #"{"campaign":"\#(campaign)","scene":"\#(scene)","rain":\#(order.rain.rawValue)"#
            + #","awardType":\#(order.awardType),"stage":\#(order.stage),"person":"\#(order.person.rawValue)""#
            + #","app":"douyin","amount":\#(amount)}"#
    }

    /// The token as bytes, so that it can be compared with one from a protobuf answer.
    private static func bytes(_ base64URL: String) -> [UInt8]? {
        var text = base64URL.replacing("-", with: "+").replacing("_", with: "/")
        text += String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
        return Data(base64Encoded: text).map { Array($0) }
    }

    /// No other refusal is due.
    private func refused(_ answer: Caller.Answer) {
        if !answer.isPassing { book.breach("refused: \(answer.text)") }
    }

    /// Grants that are accepted and not posted, as the server's metrics tell.
    func backlog() async throws -> Double { try await metric("hongbao_backlog_grants") }

    /// A metric without labels.
    func metric(_ name: String) async throws -> Double {
        let text = String(decoding: try await caller.get("/metrics").bytes, as: UTF8.self)
        guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("\(name) ") }),
            let value = Double(line.dropFirst(name.count + 1))
        else { throw KillTestFault("the metrics have no \(name)") }
        return value
    }
}
