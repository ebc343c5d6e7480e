import AsyncHTTPClient
import Crypto
import Foundation
import Glibc
import HongbaoCore
import HongbaoEngine
import HongbaoGateway
import HongbaoSQLite
import HongbaoTesting
import NIOCore
import NIOHTTP1

/// A real server, a sandbox that pays out, and their clients, who write down every answer: what all kill and fault runs
/// have in common. In the end what the clients were told, the ledger and the channel's file must be the same.
struct FaultWorld: Sendable {
    struct Programs: Sendable {
        /// The built `hongbao` and `hongbao-dev`.
        var server: String
        var tools: String
    }

    let programs: Programs
    /// For data, logs and the channel's journal.
    let folder: String
    let campaignFile: String
    let client: HTTPClient
    /// What the clients know, for each phase of the campaign that they play in.
    var sides: [Side]
    /// Red packets, if people send any.
    var packets: PacketBook?
    /// People who turn out to be one, if there are any.
    var twins: TwinBook?
    /// The side that is played on now.
    var current = 0
    /// When people's tokens are made.
    var now: @Sendable () -> Timestamp = { .now }
    let accounts: DemoAccounts
    /// Outside the range from which systems give ports to clients, so that it's free again after each kill.
    let port: Int
    /// How long each caller of grants waits between an answer and its next request.
    var wait = Duration.zero
    /// In addition to what every server gets.
    var environment: [String: String] = [:]
    /// A program and its first arguments, which runs the server.
    var wrapper: [String] = []
    var dataFolder: String
    /// Reads the ledger, in one snapshot.
    var readRows: @Sendable () async throws -> Rows

    struct Side: Sendable {
        let grants: GrantBook
        let withdrawals: WithdrawalBook
    }

    var grants: GrantBook { sides[current].grants }
    var withdrawals: WithdrawalBook { sides[current].withdrawals }

    private static let secret = "fault-runs"
    private static let forms: [GrantCaller.Form] = [
        .batches(100), .batches(40), .batches(7), .single, .single, .single,
    ]
    private static let peopleAsking = 2
    /// Between two red packets of a client, and two pairs of twins.
    private static let playPause = Duration.milliseconds(200)

    init(programs: Programs, folder: String, campaignFile: String, client: HTTPClient) throws {
        self.programs = programs
        self.folder = folder
        self.campaignFile = campaignFile
        self.client = client
        let data = "\(folder)/data"
        dataFolder = data
        readRows = { try await Self.rows(of: data) }
        sides = [
            Side(
                grants: GrantBook(scene: try KillTest.scene(of: campaignFile)),
                withdrawals: WithdrawalBook(prefix: "k")
            )
        ]
        accounts = try DemoAccounts(
            DemoConfiguration(seed: Array(repeating: 7, count: 32), lifetimeSeconds: 20 * 86_400)
        )
        port = try freePort()
    }

    /// A client that gives up at once when nobody is there, as after a kill.
    static func withClient<Answer>(_ body: (HTTPClient) async throws -> Answer) async throws -> Answer {
        var configuration = HTTPClient.Configuration()
        configuration.connectionPool.retryConnectionEstablishment = false
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        do {
            let answer = try await body(client)
            try await client.shutdown()
            return answer
        } catch {
            try await client.shutdown()
            throw error
        }
    }

    // MARK: The programs

    /// A payout channel with losses of all kinds. It knows where to call the server back.
    func startSandbox(_ arguments: [String] = Self.unreliable) async throws -> Sandbox {
        let program = try StartedProgram(
            programs.tools,
            [
                "sandbox", "--port", "0", "--data", "\(folder)/payouts.log", "--key", Self.secret,
                "--callback", "http://127.0.0.1:\(port)",
            ] + arguments,
            errorFile: "\(folder)/sandbox.log"
        )
        return Sandbox(program: program, address: try await program.firstLine(), client: client)
    }

    static let unreliable = [
        "--delay", "100", "--distribution", "exponential", "--failures", "100", "--lost-callbacks", "300",
        "--duplicates", "100", "--lost-replies", "100",
    ]

    struct Sandbox: Sendable {
        let program: StartedProgram
        let address: String
        let client: HTTPClient

        func set(_ settings: String) async throws {
            var request = HTTPClientRequest(url: "\(address)/settings")
            request.method = .PUT
            request.body = .bytes(Array(settings.utf8))
            let response = try await client.execute(request, timeout: .seconds(10))
            guard response.status == .ok else { throw KillTestFault("the sandbox refuses \(settings)") }
        }

        /// All final orders of these days.
        func dailyFile(_ days: [Date]) async throws -> [String: WithdrawalBook.ChannelRow] {
            var rows: [String: WithdrawalBook.ChannelRow] = [:]
            for day in days {
                let text = day.formatted(.iso8601.year().month().day())
                let request = HTTPClientRequest(url: "\(address)/daily-file?date=\(text)")
                let response = try await client.execute(request, timeout: .seconds(30))
                let file = String(buffer: try await response.body.collect(upTo: 64 << 20))
                for line in file.split(separator: "\n").dropFirst() {
                    let words = line.split(separator: ",").map(String.init)
                    guard words.count == 5, let amount = Int64(words[2]), rows[words[0]] == nil else {
                        throw KillTestFault("an odd line in the channel's file: \(line)")
                    }
                    rows[words[0]] = WithdrawalBook.ChannelRow(person: words[1], amount: amount, state: words[3])
                }
            }
            return rows
        }

        func stop() async throws {
            program.kill(SIGTERM)
            let code = try await program.exitCode()
            guard code == 0 else { throw KillTestFault("the sandbox ended with \(code)") }
        }
    }

