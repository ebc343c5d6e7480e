package import HongbaoCore
import Synchronization

/// Each person's grants that aren't posted, or were posted a moment ago: the token list in the hot state (TK-4, TK-5).
///
/// It can be rebuilt from the log at any time, so it may be lost but never wrong. Striped by person, so that readers
/// and the accept path seldom meet.
package final class TokenLists: Sendable {
    private struct OpenToken: Sendable {
        let grant: OpenGrant
        var status: GrantStatus
    }

    private final class Stripe: Sendable {
        let lists = Mutex<[PersonID: [OpenToken]]>([:])
    }

    private struct Grace: Sendable {
        let until: Duration
        let orders: [OrderNumber]
    }

    private static let stripeCount = 64
    private let stripes = (0..<stripeCount).map { _ in Stripe() }
    private let graces = Mutex<[Grace]>([])

    package init() {}

    private func stripe(_ person: PersonID) -> Stripe {
        stripes[Int((person.rawValue &* 0x9E37_79B9_7F4A_7C15) >> 58)]
    }

    /// Blessings are nothing to show.
    package func add(_ payloads: [GrantPayload], _ choices: [RewardChoice]) {
        for (payload, choice) in zip(payloads, choices) where !choice.isBlessing {
            let token = OpenToken(
                grant: OpenGrant(
                    order: payload.order,
                    amount: payload.amount,
                    openedAt: payload.openedAt,
                    app: payload.app,
                    given: choice.given
                ),
                status: .processing
            )
            stripe(payload.person).lists.withLock { $0[payload.person, default: []].append(token) }
        }
    }

    /// All of a person's tokens in one book, whether posted or not: who merges them with the ledger drops the posted.
    package func tokens(of person: PersonID, in book: BookID) -> [OpenGrant] {
        stripe(person).lists.withLock { lists in
            lists[person, default: []].lazy.filter { $0.grant.order.book == book || Mutant.isOn(.listsAllPhases) }
                .map(\.grant)
        }
    }

    /// The tokens that still have to be posted.
    package func unposted(of person: PersonID, in book: BookID) -> [OpenGrant] {
        stripe(person).lists.withLock { lists in
            lists[person, default: []].lazy.filter { $0.status == .processing && $0.grant.order.book == book }
                .map(\.grant)
        }
    }

    /// Status 2 → 8 (GR-6). The tokens stay for a grace time, for readers whose snapshot of the ledger is older.
    ///
    /// - Parameter keptUntil: by the clock that `sweep` is told, which nobody must be able to set back: whatever comes
    /// behind what is kept for hours is kept for hours, too.
    package func markPosted(_ orders: [OrderNumber], keptUntil: Duration) {
        for order in orders {
            stripe(order.person).lists.withLock { lists in
                guard let list = lists.index(forKey: order.person),
                    let index = lists.values[list].firstIndex(where: { $0.grant.order == order })
                else { return }
                lists.values[list][index].status = .credited
            }
        }
        graces.withLock { $0.append(Grace(until: keptUntil, orders: orders)) }
    }

    /// Drops posted tokens whose grace time is over.
    package func sweep(now: Duration) {
        let over = graces.withLock { graces in
            let count = graces.firstIndex { $0.until > now } ?? graces.count
            defer { graces.removeFirst(count) }
            return graces.prefix(count).map { $0 }
        }
        for order in over.lazy.flatMap(\.orders) {
            stripe(order.person).lists.withLock { lists in
                guard let list = lists.index(forKey: order.person),
                    let index = lists.values[list].firstIndex(where: { $0.grant.order == order })
                else { return }
                lists.values[list].remove(at: index)
                if lists.values[list].isEmpty { lists.remove(at: list) }
            }
        }
    }

    /// For tests of TK-4: the hot state is lost.
    package func removeAll() {
        for stripe in stripes { stripe.lists.withLock { $0 = [:] } }
        graces.withLock { $0 = [] }
    }
}
