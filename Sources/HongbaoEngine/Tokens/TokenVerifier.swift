package import Crypto
package import HongbaoCore
import Synchronization

/// What a token says, once its signature, its place in the batch and its epoch have been checked.
package struct VerifiedToken: Hashable, Sendable {
    package let mint: MintID
    package let epoch: UInt32
    package let sequence: UInt64
    package let index: Int
    /// When the batch was sealed.
    package let at: Timestamp
    /// `nil` where the verifier may not decrypt.
    package let payload: GrantPayload?
}

package enum TokenVerdict: Hashable, Sendable {
    case valid(VerifiedToken)
    case refused(TokenRefusal)
}

/// Why a token was refused, in order of precedence: when several apply, the first is given.
package enum TokenRefusal: UInt8, Hashable, Sendable, CaseIterable {
    /// Not the encoding that a mint writes: truncated, with trailing bytes, or a number out of its range.
    case malformed = 1
    case unknownAlgorithm = 2
    /// No certificate of the root key is known for this mint and epoch.
    case unknownEpoch = 3
    case revokedEpoch = 4
    /// The batch was sealed before or after the epoch, or in the future.
    case outsideEpoch = 5
    case badSignature = 6
    /// The leaf doesn't lead to the signed root.
    case badPath = 7
    /// The payload isn't what a mint encrypts, or the verifier has no data key but was asked who the token names.
    case undecryptable = 8
    /// The payload's fields differ from those in its order number.
    case payloadInconsistent = 9
    /// A good token, but of somebody else (TK-9).
    case wrongPerson = 10
    /// A good token, but of another campaign or phase (M13).
    case wrongCampaign = 11
}

/// Checks tokens that come from outside (TK-3, TK-9). It knows the root's public key only, so it can't issue.
///
/// Signatures that were verified once are kept, so that further tokens of the batch cost a few hashes and no signature
/// check. Whoever knows of an epoch, its certificate and its end tells it.
package final class TokenVerifier: Sendable {
    /// How far ahead of ours a mint's clock may be.
    package static let clockToleranceSeconds: Int64 = 300

    private let root: Ed25519.PublicKey
    private let signatures: VerifiedSignatures
    private let state = Mutex(State())

    package init(root: Curve25519.Signing.PublicKey, signatures: VerifiedSignatures = VerifiedSignatures()) {
        self.root = Ed25519.PublicKey(root)
        self.signatures = signatures
    }

    package enum Admission: Hashable, Sendable {
        case admitted
        /// The same certificate was admitted before.
        case known
        /// Not signed by this root.
        case badSignature
        /// The root certified another key for the same mint and epoch. Somebody issues epochs twice: an alarm.
        case conflicting
    }

    /// Begins to accept the tokens of an epoch. With the data key, payloads are opened too.
    package func admit(_ certificate: MintCertificate, dataKey: DataKey? = nil) -> Admission {
        guard
            signatures.isValid(
                certificate.signature[...],
                of: certificate.content[...],
                domain: Keyring.certificateDomain,
                by: root
            ),
            let publicKey = Ed25519.PublicKey(certificate.publicKey)
        else { return .badSignature }
        let key = MintEpoch(mint: certificate.mint, epoch: certificate.epoch)
        return state.withLock { state in
            if let known = state.epochs[key] {
                guard known.certificate.content == certificate.content else { return .conflicting }
                if known.dataKey == nil, let dataKey {
                    state.epochs[key] = Epoch(certificate: certificate, publicKey: publicKey, dataKey: dataKey)
                }
                return .known
            }
            state.epochs[key] = Epoch(certificate: certificate, publicKey: publicKey, dataKey: dataKey)
            return .admitted
        }
    }

    /// Spares the check of a certificate's signature: this process has made it just now.
    package func keepOwn(_ certificate: MintCertificate) {
        signatures.keepOwn(
            certificate.signature[...],
            of: certificate.content[...],
            domain: Keyring.certificateDomain,
            by: root
        )
    }

    /// Spares the check of a batch's signature, when its tokens come back: this process has sealed it just now.
    package func keepOwn(_ batch: SealedBatch) {
        let key = MintEpoch(mint: batch.header.mint, epoch: batch.header.epoch)
        guard let epoch = state.withLock({ $0.epochs[key] }) else { return }
        signatures.keepOwn(
            batch.preamble.dropFirst(BatchHeader.size),
            of: batch.preamble.prefix(BatchHeader.size),
            domain: BatchSealer.signatureDomain,
            by: epoch.publicKey
        )
    }

    /// Refuses the tokens of an epoch from now on, known or not.
    package func revoke(_ epoch: MintEpoch) {
        state.withLock { _ = $0.revoked.insert(epoch) }
    }

    package func verify(_ bytes: [UInt8], now: Timestamp) -> TokenVerdict {
        let token: GrantToken
        switch GrantToken.parse(bytes[...]) {
        case .token(let parsed): token = parsed
        case .unknownAlgorithm: return .refused(.unknownAlgorithm)
        case .malformed: return .refused(.malformed)
        }
        let epoch: Epoch
        switch headerVerdict(token.header, preamble: token.preamble, now: now) {
        case .trusted(let known): epoch = known
        case .refused(let refusal): return .refused(refusal)
        }
        guard Self.leadsToRoot(token) || Mutant.isOn(.ignoresPath) else { return .refused(.badPath) }
        guard let dataKey = epoch.dataKey else { return .valid(token.verified(payload: nil)) }
        switch Self.open(token, dataKey: dataKey) {
        case .payload(let payload): return .valid(token.verified(payload: payload))
        case .malformed: return .refused(.undecryptable)
        case .contradictory: return .refused(.payloadInconsistent)
        }
    }

    /// Checks who signed a batch, without looking inside: what an auditor can do who has the root's public key only.
    /// Tokens of the batch are then verified without a signature check.
    package func refusal(of batch: SealedBatch, now: Timestamp) -> TokenRefusal? {
        switch headerVerdict(batch.header, preamble: batch.preamble, now: now) {
        case .trusted: nil
        case .refused(let refusal): refusal
        }
    }

    /// A token is only good for the person it names (TK-9), and in the books that it was issued in.
    package func verify(_ bytes: [UInt8], now: Timestamp, person: PersonID, book: BookID) -> TokenVerdict {
        verify(bytes, now: now, names: [person], book: book)
    }

    /// - Parameter names: all that the person is known by (ID-3).
    func verify(_ bytes: [UInt8], now: Timestamp, names: [PersonID], book: BookID) -> TokenVerdict {
        switch verify(bytes, now: now) {
        case .refused(let refusal): return .refused(refusal)
        case .valid(let token):
            guard let payload = token.payload else { return .refused(.undecryptable) }
            guard names.contains(payload.person) || Mutant.isOn(.takesOthersTokens) else {
                return .refused(.wrongPerson)
            }
            guard payload.book == book || Mutant.isOn(.takesTokensOfOtherPhases) else {
                return .refused(.wrongCampaign)
            }
            return .valid(token)
        }
    }
}

