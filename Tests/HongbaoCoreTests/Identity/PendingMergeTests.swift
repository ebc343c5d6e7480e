import HongbaoCore
import Testing

/// A merge that several mints have to know of (ID-3, DP-3): the pure rules.
@Suite struct PendingMergeTests {
    private static let (source, target) = (PersonID(5), PersonID(9))
    private static let now = Timestamp(milliseconds: 7)
    private static let phone = PhoneKey(bits: 3)

    /// User 1 is the source, user 2 the target, who has the phone.
    private static func books() -> Books {
        Books(identities: [
            Identity(key: UserKey(bits: 1), person: source, phone: nil, madeAt: now, boundAt: nil),
            Identity(key: UserKey(bits: 2), person: target, phone: phone, madeAt: now, boundAt: now),
        ])
    }

    private static func merge(among mints: Int) -> PendingMerge {
        PendingMerge(
            source: source,
            target: target,
            user: UserKey(bits: 1),
            phone: phone,
            joining: .ifAlone,
            at: now,
            mints: mints
        )
    }

    private static func order(_ rain: UInt16) throws -> MergedOrder {
        let book = BookID(campaign: 7, phase: .live)
        let scene = SceneID(book: book, number: 1)
        let entry = OrderTable.Entry(
            sequence: 3,
            index: 1,
            amount: try #require(Amount(fen: 10)),
            choice: .first,
            status: .processing,
            mint: MintID(1)
        )
        let order = OrderNumber(person: source, scene: scene, rain: RainID(rain), awardType: 1, stage: 1)
        return MergedOrder(order, entry)
    }

    @Test(arguments: [1, 2, 12, 63, 64])
    func theLastAcknowledgementMakesIt(mints: Int) throws {
        var books = Self.books()
        let areNew = [books.announce(Self.merge(among: mints)), books.announce(Self.merge(among: mints))]
        #expect(areNew == [true, false])
        for mint in Division(mints: mints).all.shuffled() {
            #expect(books.newMerges.isEmpty && books.endedPendingMerges.isEmpty)
            // Twice is once.
            for _ in 0..<2 where books.endedPendingMerges.isEmpty {
                books.acknowledge(Self.source, by: mint, layingOpen: [], now: Self.now)
            }
        }
        #expect(books.newMerges == [Merge(source: Self.source, target: Self.target, at: Self.now)])
        #expect(books.endedPendingMerges == [Self.source])
        #expect(books.changedPendingMerges.map(\.waiting) == [0])
        #expect(books.identity(UserKey(bits: 1))?.person == Self.target)
    }

    /// The phone is somebody else's by the time that all know: nobody is merged, and nothing is pending.
    @Test func whatIsNotSoAnyMoreIsNotMade() {
        var books = Self.books()
        _ = books.announce(Self.merge(among: 2))
        books.acknowledge(Self.source, by: MintID(2), layingOpen: [], now: Self.now)
        let moved = books.resolve(
            UserKey(bits: 2),
            phone: PhoneKey(bits: 4),
            fresh: PersonID(1),
            expected: Self.target,
            joining: .ifAlone,
            now: Self.now
        )
        #expect(moved == .bound(Self.target))
        books.acknowledge(Self.source, by: MintID(1), layingOpen: [], now: Self.now)
        #expect(books.newMerges.isEmpty && books.endedPendingMerges == [Self.source])
        #expect(books.identity(UserKey(bits: 1))?.person == Self.source)
        #expect(books.identity(UserKey(bits: 1))?.phone == nil)
    }

    @Test func ordersAreLaidOpenOnce() throws {
        let (old, new) = (try Self.order(1), try Self.order(2))
        var books = Books(pendingMerges: [Self.merge(among: 2)], mergedOrders: [old])
        books.acknowledge(Self.source, by: MintID(1), layingOpen: [old, new], now: Self.now)
        #expect(books.newMergedOrders == [new])
        books.acknowledge(Self.source, by: MintID(1), layingOpen: [try Self.order(3)], now: Self.now)
        #expect(books.newMergedOrders == [new])
    }
}
