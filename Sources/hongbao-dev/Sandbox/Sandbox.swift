import Crypto
import Foundation
import HTTPTypes
import HongbaoCore
import HongbaoEngine
import HongbaoGateway
import Hummingbird
import Logging
import NIOCore
import ServiceLifecycle
import Synchronization

extension Timestamp {
    static var now: Timestamp { Timestamp(milliseconds: Int64(Date().timeIntervalSince1970 * 1000)) }
}

/// The payout channel's side of the HTTP interface in `PayoutMessages`, with faults on request.
final class Sandbox: Service {
    private static let bodyBytesMax = 1 << 20

    private struct State {
        var bank: SandboxBank
        var settings: SandboxSettings
        /// For what befalls a request rather than an order.
        var random: SplitMix64
    }

    private enum Mishap { case lostReply, hang(Duration) }
    private struct ReplyLost: Error {}

    private let state: Mutex<State>
    private let journal: SandboxJournal
    private let callbacks: SandboxCallbacks?
    /// `nil`: unsigned requests are taken, too.
    private let door: CallbackGuard?

    init(
        bank: SandboxBank,
        settings: SandboxSettings,
        seed: UInt64,
        journal: SandboxJournal,
        callbacks: SandboxCallbacks?,
        door: CallbackGuard?
    ) {
        state = Mutex(State(bank: bank, settings: settings, random: SplitMix64(seed: seed)))
        self.journal = journal
        self.callbacks = callbacks
        self.door = door
    }

    /// Finishes orders when they are due, until graceful shutdown.
    func run() async throws {
        do {
            try await cancelWhenGracefulShutdown {
                while true {
                    try await self.finishDue()
                    try await Task.sleep(for: .milliseconds(10))
                }
            }
        } catch is CancellationError {
            return
        }
    }

    private func finishDue() async throws {
        let finished = state.withLock { state in
            let (finished, lines) = state.bank.finish(now: .now)
            journal.append(lines)
            return finished
        }
        guard !finished.isEmpty else { return }
        try await journal.flush()
        if let callbacks { for entry in finished { callbacks.send(entry) } }
    }

    var routes: Router<BasicRequestContext> {
        let router = Router()
        router.get("livez") { _, _ in HTTPResponse.Status.ok }
        router.post("payouts") { request, _ in try await self.pay(request) }
        router.post("payouts/query") { request, _ in try await self.query(request) }
        router.get("payouts") { _, _ in Self.json(self.totals) }
        router.get("settings") { _, _ in Self.json(self.state.withLock(\.settings).json) }
        router.put("settings") { request, _ in
            let bytes = try await Self.body(of: request)
            return try Self.refusingFaults { () throws(JSONFault) in
                try self.state.withLock { state throws(JSONFault) in try state.settings.update(from: bytes) }
                return Self.json(self.state.withLock(\.settings).json)
            }
        }
        router.get("daily-file") { request, _ in
            guard let text = request.uri.queryParameters["date"], let start = Self.day(String(text)) else {
                throw HTTPError(.badRequest, message: "date must be like 2022-01-31, in UTC")
            }
            let file = self.state.withLock { $0.bank.dailyFile(from: start) }
            return Response(
                status: .ok,
                headers: [.contentType: "text/csv; charset=utf-8"],
                body: ResponseBody(byteBuffer: ByteBuffer(string: file))
            )
        }
        return router
    }

    private func pay(_ request: Request) async throws -> Response {
        let bytes = try await authenticBody(of: request)
        let orders = try Self.refusingFaults { () throws(JSONFault) in try PayoutMessages.readPayRequest(bytes) }
        guard orders.allSatisfy({ Self.isPlain($0.order) }) else {
            throw HTTPError(.badRequest, message: "orders consist of letters, digits, hyphens and underscores")
        }
        let (results, mishap) = state.withLock { state in
            let now = Timestamp.now
            var results: [PayoutMessages.Result] = []
            for order in orders {
                let (result, line) = state.bank.accept(order, settings: state.settings, now: now)
                journal.append(line)
                results.append(result)
            }
            return (results, Self.mishap(&state))
        }
        try await journal.flush()
        return try await Self.reply(results, mishap)
    }

