/// A mint and one of its epochs.
package struct MintEpoch: Hashable, Sendable {
    package let mint: MintID
    package let epoch: UInt32

    package init(mint: MintID, epoch: UInt32) {
        self.mint = mint
        self.epoch = epoch
    }
}

/// The root key's word that a public key may mint tokens, for one mint and epoch, in one span of time, up to a sum.
package struct MintCertificate: Hashable, Sendable {
    package static let publicKeySize = 32
    /// What is signed.
    package static let contentSize = 65
    package static let size = contentSize + SealedBatch.signatureSize

    package let mint: MintID
    package let epoch: UInt32
    /// Ed25519.
    package let publicKey: [UInt8]
    /// The first and the last instant at which a batch may say that it was sealed.
    package let notBefore: Timestamp
    package let notAfter: Timestamp
    /// The most that all batches of the epoch may add up to.
    package let cap: Amount
    /// The root key's signature of the content.
    package let signature: [UInt8]

    package init(
        mint: MintID,
        epoch: UInt32,
        publicKey: [UInt8],
        notBefore: Timestamp,
        notAfter: Timestamp,
        cap: Amount,
        signature: [UInt8]
    ) {
        precondition(publicKey.count == Self.publicKeySize && signature.count == SealedBatch.signatureSize)
        self.mint = mint
        self.epoch = epoch
        self.publicKey = publicKey
        self.notBefore = notBefore
        self.notAfter = notAfter
        self.cap = cap
        self.signature = signature
    }

    package static func content(
        mint: MintID,
        epoch: UInt32,
        publicKey: [UInt8],
        notBefore: Timestamp,
        notAfter: Timestamp,
        cap: Amount
    ) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(size)
        bytes.append(TokenAlgorithm.merkleEd25519.rawValue)
        bytes.append(bigEndian: mint.rawValue)
        bytes.append(bigEndian: epoch)
        bytes.append(contentsOf: publicKey)
        bytes.append(bigEndian: notBefore.milliseconds)
        bytes.append(bigEndian: notAfter.milliseconds)
        bytes.append(bigEndian: cap.fen)
        return bytes
    }

    package var content: [UInt8] {
        Self.content(
            mint: mint,
            epoch: epoch,
            publicKey: publicKey,
            notBefore: notBefore,
            notAfter: notAfter,
            cap: cap
        )
    }

    package var bytes: [UInt8] { content + signature }

    /// Whether a batch may say that it was sealed at this instant. A mint whose clock leaves the span needs a new
    /// epoch.
    package func covers(_ instant: Timestamp) -> Bool { notBefore <= instant && instant <= notAfter }

    /// Reads exactly what `bytes` gives. It checks no signature.
    package init?(_ bytes: [UInt8]) {
        let span = bytes.span
        guard
            bytes.count == Self.size, bytes[0] == TokenAlgorithm.merkleEd25519.rawValue,
            let cap = Amount(fen: span.bigEndian(at: 57))
        else { return nil }
        mint = MintID(span.bigEndian(at: 1))
        epoch = span.bigEndian(at: 5)
        publicKey = Array(bytes[9..<41])
        notBefore = Timestamp(milliseconds: span.bigEndian(at: 41))
        notAfter = Timestamp(milliseconds: span.bigEndian(at: 49))
        self.cap = cap
        signature = Array(bytes[Self.contentSize...])
        guard notBefore <= notAfter else { return nil }
    }
}
