import Crypto
import Foundation
import GRDB
import HongbaoCore
import HongbaoEngine
import Synchronization

/// What one would write first, as the baseline: order numbers as strings in a dictionary, each token encrypted and
/// signed by itself, a row for each grant. As durable as the real one, with one transaction for each call.
///
/// It's spared what the real one also does: campaigns, phases, admission, caps, budgets, leases and token lists.
final class NaivePipeline: Sendable {
    private let pool: DatabasePool
    private let accepted = Mutex<[String: Int64]>([:])
    private let dataKey = SymmetricKey(size: .bits256)
    private let signingKey = Curve25519.Signing.PrivateKey()

    private struct Row: Sendable {
        let order: String
        let person: Int64
        let amount: Int64
        let openedAt: Int64
        let token: Data
    }

    init(folder: String) throws {
        pool = try DatabasePool(path: "\(folder)/naive.sqlite")
        try pool.writeWithoutTransaction { database in
            try database.execute(sql: "PRAGMA synchronous = FULL")
            try database.execute(
                sql: """
                    CREATE TABLE grant_row (
                        order_number TEXT PRIMARY KEY, person INTEGER NOT NULL, amount INTEGER NOT NULL,
                        opened_at INTEGER NOT NULL, token BLOB NOT NULL
                    )
                    """
            )
        }
    }

    func grant(_ requests: [GrantRequest]) async throws -> Int {
        let now = WallClock.system.now()
        var rows: [Row] = []
        for request in requests {
            let order = Self.order(request)
            let isNew = accepted.withLock { accepted in
                guard accepted[order] == nil else { return false }
                accepted[order] = request.amount
                return true
            }
            guard isNew, let amount = request.amount else { throw BenchFault("an order came twice") }
            rows.append(
                Row(
                    order: order,
                    person: Int64(bitPattern: request.person.rawValue),
                    amount: amount,
                    openedAt: now.milliseconds,
                    token: try token(request, openedAt: now)
                )
            )
        }
        let written = rows
        try await pool.write { database in
            let insert = try database.cachedStatement(sql: "INSERT INTO grant_row VALUES (?, ?, ?, ?, ?)")
            for row in written {
                try insert.execute(arguments: [row.order, row.person, row.amount, row.openedAt, row.token])
            }
        }
        return requests.count
    }

    /// The order number as text, as the requirements write it.
    static func order(_ request: GrantRequest) -> String {
        "\(request.person.rawValue)_\(request.scene)_\(request.rain.rawValue)_\(request.awardType)_\(request.stage)"
    }

    private func token(_ request: GrantRequest, openedAt: Timestamp) throws -> Data {
        guard let amount = request.amount.flatMap(Amount.init(fen:)) else { throw BenchFault("no amount") }
        var payload: [UInt8] = []
        GrantPayload(
            app: AppID(1),
            order: OrderNumber(
                person: request.person,
                scene: SceneID(1 << 16 | 1),
                rain: request.rain,
                awardType: request.awardType,
                stage: request.stage
            ),
            amount: amount,
            openedAt: openedAt
        ).append(to: &payload)
        guard let sealed = try AES.GCM.seal(payload, using: dataKey).combined else { throw BenchFault("not sealed") }
        return sealed + (try signingKey.signature(for: sealed))
    }
}
