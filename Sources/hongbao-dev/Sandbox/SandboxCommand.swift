import ArgumentParser
import AsyncHTTPClient
import Crypto
import Foundation
import HongbaoCore
import HongbaoEngine
import HongbaoGateway
import Hummingbird
import Logging
import ServiceLifecycle
import UnixSignals

struct SandboxCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sandbox",
        abstract: "Play the systems outside over HTTP: a bank, a cashier and downstreams, as unreliable as asked.",
        discussion: """
            Four systems: payouts (what people withdraw), transfers (shares that go to people's change), refunds and \
            payments. Each takes POST /SYSTEM and POST /SYSTEM/query, signed with the key, carries out each order at \
            most once, remembers it across crashes, and calls back. A refund names its payment: it goes to who has \
            paid, and never is more given back than was paid. Payments are made by people at the page whose address \
            POST /payments answers; POST /payments/cancel lets none come any more, and at their closing time they end \
            unpaid.

            GET /SYSTEM tells the totals, GET /daily-file?date=2022-01-31&system=payouts gives the file for \
            reconciliation. PUT /settings changes how all behave and PUT /settings/SYSTEM how one does, with the same \
            names as the options: {"delay": 200, "distribution": "fixed", "failures": 0, "lostCallbacks": 0, \
            "duplicates": 0, "lostReplies": 0, "hangs": 0, "hangTime": 60000, "wrongAmounts": 0, "latePayments": 0, \
            "autoPays": 0}.

            Downstreams give coupons and pendants, one for each kind of reward, at /downstreams/KIND: \
            POST …/rewards and POST …/rewards/query, signed, too; each order is given at most once. \
            GET /downstreams/KIND tells the totals, GET /downstreams/KIND/given what was given, as lines of \
            order,person,template,givenAt. --reward, and PUT /settings/downstreams or /settings/downstreams/KIND, say \
            how they behave: {"delay": 0, "answerTime": 0, "busy": 0, "refusals": 0, "overloads": 0, "errors": 0, \
            "lostReplies": 0, "alreadyGranted": 0, "hangs": 0, "hangTime": 60000, "hungFor": 0}. hungFor has it carry \
            out and answer nothing for so many milliseconds from then on. For short there are the habits prompt, slow, \
            faulty, forgetful and repeating.

            The journal is text, a line for each thing that happened. The sandbox's address is printed as one line on \
            standard output when it is ready; logs go to standard error.
            """
    )

    @Option(help: "Address to listen on. Anything but a loopback address lets others in.")
    var host = "127.0.0.1"
    @Option(help: "Port to listen on; 0 takes any that is free.")
    var port = 9600
    @Option(help: "File that keeps what was accepted and paid. It is made when it isn't there.")
    var data = "sandbox-journal.log"
    @Option(help: "Base address of the server to call back about final orders; without it nobody is called back.")
    var callback: String?
    @Option(help: "Base address that people reach the payment pages at, if it's another one than is listened on.")
    var pages: String?
    @Option(help: "Secret that requests and callbacks are signed with.")
    var key = "hongbao-sandbox"
    @Flag(help: "Take requests without a signature, too.")
    var unsigned = false
    @Option(help: "Seed of all that happens by chance.")
    var seed: UInt64 = 1
    @Option(help: "Milliseconds from acceptance to the final state.")
    var delay: Int64 = 200
    @Option(help: "How the delay spreads: fixed, uniform or exponential.")
    var distribution = "fixed"
    @Option(help: "Orders that fail, in thousandths.")
    var failures = 0
    @Option(help: "Final orders that nobody is called back about, in thousandths.")
    var lostCallbacks = 0
    @Option(help: "Final orders that are called back about three times, in thousandths.")
    var duplicates = 0
    @Option(help: "Requests that are carried out and never answered, in thousandths.")
    var lostReplies = 0
    @Option(help: "Requests that are answered only after the hang time, in thousandths.")
    var hangs = 0
    @Option(help: "Milliseconds that such a request hangs.")
    var hangTime: Int64 = 60_000
    @Option(help: "Orders that are paid with one fen too many, refunds with one too few, in thousandths.")
    var wrongAmounts = 0
    @Option(help: "Payments that come, after the delay, although they were cancelled, in thousandths.")
    var latePayments = 0
    @Option(help: "Payments that are made after the delay without a person at the page, in thousandths.")
    var autoPays = 0
    @Option(
        name: .customLong("reward"),
        help: "How a downstream behaves, like tea:slow, film:delay=500,busy=100 or all:faulty; later ones count."
    )
    var rewards: [String] = []

    func validate() throws {
        for share in [
            failures, lostCallbacks, duplicates, lostReplies, hangs, wrongAmounts, latePayments, autoPays,
        ] {
            guard (0...1000).contains(share) else { throw ValidationError("shares are from 0 to 1000 thousandths") }
        }
        guard (0...SandboxSettings.delayMax).contains(delay), (0...SandboxSettings.delayMax).contains(hangTime) else {
            throw ValidationError("times are from 0 to a day")
        }
        guard SandboxSettings.Distribution(rawValue: distribution) != nil else {
            throw ValidationError("the distribution is fixed, uniform or exponential")
        }
        guard (0...65_535).contains(port) else { throw ValidationError("ports are from 0 to 65535") }
        guard !key.isEmpty else { throw ValidationError("the key must not be empty") }
        for text in rewards where SandboxHabitsOption(text, now: .now) == nil {
            throw ValidationError("\(text) isn't like tea:slow or film:delay=500,busy=100")
        }
    }

    func run() async throws {
        let logger = Self.makeLogger()
        let (journal, text) = try SandboxJournal.open(data)
        var bank = SandboxBank(seed: seed)
        let unacknowledged = try bank.replay(text)
        var gifts = SandboxGifts()
        try gifts.replay(text)
        let secret = SymmetricKey(data: Array(key.utf8))
        let client = HTTPClient(eventLoopGroupProvider: .singleton)
        let callbacks = callback.map {
            let signed = SignedClient(client: client, key: secret, deadlineMilliseconds: 5_000) { .now }
            return SandboxCallbacks(base: $0, client: signed, journal: journal, logger: logger)
        }
        let door = unsigned ? nil : CallbackGuard(key: secret)
        let downstreams = SandboxDownstreams(
            gifts: gifts,
            habits: habits,
            seed: seed &+ 1,
            journal: journal,
            door: door
        )
        let sandbox = Sandbox(
            bank: bank,
            settings: settings,
            seed: seed,
            journal: journal,
            callbacks: callbacks,
            door: door
        )
        let routes = sandbox.routes
        downstreams.add(to: routes)
        if let callbacks { for entry in unacknowledged { callbacks.send(entry) } }
        let host = host
        let pages = pages
        let application = Application(
            router: routes,
            configuration: ApplicationConfiguration(address: .hostname(host, port: port), serverName: "sandbox"),
            onServerRunning: { channel in
                let address = "http://\(host):\(channel.localAddress?.port ?? 0)"
                sandbox.serves(at: pages ?? address)
                do {
                    try FileHandle.standardOutput.write(contentsOf: Data("\(address)\n".utf8))
                } catch {
                    logger.warning("nobody reads standard output", metadata: ["error": "\(error)"])
                }
            },
            logger: logger
        )
        // They stop in reverse: no more requests, then no more work, then the journal.
        var services: [any Service] = [journal]
        if let callbacks { services.append(callbacks) }
        services += [sandbox, application]
        let group = ServiceGroup(
            services: services,
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: logger
        )
        do {
            try await group.run()
        } catch {
            try await client.shutdown()
            throw error
        }
        try await client.shutdown()
    }

    private static func makeLogger() -> Logger {
        LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
        var logger = Logger(label: "hongbao-dev.sandbox")
        logger.logLevel = .notice
        return logger
    }

    /// As they are now: what hangs for a time does so from now on.
    private var habits: [RewardKind: SandboxHabits] {
        var habits: [RewardKind: SandboxHabits] = [:]
        for option in rewards.compactMap({ SandboxHabitsOption($0, now: .now) }) {
            for kind in option.kind.map({ [$0] }) ?? RewardKind.downstream { habits[kind] = option.habits }
        }
        return habits
    }

    private var settings: SandboxSettings {
        SandboxSettings(
            delayMilliseconds: delay,
            distribution: SandboxSettings.Distribution(rawValue: distribution) ?? .fixed,
            failures: failures,
            lostCallbacks: lostCallbacks,
            duplicateCallbacks: duplicates,
            lostReplies: lostReplies,
            hangs: hangs,
            hangMilliseconds: hangTime,
            wrongAmounts: wrongAmounts,
            latePayments: latePayments,
            autoPays: autoPays
        )
    }
}
