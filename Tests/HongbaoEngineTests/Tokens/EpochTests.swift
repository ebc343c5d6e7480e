import Crypto
import HongbaoCore
import Testing

@testable import HongbaoEngine

@Suite struct EpochTests {
    private let fixture = TokenFixture()
    private static let day: Int64 = 24 * 60 * 60 * 1000

    private func refusal(_ verdict: TokenVerdict) -> TokenRefusal? {
        guard case .refused(let refusal) = verdict else { return nil }
        return refusal
    }

    /// Relative to the epoch's first instant: when the batch was sealed, when the token is shown, in ms.
    @Test(
        arguments: [
            (0, 0, nil), (0, 400 * day, nil), (day, day, nil), (day, 400 * day, nil),
            (-1, 0, .outsideEpoch), (day + 1, day + 1, .outsideEpoch), (-400 * day, 0, .outsideEpoch),
            (300_000, 0, nil), (300_001, 0, .outsideEpoch), (day, 0, .outsideEpoch),
            (.max / 2, .max / 2, .outsideEpoch),
        ] as [(Int64, Int64, TokenRefusal?)]
    )
    func aBatchMustBeSealedWithinItsEpoch(sealed: Int64, shown: Int64, expected: TokenRefusal?) {
        func at(_ offset: Int64) -> Timestamp {
            Timestamp(milliseconds: TokenFixture.noon.milliseconds + offset)
        }
        var random = SplitMix64(seed: 1)
        let tokens = fixture.sealer.sealWithTokens(random.payloads(2), sequence: 1, at: at(sealed))
        #expect(refusal(fixture.reading.verify(tokens[1], now: at(shown))) == expected)
    }

    @Test func revocationTakesEffectAtOnceAndForOneEpochOnly() {
        let token = fixture.sealed(2).tokens[0]
        let next = EpochKeys.mint(
            MintID(3),
            epoch: 8,
            cap: fen(100),
            at: TokenFixture.noon,
            keyring: fixture.keyring
        )
        #expect(fixture.reading.admit(next.certificate, dataKey: next.dataKey) == .admitted)
        var random = SplitMix64(seed: 2)
        let payloads = random.payloads(2)
        let later = BatchSealer(next).sealWithTokens(payloads, sequence: 2, at: TokenFixture.noon)
        #expect(refusal(fixture.verdict(token)) == nil)
        #expect(refusal(fixture.verdict(later[0])) == nil)
        fixture.reading.revoke(MintEpoch(mint: MintID(3), epoch: 7))
        #expect(refusal(fixture.verdict(token)) == .revokedEpoch)
        #expect(refusal(fixture.verdict(later[0])) == nil)
    }

    @Test func unknownEpochsAreRefused() {
        let fresh = TokenVerifier(root: fixture.keyring.rootPublicKey)
        let token = fixture.sealed(1).tokens[0]
        #expect(fresh.verify(token, now: TokenFixture.noon) == .refused(.unknownEpoch))
        // Revoked before it was known, it can't be used later.
        fresh.revoke(MintEpoch(mint: MintID(3), epoch: 7))
        #expect(fresh.admit(fixture.keys.certificate) == .admitted)
        #expect(fresh.verify(token, now: TokenFixture.noon) == .refused(.revokedEpoch))
    }

