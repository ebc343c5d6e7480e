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

/// The outside's side of the HTTP interfaces in `PayoutMessages` and `CashierMessages`, with faults on request: a bank
/// that pays out, brings shares to people's change and gives payments back, and a cashier with a page to pay at.
final class Sandbox: Service {
    private static let bodyBytesMax = 1 << 20

    private struct State {
        var bank: SandboxBank
        var settings: [OutsideSystem: SandboxSettings]
        /// For what befalls a request rather than an order.
        var random: SplitMix64
        /// Where people reach the payment pages.
        var address: String
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
        let all = Dictionary(uniqueKeysWithValues: OutsideSystem.allCases.map { ($0, settings) })
        state = Mutex(State(bank: bank, settings: all, random: SplitMix64(seed: seed), address: ""))
        self.journal = journal
        self.callbacks = callbacks
        self.door = door
    }

    /// To be called before the first request: the base of the payment pages' addresses.
    func serves(at address: String) { state.withLock { $0.address = address } }

    /// Finishes orders when they are due, until graceful shutdown.
    func run() async throws {
        do {
            try await cancelWhenGracefulShutdown {
                while true {
                    try await self.change { bank, now in bank.finish(now: now) }
                    try await Task.sleep(for: .milliseconds(10))
                }
            }
        } catch is CancellationError {
            return
        }
    }

    /// Changes the bank and, when that is on disk, calls back about what has come to something.
    private func change(_ body: (inout SandboxBank, Timestamp) -> SandboxBank.Changes) async throws {
        let entries = state.withLock { state in
            let changes = body(&state.bank, .now)
            journal.append(changes.lines)
            return changes.entries
        }
        guard !entries.isEmpty else { return }
        try await journal.flush()
        if let callbacks { for entry in entries { callbacks.send(entry) } }
    }

    // MARK: Routes

    var routes: Router<BasicRequestContext> {
        let router = Router()
        router.get("livez") { _, _ in HTTPResponse.Status.ok }
        for system in OutsideSystem.allCases {
            let name = system.rawValue
            router.post(RouterPath("\(name)")) { request, _ in try await self.accept(request, at: system) }
            router.post(RouterPath("\(name)/query")) { request, _ in try await self.query(request, at: system) }
            router.get(RouterPath("\(name)")) { _, _ in Self.json(self.totals(of: system)) }
            router.get(RouterPath("settings/\(name)")) { _, _ in Self.json { self.settings(of: system).write(&$0) } }
            router.put(RouterPath("settings/\(name)")) { request, _ in
                try await self.changeSettings(request, of: [system])
            }
        }
        router.post("payments/cancel") { request, _ in try await self.cancel(request) }
        router.get("settings") { _, _ in Self.json(self.allSettings) }
        router.put("settings") { request, _ in
            try await self.changeSettings(request, of: OutsideSystem.allCases)
        }
        router.get("daily-file") { request, _ in try self.dailyFile(request) }
        router.get("pay.css") { _, _ in Self.page(PaymentPage.style, type: "text/css; charset=utf-8") }
        router.get("pay/:order") { _, context in try await self.payment(context) }
        router.post("pay/:order") { request, context in try await self.pay(request, context) }
        return router
    }

    private func accept(_ request: Request, at system: OutsideSystem) async throws -> Response {
        let bytes = try await authenticBody(of: request)
        let orders = try Self.refusingFaults { () throws(JSONFault) in
            try system == .payments
                ? CashierMessages.readOpenRequest(bytes).map { SandboxOrder($0) }
                : PayoutMessages.readPayRequest(bytes).map { SandboxOrder($0) }
        }
        guard orders.allSatisfy({ Self.isPlain($0.order) && Self.isPlain($0.payment ?? "") }) else {
            throw Self.unplain
        }
        guard orders.allSatisfy({ ($0.payment != nil) == (system == .refunds) }) else {
            throw HTTPError(.badRequest, message: "refunds name their payment, and nothing else does")
        }
        let (results, address, mishap) = state.withLock { state in
            let now = Timestamp.now
            let settings = state.settings[system] ?? SandboxSettings()
            var results: [PayoutMessages.Result] = []
            for order in orders {
                let (result, line) = state.bank.accept(order, at: system, settings: settings, now: now)
                journal.append(line)
                results.append(result)
            }
            return (results, state.address, Self.mishap(&state, at: system))
        }
        try await journal.flush()
        guard system == .payments else { return try await Self.reply(PayoutMessages.results(results), mishap) }
        let pages = results.map { result in
            let url = result.state == .processing ? "\(address)/pay/\(result.order)" : nil
            return CashierMessages.Opened(result, url: url)
        }
        return try await Self.reply(CashierMessages.opened(pages), mishap)
    }

