package import HongbaoCore
import Synchronization

/// The databases of a cluster, in the order in which its settings name them (DP-3). A mint's log is in one of them, and
/// with it all that its people have; what concerns everybody is in the first, the home: budgets and what of them is
/// leased, who is who, and of each mint which epoch may speak for it there.
///
/// Nothing is done in two of them at once. What crosses is two transactions, of which the first holds the promise (M15)
/// and the second can be done again.
package struct Shards: Sendable {
    package static let countMax = 16

    package let stores: [any Store]
    package let division: Division
    private let sightings = Sightings()

    /// - Precondition: there is at least one store, and a mint for each.
    package init(_ stores: [any Store], in division: Division) {
        precondition((1...min(Self.countMax, division.mints)).contains(stores.count))
        self.stores = stores
        self.division = division
    }

    /// One for all.
    package init(_ store: any Store, in division: Division = .whole) { self.init([store], in: division) }

    package var isOne: Bool { stores.count == 1 }
    package var home: any Store { stores[0] }

    package func index(of mint: MintID) -> Int { Self.index(of: mint, in: division, among: stores.count) }

    /// Mints in equal ranges, as slots among mints.
    package static func index(of mint: MintID, in division: Division, among databases: Int) -> Int {
        let place = Int(clamping: mint.rawValue) - 1
        return databases == 1 || place < 0 ? 0 : min(place * databases / division.mints, databases - 1)
    }

    package func index(of person: PersonID) -> Int { isOne ? 0 : index(of: division.mint(of: person)) }
    package func index(of packet: RedPacketID) -> Int { isOne ? 0 : index(of: division.mint(of: packet)) }

    package func store(of mint: MintID) -> any Store { stores[index(of: mint)] }
    package func store(of packet: RedPacketID) -> any Store { stores[index(of: packet)] }

    package func isHome(_ mint: MintID) -> Bool { index(of: mint) == 0 }

    /// Whether a mint is the first of its database: its engine sweeps there.
    package func isFirst(_ mint: MintID) -> Bool { mint == .first || index(of: mint) != index(of: mint.before) }

    // MARK: Which of them are away

    /// After so long without an answer nobody waits for a database who can do without.
    private static let awayAfter = Duration.seconds(3)

    /// Whoever asks a database all the time has an answer.
    func saw(_ index: Int) { sightings.last.withLock { $0[index] = .now } }

    /// Whether a database hasn't answered for a while; `false` where nobody asks it all the time.
    func isAway(_ index: Int) -> Bool {
        sightings.last.withLock { $0[index] }.map { ContinuousClock.now - $0 > Self.awayAfter } ?? false
    }

    private final class Sightings: Sendable {
        let last = Mutex<[Int: ContinuousClock.Instant]>([:])
    }

    // MARK: Asking several

    /// Where there may be something that came to a person under these names: mostly in one database, but whoever was
    /// merged may have something in any (ID-3).
    package func indices(of names: [PersonID]) -> [Int] {
        if names.count == 1 { return [index(of: names[0])] }
        return Array(stores.indices)
    }

    /// The mints whose logs one of the databases has.
    ///
    /// - Throws: `corrupt` when it has the log of a mint whose place is another one.
    package func mints(at index: Int) async throws(StoreError) -> [MintRecord] {
        let records = try await stores[index].read { (snapshot) throws(StoreError) in try snapshot.mints() }
        for record in records {
            try division.check(record)
            guard record.lastSequence == 0 || self.index(of: record.id) == index else {
                let place = "mint \(record.id.rawValue) is in database \(index + 1)"
                let reason = "and by the settings in database \(self.index(of: record.id) + 1)"
                throw StoreError(.corrupt, "\(place), \(reason) (store.shards)")
            }
        }
        return records.filter { self.index(of: $0.id) == index }
    }

    /// The first of these databases in which something is so; asked one after the other.
    package func first(
        of indices: [Int],
        where isSo: @Sendable (any StoreSnapshot) throws(StoreError) -> Bool
    ) async throws(StoreError) -> Int? {
        for index in indices {
            if try await stores[index].read(isSo) { return index }
        }
        return nil
    }

    /// Asks each of these databases, one after the other, and puts the answers together.
    package func read<Answer: Sendable>(
        _ indices: [Int],
        _ body: @Sendable (any StoreSnapshot) throws(StoreError) -> [Answer]
    ) async throws(StoreError) -> [Answer] {
        var all: [Answer] = []
        for index in indices { all += try await stores[index].read(body) }
        return all
    }

    // MARK: Crossing

    /// Posts what left another database, where the promise of it is. The transfers' numbers follow from that promise,
    /// so doing it again moves nothing twice (M15).
    func bring(_ arrivals: [Transfer], to index: Int) async throws(StoreError) {
        guard !isAway(index) else { throw StoreError(.unavailable, "the database is away") }
        let outcomes = try await stores[index].transactOnceMore(Footprint(posting: arrivals)) { books in
            arrivals.map { books.ledger.post($0) }
        }.answer
        guard outcomes.allSatisfy({ $0 == .posted || $0 == .alreadyPosted }) else {
            throw StoreError(.corrupt, "what crosses can't be brought into database \(index + 1): \(outcomes)")
        }
    }
}

extension MintID {
    fileprivate var before: MintID { MintID(rawValue - 1) }
}
