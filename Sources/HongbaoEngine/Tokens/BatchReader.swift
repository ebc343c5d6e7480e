package import HongbaoCore

/// What is wrong with a batch that came from the log. Nothing in it can be trusted then.
package enum BatchFault: Error, Hashable, Sendable {
    /// The body doesn't decrypt to payloads: it is damaged, or the data key is another one.
    case unreadable(index: Int)
    /// A payload's fields differ from those in its order number.
    case contradictory(index: Int)
    /// The amounts don't add up to the header's total.
    case totalDiffers
    /// The leaves don't lead to the root that was signed.
    case rootDiffers
}

/// Opens a batch with its data key. It checks no signature: the log is our own; tokens from outside go to
/// `TokenVerifier`.
package struct BatchReader: Sendable {
    package let batch: SealedBatch
    /// Blinder and plaintext of each grant, in slots of one size.
    private let slots: [UInt8]

    package init(_ batch: SealedBatch, dataKey: DataKey) {
        self.batch = batch
        var slots = [UInt8](repeating: 0, count: batch.count * BatchCipher.slotSize)
        Self.copyCiphertexts(of: batch, to: &slots)
        self.slots = BatchCipher.apply(to: slots, dataKey: dataKey, nonce: batch.header.nonce)
    }

    package func payloads() throws(BatchFault) -> [GrantPayload] {
        var payloads: [GrantPayload] = []
        payloads.reserveCapacity(batch.count)
        var total: Amount? = .zero
        for index in 0..<batch.count {
            let payload = try payload(at: index)
            total = total?.adding(payload.amount)
            payloads.append(payload)
        }
        guard total == batch.header.total else { throw .totalDiffers }
        return payloads
    }

    package func payload(at index: Int) throws(BatchFault) -> GrantPayload {
        let start = index * BatchCipher.slotSize + GrantToken.blinderSize
        switch GrantPayload.parse(slots.span.extracting(start..<start + batch.length(at: index))) {
        case .payload(let payload): return payload
        case .malformed: throw .unreadable(index: index)
        case .contradictory: throw .contradictory(index: index)
        }
    }

    /// Builds the tree once, for as many tokens as are asked for.
    package func tokens() throws(BatchFault) -> BatchTokens {
        var slots = slots
        Self.copyCiphertexts(of: batch, to: &slots)
        let tree = MerkleTree(
            context: batch.bytes[..<BatchHeader.contextSize],
            lengths: Array(batch.body.prefix(batch.count)),
            slots: slots
        )
        guard Digest192(tree.root.span) == batch.header.root else { throw .rootDiffers }
        return BatchTokens(batch: batch, slots: slots, tree: tree)
    }

    private static func copyCiphertexts(of batch: SealedBatch, to slots: inout [UInt8]) {
        slots.withUnsafeMutableBytes { slots in
            for index in 0..<batch.count {
                let start = index * BatchCipher.slotSize + GrantToken.blinderSize
                slots[start...].copyBytes(from: batch.ciphertext(at: index))
            }
        }
    }
}
