package import HongbaoCore
import Synchronization

/// The engines of one process: one for all people, or in a cluster one for each mint that its node has.
package final class Engines: Sendable {
    private struct State {
        var engines: [MintID: Engine]
        /// For engines that are yet to start.
        var campaigns: CampaignSet
        /// Of the nodes that have the other mints.
        var addresses: [MintID: String] = [:]
        /// Until when, by the stopwatch, nobody can have taken over this node's mints of each database.
        var ownUntil: [Int: Duration] = [:]

        /// A process that was stopped for a while finds its time over before it answers for anybody.
        func own(_ now: () -> Duration) -> [MintID: Engine] {
            let now = now()
            if ownUntil.values.allSatisfy({ now < $0 }) { return ownUntil.isEmpty ? [:] : engines }
            return engines.filter { mint, engine in ownUntil[engine.shards.index(of: mint)].map { now < $0 } ?? false }
        }
    }

    package let division: Division
    private let shards: Shards
    /// The engine of a process by itself.
    private let sole: Engine?
    private let uptime: @Sendable () -> Duration
    private let state: Mutex<State>

    /// One for all people.
    package init(_ engine: Engine) {
        division = .whole
        shards = engine.shards
        sole = engine
        uptime = engine.clock.uptime
        state = Mutex(State(engines: [engine.granting.mint: engine], campaigns: engine.campaigns.current))
    }

    /// None yet: a `ClusterNode` brings them.
    package init(on shards: Shards, campaigns: CampaignSet, clock: WallClock) {
        division = shards.division
        self.shards = shards
        sole = nil
        uptime = clock.uptime
        state = Mutex(State(engines: [:], campaigns: campaigns))
    }

    package var isAlone: Bool { sole != nil }

    /// In order of mint.
    package var all: [Engine] {
        if let sole { return [sole] }
        return state.withLock { $0.own(uptime) }.sorted { $0.key < $1.key }.map(\.value)
    }

    /// The one of the lowest mint, for what is in the store alone; `nil` when this node has no mint.
    package var any: Engine? {
        if let sole { return sole }
        return state.withLock { state in
            let own = state.own(uptime)
            return own.keys.min().flatMap { own[$0] }
        }
    }

    /// One of each database that this node has a mint of.
    package var ofEachDatabase: [Engine] {
        var seen: Set<Int> = []
        return all.filter { seen.insert(shards.index(of: $0.granting.mint)).inserted }
    }

    /// `nil` when another node has it, or nobody.
    package func engine(of concern: Concern) -> Engine? {
        if let sole { return sole }
        guard let mint = division.mint(of: concern) else { return any }
        return state.withLock { $0.own(uptime)[mint] }
    }

    package func place(_ concern: Concern) -> Placement {
        if sole != nil { return .here }
        let mint = division.mint(of: concern)
        return state.withLock { state in
            let own = state.own(uptime)
            guard let mint else {
                if !own.isEmpty { return .here }
                return state.addresses.min { $0.key < $1.key }.map { .at($0.value) } ?? .nowhere
            }
            if own[mint] != nil { return .here }
            // Whoever has that mint couldn't do anything: nobody waits for it.
            if shards.isAway(shards.index(of: mint)) { return .nowhere }
            return state.addresses[mint].map { .at($0) } ?? .nowhere
        }
    }

    /// Whether this process can tell what is its own: it has seen the store of late, or is alone.
    package var isInTouch: Bool { sole != nil || state.withLock { $0.ownUntil.values.contains { uptime() < $0 } } }

    /// Those in force, here.
    package var campaigns: CampaignSet { any?.campaigns.current ?? state.withLock { $0.campaigns } }

    /// Who it is that has this name.
    package func person(_ name: PersonID) -> PersonID { any?.identities.person(name) ?? name }

    // MARK: What several of them do

    /// Answers each request in its place, also those that another node should have been asked.
    package func grant(_ requests: [GrantRequest]) async -> [GrantAnswer] {
        if let sole { return await sole.granting.grant(requests) }
        let own = state.withLock { $0.own(uptime) }
        let aliases = own.keys.min().flatMap { own[$0]?.identities.aliases }
        var groups: [MintID: [Int]] = [:]
        for (index, request) in requests.enumerated() {
            let person = aliases?.person(request.person) ?? request.person
            groups[division.mint(of: person), default: []].append(index)
        }
        var answers = [GrantAnswer](repeating: .unavailable(Self.notHere), count: requests.count)
        await withTaskGroup(of: ([Int], [GrantAnswer]).self) { tasks in
            for (mint, places) in groups {
                guard let engine = own[mint] else { continue }
                tasks.addTask { (places, await engine.granting.grant(places.map { requests[$0] })) }
            }
            for await (places, answered) in tasks {
                for (place, answer) in zip(places, answered) { answers[place] = answer }
            }
        }
        return answers
    }

    package static let notHere = StoreError(.unavailable, "another node of the cluster has this person")

    /// Puts other campaigns in force in all of them (CF-6). When one can't, the others may have: asking again is safe.
    package func reload(_ next: CampaignSet) async -> ReloadOutcome {
        let before = campaigns.version
        for engine in all where sole != nil || engine.campaigns.current.version != next.version {
            let outcome = await engine.reloads.reload(next)
            guard case .applied = outcome else { return outcome }
        }
        state.withLock { $0.campaigns = next }
        return .applied(from: before, to: next.version)
    }

    // MARK: What a node tells

    func add(_ engine: Engine) { state.withLock { $0.engines[engine.granting.mint] = engine } }

    func remove(_ mint: MintID) { state.withLock { $0.engines[mint] = nil } }

    func note(_ addresses: [MintID: String]) { state.withLock { $0.addresses = addresses } }

    /// Its mints are this node's until then: its beats are in the store.
    func own(at index: Int, until time: Duration) { state.withLock { $0.ownUntil[index] = time } }
}

extension Division {
    fileprivate func mint(of concern: Concern) -> MintID? {
        switch concern {
        case .anybody: nil
        case .person(let person), .wallet(let person): mint(of: person)
        case .packet(let packet): mint(of: packet)
        }
    }
}
