import AsyncHTTPClient
import Foundation
import HongbaoCore
import HongbaoGateway
import NIOCore
import NIOHTTP1

/// A client's way to a server.
struct Caller: Sendable {
    let client: HTTPClient
    let base: String

    struct Answer: Sendable {
        let status: UInt
        let bytes: [UInt8]

        /// For who reads what went wrong.
        var text: String { "\(status) with \(String(decoding: bytes.prefix(300), as: UTF8.self))" }
        /// A server that starts or ends, or that has too much to do, may say so.
        var isPassing: Bool { status == 503 || status == 429 }

        func object() throws -> [String: Any]? { try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any] }
    }

    /// The connection broke, or nobody is there: nothing is known of what was asked.
    struct Unanswered: Error {}

    private static let bytesMax = 16 << 20

    /// - Parameter bearer: a service's key or a person's token; `nil` for what anybody may see.
    func get(_ path: String, as bearer: String? = nil) async throws(Unanswered) -> Answer {
        try await send(HTTPClientRequest(url: base + path), bearer)
    }

    func post(
        _ path: String,
        _ body: [UInt8],
        type: String = "application/json",
        as bearer: String
    ) async throws(Unanswered) -> Answer {
        var request = HTTPClientRequest(url: base + path)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: type)
        request.headers.add(name: "Accept", value: type)
        request.body = .bytes(body)
        return try await send(request, bearer)
    }

    /// Asks with JSON, again and again, until the answer is one that's due; tells `breach` of those that never are.
    func askUntilKnown(
        _ path: String,
        _ body: String,
        as bearer: String,
        isDue: (Answer) throws -> Bool = { $0.status == 200 },
        breach: (Answer) -> Void
    ) async throws -> Answer {
        while true {
            do {
                let answer = try await post(path, Array(body.utf8), as: bearer)
                if try isDue(answer) { return answer }
                if !answer.isPassing { breach(answer) }
            } catch is Unanswered {}
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    private func send(_ request: HTTPClientRequest, _ bearer: String?) async throws(Unanswered) -> Answer {
        var request = request
        if let bearer { request.headers.add(name: "Authorization", value: "Bearer \(bearer)") }
        do {
            let response = try await client.execute(request, timeout: .seconds(30))
            let bytes = Array(buffer: try await response.body.collect(upTo: Self.bytesMax))
            return Answer(status: response.status.code, bytes: bytes)
        } catch {
            throw Unanswered()
        }
    }
}

/// People with their wallets.
struct PersonCaller: Sendable {
    let caller: Caller
    let accounts: DemoAccounts
    /// When tokens are made.
    var now: @Sendable () -> Timestamp = { .now }

    func get(_ path: String, as person: PersonID) async throws -> Caller.Answer {
        try await caller.get(path, as: try token(person))
    }

    /// - Parameter body: JSON.
    func post(_ path: String, _ body: String, as person: PersonID) async throws -> Caller.Answer {
        try await caller.post(path, Array(body.utf8), as: try token(person))
    }

    func token(_ person: PersonID) throws -> String {
        try accounts.token(for: person, app: "douyin", at: now())
    }
}