    private func query(_ request: Request, at system: OutsideSystem) async throws -> Response {
        try await results(of: try await names(in: request), at: system)
    }

    private func cancel(_ request: Request) async throws -> Response {
        let orders = try await names(in: request)
        guard orders.allSatisfy({ Self.isPlain($0) }) else {
            throw Self.unplain
        }
        try await change { bank, now in
            var all = SandboxBank.Changes()
            for order in orders {
                let changes = bank.cancel(order, now: now)
                all.entries += changes.entries
                all.lines += changes.lines
            }
            return all
        }
        return try await results(of: orders, at: .payments)
    }

    private func results(of orders: [String], at system: OutsideSystem) async throws -> Response {
        let (results, mishap) = state.withLock { state in
            (
                orders.map { state.bank.result(of: SandboxEntry.Key(system: system, order: $0)) },
                Self.mishap(&state, at: system)
            )
        }
        // What is told must be on disk: a state may be only as old as this.
        try await journal.flush()
        return try await Self.reply(PayoutMessages.results(results), mishap)
    }

    private func names(in request: Request) async throws -> [String] {
        let bytes = try await authenticBody(of: request)
        return try Self.refusingFaults { () throws(JSONFault) in try PayoutMessages.readQueryRequest(bytes) }
    }

    // MARK: The payment page

    private func payment(_ context: BasicRequestContext) async throws -> Response {
        let order = try Self.order(in: context)
        let entry = state.withLock { $0.bank[SandboxEntry.Key(system: .payments, order: order)] }
        try await journal.flush()
        let html = PaymentPage.html(order, entry)
        return Self.page(html, type: "text/html; charset=utf-8", status: entry == nil ? .notFound : .ok)
    }

    /// Answers with the page again, so that reloading it sends nothing a second time.
    private func pay(_ request: Request, _ context: BasicRequestContext) async throws -> Response {
        let order = try Self.order(in: context)
        switch String(decoding: try await Self.body(of: request), as: UTF8.self) {
        case "action=pay": try await change { bank, now in bank.pay(order, now: now) }
        case "action=cancel": try await change { bank, now in bank.giveUp(order, now: now) }
        default: throw HTTPError(.badRequest, message: "action is pay or cancel")
        }
        return Response(
            status: .seeOther,
            headers: [.location: "/pay/\(order)", .contentSecurityPolicy: PaymentPage.securityPolicy]
        )
    }

    private static func order(in context: BasicRequestContext) throws -> String {
        let order = try context.parameters.require("order")
        guard isPlain(order), PayoutMessages.orderLength.contains(order.utf8.count) else { throw HTTPError(.notFound) }
        return order
    }

