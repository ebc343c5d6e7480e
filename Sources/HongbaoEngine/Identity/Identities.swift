package import HongbaoCore
import Metrics

/// A user as an app vouches for them: of which family of accounts, and with which phone, if any.
package struct Login: Hashable, Sendable {
    package let family: String
    package let user: String
    package let phone: PhoneNumber?

    package init(family: String, user: String, phone: PhoneNumber?) {
        self.family = family
        self.user = user
        self.phone = phone
    }
}

/// Who a user is, or why that can't be said, in order of precedence.
package enum IdentityAnswer: Hashable, Sendable {
    /// Nobody has ever logged in as this user, and they were to be known.
    case unknown
    /// The phone is another person's, and others are the same person as the user: see `Joining`.
    case phoneInUse
    /// - Parameters:
    ///   - isNew: whether nobody knew that person before.
    ///   - merged: who the user was until now, when that was another person.
    case person(PersonID, isNew: Bool, merged: PersonID?)
    /// Nothing is known to have happened. The same request can be repeated safely.
    case unavailable(StoreError)
}

/// The account centre: which person a user of an account family is (ID-1..4). The phone counts first; in one family the
/// same user is the same person.
///
/// Asking is idempotent, and two who ask at once get the same person: the transaction decides.
package struct Identities: Sendable {
    package struct Configuration: Sendable {
        /// A number for a person whom nobody knows.
        package var draw: @Sendable () -> PersonID = { PersonID(UInt64.random(in: 1...UInt64(Int64.max))) }

        package init() {}
    }

    /// How often what was read may be out of date at once.
    private static let attemptsMax = 32

    /// Who may merge at once: the process that grants to all people, in its key epoch. Another one wouldn't learn of it
    /// in time.
    package struct Fence: Sendable {
        let seat: Seat
        let epoch: @Sendable () -> UInt32

        package init(seat: Seat, epoch: @escaping @Sendable () -> UInt32) {
            self.seat = seat
            self.epoch = epoch
        }
    }

    private let store: any Store
    private let clock: WallClock
    package let keys: IdentityKeys
    private let sweeps: MergeSweeps
    private let fence: Fence
    private let pending: PendingMerges?
    private let configuration: Configuration
    private let counters = Counters()

    /// - Parameter pending: where merges are made if several engines grant.
    package init(
        store: any Store,
        clock: WallClock,
        keys: IdentityKeys,
        sweeps: MergeSweeps,
        fence: Fence,
        pending: PendingMerges?,
        configuration: Configuration
    ) {
        self.store = store
        self.clock = clock
        self.keys = keys
        self.sweeps = sweeps
        self.fence = fence
        self.pending = pending
        self.configuration = configuration
    }

    /// Nearly always `nil`: nobody has another name.
    var aliases: Aliases? { sweeps.aliases.ifAny }

    /// Who it is that has this name: who they were merged into, if they were.
    package func person(_ name: PersonID) -> PersonID { sweeps.aliases.person(name) }

    /// Whether both are names of one person.
    package func areSame(_ a: PersonID, _ b: PersonID) -> Bool { sweeps.aliases.areSame(a, b) }

    /// The person of a user who logs in, made when nobody knows them (ID-2).
    package func resolve(_ login: Login) async -> IdentityAnswer {
        await counted(login, mustBeKnown: false, joining: .ifAlone)
    }

    /// The person of a user who is known and has bound this phone, or changed to it (ID-3).
    package func bind(_ login: Login, joining: Joining) async -> IdentityAnswer {
        await counted(login, mustBeKnown: true, joining: joining)
    }

    private func counted(_ login: Login, mustBeKnown: Bool, joining: Joining) async -> IdentityAnswer {
        let answer: IdentityAnswer
        do throws(StoreError) {
            answer = try await decide(login, mustBeKnown: mustBeKnown, joining: joining)
        } catch {
            answer = .unavailable(error)
        }
        counters.count(answer)
        return answer
    }

    private func decide(_ login: Login, mustBeKnown: Bool, joining: Joining) async throws(StoreError) -> IdentityAnswer
    {
        let key = keys.user(login.user, of: login.family)
        let phone = login.phone.map { keys.phone($0) }
        for _ in 0..<Self.attemptsMax {
            let (known, owner) = try await store.read { (snapshot) throws(StoreError) in
                let known = try snapshot.identity(key)
                guard let phone, phone != known?.phone else { return (known, nil as PersonID?) }
                return (known, try snapshot.identities(on: phone).first?.person)
            }
            if mustBeKnown, known == nil { return .unknown }
            // Nearly always: nothing is written for who logs in again.
            if let known, phone == nil || known.phone == phone {
                return .person(try settled(known.person), isNew: false, merged: nil)
            }
            let merging = known.flatMap { known in owner.flatMap { $0 == known.person ? nil : [known.person, $0] } }
            switch try await attempt(key, phone, known?.person, joining, merging) {
            case .known(let person), .bound(let person), .joined(let person):
                return .person(try settled(person), isNew: false, merged: nil)
            case .made(let person): return .person(person, isNew: true, merged: nil)
            case .merged(let merge): return .person(merge.target, isNew: false, merged: merge.source)
            case .phoneInUse: return .phoneInUse
            case .personTaken, .stale: continue
            }
        }
        throw StoreError(.unavailable, "a user changes faster than it can be read")
    }

    /// Nobody is told who somebody is before everything here goes by it.
    private func settled(_ person: PersonID) throws(StoreError) -> PersonID {
        guard !sweeps.aliases.isDoubtful(person) else { throw StoreError(.unavailable, "a merge is under way") }
        return person
    }

    /// - Parameter merging: who would be merged into whom, as it seems.
    private func attempt(
        _ key: UserKey,
        _ phone: PhoneKey?,
        _ expected: PersonID?,
        _ joining: Joining,
        _ merging: [PersonID]?
    ) async throws(StoreError) -> IdentityOutcome {
        let (fresh, now) = (configuration.draw(), clock.now())
        var footprint = Footprint(resolving: key, phone: phone, persons: [fresh] + [expected].compactMap(\.self))
        guard let merging else {
            // Whoever finds it done already reads again.
            return try await store.transactOnceMore(footprint) { books in
                let outcome = books.resolving(key, phone, fresh, expected, joining, now)
                if case .merged = outcome.0 { return .stale }
                books = outcome.1
                return outcome.0
            }.answer
        }
        if let pending, let phone, let source = merging.first, let target = merging.last {
            let merge = PendingMerge(
                source: source,
                target: target,
                user: key,
                phone: phone,
                joining: joining,
                at: now,
                mints: fence.seat.division.mints
            )
            return try await announce(merge, footprint, pending)
        }
        let (mint, epoch) = (fence.seat.mint, fence.epoch())
        footprint.mints = [mint]
        // From here on nobody earns under either name until it's known what has come of it.
        sweeps.aliases.doubt(merging)
        guard await nothingIsUnderWay(merging) else {
            sweeps.settle(merging, nil)
            throw StoreError(.unavailable, "something of a person who is to be merged isn't in the store yet")
        }
        let outcome: IdentityOutcome?
        do throws(StoreError) {
            outcome = try await store.transact(footprint) { books in
                guard books.mint(mint)?.epoch == epoch else { return nil }
                let outcome = books.resolving(key, phone, fresh, expected, joining, now)
                // Of others than those in doubt nothing is merged.
                if case .merged(let merge) = outcome.0, [merge.source, merge.target] != merging { return .stale }
                books = outcome.1
                return outcome.0
            }
        } catch {
            if error.code == .outcomeUnknown, !Mutant.isOn(.forgetsDoubtfulMerges) {
                sweeps.leave(merging)
            } else {
                sweeps.settle(merging, nil)
            }
            throw error
        }
        if case .merged(let merge)? = outcome { sweeps.settle(merging, merge) } else { sweeps.settle(merging, nil) }
        guard let outcome else {
            // An epoch begins just now, or another process has taken over: then this one's calls end soon.
            await clock.pause(.milliseconds(10))
            return .stale
        }
        return outcome
    }

    /// Waits until it's in the store what these persons have begun under either name; `false` when that takes long.
    private func nothingIsUnderWay(_ persons: [PersonID]) async -> Bool {
        for _ in 0..<Self.looksMax {
            if !sweeps.aliases.isUnderWay(persons) { return true }
            await clock.pause(.milliseconds(5))
        }
        return false
    }

    /// Looks, 5 ms apart.
    private static let looksMax = 400

    /// Has all mints know of a merge, and waits until it's made.
    private func announce(
        _ merge: PendingMerge,
        _ footprint: Footprint,
        _ pending: PendingMerges
    ) async throws(StoreError) -> IdentityOutcome {
        var footprint = footprint
        footprint.pendingMerges = [merge.source]
        let outcome = try await store.transactOnceMore(footprint) { books in
            let (key, now) = (merge.user, merge.at)
            let fresh = merge.source
            let outcome = books.resolving(key, merge.phone, fresh, merge.source, merge.joining, now)
            guard case .merged(let made) = outcome.0 else {
                books = outcome.1
                return outcome.0
            }
            guard made.target == merge.target else { return .stale }
            // If it's pending already, that one is waited for.
            _ = books.announce(merge)
            return outcome.0
        }.answer
        guard case .merged = outcome else { return outcome }
        let made = try await pending.outcome(of: merge.source)
        return made?.target == merge.target ? made.map { .merged($0) } ?? .stale : .stale
    }

    /// Handles made once; none has a person in a label.
    private struct Counters: Sendable {
        private static let name = "hongbao_identities_total"
        private let known = Counter(label: name, dimensions: [("outcome", "known")])
        private let made = Counter(label: name, dimensions: [("outcome", "made")])
        private let merged = Counter(label: name, dimensions: [("outcome", "merged")])
        private let unknown = Counter(label: name, dimensions: [("outcome", "not_found")])
        private let phoneInUse = Counter(label: name, dimensions: [("outcome", "phone_in_use")])
        private let unavailable = Counter(label: name, dimensions: [("outcome", "unavailable")])

        func count(_ answer: IdentityAnswer) {
            switch answer {
            case .unknown: unknown.increment()
            case .phoneInUse: phoneInUse.increment()
            case .person(_, isNew: true, _): made.increment()
            case .person(_, isNew: false, .some): merged.increment()
            case .person(_, isNew: false, nil): known.increment()
            case .unavailable: unavailable.increment()
            }
        }
    }
}

extension Books {
    /// What resolving would make of these books.
    fileprivate func resolving(
        _ key: UserKey,
        _ phone: PhoneKey?,
        _ fresh: PersonID,
        _ expected: PersonID?,
        _ joining: Joining,
        _ now: Timestamp
    ) -> (IdentityOutcome, Books) {
        var books = self
        let outcome = books.resolve(
            key,
            phone: phone,
            fresh: fresh,
            expected: expected,
            joining: joining,
            now: now
        )
        return (outcome, books)
    }
}
