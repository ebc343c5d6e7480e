import HongbaoCore

/// The part of the audit that is about several databases: what left one has come to another, and what has come has left
/// or is promised (M15); none has leased more of a budget than the home allots it (M6).
///
/// Databases are read one after the other, and each question here is asked after that: a promise is there before what
/// is done for it, so what is asked about can't be missing because it was too early.
struct CrossingAudit {
    /// What one database has to do with the others.
    struct Found: Sendable {
        /// Shares that have left it.
        var departed: [Claim] = []
        /// What has come to it.
        var arrived: [Transfer] = []
        var leases: [Lease] = []
    }

    private(set) var promises = AuditCheck(invariant: "M15", title: "what leaves a database comes to another, once")
    private(set) var leases = AuditCheck(invariant: "M6", title: "databases lease what the home has allotted them")
    private let shards: Shards
    private static let page = 1_000

    init(_ shards: Shards) { self.shards = shards }

    /// - Parameter targets: into whom who was merged, before anything of that came to this database.
    mutating func read(
        _ found: Found,
        of index: Int,
        _ targets: [PersonID: PersonID]
    ) async throws(StoreError) {
        try await readDeparted(found.departed)
        try await readArrived(found.arrived, targets)
        if index > 0, !found.leases.isEmpty { try await readLeases(found.leases, of: index) }
    }

    /// How often a lease is looked at that seems too large: it shrinks before the home's does, which is read later.
    private static let looksMax = 3

    private mutating func readLeases(_ leases: [Lease], of index: Int) async throws(StoreError) {
        var looks = 0
        var open = leases
        var allotted: [LeaseID: Amount] = [:]
        while !open.isEmpty, looks < Self.looksMax {
            let home = try await shards.home.read { (snapshot) throws(StoreError) in
                try snapshot.budgets().flatMap(\.1)
            }
            allotted = Dictionary(home.map { ($0.id, $0.allotted) }) { first, _ in first }
            let sound = open.filter { $0.allotted <= allotted[$0.id] ?? .zero }
            for _ in sound { self.leases.expect(true, "") }
            let left = Set(open.map(\.id)).subtracting(sound.map(\.id))
            looks += 1
            if left.isEmpty || looks == Self.looksMax {
                open.removeAll { !left.contains($0.id) }
            } else {
                open = try await shards.stores[index].read { (snapshot) throws(StoreError) in
                    try snapshot.budgets().flatMap(\.1)
                }.filter { left.contains($0.id) }
            }
        }
        for lease in open {
            self.leases.expect(
                false,
                "pool \(lease.id.pool.rawValue): mint \(lease.id.mint.rawValue) has a lease of "
                    + "\(lease.allotted.fen), and the home has allotted it \(allotted[lease.id]?.fen ?? 0)"
            )
        }
    }

    private mutating func readDeparted(_ claims: [Claim]) async throws(StoreError) {
        for (place, claims) in Dictionary(grouping: claims, by: { shards.index(of: $0.key.person) }) {
            for start in stride(from: 0, to: claims.count, by: Self.page) {
                let page = claims[start..<min(start + Self.page, claims.count)]
                let arrived = try await shards.stores[place].read { (snapshot) throws(StoreError) in
                    try snapshot.transfers(page.map(\.transferID))
                }
                let known = Dictionary(arrived.map { ($0.id, $0) }) { first, _ in first }
                for claim in page {
                    let arrival = known[claim.transferID]
                    promises.expect(
                        arrival?.movesTheSame(as: claim.arrival(at: claim.at)) ?? false,
                        "packet \(claim.key.packet.rawValue) position \(claim.position): \(claim.share.fen) fen left, "
                            + "\(arrival?.amount.fen ?? 0) came to database \(place + 1)"
                    )
                }
            }
        }
    }

    private mutating func readArrived(_ transfers: [Transfer], _ targets: [PersonID: PersonID]) async throws(StoreError)
    {
        for transfer in transfers {
            let isPromised: Bool
            if case .claim(let position)? = transfer.id.packet?.part, let packet = transfer.id.packet?.id {
                let claim = try await shards.store(of: packet).read { (snapshot) throws(StoreError) in
                    try snapshot.claims(of: packet, from: position, limit: 1).first
                }
                isPromised = claim.map { transfer.movesTheSame(as: $0.arrival(at: $0.at)) } ?? false
            } else if let arrival = Arrival(transfer.id), shards.stores.indices.contains(arrival.shard) {
                let departure = try await shards.stores[arrival.shard].read { (snapshot) throws(StoreError) in
                    try snapshot.transfers([arrival.departure]).first
                }
                isPromised =
                    departure.flatMap { departure in
                        guard Arrival(of: departure, from: arrival.shard) == arrival,
                            let target = targets[transfer.id.person]
                        else { return nil }
                        return transfer.movesTheSame(as: arrival.transfer(departure, to: target, at: departure.at))
                    } ?? false
            } else {
                isPromised = false
            }
            promises.expect(
                isPromised,
                "\(transfer.amount.fen) fen have come from another database, where nothing promises them"
            )
        }
    }
}
