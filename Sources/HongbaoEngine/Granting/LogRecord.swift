package import HongbaoCore

/// What the log stores for a batch: the sealed batch, and which rewards were chosen.
///
/// Four bytes with the length of the batch; the batch; then nothing when all are the money that their scenes give
/// first, two bytes for each grant with what was meant when all are money, or else four, with what was given behind
/// it.
package struct LogRecord: Hashable, Sendable {
    package let batch: SealedBatch
    package let choices: [RewardChoice]

    package init(batch: SealedBatch, choices: [RewardChoice]) {
        precondition(choices.count == batch.count)
        self.batch = batch
        self.choices = choices
    }

    /// How many bytes a grant's choice takes; the least that say all.
    private static func width(_ choices: [RewardChoice]) -> Int {
        if choices.contains(where: { !$0.isMoney }) { return 4 }
        return choices.contains { $0 != .first } ? 2 : 0
    }

    package var bytes: [UInt8] {
        var bytes: [UInt8] = []
        let width = Self.width(choices)
        bytes.reserveCapacity(4 + batch.bytes.count + width * choices.count)
        bytes.append(bigEndian: UInt32(batch.bytes.count))
        bytes.append(contentsOf: batch.bytes)
        guard width > 0 else { return bytes }
        for choice in choices {
            bytes.append(bigEndian: choice.meant)
            if width == 4 { bytes.append(bigEndian: choice.given) }
        }
        return bytes
    }

    /// `nil` for anything that `bytes` can't have written.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count >= 4 else { return nil }
        let size = Int(bytes.span.bigEndian(at: 0) as UInt32)
        guard size <= bytes.count - 4, let batch = SealedBatch(Array(bytes[4..<4 + size])) else { return nil }
        let rest = bytes.count - 4 - size
        guard let width = [0, 2, 4].first(where: { rest == $0 * batch.count }) else { return nil }
        self.batch = batch
        choices = (0..<batch.count).map { index in
            let place = 4 + size + width * index
            return RewardChoice(
                meant: width > 0 ? bytes.span.bigEndian(at: place) : 0,
                given: width == 4 ? bytes.span.bigEndian(at: place + 2) : 0
            )
        }
        // A batch has one record.
        guard width == Self.width(choices) else { return nil }
    }

    /// How many pieces were taken of templates.
    package var pieces: Int { choices.count { !$0.isMoney && !$0.isBlessing } }
}
