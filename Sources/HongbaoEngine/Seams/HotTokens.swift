package import HongbaoCore

/// A part of the tokens that one engine lists: those of a 64th of its people. What a hot state has lost is noticed and
/// written anew part by part.
package struct TokenPart: Hashable, Sendable {
    package static let count = 64

    package let mint: MintID
    /// Below `count`.
    package let number: Int

    package init(mint: MintID, number: Int) {
        precondition((0..<Self.count).contains(number))
        self.mint = mint
        self.number = number
    }

    /// That of a person for whom this mint decides.
    package init(of person: PersonID, mint: MintID) {
        self.init(mint: mint, number: Self.number(of: person))
    }

    package static func number(of person: PersonID) -> Int { Int((person.rawValue &* 0x9E37_79B9_7F4A_7C15) >> 58) }
}

/// What has changed in a part since the write before, or a piece of all that there is in it.
package struct TokenWrite: Sendable {
    package let part: TokenPart
    /// The mint's epoch when the engine started that writes: of two, the later one has the part.
    package let epoch: UInt32
    /// Which beginning of the part by this engine it belongs to. What is left of others counts no more.
    package let round: UInt64
    /// One more than that of the engine's write before. A hot state that lost that one doesn't take this one.
    package let number: UInt64
    /// Until a part is complete, nobody can read it.
    package let begins: Bool
    package let completes: Bool
    package let added: [OpenGrant]
    package let removed: [OrderNumber]

    package init(
        _ part: TokenPart,
        epoch: UInt32,
        round: UInt64,
        number: UInt64,
        begins: Bool = false,
        completes: Bool = false,
        added: [OpenGrant] = [],
        removed: [OrderNumber] = []
    ) {
        self.part = part
        self.epoch = epoch
        self.round = round
        self.number = number
        self.begins = begins
        self.completes = completes
        self.added = added
        self.removed = removed
    }
}

package enum TokenWriteOutcome: Hashable, Sendable {
    case written
    /// The hot state doesn't have what was written before. The part has to begin anew.
    case lost
    /// An engine of a later epoch has the part.
    case superseded
}

/// Whose tokens are asked for.
package struct TokenQuestion: Hashable, Sendable {
    package let person: PersonID
    package let book: BookID
    /// The mint that decides for the person now; it lists also what came to other names of theirs.
    package let part: TokenPart

    /// - Parameter mint: that of whoever has the name.
    package init(_ person: PersonID, in book: BookID, mint: MintID) {
        self.person = person
        self.book = book
        part = TokenPart(of: person, mint: mint)
    }
}

/// A hot state of tokens didn't answer, or doesn't have everything. Whether it did what it was asked isn't known.
package struct HotTokensFault: Error, Hashable, CustomStringConvertible {
    package let message: String

    package init(_ message: String) { self.message = message }

    package var description: String { message }
}

/// What a hot state of tokens keeps, and for how long.
package struct HotTokensTerms: Sendable {
    /// So long after its last write a part can be read. Whoever writes it does so more often.
    package var validity = Duration.seconds(10)
    /// So long after its last change a person's list is kept.
    package var keeping = Duration.seconds(3_600)
    /// Of one person in one book. Who has more can't be shown from the hot state.
    package var tokensMax = 10_000

    package init() {}
}

/// Where engines put the tokens that aren't posted, for nodes that show wallets without having a mint (TK-5). A token
/// that isn't there is posted: it's taken out after its posting is committed.
///
/// It may lose anything at any time, and must not answer then as if it had everything.
package protocol HotTokens: Sendable {
    /// Carries out writes, each of another part. Answers what became of each, in the same order.
    func write(_ writes: [TokenWrite]) async throws(HotTokensFault) -> [TokenWriteOutcome]

    /// The tokens of each, in the same order, in no order of their own.
    ///
    /// - Throws: also when it can't tell that these are all.
    func tokens(of questions: [TokenQuestion]) async throws(HotTokensFault) -> [[OpenGrant]]
}