    private func query(_ request: Request) async throws -> Response {
        let bytes = try await authenticBody(of: request)
        let orders = try Self.refusingFaults { () throws(JSONFault) in try PayoutMessages.readQueryRequest(bytes) }
        let (results, mishap) = state.withLock { state in
            (orders.map { state.bank.result(of: $0) }, Self.mishap(&state))
        }
        // What is told must be on disk: a state may be only as old as this.
        try await journal.flush()
        return try await Self.reply(results, mishap)
    }

    private static func mishap(_ state: inout State) -> Mishap? {
        if state.random.happens(state.settings.lostReplies) { return .lostReply }
        guard state.random.happens(state.settings.hangs) else { return nil }
        return .hang(.milliseconds(state.settings.hangMilliseconds))
    }

    private static func reply(_ results: [PayoutMessages.Result], _ mishap: Mishap?) async throws -> Response {
        let answer = PayoutMessages.results(results)
        switch mishap {
        case nil: break
        case .hang(let duration): try await cancelWhenGracefulShutdown { try await Task.sleep(for: duration) }
        case .lostReply:
            // A body that fails before its first byte closes the connection.
            return Response(
                status: .ok,
                headers: [.contentType: "application/json"],
                body: ResponseBody(contentLength: answer.count) { _ in throw ReplyLost() }
            )
        }
        return json(answer)
    }

    private var totals: [UInt8] {
        let totals = state.withLock(\.bank.totals)
        var json = JSONWriter()
        json.object {
            $0.field("processing", Int64(totals.processing))
            $0.field("paid", Int64(totals.paid))
            $0.field("failed", Int64(totals.failed))
            $0.field("paidAmount", totals.paidAmount)
        }
        return json.bytes
    }

    private func authenticBody(of request: Request) async throws -> [UInt8] {
        let body = try await Self.body(of: request)
        guard let door else { return body }
        let verdict = door.check(
            timestamp: Self.header(CallbackSignature.timestampHeader, of: request),
            nonce: Self.header(CallbackSignature.nonceHeader, of: request),
            signature: Self.header(CallbackSignature.signatureHeader, of: request),
            body: body,
            now: .now
        )
        guard verdict == .accepted else { throw HTTPError(.unauthorized, message: "\(verdict)") }
        return body
    }

    private static func header(_ name: String, of request: Request) -> String? {
        HTTPField.Name(name).flatMap { request.headers[$0] }
    }

    private static func body(of request: Request) async throws -> [UInt8] {
        Array(try await request.body.collect(upTo: bodyBytesMax).readableBytesView)
    }

    private static func json(_ bytes: [UInt8]) -> Response {
        Response(
            status: .ok,
            headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes))
        )
    }

    private static func refusingFaults<Value>(_ body: () throws(JSONFault) -> Value) throws -> Value {
        do throws(JSONFault) {
            return try body()
        } catch {
            let place = error.field.map { " (\($0))" } ?? ""
            throw HTTPError(.badRequest, message: "\(error.reason) at byte \(error.offset)\(place)")
        }
    }

    /// Lines of the journal and of the daily file separate by commas.
    private static func isPlain(_ order: String) -> Bool {
        order.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
                true
            default: false
            }
        }
    }

    /// The start of a day written as `2022-01-31`, in UTC.
    static func day(_ text: String) -> Timestamp? {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .gmt
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard text.utf8.count == 10, parts.count == 3, parts.allSatisfy({ $0.allSatisfy(\.isASCII) }),
            let year = Int(parts[0]), let month = Int(parts[1]), let day = Int(parts[2])
        else { return nil }
        let components = DateComponents(year: year, month: month, day: day)
        guard components.isValidDate(in: calendar), let date = calendar.date(from: components) else { return nil }
        return Timestamp(milliseconds: Int64(date.timeIntervalSince1970) * 1000)
    }
}
