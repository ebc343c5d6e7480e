package import HongbaoCore

/// An engine's place among those that share a store: which mint it is, of how many, and at which node.
package struct Seat: Hashable, Sendable {
    /// One engine for all people.
    package static let alone = Seat(mint: .first)

    package var mint: MintID
    package var division: Division
    /// Where the node answers; `nil` without a cluster.
    package var address: String?
    /// The epoch that was to be taken over when this engine was decided on: if there's a newer one by now, another node
    /// was faster. `nil`: whatever there is.
    package var succeeds: UInt32?

    package init(
        mint: MintID,
        in division: Division = .whole,
        at address: String? = nil,
        succeeding epoch: UInt32? = nil
    ) {
        self.mint = mint
        self.division = division
        self.address = address
        succeeds = epoch
    }

    /// Whether that mint's log is this engine's to read and to post: another mint's is another engine's, but whoever is
    /// alone sees to all there are.
    package func keeps(_ mint: MintID) -> Bool { division == .whole || mint == self.mint }

    /// Whether this engine decides for a person.
    package func decides(for person: PersonID) -> Bool { division == .whole || division.mint(of: person) == mint }

    /// Of the metrics of which each engine of a process has its own.
    var dimensions: [(String, String)] { division == .whole ? [] : [("mint", "\(mint.rawValue)")] }
}

extension Division {
    /// - Throws: `corrupt` when the mint is of another division.
    func check(_ record: MintRecord) throws(StoreError) {
        guard record.mints != mints else { return }
        let message = "these books are divided among \(record.mints) mints, and not among \(mints)"
        throw StoreError(.corrupt, "\(message) (cluster.mints)")
    }
}
