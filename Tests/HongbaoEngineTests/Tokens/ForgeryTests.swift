import Crypto
import HongbaoCore
import Testing

@testable import HongbaoEngine

/// Everything that somebody without the keys, or with the wrong ones, might try (TK-3, TK-9).
@Suite struct ForgeryTests {
    private let fixture = TokenFixture()
    private let now = TokenFixture.noon

    private func refusal(_ verdict: TokenVerdict) -> TokenRefusal? {
        guard case .refused(let refusal) = verdict else { return nil }
        return refusal
    }

    private func parsed(_ bytes: [UInt8]) throws -> GrantToken {
        guard case .token(let token) = GrantToken.parse(bytes[...]) else {
            throw BatchFault.unreadable(index: 0)
        }
        return token
    }

    /// The same with a verifier that has seen the batch before, and with one that can't read payloads.
    @Test func everyFlippedBitIsRefused() {
        let tokens = fixture.sealed(11).tokens
        let token = tokens[6]
        #expect(refusal(fixture.verdict(token)) == nil)
        for bit in 0..<token.count * 8 {
            var altered = token
            altered[bit / 8] ^= 1 << (bit % 8)
            #expect(refusal(fixture.verdict(altered)) != nil, "bit \(bit)")
            #expect(refusal(fixture.blind.verify(altered, now: now)) != nil, "bit \(bit)")
        }
    }

