package import HongbaoCore

/// Decides which mints' logs a node posts for others (DP-2). Pure: what the store says and the time are handed in.
///
/// Several nodes may do that, and those that hold the mints, too. Two at one log are safe, since the store moves each
/// mint's `posted_sequence` once, and wasteful. So whoever has begun with a log goes on with it, and the others leave
/// it alone as long as it moves.
package struct PostingTurns: Sendable {
    package enum Turn: Hashable, Sendable {
        /// All of it is posted.
        case done
        case own
        /// Somebody else is at it.
        case others
    }

    private struct Sign: Sendable {
        var posted: UInt64
        /// Since when it has been behind without moving.
        var since: Duration
        /// When it was last seen that another has posted.
        var movedByOthersAt: Duration?
        var isOwn = false
        /// Others wait a little more or less, so that not all begin at once.
        let patience: Duration
    }

    private let patience: Duration
    private var random: SplitMix64
    private var signs: [MintID: Sign] = [:]

    /// - Parameter patience: after so long a log that is behind and doesn't move is nobody's.
    package init(patience: Duration, seed: UInt64) {
        self.patience = patience
        random = SplitMix64(seed: seed)
    }

    /// Those whose turn it is by what a look at all mints says.
    ///
    /// - Parameter busy: those that this node is at.
    package mutating func look(at records: [MintRecord], busy: Set<MintID>, now: Duration) -> [MintID] {
        records.filter { record in
            let sign = note(record, isBusy: busy.contains(record.id), now)
            guard !busy.contains(record.id) else { return false }
            let isBehind = record.postedSequence < record.lastSequence
            // What is older than what this node has posted itself says nothing.
            guard isBehind, record.postedSequence == sign.posted else { return false }
            return sign.isOwn || now - sign.since >= sign.patience
        }.map(\.id)
    }

    /// Whose turn it is when somebody says that there is something up to this sequence.
    package mutating func hinted(
        _ record: MintRecord,
        upTo sequence: UInt64,
        isBusy: Bool,
        now: Duration
    ) -> Turn {
        let sign = note(record, isBusy: isBusy, now)
        if sign.posted >= sequence { return .done }
        guard !isBusy, !sign.isOwn, let moved = sign.movedByOthersAt else { return .own }
        return now - moved >= sign.patience ? .own : .others
    }

    /// This node has posted up to this sequence.
    package mutating func posted(_ mint: MintID, upTo sequence: UInt64, now: Duration) {
        guard var sign = signs[mint], sequence >= sign.posted else { return }
        sign.posted = sequence
        sign.since = now
        sign.isOwn = true
        signs[mint] = sign
    }

    private mutating func note(_ record: MintRecord, isBusy: Bool, _ now: Duration) -> Sign {
        guard var sign = signs[record.id] else {
            let jitter = Int64(random.next() % 1_000)
            let sign = Sign(posted: record.postedSequence, since: now, patience: patience + patience * jitter / 1_000)
            signs[record.id] = sign
            return sign
        }
        if record.postedSequence > sign.posted {
            sign.posted = record.postedSequence
            sign.since = now
            if !isBusy {
                sign.movedByOthersAt = now
                sign.isOwn = false
            }
        }
        if record.postedSequence == record.lastSequence { sign.since = now }
        signs[record.id] = sign
        return sign
    }
}