    @Test func certificatesAreTakenFromOneRootOnly() throws {
        let other = TokenFixture()
        #expect(fixture.reading.admit(other.keys.certificate, dataKey: other.keys.dataKey) == .badSignature)
        let bytes = fixture.keys.certificate.bytes
        #expect(MintCertificate(bytes) == fixture.keys.certificate)
        for bit in 0..<bytes.count * 8 {
            var altered = bytes
            altered[bit / 8] ^= 1 << (bit % 8)
            guard let certificate = MintCertificate(altered) else { continue }
            #expect(fixture.reading.admit(certificate) == .badSignature, "bit \(bit)")
        }
        for size in 0..<bytes.count { #expect(MintCertificate(Array(bytes.prefix(size))) == nil) }
        #expect(MintCertificate(bytes + [0]) == nil)
    }

    @Test func twoKeysForOneEpochAreAConflict() {
        #expect(fixture.reading.admit(fixture.keys.certificate) == .known)
        let again = EpochKeys.mint(MintID(3), epoch: 7, cap: fen(1), at: TokenFixture.noon, keyring: fixture.keyring)
        #expect(fixture.reading.admit(again.certificate, dataKey: again.dataKey) == .conflicting)
        // The first stays in force.
        #expect(refusal(fixture.verdict(fixture.sealed(1).tokens[0])) == nil)
        // A data key may come later.
        #expect(fixture.blind.admit(fixture.keys.certificate, dataKey: fixture.keys.dataKey) == .known)
        guard case .valid(let token) = fixture.blind.verify(fixture.sealed(1).tokens[0], now: TokenFixture.noon)
        else {
            Issue.record("refused")
            return
        }
        #expect(token.payload != nil)
    }

    @Test func theWalletRoleUnwrapsTheDataKey() throws {
        let keys = fixture.keys
        let key = try #require(DataKey(wrapped: keys.wrappedDataKey, by: fixture.keyring.walletWrapping))
        #expect(key.symmetric == keys.dataKey.symmetric)
        #expect(DataKey(wrapped: keys.wrappedDataKey, by: Keyring().walletWrapping) == nil)
    }

    /// Signatures beyond the bound are forgotten, and verified again when they come back.
    @Test func theMemoryOfSignaturesIsBounded() throws {
        let signatures = VerifiedSignatures(max: 3)
        let small = TokenVerifier(root: fixture.keyring.rootPublicKey, signatures: signatures)
        _ = small.admit(fixture.keys.certificate)
        #expect(signatures.count == 1)
        let tokens = (1...5 as ClosedRange<UInt64>).map { fixture.sealed(1, sequence: $0).tokens[0] }
        for token in tokens + tokens {
            for _ in 0..<2 { #expect(refusal(small.verify(token, now: TokenFixture.noon)) == nil) }
            #expect(signatures.count <= 3)
        }
        #expect(signatures.count == 3)
    }

    /// What one verifier has found good counts for another, with exactly this signature, by exactly this key.
    @Test func sharedSignaturesAreNoLooser() {
        let signatures = VerifiedSignatures()
        let first = TokenVerifier(root: fixture.keyring.rootPublicKey, signatures: signatures)
        let second = TokenVerifier(root: fixture.keyring.rootPublicKey, signatures: signatures)
        #expect(first.admit(fixture.keys.certificate) == .admitted)
        #expect(second.admit(fixture.keys.certificate) == .admitted)
        let stranger = TokenVerifier(root: Keyring().rootPublicKey, signatures: signatures)
        #expect(stranger.admit(fixture.keys.certificate) == .badSignature)
        let token = fixture.sealed(1).tokens[0]
        #expect(refusal(first.verify(token, now: TokenFixture.noon)) == nil)
        for bit in 0..<SealedBatch.preambleSize * 8 {
            var altered = token
            altered[bit / 8] ^= 1 << (bit % 8)
            #expect(refusal(second.verify(altered, now: TokenFixture.noon)) != nil, "bit \(bit)")
        }
        #expect(refusal(second.verify(token, now: TokenFixture.noon)) == nil)
    }

    /// A mint takes its own tokens back without a signature check, and exactly those.
    @Test func ownSignaturesAreNoLooser() {
        let signatures = VerifiedSignatures()
        let verifier = TokenVerifier(root: fixture.keyring.rootPublicKey, signatures: signatures)
        let tokens = fixture.sealed(1).tokens
        verifier.keepOwn(tokens.batch)
        #expect(signatures.count == 0, "nobody knows the epoch yet")
        verifier.keepOwn(fixture.keys.certificate)
        #expect(verifier.admit(fixture.keys.certificate, dataKey: fixture.keys.dataKey) == .admitted)
        verifier.keepOwn(tokens.batch)
        #expect(signatures.count == 2)
        #expect(refusal(verifier.verify(tokens[0], now: TokenFixture.noon)) == nil)
        for bit in 0..<SealedBatch.preambleSize * 8 {
            var altered = tokens[0]
            altered[bit / 8] ^= 1 << (bit % 8)
            #expect(refusal(verifier.verify(altered, now: TokenFixture.noon)) != nil, "bit \(bit)")
        }
        #expect(signatures.count == 2, "nothing that was altered is kept")
    }

    /// An auditor with the root's public key alone can check who signed a batch of the log.
    @Test func batchesAreVerifiedByTheirHeader() throws {
        let batch = fixture.sealed(3).tokens.batch
        #expect(fixture.blind.refusal(of: batch, now: TokenFixture.noon) == nil)
        for bit in 0..<SealedBatch.preambleSize * 8 {
            var bytes = batch.bytes
            bytes[bit / 8] ^= 1 << (bit % 8)
            guard let altered = SealedBatch(bytes) else { continue }
            #expect(fixture.blind.refusal(of: altered, now: TokenFixture.noon) != nil, "bit \(bit)")
        }
    }
}