    private static func page(_ text: String, type: String, status: HTTPResponse.Status = .ok) -> Response {
        Response(
            status: status,
            headers: [
                .contentType: type, .cacheControl: "no-store",
                .contentSecurityPolicy: PaymentPage.securityPolicy, .xContentTypeOptions: "nosniff",
            ],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text))
        )
    }

    // MARK: Settings, totals and the daily file

    private func settings(of system: OutsideSystem) -> SandboxSettings {
        state.withLock { $0.settings[system] ?? SandboxSettings() }
    }

    private var allSettings: [UInt8] {
        var json = JSONWriter()
        json.object {
            $0.key("payments")
            settings(of: .payments).write(&$0)
            $0.key("payouts")
            settings(of: .payouts).write(&$0)
            $0.key("transfers")
            settings(of: .transfers).write(&$0)
            $0.key("refunds")
            settings(of: .refunds).write(&$0)
        }
        return json.bytes
    }

    private func changeSettings(_ request: Request, of systems: [OutsideSystem]) async throws -> Response {
        let bytes = try await Self.body(of: request)
        return try Self.refusingFaults { () throws(JSONFault) in
            try state.withLock { state throws(JSONFault) in
                for system in systems { try state.settings[system, default: SandboxSettings()].update(from: bytes) }
            }
            return Self.json(self.allSettings)
        }
    }

    private func totals(of system: OutsideSystem) -> [UInt8] {
        let totals = state.withLock { $0.bank.totals(of: system) }
        var json = JSONWriter()
        json.object {
            $0.field("processing", Int64(totals.processing))
            $0.field("paid", Int64(totals.paid))
            $0.field("failed", Int64(totals.failed))
            $0.field("paidAmount", totals.paidAmount)
        }
        return json.bytes
    }

    private func dailyFile(_ request: Request) throws -> Response {
        guard let text = request.uri.queryParameters["date"], let start = Self.day(String(text)) else {
            throw HTTPError(.badRequest, message: "date must be like 2022-01-31, in UTC")
        }
        let name = request.uri.queryParameters["system"].map { String($0) } ?? OutsideSystem.payouts.rawValue
        guard let system = OutsideSystem(rawValue: name) else {
            throw HTTPError(.badRequest, message: "there is no system of that name")
        }
        let file = state.withLock { $0.bank.dailyFile(of: system, from: start) }
        return Response(
            status: .ok,
            headers: [.contentType: "text/csv; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: file))
        )
    }

    // MARK: Requests and answers

    private static func mishap(_ state: inout State, at system: OutsideSystem) -> Mishap? {
        let settings = state.settings[system] ?? SandboxSettings()
        if state.random.happens(settings.lostReplies) { return .lostReply }
        guard state.random.happens(settings.hangs) else { return nil }
        return .hang(.milliseconds(settings.hangMilliseconds))
    }

    private static func reply(_ answer: [UInt8], _ mishap: Mishap?) async throws -> Response {
        switch mishap {
        case nil: break
        case .hang(let duration): try await cancelWhenGracefulShutdown { try await Task.sleep(for: duration) }
        case .lostReply: return lostReply(answer)
        }
        return json(answer)
    }

    /// A body that fails before its first byte closes the connection.
    static func lostReply(_ answer: [UInt8]) -> Response {
        Response(
            status: .ok,
            headers: [.contentType: "application/json"],
            body: ResponseBody(contentLength: answer.count) { _ in throw ReplyLost() }
        )
    }

    private func authenticBody(of request: Request) async throws -> [UInt8] {
        try await Self.authenticBody(of: request, door)
    }

    static func authenticBody(of request: Request, _ door: CallbackGuard?) async throws -> [UInt8] {
        let body = try await body(of: request)
        guard let door else { return body }
        let verdict = door.check(request.headers, body: body, now: .now)
        guard verdict == .accepted else { throw HTTPError(.unauthorized, message: "\(verdict)") }
        return body
    }

    static func body(of request: Request) async throws -> [UInt8] {
        Array(try await request.body.collect(upTo: bodyBytesMax).readableBytesView)
    }

    static func json(_ write: (inout JSONWriter) -> Void) -> Response {
        var writer = JSONWriter()
        write(&writer)
        return json(writer.bytes)
    }

    static func json(_ bytes: [UInt8]) -> Response {
        Response(
            status: .ok,
            headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes))
        )
    }

    static func refusingFaults<Value>(_ body: () throws(JSONFault) -> Value) throws -> Value {
        do throws(JSONFault) {
            return try body()
        } catch {
            let place = error.field.map { " (\($0))" } ?? ""
            throw HTTPError(.badRequest, message: "\(error.reason) at byte \(error.offset)\(place)")
        }
    }

    static var unplain: HTTPError {
        HTTPError(.badRequest, message: "orders consist of letters, digits, hyphens and underscores")
    }

    /// Lines of the journal and of the daily file separate by commas; a hyphen alone stands for nothing there.
    static func isPlain(_ order: String) -> Bool {
        order != "-"
            && order.utf8.allSatisfy { byte in
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
