import HongbaoCore
import Testing

@testable import HongbaoEngine

@Suite struct SealedBatchTests {
    /// Every token of batches of every kind of size verifies, opens to what was sealed, and is made again from the log.
    @Test(arguments: [1, 2, 3, 4, 5, 7, 8, 9, 31, 100, 127, 128, 129, 200, 255, 256])
    func tokensVerifyAndOpen(count: Int) throws {
        let fixture = TokenFixture()
        let (payloads, tokens) = fixture.sealed(count, seed: UInt64(count))
        let batch = tokens.batch
        #expect(batch.header.mint == MintID(3))
        #expect(batch.header.epoch == 7)
        #expect(batch.header.sequence == 1)
        #expect(batch.header.count == count)
        #expect(batch.header.total == payloads.reduce(.zero) { fen($0.fen + $1.amount.fen) })

        let logged = try #require(SealedBatch(batch.bytes))
        #expect(logged == batch)
        let reader = BatchReader(logged, dataKey: fixture.keys.dataKey)
        #expect(try reader.payloads() == payloads)
        let again = try reader.tokens()
        for (index, payload) in payloads.enumerated() {
            let thin = batch.thinToken(at: index)
            let token = tokens[index]
            #expect(again[thin.index] == token)
            #expect(token.count <= GrantToken.sizeMax)
            let expected = VerifiedToken(
                mint: thin.mint,
                epoch: 7,
                sequence: thin.sequence,
                index: index,
                at: TokenFixture.noon,
                payload: payload
            )
            #expect(fixture.verdict(token) == .valid(expected))
            guard case .valid(let unread) = fixture.blind.verify(token, now: TokenFixture.noon) else {
                Issue.record("\(index) of \(count) was refused")
                continue
            }
            #expect(unread.payload == nil)
            #expect(unread.index == index)
        }
    }

    /// A leaf's node depends on all of the header but the root, and on index, length, blinder and ciphertext.
    @Test func everyByteOfALeafIsHashed() throws {
        guard case .token(let token) = GrantToken.parse(TokenFixture().sealed(5).tokens[3][...]) else {
            Issue.record("malformed")
            return
        }
        func node(_ context: [UInt8], _ leaf: [UInt8]) -> [UInt8] {
            LeafHasher(context: context[...]).hash(ofLeaf: leaf[...])
        }
        let context = Array(token.preamble.prefix(BatchHeader.contextSize))
        let leaf = Array(token.leaf)
        var nodes: Set = [node(context, leaf)]
        for index in context.indices {
            var altered = context
            altered[index] ^= 1
            nodes.insert(node(altered, leaf))
        }
        for index in leaf.indices {
            var altered = leaf
            altered[index] ^= 1
            nodes.insert(node(context, altered))
        }
        #expect(nodes.count == 1 + context.count + leaf.count)
        #expect(nodes.allSatisfy { $0.count == Digest192.size })
    }

    /// The same grants sealed twice share neither keystream nor blinders: a lost write must not reveal anything.
    @Test func sealingAgainUsesAnotherKeystream() {
        let fixture = TokenFixture()
        let (payloads, first) = fixture.sealed(4)
        let second = fixture.sealer.sealWithTokens(payloads, sequence: 1, at: TokenFixture.noon)
        #expect(first.batch.header.nonce != second.batch.header.nonce)
        for index in 0..<4 { #expect(first.batch.ciphertext(at: index) != second.batch.ciphertext(at: index)) }
        let same = fixture.sealer.seal(payloads, sequence: 1, at: TokenFixture.noon, nonce: first.batch.header.nonce)
        #expect(same.batch == first.batch)
    }

    /// TK-3: nothing that a payload says can be seen in its token.
    @Test func tokensDontShowTheirPayload() {
        let fixture = TokenFixture()
        let (payloads, tokens) = fixture.sealed(1)
        var plaintext: [UInt8] = []
        payloads[0].append(to: &plaintext)
        let token = tokens[0]
        for start in plaintext.indices.dropLast(5) {
            let window = plaintext[start..<start + 6]
            #expect(!token.indices.dropLast(5).contains { token[$0..<$0 + 6].elementsEqual(window) })
        }
    }

    @Test func aBatchIsReadWholeOrNotAtAll() {
        let bytes = TokenFixture().sealed(9).tokens.batch.bytes
        for size in 0..<bytes.count { #expect(SealedBatch(Array(bytes.prefix(size))) == nil) }
        #expect(SealedBatch(bytes + [0]) == nil)
        #expect(SealedBatch([UInt8](repeating: 1, count: SealedBatch.sizeMax + 1)) == nil)
    }

    /// A flipped bit in the log never gives a token that verifies, and never ends the process.
    @Test func damageIsFound() throws {
        let fixture = TokenFixture()
        let tokens = fixture.sealed(3).tokens
        for bit in 0..<tokens.batch.bytes.count * 8 {
            var bytes = tokens.batch.bytes
            bytes[bit / 8] ^= 1 << (bit % 8)
            guard let batch = SealedBatch(bytes) else { continue }
            let reader = BatchReader(batch, dataKey: fixture.keys.dataKey)
            do throws(BatchFault) {
                let again = try reader.tokens()
                // Only the signature isn't hashed.
                #expect((BatchHeader.size..<SealedBatch.preambleSize).contains(bit / 8))
                #expect(fixture.verdict(again[0]) == .refused(.badSignature))
            } catch {
                #expect(error == .rootDiffers)
            }
        }
    }

    @Test func anotherDataKeyOpensNothing() {
        let fixture = TokenFixture()
        let reader = BatchReader(fixture.sealed(5).tokens.batch, dataKey: DataKey())
        #expect(throws: BatchFault.unreadable(index: 0)) { try reader.payloads() }
        #expect(throws: BatchFault.rootDiffers) { try reader.tokens() }
    }

    @Test func theTotalMustBeTheSum() throws {
        let fixture = TokenFixture()
        var bytes = fixture.sealed(5).tokens.batch.bytes
        bytes[26] ^= 1
        let batch = try #require(SealedBatch(bytes))
        let reader = BatchReader(batch, dataKey: fixture.keys.dataKey)
        #expect(throws: BatchFault.totalDiffers) { try reader.payloads() }
    }
}
