package import HongbaoCore

/// What the log stores for a batch: the sealed batch, and the reward numbers where they aren't all 0.
///
/// Four bytes with the length of the batch, the batch, then two bytes for each grant, or none.
package struct LogRecord: Hashable, Sendable {
    package let batch: SealedBatch
    /// The number of each grant's reward ID, 0 for the first of its scene.
    package let rewards: [UInt16]

    package init(batch: SealedBatch, rewards: [UInt16]) {
        precondition(rewards.count == batch.count)
        self.batch = batch
        self.rewards = rewards
    }

    package var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(4 + batch.bytes.count + 2 * rewards.count)
        bytes.append(bigEndian: UInt32(batch.bytes.count))
        bytes.append(contentsOf: batch.bytes)
        if rewards.contains(where: { $0 != 0 }) {
            for reward in rewards { bytes.append(bigEndian: reward) }
        }
        return bytes
    }

    /// `nil` for anything that `bytes` can't have written.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count >= 4 else { return nil }
        let size = Int(bytes.span.bigEndian(at: 0) as UInt32)
        guard size <= bytes.count - 4, let batch = SealedBatch(Array(bytes[4..<4 + size])) else { return nil }
        let rest = bytes.count - 4 - size
        guard rest == 0 || rest == 2 * batch.count else { return nil }
        self.batch = batch
        rewards =
            rest == 0
            ? Array(repeating: 0, count: batch.count)
            : (0..<batch.count).map { bytes.span.bigEndian(at: 4 + size + 2 * $0) }
        // Rewards that are all 0 aren't written: a batch has one record.
        guard rest == 0 || rewards.contains(where: { $0 != 0 }) else { return nil }
    }
}
