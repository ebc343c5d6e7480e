/// A grant token as its owner keeps it: all that it takes to verify it, and for the wallet to read it, but for the
/// epoch's certificate and data key.
///
/// Its bytes: header, signature, leaf, Merkle path. The leaf: index, length of the ciphertext, blinder, ciphertext.
/// Certificates aren't in it: verifiers know them by mint and epoch. The views share the bytes that were parsed.
package struct GrantToken: Hashable, Sendable {
    package static let blinderSize = 12
    /// The leaf's bytes before its ciphertext.
    package static let leafPrefixSize = 2 + blinderSize
    private static let fixedSize = SealedBatch.preambleSize + leafPrefixSize
    package static let sizeMax =
        fixedSize + GrantPayload.sizeMax + MerkleShape.pathLengthMax * Digest192.size

    package let header: BatchHeader
    package let index: Int
    /// The whole token, as it was parsed.
    package let bytes: ArraySlice<UInt8>
    private let pathStart: Int

    package enum Parse: Hashable, Sendable {
        case token(GrantToken)
        case unknownAlgorithm
        case malformed
    }

    /// Reads exactly what a mint could have written: no byte may follow, and none be missing.
    package static func parse(_ bytes: ArraySlice<UInt8>) -> Parse {
        guard bytes.count <= sizeMax, let algorithm = bytes.first else { return .malformed }
        guard TokenAlgorithm(rawValue: algorithm) != nil else { return .unknownAlgorithm }
        guard let token = GrantToken(bytes) else { return .malformed }
        return .token(token)
    }

    private init?(_ bytes: ArraySlice<UInt8>) {
        guard bytes.count >= Self.fixedSize, let header = BatchHeader(bytes.span) else { return nil }
        let leafStart = bytes.startIndex + SealedBatch.preambleSize
        let index = Int(bytes[leafStart])
        let length = Int(bytes[leafStart + 1])
        guard
            index < header.count, (GrantPayload.sizeMin...GrantPayload.sizeMax).contains(length),
            bytes.count == Self.fixedSize + length
                + MerkleShape.pathLength(index: index, count: header.count) * Digest192.size
        else { return nil }
        self.header = header
        self.index = index
        self.bytes = bytes
        pathStart = leafStart + Self.leafPrefixSize + length
    }

    /// Header and signature.
    package var preamble: ArraySlice<UInt8> { bytes.prefix(SealedBatch.preambleSize) }
    package var signature: ArraySlice<UInt8> { preamble.dropFirst(BatchHeader.size) }
    /// What is hashed, after the header's context.
    package var leaf: ArraySlice<UInt8> { bytes[(bytes.startIndex + SealedBatch.preambleSize)..<pathStart] }
    package var ciphertext: ArraySlice<UInt8> { leaf.dropFirst(Self.leafPrefixSize) }
    /// Siblings from the leaf up, 24 bytes each; as many as the index and the count demand.
    package var path: ArraySlice<UInt8> { bytes[pathStart...] }
    package var thin: ThinToken { ThinToken(mint: header.mint, sequence: header.sequence, index: index) }
}

/// The shape of a batch's Merkle tree, that of RFC 6962 section 2.1: the left subtree is the largest full one.
package enum MerkleShape {
    package static let pathLengthMax = 8

    /// How many siblings lead from a leaf to the root. A node without a sibling moves up unchanged.
    package static func pathLength(index: Int, count: Int) -> Int {
        precondition((0..<count).contains(index))
        var length = 0
        var position = index
        var last = count - 1
        while last > 0 {
            if position < last || position & 1 == 1 { length += 1 }
            position >>= 1
            last >>= 1
        }
        return length
    }
}
