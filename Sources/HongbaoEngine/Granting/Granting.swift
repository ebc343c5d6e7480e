package import HongbaoCore
import Logging
import Metrics
import Synchronization

package enum GrantAnswer: Sendable {
    case granted(Granted)
    case refused(GrantRefusal)
    /// A fault. The grant may or may not be accepted: asking again with the same order number tells (GR-4).
    case unavailable(StoreError)
}

/// The asset order layer: the only way to issue a reward (GR-1).
///
/// Requests are decided under one lock by `MintState`, gathered into batches, sealed, and appended to the log in
/// group commits. Nobody is answered before the record is durable (GR-5). `run` does the sealing and appending.
package final class Granting: Sendable {
    package struct Configuration: Sendable {
        package var limits = MintState.Limits()
        /// Batches in one group commit. Larger groups cost latency, smaller ones throughput.
        package var groupBatchesMax = 64
        /// Batches whose tokens are kept ready for answers and replays.
        package var recentBatchesMax = 512
        package var leaseSeconds: Int64 = 60
        /// A lease is extended by this part of the scene's budget.
        package var leaseDivisor: Int64 = 16
        package var epochSeconds: Int64 = EpochKeys.validSeconds
        /// Everything is posted before it's answered: the switch that cuts the token path (TK-8).
        package var postsFirst = false
        /// Grants that wait for their posting at a time when `postsFirst` is on.
        package var postingFirstMax = 2_000
        /// What decides draws; `nil`: the keyring.
        package var draws: Draws?
        /// Batches that recovery reads at a time; full ones are about 3 MB.
        package var recoveryPageBatches = 256

        package init() {}
    }

    /// What can happen to a group of batches on its way to the log; see `Granting+Log`.
    enum Health: Hashable { case accepting, recovering, fenced, draining, stopped }

    struct State {
        var mint: MintState
        var waiters: [Waiter] = []
        /// Grows with each roll-back; a wait begun before one is over.
        var generation = 0
        var health = Health.accepting
        /// Asked to end, which waits for a recovery that is under way.
        var isEnding = false
        var recent: [UInt64: BatchTokens] = [:]
        var postingFirst = 0
        var leaseWaiters: [CheckedContinuation<Bool, Never>] = []
        /// How much each scene's lease should grow by, at least.
        var wantedLeases: [PoolID: Amount] = [:]
        /// What each lease was allotted when last heard of; what it has more has not been used yet.
        var allotted: [PoolID: Amount]
        /// What this mint's fair part of the rest was then.
        var shares: [PoolID: Amount] = [:]
        /// How often budgets were reopened; an extension begun before says nothing of what is there now.
        var reopenings = 0
        /// The home knows a newer epoch of this mint.
        var isOvertaken = false
        /// Waits for the loop; `Reloads` asks for one at a time.
        var change: Change?
    }

    /// Campaigns that are to be put in force, and who waits for that.
    struct Change {
        let campaigns: CampaignSet
        let continuation: CheckedContinuation<Bool, Never>
    }

    /// The key epoch that is minted in.
    struct Keys: Sendable {
        let sealer: BatchSealer
        let certificate: MintCertificate
        /// What has been sealed with them, which their certificate bounds; also what never came into the log.
        var sealed = Int128(0)

        init(_ keys: EpochKeys) {
            sealer = BatchSealer(keys)
            certificate = keys.certificate
        }
    }

    struct Waiter {
        let id: UInt64
        let sequence: UInt64
        let continuation: CheckedContinuation<Bool, Never>
    }

    let store: any Store
    let shards: Shards
    let campaigns: Campaigns
    let clock: WallClock
    let tokens: TokenLists
    let poster: Poster
    let draws: Draws
    let totals: SharedTotals
    let reader: LogReader
    let verifier: TokenVerifier
    let keyring: Keyring
    let aliases: KnownAliases
    let seat: Seat
    /// Up to which sequence the log is that of the first mint.
    let commonSequence: UInt64
    let configuration: Configuration
    let alarms: Alarms
    let logger: Logger
    let sealer: Mutex<Keys>
    let state: Mutex<State>
    private let waiterCount = Atomic<UInt64>(0)
    let work = Doorbell()
    let leaseWork = Doorbell()
    private let accepted = Counter(label: "hongbao_grants_total", dimensions: [("outcome", "accepted")])
    private let replayed = Counter(label: "hongbao_grants_total", dimensions: [("outcome", "replayed")])
    private let unavailable = Counter(label: "hongbao_grants_total", dimensions: [("outcome", "unavailable")])
    let backlogGauge: Gauge

    init(
        shards: Shards,
        campaigns: Campaigns,
        clock: WallClock,
        tokens: TokenLists,
        poster: Poster,
        draws: Draws,
        totals: SharedTotals,
        reader: LogReader,
        verifier: TokenVerifier,
        keyring: Keyring,
        aliases: KnownAliases,
        seat: Seat,
        commonSequence: UInt64,
        epoch: EpochKeys,
        state: MintState,
        allotted: [PoolID: Amount],
        configuration: Configuration,
        alarms: Alarms,
        logger: Logger
    ) {
        store = shards.store(of: seat.mint)
        self.shards = shards
        self.campaigns = campaigns
        self.clock = clock
        self.tokens = tokens
        self.poster = poster
        self.draws = draws
        self.totals = totals
        self.reader = reader
        self.verifier = verifier
        self.keyring = keyring
        self.aliases = aliases
        self.seat = seat
        self.commonSequence = commonSequence
        backlogGauge = Gauge(label: "hongbao_backlog_grants", dimensions: seat.dimensions)
        self.configuration = configuration
        self.alarms = alarms
        self.logger = logger
        sealer = Mutex(Keys(epoch))
        self.state = Mutex(State(mint: state, allotted: allotted))
        // What a crash left behind is known before anything is posted.
        backlogGauge.record(Int64(state.backlog))
    }

    /// Answers each request in its place. Repeats of an order number, here or at any other time, give the first answer.
    package func grant(_ requests: [GrantRequest]) async -> [GrantAnswer] {
        var rules = GrantRules(campaigns: campaigns.current, draws: draws, now: clock.now())
        let known = aliases.ifAny
        var resolutions = requests.map { rules.resolve($0, for: known?.person($0.person)) }
        var ticket = await decide(&resolutions)
        // Ends: each round extends a lease or learns that nothing is left of the budget, unless the store fails.
        while !ticket.wantedLeases.isEmpty {
            guard await extendLeases(by: ticket.wantedLeases) else {
                return answers(ticket, requests, fault: Self.notLeased)
            }
            await redecide(&resolutions, &ticket)
        }
        guard await isDurable(ticket) else {
            return answers(ticket, requests, fault: ticket.isRefusedWhole ? Self.notAccepting : Self.notKnownDurable)
        }
        let postingFault = await postFirst(ticket, resolutions)
        let batches = await tokens(for: ticket)
        return answers(ticket, requests, resolutions, batches, postingFault)
    }

    /// Grants that are accepted and not posted.
    package var backlog: Int { state.withLock { $0.mint.backlog } }
    package var orderCount: Int { state.withLock { $0.mint.orders.count } }
    package var isAccepting: Bool { state.withLock { $0.health == .accepting } }
    /// Another process has taken its mint over.
    package var isFenced: Bool { state.withLock { $0.health == .fenced } }

    var mint: MintID { seat.mint }

    /// The key epoch that is minted in now.
    var epoch: UInt32 { sealer.withLock { $0.sealer.epoch } }

    /// Tells that the home knows a newer epoch of this mint, so that nothing is done there in this process's.
    func noteOvertaken() {
        state.withLock { $0.isOvertaken = true }
        work.ring()
    }

    /// Up to where this mint's grants are in the token lists; `nil` for another mint, whose grants aren't listed here.
    func listedSequence(of id: MintID) -> UInt64? {
        id == mint ? state.withLock { $0.mint.durableSequence } : nil
    }

    func notePosted(_ count: Int) {
        let backlog = state.withLock { state in
            state.mint.notePosted(Mutant.isOn(.forgetsToCountPosted) ? 0 : count)
            return state.mint.backlog
        }
        backlogGauge.record(Int64(backlog))
    }

    // MARK: Deciding

    /// The decisions on one call's requests, in their order.
    struct Ticket {
        var decisions: [MintState.Decision]
        /// Of this mint's.
        var lastSequence: UInt64 = 0
        var generation: Int
        var isRefusedWhole = false
        var wantedLeases: [PoolID: Amount] = [:]

        /// What another mint has accepted was durable before this one heard of it.
        mutating func await(_ entry: OrderTable.Entry) {
            if entry.mint == nil { lastSequence = max(lastSequence, entry.sequence) }
        }
    }

    /// A batch of some mint's log.
    struct BatchPlace: Hashable {
        let mint: MintID
        let sequence: UInt64
    }

    private func place(of entry: OrderTable.Entry) -> BatchPlace {
        BatchPlace(mint: entry.mint ?? keeper(of: entry.sequence), sequence: entry.sequence)
    }

    private static let notLeased = StoreError(.unavailable, "the budget's lease can't be extended")
    private static let notAccepting = StoreError(.unavailable, "the log can't be written")
    /// The log may yet turn out to have it: only asking again tells.
    private static let notKnownDurable = StoreError(.outcomeUnknown, "the log may not have been written")

    /// How often a call steps aside for the one that is being decided, before it waits like anybody.
    private static let turnsMax = 64

    /// Lets other tasks run while somebody else has the lock. Deciding a call of a thousand takes so long that a thread
    /// that waits for it has something better to do: sealing, answering.
    private func withState<Answer>(_ body: (inout State) -> sending Answer) async -> sending Answer {
        for _ in 0..<Self.turnsMax {
            if let answer = state.withLockIfAvailable({ body(&$0) }) { return answer }
            await Task.yield()
        }
        return state.withLock { body(&$0) }
    }

    private func decide(_ resolutions: inout [GrantRules.Resolution]) async -> Ticket {
        let ticket = await withState { state in
            let aliases = aliases.ifAny
            var ticket = Ticket(decisions: [], generation: state.generation)
            guard state.health == .accepting else {
                ticket.isRefusedWhole = true
                return ticket
            }
            ticket.decisions.reserveCapacity(resolutions.count)
            for index in resolutions.indices {
                let decision = decide(&resolutions[index], aliases, &state)
                note(decision, resolutions[index], in: &ticket)
                ticket.decisions.append(decision)
            }
            return ticket
        }
        if ticket.lastSequence > 0 { work.ring() }
        return ticket
    }

    /// Decides again what waited for a lease.
    private func redecide(_ resolutions: inout [GrantRules.Resolution], _ ticket: inout Ticket) async {
        ticket.wantedLeases = [:]
        await withState { state in
            let aliases = aliases.ifAny
            guard state.health == .accepting, state.generation == ticket.generation else {
                ticket.isRefusedWhole = true
                return
            }
            for (index, earlier) in ticket.decisions.enumerated() {
                guard case .needsLease = earlier else { continue }
                let decision = decide(&resolutions[index], aliases, &state)
                note(decision, resolutions[index], in: &ticket)
                ticket.decisions[index] = decision
            }
        }
        work.ring()
    }

    private func decide(
        _ resolution: inout GrantRules.Resolution,
        _ aliases: Aliases?,
        _ state: inout State
    ) -> MintState.Decision {
        switch resolution {
        case .refused(let refusal): return .refused(refusal)
        case .draft(var draft):
            // Only who knows all orders of a person may decide; the caller asks again, and then the right one.
            guard seat.decides(for: draft.recipient) else { return .refused(.overloaded) }
            if let aliases {
                guard let own = state.mint.named(draft, aliases) else { return .refused(.overloaded) }
                draft = own
                resolution = .draft(own)
            }
            let postsFirst = postsFirst(draft)
            if postsFirst, state.postingFirst >= configuration.postingFirstMax { return .refused(.overloaded) }
            return state.mint.decide(draft, isPostedFirst: postsFirst)
        }
    }

    /// Coupons and pendants are given by other systems: posting them first would answer no more.
    private func postsFirst(_ draft: GrantDraft) -> Bool {
        guard case .money = draft.gift else { return false }
        return configuration.postsFirst || draft.posting == .sync
    }

    private func note(
        _ decision: MintState.Decision,
        _ resolution: GrantRules.Resolution,
        in ticket: inout Ticket
    ) {
        switch decision {
        case .accepted(let entry), .replayed(let entry): ticket.await(entry)
        case .conflicting(let entry):
            if Mutant.isOn(.conflictsWithUndurable) { return }
            ticket.await(entry)
        case .needsLease(let pool):
            guard case .draft(let draft) = resolution else { return }
            let amount = pool.template == nil ? draft.amount : .one
            let sum = (ticket.wantedLeases[pool] ?? .zero).adding(amount)
            ticket.wantedLeases[pool] = sum ?? amount
        case .refused: break
        }
    }

    /// Waits until everything that the ticket refers to is durable; `false` when it won't be, or when cancelled.
    private func isDurable(_ ticket: Ticket) async -> Bool {
        if ticket.isRefusedWhole { return false }
        if ticket.lastSequence == 0 { return true }
        let id = waiterCount.add(1, ordering: .relaxed).newValue
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer: Bool? = state.withLock { state in
                    guard state.generation == ticket.generation, !Task.isCancelled else { return false }
                    if ticket.lastSequence <= state.mint.durableSequence { return true }
                    state.waiters.append(
                        Waiter(id: id, sequence: ticket.lastSequence, continuation: continuation)
                    )
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                state.waiters.firstIndex { $0.id == id }.map { state.waiters.remove(at: $0) }
            }
            waiter?.continuation.resume(returning: false)
        }
    }

    // MARK: Answering

    /// Posts what has to be in the ledger before it's answered.
    private func postFirst(_ ticket: Ticket, _ resolutions: [GrantRules.Resolution]) async -> StoreError? {
        var grants: [OpenGrant] = []
        var replays: [(order: OrderNumber, entry: OrderTable.Entry)] = []
        for (decision, resolution) in zip(ticket.decisions, resolutions) {
            guard case .draft(let draft) = resolution, case .money = draft.gift else { continue }
            switch decision {
            case .accepted where postsFirst(draft):
                grants.append(
                    OpenGrant(order: draft.order, amount: draft.amount, openedAt: draft.openedAt, app: draft.app)
                )
            case .replayed(let entry) where entry.status == .credited && Mutant.isOn(.postsRepeatAsAsked):
                grants.append(
                    OpenGrant(order: draft.order, amount: draft.amount, openedAt: draft.openedAt, app: draft.app)
                )
            case .replayed(let entry) where entry.status == .credited: replays.append((draft.order, entry))
            default: break
            }
        }
        if grants.isEmpty && replays.isEmpty { return nil }
        let count = grants.count + replays.count
        state.withLock { $0.postingFirst += count }
        defer { state.withLock { $0.postingFirst -= count } }
        do {
            for (order, entry) in replays { grants.append(try await accepted(order, entry)) }
            try await poster.postFirst(grants)
            return nil
        } catch {
            if Mutant.isOn(.swallowsPostingFault) { return nil }
            return StoreError(.outcomeUnknown, "accepted, and not posted yet: \(error.message)")
        }
    }

    private func isPostedFirst(_ decision: MintState.Decision, _ draft: GrantDraft) -> Bool {
        switch decision {
        case .accepted: postsFirst(draft)
        case .replayed(let entry): entry.status == .credited && entry.choice.isMoney
        case .conflicting, .refused, .needsLease: false
        }
    }

    /// What was accepted at first: a replay may name another app and another time, and neither must reach the ledger
    /// (M4).
    func accepted(_ order: OrderNumber, _ entry: OrderTable.Entry) async throws(StoreError) -> OpenGrant {
        let listed = tokens.tokens(of: order.person, in: order.book).first { $0.order == order }
        if let listed { return listed }
        let opened = try reader.open(try await readBatch(place(of: entry)))
        return OpenGrant(opened.payloads[entry.index], entry.choice)
    }

    /// The batches whose tokens the answers need: recent ones from memory, old ones from the log.
    private func tokens(for ticket: Ticket) async -> [BatchPlace: Result<BatchTokens, StoreError>] {
        var places = Set<BatchPlace>()
        var last: BatchPlace?
        for decision in ticket.decisions {
            switch decision {
            case .accepted(let entry), .replayed(let entry):
                // Most are in the batch of the one before.
                let place = self.place(of: entry)
                if place != last { places.insert(place) }
                last = place
            case .conflicting, .refused, .needsLease: break
            }
        }
        var batches = await withState { state in
            var batches: [BatchPlace: Result<BatchTokens, StoreError>] = [:]
            for place in places where place.mint == mint {
                batches[place] = state.recent[place.sequence].map { .success($0) }
            }
            return batches
        }
        for place in places.sorted(by: { $0.sequence < $1.sequence }) where batches[place] == nil {
            do {
                batches[place] = .success(try reader.tokens(try await readBatch(place)))
            } catch {
                batches[place] = .failure(error)
            }
        }
        return batches
    }

    /// In whose log a batch is that has this sequence in this engine's.
    func keeper(of sequence: UInt64) -> MintID { sequence <= commonSequence ? .first : mint }

    private func readBatch(_ place: BatchPlace) async throws(StoreError) -> LoggedBatch {
        try await shards.store(of: place.mint).batches(of: place.mint, after: place.sequence - 1, count: 1)[0]
    }

    private func answers(_ ticket: Ticket, _ requests: [GrantRequest], fault: StoreError) -> [GrantAnswer] {
        guard ticket.decisions.count == requests.count else {
            unavailable.increment(by: requests.count)
            return requests.map { _ in .unavailable(fault) }
        }
        return zip(ticket.decisions, requests).map { decision, request in
            if case .refused(let refusal) = decision { return refuse(refusal, request) }
            unavailable.increment()
            return .unavailable(fault)
        }
    }

    private func answers(
        _ ticket: Ticket,
        _ requests: [GrantRequest],
        _ resolutions: [GrantRules.Resolution],
        _ batches: [BatchPlace: Result<BatchTokens, StoreError>],
        _ postingFault: StoreError?
    ) -> [GrantAnswer] {
        var acceptedCount = 0
        let campaigns = campaigns.current
        var answers: [GrantAnswer] = []
        answers.reserveCapacity(requests.count)
        var last: (place: BatchPlace?, batch: Result<BatchTokens, StoreError>?) = (nil, nil)
        for (index, decision) in ticket.decisions.enumerated() {
            switch (decision, resolutions[index]) {
            case (_, .draft(let draft)) where postingFault != nil && isPostedFirst(decision, draft):
                unavailable.increment()
                answers.append(.unavailable(postingFault ?? Self.notKnownDurable))
            case (.refused(let refusal), _): answers.append(refuse(refusal, requests[index]))
            case (.conflicting, _): answers.append(refuse(.orderConflict, requests[index]))
            case (.needsLease, _): answers.append(refuse(.budgetExhausted, requests[index]))
            case (.accepted(let entry), .draft(let draft)), (.replayed(let entry), .draft(let draft)):
                let place = self.place(of: entry)
                if place != last.place { last = (place, batches[place]) }
                var isReplay = false
                if case .replayed = decision { isReplay = true }
                if isReplay { replayed.increment() } else { acceptedCount += 1 }
                answers.append(answer(draft, entry, last.batch, campaigns, isReplay: isReplay))
            case (.accepted, .refused), (.replayed, .refused): preconditionFailure("decided without a draft")
            }
        }
        if acceptedCount > 0 { accepted.increment(by: acceptedCount) }
        return answers
    }

    /// A replay's draft has the amount and the reward of the first request, or it would be a conflict.
    private func answer(
        _ draft: GrantDraft,
        _ entry: OrderTable.Entry,
        _ batch: Result<BatchTokens, StoreError>?,
        _ campaigns: CampaignSet,
        isReplay: Bool
    ) -> GrantAnswer {
        let index = entry.index
        switch batch {
        case .success(let tokens):
            let (rewardID, fallback) = given(draft, entry.choice, campaigns)
            return .granted(
                Granted(
                    order: draft.order,
                    status: entry.status,
                    amount: draft.amount,
                    rewardID: rewardID,
                    fallback: fallback,
                    token: tokens[Mutant.isOn(.answersWithNeighboursToken) ? max(0, index - 1) : index],
                    isReplay: isReplay
                )
            )
        case .failure(let error): return .unavailable(error)
        case nil: preconditionFailure("an accepted grant without a batch")
        }
    }

    /// What was chosen when it was accepted, in words.
    private func given(
        _ draft: GrantDraft,
        _ choice: RewardChoice,
        _ campaigns: CampaignSet
    ) -> (rewardID: String?, GivenFallback?) {
        if choice.isMoney || Mutant.isOn(.namesWhatWasMeant) { return (draft.rewardID, nil) }
        if choice.isBlessing {
            return (nil, .blessing(campaigns.scene(draft.order.scene)?.fallback.blessing ?? ""))
        }
        let fallback: GivenFallback? = choice.isFallback ? .backup : nil
        if case .pieces(let rungs, _, _) = draft.gift, rungs.first == choice.given { return (draft.rewardID, fallback) }
        let id = campaigns.phase(draft.order.book)?.rewardID(choice.given)?.id
        return (id?.key ?? "\(choice.given)", fallback)
    }

    private func refuse(_ refusal: GrantRefusal, _ request: GrantRequest) -> GrantAnswer {
        switch refusal {
        case .orderConflict: alarms.raise(.orderConflict, "\(request.place) rain \(request.rain.rawValue)")
        case .overCap: alarms.raise(.overCap, "\(request.place) amount \(request.amount ?? 0) fen")
        default: break
        }
        return .refused(refusal)
    }
}

extension GrantRequest {
    /// For alarms.
    fileprivate var place: String { "campaign \(campaign) scene \(scene)" }
}
