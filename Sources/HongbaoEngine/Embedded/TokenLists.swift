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

    private struct Lists {
        var tokens: [PersonID: [OpenToken]] = [:]
        /// `nil` while nobody takes note of them.
        var changes: TokenChanges?

        var unposted: [OpenGrant] {
            tokens.values.flatMap { $0.lazy.filter { $0.status == .processing }.map(\.grant) }
        }

        mutating func note(_ change: (inout TokenChanges) -> Void) {
            guard var noted = changes else { return }
            changes = nil
            change(&noted)
            if noted.count <= TokenChanges.countMax { changes = noted }
        }
    }

    private final class Stripe: Sendable {
        let lists = Mutex(Lists())
    }

    private struct Grace: Sendable {
        let until: Duration
        let orders: [OrderNumber]
    }

    private let stripes = (0..<TokenPart.count).map { _ in Stripe() }
    private let graces = Mutex<[Grace]>([])

    package init() {}

    private func stripe(_ person: PersonID) -> Stripe {
        stripes[TokenPart.number(of: person)]
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
            stripe(payload.person).lists.withLock { lists in
                lists.tokens[payload.person, default: []].append(token)
                lists.note { $0.add(token.grant) }
            }
        }
    }

    /// All of a person's tokens in one book, whether posted or not: who merges them with the ledger drops the posted.
    package func tokens(of person: PersonID, in book: BookID) -> [OpenGrant] {
        stripe(person).lists.withLock { lists in
            let own = lists.tokens[person, default: []]
            return own.lazy.filter { $0.grant.order.book == book || Mutant.isOn(.listsAllPhases) }.map(\.grant)
        }
    }

    /// The tokens that still have to be posted.
    package func unposted(of person: PersonID, in book: BookID) -> [OpenGrant] {
        stripe(person).lists.withLock { lists in
            lists.tokens[person, default: []].lazy.filter { $0.status == .processing && $0.grant.order.book == book }
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
                guard let list = lists.tokens.index(forKey: order.person),
                    let index = lists.tokens.values[list].firstIndex(where: { $0.grant.order == order }),
                    lists.tokens.values[list][index].status == .processing
                else { return }
                lists.tokens.values[list][index].status = .credited
                lists.note { $0.remove(order) }
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
                guard let list = lists.tokens.index(forKey: order.person),
                    let index = lists.tokens.values[list].firstIndex(where: { $0.grant.order == order })
                else { return }
                lists.tokens.values[list].remove(at: index)
                if lists.tokens.values[list].isEmpty { lists.tokens.remove(at: list) }
            }
        }
    }

    /// For tests of TK-4: the hot state is lost.
    package func removeAll() {
        for stripe in stripes { stripe.lists.withLock { $0 = Lists() } }
        graces.withLock { $0 = [] }
    }

    // MARK: For a mirror

    /// What has changed in a part since this or `begin` was asked; `nil` when nobody took note of it, or there was more
    /// than is kept.
    func takeChanges(of part: Int) -> TokenChanges? {
        stripes[part].lists.withLock { lists in
            guard let changes = lists.changes else { return nil }
            if !changes.isEmpty { lists.changes = TokenChanges() }
            return changes
        }
    }

    /// All of a part that has to be posted; changes are taken note of from then on.
    func begin(_ part: Int) -> [OpenGrant] {
        stripes[part].lists.withLock { lists in
            lists.changes = TokenChanges()
            return lists.unposted
        }
    }

    /// All of a part that has to be posted.
    func unposted(in part: Int) -> [OpenGrant] { stripes[part].lists.withLock { $0.unposted } }

    /// No longer takes note of changes.
    func end(_ part: Int) { stripes[part].lists.withLock { $0.changes = nil } }
}

/// What has come into token lists and what has been posted, each token at most once.
struct TokenChanges: Sendable {
    /// More aren't kept for a part: 64 times as many are 30 MB.
    static let countMax = 4_096

    private(set) var added: [OrderNumber: OpenGrant] = [:]
    private(set) var removed: Set<OrderNumber> = []

    var count: Int { added.count + removed.count }
    var isEmpty: Bool { added.isEmpty && removed.isEmpty }

    mutating func add(_ grant: OpenGrant) { added[grant.order] = grant }

    /// Of what came and went, nothing remains.
    mutating func remove(_ order: OrderNumber) {
        if added.removeValue(forKey: order) == nil { removed.insert(order) }
    }
}
