package import HongbaoCore
package import HongbaoEngine

/// Makes tokens that must not be accepted, out of good ones. The same seed, the same tokens.
package struct TokenMutations: Sendable {
    package enum Kind: String, CaseIterable, Hashable, Sendable {
        /// Every bit of every token in turn, and then any.
        case bit
        case byte
        /// Two bytes, or two nodes of the path, change places.
        case swap
        /// Parts of two good tokens: header, signature, leaf, path.
        case splice
        case truncation
        case addition
        /// A good token, shown by somebody else or in another book.
        case person
        /// Another leaf's number, or another length.
        case index
        /// Another mint, epoch, sequence, count, total, time or nonce.
        case header
        /// Several of them at once.
        case several
    }

    package struct Forgery: Sendable {
        package let kind: Kind
        package let bytes: [UInt8]
        /// Who shows it, and in which book.
        package let person: PersonID
        package let book: BookID
    }

    private let tokens: [FuzzTokens.Good]
    private var random: SplitMix64
    /// Where the tour over all bits is.
    private var tourToken: Int
    private var tourBit = 0
    private var tourCount = 0
    /// One in so many of the bytes that are chosen is any byte; the others are behind the preamble. Most changes of a
    /// preamble cost a signature check, as much as twenty of the others.
    private static let preambleChance: UInt64 = 12

    package init(_ tokens: FuzzTokens, seed: UInt64) {
        self.tokens = tokens.tokens
        random = SplitMix64(seed: seed)
        tourToken = Int(seed % UInt64(tokens.tokens.count))
    }

    package mutating func next() -> Forgery {
        while true {
            let kind = Self.kinds[below(Self.kinds.count)]
            let good = kind == .bit ? tokens[tourToken] : tokens[below(tokens.count)]
            var bytes = good.bytes
            var (person, book) = (good.payload.person, good.payload.book)
            switch kind {
            case .person:
                if below(2) == 0 { person = PersonID(random.next()) } else { book = BookID(UInt16(below(1 << 16))) }
                guard person != good.payload.person || book != good.payload.book else { continue }
            case .several:
                for _ in 0...below(4) { change(&bytes, Self.simple[below(Self.simple.count)]) }
                guard bytes != good.bytes else { continue }
            default:
                change(&bytes, kind)
                guard bytes != good.bytes else { continue }
            }
            return Forgery(kind: kind, bytes: bytes, person: person, book: book)
        }
    }

    private static let simple: [Kind] = [.bit, .byte, .swap, .truncation, .addition, .index, .header]
    /// How often each kind comes: those that cost no signature check more often.
    private static let kinds: [Kind] =
        Array(repeating: .bit, count: 30) + Array(repeating: .byte, count: 20) + Array(repeating: .swap, count: 14)
        + Array(repeating: .splice, count: 6) + Array(repeating: .truncation, count: 8)
        + Array(repeating: .addition, count: 6) + Array(repeating: .person, count: 6)
        + Array(repeating: .index, count: 10) + Array(repeating: .header, count: 2)
        + Array(repeating: .several, count: 4)

    private mutating func change(_ bytes: inout [UInt8], _ kind: Kind) {
        switch kind {
        case .bit: changeBit(&bytes)
        case .byte where !bytes.isEmpty: bytes[place(bytes)] = UInt8(truncatingIfNeeded: random.next())
        case .swap: swap(&bytes)
        case .splice: splice(&bytes)
        case .truncation: bytes.removeLast(min(bytes.count, 1 + below(max(1, bytes.count))))
        case .addition:
            if below(2) == 0 {
                bytes.append(contentsOf: bytes.suffix(below(2) == 0 ? Digest192.size : bytes.count))
            } else {
                for _ in 0...below(32) { bytes.append(UInt8(truncatingIfNeeded: random.next())) }
            }
        case .index:
            let place = SealedBatch.preambleSize + below(2)
            if place < bytes.count { bytes[place] = UInt8(truncatingIfNeeded: random.next() >> random.next(below: 8)) }
        case .header:
            let place = below(BatchHeader.size)
            if place < bytes.count { bytes[place] = UInt8(truncatingIfNeeded: random.next()) }
        case .byte, .person, .several: break
        }
    }

    private mutating func changeBit(_ bytes: inout [UInt8]) {
        guard !bytes.isEmpty else { return }
        guard tourToken < tokens.count, bytes == tokens[tourToken].bytes else {
            bytes[place(bytes)] ^= 1 << below(8)
            return
        }
        bytes[tourBit / 8] ^= 1 << UInt8(tourBit % 8)
        tourBit += 1
        guard tourBit == bytes.count * 8 else { return }
        tourToken = (tourToken + 1) % tokens.count
        tourCount += 1
        // The first time round all of them, and then those behind the preamble.
        tourBit = tourCount < tokens.count ? 0 : SealedBatch.preambleSize * 8
    }

    /// Two runs of bytes of one length.
    private mutating func swap(_ bytes: inout [UInt8]) {
        let length = below(2) == 0 ? 1 : Digest192.size
        let rest = bytes.count - SealedBatch.preambleSize
        guard rest >= 2 * length else { return }
        let first = bytes.count - length - below(rest - length + 1)
        let second = bytes.count - length - below(rest - length + 1)
        guard abs(first - second) >= length else { return }
        for offset in 0..<length { bytes.swapAt(first + offset, second + offset) }
    }

    private mutating func splice(_ bytes: inout [UInt8]) {
        let other = tokens[below(tokens.count)].bytes
        let leafStart = SealedBatch.preambleSize
        guard bytes.count > leafStart else { return }
        switch below(4) {
        case 0: bytes.replaceSubrange(..<BatchHeader.size, with: other[..<BatchHeader.size])
        case 1:
            bytes.replaceSubrange(BatchHeader.size..<leafStart, with: other[BatchHeader.size..<leafStart])
        case 2: bytes.replaceSubrange(leafStart..., with: other[leafStart...])
        default:
            // From any byte on.
            let place = leafStart + below(min(bytes.count, other.count) - leafStart)
            bytes.replaceSubrange(place..., with: other[place...])
        }
    }

    /// Any byte, those of the preamble less often.
    private mutating func place(_ bytes: [UInt8]) -> Int {
        let start = SealedBatch.preambleSize
        if bytes.count <= start || random.next(below: Self.preambleChance) == 0 { return below(bytes.count) }
        return start + below(bytes.count - start)
    }

    private mutating func below(_ bound: Int) -> Int { Int(random.next(below: UInt64(bound))) }
}

