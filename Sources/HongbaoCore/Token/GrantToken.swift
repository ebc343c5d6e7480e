/// A grant token as its owner keeps it: enough to verify it, and for the wallet to read it, if all servers lose all.
///
/// Its bytes: header, signature, index, blinder, length of the ciphertext, ciphertext, Merkle path. Certificates
/// aren't in it: verifiers know them by mint and epoch. The views share the bytes that were parsed.
package struct GrantToken: Hashable, Sendable {
    package static let blinderSize = 12
    private static let fixedSize = SealedBatch.preambleSize + 1 + blinderSize + 1
    package static let sizeMax =
        fixedSize + GrantPayload.sizeMax + MerkleShape.pathLengthMax * Digest192.size

    package let header: BatchHeader
    package let headerBytes: ArraySlice<UInt8>
    package let signature: ArraySlice<UInt8>
    package let index: Int
    package let blinder: ArraySlice<UInt8>
    package let ciphertext: ArraySlice<UInt8>
    /// Siblings from the leaf up, 24 bytes each; as many as the index and the count demand.
    package let path: ArraySlice<UInt8>

    package enum Parse: Hashable, Sendable {
        case token(GrantToken)
        case unknownAlgorithm
        case malformed
    }

    package static func parse(_ bytes: ArraySlice<UInt8>) -> Parse {
        guard bytes.count <= sizeMax, let algorithm = bytes.first else { return .malformed }
        guard TokenAlgorithm(rawValue: algorithm) != nil else { return .unknownAlgorithm }
        guard let token = GrantToken(bytes) else { return .malformed }
        return .token(token)
    }

    private init?(_ bytes: ArraySlice<UInt8>) {
        guard bytes.count >= Self.fixedSize, let header = BatchHeader(bytes.span) else { return nil }
        let start = bytes.startIndex
        let afterHeader = start + BatchHeader.size
        let afterSignature = start + SealedBatch.preambleSize
        let afterBlinder = afterSignature + 1 + Self.blinderSize
        let index = Int(bytes[afterSignature])
        let length = Int(bytes[afterBlinder])
        guard
            index < header.count, (GrantPayload.sizeMin...GrantPayload.sizeMax).contains(length),
            bytes.count == Self.fixedSize + length
                + MerkleShape.pathLength(index: index, count: header.count) * Digest192.size
        else { return nil }
        let ciphertextStart = afterBlinder + 1
        self.header = header
        self.index = index
        headerBytes = bytes[start..<afterHeader]
        signature = bytes[afterHeader..<afterSignature]
        blinder = bytes[afterSignature + 1..<afterBlinder]
        ciphertext = bytes[ciphertextStart..<ciphertextStart + length]
        path = bytes[(ciphertextStart + length)...]
    }

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
