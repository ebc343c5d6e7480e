import AsyncHTTPClient
import Crypto
import Foundation
import Glibc
import HTTPTypes
import HongbaoCore
import HongbaoEngine
import HongbaoGateway
import HongbaoTesting
import Hummingbird
import Logging
import NIOCore
import NIOHTTP1
import Synchronization
import Testing

/// The cashier, transfers and refunds over real HTTP: against the built `hongbao-dev sandbox`, and against servers that
/// answer nonsense (AS-1, RP-2, RP-4).
@Suite(.timeLimit(.minutes(15))) struct OutsideSystemsTests {
    private static let secret = SymmetricKey(data: Array("hongbao-sandbox".utf8))
    private static let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
    private static let now: @Sendable () -> Timestamp = {
        Timestamp(milliseconds: Int64(Date().timeIntervalSince1970 * 1000))
    }

    private static func client(deadline: Int64 = 10_000) -> SignedClient {
        SignedClient(client: .shared, key: secret, deadlineMilliseconds: deadline, now: now)
    }

    private static func cashier(_ base: String, deadline: Int64 = 10_000) -> HTTPCashier {
        HTTPCashier(client: client(deadline: deadline), base: base, logger: logger)
    }

    private static func channel(_ system: OutsideSystem, _ base: String, deadline: Int64 = 10_000) -> HTTPPayoutChannel
    {
        HTTPPayoutChannel(system, client: client(deadline: deadline), base: base, logger: logger)
    }

    private static func fen(_ fen: Int64) -> Amount { Amount(fen: fen) ?? .zero }

    private static func payment(_ order: String, _ fen: Int64, seconds: Int64 = 600) -> PaymentOrder {
        PaymentOrder(
            order: order,
            person: PersonID(7),
            amount: self.fen(fen),
            closesAt: now().advanced(bySeconds: seconds)
        )
    }

    /// Follows no redirects, as a browser's address bar shows them.
    private static let browser: HTTPClient = {
        var configuration = HTTPClient.Configuration()
        configuration.redirectConfiguration = .disallow
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()

    private static func browse(
        _ url: String,
        form: String? = nil
    ) async throws -> (status: UInt, headers: HTTPHeaders, text: String) {
        var request = HTTPClientRequest(url: url)
        if let form {
            request.method = .POST
            request.headers.add(name: "Content-Type", value: "application/x-www-form-urlencoded")
            request.body = .bytes(ByteBuffer(string: form))
        }
        let response = try await browser.execute(request, timeout: .seconds(30))
        let text = String(buffer: try await response.body.collect(upTo: 1 << 20))
        return (response.status.code, response.headers, text)
    }

    // MARK: Against the sandbox

    /// A person pays at the page; a share goes out, the rest goes back; the sandbox is killed in between.
    @Test func payingTransferringAndRefunding() async throws {
        let folder = try TemporaryFolder()
        let arguments = ["--data", folder.file("journal.log"), "--delay", "20"]
        let first = try await BuiltProgram("hongbao-dev", ["sandbox", "--port", "0"] + arguments)
        let base = first.firstLine
        let port = try #require(base.split(separator: ":").last)
        let cashier = Self.cashier(base)
        let order = Self.payment("p_1", 1_288)
        let url = try #require(await cashier.open(order))
        #expect(url == "\(base)/pay/p_1")
        #expect(await cashier.open(order) == url)
        let other = PaymentOrder(order: "p_1", person: PersonID(8), amount: order.amount, closesAt: order.closesAt)
        #expect(await cashier.open(other) == nil)
        #expect(await cashier.query(["p_1", "p_2"]) == [.processing, .unknownOrder])
        let page = try await Self.browse(url)
        #expect(page.status == 200 && page.text.contains("¥12.88"))
        #expect(page.headers.first(name: "Content-Security-Policy") == PaymentPagePolicy.text)
        #expect(try await Self.browse("\(base)/pay.css").status == 200)
        #expect(try await Self.browse("\(base)/pay/p_2").status == 404)
        for form in ["", "action=", "action=pay&action=cancel", "action=paid"] {
            #expect(try await Self.browse(url, form: form).status == 400, "\(form)")
        }
        let answer = try await Self.browse(url, form: "action=pay")
        #expect(answer.status == 303 && answer.headers.first(name: "Location") == "/pay/p_1")
        #expect(try await Self.browse(url).text.contains("已支付"))
        let paid = PayoutReport.paid(order.amount)
        #expect(await cashier.query(["p_1"]) == [paid])
        #expect(await cashier.cancel(["p_1", "p_9"]) == [paid, .failed])

        first.kill(SIGKILL)
        #expect(try await first.exitCode() == -SIGKILL)
        let second = try await BuiltProgram("hongbao-dev", ["sandbox", "--port", "\(port)"] + arguments)
        #expect(await cashier.query(["p_1", "p_9"]) == [paid, .failed])
        #expect(await cashier.open(Self.payment("p_9", 5)) == nil)
        let transfers = Self.channel(.transfers, base)
        let share = PayoutOrder(order: "t_1_42", person: PersonID(42), amount: Self.fen(800))
        #expect(await transfers.pay([share]) == [.processing])
        let refunds = Self.channel(.refunds, base)
        let rest = PayoutOrder(order: "r_1", person: PersonID(7), amount: Self.fen(488), payment: "p_1")
        let tooMuch = PayoutOrder(order: "r_2", person: PersonID(7), amount: Self.fen(801), payment: "p_1")
        let ofNothing = PayoutOrder(order: "r_3", person: PersonID(7), amount: Self.fen(1), payment: "p_2")
        #expect(await refunds.pay([rest, tooMuch, ofNothing]) == [.processing, .processing, .processing])
        try await BuiltProgram.until("all are final") {
            let reports = await refunds.query(["r_1", "r_2", "r_3"]) + transfers.query(["t_1_42"])
            return reports == [.paid(rest.amount), .failed, .failed, .paid(share.amount)]
        }
        // Systems don't know each other's orders, and refunds and others aren't mixed up.
        #expect(await Self.channel(.payouts, base).query(["t_1_42", "r_1"]) == [.unknownOrder, .unknownOrder])
        #expect(await transfers.pay([rest]) == [.unreachable])
        #expect(await refunds.pay([share]) == [.unreachable])
        let day = Date().formatted(.iso8601.year().month().day())
        let file = try await Self.browse("\(base)/daily-file?date=\(day)&system=refunds").text
        if file.contains("r_1") { #expect(file.contains("r_1,7,488,paid,") && file.contains("r_2,7,801,failed,")) }
        #expect(try await Self.browse("\(base)/refunds").text.contains(#""paid":1,"failed":2,"paidAmount":488"#))
        second.kill(SIGTERM)
        #expect(try await second.exitCode() == 0)
    }

    /// All systems call back, signed, at the addresses that `hongbao serve` has; and settings can be one system's own.
    @Test func callbacksOfAllSystems() async throws {
        let folder = try TemporaryFolder()
        let door = CallbackGuard(key: Self.secret)
        let taken = Mutex<[String: Int]>([:])
        let router = Router()
        router.post("v1/callbacks/:system") { request, context -> HTTPResponse.Status in
            let body = Array(try await request.body.collect(upTo: 65_536).readableBytesView)
            let verdict = door.check(request.headers, body: body, now: Self.now())
            let result = try PayoutMessages.readCallback(body)
            let line = "\(context.parameters.get("system") ?? "?") \(result.order) \(result.state) \(verdict)"
            taken.withLock { $0[line, default: 0] += 1 }
            return .ok
        }
        try await withLoopbackServer(router) { address in
            let sandbox = try await BuiltProgram(
                "hongbao-dev",
                [
                    "sandbox", "--port", "0", "--data", folder.file("journal.log"), "--delay", "20", "--callback",
                    address, "--auto-pays", "1000",
                ]
            )
            let base = sandbox.firstLine
            var request = HTTPClientRequest(url: "\(base)/settings/transfers")
            request.method = .PUT
            request.body = .bytes(ByteBuffer(string: #"{"duplicates":1000}"#))
            let answer = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
            let settings = String(buffer: try await answer.body.collect(upTo: 1 << 16))
            #expect(settings.components(separatedBy: #""duplicates":1000"#).count == 2)
            let cashier = Self.cashier(base)
            #expect(await cashier.open(Self.payment("p_1", 100)) != nil)
            try await BuiltProgram.until("it pays by itself") {
                await cashier.query(["p_1"]) == [.paid(Self.fen(100))]
            }
            for (system, payment) in [(OutsideSystem.payouts, nil), (.transfers, nil), (.refunds, "p_1")] {
                let order = PayoutOrder(
                    order: "o_\(system)",
                    person: PersonID(7),
                    amount: Self.fen(30),
                    payment: payment
                )
                #expect(await Self.channel(system, base).pay([order]) == [.processing])
            }
            let expected = [
                "payments p_1 paid accepted": 1, "payouts o_payouts paid accepted": 1,
                "transfers o_transfers paid accepted": 3, "refunds o_refunds paid accepted": 1,
            ]
            try await BuiltProgram.until("all have called back") { taken.withLock { $0 } == expected }
            sandbox.kill(SIGTERM)
            #expect(try await sandbox.exitCode() == 0)
        }
    }

    /// RP-9: one system hangs while the others answer.
    @Test func oneSystemHangsAlone() async throws {
        let folder = try TemporaryFolder()
        let sandbox = try await BuiltProgram(
            "hongbao-dev",
            ["sandbox", "--port", "0", "--data", folder.file("journal.log")]
        )
        let base = sandbox.firstLine
        var request = HTTPClientRequest(url: "\(base)/settings/transfers")
        request.method = .PUT
        request.body = .bytes(ByteBuffer(string: #"{"hangs":1000}"#))
        _ = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
        let order = PayoutOrder(order: "o_1", person: PersonID(7), amount: Self.fen(30))
        #expect(await Self.channel(.transfers, base, deadline: 200).pay([order]) == [.unreachable])
        #expect(await Self.channel(.payouts, base).pay([order]) == [.processing])
        #expect(await Self.cashier(base).open(Self.payment("p_1", 100)) != nil)
        sandbox.kill(SIGTERM)
        #expect(try await sandbox.exitCode() == 0)
    }

    // MARK: Against nonsense

    /// What isn't a whole, strict answer about an order says nothing about it.
    @Test func answersThatAreNone() async throws {
        let body = Mutex("")
        let status = Mutex(HTTPResponse.Status.ok)
        let router = Router()
        for path in ["payments", "payments/query", "payments/cancel", "refunds", "refunds/query"] {
            router.post(RouterPath(path)) { _, _ in
                Response(
                    status: status.withLock { $0 },
                    body: ResponseBody(byteBuffer: ByteBuffer(string: body.withLock { $0 }))
                )
            }
        }
        try await withLoopbackServer(router) { base in
            let cashier = Self.cashier(base)
            let refunds = Self.channel(.refunds, base)
            let order = Self.payment("p_1", 100)
            let refund = PayoutOrder(order: "p_1", person: PersonID(7), amount: order.amount, payment: "p_0")
            func ask(_ text: String) async -> (url: String?, reports: [PayoutReport]) {
                body.withLock { $0 = text }
                let reports = await cashier.query(["p_1", "p_2"])
                #expect(await cashier.cancel(["p_1", "p_2"]) == reports, "\(text.prefix(200))")
                #expect(await refunds.query(["p_1", "p_2"]) == reports, "\(text.prefix(200))")
                #expect(await refunds.pay([refund]) == [reports[0]], "\(text.prefix(200))")
                return (await cashier.open(order), reports)
            }
            let paid = #"{"order":"p_1","state":"paid","amount":100}"#
            // As many as were asked about, more, fewer, in another order, and about others.
            let report = PayoutReport.paid(order.amount)
            for (results, expected) in [
                (paid, [report, .unreachable]),
                (#"{"order":"p_2","state":"failed"},\#(paid)"#, [report, .failed]),
                (#"{"order":"p_3","state":"failed"},\#(paid)"#, [report, .unreachable]),
                ("", [.unreachable, .unreachable]),
                ("\(paid),\(paid)", [.unreachable, .unreachable]),
                ("\(paid),\(paid),\(paid)", [.unreachable, .unreachable]),
                (#"\#(paid),{"order":"p_1","state":"failed"}"#, [.unreachable, .unreachable]),
                (#"{"order":"p_1","state":"paid"}"#, [.unreachable, .unreachable]),
                (#"{"order":"p_1","state":"conflict"}"#, [.unreachable, .unreachable]),
            ] as [(String, [PayoutReport])] {
                let answer = await ask(#"{"results":[\#(results)]}"#)
                #expect(answer.reports == expected, "\(results)")
                #expect(answer.url == nil)
            }
            let nothing = [PayoutReport.unreachable, .unreachable]
            for text in [
                "", "null", "{", "[]", "{}", #"{"results":[\#(paid)]"#, #"{"results":[\#(paid)]}x"#,
                #"{"results":[\#(paid)],"results":[]}"#, #"{"results":[\#(paid.dropLast()),"amount":100}]}"#,
                #"{"results":[\#(paid.dropLast()),"fee":1}]}"#, String(repeating: " ", count: 2 << 20),
                #"{"results":["# + String(repeating: paid + ",", count: 1_000) + paid + "]}",
                String(repeating: "[", count: 1 << 19),
            ] {
                let answer = await ask(text)
                #expect(answer.reports == nothing && answer.url == nil, "\(text.prefix(200))")
            }
            // The page is that of this order, and an address of the web.
            let url = "https://pay.example/p_1"
            for (result, expected) in [
                (#""order":"p_1","state":"processing","url":"\#(url)""#, url),
                (#""order":"p_1","state":"paid","amount":100,"url":"\#(url)""#, url),
                (#""order":"p_2","state":"processing","url":"\#(url)""#, nil),
                (#""order":"p_1","state":"conflict","url":"\#(url)""#, nil),
                (#""order":"p_1","state":"processing","url":"javascript:a""#, nil),
                (#""order":"p_1","state":"processing""#, nil),
            ] as [(String, String?)] {
                body.withLock { $0 = #"{"results":[{\#(result)}]}"# }
                #expect(await cashier.open(order) == expected, "\(result)")
            }
            body.withLock { $0 = #"{"results":[\#(paid)]}"# }
            for code in [HTTPResponse.Status.badRequest, .unauthorized, .internalServerError, .temporaryRedirect] {
                status.withLock { $0 = code }
                #expect(await cashier.query(["p_1"]) == [.unreachable], "\(code)")
                #expect(await cashier.open(order) == nil, "\(code)")
            }
        }
    }

    @Test func nobodyIsThere() async throws {
        let base = "http://127.0.0.1:1"
        let order = Self.payment("p_1", 100)
        #expect(await Self.cashier(base, deadline: 1_000).open(order) == nil)
        #expect(await Self.cashier(base, deadline: 1_000).query(["a", "b"]) == [.unreachable, .unreachable])
    }
}

/// Written out, so that the page's policy isn't loosened in passing.
private enum PaymentPagePolicy {
    static let text =
        "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; "
        + "frame-ancestors 'none'"
}
