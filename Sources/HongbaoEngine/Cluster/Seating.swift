package import HongbaoCore

/// Decides which mints a node of a cluster takes, asks for and gives up (DP-2, DP-3). Pure: what the store says and the
/// time are handed in.
///
/// Who lives is found out without comparing clocks: a holder beats, and whoever sees no beat for a while by a stopwatch
/// of its own takes the mint over. Being wrong about it costs a take-over and never money, since the store fences off
/// whoever held it before (M3, M6).
package struct Seating: Sendable {
    package enum Action: Hashable, Sendable {
        /// Unless its epoch has become another one meanwhile.
        case take(MintID, after: UInt32)
        /// Ask its holder, who has more mints, to give it up.
        case want(MintID)
        /// Another node asks for it: end its engine, and hand it over.
        case handOver(MintID)
        /// Another node has it: end its engine.
        case lost(MintID)

        package var mint: MintID {
            switch self {
            case .take(let mint, _), .want(let mint), .handOver(let mint), .lost(let mint): mint
            }
        }
    }

    /// What was seen of a mint, and since when it has been the same.
    private struct Sign: Sendable {
        let epoch: UInt32
        let holder: MintHolder
        let since: Duration
    }

    private let address: String
    private let division: Division
    private let silence: Duration
    private let takesMints: Bool
    private var signs: [MintID: Sign] = [:]
    private var epochs: [MintID: UInt32] = [:]

    /// - Parameters:
    ///   - silence: after so long without a beat a holder counts as dead.
    ///   - takesMints: whether the node wants any.
    package init(_ address: String, in division: Division, silence: Duration, takesMints: Bool = true) {
        self.address = address
        self.division = division
        self.silence = silence
        self.takesMints = takesMints
    }

    /// - Parameters:
    ///   - records: all mints of the store.
    ///   - held: those that this node has, or is about to have.
    ///   - now: by a stopwatch.
    package mutating func look(at records: [MintRecord], held: Set<MintID>, now: Duration) -> [Action] {
        note(records, now)
        var actions: [Action] = []
        for mint in division.all where held.contains(mint) {
            guard let holder = signs[mint]?.holder, holder.address == address else {
                actions.append(.lost(mint))
                continue
            }
            if let other = holder.wantedBy, other != address { actions.append(.handOver(mint)) }
        }
        guard takesMints else { return actions }
        let counts = livingCounts(held: held.count, now)
        let free = division.all.filter { !held.contains($0) && isFree($0, now) }
        let share = (division.mints + counts.count - 1) / counts.count
        // One node that can't have more must not leave people to nobody.
        let mayTake = free.prefix(max(0, share - held.count))
        actions += mayTake.map { .take($0, after: epochs[$0] ?? 0) }
        if free.isEmpty, let mint = wanted(counts, held, now) { actions.append(.want(mint)) }
        return actions
    }

    /// Where each mint is, as far as that's known: that its holder lives isn't certain.
    package var addresses: [MintID: String] { signs.mapValues(\.holder.address) }

    private mutating func note(_ records: [MintRecord], _ now: Duration) {
        var seen: [MintID: Sign] = [:]
        for record in records {
            guard let holder = record.holder else { continue }
            let before = signs[record.id]
            let isSame =
                before?.epoch == record.epoch && before?.holder.address == holder.address
                && before?.holder.beats == holder.beats
            let since = isSame ? before?.since ?? now : now
            seen[record.id] = Sign(epoch: record.epoch, holder: holder, since: since)
        }
        signs = seen
        epochs = Dictionary(uniqueKeysWithValues: records.map { ($0.id, $0.epoch) })
    }

    private func isFree(_ mint: MintID, _ now: Duration) -> Bool {
        guard let sign = signs[mint] else { return true }
        // What this address has and this node hasn't was an earlier process's, or was handed over to it.
        return sign.holder.address == address || isSilent(sign, now)
    }

    private func isSilent(_ sign: Sign, _ now: Duration) -> Bool { now - sign.since >= silence }

    /// How many mints each living node has; this one's in any case.
    private func livingCounts(held: Int, _ now: Duration) -> [String: Int] {
        var counts: [String: Int] = [:]
        for sign in signs.values where !isSilent(sign, now) { counts[sign.holder.address, default: 0] += 1 }
        counts[address] = held
        return counts
    }

    /// A mint of the node that has the most, if that's at least two more than this one has; one at a time.
    private func wanted(_ counts: [String: Int], _ held: Set<MintID>, _ now: Duration) -> MintID? {
        guard !signs.values.contains(where: { $0.holder.wantedBy == address }) else { return nil }
        let most = counts.max { ($0.value, $0.key) < ($1.value, $1.key) }
        guard let most, most.key != address, most.value >= held.count + 2 else { return nil }
        return division.all.first { mint in
            guard let sign = signs[mint] else { return false }
            return sign.holder.address == most.key && sign.holder.wantedBy == nil && !isSilent(sign, now)
        }
    }
}
