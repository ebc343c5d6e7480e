import Crypto
package import HongbaoCore

/// Turns grants into signed batches, for one mint and epoch: one call of the cipher and one signature for each batch.
///
/// A token may only leave the process once its batch is durable.
package struct BatchSealer: Sendable {
    static let signatureDomain = Array("hongbao batch header 1\0".utf8)

    package let mint: MintID
    package let epoch: UInt32
    private let signingKey: Curve25519.Signing.PrivateKey
    private let dataKey: DataKey

    package init(_ keys: EpochKeys) {
        mint = keys.certificate.mint
        epoch = keys.certificate.epoch
        signingKey = keys.signingKey
        dataKey = keys.dataKey
    }

    /// Seals 1 to 256 grants. Their amounts must fit into one `Amount`, which every budget sees to (M6).
    package func seal(_ payloads: [GrantPayload], sequence: UInt64, at: Timestamp) -> SealedBatch {
        sealWithTokens(payloads, sequence: sequence, at: at).batch
    }

    /// Seals, and keeps the tree for whoever has to answer with the tokens at once.
    ///
    /// The nonce is drawn anew for each call, not derived from the sequence: when a batch could not be written, its
    /// sequence is sealed again with other grants, and a keystream must never hide two plaintexts.
    package func sealWithTokens(_ payloads: [GrantPayload], sequence: UInt64, at: Timestamp) -> BatchTokens {
        var random = SystemRandomNumberGenerator()
        let nonce = UInt128(random.next()) << 64 | UInt128(random.next())
        return seal(payloads, sequence: sequence, at: at, nonce: nonce)
    }

    /// For tests and simulations that need the same bytes each time. Never use a nonce twice with one data key.
    package func seal(
        _ payloads: [GrantPayload],
        sequence: UInt64,
        at: Timestamp,
        nonce: UInt128
    ) -> BatchTokens {
        precondition((1...BatchHeader.countMax).contains(payloads.count))
        var total = Amount.zero
        var lengths: [UInt8] = []
        lengths.reserveCapacity(payloads.count)
        var slots = [UInt8](repeating: 0, count: payloads.count * BatchCipher.slotSize)
        var span = slots.mutableSpan
        var start = GrantToken.blinderSize
        for payload in payloads {
            lengths.append(UInt8(payload.write(to: &span, at: start)))
            start += BatchCipher.slotSize
            guard let sum = total.adding(payload.amount) else { preconditionFailure("M6: the total overflows") }
            total = sum
        }
        slots = BatchCipher.apply(to: slots, dataKey: dataKey, nonce: nonce)

        var bytes: [UInt8] = []
        bytes.reserveCapacity(SealedBatch.preambleSize + payloads.count * (1 + BatchCipher.slotSize))
        BatchHeader.appendContext(
            to: &bytes,
            mint: mint,
            epoch: epoch,
            sequence: sequence,
            count: payloads.count,
            total: total,
            at: at,
            nonce: nonce
        )
        let tree = MerkleTree(context: bytes[...], lengths: lengths, slots: slots)
        bytes.append(contentsOf: tree.root)
        bytes.append(contentsOf: Ed25519.signature(of: bytes, domain: Self.signatureDomain, by: signingKey))
        bytes.append(contentsOf: lengths)
        start = GrantToken.blinderSize
        for length in lengths {
            bytes.append(contentsOf: slots[start..<start + Int(length)])
            start += BatchCipher.slotSize
        }
        guard let batch = SealedBatch(bytes) else { preconditionFailure("a sealed batch can be read") }
        return BatchTokens(batch: batch, slots: slots, tree: tree)
    }
}

extension MerkleTree {
    /// Hashes the leaves of a batch from its keystream slots: blinder and ciphertext each.
    init(context: ArraySlice<UInt8>, lengths: [UInt8], slots: [UInt8]) {
        let hasher = LeafHasher(context: context)
        var leaf = [UInt8](repeating: 0, count: 2 + BatchCipher.slotSize)
        self.init(count: lengths.count, nodeSize: .truncated) { nodes in
            leaf.withUnsafeMutableBytes { leaf in
                slots.withUnsafeBytes { slots in
                    for (index, length) in lengths.enumerated() {
                        let slot = index * BatchCipher.slotSize
                        let size = GrantToken.blinderSize + Int(length)
                        let node = index * Digest192.size
                        leaf[0] = UInt8(index)
                        leaf[1] = length
                        UnsafeMutableRawBufferPointer(rebasing: leaf[2...])
                            .copyMemory(from: UnsafeRawBufferPointer(rebasing: slots[slot..<slot + size]))
                        hasher.hash(
                            ofLeaf: UnsafeRawBufferPointer(rebasing: leaf[..<(2 + size)]),
                            to: UnsafeMutableRawBufferPointer(rebasing: nodes[node..<node + Digest192.size])
                        )
                    }
                }
            }
        }
    }
}

/// The tokens of one batch: makes the bytes for any index by copying, as the tree is kept.
package struct BatchTokens: Sendable {
    package let batch: SealedBatch
    /// Blinder and ciphertext of each grant, in slots of one size.
    private let slots: [UInt8]
    private let tree: MerkleTree

    init(batch: SealedBatch, slots: [UInt8], tree: MerkleTree) {
        self.batch = batch
        self.slots = slots
        self.tree = tree
    }

    package var count: Int { batch.count }

    /// The full token of the grant at `index`, as its owner gets it.
    package subscript(index: Int) -> [UInt8] {
        precondition((0..<count).contains(index))
        let length = batch.length(at: index)
        let slot = index * BatchCipher.slotSize
        let leafEnd = SealedBatch.preambleSize + GrantToken.leafPrefixSize + length
        let size = leafEnd + MerkleShape.pathLength(index: index, count: count) * Digest192.size
        return [UInt8](unsafeUninitializedCapacity: size) { bytes, initialized in
            let bytes = UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(bytes)[..<size])
            batch.bytes.withUnsafeBytes {
                bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[..<SealedBatch.preambleSize]))
            }
            bytes[SealedBatch.preambleSize] = UInt8(index)
            bytes[SealedBatch.preambleSize + 1] = UInt8(length)
            slots.withUnsafeBytes {
                UnsafeMutableRawBufferPointer(rebasing: bytes[(SealedBatch.preambleSize + 2)...])
                    .copyMemory(
                        from: UnsafeRawBufferPointer(rebasing: $0[slot..<slot + GrantToken.blinderSize + length])
                    )
            }
            tree.copyPath(of: index, to: UnsafeMutableRawBufferPointer(rebasing: bytes[leafEnd...]))
            initialized = size
        }
    }
}
