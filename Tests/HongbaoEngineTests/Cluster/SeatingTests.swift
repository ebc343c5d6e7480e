import HongbaoCore
import HongbaoTesting
import Testing

@testable import HongbaoEngine

/// Which node takes which mint (DP-2, DP-3).
@Suite struct SeatingTests {
    /// A store's mints and some nodes, by virtual time: nodes look once a second, in an order that a seed decides.
    private struct Town {
        struct House {
            var seating: Seating
            var held: Set<MintID> = []
            var isUp = true
        }

        /// A mint's row, to be changed at will.
        struct Row {
            var epoch: UInt32 = 0
            var address: String?
            var beats: UInt32 = 0
            var wantedBy: String?

            func record(_ id: MintID) -> MintRecord {
                let holder = address.map { MintHolder(address: $0, beats: beats, wantedBy: wantedBy) }
                return MintRecord(id: id, epoch: epoch, lastSequence: 0, postedSequence: 0, holder: holder)
            }
        }

        let division: Division
        var rows: [MintID: Row] = [:]
        var houses: [String: House] = [:]
        var now = Duration.zero
        var random: SplitMix64
        /// How often a mint came to a node while another that still looked had it.
        var robberies = 0
        private(set) var moves = 0

        init(mints: Int, seed: UInt64) {
            division = Division(mints: mints)
            random = SplitMix64(seed: seed)
        }

        mutating func open(_ address: String) {
            houses[address] = House(seating: Seating(address, in: division, silence: .seconds(10)))
        }

        mutating func pass(_ seconds: Int) {
            for _ in 0..<seconds {
                now += .seconds(1)
                for address in houses.keys.sorted().shuffled(using: &random) { look(address) }
            }
        }

        private mutating func look(_ address: String) {
            guard var house = houses[address], house.isUp else { return }
            for mint in house.held where rows[mint]?.address == address { rows[mint]?.beats += 1 }
            let all = records
            for action in house.seating.look(at: all, held: house.held, now: now) {
                switch action {
                case .take(let mint, _):
                    if houses.contains(where: { $0.key != address && $0.value.isUp && $0.value.held.contains(mint) }) {
                        robberies += 1
                    }
                    rows[mint] = Row(epoch: (rows[mint]?.epoch ?? 0) + 1, address: address)
                    house.held.insert(mint)
                    moves += 1
                case .want(let mint): rows[mint]?.wantedBy = address
                case .handOver(let mint):
                    house.held.remove(mint)
                    rows[mint] = rows[mint].map { Row(epoch: $0.epoch, address: $0.wantedBy) }
                case .lost(let mint): house.held.remove(mint)
                }
            }
            houses[address] = house
        }

        var records: [MintRecord] { rows.sorted { $0.key < $1.key }.map { $0.value.record($0.key) } }
        var counts: [Int] { houses.values.filter(\.isUp).map(\.held.count).sorted() }
        /// Whether each mint is one living node's.
        var isSettled: Bool {
            let held = houses.values.filter(\.isUp).flatMap(\.held)
            return held.count == division.mints && Set(held).count == division.mints
        }
    }

    @Test func oneTakesAllAndSharesWithWhoComes() {
        var town = Town(mints: 8, seed: 1)
        town.open("a")
        town.pass(1)
        #expect(town.counts == [8])
        town.open("b")
        town.pass(20)
        #expect(town.isSettled && town.counts == [4, 4])
        town.open("c")
        town.pass(20)
        #expect(town.isSettled && town.counts == [2, 3, 3])
        #expect(town.robberies == 0)
        // All is well, so nothing moves.
        let moves = town.moves
        town.pass(1_000)
        #expect(town.moves == moves)
    }

    /// FC-8: what a dead node had is taken over after its silence and not before, and it gets its share when it's back.
    @Test func theDeadAreReplaced() {
        var town = Town(mints: 6, seed: 2)
        for address in ["a", "b", "c"] { town.open(address) }
        town.pass(30)
        #expect(town.counts == [2, 2, 2])
        town.houses["b"]?.isUp = false
        town.pass(8)
        #expect(town.counts == [2, 2])
        town.pass(5)
        #expect(town.isSettled && town.counts == [3, 3])
        // It was only stopped: it finds that it has lost them, and asks for some.
        town.houses["b"]?.isUp = true
        town.pass(20)
        #expect(town.isSettled && town.counts == [2, 2, 2])
        #expect(town.robberies == 0)
    }

    /// A new process at the same address needn't wait: what the old one had is its own.
    @Test func aRestartTakesItsOwnAtOnce() {
        var town = Town(mints: 6, seed: 3)
        for address in ["a", "b"] { town.open(address) }
        town.pass(30)
        let before = town.houses["a"]?.held
        town.open("a")
        town.pass(1)
        #expect(town.houses["a"]?.held == before && town.robberies == 0)
    }

    /// One who asked for a mint and died doesn't keep it from others.
    @Test func whoAsksAndDiesIsForgotten() {
        var town = Town(mints: 4, seed: 4)
        town.open("a")
        town.pass(5)
        town.open("b")
        town.houses["b"]?.isUp = true
        town.rows[MintID(1)]?.wantedBy = "b"
        town.houses["b"]?.isUp = false
        town.pass(20)
        #expect(town.isSettled && town.counts == [4])
    }

    /// A node without mints of its own knows where they are, and takes none.
    @Test func aGatewayTakesNone() {
        var town = Town(mints: 4, seed: 5)
        town.open("a")
        town.pass(3)
        var seating = Seating("g", in: town.division, silence: .seconds(10), takesMints: false)
        for second in 0..<100 {
            let actions = seating.look(at: town.records, held: [], now: .seconds(second))
            #expect(actions.isEmpty)
        }
        #expect(seating.addresses.values.allSatisfy { $0 == "a" } && seating.addresses.count == 4)
    }

    /// Nodes come, die, hang and come back at random; when that's over, every mint is one node's, and evenly so.
    @Test(arguments: 0..<200 as Range<UInt64>)
    func itSettlesWhateverHappens(_ seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let mints = 1 + Int(random.next(below: 16))
        var town = Town(mints: mints, seed: seed)
        let names = ["a", "b", "c", "d", "e"]
        town.open("a")
        for _ in 0..<20 {
            let name = names[Int(random.next(below: 5))]
            switch random.next(below: 4) {
            case 0: town.open(name)
            case 1: town.houses[name]?.isUp = false
            case 2: town.houses[name]?.isUp = true
            default: break
            }
            town.pass(Int(random.next(below: 20)))
        }
        if town.houses.values.allSatisfy({ !$0.isUp }) { town.houses["a"]?.isUp = true }
        town.pass(100)
        #expect(town.isSettled, "seed \(seed): \(town.counts)")
        #expect(town.counts.last ?? 0 <= (town.counts.first ?? 0) + 1, "seed \(seed): \(town.counts)")
        let moves = town.moves
        town.pass(100)
        #expect(town.moves == moves, "seed \(seed): mints move to and fro")
    }
}