    /// Starts the server without waiting for it.
    func startServer(payingOver sandbox: Sandbox, arguments: [String] = ["--rehearse"]) throws -> StartedProgram {
        let serve = ["serve", "--data", dataFolder, "--port", "\(port)", "--campaign", campaignFile] + arguments
        let command = wrapper + [programs.server] + serve
        return try StartedProgram(
            command[0],
            Array(command.dropFirst()),
            environment: try settings(payingOver: sandbox).merging(environment) { _, new in new },
            errorFile: "\(folder)/server.log"
        )
    }

    /// What every server is told.
    func settings(payingOver sandbox: Sandbox) throws -> [String: String] {
        guard case .edDSA(let publicKey) = accounts.publicIssuer.key else { throw KillTestFault("an odd issuer") }
        return [
            "HONGBAO_SERVICE_KEYS": KillTest.serviceKeySetting,
            "HONGBAO_ISSUERS": "\(DemoAccounts.issuer):EdDSA:\(Data(publicKey).base64EncodedString())",
            "HONGBAO_PAYOUTS_URL": sandbox.address, "HONGBAO_PAYOUTS_SECRET": Self.secret,
            "HONGBAO_LOG_LEVEL": "warning", "HONGBAO_SHUTDOWN_UNREADY_SECONDS": "0",
        ]
    }

    /// Ends a server with SIGKILL; that must be what it ends of.
    func killServer(_ server: StartedProgram) async throws {
        server.kill(SIGKILL)
        let code = try await server.exitCode()
        guard code == -SIGKILL else {
            throw KillTestFault("the server ended by itself with \(code): \(Self.ends(of: server.errors))")
        }
    }

    func stopServer(_ server: StartedProgram) async throws {
        server.kill(SIGTERM)
        let code = try await server.exitCode()
        guard code == 0 else {
            throw KillTestFault("SIGTERM: the server ended with \(code): \(Self.ends(of: server.errors))")
        }
    }

    /// A crash says why first, and then much.
    private static func ends(of text: String) -> String {
        text.count <= 6_000 ? text : "\(text.prefix(4_000))\n…\n\(text.suffix(2_000))"
    }

    // MARK: The clients

    func caller(_ address: String) -> Caller { Caller(client: client, base: address) }

    func grantCaller(_ address: String) -> GrantCaller {
        GrantCaller(
            caller: caller(address),
            serviceKey: KillTest.serviceKey,
            campaign: KillTest.campaign,
            book: grants
        )
    }

    func personCaller(_ address: String) -> PersonCaller {
        PersonCaller(caller: caller(address), accounts: accounts, now: now)
    }

    func withdrawalCaller(_ address: String) -> WithdrawalCaller {
        WithdrawalCaller(people: personCaller(address), campaign: KillTest.campaign, book: withdrawals)
    }

    func packetCaller(_ address: String, _ book: PacketBook) -> PacketCaller {
        PacketCaller(
            people: personCaller(address),
            serviceKey: KillTest.serviceKey,
            campaign: KillTest.campaign,
            book: book
        )
    }

    func twinCaller(_ address: String, _ book: TwinBook) -> TwinCaller {
        TwinCaller(
            caller: caller(address),
            serviceKey: KillTest.serviceKey,
            campaign: KillTest.campaign,
            book: book
        )
    }

    /// Loads the server from all sides while `body` runs; who is cut off stops when `body` is over.
    func load(
        _ address: String,
        _ random: inout Seeded,
        while body: @Sendable () async throws -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for form in Self.forms {
                let seed = random.next()
                group.addTask { try await send(form, grantCaller(address), seed) }
            }
            for _ in 0..<Self.peopleAsking {
                let seed = random.next()
                group.addTask { try await withdraw(withdrawalCaller(address), seed) }
            }
            if let packets {
                let caller = packetCaller(address, packets)
                group.addTask { try await untilCancelled { try await caller.play(packets.take()) } }
            }
            if let twins {
                let caller = twinCaller(address, twins)
                group.addTask { try await untilCancelled { if let two = twins.take() { try await caller.play(two) } } }
            }
            // Its end is the others' end.
            try await body()
            group.cancelAll()
            try await group.waitForAll()
        }
    }

    private func send(_ form: GrantCaller.Form, _ caller: GrantCaller, _ seed: UInt64) async throws {
        var random = Seeded(seed: seed)
        while !Task.isCancelled {
            let count: Int
            switch form {
            case .batches(let most): count = Int.random(in: 1...most, using: &random)
            case .single: count = 1
            }
            try await untilCutOff { try await caller.send(grants.take(count, &random), as: form) }
            if wait > .zero { await pause(wait, on: ContinuousClock()) }
        }
    }

    private func untilCancelled(_ play: () async throws -> Void) async throws {
        do {
            while true {
                try await play()
                try await Task.sleep(for: Self.playPause)
            }
        } catch is CancellationError {}
    }

    private func withdraw(_ caller: WithdrawalCaller, _ seed: UInt64) async throws {
        var random = Seeded(seed: seed)
        while !Task.isCancelled {
            guard let asked = withdrawals.take(of: grants.peopleCount, &random) else {
                await Task.yield()
                continue
            }
            try await untilCutOff { try await caller.ask(asked) }
        }
    }

    /// A broken connection is news only to whoever isn't about to be stopped; then there's no hurry to come back.
    private func untilCutOff(_ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch is Caller.Unanswered {
            do {
                try await Task.sleep(for: .milliseconds(5))
            } catch {
                return
            }
        }
    }
}
