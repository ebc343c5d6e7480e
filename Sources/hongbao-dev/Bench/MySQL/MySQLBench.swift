extension Bench {
    /// Whether this build has MariaDB.
    static var hasMySQL: Bool {
        #if MySQL
            true
        #else
            false
        #endif
    }

    func runMySQL() async throws -> [Figure] {
        #if MySQL
            try await MySQLBench(bench: self).run()
        #else
            throw BenchNotPossible(reason: "this build has no MariaDB; build with --traits MySQL")
        #endif
    }
}

#if MySQL
    import HongbaoCore
    import HongbaoEngine
    import HongbaoMySQL
    import HongbaoTesting

    /// The store in MariaDB, on a server of its own that syncs at each commit, against what one would write first on
    /// connections to the same server.
    struct MySQLBench: Sendable {
        let bench: Bench

        /// As a machine of its own would be set up, but for the sizes. What a commit promises is left as it is by
        /// default, and the store checks it.
        private static let options = [
            "--innodb-buffer-pool-size=2G", "--innodb-log-file-size=1G", "--max-allowed-packet=64M",
        ]
        /// The baselines are measured with each of these, and the best counts.
        private static let connectionCounts = [4, 16]
        private static let plainDatabase = "plain"

        func run() async throws -> [Figure] {
            let server: MariaDBServer
            do {
                server = try await MariaDBServer.started(Self.options, in: bench.parent)
            } catch let fault as MariaDBServer.Fault {
                throw BenchNotPossible(reason: fault.description)
            }
            do {
                let figures = try await run(on: server)
                try await server.stop()
                return figures
            } catch {
                try await server.stop()
                throw error
            }
        }

        private func run(on server: MariaDBServer) async throws -> [Figure] {
            try await PlainConnections(socket: server.socket, database: "mysql").run(
                "CREATE DATABASE \(Self.plainDatabase)"
            )
            let plain = PlainConnections(socket: server.socket, database: Self.plainDatabase)
            let own = own(server)
            return try await grants(own, plain) + postings(own, plain) + claims(own, plain) + wallet(own, server)
        }

        // MARK: The server

        /// The same bench, with engines that run on the server, each with a database of its own.
        private func own(_ server: MariaDBServer) -> Bench {
            var own = bench
            let socket = server.socket
            own.open = { folder in
                let name = Self.database(of: folder)
                let console = PlainConnections(socket: socket, database: "mysql")
                try await console.run("CREATE DATABASE \(name)")
                let address = ServerAddress(.socket(socket), user: "root", password: "", database: name)
                let store = try await MySQLStore(address)
                return BenchStore(store: store) {
                    await store.close()
                    try await console.run("DROP DATABASE \(name)")
                }
            }
            return own
        }

        private static func database(of folder: String) -> String {
            folder.split(separator: "/").last.map { $0.split(separator: "-").joined(separator: "_") } ?? "bench"
        }

        /// A baseline for each number of connections.
        private func baselines(
            _ name: String,
            _ unit: String,
            sample: @escaping @Sendable (_ connections: Int) async throws -> Sample
        ) -> [Measurement] {
            Self.connectionCounts.map { count in
                Measurement(Figure(name: "\(name), \(count) connections", unit: unit)) { try await sample(count) }
            }
        }

        /// Holds figures against the best of their baselines.
        private func measure(
            _ measurements: [Measurement],
            against baselines: [Measurement]
        ) async throws -> [Figure] {
            var figures = try await bench.measure(measurements + baselines)
            let names = Set(baselines.map(\.figure.name))
            let best = figures.filter { names.contains($0.name) }.max { $0.median < $1.median }
            for index in figures.indices where !names.contains(figures[index].name) {
                figures[index].baseline = best?.name
            }
            return figures
        }

        // MARK: Grants

        private func grants(_ own: Bench, _ plain: PlainConnections) async throws -> [Figure] {
            try await plain.run(
                """
                CREATE TABLE grant_row (
                    order_number VARCHAR(64) NOT NULL PRIMARY KEY, person BIGINT NOT NULL, amount BIGINT NOT NULL,
                    opened_at BIGINT NOT NULL
                )
                """
            )
            let source = GrantSource(people: 1_000_000)
            let grants = GrantsBench(bench: own)
            let figure = Figure(name: "grants, calls of 1,000", unit: "grants/s", goal: 300_000)
            let posting = Figure(name: "grants, while posting", unit: "grants/s")
            return try await measure(
                [
                    Measurement(figure) {
                        try await grants.grantsPerSecond(callSize: 1_000, callers: 48, isPosting: false)
                    },
                    Measurement(posting) {
                        try await grants.grantsPerSecond(callSize: 1_000, callers: 48, isPosting: true)
                    },
                ],
                against: baselines("grants, a row each", "grants/s") { connections in
                    try await plain.rate(connections, seconds: bench.seconds) { connection in
                        let insert = try connection.prepare("INSERT INTO grant_row VALUES (?, ?, ?, ?)")
                        return {
                            let request = source.next(1)[0]
                            insert.bind(0, NaivePipeline.order(request))
                            insert.bind(1, Int64(bitPattern: request.person.rawValue))
                            insert.bind(2, request.amount ?? 0)
                            insert.bind(3, WallClock.system.now().milliseconds)
                            try insert.run()
                        }
                    }
                }
            )
        }

        // MARK: Postings

        /// The baseline only adds the transfer and the person's balance, and leaves the scene's balance alone: one row
        /// that every transaction would wait for.
        private func postings(_ own: Bench, _ plain: PlainConnections) async throws -> [Figure] {
            try await plain.run(
                """
                CREATE TABLE posting (
                    person BIGINT NOT NULL, part BIGINT NOT NULL, amount BIGINT NOT NULL, at BIGINT NOT NULL,
                    PRIMARY KEY (person, part)
                )
                """,
                "CREATE TABLE balance (person BIGINT NOT NULL PRIMARY KEY, credits BIGINT NOT NULL)"
            )
            let people = 10_000
            let turns = Turns()
            let drained = Figure(name: "postings, \(people) people", unit: "postings/s", goal: 100_000)
            let single = Figure(name: "postings, same rules one by one", unit: "postings/s")
            return try await own.withFolder { folder in
                try await own.withEngine(folder: folder) { engine in
                    let source = GrantSource(people: people)
                    _ = try await PostingsBench.post(people, of: source, engine)
                    let ours = Measurement(drained) {
                        try await PostingsBench.post(PostingsBench.postingsPerRepetition, of: source, engine)
                    }
                    let sameRules = Measurement(single) { try await PostingsBench.postOneByOne(own, source, engine) }
                    return try await measure(
                        [ours],
                        against: postingOneByOne(plain, turns, people: people) + [sameRules]
                    )
                }
            }
        }

        private func postingOneByOne(_ plain: PlainConnections, _ turns: Turns, people: Int) -> [Measurement] {
            baselines("postings, one by one", "postings/s") { connections in
                try await plain.rate(connections, seconds: bench.seconds) { connection in
                    let add = try connection.prepare("INSERT INTO posting VALUES (?, ?, ?, ?)")
                    let credit = try connection.prepare(
                        "INSERT INTO balance VALUES (?, ?) ON DUPLICATE KEY UPDATE credits = credits + VALUES(credits)"
                    )
                    return {
                        let turn = turns.take()
                        let person = Int64(bitPattern: GrantSource.person(turn % people).rawValue)
                        try connection.run("START TRANSACTION")
                        try add.run(person, Int64(turn), 100, WallClock.system.now().milliseconds)
                        try credit.run(person, 100)
                        try connection.run("COMMIT")
                    }
                }
            }
        }

        // MARK: Claims

        private func claims(_ own: Bench, _ plain: PlainConnections) async throws -> [Figure] {
            try await plain.run(
                """
                CREATE TABLE packet (
                    id BIGINT NOT NULL PRIMARY KEY, amount_left BIGINT NOT NULL, count_left BIGINT NOT NULL
                )
                """,
                """
                CREATE TABLE claim (
                    packet BIGINT NOT NULL, person BIGINT NOT NULL, share BIGINT NOT NULL, at BIGINT NOT NULL,
                    PRIMARY KEY (packet, person)
                )
                """
            )
            let packets = Turns()
            let persons = Turns()
            let hot = Figure(name: "claims, one packet", unit: "claims/s")
            let paid = Figure(name: "claims, while transferring", unit: "claims/s")
            let transfers = BenchTransfers(answers: false)
            var figures = try await own.withFolder { folder in
                try await own.withEngine(folder: folder, transfers: transfers) { engine in
                    // Those that wait are let go before the engine ends, which waits for them.
                    defer { transfers.answer() }
                    let source = PacketSource(engine)
                    let claims = Measurement(hot) {
                        let packet = try await source.send(count: Split.countMax)
                        return try await ClaimsBench.claim([packet], engine.packets, source, own)
                    }
                    let paying = Measurement(paid) { try await ClaimsBench.claimWhileTransferring(own) }
                    return try await measure([claims, paying], against: claimingOneByOne(plain, packets, persons))
                }
            }
            if let baseline = figures.first(where: { $0.name == figures.first?.baseline }) {
                figures[0].goal = 20 * baseline.median
            }
            return figures
        }

        private func claimingOneByOne(
            _ plain: PlainConnections,
            _ packets: Turns,
            _ persons: Turns
        ) -> [Measurement] {
            baselines("claims, SELECT … FOR UPDATE", "claims/s") { connections in
                let packet = Int64(packets.take())
                try await plain.run("INSERT INTO packet VALUES (\(packet), 188000000, 1000000)")
                return try await plain.rate(connections, seconds: bench.seconds) {
                    try Self.claiming(packet, persons, $0)
                }
            }
        }

        /// A claim in a transaction of its own, with a lock on the packet's row that is held across the commit.
        private static func claiming(
            _ packet: Int64,
            _ persons: Turns,
            _ connection: PlainConnection
        ) throws -> () throws -> Void {
            let look = try connection.prepare("SELECT amount_left, count_left FROM packet WHERE id = ? FOR UPDATE")
            let add = try connection.prepare("INSERT INTO claim VALUES (?, ?, ?, ?)")
            let take = try connection.prepare(
                "UPDATE packet SET amount_left = amount_left - ?, count_left = count_left - 1 WHERE id = ?"
            )
            return {
                try connection.run("START TRANSACTION")
                let left = try look.rows(packet) { ($0.number(0), $0.number(1)) }
                guard let (amount, count) = left.first, count > 1 else { throw BenchFault("no share is left") }
                let share = Int64.random(in: 1...max(1, 2 * amount / count - 1))
                try add.run(packet, Int64(persons.take()), share, WallClock.system.now().milliseconds)
                try take.run(share, packet)
                try connection.run("COMMIT")
            }
        }

        // MARK: Wallets

        private func wallet(_ own: Bench, _ server: MariaDBServer) async throws -> [Figure] {
            let turns = Turns()
            let names = ["wallet, first page", "wallet, first page in SQLite"]
            let figures = names.map { Figure(name: $0, unit: "reads/s") }
            guard (figures + [Figure(name: Self.questions, unit: "")]).contains(where: bench.wants) else { return [] }
            @Sendable func pages(_ engine: Engine) async throws -> Sample {
                try await bench.rate(callers: WalletBench.callers) {
                    try await WalletBench.readPage(engine, GrantSource.person(turns.take() % WalletBench.people))
                    return 1
                }
            }
            return try await bench.withFolder { folder in
                try await bench.withEngine(folder: folder) { file in
                    try await WalletBench.prepare(file)
                    return try await own.withFolder { folder in
                        try await own.withEngine(folder: folder) { engine in
                            try await WalletBench.prepare(engine)
                            let data = PlainConnections(socket: server.socket, database: Self.database(of: folder))
                            let book = try WalletBench.book(engine)
                            let plain = Measurement(Figure(name: Self.questions, unit: "reads/s")) {
                                try await data.rate(1, seconds: bench.seconds) { connection in
                                    try Self.asking(connection, book, turns)
                                }
                            }
                            return try await measure(
                                [
                                    Measurement(figures[0]) { try await pages(engine) },
                                    Measurement(figures[1]) { try await pages(file) },
                                ],
                                against: [plain]
                            )
                        }
                    }
                }
            }
        }

        private static let questions = "wallet, questions on one connection"

        /// What a wallet asks the server, in a transaction as the store's, and nothing else.
        private static func asking(
            _ connection: PlainConnection,
            _ book: BookID,
            _ turns: Turns
        ) throws -> () throws -> Void {
            let transfers = try connection.prepare(
                """
                SELECT person, part, amount, at, app FROM transfer
                WHERE person = ? AND part BETWEEN ? AND ? ORDER BY part
                """
            )
            let withdrawals = try connection.prepare(
                "SELECT serial, amount, state FROM withdrawal WHERE person = ? AND book = ? ORDER BY serial"
            )
            let claims = try connection.prepare("SELECT packet, share FROM claim WHERE person = ? AND book = ?")
            let owned = try ["subsidy", "reward"].map { table in
                try connection.prepare("SELECT part, at, state FROM \(table) WHERE person = ? AND part BETWEEN ? AND ?")
            }
            let first = Int64(book.rawValue) << 48
            let last = first | (1 << 48 - 1)
            return {
                let person = GrantSource.person(turns.take() % WalletBench.people)
                let number = Int64(bitPattern: person.rawValue)
                try connection.run("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
                let found = try transfers.rows(number, first, last) { $0.number(2) }
                guard found.count == WalletBench.posted else { throw BenchFault("\(found.count) transfers") }
                _ = try withdrawals.rows(number, Int64(book.rawValue)) { $0.number(1) }
                _ = try claims.rows(number, Int64(book.rawValue)) { $0.number(1) }
                for table in owned { _ = try table.rows(number, first, last) { $0.number(0) } }
                try connection.run("COMMIT")
            }
        }
    }
#endif
