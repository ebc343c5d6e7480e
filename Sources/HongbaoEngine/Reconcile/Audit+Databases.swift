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
        guard let report = try await settled(shards, keyring, signatures, pace, isAlone: false) else {
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
        try await settled(shards, keyring, signatures, pace, isAlone: true)
    }

    /// How often it's done again because there were new merges while several databases were read.
    private static let attemptsMax = 3

    private static func settled(
        _ shards: Shards,
        _ keyring: Keyring,
        _ signatures: VerifiedSignatures,
        _ pace: AuditPace,
        isAlone: Bool
    ) async throws(StoreError) -> AuditReport? {
        var attempts = 1
        while true {
            let merges = shards.isOne ? [] : try await merges(shards)
            let report = try await attempt(shards, merges, keyring, signatures, pace, isAlone: isAlone)
            guard let report, !report.holds, !shards.isOne, attempts < attemptsMax else { return report }
            if try await self.merges(shards).count == merges.count { return report }
            attempts += 1
        }
    }

    private static func merges(_ shards: Shards) async throws(StoreError) -> [Merge] {
        try await shards.home.read { (snapshot) throws(StoreError) in try snapshot.merges() }
    }

    private static func attempt(
        _ shards: Shards,
        _ merges: [Merge],
        _ keyring: Keyring,
        _ signatures: VerifiedSignatures,
        _ pace: AuditPace,
        isAlone: Bool
    ) async throws(StoreError) -> AuditReport? {
        let readHome: @Sendable (any StoreSnapshot) throws(StoreError) -> (AuditReport, CrossingAudit.Found) = {
            (snapshot) throws(StoreError) in
            try read(AuditedRows(snapshot, pace), 0, of: shards, nil, keyring, signatures)
        }
        let home = isAlone ? try await shards.home.readAlone(readHome) : try await shards.home.read(readHome)
        guard var (whole, found) = home else { return nil }
        var crossing = CrossingAudit(shards)
        if !shards.isOne || !found.arrived.isEmpty { try await crossing.read(found, of: 0) }
        for index in shards.stores.indices.dropFirst() {
            let part: AuditReport
            (part, found) = try await shards.stores[index].read { (snapshot) throws(StoreError) in
                try read(AuditedRows(snapshot, pace), index, of: shards, merges, keyring, signatures)
            }
            try await crossing.read(found, of: index)
            whole.add(part, of: "database \(index + 1)")
        }
        if !shards.isOne || !crossing.promises.breaches.isEmpty {
            whole.checks += [crossing.promises, crossing.leases]
        }
        return whole
    }
}
