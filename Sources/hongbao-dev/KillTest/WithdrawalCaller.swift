import AsyncHTTPClient
import Foundation
import HongbaoCore
import HongbaoGateway
import NIOCore
import NIOHTTP1

/// People with their wallets as a kill test plays them: they ask for withdrawals and write down every answer.
struct WithdrawalCaller: Sendable {
    let client: HTTPClient
    let base: String
    let campaign: String
    let accounts: DemoAccounts
    var book: WithdrawalBook
    /// When tokens are made.
    var now: @Sendable () -> Timestamp = { .now }

    /// Whoever comes too late or too often hears this, and it's no breach.
    private static let passing: Set<UInt> = [429, 503]

    func ask(_ asked: WithdrawalBook.Asked) async throws {
        var request = try request("/v1/wallet/withdrawals", asked.person)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        request.body = .bytes(
            Array(#"{"campaign":"\#(campaign)","id":"\#(asked.id)","amount":\#(asked.amount)}"#.utf8)
        )
        try await take(request, asked)
    }

    /// Asks what has become of it.
    func look(_ asked: WithdrawalBook.Asked) async throws {
        try await take(try request("/v1/wallet/withdrawals/\(asked.id)?campaign=\(campaign)", asked.person), asked)
    }

    private func request(_ path: String, _ person: PersonID) throws -> HTTPClientRequest {
        var request = HTTPClientRequest(url: base + path)
        let token = try accounts.token(for: person, app: "douyin", at: now())
        request.headers.add(name: "Authorization", value: "Bearer \(token)")
        return request
    }

    /// Somebody's wallet, as far as it goes.
    struct Shown: Decodable, Equatable, Sendable {
        /// In fen: all that was ever given, what of it is left, and what of it isn't posted.
        var income: Int64
        var balance: Int64
        var pending: Int64
        /// Whether nothing is left out that is known to be there.
        var complete: Bool
    }

    /// `nil` when it isn't shown now.
    func wallet(of person: PersonID) async throws -> Shown? {
        let (status, bytes) = try await answer(to: try request("/v1/wallet?campaign=\(campaign)", person))
        if status == 200 { return try JSONDecoder().decode(Shown.self, from: Data(bytes)) }
        if !Self.passing.contains(status) {
            let text = String(decoding: bytes.prefix(300), as: UTF8.self)
            book.breach("\(person.rawValue)'s wallet: \(status) with \(text)")
        }
        return nil
    }

    private func answer(to request: HTTPClientRequest) async throws(GrantCaller.Unanswered) -> (UInt, [UInt8]) {
        do {
            let response = try await client.execute(request, timeout: .seconds(30))
            return (response.status.code, Array(buffer: try await response.body.collect(upTo: 1 << 20)))
        } catch {
            throw GrantCaller.Unanswered()
        }
    }

    private func take(_ request: HTTPClientRequest, _ asked: WithdrawalBook.Asked) async throws {
        let (status, bytes) = try await answer(to: request)
        if Self.passing.contains(status) { return }
        let text = String(decoding: bytes, as: UTF8.self)
        guard let answer = try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any] else {
            return book.breach("withdrawal \(asked.index): \(status) with \(text)")
        }
        if answer["code"] as? String == "insufficient_balance" { return book.note(asked, .refused) }
        guard status == 200, answer["id"] as? String == asked.id,
            (answer["amount"] as? NSNumber)?.int64Value == asked.amount,
            let told = (answer["state"] as? String).flatMap(WithdrawalBook.Told.init(rawValue:))
        else { return book.breach("withdrawal \(asked.index): \(status) with \(text.prefix(300))") }
        book.note(asked, told)
    }
}
