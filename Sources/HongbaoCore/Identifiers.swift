/// A number that identifies one kind of thing and can't be mistaken for another kind's, at no runtime cost.
package struct Identifier<Kind, Raw: FixedWidthInteger & Sendable>: Hashable, Comparable, Sendable {
    package let rawValue: Raw

    @inlinable
    package init(_ rawValue: Raw) { self.rawValue = rawValue }

    @inlinable
    package static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}

package enum Kinds {
    package enum Person {}
    package enum App {}
    package enum Book {}
    package enum Scene: OfABook {}
    package enum Template: OfABook {}
    package enum Rain {}
    package enum Mint {}
    package enum RedPacket {}

    /// What a book numbers.
    package protocol OfABook {}
}

/// One human across all apps (ID-2). Zero is the platform itself and never a person.
package typealias PersonID = Identifier<Kinds.Person, UInt64>
/// A terminal app: where a reward was earned, for display only (ID-5).
package typealias AppID = Identifier<Kinds.App, UInt16>
/// A round of a scene: one rain, one draw, one show.
package typealias RainID = Identifier<Kinds.Rain, UInt16>
/// A holder of minting keys: one for each node that accepts grants.
package typealias MintID = Identifier<Kinds.Mint, UInt32>
/// A red packet (红包).
package typealias RedPacketID = Identifier<Kinds.RedPacket, UInt64>

/// The books of one campaign phase: campaign number (14 bits) and phase (2 bits).
///
/// Accounts, orders and budgets belong to exactly one book, and a transfer never leaves it (M13, CF-4).
package typealias BookID = Identifier<Kinds.Book, UInt16>

/// A scene of one campaign phase: its book (16 bits) and its number in the campaign file (16 bits).
///
/// As the book is part of it, an order number made in one phase can't be taken for one of another phase.
package typealias SceneID = Identifier<Kinds.Scene, UInt32>

/// What a coupon or pendant is made from: its book (16 bits) and the number of its reward ID (16 bits).
package typealias TemplateID = Identifier<Kinds.Template, UInt32>

extension Identifier where Kind == Kinds.Book, Raw == UInt16 {
    package static let campaignNumberMax = (1 << 14) - 1

    package init(campaign: UInt16, phase: PhaseKind) {
        precondition(campaign <= Self.campaignNumberMax)
        self.init(campaign << 2 | UInt16(phase.rawValue))
    }

    package var campaignNumber: UInt16 { rawValue >> 2 }
    package var phase: PhaseKind? { PhaseKind(rawValue: UInt8(rawValue & 3)) }
}

/// A book (16 bits) and a number in it (16 bits).
extension Identifier where Kind: Kinds.OfABook, Raw == UInt32 {
    @inlinable
    package init(book: BookID, number: UInt16) { self.init(UInt32(book.rawValue) << 16 | UInt32(number)) }

    @inlinable
    package var book: BookID { BookID(UInt16(truncatingIfNeeded: rawValue >> 16)) }
    @inlinable
    package var number: UInt16 { UInt16(truncatingIfNeeded: rawValue) }
}

/// A phase of a campaign (CF-4). The three share nothing: each has books of its own.
package enum PhaseKind: UInt8, Hashable, Sendable, CaseIterable {
    case internalTest = 1
    case rollout = 2
    case live = 3
}
