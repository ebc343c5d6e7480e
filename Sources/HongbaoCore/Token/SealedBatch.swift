/// A signed and encrypted batch of grants in the form that the log stores, one record for each.
///
/// Its bytes: header, signature, the length of each ciphertext in one byte, the ciphertexts. The blinders aren't in
/// it; whoever has the data key can compute them.
package struct SealedBatch: Hashable, Sendable {
    package static let signatureSize = 64
    /// Header and signature: the part that every token of the batch repeats.
    package static let preambleSize = BatchHeader.size + signatureSize
    package static let sizeMax = preambleSize + BatchHeader.countMax * (1 + GrantPayload.sizeMax)

    package let header: BatchHeader
    /// The canonical encoding.
    package let bytes: [UInt8]
    /// Where each ciphertext begins, and where the last one ends.
    private let offsets: [UInt16]

    /// Reads an encoded batch; `nil` unless the lengths cover the bytes exactly. It checks no signature.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count <= Self.sizeMax, let header = BatchHeader(bytes.span) else { return nil }
        let bodyStart = Self.preambleSize + header.count
        guard bytes.count >= bodyStart else { return nil }
        var offsets: [UInt16] = []
        offsets.reserveCapacity(header.count + 1)
        var end = bodyStart
        for length in bytes[Self.preambleSize..<bodyStart] {
            guard (GrantPayload.sizeMin...GrantPayload.sizeMax).contains(Int(length)) else { return nil }
            offsets.append(UInt16(end))
            end += Int(length)
        }
        offsets.append(UInt16(truncatingIfNeeded: end))
        guard end == bytes.count else { return nil }
        self.header = header
        self.bytes = bytes
        self.offsets = offsets
    }

    package var count: Int { header.count }
    package var signature: ArraySlice<UInt8> { bytes[BatchHeader.size..<Self.preambleSize] }
    /// Lengths and ciphertexts.
    package var body: ArraySlice<UInt8> { bytes[Self.preambleSize...] }

    /// Header and signature.
    package var preamble: ArraySlice<UInt8> { bytes[..<Self.preambleSize] }

    /// The size of the ciphertext at `index`.
    package func length(at index: Int) -> Int {
        precondition((0..<count).contains(index))
        return Int(bytes[Self.preambleSize + index])
    }

    package func ciphertext(at index: Int) -> ArraySlice<UInt8> {
        precondition((0..<count).contains(index))
        return bytes[Int(offsets[index])..<Int(offsets[index + 1])]
    }

    package func thinToken(at index: Int) -> ThinToken {
        precondition((0..<count).contains(index))
        return ThinToken(mint: header.mint, sequence: header.sequence, index: index)
    }

    package static func == (a: SealedBatch, b: SealedBatch) -> Bool { a.bytes == b.bytes }
    package func hash(into hasher: inout Hasher) { hasher.combine(bytes) }
}
