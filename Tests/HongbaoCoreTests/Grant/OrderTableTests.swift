import HongbaoCore
import HongbaoTesting
import Testing

/// The order table against a dictionary (GR-3): inserts and take-backs in any order, through every growth.
@Suite struct OrderTableTests {
    private static func entry(_ random: inout Seeded) throws -> OrderTable.Entry {
        // Of pieces no amount is kept.
        let given = Bool.random(using: &random) ? 0 : UInt16.random(in: 0 ... .max, using: &random)
        let amount = given > 0 ? 0 : Int64.random(in: 0..<OrderTable.amountMax, using: &random)
        return OrderTable.Entry(
            sequence: .random(in: 1..<(1 << 48), using: &random),
            index: .random(in: 0..<256, using: &random),
            amount: try #require(Amount(fen: amount)),
            choice: RewardChoice(meant: .random(in: 0 ... .max, using: &random), given: given),
            status: Bool.random(using: &random) ? .processing : .credited
        )
    }

    /// - Parameter spread: how many different orders there are; a few thousand in 1,024 segments make long runs when
    ///   they're only inserted, and holes in the runs when many are taken back.
    @Test(arguments: 0..<12 as Range<UInt64>, [3, 5_000, 200_000] as [UInt64])
    func agreesWithADictionary(seed: UInt64, spread: UInt64) throws {
        var random = Seeded(seed: seed)
        var table = OrderTable(seed: seed)
        var model: [OrderNumber: OrderTable.Entry] = [:]
        var known: [OrderNumber] = []
        for step in 0..<30_000 {
            // Small numbers, so that the hash has little to go by.
            let number = UInt64.random(in: 0..<spread, using: &random)
            let order = OrderNumber(bits: UInt128(number / 7) << 64 | UInt128(number % 7))
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<(step % 10_000 < 6_000 ? 6 : 3):
                let entry = try Self.entry(&random)
                // M3: what is there stays as it is.
                #expect(table.insertIfAbsent(order, entry) == (model[order] == nil))
                guard model[order] == nil else { break }
                model[order] = entry
                known.append(order)
            case 3..<8:
                guard !known.isEmpty else { break }
                let taken = known.remove(at: .random(in: 0..<known.count, using: &random))
                table.remove(taken)
                model[taken] = nil
            default:
                if table.entry(for: order) != model[order] { Issue.record("step \(step)") }
            }
        }
        #expect(table.count == model.count)
        for number in 0..<min(spread, 60_000) {
            let order = OrderNumber(bits: UInt128(number / 7) << 64 | UInt128(number % 7))
            if table.entry(for: order) != model[order] { Issue.record("\(order)") }
        }
        for (order, entry) in model where table.entry(for: order) != entry { Issue.record("\(order) is lost") }
        for order in known { table.remove(order) }
        #expect(table.count == 0)
        #expect(known.allSatisfy { table.entry(for: $0) == nil })
    }

    /// The order with all bits zero is an order like any other, and empty slots aren't it.
    @Test func zeroIsAnOrder() throws {
        var random = Seeded(seed: 1)
        var table = OrderTable(seed: 0)
        let zero = OrderNumber(bits: 0)
        #expect(table.entry(for: zero) == nil)
        let entry = try Self.entry(&random)
        table.insert(zero, entry)
        #expect(table.entry(for: zero) == entry)
        #expect(table.entry(for: OrderNumber(bits: .max)) == nil)
    }

    /// A table is a value: a copy doesn't see what happens to the other.
    @Test func copiesAreApart() throws {
        var random = Seeded(seed: 1)
        var table = OrderTable(seed: 9)
        let copy = table
        table.insert(OrderNumber(bits: 5), try Self.entry(&random))
        #expect(copy.count == 0 && copy.entry(for: OrderNumber(bits: 5)) == nil)
    }

    @Test func extremesSurvive() throws {
        var table = OrderTable(seed: 3)
        let amount = try #require(Amount(fen: OrderTable.amountMax - 1))
        for (bits, status) in zip([UInt128.max, 1], GrantStatus.allCases) {
            let entry = OrderTable.Entry(
                sequence: 1 << 48 - 1,
                index: 255,
                amount: amount,
                choice: RewardChoice(meant: .max, given: 0),
                status: status
            )
            table.insert(OrderNumber(bits: bits), entry)
            #expect(table.entry(for: OrderNumber(bits: bits)) == entry)
        }
    }
}
