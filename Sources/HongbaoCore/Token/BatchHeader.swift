/// The way in which a batch is hashed, signed and encrypted. The first byte of every header, token and certificate.
package enum TokenAlgorithm: UInt8, Hashable, Sendable {
    /// SHA-256 Merkle tree with nodes of 24 bytes, Ed25519, AES-256 in counter mode.
    case merkleEd25519 = 1
}

/// What is signed for a batch of grants: who minted it, how many there are, what they add up to.
///
/// Sequences have no gap and totals are the budget consumed, so whoever has the public keys can check the money that
/// was given without seeing whom it went to (M6).
package struct BatchHeader: Hashable, Sendable {
    package static let countMax = 256
    /// All but the root: what a leaf binds.
    package static let contextSize = 51
    package static let size = contextSize + Digest192.size

    package let mint: MintID
    package let epoch: UInt32
    /// Counts the batches of a mint over all its epochs, from 1.
    package let sequence: UInt64
    package let count: Int
    package let total: Amount
    package let at: Timestamp
    /// Where the keystream of the batch begins. Random, and never used twice with a data key.
    package let nonce: UInt128
    package let root: Digest192

    package init(
        mint: MintID,
        epoch: UInt32,
        sequence: UInt64,
        count: Int,
        total: Amount,
        at: Timestamp,
        nonce: UInt128,
        root: Digest192
    ) {
        precondition((1...Self.countMax).contains(count) && sequence >= 1)
        self.mint = mint
        self.epoch = epoch
        self.sequence = sequence
        self.count = count
        self.total = total
        self.at = at
        self.nonce = nonce
        self.root = root
    }

    /// Appends the `contextSize` bytes that don't depend on the tree, in the form that leaves and the signature bind.
    package static func appendContext(
        to bytes: inout [UInt8],
        mint: MintID,
        epoch: UInt32,
        sequence: UInt64,
        count: Int,
        total: Amount,
        at: Timestamp,
        nonce: UInt128
    ) {
        bytes.append(TokenAlgorithm.merkleEd25519.rawValue)
        bytes.append(bigEndian: mint.rawValue)
        bytes.append(bigEndian: epoch)
        bytes.append(bigEndian: sequence)
        bytes.append(bigEndian: UInt16(count))
        bytes.append(bigEndian: total.fen)
        bytes.append(bigEndian: at.milliseconds)
        bytes.append(bigEndian: nonce)
    }

    package func append(to bytes: inout [UInt8]) {
        Self.appendContext(
            to: &bytes,
            mint: mint,
            epoch: epoch,
            sequence: sequence,
            count: count,
            total: total,
            at: at,
            nonce: nonce
        )
        root.append(to: &bytes)
    }

    /// Reads the first `size` bytes, and only what `append` could have written.
    package init?(_ bytes: Span<UInt8>) {
        guard bytes.count >= Self.size, bytes[0] == TokenAlgorithm.merkleEd25519.rawValue else { return nil }
        let count = Int(bytes.bigEndian(at: 17) as UInt16)
        sequence = bytes.bigEndian(at: 9)
        guard (1...Self.countMax).contains(count), sequence >= 1, let total = Amount(fen: bytes.bigEndian(at: 19))
        else { return nil }
        mint = MintID(bytes.bigEndian(at: 1))
        epoch = bytes.bigEndian(at: 5)
        self.count = count
        self.total = total
        at = Timestamp(milliseconds: bytes.bigEndian(at: 27))
        nonce = bytes.bigEndian(at: 35)
        root = Digest192(bytes, at: Self.contextSize)
    }
}

/// Where a token is in the log: what the server keeps of it.
package struct ThinToken: Hashable, Sendable {
    package let mint: MintID
    package let sequence: UInt64
    package let index: Int

    package init(mint: MintID, sequence: UInt64, index: Int) {
        self.mint = mint
        self.sequence = sequence
        self.index = index
    }
}
