import HongbaoCore

// All databases of a cluster, one after the other, and what crosses from one to another.
extension Audit {
    /// - Parameters:
    ///   - signatures: what was verified before, as by a process that looks at the same log.
    ///   - pace: how fast it may read.
    /// - Throws: when a store can't be read, or its keys don't belong to this keyring: then nothing is proven.
    package static func run(
        _ shards: Shards,
        keyring: Keyring,
        signatures: VerifiedSignatures = VerifiedSignatures(),
        pace: AuditPace = AuditPace()
    ) async throws(StoreError) -> AuditReport {
        guard let report = try await readAll(shards, keyring, signatures, pace, isAlone: false) else {
            preconditionFailure("only who wants to be alone may be sent away")
        }
        return report
    }

    /// The same of one store.
    package static func run(
        _ store: any Store,
        keyring: Keyring,
        signatures: VerifiedSignatures = VerifiedSignatures()
    ) async throws(StoreError) -> AuditReport {
        try await run(Shards(store), keyring: keyring, signatures: signatures)
    }

    /// The same, unless another process is at it: then `nil`.
    static func runAlone(
        _ shards: Shards,
        keyring: Keyring,
        signatures: VerifiedSignatures,
        pace: AuditPace
    ) async throws(StoreError) -> AuditReport? {
        try await readAll(shards, keyring, signatures, pace, isAlone: true)
    }

    private static func readAll(
        _ shards: Shards,
        _ keyring: Keyring,
        _ signatures: VerifiedSignatures,
        _ pace: AuditPace,
        isAlone: Bool
    ) async throws(StoreError) -> AuditReport? {
        let readHome: @Sendable (any StoreSnapshot) throws(StoreError) -> Part = { (snapshot) throws(StoreError) in
            try read(AuditedRows(snapshot, pace), 0, of: shards, nil, keyring, signatures)
        }
        let first = isAlone ? try await shards.home.readAlone(readHome) : try await shards.home.read(readHome)
        guard var home = first else { return nil }
        home.settle([])
        let targets = home.identities.targets
        var whole = home.report
        var crossing = CrossingAudit(shards)
        if !shards.isOne || !home.crossing.arrived.isEmpty { try await crossing.read(home.crossing, of: 0, targets) }
        for index in shards.stores.indices.dropFirst() {
            var part = try await shards.stores[index].read { (snapshot) throws(StoreError) in
                try read(AuditedRows(snapshot, pace), index, of: shards, targets, keyring, signatures)
            }
            // Merges go on all the time, and this snapshot is younger than the home's.
            if part.identities.isOpen || !part.crossing.arrived.isEmpty {
                part.settle(try await merges(shards))
            }
            try await crossing.read(part.crossing, of: index, part.identities.targets)
            whole.add(part.report, of: "database \(index + 1)")
        }
        if !shards.isOne || !crossing.promises.breaches.isEmpty {
            whole.checks += [crossing.promises, crossing.leases]
        }
        return whole
    }

    private static func merges(_ shards: Shards) async throws(StoreError) -> [Merge] {
        try await shards.home.read { (snapshot) throws(StoreError) in try snapshot.merges() }
    }
}