extension TokenVerifier {
    private struct State {
        var epochs: [MintEpoch: Epoch] = [:]
        var revoked: Set<MintEpoch> = []
    }

    /// A class, so that looking one up is cheap.
    private final class Epoch: Sendable {
        let certificate: MintCertificate
        let publicKey: Ed25519.PublicKey
        let dataKey: DataKey?

        init(certificate: MintCertificate, publicKey: Ed25519.PublicKey, dataKey: DataKey?) {
            self.certificate = certificate
            self.publicKey = publicKey
            self.dataKey = dataKey
        }
    }

    private enum HeaderVerdict {
        case trusted(Epoch)
        case refused(TokenRefusal)
    }

    private func headerVerdict(
        _ header: BatchHeader,
        preamble: ArraySlice<UInt8>,
        now: Timestamp
    ) -> HeaderVerdict {
        let key = MintEpoch(mint: header.mint, epoch: header.epoch)
        let (known, isRevoked) = state.withLock { ($0.epochs[key], $0.revoked.contains(key)) }
        guard let epoch = known else { return .refused(.unknownEpoch) }
        guard !isRevoked else { return .refused(.revokedEpoch) }
        guard epoch.certificate.covers(header.at), header.at <= now.advanced(bySeconds: Self.clockToleranceSeconds)
        else { return .refused(.outsideEpoch) }
        guard
            signatures.isValid(
                preamble.dropFirst(BatchHeader.size),
                of: preamble.prefix(BatchHeader.size),
                domain: BatchSealer.signatureDomain,
                by: epoch.publicKey
            ) || Mutant.isOn(.ignoresSignature)
        else { return .refused(.badSignature) }
        return .trusted(epoch)
    }

    private static func leadsToRoot(_ token: GrantToken) -> Bool {
        let leafHash = LeafHasher(context: token.preamble.prefix(BatchHeader.contextSize)).hash(ofLeaf: token.leaf)
        let root = MerkleTree.root(
            leafHash: leafHash,
            index: token.index,
            count: token.header.count,
            path: token.path
        )
        return root.map { Digest192($0.span) } == token.header.root
    }

    private static func open(_ token: GrantToken, dataKey: DataKey) -> GrantPayload.Parse {
        let slot = [UInt8](repeating: 0, count: GrantToken.blinderSize) + token.ciphertext
        let plaintext = BatchCipher.apply(
            to: slot,
            dataKey: dataKey,
            nonce: token.header.nonce,
            firstSlot: token.index
        )
        return GrantPayload.parse(plaintext.span.extracting(GrantToken.blinderSize..<plaintext.count))
    }
}

extension GrantToken {
    fileprivate func verified(payload: GrantPayload?) -> VerifiedToken {
        VerifiedToken(
            mint: header.mint,
            epoch: header.epoch,
            sequence: header.sequence,
            index: index,
            at: header.at,
            payload: payload
        )
    }
}