    @Test func everyTruncationAndAnyTrailingByteIsRefused() {
        let token = fixture.sealed(11).tokens[6]
        for size in 0..<token.count {
            let expected: TokenRefusal = .malformed
            #expect(refusal(fixture.verdict(Array(token.prefix(size)))) == expected)
        }
        for byte in [UInt8(0), 1, 0xff] { #expect(refusal(fixture.verdict(token + [byte])) == .malformed) }
        #expect(refusal(fixture.verdict(token + token)) == .malformed)
        #expect(refusal(fixture.verdict([UInt8](repeating: 1, count: 100_000))) == .malformed)
    }

    @Test(arguments: 0..<20 as Range<UInt64>)
    func noiseIsRefused(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        for _ in 0..<200 {
            var noise = random.bytes(Int.random(in: 0...500, using: &random))
            if !noise.isEmpty, Bool.random(using: &random) { noise[0] = 1 }
            #expect(refusal(fixture.verdict(noise)) != nil)
        }
    }

    @Test(arguments: [UInt8(0), 2, 3, 0x7f, 0x81, 0xff])
    func otherAlgorithmsAreRefused(algorithm: UInt8) {
        var token = fixture.sealed(2).tokens[0]
        token[0] = algorithm
        #expect(refusal(fixture.verdict(token)) == .unknownAlgorithm)
        var certificate = fixture.keys.certificate.bytes
        certificate[0] = algorithm
        #expect(MintCertificate(certificate) == nil)
    }

    /// A signature for one kind of statement isn't good for another.
    @Test func domainsAreSeparate() throws {
        let tokens = fixture.sealed(1).tokens
        let header = Array(tokens.batch.bytes.prefix(BatchHeader.size))
        for domain in [[], Keyring.certificateDomain] {
            var token = tokens[0]
            let signature = Ed25519.signature(of: header, domain: domain, by: fixture.keys.signingKey)
            token.replaceSubrange(BatchHeader.size..<SealedBatch.preambleSize, with: signature)
            #expect(refusal(fixture.verdict(token)) == .badSignature)
        }
        #expect(refusal(fixture.verdict(fixture.keys.certificate.bytes)) == .malformed)
    }

    @Test func indexAndCountAreBound() throws {
        let tokens = fixture.sealed(8).tokens
        for index in 0..<8 where index != 3 {
            var token = tokens[3]
            token[SealedBatch.preambleSize] = UInt8(index)
            #expect(refusal(fixture.verdict(token)) == .badPath)
        }
        var outside = tokens[3]
        outside[SealedBatch.preambleSize] = 8
        #expect(refusal(fixture.verdict(outside)) == .malformed)
        // 5 and 6 have the same path length for index 3 as 8 has.
        for count in [UInt8(5), 6, 7] {
            var token = tokens[3]
            token[18] = count
            #expect(refusal(fixture.verdict(token)) == .badSignature)
        }
        for count in [UInt8(0), 1, 3, 9, 255] {
            var token = tokens[3]
            token[18] = count
            #expect(refusal(fixture.verdict(token)) == .malformed)
        }
    }

    /// A path that begins one level higher or lower has the wrong length; a wrong sibling leads elsewhere.
    @Test func aNodeIsNoLeaf() throws {
        let tokens = fixture.sealed(8).tokens
        let token = tokens[2]
        let pathSize = 3 * Digest192.size
        let start = token.count - pathSize
        #expect(refusal(fixture.verdict(Array(token[..<start] + token[(start + 24)...]))) == .malformed)
        #expect(refusal(fixture.verdict(token + token.suffix(24))) == .malformed)
        // The siblings in another order.
        let turned = token[..<start] + token[(start + 24)...] + token[start..<start + 24]
        #expect(refusal(fixture.verdict(Array(turned))) == .badPath)
        // The leaf's bytes replaced by two nodes, as the input of their parent has them.
        let leaf = try parsed(token).leaf
        var asLeaf = token
        let nodes = token[start..<start + 48]
        asLeaf.replaceSubrange(leaf.startIndex + 2..<leaf.startIndex + 50, with: nodes)
        #expect(refusal(fixture.verdict(asLeaf)) == .badPath)
    }

    /// Parts of two good tokens never make a third.
    @Test func partsOfDifferentTokensDontFit() throws {
        let one = fixture.sealed(8, seed: 1, sequence: 1).tokens
        let other = fixture.sealed(8, seed: 1, sequence: 2).tokens
        let token = one[3]
        let foreign = other[3]
        #expect(token.count == foreign.count)
        let leafStart = SealedBatch.preambleSize
        let pathStart = token.count - 3 * Digest192.size
        func splice(_ range: Range<Int>) -> TokenRefusal? {
            var spliced = token
            spliced.replaceSubrange(range, with: foreign[range])
            return refusal(fixture.verdict(spliced))
        }
        #expect(splice(0..<BatchHeader.size) == .badSignature)
        #expect(splice(0..<leafStart) == .badPath)
        #expect(splice(BatchHeader.size..<leafStart) == .badSignature)
        #expect(splice(BatchHeader.contextSize..<BatchHeader.size) == .badSignature)
        #expect(splice(leafStart..<pathStart) == .badPath)
        #expect(splice(pathStart..<token.count) == .badPath)

        // The neighbour's leaf under one's own index and path.
        let neighbour = try parsed(one[2])
        var swapped = token
        swapped.replaceSubrange(leafStart..<pathStart, with: neighbour.leaf)
        #expect(refusal(fixture.verdict(swapped)) != nil)
        if swapped.count == token.count {
            swapped[leafStart] = 3
            #expect(refusal(fixture.verdict(swapped)) == .badPath)
        }
    }

    /// S + L is the same point equation; a verifier that accepts it lets everybody make a second, different token.
    @Test func signaturesAreNotMalleable() {
        let order = hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")
        var token = fixture.sealed(2).tokens[0]
        var carry = 0
        for index in 0..<32 {
            let at = BatchHeader.size + 32 + index
            let sum = Int(token[at]) + Int(order[index]) + carry
            token[at] = UInt8(truncatingIfNeeded: sum)
            carry = sum >> 8
        }
        #expect(carry == 0)
        #expect(refusal(fixture.verdict(token)) == .badSignature)
    }

    @Test func tokensAreBoundToPersonAndBooks() {
        let (payloads, tokens) = fixture.sealed(2)
        let owner = payloads[0].person
        let book = payloads[0].book
        func verdict(_ person: PersonID, _ book: BookID) -> TokenRefusal? {
            refusal(fixture.reading.verify(tokens[0], now: now, person: person, book: book))
        }
        #expect(verdict(owner, book) == nil)
        #expect(verdict(payloads[1].person, book) == .wrongPerson)
        #expect(verdict(PersonID(owner.rawValue ^ 1), book) == .wrongPerson)
        #expect(verdict(PersonID(0), book) == .wrongPerson)
        #expect(verdict(owner, BookID(book.rawValue ^ 1)) == .wrongCampaign)
        // Whoever can't read it can't say whose it is.
        #expect(
            fixture.blind.verify(tokens[0], now: now, person: owner, book: book) == .refused(.undecryptable)
        )
    }

    @Test func anotherMintsKeyIsRefused() {
        let stranger = TokenFixture()
        #expect(refusal(fixture.verdict(stranger.sealed(2).tokens[0])) == .badSignature)
    }

    /// A mint that encrypts nonsense, or with another key, gets no further than its signature.
    @Test func payloadsMustBeWhatAMintWrites() {
        let verifier = TokenVerifier(root: fixture.keyring.rootPublicKey)
        #expect(verifier.admit(fixture.keys.certificate, dataKey: DataKey()) == .admitted)
        let token = fixture.sealed(2).tokens[0]
        #expect(verifier.verify(token, now: now) == .refused(.undecryptable))
    }
}
