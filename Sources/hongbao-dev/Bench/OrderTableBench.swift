import HongbaoCore
import HongbaoEngine

/// The table of order numbers against a dictionary keyed by their text, with a million orders in each.
struct OrderTableBench: Sendable {
    let bench: Bench

    private static let count = 1_000_000

    func run() async throws -> [Figure] {
        let source = GrantSource(people: Self.count)
        let requests = (0..<Self.count).map { source.request($0) }
        let scene = SceneID(book: BookID(campaign: 1, phase: .live), number: 1)
        let orders = requests.map { request in
            OrderNumber(
                person: request.person,
                scene: scene,
                rain: request.rain,
                awardType: request.awardType,
                stage: request.stage
            )
        }
        let textInsert = Figure(name: "insert, Dictionary<String, Entry>", unit: "ns", better: .lower)
        let textFind = Figure(name: "find, Dictionary<String, Entry>", unit: "ns", better: .lower)
        let insert = Figure(name: "insert", unit: "ns", better: .lower, baseline: textInsert.name)
        let find = Figure(name: "find", unit: "ns", better: .lower, baseline: textFind.name)
        return try await bench.measure([
            Measurement(insert, value: { try Self.packed(orders).insert }),
            Measurement(find, value: { try Self.packed(orders).find }),
            Measurement(textInsert, value: { try Self.text(requests).insert }),
            Measurement(textFind, value: { try Self.text(requests).find }),
        ])
    }

    private static func entry(_ index: Int) throws -> OrderTable.Entry {
        guard let amount = Amount(fen: Int64(100 + index % 900)) else { throw BenchFault("no amount") }
        return OrderTable.Entry(
            sequence: UInt64(1 + index / 256),
            index: index % 256,
            amount: amount,
            choice: .first,
            status: .processing
        )
    }

    private static func packed(_ orders: [OrderNumber]) throws -> (insert: Double, find: Double) {
        var table = OrderTable(seed: .random(in: 0...UInt64.max))
        let insert = try nanoseconds {
            for (index, order) in orders.enumerated() { table.insert(order, try entry(index)) }
        }
        var found = 0
        let find = nanoseconds {
            for order in orders where table.entry(for: order) != nil { found += 1 }
        }
        guard found == count, table.count == count else { throw BenchFault("\(found) orders found") }
        return (insert, find)
    }

    /// Making the text is part of it: whoever has such keys must make them.
    private static func text(_ requests: [GrantRequest]) throws -> (insert: Double, find: Double) {
        var table: [String: OrderTable.Entry] = [:]
        let insert = try nanoseconds {
            for (index, request) in requests.enumerated() { table[NaivePipeline.order(request)] = try entry(index) }
        }
        var found = 0
        let find = nanoseconds {
            for request in requests where table[NaivePipeline.order(request)] != nil { found += 1 }
        }
        guard found == count else { throw BenchFault("\(found) orders found") }
        return (insert, find)
    }

    private static func nanoseconds(_ body: () throws -> Void) rethrows -> Double {
        let began = ContinuousClock.now
        try body()
        return began.duration(to: .now).inSeconds * 1e9 / Double(count)
    }
}