/// Shows forgeries to a verifier.
package struct TokenMutationRun: Sendable {
    package struct Report: Sendable {
        package var count = 0
        package var accepted: [TokenMutations.Forgery] = []
        package var byKind: [TokenMutations.Kind: Int] = [:]
        package var byRefusal: [TokenRefusal: Int] = [:]

        package init() {}

        package mutating func add(_ other: Report) {
            count += other.count
            accepted += other.accepted
            byKind.merge(other.byKind, uniquingKeysWith: +)
            byRefusal.merge(other.byRefusal, uniquingKeysWith: +)
        }
    }

    private let tokens: FuzzTokens
    private var mutations: TokenMutations
    private let verifier: TokenVerifier

    package init(_ tokens: FuzzTokens, seed: UInt64) {
        self.tokens = tokens
        mutations = TokenMutations(tokens, seed: seed)
        verifier = tokens.verifier()
        // Warm: most forgeries come with a header that was seen before.
        for good in tokens.tokens { _ = verifier.verify(good.bytes, now: FuzzTokens.now) }
    }

    package mutating func run(count: Int) -> Report {
        var report = Report()
        while report.count < count {
            let forgery = mutations.next()
            switch verifier.verify(forgery.bytes, now: FuzzTokens.now, person: forgery.person, book: forgery.book) {
            case .refused(let refusal): report.byRefusal[refusal, default: 0] += 1
            case .valid:
                // Parts of two tokens can make up a third good one.
                guard !isGood(forgery) else { continue }
                report.accepted.append(forgery)
            }
            report.byKind[forgery.kind, default: 0] += 1
            report.count += 1
        }
        return report
    }

    private func isGood(_ shown: TokenMutations.Forgery) -> Bool {
        tokens.tokens.contains { good in
            good.bytes == shown.bytes && good.payload.person == shown.person && good.payload.book == shown.book
        }
    }

    /// Whether the verifier still accepts every good token, and so refuses forgeries for what they are.
    package func acceptsTheGoodOnes() -> Bool {
        tokens.tokens.allSatisfy { good in
            let (person, book) = (good.payload.person, good.payload.book)
            guard case .valid(let token) = verifier.verify(good.bytes, now: FuzzTokens.now, person: person, book: book)
            else { return false }
            return token.payload == good.payload
        }
    }
}
